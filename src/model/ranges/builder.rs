use std::cmp::Reverse;
use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

use super::segments::{Key, Segments};
use super::{AFTER_MAPPED, MAPPED, Ranges};

/// Makes [`Ranges`] of rows in any order.
///
/// A range of IPv4-mapped IPv6 addresses is the range of their IPv4 addresses; of a wider IPv6 range the part that is mapped
/// means nothing.
#[derive(Debug)]
pub struct RangesBuilder<T> {
    v4: Vec<Entry<u32>>,
    v6: Vec<Entry<u128>>,
    values: Vec<T>,
    known: HashMap<T, u32>,
    rows: u32,
}

/// What it means that rows overlap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overlapping {
    /// One may lie in the other, and then has precedence. Equal ones, and such that each have a part of their own, are
    /// refused.
    NarrowestWins,
    /// None may.
    Refused,
}

/// What becomes of rows with equal values that lie side by side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Adjacent {
    /// They are one segment, so that prefixes are as wide as can be.
    Joined,
    /// Each remains a segment of its own.
    Apart,
}

/// A row as it was added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// How many rows were added before.
    pub index: usize,
    /// Its first address.
    pub first: IpAddr,
    /// Its last address.
    pub last: IpAddr,
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last {
            write!(f, "{}", self.first)
        } else {
            write!(f, "{}-{}", self.first, self.last)
        }
    }
}

/// Two rows that overlap and may not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{first} and {second} overlap")]
pub struct Overlap {
    /// The one that was added first.
    pub first: Row,
    /// The other one.
    pub second: Row,
}

/// Why two addresses are no range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RangeError {
    /// One is IPv4, the other IPv6.
    #[error("{0} and {1} are of two families; write two addresses of one")]
    Families(IpAddr, IpAddr),
    /// The last is below the first.
    #[error("{0} comes after {1}; write the lower address first")]
    Backwards(IpAddr, IpAddr),
    /// There are more rows than 2³² - 2.
    #[error("there are too many ranges; leave some out")]
    TooMany,
}

#[derive(Clone, Copy, Debug)]
struct Entry<K> {
    first: K,
    last: K,
    value: u32,
    row: u32,
}

impl<T> Default for RangesBuilder<T> {
    fn default() -> Self {
        Self { v4: Vec::new(), v6: Vec::new(), values: Vec::new(), known: HashMap::new(), rows: 0 }
    }
}

impl<T: Eq + Hash + Clone> RangesBuilder<T> {
    /// A builder without rows.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a row from one address to another, both included.
    ///
    /// # Errors
    /// When the addresses are no range; nothing was added then.
    pub fn add(&mut self, first: IpAddr, last: IpAddr, value: T) -> Result<(), RangeError> {
        if first.is_ipv4() == last.is_ipv4() && first > last {
            return Err(RangeError::Backwards(first, last));
        }
        // The index after the last one stands for no value.
        if self.rows >= u32::MAX - 1 {
            return Err(RangeError::TooMany);
        }
        let row = self.rows;
        match (first, last) {
            (IpAddr::V4(first), IpAddr::V4(last)) => self.add_v4(first, last, value, row),
            (IpAddr::V6(first), IpAddr::V6(last)) => {
                match (first.to_ipv4_mapped(), last.to_ipv4_mapped()) {
                    (Some(first), Some(last)) => self.add_v4(first, last, value, row),
                    _ => {
                        let (first, last) = (first.to_bits(), last.to_bits());
                        let value = self.intern(value);
                        self.v6.push(Entry { first, last, value, row });
                    }
                }
            }
            _ => return Err(RangeError::Families(first, last)),
        }
        self.rows += 1;
        Ok(())
    }

    fn add_v4(&mut self, first: Ipv4Addr, last: Ipv4Addr, value: T, row: u32) {
        let value = self.intern(value);
        self.v4.push(Entry { first: first.to_bits(), last: last.to_bits(), value, row });
    }

    /// Adds a row for a network.
    ///
    /// # Errors
    /// When there are too many.
    pub fn add_network(&mut self, network: IpNet, value: T) -> Result<(), RangeError> {
        self.add(network.network(), network.broadcast(), value)
    }

