//! The process's clock, for those who hand time to the core.

use std::time::{SystemTime, UNIX_EPOCH};

use tokio::time::{Instant, sleep_until};

use crate::model::{Moment, Now, Timestamp};

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

    /// This instant on both clocks.
    pub fn both(&self) -> Now {
        Now { moment: self.now(), time: Self::time_of_day() }
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

/// A time of day in RFC 3339 and UTC, such as `2026-05-01T12:00:00.25Z`; nothing outside the years 0 to 9999, which have no
/// such text.
pub fn in_rfc3339(timestamp: Timestamp) -> Option<String> {
    let text = jiff::Timestamp::from_millisecond(timestamp.0).ok()?.to_string();
    // Years before 0 have a sign in ISO 8601, but none in RFC 3339.
    (!text.starts_with('-')).then_some(text)
}

/// The same for people and programs that have to be told something: where there is no such text, milliseconds since 1970.
pub fn rfc3339(timestamp: Timestamp) -> String {
    in_rfc3339(timestamp).unwrap_or_else(|| timestamp.0.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_rfc_3339_where_that_can_say_them() {
        for (milliseconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (1_767_323_045_250, "2026-01-02T03:04:05.25Z"),
            (-62_167_219_200_000, "0000-01-01T00:00:00Z"),
            (-62_167_219_200_001, "-62167219200001"),
            (i64::MAX, "9223372036854775807"),
            (i64::MIN, "-9223372036854775808"),
        ] {
            assert_eq!(rfc3339(Timestamp(milliseconds)), text);
        }
    }
}
