//! What applying does to an object: what is applied goes over it, part by part; what its manager applied before and doesn't any more goes.

use serde_json::Value;

use crate::fields::{Fields, Shape, has_keys, key_of, shape};

/// Lays what is applied over what is there.
pub(crate) fn merge(field: &str, live: &mut Value, wanted: &Value) {
    match (shape(field, wanted), live, wanted) {
        (Shape::Mapping, Value::Object(live), Value::Object(wanted)) => {
            for (key, wanted) in wanted {
                match live.get_mut(key) {
                    Some(live) => merge(key, live, wanted),
                    None => drop(live.insert(key.clone(), wanted.clone())),
                }
            }
        }
        (Shape::Keyed(keys), Value::Array(live), Value::Array(wanted)) => {
            for wanted in wanted {
                let key = key_of(wanted, keys);
                match live.iter_mut().find(|it| has_keys(it, &key)) {
                    Some(live) => merge("", live, wanted),
                    None => live.push(wanted.clone()),
                }
            }
        }
        (Shape::Set, Value::Array(live), Value::Array(wanted)) => {
            for wanted in wanted {
                if !live.contains(wanted) {
                    live.push(wanted.clone());
                }
            }
        }
        (_, live, wanted) => *live = wanted.clone(),
    }
}

/// Takes fields away, and what is empty then.
pub(crate) fn remove(value: &mut Value, gone: &Fields) {
    for (step, within) in gone {
        let Value::Object(within) = within else { continue };
        match step.split_at_checked(2) {
            Some(("f:", name)) => {
                let Value::Object(map) = value else { continue };
                let is_empty = map.get_mut(name).is_some_and(|it| {
                    remove(it, within);
                    within.is_empty() || is_empty(it)
                });
                if is_empty {
                    map.shift_remove(name);
                }
            }
            Some(("k:", keys)) => {
                let keys: Value = serde_json::from_str(keys).unwrap_or_default();
                let Value::Array(items) = value else { continue };
                if within.contains_key(".") {
                    items.retain(|it| !has_keys(it, &keys));
                } else if let Some(item) = items.iter_mut().find(|it| has_keys(it, &keys)) {
                    remove(item, within);
                }
            }
            Some(("v:", text)) => {
                let gone: Value = serde_json::from_str(text).unwrap_or_default();
                if let Value::Array(items) = value {
                    items.retain(|it| *it != gone);
                }
            }
            _ => {}
        }
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Object(map) => map.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::fields::{minus, of_object};

    /// What comes of applying a state after another one by the same manager, where others added to it meanwhile.
    fn applied(before: &Value, live: &Value, wanted: &Value) -> Value {
        let mut after = live.clone();
        merge("", &mut after, wanted);
        remove(&mut after, &minus(&of_object(before), &of_object(wanted)));
        after
    }

    #[test]
    fn items_of_lists_are_merged_by_what_tells_them_apart() {
        let before = json!({"spec": {"replicas": 2, "containers": [
            {"name": "web", "image": "web:1", "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]},
            {"name": "old", "image": "old:1"},
        ]}});
        let live = json!({"spec": {"replicas": 2, "containers": [
            {"name": "web", "image": "web:1", "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}], "ports": [{"containerPort": 80}]},
            {"name": "old", "image": "old:1"},
            {"name": "injected", "image": "proxy:1"},
        ]}});
        let wanted = json!({"spec": {"containers": [{"name": "web", "image": "web:2", "env": [{"name": "B", "value": "3"}]}]}});
        let expected = json!({"spec": {"containers": [
            {"name": "web", "image": "web:2", "env": [{"name": "B", "value": "3"}], "ports": [{"containerPort": 80}]},
            {"name": "injected", "image": "proxy:1"},
        ]}});
        assert_eq!(applied(&before, &live, &wanted), expected);
    }

    #[test]
    fn other_lists_are_one_field() {
        let before = json!({"spec": {"rules": [{"host": "a"}], "args": ["x", "y"]}});
        let wanted = json!({"spec": {"rules": [{"host": "b"}], "args": ["y"]}});
        assert_eq!(applied(&before, &before, &wanted), wanted);
    }

    #[test]
    fn what_applies_the_same_again_changes_nothing() {
        let wanted = json!({"metadata": {"labels": {"app": "web"}}, "spec": {"ports": [{"port": 80, "protocol": "TCP"}], "emptyDir": {}}});
        assert_eq!(applied(&wanted, &wanted, &wanted), wanted);
    }
}
