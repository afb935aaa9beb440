//! The parameters of SVCB and HTTPS records (RFC 9460).

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr};

use super::show::{base64 as base64_text, quoted};
use super::words::{Words, base64, number, octets, wrong};
use crate::settings::tree::shortened;

const MANDATORY: u16 = 0;
const ALPN: u16 = 1;
const NO_DEFAULT_ALPN: u16 = 2;
const PORT: u16 = 3;
const IPV4HINT: u16 = 4;
const ECH: u16 = 5;
const IPV6HINT: u16 = 6;
const DOHPATH: u16 = 7;
const OHTTP: u16 = 8;
const GROUPS: u16 = 9;

/// Keys by IANA's registry; others are written as `key65000`.
const KEYS: [(u16, &str); 10] = [
    (MANDATORY, "mandatory"),
    (ALPN, "alpn"),
    (NO_DEFAULT_ALPN, "no-default-alpn"),
    (PORT, "port"),
    (IPV4HINT, "ipv4hint"),
    (ECH, "ech"),
    (IPV6HINT, "ipv6hint"),
    (DOHPATH, "dohpath"),
    (OHTTP, "ohttp"),
    (GROUPS, "tls-supported-groups"),
];

/// Reads all words as parameters.
pub(super) fn read(words: &mut Words<'_, '_>, data: &mut Vec<u8>) -> Result<(), String> {
    let mut params = BTreeMap::new();
    while let Some(token) = words.take() {
        let (name, value) = match token.text.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (token.text, None),
        };
        let key = key(name).ok_or_else(|| wrong(name, "a key such as alpn or key65000"))?;
        // Behind `key=` may stand a text in quotes, which is a token of its own.
        let quoted = words.peek().filter(|it| value == Some("") && it.is_quoted);
        let value = match quoted {
            Some(token) => {
                words.take();
                Some(token.text)
            }
            None => value,
        };
        let shown = || format!("{}={}", shortened(name), shortened(value.unwrap_or_default()));
        let octets = octets(value.unwrap_or_default())?;
        let octets = if name.starts_with("key") { Some(octets) } else { written(key, octets) };
        let octets = octets.filter(|it| is_value(key, it));
        let octets = octets.ok_or_else(|| format!("`{}` is no value of this key", shown()))?;
        if params.insert(key, octets).is_some() {
            return Err(format!("the key `{}` is there twice", shortened(name)));
        }
    }
    for (key, value) in &params {
        let Ok(length) = u16::try_from(value.len()) else {
            return Err("a parameter is longer than 65535 octets".to_owned());
        };
        data.extend(key.to_be_bytes());
        data.extend(length.to_be_bytes());
        data.extend(value);
    }
    if is_consistent(&params) {
        return Ok(());
    }
    Err("each key in `mandatory` must be there, and `no-default-alpn` goes with `alpn`".to_owned())
}

/// Whether octets are parameters in wire format: by rising keys, each with a value that it may have.
pub(super) fn is_right(mut data: &[u8]) -> bool {
    let mut params = BTreeMap::new();
    while let Some((head, rest)) = data.split_first_chunk::<4>() {
        let [key, length] = [[head[0], head[1]], [head[2], head[3]]].map(u16::from_be_bytes);
        let Some((value, rest)) = rest.split_at_checked(usize::from(length)) else { return false };
        let is_behind = params.last_key_value().is_none_or(|(last, _)| *last < key);
        if !is_behind || !is_value(key, value) {
            return false;
        }
        params.insert(key, value.to_vec());
        data = rest;
    }
    data.is_empty() && is_consistent(&params)
}

/// Parameters in wire format as text that [`read`] reads.
pub(super) fn show(mut data: &[u8]) -> Option<String> {
    let mut words = Vec::new();
    while let Some((head, rest)) = data.split_first_chunk::<4>() {
        let [key, length] = [[head[0], head[1]], [head[2], head[3]]].map(u16::from_be_bytes);
        let (value, rest) = rest.split_at_checked(usize::from(length))?;
        let value = shown(key, value)?;
        words.push(format!("{}{}{value}", key_name(key), if value.is_empty() { "" } else { "=" }));
        data = rest;
    }
    Some(words.join(" "))
}

fn key_name(key: u16) -> String {
    let known = KEYS.iter().find(|it| it.0 == key);
    known.map_or_else(|| format!("key{key}"), |it| it.1.to_owned())
}

