//! Whether a cluster is as it is wanted, as far as that can be told without changing it: from a plan.

use serde_json::Value;

use super::object::{Object, ObjectKey};
use super::plan::{
    Action, FieldChange, MANAGER, Mask, Plan, Refusal, Step, bare, changes, has_field, masked,
};

/// How an object differs from what is wanted.
#[derive(Clone, Debug, PartialEq)]
pub enum Difference {
    /// It isn't there.
    Missing,
    /// Fields have other values.
    Drifted(Vec<Drifted>),
    /// Nobody wants it any more.
    Extra,
    /// Nobody wants it any more, and it stays by a rule.
    Kept(String),
    /// It can't be brought there.
    Refused(String),
}

/// A field with another value than the wanted one.
#[derive(Clone, Debug, PartialEq)]
pub struct Drifted {
    /// What it is and what it should be.
    pub change: FieldChange,
    /// Who has written what it is; none where the server doesn't know.
    pub manager: Option<String>,
}

/// Every object that isn't as it is wanted.
pub fn differences(plan: &Plan, mask: &Mask) -> Vec<(ObjectKey, Difference)> {
    let step = |it: &Step| {
        let difference = match &it.action {
            Action::Create { .. } | Action::CreateNamespace { .. } => Difference::Missing,
            // What others have taken, and left as it is, is no difference.
            Action::Change { before, after, .. } if bare(before) == bare(after) => return None,
            Action::Change { before, after, .. } => drifted(before, after, mask),
            Action::Delete { .. } => Difference::Extra,
            Action::HandOver { .. } | Action::Record { .. } => return None,
        };
        Some((it.key.clone(), difference))
    };
    let refused = |it: &Refusal| {
        let difference = match &it.drifted {
            Some(states) => drifted(&states.0, &states.1, mask),
            None => Difference::Refused(mask.text(&it.why)),
        };
        (it.key.clone(), difference)
    };
    let refused = plan.refusals.iter().map(refused);
    let stays = plan.stays.iter().map(|it| (it.key.clone(), Difference::Kept(it.why.clone())));
    plan.steps.iter().filter_map(step).chain(refused).chain(stays).collect()
}

fn drifted(before: &Object, after: &Object, mask: &Mask) -> Difference {
    let changes = changes(&masked(before, mask), &masked(after, mask));
    let drifted = |change: FieldChange| Drifted { manager: manager(before, &change.path), change };
    Difference::Drifted(changes.into_iter().map(drifted).collect())
}

/// The manager, other than ours, that wrote a field last.
fn manager(object: &Object, path: &str) -> Option<String> {
    let text =
        |it: &Value, key: &str| it.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let entries = object.items("/metadata/managedFields").iter();
    let others = entries.filter(|it| text(it, "manager") != MANAGER);
    let owns = |it: &&Value| it.get("fieldsV1").is_some_and(|fields| has_field(fields, path));
    // RFC 3339 in UTC sorts as text.
    others.filter(owns).max_by_key(|it| text(it, "time")).map(|it| text(it, "manager"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn who_wrote_a_field_last_is_told() {
        let object = Object::new(json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "web", "managedFields": [
                {"manager": "farol", "operation": "Apply", "time": "2030-01-03T00:00:00Z", "fieldsV1": {"f:spec": {"f:replicas": {}}}},
                {"manager": "early", "time": "2030-01-01T00:00:00Z", "fieldsV1": {"f:spec": {"f:replicas": {}}}},
                {"manager": "kubectl-edit", "time": "2030-01-02T00:00:00Z", "fieldsV1": {
                    "f:metadata": {"f:labels": {"f:app.kubernetes.io/name": {}}},
                    "f:spec": {"f:replicas": {}, "f:template": {"f:spec": {"f:containers": {"k:{\"name\":\"web\"}": {"f:image": {}}}}}},
                }},
            ]},
        }))
        .unwrap();
        for (path, expected) in [
            ("spec.replicas", Some("kubectl-edit")),
            ("spec.template.spec.containers[web].image", Some("kubectl-edit")),
            ("metadata.labels[app.kubernetes.io/name]", Some("kubectl-edit")),
            ("spec.template.spec.containers[other].image", None),
            ("spec.paused", None),
        ] {
            assert_eq!(manager(&object, path).as_deref(), expected, "{path}");
        }
    }
}
