use std::fmt;
use std::str::FromStr;

/// A record type's number (RFC 1035 3.2.2, RFC 3597).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RecordType(pub u16);

/// Mnemonics that Farol shows and reads, by IANA's registry. Others are written `TYPEnnn`.
const MNEMONICS: [(u16, &str); 87] = [
    (1, "A"),
    (2, "NS"),
    (3, "MD"),
    (4, "MF"),
    (5, "CNAME"),
    (6, "SOA"),
    (7, "MB"),
    (8, "MG"),
    (9, "MR"),
    (10, "NULL"),
    (11, "WKS"),
    (12, "PTR"),
    (13, "HINFO"),
    (14, "MINFO"),
    (15, "MX"),
    (16, "TXT"),
    (17, "RP"),
    (18, "AFSDB"),
    (19, "X25"),
    (20, "ISDN"),
    (21, "RT"),
    (22, "NSAP"),
    (23, "NSAP-PTR"),
    (24, "SIG"),
    (25, "KEY"),
    (26, "PX"),
    (27, "GPOS"),
    (28, "AAAA"),
    (29, "LOC"),
    (30, "NXT"),
    (31, "EID"),
    (32, "NIMLOC"),
    (33, "SRV"),
    (34, "ATMA"),
    (35, "NAPTR"),
    (36, "KX"),
    (37, "CERT"),
    (38, "A6"),
    (39, "DNAME"),
    (40, "SINK"),
    (41, "OPT"),
    (42, "APL"),
    (43, "DS"),
    (44, "SSHFP"),
    (45, "IPSECKEY"),
    (46, "RRSIG"),
    (47, "NSEC"),
    (48, "DNSKEY"),
    (49, "DHCID"),
    (50, "NSEC3"),
    (51, "NSEC3PARAM"),
    (52, "TLSA"),
    (53, "SMIMEA"),
    (55, "HIP"),
    (56, "NINFO"),
    (57, "RKEY"),
    (58, "TALINK"),
    (59, "CDS"),
    (60, "CDNSKEY"),
    (61, "OPENPGPKEY"),
    (62, "CSYNC"),
    (63, "ZONEMD"),
    (64, "SVCB"),
    (65, "HTTPS"),
    (99, "SPF"),
    (104, "NID"),
    (105, "L32"),
    (106, "L64"),
    (107, "LP"),
    (108, "EUI48"),
    (109, "EUI64"),
    (249, "TKEY"),
    (250, "TSIG"),
    (251, "IXFR"),
    (252, "AXFR"),
    (253, "MAILB"),
    (254, "MAILA"),
    (255, "ANY"),
    (256, "URI"),
    (257, "CAA"),
    (258, "AVC"),
    (259, "DOA"),
    (260, "AMTRELAY"),
    (261, "RESINFO"),
    (262, "WALLET"),
    (32768, "TA"),
    (32769, "DLV"),
];

impl RecordType {
    /// The mnemonics that are shown and read.
    pub fn mnemonics() -> impl Iterator<Item = &'static str> {
        MNEMONICS.iter().map(|it| it.1)
    }

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
    /// A mail server (RFC 1035).
    pub const MX: Self = Self(15);
    /// Texts (RFC 1035).
    pub const TXT: Self = Self(16);
    /// An IPv6 address (RFC 3596).
    pub const AAAA: Self = Self(28);
    /// A service's server (RFC 2782).
    pub const SRV: Self = Self(33);
    /// An alias for everything below a name (RFC 6672).
    pub const DNAME: Self = Self(39);
    /// EDNS, not a record of any name (RFC 6891).
    pub const OPT: Self = Self(41);
    /// A delegation's signer, which the parent answers for (RFC 4034).
    pub const DS: Self = Self(43);
    /// A signature (RFC 4034).
    pub const RRSIG: Self = Self(46);
    /// The next name that exists (RFC 4034).
    pub const NSEC: Self = Self(47);
    /// What TXT took the place of (RFC 7208 3.1).
    pub const SPF: Self = Self(99);
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
        let known = MNEMONICS.iter().find(|(_, mnemonic)| mnemonic.eq_ignore_ascii_case(text));
        if let Some((number, _)) = known {
            return Ok(Self(*number));
        }
        let (prefix, digits) = text.split_at_checked(4).ok_or(RecordTypeError)?;
        let number = digits.parse().ok().filter(|_| digits.bytes().all(|it| it.is_ascii_digit()));
        number.filter(|_| prefix.eq_ignore_ascii_case("TYPE")).map(Self).ok_or(RecordTypeError)
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
