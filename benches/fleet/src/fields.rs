//! Sets of fields, as `managedFields` writes them (FieldsV1): mappings from `f:NAME`, `k:{KEYS}` and `v:VALUE` to what is below, where an
//! empty one is the field itself and `.` the item of a list.

use serde_json::{Map, Value, json};

/// A set of fields.
pub(crate) type Fields = Map<String, Value>;

/// What a value is to merging: which of its parts have owners of their own.
pub(crate) enum Shape {
    /// It is one field.
    Whole,
    Mapping,
    /// A list whose items are told apart by these keys.
    Keyed(&'static [&'static str]),
    /// A list of texts, each a member.
    Set,
}

/// Mappings that are one field.
const WHOLE: [&str; 8] = [
    "selector",
    "nodeSelector",
    "podSelector",
    "secretKeyRef",
    "configMapKeyRef",
    "fieldRef",
    "resourceFieldRef",
    "labelSelector",
];
/// What the server writes by itself.
const KEPT_BY_SERVER: [&str; 7] = [
    "name",
    "namespace",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "managedFields",
];

/// What a field's value is to merging.
pub(crate) fn shape(field: &str, value: &Value) -> Shape {
    match value {
        Value::Object(map) if map.is_empty() || WHOLE.contains(&field) => Shape::Whole,
        Value::Object(_) => Shape::Mapping,
        Value::Array(items) if !items.is_empty() => {
            let has = |key: &str| items.iter().all(|it| it.get(key).is_some());
            match field {
                "containers" | "initContainers" | "env" | "volumes" | "imagePullSecrets"
                | "secrets"
                    if has("name") =>
                {
                    Shape::Keyed(&["name"])
                }
                "volumeMounts" => Shape::Keyed(&["mountPath"]),
                "conditions" => Shape::Keyed(&["type"]),
                "ownerReferences" => Shape::Keyed(&["uid"]),
                "topologySpreadConstraints" => Shape::Keyed(&["topologyKey", "whenUnsatisfiable"]),
                "ports" if has("containerPort") => Shape::Keyed(&["containerPort", "protocol"]),
                // Those of network policies are named by number too, and are one field within their rule.
                "ports" if has("port") => Shape::Keyed(&["port", "protocol"]),
                "finalizers" => Shape::Set,
                _ => Shape::Whole,
            }
        }
        _ => Shape::Whole,
    }
}

/// What an item of a list goes by: `{"name":"web"}`.
pub(crate) fn key_of(item: &Value, keys: &[&str]) -> Value {
    let value = |key: &str| {
        let default = if key == "protocol" { json!("TCP") } else { Value::Null };
        item.get(key).cloned().unwrap_or(default)
    };
    Value::Object(keys.iter().map(|it| ((*it).to_owned(), value(it))).collect())
}

/// The fields that an object has, but for what the server writes by itself.
pub(crate) fn of_object(object: &Value) -> Fields {
    let mut fields = Fields::new();
    for (key, value) in object.as_object().into_iter().flatten() {
        match key.as_str() {
            "apiVersion" | "kind" | "status" => {}
            "metadata" => {
                let mut metadata = value.clone();
                if let Value::Object(map) = &mut metadata {
                    map.retain(|key, _| !KEPT_BY_SERVER.contains(&key.as_str()));
                    if !map.is_empty() {
                        fields.insert("f:metadata".to_owned(), below("metadata", &metadata));
                    }
                }
            }
            key => drop(fields.insert(format!("f:{key}"), below(key, value))),
        }
    }
    fields
}

/// The fields of a status.
pub(crate) fn of_status(status: &Value) -> Fields {
    [("f:status".to_owned(), below("status", status))].into_iter().collect()
}

fn below(field: &str, value: &Value) -> Value {
    let mut fields = Fields::new();
    match (shape(field, value), value) {
        (Shape::Mapping, Value::Object(map)) => {
            fields.extend(map.iter().map(|(key, value)| (format!("f:{key}"), below(key, value))));
        }
        (Shape::Keyed(keys), Value::Array(items)) => {
            for item in items {
                let mut all = Fields::new();
                all.insert(".".to_owned(), json!({}));
                if let Value::Object(within) = below("", item) {
                    all.extend(within);
                }
                fields.insert(format!("k:{}", key_of(item, keys)), Value::Object(all));
            }
        }
        (Shape::Set, Value::Array(items)) => {
            fields.extend(items.iter().map(|it| (format!("v:{it}"), json!({}))));
        }
        _ => {}
    }
    Value::Object(fields)
}

