use std::collections::{BTreeMap, BTreeSet};

use super::{Family, Name, Profile, RecordSet, RecordType};

/// A DNS apex that Farol is authoritative for, with its static records. Built only by [`Zone::new`], so it always has one
/// SOA and a nameserver at the apex and no record that the RFCs forbid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone {
    name: Name,
    records: BTreeMap<Name, Vec<RecordSet>>,
    soa: Soa,
}

/// What Farol itself reads from a zone's SOA.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
    #[error("`{owner}` has several {record_type} records; it may have one")]
    Several { owner: Name, record_type: RecordType },
    #[error("`{owner}` lies below the DNAME at `{dname}` (RFC 6672 2.4)")]
    BelowDname { owner: Name, dname: Name },
    #[error("`{owner}` has {record_type}, a type that only questions have")]
    MetaType { owner: Name, record_type: RecordType },
    #[error(
        "profile `{profile}` owns A and AAAA at its name, and the zone has {record_type} there; remove one of them"
    )]
    ProfileConflict { profile: Name, record_type: RecordType },
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
    pub fn new(
        name: Name,
        records: impl IntoIterator<Item = Record>,
    ) -> Result<Self, Vec<ZoneError>> {
        let mut errors = Vec::new();
        let mut nodes: BTreeMap<Name, Node> = BTreeMap::new();
        for record in records {
            if !record.owner.is_within(&name) {
                errors.push(ZoneError::OutOfZone { owner: record.owner, zone: name.clone() });
                continue;
            }
            let node = nodes.entry(record.owner).or_default();
            let (ttl, data) = node.entry(record.record_type).or_insert((record.ttl, Vec::new()));
            *ttl = (*ttl).min(record.ttl);
            if !data.contains(&record.data) {
                data.push(record.data);
            }
        }
        let into_sets = |sets: Node| {
            let set = |(record_type, (ttl, data)): (_, (_, Vec<_>))| RecordSet {
                record_type,
                ttl,
                data: data.into(),
            };
            sets.into_iter().map(set).collect()
        };
        let records: BTreeMap<Name, Vec<RecordSet>> =
            nodes.into_iter().map(|(owner, sets)| (owner, into_sets(sets))).collect();
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

/// The record sets of one name while they are gathered: the lowest TTL so far, and the data.
type Node = BTreeMap<RecordType, (u32, Vec<Box<[u8]>>)>;

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
    let dnames: Vec<&Name> = records
        .iter()
        .filter(|(_, sets)| sets.iter().any(|it| it.record_type == RecordType::DNAME))
        .map(|(owner, _)| owner)
        .collect();
    for (owner, sets) in records {
        let owner = || owner.clone();
        for set in sets {
            let record_type = set.record_type;
            if record_type.is_meta() {
                errors.push(ZoneError::MetaType { owner: owner(), record_type });
            }
            if matches!(record_type, RecordType::CNAME | RecordType::DNAME) && set.data.len() > 1 {
                errors.push(ZoneError::Several { owner: owner(), record_type });
            }
            if record_type == RecordType::SOA && owner() != *zone {
                errors.push(ZoneError::MisplacedSoa { owner: owner() });
            }
        }
        if sets.len() > 1 && sets.iter().any(|it| it.record_type == RecordType::CNAME) {
            let others = sets.iter().map(|it| it.record_type).filter(|it| *it != RecordType::CNAME);
            errors.extend(others.map(|other| ZoneError::CnameAndOther { owner: owner(), other }));
        }
        let above = dnames.iter().find(|dname| **dname != &owner() && owner().is_within(dname));
        errors.extend(
            above.map(|dname| ZoneError::BelowDname { owner: owner(), dname: (*dname).clone() }),
        );
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
}
