//! JSON text (RFC 8259) as a tree with line numbers.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::lines::Lines;
use super::problem::Problem;
use super::tree::{MAX_DEPTH, Node, Table, Trail, Value, shortened, too_deep};

/// Reads a whole file.
///
/// # Errors
/// The first violation of the grammar, or every key that an object has twice.
pub(super) fn parse(file: &Arc<Path>, text: &str) -> Result<Table, Vec<Problem>> {
    let mut reader = Reader { text, lines: Lines::of(file, text), problems: Vec::new() };
    let whole: &RawValue = serde_json::from_str(text).map_err(|it| vec![reader.broken(0, &it)])?;
    match reader.value(whole, &Trail::Root, 0) {
        Err(problem) => Err(vec![problem]),
        Ok(_) if !reader.problems.is_empty() => Err(reader.problems),
        Ok(Value::Table(table)) => Ok(table),
        Ok(value) => {
            let node = Node { place: reader.lines.place(Some(reader.offset(whole))), value };
            let message = "write an object with keys";
            Err(vec![Problem::at(&node.place, "", message).found(node.shown())])
        }
    }
}

struct Reader<'a> {
    text: &'a str,
    lines: Lines<'a>,
    problems: Vec<Problem>,
}

impl<'a> Reader<'a> {
    /// The grammar was checked before, all but the meaning of escapes.
    fn value(&mut self, raw: &'a RawValue, at: &Trail<'_>, depth: usize) -> Result<Value, Problem> {
        let text = raw.get();
        if depth > MAX_DEPTH {
            return Err(too_deep(&self.lines.place(Some(self.offset(raw))), at));
        }
        let broken = |error| self.broken(self.offset(raw), &error);
        Ok(match text.as_bytes().first() {
            Some(b'{') => {
                let Object(entries) = serde_json::from_str(text).map_err(broken)?;
                let mut nodes = Vec::with_capacity(entries.len());
                for (key, raw) in entries {
                    let place = self.lines.place(Some(self.offset(raw)));
                    let value = self.value(raw, &Trail::Key(at, &key), depth + 1)?;
                    nodes.push((key, Node { place, value }));
                }
                Value::Table(Table::of(nodes, at, &mut self.problems))
            }
            Some(b'[') => {
                let items: Vec<&'a RawValue> = serde_json::from_str(text).map_err(broken)?;
                let mut nodes = Vec::with_capacity(items.len());
                for (index, raw) in items.into_iter().enumerate() {
                    let place = self.lines.place(Some(self.offset(raw)));
                    let value = self.value(raw, &Trail::Item(at, index), depth + 1)?;
                    nodes.push(Node { place, value });
                }
                Value::List(nodes)
            }
            Some(b'"') => Value::Text(serde_json::from_str(text).map_err(broken)?),
            Some(b't') => Value::Boolean(true),
            Some(b'f') => Value::Boolean(false),
            Some(b'n') => Value::Other("null".to_owned()),
            _ => number(text),
        })
    }

    /// Where a part of the text begins in it.
    fn offset(&self, part: &RawValue) -> usize {
        part.get().as_ptr().addr() - self.text.as_ptr().addr()
    }

    /// A complaint of the parser about the text from `start` on.
    fn broken(&self, start: usize, error: &serde_json::Error) -> Problem {
        let before = self.lines.place(Some(start));
        let line = before.line.map(|it| it + error.line().saturating_sub(1));
        let message = error.to_string();
        let message = message.split(" at line ").next().unwrap_or_default();
        let place = super::problem::Place { line, ..before };
        Problem::at(&place, "", format!("is not JSON from here on: {message}"))
    }
}

/// A number is whole if it is written so; one that is too large is left to whoever reads it.
fn number(text: &str) -> Value {
    let other = || Value::Other(shortened(text));
    if text.contains(['.', 'e', 'E']) {
        text.parse().map_or_else(|_| other(), Value::Float)
    } else {
        text.parse().map_or_else(|_| other(), Value::Integer)
    }
}

/// An object with every key, also those that it has twice.
struct Object<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Object<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = Vec<(String, &'de RawValue)>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(entries)
            }
        }
        deserializer.deserialize_map(Entries).map(Self)
    }
}
