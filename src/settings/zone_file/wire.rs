//! Whether data in hexadecimal (RFC 3597 5) is what its type's data must be: resolvers have to read it.

use super::fields::Field::{self, *};
use super::svcb;
use crate::model::MAX_NAME;

/// Whether data is these parts and nothing more.
pub(super) fn is_right(fields: &[Field], data: &[u8]) -> bool {
    let end = fields.iter().try_fold(0, |at, field| field.skip(data, at));
    end == Some(data.len())
}

impl Field {
    /// Where this part ends that begins there. None if it is not what it must be.
    pub(super) fn skip(self, data: &[u8], at: usize) -> Option<usize> {
        let rest = data.get(at..)?;
        let fixed = |length: usize| (rest.len() >= length).then_some(at + length);
        let before = |back: usize| data.get(at.checked_sub(back)?).copied();
        match self {
            U8 | Algorithm => fixed(1),
            U16 | Type | Certificate => fixed(2),
            U32 | Seconds | Time | V4 => fixed(4),
            Locator => fixed(8),
            V6 => fixed(16),
            Eui(length) => fixed(length),
            Name => Some(at + name(rest)?),
            Names => whole(data, at, name),
            Text => fixed(1 + usize::from(*rest.first()?)),
            Texts => {
                let end = whole(data, at, |rest| Some(1 + usize::from(*rest.first()?)))?;
                (!rest.is_empty()).then_some(end)
            }
            Salt | Hashed => fixed(1 + usize::from(*rest.first()?)),
            Tag => {
                let end = Text.skip(data, at).filter(|it| *it > at + 1)?;
                data.get(at + 1..end)?.iter().all(u8::is_ascii_alphanumeric).then_some(end)
            }
            Bare | MaybeBase64 => Some(data.len()),
            Hex | Base64 | Nsap => (!rest.is_empty()).then_some(data.len()),
            Digest(lengths) => {
                let kind = before(1)?;
                let known = lengths.iter().find(|(number, _)| *number == kind);
                let fits = known.map_or(!rest.is_empty(), |it| it.1 == rest.len());
                fits.then_some(data.len())
            }
            Types => whole(data, at, window),
            OldTypes => (1..=16).contains(&rest.len()).then_some(data.len()),
            Location => (rest.len() == 16 && rest.starts_with(&[0])).then_some(data.len()),
            Prefixes => whole(data, at, prefix),
            Identity => {
                let [short, _, high, low] = *rest.first_chunk::<4>()?;
                fixed(4 + usize::from(short) + usize::from(u16::from_be_bytes([high, low])))
            }
            Gateway => gateway(before(2)?, data, at),
            Relay => gateway(*rest.first()? & 0x7f, data, at + 1),
            Services => (1..=1 + 8192).contains(&rest.len()).then_some(data.len()),
            Params => svcb::is_right(rest).then_some(data.len()),
        }
    }
}

/// Goes on to the end of the data in steps.
fn whole(data: &[u8], mut at: usize, step: impl Fn(&[u8]) -> Option<usize>) -> Option<usize> {
    while at < data.len() {
        at += step(data.get(at..)?)?;
    }
    (at == data.len()).then_some(at)
}

/// The length of an uncompressed name.
fn name(wire: &[u8]) -> Option<usize> {
    let mut at = 0;
    while at < MAX_NAME {
        match wire.get(at)? {
            0 => return Some(at + 1),
            length @ 1..=63 => at += 1 + usize::from(*length),
            _ => return None,
        }
    }
    None
}

/// The length of a window of record types, which ends in a type that is in the set (RFC 4034 4.1.2).
fn window(rest: &[u8]) -> Option<usize> {
    let length = usize::from(*rest.get(1)?);
    let last = rest.get(2..2 + length)?.last()?;
    (length <= 32 && *last != 0).then_some(2 + length)
}

/// The length of an address prefix (RFC 3123 4), which doesn't end in an octet of 0.
fn prefix(rest: &[u8]) -> Option<usize> {
    let [high, low, bits, length] = *rest.first_chunk::<4>()?;
    let length = usize::from(length & 0x7f);
    let (most_bits, most) = match u16::from_be_bytes([high, low]) {
        1 => (32, 4),
        2 => (128, 16),
        _ => (u8::MAX, 127),
    };
    let part = rest.get(4..4 + length)?;
    (bits <= most_bits && length <= most && part.last() != Some(&0)).then_some(4 + length)
}

fn gateway(kind: u8, data: &[u8], at: usize) -> Option<usize> {
    match kind {
        0 => Some(at),
        1 => V4.skip(data, at),
        2 => V6.skip(data, at),
        3 => Name.skip(data, at),
        _ => None,
    }
}
