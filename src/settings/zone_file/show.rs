//! Record data as text, in the way that `read` reads it.

use std::fmt::Write;
use std::net::{Ipv4Addr, Ipv6Addr};

use super::fields::Field::{self, *};
use super::fields::fields;
use super::svcb;
use crate::model::{Name as Domain, RecordType};

/// A record's data in presentation format. What has no text of its own type here is in that of RFC 3597 5.
pub(crate) fn presentation(record_type: RecordType, data: &[u8]) -> String {
    fields(record_type).and_then(|it| words(it, data)).unwrap_or_else(|| unknown(data))
}

/// `\# 4 c0000201`.
fn unknown(data: &[u8]) -> String {
    format!("\\# {} {}", data.len(), hex(data)).trim_end().to_owned()
}

fn words(fields: &[Field], data: &[u8]) -> Option<String> {
    let (mut words, mut at) = (Vec::new(), 0);
    for field in fields {
        let end = field.skip(data, at)?;
        let word = field.show(data.get(at..end)?, data.get(..at)?)?;
        words.extend(Some(word).filter(|it| !it.is_empty()));
        at = end;
    }
    (at == data.len()).then(|| words.join(" "))
}

impl Field {
    /// This part as text; `before` is the data in front of it.
    fn show(self, part: &[u8], before: &[u8]) -> Option<String> {
        Some(match self {
            U8 | U16 | U32 | Seconds | Time | Algorithm | Certificate => number(part).to_string(),
            V4 => Ipv4Addr::from(*part.first_chunk()?).to_string(),
            V6 => Ipv6Addr::from(*part.first_chunk()?).to_string(),
            Name | Names => names(part)?,
            Text | Texts => texts(part)?,
            Bare => quoted(part),
            Tag => String::from_utf8_lossy(part.get(1..)?).into_owned(),
            Hex | Digest(_) => hex(part),
            Base64 | MaybeBase64 => base64(part),
            Salt if part.len() == 1 => "-".to_owned(),
            Salt => hex(part.get(1..)?),
            Hashed => base32(part.get(1..)?),
            Type => record_type(number(part) as u16),
            Types => types(part)?,
            OldTypes => bits(part, 0),
            Eui(_) => groups(part, 1, "-"),
            Locator => groups(part, 2, ":"),
            Nsap => format!("0x{}", hex(part)),
            Gateway => gateway(*before.iter().nth_back(1)?, part)?,
            Relay => {
                let (kind, relay) = part.split_first()?;
                format!("{} {} {}", kind >> 7, kind & 0x7f, gateway(kind & 0x7f, relay)?)
            }
            Params => svcb::show(part)?,
            Location | Prefixes | Identity | Services => return None,
        })
    }
}

fn number(octets: &[u8]) -> u32 {
    octets.iter().fold(0, |sum, it| sum << 8 | u32::from(*it))
}

fn names(mut wire: &[u8]) -> Option<String> {
    let mut names = Vec::new();
    while !wire.is_empty() {
        let (name, rest) = wire.split_at_checked(Name.skip(wire, 0)?)?;
        names.push(Domain::from_wire(name).ok()?.to_string());
        wire = rest;
    }
    Some(names.join(" "))
}

fn texts(mut part: &[u8]) -> Option<String> {
    let mut texts = Vec::new();
    while let Some((length, rest)) = part.split_first() {
        let (text, rest) = rest.split_at_checked(usize::from(*length))?;
        texts.push(quoted(text));
        part = rest;
    }
    Some(texts.join(" "))
}

/// A text in quotes, with escapes where they are needed (RFC 1035 5.1).
pub(super) fn quoted(text: &[u8]) -> String {
    format!("\"{}\"", escaped(text))
}

fn escaped(text: &[u8]) -> String {
    let mut shown = String::with_capacity(text.len());
    for octet in text {
        // Writing to a string never fails.
        let _ = match octet {
            b'"' | b'\\' => write!(shown, "\\{}", char::from(*octet)),
            b' '..=b'~' => write!(shown, "{}", char::from(*octet)),
            _ => write!(shown, "\\{octet:03}"),
        };
    }
    shown
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|it| format!("{it:02x}")).collect()
}

fn groups(octets: &[u8], of: usize, between: &str) -> String {
    octets.chunks(of).map(hex).collect::<Vec<_>>().join(between)
}

pub(super) fn base64(octets: &[u8]) -> String {
    use ::base64::Engine as _;
    ::base64::engine::general_purpose::STANDARD.encode(octets)
}

/// Without padding, in the extended hex alphabet (RFC 5155 3.3).
fn base32(octets: &[u8]) -> String {
    let digit = |chunk: &[u8], at: usize| {
        let bit = |it: usize| chunk.get(it / 8).map_or(0, |octet| octet >> (7 - it % 8) & 1);
        let value = (at * 5..at * 5 + 5).fold(0, |sum, it| sum << 1 | bit(it));
        char::from_digit(value.into(), 32).unwrap_or_default()
    };
    let digits = (octets.len() * 8).div_ceil(5);
    (0..digits).map(|it| digit(octets, it)).collect()
}

fn record_type(number: u16) -> String {
    RecordType(number).to_string()
}

/// A set of record types, window by window (RFC 4034 4.1.2).
fn types(mut part: &[u8]) -> Option<String> {
    let mut shown = Vec::new();
    while let Some(([window, length], rest)) = part.split_first_chunk() {
        let (octets, rest) = rest.split_at_checked(usize::from(*length))?;
        shown.push(bits(octets, u16::from(*window) << 8));
        part = rest;
    }
    Some(shown.join(" "))
}

fn bits(octets: &[u8], base: u16) -> String {
    let is_set = |it: &u16| {
        octets.get(usize::from(it / 8)).is_some_and(|octet| octet & (0x80 >> (it % 8)) != 0)
    };
    let all = 0..octets.len() as u16 * 8;
    let types: Vec<String> = all.filter(is_set).map(|it| record_type(base + it)).collect();
    types.join(" ")
}

fn gateway(kind: u8, part: &[u8]) -> Option<String> {
    match kind {
        0 => Some(".".to_owned()),
        1 => V4.show(part, &[]),
        2 => V6.show(part, &[]),
        3 => names(part),
        _ => None,
    }
}
