use std::collections::{BTreeMap, BTreeSet};

use super::{Family, MAX_NAME, Name, Profile, RecordSet, RecordType, suffixes};

/// The most octets that one record set takes in a message of 65,535: the rest is for the header, the longest question, and
/// EDNS (11 octets and short options).
const MAX_SET: usize = 65_535 - 12 - (MAX_NAME + 4) - 64;
/// What a record takes beside its data: a pointer to its owner, type, class, TTL and length.
const RECORD_OVERHEAD: usize = 12;
/// What a name with a CNAME may have (RFC 4034 3 and 4).
const BESIDE_CNAME: [RecordType; 3] = [RecordType::CNAME, RecordType::RRSIG, RecordType::NSEC];

/// A DNS apex that Farol is authoritative for, with its static records. Built only by [`Zone::new`], so it always has one
/// SOA and a nameserver at the apex and no record that the RFCs forbid.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Zone {
    name: Name,
    records: BTreeMap<Name, Vec<RecordSet>>,
    soa: Soa,
}

/// What Farol itself reads from a zone's SOA.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Soa {
    /// The version of the zone's data.
    pub serial: u32,
    /// Seconds that negative answers may be kept: the lesser of the SOA's TTL and MINIMUM (RFC 2308 3).
    pub negative_ttl: u32,
}

/// One record as written in a zone file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Whose record it is.
    pub owner: Name,
    /// The record's type.
    pub record_type: RecordType,
    /// Seconds that a resolver may keep it.
    pub ttl: u32,
    /// The data in uncompressed wire format, without its length.
    pub data: Box<[u8]>,
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

/// The lowest TTL and the data seen so far of one record set, with repetitions.
type Gathered = (u32, Vec<Box<[u8]>>);

impl Zone {
    /// Builds a zone from its records. Equal records count once; records of one set with different TTLs get the lowest
    /// (RFC 2181 5.2).
    ///
    /// # Errors
    /// Everything that is wrong, not only the first.
    pub fn new(
        name: Name,
        records: impl IntoIterator<Item = Record>,
    ) -> Result<Self, Vec<ZoneError>> {
        let mut errors = Vec::new();
        let mut nodes: BTreeMap<Name, BTreeMap<RecordType, Gathered>> = BTreeMap::new();
        for record in records {
            if !record.owner.is_within(&name) {
                errors.push(ZoneError::OutOfZone { owner: record.owner, zone: name.clone() });
                continue;
            }
            let sets = nodes.entry(record.owner).or_default();
            let set = sets.entry(record.record_type).or_insert((record.ttl, Vec::new()));
            set.0 = set.0.min(record.ttl);
            set.1.push(record.data);
        }
        let into_set = |(record_type, (ttl, data)): (_, Gathered)| RecordSet {
            record_type,
            ttl,
            data: distinct(data).into(),
        };
        let records: BTreeMap<Name, Vec<RecordSet>> = nodes
            .into_iter()
            .map(|(owner, sets)| (owner, sets.into_iter().map(into_set).collect()))
            .collect();
        let soa = check_apex(&name, &records, &mut errors);
        check_nodes(&name, &records, &mut errors);
        match soa {
            Some(soa) if errors.is_empty() => Ok(Self { name, records, soa }),
            _ => Err(errors),
        }
    }

    /// The apex.
    pub fn name(&self) -> &Name {
        &self.name
    }

    /// What Farol reads from the SOA.
    pub fn soa(&self) -> Soa {
        self.soa
    }

    /// Every record set by owner, in canonical order of octets.
    pub fn records(&self) -> &BTreeMap<Name, Vec<RecordSet>> {
        &self.records
    }

    /// The record set of this type at exactly this name.
    pub fn find(&self, owner: &Name, record_type: RecordType) -> Option<&RecordSet> {
        self.records.get(owner)?.iter().find(|it| it.record_type == record_type)
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
        let sets = self.records.get(&profile.name).map(Vec::as_slice).unwrap_or_default();
        let others = sets.iter().map(|it| it.record_type).filter(|it| !taken.contains(it));
        let error =
            |record_type| ZoneError::AliasConflict { profile: profile.name.clone(), record_type };
        // The apex has SOA and NS, and can't have an alias at all.
        others.filter(|_| profile.name != self.name).map(error).collect()
    }

    /// The apex's nameservers that lie in the zone but have no address there.
    pub fn nameservers_without_address(&self, profiles: &BTreeSet<Name>) -> Vec<Name> {
        let servers = self.find(&self.name, RecordType::NS).map(|it| &*it.data).unwrap_or_default();
        let names = servers.iter().filter_map(|wire| Name::from_wire(wire).ok());
        let has_address = |it: &Name| {
            let is_static =
                Family::ALL.iter().any(|family| self.find(it, family.record_type()).is_some());
            is_static || profiles.contains(it)
        };
        names.filter(|it| it.is_within(&self.name) && !has_address(it)).collect()
    }
}

