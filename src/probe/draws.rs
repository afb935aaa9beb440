use crate::clock::Clock;

/// Random numbers for spreading probes: SplitMix64, seeded from the operating system. Nothing secret hangs on them.
#[derive(Debug)]
pub(super) struct Draws {
    state: u64,
}

impl Draws {
    pub(super) fn seeded() -> Self {
        // Without randomness from the system the time of day still tells two machines apart.
        let state = getrandom::u64().unwrap_or_else(|_| Clock::time_of_day().0.unsigned_abs());
        Self { state }
    }

    /// Uniform in `[0, 1)`.
    pub(super) fn next(&mut self) -> f64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        // The 53 bits that fill a double's mantissa exactly.
        (mixed >> 11) as f64 / (1_u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_fill_the_unit_interval_evenly() {
        let mut draws = Draws { state: 7 };
        let mut tenths = [0_u32; 10];
        for _ in 0..100_000 {
            let draw = draws.next();
            assert!((0.0..1.0).contains(&draw));
            tenths[(draw * 10.0) as usize] += 1;
        }
        assert!(tenths.iter().all(|count| (9_500..10_500).contains(count)), "{tenths:?}");
    }
}
