//! YAML text (1.2, core schema) as a tree with line numbers. What makes a file mean something else than it says is
//! refused: aliases, tags, several documents, and numbers that YAML 1.1 and 1.2 read differently.

use std::path::Path;
use std::sync::Arc;

use saphyr_parser::{Event, Parser, ScalarStyle, StrInput};

use super::problem::{Place, Problem};
use super::tree::{MAX_DEPTH, Node, Table, Trail, Value, shortened, too_deep};

/// Reads a whole file.
///
/// # Errors
/// The first violation of the grammar, or everything that a configuration may not have.
pub(super) fn parse(file: &Arc<Path>, text: &str) -> Result<Table, Vec<Problem>> {
    let mut reader = Reader { parser: Parser::new_from_str(text), file, problems: Vec::new() };
    match reader.document() {
        Err(problem) => Err(vec![problem]),
        Ok(_) if !reader.problems.is_empty() => Err(reader.problems),
        Ok(table) => Ok(table),
    }
}

struct Reader<'a> {
    parser: Parser<'a, StrInput<'a>>,
    file: &'a Arc<Path>,
    problems: Vec<Problem>,
}

impl<'a> Reader<'a> {
    fn document(&mut self) -> Result<Table, Problem> {
        let mut root: Option<Table> = None;
        loop {
            let (event, place) = self.next()?;
            match event {
                Event::StreamEnd => return Ok(root.unwrap_or_default()),
                Event::DocumentStart(_) if root.is_some() => {
                    let message = "a second document begins here; write one to a file";
                    return Err(Problem::at(&place, "", message));
                }
                Event::StreamStart
                | Event::DocumentStart(_)
                | Event::DocumentEnd
                | Event::Nothing => {}
                event => root = Some(self.root(event, place)?),
            }
        }
    }

    fn root(&mut self, event: Event<'a>, place: Place) -> Result<Table, Problem> {
        // A file with comments alone says nothing, as in TOML.
        if matches!(&event, Event::Scalar(text, ScalarStyle::Plain, 0, None) if text.is_empty()) {
            return Ok(Table::default());
        }
        match self.value(event, &place, &Trail::Root, 0)? {
            Value::Table(table) => Ok(table),
            value => {
                let message = "write a mapping with keys";
                let found = Node { place: place.clone(), value }.shown();
                Err(Problem::at(&place, "", message).found(found))
            }
        }
    }

    /// The next event and the line that it begins on.
    fn next(&mut self) -> Result<(Event<'a>, Place), Problem> {
        let place = |line| Place { file: self.file.clone(), line: Some(line) };
        match self.parser.next_event() {
            Some(Ok((event, span))) => Ok((event, place(span.start.line()))),
            Some(Err(error)) => {
                let message = format!("is not YAML from here on: {}", error.info());
                Err(Problem::at(&place(error.marker().line()), "", message))
            }
            None => Ok((Event::StreamEnd, Place { file: self.file.clone(), line: None })),
        }
    }

