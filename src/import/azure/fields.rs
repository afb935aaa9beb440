//! One JSON object of Azure's, read key by key, so that what nobody asked for can be told.

use std::cell::RefCell;
use std::collections::HashSet;

use serde_json::{Map, Value};

use crate::import::kind;
use crate::import::report::Report;

/// An object whose `properties` count as its own keys: `az` shows them so, the REST API has them below.
pub(super) struct Fields<'a> {
    /// What the object is called in the report.
    pub(super) place: String,
    entries: Vec<(&'a str, &'a Value)>,
    seen: RefCell<HashSet<usize>>,
}

impl<'a> Fields<'a> {
    pub(super) fn new(place: String, object: &'a Map<String, Value>) -> Self {
        let mut entries = Vec::new();
        for (key, value) in object {
            match value {
                Value::Object(below) if key.eq_ignore_ascii_case("properties") => {
                    entries.extend(below.iter().map(|(key, value)| (key.as_str(), value)));
                }
                _ => entries.push((key.as_str(), value)),
            }
        }
        Self { place, entries, seen: RefCell::default() }
    }

    /// A value that isn't null. Azure reads names in either case.
    pub(super) fn find(&self, key: &str) -> Option<&'a Value> {
        let mut found = None;
        for (at, (name, value)) in self.entries.iter().enumerate() {
            if name.eq_ignore_ascii_case(key) {
                self.seen.borrow_mut().insert(at);
                found = found.or((!value.is_null()).then_some(*value));
            }
        }
        found
    }

    /// A text that isn't empty.
    pub(super) fn text(&self, key: &str, report: &mut Report) -> Option<&'a str> {
        match self.find(key)? {
            Value::String(text) => Some(text.as_str()).filter(|it| !it.is_empty()),
            other => self.wrong(key, other, "a text", report),
        }
    }

    /// A whole number, which a template may have as text.
    pub(super) fn integer(&self, key: &str, report: &mut Report) -> Option<i64> {
        let value = self.find(key)?;
        let number = match value {
            Value::Number(number) => number.as_i64(),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        };
        number.or_else(|| self.wrong(key, value, "a whole number", report))
    }

    /// A whole number in a range.
    pub(super) fn number<T: TryFrom<i64>>(
        &self,
        key: &str,
        least: i64,
        most: i64,
        report: &mut Report,
    ) -> Option<T> {
        let number = self.integer(key, report)?;
        let near = number.clamp(least, most);
        if near != number {
            report.differs(
                &self.place,
                format!("`{key}` = {number} → {near}"),
                "it is out of the range that Farol takes",
                "",
            );
        }
        T::try_from(near).ok()
    }

    /// `Enabled` or `Disabled`; some write true and false.
    pub(super) fn switch(&self, key: &str, report: &mut Report) -> Option<bool> {
        let value = self.find(key)?;
        match value {
            Value::Bool(it) => Some(*it),
            Value::String(it) if it.eq_ignore_ascii_case("enabled") => Some(true),
            Value::String(it) if it.eq_ignore_ascii_case("disabled") => Some(false),
            _ => self.wrong(key, value, "Enabled or Disabled", report),
        }
    }

    pub(super) fn list(&self, key: &str, report: &mut Report) -> &'a [Value] {
        match self.find(key) {
            None => &[],
            Some(Value::Array(items)) => items,
            Some(other) => {
                self.wrong::<()>(key, other, "a list", report);
                &[]
            }
        }
    }

    /// An object under a key.
    pub(super) fn table(&self, key: &str, report: &mut Report) -> Option<Fields<'a>> {
        match self.find(key)? {
            Value::Object(below) => Some(Fields::new(self.place.clone(), below)),
            other => self.wrong(key, other, "an object", report),
        }
    }

    fn wrong<T>(&self, key: &str, value: &Value, expected: &str, report: &mut Report) -> Option<T> {
        report.unsupported(
            &self.place,
            format!("`{key}` is {}, not {expected}", kind(value)),
            "it can't be read, so it counts as not written",
            "correct it, and import again",
        );
        None
    }

    /// Tells what describes the resource in Azure, and then what nobody knows.
    pub(super) fn tell_rest(&self, of_azure: &[&str], report: &mut Report) {
        for (at, (key, value)) in self.entries.iter().enumerate() {
            if self.seen.borrow().contains(&at) || is_empty(value) {
                continue;
            }
            if of_azure.iter().any(|it| it.eq_ignore_ascii_case(key)) {
                report.unsupported(
                    &format!("{}: {key}", self.place),
                    "what describes the resource in Azure, or its state when it was asked for",
                    "it says nothing about how traffic is to be managed",
                    "",
                );
            } else {
                report.unsupported(
                    &self.place,
                    format!("`{key}`, found {}", kind(value)),
                    "it is no property of Traffic Manager's that this import knows",
                    "look it up, and write what it stands for by hand",
                );
            }
        }
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(it) => it.is_empty(),
        Value::Array(it) => it.is_empty(),
        _ => false,
    }
}
