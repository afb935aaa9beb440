//! A file in one of the configuration's formats for readers with rules of their own: as JSON, and as values that know their
//! lines and the ways to them, for what is to be said about them.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value as Json;

use super::files::{self, Library, read_file};
use super::format::Format;
use super::problem::{Log, Place, Problem, Problems};
use super::reader::{label, text};
use super::tree::{Node, Table, Value};

/// What a file says, or what was put together from elsewhere.
#[derive(Clone, Debug)]
pub(crate) struct Document {
    root: Node,
}

impl Document {
    /// Reads a file, whose extension tells its format.
    ///
    /// # Errors
    /// When it can't be read or isn't of its format.
    pub(crate) fn read(file: &Path) -> Result<Self, Problems> {
        let (library, log) = (Library::new(&read_file), Log::default());
        let source = files::source(file, &library, &log);
        log.finish()?;
        let text = source.map(|it| it.text).unwrap_or_default();
        Self::parse(file, &text)
    }

    /// Reads a text as if it stood in a file.
    ///
    /// # Errors
    /// When it isn't of the format that the file's extension tells.
    pub(crate) fn parse(file: &Path, text: &str) -> Result<Self, Problems> {
        let place = Place::file(file);
        let parsed = Format::of(file).unwrap_or(Format::Yaml).parse(&place.file, text);
        let table = parsed.map_err(Problems::of)?;
        Ok(Self { root: Node { place, value: Value::Table(table) } })
    }

    /// Nothing yet; `name` stands for a file in what is said about it as a whole.
    pub(crate) fn empty(name: &str) -> Self {
        let value = Value::Table(Table::default());
        Self { root: Node { place: Place::file(Path::new(name)), value } }
    }

    /// Adds a value of the root; `from` stands for the file in what is said about it.
    pub(crate) fn set(&mut self, key: &str, from: &str, json: &Json) {
        let place = Place::file(Path::new(from));
        self.put(key, node(&place, json));
    }

    /// Adds a list of values of the root, each from somewhere of its own.
    pub(crate) fn set_list(&mut self, key: &str, items: &[(String, Json)]) {
        let each = |(from, json): &(String, Json)| node(&Place::file(Path::new(from)), json);
        let value = Value::List(items.iter().map(each).collect());
        self.put(key, Node { place: self.root.place.clone(), value });
    }

    fn put(&mut self, key: &str, node: Node) {
        if let Value::Table(Table(entries)) = &mut self.root.value {
            entries.push((key.to_owned(), node));
        }
    }

    /// All of it. What JSON can't express, such as not-a-number, is null.
    pub(crate) fn json(&self) -> Json {
        json(&self.root)
    }

    /// The root.
    pub(crate) fn root(&self) -> At<'_> {
        At { node: &self.root, path: String::new() }
    }
}

/// A value in a document, and the way to it.
#[derive(Clone)]
pub(crate) struct At<'a> {
    node: &'a Node,
    path: String,
}

impl<'a> At<'a> {
    /// What is written for a key of this table.
    pub(crate) fn get(&self, key: &str) -> Option<Self> {
        let Value::Table(table) = &self.node.value else { return None };
        Some(Self { node: table.get(key)?, path: self.key(key) })
    }

    /// What is written at the end of a way of keys.
    pub(crate) fn at(&self, keys: &[&str]) -> Option<Self> {
        keys.iter().try_fold(self.clone(), |at, key| at.get(key))
    }

    /// The items of this list; none where it is none.
    pub(crate) fn items(&self) -> Vec<Self> {
        let Value::List(items) = &self.node.value else { return Vec::new() };
        let item = |(index, node)| Self { node, path: self.item(node, index) };
        items.iter().enumerate().map(item).collect()
    }

    /// The keys and values of this table; none where it is none.
    pub(crate) fn entries(&self) -> Vec<(&'a str, Self)> {
        let Value::Table(table) = &self.node.value else { return Vec::new() };
        let entry =
            |(key, node): &'a (String, Node)| (key.as_str(), Self { node, path: self.key(key) });
        table.0.iter().map(entry).collect()
    }