    fn value(
        &mut self,
        event: Event<'a>,
        place: &Place,
        at: &Trail<'_>,
        depth: usize,
    ) -> Result<Value, Problem> {
        if depth > MAX_DEPTH {
            return Err(too_deep(place, at));
        }
        Ok(match event {
            Event::Scalar(text, style, anchor, tag) => {
                self.refuse(anchor, tag.is_some(), place, at);
                match style {
                    ScalarStyle::Plain => plain(&text),
                    _ => Value::Text(text.into_owned()),
                }
            }
            Event::SequenceStart(anchor, tag) => {
                self.refuse(anchor, tag.is_some(), place, at);
                let mut items = Vec::new();
                loop {
                    let (event, place) = self.next()?;
                    if matches!(event, Event::SequenceEnd) {
                        break Value::List(items);
                    }
                    let at = Trail::Item(at, items.len());
                    let value = self.value(event, &place, &at, depth + 1)?;
                    items.push(Node { place, value });
                }
            }
            Event::MappingStart(anchor, tag) => {
                self.refuse(anchor, tag.is_some(), place, at);
                let mut entries = Vec::new();
                loop {
                    let (event, place) = self.next()?;
                    let key = match event {
                        Event::MappingEnd => break,
                        Event::Scalar(key, _, anchor, tag) => {
                            self.refuse(anchor, tag.is_some(), &place, &Trail::Key(at, &key));
                            key.into_owned()
                        }
                        _ => {
                            return Err(Problem::at(&place, at.to_string(), "write a text as key"));
                        }
                    };
                    let (event, begins) = self.next()?;
                    let value = self.value(event, &begins, &Trail::Key(at, &key), depth + 1)?;
                    entries.push((key, Node { place, value }));
                }
                Value::Table(Table::of(entries, at, &mut self.problems))
            }
            Event::Alias(_) => {
                self.complain(place, at, "an alias (`*name`) isn't taken; write its value out");
                Value::Other("an alias".to_owned())
            }
            // Nothing else stands where a value does.
            _ => Value::Other("nothing".to_owned()),
        })
    }

    /// Complains about an anchor, of which 0 is none, and a tag.
    fn refuse(&mut self, anchor: usize, tagged: bool, place: &Place, at: &Trail<'_>) {
        if anchor > 0 {
            self.complain(place, at, "an anchor (`&name`) isn't taken; remove it");
        }
        if tagged {
            self.complain(place, at, "a tag (`!name`) isn't taken; remove it");
        }
    }

    fn complain(&mut self, place: &Place, at: &Trail<'_>, message: &str) {
        self.problems.push(Problem::at(place, at.to_string(), message));
    }
}

/// What a text without quotes is by the core schema.
fn plain(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Other("null".to_owned()),
        "true" | "True" | "TRUE" => return Value::Boolean(true),
        "false" | "False" | "FALSE" => return Value::Boolean(false),
        ".nan" | ".NaN" | ".NAN" => return Value::Float(f64::NAN),
        _ => {}
    }
    let radix = |digits: &str, radix| i64::from_str_radix(digits, radix).ok();
    let prefixed = match (text.strip_prefix("0x"), text.strip_prefix("0o")) {
        (Some(digits), _) if is_of(digits, |it| it.is_ascii_hexdigit()) => Some(radix(digits, 16)),
        (_, Some(digits)) if is_of(digits, |it| matches!(it, b'0'..=b'7')) => {
            Some(radix(digits, 8))
        }
        _ => None,
    };
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let other = || Value::Other(shortened(text));
    match prefixed {
        Some(number) => number.map_or_else(other, Value::Integer),
        None if is_of(unsigned, |it| it.is_ascii_digit()) => {
            // 010 is ten in YAML 1.2 and eight in YAML 1.1, so it is no number here.
            let doubtful = unsigned.len() > 1 && unsigned.starts_with('0');
            let number = if doubtful { None } else { text.parse().ok() };
            number.map_or_else(other, Value::Integer)
        }
        None if matches!(unsigned, ".inf" | ".Inf" | ".INF") => {
            Value::Float(if text.starts_with('-') { f64::NEG_INFINITY } else { f64::INFINITY })
        }
        None if is_float(unsigned) => text.parse().map_or_else(|_| other(), Value::Float),
        None => Value::Text(text.to_owned()),
    }
}

fn is_of(text: &str, fits: impl Fn(u8) -> bool) -> bool {
    !text.is_empty() && text.bytes().all(fits)
}

/// A number with a fraction, an exponent or both; Rust's own reader takes more, such as `infinity`.
fn is_float(unsigned: &str) -> bool {
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let digits = |it: &str| it.bytes().all(|it| it.is_ascii_digit());
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let exponent = exponent.map(|it| it.strip_prefix(['+', '-']).unwrap_or(it));
    digits(whole)
        && digits(fraction)
        && !(whole.is_empty() && fraction.is_empty())
        && exponent.is_none_or(|it| is_of(it, |it| it.is_ascii_digit()))
}
