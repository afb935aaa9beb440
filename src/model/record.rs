use std::fmt;
use std::str::FromStr;

/// A record type's number (RFC 1035 3.2.2, RFC 3597).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RecordType(pub u16);

/// Mnemonics that Farol shows and reads, by IANA's registry. Others are written `TYPEnnn`.
const MNEMONICS: [(u16, &str); 28] = [
    (1, "A"),
    (2, "NS"),
    (5, "CNAME"),
    (6, "SOA"),
    (12, "PTR"),
    (13, "HINFO"),
    (15, "MX"),
    (16, "TXT"),
    (28, "AAAA"),
    (29, "LOC"),
    (33, "SRV"),
    (35, "NAPTR"),
    (39, "DNAME"),
    (41, "OPT"),
    (43, "DS"),
    (44, "SSHFP"),
    (46, "RRSIG"),
    (47, "NSEC"),
    (48, "DNSKEY"),
    (50, "NSEC3"),
    (51, "NSEC3PARAM"),
    (52, "TLSA"),
    (64, "SVCB"),
    (65, "HTTPS"),
    (251, "IXFR"),
    (252, "AXFR"),
    (255, "ANY"),
    (257, "CAA"),
];

impl RecordType {
    /// An IPv4 address (RFC 1035).
    pub const A: Self = Self(1);
    /// A nameserver (RFC 1035).
    pub const NS: Self = Self(2);
    /// An alias (RFC 1035).
    pub const CNAME: Self = Self(5);
    /// A zone's start of authority (RFC 1035).
    pub const SOA: Self = Self(6);
    /// Host information; what ANY is answered with (RFC 8482).
    pub const HINFO: Self = Self(13);
    /// Texts (RFC 1035).
    pub const TXT: Self = Self(16);
    /// An IPv6 address (RFC 3596).
    pub const AAAA: Self = Self(28);
    /// An alias for everything below a name (RFC 6672).
    pub const DNAME: Self = Self(39);
    /// EDNS, not a record of any name (RFC 6891).
    pub const OPT: Self = Self(41);
    /// A delegation's signer, which the parent answers for (RFC 4034).
    pub const DS: Self = Self(43);
    /// A transfer of what changed, in questions only (RFC 1995).
    pub const IXFR: Self = Self(251);
    /// A transfer of the whole zone, in questions only (RFC 5936).
    pub const AXFR: Self = Self(252);
    /// Every type, in questions only (RFC 8482).
    pub const ANY: Self = Self(255);

    /// Whether this is a type that no name has records of: OPT, and 128–255 (RFC 6895 3.1).
    pub const fn is_meta(self) -> bool {
        self.0 == Self::OPT.0 || (self.0 >= 128 && self.0 <= 255)
    }
}

impl fmt::Display for RecordType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match MNEMONICS.iter().find(|(number, _)| *number == self.0) {
            Some((_, mnemonic)) => f.write_str(mnemonic),
            None => write!(f, "TYPE{}", self.0),
        }
    }
}

impl fmt::Debug for RecordType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A text that names no record type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("write a record type such as A, AAAA, TXT or TYPE65")]
pub struct RecordTypeError;

impl FromStr for RecordType {
    type Err = RecordTypeError;

    fn from_str(text: &str) -> Result<Self, RecordTypeError> {
        let upper = text.to_ascii_uppercase();
        if let Some((number, _)) = MNEMONICS.iter().find(|(_, mnemonic)| *mnemonic == upper) {
            return Ok(Self(*number));
        }
        upper.strip_prefix("TYPE").and_then(|it| it.parse().ok()).map(Self).ok_or(RecordTypeError)
    }
}

/// The record types that profiles answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    /// A.
    V4,
    /// AAAA.
    V6,
}

impl Family {
    /// Both, in the order in which tables per family are kept.
    pub const ALL: [Self; 2] = [Self::V4, Self::V6];

    /// The family that a question of this type asks for.
    pub const fn of(record_type: RecordType) -> Option<Self> {
        match record_type {
            RecordType::A => Some(Self::V4),
            RecordType::AAAA => Some(Self::V6),
            _ => None,
        }
    }

    /// A for IPv4, AAAA for IPv6.
    pub const fn record_type(self) -> RecordType {
        match self {
            Self::V4 => RecordType::A,
            Self::V6 => RecordType::AAAA,
        }
    }

    /// Where this family's entry lies in a table of two.
    pub const fn index(self) -> usize {
        match self {
            Self::V4 => 0,
            Self::V6 => 1,
        }
    }
}

/// All records of one type at one name (RFC 2181 5), data in uncompressed wire format.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RecordSet {
    /// The records' type.
    pub record_type: RecordType,
    /// Seconds that a resolver may keep the set.
    pub ttl: u32,
    /// Each record's data, without its length.
    pub data: Box<[Box<[u8]>]>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_read_back_as_shown() {
        for number in [1, 28, 33, 65, 257, 4711] {
            let shown = RecordType(number).to_string();
            assert_eq!(shown.parse(), Ok(RecordType(number)), "{shown}");
        }
        assert_eq!("type28".parse(), Ok(RecordType::AAAA));
        assert_eq!("BOGUS".parse::<RecordType>(), Err(RecordTypeError));
    }

    #[test]
    fn only_questions_have_meta_types() {
        for (number, meta) in [
            (41, true),
            (252, true),
            (255, true),
            (128, true),
            (1, false),
            (257, false),
            (65, false),
        ] {
            assert_eq!(RecordType(number).is_meta(), meta, "{number}");
        }
    }
}
