//! Taking over objects that `kubectl apply` made before. Its fields stand under a manager of their own in the object's record; they pass to
//! ours, so that what leaves the source leaves the object too, and nobody is in conflict with a tool that is not used any more.

use serde_json::{Map, Value, json};

use super::MANAGER;
use crate::fleet::object::Object;

/// The managers under which `kubectl apply` without server-side apply has written, and those from before there were managers.
const CLIENT_SIDE: [&str; 2] = ["kubectl-client-side-apply", "before-first-apply"];

/// How an object passes to our manager.
#[derive(Clone, Debug, PartialEq)]
pub struct Adoption {
    /// The managers whose fields it has until now.
    pub managers: Vec<String>,
    /// What does it: a JSON patch (RFC 6902), which fails if the object has changed meanwhile.
    pub patch: Value,
}

/// How an object is taken over from `kubectl apply`, and from these other managers; none where there is nothing to take over.
pub fn adoption(live: &Object, others: &[String]) -> Option<Adoption> {
    let text =
        |it: &Value, key: &str| it.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let is_old = |it: &Value| {
        let manager = text(it, "manager");
        (CLIENT_SIDE.contains(&manager.as_str()) || others.contains(&manager))
            && text(it, "operation") == "Update"
            && text(it, "subresource").is_empty()
    };
    let is_ours = |it: &Value| text(it, "manager") == MANAGER && text(it, "operation") == "Apply";
    let entries = live.items("/metadata/managedFields");
    let first = entries.iter().find(|it| is_old(it))?;
    let ours = entries.iter().find(|it| is_ours(it));
    // Fields of one version of an API mean nothing in another.
    let version = text(ours.unwrap_or(first), "apiVersion");
    let is_old = |it: &Value| is_old(it) && text(it, "apiVersion") == version;
    let old: Vec<&Value> = entries.iter().filter(|it| is_old(it)).collect();
    if old.is_empty() {
        return None;
    }
    let mut ours = match ours {
        Some(ours) => ours.clone(),
        None => {
            let mut ours = first.clone();
            ours["manager"] = MANAGER.into();
            ours["operation"] = "Apply".into();
            ours
        }
    };
    let mut fields = ours.get("fieldsV1").cloned().unwrap_or_else(|| Value::Object(Map::new()));
    for entry in &old {
        unite(&mut fields, entry.get("fieldsV1").unwrap_or(&Value::Null));
    }
    ours["fieldsV1"] = fields;
    let kept = entries.iter().filter(|it| !is_old(it) && !is_ours(it)).cloned();
    let entries: Vec<Value> = kept.chain([ours]).collect();
    let version = live.at("/metadata/resourceVersion").cloned().unwrap_or_default();
    let mut managers: Vec<String> = old.iter().map(|it| text(it, "manager")).collect();
    managers.dedup();
    Some(Adoption {
        managers,
        patch: json!([
            {"op": "test", "path": "/metadata/resourceVersion", "value": version},
            {"op": "replace", "path": "/metadata/managedFields", "value": entries},
        ]),
    })
}

/// Adds to a set of fields (FieldsV1, a tree of keys) those of another.
fn unite(fields: &mut Value, others: &Value) {
    let (Value::Object(fields), Value::Object(others)) = (fields, others) else { return };
    for (key, other) in others {
        match fields.get_mut(key) {
            Some(own) => unite(own, other),
            None => drop(fields.insert(key.clone(), other.clone())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(entries: &Value) -> Object {
        Object::new(json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "a", "resourceVersion": "7", "managedFields": entries},
        }))
        .unwrap()
    }

    fn entry(manager: &str, operation: &str, fields: &Value) -> Value {
        json!({"manager": manager, "operation": operation, "apiVersion": "v1", "fieldsType": "FieldsV1", "fieldsV1": fields})
    }

    #[test]
    fn fields_of_kubectl_become_ours() {
        let live = object(&json!([
            entry("kubectl-client-side-apply", "Update", &json!({"f:data": {".": {}, "f:a": {}}})),
            entry("eve", "Update", &json!({"f:data": {"f:e": {}}})),
            entry("farol", "Apply", &json!({"f:data": {"f:b": {}}})),
        ]));
        let adoption = adoption(&live, &[]).unwrap();
        assert_eq!(adoption.managers, ["kubectl-client-side-apply"]);
        assert_eq!(
            adoption.patch,
            json!([
                {"op": "test", "path": "/metadata/resourceVersion", "value": "7"},
                {"op": "replace", "path": "/metadata/managedFields", "value": [
                    entry("eve", "Update", &json!({"f:data": {"f:e": {}}})),
                    entry("farol", "Apply", &json!({"f:data": {"f:b": {}, ".": {}, "f:a": {}}})),
                ]},
            ])
        );
    }

    #[test]
    fn only_what_is_named_is_taken_over() {
        let live = object(&json!([entry("eve", "Update", &json!({"f:data": {"f:e": {}}}))]));
        assert_eq!(adoption(&live, &[]), None);
        let adoption = adoption(&live, &["eve".to_owned()]).unwrap();
        assert_eq!(adoption.patch[1]["value"][0]["manager"], "farol");
        assert_eq!(adoption.patch[1]["value"][0]["operation"], "Apply");
    }
}
