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
pub const NOTES: [&str; 2] =
    ["kubectl.kubernetes.io/last-applied-configuration", "deployment.kubernetes.io/revision"];

/// Where a Secret has its values.
pub(super) const SECRETS: [&str; 2] = ["data", "stringData"];

/// What values of Secrets are shown by: a hash under a key that lasts for as long as what is compared, so that it shows whether they differ
/// and nobody can try out short ones.
#[derive(Clone)]
pub struct Mask {
    key: hmac::Key,
    /// Texts that are hidden wherever they stand.
    secrets: Vec<String>,
}

impl Mask {
    /// A mask under this key.
    pub fn new(key: &[u8; 32]) -> Self {
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, key), secrets: Vec::new() }
    }

    /// The same, that also hides these texts wherever they stand. Very short ones would hide half of everything, and are left.
    pub fn hiding(&self, secrets: &[String]) -> Self {
        let secrets = secrets.iter().filter(|it| it.chars().count() >= 4).cloned().collect();
        Self { key: self.key.clone(), secrets }
    }

    /// A text without secrets.
    pub fn text(&self, text: &str) -> String {
        let hide = |text: String, secret: &String| match text.contains(secret.as_str()) {
            true => text.replace(secret.as_str(), &self.tag(secret)),
            false => text,
        };
        self.secrets.iter().fold(text.to_owned(), hide)
    }

    fn texts(&self, value: &mut Value) {
        match value {
            Value::String(text) => *text = self.text(text),
            Value::Array(items) => items.iter_mut().for_each(|it| self.texts(it)),
            Value::Object(map) => map.values_mut().for_each(|it| self.texts(it)),
            _ => {}
        }
    }

    fn hide(&self, value: &Value) -> Value {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        Value::String(self.tag(&text))
    }

    fn tag(&self, text: &str) -> String {
        let tag = hmac::sign(&self.key, text.as_bytes());
        let hex: String = tag.as_ref().iter().take(4).map(|it| format!("{it:02x}")).collect();
        format!("(secret {hex})")
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
        for key in SECRETS {
            if let Some(Value::Object(values)) = json.get_mut(key) {
                values.values_mut().for_each(|it| *it = mask.hide(it));
            }
        }
    }
    if !mask.secrets.is_empty() {
        json.values_mut().for_each(|it| mask.texts(it));
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

    #[test]
    fn secrets_of_values_are_hidden_wherever_a_chart_puts_them() {
        let json = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"url": "https://u:hunter2@h"}});
        let mask = Mask::new(&[7; 32]).hiding(&["hunter2".to_owned(), "u".to_owned()]);
        let shown = Value::Object(masked(&Object::new(json).unwrap(), &mask)).to_string();
        assert!(shown.contains("https://u:(secret ") && !shown.contains("hunter2"), "{shown}");
    }
}
