//! Zone files (RFC 1035 5), read with NLnet Labs' parser. It is fed one entry at a time: so every record knows its
//! line, and a wrong entry doesn't hide those that follow.

use std::panic::{AssertUnwindSafe, catch_unwind};

use domain::base::iana::{Class, Rtype};
use domain::base::name::{ParsedName, ToName};
use domain::base::rdata::{ComposeRecordData, ParseRecordData};
use domain::dep::octseq::Parser;
use domain::rdata::ZoneRecordData;
use domain::zonefile::inplace::{Entry, ScannedRecord, Zonefile};

use crate::model::{Name, Record, RecordType};

/// RFC 2181 8.
const TTL_MAX: u32 = (1 << 31) - 1;
const BROKEN_NAME: &str = "has a broken name or broken data; a name has no two dots in a row";

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
        match guarded(&mut parser, entry) {
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
        let (entry, tail) = rest.split_at(entry_length(rest.as_bytes()).unwrap_or(rest.len()));
        let start = line;
        line += entry.bytes().filter(|it| *it == b'\n').count();
        rest = tail;
        Some((start, entry))
    })
    .filter(|(_, entry)| !entry.trim().is_empty() && !entry.trim_start().starts_with(';'))
}

/// Where the first entry ends, behind its line feed. None if a quote or a parenthesis is open to the end of the text.
fn entry_length(text: &[u8]) -> Option<usize> {
    let (mut depth, mut quoted, mut comment, mut escaped) = (0_usize, false, false, false);
    for (at, octet) in text.iter().enumerate() {
        let was_escaped = std::mem::take(&mut escaped);
        match octet {
            b'\n' => {
                comment = false;
                if depth == 0 && !quoted {
                    return Some(at + 1);
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
    (depth == 0 && !quoted).then_some(text.len())
}

/// Reads one entry. The parser panics on some malformed ones (domain 0.12.3: a name right behind a quoted word), and a
/// reload must survive any file; its state is thrown away after an error anyhow.
fn guarded(parser: &mut Zonefile, entry: &str) -> Result<Vec<Record>, String> {
    let attempt = AssertUnwindSafe(|| entry_records(parser, entry));
    let gave_up = |_| Err("can't be made sense of; put spaces between its parts".to_owned());
    catch_unwind(attempt).unwrap_or_else(gave_up)
}

fn entry_records(parser: &mut Zonefile, entry: &str) -> Result<Vec<Record>, String> {
    if entry_length(entry.as_bytes()).is_none() {
        return Err("a quote or a parenthesis is open at the end of the file".to_owned());
    }
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
    let owner = Name::from_wire(owner.as_slice()).map_err(|_| BROKEN_NAME)?;
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
    if !reads_back(found.rtype(), &data) {
        return Err(BROKEN_NAME.to_owned());
    }
    let record_type = RecordType(found.rtype().to_int());
    Ok(Record { owner, record_type, ttl, data: data.into() })
}

/// Whether resolvers will be able to read the data. The parser lets names with two dots in a row pass, and data in
/// hexadecimal (RFC 3597) may be anything, such as a compressed name, which means nothing outside its message.
fn reads_back(record_type: Rtype, data: &[u8]) -> bool {
    let mut parser = Parser::from_ref(data);
    let read = ZoneRecordData::<&[u8], ParsedName<&[u8]>>::parse_rdata(record_type, &mut parser);
    let Ok(Some(read)) = read else { return false };
    let mut again = Vec::with_capacity(data.len());
    let Ok(()) = read.compose_rdata(&mut again);
    parser.remaining() == 0 && again == data
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
        "unexpected end of entry" => "the data is incomplete",
        "trailing tokens" => "there is more than this type's data",
        "unbalanced parens" => "a parenthesis is closed that was not opened",
        _ if message.starts_with("different class") => "only class IN is served",
        _ => return message.to_owned(),
    };
    advice.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> (Vec<Line<Record>>, Vec<Line<BadEntry>>) {
        parse(text, &"z.".parse().unwrap())
    }

    /// `line owner ttl type data` of every record, data in hexadecimal.
    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        let (records, bad) = read(text);
        assert_eq!(bad, []);
        let show = |Line { line, value }: &Line<Record>| {
            let data: String = value.data.iter().map(|it| format!("{it:02x}")).collect();
            format!("{line} {} {} {} {data}", value.owner, value.ttl, value.record_type)
        };
        assert_eq!(records.iter().map(show).collect::<Vec<_>>(), expected, "{text}");
    }

    #[test]
    fn names_ttls_and_lines_are_those_of_the_text() {
        check("a A 192.0.2.1", &["1 a.z. 3600 A c0000201"]);
        check(
            "A.z. 5 IN A 192.0.2.1\r\n\r\n IN 6 A 192.0.2.2\r\n",
            &["1 a.z. 5 A c0000201", "3 a.z. 6 A c0000202"],
        );
        check("$TTL 9\n@ 5 NS n\n@ NS N.Y.\n", &["2 z. 5 NS 016e017a00", "3 z. 9 NS 014e015900"]);
        check("a 7 A 192.0.2.1\nb A 192.0.2.1", &["1 a.z. 7 A c0000201", "2 b.z. 7 A c0000201"]);
        check("$ORIGIN x\na A 192.0.2.1\n", &["2 a.x.z. 3600 A c0000201"]);
        check("*.w TYPE65 \\# 3 000100 ; comment ( \"\n", &["1 *.w.z. 3600 HTTPS 000100"]);
        check(
            "a TXT ( \"x;(\" ; \"\n y\n )\nb TXT \"\\\"\"\n",
            &[
                "1 a.z. 3600 TXT 0178280179".replace("0178280179", "03783b280179").as_str(),
                "4 b.z. 3600 TXT 0122",
            ],
        );
        check("; only\n\n  ; comments\n", &[]);
    }

    #[test]
    fn every_wrong_entry_is_told_with_its_line_and_hides_no_other() {
        for (text, line, expected) in [
            ("\nb A nonsense", 3, "IPv4"),
            ("\nb\n", 3, "data is incomplete"),
            ("b CH A 192.0.2.1", 2, "only class IN is served"),
            ("b 1h A 192.0.2.1", 2, "a TTL in seconds"),
            ("b 4294967295 A 192.0.2.1", 2, "at most 2147483647"),
            ("b A 192.0.2.1 extra", 2, "more than this type's data"),
            ("b TXT ( x", 2, "open at the end"),
            ("b TXT \"x", 2, "open at the end"),
            ("b TXT ) x", 2, "not opened"),
            ("b.. A 192.0.2.1", 2, "two dots in a row"),
            ("b NS c..d", 2, "two dots in a row"),
            ("b NS \\# 2 c000", 2, "broken"),
            ("$INCLUDE\"\"x", 2, "put spaces between"),
            ("$INCLUDE other.zone", 2, "not supported yet"),
            ("$GENERATE 1-2 a A 192.0.2.1", 2, "$GENERATE"),
        ] {
            let (records, bad) = read(&format!("a A 192.0.2.1\n{text}\n\nc A 192.0.2.1"));
            let told = bad.first().map(|it| (it.line, it.value.why.as_str()));
            assert!(
                matches!(told, Some((at, why)) if at == line && why.contains(expected)),
                "{text}: {bad:?}"
            );
            let swallowed = expected == "open at the end";
            assert_eq!(
                (records.len(), bad.len()),
                (if swallowed { 1 } else { 2 }, 1),
                "{text}: {records:?}"
            );
        }
        let (_, bad) = read(" A 192.0.2.1");
        assert!(bad[0].value.why.contains("goes with the name before it"), "{bad:?}");
    }

    fn token() -> impl Strategy<Value = String> {
        let known = prop::sample::select(vec![
            "@",
            "a",
            "a.b.",
            ".",
            "*",
            "IN",
            "CH",
            "60",
            "A",
            "AAAA",
            "NS",
            "SOA",
            "TXT",
            "MX",
            "CAA",
            "SVCB",
            "HTTPS",
            "SRV",
            "TYPE65280",
            "\\#",
            "4",
            "c0000201",
            "192.0.2.1",
            "::1",
            "\"",
            "\"a b\"",
            "(",
            ")",
            ";",
            "\n",
            "\n ",
            "\r\n",
            "$TTL",
            "$ORIGIN",
            "$INCLUDE",
            "$",
            "\\",
            "\\1",
            "\\255",
            "\\300",
            "\\@",
            "key65=\"x\"",
            "alpn=h2",
            "=",
            "é",
            "DS",
            "NAPTR",
            "DNSKEY",
            "NSEC3",
            "RRSIG",
            "TLSA",
            "SSHFP",
            "LOC",
            "HINFO",
            "DNAME",
            "CNAME",
            "PTR",
            "ZONEMD",
            "OPENPGPKEY",
            "ff",
        ]);
        prop_oneof![4 => known.prop_map(str::to_owned), 1 => "\\PC{0,8}", 1 => any::<String>()]
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(
            tokens in prop::collection::vec((token(), prop::bool::weighted(0.8)), 0..24),
        ) {
            let text: String =
                tokens.into_iter().map(|(token, space)| token + if space { " " } else { "" }).collect();
            read(&text);
        }
    }
}
