use std::collections::{BTreeSet, HashSet};
use std::hash::{Hash, Hasher};
use std::path::Path;
use std::sync::Arc;

use super::record_sets::Nodes;
use super::{Family, MAX_NAME, Name, NameRef, Profile, Record, RecordSet, RecordSets, RecordType};

/// The most octets that one record set takes in a message of 65,535: the rest is for the header, the longest question, and
/// EDNS (11 octets and short options).
const MAX_SET: usize = 65_535 - 12 - (MAX_NAME + 4) - 64;
/// What a record takes beside its data: a pointer to its owner, type, class, TTL and length.
const RECORD_OVERHEAD: usize = 12;
/// What a name with a CNAME may have (RFC 4034 3 and 4).
const BESIDE_CNAME: [RecordType; 3] = [RecordType::CNAME, RecordType::RRSIG, RecordType::NSEC];

/// A DNS apex that Farol is authoritative for, with its static records. Built only by [`Zone::new`], so it always has one
/// SOA and a nameserver at the apex and no record that the RFCs forbid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone {
    name: Name,
    nodes: Nodes,
    soa: Soa,
    file: Option<Arc<Path>>,
}

/// What Farol itself reads from a zone's SOA.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Soa {
    /// The version of the zone's data.
    pub serial: u32,
    /// Seconds that negative answers may be kept: the lesser of the SOA's TTL and MINIMUM (RFC 2308 3).
    pub negative_ttl: u32,
}

/// What is wrong with a zone's records.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "each variant's message says what it is")]
pub enum ZoneError {
    #[error("no SOA record at the apex; add one, or leave SOA and NS to `nameservers`")]
    NoSoa,
    #[error("{0} SOA records; a zone has one, at its apex")]
    ManySoa(usize),
    #[error("the SOA record's data is cut short")]
    BrokenSoa,
    #[error("no NS record at the apex; add one for each nameserver")]
    NoNs,
    #[error("`{owner}` lies outside zone `{zone}`")]
    OutOfZone { owner: Name, zone: Name },
    #[error("`{owner}` has a SOA record, which only the apex may have")]
    MisplacedSoa { owner: Name },
    #[error("`{owner}` has CNAME and {other}; a CNAME stands alone (RFC 1034 3.6.2)")]
    CnameAndOther { owner: Name, other: RecordType },
    #[error(
        "`{owner}` is a wildcard with NS, which delegates nothing that resolvers agree on (RFC 4592 4.2)"
    )]
    WildcardNs { owner: Name },
    #[error("DS at the apex; it goes into the zone above")]
    ApexDs,
    #[error("nameserver `{0}` is a CNAME (RFC 2181 10.3); name what that leads to")]
    AliasedNs(Name),
    #[error("`{owner}` has several {record_type} records; it may have one")]
    Several { owner: Name, record_type: RecordType },
    #[error("`{owner}` lies below the DNAME at `{dname}` (RFC 6672 2.4)")]
    BelowDname { owner: Name, dname: Name },
    #[error(
        "the {record_type} records of `{owner}` take {octets} octets, which no DNS message has room for ({MAX_SET} at most); remove some"
    )]
    TooLarge { owner: Name, record_type: RecordType, octets: usize },
    #[error("`{owner}` has {record_type}, a type that only questions have")]
    MetaType { owner: Name, record_type: RecordType },
    #[error(
        "profile `{profile}` owns A and AAAA at its name, and the zone has {record_type} there; remove one of them"
    )]
    ProfileConflict { profile: Name, record_type: RecordType },
    #[error(
        "profile `{profile}` answers with CNAME, which owns everything at its name, and the zone has {record_type} there; remove one of them"
    )]
    AliasConflict { profile: Name, record_type: RecordType },
    #[error(
        "profile `{profile}` lies below the delegation or DNAME at `{cut}`, where this zone can't answer"
    )]
    ProfileBelowCut { profile: Name, cut: Name },
}

