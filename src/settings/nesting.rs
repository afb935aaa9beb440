//! Endpoints that stand for another profile: which it is, and that none leads back to itself.

use std::collections::HashMap;

use super::profile::no_such;
use super::reader::{Section, text};
use crate::model::{Child, Method, MinChildren, Misfit, Name};
use crate::snapshot::MAX_DEPTH;

/// What belongs to an address, and so to no endpoint that stands for a profile.
const OF_ADDRESSES: [&str; 2] = ["monitor", "address"];
/// What belongs to a nested profile.
const OF_CHILDREN: [&str; 3] =
    ["min_child_endpoints", "min_child_endpoints_ipv4", "min_child_endpoints_ipv6"];

/// Reads what an endpoint stands for, if it is a profile.
pub(super) fn child(section: &Section<'_>) -> Option<Child> {
    let is_nested = section.find("profile").is_some();
    for key in OF_CHILDREN.into_iter().filter(|it| !is_nested && section.find(it).is_some()) {
        section.wrong(key, "goes with `profile`; write that too, or remove this");
    }
    for key in OF_ADDRESSES.into_iter().filter(|it| is_nested && section.find(it).is_some()) {
        section
            .wrong(key, "is of no use with `profile`, whose own endpoints are probed; remove it");
    }
    if is_nested && section.find("target").is_some() {
        section.wrong(
            "profile",
            "stands beside `target`; an endpoint has one of the two, so remove the other",
        );
    }
    let [any, v4, v6] = OF_CHILDREN.map(|it| section.integer(it));
    let profile = section.parse("profile", str::parse)?;
    let min = MinChildren { any: any.unwrap_or(1), v4: v4.unwrap_or(0), v6: v6.unwrap_or(0) };
    Some(Child { profile, min })
}

/// Complains about endpoints of these profiles that stand for a profile that doesn't exist, for one that leads back to them,
/// or for too many in a row, and about those whose method has no use for them. `complete` tells whether all are known.
pub(super) fn check(profiles: &[Section<'_>], complete: bool) {
    let name = |section: &Section<'_>, key| section.find(key).and_then(text)?.parse::<Name>().ok();
    let names: Vec<Option<Name>> = profiles.iter().map(|it| name(it, "name")).collect();
    // One whose name can't be read may be the one that is meant.
    let complete = complete && names.iter().all(Option::is_some);
    let slots: HashMap<&Name, usize> =
        names.iter().enumerate().filter_map(|(slot, it)| Some((it.as_ref()?, slot))).collect();
    let mut edges: Vec<Vec<(usize, Section<'_>)>> = Vec::new();
    for profile in profiles {
        let multivalue = profile.find("method").and_then(text) == Some(Method::Multivalue.label());
        let mut own = Vec::new();
        for endpoint in profile.tables("endpoint") {
            let Some(child) = name(&endpoint, "profile") else { continue };
            if multivalue {
                endpoint.wrong(Misfit::Nested.key(), Misfit::Nested);
            }
            match slots.get(&child) {
                Some(slot) => own.push((*slot, endpoint)),
                None if complete => {
                    let known = names.iter().flatten().map(ToString::to_string);
                    let known: Vec<String> = known.collect();
                    let known = known.iter().map(String::as_str);
                    let how = "add a `[[profile]]` with this name";
                    endpoint.wrong("profile", no_such("profile", &child.to_string(), known, how));
                }
                None => {}
            }
        }
        edges.push(own);
    }
    let mut walk =
        Walk { names: &names, edges: &edges, depths: vec![None; edges.len()], way: Vec::new() };
    (0..edges.len()).for_each(|it| {
        walk.depth(it);
    });
}

/// A walk from each profile down to those that it leads to.
struct Walk<'w, 'a> {
    names: &'w [Option<Name>],
    edges: &'w [Vec<(usize, Section<'a>)>],
    /// How many levels are below each, as far as that is known.
    depths: Vec<Option<usize>>,
    /// The profiles from where it started.
    way: Vec<usize>,
}

impl Walk<'_, '_> {
    fn depth(&mut self, slot: usize) -> usize {
        if let Some(known) = self.depths.get(slot).copied().flatten() {
            return known;
        }
        self.way.push(slot);
        let edges = self.edges;
        let mut depth = 0;
        for (child, endpoint) in edges.get(slot).into_iter().flatten() {
            if let Some(start) = self.way.iter().position(|it| it == child) {
                let ring = self.way.iter().skip(start).chain([child]);
                let ring: Vec<String> = ring
                    .filter_map(|it| self.names.get(*it)?.as_ref())
                    .map(Name::to_string)
                    .collect();
                let ring = ring.join(" → ");
                endpoint.wrong("profile", format!("leads back to where it started ({ring}); break the ring at one of its endpoints"));
                continue;
            }
            let below = 1 + self.depth(*child);
            if below == MAX_DEPTH + 1 {
                endpoint.wrong(
                    "profile",
                    format!("is nested too deep; {MAX_DEPTH} levels below a profile are the most"),
                );
            }
            depth = depth.max(below);
        }
        self.way.pop();
        if let Some(known) = self.depths.get_mut(slot) {
            *known = Some(depth);
        }
        depth
    }
}
