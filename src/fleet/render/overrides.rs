//! What a site has differently from what was rendered for all.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::fleet::object::{Manifest, Object};

/// Why something can't be changed for a site.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OverrideError {
    /// Nothing of the app's is called so.
    #[error("the app has no Deployment or StatefulSet {name:?}{}", those(.known))]
    Unknown {
        /// The name as it was written.
        name: String,
        /// Those that the app has.
        known: Vec<String>,
    },
    /// Several kinds of workload are called so.
    #[error(
        "a Deployment and a StatefulSet are called {name:?}; write `Deployment/{name}` or `StatefulSet/{name}`"
    )]
    Ambiguous {
        /// The name as it was written.
        name: String,
    },
    /// The app has an autoscaler of its own for the same.
    #[error(
        "{target} is scaled by the app's own HorizontalPodAutoscaler {by:?} already; remove one of them"
    )]
    ScaledAlready {
        /// The workload, e.g. `Deployment/web`.
        target: String,
        /// The autoscaler's name.
        by: String,
    },
    /// The cluster has no version of autoscalers that is known.
    #[error("the cluster serves no HorizontalPodAutoscaler of {}", super::autoscale::KNOWN.join(", "))]
    NotServed,
}

/// Sets the number of replicas of workloads: Deployments and StatefulSets, by name or as `Kind/name`.
///
/// # Errors
/// All names that nothing has; then nothing is changed.
pub fn override_replicas(
    objects: &mut [Manifest],
    replicas: &BTreeMap<String, u32>,
) -> Result<(), Vec<OverrideError>> {
    let mut errors = Vec::new();
    for name in replicas.keys() {
        if let Err(error) = workloads(objects, name) {
            errors.push(error);
        }
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    for (name, count) in replicas {
        for it in objects.iter_mut().filter(|it| is_named(&it.object, name)) {
            it.object.set(&["spec", "replicas"], Value::from(*count));
        }
    }
    Ok(())
}

/// The workloads of a name, which are all of one kind; there may be one in each of several namespaces.
pub(super) fn workloads<'a>(
    objects: &'a [Manifest],
    name: &str,
) -> Result<Vec<&'a Manifest>, OverrideError> {
    let found: Vec<&Manifest> = objects.iter().filter(|it| is_named(&it.object, name)).collect();
    let Some(first) = found.first() else {
        let known = objects.iter().filter(|it| is_workload(&it.object));
        let known = known.map(|it| format!("{}/{}", it.object.kind(), it.object.name())).collect();
        return Err(OverrideError::Unknown { name: name.to_owned(), known });
    };
    if found.iter().any(|it| it.object.kind() != first.object.kind()) {
        return Err(OverrideError::Ambiguous { name: name.to_owned() });
    }
    Ok(found)
}

fn is_workload(object: &Object) -> bool {
    object.group() == "apps" && ["Deployment", "StatefulSet"].contains(&object.kind())
}

fn is_named(object: &Object, name: &str) -> bool {
    let (kind, name) = name.split_once('/').map_or((None, name), |it| (Some(it.0), it.1));
    is_workload(object) && object.name() == name && kind.is_none_or(|it| it == object.kind())
}

fn those(known: &[String]) -> String {
    if known.is_empty() { String::new() } else { format!("; it has {}", known.join(", ")) }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;
    use crate::fleet::object::Origin;

    fn objects() -> Vec<Manifest> {
        let names = [
            ("apps/v1", "Deployment", "web"),
            ("apps/v1", "StatefulSet", "db"),
            ("apps/v1", "StatefulSet", "both"),
            ("apps/v1", "Deployment", "both"),
            ("example.org/v1", "Deployment", "other"),
            ("v1", "Service", "web"),
        ];
        let manifest = |(version, kind, name): (&str, &str, &str)| {
            let json = json!({"apiVersion": version, "kind": kind, "metadata": {"name": name}, "spec": {"replicas": 1}});
            let origin = Origin { from: Arc::new("a.yaml".into()), line: Some(1) };
            Manifest { object: Object::new(json).unwrap(), origin }
        };
        names.map(manifest).to_vec()
    }

    fn replicas(pairs: &[(&str, u32)]) -> BTreeMap<String, u32> {
        pairs.iter().map(|it| (it.0.to_owned(), it.1)).collect()
    }

    #[test]
    fn workloads_get_their_replicas_and_nothing_else_does() {
        let mut objects = objects();
        let wanted = replicas(&[("web", 3), ("StatefulSet/db", 0), ("Deployment/both", 7)]);
        override_replicas(&mut objects, &wanted).unwrap();
        let counts: Vec<_> =
            objects.iter().map(|it| it.object.number("/spec/replicas").unwrap()).collect();
        assert_eq!(counts, [3, 0, 1, 7, 1, 1]);
    }

    #[test]
    fn all_names_that_do_not_fit_are_told_and_nothing_is_changed() {
        let mut objects = objects();
        let before = objects.clone();
        let wanted = replicas(&[("web", 3), ("both", 2), ("other", 2), ("Deployment/db", 2)]);
        let errors = override_replicas(&mut objects, &wanted).unwrap_err();
        let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
        let known = "it has Deployment/web, StatefulSet/db, StatefulSet/both, Deployment/both";
        assert_eq!(
            errors,
            [
                format!("the app has no Deployment or StatefulSet \"Deployment/db\"; {known}"),
                "a Deployment and a StatefulSet are called \"both\"; write `Deployment/both` or `StatefulSet/both`".to_owned(),
                format!("the app has no Deployment or StatefulSet \"other\"; {known}"),
            ]
        );
        assert_eq!(objects, before);
    }
}