    fn intern(&mut self, value: T) -> u32 {
        if let Some(known) = self.known.get(&value) {
            return *known;
        }
        // There are no more values than rows.
        let index = self.values.len() as u32;
        self.values.push(value.clone());
        self.known.insert(value, index);
        index
    }

    /// Makes the ranges.
    ///
    /// # Errors
    /// Rows that overlap and may not, each with the first that was found, by the later one's index.
    pub fn build(
        self,
        overlapping: Overlapping,
        adjacent: Adjacent,
    ) -> Result<Ranges<T>, Vec<Overlap>> {
        let Self { v4, v6, values, known, rows: _ } = self;
        drop(known);
        let mut overlaps = Vec::new();
        let v4 = flatten(v4, overlapping, adjacent, |a, b| {
            overlaps.push(overlap(a, b, |it| Ipv4Addr::from_bits(it).into()));
        });
        let mut v6 = flatten(v6, overlapping, adjacent, |a, b| {
            overlaps.push(overlap(a, b, |it| Ipv6Addr::from_bits(it).into()));
        });
        if !overlaps.is_empty() {
            overlaps.sort_by_key(|it| it.second.index);
            return Err(overlaps);
        }
        if !values.is_empty() {
            cut(&mut v6, MAPPED, AFTER_MAPPED);
        }
        Ok(Ranges { v4: Segments::new(&v4), v6: Segments::new(&v6), values: values.into() })
    }
}

fn overlap<K: Copy>(a: &Entry<K>, b: &Entry<K>, address: impl Fn(K) -> IpAddr) -> Overlap {
    let row = |it: &Entry<K>| Row {
        index: it.row as usize,
        first: address(it.first),
        last: address(it.last),
    };
    let (first, second) = if a.row < b.row { (a, b) } else { (b, a) };
    Overlap { first: row(first), second: row(second) }
}

/// Starts of segments with their values' indices.
type Pairs<K> = Vec<(K, Option<u32>)>;

/// Lays rows flat: at each address the value of the narrowest row around it.
fn flatten<K: Key>(
    mut rows: Vec<Entry<K>>,
    overlapping: Overlapping,
    adjacent: Adjacent,
    mut refuse: impl FnMut(&Entry<K>, &Entry<K>),
) -> Pairs<K> {
    // A row comes after all that it lies in.
    rows.sort_unstable_by_key(|it| (it.first, Reverse(it.last), it.row));
    let mut pairs = Pairs::with_capacity(rows.len());
    let mut open: Vec<&Entry<K>> = Vec::new();
    for row in &rows {
        close(&mut open, &mut pairs, Some(row.first));
        if let Some(around) = open.last() {
            let is_inside =
                row.last <= around.last && (row.first, row.last) != (around.first, around.last);
            if overlapping == Overlapping::Refused || !is_inside {
                refuse(around, row);
                continue;
            }
        }
        begin(&mut pairs, row.first, Some(row.value));
        open.push(row);
    }
    close(&mut open, &mut pairs, None);
    if adjacent == Adjacent::Joined {
        pairs.dedup_by_key(|it| it.1);
    }
    pairs.shrink_to_fit();
    pairs
}

/// Ends the rows that end below an address, or all.
fn close<K: Key>(open: &mut Vec<&Entry<K>>, pairs: &mut Pairs<K>, below: Option<K>) {
    while let Some(row) = open.pop_if(|it| below.is_none_or(|below| it.last < below)) {
        if let Some(after) = row.last.after() {
            begin(pairs, after, open.last().map(|it| it.value));
        }
    }
}

/// Begins a segment; one that began at the same address has nothing left.
fn begin<K: Key>(pairs: &mut Pairs<K>, start: K, value: Option<u32>) {
    match pairs.last_mut() {
        Some(last) if last.0 == start => last.1 = value,
        _ => pairs.push((start, value)),
    }
}

/// Makes one segment without a value of everything from `from` up to `to`.
fn cut(pairs: &mut Pairs<u128>, from: u128, to: u128) {
    let first = pairs.partition_point(|it| it.0 < from);
    let next = pairs.partition_point(|it| it.0 <= to);
    let after = next.checked_sub(1).and_then(|it| pairs.get(it)).and_then(|it| it.1);
    pairs.splice(first..next, [(from, None), (to, after)]);
}
