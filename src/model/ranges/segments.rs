/// What an address is to a search: a number of 32 or 128 bits.
pub(super) trait Key: Copy + Ord {
    const ZERO: Self;
    const MAX: Self;
    fn before(self) -> Option<Self>;
    fn after(self) -> Option<Self>;
    /// How many of the first bits are the same.
    fn common(self, other: Self) -> u8;
}

macro_rules! key {
    ($type:ty) => {
        impl Key for $type {
            const ZERO: Self = 0;
            const MAX: Self = <$type>::MAX;

            fn before(self) -> Option<Self> {
                self.checked_sub(1)
            }

            fn after(self) -> Option<Self> {
                self.checked_add(1)
            }

            fn common(self, other: Self) -> u8 {
                // At most 128.
                (self ^ other).leading_zeros() as u8
            }
        }
    };
}

key!(u32);
key!(u128);

/// Stands for no value.
const NONE: u32 = u32::MAX;

/// The whole address space in segments, each from its start up to the next one's, those without a value too.
#[derive(PartialEq)]
pub(super) struct Segments<K> {
    /// Ascending; the first is 0, unless there are none at all.
    starts: Box<[K]>,
    /// What leads to them, the smallest first: each has every [`NODE`]th number of the next one, and the last of the starts. So
    /// a search reads one node at each level, wherever addresses lie close together, and of a million segments all levels but
    /// two fit a core's cache.
    levels: Box<[Box<[K]>]>,
    /// The index of each segment's value, or [`NONE`].
    values: Box<[u32]>,
    /// How many have a value.
    valued: usize,
}

/// How many numbers are compared at once: those of IPv4 fill one cache line.
const NODE: usize = 16;

impl<K> Default for Segments<K> {
    fn default() -> Self {
        Self {
            starts: Box::default(),
            levels: Box::default(),
            values: Box::default(),
            valued: 0,
        }
    }
}

/// What leads to these numbers.
fn levels<K: Copy>(starts: &[K]) -> Box<[Box<[K]>]> {
    let every_nth = |it: &[K]| it.iter().copied().step_by(NODE).collect::<Box<[K]>>();
    let mut levels = Vec::new();
    let mut below = starts;
    while below.len() > NODE {
        levels.push(every_nth(below));
        below = levels.last().map_or(&[], |it| it);
    }
    levels.reverse();
    levels.into()
}

impl<K: Key> Segments<K> {
    /// From pairs of a start and a value's index, ascending. What comes before the first has no value.
    pub(super) fn new(pairs: &[(K, Option<u32>)]) -> Self {
        let gap = pairs.first().filter(|it| it.0 > K::ZERO).map(|_| (K::ZERO, None));
        let pairs = || gap.iter().chain(pairs);
        let starts: Box<[K]> = pairs().map(|it| it.0).collect();
        let values = pairs().map(|it| it.1.unwrap_or(NONE)).collect();
        let valued = pairs().filter(|it| it.1.is_some()).count();
        let levels = levels(&starts);
        Self { starts, levels, values, valued }
    }

    /// How many have a value.
    pub(super) fn len(&self) -> usize {
        self.valued
    }

    /// The index of the value at an address, and the length of the widest prefix around it in the same segment.
    pub(super) fn find(&self, address: K) -> (Option<u32>, u8) {
        let levels = self.levels.iter().chain([&self.starts]);
        let last = levels.fold(Some(0), |node, level| {
            let from = node? * NODE;
            let node = level.get(from..level.len().min(from + NODE))?;
            // Counting all costs less than a branch that nobody can foresee.
            let passed = node.iter().filter(|it| **it <= address).count();
            (from + passed).checked_sub(1)
        });
        let Some(index) = last else { return (None, 0) };
        let length = |neighbour: Option<K>| neighbour.map_or(0, |it| address.common(it) + 1);
        let before = self.starts.get(index).and_then(|it| it.before());
        let scope = length(before).max(length(self.starts.get(index + 1).copied()));
        (self.values.get(index).copied().filter(|it| *it != NONE), scope)
    }

    /// The segments that have a value: first and last address, and the value's index.
    pub(super) fn iter(&self) -> impl Iterator<Item = (K, K, u32)> {
        let ends = self.starts.iter().skip(1).filter_map(|it| it.before()).chain([K::MAX]);
        let segments = self.starts.iter().zip(ends).zip(&self.values);
        segments.filter(|it| *it.1 != NONE).map(|((first, last), value)| (*first, last, *value))
    }

    /// In octets.
    pub(super) fn memory(&self) -> usize {
        let levels: usize = self.levels.iter().map(|it| size_of_val(&**it)).sum();
        size_of_val(&*self.starts) + size_of_val(&*self.values) + levels
    }
}
