use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::failback::note_serving;
use super::names::Names;
use super::nesting::Nesting;
use super::recall::Recall;
use crate::health::Belief;
use crate::model::{
    Endpoint, EndpointKey, EndpointStatus, Expired, Ident, Model, Name, Now, Overrides, Profile,
    Protocol, Serving, Site, Timestamp,
};
use crate::probe::{VerdictChange, Watch};
use crate::snapshot::{
    Answers, EndpointFacts, EndpointState, Given, ProfileTable, Returning, SiteState, Snapshot,
};

/// Everything that is known, and the snapshot that follows from it. Pure: whoever calls says what time it is.
///
/// What is known of endpoints lies in the snapshot itself; `edits` holds what has changed since it was made, so that a
/// burst of changes is one new snapshot, which costs only the profiles concerned.
#[derive(Clone, Debug)]
pub struct World {
    pub(super) snapshot: Arc<Snapshot>,
    pub(super) overrides: Overrides,
    edits: BTreeMap<u32, Vec<EndpointFacts>>,
    overrides_changed: bool,
    pub(super) nesting: Arc<Nesting>,
    pub(super) names: Arc<Names>,
    /// The profiles with an endpoint that starts slowly.
    pub(super) ramping: BTreeSet<u32>,
    /// The profiles that an operator lets fail back.
    pub(super) failing_back: BTreeSet<u32>,
    /// The last answers that named what was in a site, before a reload took it from there.
    pub(super) left_behind: BTreeMap<Ident, Answers>,
    /// Whether the endpoints that serve where failback is manual are others than before.
    pub(super) serving_changed: bool,
    /// When the first of the overrides ends.
    next_expiry: Option<Timestamp>,
    /// What ended before the start.
    pub(super) expired: Vec<Expired>,
    /// What is remembered, for the first snapshot.
    pub(super) recall: Recall,
    pub(super) workers: usize,
    pub(super) seed: u64,
}

/// What a publication changed that people should hear of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Endpoints that came into another status.
    pub transitions: Vec<Transition>,
    /// Profiles that began to answer without heeding health (true), or heed it again (false).
    pub fail_open: Vec<(Name, bool)>,
    /// Profiles where a higher priority has recovered and waits for an operator's word (true), or waits no more (false).
    pub failback: Vec<(Name, bool)>,
}

impl Changes {
    /// Notes how a profile's new table differs from its former one.
    pub(super) fn add(&mut self, before: &ProfileTable, after: &ProfileTable) {
        let pairs = after.profile.endpoints.iter().zip(&after.endpoints);
        let transition = |(endpoint, state): (&Endpoint, &EndpointState)| {
            let old = before.endpoints.get(before.position(&endpoint.name)?)?;
            (old.status != state.status).then(|| Transition {
                key: key(&after.profile, endpoint),
                site: endpoint.site.clone(),
                child: endpoint.child().map(|(child, _)| child.clone()),
                at: state.since,
                from: old.status,
                since: old.since,
                to: state.status,
            })
        };
        self.transitions.extend(pairs.filter_map(transition));
        if before.is_fail_open() != after.is_fail_open() {
            self.fail_open.push((after.profile.name.clone(), after.is_fail_open()));
        }
        if before.awaits_failback() != after.awaits_failback() {
            self.failback.push((after.profile.name.clone(), after.awaits_failback()));
        }
    }
}

/// An endpoint that came into another status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transition {
    /// Which endpoint.
    pub key: EndpointKey,
    /// Its site.
    pub site: Option<Ident>,
    /// The profile that it stands for.
    pub child: Option<Name>,
    /// When.
    pub at: Timestamp,
    /// What it was.
    pub from: EndpointStatus,
    /// Since when it had been so, or since the start.
    pub since: Timestamp,
    /// What it is.
    pub to: EndpointStatus,
}

