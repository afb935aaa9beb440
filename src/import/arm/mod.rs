//! ARM templates: resources with their expressions worked out, as far as that takes nothing but the template.

mod expression;
mod functions;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::Missing;
use expression::{Expression, parse};
use functions::call;

/// The type of profiles, in small letters; types of endpoints begin with it.
const PROFILES: &str = "microsoft.network/trafficmanagerprofiles";
/// What Azure itself allows a loop.
const MOST_COPIES: usize = 800;
/// Variables that stand for each other, and expressions in expressions.
const MOST_DEPTH: usize = 64;

/// What follows in a type after that of profiles: empty for a profile, a kind of endpoint, or none for anything else.
pub(super) fn below_profiles(kind: &str) -> Option<&str> {
    let (own, rest) = kind.split_at_checked(PROFILES.len())?;
    if !own.eq_ignore_ascii_case(PROFILES) {
        return None;
    }
    if rest.is_empty() { Some(rest) } else { rest.strip_prefix('/') }
}

/// The values that a template's parameters have, and its variables.
pub(super) struct Parameters<'a> {
    given: HashMap<String, &'a Value>,
    declared: HashMap<String, &'a Value>,
    variables: HashMap<String, &'a Value>,
}

impl<'a> Parameters<'a> {
    pub(super) fn new(template: &'a Map<String, Value>, given: &'a [(String, Value)]) -> Self {
        let table = |key: &str| {
            let table = template.get(key).and_then(Value::as_object);
            table
                .into_iter()
                .flatten()
                .map(|(key, value)| (key.to_ascii_lowercase(), value))
                .collect()
        };
        Self {
            given: given.iter().map(|(key, value)| (key.to_ascii_lowercase(), value)).collect(),
            declared: table("parameters"),
            variables: table("variables"),
        }
    }
}

/// An expression that stays open.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Open {
    pub(super) place: String,
    /// The expression, and why.
    pub(super) expression: String,
}

/// The resources of a template.
#[derive(Debug, Default)]
pub(super) struct Expanded {
    pub(super) resources: Vec<Map<String, Value>>,
    pub(super) open: Vec<Open>,
    pub(super) missing: Vec<Missing>,
}

/// Why an expression has no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// A parameter has none.
    Missing(String),
    /// It takes more than the template, or can't be read.
    Open(String),
}

/// Works out the profiles and endpoints of a template; what else it has keeps its type and name alone.
pub(super) fn resources(
    template: &Map<String, Value>,
    parameters: &Parameters<'_>,
    file: &str,
) -> Expanded {
    let mut work = Work { parameters, expanded: Expanded::default(), loops: Vec::new() };
    let resources: Vec<&Value> = match template.get("resources") {
        Some(Value::Array(list)) => list.iter().collect(),
        Some(Value::Object(by_symbol)) => by_symbol.values().collect(),
        _ => Vec::new(),
    };
    for resource in resources.into_iter().filter_map(Value::as_object) {
        work.resource(resource, None, file);
    }
    work.expanded
}

struct Work<'w> {
    parameters: &'w Parameters<'w>,
    expanded: Expanded,
    /// The loops around, by name, with how often each has run.
    loops: Vec<(String, usize)>,
}

/// The type and the name of what a resource is in.
type Parent<'p> = Option<(&'p str, &'p str)>;

