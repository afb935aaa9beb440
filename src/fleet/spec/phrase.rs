//! What a part of the schema takes, in words.

use serde_json::Value;

/// The keys of a mapping.
pub(super) fn known(schema: &Value) -> Vec<&str> {
    let properties = schema.get("properties").and_then(Value::as_object);
    properties.into_iter().flat_map(|it| it.keys()).map(String::as_str).collect()
}

/// The keys of which a mapping has exactly one.
pub(super) fn choices(schema: &Value) -> Vec<&str> {
    let branches = schema.get("oneOf").and_then(Value::as_array);
    branches.into_iter().flatten().filter_map(|it| it.pointer("/required/0")?.as_str()).collect()
}

/// What a schema takes, after "write".
pub(super) fn phrase(schema: &Value) -> String {
    let text = |key: &str| schema.get(key).and_then(Value::as_str);
    if let Some(long) = schema.get("else") {
        return phrase(long);
    }
    if let Some(written) = text("x-write") {
        return written.to_owned();
    }
    if let Some(words) = schema.get("enum").and_then(Value::as_array) {
        let words: Vec<String> = words.iter().map(Value::to_string).collect();
        return alternatives(&words);
    }
    match text("type") {
        Some("integer") => format!("a whole number{}", range(schema)),
        Some("number") => format!("a number{}", range(schema)),
        Some("boolean") => "true or false".to_owned(),
        Some("array") => list(schema),
        Some("object") => match known(schema).as_slice() {
            [] => "a mapping".to_owned(),
            [key] => format!("a mapping with the key `{key}`"),
            keys => format!("a mapping with keys of {}", keys.join(", ")),
        },
        _ => "a text that isn't empty".to_owned(),
    }
}

fn list(schema: &Value) -> String {
    let items = schema.get("items").map(phrase).unwrap_or_default();
    let count = match (schema.get("minItems"), schema.get("maxItems")) {
        (Some(least), Some(most)) => format!("of {least} to {most}"),
        (None, Some(most)) => format!("of at most {most}"),
        _ => "of any number".to_owned(),
    };
    match items.starts_with("a mapping") {
        true => format!("a list {count} mappings"),
        false => format!("a list {count}, each {items}"),
    }
}

fn range(schema: &Value) -> String {
    let bound = |key: &str| schema.get(key).map(number);
    match (bound("minimum"), bound("maximum")) {
        (Some(least), Some(most)) => format!(" from {least} to {most}"),
        _ => String::new(),
    }
}

/// A number without a fraction of nothing.
pub(super) fn number(value: &Value) -> String {
    let text = value.to_string();
    let whole = text.strip_suffix(".0").map(str::to_owned);
    whole.unwrap_or(text)
}

/// "a, b or c".
pub(super) fn alternatives(words: &[String]) -> String {
    match words {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}

/// Keys as messages show them.
pub(super) fn quoted(keys: &[&str]) -> Vec<String> {
    keys.iter().map(|it| format!("`{it}`")).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_schema_is_said_in_words() {
        let number = json!({"type": "number", "minimum": 1.0, "maximum": 1e12});
        for (schema, expected) in [
            (json!({"type": "boolean"}), "true or false"),
            (json!({"type": "boolean", "enum": [true]}), "true"),
            (json!({"enum": ["a", "b", "c"]}), "\"a\", \"b\" or \"c\""),
            (number.clone(), "a number from 1 to 1000000000000"),
            (
                json!({"type": "array", "maxItems": 9, "items": number}),
                "a list of at most 9, each a number from 1 to 1000000000000",
            ),
            (
                json!({"type": "array", "minItems": 1, "maxItems": 9, "items": {"type": "object"}}),
                "a list of 1 to 9 mappings",
            ),
            (json!({"type": "object", "properties": {"a": true}}), "a mapping with the key `a`"),
            (json!({"type": "string"}), "a text that isn't empty"),
            (json!({"if": true, "else": {"x-write": "a path"}}), "a path"),
        ] {
            assert_eq!(phrase(&schema), expected);
        }
    }
}
