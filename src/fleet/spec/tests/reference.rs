//! The list of all keys in docs/FLEET.md, which is made from the types.

use std::fmt::Write;

use serde_json::Value;

use super::super::{phrase, schema};
use super::*;

const BEGIN: &str =
    "<!-- The keys, from the types: UPDATE_REFERENCE=1 cargo test --lib reference -->\n";
const END: &str = "<!-- End of the keys. -->\n";

#[test]
fn the_reference_of_the_fleet_is_what_the_types_say() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/FLEET.md");
    let text = std::fs::read_to_string(&file).unwrap();
    let (before, rest) = text.split_once(BEGIN).unwrap();
    let (keys, after) = rest.split_once(END).unwrap();
    let rendered = render();
    if std::env::var_os("UPDATE_REFERENCE").is_some() {
        std::fs::write(&file, [before, BEGIN, &rendered, END, after].concat()).unwrap();
        return;
    }
    assert!(rendered == keys, "out of date; run UPDATE_REFERENCE=1 cargo test --lib reference");
}

fn render() -> String {
    let mut out = String::new();
    let schema = schema::in_order();
    for (key, part) in schema["properties"].as_object().unwrap() {
        writeln!(out, "\n### `{key}`\n\n{}\n", sentence(part)).unwrap();
        out.push_str("| Key | Takes | Default | Meaning |\n|---|---|---|---|\n");
        let way = if part["type"] == "array" { format!("{key}[]") } else { key.clone() };
        let inner = if part["type"] == "array" { &part["items"] } else { part };
        let rows = out.len();
        table(inner, &way, &mut out);
        if out.len() == rows {
            row(part, key, false, &mut out);
        }
    }
    out.push('\n');
    out
}

fn sentence(schema: &Value) -> &str {
    schema["description"].as_str().unwrap_or_default()
}

/// A row for each key of a mapping, and for each key below.
fn table(schema: &Value, way: &str, out: &mut String) {
    let mut properties = vec![schema];
    properties.extend(schema["oneOf"].as_array().into_iter().flatten());
    for (branch, own) in properties.iter().enumerate() {
        for (key, inner) in own["properties"].as_object().into_iter().flatten() {
            let way = format!("{way}.{key}");
            let required =
                own["required"].as_array().is_some_and(|it| it.iter().any(|it| it == key.as_str()));
            // The words about one of several are written beside it.
            let mut inner = inner.clone();
            if branch > 0 && !sentence(own).is_empty() {
                inner["description"] = own["description"].clone();
            }
            row(&inner, &way, required && branch == 0, out);
            below(&inner, &way, out);
        }
    }
}

fn below(schema: &Value, way: &str, out: &mut String) {
    if let Some(items) = schema.get("items") {
        table(items, &format!("{way}[]"), out);
    }
    if let Some(values) = schema.get("additionalProperties") {
        table(values, &format!("{way}.NAME"), out);
    }
    table(schema, way, out);
}

fn row(schema: &Value, way: &str, required: bool, out: &mut String) {
    let default = match schema.get("default") {
        Some(Value::Object(_)) => String::new(),
        Some(default) => format!("`{}`", phrase::number(default)),
        None if required => "required".to_owned(),
        None => String::new(),
    };
    let is_choice = schema.pointer("/oneOf/0/properties").is_some();
    let mut takes = match schema["type"].as_str() {
        _ if is_choice => "a mapping".to_owned(),
        Some("object") if schema.get("x-write").is_none() => "a mapping".to_owned(),
        _ => phrase::phrase(&words(schema)),
    };
    if schema.get("x-short").is_some() {
        takes.push_str(", or a text");
    }
    let meaning = sentence(schema).replace('\n', " ");
    writeln!(
        out,
        "| `{way}` | {} | {default} | {} |",
        takes.replace('|', "\\|"),
        meaning.replace('|', "\\|")
    )
    .unwrap();
}

/// The schema with the words of an enumeration in one place.
fn words(schema: &Value) -> Value {
    let mut schema = schema.clone();
    if let Some(items) = schema.get("items") {
        schema["items"] = words(items);
    }
    let branches = schema["oneOf"].as_array().cloned().unwrap_or_default();
    let words: Vec<Value> =
        branches.iter().filter_map(|it| it.get("enum")?.as_array()).flatten().cloned().collect();
    if !words.is_empty() {
        schema["enum"] = words.into();
    }
    schema
}