impl World {
    /// The world at the start: of endpoints nothing is known but what `recall` says, and the overrides that ended while nobody looked are in force
    /// no more. `workers` is the number of threads that answer; `seed` makes the draws differ from those of other
    /// instances.
    pub fn new(
        model: &Model,
        mut overrides: Overrides,
        recall: Recall,
        workers: usize,
        seed: u64,
        now: Now,
    ) -> Self {
        let expired = overrides.expire(now.time);
        let mut world = Self {
            snapshot: Arc::default(),
            next_expiry: overrides.next_expiry(),
            expired,
            recall,
            overrides,
            edits: BTreeMap::new(),
            overrides_changed: false,
            nesting: Arc::default(),
            names: Arc::default(),
            ramping: BTreeSet::new(),
            failing_back: BTreeSet::new(),
            left_behind: BTreeMap::new(),
            serving_changed: false,
            workers,
            seed,
        };
        world.compile(model, now);
        world.recall = Recall::default();
        world
    }

    /// The last snapshot that was made.
    pub fn snapshot(&self) -> &Arc<Snapshot> {
        &self.snapshot
    }

    /// The overrides in force.
    pub fn overrides(&self) -> &Overrides {
        &self.overrides
    }

    /// Whether something has changed since the snapshot was made.
    pub fn is_edited(&self) -> bool {
        self.overrides_changed || !self.edits.is_empty()
    }

    /// What is to be probed.
    pub fn watches(&self) -> Vec<Watch> {
        let mut watches = Vec::new();
        for table in self.snapshot.profiles.iter() {
            for (endpoint, state) in table.profile.endpoints.iter().zip(&table.endpoints) {
                if endpoint.probe.monitor.protocol == Protocol::None {
                    continue;
                }
                let key = key(&table.profile, endpoint);
                let target = state.facts.probe(endpoint).into_owned();
                let is_discovered = endpoint.is_discovered();
                // Nothing has been discovered so far.
                if is_discovered && target.addresses.is_empty() {
                    continue;
                }
                let probed = state.facts.probed.clone();
                let (site, verdict) = (endpoint.site.clone(), state.facts.verdict);
                // A result since the start, for or against it, has made it fresh.
                let is_aged = state.facts.remembered.is_some_and(|it| it.aged)
                    && state.facts.probed.heard().is_none();
                let belief = if is_aged { Belief::aged(verdict) } else { Belief::fresh(verdict) };
                let doubt = table.profile.ttl_min.map(|_| state.facts.doubt);
                let resolved = state.facts.host.as_ref().map(|it| it.record.clone());
                let watch =
                    Watch { key, site, target, belief, doubt, probed, resolved, is_discovered };
                watches.push(watch);
            }
        }
        watches
    }

    /// Takes in a verdict and the doubt about it. One on an endpoint that has been configured anew since, or is gone, says
    /// nothing. Tells whether the verdict turned.
    pub fn observe(&mut self, change: &VerdictChange) -> bool {
        let Some((slot, at)) = self.locate(&change.key) else { return false };
        let Some(facts) = self.facts_mut(slot).and_then(|it| it.get_mut(at)) else { return false };
        if !Arc::ptr_eq(&facts.probed, &change.probed) {
            return false;
        }
        facts.doubt = change.doubt;
        let turned = facts.verdict != change.verdict;
        if turned || change.doubt.is_none() {
            facts.verdict = change.verdict;
            facts.remembered = None;
        }
        turned
    }

    /// Puts other overrides in force.
    pub fn override_with(&mut self, mut overrides: Overrides) {
        // Who serves follows from the snapshot, not from what was said of it before.
        overrides.serving.clone_from(&self.overrides.serving);
        let before = std::mem::replace(&mut self.overrides, overrides);
        self.next_expiry = self.overrides.next_expiry();
        let now = &self.overrides;
        let mut keys: Vec<EndpointKey> = Vec::new();
        keys.extend(before.endpoints.keys().chain(now.endpoints.keys()).cloned());
        keys.retain(|key| before.endpoints.get(key) != now.endpoints.get(key));
        for key in keys {
            let wanted = self.overrides.endpoints.get(&key).cloned().unwrap_or_default();
            let Some((slot, at)) = self.locate(&key) else { continue };
            if let Some(facts) = self.facts_mut(slot).and_then(|it| it.get_mut(at)) {
                facts.overrides = wanted;
            }
        }
        let now = &self.overrides;
        let mut names: BTreeSet<Name> =
            before.profiles.keys().chain(now.profiles.keys()).cloned().collect();
        names.retain(|it| before.profiles.get(it) != now.profiles.get(it));
        for slot in names.iter().filter_map(|it| self.snapshot.slot(it)).collect::<Vec<_>>() {
            self.facts_mut(slot);
        }
        self.overrides_changed |= before != self.overrides;
        if before.drained_sites != self.overrides.drained_sites
            || before.returning_sites != self.overrides.returning_sites
        {
            self.drain_as_wanted();
        }
    }

