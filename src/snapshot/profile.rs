use std::sync::Arc;
use std::time::Duration;

use super::answer::{Answer, Destination};
use super::counters::AnswerCounters;
use super::endpoint::{Answers, Around, EndpointFacts, EndpointState};
use crate::health::{Children, profile_status};
use crate::model::{
    Endpoint, EndpointStatus, Family, Geography, Ident, Now, Profile, ProfileStatus, Serving,
    Stamped, WhenNoneHealthy,
};
use crate::routing::{Basis, Client, Member, Prepared, Source, Standing, Trace, prepare};

/// A profile made ready to answer, with everything that is known of its endpoints at one instant.
#[derive(Debug)]
pub struct ProfileTable {
    /// The profile as configured.
    pub profile: Arc<Profile>,
    /// Its endpoints' states, in the profile's order.
    pub endpoints: Box<[EndpointState]>,
    /// Its own state.
    pub status: ProfileStatus,
    /// What operators said of whether it is in service.
    pub enabled_by: Option<Stamped<bool>>,
    /// Seconds that a resolver may keep an answer now: the profile's `ttl`, or less while an endpoint is in doubt.
    pub ttl: u32,
    /// Whether it is answered with CNAME records, its own or those of profiles that are nested in it: then they are all that is
    /// at its name.
    pub is_alias: bool,
    /// What the workers drew and answered.
    pub counters: Arc<AnswerCounters>,
    families: [FamilyTable; 2],
}

/// What a profile answers to one record type.
#[derive(Debug)]
pub(super) struct FamilyTable {
    pub(super) prepared: Prepared,
    /// By endpoint.
    pub(super) destinations: Box<[Destination]>,
    pub(super) fallback: Answer,
    /// Whether an endpoint stands for a profile to which it may matter who the client is.
    pub(super) leads_apart: bool,
}

/// What a profile's table follows from, beside what is known of its endpoints.
#[derive(Clone, Copy, Debug)]
pub struct Given<'a> {
    /// The table that it takes the place of, whose endpoints may be others.
    pub previous: Option<&'a ProfileTable>,
    /// What operators said of whether it is in service.
    pub enabled: Option<&'a Stamped<bool>>,
    /// Where clients and sites are.
    pub geography: &'a Geography,
    /// What time it is.
    pub now: Now,
}

/// What a profile is to one that it is nested in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Nested {
    /// Where it is in the snapshot.
    pub slot: u32,
    /// Its endpoints, counted.
    pub children: Children,
    /// The same if nothing in it were drained.
    pub undrained: Children,
    /// Whether it has something to answer, by [`Family::index`].
    pub families: [bool; 2],
    /// Whether it has SERVFAIL to answer where it has nothing else.
    pub fails: bool,
    /// Whether it may matter who the client is, by [`Family::index`].
    pub tells_clients_apart: [bool; 2],
    /// Whether that is CNAME records.
    pub is_alias: bool,
}

