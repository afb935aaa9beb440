use std::sync::Arc;

use super::answer::Answer;
use super::counters::AnswerCounters;
use crate::health::{Probed, Remembered, endpoint_status, profile_status};
use crate::model::{
    Endpoint, EndpointOverrides, EndpointStatus, Family, Forced, Ident, Moment, Monitor, Profile,
    ProfileStatus, Timestamp, Verdict, WhenNoneHealthy,
};
use crate::routing::{Basis, Draw, Member, Prepared, Source, Standing, prepare};

/// A profile made ready to answer, with everything that is known of its endpoints at one instant.
#[derive(Debug)]
pub struct ProfileTable {
    /// The profile as configured.
    pub profile: Arc<Profile>,
    /// Its endpoints' states, in the profile's order.
    pub endpoints: Box<[EndpointState]>,
    /// Its own state.
    pub status: ProfileStatus,
    /// What the workers drew and answered.
    pub counters: Arc<AnswerCounters>,
    families: [FamilyTable; 2],
}

/// What the control task knows of an endpoint.
#[derive(Clone, Debug, Default)]
pub struct EndpointFacts {
    /// What probing found.
    pub verdict: Verdict,
    /// What is remembered of it from before the start, as long as probes have not turned it.
    pub remembered: Option<Remembered>,
    /// What operators changed.
    pub overrides: EndpointOverrides,
    /// Whether its site is drained.
    pub drained: bool,
    /// What probing has to tell.
    pub probed: Arc<Probed>,
}

/// An endpoint at one instant.
#[derive(Clone, Debug)]
pub struct EndpointState {
    /// What it was made from.
    pub facts: EndpointFacts,
    /// Its status.
    pub status: EndpointStatus,
    /// When it came into this status.
    pub since: Timestamp,
    /// How often it came into each status, in the order of [`EndpointStatus::ALL`].
    pub transitions: [u32; EndpointStatus::ALL.len()],
    /// The weight in force.
    pub weight: u16,
    /// The priority in force.
    pub priority: u16,
    /// Whether it is in service, with overrides.
    pub enabled: bool,
    /// Whether it was healthy when the profile last had a healthy endpoint.
    pub last_healthy: bool,
}

impl EndpointState {
    /// The operator's word on its health.
    pub fn forced(&self) -> Option<Forced> {
        self.facts.overrides.forced.as_ref().map(|it| it.value)
    }

    /// Whether probing has stopped: the verdict is older than three of the monitor's intervals. One that no probe has confirmed
    /// since the process started is as old as the process.
    pub fn is_stale(&self, monitor: &Monitor, now: Moment) -> bool {
        self.facts.verdict != Verdict::Unknown
            && now.since(self.facts.probed.heard().unwrap_or_default()) > 3 * monitor.interval
    }

    /// From when on the certificate that the endpoint last showed has fewer days left than the monitor demands.
    pub fn certificate_warns_from(&self, monitor: &Monitor) -> Option<Timestamp> {
        monitor.protocol.tls()?.warns_from(self.facts.probed.certificate_expires()?)
    }
}

/// What a profile answers to one record type.
#[derive(Debug)]
struct FamilyTable {
    prepared: Prepared,
    /// By endpoint.
    answers: Box<[Answer]>,
    fallback: Answer,
}

