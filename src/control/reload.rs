use std::collections::{HashMap, HashSet};
use std::fmt::Display;
use std::sync::Arc;

use super::geography::in_force;
use super::names::Names;
use super::nesting::Nesting;
use super::world::{Changes, World, key, note_ramp};
use crate::health::Probed;
use crate::metrics::COUNTED_RCODES;
use crate::model::{
    Endpoint, EndpointOverrides, Geography, Model, Name, Now, Override, Profile, Verdict, Zone,
    suffixes,
};
use crate::routing::mix;
use crate::snapshot::{
    AnswerCounters, EndpointFacts, Given, ProfileTable, Slots, Snapshot, WorkerCounters, ZoneTable,
    Zones,
};

/// What a reload changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diff {
    /// Profiles that are new.
    pub added: Vec<Name>,
    /// Profiles that are gone.
    pub removed: Vec<Name>,
    /// Profiles that read otherwise now.
    pub changed: Vec<Name>,
    /// Whether zones or sites changed.
    pub zones_or_sites: bool,
    /// Keys that belong to none of these and have other values, now in force: "server.listen".
    pub settings: Vec<&'static str>,
    /// Overrides that beat the configuration: "profile endpoint: weight 9 over 1" or "site: drained".
    pub overridden: Vec<String>,
    /// Overrides of what the configuration doesn't have, as "profile endpoint" or "site".
    pub unmatched: Vec<String>,
    /// Keys whose new values count only after a restart.
    pub needs_restart: Vec<&'static str>,
    /// What an operator should look after, though the reload was taken.
    pub warnings: Vec<String>,
    /// The generation of the snapshot that has it all.
    pub generation: u64,
}

impl World {
    /// Puts another configuration in force and makes its snapshot. Endpoints that are probed as before keep what is known of
    /// them.
    pub fn reload(&mut self, model: &Model, now: Now) -> (Diff, Changes) {
        let mut changes = if self.is_edited() { self.publish(now) } else { Changes::default() };
        let before = self.snapshot.clone();
        self.compile(model, now);
        let after = self.snapshot.clone();
        let mut diff = Diff { generation: after.generation, ..Diff::default() };
        for table in after.profiles.iter() {
            let name = &table.profile.name;
            match before.profile(name) {
                None => diff.added.push(name.clone()),
                Some(old) => {
                    changes.add(old, table);
                    if old.profile != table.profile {
                        diff.changed.push(name.clone());
                    }
                }
            }
        }
        let gone = before.profiles.iter().filter(|it| after.profile(&it.profile.name).is_none());
        diff.removed = gone.map(|it| it.profile.name.clone()).collect();
        let sites = |it: &Snapshot| it.sites.iter().map(|it| it.site.clone()).collect::<Vec<_>>();
        diff.zones_or_sites =
            !same_zones(&before.zones, &after.zones) || sites(&before) != sites(&after);
        diff.unmatched = after.unmatched_overrides.to_vec();
        diff.overridden = self.shadowing();
        (diff, changes)
    }

    /// The overrides by which something is not as it is configured, with what they beat.
    fn shadowing(&self) -> Vec<String> {
        let endpoints = self.overrides.endpoints.iter().filter_map(|(key, overrides)| {
            let table = self.snapshot.profile(&key.profile)?;
            let configured = table.profile.endpoints.get(table.position(&key.endpoint)?)?;
            let beaten = beaten(overrides, configured);
            (!beaten.is_empty()).then(|| format!("{key}: {}", beaten.join(", ")))
        });
        let profiles = self.overrides.profiles.iter().filter_map(|(name, it)| {
            let configured = self.snapshot.profile(name)?.profile.enabled;
            (configured != it.value)
                .then(|| format!("{name}: enabled {} over {configured}", it.value))
        });
        let sites = self.overrides.drained_sites.keys();
        let sites = sites.filter(|it| self.snapshot.site(it).is_some());
        endpoints.chain(profiles).chain(sites.map(|it| format!("{it}: drained"))).collect()
    }

