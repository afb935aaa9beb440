//! Random numbers that a seed makes the same again: SplitMix64.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub(crate) struct Random(u64);

impl Random {
    /// From `FAROL_SEED`, or else from the time of day. The seed is shown where the test fails.
    pub(crate) fn new() -> Self {
        let now = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().subsec_nanos().into();
        let seed = std::env::var("FAROL_SEED").ok().map_or_else(now, |it| it.parse().unwrap());
        eprintln!("FAROL_SEED={seed}");
        Self(seed)
    }

    /// Another stream of numbers, for another thread.
    pub(crate) fn fork(&mut self) -> Self {
        Self(self.next())
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Less than `end`.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// Less than `end`, to the microsecond.
    pub(crate) fn within(&mut self, end: Duration) -> Duration {
        Duration::from_micros(self.below(u64::try_from(end.as_micros()).unwrap()))
    }
}
