//! What must be the case, worked out from the documented rules (docs/BEHAVIOUR.md) and from everything that happened, by
//! other means than those of the product: all of it anew each time, without memory of verdicts.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use super::Change;
use crate::model::{
    Change as Field, Endpoint, EndpointChange, EndpointKey, EndpointStatus, Family, FamilyRule,
    Forced, Ident, Method, Model, Monitor, Name, Profile, Protocol, WhenNoneHealthy,
};

/// What one probe of an address said, and when it did.
#[derive(Clone, Copy, Debug)]
pub(super) struct Word {
    pub(super) at: Duration,
    pub(super) passed: bool,
}

/// Everything that ever happened.
#[derive(Debug, Default)]
pub(super) struct Oracle {
    /// By the address that was probed; void probes said nothing.
    pub(super) words: BTreeMap<SocketAddr, Judge>,
    wishes: BTreeMap<EndpointKey, Wishes>,
    drained: BTreeSet<Ident>,
    /// By profile, while it is configured.
    last_healthy: BTreeMap<Name, BTreeSet<Ident>>,
}

/// What operators want of an endpoint.
#[derive(Clone, Copy, Debug, Default)]
struct Wishes {
    weight: Option<u16>,
    priority: Option<u16>,
    enabled: Option<bool>,
    forced: Option<Forced>,
}

/// What an answer may say; an endpoint's place, or no address of the type asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Expected {
    Among(BTreeSet<Option<usize>>),
    Fallback,
    NoData,
    ServFail,
}

/// A profile as it must be.
pub(super) struct Seen {
    pub(super) statuses: Vec<EndpointStatus>,
    pub(super) fails_open: bool,
    pub(super) answers: [Expected; 2],
}

/// The verdict on an address, told from the words since its last turn.
#[derive(Debug, Default)]
pub(super) struct Judge {
    up: Option<bool>,
    since_turn: Vec<Word>,
    falls: Vec<Duration>,
    /// When an endpoint that flaps was brought back, and what had to be waited for before.
    pub(super) held: Vec<Duration>,
}

impl Judge {
    /// Takes in a word; tells whether it turned the verdict.
    pub(super) fn hear(&mut self, word: Word, monitor: &Monitor) -> bool {
        self.since_turn.push(word);
        let last = |count: u8, passed: bool| {
            let words = self.since_turn.iter().rev().take(count.into());
            self.since_turn.len() >= count.into() && words.clone().all(|it| it.passed == passed)
        };
        let turns = match self.up {
            None => true,
            Some(true) => last(monitor.tolerated_failures + 1, false),
            Some(false) => {
                let run = self.since_turn.iter().rev().take_while(|it| it.passed).last();
                let long_enough = run.is_some_and(|it| word.at - it.at >= self.hold_down(monitor));
                last(monitor.required_successes, true) && long_enough
            }
        };
        if turns {
            match self.up {
                Some(true) => self.falls.push(word.at),
                Some(false) => {
                    self.held.extend(Some(self.hold_down(monitor)).filter(|it| !it.is_zero()))
                }
                None => {}
            }
            self.up = Some(word.passed);
            self.since_turn.clear();
        }
        turns
    }

    /// How long an endpoint that went down must pass its probes: by how many times too often it had done so then.
    fn hold_down(&self, monitor: &Monitor) -> Duration {
        let flap = monitor.flap;
        let Some(last) = self.falls.last().filter(|_| flap.count > 0) else {
            return Duration::ZERO;
        };
        let counted = self.falls.iter().filter(|it| *last - **it < flap.window).count();
        let mut held = Duration::ZERO;
        for _ in usize::from(flap.count)..counted {
            held = if held.is_zero() { flap.hold_down } else { held * 2 }.min(flap.max);
        }
        held
    }
}

impl Oracle {
    /// Takes in an operator's change.
    pub(super) fn change(&mut self, change: &Change) {
        fn set<T: Copy>(wish: &mut Option<T>, field: Field<T>) {
            match field {
                Field::Keep => {}
                Field::Clear => *wish = None,
                Field::Set(value) => *wish = Some(value),
            }
        }
        match change {
            Change::Endpoint(key, EndpointChange { weight, priority, enabled, forced }) => {
                let wishes = self.wishes.entry(key.clone()).or_default();
                set(&mut wishes.weight, *weight);
                set(&mut wishes.priority, *priority);
                set(&mut wishes.enabled, *enabled);
                set(&mut wishes.forced, *forced);
            }
            Change::Site { name, drained: true, .. } => drop(self.drained.insert(name.clone())),
            Change::Site { name, drained: false, .. } => drop(self.drained.remove(name)),
            _ => {}
        }
    }

    /// Everything as it must be now, by profile.
    pub(super) fn look(&mut self, model: &Model) -> BTreeMap<Name, Seen> {
        self.last_healthy.retain(|name, _| model.profiles.iter().any(|it| it.name == *name));
        model.profiles.iter().map(|it| (it.name.clone(), self.look_at(it))).collect()
    }