    /// When the first of the overrides ends, by the time of day.
    pub fn next_expiry(&self) -> Option<Timestamp> {
        self.next_expiry
    }

    /// Undoes the overrides whose time is over at `now`. Tells them, and those that were over before the start.
    pub fn expire(&mut self, now: Timestamp) -> Vec<Expired> {
        self.expire_but(now, &[])
    }

    /// Likewise, but leaves these pending changes alone.
    pub(super) fn expire_but(&mut self, now: Timestamp, pending: &[u64]) -> Vec<Expired> {
        let mut expired = std::mem::take(&mut self.expired);
        if self.next_expiry.is_some_and(|it| it <= now) {
            let mut left = self.overrides.clone();
            expired.extend(left.expire_but(now, pending));
            self.override_with(left);
        }
        expired
    }

    /// Whether an endpoint starts slowly, so that [`step_ramps`](Self::step_ramps) has something to do.
    pub fn is_ramping(&self) -> bool {
        !self.ramping.is_empty()
    }

    /// Has the next publication look at how far those endpoints are that start slowly.
    pub fn step_ramps(&mut self) {
        for slot in std::mem::take(&mut self.ramping) {
            self.facts_mut(slot);
        }
    }

    /// Makes a snapshot of everything that has changed.
    pub fn publish(&mut self, now: Now) -> Changes {
        let mut changes = Changes::default();
        let mut replaced = Vec::with_capacity(self.edits.len());
        let edits = std::mem::take(&mut self.edits).into_iter();
        // Nested profiles come before those that they are nested in.
        let mut edits: BTreeMap<(usize, u32), Vec<EndpointFacts>> =
            edits.map(|(slot, facts)| ((self.nesting.height(slot), slot), facts)).collect();
        while let Some(((_, slot), facts)) = edits.pop_first() {
            let Some(before) = self.snapshot.profiles.get(slot) else { continue };
            let (profile, counters) = (before.profile.clone(), before.counters.clone());
            let geography = &*self.snapshot.geography;
            let enabled = self.overrides.profiles.get(&profile.name);
            let given = Given { previous: Some(before), enabled, geography, now };
            let mut after = ProfileTable::new(profile, facts, counters, given);
            if self.failing_back.remove(&slot) {
                after = after.resuming(&Serving::default(), given);
            }
            changes.add(before, &after);
            let nested = after.nested(slot);
            for parent in
                self.nesting.parents(slot).iter().filter(|_| nested != before.nested(slot))
            {
                let Some(table) = self.snapshot.profiles.get(*parent) else { continue };
                let known = || table.endpoints.iter().map(|it| it.facts.clone()).collect();
                let key = (self.nesting.height(*parent), *parent);
                let facts = edits.entry(key).or_insert_with(known).iter_mut();
                facts
                    .filter_map(|it| it.nested.as_mut())
                    .filter(|it| it.slot == slot)
                    .for_each(|it| *it = nested);
            }
            note_ramp(&mut self.ramping, slot, &after);
            self.serving_changed |= note_serving(&mut self.overrides.serving, &after);
            replaced.push((slot, Arc::new(after)));
        }
        let mut next = Snapshot {
            generation: self.snapshot.generation + 1,
            profiles: self.snapshot.profiles.with(replaced),
            ..Snapshot::clone(&self.snapshot)
        };
        if std::mem::take(&mut self.overrides_changed) {
            next.revision += 1;
            let sites = self.snapshot.sites.iter().map(|it| it.site.clone());
            next.sites = sites.map(|site| self.site_state(site)).collect();
            next.unmatched_overrides = self.unmatched_overrides();
            next.pending = self.pending();
        }
        self.snapshot = Arc::new(next);
        changes
    }

