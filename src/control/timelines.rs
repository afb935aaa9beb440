use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::Change;
use super::world::{Transition, World, key};
use crate::health::{Cause, Timeline, Turn};
use crate::model::{EndpointKey, Expired, Stamp, Subject, Timestamp};
use crate::store::Memory;

/// The timelines of all endpoints: written by the control task, read by the API and by who keeps them. An endpoint that
/// never turned has none.
#[derive(Debug, Default)]
pub struct Timelines {
    by_endpoint: Mutex<HashMap<EndpointKey, Arc<Timeline>>>,
    changed: Notify,
}

/// What made the control task publish, beside verdicts.
pub(super) enum Why<'a> {
    /// Nothing else.
    Verdicts,
    /// Operators' changes.
    Changes(Vec<(&'a Change, &'a Stamp)>),
    /// The end of operators' changes.
    Expiry(&'a [Expired]),
    /// Another configuration.
    Reload,
}

impl Timelines {
    /// The timelines from before the start. An endpoint that is in another status than it was turned at the start.
    pub fn resume(memory: Memory, world: &World, now: Timestamp) -> Self {
        let kept = memory.endpoints.into_iter().filter(|it| !it.timeline.is_empty());
        let mut by_endpoint: HashMap<_, _> = kept.map(|it| (it.key, it.timeline)).collect();
        let why = Why::Expiry(&world.expired);
        let mut known = HashMap::with_capacity(by_endpoint.len());
        for table in world.snapshot().profiles.iter() {
            for (endpoint, state) in table.profile.endpoints.iter().zip(&table.endpoints) {
                let key = key(&table.profile, endpoint);
                let Some(mut timeline) = by_endpoint.remove(&key) else { continue };
                let last = timeline.last().filter(|it| it.to != state.status);
                if let Some((from, since)) = last.map(|it| (it.to, it.at)) {
                    let (site, to) = (endpoint.site.clone(), state.status);
                    let child = endpoint.child().map(|(child, _)| child.clone());
                    let transition =
                        Transition { key: key.clone(), site, child, at: now, from, since, to };
                    let cause = why.cause_of(&transition).unwrap_or(Cause::Start);
                    let since = Some(since);
                    Arc::make_mut(&mut timeline).push(Turn { at: now, from, since, to, cause });
                }
                known.insert(key, timeline);
            }
        }
        Self { by_endpoint: Mutex::new(known), changed: Notify::new() }
    }

    /// The timeline of an endpoint, if it ever turned.
    pub fn get(&self, key: &EndpointKey) -> Option<Arc<Timeline>> {
        self.lock().get(key).cloned()
    }

    /// The timelines of all endpoints that ever turned, in no order.
    pub fn all(&self) -> Vec<(EndpointKey, Arc<Timeline>)> {
        self.lock().iter().map(|(key, it)| (key.clone(), it.clone())).collect()
    }

    /// Adds turns. The first good word of an endpoint's probes is none.
    pub(super) fn add<'a>(&self, caused: impl Iterator<Item = (&'a Transition, Cause)>) {
        let mut by_endpoint = self.lock();
        for (it, cause) in caused {
            // What it was at the start it may have been for longer.
            let last = by_endpoint.get(&it.key).and_then(|it| it.last());
            let since = last.filter(|last| last.to == it.from).map_or(it.since, |it| it.at);
            let (is_new, since) = (last.is_none(), Some(since));
            let turn = Turn { at: it.at, from: it.from, since, to: it.to, cause };
            if !(is_new && turn.is_first_good_word()) {
                Arc::make_mut(by_endpoint.entry(it.key.clone()).or_default()).push(turn);
            }
        }
    }

    /// Forgets the endpoints that are gone.
    pub(super) fn keep_only(&self, is_there: impl Fn(&EndpointKey) -> bool) {
        self.lock().retain(|key, _| is_there(key));
    }

    /// Says that there is something to keep.
    pub(super) fn notify(&self) {
        self.changed.notify_one();
    }

    /// Waits until there is something to keep.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<EndpointKey, Arc<Timeline>>> {
        self.by_endpoint.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Why<'_> {
    /// The cause of a transition, where it is not the probes. Of several changes the last one counts.
    pub(super) fn cause_of(&self, transition: &Transition) -> Option<Cause> {
        match self {
            Self::Verdicts => None,
            Self::Reload => Some(Cause::Reload),
            Self::Changes(changes) => {
                let concerns = |change: &Change| match change {
                    Change::Endpoint(key, _) => *key == transition.key,
                    Change::Site { name, .. } => transition.site.as_ref() == Some(name),
                    Change::Profile { name, .. } => *name == transition.key.profile,
                    Change::Undo(_) => true,
                    Change::FailBack(_) | Change::Confirm(_) => false,
                };
                let (change, stamp) = changes.iter().rev().find(|(it, _)| concerns(it))?;
                let (by, reason) = (stamp.by.clone(), stamp.reason.clone());
                Some(Cause::Change { change: change.to_string(), by, reason })
            }
            Self::Expiry(expired) => {
                let concerns = |subject: &Subject| match subject {
                    Subject::Endpoint { key, .. } => *key == transition.key,
                    Subject::Profile { name, .. } => *name == transition.key.profile,
                    Subject::Site(name) => transition.site.as_ref() == Some(name),
                    Subject::Pending { pending, how, .. } => {
                        let site = transition.site.as_ref();
                        how.is_undone()
                            && pending.undo.iter().any(|it| it.is_about(&transition.key, site))
                    }
                    Subject::Ramp(_) => false,
                };
                let expired = expired.iter().find(|it| concerns(&it.subject))?;
                Some(Cause::Expiry { change: expired.to_string(), by: expired.stamp.by.clone() })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::EndpointStatus::{self, Degraded, Drained, Online};

    #[test]
    fn a_status_lasts_from_its_turn_on_also_over_a_restart() {
        let timelines = Timelines::default();
        let key = EndpointKey { profile: "a.z.".parse().unwrap(), endpoint: "e".parse().unwrap() };
        let turn = |at, from: EndpointStatus, since, to| {
            let (at, since) = (Timestamp(at), Timestamp(since));
            let key = key.clone();
            let transition = Transition { key, site: None, child: None, at, from, since, to };
            timelines.add([(&transition, Cause::Reload)].into_iter());
            timelines.get(&transition.key).unwrap().last().unwrap().since
        };
        assert_eq!(turn(500, Online, 100, Degraded), Some(Timestamp(100)), "the first one");
        assert_eq!(turn(900, Degraded, 700, Online), Some(Timestamp(500)), "started again at 700");
        assert_eq!(turn(950, Drained, 910, Online), Some(Timestamp(910)), "not known before");
    }
}