    /// Makes the whole snapshot from a model, keeping what is known of whatever is still there.
    pub(super) fn compile(&mut self, model: &Model, now: Now) {
        let before = self.snapshot.clone();
        self.nesting = Arc::new(Nesting::of(model));
        self.names = Arc::new(Names::of(model, &self.names, &self.recall));
        self.ramping.clear();
        self.failing_back.clear();
        let geography = in_force(&model.geography, &before.geography, now.time);
        let profiles = self.tables(model, &before, &geography, now);
        self.note_left_behind(model, &before, now);
        let by_zone = profiles_by_zone(model);
        let zone = |zone: &Arc<Zone>| {
            let old = before.zones.get(zone.name());
            let profiles =
                by_zone.get(zone.name().as_wire()).map(Vec::as_slice).unwrap_or_default();
            if let Some(same) = old.filter(|it| it.is_of(zone, profiles.iter().copied())) {
                return same.clone();
            }
            let responses = old.map(|it| it.responses.clone());
            let responses = responses
                .unwrap_or_else(|| Arc::new(WorkerCounters::new(self.workers, COUNTED_RCODES)));
            Arc::new(ZoneTable::new(zone.clone(), profiles.iter().copied(), responses))
        };
        self.snapshot = Arc::new(Snapshot {
            generation: before.generation + 1,
            revision: before.revision + 1,
            zones: Arc::new(Zones::new(model.zones.iter().map(zone))),
            profiles,
            sites: model.sites.iter().map(|it| self.site_state(it.clone())).collect(),
            unmatched_overrides: Arc::new([]),
            pending: self.pending(),
            geography,
        });
        self.note_all_serving();
        let unmatched = self.unmatched_overrides();
        Arc::make_mut(&mut self.snapshot).unmatched_overrides = unmatched;
    }

    /// Notes the answers that named endpoints which are in their sites no more: a drain waits for them, too.
    fn note_left_behind(&mut self, model: &Model, before: &Snapshot, now: Now) {
        let profiles: HashMap<&Name, &Profile> =
            model.profiles.iter().map(|it| (&it.name, &**it)).collect();
        for table in before.profiles.iter() {
            let profile = profiles.get(&table.profile.name);
            let is_there = |it: &Endpoint| {
                let mut endpoints = profile.iter().flat_map(|it| &it.endpoints);
                endpoints.any(|other| other.name == it.name && other.site == it.site)
            };
            if profile.is_some_and(|it| **it == *table.profile) {
                continue;
            }
            let gone = table.profile.endpoints.iter().zip(&table.endpoints);
            for (endpoint, state) in gone.filter(|it| !is_there(it.0)) {
                let Some(site) = &endpoint.site else { continue };
                let answers = self.left_behind.entry(site.clone()).or_default();
                *answers = answers.later(state.answers(table.ttl, now));
            }
        }
        self.left_behind.retain(|_, it| it.held_until.moment > now.moment);
    }

    /// The tables of all profiles; nested ones are made before those that they are nested in.
    fn tables(
        &mut self,
        model: &Model,
        before: &Snapshot,
        geography: &Geography,
        now: Now,
    ) -> Slots<ProfileTable> {
        let mut slots: Vec<u32> = (0..).zip(&model.profiles).map(|(slot, _)| slot).collect();
        slots.sort_by_key(|it| self.nesting.height(*it));
        let mut tables: Vec<Option<ProfileTable>> = slots.iter().map(|_| None).collect();
        for slot in slots {
            let Some(profile) = model.profiles.get(slot as usize) else { continue };
            let nested = |endpoint: &Endpoint| {
                let slot = self.nesting.slot(endpoint.child()?.0)?;
                Some(tables.get(slot as usize)?.as_ref()?.nested(slot))
            };
            let old = before.profile(&profile.name);
            let facts = profile.endpoints.iter().map(|it| EndpointFacts {
                nested: nested(it),
                ..self.facts(profile, it, old, now)
            });
            let (facts, counters) = (facts.collect(), self.counters(profile, old));
            let enabled = self.overrides.profiles.get(&profile.name);
            let given = Given { previous: old.map(|it| &**it), enabled, geography, now };
            let mut table = ProfileTable::new(profile.clone(), facts, counters, given);
            let stored = self.overrides.serving.get(&profile.name).filter(|_| old.is_none());
            if let Some(serving) = stored {
                table = table.resuming(serving, given);
            }
            note_ramp(&mut self.ramping, slot, &table);
            if let Some(room) = tables.get_mut(slot as usize) {
                *room = Some(table);
            }
        }
        tables.into_iter().flatten().collect()
    }

