//! What requests carry, read key by key. Everything that is wrong is gathered, each thing with where it stands, so that a
//! client has to be told once.

use std::cell::{Cell, RefCell};
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;

use axum::extract::Query;
use axum::extract::rejection::QueryRejection;
use serde_json::{Map, Value};

use super::error::ApiError;
use super::unique::Unique;
use super::view::Fault;
use crate::model::{Change, NameError};
use crate::settings::nearest;

/// The parameters behind a path, in their order.
pub(super) type Sent = Result<Query<Vec<(String, String)>>, QueryRejection>;

/// The longest value that is told as it was found, in octets.
const SHORT: usize = 200;

/// What is wrong with a value.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Wrong {
    /// It is not what the API's description has there.
    Form(String),
    /// It is that, and makes no sense here and now.
    Sense(String),
}

impl From<String> for Wrong {
    fn from(detail: String) -> Self {
        Self::Form(detail)
    }
}

/// Everything that is wrong so far.
#[derive(Default)]
struct Faults {
    all: RefCell<Vec<Fault>>,
    /// Whether something has not the form that it must have.
    malformed: Cell<bool>,
}

impl Faults {
    fn push(&self, wrong: Wrong, place: impl FnOnce(Fault) -> Fault, found: Option<Value>) {
        self.malformed.set(self.malformed.get() || matches!(wrong, Wrong::Form(_)));
        let (Wrong::Form(detail) | Wrong::Sense(detail)) = wrong;
        self.all.borrow_mut().push(place(Fault::new(detail, found)));
    }

    fn into_error(self) -> ApiError {
        match self.malformed.get() {
            true => ApiError::malformed(self.all.into_inner()),
            false => ApiError::senseless(self.all.into_inner()),
        }
    }
}

/// A JSON object, or a query's parameters. `read` functions ask for every key before they give up: what nobody has asked for
/// is told to be no key.
pub(super) struct Fields<'r> {
    values: &'r Map<String, Value>,
    /// The pointer to the object (RFC 6901); none for a query.
    at: Option<String>,
    known: Vec<&'static str>,
    faults: &'r Faults,
}

