//! Field by field, how one state of an object differs from another.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

/// Keys that tell a list's items apart, the first that all items have and that is different in each.
const IDENTITIES: [&str; 8] =
    ["name", "containerPort", "port", "mountPath", "key", "type", "ip", "kind"];

/// A field that has another value, is new, or is gone.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldChange {
    /// Its path: `spec.template.spec.containers[web].image`.
    pub path: String,
    /// What it was; none where it is new.
    pub before: Option<Value>,
    /// What it becomes; none where it goes.
    pub after: Option<Value>,
}

/// Every field that differs, in the order of paths as they are written.
pub fn changes(before: &Map<String, Value>, after: &Map<String, Value>) -> Vec<FieldChange> {
    let mut found = Vec::new();
    mappings("", before, after, &mut found);
    found
}

fn values(path: &str, before: &Value, after: &Value, found: &mut Vec<FieldChange>) {
    match (before, after) {
        _ if before == after => {}
        (Value::Object(before), Value::Object(after)) => mappings(path, before, after, found),
        (Value::Array(before), Value::Array(after)) => lists(path, before, after, found),
        _ => found.push(change(path, Some(before), Some(after))),
    }
}

fn mappings(
    path: &str,
    before: &Map<String, Value>,
    after: &Map<String, Value>,
    found: &mut Vec<FieldChange>,
) {
    let keys = before.keys().chain(after.keys().filter(|it| !before.contains_key(*it)));
    for key in keys {
        // A key with a dot in it would read as two.
        let shown = if key.contains('.') { format!("[{key}]") } else { key.clone() };
        let separator = if path.is_empty() || shown.starts_with('[') { "" } else { "." };
        let path = format!("{path}{separator}{shown}");
        match (before.get(key), after.get(key)) {
            (Some(before), Some(after)) => values(&path, before, after, found),
            (before, after) => found.push(change(&path, before, after)),
        }
    }
}

fn lists(path: &str, before: &[Value], after: &[Value], found: &mut Vec<FieldChange>) {
    if let Some(key) = identity(before, after) {
        let of = |it: &Value| it.get(key).map(shown).unwrap_or_default();
        for item in before {
            let path = format!("{path}[{}]", of(item));
            match after.iter().find(|it| of(it) == of(item)) {
                Some(after) => values(&path, item, after, found),
                None => found.push(change(&path, Some(item), None)),
            }
        }
        let is_new = |it: &&Value| !before.iter().any(|old| of(old) == of(it));
        for item in after.iter().filter(is_new) {
            found.push(change(&format!("{path}[{}]", of(item)), None, Some(item)));
        }
    } else if before.len() == after.len() {
        for (index, (before, after)) in before.iter().zip(after).enumerate() {
            values(&format!("{path}[#{}]", index + 1), before, after, found);
        }
    } else {
        let (before, after) = (Value::Array(before.to_vec()), Value::Array(after.to_vec()));
        found.push(change(path, Some(&before), Some(&after)));
    }
}

/// The key that tells the items of both lists apart.
fn identity(before: &[Value], after: &[Value]) -> Option<&'static str> {
    let tells_apart = |key: &str, list: &[Value]| {
        let found: BTreeSet<String> = list.iter().filter_map(|it| it.get(key)).map(shown).collect();
        found.len() == list.len()
    };
    IDENTITIES.into_iter().find(|key| tells_apart(key, before) && tells_apart(key, after))
}

fn change(path: &str, before: Option<&Value>, after: Option<&Value>) -> FieldChange {
    FieldChange { path: path.to_owned(), before: before.cloned(), after: after.cloned() }
}

fn shown(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told(before: &Value, after: &Value) -> Vec<String> {
        let (before, after) = (before.as_object().unwrap(), after.as_object().unwrap());
        let value = |it: Option<Value>| it.map_or_else(|| "-".to_owned(), |it| it.to_string());
        let told =
            |it: FieldChange| format!("{}: {} > {}", it.path, value(it.before), value(it.after));
        changes(before, after).into_iter().map(told).collect()
    }

    #[test]
    fn fields_are_named_by_what_tells_them_apart() {
        let before = json!({"spec": {"replicas": 2, "containers": [{"name": "a", "image": "a:1"}, {"name": "b"}], "args": ["x"]}});
        let after = json!({"spec": {"replicas": 3, "containers": [{"name": "c"}, {"name": "a", "image": "a:2"}], "args": ["y"], "new": true}});
        assert_eq!(
            told(&before, &after),
            [
                "spec.replicas: 2 > 3",
                "spec.containers[a].image: \"a:1\" > \"a:2\"",
                "spec.containers[b]: {\"name\":\"b\"} > -",
                "spec.containers[c]: - > {\"name\":\"c\"}",
                "spec.args[#1]: \"x\" > \"y\"",
                "spec.new: - > true",
            ]
        );
    }

    #[test]
    fn the_same_is_no_change() {
        let json = json!({"a": [1, {"b": null}]});
        assert_eq!(told(&json, &json), Vec::<String>::new());
    }

    #[test]
    fn keys_with_dots_are_one_key() {
        let before = json!({"metadata": {"labels": {"app.kubernetes.io/name": "a"}}, "data": {"a.yaml": "1"}});
        let after = json!({"metadata": {"labels": {"app.kubernetes.io/name": "b"}}, "data": {"a.yaml": "1"}});
        assert_eq!(
            told(&before, &after),
            ["metadata.labels[app.kubernetes.io/name]: \"a\" > \"b\""]
        );
    }

    #[test]
    fn lists_of_another_length_are_told_whole() {
        let (before, after) = (json!({"args": ["a"]}), json!({"args": ["a", "b"]}));
        assert_eq!(told(&before, &after), ["args: [\"a\"] > [\"a\",\"b\"]"]);
    }
}
