//! What record data consists of, type by type.

use super::words::number;
use crate::model::RecordType;

/// One part of a record's data. Those that say "all" take what is left, and are the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    U8,
    U16,
    U32,
    /// Seconds, which may have units.
    Seconds,
    /// A time of RRSIG (RFC 4034 3.2).
    Time,
    V4,
    V6,
    Name,
    /// All as names.
    Names,
    /// A character string of up to 255 octets, after its length.
    Text,
    /// All as character strings, at least one.
    Texts,
    /// A text without a length, to the end of the data.
    Bare,
    /// The tag of a CAA record: a character string of letters and digits.
    Tag,
    /// All as hexadecimal digits, at least one octet.
    Hex,
    /// Likewise, and as long as the octet before it says, if that is in the list.
    Digest(&'static [(u8, usize)]),
    /// All as Base64.
    Base64,
    /// Likewise, if there is any.
    MaybeBase64,
    /// Hexadecimal digits after their length, or `-`.
    Salt,
    /// Base32 after its length.
    Hashed,
    /// A record type.
    Type,
    /// All as a set of record types (RFC 4034 4.1.2).
    Types,
    /// All as a set of record types below 128 (RFC 2535 5.2).
    OldTypes,
    /// A DNSSEC algorithm, by number or mnemonic.
    Algorithm,
    /// What a CERT record is of, by number or mnemonic.
    Certificate,
    /// Pairs of hexadecimal digits with dashes, so many.
    Eui(usize),
    /// Four groups of hexadecimal digits with colons.
    Locator,
    /// `0x` and hexadecimal digits with dots.
    Nsap,
    /// All of a LOC record.
    Location,
    /// All as address prefixes (RFC 3123).
    Prefixes,
    /// A HIP record's algorithm, identity and key.
    Identity,
    /// An IPSECKEY record's gateway; its type is two octets before.
    Gateway,
    /// An AMTRELAY record's D bit, type and relay.
    Relay,
    /// A WKS record's protocol and services.
    Services,
    /// All as parameters of SVCB (RFC 9460 2.1).
    Params,
}

use Field::{
    Algorithm, Bare, Base64, Certificate, Digest, Eui, Gateway, Hashed, Hex, Identity, Location,
    Locator, MaybeBase64, Name, Names, Nsap, OldTypes, Params, Prefixes, Relay, Salt, Seconds,
    Services, Tag, Text, Texts, Time, Type, Types, U8, U16, U32, V4, V6,
};

/// SHA-1, SHA-256, GOST R 34.11-94 and SHA-384 (IANA's DS digest types).
const DS_DIGESTS: &[(u8, usize)] = &[(1, 20), (2, 32), (3, 32), (4, 48)];
/// SHA-384 and SHA-512 (RFC 8976).
const ZONE_DIGESTS: &[(u8, usize)] = &[(1, 48), (2, 64)];
/// SHA-1 and SHA-256 (RFC 4255, 6594).
const SSH_DIGESTS: &[(u8, usize)] = &[(1, 20), (2, 32)];

/// The parts of a type's data; none for types that are written by RFC 3597 only.
pub(super) fn fields(record_type: RecordType) -> Option<&'static [Field]> {
    Some(match record_type.0 {
        1 => &[V4],
        // NS, MD, MF, CNAME, MB, MG, MR, PTR, NSAP-PTR, DNAME
        2..=5 | 7..=9 | 12 | 23 | 39 => &[Name],
        6 => &[Name, Name, U32, Seconds, Seconds, Seconds, Seconds],
        11 => &[V4, Services],
        13 => &[Text, Text],
        // MINFO, RP, TALINK
        14 | 17 | 58 => &[Name, Name],
        // MX, AFSDB, RT, KX, LP
        15 | 18 | 21 | 36 | 107 => &[U16, Name],
        // TXT, ISDN, NINFO, SPF, AVC, RESINFO, WALLET
        16 | 20 | 56 | 99 | 258 | 261 | 262 => &[Texts],
        19 => &[Text],
        22 => &[Nsap],
        // SIG, RRSIG
        24 | 46 => &[Type, Algorithm, U8, Seconds, Time, Time, U16, Name, Base64],
        // KEY, RKEY
        25 | 57 => &[U16, U8, Algorithm, MaybeBase64],
        26 => &[U16, Name, Name],
        27 => &[Text, Text, Text],
        28 => &[V6],
        29 => &[Location],
        30 => &[Name, OldTypes],
        // EID, NIMLOC
        31 | 32 => &[Hex],
        33 => &[U16, U16, U16, Name],
        35 => &[U16, U16, Text, Text, Text, Name],
        37 => &[Certificate, U16, Algorithm, Base64],
        42 => &[Prefixes],
        // DS, CDS, TA, DLV
        43 | 59 | 32_768 | 32_769 => &[U16, Algorithm, U8, Digest(DS_DIGESTS)],
        44 => &[U8, U8, Digest(SSH_DIGESTS)],
        45 => &[U8, U8, U8, Gateway, MaybeBase64],
        47 => &[Name, Types],
        // DNSKEY, CDNSKEY
        48 | 60 => &[U16, U8, Algorithm, Base64],
        // DHCID, OPENPGPKEY
        49 | 61 => &[Base64],
        50 => &[U8, U8, U16, Salt, Hashed, Types],
        51 => &[U8, U8, U16, Salt],
        // TLSA, SMIMEA
        52 | 53 => &[U8, U8, U8, Hex],
        55 => &[Identity, Names],
        62 => &[U32, U16, Types],
        63 => &[U32, U8, U8, Digest(ZONE_DIGESTS)],
        // SVCB, HTTPS
        64 | 65 => &[U16, Name, Params],
        // NID, L64
        104 | 106 => &[U16, Locator],
        105 => &[U16, V4],
        108 => &[Eui(6)],
        109 => &[Eui(8)],
        256 => &[U16, U16, Bare],
        257 => &[U8, Tag, Bare],
        259 => &[U32, U32, U8, Text, MaybeBase64],
        260 => &[U8, Relay],
        _ => return None,
    })
}

