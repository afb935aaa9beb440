//! Reads one table of a configuration into typed values. What is wrong goes to the log and reads as absent, so that
//! reading goes on and everything that is wrong is said at once.

use std::fmt;
use std::time::Duration;

use super::duration;
use super::problem::{Log, Place, Problem, nearest};
use super::schema::{Accepts, Schema};
use super::tree::{Node, Table, Value};
use crate::model::Ident;

/// A table whose keys are all known.
#[derive(Clone)]
pub(super) struct Section<'a> {
    pub(super) place: &'a Place,
    /// How messages call this table, e.g. `profile[app.gtm.example.].endpoint[seattle]`.
    pub(super) path: String,
    table: &'a Table,
    schema: &'static Schema,
    log: &'a Log,
}

impl<'a> Section<'a> {
    /// Takes a node that must be a table, and complains about keys that the schema doesn't have.
    pub(super) fn open(
        node: &'a Node,
        path: String,
        schema: &'static Schema,
        log: &'a Log,
    ) -> Option<Self> {
        Self::open_showing(node, path, schema, log, Some(node.shown()))
    }

    /// The same, with what a complaint shows where it is no table.
    fn open_showing(
        node: &'a Node,
        path: String,
        schema: &'static Schema,
        log: &'a Log,
        found: Option<String>,
    ) -> Option<Self> {
        let Value::Table(table) = &node.value else {
            let message = format!("write a table with keys of `{}`", schema.heading);
            log.error(Problem { found, ..Problem::at(&node.place, path, message) });
            return None;
        };
        let section = Self { place: &node.place, path, table, schema, log };
        for (key, node) in &table.0 {
            if schema.find(key).is_none() {
                let path = section.key(&key.escape_debug().to_string());
                log.error(Problem::at(&node.place, path, unknown(key, schema)));
            }
        }
        Some(section)
    }

    /// The path of one of this table's keys.
    pub(super) fn key(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    /// What was written, if anything.
    pub(super) fn find(&self, name: &str) -> Option<&'a Node> {
        self.table.get(name)
    }

