use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::{Change, ChangeError};
use crate::metrics::COUNTED_RCODES;
use crate::model::{
    Endpoint, EndpointKey, EndpointStatus, Ident, Model, Name, Overrides, Profile, Protocol, Stamp,
    Timestamp, Verdict,
};
use crate::probe::{VerdictChange, Watch};
use crate::routing::mix;
use crate::snapshot::{
    AnswerCounters, EndpointFacts, ProfileTable, SiteState, Slots, Snapshot, WorkerCounters,
    ZoneTable, Zones,
};

/// Everything that is known, and the snapshot that follows from it. Pure: whoever calls says what time it is.
///
/// What is known of endpoints lies in the snapshot itself; `edits` holds what has changed since it was made, so that a
/// burst of changes is one new snapshot, which costs only the profiles concerned.
#[derive(Debug)]
pub struct World {
    snapshot: Arc<Snapshot>,
    overrides: Overrides,
    edits: BTreeMap<u32, Vec<EndpointFacts>>,
    sites_changed: bool,
    workers: usize,
    seed: u64,
}

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
    /// Overrides that beat the configuration, as "profile endpoint" or "site".
    pub overridden: Vec<String>,
    /// The generation of the snapshot that has it all.
    pub generation: u64,
}

/// An endpoint that came into another status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transition {
    /// Which endpoint.
    pub key: EndpointKey,
    /// Its site.
    pub site: Option<Ident>,
    /// What it was.
    pub from: EndpointStatus,
    /// What it is.
    pub to: EndpointStatus,
}

impl World {
    /// The world at the start: nothing has been probed yet. `workers` is the number of threads that answer; `seed` makes
    /// the draws differ from those of other instances.
    pub fn new(
        model: &Model,
        overrides: Overrides,
        workers: usize,
        seed: u64,
        now: Timestamp,
    ) -> Self {
        let mut world = Self {
            snapshot: Arc::default(),
            overrides,
            edits: BTreeMap::new(),
            sites_changed: false,
            workers,
            seed,
        };
        world.compile(model, now);
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
        self.sites_changed || !self.edits.is_empty()
    }

    /// What is to be probed.
    pub fn watches(&self) -> Vec<Watch> {
        let mut watches = Vec::new();
        for table in self.snapshot.profiles.iter() {
            for (endpoint, state) in table.profile.endpoints.iter().zip(&table.endpoints) {
                if endpoint.probe.monitor.protocol != Protocol::None {
                    let key = key(&table.profile, endpoint);
                    let (target, probed) = (endpoint.probe.clone(), state.facts.probed.clone());
                    watches.push(Watch { key, target, verdict: state.facts.verdict, probed });
                }
            }
        }
        watches
    }

    /// Takes in a verdict. One on an endpoint that has been configured anew since, or is gone, says nothing.
    pub fn observe(&mut self, change: &VerdictChange) {
        let Some((slot, at)) = self.locate(&change.key) else { return };
        let Some(facts) = self.facts_mut(slot).and_then(|it| it.get_mut(at)) else { return };
        if Arc::ptr_eq(&facts.probed, &change.probed) {
            facts.verdict = change.verdict;
        }
    }

    /// What the overrides would be after a change.
    ///
    /// # Errors
    /// When the change names what doesn't exist.
    pub fn plan(
        &self,
        overrides: &mut Overrides,
        change: &Change,
        stamp: &Stamp,
    ) -> Result<(), ChangeError> {
        match change {
            Change::Endpoint(key, change) => {
                let table = self.snapshot.profile(&key.profile);
                let table = table.ok_or_else(|| ChangeError::NoProfile(key.profile.clone()))?;
                if table.position(&key.endpoint).is_none() {
                    return Err(ChangeError::NoEndpoint(key.clone()));
                }
                let mut changed = overrides.endpoints.remove(key).unwrap_or_default();
                change.apply(&mut changed, stamp);
                if !changed.is_empty() {
                    overrides.endpoints.insert(key.clone(), changed);
                }
            }
            Change::Site { name, drained } => {
                if self.snapshot.site(name).is_none() {
                    return Err(ChangeError::NoSite(name.clone()));
                }
                if *drained {
                    overrides.drained_sites.insert(name.clone(), stamp.clone());
                } else {
                    overrides.drained_sites.remove(name);
                }
            }
        }
        Ok(())
    }

    /// Puts other overrides in force.
    pub fn override_with(&mut self, overrides: Overrides) {
        let before = std::mem::replace(&mut self.overrides, overrides);
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
        if before.drained_sites != self.overrides.drained_sites {
            self.sites_changed = true;
            self.drain_as_wanted();
        }
    }