impl Work<'_> {
    fn resource(&mut self, resource: &Map<String, Value>, parent: Parent<'_>, place: &str) {
        let written = resource.get("type").and_then(Value::as_str).unwrap_or_default();
        let kind = match parent {
            Some((parent, _)) if below_profiles(written).is_none() => format!("{parent}/{written}"),
            _ => written.to_owned(),
        };
        let name = resource.get("name").and_then(Value::as_str).unwrap_or_default();
        let place = format!("{place}: {}", if name.is_empty() { &kind } else { name });
        if below_profiles(&kind).is_none() {
            let keep = ["type", "name"].into_iter();
            let kept = keep.filter_map(|key| Some((key.to_owned(), resource.get(key)?.clone())));
            self.expanded.resources.push(kept.collect());
            return;
        }
        let copy = resource.get("copy").and_then(Value::as_object);
        let Some((name, count)) =
            copy.map_or(Some((String::new(), 1)), |it| self.copies(it, &place))
        else {
            return;
        };
        for index in 0..count {
            self.loops.push((name.clone(), index));
            self.one(resource, &kind, parent, &place);
            self.loops.pop();
        }
    }

    fn one(&mut self, resource: &Map<String, Value>, kind: &str, parent: Parent<'_>, place: &str) {
        if let Some(condition) = resource.get("condition") {
            let wanted = self.value(condition, &format!("{place}: condition"));
            if wanted == Value::Bool(false) || wanted.as_str() == Some("false") {
                self.open(place, "condition", "which is false, so the resource is left out");
                return;
            }
        }
        let mut own = Map::new();
        let not_values = ["resources", "condition", "copy", "dependsOn", "type"];
        for (key, value) in resource.iter().filter(|it| !not_values.contains(&it.0.as_str())) {
            let value = self.value(value, &format!("{place}: {key}"));
            own.insert(key.clone(), value);
        }
        let mut name = own.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
        if let Some((_, parent)) = parent.filter(|_| !name.contains('/')) {
            name = format!("{parent}/{name}");
            own.insert("name".to_owned(), name.clone().into());
        }
        own.insert("type".to_owned(), kind.into());
        self.expanded.resources.push(own);
        let below = resource.get("resources").and_then(Value::as_array);
        for child in below.into_iter().flatten().filter_map(Value::as_object) {
            self.resource(child, Some((kind, &name)), place);
        }
    }

    /// The name of a loop, and how often it runs.
    fn copies(&mut self, copy: &Map<String, Value>, place: &str) -> Option<(String, usize)> {
        let name =
            copy.get("name").and_then(Value::as_str).unwrap_or_default().to_ascii_lowercase();
        let count = copy.get("count")?;
        let value = self.value(count, &format!("{place}: copy.count"));
        let number = value.as_u64().or_else(|| value.as_str()?.parse().ok());
        match number.and_then(|it| usize::try_from(it).ok()).filter(|it| *it <= MOST_COPIES) {
            Some(count) => Some((name, count)),
            None => {
                self.open(place, &count.to_string(), "which is no count of copies");
                None
            }
        }
    }

    /// A value with all its expressions worked out; those that stay open are null.
    fn value(&mut self, value: &Value, place: &str) -> Value {
        match value {
            Value::String(text) => self.text(text, place),
            Value::Array(items) => {
                let items = items.iter().enumerate();
                items.map(|(at, it)| self.value(it, &format!("{place}[{at}]"))).collect()
            }
            Value::Object(object) => {
                let mut out = Map::new();
                for (key, value) in object {
                    match value {
                        Value::Array(loops) if key == "copy" => {
                            loops.iter().filter_map(Value::as_object).for_each(|it| {
                                self.copied(it, place, &mut out);
                            });
                        }
                        _ => {
                            let value = self.value(value, &format!("{place}.{key}"));
                            out.insert(key.clone(), value);
                        }
                    }
                }
                Value::Object(out)
            }
            other => other.clone(),
        }
    }

    /// A property that is a loop: a list with one item each time.
    fn copied(&mut self, copy: &Map<String, Value>, place: &str, out: &mut Map<String, Value>) {
        let Some((name, count)) = self.copies(copy, place) else { return };
        let key = copy.get("name").and_then(Value::as_str).unwrap_or_default();
        let Some(input) = copy.get("input") else { return };
        let mut items = Vec::new();
        for index in 0..count {
            self.loops.push((name.clone(), index));
            items.push(self.value(input, &format!("{place}.{key}[{index}]")));
            self.loops.pop();
        }
        out.insert(key.to_owned(), Value::Array(items));
    }

    fn text(&mut self, text: &str, place: &str) -> Value {
        match self.scope(0).text(text) {
            Ok(value) => value,
            Err(Stop::Missing(parameter)) => {
                let missing = Missing { parameter, place: place.to_owned() };
                let is_known = |it: &Missing| it.parameter == missing.parameter;
                if !self.expanded.missing.iter().any(is_known) {
                    self.expanded.missing.push(missing);
                }
                Value::Null
            }
            Err(Stop::Open(why)) => {
                self.open(place, text, &why);
                Value::Null
            }
        }
    }

    fn open(&mut self, place: &str, expression: &str, why: &str) {
        let expression = format!("`{expression}`, {why}");
        self.expanded.open.push(Open { place: place.to_owned(), expression });
    }

    fn scope(&self, depth: usize) -> Scope<'_> {
        Scope { parameters: self.parameters, loops: &self.loops, depth }
    }
}

/// What an expression may refer to.
#[derive(Clone, Copy)]
pub(super) struct Scope<'s> {
    parameters: &'s Parameters<'s>,
    loops: &'s [(String, usize)],
    depth: usize,
}

