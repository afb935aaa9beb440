//! TOML text as a tree with line numbers.

use std::path::Path;
use std::sync::Arc;

use toml_edit::{Document, Item, Key};

use super::problem::{Place, Problem};
use super::tree::{Node, Table, Value};

/// Reads a whole file.
///
/// # Errors
/// The first violation of TOML's grammar, and its line.
pub(super) fn parse(file: &Arc<Path>, text: &str) -> Result<Table, Problem> {
    let lines = Lines::of(file, text);
    match Document::parse(text) {
        Ok(document) => Ok(lines.table(document.as_table())),
        Err(error) => {
            let place = lines.place(error.span().map(|it| it.start));
            let message = error.message().trim_end();
            Err(Problem::at(&place, "", format!("is not TOML from here on: {message}")))
        }
    }
}

/// Knows the line of every offset.
struct Lines<'a> {
    file: &'a Arc<Path>,
    starts: Vec<usize>,
}

impl<'a> Lines<'a> {
    fn of(file: &'a Arc<Path>, text: &str) -> Self {
        let after_breaks = text.match_indices('\n').map(|(at, _)| at + 1);
        Self { file, starts: std::iter::once(0).chain(after_breaks).collect() }
    }

    fn place(&self, offset: Option<usize>) -> Place {
        let line = offset.map(|at| self.starts.partition_point(|start| *start <= at));
        Place { file: self.file.clone(), line }
    }

    fn table(&self, table: &toml_edit::Table) -> Table {
        let entries = table.iter().map(|(name, item)| {
            // A key knows its place even where its table is only implied, as `monitor` is by `[monitor.web]`.
            let place = self.key_place(table.key(name));
            (name.to_owned(), Node { place, value: self.item(item) })
        });
        Table(entries.collect())
    }

    fn key_place(&self, key: Option<&Key>) -> Place {
        self.place(key.and_then(Key::span).map(|it| it.start))
    }

    fn item(&self, item: &Item) -> Value {
        match item {
            Item::None => Value::Other("nothing".to_owned()),
            Item::Value(value) => self.value(value),
            Item::Table(table) => Value::Table(self.table(table)),
            Item::ArrayOfTables(tables) => {
                let node = |table: &toml_edit::Table| Node {
                    place: self.place(table.span().map(|it| it.start)),
                    value: Value::Table(self.table(table)),
                };
                Value::List(tables.iter().map(node).collect())
            }
        }
    }

    fn value(&self, value: &toml_edit::Value) -> Value {
        match value {
            toml_edit::Value::String(text) => Value::Text(text.value().clone()),
            toml_edit::Value::Integer(number) => Value::Integer(*number.value()),
            toml_edit::Value::Float(number) => Value::Float(*number.value()),
            toml_edit::Value::Boolean(it) => Value::Boolean(*it.value()),
            toml_edit::Value::Datetime(time) => Value::Other(time.value().to_string()),
            toml_edit::Value::Array(items) => {
                let node = |item: &toml_edit::Value| Node {
                    place: self.place(item.span().map(|it| it.start)),
                    value: self.value(item),
                };
                Value::List(items.iter().map(node).collect())
            }
            toml_edit::Value::InlineTable(table) => {
                let entries = table.iter().map(|(name, value)| {
                    let place = self.key_place(table.key(name));
                    (name.to_owned(), Node { place, value: self.value(value) })
                });
                Value::Table(Table(entries.collect()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Table, Problem> {
        parse(&Path::new("x.toml").into(), text)
    }

    #[test]
    fn every_node_knows_its_line() {
        let table =
            read("[a]\nb = 1\n\n[[c]]\nd = [\n  'x',\n  { e = 2 },\n]\n[[c]]\n[f.g]\n").unwrap();
        let line = |node: &Node| node.place.line.unwrap();
        let inner = |node: &Node, key: &str| match &node.value {
            Value::Table(table) => table.get(key).unwrap().clone(),
            Value::List(items) => items[key.parse::<usize>().unwrap()].clone(),
            _ => panic!("{node:?}"),
        };
        let root = Node { place: Place::file(Path::new("")), value: Value::Table(table) };
        for (path, expected) in [
            ("a", 1),
            ("a b", 2),
            ("c 0", 4),
            ("c 0 d", 5),
            ("c 0 d 0", 6),
            ("c 0 d 1 e", 7),
            ("c 1", 9),
            ("f", 10),
            ("f g", 10),
        ] {
            let found = path.split(' ').fold(root.clone(), |node, key| inner(&node, key));
            assert_eq!(line(&found), expected, "{path}");
        }
    }

    #[test]
    fn broken_text_names_its_line() {
        for (text, line) in [("a = 1\nb = \n", 2), ("a = 1\n\na = 2", 3), ("[a\n", 1)] {
            let problem = read(text).unwrap_err();
            assert_eq!(problem.line, Some(line), "{problem}");
        }
    }
}
