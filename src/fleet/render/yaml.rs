//! Text as objects. YAML is read as Kubernetes' own programs do (version 1.1: `yes` and `on` are true, `0644` is octal, `<<`
//! merges), and more strictly: a key that comes twice is refused, and so are aliases that would grow beyond measure.

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::Value;
use serde_saphyr::Error;
use serde_saphyr::budget::BudgetBreach;
use serde_saphyr::options::DuplicateKeyPolicy;
use tokio::task::spawn_blocking;

use super::strict::{Strict, twice};
use super::{Fault, Faults, RenderError};
use crate::fleet::object::{Manifest, Object, Origin};

/// The objects that a source may have; no cluster is to be filled by mistake.
const MOST_OBJECTS: usize = 20_000;
/// How deep mappings and lists may lie in each other: as deep as the stack of a thread allows with room to spare. The deepest of
/// well-known custom resource definitions need two thirds of it.
const DEEPEST: usize = 64;
/// How deep lists of objects may lie in each other.
const DEEPEST_LIST: usize = 4;
/// The octets of all texts of a document, written out where it names them by aliases.
const MOST_OCTETS: usize = 32 * 1024 * 1024;
/// The values of a document, written out where it names them by aliases.
const MOST_VALUES: usize = 2_000_000;
/// The values that aliases stand for.
const MOST_ALIASED: usize = 100_000;

/// Reads what a program has written.
///
/// # Errors
/// All that is broken in it.
pub(super) async fn rendered(text: String, by: String) -> Result<Vec<Manifest>, RenderError> {
    let name = by.clone();
    let read = spawn_blocking(move || {
        let mut objects = Objects::default();
        objects.yaml(&text, &Place::Rendered(&name));
        objects.finish()
    });
    read.await.map_err(|error| {
        RenderError::Manifests(Faults(vec![Fault::of(by, format!("can't be read: {error}"))]))
    })?
}

/// What a text calls itself.
pub(super) enum Place<'a> {
    /// It is a file, whose lines people can look at.
    File(&'a Arc<PathBuf>),
    /// A program wrote it: what that is called. Its lines are nobody's, but comments may say what they come from.
    Rendered(&'a str),
}

/// The objects that were read so far, and what is wrong with the others.
#[derive(Default)]
pub(super) struct Objects {
    manifests: Vec<Manifest>,
    faults: Vec<Fault>,
    too_many: bool,
}

impl Objects {
    /// Reads YAML: documents that begin with `---`, each of which may be broken without breaking the others.
    pub(super) fn yaml(&mut self, text: &str, place: &Place<'_>) {
        for document in documents(text) {
            let origin = document.origin(place);
            match serde_saphyr::from_str_with_options(document.text, options()) {
                Ok(Strict(value)) => self.object(value, &origin, 0),
                Err(error) => {
                    let line =
                        error.location().map(|it| it.line()).and_then(|it| it.try_into().ok());
                    let line = line
                        .filter(|it| *it > 0)
                        .map_or(document.line, |it: usize| document.start + it - 1);
                    self.broken(origin, line, place, "YAML", &reason(&error));
                }
            }
            if self.too_many {
                return;
            }
        }
    }

    /// Reads JSON: values, one after another.
    pub(super) fn json(&mut self, text: &str, place: &Place<'_>) {
        let mut values = serde_json::Deserializer::from_str(text).into_iter::<Strict>();
        loop {
            let start = values.byte_offset();
            let rest = &text[start..];
            let blank = rest.len() - rest.trim_start().len();
            let line = 1 + text[..start + blank].matches('\n').count();
            let origin = place.origin(line, None);
            match values.next() {
                None => return,
                Some(Ok(Strict(value))) => self.object(value, &origin, 0),
                Some(Err(error)) => {
                    let why = error.to_string();
                    let why = why.rsplit_once(" at line ").map_or(&*why, |it| it.0);
                    return self.broken(origin, error.line(), place, "JSON", why);
                }
            }
            if self.too_many {
                return;
            }
        }
    }

    /// Notes what has nothing to do with an object.
    pub(super) fn fault(&mut self, fault: Fault) {
        self.faults.push(fault);
    }

    /// # Errors
    /// All that was wrong.
    pub(super) fn finish(self) -> Result<Vec<Manifest>, RenderError> {
        if self.faults.is_empty() {
            Ok(self.manifests)
        } else {
            Err(RenderError::Manifests(Faults(self.faults)))
        }
    }

    fn broken(&mut self, origin: Origin, line: usize, place: &Place<'_>, what: &str, why: &str) {
        let (origin, at) = match place {
            Place::File(_) => (Origin { line: Some(line), ..origin }, String::new()),
            Place::Rendered(_) => (origin, format!(" in line {line} of what was rendered")),
        };
        self.faults.push(Fault { origin, message: format!("is not {what}{at}: {why}") });
    }

    /// Takes an object, or those of a list (`kind: List`, `ConfigMapList` and the like). Nothing is none.
    fn object(&mut self, value: Value, origin: &Origin, depth: usize) {
        let mut wrong = |message: String| {
            self.faults.push(Fault { origin: origin.clone(), message });
        };
        let value = match list(value) {
            Ok(_) if depth == DEEPEST_LIST => {
                return wrong("is a list in a list in a list; lay it out flat".to_owned());
            }
            Ok(items) => {
                for (index, item) in items.into_iter().enumerate() {
                    if item.is_null() {
                        let message = format!("has nothing as item {} of the list", index + 1);
                        self.faults.push(Fault { origin: origin.clone(), message });
                    } else {
                        self.object(item, origin, depth + 1);
                    }
                    if self.too_many {
                        return;
                    }
                }
                return;
            }
            Err(Value::Null) => return,
            Err(value) => value,
        };
        if value.get("kind").and_then(Value::as_str) == Some("Kustomization")
            && is_kustomize(&value)
        {
            return wrong("is a kustomization, which no cluster has; write `kustomize` with its directory instead of `manifests`".to_owned());
        }
        match Object::new(value) {
            Err(error) => wrong(error.to_string()),
            Ok(_) if self.manifests.len() == MOST_OBJECTS => {
                self.too_many = true;
                wrong(format!(
                    "is one object too many: {MOST_OBJECTS} are the most; make several apps of them"
                ));
            }
            Ok(object) => self.manifests.push(Manifest { object, origin: origin.clone() }),
        }
    }
}

/// The items of a list; back what is none.
fn list(value: Value) -> Result<Vec<Value>, Value> {
    let Value::Object(mut map) = value else { return Err(value) };
    let kind = map.get("kind").and_then(Value::as_str).unwrap_or_default();
    let has_name = map.get("metadata").is_some_and(|it| it.get("name").is_some());
    let is_list = kind.ends_with("List") && !has_name;
    match map.get_mut("items") {
        Some(Value::Array(items)) if is_list => Ok(std::mem::take(items)),
        _ => Err(Value::Object(map)),
    }
}

fn is_kustomize(value: &Value) -> bool {
    let version = value.get("apiVersion").and_then(Value::as_str).unwrap_or_default();
    version.starts_with("kustomize.config.k8s.io/")
}

fn options() -> serde_saphyr::Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: DEEPEST,
            max_events: 2 * MOST_VALUES,
            max_nodes: MOST_VALUES,
            max_total_scalar_bytes: MOST_OCTETS,
            max_recorded_anchor_bytes: MOST_OCTETS,
            // One anchor may well be named by all documents of a long list.
            enforce_alias_anchor_ratio: false,
        },
        alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: MOST_ALIASED },
        duplicate_keys: DuplicateKeyPolicy::Error,
        legacy_octal_numbers: true,
        strict_booleans: false,
        with_snippet: false,
    }
}