impl Scope<'_> {
    /// A text, which is an expression if it stands in brackets.
    pub(super) fn text(self, text: &str) -> Result<Value, Stop> {
        match text.strip_prefix('[') {
            Some(rest) if rest.starts_with('[') => Ok(Value::from(rest)),
            Some(rest) if rest.ends_with(']') => {
                let inner = rest.strip_suffix(']').unwrap_or(rest);
                self.evaluate(&parse(inner).map_err(Stop::Open)?)
            }
            _ => Ok(Value::from(text)),
        }
    }

    /// A value of the template's own, in which texts may be expressions.
    fn nested(self, value: &Value) -> Result<Value, Stop> {
        let scope = self.deeper()?;
        match value {
            Value::String(text) => scope.text(text),
            Value::Array(items) => items.iter().map(|it| scope.nested(it)).collect(),
            Value::Object(object) => {
                let pairs = object.iter().map(|(key, it)| Ok((key.clone(), scope.nested(it)?)));
                pairs.collect::<Result<Map<_, _>, Stop>>().map(Value::Object)
            }
            other => Ok(other.clone()),
        }
    }

    fn deeper(self) -> Result<Self, Stop> {
        match self.depth < MOST_DEPTH {
            true => Ok(Self { depth: self.depth + 1, ..self }),
            false => Err(Stop::Open("which goes in circles".to_owned())),
        }
    }

    fn evaluate(self, expression: &Expression) -> Result<Value, Stop> {
        let scope = self.deeper()?;
        match expression {
            Expression::Text(text) => Ok(Value::from(text.as_str())),
            Expression::Number(number) => Ok(Value::from(*number)),
            Expression::Call(name, arguments) => scope.call(name, arguments),
            Expression::Property(of, key) => {
                let of = scope.evaluate(of)?;
                let table = of.as_object();
                let found =
                    table.and_then(|it| it.iter().find(|it| it.0.eq_ignore_ascii_case(key)));
                found.map(|it| it.1.clone()).ok_or_else(|| no(&format!("has nothing called {key}")))
            }
            Expression::Index(of, at) => {
                let (of, at) = (scope.evaluate(of)?, scope.evaluate(at)?);
                let found = match &at {
                    Value::String(key) => of.get(key),
                    _ => at.as_u64().and_then(|it| of.get(usize::try_from(it).ok()?)),
                };
                found.cloned().ok_or_else(|| no(&format!("has nothing at {at}")))
            }
        }
    }

    fn call(self, name: &str, arguments: &[Expression]) -> Result<Value, Stop> {
        let lower = name.to_ascii_lowercase();
        match (lower.as_str(), arguments) {
            ("parameters", [Expression::Text(name)]) => self.parameter(name),
            ("variables", [Expression::Text(name)]) => {
                let value = self.parameters.variables.get(&name.to_ascii_lowercase());
                self.nested(value.ok_or_else(|| no(&format!("knows no variable {name}")))?)
            }
            ("copyindex", arguments) => self.index(arguments),
            // Only the branch that is taken need have a value.
            ("if", [condition, yes, no]) => match self.evaluate(condition)? {
                Value::Bool(true) => self.evaluate(yes),
                _ => self.evaluate(no),
            },
            (_, arguments) => {
                let values: Result<Vec<Value>, Stop> =
                    arguments.iter().map(|it| self.evaluate(it)).collect();
                call(&lower, name, &values?).map_err(|why| no(&why))
            }
        }
    }

    fn parameter(self, name: &str) -> Result<Value, Stop> {
        let lower = name.to_ascii_lowercase();
        if let Some(given) = self.parameters.given.get(&lower) {
            return Ok((*given).clone());
        }
        let declared = self.parameters.declared.get(&lower);
        match declared.and_then(|it| it.get("defaultValue")) {
            Some(default) => self.nested(default),
            None => Err(Stop::Missing(name.to_owned())),
        }
    }

    /// `copyIndex()`, `copyIndex(offset)`, `copyIndex('loop')`, `copyIndex('loop', offset)`.
    fn index(self, arguments: &[Expression]) -> Result<Value, Stop> {
        let values: Result<Vec<Value>, Stop> =
            arguments.iter().map(|it| self.evaluate(it)).collect();
        let values = values?;
        let name = values.iter().find_map(Value::as_str).map(str::to_ascii_lowercase);
        let offset = values.iter().find_map(Value::as_i64).unwrap_or_default();
        let found = match &name {
            Some(name) => self.loops.iter().rev().find(|it| it.0 == *name),
            None => self.loops.last(),
        };
        let index = found.and_then(|it| i64::try_from(it.1).ok());
        let sum = index.and_then(|it| it.checked_add(offset));
        sum.map(Value::from).ok_or_else(|| no("stands in no such loop"))
    }
}

fn no(why: &str) -> Stop {
    Stop::Open(format!("which {why}"))
}