    fn look_at(&mut self, profile: &Profile) -> Seen {
        let endpoints = &profile.endpoints;
        let key = |it: &Endpoint| EndpointKey {
            profile: profile.name.clone(),
            endpoint: it.name.clone(),
        };
        let keys: Vec<EndpointKey> = endpoints.iter().map(key).collect();
        let wishes = keys.iter().map(|it| self.wishes.get(it).copied().unwrap_or_default());
        let wishes: Vec<Wishes> = wishes.collect();
        let pairs = || endpoints.iter().zip(&wishes);
        // Without its drain.
        let by_itself = |(it, wishes): (&Endpoint, &Wishes)| {
            let verdict = || self.words.get(&it.probe.addresses[0])?.up;
            let enabled = wishes.enabled.unwrap_or(it.enabled);
            match (enabled, wishes.forced, &it.probe.monitor.protocol) {
                (false, ..) => EndpointStatus::Disabled,
                (_, Some(Forced::Up), _) => EndpointStatus::Online,
                (_, Some(Forced::Down), _) => EndpointStatus::Degraded,
                (.., Protocol::None) => EndpointStatus::Unmonitored,
                _ => match verdict() {
                    None => EndpointStatus::CheckingEndpoint,
                    Some(true) => EndpointStatus::Online,
                    Some(false) => EndpointStatus::Degraded,
                },
            }
        };
        let undrained: Vec<EndpointStatus> = pairs().map(by_itself).collect();
        let drained = |it: &Endpoint| it.site.as_ref().is_some_and(|it| self.drained.contains(it));
        let status = |(it, by_itself): (&Endpoint, &EndpointStatus)| match by_itself {
            EndpointStatus::Disabled => EndpointStatus::Disabled,
            _ if drained(it) => EndpointStatus::Drained,
            status => *status,
        };
        let statuses: Vec<EndpointStatus> = endpoints.iter().zip(&undrained).map(status).collect();
        let weights: Vec<u16> =
            pairs().map(|(it, wishes)| wishes.weight.unwrap_or(it.weight)).collect();
        let priorities: Vec<u16> =
            pairs().map(|(it, wishes)| wishes.priority.unwrap_or(it.priority)).collect();

        let is = |status: EndpointStatus| -> BTreeSet<usize> {
            (0..statuses.len()).filter(|it| statuses[*it] == status).collect()
        };
        let healthy: BTreeSet<usize> =
            (0..statuses.len()).filter(|it| is_healthy(statuses[*it])).collect();
        if !healthy.is_empty() {
            let last = healthy.iter().map(|it| keys[*it].endpoint.clone()).collect();
            self.last_healthy.insert(profile.name.clone(), last);
        }
        let (degraded, drained) = (is(EndpointStatus::Degraded), is(EndpointStatus::Drained));
        let asked: BTreeSet<usize> = &healthy | &degraded;
        let sum = |of: &BTreeSet<usize>| -> u32 {
            let plain = asked.iter().all(|it| weights[*it] == 0);
            of.iter().map(|it| if plain { 1 } else { u32::from(weights[*it]) }).sum()
        };
        let panics = sum(&healthy) * 100 < u32::from(profile.panic_threshold) * sum(&asked);
        let none_healthy = healthy.is_empty() && !(degraded.is_empty() && drained.is_empty());

        let candidates = if !none_healthy {
            if panics { asked } else { healthy }
        } else if degraded.is_empty() {
            let passing: BTreeSet<usize> =
                drained.iter().copied().filter(|it| is_healthy(undrained[*it])).collect();
            if passing.is_empty() { drained } else { passing }
        } else {
            let names = self.last_healthy.get(&profile.name);
            let was = |it: &usize| names.is_some_and(|all| all.contains(&keys[*it].endpoint));
            let last: BTreeSet<usize> = degraded.iter().copied().filter(was).collect();
            let heeds_last = profile.when_none_healthy == WhenNoneHealthy::LastHealthy;
            if heeds_last && !last.is_empty() { last } else { degraded }
        };
        let answer = |family: Family| {
            if none_healthy {
                match &profile.when_none_healthy {
                    WhenNoneHealthy::Fallback(it) if it.has(family) => return Expected::Fallback,
                    WhenNoneHealthy::Fallback(_) | WhenNoneHealthy::NoData => {
                        return Expected::NoData;
                    }
                    WhenNoneHealthy::ServFail => return Expected::ServFail,
                    WhenNoneHealthy::ServeAll | WhenNoneHealthy::LastHealthy => {}
                }
            }
            let has = |it: &usize| endpoints[*it].addresses().has(family);
            let mut chosen: Vec<usize> = candidates.iter().copied().collect();
            if profile.method == Method::Weighted || profile.family == FamilyRule::Any {
                chosen.retain(has);
            }
            if profile.method == Method::Priority {
                let best = chosen.iter().map(|it| priorities[*it]).min();
                chosen.retain(|it| Some(priorities[*it]) == best);
            }
            if chosen.iter().any(|it| weights[*it] > 0) {
                chosen.retain(|it| weights[*it] > 0);
            }
            if chosen.is_empty() {
                return Expected::NoData;
            }
            Expected::Among(chosen.into_iter().map(|it| Some(it).filter(has)).collect())
        };
        let answers = Family::ALL.map(answer);
        Seen { statuses, fails_open: none_healthy || panics, answers }
    }
}

fn is_healthy(status: EndpointStatus) -> bool {
    use EndpointStatus::{CheckingEndpoint, Online, Unmonitored};
    [CheckingEndpoint, Online, Unmonitored].contains(&status)
}