/// Each once, in the order of their first appearance. Zones may have very many records at one name.
fn distinct(data: Vec<Box<[u8]>>) -> Vec<Box<[u8]>> {
    let mut seen: BTreeSet<&[u8]> = BTreeSet::new();
    let is_new: Vec<bool> = data.iter().map(|it| seen.insert(it)).collect();
    data.into_iter().zip(is_new).filter_map(|(it, is_new)| is_new.then_some(it)).collect()
}

fn check_apex(
    name: &Name,
    records: &BTreeMap<Name, Vec<RecordSet>>,
    errors: &mut Vec<ZoneError>,
) -> Option<Soa> {
    let apex = records.get(name).map(Vec::as_slice).unwrap_or_default();
    let find = |record_type| apex.iter().find(|it| it.record_type == record_type);
    if find(RecordType::NS).is_none() {
        errors.push(ZoneError::NoNs);
    }
    if find(RecordType::DS).is_some() {
        errors.push(ZoneError::ApexDs);
    }
    let servers = find(RecordType::NS).map(|it| &*it.data).unwrap_or_default();
    let is_alias = |it: &Name| {
        let sets = records.get(it).map(Vec::as_slice).unwrap_or_default();
        sets.iter().any(|it| it.record_type == RecordType::CNAME)
    };
    let servers = servers.iter().filter_map(|it| Name::from_wire(it).ok());
    errors.extend(servers.filter(is_alias).map(ZoneError::AliasedNs));
    let Some(set) = find(RecordType::SOA) else {
        errors.push(ZoneError::NoSoa);
        return None;
    };
    if set.data.len() > 1 {
        errors.push(ZoneError::ManySoa(set.data.len()));
    }
    let soa = set.data.first().and_then(|data| read_soa(data, set.ttl));
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

fn check_nodes(zone: &Name, records: &BTreeMap<Name, Vec<RecordSet>>, errors: &mut Vec<ZoneError>) {
    let dnames: BTreeMap<&[u8], &Name> = records
        .iter()
        .filter(|(_, sets)| sets.iter().any(|it| it.record_type == RecordType::DNAME))
        .map(|(owner, _)| (owner.as_wire(), owner))
        .collect();
    for (owner, sets) in records {
        let above = suffixes(owner.as_wire()).skip(1).find_map(|it| dnames.get(it));
        let owner = || owner.clone();
        errors.extend(
            above.map(|dname| ZoneError::BelowDname { owner: owner(), dname: (*dname).clone() }),
        );
        for set in sets {
            let record_type = set.record_type;
            let octets = set.data.iter().map(|it| RECORD_OVERHEAD + it.len()).sum();
            if octets > MAX_SET {
                errors.push(ZoneError::TooLarge { owner: owner(), record_type, octets });
            }
            if record_type.is_meta() {
                errors.push(ZoneError::MetaType { owner: owner(), record_type });
            }
            if matches!(record_type, RecordType::CNAME | RecordType::DNAME) && set.data.len() > 1 {
                errors.push(ZoneError::Several { owner: owner(), record_type });
            }
            if record_type == RecordType::NS && owner().is_wildcard() {
                errors.push(ZoneError::WildcardNs { owner: owner() });
            }
            if record_type == RecordType::SOA && owner() != *zone {
                errors.push(ZoneError::MisplacedSoa { owner: owner() });
            }
        }
        if sets.iter().any(|it| it.record_type == RecordType::CNAME) {
            let others =
                sets.iter().map(|it| it.record_type).filter(|it| !BESIDE_CNAME.contains(it));
            errors.extend(others.map(|other| ZoneError::CnameAndOther { owner: owner(), other }));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOA: &[u8] = b"\x01n\x00\x01h\x00\0\0\0\x07\0\0\0\x01\0\0\0\x01\0\0\0\x01\0\0\0\x3c";

    fn record(owner: &str, record_type: RecordType, data: &[u8]) -> Record {
        Record { owner: owner.parse().unwrap(), record_type, ttl: 300, data: data.into() }
    }

    fn zone(more: Vec<Record>) -> Result<Zone, Vec<ZoneError>> {
        let apex =
            [record("z.", RecordType::SOA, SOA), record("z.", RecordType::NS, b"\x02ns\x01z\x00")];
        Zone::new("z.".parse().unwrap(), apex.into_iter().chain(more))
    }

    #[test]
    fn sets_are_gathered_and_the_soa_is_read() {
        let mut other = record("a.z.", RecordType::A, &[192, 0, 2, 2]);
        other.ttl = 60;
        let same = record("A.Z.", RecordType::A, &[192, 0, 2, 1]);
        let zone = zone(vec![same.clone(), same, other]).unwrap();
        assert_eq!(zone.soa(), Soa { serial: 7, negative_ttl: 60 });
        let set = zone.find(&"a.z.".parse().unwrap(), RecordType::A).unwrap();
        assert_eq!((set.data.len(), set.ttl), (2, 60));
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
