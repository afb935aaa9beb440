use super::Draw;

/// A member that serves, with its weight among those that do.
pub(super) type Choice = (usize, u16);

/// Members and their weights, laid out so that a draw finds its member in constant time.
///
/// The members lie end to end on a circle of `total` units, each as long as its weight. Draws walk round the circle by a
/// stride close to the golden section, which spreads any number of steps evenly, and which has no divisor in common with
/// `total`, so that every unit is met exactly once a round: shares are exact after each round and never far off between.
#[derive(Clone, Debug)]
pub struct Shares {
    members: Box<[u32]>,
    /// Where each member's stretch ends.
    ends: Box<[u64]>,
    /// For equal parts of the circle: the first member that has a unit there (an indexed search, so that finding a member
    /// takes two comparisons on average however many there are).
    guide: Box<[u32]>,
    /// Parts of the guide for one unit, in 2⁻³²; rounded down, which leads to an earlier part at worst.
    parts_per_unit: u64,
    total: Modulus,
    stride: u64,
    /// What a unit of the circle stands for.
    divisor: u64,
}

impl Shares {
    /// Lays out the choices; none when there are none. Their weights are at least 1.
    pub(super) fn new(choices: &[Choice]) -> Option<Self> {
        let divisor = choices.iter().fold(0, |it, (_, weight)| gcd(it, u64::from(*weight)));
        let mut total = 0;
        let mut ends = Vec::with_capacity(choices.len());
        for (_, weight) in choices {
            total += u64::from(*weight).checked_div(divisor)?;
            ends.push(total);
        }
        if total == 0 {
            return None;
        }
        let parts = choices.len() as u64;
        let mut first = 0_u32;
        let mut guide = Vec::with_capacity(choices.len());
        for part in 0..parts {
            let start = (part * total).div_ceil(parts);
            while ends.get(first as usize).is_some_and(|end| *end <= start) {
                first += 1;
            }
            guide.push(first);
        }
        let members = choices.iter().map(|(member, _)| *member as u32).collect();
        Some(Self {
            members,
            ends: ends.into(),
            guide: guide.into(),
            parts_per_unit: (parts << 32) / total,
            total: Modulus::new(total),
            stride: stride(total),
            divisor,
        })
    }

    /// How many members there are.
    pub(super) fn len(&self) -> usize {
        self.members.len()
    }

    /// They, in the order of the choices.
    pub(super) fn members(&self) -> impl Iterator<Item = usize> {
        self.members.iter().map(|it| *it as usize)
    }

    /// The sum of their weights.
    pub(super) fn total_weight(&self) -> u64 {
        self.total.modulus * self.divisor
    }

    /// The member that every draw meets, if there is but one.
    pub(super) fn only(&self) -> Option<usize> {
        let [only] = *self.members else { return None };
        Some(only as usize)
    }

    /// The member that a draw meets. O(1) in the number of members.
    #[inline]
    pub fn pick(&self, draw: Draw) -> usize {
        if let Some(only) = self.only() {
            return only;
        }
        let steps = self.total.of(draw.step());
        let offset = draw.offset(self.total.modulus);
        let walked = steps.checked_mul(self.stride).and_then(|it| it.checked_add(offset));
        let position = walked.map_or_else(|| self.walk_far(offset, steps), |it| self.total.of(it));
        let part = (position * self.parts_per_unit) >> 32;
        let mut at = self.guide.get(part as usize).map_or(0, |it| *it as usize);
        while self.ends.get(at).is_some_and(|end| *end <= position) {
            at += 1;
        }
        self.members.get(at).map_or(0, |it| *it as usize)
    }

    /// Where so many steps lead on a circle that is longer than any but the strangest profile's.
    #[cold]
    fn walk_far(&self, offset: u64, steps: u64) -> u64 {
        let walked = u128::from(offset) + u128::from(steps) * u128::from(self.stride);
        (walked % u128::from(self.total.modulus)) as u64
    }

    /// The part of the draws, from 0 to 1, that meets this member.
    pub fn share(&self, member: usize) -> f64 {
        let Some(at) = self.members.iter().position(|it| *it as usize == member) else {
            return 0.0;
        };
        let start = if at == 0 { 0 } else { self.ends.get(at - 1).copied().unwrap_or_default() };
        let end = self.ends.get(at).copied().unwrap_or_default();
        (end - start) as f64 / self.total.modulus as f64
    }
}

/// A number to divide by often: a multiplication and a correction take the place of the division (Barrett 1986).
#[derive(Clone, Copy, Debug)]
struct Modulus {
    modulus: u64,
    /// 2⁶⁴ divided by it, rounded down; one less where that is 2⁶⁴.
    reciprocal: u64,
}

impl Modulus {
    fn new(modulus: u64) -> Self {
        let reciprocal = u64::MAX / modulus.max(1);
        Self { modulus, reciprocal }
    }

    /// What is left of a number.
    fn of(self, number: u64) -> u64 {
        let quotient = ((u128::from(number) * u128::from(self.reciprocal)) >> 64) as u64;
        // The quotient is right, or one too small.
        let left = number - quotient * self.modulus;
        if left >= self.modulus { left - self.modulus } else { left }
    }
}

