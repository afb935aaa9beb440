//! Makes a draft one that Farol takes: what a method has no room for is left out, and said so.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

use super::draft::{Draft, Endpoint, Profile, Target};
use super::report::Report;
use crate::model::Method;

/// The word on profiles in which names and addresses meet.
const FLATTENED: &str =
    "names as targets → flatten = true: clients get the addresses that Farol finds, not a CNAME";

/// Leaves out what can't be, and says why.
pub(super) fn fit(draft: &mut Draft, report: &mut Report) {
    // Who leaves may have been all that another stood for.
    loop {
        let names: HashSet<String> = draft.profiles.iter().map(|it| it.name.clone()).collect();
        let before = size(draft);
        draft.profiles.iter_mut().for_each(|it| fit_profile(it, &names, report));
        draft.profiles.retain(|it| {
            if it.endpoints.is_empty() {
                report.unsupported(
                    &it.from,
                    "a profile without endpoints",
                    "a profile of Farol's has one at least, so it is not written",
                    "give it an endpoint and import again, or write it by hand",
                );
            }
            !it.endpoints.is_empty()
        });
        if size(draft) == before {
            break;
        }
    }
    flatten(draft, report);
    leave_unused_sites(draft);
}

fn size(draft: &Draft) -> (usize, usize) {
    (draft.profiles.len(), draft.profiles.iter().map(|it| it.endpoints.len()).sum())
}

fn fit_profile(profile: &mut Profile, names: &HashSet<String>, report: &mut Report) {
    let (method, from) = (profile.method, profile.from.clone());
    let mut seen = Seen::default();
    let mut left_out = Vec::new();
    profile.endpoints.retain_mut(|endpoint| {
        let why = seen.misfit(endpoint, method, names, &from, report);
        if let Some((why, advice)) = why {
            let place = format!("{from}/{}", endpoint.name);
            report.unsupported(&place, "an endpoint that is left out", why, advice);
            left_out.push(format!("Left out: the endpoint {}, since {why}.", endpoint.name));
        }
        why.is_none()
    });
    profile.notes.extend(left_out);
}

/// What endpoints of a profile have already.
#[derive(Default)]
struct Seen {
    codes: HashSet<String>,
    subnets: HashSet<String>,
    addresses: HashSet<IpAddr>,
}

impl Seen {
    /// Why a method has no use for an endpoint, and what to do.
    fn misfit(
        &mut self,
        endpoint: &mut Endpoint,
        method: Method,
        names: &HashSet<String>,
        from: &str,
        report: &mut Report,
    ) -> Option<(&'static str, &'static str)> {
        if let Target::Profile { name, .. } = &endpoint.target
            && !names.contains(name)
        {
            return Some((
                "the profile that it stands for is not among what was imported",
                "import that profile too, in one run: name all files",
            ));
        }
        if let Target::Addresses(addresses) = &endpoint.target
            && addresses.iter().any(|it| is_nobodys(*it))
        {
            return Some(("no single machine has its address", "correct the address"));
        }
        match (method, &endpoint.target) {
            (Method::Multivalue, Target::Profile { .. }) => {
                return Some((
                    "multivalue answers with addresses of its own endpoints, not with nested profiles",
                    "nest the other way round, or write the addresses here",
                ));
            }
            (Method::Multivalue, Target::Name(_)) => {
                return Some((
                    "multivalue answers with addresses, and its target is a name",
                    "write its addresses, or take another method",
                ));
            }
            (Method::Multivalue, Target::Addresses(addresses))
                if addresses.iter().any(|it| !self.addresses.insert(*it)) =>
            {
                return Some((
                    "one answer would name its address twice",
                    "keep the address at one endpoint",
                ));
            }
            _ => {}
        }
        let place = format!("{from}/{}", endpoint.name);
        let mut drop_known = |list: &mut Vec<String>, known: &mut HashSet<String>, what: &str| {
            list.retain(|it| {
                let is_new = known.insert(it.clone());
                if !is_new {
                    report.unsupported(
                        &place,
                        format!("{what} {it} a second time"),
                        "it leads to one endpoint of a profile, the first that has it",
                        "",
                    );
                }
                is_new
            });
        };
        let had_subnets = !endpoint.subnets.is_empty();
        drop_known(&mut endpoint.geo, &mut self.codes, "the region");
        drop_known(&mut endpoint.subnets, &mut self.subnets, "the network");
        if method == Method::Geographic && endpoint.geo.is_empty() {
            return Some((
                "it serves no part of the world, so it is never an answer",
                "give it regions, or WORLD",
            ));
        }
        if had_subnets && endpoint.subnets.is_empty() {
            return Some(("all its networks are others' already", "give it networks of its own"));
        }
        None
    }
}

