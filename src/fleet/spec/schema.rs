//! The schemas of the description, made from its types: as API servers take them, and stricter for what Farol reads itself.
//! Keys of its own, which no server sees: `x-write` says what to write, `x-hidden` that what was written is not shown because
//! it may be a secret, and `x-short` that a text stands for a mapping with this key.

use std::borrow::Cow;

use kube::core::schema::{OptionalEnum, StructuralSchemaRewriter};
use schemars::generate::SchemaSettings;
use schemars::transform::{AddNullable, RecursiveTransform, Transform};
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

/// Takes away what API servers don't know.
pub(super) fn for_servers(schema: &mut Schema) {
    RecursiveTransform(|schema: &mut Schema| {
        OWN.iter().for_each(|it| drop(schema.remove(*it)));
        // Farol's own formats, and numbers' types in Rust, whose ranges are written beside them.
        schema.remove("format");
    })
    .transform(schema);
}

/// The schema that a file is held to.
pub(super) fn strict() -> Value {
    // The same as kube makes of a custom resource's type, so that both mean the same.
    let generator = SchemaSettings::openapi3()
        .with(|it| {
            it.inline_subschemas = true;
            it.meta_schema = None;
        })
        .with_transform(AddNullable::default())
        .with_transform(StructuralSchemaRewriter)
        .with_transform(OptionalEnum)
        .with_transform(RecursiveTransform(tighten))
        .into_generator();
    generator.into_root_schema_for::<Fleet>().to_value()
}

fn tighten(schema: &mut Schema) {
    // What null would mean is said by leaving the key out.
    schema.remove("nullable");
    if let Some(Value::Array(words)) = schema.get_mut("enum") {
        words.retain(|it| !it.is_null());
    }
    // A format's own judge says why; the pattern is for servers.
    let has_judge =
        schema.get("format").and_then(Value::as_str).is_some_and(|it| it.starts_with("farol-"));
    if has_judge {
        schema.remove("pattern");
    }
    if schema.get("properties").is_some() {
        schema.insert("additionalProperties".to_owned(), false.into());
    }
    if schema.get("x-short").is_some() {
        let long = schema.clone().to_value();
        let short = json!({"type": "string"});
        let mut either = Map::new();
        either.insert("if".to_owned(), short);
        either.insert("then".to_owned(), of_short(&long));
        either.insert("else".to_owned(), long);
        *schema = Schema::from(either);
    }
}

/// What a text that stands for a mapping must be.
fn of_short(long: &Value) -> Value {
    let key = long.get("x-short").and_then(Value::as_str).unwrap_or_default();
    long.get("properties").and_then(|it| it.get(key)).cloned().unwrap_or(Value::Bool(true))
}
