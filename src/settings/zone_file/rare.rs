//! The parts of data that only one or two types have.

use std::net::{Ipv4Addr, Ipv6Addr};

use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::words::{Words, base64, hex, number, wrong};

/// A moment as YYYYMMDDHHmmSS or seconds since 1970, modulo 2^32 (RFC 4034 3.2).
pub(super) fn time(word: &str) -> Option<u32> {
    if word.len() != 14 || !word.bytes().all(|it| it.is_ascii_digit()) {
        return number(word);
    }
    let time = DateTime::strptime("%Y%m%d%H%M%S", word).ok()?.to_zoned(TimeZone::UTC).ok()?;
    Some(time.timestamp().as_second() as u32)
}

/// A set of record types, as bits in windows of 256 (RFC 4034 4.1.2), or all in one (RFC 2535 5.2).
pub(super) fn set(mut types: Vec<u16>, is_old: bool, data: &mut Vec<u8>) {
    if is_old {
        data.extend(bits(types));
        return;
    }
    types.sort_unstable();
    for window in types.chunk_by(|a, b| a >> 8 == b >> 8) {
        let octets = bits(window.iter().map(|it| it & 0xff));
        data.extend(window.first().map(|it| (it >> 8) as u8));
        data.push(octets.len() as u8);
        data.extend(octets);
    }
}

/// Numbers as bits, the first octet's highest bit for 0.
fn bits(numbers: impl IntoIterator<Item = u16>) -> Vec<u8> {
    let mut octets = Vec::new();
    for number in numbers {
        let at = usize::from(number / 8);
        if octets.len() <= at {
            octets.resize(at + 1, 0);
        }
        if let Some(octet) = octets.get_mut(at) {
            *octet |= 0x80 >> (number % 8);
        }
    }
    octets
}

/// An EUI-48 or EUI-64 address (RFC 7043).
pub(super) fn eui(word: &str, length: usize) -> Option<Vec<u8>> {
    let groups: Vec<&str> = word.split('-').collect();
    let is_whole = groups.len() == length && groups.iter().all(|it| it.len() == 2);
    is_whole.then(|| hex(&groups.concat())).flatten()
}

/// A locator or node identifier of ILNP (RFC 6742).
pub(super) fn locator(word: &str) -> Option<Vec<u8>> {
    let groups: Vec<&str> = word.split(':').collect();
    let is_whole = groups.len() == 4 && groups.iter().all(|it| (1..=4).contains(&it.len()));
    let digits: String = groups.iter().map(|it| format!("{it:0>4}")).collect();
    is_whole.then(|| hex(&digits)).flatten()
}

/// An NSAP address (RFC 1706).
pub(super) fn nsap(word: &str) -> Option<Vec<u8>> {
    let digits = word.strip_prefix("0x").or_else(|| word.strip_prefix("0X"))?;
    hex(&digits.replace('.', "")).filter(|it| !it.is_empty())
}

/// What HIP records begin with (RFC 8005 5 and 6).
pub(super) fn identity(
    words: &mut Words<'_, '_>,
    data: &mut Vec<u8>,
    expected: &str,
) -> Result<(), String> {
    let algorithm: u8 = words.parse(expected, number)?;
    let identity = words.parse(expected, hex)?;
    let key = words.parse(expected, base64)?;
    let (Ok(short), Ok(long)) = (u8::try_from(identity.len()), u16::try_from(key.len())) else {
        return Err(format!("{expected} has too many octets"));
    };
    data.extend([short, algorithm]);
    data.extend(long.to_be_bytes());
    data.extend(identity);
    data.extend(key);
    Ok(())
}

/// The gateway of an IPSECKEY record (RFC 4025 3.1), or the relay of an AMTRELAY record, by the type of what it is.
pub(super) fn gateway(
    kind: Option<u8>,
    words: &mut Words<'_, '_>,
    data: &mut Vec<u8>,
    expected: &str,
) -> Result<(), String> {
    match kind {
        Some(0) => {
            let word = words.next(expected)?;
            if word == "." { Ok(()) } else { Err(wrong(word, "`.`, since there is none,")) }
        }
        Some(1) => {
            data.extend(words.parse(expected, |it| it.parse::<Ipv4Addr>().ok())?.octets());
            Ok(())
        }
        Some(2) => {
            data.extend(words.parse(expected, |it| it.parse::<Ipv6Addr>().ok())?.octets());
            Ok(())
        }
        Some(3) => {
            data.extend(words.name()?);
            Ok(())
        }
        _ => Err("the type is 0 (none), 1 (IPv4), 2 (IPv6) or 3 (a name)".to_owned()),
    }
}

/// What is behind the precedence of an AMTRELAY record (RFC 8777 4.3).
pub(super) fn relay(
    words: &mut Words<'_, '_>,
    data: &mut Vec<u8>,
    expected: &str,
) -> Result<(), String> {
    let discovery: u8 = words.parse(expected, |it| number(it).filter(|it| *it < 2))?;
    let kind: u8 = words.parse(expected, |it| number(it).filter(|it| *it < 4))?;
    data.push(discovery << 7 | kind);
    gateway(Some(kind), words, data, expected)
}

/// Services by the names that old zones have; others by their ports.
const SERVICES: [(&str, u16); 16] = [
    ("echo", 7),
    ("discard", 9),
    ("daytime", 13),
    ("ftp-data", 20),
    ("ftp", 21),
    ("ssh", 22),
    ("telnet", 23),
    ("smtp", 25),
    ("time", 37),
    ("domain", 53),
    ("tftp", 69),
    ("finger", 79),
    ("http", 80),
    ("pop3", 110),
    ("ntp", 123),
    ("https", 443),
];

/// What is behind the address of a WKS record (RFC 1035 3.4.2).
pub(super) fn services(
    words: &mut Words<'_, '_>,
    data: &mut Vec<u8>,
    expected: &str,
) -> Result<(), String> {
    let protocol = |it: &str| match it.to_ascii_lowercase().as_str() {
        "icmp" => Some(1),
        "tcp" => Some(6),
        "udp" => Some(17),
        _ => number(it),
    };
    data.push(words.parse(expected, protocol)?);
    let port = |it: &str| {
        let known = SERVICES.iter().find(|(name, _)| name.eq_ignore_ascii_case(it));
        known.map_or_else(|| number(it), |it| Some(it.1))
    };
    let mut ports = Vec::new();
    while words.peek().is_some() {
        ports.push(words.parse(expected, port)?);
    }
    data.extend(bits(ports));
    Ok(())
}
