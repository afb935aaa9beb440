//! JSON patches (RFC 6902) and merge patches (RFC 7386).

use serde_json::{Map, Value};

/// Lays a merge patch over a value.
pub(crate) fn merge(value: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *value = patch.clone();
        return;
    };
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    let Value::Object(map) = value else { return };
    for (key, patch) in patch {
        match patch {
            Value::Null => drop(map.shift_remove(key)),
            patch => merge(map.entry(key).or_insert(Value::Null), patch),
        }
    }
}

/// Carries out a JSON patch, but for `move` and `copy`.
pub(crate) fn operations(value: &mut Value, patch: &Value) -> Result<(), String> {
    for operation in patch.as_array().ok_or("a JSON patch is a list")? {
        let text = |key: &str| operation.get(key).and_then(Value::as_str).unwrap_or_default();
        let (path, new) = (text("path"), operation.get("value").cloned().unwrap_or_default());
        let missing = || format!("there is no {path}");
        match text("op") {
            "test" if value.pointer(path).unwrap_or(&Value::Null) == &new => {}
            "test" => return Err(format!("testing value {path} failed")),
            "replace" => *value.pointer_mut(path).ok_or_else(missing)? = new,
            "add" => add(value, path, new).ok_or_else(missing)?,
            "remove" => remove(value, path).ok_or_else(missing)?,
            other => return Err(format!("does not do {other}")),
        }
    }
    Ok(())
}

fn add(value: &mut Value, path: &str, new: Value) -> Option<()> {
    let (parent, last) = split(path)?;
    match value.pointer_mut(parent)? {
        Value::Object(map) => drop(map.insert(last, new)),
        Value::Array(items) if last == "-" => items.push(new),
        Value::Array(items) => {
            let index = last.parse().ok().filter(|it| *it <= items.len())?;
            items.insert(index, new);
        }
        _ => return None,
    }
    Some(())
}

fn remove(value: &mut Value, path: &str) -> Option<()> {
    let (parent, last) = split(path)?;
    match value.pointer_mut(parent)? {
        Value::Object(map) => map.shift_remove(&last).map(drop),
        Value::Array(items) => {
            let index = last.parse().ok().filter(|it| *it < items.len())?;
            items.remove(index);
            Some(())
        }
        _ => None,
    }
}

/// The pointer to what has a value, and the value's name in it.
fn split(path: &str) -> Option<(&str, String)> {
    let (parent, last) = path.rsplit_once('/')?;
    Some((parent, last.replace("~1", "/").replace("~0", "~")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn patches_do_what_they_say() {
        let mut value = json!({"a": 1, "b": {"c": [1, 2], "x/y": 3}});
        let patch = json!([
            {"op": "test", "path": "/a", "value": 1},
            {"op": "replace", "path": "/a", "value": 2},
            {"op": "add", "path": "/b/c/-", "value": 3},
            {"op": "remove", "path": "/b/x~1y"},
        ]);
        operations(&mut value, &patch).unwrap();
        assert_eq!(value, json!({"a": 2, "b": {"c": [1, 2, 3]}}));
        assert!(
            operations(&mut value, &json!([{"op": "test", "path": "/a", "value": 9}])).is_err()
        );
        merge(&mut value, &json!({"a": null, "b": {"d": 4}}));
        assert_eq!(value, json!({"b": {"c": [1, 2, 3], "d": 4}}));
    }
}
