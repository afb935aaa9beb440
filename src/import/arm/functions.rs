//! The functions of ARM's expressions that take nothing but their arguments.

use serde_json::Value;

/// Lists of numbers as long as Azure's own longest.
const MOST_RANGE: usize = 10_000;

/// Calls a function by its name in small letters; `shown` is how it was written.
///
/// # Errors
/// A phrase that says why there is no value.
pub(super) fn call(name: &str, shown: &str, arguments: &[Value]) -> Result<Value, String> {
    let value = match (name, arguments) {
        ("true", []) => Some(true.into()),
        ("false", []) => Some(false.into()),
        ("null", []) => Some(Value::Null),
        ("concat", [Value::Array(_), ..]) => lists(arguments),
        ("concat", _) => texts(arguments).map(|it| it.concat().into()),
        ("format", [Value::String(form), values @ ..]) => format(form, values),
        ("resourceid", _) => texts(arguments).and_then(|it| resource_id(&it)),
        ("tolower", [Value::String(it)]) => Some(it.to_lowercase().into()),
        ("toupper", [Value::String(it)]) => Some(it.to_uppercase().into()),
        ("trim", [Value::String(it)]) => Some(it.trim().into()),
        ("string", [it]) => Some(shown_text(it).into()),
        ("int", [it]) => integer(it).map(Value::from),
        ("bool", [Value::String(it)]) => {
            it.to_ascii_lowercase().parse::<bool>().ok().map(Value::from)
        }
        ("bool", [Value::Bool(it)]) => Some((*it).into()),
        ("array", [list @ Value::Array(_)]) => Some(list.clone()),
        ("array", [it]) => Some(Value::Array(vec![it.clone()])),
        ("createarray", items) => Some(Value::Array(items.to_vec())),
        ("length", [Value::Array(it)]) => Some(it.len().into()),
        ("length", [Value::Object(it)]) => Some(it.len().into()),
        ("length", [Value::String(it)]) => Some(it.chars().count().into()),
        ("first", [Value::Array(it)]) => it.first().cloned(),
        ("last", [Value::Array(it)]) => it.last().cloned(),
        ("empty", [it]) => Some(is_empty(it).into()),
        ("range", [first, count]) => range(first, count),
        ("split", [Value::String(text), Value::String(by)]) if !by.is_empty() => {
            Some(text.split(by.as_str()).collect())
        }
        ("replace", [Value::String(text), Value::String(old), Value::String(new)])
            if !old.is_empty() =>
        {
            Some(text.replace(old.as_str(), new).into())
        }
        ("equals", [a, b]) => Some((a == b).into()),
        ("not", [Value::Bool(it)]) => Some((!it).into()),
        ("and", all) => all
            .iter()
            .map(Value::as_bool)
            .collect::<Option<Vec<_>>>()
            .map(|it| it.iter().all(|it| *it).into()),
        ("or", all) => all
            .iter()
            .map(Value::as_bool)
            .collect::<Option<Vec<_>>>()
            .map(|it| it.iter().any(|it| *it).into()),
        ("add", [a, b]) => numbers(a, b, i64::checked_add),
        ("sub", [a, b]) => numbers(a, b, i64::checked_sub),
        ("mul", [a, b]) => numbers(a, b, i64::checked_mul),
        ("div", [a, b]) => numbers(a, b, i64::checked_div),
        ("mod", [a, b]) => numbers(a, b, i64::checked_rem),
        ("json", [Value::String(text)]) => serde_json::from_str(text).ok(),
        _ => return Err(format!("asks for {shown}(), which takes more than the template")),
    };
    value.ok_or_else(|| format!("gives {shown}() something that it doesn't take"))
}

fn texts(values: &[Value]) -> Option<Vec<String>> {
    let is_plain = |it: &Value| !it.is_array() && !it.is_object() && !it.is_null();
    values.iter().map(|it| is_plain(it).then(|| shown_text(it))).collect()
}

fn shown_text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn lists(values: &[Value]) -> Option<Value> {
    let lists: Option<Vec<&Vec<Value>>> = values.iter().map(Value::as_array).collect();
    Some(lists?.into_iter().flatten().cloned().collect())
}

/// `{0}` and what goes on with a form of .NET's stand for values; two braces are one.
fn format(form: &str, values: &[Value]) -> Option<Value> {
    let values = texts(values)?;
    let (mut out, mut rest) = (String::new(), form);
    while let Some(at) = rest.find(['{', '}']) {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        if let Some(after) = from.strip_prefix("{{").or_else(|| from.strip_prefix("}}")) {
            out.push_str(from.get(..1)?);
            rest = after;
            continue;
        }
        let (place, after) = from.strip_prefix('{')?.split_once('}')?;
        let number: usize = place.parse().ok()?;
        out.push_str(values.get(number)?);
        rest = after;
    }
    out.push_str(rest);
    Some(out.into())
}

/// The id of a resource. Which subscription and group it is in doesn't matter to what is looked up by it.
fn resource_id(arguments: &[String]) -> Option<Value> {
    let at = arguments.iter().position(|it| it.contains('/'))?;
    let (kind, names) = (arguments.get(at)?, arguments.get(at + 1..)?);
    let mut parts = kind.split('/');
    let mut id = format!("/subscriptions/-/resourceGroups/-/providers/{}", parts.next()?);
    let kinds: Vec<&str> = parts.collect();
    if kinds.len() != names.len() || names.is_empty() {
        return None;
    }
    for (kind, name) in kinds.iter().zip(names) {
        id.push_str(&format!("/{kind}/{name}"));
    }
    Some(id.into())
}

fn integer(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.trim().parse().ok())
}

fn numbers(a: &Value, b: &Value, work: fn(i64, i64) -> Option<i64>) -> Option<Value> {
    work(integer(a)?, integer(b)?).map(Value::from)
}

fn range(first: &Value, count: &Value) -> Option<Value> {
    let first = integer(first)?;
    let count = usize::try_from(integer(count)?).ok().filter(|it| *it <= MOST_RANGE)?;
    let numbers = (0_i64..).take(count).map(|it| first.checked_add(it).map(Value::from));
    numbers.collect::<Option<Vec<_>>>().map(Value::Array)
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(it) => it.is_empty(),
        Value::Array(it) => it.is_empty(),
        Value::Object(it) => it.is_empty(),
        _ => false,
    }
}
