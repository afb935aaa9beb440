//! When what drifted is put back: at once, later and later while somebody takes it back each time, and later and later while it doesn't go
//! well. Pure.

use std::time::Duration;

use tokio::time::Instant;

use crate::supervision::Backoff;

/// The pause after the first time, and the longest.
const SHORTEST: Duration = Duration::from_secs(10);
const LONGEST: Duration = Duration::from_secs(600);
/// What has held for so long was not a fight. Longer than the longest pause, or each would look like peace.
const CALM: Duration = Duration::from_secs(1200);

/// How often an app was healed, and when it may be again.
#[derive(Clone, Copy, Debug)]
pub(super) struct Healing {
    /// What was put back, and comes again.
    fights: Tries,
    /// What couldn't be put back, or needn't be.
    failures: Tries,
    /// How often it was put back without peace between.
    in_a_row: u32,
    /// Not before then.
    rests: Option<Instant>,
    due: Option<Instant>,
}

/// Tries that have the same outcome.
#[derive(Clone, Copy, Debug)]
struct Tries {
    backoff: Backoff,
    last: Option<Instant>,
}

impl Default for Tries {
    fn default() -> Self {
        Self { backoff: Backoff::new(SHORTEST, LONGEST, CALM), last: None }
    }
}

impl Tries {
    /// Whether the last of them is long ago.
    fn are_over(&self, now: Instant) -> bool {
        self.last.is_none_or(|it| now >= it + CALM)
    }

    /// Notes one more. Gives until when there is to be none.
    fn again(&mut self, now: Instant) -> Instant {
        let since = self.last.map_or(Duration::ZERO, |it| now.saturating_duration_since(it));
        self.last = Some(now);
        now + self.backoff.after(since)
    }
}

impl Default for Healing {
    fn default() -> Self {
        let (fights, failures) = (Tries::default(), Tries::default());
        Self { fights, failures, in_a_row: 0, rests: None, due: None }
    }
}

impl Healing {
    /// Notes that something is there to be healed, or nothing. Gives when it is to be done.
    pub(super) fn need(&mut self, is_needed: bool, now: Instant) -> Option<Instant> {
        self.due = match (is_needed, self.due) {
            (false, _) => None,
            (true, Some(due)) => Some(due),
            (true, None) => Some(self.rests.map_or(now, |it| it.max(now))),
        };
        self.due
    }

    /// When the next is to be done.
    pub(super) const fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Notes that something was put back. Gives how often it was in a row, without peace between.
    pub(super) fn healed(&mut self, now: Instant) -> u32 {
        if self.fights.are_over(now) {
            self.in_a_row = 0;
        }
        self.in_a_row += 1;
        self.failures = Tries::default();
        (self.rests, self.due) = (Some(self.fights.again(now)), None);
        self.in_a_row
    }

    /// Notes that it was tried, and nothing was put back.
    pub(super) fn tried(&mut self, now: Instant) {
        (self.rests, self.due) = (Some(self.failures.again(now)), None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Seconds after the start.
    fn clock() -> impl Fn(u64) -> Instant {
        let start = Instant::now();
        move |seconds| start + Duration::from_secs(seconds)
    }

    #[test]
    fn what_comes_back_at_once_waits_longer_and_longer() {
        let at = clock();
        let mut healing = Healing::default();
        assert_eq!(healing.need(true, at(0)), Some(at(0)), "at once");
        assert_eq!(healing.healed(at(1)), 1);
        assert_eq!(healing.need(true, at(2)), Some(at(11)));
        assert_eq!(healing.need(true, at(5)), Some(at(11)), "one need is one need");
        assert_eq!(healing.healed(at(11)), 2);
        let mut now = 11;
        for pause in [20, 40, 80, 160, 320, 600, 600] {
            assert_eq!(healing.need(true, at(now + 1)), Some(at(now + pause)));
            now += pause;
            healing.healed(at(now));
        }
        assert_eq!(healing.need(true, at(now + 1199)), Some(at(now + 1199)), "it has rested");
        assert_eq!(healing.healed(at(now + 1199)), 10, "but that was no peace");
        now += 1199;
        assert_eq!(healing.need(true, at(now + 1200)), Some(at(now + 1200)), "this was");
        assert_eq!(healing.healed(at(now + 1200)), 1);
        assert_eq!(healing.need(true, at(now + 1201)), Some(at(now + 1210)));
    }

    #[test]
    fn what_is_needed_and_goes_by_itself_waits_for_nothing() {
        let at = clock();
        let mut healing = Healing::default();
        healing.healed(at(0));
        for second in 1..5 {
            assert_eq!(healing.need(true, at(second)), Some(at(10)));
            assert_eq!(healing.need(false, at(second)), None);
        }
        assert_eq!(healing.need(true, at(30)), Some(at(30)));
    }

    #[test]
    fn what_does_not_go_well_is_no_fight_and_has_pauses_of_its_own() {
        let at = clock();
        let mut healing = Healing::default();
        let mut now = 0;
        for pause in [10, 20, 40, 80, 160, 320, 600, 600] {
            healing.tried(at(now));
            assert_eq!(healing.need(true, at(now)), Some(at(now + pause)));
            now += pause;
        }
        assert_eq!(healing.healed(at(now)), 1, "the first that was put back");
        assert_eq!(healing.need(true, at(now)), Some(at(now + 10)));
        healing.tried(at(now + 10));
        assert_eq!(healing.need(true, at(now + 10)), Some(at(now + 20)), "failures begin anew too");
        assert_eq!(healing.healed(at(now + 20)), 2);
    }
}
