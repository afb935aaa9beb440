use std::collections::HashMap;
use std::iter::Peekable;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::altered::Tree;
use crate::model::{Adjacent, Geography, Method, Overlapping, Ranges, RangesBuilder, Subnet};

/// What tells clients apart in a profile and those that are nested in it, now or then.
pub(super) struct Tables<'t> {
    pub(super) geography: &'t Geography,
    /// Whether regions do.
    pub(super) by_region: bool,
    /// Whether it matters what is near.
    pub(super) by_place: bool,
    /// The subnets of each profile where they do; each is a value of its own.
    pub(super) subnets: Vec<Ranges<Subnet>>,
}

/// Clients that can't be told apart, since every table has the same for them.
pub(super) struct Kind {
    /// The first of their ranges.
    pub(super) first: IpAddr,
    pub(super) last: IpAddr,
    /// How many ranges they are.
    pub(super) networks: usize,
    /// Whether a table has something for them.
    pub(super) is_known: bool,
}

/// A table's segments that have a value, by address, and what tells the value from others.
pub(super) type Segments<'t> = Peekable<Box<dyn Iterator<Item = (IpAddr, IpAddr, usize)> + 't>>;

/// What tells no value from others.
const NOTHING: usize = 0;

impl<'t> Tables<'t> {
    pub(super) fn of(before: &Tree<'t>, after: &Tree<'_>) -> Self {
        let pairs = || before.tables().zip(after.tables());
        let by = |method| {
            pairs().filter(move |it| [it.0, it.1].iter().any(|it| it.profile.method == method))
        };
        let subnets = by(Method::Subnet).map(|(it, _)| {
            let mut ranges = RangesBuilder::new();
            for subnet in it.profile.endpoints.iter().flat_map(|it| &it.subnets) {
                // None goes backwards.
                let _ = ranges.add(subnet.first(), subnet.last(), *subnet);
            }
            // They overlap only as nested ones.
            ranges.build(Overlapping::NarrowestWins, Adjacent::Apart).unwrap_or_default()
        });
        Self {
            geography: &before.snapshot.geography,
            by_region: by(Method::Geographic).next().is_some(),
            by_place: by(Method::Performance).next().is_some(),
            subnets: subnets.collect(),
        }
    }

    /// Whether all clients are alike.
    pub(super) fn are_none(&self) -> bool {
        !self.by_region && !self.by_place && self.subnets.is_empty()
    }

    /// Every kind of client there is, each once: all addresses are gone through, from one at which any table says something
    /// else to the next.
    pub(super) fn kinds(&self) -> Vec<Kind> {
        let (mut kinds, mut known) = (Vec::<Kind>::new(), HashMap::<Box<[usize]>, usize>::new());
        let mut tables = self.segments();
        let mut values = vec![NOTHING; tables.len()];
        let (mut start, mut previous) = (Some(IpAddr::from(Ipv4Addr::UNSPECIFIED)), None);
        while let Some(first) = start {
            let mut next = border_after(first);
            for (segments, value) in tables.iter_mut().zip(&mut values) {
                let until;
                (*value, until) = at(segments, first);
                next = next.into_iter().chain(until).min();
            }
            let last = next.map_or(Ipv6Addr::from_bits(u128::MAX).into(), before);
            start = next;
            // A mapped address counts as the IPv4 address, so nobody is there.
            if first.to_canonical() != first {
                continue;
            }
            let own = known.get(&*values).copied();
            match own.and_then(|it| kinds.get_mut(it)) {
                // What was mapped lay in the middle of it.
                Some(kind) if first == after_mapped() && own == previous => {
                    kind.last = if kind.networks == 1 { last } else { kind.last };
                }
                Some(kind) => kind.networks += 1,
                None => {
                    known.insert(values.clone().into(), kinds.len());
                    let is_known = values.iter().any(|it| *it != NOTHING);
                    kinds.push(Kind { first, last, networks: 1, is_known });
                }
            }
            previous = own.or(kinds.len().checked_sub(1));
        }
        kinds
    }

    /// The tables that are asked.
    pub(super) fn segments(&self) -> Vec<Segments<'_>> {
        let Geography { networks, database, latencies, .. } = self.geography;
        let is_located = self.by_region || self.by_place;
        let located = is_located.then(|| [segments(networks), segments(database)]);
        let near = self.by_place.then(|| segments(latencies));
        let subnets = self.subnets.iter().map(segments);
        located.into_iter().flatten().chain(near).chain(subnets).collect()
    }
}

fn segments<T>(ranges: &Ranges<T>) -> Segments<'_> {
    // A table has each value once.
    let id = |value: &T| std::ptr::from_ref(value).addr();
    let segments = ranges.iter().map(move |(first, last, value)| (first, last, id(value)));
    let segments: Box<dyn Iterator<Item = _>> = Box::new(segments);
    segments.peekable()
}

/// What a table has at an address, which is above those that were asked before, and up to where.
fn at(segments: &mut Segments<'_>, address: IpAddr) -> (usize, Option<IpAddr>) {
    while segments.next_if(|it| it.1 < address).is_some() {}
    match segments.peek() {
        Some((first, last, value)) if *first <= address => (*value, after(*last)),
        Some((first, ..)) => (NOTHING, Some(*first)),
        None => (NOTHING, None),
    }
}

/// Where something else begins in any case: IPv6, what is mapped of IPv4, and what comes after that.
fn border_after(address: IpAddr) -> Option<IpAddr> {
    let mapped = Ipv4Addr::UNSPECIFIED.to_ipv6_mapped();
    let borders = [Ipv6Addr::UNSPECIFIED.into(), mapped.into(), after_mapped()];
    borders.into_iter().find(|it| *it > address)
}

fn after_mapped() -> IpAddr {
    Ipv6Addr::from_bits(Ipv4Addr::BROADCAST.to_ipv6_mapped().to_bits() + 1).into()
}

fn after(address: IpAddr) -> Option<IpAddr> {
    Some(match address {
        IpAddr::V4(it) => match it.to_bits().checked_add(1) {
            Some(it) => Ipv4Addr::from_bits(it).into(),
            None => Ipv6Addr::UNSPECIFIED.into(),
        },
        IpAddr::V6(it) => Ipv6Addr::from_bits(it.to_bits().checked_add(1)?).into(),
    })
}

fn before(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(it) => Ipv4Addr::from_bits(it.to_bits().saturating_sub(1)).into(),
        IpAddr::V6(it) => match it.to_bits().checked_sub(1) {
            Some(it) => Ipv6Addr::from_bits(it).into(),
            None => Ipv4Addr::BROADCAST.into(),
        },
    }
}
