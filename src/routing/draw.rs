/// How many draws are put into random order together. A power of two: [`Draw::step`] shuffles its bits.
pub(super) const BLOCK: u64 = 32;

/// One draw from a sequence: the randomness that a decision needs, handed in. The answers of one sequence deviate from
/// their shares by a small constant, however many are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Draw {
    /// Tells the sequence from others: each worker, profile and record type has its own.
    pub seed: u64,
    /// Which draw of the sequence this is.
    pub sequence: u64,
}

impl Draw {
    /// The draw's place in the evenly spread order: each block of sequence numbers, shuffled, so that no regular pattern of
    /// queries always meets the same endpoint.
    pub(super) fn step(self) -> u64 {
        let block = self.sequence / BLOCK;
        let key = mix(self.seed ^ block.wrapping_mul(0xd6e8_feb8_6659_fd93));
        block * BLOCK + shuffle(self.sequence % BLOCK, key)
    }

    /// Where the sequence starts: uniform over `0..total`.
    pub(super) fn offset(self, total: u64) -> u64 {
        ((u128::from(mix(self.seed)) * u128::from(total)) >> 64) as u64
    }
}

/// A bijection of `0..BLOCK` that depends on `key`: odd multiplications, additions and shifts can all be undone.
fn shuffle(slot: u64, key: u64) -> u64 {
    let mask = BLOCK - 1;
    let round = |slot: u64, key: u64| {
        let spread = slot.wrapping_mul(key | 1).wrapping_add(key >> 8) & mask;
        spread ^ (spread >> 2)
    };
    round(round(round(slot, key), key >> 16), key >> 32)
}

/// Spreads a number's bits over all 64 (the finalizer of splitmix64, by Vigna).
pub const fn mix(number: u64) -> u64 {
    let number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_block_is_a_permutation_and_blocks_differ() {
        let mut orders = std::collections::HashSet::new();
        for block in 0..1000 {
            let order: Vec<u64> = (0..BLOCK)
                .map(|slot| Draw { seed: 7, sequence: block * BLOCK + slot }.step() - block * BLOCK)
                .collect();
            let mut sorted = order.clone();
            sorted.sort_unstable();
            assert!(sorted.into_iter().eq(0..BLOCK));
            orders.insert(order);
        }
        assert!(orders.len() > 980, "{} orders in 1000 blocks", orders.len());
    }
}
