//! Which objects a list or a watch is about: selectors of labels and of names.

use serde_json::Value;

/// Labels and names that an object must have.
#[derive(Clone, Debug, Default)]
pub(crate) struct Selector {
    labels: Vec<(String, Wanted)>,
    name: Option<String>,
}

#[derive(Clone, Debug)]
enum Wanted {
    Is(String),
    IsNot(String),
    IsThere,
    IsMissing,
}

impl Selector {
    /// As `labelSelector` and `fieldSelector` say it; of the latter only `metadata.name`.
    pub(crate) fn new(labels: &str, fields: &str) -> Self {
        let parts = labels.split(',').map(str::trim).filter(|it| !it.is_empty());
        let name = fields.split(',').find_map(|it| it.strip_prefix("metadata.name="));
        Self { labels: parts.map(requirement).collect(), name: name.map(str::to_owned) }
    }

    /// Whether it takes an object.
    pub(crate) fn takes(&self, object: &Value) -> bool {
        let labels = object.pointer("/metadata/labels");
        let label = |key: &str| labels.and_then(|it| it.get(key)).and_then(Value::as_str);
        let has = |(key, wanted): &(String, Wanted)| match (wanted, label(key)) {
            (Wanted::Is(value), found) => found == Some(value),
            (Wanted::IsNot(value), found) => found != Some(value),
            (Wanted::IsThere, found) => found.is_some(),
            (Wanted::IsMissing, found) => found.is_none(),
        };
        let name = object.pointer("/metadata/name").and_then(Value::as_str);
        self.labels.iter().all(has) && self.name.as_deref().is_none_or(|it| name == Some(it))
    }
}

fn requirement(text: &str) -> (String, Wanted) {
    if let Some((key, value)) = text.split_once("!=") {
        return (key.to_owned(), Wanted::IsNot(value.to_owned()));
    }
    if let Some((key, value)) = text.split_once('=') {
        return (key.to_owned(), Wanted::Is(value.trim_start_matches('=').to_owned()));
    }
    match text.strip_prefix('!') {
        Some(key) => (key.to_owned(), Wanted::IsMissing),
        None => (text.to_owned(), Wanted::IsThere),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn labels_and_names_select() {
        let object = json!({"metadata": {"name": "web", "labels": {"app": "web", "tier": "1"}}});
        for (labels, fields, takes) in [
            ("", "", true),
            ("app=web", "", true),
            ("app==web,tier", "", true),
            ("app=api", "", false),
            ("!app", "", false),
            ("app!=api,!part-of", "", true),
            ("app", "metadata.name=web", true),
            ("", "metadata.name=api", false),
        ] {
            assert_eq!(Selector::new(labels, fields).takes(&object), takes, "{labels} {fields}");
        }
    }
}
