use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use super::profile::Nested;
use crate::health::{
    Children, Evidence, Probed, Remembered, Resolution, Resolved, endpoint_status,
};
use crate::model::{
    Addresses, Endpoint, EndpointOverrides, EndpointStatus, Family, Forced, Moment, Monitor, Now,
    ProbeTarget, Profile, Protocol, Target, Timestamp, Verdict,
};
use crate::routing::{Member, mix};

/// The part of its share that an endpoint starts with when it starts slowly.
const FIRST_SHARE: f32 = 0.1;

/// What the control task knows of an endpoint.
#[derive(Clone, Debug, Default)]
pub struct EndpointFacts {
    /// What probing found.
    pub verdict: Verdict,
    /// While the last results speak against the verdict: how many more of them would turn it.
    pub doubt: Option<u8>,
    /// What is remembered of it from before the start, as long as probes have not turned it.
    pub remembered: Option<Remembered>,
    /// What operators changed.
    pub overrides: EndpointOverrides,
    /// Whether its site is drained.
    pub drained: bool,
    /// How its site takes its share back after a drain.
    pub returning: Option<Returning>,
    /// What probing has to tell.
    pub probed: Arc<Probed>,
    /// The profile that it stands for.
    pub nested: Option<Nested>,
    /// What is known of its addresses, where they are found elsewhere.
    pub host: Option<Host>,
}

impl EndpointFacts {
    /// What is probed for this endpoint, by what is known of its addresses.
    pub fn probe<'a>(&self, endpoint: &'a Endpoint) -> Cow<'a, ProbeTarget> {
        match &self.host {
            Some(host) => endpoint.probe_at(&host.addresses),
            None => Cow::Borrowed(&endpoint.probe),
        }
    }
}

/// The last answers that named something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Answers {
    /// Until when they were given.
    pub given_until: Now,
    /// Until when resolvers may hold one.
    pub held_until: Now,
}

impl Answers {
    /// Answers that were given until now, with a TTL of so many seconds. Resolvers count whole ones, so a TTL may last one more.
    pub(super) fn until(now: Now, ttl: u32) -> Self {
        let seconds = u64::from(ttl) + 1;
        let moment = now.moment + Duration::from_secs(seconds);
        let time = Timestamp(now.time.0.saturating_add_unsigned(seconds * 1000));
        Self { given_until: now, held_until: Now { moment, time } }
    }

    /// These and others.
    pub fn later(self, other: Self) -> Self {
        let later = |a: Now, b: Now| if b.moment > a.moment { b } else { a };
        Self {
            given_until: later(self.given_until, other.given_until),
            held_until: later(self.held_until, other.held_until),
        }
    }
}

/// The way of a site's endpoints back to their full share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Returning {
    /// When it was undrained. A time of day: a restart goes on from where the ramp was.
    pub since: Timestamp,
    /// How long it takes.
    pub over: Duration,
}

/// Where a name, or what a cluster exposes, was found to be when an endpoint's answers were made.
#[derive(Clone, Debug, Default)]
pub struct Host {
    /// What is known by now, which may be more.
    pub record: Arc<Resolved>,
    /// Its addresses, as they were last.
    pub addresses: Arc<Addresses>,
    /// Seconds that they may be kept.
    pub ttl: u32,
}

impl Host {
    /// What the record says.
    pub fn in_record(record: Arc<Resolved>) -> Self {
        let Resolution { addresses, ttl, .. } = record.latest();
        Self { record, addresses, ttl }
    }
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
    /// When it began to start slowly, while it does.
    pub ramp: Option<Ramp>,
    /// Whether it is answered with.
    pub is_answer: bool,
    /// Until when it was answered with, unless it is.
    answered_until: Now,
    /// Until when resolvers may hold what was answered before it came into this state.
    held_until: Now,
    /// Whether its profile is in service, with overrides.
    in_service: bool,
}

/// How far an endpoint has come that starts slowly.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ramp {
    /// When it began.
    pub since: Moment,
    /// When it will be over.
    pub until: Moment,
    /// The part of its share that it takes, from 0.1 to 1.
    pub part: f32,
}

impl Ramp {
    /// How far it is at `now`; none when it is over.
    fn at(since: Moment, span: Duration, now: Moment) -> Option<Self> {
        Self::after(now.since(since), span, now)
    }

