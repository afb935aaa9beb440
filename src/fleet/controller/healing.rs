//! When what drifted is put back: at once, and later and later while somebody takes it back each time. Pure.

use std::time::Duration;

use tokio::time::Instant;

use crate::supervision::Backoff;

/// The pause after the first time that something came back at once, and the longest.
const SHORTEST: Duration = Duration::from_secs(10);
const LONGEST: Duration = Duration::from_secs(600);
/// What has held for so long was not a fight. Longer than the longest pause, or each would look like peace.
const CALM: Duration = Duration::from_secs(1200);

/// How often an app was healed, and when it may be again.
#[derive(Clone, Copy, Debug)]
pub(super) struct Healing {
    backoff: Backoff,
    last: Option<Instant>,
    due: Option<Instant>,
    in_a_row: u32,
}

impl Default for Healing {
    fn default() -> Self {
        let backoff = Backoff::new(SHORTEST, LONGEST, CALM);
        Self { backoff, last: None, due: None, in_a_row: 0 }
    }
}

impl Healing {
    /// Notes that something is there to be healed, or nothing. Gives when it is to be done.
    pub(super) fn need(&mut self, is_needed: bool, now: Instant) -> Option<Instant> {
        self.due = match (is_needed, self.due, self.last) {
            (false, _, _) => None,
            (true, Some(due), _) => Some(due),
            (true, None, None) => Some(now),
            (true, None, Some(last)) if now >= last + CALM => {
                *self = Self::default();
                Some(now)
            }
            (true, None, Some(last)) => Some(last + self.backoff.after(now - last)),
        };
        self.due
    }

    /// When the next is to be done.
    pub(super) const fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Notes that it was done, well or not. Gives how often it was in a row, without peace between.
    pub(super) fn done(&mut self, now: Instant) -> u32 {
        (self.last, self.due) = (Some(now), None);
        self.in_a_row += 1;
        self.in_a_row
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_back_at_once_waits_longer_and_longer() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut healing = Healing::default();
        assert_eq!(healing.need(true, at(0)), Some(at(0)), "at once");
        assert_eq!(healing.done(at(1)), 1);
        assert_eq!(healing.need(true, at(2)), Some(at(11)));
        assert_eq!(healing.need(true, at(5)), Some(at(11)), "one need is one need");
        assert_eq!(healing.done(at(11)), 2);
        assert_eq!(healing.need(false, at(12)), None, "it holds");
        assert_eq!(healing.need(true, at(13)), Some(at(31)), "it didn't");
        healing.done(at(31));
        let mut now = 31;
        for _ in 0..8 {
            healing.need(true, at(now));
            now += 600;
            healing.done(at(now));
        }
        assert_eq!(healing.need(true, at(now + 1)), Some(at(now + 600)), "the longest pause");
        healing.done(at(now + 600));
        assert_eq!(healing.need(true, at(now + 600 + 1199)), Some(at(now + 1200)), "in the past");
        healing.done(at(now + 2000));
        assert_eq!(healing.need(true, at(now + 3200)), Some(at(now + 3200)), "peace");
        assert_eq!(healing.done(at(now + 3200)), 1);
    }
}
