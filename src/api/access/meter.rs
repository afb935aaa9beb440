//! How often whoever got in comes again.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::model::{Moment, Now, Timestamp};

/// How many requests there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rate {
    /// In a second, at least 1.
    pub(super) limit: u32,
    /// At once, at least 1.
    pub(super) burst: u32,
}

/// What is known of the requests of one token or certificate.
#[derive(Debug, Default)]
pub(super) struct Meter {
    bucket: Mutex<Option<Bucket>>,
    /// Milliseconds since 1970; 0 before the first.
    last: AtomicI64,
}

impl Meter {
    /// Counts a request, unless there were too many; then it says how long to wait.
    pub(super) fn count(&self, rate: Rate, now: Now) -> Result<(), Duration> {
        self.last.store(now.time.0, Ordering::Relaxed);
        let mut bucket = self.bucket.lock().unwrap_or_else(PoisonError::into_inner);
        bucket.get_or_insert_with(|| Bucket::full(rate, now.moment)).take(rate, now.moment)
    }

    /// When the last request came, since the start.
    pub(super) fn last(&self) -> Option<Timestamp> {
        Some(Timestamp(self.last.load(Ordering::Relaxed))).filter(|it| it.0 != 0)
    }
}

/// A token bucket.
#[derive(Debug)]
struct Bucket {
    level: f64,
    at: Moment,
}

impl Bucket {
    fn full(rate: Rate, now: Moment) -> Self {
        Self { level: f64::from(rate.burst), at: now }
    }

    fn take(&mut self, rate: Rate, now: Moment) -> Result<(), Duration> {
        let (limit, most) = (f64::from(rate.limit), f64::from(rate.burst));
        let level = self.level + now.since(self.at).as_secs_f64() * limit;
        (self.level, self.at) = (level.min(most), now.max(self.at));
        if self.level < 1.0 {
            return Err(Duration::from_secs_f64((1.0 - self.level) / limit));
        }
        self.level -= 1.0;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_let_through_and_then_the_rate() {
        let (meter, rate) = (Meter::default(), Rate { limit: 10, burst: 20 });
        assert_eq!(meter.last(), None);
        let passed = |milliseconds| {
            (0..100).take_while(|_| meter.count(rate, Now::at(milliseconds)).is_ok()).count()
        };
        assert_eq!(passed(1_000), 20);
        assert_eq!(meter.count(rate, Now::at(1_000)), Err(Duration::from_millis(100)));
        assert_eq!(passed(1_500), 5);
        assert_eq!(passed(1_400), 0, "no clock that runs back fills it");
        assert_eq!(passed(100_000), 20);
        assert_eq!(meter.last(), Some(Timestamp(100_000)));
        let less = Rate { limit: 1, burst: 1 };
        assert!(meter.count(less, Now::at(200_000)).is_ok());
        assert_eq!(meter.count(less, Now::at(200_000)), Err(Duration::from_secs(1)));
    }

    #[test]
    fn two_hundred_changes_in_a_second_pass_by_default() {
        let (meter, rate) = (Meter::default(), Rate { limit: 1000, burst: 2000 });
        for millisecond in 0..60_000 {
            assert!(meter.count(rate, Now::at(millisecond)).is_ok(), "{millisecond}");
        }
    }
}
