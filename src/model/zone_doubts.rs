use std::cell::OnceCell;
use std::collections::{BTreeSet, HashSet};

use super::{Family, Name, NameRef, RecordSet, RecordSets, RecordType, Zone, suffixes};

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
        self.iter().flat_map(|(owner, sets)| examiner.node(owner, sets)).collect()
    }
}

struct Examiner<'z> {
    zone: &'z Zone,
    profiles: &'z BTreeSet<Name>,
    /// Every name that exists, empty non-terminals too; made when first asked for.
    names: OnceCell<HashSet<&'z [u8]>>,
}

impl<'z> Examiner<'z> {
    fn node(&self, owner: NameRef<'z>, sets: RecordSets<'z>) -> Vec<ZoneDoubt> {
        let mut doubts = Vec::new();
        let mut doubt = |record_type, what| {
            doubts.push(ZoneDoubt { owner: owner.to_name(), record_type, what });
        };
        let is_cut = owner != self.zone.name().borrowed() && sets.has(RecordType::NS);
        let above = owner.lineage().nth(1).and_then(|it| self.cut_around(it));
        let is_inner = owner.labels().skip(1).any(|it| it == b"*");
        if let Some(set) = sets.iter().next().filter(|_| is_inner) {
            let what = format!(
                "`{owner}` has a `*` that is not its first label; it stands for no other name (RFC 4592 2.1.2)"
            );
            doubt(set.record_type, what);
        }
        for set in sets.iter() {
            let record_type = set.record_type;
            let is_address = Family::of(record_type).is_some();
            let cut = above.or(is_cut.then_some(owner));
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
    fn target(&self, owner: NameRef<'_>, record_type: RecordType, target: &Name) -> Option<String> {
        let start = format!("{record_type} of `{owner}` leads to `{target}`");
        if is_address(target, self.zone.name()) {
            return Some(format!("{start}, which is written like an address; write a host's name"));
        }
        if !is_host(target.borrowed(), false) {
            return Some(format!(
                "{start}, which is no host's name (letters, digits and hyphens, RFC 1123 2.1)"
            ));
        }
        // Nameservers of the apex have their own rules.
        if record_type == RecordType::NS && owner == self.zone.name().borrowed() {
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
        let sets = self.zone.sets(name.borrowed());
        let found = |sets: RecordSets<'_>| {
            if Family::ALL.iter().any(|it| sets.has(it.record_type())) {
                Standing::Fine
            } else if sets.has(RecordType::CNAME) {
                Standing::Alias
            } else {
                Standing::NoAddress
            }
        };
        if self.cut_around(name.borrowed()).is_some() {
            let is_fine = found(sets) == Standing::Fine;
            return if is_fine { Standing::Fine } else { Standing::NoGlue };
        }
        if self.is_redirected(name) {
            return Standing::Alias;
        }
        let names = self.names.get_or_init(|| self.all_names());
        if names.contains(name.as_wire()) {
            return found(sets);
        }
        // The wildcard below the closest name that exists stands for it (RFC 4592 3.3.1).
        let encloser = suffixes(name.as_wire()).find(|it| names.contains(it)).unwrap_or_default();
        let wildcard = Name::from_wire(&[b"\x01*", encloser].concat()).ok();
        match wildcard {
            Some(wildcard) if self.profiles.contains(&wildcard) => Standing::Fine,
            Some(wildcard) => found(self.zone.sets(wildcard.borrowed())),
            None => Standing::NoAddress,
        }
    }

    /// The delegation nearest to the apex that a name is at or below.
    fn cut_around<'n>(&self, name: NameRef<'n>) -> Option<NameRef<'n>> {
        let below = name.lineage().take_while(|it| *it != self.zone.name().borrowed());
        below.filter(|it| self.zone.sets(*it).has(RecordType::NS)).last()
    }

    fn is_redirected(&self, name: &Name) -> bool {
        let above = name.borrowed().lineage().skip(1);
        let mut above = above.take_while(|it| it.is_within(self.zone.name()));
        above.any(|it| self.zone.sets(it).has(RecordType::DNAME))
    }

    fn all_names(&self) -> HashSet<&'z [u8]> {
        let owners = self.zone.iter().map(|it| it.0);
        let owners = owners.chain(self.profiles.iter().map(Name::borrowed));
        owners.flat_map(|it| suffixes(it.as_wire())).collect()
    }
}

/// The names that a set leads to, where that has to be hosts.
fn targets(set: RecordSet<'_>) -> Vec<Name> {
    let skipped = match set.record_type {
        RecordType::NS => 0,
        RecordType::MX => 2,
        RecordType::SRV => 6,
        _ => return Vec::new(),
    };
    let target = |data: &[u8]| Name::from_wire(data.get(skipped..)?).ok();
    // The root says that there is no such service (RFC 2782, RFC 7505).
    set.data().filter_map(target).filter(|it| it.labels().next().is_some()).collect()
}

/// Whether labels have only letters, digits, and hyphens inside (RFC 952, RFC 1123 2.1).
fn is_host(name: NameRef<'_>, may_be_wildcard: bool) -> bool {
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

fn has_spf(set: RecordSet<'_>) -> bool {
    set.record_type == RecordType::TXT && set.data().any(|it| it.get(1..7) == Some(b"v=spf1"))
}
