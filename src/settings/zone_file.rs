//! Zone files (RFC 1035 5), read with NLnet Labs' parser. It is fed one entry at a time: so every record knows its
//! line, and a wrong entry doesn't hide those that follow.

use domain::base::iana::Class;
use domain::base::name::ToName;
use domain::base::rdata::ComposeRecordData;
use domain::zonefile::inplace::{Entry, ScannedRecord, Zonefile};

use crate::model::{Name, NameError, Record, RecordType};

/// RFC 2181 8.
const TTL_MAX: u32 = (1 << 31) - 1;

/// Something in a file and the line that its entry starts at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line<T> {
    pub(super) line: usize,
    pub(super) value: T,
}

/// An entry that can't be used: its text, and what is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct BadEntry {
    pub(super) text: String,
    pub(super) why: String,
}

/// Reads the whole text. Names that don't end in a dot are below `origin`; the class is IN; a record without a TTL has
/// that of `$TTL`, else that of the record before it, else an hour.
pub(super) fn parse(text: &str, origin: &Name) -> (Vec<Line<Record>>, Vec<Line<BadEntry>>) {
    let (mut records, mut bad) = (Vec::new(), Vec::new());
    let mut parser = Zonefile::from(format!("$ORIGIN {origin}\n").as_str());
    parser.set_default_class(Class::IN);
    for (line, entry) in entries(text) {
        // After an error the parser's state can't be relied on; the state from before can.
        let before = parser.clone();
        match entry_records(&mut parser, entry) {
            Ok(found) => records.extend(found.into_iter().map(|value| Line { line, value })),
            Err(why) => {
                parser = before;
                bad.push(Line { line, value: BadEntry { text: entry.trim().to_owned(), why } });
            }
        }
    }
    (records, bad)
}

/// Splits into entries: lines, except that parentheses and quotes go on over the ends of lines. Gives each entry that
/// has more than a comment, with its first line's number.
fn entries(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let (mut rest, mut line) = (text, 1);
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let (entry, tail) = rest.split_at(entry_length(rest.as_bytes()));
        let start = line;
        line += entry.bytes().filter(|it| *it == b'\n').count();
        rest = tail;
        Some((start, entry))
    })
    .filter(|(_, entry)| !entry.trim().is_empty() && !entry.trim_start().starts_with(';'))
}

/// Where the first entry ends, behind its line feed.
fn entry_length(text: &[u8]) -> usize {
    let (mut depth, mut quoted, mut comment, mut escaped) = (0_usize, false, false, false);
    for (at, octet) in text.iter().enumerate() {
        let was_escaped = std::mem::take(&mut escaped);
        match octet {
            b'\n' => {
                comment = false;
                if depth == 0 && !quoted {
                    return at + 1;
                }
            }
            _ if comment || was_escaped => {}
            b'\\' => escaped = true,
            b'"' => quoted = !quoted,
            _ if quoted => {}
            b';' => comment = true,
            b'(' => depth += 1,
            b')' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    text.len()
}

fn entry_records(parser: &mut Zonefile, entry: &str) -> Result<Vec<Record>, String> {
    parser.extend_from_slice(entry.as_bytes());
    if !entry.ends_with('\n') {
        parser.extend_from_slice(b"\n");
    }
    let mut records = Vec::new();
    loop {
        match parser.next_entry() {
            Ok(Some(Entry::Record(found))) => records.push(record(&found)?),
            Ok(Some(Entry::Include { .. })) => {
                return Err(
                    "$INCLUDE is not supported yet; put the records into this file".to_owned()
                );
            }
            Ok(None) => return Ok(records),
            Err(error) => return Err(explain(&error.to_string())),
        }
    }
}

fn record(found: &ScannedRecord) -> Result<Record, String> {
    let owner = found.owner().to_vec();
    let owner = Name::from_wire(owner.as_slice()).map_err(|it: NameError| it.to_string())?;
    let ttl = found.ttl().as_secs();
    if ttl > TTL_MAX {
        return Err(format!("a TTL is at most {TTL_MAX} seconds (RFC 2181 8)"));
    }
    let mut data = Vec::new();
    // Into a vector, which names are never compressed in, composing can't fail.
    let Ok(()) = found.data().compose_rdata(&mut data);
    if data.len() > usize::from(u16::MAX) {
        return Err("the data is longer than 65535 octets".to_owned());
    }
    let record_type = RecordType(found.rtype().to_int());
    Ok(Record { owner, record_type, ttl, data: data.into() })
}

/// The parser's message without its own position, which is wrong here, and in words that say what to do.
fn explain(message: &str) -> String {
    let message = message.splitn(3, ':').nth(2).unwrap_or(message).trim();
    let advice = match message {
        "expected rtype" => {
            "after the name come a TTL in seconds, IN and a record type, then the data"
        }
        "missing last owner" => {
            "an entry that starts with a space goes with the name before it, and there is none"
        }
        "short buffer" => "a quote or a parenthesis is open at the end of the file",
        "unexpected end of entry" => "the data is incomplete",
        "trailing tokens" => "there is more than this type's data",
        "unbalanced parens" => "a parenthesis is closed that was not opened",
        _ if message.starts_with("different class") => "only class IN is served",
        _ => return message.to_owned(),
    };
    advice.to_owned()
}
