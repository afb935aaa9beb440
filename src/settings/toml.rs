//! TOML text as a tree with line numbers.

use std::path::Path;
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::lines::Lines;
use super::problem::Problem;
use super::tree::{Node, Table, Value, shortened};

/// Reads a whole file.
///
/// # Errors
/// The first violation of TOML's grammar, and its line.
pub(super) fn parse(file: &Arc<Path>, text: &str) -> Result<Table, Problem> {
    let lines = Lines::of(file, text);
    match DeTable::parse(text) {
        Ok(document) => Ok(table(document.into_inner(), &lines)),
        Err(error) => {
            let place = lines.place(error.span().map(|it| it.start));
            let message = error.message().trim_end();
            Err(Problem::at(&place, "", format!("is not TOML from here on: {message}")))
        }
    }
}

fn table(table: DeTable<'_>, lines: &Lines<'_>) -> Table {
    let entries = table.into_iter().map(|(key, item)| {
        // A key knows its place even where its table is only implied, as `monitor` is by `[monitor.web]`.
        let place = lines.place(Some(key.span().start));
        (key.into_inner().into_owned(), Node { place, value: value(item.into_inner(), lines) })
    });
    Table(entries.collect())
}

fn value(value: DeValue<'_>, lines: &Lines<'_>) -> Value {
    match value {
        DeValue::String(text) => Value::Text(text.into_owned()),
        // One that is too large is left to whoever reads it.
        DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
            Ok(number) => Value::Integer(number),
            Err(_) => Value::Other(shortened(number.as_str())),
        },
        DeValue::Float(number) => match number.as_str().parse() {
            Ok(number) => Value::Float(number),
            Err(_) => Value::Other(shortened(number.as_str())),
        },
        DeValue::Boolean(it) => Value::Boolean(it),
        DeValue::Datetime(time) => Value::Other(time.to_string()),
        DeValue::Array(items) => {
            let node = |item: Spanned<DeValue<'_>>| {
                let place = lines.place(Some(item.span().start));
                Node { place, value: self::value(item.into_inner(), lines) }
            };
            Value::List(items.into_iter().map(node).collect())
        }
        DeValue::Table(inner) => Value::Table(table(inner, lines)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::problem::Place;

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