impl ProfileTable {
    /// Prepares a profile. `facts` are its endpoints', in the profile's order.
    pub fn new(
        profile: Arc<Profile>,
        facts: Vec<EndpointFacts>,
        counters: Arc<AnswerCounters>,
        Given { previous, enabled, geography, now }: Given<'_>,
    ) -> Self {
        let in_service = enabled.map_or(profile.enabled, |it| it.value);
        let state = |(at, (endpoint, facts)): (usize, (&Endpoint, EndpointFacts))| {
            let before = previous.and_then(|it| it.find(&endpoint.name, at));
            EndpointState::new(endpoint, facts, Around { in_service, before, now })
        };
        let mut endpoints: Box<[EndpointState]> =
            profile.endpoints.iter().zip(facts).enumerate().map(state).collect();
        let serves = |(it, state): (&Endpoint, &EndpointState)| {
            state.status.is_healthy() && state.is_resolved(it)
        };
        let serving: Vec<bool> = profile.endpoints.iter().zip(&endpoints).map(serves).collect();
        if serving.contains(&true) {
            endpoints.iter_mut().zip(serving).for_each(|(it, serves)| it.last_healthy = serves);
        }
        let members = members(&profile, &endpoints);
        let ttl = ttl(&profile, &endpoints);
        let families = Family::ALL.map(|family| {
            let served = previous.map(|it| it.served(family, &profile)).unwrap_or_default();
            let prepared = prepare(&profile, &members, geography, family, &served);
            let destination =
                |(it, state): (&Endpoint, &EndpointState)| match (state.facts.nested, it.alias()) {
                    (Some(nested), _) => Destination::Profile(nested.slot),
                    (None, Some(name)) => Destination::Alias(name.clone()),
                    (None, None) => {
                        match Answer::new(state.addresses(it), family, state.ttl(it, ttl)) {
                            answer if answer.count > 0 => Destination::Addresses(answer),
                            _ => Destination::Nothing,
                        }
                    }
                };
            let fallback = match &profile.when_none_healthy {
                WhenNoneHealthy::Fallback(addresses) => Answer::new(addresses, family, ttl),
                _ => Answer::default(),
            };
            let is_apart = |it: Nested| it.tells_clients_apart[family.index()];
            FamilyTable {
                prepared,
                leads_apart: endpoints.iter().any(|it| it.facts.nested.is_some_and(is_apart)),
                destinations: profile.endpoints.iter().zip(&endpoints).map(destination).collect(),
                fallback,
            }
        });
        let status = profile_status(in_service, endpoints.iter().map(|it| it.status));
        let is_alias = profile.has_alias()
            || endpoints.iter().any(|it| it.facts.nested.is_some_and(|it| it.is_alias));
        let enabled_by = enabled.cloned();
        let mut table =
            Self { profile, endpoints, status, enabled_by, ttl, is_alias, counters, families };
        table.note_answers(previous, now);
        table
    }

    /// Whether it is in service, with overrides.
    pub fn is_enabled(&self) -> bool {
        self.enabled_by.as_ref().map_or(self.profile.enabled, |it| it.value)
    }

    fn note_answers(&mut self, previous: Option<&Self>, now: Now) {
        let ttl = previous.map_or(self.profile.ttl, |it| it.ttl);
        let answers = |at| Family::ALL.into_iter().any(|it| self.is_answered_with(it, at));
        let answers: Vec<bool> = (0..self.endpoints.len()).map(answers).collect();
        let states = self.profile.endpoints.iter().zip(&mut self.endpoints).zip(answers);
        for (at, ((endpoint, state), answers)) in states.enumerate() {
            // Under another name it may have been answered with all the same.
            let before = match previous.and_then(|it| it.find(&endpoint.name, at)) {
                Some(before) => Some(before.answers(ttl, now)),
                None => previous.and_then(|it| it.last_answers(now)),
            };
            state.note_answers(answers, before.unwrap_or_else(|| Answers::until(now, ttl)));
        }
    }

    /// Whether answers to this family may name an endpoint.
    fn is_answered_with(&self, family: Family, endpoint: usize) -> bool {
        if !matches!(self.family(family).prepared.source, Source::Members(_)) {
            return false;
        }
        // While who comes first takes its share little by little, the next has the rest.
        let is_ramping = || self.endpoints.iter().any(|it| it.ramp.is_some());
        match self.standing(family, endpoint) {
            Some(Standing::Candidate) => true,
            Some(Standing::LowerPriority) => is_ramping(),
            _ => false,
        }
    }

    /// Until when it was answered with, and until when that may be held, of whatever endpoint of it was last.
    fn last_answers(&self, now: Now) -> Option<Answers> {
        let all = self.endpoints.iter().map(|it| it.answers(self.ttl, now));
        all.reduce(Answers::later)
    }

    /// The same, but as if these endpoints had served until now.
    pub fn resuming(mut self, serving: &Serving, given: Given<'_>) -> Self {
        let members = members(&self.profile, &self.endpoints);
        for (family, names) in Family::ALL.into_iter().zip(serving) {
            let served: Vec<usize> = names.iter().filter_map(|it| self.position(it)).collect();
            let prepared = prepare(&self.profile, &members, given.geography, family, &served);
            self.families[family.index()].prepared = prepared;
        }
        self.note_answers(given.previous, given.now);
        self
    }

    /// Where those that serve are in what the profile has become.
    fn served(&self, family: Family, profile: &Profile) -> Vec<usize> {
        let served = self.family(family).prepared.serving.iter();
        let named = served.filter_map(|at| Some((*at, &self.profile.endpoints.get(*at)?.name)));
        named.filter_map(|(at, name)| position(profile, name, at)).collect()
    }

