//! Which members of a set that nobody wants any more are removed: only what the set owns and no one else does.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{HANDOVER, MANAGER};
use crate::fleet::object::Object;

/// Kinds that take with them what can't be made again. They stay unless the app says otherwise.
pub const KEPT: [&str; 3] = ["Namespace", "CustomResourceDefinition", "PersistentVolumeClaim"];

/// What an app lets be removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pruning {
    /// Whether anything.
    pub enabled: bool,
    /// Which of [`KEPT`] too.
    pub also: BTreeSet<String>,
}

impl Default for Pruning {
    fn default() -> Self {
        Self { enabled: true, also: BTreeSet::new() }
    }
}

/// Why an object that nobody wants any more stays; none where it goes.
pub(super) fn stays(object: &Object, pruning: &Pruning) -> Option<String> {
    if !pruning.enabled {
        return Some("pruning is off".to_owned());
    }
    if KEPT.contains(&object.kind()) && !pruning.also.contains(object.kind()) {
        return Some(format!(
            "a {} is only removed where `prune.also` names the kind",
            object.kind()
        ));
    }
    if let Some(owner) = object.items("/metadata/ownerReferences").first() {
        let text = |key: &str| owner.get(key).and_then(Value::as_str).unwrap_or_default();
        return Some(format!("{} {} owns it", text("kind"), text("name")));
    }
    other_tool(object).or_else(|| other_applier(object))
}

/// The tool that manages an object, if it isn't this one.
pub(super) fn other_tool(object: &Object) -> Option<String> {
    const ARGO: &str = "argocd.argoproj.io/tracking-id";
    const INSTANCE: &str = "argocd.argoproj.io/instance";
    const HELM: &str = "meta.helm.sh/release-name";
    if let Some(it) = object.annotation(ARGO).or_else(|| object.label(INSTANCE)) {
        let app = it.split(':').next().unwrap_or_default();
        return Some(format!("Argo CD manages it ({app})"));
    }
    for group in ["kustomize.toolkit.fluxcd.io", "helm.toolkit.fluxcd.io"] {
        if let Some(name) = object.label(&format!("{group}/name")) {
            return Some(format!("Flux manages it ({name})"));
        }
    }
    let release = object.annotation(HELM)?;
    Some(format!("Helm's release {release} has it; `helm uninstall` or `helm template` only"))
}

/// Another manager that has applied fields of an object.
fn other_applier(object: &Object) -> Option<String> {
    let text =
        |it: &Value, key: &str| it.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let managers = object.items("/metadata/managedFields").iter();
    let mut appliers =
        managers.filter(|it| text(it, "operation") == "Apply").map(|it| text(it, "manager"));
    let other = appliers.find(|it| ![MANAGER, HANDOVER].contains(&it.as_str()))?;
    Some(format!("{other} applies it too"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(kind: &str, metadata: &Value) -> Object {
        let mut object =
            Object::new(json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": "a"}}))
                .unwrap();
        for (key, value) in metadata.as_object().unwrap() {
            object.set(&["metadata", key], value.clone());
        }
        object
    }

    #[test]
    fn only_what_the_set_owns_alone_goes() {
        let ours = json!({"managedFields": [
            {"manager": "farol", "operation": "Apply"}, {"manager": "kube-controller-manager", "operation": "Update"},
        ]});
        assert_eq!(stays(&object("ConfigMap", &ours), &Pruning::default()), None);
        for (kind, metadata, why) in [
            (
                "Namespace",
                json!({}),
                "a Namespace is only removed where `prune.also` names the kind",
            ),
            (
                "ConfigMap",
                json!({"ownerReferences": [{"kind": "Thing", "name": "b"}]}),
                "Thing b owns it",
            ),
            (
                "ConfigMap",
                json!({"managedFields": [{"manager": "eve", "operation": "Apply"}]}),
                "eve applies it too",
            ),
            (
                "ConfigMap",
                json!({"labels": {"kustomize.toolkit.fluxcd.io/name": "f"}}),
                "Flux manages it (f)",
            ),
            (
                "ConfigMap",
                json!({"annotations": {"argocd.argoproj.io/tracking-id": "shop:apps/Deployment:a/b"}}),
                "Argo CD manages it (shop)",
            ),
            (
                "ConfigMap",
                json!({"annotations": {"meta.helm.sh/release-name": "r"}}),
                "Helm's release r has it; `helm uninstall` or `helm template` only",
            ),
        ] {
            assert_eq!(stays(&object(kind, &metadata), &Pruning::default()).as_deref(), Some(why));
        }
    }

    #[test]
    fn an_app_may_say_otherwise() {
        let pruning = Pruning { also: ["Namespace".to_owned()].into(), ..Pruning::default() };
        assert_eq!(stays(&object("Namespace", &json!({})), &pruning), None);
        let off = Pruning { enabled: false, ..Pruning::default() };
        assert!(stays(&object("ConfigMap", &json!({})), &off).is_some());
    }
}
