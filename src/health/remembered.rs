use std::time::Duration;

use crate::model::{Timestamp, Verdict};

/// What a verdict from before a start is worth after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Remembered {
    /// What is believed until probes say otherwise; never Unknown.
    pub verdict: Verdict,
    /// Whether it is too old to be served by. Only a failing endpoint is remembered even so: a single success then turns
    /// it Online.
    pub aged: bool,
    /// When it was known to be true.
    pub as_of: Timestamp,
}

impl Remembered {
    /// What a verdict counts for at `now` that was true `as_of`; nothing where it is as good as not remembered. A time in
    /// the future, by a clock that went back, is as far from now as one in the past.
    pub fn of(
        verdict: Verdict,
        as_of: Timestamp,
        now: Timestamp,
        max_age: Duration,
    ) -> Option<Self> {
        let aged = Duration::from_millis(now.0.abs_diff(as_of.0)) > max_age;
        match verdict {
            Verdict::Degraded => Some(Self { verdict, aged, as_of }),
            Verdict::Online if !aged => Some(Self { verdict, aged, as_of }),
            Verdict::Online | Verdict::Unknown => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_old_is_forgotten_but_for_what_failed() {
        let minute = Duration::from_secs(60);
        for (verdict, age, expected) in [
            (Verdict::Online, 60_000, Some(false)),
            (Verdict::Online, 60_001, None),
            (Verdict::Online, -60_000, Some(false)),
            (Verdict::Online, -60_001, None),
            (Verdict::Degraded, 60_000, Some(false)),
            (Verdict::Degraded, 6_000_000, Some(true)),
            (Verdict::Degraded, -6_000_000, Some(true)),
            (Verdict::Unknown, 0, None),
        ] {
            let as_of = Timestamp(0);
            let remembered = Remembered::of(verdict, as_of, Timestamp(age), minute);
            let expected = expected.map(|aged| Remembered { verdict, aged, as_of });
            assert_eq!(remembered, expected, "{verdict:?} {age:?}");
        }
    }
}
