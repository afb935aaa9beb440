//! Zone files (RFC 1035 5), with every record type that NSD and Knot read. A wrong entry doesn't hide those that follow.
//!
//! `tokens` splits a text into entries, this file takes them as directives and records, `fields` says what each type's data
//! consists of, `read` reads that as text, `show` writes it as text and `wire` checks it in hexadecimal (RFC 3597).

mod fields;
mod generate;
mod places;
mod rare;
mod read;
mod show;
mod svcb;
#[cfg(test)]
mod tests;
mod tokens;
mod wire;
mod words;

pub(crate) use show::presentation;

use std::path::Path;
use std::sync::Arc;

use fields::fields;
use generate::{Range, substitute, template};
use tokens::{Entry, Token, entries};
use words::{TTL_MAX, Words, hex, number, record_type, seconds, wrong};

use super::files::{Library, ZONE_FILE_MOST, decode};
use super::problem::Place;
use super::tree::shortened;
use crate::model::{Name, Owner, Record, RecordType, Records};

/// The TTL of a record that says nothing, in a file that hasn't said anything yet, as NSD and Knot have it.
const TTL: u32 = 3600;
/// How deep files may include files (as NSD bounds it), and how many may be included in all.
const MOST_DEPTH: usize = 10;
const MOST_INCLUDED: usize = 10_000;
/// How many records all `$GENERATE` of a zone may make: the addresses of a /12.
const MOST_GENERATED: usize = 1 << 20;
const MOST_DATA: usize = 65_535;

/// Where an entry starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Spot {
    /// The file's place in [`ZoneFile::files`].
    file: u32,
    line: u32,
}

/// Something in a file and where its entry starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line<T> {
    pub(super) spot: Spot,
    pub(super) value: T,
}

/// An entry that can't be used: its text, and what is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct BadEntry {
    pub(super) text: String,
    pub(super) why: String,
}

/// What a zone file says, with the files that it includes.
#[derive(Debug)]
pub(super) struct ZoneFile {
    /// The zone file itself, then the others.
    files: Vec<Arc<Path>>,
    records: Records,
    /// Where each record is written.
    spots: Vec<Spot>,
    pub(super) bad: Vec<Line<BadEntry>>,
}

impl ZoneFile {
    /// Reads a whole file. Names that don't end in a dot are below the origin; the class is IN; a record without a TTL has
    /// that of `$TTL`, else that of the record before it, else an hour.
    ///
    /// # Errors
    /// When the file itself can't be read.
    pub(super) fn read(path: &Path, origin: &Name, library: &Library<'_>) -> Result<Self, String> {
        let text = contents(path, library)?;
        let (files, bad) = (Vec::new(), Vec::new());
        let found = Self { files, records: Records::default(), spots: Vec::new(), bad };
        let (generated, open) = (0, Vec::new());
        let mut reader = Reader { library, found, open, generated, last_ttl: None };
        let scope = Scope { origin: origin.as_wire().into(), owner: None, ttl: None };
        reader.file(path, &text, scope);
        Ok(reader.found)
    }

    /// Every record, in the order in which they are written.
    pub(super) fn records(&self) -> impl ExactSizeIterator<Item = Record<'_>> {
        self.records.iter()
    }

    /// Every record with its line.
    pub(super) fn lines(&self) -> impl Iterator<Item = Line<Record<'_>>> {
        let line = |(spot, value): (&Spot, _)| Line { spot: *spot, value };
        self.spots.iter().zip(self.records.iter()).map(line)
    }

    /// The file as a whole.
    pub(super) fn place(&self) -> Place {
        Place {
            file: self.files.first().cloned().unwrap_or_else(|| Path::new("").into()),
            line: None,
        }
    }

    pub(super) fn at(&self, spot: Spot) -> Place {
        let file = self.files.get(spot.file as usize).cloned();
        Place { line: Some(spot.line as usize), file: file.unwrap_or_else(|| self.place().file) }
    }
}

fn contents(path: &Path, library: &Library<'_>) -> Result<String, String> {
    decode(library.read(path, ZONE_FILE_MOST)?).map_err(|_| format!("{path:?} is not UTF-8"))
}

/// What holds from an entry to the next, and in a file that is included until its end.
#[derive(Clone)]
struct Scope {
    /// What names without a dot at the end are below, letters as they are written.
    origin: Box<[u8]>,
    /// Whose records the last entry was about.
    owner: Option<Owner>,
    /// By `$TTL`.
    ttl: Option<u32>,
}

