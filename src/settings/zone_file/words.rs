//! The words of one record's data, taken one after the other, and what single words mean.

use std::slice::Iter;

use super::tokens::Token;
use crate::model::{RecordType, unescape, wire_below};
use crate::settings::tree::shortened;

/// RFC 2181 8.
pub(super) const TTL_MAX: u32 = (1 << 31) - 1;

/// What is left of an entry's words.
pub(super) struct Words<'e, 't> {
    rest: Iter<'e, Token<'t>>,
    /// What names without a dot at the end are below.
    origin: &'e [u8],
}

impl<'e, 't> Words<'e, 't> {
    pub(super) fn new(tokens: &'e [Token<'t>], origin: &'e [u8]) -> Self {
        Self { rest: tokens.iter(), origin }
    }

    pub(super) fn peek(&self) -> Option<Token<'t>> {
        self.rest.clone().next().copied()
    }

    pub(super) fn take(&mut self) -> Option<Token<'t>> {
        self.rest.next().copied()
    }

    /// The next word, which must be there.
    pub(super) fn next(&mut self, expected: &str) -> Result<&'t str, String> {
        let token = self.take();
        Ok(token.ok_or_else(|| format!("the data is incomplete: {expected} is missing"))?.text)
    }

    /// The next word as what `read` makes of it.
    pub(super) fn parse<T>(
        &mut self,
        expected: &str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T, String> {
        let word = self.next(expected)?;
        read(word).ok_or_else(|| wrong(word, expected))
    }

    /// A name in uncompressed wire format, letters as they are written.
    pub(super) fn name(&mut self) -> Result<Vec<u8>, String> {
        let word = self.next("a name")?;
        name(word, self.origin)
    }

    /// All words that are left as one, of which there has to be one.
    pub(super) fn joined(&mut self, expected: &str) -> Result<String, String> {
        let first = self.next(expected)?;
        Ok(self.rest.by_ref().fold(first.to_owned(), |all, it| all + it.text))
    }

    /// Complains about words that nobody has taken.
    pub(super) fn end(mut self) -> Result<(), String> {
        self.take().map_or(Ok(()), |it| {
            Err(format!("there is more than this type's data, from `{}` on", shortened(it.text)))
        })
    }
}

/// What to say of a word that is not what it should be.
pub(super) fn wrong(word: &str, expected: &str) -> String {
    format!("`{}` stands where {expected} is expected", shortened(word))
}

/// A name in wire format; `@` is the origin.
pub(super) fn name(word: &str, origin: &[u8]) -> Result<Vec<u8>, String> {
    if word == "@" {
        return Ok(origin.to_owned());
    }
    wire_below(word, origin).map_err(|error| format!("the name `{}` {error}", shortened(word)))
}

/// A whole number in decimal digits.
pub(super) fn number<T: TryFrom<u64>>(word: &str) -> Option<T> {
    let is_digits = !word.is_empty() && word.bytes().all(|it| it.is_ascii_digit());
    T::try_from(word.parse().ok().filter(|_| is_digits)?).ok()
}

/// Seconds, or numbers with units such as `1h30m`, as BIND and Knot take them.
pub(super) fn seconds(word: &str) -> Option<u32> {
    if word.is_empty() || word.bytes().all(|it| it.is_ascii_digit()) {
        return number(word);
    }
    let mut total = 0_u64;
    let mut rest = word;
    while !rest.is_empty() {
        let (digits, tail) = rest.split_at(rest.find(|it: char| !it.is_ascii_digit())?);
        let unit = match tail.bytes().next()?.to_ascii_lowercase() {
            b's' => 1,
            b'm' => 60,
            b'h' => 3600,
            b'd' => 86_400,
            b'w' => 604_800,
            _ => return None,
        };
        total = number::<u32>(digits).map(u64::from)?.checked_mul(unit)?.checked_add(total)?;
        rest = tail.get(1..)?;
    }
    u32::try_from(total).ok()
}

/// A text's octets, without its escapes.
pub(super) fn octets(word: &str) -> Result<Vec<u8>, String> {
    let mut octets = Vec::with_capacity(word.len());
    let mut rest = word.as_bytes();
    while let Some((octet, tail)) = rest.split_first() {
        rest = tail;
        octets.push(match octet {
            b'\\' => unescape(&mut rest).map_err(|it| format!("`{}` {it}", shortened(word)))?,
            _ => *octet,
        });
    }
    Ok(octets)
}