/// What a parser says, on one line and without the place, which is told before.
fn reason(error: &Error) -> String {
    match error.without_snippet() {
        Error::AliasError { error, .. } => reason(error),
        Error::DuplicateMappingKey { key: Some(key), .. } => twice(key),
        Error::NonFiniteFloat { value, .. } => {
            format!("{value} is too large a number; write it in quotes if it is a text")
        }
        Error::RecursiveReferencesRequireWeakTypes { .. } => {
            "an alias stands within what it names".to_owned()
        }
        Error::Budget { breach: BudgetBreach::Depth { .. }, .. } => {
            format!("it lies more than {DEEPEST} mappings and lists deep")
        }
        Error::Budget { .. }
        | Error::AliasReplayLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. } => {
            "it becomes too large when its aliases are written out".to_owned()
        }
        other => {
            let whole = other.to_string();
            let whole = whole.split(" at line ").next().unwrap_or_default();
            whole.split_whitespace().collect::<Vec<_>>().join(" ")
        }
    }
}

/// A part of a text that is parsed by itself.
#[derive(Debug, PartialEq)]
struct Document<'a> {
    text: &'a str,
    /// The line on which the text begins, counted from 1.
    start: usize,
    /// The line of the first thing in it.
    line: usize,
    /// What a comment in it says that it comes from.
    source: Option<&'a str>,
}

impl Document<'_> {
    fn origin(&self, place: &Place<'_>) -> Origin {
        place.origin(self.line, self.source)
    }
}

impl Place<'_> {
    fn origin(&self, line: usize, source: Option<&str>) -> Origin {
        match self {
            Self::File(file) => Origin { from: Arc::clone(file), line: Some(line) },
            Self::Rendered(by) => {
                let from = source.map_or_else(|| (*by).to_owned(), |it| format!("{by}: {it}"));
                Origin { from: Arc::new(from.into()), line: None }
            }
        }
    }
}

/// The documents of a text, without those that have nothing but comments.
fn documents(text: &str) -> Vec<Document<'_>> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut documents = Vec::new();
    let (mut start, mut from, mut at) = (1, 0, 0);
    let (mut first, mut source, mut marked) = (None, None, false);
    let take = |from: usize, to: usize, start, first: Option<usize>, source| {
        first.map(|line| Document { text: &text[from..to], start, line, source })
    };
    for (index, line) in text.split_inclusive('\n').enumerate() {
        let number = index + 1;
        let marker = line
            .strip_prefix("---")
            .filter(|it| it.is_empty() || it.starts_with(char::is_whitespace));
        // What stands before the first marker and says nothing, such as `%YAML 1.1`, belongs to what comes.
        if marker.is_some() && (first.is_some() || marked) {
            documents.extend(take(from, at, start, first, source));
            (start, from, first, source, marked) = (number, at, None, None, false);
        }
        marked |= marker.is_some();
        let said = marker.unwrap_or(line).trim();
        if let Some(comment) = said.strip_prefix('#') {
            source = source.or_else(|| comment.trim().strip_prefix("Source: "));
        } else if !(said.is_empty() || line.starts_with('%') || said == "...") {
            first = first.or(Some(number));
        }
        at += line.len();
    }
    documents.extend(take(from, at, start, first, source));
    documents
}

#[cfg(test)]
#[path = "yaml_tests.rs"]
mod tests;
