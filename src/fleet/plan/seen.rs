//! What of an object counts when it is compared: not what the server keeps for itself, and no secret in clear.

use ring::hmac;
use serde_json::{Map, Value};

use super::MANAGER;
use crate::fleet::object::Object;

/// What the server writes by itself.
const KEPT_BY_SERVER: [&str; 8] = [
    "managedFields",
    "resourceVersion",
    "uid",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "selfLink",
];
/// What tools note for themselves; the first has all of the object once more, secrets too.
const NOTES: [&str; 2] =
    ["kubectl.kubernetes.io/last-applied-configuration", "deployment.kubernetes.io/revision"];

/// What values of Secrets are shown by: a hash under a key that lasts for as long as what is compared, so that it shows whether they differ
/// and nobody can try out short ones.
pub struct Mask(hmac::Key);

impl Mask {
    /// A mask under this key.
    pub fn new(key: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, key))
    }

    fn hide(&self, value: &Value) -> Value {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let tag = hmac::sign(&self.0, text.as_bytes());
        let hex: String = tag.as_ref().iter().take(4).map(|it| format!("{it:02x}")).collect();
        Value::String(format!("(secret {hex})"))
    }
}

/// An object without what its server keeps for itself. Values of Secrets are as they are.
pub fn bare(object: &Object) -> Map<String, Value> {
    let mut json = object.json().clone();
    json.shift_remove("status");
    if let Some(Value::Object(metadata)) = json.get_mut("metadata") {
        metadata.retain(|key, _| !KEPT_BY_SERVER.contains(&key.as_str()));
        if let Some(Value::Object(annotations)) = metadata.get_mut("annotations") {
            annotations.retain(|key, _| !NOTES.contains(&key.as_str()));
        }
        let is_empty = |it: &Value| it.as_object().is_some_and(Map::is_empty);
        if metadata.get("annotations").is_some_and(is_empty) {
            metadata.shift_remove("annotations");
        }
    }
    json
}

/// An object as people are shown it.
pub fn masked(object: &Object, mask: &Mask) -> Map<String, Value> {
    let mut json = bare(object);
    if object.group().is_empty() && object.kind() == "Secret" {
        for key in ["data", "stringData"] {
            if let Some(Value::Object(values)) = json.get_mut(key) {
                values.values_mut().for_each(|it| *it = mask.hide(it));
            }
        }
    }
    json
}

/// The fields that this manager has applied; none where it has none.
pub fn own_fields(object: &Object) -> Option<&Value> {
    let is_own = |it: &&Value| {
        let text = |key: &str| it.get(key).and_then(Value::as_str).unwrap_or_default();
        (text("manager"), text("operation"), text("subresource")) == (MANAGER, "Apply", "")
    };
    object.items("/metadata/managedFields").iter().find(is_own)?.get("fieldsV1")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_the_server_keeps_for_itself_does_not_count() {
        let object = Object::new(json!({
            "apiVersion": "v1", "kind": "ConfigMap", "data": {"a": "b"}, "status": {},
            "metadata": {"name": "a", "uid": "u", "resourceVersion": "7", "annotations": {NOTES[0]: "{}"}},
        }));
        let expected = json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"a": "b"}, "metadata": {"name": "a"}});
        assert_eq!(Value::Object(bare(&object.unwrap())), expected);
    }

    #[test]
    fn secrets_show_by_a_hash_that_tells_them_apart() {
        let secret = |value: &str| {
            let json = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"}, "data": {"key": value}});
            masked(&Object::new(json).unwrap(), &Mask::new(&[7; 32]))["data"]["key"].to_string()
        };
        assert!(secret("c2VjcmV0").starts_with("\"(secret "));
        assert!(!secret("c2VjcmV0").contains("c2VjcmV0"));
        assert_eq!(secret("c2VjcmV0"), secret("c2VjcmV0"));
        assert_ne!(secret("c2VjcmV0"), secret("b3RoZXI="));
    }
}