    /// The state of the endpoint of this name, which is likely to be at `likely`.
    fn find(&self, name: &Ident, likely: usize) -> Option<&EndpointState> {
        self.endpoints.get(position(&self.profile, name, likely)?)
    }

    /// Where in the profile the endpoint of this name is.
    pub fn position(&self, name: &Ident) -> Option<usize> {
        position(&self.profile, name, 0)
    }

    /// What it is to a profile that it is nested in, when this is its slot.
    pub fn nested(&self, slot: u32) -> Nested {
        let children = self.children(|_, state| state.status);
        let undrained = self.children(|endpoint, state| state.undrained(endpoint));
        let families = Family::ALL.map(|it| self.can_answer(it));
        let fails = families == [false; 2] && Family::ALL.into_iter().any(|it| self.can_fail(it));
        let tells_clients_apart = Family::ALL.map(|it| self.tells_clients_apart(it));
        let is_alias = self.is_alias;
        Nested { slot, children, undrained, families, fails, tells_clients_apart, is_alias }
    }

    /// Its endpoints, counted as if each were in this status, but for those that have nothing to answer with.
    fn children(&self, status: impl Fn(&Endpoint, &EndpointState) -> EndpointStatus) -> Children {
        let pairs = || self.profile.endpoints.iter().zip(&self.endpoints);
        let all = profile_status(self.is_enabled(), pairs().map(|(it, state)| status(it, state)));
        let families = |it, state: &EndpointState| Family::ALL.map(|family| state.has(it, family));
        let counted = pairs().filter(|(it, state)| state.is_resolved(it));
        Children::count(all, counted.map(|(it, state)| (status(it, state), families(it, state))))
    }

    /// Whether anything of this family may be answered.
    fn can_answer(&self, family: Family) -> bool {
        let FamilyTable { prepared, fallback, .. } = self.family(family);
        match prepared.source {
            Source::Members(_) => {
                self.candidates(family).any(|(endpoint, state)| state.has(endpoint, family))
            }
            Source::Fallback => fallback.count > 0,
            Source::NoData | Source::ServFail => false,
        }
    }

    /// Whether SERVFAIL may be answered to this family.
    fn can_fail(&self, family: Family) -> bool {
        let fails = |state: &EndpointState| state.facts.nested.is_some_and(|it| it.fails);
        match self.family(family).prepared.source {
            Source::Members(_) => self.candidates(family).any(|(_, state)| fails(state)),
            Source::ServFail => true,
            Source::Fallback | Source::NoData => false,
        }
    }

    /// The endpoints that may answer to this family.
    fn candidates(&self, family: Family) -> impl Iterator<Item = (&Endpoint, &EndpointState)> {
        let endpoints = self.profile.endpoints.iter().zip(&self.endpoints);
        let standings = &self.family(family).prepared.standings;
        endpoints.zip(standings).filter(|it| *it.1 == Standing::Candidate).map(|it| it.0)
    }

    /// Whether it may matter who the client is, to it or to a profile that is nested in it.
    fn tells_clients_apart(&self, family: Family) -> bool {
        let FamilyTable { prepared, leads_apart, .. } = self.family(family);
        match &prepared.source {
            Source::Members(chooser) => *leads_apart || chooser.tells_clients_apart(),
            Source::Fallback | Source::NoData | Source::ServFail => false,
        }
    }

    /// Whether answers to this family heed health, and if not, why not.
    pub fn basis(&self, family: Family) -> Basis {
        self.family(family).prepared.basis
    }

    /// The key that decides while no endpoint is healthy, with its value.
    pub fn unhealthy_rule(&self) -> String {
        let any_degraded = self.endpoints.iter().any(|it| it.status == EndpointStatus::Degraded);
        match self.profile.when_none_healthy.label() {
            _ if self.profile.serves_degraded() && any_degraded => {
                "geo_failover = false".to_owned()
            }
            rule => format!("when_none_healthy = {rule}"),
        }
    }

    /// Whether health can't decide in either family, because none or too few endpoints are healthy.
    pub fn is_fail_open(&self) -> bool {
        Family::ALL.into_iter().any(|family| self.basis(family).is_fail_open())
    }