    /// Makes a snapshot of everything that has changed. Gives the endpoints whose status is another one now.
    pub fn publish(&mut self, now: Timestamp) -> Vec<Transition> {
        let mut transitions = Vec::new();
        let mut replaced = Vec::with_capacity(self.edits.len());
        for (slot, facts) in std::mem::take(&mut self.edits) {
            let Some(before) = self.snapshot.profiles.get(slot) else { continue };
            let (profile, counters) = (before.profile.clone(), before.counters.clone());
            let after = ProfileTable::new(profile, facts, counters, Some(before), now);
            transitions.extend(compare(before, &after));
            replaced.push((slot, Arc::new(after)));
        }
        let sites = if std::mem::take(&mut self.sites_changed) {
            let sites = self.snapshot.sites.iter().map(|it| it.site.clone());
            sites.map(|site| self.site_state(site)).collect()
        } else {
            self.snapshot.sites.clone()
        };
        self.snapshot = Arc::new(Snapshot {
            generation: self.snapshot.generation + 1,
            zones: self.snapshot.zones.clone(),
            profiles: self.snapshot.profiles.with(replaced),
            sites,
        });
        transitions
    }

    /// Puts another configuration in force and makes its snapshot. Endpoints that are probed as before keep what is known of
    /// them.
    pub fn reload(&mut self, model: &Model, now: Timestamp) -> (Diff, Vec<Transition>) {
        let mut transitions = if self.is_edited() { self.publish(now) } else { Vec::new() };
        let before = self.snapshot.clone();
        self.compile(model, now);
        let after = self.snapshot.clone();
        let mut diff = Diff { generation: after.generation, ..Diff::default() };
        for table in after.profiles.iter() {
            let name = &table.profile.name;
            match before.profile(name) {
                None => diff.added.push(name.clone()),
                Some(old) => {
                    transitions.extend(compare(old, table));
                    if old.profile != table.profile {
                        diff.changed.push(name.clone());
                    }
                }
            }
        }
        let gone = before.profiles.iter().filter(|it| after.profile(&it.profile.name).is_none());
        diff.removed = gone.map(|it| it.profile.name.clone()).collect();
        diff.zones_or_sites = !same_zones(&before.zones, &after.zones)
            || !before.sites.iter().map(|it| &it.site).eq(after.sites.iter().map(|it| &it.site));
        diff.overridden = self.overrides_by_name();
        (diff, transitions)
    }

    fn overrides_by_name(&self) -> Vec<String> {
        let endpoints = self.overrides.endpoints.keys();
        let endpoints = endpoints.map(|it| format!("{} {}", it.profile, it.endpoint));
        let sites = self.overrides.drained_sites.keys().map(Ident::to_string);
        endpoints.chain(sites).collect()
    }

    /// Makes the whole snapshot from a model, keeping what is known of whatever is still there.
    fn compile(&mut self, model: &Model, now: Timestamp) {
        let before = self.snapshot.clone();
        let table =
            |profile: &Arc<Profile>| self.table(profile, before.profile(&profile.name), now);
        let profiles: Slots<ProfileTable> = model.profiles.iter().map(table).collect();
        let mut by_zone: HashMap<Name, Vec<(u32, &Profile)>> = HashMap::new();
        let apexes: std::collections::HashSet<&[u8]> =
            model.zones.iter().map(|it| it.name().as_wire()).collect();
        for (slot, profile) in (0..).zip(&model.profiles) {
            let mut above = crate::model::suffixes(profile.name.as_wire());
            let apex = above.find(|it| apexes.contains(it)).and_then(|it| Name::from_wire(it).ok());
            if let Some(apex) = apex {
                by_zone.entry(apex).or_default().push((slot, profile));
            }
        }
        let zone = |zone: &Arc<crate::model::Zone>| {
            let responses = before.zones.get(zone.name()).map(|it| it.responses.clone());
            let responses = responses
                .unwrap_or_else(|| Arc::new(WorkerCounters::new(self.workers, COUNTED_RCODES)));
            let profiles = by_zone.get(zone.name()).cloned().unwrap_or_default();
            ZoneTable::new(zone.clone(), profiles, responses)
        };
        self.snapshot = Arc::new(Snapshot {
            generation: before.generation + 1,
            zones: Arc::new(Zones::new(model.zones.iter().map(zone))),
            profiles,
            sites: model.sites.iter().map(|it| self.site_state(it.clone())).collect(),
        });
    }

