use std::ops::{Add, Sub};
use std::time::Duration;

/// A point on the process's monotonic clock, counted from its start. The core is handed moments; it never asks for one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Moment(pub Duration);

impl Moment {
    /// The time from `earlier` to this moment; zero when `earlier` is later.
    pub fn since(self, earlier: Moment) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

impl Add<Duration> for Moment {
    type Output = Moment;

    fn add(self, duration: Duration) -> Moment {
        Moment(self.0.saturating_add(duration))
    }
}

impl Sub<Duration> for Moment {
    type Output = Moment;

    fn sub(self, duration: Duration) -> Moment {
        Moment(self.0.saturating_sub(duration))
    }
}

/// A time of day for people and files: milliseconds since 1970-01-01T00:00:00Z. Nothing is decided by it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub i64);

/// One instant on both clocks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// By which time is measured.
    pub moment: Moment,
    /// By which people date it.
    pub time: Timestamp,
}

#[cfg(test)]
impl Now {
    /// So many milliseconds after 1970 and after the start.
    pub(crate) fn at(milliseconds: i64) -> Self {
        let since = Duration::from_millis(milliseconds.unsigned_abs());
        Self { moment: Moment(since), time: Timestamp(milliseconds) }
    }
}
