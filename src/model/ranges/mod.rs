//! Values by ranges of addresses: `builder` makes flat segments of rows that may lie in each other, `segments` finds the one
//! around an address.

mod builder;
mod segments;
#[cfg(test)]
mod tests;

pub use builder::{Adjacent, Overlap, Overlapping, RangeError, RangesBuilder, Row};

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use segments::Segments;

/// The first of the IPv4-mapped IPv6 addresses, ::ffff:0:0/96 (RFC 4291 2.5.5.2).
const MAPPED: u128 = 0xffff << 32;
/// The first address after them.
const AFTER_MAPPED: u128 = MAPPED + (1 << 32);

/// Values by address ranges; what lies in no range has none. Immutable, and looked up by a guide and a short search, without
/// allocating.
///
/// IPv4-mapped IPv6 addresses have what their IPv4 addresses have.
#[derive(PartialEq)]
pub struct Ranges<T> {
    v4: Segments<u32>,
    /// Cut where the IPv4-mapped addresses begin and end, so that no segment reaches into them.
    v6: Segments<u128>,
    /// Each value once, which segments name by index.
    values: Box<[T]>,
}

impl<T> Ranges<T> {
    /// The value at an address, and the length of the widest prefix around it that lies wholly in the same segment: every
    /// address in that prefix has the same value (RFC 7871's scope). 0–32 for IPv4 and 0–128 for IPv6, of which
    /// IPv4-mapped addresses have 96–128.
    pub fn find(&self, address: IpAddr) -> (Option<&T>, u8) {
        let (value, scope) = match address {
            IpAddr::V4(it) => self.v4.find(it.to_bits()),
            IpAddr::V6(it) => match it.to_ipv4_mapped() {
                Some(it) => {
                    let (value, scope) = self.v4.find(it.to_bits());
                    (value, 96 + scope)
                }
                None => self.v6.find(it.to_bits()),
            },
        };
        (value.and_then(|it| self.values.get(it as usize)), scope)
    }

    /// Whether no address has a value.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// How many segments have a value. A row that others lie in counts once for each piece that is left of it.
    pub fn len(&self) -> usize {
        self.v4.len() + self.v6.len()
    }

    /// The octets that it takes, without what values own elsewhere.
    pub fn memory(&self) -> usize {
        self.v4.memory() + self.v6.memory() + size_of_val(&*self.values)
    }

    /// The segments that have a value, first IPv4, by address: first and last address, and the value.
    pub fn iter(&self) -> impl Iterator<Item = (IpAddr, IpAddr, &T)> {
        let v4 = |it: u32| IpAddr::from(Ipv4Addr::from_bits(it));
        let v6 = |it: u128| IpAddr::from(Ipv6Addr::from_bits(it));
        let in_v4 = self.v4.iter().map(move |(first, last, value)| (v4(first), v4(last), value));
        let in_v6 = self.v6.iter().map(move |(first, last, value)| (v6(first), v6(last), value));
        let value = |(first, last, value): (_, _, u32)| {
            Some((first, last, self.values.get(value as usize)?))
        };
        in_v4.chain(in_v6).filter_map(value)
    }
}

impl<T> Default for Ranges<T> {
    fn default() -> Self {
        Self { v4: Segments::default(), v6: Segments::default(), values: Box::default() }
    }
}

impl<T> fmt::Debug for Ranges<T> {
    /// Only how much there is: there may be a million segments.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ranges").field("len", &self.len()).finish_non_exhaustive()
    }
}
