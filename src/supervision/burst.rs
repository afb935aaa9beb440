use std::time::{Duration, Instant};

/// When one kind of failure happened last. What repeats is logged once a burst: a log that it fills helps nobody.
#[derive(Debug)]
pub struct Burst {
    quiet: Duration,
    last: Option<Instant>,
}

impl Burst {
    /// Failures that are closer together than `quiet` are one burst.
    pub fn new(quiet: Duration) -> Self {
        Self { quiet, last: None }
    }

    /// Notes a failure. Tells whether it begins a burst.
    pub fn begins(&mut self, now: Instant) -> bool {
        let last = self.last.replace(now);
        last.is_none_or(|last| now.saturating_duration_since(last) >= self.quiet)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_begins_once() {
        let mut burst = Burst::new(Duration::from_secs(10));
        let start = Instant::now();
        let mut begins = |second| burst.begins(start + Duration::from_secs(second));
        assert!(begins(0));
        assert!(!begins(0));
        assert!(!begins(9));
        assert!(!begins(18), "it goes on");
        assert!(begins(28));
    }
}