/// What a profile answers to one query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision<'s> {
    /// The addresses of this endpoint.
    Endpoint(usize, &'s Answer),
    /// The fallback addresses.
    Fallback(&'s Answer),
    /// Nothing of this type.
    NoData,
    /// SERVFAIL.
    ServFail,
}

impl ProfileTable {
    /// Prepares a profile. `facts` are its endpoints', in the profile's order; `previous` is the table that this one takes
    /// the place of, whose endpoints may be others.
    pub fn new(
        profile: Arc<Profile>,
        facts: Vec<EndpointFacts>,
        counters: Arc<AnswerCounters>,
        previous: Option<&ProfileTable>,
        now: Timestamp,
    ) -> Self {
        let state = |(at, (endpoint, facts)): (usize, (&Endpoint, EndpointFacts))| {
            let before = previous.and_then(|it| it.find(&endpoint.name, at));
            EndpointState::new(&profile, endpoint, facts, before, now)
        };
        let mut endpoints: Box<[EndpointState]> =
            profile.endpoints.iter().zip(facts).enumerate().map(state).collect();
        if endpoints.iter().any(|it| it.status.is_healthy()) {
            endpoints.iter_mut().for_each(|it| it.last_healthy = it.status.is_healthy());
        }
        let members: Vec<Member> = profile
            .endpoints
            .iter()
            .zip(&endpoints)
            .map(|(it, state)| state.member(&profile, it))
            .collect();
        let families = Family::ALL.map(|family| FamilyTable::new(&profile, &members, family));
        let status = profile_status(profile.enabled, endpoints.iter().map(|it| it.status));
        Self { profile, endpoints, status, counters, families }
    }

    /// The state of the endpoint of this name, which is likely to be at `likely`.
    fn find(&self, name: &Ident, likely: usize) -> Option<&EndpointState> {
        let is_it = |at: &usize| self.profile.endpoints.get(*at).is_some_and(|it| it.name == *name);
        let at = Some(likely).filter(is_it).or_else(|| self.position(name));
        self.endpoints.get(at?)
    }

    /// Where in the profile the endpoint of this name is.
    pub fn position(&self, name: &Ident) -> Option<usize> {
        self.profile.endpoints.iter().position(|it| it.name == *name)
    }

    /// Decides one query: a pure function of the table and the draw.
    pub fn decide(&self, family: Family, draw: Draw) -> Decision<'_> {
        let table = self.family(family);
        match &table.prepared.source {
            Source::Members(shares) => {
                let endpoint = shares.pick(draw);
                match table.answers.get(endpoint) {
                    Some(answer) if answer.count > 0 => Decision::Endpoint(endpoint, answer),
                    _ => Decision::NoData,
                }
            }
            Source::Fallback if table.fallback.count > 0 => Decision::Fallback(&table.fallback),
            Source::Fallback | Source::NoData => Decision::NoData,
            Source::ServFail => Decision::ServFail,
        }
    }

    /// Whether answers to this family heed health, and if not, why not.
    pub fn basis(&self, family: Family) -> Basis {
        self.family(family).prepared.basis
    }

    /// Whether health can't decide in either family, because none or too few endpoints are healthy.
    pub fn is_fail_open(&self) -> bool {
        Family::ALL.into_iter().any(|family| self.basis(family).is_fail_open())
    }

    /// Why an endpoint is among those that answer to this family, or not.
    pub fn standing(&self, family: Family, endpoint: usize) -> Option<Standing> {
        self.family(family).prepared.standings.get(endpoint).copied()
    }

    /// The part of the answers to this family, from 0 to 1, that names this endpoint.
    pub fn share(&self, family: Family, endpoint: usize) -> f64 {
        self.family(family).prepared.share(endpoint)
    }

    fn family(&self, family: Family) -> &FamilyTable {
        &self.families[family.index()]
    }
}

impl EndpointState {
    fn new(
        profile: &Profile,
        endpoint: &Endpoint,
        facts: EndpointFacts,
        before: Option<&EndpointState>,
        now: Timestamp,
    ) -> Self {
        let overrides = &facts.overrides;
        let enabled = overrides.enabled.as_ref().map_or(endpoint.enabled, |it| it.value);
        let weight = overrides.weight.as_ref().map_or(endpoint.weight, |it| it.value);
        let priority = overrides.priority.as_ref().map_or(endpoint.priority, |it| it.value);
        let forced = overrides.forced.as_ref().map(|it| it.value);
        let protocol = &endpoint.probe.monitor.protocol;
        let status = endpoint_status(
            profile.enabled,
            enabled,
            facts.drained,
            forced,
            protocol,
            facts.verdict,
        );
        let mut state = Self {
            status,
            since: now,
            transitions: before.map(|it| it.transitions).unwrap_or_default(),
            weight,
            priority,
            enabled,
            last_healthy: before.is_some_and(|it| it.last_healthy),
            facts,
        };
        match before {
            Some(before) if before.status == status => state.since = before.since,
            Some(_) => {
                let count = state.transitions.iter_mut().zip(EndpointStatus::ALL);
                count.filter(|(_, it)| *it == status).for_each(|(count, _)| *count += 1);
            }
            None => {}
        }
        state
    }

    fn member(&self, profile: &Profile, endpoint: &Endpoint) -> Member {
        let protocol = &endpoint.probe.monitor.protocol;
        let undrained = endpoint_status(
            profile.enabled,
            self.enabled,
            false,
            self.forced(),
            protocol,
            self.facts.verdict,
        );
        Member {
            status: self.status,
            healthy: undrained.is_healthy(),
            last_healthy: self.last_healthy,
            weight: self.weight,
            priority: self.priority,
            families: Family::ALL.map(|family| endpoint.addresses.has(family)),
        }
    }
}

impl FamilyTable {
    fn new(profile: &Profile, members: &[Member], family: Family) -> Self {
        let answer = |it: &Endpoint| Answer::new(&it.addresses, family, profile.ttl);
        let fallback = match &profile.when_none_healthy {
            WhenNoneHealthy::Fallback(addresses) => Answer::new(addresses, family, profile.ttl),
            _ => Answer::default(),
        };
        Self {
            prepared: prepare(profile, members, family),
            answers: profile.endpoints.iter().map(answer).collect(),
            fallback,
        }
    }
}