struct Reader<'a> {
    library: &'a Library<'a>,
    found: ZoneFile,
    /// The files that are being read, each included by the one before.
    open: Vec<Arc<Path>>,
    /// How many records `$GENERATE` has made.
    generated: usize,
    /// Of the last record that had one.
    last_ttl: Option<u32>,
}

impl Reader<'_> {
    fn file(&mut self, path: &Path, text: &str, mut scope: Scope) {
        let file = self.found.files.len() as u32;
        let path: Arc<Path> = path.into();
        self.found.files.push(path.clone());
        self.open.push(path);
        for entry in entries(text) {
            let spot = Spot { file, line: entry.line };
            if let Err(why) = self.entry(&entry, spot, &mut scope) {
                let text = entry.text.to_owned();
                self.found.bad.push(Line { spot, value: BadEntry { text, why } });
            }
        }
        self.open.pop();
    }

    fn entry(&mut self, entry: &Entry<'_>, spot: Spot, scope: &mut Scope) -> Result<(), String> {
        if let Some(flaw) = entry.flaw {
            return Err(flaw.to_owned());
        }
        match entry.tokens.split_first() {
            Some((first, rest)) if first.text.starts_with('$') && is_directive(entry, *first) => {
                self.directive(first.text, rest, spot, scope)
            }
            _ => self.record(entry, spot, scope),
        }
    }

    fn directive(
        &mut self,
        directive: &str,
        tokens: &[Token<'_>],
        spot: Spot,
        scope: &mut Scope,
    ) -> Result<(), String> {
        let origin = scope.origin.clone();
        let mut words = Words::new(tokens, &origin);
        match directive.to_ascii_uppercase().as_str() {
            "$ORIGIN" => {
                let name = words.name()?;
                words.end()?;
                scope.origin = name.into();
                Ok(())
            }
            "$TTL" => {
                let ttl = ttl(words.next("a TTL")?)?;
                words.end()?;
                scope.ttl = Some(ttl);
                Ok(())
            }
            "$INCLUDE" => {
                let file = words.next("the path of a file")?;
                let origin =
                    if words.peek().is_some() { words.name()?.into() } else { origin.clone() };
                words.end()?;
                self.include(file, spot, Scope { origin, ..scope.clone() })
            }
            "$GENERATE" => self.generate(tokens, spot, scope),
            _ => Err(format!(
                "`{}` is no directive; write $ORIGIN, $TTL, $INCLUDE or $GENERATE, or `\\$` in a name",
                shortened(directive)
            )),
        }
    }

    /// Reads another file with a scope of its own: what it sets doesn't count behind it (RFC 1035 5.1).
    fn include(&mut self, file: &str, spot: Spot, scope: Scope) -> Result<(), String> {
        let path = self.found.at(spot).resolve(file);
        if self.open.iter().any(|it| **it == *path) {
            return Err(format!("{path:?} includes itself"));
        }
        if self.open.len() > MOST_DEPTH {
            return Err(format!("files are included at most {MOST_DEPTH} deep"));
        }
        if self.found.files.len() > MOST_INCLUDED {
            return Err(format!("at most {MOST_INCLUDED} files are included"));
        }
        let text = contents(&path, self.library)?;
        self.file(&path, &text, scope);
        Ok(())
    }

    fn generate(
        &mut self,
        tokens: &[Token<'_>],
        spot: Spot,
        scope: &mut Scope,
    ) -> Result<(), String> {
        let Some((range, tokens)) = tokens.split_first() else {
            return Err("write a range such as 1-100, then a record with `$` in it".to_owned());
        };
        let (range, template) = (Range::parse(range.text)?, template(tokens));
        self.generated = self.generated.saturating_add(range.count());
        if self.generated > MOST_GENERATED {
            return Err(format!("$GENERATE makes at most {MOST_GENERATED} records in a zone"));
        }
        for number in range.numbers() {
            let text = substitute(&template, number)?;
            let Some(entry) = entries(&text).next() else { continue };
            let record = match entry.flaw {
                Some(flaw) => Err(flaw.to_owned()),
                None => self.record(&entry, spot, scope),
            };
            record.map_err(|why| format!("as {:?}, {why}", shortened(&text)))?;
        }
        Ok(())
    }

    fn record(&mut self, entry: &Entry<'_>, spot: Spot, scope: &mut Scope) -> Result<(), String> {
        let Scope { origin, owner, .. } = scope;
        let mut words = Words::new(&entry.tokens, origin);
        let records = &mut self.found.records;
        if !entry.is_indented {
            let wire = words.name()?;
            *owner = Some(records.owner(&wire).map_err(|it| it.to_string())?);
        }
        let owner = owner.ok_or(
            "an entry that starts with a blank goes with the name before it, and there is none",
        )?;
        let (given, record_type) = head(&mut words)?;
        self.last_ttl = given.or(self.last_ttl);
        let data = data(record_type, words)?;
        let ttl = given.or(scope.ttl).or(self.last_ttl).unwrap_or(TTL);
        records.push(owner, record_type, ttl, &data);
        self.found.spots.push(spot);
        Ok(())
    }
}

/// Directives start at the beginning of the line, without quotes.
fn is_directive(entry: &Entry<'_>, first: Token<'_>) -> bool {
    !entry.is_indented && !first.is_quoted
}

/// What stands before the data: a TTL and a class, both if they want and in any order, then the type.
fn head(words: &mut Words<'_, '_>) -> Result<(Option<u32>, RecordType), String> {
    const EXPECTED: &str = "a record type such as A or TYPE65";
    let (mut given, mut has_class) = (None, false);
    loop {
        let word = words.next(EXPECTED)?;
        if given.is_none() && word.starts_with(|it: char| it.is_ascii_digit()) {
            given = Some(ttl(word)?);
        } else if let Some(class) = class(word).filter(|_| !has_class) {
            if class != 1 {
                return Err("only class IN is served".to_owned());
            }
            has_class = true;
        } else {
            let record_type = record_type(word).ok_or_else(|| {
                let expected = "after the name come a TTL, IN and a record type, then the data";
                format!("{}; {expected}", wrong(word, EXPECTED))
            })?;
            return Ok((given, record_type));
        }
    }
}

fn ttl(word: &str) -> Result<u32, String> {
    let seconds = seconds(word).ok_or_else(|| wrong(word, "a TTL in seconds or such as 1h30m"))?;
    if seconds > TTL_MAX {
        return Err(format!("a TTL is at most {TTL_MAX} seconds (RFC 2181 8)"));
    }
    Ok(seconds)
}

fn class(word: &str) -> Option<u16> {
    const MNEMONICS: [(&str, u16); 4] = [("IN", 1), ("CS", 2), ("CH", 3), ("HS", 4)];
    let known = MNEMONICS.iter().find(|it| it.0.eq_ignore_ascii_case(word));
    let by_number = || {
        let (prefix, digits) = word.split_at_checked(5)?;
        number(digits).filter(|_| prefix.eq_ignore_ascii_case("CLASS"))
    };
    known.map(|it| it.1).or_else(by_number)
}

/// The data of a record, as the type has it or in hexadecimal behind its length (RFC 3597 5).
fn data(record_type: RecordType, mut words: Words<'_, '_>) -> Result<Vec<u8>, String> {
    let fields = fields(record_type);
    let is_generic = |it: Token<'_>| it.text == "\\#" && !it.is_quoted;
    let mut data = Vec::new();
    if words.peek().is_some_and(is_generic) {
        words.take();
        let length: usize = words.parse("the number of octets", number)?;
        let digits =
            if length == 0 { String::new() } else { words.joined("data in hexadecimal")? };
        data = hex(&digits).ok_or_else(|| wrong(&digits, "data in hexadecimal"))?;
        if data.len() != length {
            return Err(format!("{length} octets are said, and {} are there", data.len()));
        }
        if fields.is_some_and(|it| !wire::is_right(it, &data)) {
            return Err(format!(
                "these octets are no data of {record_type}; names in it have no pointers"
            ));
        }
    } else {
        let Some(fields) = fields else {
            return Err(format!(
                "data of {record_type} is written as `\\#`, octets, hexadecimal digits"
            ));
        };
        fields.iter().try_for_each(|it| it.read(&mut words, &mut data))?;
    }
    words.end()?;
    if data.len() > MOST_DATA {
        return Err(format!("the data is longer than {MOST_DATA} octets"));
    }
    Ok(data)
}
