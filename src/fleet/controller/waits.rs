//! When a cluster is asked anew what it serves: as long as an app waits for kinds that it doesn't, more and more seldom, and when a definition
//! has changed. Pure.

use std::time::Duration;

use tokio::time::Instant;

use crate::supervision::Backoff;

/// The pause before the cluster is asked, at first and at last.
const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(600);
/// How often it is asked at least when a definition has changed: a server takes some seconds to serve what that defines.
const TRIES: u32 = 4;

/// How long what a cluster serves has been waited for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Waits {
    backoff: Backoff,
    /// How often it is still asked though nobody waits.
    tries: u32,
    due: Option<Instant>,
}

impl Default for Waits {
    fn default() -> Self {
        // Nothing that is asked runs for a while.
        let backoff = Backoff::new(SHORTEST, LONGEST, Duration::MAX);
        Self { backoff, tries: 0, due: None }
    }
}

impl Waits {
    /// When the cluster is to be asked.
    pub(super) const fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Notes whether an app waits for kinds that aren't served.
    pub(super) fn note(&mut self, is_waiting: bool, now: Instant) {
        if !is_waiting && self.tries == 0 {
            *self = Self::default();
        } else if self.due.is_none() {
            self.due = Some(now + self.backoff.after(Duration::ZERO));
        }
    }

    /// Notes that a definition has changed.
    pub(super) fn changed(&mut self, now: Instant) {
        *self = Self { tries: TRIES, ..Self::default() };
        self.note(true, now);
    }

    /// Notes that the cluster was asked.
    pub(super) fn asked(&mut self) {
        (self.tries, self.due) = (self.tries.saturating_sub(1), None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_asked_more_and_more_seldom_and_no_more_when_nobody_waits() {
        let start = Instant::now();
        let mut waits = Waits::default();
        waits.note(false, start);
        assert_eq!(waits.due(), None);
        let mut now = start;
        for pause in [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 600] {
            waits.note(true, now);
            let due = now + Duration::from_secs(pause);
            assert_eq!(waits.due(), Some(due));
            waits.note(true, now + Duration::from_millis(500));
            assert_eq!(waits.due(), Some(due), "one wait is one wait");
            waits.asked();
            now = due;
        }
        waits.note(false, now);
        assert_eq!(waits.due(), None);
        waits.note(true, now);
        assert_eq!(waits.due(), Some(now + SHORTEST), "the next wait is a new one");
    }

    #[test]
    fn a_definition_that_has_changed_is_asked_for_a_few_times() {
        let start = Instant::now();
        let mut waits = Waits::default();
        let mut now = start;
        waits.changed(now);
        for pause in [1, 2, 4, 8] {
            now += Duration::from_secs(pause);
            assert_eq!(waits.due(), Some(now));
            waits.asked();
            waits.note(false, now);
        }
        assert_eq!(waits.due(), None);
    }
}
