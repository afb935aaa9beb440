//! From a document to what it says: held to the schema, with what the validator finds said in the words of Farol's own settings.

use std::path::Path;
use std::sync::LazyLock;

use jsonschema::error::ValidationErrorKind;
use jsonschema::{ValidationError, Validator};
use serde_json::Value;

use super::description::Written;
use super::phrase::{alternatives, choices, known, phrase, quoted};
use super::text::JUDGES;
use super::{check, schema};
use crate::settings::{At, Document, Problem, Problems, nearest};

/// Reads a description whose relative paths start at this directory.
///
/// # Errors
/// Everything that is wrong, never only the first problem.
pub(super) fn written(document: &Document, directory: &Path) -> Result<Written, Problems> {
    let (json, root) = (document.json(), document.root());
    let broken = |why: String| Problems::of(vec![root.problem(why)]);
    let Rules { schema, validator } = RULES.as_ref().map_err(|it| broken(it.clone()))?;
    let errors: Vec<_> = validator.iter_errors(&json).collect();
    let mut problems: Vec<Problem> = Vec::new();
    for error in &errors {
        // A misspelled key is the reason why the right one is missing.
        let is_choice = matches!(
            error.kind(),
            ValidationErrorKind::OneOfNotValid { .. } | ValidationErrorKind::Required { .. }
        );
        let misspelled = is_choice && errors.iter().any(|it| has_misspelled(it, error, schema));
        if !misspelled {
            problems.extend(Complaint { error, root: &root, schema }.problems());
        }
    }
    problems.extend(check::problems(&root));
    if !problems.is_empty() {
        return Err(Problems::of(problems));
    }
    let mut written: Written =
        serde_json::from_value(json).map_err(|it| broken(format!("can't be used: {it}")))?;
    written.resolve(directory);
    Ok(written)
}

/// The schema, and what holds documents to it.
struct Rules {
    schema: Value,
    validator: Validator,
}

/// They are the same for all documents, and take longer to make than a document to read.
static RULES: LazyLock<Result<Rules, String>> = LazyLock::new(|| {
    let schema = schema::strict();
    let mut options = jsonschema::options().should_validate_formats(true);
    for (name, judge) in JUDGES {
        options = options.with_format(name, move |text: &str| judge(text).is_ok());
    }
    let validator = options.build(&schema).map_err(|it| it.to_string())?;
    Ok(Rules { schema, validator })
});

/// Whether `keys` tells of an unknown key that is like one that `lack` misses in the same mapping.
fn has_misspelled(keys: &ValidationError<'_>, lack: &ValidationError<'_>, schema: &Value) -> bool {
    let ValidationErrorKind::AdditionalProperties { unexpected } = keys.kind() else {
        return false;
    };
    let missed: Vec<&str> = match lack.kind() {
        ValidationErrorKind::Required { property } => property.as_str().into_iter().collect(),
        _ => choices(parent(schema, lack)),
    };
    let is_like = |it: &String| {
        nearest(it, known(parent(schema, keys))).is_some_and(|it| missed.contains(&it))
    };
    keys.instance_path() == lack.instance_path() && unexpected.iter().any(is_like)
}

/// The part of the schema that an error's keyword stands in.
fn parent<'s>(schema: &'s Value, error: &ValidationError<'_>) -> &'s Value {
    let pointer = error.schema_path().as_str();
    let above = pointer.rsplit_once('/').map_or("", |it| it.0);
    schema.pointer(above).unwrap_or(&Value::Null)
}

/// One thing that the validator found, to be said in our words.
struct Complaint<'c, 'a> {
    error: &'c ValidationError<'c>,
    root: &'c At<'a>,
    schema: &'c Value,
}

impl Complaint<'_, '_> {
    fn problems(&self) -> Vec<Problem> {
        let at = self.root.follow(self.error.instance_path().as_str());
        let schema = parent(self.schema, self.error);
        match self.error.kind() {
            ValidationErrorKind::AdditionalProperties { unexpected } => {
                let keys = known(schema);
                unexpected.iter().map(|key| unknown(&at, key, &keys)).collect()
            }
            ValidationErrorKind::Required { property } => {
                let key = property.as_str().unwrap_or_default();
                let wanted = schema.pointer(&format!("/properties/{key}")).unwrap_or(&Value::Null);
                vec![at.lacks(key, format!("is missing; write {}", phrase(wanted)))]
            }
            // What is no mapping is told by its type.
            ValidationErrorKind::OneOfMultipleValid { .. }
            | ValidationErrorKind::OneOfNotValid { .. }
                if !at.is_table() =>
            {
                Vec::new()
            }
            ValidationErrorKind::OneOfNotValid { .. } => {
                let keys = quoted(&choices(schema));
                vec![at.problem(format!(
                    "lacks what it is about; write {} in it",
                    alternatives(&keys)
                ))]
            }
            ValidationErrorKind::OneOfMultipleValid { .. } => {
                let both: Vec<&str> =
                    choices(schema).into_iter().filter(|it| at.get(it).is_some()).collect();
                let both = quoted(&both).join(" and ");
                vec![at.problem(format!("has {both}, which exclude each other; keep one of them"))]
            }
            ValidationErrorKind::Format { format } => {
                let judge = JUDGES.iter().find(|it| it.0 == format).map(|it| it.1);
                let why = judge.zip(at.text()).and_then(|(judge, text)| judge(text).err());
                let why = why.filter(|it| !it.is_empty()).map(|it| format!("{it}; "));
                vec![wrong(
                    &at,
                    schema,
                    format!("{}write {}", why.unwrap_or_default(), phrase(schema)),
                )]
            }
            _ => vec![wrong(&at, schema, format!("write {}", phrase(schema)))],
        }
    }
}

/// What is wrong about a value, which is shown unless it may be a secret.
fn wrong(at: &At<'_>, schema: &Value, message: String) -> Problem {
    match schema.get("x-hidden") {
        Some(_) => at.problem(message),
        None => at.found(message),
    }
}

fn unknown(at: &At<'_>, key: &str, known: &[&str]) -> Problem {
    let message = match nearest(key, known.iter().copied()) {
        Some(near) => format!("no such key; did you mean `{near}`?"),
        None => format!("no such key; the keys here are {}", known.join(", ")),
    };
    match at.get(key) {
        Some(value) => value.problem(message),
        None => at.lacks(key, message),
    }
}
