//! Single keys from the environment and the command line, laid over what the files say. The `config` crate finds the
//! variables and puts one layer over the other; values are then checked as if a file had them.

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::Path;

use config::{Config, ConfigError, Environment};

use super::Inputs;
use super::keys::ROOT;
use super::problem::{Log, Place, Problem, nearest, twice};
use super::schema::{Accepts, Key, Schema};
use super::tree::{Node, Table, Value};

const PREFIX: &str = "FAROL";
const SEPARATOR: &str = "__";

/// One key that the command line sets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flag {
    /// How the flag is called, e.g. `--listen`.
    pub flag: String,
    /// The key's path, e.g. `server.listen`.
    pub key: String,
    /// The value as text; items of a list are separated by commas.
    pub value: String,
}

/// Lays both layers over the root of the files. What is wrong with a name goes to the log.
pub(super) fn lay(root: &mut Node, inputs: &Inputs, log: &Log) {
    let known = known();
    let mut places = HashMap::new();
    let environment = environment(&inputs.environment, &known, &mut places, log);
    let flags = flags(&inputs.flags, &known, &mut places, log);
    match layered(environment, flags) {
        Ok(layered) => {
            for (path, key) in &known {
                if let (Ok(text), Some(place)) = (layered.get_string(path), places.remove(path)) {
                    set(root, path, node(&text, &key.accepts, place));
                }
            }
        }
        Err(error) => {
            let place = Place::file(Path::new("the environment and flags"));
            log.error(Problem::at(&place, "", format!("can't be put together: {error}")));
        }
    }
}

/// The flags over the environment.
fn layered(
    environment: HashMap<String, String>,
    flags: HashMap<String, String>,
) -> Result<Config, ConfigError> {
    let variables = Environment::with_prefix(PREFIX).prefix_separator(SEPARATOR);
    let variables = variables.separator(SEPARATOR).source(Some(environment.into_iter().collect()));
    let builder = Config::builder().add_source(variables);
    flags.into_iter().try_fold(builder, |it, (key, text)| it.set_override(key, text))?.build()
}

/// Every key that a layer may set, with its path: those of tables that there is one of.
fn known() -> Vec<(String, &'static Key)> {
    fn add(schema: &'static Schema, path: &str, known: &mut Vec<(String, &'static Key)>) {
        for key in schema.keys {
            let path =
                if path.is_empty() { key.name.to_owned() } else { format!("{path}.{}", key.name) };
            match key.accepts {
                Accepts::Table(inner) => add(inner, &path, known),
                Accepts::Tables(_) | Accepts::Named(_) => {}
                _ => known.push((path, key)),
            }
        }
    }
    let mut known = Vec::new();
    add(&ROOT, "", &mut known);
    known
}

/// The variable of a key: `FAROL__SERVER__LISTEN` is `server.listen`.
fn variable(path: &str) -> String {
    format!("{PREFIX}{SEPARATOR}{}", path.to_uppercase().replace('.', SEPARATOR))
}

/// The variables that name a key; the places are by the key's path.
fn environment(
    all: &[(OsString, OsString)],
    known: &[(String, &'static Key)],
    places: &mut HashMap<String, Place>,
    log: &Log,
) -> HashMap<String, String> {
    let variables: HashMap<String, &String> =
        known.iter().map(|(path, _)| (variable(path), path)).collect();
    let mut found = HashMap::new();
    for (name, value) in all {
        let name = name.to_string_lossy();
        if !name.starts_with(&format!("{PREFIX}{SEPARATOR}")) {
            continue;
        }
        let place = layer("environment variable", &name);
        match (variables.get(name.as_ref()), value.to_str()) {
            (Some(path), Some(value)) => {
                places.insert((*path).clone(), place);
                found.insert(name.into_owned(), value.to_owned());
            }
            (Some(path), None) => {
                let message = "is not UTF-8; write it as UTF-8";
                log.error(Problem::at(&place, path.as_str(), message));
            }
            (None, _) => {
                let message = no_such(&name, variables.keys().map(String::as_str));
                log.error(Problem::at(&place, "", message));
            }
        }
    }
    found
}

/// The values of flags by their keys' paths. A place here takes that of a variable.
fn flags(
    all: &[Flag],
    known: &[(String, &'static Key)],
    places: &mut HashMap<String, Place>,
    log: &Log,
) -> HashMap<String, String> {
    let mut found: HashMap<String, String> = HashMap::new();
    for flag in all {
        let place = layer("flag", &flag.flag);
        if !known.iter().any(|(path, _)| *path == flag.key) {
            let message = no_such(&flag.key, known.iter().map(|it| it.0.as_str()));
            log.error(Problem::at(&place, flag.key.escape_debug().to_string(), message));
            continue;
        }
        if let (true, Some(first)) = (found.contains_key(&flag.key), places.get(&flag.key)) {
            log.error(Problem::at(&place, flag.key.as_str(), twice(first)));
            continue;
        }
        places.insert(flag.key.clone(), place);
        found.insert(flag.key.clone(), flag.value.clone());
    }
    found
}

fn layer(kind: &str, name: &str) -> Place {
    Place::file(Path::new(&format!("{kind} {}", name.escape_debug())))
}

fn no_such<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> String {
    match nearest(name, names) {
        Some(near) => format!("no such key; did you mean `{near}`?"),
        None => {
            let tables = ROOT.keys.iter().filter(|it| matches!(it.accepts, Accepts::Table(_)));
            let tables: Vec<String> = tables.map(|it| format!("[{}]", it.name)).collect();
            format!("no such key; what can be set here is the keys of {}", tables.join(", "))
        }
    }
}

/// A text as the value that its key takes; what is of another kind stays a text, which the key then refuses.
fn node(text: &str, accepts: &Accepts, place: Place) -> Node {
    let item = |it: &str| Node { place: place.clone(), value: Value::Text(it.trim().to_owned()) };
    let value = match accepts {
        Accepts::Boolean => text.parse().ok().map(Value::Boolean),
        Accepts::Integer(..) => text.parse().ok().map(Value::Integer),
        Accepts::Number(..) => text.parse().ok().map(Value::Float),
        Accepts::Texts(_) => Some(Value::List(text.split(',').map(item).collect())),
        _ => None,
    };
    Node { value: value.unwrap_or_else(|| Value::Text(text.to_owned())), place }
}

/// Puts a value into the tree, with the tables on the way.
fn set(root: &mut Node, path: &str, node: Node) {
    let mut at = root;
    for key in path.split('.') {
        if !matches!(at.value, Value::Table(_)) {
            at.value = Value::Table(Table::default());
        }
        let Value::Table(table) = &mut at.value else { return };
        let index = table.0.iter().position(|(it, _)| it == key).unwrap_or_else(|| {
            let value = Value::Table(Table::default());
            table.0.push((key.to_owned(), Node { place: node.place.clone(), value }));
            table.0.len() - 1
        });
        let Some((_, next)) = table.0.get_mut(index) else { return };
        at = next;
    }
    *at = node;
}
