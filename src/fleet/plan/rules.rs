//! Validation rules of custom resources (CEL), which old servers don't know.

use serde_json::Value;

use crate::fleet::object::Object;

const RULES: &str = "x-kubernetes-validations";

/// Takes the rules out of a definition. A server that doesn't know them refuses to have them applied, and would not hold them anyway.
pub fn without_rules(definition: &mut Object) {
    if definition.kind() != "CustomResourceDefinition" {
        return;
    }
    if let Some(mut spec) = definition.remove(&["spec"]) {
        take_away(&mut spec);
        definition.set(&["spec"], spec);
    }
}

fn take_away(value: &mut Value) {
    match value {
        Value::Object(map) => {
            // A property may be called so too, and is no list then.
            if map.get(RULES).is_some_and(Value::is_array) {
                map.shift_remove(RULES);
            }
            map.values_mut().for_each(take_away);
        }
        Value::Array(items) => items.iter_mut().for_each(take_away),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn rules_go_at_every_depth() {
        let schema = |rules: bool| {
            let mut schema = json!({"properties": {"a": {"type": "object", "properties": {}}}});
            if rules {
                schema[RULES] = json!([{"rule": "true"}]);
                schema["properties"]["a"][RULES] = json!([{"rule": "true"}]);
            }
            let version = json!({"name": "v1", "schema": {"openAPIV3Schema": schema}});
            Object::new(json!({
                "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "a"},
                "spec": {"versions": [version]},
            }))
            .unwrap()
        };
        let mut definition = schema(true);
        without_rules(&mut definition);
        assert_eq!(definition, schema(false));
    }
}
