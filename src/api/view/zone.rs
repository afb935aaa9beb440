use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Every zone.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema, PartialEq, Eq)]
pub struct Zones {
    /// In the order of their names, label by label from the right.
    pub zones: Vec<Zone>,
}

/// A zone that is answered for.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema, PartialEq, Eq)]
pub struct Zone {
    /// Its apex.
    #[schema(example = "gtm.example.")]
    pub name: String,
    /// Another one when its records or the names of its profiles are others.
    pub etag: String,
    /// The version of its data, as its SOA record has it.
    pub serial: u32,
    /// The file that its records are written in; none where all are made from `nameservers`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Its nameservers.
    pub nameservers: Vec<String>,
    /// Seconds that resolvers may keep those.
    pub ttl: u32,
    /// Its SOA record.
    pub soa: Soa,
    /// How many names have static records.
    pub names: usize,
    /// How many static records there are, with SOA and NS.
    pub records: usize,
    /// How many profiles are in it.
    pub profiles: usize,
}

/// A zone's SOA record; times in seconds.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema, PartialEq, Eq)]
pub struct Soa {
    /// The primary nameserver.
    pub mname: String,
    /// Who answers for the zone: a mailbox as a domain name.
    pub rname: String,
    /// From one look by a secondary to the next.
    pub refresh: u32,
    /// The same after a look that failed.
    pub retry: u32,
    /// When a secondary without contact gives up.
    pub expire: u32,
    /// How long resolvers may keep negative answers; `ttl` caps it.
    pub minimum: u32,
    /// How long they may keep the record itself.
    pub ttl: u32,
}

/// Static records of a zone.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema, PartialEq, Eq)]
pub struct Records {
    /// By name, label by label from the left, and type.
    pub records: Vec<Record>,
    /// What to send as `after` for the next page; none when there are no more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// A static record.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema, PartialEq, Eq)]
pub struct Record {
    /// Whose record it is.
    #[schema(example = "www.gtm.example.")]
    pub name: String,
    /// Its type, by mnemonic, or `TYPE65400`.
    #[serde(rename = "type")]
    pub record_type: String,
    /// Seconds that resolvers may keep it.
    pub ttl: u32,
    /// Its data as a zone file has it, or in the form for any type (RFC 3597 5).
    #[schema(example = "192.0.2.80")]
    pub data: String,
}