/// Those of some fields that aren't among others.
pub(crate) fn minus(fields: &Fields, others: &Fields) -> Fields {
    let mut left = Fields::new();
    for (key, within) in fields {
        match (within, others.get(key)) {
            (_, None) => drop(left.insert(key.clone(), within.clone())),
            (Value::Object(within), Some(Value::Object(others))) => {
                let within = minus(within, others);
                if !within.is_empty() {
                    left.insert(key.clone(), Value::Object(within));
                }
            }
            _ => {}
        }
    }
    left
}

/// Those of some fields that are among others too.
pub(crate) fn common(fields: &Fields, others: &Fields) -> Fields {
    let mut both = Fields::new();
    for (key, within) in fields {
        if let (Value::Object(within), Some(Value::Object(others))) = (within, others.get(key)) {
            let is_leaf = within.is_empty() || others.is_empty();
            let within = common(within, others);
            if is_leaf || !within.is_empty() {
                both.insert(key.clone(), Value::Object(within));
            }
        }
    }
    both
}

/// The fields of a state that are new in it, have another value than before, or are gone.
pub(crate) fn changed(before: &Value, after: &Value) -> Fields {
    let (was, is) = (of_object(before), of_object(after));
    let mut changed = minus(&was, &is);
    join(&mut changed, &differing(before, after, &is));
    changed
}

/// Of these fields those whose values differ.
fn differing(before: &Value, after: &Value, fields: &Fields) -> Fields {
    let mut found = Fields::new();
    for (key, within) in fields {
        let (Some(now), Value::Object(within)) = (at(after, key), within) else { continue };
        let was = at(before, key);
        match was {
            Some(was) if was == now => {}
            Some(was) if !within.is_empty() => {
                let inner = differing(was, now, within);
                if !inner.is_empty() {
                    found.insert(key.clone(), Value::Object(inner));
                }
            }
            _ => drop(found.insert(key.clone(), Value::Object(within.clone()))),
        }
    }
    found
}

/// What a step of a set's path leads to.
pub(crate) fn at<'v>(value: &'v Value, step: &str) -> Option<&'v Value> {
    match step.split_at_checked(2)? {
        ("f:", name) => value.get(name),
        ("k:", keys) => {
            let keys: Value = serde_json::from_str(keys).ok()?;
            value.as_array()?.iter().find(|it| has_keys(it, &keys))
        }
        ("v:", text) => {
            let wanted: Value = serde_json::from_str(text).ok()?;
            value.as_array()?.iter().find(|it| **it == wanted)
        }
        _ => None,
    }
}

/// Whether an item goes by these keys.
pub(crate) fn has_keys(item: &Value, keys: &Value) -> bool {
    let is = |(key, wanted): (&String, &Value)| {
        item.get(key) == Some(wanted) || (key == "protocol" && item.get(key).is_none())
    };
    keys.as_object().into_iter().flatten().all(is)
}

/// Adds fields to others.
pub(crate) fn join(fields: &mut Fields, others: &Fields) {
    for (key, within) in others {
        match (fields.get_mut(key), within) {
            (Some(Value::Object(own)), Value::Object(within)) => join(own, within),
            _ => drop(fields.insert(key.clone(), within.clone())),
        }
    }
}

/// The paths of fields as error messages write them: `.spec.replicas`.
pub(crate) fn paths(fields: &Fields) -> Vec<String> {
    let mut found = Vec::new();
    walk("", fields, &mut found);
    found
}

fn walk(path: &str, fields: &Fields, found: &mut Vec<String>) {
    for (key, within) in fields {
        let path = match key.split_at_checked(2) {
            Some(("f:", name)) => format!("{path}.{name}"),
            Some(("k:", keys)) => {
                let keys: Value = serde_json::from_str(keys).unwrap_or_default();
                let keys = keys.as_object().cloned().unwrap_or_default();
                let keys: Vec<String> =
                    keys.iter().map(|it| format!("{}={}", it.0, it.1)).collect();
                format!("{path}[{}]", keys.join(","))
            }
            _ => path.to_owned(),
        };
        match within {
            Value::Object(within) if !within.is_empty() => walk(&path, within, found),
            _ => found.push(path),
        }
    }
}
