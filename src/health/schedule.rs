use std::time::Duration;

use crate::model::Moment;

/// The longest time over which first probes are spread.
const LONGEST_SPREAD: Duration = Duration::from_secs(10);

/// How long the first probe of an endpoint waits, so that many endpoints that start together never burst: evenly over
/// min(interval, 10 s). `draw` is uniform in `[0, 1)`.
pub fn first_delay(interval: Duration, draw: f64) -> Duration {
    interval.min(LONGEST_SPREAD).mul_f64(draw)
}

/// By when, counted from the start of watching, an endpoint has had its chance of a verdict: the longest first wait and one
/// whole probe.
pub fn first_verdict_within(interval: Duration, timeout: Duration) -> Duration {
    interval.min(LONGEST_SPREAD) + timeout
}

/// When the next probe starts: `interval` after the start of the last one, jittered by ±10 %, but not before `now`, when
/// the last one's result came. `draw` is uniform in `[0, 1)`.
pub fn next_start(last_start: Moment, interval: Duration, draw: f64, now: Moment) -> Moment {
    let jittered = interval.mul_f64(0.9 + 0.2 * draw);
    (last_start + jittered).max(now)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn first_probes_spread_over_ten_seconds_at_most() {
        assert_eq!(first_delay(4 * SECOND, 0.5), 2 * SECOND);
        assert_eq!(first_delay(60 * SECOND, 0.5), 5 * SECOND);
        assert_eq!(first_delay(60 * SECOND, 0.0), Duration::ZERO);
        assert_eq!(first_verdict_within(4 * SECOND, SECOND), 5 * SECOND);
        assert_eq!(first_verdict_within(60 * SECOND, 5 * SECOND), 15 * SECOND);
    }

    #[test]
    fn intervals_count_from_start_to_start() {
        let start = Moment(100 * SECOND);
        assert_eq!(next_start(start, 10 * SECOND, 0.5, start + SECOND), start + 10 * SECOND);
        assert_eq!(next_start(start, 10 * SECOND, 0.0, start), start + 9 * SECOND);
        assert_eq!(next_start(start, 10 * SECOND, 1.0, start), start + 11 * SECOND);
        assert_eq!(next_start(start, 10 * SECOND, 0.5, start + 12 * SECOND), start + 12 * SECOND);
    }

    proptest! {
        #[test]
        fn jitter_stays_within_a_tenth(interval in 100_u64..3_600_000, draw in 0.0_f64..1.0) {
            let interval = Duration::from_millis(interval);
            let next = next_start(Moment::default(), interval, draw, Moment::default());
            prop_assert!(next.0 >= interval.mul_f64(0.899_999) && next.0 <= interval.mul_f64(1.100_001));
        }
    }
}
