use std::collections::HashMap;
use std::fmt;

use super::problem::{Place, Problem, twice};

/// How deep tables and lists may lie in each other; no configuration needs a third of it.
pub(super) const MAX_DEPTH: usize = 32;

/// A value in a configuration file, whatever the file's format, and where it was written.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) place: Place,
    pub(super) value: Value,
}

/// What formats for configuration have in common.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Text(String),
    Integer(i64),
    Float(f64),
    Boolean(bool),
    List(Vec<Node>),
    Table(Table),
    /// Something that no key takes, such as TOML's dates, as written.
    Other(String),
}

/// Keys and values in the order of writing; each key once.
#[derive(Clone, Debug, Default)]
pub(super) struct Table(pub(super) Vec<(String, Node)>);

/// The way to a value, for messages about it. The whole way is only put together when there is one.
pub(super) enum Trail<'a> {
    Root,
    Key(&'a Self, &'a str),
    Item(&'a Self, usize),
}

impl fmt::Display for Trail<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => Ok(()),
            Self::Key(Self::Root, key) => write!(f, "{}", key.escape_debug()),
            Self::Key(way, key) => write!(f, "{way}.{}", key.escape_debug()),
            Self::Item(way, index) => write!(f, "{way}[#{}]", index + 1),
        }
    }
}

/// What to say about a value that lies deeper than [`MAX_DEPTH`].
pub(super) fn too_deep(place: &Place, at: &Trail<'_>) -> Problem {
    let key: String = at.to_string().chars().take(60).collect();
    Problem::at(
        place,
        key,
        format!("lies more than {MAX_DEPTH} tables and lists deep; lay it out flat"),
    )
}

impl Table {
    /// Takes each key once, and complains about those that come again.
    pub(super) fn of(
        entries: Vec<(String, Node)>,
        at: &Trail<'_>,
        problems: &mut Vec<Problem>,
    ) -> Self {
        let mut first: HashMap<&str, &Place> = HashMap::with_capacity(entries.len());
        for (key, node) in &entries {
            match first.get(key.as_str()) {
                Some(first) => {
                    let path = Trail::Key(at, key).to_string();
                    problems.push(Problem::at(&node.place, path, twice(first)));
                }
                None => {
                    first.insert(key, &node.place);
                }
            }
        }
        Self(entries)
    }

    pub(super) fn get(&self, key: &str) -> Option<&Node> {
        self.0.iter().find(|(it, _)| it == key).map(|(_, node)| node)
    }
}

impl Node {
    /// The value as error messages show it: on one line, and not all of it when it is long.
    pub(super) fn shown(&self) -> String {
        match &self.value {
            Value::Text(text) => quoted(text),
            Value::Integer(number) => number.to_string(),
            Value::Float(number) => number.to_string(),
            Value::Boolean(value) => value.to_string(),
            Value::List(items) => format!("a list of {}", items.len()),
            Value::Table(_) => "a table".to_owned(),
            Value::Other(written) => written.clone(),
        }
    }
}

/// Text in quotes, shortened to fit a line.
pub(super) fn quoted(text: &str) -> String {
    format!("\"{}\"", shortened(text))
}

/// Text on one line, shortened to fit it.
pub(super) fn shortened(text: &str) -> String {
    const MOST: usize = 60;
    let mut shown: String = text.chars().take(MOST).flat_map(char::escape_debug).collect();
    if text.chars().nth(MOST).is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_shown_on_one_short_line() {
        assert_eq!(quoted("a\nb"), r#""a\nb""#);
        assert_eq!(quoted(&"é".repeat(61)), format!("\"{}…\"", "é".repeat(60)));
    }
}