    /// How far it is when so much of it is `gone`.
    fn after(gone: Duration, span: Duration, now: Moment) -> Option<Self> {
        let left = span.checked_sub(gone).filter(|it| !it.is_zero())?;
        let part = FIRST_SHARE + (1.0 - FIRST_SHARE) * gone.div_duration_f32(span);
        let since = Moment(now.0.saturating_sub(gone));
        Some(Self { since, until: now + left, part })
    }
}

/// What an endpoint's state depends on, beside what is known of it.
#[derive(Clone, Copy)]
pub(super) struct Around<'a> {
    /// Whether its profile is in service.
    pub(super) in_service: bool,
    /// What it was before.
    pub(super) before: Option<&'a EndpointState>,
    pub(super) now: Now,
}

impl EndpointState {
    pub(super) fn new(
        endpoint: &Endpoint,
        facts: EndpointFacts,
        Around { in_service, before, now }: Around<'_>,
    ) -> Self {
        let overrides = &facts.overrides;
        let mut state = Self {
            status: EndpointStatus::Disabled,
            since: now.time,
            transitions: before.map(|it| it.transitions).unwrap_or_default(),
            weight: overrides.weight.as_ref().map_or(endpoint.weight, |it| it.value),
            priority: overrides.priority.as_ref().map_or(endpoint.priority, |it| it.value),
            enabled: overrides.enabled.as_ref().map_or(endpoint.enabled, |it| it.value),
            last_healthy: before.is_some_and(|it| it.last_healthy),
            ramp: None,
            is_answer: false,
            answered_until: now,
            held_until: now,
            in_service,
            facts,
        };
        let children = state.facts.nested.map(|it| it.children);
        state.status = state.status_if(endpoint, state.facts.drained, children);
        match before {
            Some(before) if before.status == state.status => state.since = before.since,
            Some(_) => {
                let count = state.transitions.iter_mut().zip(EndpointStatus::ALL);
                count.filter(|(_, it)| *it == state.status).for_each(|(count, _)| *count += 1);
            }
            None => {}
        }
        state.ramp = match state.facts.returning {
            Some(returning) => state.ramp_back(returning, now),
            None => before.and_then(|it| state.ramp_after(endpoint, it, now.moment)),
        };
        state
    }

    /// Until when resolvers may hold answers that name it; none while it is answered with.
    pub fn cached_until(&self) -> Option<Now> {
        (!self.is_answer).then_some(self.held_until)
    }

    /// Until when it was answered with, and until when that may be held, if it is answered with no more from now on; `ttl` is that
    /// of its profile's answers.
    pub fn answers(&self, ttl: u32, now: Now) -> Answers {
        let before = Answers { given_until: self.answered_until, held_until: self.held_until };
        if self.is_answer { before.later(Answers::until(now, ttl)) } else { before }
    }

    /// Notes whether it is answered with, and what was answered until now.
    pub(super) fn note_answers(&mut self, is_answer: bool, before: Answers) {
        self.is_answer = is_answer;
        (self.answered_until, self.held_until) = (before.given_until, before.held_until);
    }

    /// The operator's word on its health.
    pub fn forced(&self) -> Option<Forced> {
        self.facts.overrides.forced.as_ref().map(|it| it.value)
    }

    /// Whether probing has stopped, or says nothing: for three of the monitor's intervals no probe has said anything. Before the
    /// first word that counts from when the endpoint was first watched.
    pub fn is_stale(&self, endpoint: &Endpoint, now: Moment) -> bool {
        let monitor = &endpoint.probe.monitor;
        // There is nothing to probe before the first address is discovered.
        let is_watched = !endpoint.is_discovered() || self.is_resolved(endpoint);
        is_watched
            && monitor.protocol != Protocol::None
            && now.since(self.facts.probed.silent_since()) > 3 * monitor.interval
    }

    /// When the certificate that the endpoint last showed expires, if the monitor looks at any.
    pub fn certificate_expires(&self, monitor: &Monitor) -> Option<Timestamp> {
        monitor.protocol.tls().and(self.facts.probed.certificate_expires())
    }

    /// From when on that certificate has fewer days left than the monitor demands.
    pub fn certificate_warns_from(&self, monitor: &Monitor) -> Option<Timestamp> {
        monitor.protocol.tls()?.warns_from(self.certificate_expires(monitor)?)
    }

    /// The part of its share that it takes, from 0 to 1.
    pub fn part(&self) -> f32 {
        self.ramp.map_or(1.0, |it| it.part)
    }