    /// What is known of an endpoint that may have been configured otherwise before. Where it is probed at the same place, all
    /// of it holds, however it is probed there: an endpoint that is down must not be served for a change of its interval.
    fn facts(
        &self,
        profile: &Profile,
        endpoint: &Endpoint,
        before: Option<&Arc<ProfileTable>>,
        now: Now,
    ) -> EndpointFacts {
        let known = before.and_then(|table| {
            let at = table.position(&endpoint.name)?;
            let facts = &table.endpoints.get(at)?.facts;
            Some((facts.probe(table.profile.endpoints.get(at)?), facts))
        });
        let key = key(profile, endpoint);
        let host = endpoint.locator(&profile.name).and_then(|it| self.names.host(&it));
        let found = host.as_ref().map(|it| it.addresses.clone()).unwrap_or_default();
        let probe = endpoint.probe_at(&found);
        let (verdict, doubt, remembered, probed) = match known {
            Some((before, known)) if before.tells_of(&probe, known.verdict) => {
                (known.verdict, known.doubt, known.remembered, known.probed.clone())
            }
            _ => {
                let remembered = self.recall.of(&key, &probe);
                let verdict = remembered.map_or(Verdict::Unknown, |it| it.verdict);
                (verdict, None, remembered, Arc::new(Probed::since(now.moment)))
            }
        };
        EndpointFacts {
            verdict,
            doubt,
            remembered,
            probed,
            nested: None,
            host,
            overrides: self.overrides.endpoints.get(&key).cloned().unwrap_or_default(),
            drained: self.is_drained(endpoint),
            returning: self.returning(endpoint),
        }
    }

    /// The counters of a profile: the same where its endpoints are, else new ones that count on.
    fn counters(
        &self,
        profile: &Profile,
        before: Option<&Arc<ProfileTable>>,
    ) -> Arc<AnswerCounters> {
        let names =
            |it: &Profile| it.endpoints.iter().map(|it| it.name.clone()).collect::<Vec<_>>();
        match before {
            Some(before) if names(&before.profile) == names(profile) => before.counters.clone(),
            _ => {
                let answers = |it: &Endpoint| {
                    let before = before?;
                    Some(before.counters.answers(before.position(&it.name)?))
                };
                let carried = profile.endpoints.iter().map(|it| answers(it).unwrap_or_default());
                let fallback = before.map(|it| it.counters.fallback_answers()).unwrap_or_default();
                let carried = carried.chain([fallback]).collect();
                Arc::new(AnswerCounters::new(self.workers, carried, self.seed_of(&profile.name)))
            }
        }
    }

    fn seed_of(&self, name: &Name) -> u64 {
        name.as_wire().iter().fold(self.seed, |seed, octet| mix(seed ^ u64::from(*octet)))
    }
}

/// What an endpoint's overrides beat of its configuration; what says the same beats nothing.
fn beaten(overrides: &EndpointOverrides, configured: &Endpoint) -> Vec<String> {
    fn over<T: PartialEq + Display>(it: Override, value: T, configured: T) -> Option<String> {
        (value != configured).then(|| format!("{it} over {configured}"))
    }
    let beaten = |(it, _)| match it {
        Override::Weight(value) => over(it, value, configured.weight),
        Override::Priority(value) => over(it, value, configured.priority),
        Override::Enabled(value) => over(it, value, configured.enabled),
        Override::Forced(_) => Some(it.to_string()),
    };
    overrides.fields().filter_map(beaten).collect()
}

/// The profiles of each zone with their slots: the deepest zone that holds a profile has it.
fn profiles_by_zone(model: &Model) -> HashMap<&[u8], Vec<(u32, &Profile)>> {
    let apexes: HashSet<&[u8]> = model.zones.iter().map(|it| it.name().as_wire()).collect();
    let mut by_zone: HashMap<&[u8], Vec<(u32, &Profile)>> = HashMap::new();
    for (slot, profile) in (0..).zip(&model.profiles) {
        let apex = suffixes(profile.name.as_wire()).find(|it| apexes.contains(it));
        if let Some(apex) = apex {
            by_zone.entry(apex).or_default().push((slot, profile));
        }
    }
    by_zone
}

fn same_zones(before: &Zones, after: &Zones) -> bool {
    let same =
        |it: &Arc<ZoneTable>| before.get(it.zone.name()).is_some_and(|old| old.zone == it.zone);
    before.iter().count() == after.iter().count() && after.iter().all(same)
}