    /// The overrides of endpoints and sites that the configuration doesn't have, by name. They come back into force with what
    /// they are of.
    pub(super) fn unmatched_overrides(&self) -> Arc<[String]> {
        let endpoints = self.overrides.endpoints.keys().filter(|it| self.locate(it).is_none());
        let sites = self.overrides.drained_sites.keys();
        let sites = sites.filter(|it| self.snapshot.site(it).is_none());
        let profiles = self.overrides.profiles.keys();
        let profiles = profiles.filter(|it| self.snapshot.profile(it).is_none());
        let profiles = profiles.map(Name::to_string);
        endpoints
            .map(ToString::to_string)
            .chain(profiles)
            .chain(sites.map(Ident::to_string))
            .collect()
    }

    pub(super) fn is_drained(&self, endpoint: &Endpoint) -> bool {
        endpoint.site.as_ref().is_some_and(|it| self.overrides.drained_sites.contains_key(it))
    }

    pub(super) fn returning(&self, endpoint: &Endpoint) -> Option<Returning> {
        let it = self.overrides.returning_sites.get(endpoint.site.as_ref()?)?;
        Some(Returning { since: it.stamp.at, over: it.value })
    }

    /// Marks every endpoint whose site's drain, or way back, began or ended.
    fn drain_as_wanted(&mut self) {
        let snapshot = self.snapshot.clone();
        for (slot, table) in (0..).zip(snapshot.profiles.iter()) {
            let endpoints = table.profile.endpoints.iter();
            let wanted: Vec<_> =
                endpoints.map(|it| (self.is_drained(it), self.returning(it))).collect();
            let of = |it: &EndpointFacts| (it.drained, it.returning);
            let now: Vec<_> = match self.edits.get(&slot) {
                Some(facts) => facts.iter().map(of).collect(),
                None => table.endpoints.iter().map(|it| of(&it.facts)).collect(),
            };
            if now == wanted {
                continue;
            }
            for (facts, wanted) in self.facts_mut(slot).into_iter().flatten().zip(wanted) {
                (facts.drained, facts.returning) = wanted;
            }
        }
    }

    pub(super) fn site_state(&self, site: Site) -> SiteState {
        let drained = self.overrides.drained_sites.get(&site.name).cloned();
        let returning = self.overrides.returning_sites.get(&site.name).cloned();
        let left_behind = self.left_behind.get(&site.name).copied();
        SiteState { site, drained, returning, left_behind }
    }

    fn locate(&self, key: &EndpointKey) -> Option<(u32, usize)> {
        let slot = self.snapshot.slot(&key.profile)?;
        let at = self.snapshot.profiles.get(slot)?.position(&key.endpoint)?;
        Some((slot, at))
    }

    /// What is known of a profile's endpoints, to be changed.
    pub(super) fn facts_mut(&mut self, slot: u32) -> Option<&mut Vec<EndpointFacts>> {
        let table = self.snapshot.profiles.get(slot)?;
        let known = || table.endpoints.iter().map(|it| it.facts.clone()).collect();
        Some(self.edits.entry(slot).or_insert_with(known))
    }
}

/// An endpoint's name among all profiles.
pub(super) fn key(profile: &Profile, endpoint: &Endpoint) -> EndpointKey {
    EndpointKey { profile: profile.name.clone(), endpoint: endpoint.name.clone() }
}

/// Remembers whether a profile has an endpoint that starts slowly.
pub(super) fn note_ramp(ramping: &mut BTreeSet<u32>, slot: u32, table: &ProfileTable) {
    if table.endpoints.iter().any(|it| it.ramp.is_some()) {
        ramping.insert(slot);
    } else {
        ramping.remove(&slot);
    }
}
