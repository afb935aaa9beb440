//! Failures that repeat are logged once a burst: each of them is counted, and a log that they fill helps nobody.

use std::time::{Duration, Instant};

/// Failures that are closer together than this are one burst.
const QUIET: Duration = Duration::from_secs(10);

/// When one kind of failure happened last.
#[derive(Debug, Default)]
pub(super) struct Burst {
    last: Option<Instant>,
}

impl Burst {
    /// Notes a failure. Tells whether it begins a burst.
    pub(super) fn begins(&mut self, now: Instant) -> bool {
        let last = self.last.replace(now);
        last.is_none_or(|last| now.saturating_duration_since(last) >= QUIET)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_begins_once() {
        let mut burst = Burst::default();
        let start = Instant::now();
        let mut begins = |second| burst.begins(start + Duration::from_secs(second));
        assert!(begins(0));
        assert!(!begins(0));
        assert!(!begins(9));
        assert!(!begins(18), "it goes on");
        assert!(begins(28));
    }
}
