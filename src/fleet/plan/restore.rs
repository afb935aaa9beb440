//! What of a plan puts back what others have changed, and nothing else.

use super::{Action, Plan, Refusal, Step};
use crate::fleet::object::ObjectKey;

/// The part of a plan that puts back what others changed or removed; nothing where the description itself has moved since it was applied,
/// since to apply that is for people to decide. Nothing is removed, and no Secret is written over: what rotates them is seldom a mistake.
pub fn restoration(plan: &Plan) -> Vec<Step> {
    let restores = |Step { key, action, .. }: &&Step| match action {
        // What has run is cleaned away, and is not to run again.
        Action::Create { .. } => !(key.kind.is("batch", "Job") || key.kind.is("", "Pod")),
        // Also where others have only taken fields: what leaves the source would stay otherwise.
        // And with it goes what keeps the replicas that an autoscaler says.
        Action::Change { .. } | Action::HandOver { .. } => is_written_over(key),
        // With its namespace went what tells that anything of it was applied.
        Action::CreateNamespace { .. } | Action::Delete { .. } | Action::Record { .. } => false,
    };
    plan.steps.iter().filter(|_| plan.is_applied).filter(restores).cloned().collect()
}

/// Whether something is there to be put back: also what others have taken, and is refused as long as nothing is forced.
pub fn needs_restoration(plan: &Plan) -> bool {
    let is_taken = |it: &Refusal| it.drifted.is_some() && is_written_over(&it.key);
    !restoration(plan).is_empty() || (plan.is_applied && plan.refusals.iter().any(is_taken))
}

fn is_written_over(key: &ObjectKey) -> bool {
    !key.kind.is("", "Secret")
}

#[cfg(test)]
mod tests {
    use crate::fleet::cluster::{Deletion, Resource};
    use crate::fleet::object::Object;
    use crate::fleet::plan::{Phase, place};

    use super::*;

    fn step(kind: &str, action: Action) -> Step {
        let api_version = if kind == "Job" { "batch/v1" } else { "v1" };
        let key = Object::named(api_version, kind, Some("shop"), "it").key();
        let resource = Resource {
            kind: key.kind.clone(),
            version: "v1".to_owned(),
            plural: String::new(),
            namespaced: true,
        };
        let phase = match action {
            Action::Record { .. } => Phase::Others,
            _ => place(&key.kind).0,
        };
        Step { phase, key, resource, action }
    }

    #[test]
    fn what_others_did_is_put_back_and_nothing_else() {
        let it = || Object::named("v1", "ConfigMap", Some("shop"), "it");
        let other = || {
            let mut other = it();
            other.set_label("a", "b");
            other
        };
        let change = |before| Action::Change { wanted: it(), before, after: it(), taken: vec![] };
        let steps = vec![
            step("ConfigMap", Action::Create { wanted: it(), after: None }),
            step("Job", Action::Create { wanted: it(), after: None }),
            step("Pod", Action::Create { wanted: it(), after: None }),
            step("Namespace", Action::CreateNamespace { wanted: it() }),
            step("ConfigMap", change(other())),
            step("Service", Action::HandOver { wanted: it() }),
            step("Service", change(it())),
            step("Secret", Action::Create { wanted: it(), after: None }),
            step("Secret", change(other())),
            step("ConfigMap", Action::Delete { before: it(), which: Deletion::of(&it()) }),
            step("ConfigMap", Action::Record { wanted: it() }),
        ];
        let mut plan = Plan { steps, is_applied: true, ..Plan::default() };
        let told: Vec<String> =
            restoration(&plan).iter().map(|it| format!("{} {}", it.action, it.key.kind)).collect();
        assert_eq!(
            told,
            [
                "create ConfigMap",
                "change ConfigMap",
                "hand over Service",
                "change Service",
                "create Secret"
            ]
        );
        plan.is_applied = false;
        assert_eq!(restoration(&plan), [], "what was never applied is no drift");
        plan.steps.clear();
        let why = String::new();
        let drifted = Some(Box::new((it(), other())));
        for (kind, drifted, is_applied, expected) in [
            ("ConfigMap", drifted.clone(), true, true),
            ("ConfigMap", drifted.clone(), false, false),
            ("ConfigMap", None, true, false),
            ("Secret", drifted, true, false),
        ] {
            let key = Object::named("v1", kind, Some("shop"), "it").key();
            plan.refusals = vec![Refusal { key, why: why.clone(), drifted }];
            plan.is_applied = is_applied;
            assert_eq!(needs_restoration(&plan), expected, "{kind}");
        }
    }
}
