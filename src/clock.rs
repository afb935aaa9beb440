//! The process's clock, for those who hand time to the core.

use std::time::{SystemTime, UNIX_EPOCH};

use tokio::time::{Instant, sleep_until};

use crate::model::{Moment, Timestamp};

/// A monotonic clock that starts with the process, and the time of day. Cheap to copy; all copies agree.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    origin: Instant,
}

impl Clock {
    /// A clock that starts now.
    pub fn start() -> Self {
        Self { origin: Instant::now() }
    }

    /// The time since the clock's start.
    pub fn now(&self) -> Moment {
        Moment(self.origin.elapsed())
    }

    /// When `moment` is, for tokio's timers.
    pub fn instant(&self, moment: Moment) -> Instant {
        self.origin + moment.0
    }

    /// The time of day. A clock set before 1970 shows 1970.
    pub fn time_of_day() -> Timestamp {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
    }
}

/// Waits until then; without an instant, for ever.
pub async fn reached(instant: Option<Instant>) {
    match instant {
        Some(instant) => sleep_until(instant).await,
        None => std::future::pending().await,
    }
}
