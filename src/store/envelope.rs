//! The wrapping of a state file: the format's version, so that an older Farol doesn't misread what a newer one wrote, and
//! a checksum, so that what a failing disk changed is not taken for an operator's wish.

use std::fmt::Write as _;

use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// The version that this Farol writes, and the newest that it reads.
const VERSION: u32 = 1;

/// Why a state file can't be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum Damage {
    #[error("it is not the JSON that Farol writes ({0})")]
    Syntax(#[from] serde_json::Error),
    #[error(
        "it is of version {0}, and this Farol reads up to version {VERSION}: a newer one wrote it"
    )]
    Newer(u32),
    #[error("its checksum does not fit its content")]
    Checksum,
    #[error("{0}")]
    Value(String),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope<'a> {
    version: u32,
    sha256: String,
    /// Kept as the text that it is: the checksum is over its bytes.
    #[serde(borrow)]
    payload: &'a RawValue,
}

/// The version alone: the rest of a newer file may look like nothing we know.
#[derive(Deserialize)]
struct Versioned {
    version: u32,
}

/// Wraps a payload.
pub(super) fn seal(payload: serde_json::Result<String>) -> serde_json::Result<Vec<u8>> {
    let payload = RawValue::from_string(payload?)?;
    let sha256 = hex(digest(&SHA256, payload.get().as_bytes()).as_ref());
    let mut bytes = serde_json::to_vec(&Envelope { version: VERSION, sha256, payload: &payload })?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// Takes the payload out, once it is known to be what was put in.
pub(super) fn open(bytes: &[u8]) -> Result<&str, Damage> {
    let Versioned { version } = serde_json::from_slice(bytes)?;
    match version {
        0 => return Err(Damage::Value("there never was a version 0".to_owned())),
        1..=VERSION => {}
        _ => return Err(Damage::Newer(version)),
    }
    let envelope: Envelope<'_> = serde_json::from_slice(bytes)?;
    let payload = envelope.payload.get();
    if hex(digest(&SHA256, payload.as_bytes()).as_ref()) != envelope.sha256 {
        return Err(Damage::Checksum);
    }
    Ok(payload)
}

/// Octets in lower-case hexadecimal.
pub(super) fn hex(octets: &[u8]) -> String {
    let mut text = String::with_capacity(octets.len() * 2);
    for octet in octets {
        let _ = write!(text, "{octet:02x}"); // writing to a String can't fail
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_put_in_comes_out() {
        let payload = r#"{"a": [1, 2],  "b":"\u00e9"}"#;
        let sealed = seal(Ok(payload.to_owned())).unwrap();
        assert_eq!(open(&sealed).unwrap(), payload);
    }

    #[test]
    fn any_flipped_bit_and_any_cut_is_noticed() {
        let payload = r#"{"weight":20,"by":"ann"}"#;
        let sealed = seal(Ok(payload.to_owned())).unwrap();
        for at in 0..sealed.len() {
            for bit in 0..8 {
                let mut flipped = sealed.clone();
                flipped[at] ^= 1 << bit;
                assert!(open(&flipped).is_err(), "octet {at}, bit {bit}");
            }
        }
        for length in 0..sealed.len() - 1 {
            assert!(open(&sealed[..length]).is_err(), "cut to {length}");
        }
    }

    #[test]
    fn a_newer_version_is_told_from_damage() {
        let newer = br#"{"version":2,"content":"of another kind"}"#;
        assert!(matches!(open(newer), Err(Damage::Newer(2))));
        assert!(matches!(open(b"{}"), Err(Damage::Syntax(_))));
        let wrong = br#"{"version":1,"sha256":"00","payload":{}}"#;
        assert!(matches!(open(wrong), Err(Damage::Checksum)));
    }
}