    /// The weight that its share comes to while it starts slowly.
    pub fn effective_weight(&self) -> f64 {
        f64::from(self.weight) * f64::from(self.part())
    }

    /// Whether it has something to answer to this family.
    pub fn has(&self, endpoint: &Endpoint, family: Family) -> bool {
        match self.facts.nested {
            Some(nested) => nested.families[family.index()],
            None => endpoint.alias().is_some() || self.addresses(endpoint).has(family),
        }
    }

    /// The addresses that it is answered with.
    pub fn addresses<'a>(&'a self, endpoint: &'a Endpoint) -> &'a Addresses {
        match (&endpoint.target, &self.facts.host) {
            (Target::Resolved(_) | Target::Discovered(_), Some(host)) => &host.addresses,
            _ => endpoint.addresses(),
        }
    }

    /// Whether there is something to answer with, in any family: of a name no address may be known yet.
    pub(super) fn is_resolved(&self, endpoint: &Endpoint) -> bool {
        !endpoint.is_located() || self.addresses(endpoint).iter().next().is_some()
    }

    /// Seconds that its answers may be kept, where the profile's are `ttl`.
    pub(super) fn ttl(&self, endpoint: &Endpoint, ttl: u32) -> u32 {
        match (&endpoint.target, &self.facts.host) {
            (Target::Resolved(_) | Target::Discovered(_), Some(host)) => host.ttl.min(ttl),
            _ => ttl,
        }
    }

    /// What it would be if neither it nor anything in the profile that it stands for were drained.
    pub(super) fn undrained(&self, endpoint: &Endpoint) -> EndpointStatus {
        self.status_if(endpoint, false, self.facts.nested.map(|it| it.undrained))
    }

    fn status_if(
        &self,
        endpoint: &Endpoint,
        drained: bool,
        children: Option<Children>,
    ) -> EndpointStatus {
        let evidence = match (endpoint.child(), children) {
            (Some((_, min)), Some(children)) => Evidence::Children(children, min),
            _ if endpoint.probe.monitor.protocol == Protocol::None => Evidence::None,
            _ => Evidence::Probes(self.facts.verdict),
        };
        endpoint_status(self.in_service, self.enabled, drained, self.forced(), evidence)
    }

    /// How it starts, after it was in this state: slowly where it was out for its health, drained or disabled. With its profile
    /// all that share with it were out.
    fn ramp_after(&self, endpoint: &Endpoint, before: &Self, now: Moment) -> Option<Ramp> {
        use EndpointStatus::{Degraded, Disabled, Drained, Stopped};
        let was_out = matches!(before.status, Degraded | Drained | Disabled | Stopped);
        // A ramp back from a drain was in the place of this one.
        let own = before.ramp.filter(|_| before.facts.returning.is_none());
        let since = if was_out { Some(now) } else { own.map(|it| it.since) };
        let starts = self.status.is_healthy() && !endpoint.slow_start.is_zero();
        Ramp::at(since.filter(|_| starts)?, endpoint.slow_start, now)
    }

    /// How far it is on its site's way back.
    fn ramp_back(&self, Returning { since, over }: Returning, now: Now) -> Option<Ramp> {
        let gone = u64::try_from(now.time.0.saturating_sub(since.0)).unwrap_or_default();
        Ramp::after(Duration::from_millis(gone), over, now.moment)
            .filter(|_| self.status.is_healthy())
    }

    pub(super) fn member(&self, profile: &Profile, endpoint: &Endpoint) -> Member {
        // Profiles that are nested in each other choose apart, also between endpoints of equal names.
        let names = profile.name.as_wire().iter().copied().chain(endpoint.name.as_str().bytes());
        let undrained = self.undrained(endpoint);
        Member {
            // Where everything in its profile is drained, it is as one that is drained itself.
            status: match self.status {
                EndpointStatus::Stopped if undrained.is_in_service() => EndpointStatus::Drained,
                status => status,
            },
            healthy: undrained.is_healthy(),
            last_healthy: self.last_healthy,
            weight: self.weight,
            priority: self.priority,
            families: Family::ALL.map(|family| self.has(endpoint, family)),
            fails: self.facts.nested.is_some_and(|it| it.fails),
            resolved: self.is_resolved(endpoint),
            ramp: self.part(),
            key: names.fold(0, |key, octet| mix(key ^ u64::from(octet))),
        }
    }
}