    /// Where the key was written, or else the table.
    pub(super) fn place_of(&self, name: &str) -> &'a Place {
        self.find(name).map_or(self.place, |node| &node.place)
    }

    /// Complains about what was written for a key, or about the table where the key is absent.
    pub(super) fn wrong(&self, name: &str, message: impl fmt::Display) {
        let problem = Problem::at(self.place_of(name), self.key(name), message.to_string());
        let found = self.find(name).and_then(|node| self.shown(name, node));
        self.log.error(Problem { found, ..problem });
    }

    /// What a complaint about a key shows of what was written; nothing where that may be a secret.
    fn shown(&self, name: &str, node: &Node) -> Option<String> {
        let is_secret = self.schema.find(name).is_some_and(|it| it.is_secret);
        (!is_secret).then(|| node.shown())
    }

    /// Complains unless the key was written.
    pub(super) fn require(&self, name: &str) {
        if self.find(name).is_none() {
            let accepts = self.schema.find(name).map(|it| it.accepts.to_string());
            self.wrong(name, format!("is missing; write {}", accepts.unwrap_or_default()));
        }
    }

    /// Reads a key in any way. An error completes the message: it comes before "write …" and may be empty.
    pub(super) fn read<T, E: fmt::Display>(
        &self,
        name: &str,
        take: impl FnOnce(&'a Node, &Accepts) -> Result<T, E>,
    ) -> Option<T> {
        let node = self.find(name)?;
        self.take(name, node, take)
    }

    fn take<T, E: fmt::Display>(
        &self,
        name: &str,
        node: &'a Node,
        take: impl FnOnce(&'a Node, &Accepts) -> Result<T, E>,
    ) -> Option<T> {
        let key = self.schema.find(name)?;
        take(node, &key.accepts).map_err(|why| self.refuse(name, node, &key.accepts, &why)).ok()
    }

    fn refuse(&self, name: &str, node: &Node, accepts: &Accepts, why: &dyn fmt::Display) {
        let message = match why.to_string() {
            why if why.is_empty() => format!("write {accepts}"),
            why => format!("{why}; write {accepts}"),
        };
        let problem = Problem::at(&node.place, self.key(name), message);
        self.log.error(Problem { found: self.shown(name, node), ..problem });
    }

    pub(super) fn boolean(&self, name: &str) -> Option<bool> {
        self.read(name, |node, _| match node.value {
            Value::Boolean(value) => Ok(value),
            _ => Err(""),
        })
    }

    /// A whole number in the key's range, which must fit the type.
    pub(super) fn integer<T: TryFrom<i64>>(&self, name: &str) -> Option<T> {
        self.read(name, |node, accepts| match (&node.value, accepts) {
            (Value::Integer(number), Accepts::Integer(least, most))
                if (least..=most).contains(&number) =>
            {
                T::try_from(*number).map_err(|_| "")
            }
            _ => Err(""),
        })
    }

    /// A number in the key's range; NaN is in none.
    pub(super) fn number(&self, name: &str) -> Option<f64> {
        self.read(name, |node, accepts| {
            let number = match node.value {
                Value::Float(number) => number,
                // Every number in a range that matters here is exact as f64.
                Value::Integer(number) => number as f64,
                _ => return Err(""),
            };
            match accepts {
                Accepts::Number(least, most) if (*least..=*most).contains(&number) => Ok(number),
                _ => Err(""),
            }
        })
    }

    pub(super) fn duration(&self, name: &str) -> Option<Duration> {
        self.read(name, |node, accepts| match (text(node).map(duration::parse), accepts) {
            (Some(Some(span)), Accepts::Duration(least, most))
                if (least..=most).contains(&&span) =>
            {
                Ok(span)
            }
            _ => Err(""),
        })
    }

    /// A text that `parse` makes something of.
    pub(super) fn parse<T, E: fmt::Display>(
        &self,
        name: &str,
        parse: impl FnOnce(&'a str) -> Result<T, E>,
    ) -> Option<T> {
        self.read(name, |node, _| match text(node) {
            Some(text) => parse(text).map_err(|it| it.to_string()),
            None => Err(String::new()),
        })
    }

    /// One of the key's words, each with what it stands for.
    pub(super) fn choose<T: Copy>(&self, name: &str, words: &[(&str, T)]) -> Option<T> {
        let find = |text: &str| words.iter().find(|(word, _)| *word == text).map(|it| it.1);
        self.parse(name, |text| find(text).ok_or(""))
    }

    /// A list, or one item without the brackets. None if it is absent, empty, too long or any item is wrong.
    pub(super) fn list<T, E: fmt::Display>(
        &self,
        name: &str,
        most: usize,
        take: impl Fn(&'a Node) -> Result<T, E>,
    ) -> Option<Vec<T>> {
        self.items(name, most, take)?.into_iter().collect()
    }

    /// What is right in a list, or in one item without the brackets, so that it can be compared with others though something
    /// beside it is wrong.
    pub(super) fn right<T, E: fmt::Display>(
        &self,
        name: &str,
        most: usize,
        take: impl Fn(&'a Node) -> Result<T, E>,
    ) -> Vec<T> {
        self.items(name, most, take).into_iter().flatten().flatten().collect()
    }

    /// Every item is looked at, so that all wrong ones are told.
    fn items<T, E: fmt::Display>(
        &self,
        name: &str,
        most: usize,
        take: impl Fn(&'a Node) -> Result<T, E>,
    ) -> Option<Vec<Option<T>>> {
        let node = self.find(name)?;
        let items = match &node.value {
            Value::List(items) => items.as_slice(),
            _ => std::slice::from_ref(node),
        };
        if items.is_empty() || items.len() > most {
            return self.take(name, node, |_, _| Err(""));
        }
        Some(items.iter().map(|item| self.take(name, item, |it, _| take(it))).collect())
    }

    /// A table under a key.
    pub(super) fn table(&self, name: &str) -> Option<Section<'a>> {
        match self.schema.find(name)?.accepts {
            Accepts::Table(schema) => self.table_of(name, schema),
            _ => None,
        }
    }

    /// A table of this kind under a key that may have other values too.
    pub(super) fn table_of(&self, name: &str, schema: &'static Schema) -> Option<Section<'a>> {
        let node = self.find(name)?;
        let found = self.shown(name, node);
        Section::open_showing(node, self.key(name), schema, self.log, found)
    }

    /// The tables of a list under a key, each called by its `name`.
    pub(super) fn tables(&self, name: &str) -> Vec<Section<'a>> {
        let (Some(node), Some(key)) = (self.find(name), self.schema.find(name)) else {
            return Vec::new();
        };
        match (&node.value, &key.accepts) {
            (Value::List(items), Accepts::Tables(schema)) => {
                let open = |(index, item): (usize, &'a Node)| {
                    let path = format!("{}[{}]", self.key(name), label(item, index));
                    Section::open(item, path, schema, self.log)
                };
                items.iter().enumerate().filter_map(open).collect()
            }
            (_, accepts) => {
                self.refuse(name, node, accepts, &"");
                Vec::new()
            }
        }
    }

    /// The tables under names of the writer's choice, with those names.
    pub(super) fn named(&self, name: &str) -> Vec<(&'a str, Section<'a>)> {
        let (Some(node), Some(key)) = (self.find(name), self.schema.find(name)) else {
            return Vec::new();
        };
        match (&node.value, &key.accepts) {
            (Value::Table(table), Accepts::Named(schema)) => {
                let open = |(inner, node): &'a (String, Node)| {
                    let path = format!("{}.{}", self.key(name), inner.escape_debug());
                    Some((inner.as_str(), Section::open(node, path, schema, self.log)?))
                };
                table.0.iter().filter_map(open).collect()
            }
            (_, accepts) => {
                self.refuse(name, node, accepts, &"");
                Vec::new()
            }
        }
    }
}

/// The text of a node that is one.
pub(super) fn text(node: &Node) -> Option<&str> {
    match &node.value {
        Value::Text(text) => Some(text),
        _ => None,
    }
}

/// The name of a site, an endpoint or a monitor. What to write is said by the key's own list.
pub(super) fn ident(text: &str) -> Result<Ident, &'static str> {
    text.parse().map_err(|_| "")
}

/// How messages tell the tables of a list apart: by name, or by number where they have none.
pub(super) fn label(node: &Node, index: usize) -> String {
    let name = match &node.value {
        Value::Table(table) => table.get("name").and_then(text),
        _ => None,
    };
    name.map_or_else(|| format!("#{}", index + 1), |it| it.escape_debug().take(260).collect())
}

/// What to say about a key that a table doesn't have.
pub(super) fn unknown(key: &str, schema: &Schema) -> String {
    let names = || schema.keys.iter().map(|it| it.name);
    match nearest(key, names()) {
        Some(near) => format!("no such key; did you mean `{near}`?"),
        None => {
            format!("no such key; the keys here are {}", names().collect::<Vec<_>>().join(", "))
        }
    }
}