/// What [`written`] reads; nothing for an empty value.
fn shown(key: u16, value: &[u8]) -> Option<String> {
    let list = |unit: usize, show: &dyn Fn(&[u8]) -> Option<String>| {
        let parts: Option<Vec<String>> = value.chunks(unit).map(show).collect();
        Some(parts?.join(","))
    };
    let number = |it: &[u8]| Some(u16::from_be_bytes(*it.first_chunk()?));
    match key {
        _ if value.is_empty() => Some(String::new()),
        MANDATORY => list(2, &|it| number(it).map(key_name)),
        ALPN => {
            let (mut protocols, mut rest) = (Vec::new(), value);
            while let Some((length, tail)) = rest.split_first() {
                let (protocol, tail) = tail.split_at_checked(usize::from(*length))?;
                let escape =
                    |it: &u8| if b",\\".contains(it) { vec![b'\\', *it] } else { vec![*it] };
                protocols.push(protocol.iter().flat_map(escape).collect::<Vec<u8>>());
                rest = tail;
            }
            Some(quoted(&protocols.join(&b',')))
        }
        PORT | GROUPS => list(2, &|it| Some(number(it)?.to_string())),
        IPV4HINT => list(4, &|it| Some(Ipv4Addr::from(*it.first_chunk()?).to_string())),
        IPV6HINT => list(16, &|it| Some(Ipv6Addr::from(*it.first_chunk()?).to_string())),
        ECH => Some(base64_text(value)),
        _ => Some(quoted(value)),
    }
}

fn key(name: &str) -> Option<u16> {
    let known = KEYS.iter().find(|(_, it)| *it == name);
    let by_number = || number(name.strip_prefix("key")?).filter(|it| *it != u16::MAX);
    known.map_or_else(by_number, |it| Some(it.0))
}

/// The value in wire format, from a text without its escapes.
fn written(key: u16, text: Vec<u8>) -> Option<Vec<u8>> {
    let as_text = |it: &[u8]| std::str::from_utf8(it).ok().map(str::to_owned);
    let list = |of: &dyn Fn(&str) -> Option<Vec<u8>>| {
        let parts: Option<Vec<Vec<u8>>> = as_text(&text)?.split(',').map(of).collect();
        Some(parts?.concat())
    };
    match key {
        MANDATORY => {
            let keys: Option<Vec<u16>> = as_text(&text)?.split(',').map(self::key).collect();
            let mut keys = keys?;
            keys.sort_unstable();
            Some(keys.into_iter().flat_map(u16::to_be_bytes).collect())
        }
        ALPN => {
            let mut data = Vec::new();
            for protocol in protocols(&text)? {
                data.push(u8::try_from(protocol.len()).ok()?);
                data.extend(protocol);
            }
            Some(data)
        }
        PORT => Some(number::<u16>(&as_text(&text)?)?.to_be_bytes().into()),
        IPV4HINT => list(&|it| Some(it.parse::<Ipv4Addr>().ok()?.octets().into())),
        IPV6HINT => list(&|it| Some(it.parse::<Ipv6Addr>().ok()?.octets().into())),
        ECH => base64(&as_text(&text)?),
        GROUPS => list(&|it| Some(number::<u16>(it)?.to_be_bytes().into())),
        _ => Some(text),
    }
}

/// The parts of a list with commas, in which a backslash goes before a comma or a backslash (RFC 9460 A.1).
fn protocols(text: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut parts = vec![Vec::new()];
    let mut octets = text.iter();
    while let Some(octet) = octets.next() {
        match octet {
            b',' => parts.push(Vec::new()),
            b'\\' => parts.last_mut()?.push(*octets.next().filter(|it| b",\\".contains(it))?),
            _ => parts.last_mut()?.push(*octet),
        }
    }
    Some(parts)
}

/// Whether a key may have this value, by itself.
fn is_value(key: u16, value: &[u8]) -> bool {
    let filled = |unit: usize| !value.is_empty() && value.len().is_multiple_of(unit);
    match key {
        MANDATORY => {
            let keys: Vec<&[u8]> = value.chunks(2).collect();
            filled(2) && keys.is_sorted_by(|a, b| a < b) && keys.first() != Some(&&[0, 0][..])
        }
        ALPN => {
            let mut rest = value;
            while let Some((length, tail)) = rest.split_first() {
                match tail.split_at_checked(usize::from(*length)) {
                    Some((_, tail)) if *length > 0 => rest = tail,
                    _ => return false,
                }
            }
            !value.is_empty()
        }
        NO_DEFAULT_ALPN | OHTTP => value.is_empty(),
        PORT => value.len() == 2,
        IPV4HINT => filled(4),
        ECH => filled(1),
        IPV6HINT => filled(16),
        DOHPATH => std::str::from_utf8(value).is_ok_and(|it| it.contains("{?dns}")),
        GROUPS => filled(2),
        _ => true,
    }
}

/// Whether no parameter needs another one that isn't there (RFC 9460 7.1.1 and 8).
fn is_consistent(params: &BTreeMap<u16, Vec<u8>>) -> bool {
    let mandatory = params.get(&MANDATORY).map(Vec::as_slice).unwrap_or_default();
    let keys = mandatory.chunks(2).map(|it| it.iter().fold(0, |sum, it| sum << 8 | u16::from(*it)));
    let alpn = !params.contains_key(&NO_DEFAULT_ALPN) || params.contains_key(&ALPN);
    alpn && keys.into_iter().all(|it| params.contains_key(&it))
}
