/// What an address is to a search: a number of 32 or 128 bits.
pub(super) trait Key: Copy + Ord {
    const ZERO: Self;
    const MAX: Self;
    fn before(self) -> Option<Self>;
    fn after(self) -> Option<Self>;
    /// How many of the first bits are the same.
    fn common(self, other: Self) -> u8;
    /// How many bits the difference to a smaller number has.
    fn bits_from(self, base: Self) -> u32;
    /// The bucket of a guide that begins at `base`. None below it.
    fn bucket(self, base: Self, shift: u32) -> Option<usize>;
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

            fn bits_from(self, base: Self) -> u32 {
                <$type>::BITS - (self - base).leading_zeros()
            }

            fn bucket(self, base: Self, shift: u32) -> Option<usize> {
                let distance = self.checked_sub(base)?;
                Some(usize::try_from(distance >> shift).unwrap_or(usize::MAX))
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
    /// The index of each segment's value, or [`NONE`].
    values: Box<[u32]>,
    guide: Option<Guide<K>>,
    /// How many have a value.
    valued: usize,
}

impl<K> Default for Segments<K> {
    fn default() -> Self {
        Self { starts: Box::default(), values: Box::default(), guide: None, valued: 0 }
    }
}

/// Fewer segments are found faster without a guide.
const GUIDED: usize = 16;
/// The guide of the largest tables has so many buckets, which still fit a core's cache.
const MOST_BUCKETS: usize = 1 << 16;

/// Where to search: a table on the first bits in which starts differ. It begins at the first segment that has a value, as
/// addresses in use lie close together in all that could be.
#[derive(PartialEq)]
struct Guide<K> {
    base: K,
    shift: u32,
    /// For each bucket, and for the end of the last one, how many segments start before it.
    starts: Box<[u32]>,
}

impl<K: Key> Guide<K> {
    fn of(starts: &[K]) -> Option<Self> {
        // The segment at 0 is around everything below the base.
        let (base, last) = (*starts.get(1)?, *starts.last()?);
        if starts.len() < GUIDED {
            return None;
        }
        let buckets = starts.len().next_power_of_two().min(MOST_BUCKETS);
        let shift = last.bits_from(base).saturating_sub(buckets.ilog2());
        let mut guide = Vec::with_capacity(buckets + 1);
        for (index, start) in (0..).zip(starts) {
            let bucket = start.bucket(base, shift).map_or(0, |it| it + 1);
            while guide.len() < bucket {
                guide.push(index);
            }
        }
        guide.push(starts.len() as u32);
        Some(Self { base, shift, starts: guide.into() })
    }

    /// Between which segments the one around an address begins: more than the first, no more than the second start at or
    /// below it.
    fn search(&self, address: K, segments: usize) -> (usize, usize) {
        let Some(bucket) = address.bucket(self.base, self.shift) else { return (0, 1) };
        let at = |index: usize| self.starts.get(index).map(|it| *it as usize);
        (at(bucket).unwrap_or(segments), at(bucket.saturating_add(1)).unwrap_or(segments))
    }
}

impl<K: Key> Segments<K> {
    /// From pairs of a start and a value's index, ascending. What comes before the first has no value.
    pub(super) fn new(pairs: &[(K, Option<u32>)]) -> Self {
        let gap = pairs.first().filter(|it| it.0 > K::ZERO).map(|_| (K::ZERO, None));
        let pairs = || gap.iter().chain(pairs);
        let starts: Box<[K]> = pairs().map(|it| it.0).collect();
        let values = pairs().map(|it| it.1.unwrap_or(NONE)).collect();
        let valued = pairs().filter(|it| it.1.is_some()).count();
        let guide = Guide::of(&starts);
        Self { starts, values, guide, valued }
    }

    /// How many have a value.
    pub(super) fn len(&self) -> usize {
        self.valued
    }

    /// The index of the value at an address, and the length of the widest prefix around it in the same segment.
    pub(super) fn find(&self, address: K) -> (Option<u32>, u8) {
        let segments = self.starts.len();
        let (from, to) =
            self.guide.as_ref().map_or((0, segments), |it| it.search(address, segments));
        let within = self.starts.get(from..to).unwrap_or_default();
        let next = from + within.partition_point(|it| *it <= address);
        let Some(index) = next.checked_sub(1) else { return (None, 0) };
        let length = |neighbour: Option<K>| neighbour.map_or(0, |it| address.common(it) + 1);
        let before = self.starts.get(index).and_then(|it| it.before());
        let scope = length(before).max(length(self.starts.get(next).copied()));
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
        let guide = self.guide.as_ref().map_or(0, |it| size_of_val(&*it.starts));
        size_of_val(&*self.starts) + size_of_val(&*self.values) + guide
    }
}
