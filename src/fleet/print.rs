//! Whether an object is still the one that was looked at, told from its metadata alone: so that a watch needs no more than that, and what
//! controllers write of its status is no change.

use std::hash::{DefaultHasher, Hash, Hasher};

use serde_json::Value;

use super::plan::NOTES;

/// What an object's metadata comes to. Two that differ are of an object that somebody has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Print(u64);

impl Print {
    /// Of this metadata.
    pub fn of(metadata: &Value) -> Self {
        let mut hasher = DefaultHasher::new();
        let mut add = |value: &Value| {
            let mut value = value.clone();
            value.sort_all_objects();
            value.to_string().hash(&mut hasher);
        };
        let at = |key: &str| metadata.get(key).unwrap_or(&Value::Null);
        ["uid", "generation", "labels", "ownerReferences", "deletionTimestamp"]
            .into_iter()
            .for_each(|it| add(at(it)));
        let mut annotations = at("annotations").clone();
        if let Some(annotations) = annotations.as_object_mut() {
            annotations.retain(|key, _| !NOTES.contains(&key.as_str()));
        }
        // No annotations are as good as an empty map of them.
        if annotations.as_object().is_some_and(|it| !it.is_empty()) {
            add(&annotations);
        }
        let entries = at("managedFields").as_array().map(Vec::as_slice).unwrap_or_default();
        let is_status = |it: &&Value| {
            it.pointer("/fieldsV1/f:status").is_some()
                || it.get("subresource").and_then(Value::as_str) == Some("status")
        };
        entries.iter().filter(|it| !is_status(it)).for_each(&mut add);
        if at("generation").is_null() && !entries.iter().any(|it| is_status(&it)) {
            // Times of entries are in seconds: nothing else would tell a second change by the same manager. What has a status changes its version
            // with it.
            add(at("resourceVersion"));
        }
        Self(hasher.finish())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn metadata() -> Value {
        let entry = |manager: &str, fields: Value| json!({"manager": manager, "operation": "Update", "time": "2026-01-01T00:00:00Z", "fieldsV1": fields});
        json!({
            "name": "web", "uid": "u", "generation": 2, "resourceVersion": "10",
            "labels": {"a": "b", "c": "d"},
            "annotations": {"deployment.kubernetes.io/revision": "1"},
            "managedFields": [
                entry("farol", json!({"f:spec": {"f:replicas": {}}})),
                entry("kube-controller-manager", json!({"f:status": {"f:replicas": {}}})),
            ],
        })
    }

    #[track_caller]
    fn check(is_change: bool, pointer: &str, value: Value) {
        let mut other = metadata();
        *other.pointer_mut(pointer).unwrap() = value;
        assert_eq!(Print::of(&metadata()) != Print::of(&other), is_change, "{pointer}");
    }

    #[test]
    fn what_people_change_shows_and_a_status_does_not() {
        check(true, "/uid", json!("v"));
        check(true, "/generation", json!(3));
        check(true, "/labels/a", json!("c"));
        check(true, "/annotations", json!({"a": "b"}));
        check(true, "/managedFields/0/time", json!("2026-01-01T00:00:01Z"));
        check(false, "/resourceVersion", json!("11"));
        check(false, "/managedFields/1/time", json!("2026-01-01T00:00:01Z"));
        check(false, "/annotations/deployment.kubernetes.io~1revision", json!("2"));
        check(false, "/annotations", Value::Null);
        check(false, "/labels", json!({"c": "d", "a": "b"}));
    }

    #[test]
    fn what_has_neither_generation_nor_status_shows_each_change() {
        let of = |entries: Value, version: &str| {
            Print::of(&json!({"managedFields": entries, "resourceVersion": version}))
        };
        let data = json!({"manager": "kubectl", "time": "2026-01-01T00:00:00Z", "fieldsV1": {"f:data": {"f:a": {}}}});
        let old = json!({"manager": "kube-controller-manager", "fieldsV1": {"f:status": {}}});
        let new = json!({"manager": "kube-controller-manager", "subresource": "status"});
        for (entries, is_change) in [
            (json!([]), true),
            (json!([data]), true),
            (json!([data, old]), false),
            (json!([data, new]), false),
        ] {
            assert_eq!(
                of(entries.clone(), "1") != of(entries.clone(), "2"),
                is_change,
                "{entries}"
            );
        }
    }
}