    fn table(
        &self,
        profile: &Arc<Profile>,
        before: Option<&Arc<ProfileTable>>,
        now: Timestamp,
    ) -> ProfileTable {
        let place = |endpoint: &Endpoint| before.and_then(|it| it.position(&endpoint.name));
        let facts = |endpoint: &Endpoint| {
            let known = before.zip(place(endpoint)).and_then(|(table, at)| {
                let known = &table.endpoints.get(at)?.facts;
                Some((&table.profile.endpoints.get(at)?.probe, known))
            });
            // Where it is probed at the same place but otherwise, the verdict holds until the new probes say more: an
            // endpoint that is down must not be served for a change of its interval.
            let verdict = known.filter(|(probe, _)| probe.addresses == endpoint.probe.addresses);
            let probed = known.filter(|(probe, _)| **probe == endpoint.probe);
            let key = key(profile, endpoint);
            EndpointFacts {
                verdict: verdict.map_or(Verdict::Unknown, |(_, it)| it.verdict),
                probed: probed.map(|(_, it)| it.probed.clone()).unwrap_or_default(),
                overrides: self.overrides.endpoints.get(&key).cloned().unwrap_or_default(),
                drained: self.is_drained(endpoint),
            }
        };
        let facts = profile.endpoints.iter().map(facts).collect();
        let names =
            |it: &Profile| it.endpoints.iter().map(|it| it.name.clone()).collect::<Vec<_>>();
        let counters = match before {
            Some(before) if names(&before.profile) == names(profile) => before.counters.clone(),
            _ => {
                let answers = |it: &Endpoint| {
                    let at = place(it);
                    before
                        .zip(at)
                        .map(|(before, at)| before.counters.answers(at))
                        .unwrap_or_default()
                };
                let carried = profile.endpoints.iter().map(answers).collect();
                Arc::new(AnswerCounters::new(self.workers, carried, self.seed_of(&profile.name)))
            }
        };
        ProfileTable::new(profile.clone(), facts, counters, before.map(|it| &**it), now)
    }

    fn seed_of(&self, name: &Name) -> u64 {
        name.as_wire().iter().fold(self.seed, |seed, octet| mix(seed ^ u64::from(*octet)))
    }

    fn is_drained(&self, endpoint: &Endpoint) -> bool {
        endpoint.site.as_ref().is_some_and(|it| self.overrides.drained_sites.contains_key(it))
    }

    /// Marks every endpoint whose site's drain began or ended.
    fn drain_as_wanted(&mut self) {
        let snapshot = self.snapshot.clone();
        for (slot, table) in (0..).zip(snapshot.profiles.iter()) {
            let wanted: Vec<bool> =
                table.profile.endpoints.iter().map(|it| self.is_drained(it)).collect();
            let now = table.endpoints.iter().map(|it| it.facts.drained);
            if now.eq(wanted.iter().copied()) {
                continue;
            }
            for (facts, drained) in self.facts_mut(slot).into_iter().flatten().zip(wanted) {
                facts.drained = drained;
            }
        }
    }

    fn site_state(&self, site: crate::model::Site) -> SiteState {
        let drained = self.overrides.drained_sites.get(&site.name).cloned();
        SiteState { site, drained }
    }

    fn locate(&self, key: &EndpointKey) -> Option<(u32, usize)> {
        let slot = self.snapshot.slot(&key.profile)?;
        let at = self.snapshot.profiles.get(slot)?.position(&key.endpoint)?;
        Some((slot, at))
    }

    /// What is known of a profile's endpoints, to be changed.
    fn facts_mut(&mut self, slot: u32) -> Option<&mut Vec<EndpointFacts>> {
        let table = self.snapshot.profiles.get(slot)?;
        let known = || table.endpoints.iter().map(|it| it.facts.clone()).collect();
        Some(self.edits.entry(slot).or_insert_with(known))
    }
}

fn key(profile: &Profile, endpoint: &Endpoint) -> EndpointKey {
    EndpointKey { profile: profile.name.clone(), endpoint: endpoint.name.clone() }
}

/// The endpoints of both tables whose status differs.
fn compare(before: &ProfileTable, after: &ProfileTable) -> Vec<Transition> {
    let pairs = after.profile.endpoints.iter().zip(&after.endpoints);
    let transition = |(endpoint, state): (&Endpoint, &crate::snapshot::EndpointState)| {
        let old = before.endpoints.get(before.position(&endpoint.name)?)?;
        (old.status != state.status).then(|| Transition {
            key: key(&after.profile, endpoint),
            site: endpoint.site.clone(),
            from: old.status,
            to: state.status,
        })
    };
    pairs.filter_map(transition).collect()
}

fn same_zones(before: &Zones, after: &Zones) -> bool {
    let same =
        |it: &Arc<ZoneTable>| before.get(it.zone.name()).is_some_and(|old| old.zone == it.zone);
    before.iter().count() == after.iter().count() && after.iter().all(same)
}