/// Pairs of hexadecimal digits.
pub(super) fn hex(word: &str) -> Option<Vec<u8>> {
    let digit = |it: u8| char::from(it).to_digit(16);
    let pair = |pair: &[u8]| match *pair {
        [high, low] => u8::try_from(digit(high)? * 16 + digit(low)?).ok(),
        _ => None,
    };
    word.as_bytes().chunks(2).map(pair).collect()
}

/// Base64 (RFC 4648 4), padded.
pub(super) fn base64(word: &str) -> Option<Vec<u8>> {
    let data = word.trim_end_matches('=');
    let digit = |it: u8| match it {
        b'A'..=b'Z' => Some(it - b'A'),
        b'a'..=b'z' => Some(it - b'a' + 26),
        b'0'..=b'9' => Some(it - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    };
    let padding = word.len() - data.len();
    if !word.len().is_multiple_of(4) || padding > 2 {
        return None;
    }
    unpack(data, 6, digit)
}

/// Base32 with the extended hex alphabet (RFC 4648 7), without padding, as NSEC3 has it (RFC 5155 3.3).
pub(super) fn base32(word: &str) -> Option<Vec<u8>> {
    let digit = |it: u8| match it.to_ascii_lowercase() {
        it @ b'0'..=b'9' => Some(it - b'0'),
        it @ b'a'..=b'v' => Some(it - b'a' + 10),
        _ => None,
    };
    unpack(word, 5, digit)
}

/// Digits of so many bits as octets. Bits that are left over must be 0 and fewer than one digit has.
fn unpack(word: &str, bits: u32, digit: impl Fn(u8) -> Option<u8>) -> Option<Vec<u8>> {
    let mut octets = Vec::with_capacity(word.len());
    let (mut held, mut kept) = (0_u32, 0);
    for character in word.bytes() {
        held = held << bits | u32::from(digit(character)?);
        kept += bits;
        if kept >= 8 {
            kept -= 8;
            octets.push((held >> kept) as u8);
            held &= (1 << kept) - 1;
        }
    }
    (held == 0 && kept < bits).then_some(octets)
}

/// A record type by mnemonic or number; 0 is none (RFC 6895 3.1).
pub(super) fn record_type(word: &str) -> Option<RecordType> {
    word.parse().ok().filter(|it: &RecordType| it.0 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ttls_have_units() {
        for (word, expected) in [
            ("0", Some(0)),
            ("4294967295", Some(u32::MAX)),
            ("4294967296", None),
            ("1h30m", Some(5400)),
            ("2W1D", Some(15 * 86_400)),
            ("30s", Some(30)),
            ("1h30", None),
            ("h", None),
            ("1y", None),
            ("+1", None),
            ("-1", None),
            ("", None),
            ("9999999w", None),
        ] {
            assert_eq!(seconds(word), expected, "{word}");
        }
    }

    #[test]
    fn digits_become_octets() {
        for (word, expected) in [
            ("AQID", Some(&b"\x01\x02\x03"[..])),
            ("AQI=", Some(b"\x01\x02")),
            ("AQ==", Some(b"\x01")),
            ("AA==", Some(b"\x00")),
            ("AQ", None),
            ("AR==", None),
            ("A===", None),
            ("AQ=D", None),
            ("A-_D", None),
        ] {
            assert_eq!(base64(word).as_deref(), expected, "{word}");
        }
        assert_eq!(base32("04hG").as_deref(), Some(&b"\x01\x23"[..]));
        assert_eq!(base32("2vptu5timamqttgl4luu9kg21e0aor3s").map(|it| it.len()), Some(20));
        assert_eq!((base32("w0"), base32("0")), (None, None));
        assert_eq!(hex("00fF").as_deref(), Some(&b"\x00\xff"[..]));
        assert_eq!((hex("0"), hex("0g"), hex("é")), (None, None, None));
    }

    #[test]
    fn texts_lose_their_escapes() {
        assert_eq!(octets(r#"a\"b\\\255é"#).as_deref(), Ok(&b"a\"b\\\xff\xc3\xa9"[..]));
        for bad in [r"a\", r"a\1", r"a\256", r"a\1x2"] {
            assert!(octets(bad).unwrap_err().contains("broken escape"), "{bad}");
        }
    }
}
