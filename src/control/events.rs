//! What happens, as it happens, for those who listen.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use super::{Change, Diff};
use crate::health::Turn;
use crate::model::{EndpointKey, Expired, Ident, Name, Stamp, Timestamp};

/// How many are kept for those who were away.
const KEPT: usize = 4096;

/// The last events, numbered from 1 at the start. The control task adds to them; whoever listens reads at its own pace, and is
/// never waited for.
#[derive(Debug)]
pub struct Events {
    ring: Mutex<VecDeque<Arc<Event>>>,
    newest: watch::Sender<u64>,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Its number, without a gap.
    pub number: u64,
    /// When.
    pub at: Timestamp,
    /// What.
    pub what: Happening,
}

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Happening {
    /// An endpoint came into another status.
    Transition {
        /// Which one.
        key: EndpointKey,
        /// Its site.
        site: Option<Ident>,
        /// From what to what, and why.
        turn: Turn,
    },
    /// An operator's change.
    Change {
        /// What was changed.
        change: Change,
        /// Who made it, why and until when.
        stamp: Stamp,
    },
    /// The end of an operator's change.
    Expiry(Expired),
    /// A profile began to answer without heeding health (true), or heeds it again (false).
    FailOpen(Name, bool),
    /// A higher priority of a profile has recovered and waits for an operator's word (true), or waits no more (false).
    Failback(Name, bool),
    /// Another configuration.
    Reload(Diff),
    /// A new snapshot: of this generation, and this revision of configuration and overrides.
    Publish {
        /// Counts snapshots.
        generation: u64,
        /// Counts those that differ by more than health.
        revision: u64,
    },
}

/// What a listener has not heard yet.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct News {
    /// In order.
    pub events: Vec<Arc<Event>>,
    /// Whether some before those are no longer kept.
    pub missed: bool,
}

impl Default for Events {
    fn default() -> Self {
        Self { ring: Mutex::default(), newest: watch::Sender::new(0) }
    }
}

impl Events {
    /// Adds what happened.
    pub(super) fn add(&self, at: Timestamp, happened: impl IntoIterator<Item = Happening>) {
        let mut ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        let before = *self.newest.borrow();
        let mut newest = before;
        for what in happened {
            newest += 1;
            if ring.len() == KEPT {
                ring.pop_front();
            }
            ring.push_back(Arc::new(Event { number: newest, at, what }));
        }
        drop(ring);
        if newest > before {
            self.newest.send_replace(newest);
        }
    }

    /// Tells the number of the newest event, now and whenever there is another; 0 before the first.
    pub fn listen(&self) -> watch::Receiver<u64> {
        self.newest.subscribe()
    }

    /// The events after this number, at most so many.
    pub fn after(&self, number: u64, most: usize) -> News {
        let ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(first) = ring.front().map(|it| it.number) else { return News::default() };
        let heard = usize::try_from((number + 1).saturating_sub(first)).unwrap_or(usize::MAX);
        let events = ring.iter().skip(heard).take(most).cloned().collect();
        News { events, missed: number + 1 < first }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn publish(generation: u64) -> Happening {
        Happening::Publish { generation, revision: 1 }
    }

    fn numbers(news: &News) -> Vec<u64> {
        news.events.iter().map(|it| it.number).collect()
    }

    #[test]
    fn a_listener_hears_everything_once_or_that_it_has_missed_something() {
        let events = Events::default();
        let mut listener = events.listen();
        assert_eq!(events.after(0, 10), News::default());
        events.add(Timestamp(1), []);
        assert!(!listener.has_changed().unwrap());
        events.add(Timestamp(1), (1..=3).map(publish));
        assert_eq!(*listener.borrow_and_update(), 3);
        assert_eq!(numbers(&events.after(0, 10)), [1, 2, 3]);
        assert_eq!(numbers(&events.after(1, 1)), [2]);
        assert_eq!(events.after(3, 10), News::default());
        assert_eq!(events.after(99, 10), News::default());
        events.add(Timestamp(2), (4..=KEPT as u64 + 2).map(publish));
        let news = events.after(1, 1);
        assert_eq!((numbers(&news), news.missed), (vec![3], true));
        assert!(!events.after(2, 1).missed);
    }
}
