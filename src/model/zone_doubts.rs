use std::cell::OnceCell;
use std::collections::{BTreeSet, HashSet};

use super::{Family, Name, RecordSet, RecordType, Zone, suffixes};

/// What is allowed in a zone but hardly meant, as named-checkzone tells it and beyond.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct ZoneDoubt {
    /// Whose record it is.
    pub owner: Name,
    /// The record's type.
    pub record_type: RecordType,
    /// What is doubtful, and what to do.
    pub what: String,
}

/// What a zone has at a name that records lead to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// An address, or nothing that this zone can tell.
    Fine,
    Alias,
    /// It is delegated, and its address is not here.
    NoGlue,
    NoAddress,
}

impl Zone {
    /// What is allowed but hardly meant. `profiles` are the names of the zone's profiles, which have addresses.
    pub fn doubts(&self, profiles: &BTreeSet<Name>) -> Vec<ZoneDoubt> {
        let examiner = Examiner { zone: self, profiles, names: OnceCell::new() };
        self.records().iter().flat_map(|(owner, sets)| examiner.node(owner, sets)).collect()
    }
}

struct Examiner<'z> {
    zone: &'z Zone,
    profiles: &'z BTreeSet<Name>,
    /// Every name that exists, empty non-terminals too; made when first asked for.
    names: OnceCell<HashSet<&'z [u8]>>,
}

impl<'z> Examiner<'z> {
    fn node(&self, owner: &Name, sets: &'z [RecordSet]) -> Vec<ZoneDoubt> {
        let mut doubts = Vec::new();
        let mut doubt = |record_type, what| {
            doubts.push(ZoneDoubt { owner: owner.clone(), record_type, what });
        };
        let has = |record_type| sets.iter().any(|it| it.record_type == record_type);
        let is_cut = owner != self.zone.name() && has(RecordType::NS);
        let above = owner.parent().and_then(|it| self.cut_around(&it));
        let is_inner = owner.labels().skip(1).any(|it| it == b"*");
        if let Some(set) = sets.first().filter(|_| is_inner) {
            let what = format!(
                "`{owner}` has a `*` that is not its first label; it stands for no other name (RFC 4592 2.1.2)"
            );
            doubt(set.record_type, what);
        }
        for set in sets {
            let record_type = set.record_type;
            let is_address = Family::of(record_type).is_some();
            let cut = above.as_ref().or(is_cut.then_some(owner));
            let belongs = is_address
                || [RecordType::NSEC, RecordType::RRSIG].contains(&record_type)
                || (is_cut && [RecordType::NS, RecordType::DS].contains(&record_type));
            if let Some(cut) =
                cut.filter(|it| above.is_some() && !is_address || *it == owner && !belongs)
            {
                doubt(
                    record_type,
                    format!(
                        "{record_type} of `{owner}` is never answered, since `{cut}` is delegated; move it to that zone"
                    ),
                );
                continue;
            }
            if record_type == RecordType::DS && !is_cut {
                doubt(
                    record_type,
                    format!("`{owner}` has DS but no NS; DS goes with a delegation"),
                );
            }
            if (is_address || record_type == RecordType::MX) && !is_host(owner, true) {
                doubt(
                    record_type,
                    format!(
                        "`{owner}` has {record_type} but is no host's name, which has letters, digits and hyphens (RFC 1123 2.1)"
                    ),
                );
            }
            if record_type == RecordType::SPF && !sets.iter().any(has_spf) {
                doubt(
                    record_type,
                    format!(
                        "`{owner}` has SPF, which nobody reads, and no TXT that says the same (RFC 7208 3.1)"
                    ),
                );
            }
            for target in targets(set) {
                if let Some(what) = self.target(owner, record_type, &target) {
                    doubt(record_type, what);
                }
            }
        }
        doubts
    }

    /// What is wrong with a name that a record leads to.
    fn target(&self, owner: &Name, record_type: RecordType, target: &Name) -> Option<String> {
        let start = format!("{record_type} of `{owner}` leads to `{target}`");
        if is_address(target, self.zone.name()) {
            return Some(format!("{start}, which is written like an address; write a host's name"));
        }
        if !is_host(target, false) {
            return Some(format!(
                "{start}, which is no host's name (letters, digits and hyphens, RFC 1123 2.1)"
            ));
        }
        // Nameservers of the apex have their own rules.
        if record_type == RecordType::NS && owner == self.zone.name() {
            return None;
        }
        match self.standing(target) {
            Standing::Fine => None,
            Standing::Alias => {
                Some(format!("{start}, which is a CNAME (RFC 2181 10.3); write what that leads to"))
            }
            // Only delegations need to know addresses below delegations.
            Standing::NoGlue if record_type == RecordType::NS => Some(format!(
                "{start}, whose address only this zone can tell resolvers; add A or AAAA records for it"
            )),
            Standing::NoGlue => None,
            Standing::NoAddress => {
                Some(format!("{start}, which has no address; add A or AAAA records for it"))
            }
        }
    }