/// Reads a body, which has to be a JSON object.
pub(super) fn read_body<T>(
    body: &[u8],
    read: impl FnOnce(&mut Fields<'_>) -> Option<T>,
) -> Result<T, ApiError> {
    let whole = |detail: String| {
        let fault = Fault { pointer: Some(String::new()), ..Fault::new(detail, None) };
        Err(ApiError::malformed(vec![fault]))
    };
    // Said of nothing, that it ends too early would be no help.
    if body.trim_ascii().is_empty() {
        return whole(NO_OBJECT.to_owned());
    }
    match serde_json::from_slice(body) {
        Ok(Unique(Value::Object(values))) => gather(&values, Some(String::new()), read),
        Ok(_) => whole(NO_OBJECT.to_owned()),
        Err(error) => whole(error.to_string()),
    }
}

const NO_OBJECT: &str = "send a JSON object, such as {\"reason\": \"why\"}";

/// Reads a query's parameters.
pub(super) fn read_query<T>(
    sent: Sent,
    read: impl FnOnce(&mut Fields<'_>) -> Option<T>,
) -> Result<T, ApiError> {
    let Query(pairs) = sent.map_err(|error| ApiError::bad_request(error.body_text()))?;
    let (mut values, mut twice) = (Map::new(), Vec::new());
    for (key, value) in pairs {
        if values.insert(key.clone(), value.into()).is_some() {
            let detail = "is there twice; send it once".to_owned();
            twice.push(Fault { parameter: Some(key), ..Fault::new(detail, None) });
        }
    }
    if twice.is_empty() { gather(&values, None, read) } else { Err(ApiError::malformed(twice)) }
}

fn gather<T>(
    values: &Map<String, Value>,
    at: Option<String>,
    read: impl FnOnce(&mut Fields<'_>) -> Option<T>,
) -> Result<T, ApiError> {
    let faults = Faults::default();
    let value = Fields { values, at, known: Vec::new(), faults: &faults }.finish(read);
    let is_right = faults.all.borrow().is_empty();
    value.filter(|_| is_right).ok_or_else(|| faults.into_error())
}

impl<'r> Fields<'r> {
    /// Reads everything, and tells of the keys that nobody has asked for.
    fn finish<T>(mut self, read: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        let value = read(&mut self);
        for (key, found) in self.values {
            if !self.known.iter().any(|it| it == key) {
                let known = self.known.iter().copied();
                let hint = nearest(key, known).map(|it| format!("; did you mean {it}?"));
                let all = self.known.join(", ");
                let detail = match hint {
                    Some(hint) => format!("is not known{hint}"),
                    None => format!("is not known; write {all}"),
                };
                self.tell(key, Wrong::Form(detail), Some(found));
            }
        }
        value
    }

    /// A key that may be left out; null is as if it were.
    pub(super) fn optional<T, E: Into<Wrong>>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&'r Value) -> Result<T, E>,
    ) -> Option<T> {
        self.find(key).filter(|it| !it.is_null()).and_then(|it| self.take(key, it, read))
    }

    /// A key that may be left out, and is not null.
    pub(super) fn present<T, E: Into<Wrong>>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&'r Value) -> Result<T, E>,
    ) -> Option<T> {
        self.find(key).and_then(|it| self.take(key, it, read))
    }

    fn take<T, E: Into<Wrong>>(
        &self,
        key: &str,
        found: &'r Value,
        read: impl FnOnce(&'r Value) -> Result<T, E>,
    ) -> Option<T> {
        read(found).map_err(|wrong| self.tell(key, wrong.into(), Some(found))).ok()
    }

    /// A key that has to be there.
    pub(super) fn required<T, E: Into<Wrong>>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&'r Value) -> Result<T, E>,
    ) -> Option<T> {
        match self.find(key) {
            Some(found) => self.take(key, found, read),
            None => {
                self.wrong(key, Wrong::Form("is missing".to_owned()));
                None
            }
        }
    }

    /// A key that is left alone where it is left out, and cleared by null.
    pub(super) fn change<T, E: Into<Wrong>>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&'r Value) -> Result<T, E>,
    ) -> Change<T> {
        match self.find(key) {
            Some(Value::Null) => Change::Clear,
            _ => self.optional(key, read).map_or(Change::Keep, Change::Set),
        }
    }

    /// Whether a key is true; it is false where it is left out.
    pub(super) fn is_set(&mut self, key: &'static str) -> bool {
        let Some(found) = self.find(key) else { return false };
        self.take(key, found, flag).unwrap_or_default()
    }

    /// An object that may be left out.
    pub(super) fn object<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&mut Self) -> Option<T>,
    ) -> Option<T> {
        let found = self.find(key)?;
        self.enter(self.pointer(key), found, read)
    }

    /// A list of so many objects; what is left out has none.
    pub(super) fn objects<T>(
        &mut self,
        key: &'static str,
        count: RangeInclusive<usize>,
        read: impl Fn(&mut Self) -> Option<T>,
    ) -> Option<Vec<T>> {
        let items = self.items(key, count)?;
        let at = |index: usize| format!("{}/{index}", self.pointer(key));
        let read = |(index, it)| self.enter(at(index), it, &read);
        // Each of them is read, whatever is wrong with those before.
        items.iter().enumerate().map(read).collect::<Vec<_>>().into_iter().collect()
    }

    /// A list of so many values; what is left out has none.
    pub(super) fn values<T, E: Into<Wrong>>(
        &mut self,
        key: &'static str,
        count: RangeInclusive<usize>,
        read: impl Fn(&'r Value) -> Result<T, E>,
    ) -> Option<Vec<T>> {
        let items = self.items(key, count)?;
        let read = |(index, it): (usize, &'r Value)| {
            let pointer = Some(format!("{}/{index}", self.pointer(key)));
            let place = |fault| Fault { pointer, ..fault };
            read(it).map_err(|wrong| self.faults.push(wrong.into(), place, short(it))).ok()
        };
        items.iter().enumerate().map(read).collect::<Vec<_>>().into_iter().collect()
    }

    fn items(&mut self, key: &'static str, count: RangeInclusive<usize>) -> Option<&'r [Value]> {
        let items = match self.find(key) {
            None => &[][..],
            Some(Value::Array(items)) => items,
            Some(found) => {
                self.tell(key, Wrong::Form("write a list".to_owned()), Some(found));
                return None;
            }
        };
        if count.contains(&items.len()) {
            return Some(items);
        }
        self.wrong(key, Wrong::Form(format!("send {} to {}", count.start(), count.end())));
        None
    }

    /// The only key of an object that has one of several.
    pub(super) fn only_key(&self) -> Option<&'r str> {
        let mut keys = self.values.keys();
        keys.next().filter(|_| keys.next().is_none()).map(String::as_str)
    }

    /// Whether something is wrong already, from which more may seem to follow.
    pub(super) fn is_faulty(&self) -> bool {
        !self.faults.all.borrow().is_empty()
    }

    /// Tells that something is wrong with a key.
    pub(super) fn wrong(&self, key: &str, wrong: Wrong) {
        self.tell(key, wrong, None);
    }

    /// Tells that the object as a whole is not what the API's description has there.
    pub(super) fn wrong_whole(&self, detail: &str) {
        let pointer = self.at.clone();
        self.faults.push(Wrong::Form(detail.to_owned()), |it| Fault { pointer, ..it }, None);
    }

    fn enter<T>(
        &self,
        at: String,
        found: &'r Value,
        read: impl FnOnce(&mut Self) -> Option<T>,
    ) -> Option<T> {
        let faults = self.faults;
        let Value::Object(values) = found else {
            let wrong = Wrong::Form("write an object".to_owned());
            faults.push(wrong, |it| Fault { pointer: Some(at), ..it }, short(found));
            return None;
        };
        Self { values, at: Some(at), known: Vec::new(), faults }.finish(read)
    }

    fn find(&mut self, key: &'static str) -> Option<&'r Value> {
        if !self.known.contains(&key) {
            self.known.push(key);
        }
        self.values.get(key)
    }

    fn pointer(&self, key: &str) -> String {
        format!("{}/{key}", self.at.as_deref().unwrap_or_default())
    }

    fn tell(&self, key: &str, wrong: Wrong, found: Option<&Value>) {
        let escaped = key.replace('~', "~0").replace('/', "~1");
        let place = |fault| match &self.at {
            Some(_) => Fault { pointer: Some(self.pointer(&escaped)), ..fault },
            None => Fault { parameter: Some(key.to_owned()), ..fault },
        };
        self.faults.push(wrong, place, found.and_then(short));
    }
}

/// A value that is not too long to be told.
fn short(value: &Value) -> Option<Value> {
    let is_plain = !matches!(value, Value::Array(_) | Value::Object(_));
    (is_plain && value.to_string().len() <= SHORT).then(|| value.clone())
}

/// A text.
pub(super) fn text(value: &Value) -> Result<&str, String> {
    value.as_str().ok_or_else(|| "write a text".to_owned())
}

/// A text of at most so many characters.
pub(super) fn up_to(most: usize) -> impl Fn(&Value) -> Result<String, String> {
    move |value| match text(value)? {
        it if it.chars().count() > most => Err(format!("write at most {most} characters")),
        it => Ok(it.to_owned()),
    }
}

/// True or false.
pub(super) fn flag(value: &Value) -> Result<bool, String> {
    value.as_bool().ok_or_else(|| "write true or false".to_owned())
}

/// A whole number; 5.0 is one (JSON Schema 2020-12, 6.1.1).
pub(super) fn whole(range: RangeInclusive<u16>) -> impl Fn(&Value) -> Result<u16, String> {
    move |value| {
        let number = value.as_f64().filter(|it| it.fract() == 0.0);
        let number =
            number.filter(|it| (f64::from(*range.start())..=f64::from(*range.end())).contains(it));
        number.map(|it| it as u16).ok_or_else(|| {
            format!("write a whole number from {} to {}", range.start(), range.end())
        })
    }
}

/// A parameter that is a whole number.
pub(super) fn digits(range: RangeInclusive<u32>) -> impl Fn(&Value) -> Result<u32, String> {
    move |value| {
        let number = text(value)?.parse().ok().filter(|it| range.contains(it));
        number.ok_or_else(|| format!("send {} to {}", range.start(), range.end()))
    }
}

/// A text that says something of its own.
pub(super) fn parsed<T: FromStr<Err: Display>>(value: &Value) -> Result<T, String> {
    text(value)?.parse().map_err(|error: T::Err| error.to_string())
}

/// A domain name, or what is made of one.
pub(super) fn name<T: FromStr<Err = NameError>>(value: &Value) -> Result<T, String> {
    text(value)?.parse().map_err(|error| match error {
        NameError::Empty => error.to_string(),
        _ => format!("the name {error}"),
    })
}

/// One of some words.
pub(super) fn one_of<T: Copy, const N: usize>(
    words: [(&'static str, T); N],
) -> impl Fn(&Value) -> Result<T, String> {
    move |value| {
        let found = text(value)?;
        let known = words.iter().find(|it| it.0 == found).map(|it| it.1);
        known.ok_or_else(|| {
            let all = words.map(|it| it.0);
            let near = nearest(found, all).map(|it| format!("did you mean {it}? "));
            format!("{}write one of {}", near.unwrap_or_default(), all.join(", "))
        })
    }
}
