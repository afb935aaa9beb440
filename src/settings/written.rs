//! The configuration in force as it is written, for those who look: files, environment and flags laid over each other, defaults
//! where nothing is written. Secrets are not in it, only what they refer to.

use serde_json::{Map, Value as Json};

use super::schema::{Accepts, Default, Key, Schema};
use super::tree::{Node, Table, Value};

/// What stands in the place of a secret.
const HIDDEN: &str = "(hidden)";
/// Tables that have routes of their own in the API, and may be very many.
const APART: [&str; 3] = ["zone", "site", "profile"];

/// The root table, but for zones, sites and profiles.
pub(super) fn written(root: &Table, schema: &'static Schema) -> Json {
    let mut json = table(root, schema);
    json.retain(|key, _| !APART.contains(&key.as_str()));
    Json::Object(json)
}

fn table(written: &Table, schema: &'static Schema) -> Map<String, Json> {
    let value = |key: &'static Key| Some((key.name.to_owned(), of(written.get(key.name), key)?));
    schema.keys.iter().filter_map(value).collect()
}

/// The value of a key, or what holds where it is not written; none where that is nothing in particular.
fn of(node: Option<&Node>, key: &'static Key) -> Option<Json> {
    match (&key.accepts, node.map(|it| &it.value)) {
        (Accepts::Table(schema), Some(Value::Table(it))) => Some(Json::Object(table(it, schema))),
        (Accepts::Table(schema), None) if !schema.has_required() => {
            let defaults = table(&Table::default(), schema);
            Some(Json::Object(defaults)).filter(|_| !key.is_secret)
        }
        (Accepts::Tables(_), Some(_)) if APART.contains(&key.name) => None,
        (Accepts::Tables(schema), Some(Value::List(items))) => {
            let item = |it: &Node| match &it.value {
                Value::Table(it) => Json::Object(table(it, schema)),
                other => plain(other, key.is_secret),
            };
            Some(items.iter().map(item).collect())
        }
        (Accepts::Named(schema), Some(Value::Table(it))) => {
            let entry = |(name, node): &(String, Node)| match &node.value {
                Value::Table(it) => (name.clone(), Json::Object(table(it, schema))),
                other => (name.clone(), plain(other, key.is_secret)),
            };
            Some(Json::Object(it.0.iter().map(entry).collect()))
        }
        (_, Some(value)) => Some(plain(value, key.is_secret)),
        (_, None) => match key.default {
            Default::Value("") | Default::Required(_) | Default::Derived(..) => None,
            Default::Value(text) => Some(default(text)),
        },
    }
}

fn plain(value: &Value, is_secret: bool) -> Json {
    match value {
        // A reference names a file or a variable, never what is in it.
        Value::Text(text) if is_secret && !text.contains("${") => HIDDEN.into(),
        Value::Text(text) | Value::Other(text) => text.as_str().into(),
        Value::Integer(number) => (*number).into(),
        Value::Float(number) => (*number).into(),
        Value::Boolean(flag) => (*flag).into(),
        Value::List(items) => items.iter().map(|it| plain(&it.value, is_secret)).collect(),
        Value::Table(Table(entries)) => {
            let entry = |(key, node): &(String, Node)| (key.clone(), plain(&node.value, is_secret));
            Json::Object(entries.iter().map(entry).collect())
        }
    }
}

/// A default, which is written in TOML; what defaults have of it reads the same as JSON.
fn default(text: &str) -> Json {
    serde_json::from_str(text).unwrap_or_else(|_| text.into())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::settings::load_text;

    #[test]
    fn what_is_in_force_is_shown_without_secrets() {
        let config = r#"
            [server]
            workers = 3
            [admin]
            rate_limit = 7
            [[admin.token]]
            name = "ci"
            role = "viewer"
            sha256 = "0000000000000000000000000000000000000000000000000000000000000000"
            [monitor.web]
            path = "/healthz"
            headers = { authorization = "Bearer hush", x-key = "$${plain}" }
            [[zone]]
            name = "z."
            nameservers = "ns.example."
        "#;
        let written = load_text(Path::new("farol.toml"), config).unwrap().written;
        assert_eq!(written["server"]["workers"], 3);
        assert_eq!(written["admin"]["rate_limit"], 7);
        assert_eq!(written["admin"]["listen"], "127.0.0.1:8053", "a default");
        assert_eq!(written["admin"]["token"][0]["name"], "ci");
        assert_eq!(written["admin"]["token"][0]["sha256"], "(hidden)");
        assert_eq!(written["monitor"]["web"]["path"], "/healthz");
        assert_eq!(written["monitor"]["web"]["interval"], "10s");
        assert_eq!(written["monitor"]["web"]["headers"]["authorization"], "(hidden)");
        assert_eq!(written["zone"], serde_json::Value::Null);
        assert!(!written.to_string().contains("hush"), "{written}");
    }
}