/// Whether no service can have an address, which Farol's loader refuses then.
fn is_nobodys(address: IpAddr) -> bool {
    let is_broadcast = matches!(address, IpAddr::V4(it) if it.is_broadcast());
    address.is_unspecified() || address.is_multicast() || is_broadcast
}

/// Which kinds of answers a profile leads to.
#[derive(Clone, Copy, Default)]
struct Kinds {
    alias: bool,
    address: bool,
}

/// Has names answered with their addresses wherever they meet addresses, or a zone's apex, where no CNAME can be.
fn flatten(draft: &mut Draft, report: &mut Report) {
    let apexes: HashSet<String> = draft.zones.iter().map(|it| it.name.clone()).collect();
    loop {
        let slots: HashMap<&str, usize> =
            draft.profiles.iter().enumerate().map(|(slot, it)| (it.name.as_str(), slot)).collect();
        let walk = Walk { draft, slots };
        let mixed = (0..draft.profiles.len()).find_map(|slot| {
            let mut way = HashSet::new();
            let kinds = walk.kinds(slot, &mut way);
            let is_apex = draft.profiles.get(slot).is_some_and(|it| apexes.contains(&it.name));
            (kinds.alias && (kinds.address || is_apex)).then_some(way)
        });
        let Some(way) = mixed else { break };
        for slot in way {
            if let Some(profile) = draft.profiles.get_mut(slot).filter(|it| has_names(it)) {
                profile.flatten = true;
                report.differs(
                    &profile.from,
                    FLATTENED,
                    "names and addresses meet in this profile or in one that it is nested in, or it is at its zone's apex",
                    "nothing, if the machine's resolvers know the names; else [resolver]",
                );
            }
        }
    }
}

fn has_names(profile: &Profile) -> bool {
    profile.endpoints.iter().any(|it| matches!(it.target, Target::Name(_)))
}

struct Walk<'d> {
    draft: &'d Draft,
    slots: HashMap<&'d str, usize>,
}

impl Walk<'_> {
    /// Everything that a profile leads to; `way` takes the profiles that have a part in it.
    fn kinds(&self, slot: usize, way: &mut HashSet<usize>) -> Kinds {
        let mut kinds = Kinds::default();
        let Some(profile) = self.draft.profiles.get(slot).filter(|_| way.insert(slot)) else {
            return kinds;
        };
        for endpoint in &profile.endpoints {
            match &endpoint.target {
                Target::Addresses(_) => kinds.address = true,
                Target::Name(_) if profile.flatten => kinds.address = true,
                Target::Name(_) => kinds.alias = true,
                Target::Profile { name, .. } => {
                    if let Some(child) = self.slots.get(name.as_str()) {
                        let below = self.kinds(*child, way);
                        kinds.alias |= below.alias;
                        kinds.address |= below.address;
                    }
                }
            }
        }
        kinds
    }
}

fn leave_unused_sites(draft: &mut Draft) {
    let used: HashSet<String> = draft
        .profiles
        .iter()
        .flat_map(|it| &it.endpoints)
        .filter_map(|it| it.site.clone())
        .collect();
    draft.sites.retain(|it| used.contains(&it.name));
}