impl Zone {
    /// Builds a zone from its records. Equal records count once; records of one set with different TTLs get the lowest
    /// (RFC 2181 5.2).
    ///
    /// # Errors
    /// Everything that is wrong, not only the first.
    pub fn new<'r>(
        name: Name,
        records: impl IntoIterator<Item = Record<'r>>,
    ) -> Result<Self, Vec<ZoneError>> {
        let mut errors = Vec::new();
        let is_inside = |it: &Record<'_>| {
            let is_inside = it.owner.is_within(&name);
            if !is_inside {
                errors.push(ZoneError::OutOfZone { owner: it.owner.to_name(), zone: name.clone() });
            }
            is_inside
        };
        let nodes = Nodes::gather(records.into_iter().filter(is_inside).collect());
        let soa = check_apex(&name, &nodes, &mut errors);
        check_nodes(&name, &nodes, &mut errors);
        match soa {
            Some(soa) if errors.is_empty() => Ok(Self { name, nodes, soa, file: None }),
            _ => Err(errors),
        }
    }

    /// The same, with records of this file.
    pub fn written_in(self, file: Option<Arc<Path>>) -> Self {
        Self { file, ..self }
    }

    /// The file that its records are written in, if there is one.
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// The apex.
    pub fn name(&self) -> &Name {
        &self.name
    }

    /// What Farol reads from the SOA.
    pub fn soa(&self) -> Soa {
        self.soa
    }

    /// How many names have records.
    pub fn owners(&self) -> usize {
        self.nodes.len()
    }

    /// How many records there are, those at the apex too.
    pub fn records(&self) -> usize {
        self.nodes.records()
    }

    /// A name's place among those that have records, or that which it would have, in canonical order of octets.
    pub fn place(&self, owner: NameRef<'_>) -> usize {
        self.nodes.place(owner).unwrap_or_else(|it| it)
    }

    /// The name at this place among those that have records, in canonical order of octets, and its record sets.
    pub fn owner(&self, index: usize) -> Option<(NameRef<'_>, RecordSets<'_>)> {
        self.nodes.get(index)
    }

    /// Every name that has records and its record sets, in canonical order of octets.
    pub fn iter(&self) -> impl Iterator<Item = (NameRef<'_>, RecordSets<'_>)> {
        self.nodes.iter()
    }

    /// The record sets at exactly this name.
    pub fn sets(&self, owner: NameRef<'_>) -> RecordSets<'_> {
        self.nodes.find(owner)
    }

    /// The record set of this type at exactly this name.
    pub fn find(&self, owner: &Name, record_type: RecordType) -> Option<RecordSet<'_>> {
        self.sets(owner.borrowed()).find(record_type)
    }

    /// What keeps a profile of this zone from answering at its name.
    pub fn conflicts(&self, profile: &Profile) -> Vec<ZoneError> {
        let mut errors = Vec::new();
        let taken = [RecordType::CNAME, Family::V4.record_type(), Family::V6.record_type()];
        for record_type in taken {
            if self.find(&profile.name, record_type).is_some() {
                errors.push(ZoneError::ProfileConflict {
                    profile: profile.name.clone(),
                    record_type,
                });
            }
        }
        let mut above = profile.name.clone();
        while above != self.name {
            let is_cut = self.find(&above, RecordType::NS).is_some();
            let is_dname = above != profile.name && self.find(&above, RecordType::DNAME).is_some();
            if is_cut || is_dname {
                errors.push(ZoneError::ProfileBelowCut {
                    profile: profile.name.clone(),
                    cut: above.clone(),
                });
            }
            let Some(parent) = above.parent() else { break };
            above = parent;
        }
        errors
    }

    /// What keeps a profile of this zone from answering with CNAME at its name, beside its [`conflicts`](Self::conflicts).
    pub fn conflicts_with_alias(&self, profile: &Profile) -> Vec<ZoneError> {
        let taken = [RecordType::CNAME, Family::V4.record_type(), Family::V6.record_type()];
        let sets = self.sets(profile.name.borrowed());
        let others = sets.iter().map(|it| it.record_type).filter(|it| !taken.contains(it));
        let error =
            |record_type| ZoneError::AliasConflict { profile: profile.name.clone(), record_type };
        // The apex has SOA and NS, and can't have an alias at all.
        others.filter(|_| profile.name != self.name).map(error).collect()
    }

    /// The apex's nameservers that lie in the zone but have no address there.
    pub fn nameservers_without_address(&self, profiles: &BTreeSet<Name>) -> Vec<Name> {
        let servers = self.find(&self.name, RecordType::NS);
        let names =
            servers.iter().flat_map(|it| it.data()).filter_map(|it| Name::from_wire(it).ok());
        let has_address = |it: &Name| {
            let is_static =
                Family::ALL.iter().any(|family| self.find(it, family.record_type()).is_some());
            is_static || profiles.contains(it)
        };
        names.filter(|it| it.is_within(&self.name) && !has_address(it)).collect()
    }
}

