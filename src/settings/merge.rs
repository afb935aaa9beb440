//! Several files as one tree: lists of tables are appended, keys of the other tables may be in one file each.

use std::collections::HashMap;

use super::files::Source;
use super::keys::ROOT;
use super::problem::{Log, Place, Problem, twice};
use super::reader::unknown;
use super::schema::Accepts;
use super::tree::{Node, Table, Value};

/// All files as one tree.
pub(super) struct Merged {
    pub(super) root: Node,
    /// Whether every file could be parsed. If not, what a table refers to may well exist.
    pub(super) complete: bool,
}

/// Parses every file, told apart by their paths, and joins what they say.
pub(super) fn merge(sources: Vec<Source>, log: &Log) -> Merged {
    let mut table = Table::default();
    let mut complete = true;
    let place = match sources.first() {
        Some(source) => Place { file: source.path.clone(), line: None },
        None => Place::file("".as_ref()),
    };
    // By value, so that no file's text is kept beside its tree.
    for source in sources {
        match source.format.parse(&source.path, &source.text) {
            Ok(file) => file.0.into_iter().for_each(|(key, node)| add(&mut table, key, node, log)),
            Err(problems) => {
                problems.into_iter().for_each(|it| log.error(it));
                complete = false;
            }
        }
    }
    // So that everything has its table, with defaults, even if no file has; but for tables in which something must be written.
    for key in ROOT.keys {
        let has_defaults = matches!(key.accepts, Accepts::Table(inner) if !inner.has_required());
        if has_defaults && table.get(key.name).is_none() {
            let empty = Node { place: place.clone(), value: Value::Table(Table::default()) };
            table.0.push((key.name.to_owned(), empty));
        }
    }
    Merged { root: Node { place, value: Value::Table(table) }, complete }
}

/// Joins one top-level entry of a file with what other files say there.
fn add(root: &mut Table, key: String, node: Node, log: &Log) {
    let Some(known) = ROOT.find(&key) else {
        let path = key.escape_debug().to_string();
        log.error(Problem::at(&node.place, path, unknown(&key, &ROOT)));
        return;
    };
    let fits = match known.accepts {
        Accepts::Tables(_) => matches!(node.value, Value::List(_)),
        _ => matches!(node.value, Value::Table(_)),
    };
    if !fits {
        let message = format!("write {}", known.accepts);
        log.error(Problem::at(&node.place, key, message).found(node.shown()));
        return;
    }
    let Some((_, present)) = root.0.iter_mut().find(|(name, _)| *name == key) else {
        root.0.push((key, node));
        return;
    };
    match (&mut present.value, node.value) {
        (Value::List(present), Value::List(more)) => present.extend(more),
        (Value::Table(present), Value::Table(more)) => {
            let first: HashMap<&str, &Place> =
                present.0.iter().map(|(inner, node)| (inner.as_str(), &node.place)).collect();
            let (again, new): (Vec<_>, Vec<_>) =
                more.0.into_iter().partition(|(inner, _)| first.contains_key(inner.as_str()));
            for (inner, node) in again {
                let Some(first) = first.get(inner.as_str()) else { continue };
                let path = format!("{key}.{}", inner.escape_debug());
                log.error(Problem::at(&node.place, path, twice(first)));
            }
            present.0.extend(new);
        }
        // Both have the key's one shape.
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(files: &[&str], expected: &[&str]) {
        let source = |(index, text): (usize, &&str)| Source {
            path: std::path::Path::new(&format!("{}.toml", index + 1)).into(),
            format: crate::settings::format::Format::Toml,
            text: (*text).to_owned(),
        };
        let log = Log::default();
        merge(files.iter().enumerate().map(source).collect(), &log);
        let found = match log.finish() {
            Ok(_) => Vec::new(),
            Err(problems) => problems.iter().map(ToString::to_string).collect(),
        };
        assert_eq!(found.len(), expected.len(), "{found:?}");
        for (found, expected) in found.iter().zip(expected) {
            assert!(found.contains(expected), "{found}");
        }
    }

    #[test]
    fn files_add_up_unless_they_say_the_same_thing() {
        check(&["[server]\nlisten = 'x'", "[server]\nworkers = 1\n[[zone]]", "[[zone]]"], &[]);
        check(
            &["[server]\nid = 'a'", "\n[server]\nid = 'a'"],
            &["2.toml:3: server.id: is written twice, the first time at 1.toml:2"],
        );
        check(
            &["[monitor.a]", "[monitor.b]\n[monitor.a]"],
            &["2.toml:2: monitor.a: is written twice"],
        );
    }

    #[test]
    fn top_level_keys_must_be_known_and_of_their_shape() {
        check(&["[sever]"], &["1.toml:1: sever: no such key; did you mean `server`?"]);
        check(&["[bogus]"], &["the keys here are server, admin"]);
        check(
            &["[zone]"],
            &["1.toml:1: zone: found a table; write tables, each headed `[[zone]]`"],
        );
        check(&["[[server]]"], &["1.toml:1: server: found a list of 1; write a table"]);
        check(&["monitor = 'web'"], &["each headed `[monitor.NAME]`"]);
    }

    #[test]
    fn a_broken_file_leaves_the_others_checked() {
        check(
            &["[server", "bogus = 1"],
            &["1.toml:1: is not TOML", "2.toml:1: bogus: no such key"],
        );
    }
}
