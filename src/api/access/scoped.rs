//! What somebody sees who is limited to profiles.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::super::Api;
use super::super::error::ApiError;
use super::super::view;
use super::Author;
use super::guard::{forbid_unless_held, out_of_scope};
use crate::model::{Ident, Name, Pending, Scopes, Undo};
use crate::snapshot::{ProfileTable, Snapshot};

fn held<'s>(snapshot: &'s Snapshot, scopes: &Scopes) -> impl Iterator<Item = &'s ProfileTable> {
    snapshot.profiles.iter().map(|it| &**it).filter(|it| scopes.hold(&it.profile.name))
}

/// The profiles in a site that the scopes don't hold, in the configuration's order.
pub(super) fn others_in_site(snapshot: &Snapshot, scopes: &Scopes, site: &Ident) -> Vec<Name> {
    let is_there = |it: &ProfileTable| {
        it.profile.endpoints.iter().any(|endpoint| endpoint.site.as_ref() == Some(site))
    };
    let others = snapshot.profiles.iter().filter(|it| !scopes.hold(&it.profile.name));
    others.filter(|it| is_there(it)).map(|it| it.profile.name.clone()).collect()
}

/// A profile, and those that its endpoints stand for, all the way down.
pub(in crate::api) fn reached(snapshot: &Snapshot, profile: &Name) -> Vec<Name> {
    let (mut reached, mut at) = (vec![profile.clone()], 0);
    while let Some(name) = reached.get(at).cloned() {
        at += 1;
        let table = snapshot.profile(&name);
        let endpoints = table.iter().flat_map(|it| &it.profile.endpoints);
        for child in endpoints.filter_map(|it| it.child()) {
            if !reached.contains(child.0) {
                reached.push(child.0.clone());
            }
        }
    }
    reached
}

/// Refuses what shows one of these profiles, if they are not to see it.
pub(in crate::api) fn forbid_unseen(
    api: &Api,
    author: &Author,
    profiles: &[Name],
) -> Result<(), ApiError> {
    profiles.iter().try_for_each(|it| forbid_unless_held(api, author, it))
}

/// Refuses what is in a zone that none of their profiles is in.
pub(in crate::api) fn forbid_unseen_zone(
    api: &Api,
    author: &Author,
    zone: &Name,
) -> Result<(), ApiError> {
    let snapshot = api.live.load();
    let is_there = |it: &ProfileTable| {
        let its_zone = snapshot.zones.find(it.profile.name.as_wire());
        its_zone.is_some_and(|it| it.zone.name() == zone)
    };
    if !author.scopes.are_limited() || held(&snapshot, &author.scopes).any(is_there) {
        return Ok(());
    }
    let (name, scopes) = (&author.name, &author.scopes);
    Err(out_of_scope(api, format!("{name} is limited to {scopes}; none of them is in {zone}")))
}

/// Whether one of the profiles is in this site.
pub(in crate::api) fn sees_site(snapshot: &Snapshot, scopes: &Scopes, site: &str) -> bool {
    let is_it = |it: &Ident| it.as_str() == site;
    !scopes.are_limited()
        || held(snapshot, scopes)
            .any(|it| it.profile.endpoints.iter().any(|it| it.site.as_ref().is_some_and(is_it)))
}

/// Whether pending changes are about one of the profiles, or a site that one of them is in.
pub(in crate::api) fn sees_change(snapshot: &Snapshot, scopes: &Scopes, pending: &Pending) -> bool {
    !scopes.are_limited()
        || pending.undo.iter().any(|it| match it {
            Undo::Endpoint { key, .. } => scopes.hold(&key.profile),
            Undo::Profile { name, .. } => scopes.hold(name),
            Undo::Site { name, .. } => sees_site(snapshot, scopes, name.as_str()),
        })
}

/// Every site that one of the profiles is in, with their endpoints alone counted.
pub(in crate::api) fn seen_sites(
    mut sites: view::Sites,
    snapshot: &Snapshot,
    scopes: &Scopes,
) -> view::Sites {
    if !scopes.are_limited() {
        return sites;
    }
    let mut counts: HashMap<&str, (usize, usize)> = HashMap::new();
    for table in held(snapshot, scopes) {
        for (endpoint, state) in table.profile.endpoints.iter().zip(&table.endpoints) {
            if let Some(site) = &endpoint.site {
                let count = counts.entry(site.as_str()).or_default();
                count.0 += 1;
                count.1 += usize::from(state.status.is_healthy());
            }
        }
    }
    sites.sites.retain_mut(|site| {
        let Some(count) = counts.get(site.name.as_str()) else { return false };
        (site.endpoints, site.healthy) = *count;
        site.drain.iter_mut().for_each(|it| hide_others(it, scopes));
        true
    });
    sites
}

/// Of what is still answered with in a drained site, whether there is anything is everybody's to know.
fn hide_others(drain: &mut view::Drain, scopes: &Scopes) {
    let is_held = |it: &view::EndpointRef| it.profile.parse().is_ok_and(|it| scopes.hold(&it));
    drain.still_answered.retain(is_held);
}

/// One look at everything that is about these profiles.
pub(in crate::api) fn seen_status(
    mut status: view::Status,
    snapshot: &Snapshot,
    scopes: &Scopes,
) -> view::Status {
    if !scopes.are_limited() {
        return status;
    }
    let names: BTreeSet<String> =
        held(snapshot, scopes).map(|it| it.profile.name.to_string()).collect();
    let mut sites = BTreeSet::new();
    let mut endpoints = BTreeMap::new();
    for table in held(snapshot, scopes) {
        for (endpoint, state) in table.profile.endpoints.iter().zip(&table.endpoints) {
            *endpoints.entry(state.status.label().to_owned()).or_default() += 1;
            sites.extend(endpoint.site.as_ref().map(Ident::to_string));
        }
    }
    let holds_one = |zone: &String| {
        let zone: Option<Name> = zone.parse().ok();
        zone.is_some_and(|zone| held(snapshot, scopes).any(|it| it.profile.name.is_within(&zone)))
    };
    status.zones.retain(holds_one);
    status.profiles = names.len();
    status.endpoints = endpoints;
    status.failing_open.retain(|it| names.contains(it));
    for list in [&mut status.degraded, &mut status.stale, &mut status.certificates] {
        list.retain(|it| names.contains(&it.profile));
    }
    status.drained_sites.retain(|it| sites.contains(it));
    status.drains.retain(|site, _| sites.contains(site));
    status.drains.values_mut().for_each(|it| hide_others(it, scopes));
    status.overridden.retain(|it| names.contains(&it.profile));
    // Of what is configured no more, only the names of profiles tell whose it was; sites are everybody's.
    status.unmatched_overrides.retain(|it| {
        let profile = it.split_once(' ').and_then(|(profile, _)| profile.parse::<Name>().ok());
        profile.is_some_and(|it| scopes.hold(&it))
    });
    if let Some(refused) = &mut status.refused_reload {
        refused.why = "it is told to those who see every profile".to_owned();
    }
    status
}