/// Where a zone is written is nothing that two instances must have in common.
impl Hash for Zone {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (&self.name, &self.nodes, self.soa).hash(state);
    }
}

fn check_apex(name: &Name, nodes: &Nodes, errors: &mut Vec<ZoneError>) -> Option<Soa> {
    let apex = nodes.find(name.borrowed());
    if !apex.has(RecordType::NS) {
        errors.push(ZoneError::NoNs);
    }
    if apex.has(RecordType::DS) {
        errors.push(ZoneError::ApexDs);
    }
    let servers = apex.find(RecordType::NS);
    let servers = servers.iter().flat_map(|it| it.data()).filter_map(|it| Name::from_wire(it).ok());
    let is_alias = |it: &Name| nodes.find(it.borrowed()).has(RecordType::CNAME);
    errors.extend(servers.filter(is_alias).map(ZoneError::AliasedNs));
    let Some(set) = apex.find(RecordType::SOA) else {
        errors.push(ZoneError::NoSoa);
        return None;
    };
    let count = set.data().count();
    if count > 1 {
        errors.push(ZoneError::ManySoa(count));
    }
    let soa = set.first().and_then(|data| read_soa(data, set.ttl));
    if soa.is_none() {
        errors.push(ZoneError::BrokenSoa);
    }
    soa
}

/// The data ends in five 32-bit numbers: serial, refresh, retry, expire, minimum (RFC 1035 3.3.13).
fn read_soa(data: &[u8], ttl: u32) -> Option<Soa> {
    let (_, numbers) = data.split_last_chunk::<20>()?;
    let number = |at: usize| numbers.get(at..at + 4)?.try_into().ok().map(u32::from_be_bytes);
    Some(Soa { serial: number(0)?, negative_ttl: ttl.min(number(16)?) })
}