const ALGORITHMS: [(u16, &str); 17] = [
    (1, "RSAMD5"),
    (2, "DH"),
    (3, "DSA"),
    (4, "ECC"),
    (5, "RSASHA1"),
    (6, "DSA-NSEC3-SHA1"),
    (7, "RSASHA1-NSEC3-SHA1"),
    (8, "RSASHA256"),
    (10, "RSASHA512"),
    (12, "ECC-GOST"),
    (13, "ECDSAP256SHA256"),
    (14, "ECDSAP384SHA384"),
    (15, "ED25519"),
    (16, "ED448"),
    (252, "INDIRECT"),
    (253, "PRIVATEDNS"),
    (254, "PRIVATEOID"),
];

const CERTIFICATES: [(u16, &str); 10] = [
    (1, "PKIX"),
    (2, "SPKI"),
    (3, "PGP"),
    (4, "IPKIX"),
    (5, "ISPKI"),
    (6, "IPGP"),
    (7, "ACPKIX"),
    (8, "IACPKIX"),
    (253, "URI"),
    (254, "OID"),
];

/// A DNSSEC algorithm's number.
pub(super) fn algorithm(word: &str) -> Option<u8> {
    u8::try_from(known(word, &ALGORITHMS)?).ok()
}

/// The number of what a CERT record is of.
pub(super) fn certificate(word: &str) -> Option<u16> {
    known(word, &CERTIFICATES)
}

fn known(word: &str, of: &[(u16, &str)]) -> Option<u16> {
    let known = of.iter().find(|(_, it)| it.eq_ignore_ascii_case(word));
    known.map_or_else(|| number(word), |it| Some(it.0))
}

impl Field {
    /// What a message says is missing or expected.
    pub(super) fn expected(self) -> &'static str {
        match self {
            U8 => "a whole number from 0 to 255",
            U16 => "a whole number from 0 to 65535",
            U32 => "a whole number from 0 to 4294967295",
            Seconds => "a time in seconds, or with units such as 1h30m,",
            Time => "a time such as 20301231235959",
            V4 => "an IPv4 address such as 192.0.2.1",
            V6 => "an IPv6 address such as 2001:db8::1",
            Name | Names => "a name",
            Text | Texts | Bare => "a text, best in quotes,",
            Tag => "a tag such as issue",
            Hex | Digest(_) => "data in hexadecimal",
            Base64 | MaybeBase64 => "data in Base64",
            Salt => "a salt in hexadecimal, or -,",
            Hashed => "a hash in Base32hex",
            Type | Types => "a record type",
            OldTypes => "a record type below 128",
            Algorithm => "an algorithm such as 13 or ECDSAP256SHA256",
            Certificate => "a certificate's type such as 1 or PKIX",
            Eui(6) => "an address such as 00-00-5e-00-53-2a",
            Eui(_) => "an address such as 00-00-5e-ef-10-00-00-2a",
            Locator => "four groups of digits such as 2001:db8:1140:1000",
            Nsap => "an address such as 0x47.0005.80",
            Location => "a place such as 42 21 54 N 71 06 18 W -24m",
            Prefixes => "an address prefix such as 1:192.0.2.0/24 or !2:2001:db8::/32",
            Identity => "an algorithm, then an identity in hexadecimal and a key in Base64,",
            Gateway => "a gateway of the type before",
            Relay => "0 or 1, a relay's type from 0 to 3, and the relay,",
            Services => "a protocol such as tcp, then services or ports,",
            Params => "a parameter such as alpn=h2",
        }
    }
}