    /// The priority that serves this family, or did while an endpoint was healthy last, with
    /// [`Method::Priority`](crate::model::Method::Priority).
    pub fn active_priority(&self, family: Family) -> Option<u16> {
        let serving = self.family(family).prepared.serving.iter();
        serving.filter_map(|it| self.endpoints.get(*it)).map(|it| it.priority).min()
    }

    /// The endpoints that serve, where what recovers waits for an operator's word.
    pub fn serving(&self) -> Option<Serving> {
        let name = |it: &usize| self.profile.endpoints.get(*it).map(|it| it.name.clone());
        let serving = Family::ALL
            .map(|it| self.family(it).prepared.serving.iter().filter_map(name).collect());
        let is_kept = self.profile.fails_back_by_hand();
        Some(serving).filter(|it: &Serving| is_kept && it.iter().any(|it| !it.is_empty()))
    }

    /// Whether an endpoint of higher priority has recovered and waits for an operator's word.
    pub fn awaits_failback(&self) -> bool {
        self.families.iter().any(|it| {
            it.prepared.basis == Basis::Healthy
                && it.prepared.standings.contains(&Standing::AwaitsFailback)
        })
    }

    /// Why an endpoint is among those that answer to this family, or not.
    pub fn standing(&self, family: Family, endpoint: usize) -> Option<Standing> {
        self.family(family).prepared.standings.get(endpoint).copied()
    }

    /// The part of the answers to this family, from 0 to 1, that names each endpoint. Without a client, none where that
    /// depends on the client.
    pub fn shares(&self, family: Family, client: Option<&Client<'_>>) -> Option<Vec<f64>> {
        match &self.family(family).prepared.source {
            Source::Members(chooser) => chooser.shares(client, self.endpoints.len()),
            Source::Fallback | Source::NoData | Source::ServFail => {
                Some(vec![0.0; self.endpoints.len()])
            }
        }
    }

    /// The endpoint that is in doubt, where answers are kept for a shorter time because of it.
    pub fn in_doubt(&self) -> Option<usize> {
        self.profile.ttl_min.filter(|_| self.ttl < self.profile.ttl)?;
        soonest(&self.profile, &self.endpoints).map(|it| it.1)
    }

    /// Who comes before whom for a client; none while no endpoint is asked.
    pub fn trace(&self, family: Family, client: &Client<'_>) -> Option<Trace> {
        match &self.family(family).prepared.source {
            Source::Members(chooser) => Some(chooser.trace(client)),
            Source::Fallback | Source::NoData | Source::ServFail => None,
        }
    }

    pub(super) fn family(&self, family: Family) -> &FamilyTable {
        &self.families[family.index()]
    }
}

/// Where in a profile the endpoint of this name is, which is likely to be at `likely`.
fn position(profile: &Profile, name: &Ident, likely: usize) -> Option<usize> {
    let is_it = |at: &usize| profile.endpoints.get(*at).is_some_and(|it| it.name == *name);
    Some(likely).filter(is_it).or_else(|| (0..profile.endpoints.len()).find(is_it))
}

fn members(profile: &Profile, endpoints: &[EndpointState]) -> Vec<Member> {
    let pairs = profile.endpoints.iter().zip(endpoints);
    pairs.map(|(it, state)| state.member(profile, it)).collect()
}

/// How long answers may be kept: while a change is to be expected, until then.
fn ttl(profile: &Profile, endpoints: &[EndpointState]) -> u32 {
    let Some(min) = profile.ttl_min else { return profile.ttl };
    soonest(profile, endpoints).map_or(profile.ttl, |(it, _)| {
        let seconds = u32::try_from(it.as_millis().div_ceil(1000)).unwrap_or(u32::MAX);
        seconds.max(min).min(profile.ttl)
    })
}

/// How soon an endpoint may change, and which one.
fn soonest(profile: &Profile, endpoints: &[EndpointState]) -> Option<(Duration, usize)> {
    let change = |(at, (endpoint, state)): (usize, (&Endpoint, &EndpointState))| {
        let needed = state.facts.doubt.filter(|_| state.status.is_in_service())?;
        Some((endpoint.probe.monitor.fast_interval * u32::from(needed), at))
    };
    profile.endpoints.iter().zip(endpoints).enumerate().filter_map(change).min()
}