/// The number closest below the golden section of `total` that has no divisor in common with it.
fn stride(total: u64) -> u64 {
    let golden = (total as f64 * 0.618_033_988_749_894_9) as u64;
    (1..=golden).rev().find(|it| gcd(*it, total) == 1).unwrap_or(1)
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shares(weights: &[u16]) -> Shares {
        let choices: Vec<Choice> = weights.iter().copied().enumerate().collect();
        Shares::new(&choices).unwrap()
    }

    fn counts(weights: &[u16], seed: u64, sequence: impl Iterator<Item = u64>) -> Vec<f64> {
        let shares = shares(weights);
        let mut counts = vec![0.0; weights.len()];
        for sequence in sequence {
            counts[shares.pick(Draw { seed, sequence })] += 1.0;
        }
        counts
    }

    /// The farthest that any count is from its share.
    fn deviation(weights: &[u16], seed: u64, sequence: impl Iterator<Item = u64>) -> f64 {
        let counts = counts(weights, seed, sequence);
        let drawn: f64 = counts.iter().sum();
        let total: f64 = weights.iter().copied().map(f64::from).sum();
        let off =
            |(count, weight): (&f64, &u16)| (count - drawn * f64::from(*weight) / total).abs();
        counts.iter().zip(weights).map(off).fold(0.0, f64::max)
    }

    #[test]
    fn shares_are_exact_after_each_round() {
        assert_eq!(counts(&[1, 1], 1, 0..64), [32.0, 32.0]);
        assert_eq!(counts(&[80, 20], 2, 0..160), [128.0, 32.0]);
        assert_eq!(counts(&[3, 2, 1], 3, 0..96), [48.0, 32.0, 16.0]);
    }

    #[test]
    fn a_million_draws_stay_within_a_small_constant() {
        let off = deviation(&[40, 30, 15, 10, 5], 11, 0..1_000_000);
        assert!(off < 30.0, "off by {off} of a million");
        let off = deviation(&[65535, 1, 777, 12345], 12, 0..1_000_000);
        assert!(off < 30.0, "off by {off} of a million");
    }

    #[test]
    fn regular_patterns_of_queries_meet_every_member_fairly() {
        for step in [2, 3, 4, 5, 8, 16, 32, 64, 100] {
            let drawn = 40_000;
            let off = deviation(&[1, 1], 5, (0..drawn * step).step_by(step as usize));
            assert!(off < 0.03 * drawn as f64, "every {step}th query: off by {off} of {drawn}");
        }
    }

    #[test]
    fn one_draw_of_many_sequences_is_fair() {
        let shares = shares(&[3, 1]);
        let first = (0..40_000).filter(|seed| shares.pick(Draw { seed: *seed, sequence: 0 }) == 0);
        let share = first.count() as f64 / 40_000.0;
        assert!((share - 0.75).abs() < 0.02, "{share}");
    }

    #[test]
    fn the_longest_circles_are_walked_too() {
        // More than 2³² units, without a common divisor.
        let mut weights = vec![65_535; 70_000];
        weights[0] = 65_534;
        let shares = shares(&weights);
        assert!(shares.total.modulus > 1 << 32);
        let picked =
            (0..10_000).map(|sequence| shares.pick(Draw { seed: 1, sequence: sequence * 977 }));
        let halves = picked.filter(|it| *it < 35_000).count();
        assert!((4_900..5_100).contains(&halves), "{halves} of 10,000");
    }

    proptest! {
        #[test]
        fn what_is_left_equals_that_of_a_division(modulus in prop_oneof![1_u64..100, 1..1_u64 << 32], number: u64) {
            let modulus = Modulus::new(modulus);
            for number in [number, number % (4 * modulus.modulus), u64::MAX] {
                prop_assert_eq!(modulus.of(number), number % modulus.modulus);
            }
        }

        #[test]
        fn any_run_of_draws_stays_near_its_shares(
            weights in prop::collection::vec(1_u16..=65535, 1..12),
            seed: u64, start in 0_u64..1_000_000, length in 1_u64..3000,
        ) {
            let off = deviation(&weights, seed, start..start + length);
            prop_assert!(off < 40.0, "off by {}", off);
        }

        #[test]
        fn shares_add_up_and_draws_meet_only_members(
            weights in prop::collection::vec(1_u16..100, 1..40), seed: u64, sequence: u64,
        ) {
            let choices: Vec<Choice> = weights.iter().enumerate().map(|(at, it)| (at * 2, *it)).collect();
            let shares = Shares::new(&choices).unwrap();
            let sum: f64 = (0..weights.len() * 2).map(|member| shares.share(member)).sum();
            prop_assert!((sum - 1.0).abs() < 1e-9);
            let picked = shares.pick(Draw { seed, sequence: sequence >> 1 });
            prop_assert!(picked.is_multiple_of(2) && picked < weights.len() * 2);
        }
    }
}
