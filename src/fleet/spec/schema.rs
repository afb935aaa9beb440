//! The schemas of the description, made from its types: as API servers take them, and stricter for what Farol reads itself.
//! Keys of its own, which no server sees: `x-write` says what to write, `x-hidden` that what was written is not shown because
//! it may be a secret, and `x-short` that a text stands for a mapping with this key.

use std::borrow::Cow;

use kube::core::schema::StructuralSchemaRewriter;
use schemars::generate::SchemaSettings;
use schemars::transform::{RecursiveTransform, Transform};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value, json};

use super::description::Written;

/// Types that stand for others in the schema, to say more about what is written.
macro_rules! shapes {
    ($($name:ident: $schema:tt)+) => {$(
        pub(super) struct $name;

        impl JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!($schema)
            }
        }
    )+};
}

shapes! {
    OnlyTrue: {"type": "boolean", "enum": [true]}
    FilePath: {"type": "string", "minLength": 1, "x-write": "a path"}
    Variable: {
        "type": "string",
        "pattern": "^[A-Za-z_][A-Za-z0-9_]*$",
        "x-write": "the name of an environment variable",
    }
    Uid: {
        "type": "string",
        "pattern": "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$",
        "x-write": "a UID, as `kubectl get namespace kube-system -o jsonpath={.metadata.uid}` shows it",
    }
    Version: {
        "type": "string",
        "pattern": "^v[0-9]+\\.[0-9]+\\.[0-9]+([-+][0-9A-Za-z.+-]+)?$",
        "x-write": "a version of Kubernetes, such as \"v1.33.4\"",
    }
    ChartVersion: {
        "type": "string",
        "pattern": "^v?[0-9]+\\.[0-9]+\\.[0-9]+([-+][0-9A-Za-z.+-]+)?$",
        "x-write": "one version in full, such as \"4.13.2\"",
    }
    Addresses: {
        "type": "array",
        "items": {"type": "string", "minLength": 1, "x-write": "an address with a port, such as \"ns1.example:8053\""},
        "minItems": 1,
        "maxItems": 100,
    }
    Namespace: {
        "type": "string",
        "pattern": "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$",
        "maxLength": 63,
        "x-write": "the name of a namespace: 1 to 63 of a-z, 0-9 and `-`, which is neither first nor last",
    }
    ObjectName: {
        "type": "string",
        "pattern": "^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$",
        "maxLength": 253,
        "x-write": "the name of an object: 1 to 253 of a-z, 0-9, `-` and `.`",
    }
    Release: {
        "type": "string",
        "pattern": "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$",
        "maxLength": 53,
        "x-write": "the name of a release: 1 to 53 of a-z, 0-9 and `-`, which is neither first nor last",
    }
    ValuePath: {
        "type": "string",
        "pattern": "^[^. \\t]+([.][^. \\t]+)*$",
        "x-write": "keys with dots between them, such as \"omsagent.secret.key\"",
    }
    Nodes: {
        "type": "object",
        "additionalProperties": {"type": "integer", "minimum": 1, "maximum": 10_000},
        "x-write": "a mapping of names to whole numbers",
    }
    Replicas: {
        "type": "object",
        "additionalProperties": {"type": "integer", "minimum": 0, "maximum": 10_000},
        "x-write": "a mapping of names to whole numbers",
    }
    Values: {
        "type": "object",
        "x-kubernetes-preserve-unknown-fields": true,
        "x-write": "a mapping of values, as in a `values.yaml`",
        "x-hidden": true,
    }
}

/// What is no key of Kubernetes' schemas.
const OWN: [&str; 3] = ["x-write", "x-hidden", "x-short"];

/// Takes away what API servers don't know, and null, in whose place a key is left out.
pub(super) fn for_servers(schema: &mut Schema) {
    RecursiveTransform(|schema: &mut Schema| {
        without_null(schema);
        OWN.iter().for_each(|it| drop(schema.remove(*it)));
        // Farol's own formats, and numbers' types in Rust, whose ranges are written beside them.
        schema.remove("format");
    })
    .transform(schema);
}

/// The schema with the keys in the order of the types, for people.
#[cfg(test)]
pub(super) fn in_order() -> Value {
    generator(|it| it.with_transform(RecursiveTransform(without_null))).to_value()
}

/// The schema that a file is held to.
pub(super) fn strict() -> Value {
    // Enumerations are laid out as kube does it for API servers, so that both schemas mean the same.
    let transforms = |it: SchemaSettings| {
        it.with_transform(RecursiveTransform(without_null))
            .with_transform(StructuralSchemaRewriter)
            .with_transform(RecursiveTransform(tighten))
    };
    generator(transforms).to_value()
}

fn generator(transforms: impl FnOnce(SchemaSettings) -> SchemaSettings) -> Schema {
    let settings = SchemaSettings::openapi3().with(|it| {
        it.inline_subschemas = true;
        it.meta_schema = None;
    });
    transforms(settings).into_generator().into_root_schema_for::<Written>()
}

fn without_null(schema: &mut Schema) {
    schema.remove("nullable");
    if let Some(Value::Array(types)) = schema.get_mut("type") {
        types.retain(|it| it != "null");
        if let [one] = types.as_slice() {
            let one = one.clone();
            schema.insert("type".to_owned(), one);
        }
    }
    if let Some(Value::Array(words)) = schema.get_mut("enum") {
        words.retain(|it| !it.is_null());
    }
    let Some(Value::Array(mut either)) = schema.remove("anyOf") else { return };
    either.retain(|it| !is_null(it));
    match (either.pop(), either.is_empty()) {
        (Some(Value::Object(one)), true) => {
            for (key, value) in one {
                if schema.get(&key).is_none() {
                    schema.insert(key, value);
                }
            }
        }
        (last, _) => {
            either.extend(last);
            schema.insert("anyOf".to_owned(), either.into());
        }
    }
}

/// Whether a schema takes nothing but null, in either of the ways that schemars writes it.
fn is_null(schema: &Value) -> bool {
    let has = |key: &str, value: Value| schema.get(key) == Some(&value);
    has("type", "null".into()) || has("enum", json!([null]))
}

fn tighten(schema: &mut Schema) {
    // A format's own judge says why; the pattern is for servers.
    let format = schema.get("format").and_then(Value::as_str);
    if format.is_some_and(|it| it.starts_with("farol-")) {
        schema.remove("pattern");
    }
    if schema.get("properties").is_some() {
        schema.insert("additionalProperties".to_owned(), false.into());
    }
    if let Some(Value::String(key)) = schema.remove("x-short") {
        let long = schema.clone().to_value();
        let short = long.get("properties").and_then(|it| it.get(&key)).cloned();
        let mut either = Map::new();
        either.insert("if".to_owned(), json!({"type": "string"}));
        either.insert("then".to_owned(), short.unwrap_or(Value::Bool(true)));
        either.insert("else".to_owned(), long);
        *schema = Schema::from(either);
    }
}