    fn standing(&self, name: &Name) -> Standing {
        if !name.is_within(self.zone.name()) || self.profiles.contains(name) {
            return Standing::Fine;
        }
        let sets = self.sets(name).map(|it| it.iter().map(|it| it.record_type).collect::<Vec<_>>());
        let found = |sets: &[RecordType]| {
            if sets.iter().any(|it| Family::of(*it).is_some()) {
                Standing::Fine
            } else if sets.contains(&RecordType::CNAME) {
                Standing::Alias
            } else {
                Standing::NoAddress
            }
        };
        if self.cut_around(name).is_some() {
            let is_fine = sets.is_some_and(|it| found(&it) == Standing::Fine);
            return if is_fine { Standing::Fine } else { Standing::NoGlue };
        }
        if self.is_redirected(name) {
            return Standing::Alias;
        }
        let names = self.names.get_or_init(|| self.all_names());
        if names.contains(name.as_wire()) {
            return sets.map_or(Standing::NoAddress, |it| found(&it));
        }
        // The wildcard below the closest name that exists stands for it (RFC 4592 3.3.1).
        let encloser = suffixes(name.as_wire()).find(|it| names.contains(it)).unwrap_or_default();
        let wildcard = Name::from_wire(&[b"\x01*", encloser].concat()).ok();
        match wildcard {
            Some(wildcard) if self.profiles.contains(&wildcard) => Standing::Fine,
            Some(wildcard) => {
                let sets = self.sets(&wildcard).unwrap_or_default();
                found(&sets.iter().map(|it| it.record_type).collect::<Vec<_>>())
            }
            None => Standing::NoAddress,
        }
    }

    fn sets(&self, name: &Name) -> Option<&'z [RecordSet]> {
        self.zone.records().get(name).map(Vec::as_slice)
    }

    /// The delegation nearest to the apex that a name is at or below.
    fn cut_around(&self, name: &Name) -> Option<Name> {
        let mut cut = None;
        let mut at = Some(name.clone());
        while let Some(name) = at.filter(|it| it != self.zone.name()) {
            if self.zone.find(&name, RecordType::NS).is_some() {
                cut = Some(name.clone());
            }
            at = name.parent();
        }
        cut
    }

    fn is_redirected(&self, name: &Name) -> bool {
        let mut above = name.parent();
        while let Some(name) = above.filter(|it| it.is_within(self.zone.name())) {
            if self.zone.find(&name, RecordType::DNAME).is_some() {
                return true;
            }
            above = name.parent();
        }
        false
    }

    fn all_names(&self) -> HashSet<&'z [u8]> {
        let owners = self.zone.records().keys().chain(self.profiles);
        owners.flat_map(|it| suffixes(it.as_wire())).collect()
    }
}

/// The names that a set leads to, where that has to be hosts.
fn targets(set: &RecordSet) -> Vec<Name> {
    let skipped = match set.record_type {
        RecordType::NS => 0,
        RecordType::MX => 2,
        RecordType::SRV => 6,
        _ => return Vec::new(),
    };
    let target = |data: &[u8]| Name::from_wire(data.get(skipped..)?).ok();
    // The root says that there is no such service (RFC 2782, RFC 7505).
    set.data.iter().filter_map(|it| target(it)).filter(|it| it.labels().next().is_some()).collect()
}

/// Whether labels have only letters, digits, and hyphens inside (RFC 952, RFC 1123 2.1).
fn is_host(name: &Name, may_be_wildcard: bool) -> bool {
    let is_inner = |it: &u8| it.is_ascii_alphanumeric() || *it == b'-';
    let is_label =
        |it: &[u8]| it.iter().all(is_inner) && !it.starts_with(b"-") && !it.ends_with(b"-");
    let skipped = usize::from(may_be_wildcard && name.is_wildcard());
    name.labels().skip(skipped).all(is_label)
}

/// Whether a name, by itself or without the zone's, is an IPv4 address.
fn is_address(name: &Name, zone: &Name) -> bool {
    let text = |labels: &[&[u8]]| {
        let labels: Vec<String> = labels.iter().map(|it| it.escape_ascii().to_string()).collect();
        labels.join(".").parse::<std::net::Ipv4Addr>().is_ok()
    };
    let labels: Vec<&[u8]> = name.labels().take(5).collect();
    match labels.get(..4) {
        Some(first) if text(first) => {
            let rest = suffixes(name.as_wire()).nth(4);
            rest == Some(&[0]) || rest == Some(zone.as_wire())
        }
        _ => false,
    }
}

fn has_spf(set: &RecordSet) -> bool {
    set.record_type == RecordType::TXT && set.data.iter().any(|it| it.get(1..7) == Some(b"v=spf1"))
}