    /// The text that this is.
    pub(crate) fn text(&self) -> Option<&'a str> {
        text(self.node)
    }

    /// The whole number that this is.
    pub(crate) fn integer(&self) -> Option<i64> {
        match self.node.value {
            Value::Integer(number) => Some(number),
            _ => None,
        }
    }

    /// Whether this is a table.
    pub(crate) fn is_table(&self) -> bool {
        matches!(self.node.value, Value::Table(_))
    }

    /// What JSON can't express in here, and would take for null.
    pub(crate) fn strange(&self) -> Vec<Self> {
        match &self.node.value {
            Value::Other(written) if written != "null" => vec![self.clone()],
            Value::Float(number) if !number.is_finite() => vec![self.clone()],
            Value::Table(_) => self.entries().iter().flat_map(|it| it.1.strange()).collect(),
            _ => self.items().iter().flat_map(Self::strange).collect(),
        }
    }

    /// Where a JSON pointer (RFC 6901) leads, or as far as there is something.
    pub(crate) fn follow(&self, pointer: &str) -> Self {
        let mut at = self.clone();
        for step in pointer.split('/').skip(1) {
            let step: Cow<'_, str> = match step.contains('~') {
                true => step.replace("~1", "/").replace("~0", "~").into(),
                false => step.into(),
            };
            let next = match &at.node.value {
                Value::List(items) => step.parse().ok().and_then(|index: usize| {
                    let node = items.get(index)?;
                    Some(Self { node, path: at.item(node, index) })
                }),
                _ => at.get(&step),
            };
            let Some(next) = next else { break };
            at = next;
        }
        at
    }

    /// What is wrong here.
    pub(crate) fn problem(&self, message: impl Into<String>) -> Problem {
        Problem::at(&self.node.place, self.path.clone(), message)
    }

    /// What is wrong here, with the value that was found.
    pub(crate) fn found(&self, message: impl Into<String>) -> Problem {
        self.problem(message).found(self.node.shown())
    }

    /// What is wrong about a key that may not be there.
    pub(crate) fn lacks(&self, key: &str, message: impl Into<String>) -> Problem {
        Problem::at(&self.node.place, self.key(key), message)
    }

    /// Where this is written: file and line.
    pub(crate) fn place(&self) -> String {
        self.node.place.to_string()
    }

    fn key(&self, key: &str) -> String {
        let key = key.escape_debug();
        if self.path.is_empty() { key.to_string() } else { format!("{}.{key}", self.path) }
    }

    fn item(&self, node: &Node, index: usize) -> String {
        format!("{}[{}]", self.path, label(node, index))
    }
}

/// The directory that relative paths in a file start at.
pub(crate) fn directory(file: &Path) -> PathBuf {
    file.parent().unwrap_or(Path::new("")).to_owned()
}

fn node(place: &Place, json: &Json) -> Node {
    let place = Place { file: Arc::clone(&place.file), line: None };
    let value = match json {
        Json::Null => Value::Other("null".to_owned()),
        Json::Bool(value) => Value::Boolean(*value),
        Json::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(number), _) => Value::Integer(number),
            (None, Some(number)) => Value::Float(number),
            (None, None) => Value::Other(number.to_string()),
        },
        Json::String(text) => Value::Text(text.clone()),
        Json::Array(items) => Value::List(items.iter().map(|it| node(&place, it)).collect()),
        Json::Object(entries) => {
            let entry = |(key, value): (&String, &Json)| (key.clone(), node(&place, value));
            Value::Table(Table(entries.iter().map(entry).collect()))
        }
    };
    Node { place, value }
}

fn json(node: &Node) -> Json {
    match &node.value {
        Value::Text(text) => text.as_str().into(),
        Value::Integer(number) => (*number).into(),
        Value::Float(number) => (*number).into(),
        Value::Boolean(value) => (*value).into(),
        Value::List(items) => items.iter().map(json).collect(),
        Value::Table(table) => {
            Json::Object(table.0.iter().map(|(key, node)| (key.clone(), json(node))).collect())
        }
        Value::Other(_) => Json::Null,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_know_their_lines_and_ways() {
        let text = "a:\n- name: one\n  b/c: [1, .nan]\n- x\n";
        let document = Document::parse(Path::new("f.yaml"), text).unwrap();
        assert_eq!(document.json(), json!({"a": [{"name": "one", "b/c": [1, null]}, "x"]}));
        let root = document.root();
        assert_eq!(
            root.follow("/a/0/b~1c/1").found("is bad").to_string(),
            "f.yaml:3: a[one].b/c[#2]: found NaN; is bad"
        );
        assert_eq!(root.follow("/a/1/no/way").found("is bad").key, "a[#2]");
        assert_eq!(root.get("a").unwrap().items()[0].lacks("d", "").key, "a[one].d");
    }

    #[test]
    fn what_is_put_together_tells_where_it_comes_from() {
        let mut document = Document::empty("resources");
        document.set_list("sites", &[("Site/a".to_owned(), json!({"name": "a", "n": 1.5}))]);
        document.set("drift", "Drift/x", &json!(null));
        assert_eq!(
            document.root().follow("/sites/0/n").found("is bad").to_string(),
            "Site/a: sites[a].n: found 1.5; is bad"
        );
        assert_eq!(document.json(), json!({"sites": [{"name": "a", "n": 1.5}], "drift": null}));
    }
}
