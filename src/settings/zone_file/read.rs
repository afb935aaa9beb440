//! How each part of a record's data reads as text.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::fields::Field::{self, *};
use super::fields::{algorithm, certificate};
use super::words::{Words, base32, base64, hex, number, octets, record_type, seconds, wrong};
use super::{places, rare, svcb};

impl Field {
    /// Reads text behind the data that was read before.
    pub(super) fn read(self, words: &mut Words<'_, '_>, data: &mut Vec<u8>) -> Result<(), String> {
        let expected = self.expected();
        match self {
            U8 => data.push(words.parse(expected, number)?),
            U16 => data.extend(words.parse(expected, number::<u16>)?.to_be_bytes()),
            U32 => data.extend(words.parse(expected, number::<u32>)?.to_be_bytes()),
            Seconds => data.extend(words.parse(expected, seconds)?.to_be_bytes()),
            Time => data.extend(words.parse(expected, rare::time)?.to_be_bytes()),
            V4 => data.extend(words.parse(expected, |it| it.parse::<Ipv4Addr>().ok())?.octets()),
            V6 => data.extend(words.parse(expected, |it| it.parse::<Ipv6Addr>().ok())?.octets()),
            Name => data.extend(words.name()?),
            Names => {
                while words.peek().is_some() {
                    data.extend(words.name()?);
                }
            }
            Text => counted(&octets(words.next(expected)?)?, data)?,
            Texts => {
                Text.read(words, data)?;
                while words.peek().is_some() {
                    Text.read(words, data)?;
                }
            }
            Bare => data.extend(octets(words.next(expected)?)?),
            Tag => {
                let is_tag = |it: &u8| it.is_ascii_alphanumeric();
                let tag =
                    |it: &str| Some(it.as_bytes().to_vec()).filter(|it| it.iter().all(is_tag));
                counted(&words.parse(expected, |it| tag(it).filter(|it| !it.is_empty()))?, data)?;
            }
            Hex => {
                let word = words.joined(expected)?;
                let digits = hex(&word).filter(|it| !it.is_empty());
                data.extend(digits.ok_or_else(|| wrong(&word, expected))?);
            }
            Digest(lengths) => {
                let before = data.len();
                Hex.read(words, data)?;
                let (kind, length) = (data.get(before.wrapping_sub(1)), data.len() - before);
                let known = lengths.iter().find(|(number, _)| kind == Some(number));
                if let Some((kind, right)) = known.filter(|it| it.1 != length) {
                    return Err(format!(
                        "a digest of type {kind} has {right} octets, not {length}"
                    ));
                }
            }
            Base64 => {
                let word = words.joined(expected)?;
                data.extend(base64(&word).ok_or_else(|| wrong(&word, expected))?);
            }
            MaybeBase64 => match words.peek() {
                None => {}
                // So DOA writes that there is none.
                Some(token) if token.text == "-" => drop(words.take()),
                Some(_) => Base64.read(words, data)?,
            },
            Salt => {
                let salt = |it: &str| if it == "-" { Some(Vec::new()) } else { hex(it) };
                counted(&words.parse(expected, salt)?, data)?;
            }
            Hashed => counted(&words.parse(expected, base32)?, data)?,
            Type => data.extend(words.parse(expected, record_type)?.0.to_be_bytes()),
            Types | OldTypes => {
                let known = |it: &str| record_type(it).filter(|it| self == Types || it.0 < 128);
                let mut types = Vec::new();
                while words.peek().is_some() {
                    types.push(words.parse(expected, known)?.0);
                }
                rare::set(types, self == OldTypes, data);
            }
            Algorithm => data.push(words.parse(expected, algorithm)?),
            Certificate => data.extend(words.parse(expected, certificate)?.to_be_bytes()),
            Eui(length) => data.extend(words.parse(expected, |it| rare::eui(it, length))?),
            Locator => data.extend(words.parse(expected, rare::locator)?),
            Nsap => data.extend(words.parse(expected, rare::nsap)?),
            Location => places::location(words, data, expected)?,
            Prefixes => {
                while words.peek().is_some() {
                    data.extend(words.parse(expected, places::prefix)?);
                }
            }
            Identity => rare::identity(words, data, expected)?,
            Gateway => {
                let kind = data.iter().nth_back(1).copied();
                rare::gateway(kind, words, data, expected)?;
            }
            Relay => rare::relay(words, data, expected)?,
            Services => rare::services(words, data, expected)?,
            Params => svcb::read(words, data)?,
        }
        Ok(())
    }
}

/// Adds octets behind their number.
pub(super) fn counted(octets: &[u8], data: &mut Vec<u8>) -> Result<(), String> {
    let length = u8::try_from(octets.len());
    data.push(length.map_err(|_| "a text has at most 255 octets; write several, each in quotes")?);
    data.extend(octets);
    Ok(())
}