fn check_nodes(zone: &Name, nodes: &Nodes, errors: &mut Vec<ZoneError>) {
    let has_dname =
        |(owner, sets): (_, RecordSets<'_>)| sets.has(RecordType::DNAME).then_some(owner);
    let dnames: HashSet<NameRef<'_>> = nodes.iter().filter_map(has_dname).collect();
    for (name, sets) in nodes.iter() {
        let owner = || name.to_name();
        if !dnames.is_empty() {
            let above = name.lineage().skip(1).find(|it| dnames.contains(it));
            let error =
                |it: NameRef<'_>| ZoneError::BelowDname { owner: owner(), dname: it.to_name() };
            errors.extend(above.map(error));
        }
        for set in sets.iter() {
            let record_type = set.record_type;
            let octets = set.data().map(|it| RECORD_OVERHEAD + it.len()).sum();
            if octets > MAX_SET {
                errors.push(ZoneError::TooLarge { owner: owner(), record_type, octets });
            }
            if record_type.is_meta() {
                errors.push(ZoneError::MetaType { owner: owner(), record_type });
            }
            let is_single = matches!(record_type, RecordType::CNAME | RecordType::DNAME);
            if is_single && set.data().nth(1).is_some() {
                errors.push(ZoneError::Several { owner: owner(), record_type });
            }
            if record_type == RecordType::NS && name.is_wildcard() {
                errors.push(ZoneError::WildcardNs { owner: owner() });
            }
            if record_type == RecordType::SOA && name != zone.borrowed() {
                errors.push(ZoneError::MisplacedSoa { owner: owner() });
            }
        }
        if sets.has(RecordType::CNAME) {
            let others =
                sets.iter().map(|it| it.record_type).filter(|it| !BESIDE_CNAME.contains(it));
            errors.extend(others.map(|other| ZoneError::CnameAndOther { owner: owner(), other }));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Records;

    const SOA: &[u8] = b"\x01n\x00\x01h\x00\0\0\0\x07\0\0\0\x01\0\0\0\x01\0\0\0\x01\0\0\0\x3c";

    type Written = (Name, RecordType, u32, Vec<u8>);

    fn record(owner: &str, record_type: RecordType, data: &[u8]) -> Written {
        (owner.parse().unwrap(), record_type, 300, data.into())
    }

    fn zone(more: Vec<Written>) -> Result<Zone, Vec<ZoneError>> {
        let apex =
            [record("z.", RecordType::SOA, SOA), record("z.", RecordType::NS, b"\x02ns\x01z\x00")];
        let mut records = Records::default();
        for (owner, record_type, ttl, data) in apex.iter().chain(&more) {
            records.add(owner, *record_type, *ttl, data);
        }
        Zone::new("z.".parse().unwrap(), records.iter())
    }

    #[test]
    fn sets_are_gathered_and_the_soa_is_read() {
        let mut other = record("a.z.", RecordType::A, &[192, 0, 2, 2]);
        other.2 = 60;
        let same = record("A.Z.", RecordType::A, &[192, 0, 2, 1]);
        let zone = zone(vec![same.clone(), same, other]).unwrap();
        assert_eq!(zone.soa(), Soa { serial: 7, negative_ttl: 60 });
        assert_eq!((zone.owners(), zone.records()), (2, 4), "equal records count once");
        let set = zone.find(&"a.z.".parse().unwrap(), RecordType::A).unwrap();
        assert_eq!((set.data().count(), set.ttl), (2, 60));
        assert_eq!(zone.nameservers_without_address(&BTreeSet::new()), ["ns.z.".parse().unwrap()]);
    }

    #[test]
    fn forbidden_records_are_all_reported() {
        let cname = b"\x01b\x01z\x00";
        for (more, expected) in [
            (vec![record("a.y.", RecordType::A, &[1, 2, 3, 4])], "`a.y.` lies outside zone `z.`"),
            (vec![record("a.z.", RecordType::SOA, SOA)], "only the apex may have"),
            (
                vec![
                    record("a.z.", RecordType::CNAME, cname),
                    record("a.z.", RecordType::TXT, b"\x01x"),
                ],
                "CNAME and TXT",
            ),
            (
                vec![
                    record("a.z.", RecordType::CNAME, cname),
                    record("a.z.", RecordType::CNAME, SOA),
                ],
                "several CNAME",
            ),
            (
                vec![
                    record("d.z.", RecordType::DNAME, cname),
                    record("x.d.z.", RecordType::TXT, b""),
                ],
                "below the DNAME",
            ),
            (vec![record("a.z.", RecordType::ANY, b"")], "only questions have"),
            (vec![record("*.z.", RecordType::NS, cname)], "`*.z.` is a wildcard with NS"),
            (vec![record("z.", RecordType::DS, b"\x00")], "DS at the apex"),
            (vec![record("ns.z.", RecordType::CNAME, cname)], "nameserver `ns.z.` is a CNAME"),
            (vec![record("z.", RecordType::SOA, &SOA[..25])], "2 SOA records"),
        ] {
            let errors = zone(more).unwrap_err();
            assert!(
                errors.iter().any(|it| it.to_string().contains(expected)),
                "{expected}: {errors:?}"
            );
        }
        let errors = Zone::new("z.".parse().unwrap(), []).unwrap_err();
        assert_eq!(errors, [ZoneError::NoNs, ZoneError::NoSoa]);
    }

    #[test]
    fn a_record_set_fits_into_a_message() {
        let address = |it: u32| record("a.z.", RecordType::A, &it.to_be_bytes());
        let fits = (MAX_SET / 16) as u32;
        let sizes = |count: u32| zone((0..count).chain(0..count).map(address).collect());
        assert!(sizes(fits).is_ok(), "repetitions don't count");
        let told = sizes(fits + 1).unwrap_err()[0].to_string();
        assert!(told.starts_with("the A records of `a.z.` take 65216 octets"), "{told}");
    }

    #[test]
    fn large_zones_are_checked_without_comparing_each_with_each() {
        // Which would take minutes here.
        let address = |it: u32| record("a.z.", RecordType::A, &it.to_be_bytes());
        let dname = |it: u32| record(&format!("n{it}.z."), RecordType::DNAME, b"\x01y\x00");
        assert_eq!(zone((0..100_000).map(address).collect()).unwrap_err().len(), 1);
        assert!(zone((0..50_000).map(dname).collect()).is_ok());
    }
}
