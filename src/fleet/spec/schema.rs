//! The schemas of the description, made from its types: as API servers take them, and stricter for what Farol reads itself.
//! Keys of its own, which no server sees: `x-write` says what to write, `x-hidden` that what was written is not shown because
//! it may be a secret, and `x-short` that a text stands for a mapping with this key.

use std::borrow::Cow;

use kube::core::schema::StructuralSchemaRewriter;
use schemars::generate::SchemaSettings;
use schemars::transform::{RecursiveTransform, Transform};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value, json};

use super::Fleet;

/// A path in a file system.
pub(super) struct FilePath;

/// The name of an environment variable.
pub(super) struct Variable;

impl JsonSchema for FilePath {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "FilePath".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "minLength": 1, "x-write": "a path"})
    }
}

impl JsonSchema for Variable {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Variable".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": "^[A-Za-z_][A-Za-z0-9_]*$",
            "x-write": "the name of an environment variable",
        })
    }
}

pub(super) fn only_true(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "boolean", "enum": [true]})
}

pub(super) fn uid(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string",
        "pattern": "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$",
        "x-write": "a UID, as `kubectl get namespace kube-system -o jsonpath={.metadata.uid}` shows it",
    })
}

pub(super) fn version(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string",
        "pattern": "^v[0-9]+\\.[0-9]+\\.[0-9]+([-+][0-9A-Za-z.+-]+)?$",
        "x-write": "a version of Kubernetes, such as \"v1.33.4\"",
    })
}

pub(super) fn chart_version(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string",
        "pattern": "^v?[0-9]+\\.[0-9]+\\.[0-9]+([-+][0-9A-Za-z.+-]+)?$",
        "x-write": "one version in full, such as \"4.13.2\"",
    })
}

pub(super) fn namespace(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string",
        "pattern": "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$",
        "maxLength": 63,
        "x-write": "the name of a namespace: 1 to 63 of a-z, 0-9 and `-`, which is neither first nor last",
    })
}

pub(super) fn object_name(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string",
        "pattern": "^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$",
        "maxLength": 253,
        "x-write": "the name of an object: 1 to 253 of a-z, 0-9, `-` and `.`",
    })
}

pub(super) fn release(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string",
        "pattern": "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$",
        "maxLength": 53,
        "x-write": "the name of a release: 1 to 53 of a-z, 0-9 and `-`, which is neither first nor last",
    })
}

pub(super) fn value_path(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string",
        "pattern": "^[^.\\s]+(\\.[^.\\s]+)*$",
        "x-write": "keys with dots between them, such as \"omsagent.secret.key\"",
    })
}

pub(super) fn nodes(_: &mut SchemaGenerator) -> Schema {
    counts(1)
}

pub(super) fn replicas(_: &mut SchemaGenerator) -> Schema {
    counts(0)
}

fn counts(least: u32) -> Schema {
    json_schema!({
        "type": "object",
        "additionalProperties": {"type": "integer", "minimum": least, "maximum": 10_000},
        "x-write": "a mapping of names to whole numbers",
    })
}

pub(super) fn values(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "x-kubernetes-preserve-unknown-fields": true,
        "x-write": "a mapping of values, as in a `values.yaml`",
        "x-hidden": true,
    })
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
    transforms(settings).into_generator().into_root_schema_for::<Fleet>()
}

fn without_null(schema: &mut Schema) {
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
    either.retain(|it| it.get("type") != Some(&"null".into()));
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

fn tighten(schema: &mut Schema) {
    // A format's own judge says why; the pattern is for servers.
    let format = schema.get("format").and_then(Value::as_str);
    if format.is_some_and(|it| it.starts_with("farol-")) {
        schema.remove("pattern");
    }
    if schema.get("properties").is_some() {
        schema.insert("additionalProperties".to_owned(), false.into());
    }
    if schema.get("x-short").is_some() {
        let short = of_short(schema.as_value());
        schema.remove("x-short");
        let long = schema.clone().to_value();
        let mut either = Map::new();
        either.insert("if".to_owned(), json!({"type": "string"}));
        either.insert("then".to_owned(), short);
        either.insert("else".to_owned(), long);
        *schema = Schema::from(either);
    }
}

/// What a text that stands for a mapping must be.
fn of_short(long: &Value) -> Value {
    let key = long.get("x-short").and_then(Value::as_str).unwrap_or_default();
    long.get("properties").and_then(|it| it.get(key)).cloned().unwrap_or(Value::Bool(true))
}
