//! Whether somebody sets the clock while the daemon runs.

use std::time::{Duration, Instant};

use crate::clock::Clock;
use crate::model::Timestamp;

/// How far the time of day may leap without a word about it.
const TOLERANCE: Duration = Duration::from_secs(5);

/// Compares the time of day with a clock that nobody sets, from one look to the next.
#[derive(Clone, Copy, Debug)]
pub(super) struct TimeOfDay {
    /// When it was looked at last. Not of the runtime's clock: a test may stop that one.
    at: Instant,
    /// What it showed.
    shown: Timestamp,
}

impl TimeOfDay {
    pub(super) fn now() -> Self {
        Self { at: Instant::now(), shown: Clock::time_of_day() }
    }

    /// Looks at it again; says so when it has leapt.
    pub(super) fn look(&mut self) {
        let before = std::mem::replace(self, Self::now());
        let Some(leap) = leap(self.at - before.at, before.shown, self.shown) else { return };
        let (seconds, there) = (leap / 1000, if leap < 0 { "back" } else { "forward" });
        let far = seconds.unsigned_abs();
        tracing::warn!(
            event = "clock_jumped",
            seconds,
            "the time of day went {there} by {far} s: the clock was set, or the machine slept; changes end by the new time"
        );
    }
}

/// By how many milliseconds the time of day went forward more than time went on, where that is worth a word.
fn leap(elapsed: Duration, before: Timestamp, now: Timestamp) -> Option<i64> {
    let elapsed = i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX);
    let leap = now.0.saturating_sub(before.0).saturating_sub(elapsed);
    (u128::from(leap.unsigned_abs()) > TOLERANCE.as_millis()).then_some(leap)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_leap_of_more_than_some_seconds_is_told() {
        for (elapsed, before, now, expected) in [
            (500, 1_000_000, 1_000_500, None),
            // The machine was busy for a minute: time went on, and nothing leapt.
            (60_000, 1_000_000, 1_060_000, None),
            (500, 1_000_000, 1_005_500, None),
            (500, 1_000_000, 1_005_501, Some(5001)),
            (500, 1_000_000, 995_500, None),
            (500, 1_000_000, 995_499, Some(-5001)),
            (500, 1_000_000, 0, Some(-1_000_500)),
            (500, 0, 1_000_000, Some(999_500)),
        ] {
            let found = leap(Duration::from_millis(elapsed), Timestamp(before), Timestamp(now));
            assert_eq!(found, expected, "{elapsed} {before} {now}");
        }
    }

    #[test]
    fn a_leap_is_told_once() {
        let mut time = TimeOfDay::now();
        time.shown.0 += 3_600_000;
        let told = |time: TimeOfDay| leap(time.at.elapsed(), time.shown, Clock::time_of_day());
        assert!(told(time).is_some_and(|it| it < -3_590_000));
        time.look();
        assert_eq!(told(time), None);
    }
}
