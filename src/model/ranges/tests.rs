use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;

use super::*;
use crate::model::parse_network;

type Rows = Vec<(IpAddr, IpAddr, u8)>;

fn ranges(
    rows: &Rows,
    overlapping: Overlapping,
    adjacent: Adjacent,
) -> Result<Ranges<u8>, Vec<Overlap>> {
    let mut builder = RangesBuilder::new();
    for (first, last, value) in rows {
        builder.add(*first, *last, *value).unwrap();
    }
    builder.build(overlapping, adjacent)
}

fn bits(address: IpAddr) -> (u128, u8) {
    match address {
        IpAddr::V4(it) => (it.to_bits().into(), 32),
        IpAddr::V6(it) => (it.to_bits(), 128),
    }
}

fn address(bits: u128, width: u8) -> IpAddr {
    match width {
        32 => Ipv4Addr::from_bits(bits as u32).into(),
        _ => Ipv6Addr::from_bits(bits).into(),
    }
}

fn canonical(first: IpAddr, last: IpAddr) -> (IpAddr, IpAddr) {
    match (first.to_canonical(), last.to_canonical()) {
        (a @ IpAddr::V4(_), b @ IpAddr::V4(_)) => (a, b),
        _ => (first, last),
    }
}

/// The narrowest row around an address.
fn naive(rows: &Rows, address: IpAddr) -> Option<usize> {
    let address = address.to_canonical();
    let around = rows.iter().enumerate().filter(|(_, (first, last, _))| {
        let (first, last) = canonical(*first, *last);
        first.is_ipv4() == address.is_ipv4() && first <= address && address <= last
    });
    around.min_by_key(|(_, (first, last, _))| bits(*last).0 - bits(*first).0).map(|it| it.0)
}

/// Every address at which something may begin or end, and its neighbours.
fn edges(rows: &Rows) -> Vec<IpAddr> {
    let mut edges: Vec<IpAddr> = [0, u32::MAX].map(|it| Ipv4Addr::from_bits(it).into()).into();
    edges.extend(
        [0, u128::MAX, MAPPED, AFTER_MAPPED].map(|it| IpAddr::from(Ipv6Addr::from_bits(it))),
    );
    edges.extend(rows.iter().flat_map(|it| [it.0, it.1]));
    edges.extend(rows.iter().map(|it| canonical(it.0, it.1)).flat_map(|it| [it.0, it.1]));
    let mapped = |it: &IpAddr| match it {
        IpAddr::V4(it) => Some(it.to_ipv6_mapped().into()),
        IpAddr::V6(_) => None,
    };
    let in_v6: Vec<IpAddr> = edges.iter().filter_map(mapped).collect();
    edges.extend(in_v6);
    let near = |it: IpAddr| {
        let (bits, width) = bits(it);
        let most = u128::MAX >> (128 - width);
        [bits.saturating_sub(1), bits, bits.saturating_add(1).min(most)]
            .map(|it| address(it, width))
    };
    edges.into_iter().flat_map(near).collect()
}

/// The first and last address of the prefix of this length.
fn prefix(at: IpAddr, length: u8) -> (IpAddr, IpAddr) {
    let (bits, width) = bits(at);
    let hosts = (u128::MAX >> (128 - width)).checked_shr(length.into()).unwrap_or(0);
    (address(bits & !hosts, width), address(bits | hosts, width))
}

/// What a naive scan says of every edge.
struct Scan<'a> {
    rows: &'a Rows,
    /// Ascending, each with its row.
    edges: Vec<(IpAddr, Option<usize>)>,
}

impl<'a> Scan<'a> {
    fn of(rows: &'a Rows) -> Self {
        let mut edges: Vec<_> = edges(rows).into_iter().map(|it| (it, naive(rows, it))).collect();
        edges.sort();
        Self { rows, edges }
    }

    /// Holds a lookup to the scan. `same` says whether two rows, or none, are one segment where they touch.
    fn check(
        &self,
        ranges: &Ranges<u8>,
        at: IpAddr,
        same: impl Fn(Option<usize>, Option<usize>) -> bool,
    ) {
        let row = naive(self.rows, at);
        let (found, scope) = ranges.find(at);
        assert_eq!(found.copied(), row.map(|it| self.rows[it].2), "{at}");
        let in_mapped = |it: IpAddr| it.is_ipv6() && it.to_canonical().is_ipv4();
        // Where there is nothing at all, mapped addresses are no others.
        let is_other = |it: IpAddr| !self.rows.is_empty() && in_mapped(it) != in_mapped(at);
        // Between two edges nothing changes, so those of a prefix stand for all its addresses.
        let holds = |length: u8| {
            let (first, last) = prefix(at, length);
            let from = self.edges.partition_point(|it| it.0 < first);
            let inner = self.edges[from..].iter().take_while(|it| it.0 <= last);
            let ends = [first, last].map(|it| (it, naive(self.rows, it)));
            inner.chain(&ends).all(|it| same(it.1, row) && !is_other(it.0))
        };
        assert!(holds(scope), "{at}/{scope} is not one");
        let least = if in_mapped(at) { 96 } else { 0 };
        assert!(scope == least || !holds(scope - 1), "{at}/{scope} could be wider");
    }
}

/// Networks that often lie in each other or side by side, each once.
fn networks() -> impl Strategy<Value = Rows> {
    let v4 = (any::<u32>(), 0_u8..=32)
        .prop_map(|(bits, length)| prefix(Ipv4Addr::from_bits(bits & 0xc030_0c0f).into(), length));
    let v6 = (any::<u128>(), 0_u8..=128).prop_map(|(bits, length)| {
        prefix(Ipv6Addr::from_bits(bits & (0xe003 << 112 | 0xc000_0000_0000_0003)).into(), length)
    });
    let mapped = (any::<u32>(), 90_u8..=128).prop_map(|(bits, length)| {
        prefix(Ipv4Addr::from_bits(bits & 0xc030_0c0f).to_ipv6_mapped().into(), length)
    });
    let row = (prop_oneof![3 => v4, 3 => v6, 1 => mapped], 0_u8..4);
    proptest::collection::vec(row, 0..50).prop_map(|rows| {
        let mut once = std::collections::HashSet::new();
        let new =
            |&((first, last), _): &((IpAddr, IpAddr), u8)| once.insert(canonical(first, last));
        rows.into_iter().filter(new).map(|((first, last), value)| (first, last, value)).collect()
    })
}

/// Ranges that don't overlap and often touch.
fn disjoint() -> impl Strategy<Value = Rows> {
    let ends = proptest::collection::btree_set(0_u32..300, 0..60);
    (ends, any::<[u8; 32]>(), any::<bool>()).prop_map(|(ends, draws, is_v4)| {
        let ends: Vec<u32> = ends.into_iter().collect();
        let at = |it: u32| match is_v4 {
            true => IpAddr::from(Ipv4Addr::from_bits(0x0a00_0000 + it)),
            false => Ipv6Addr::from_bits((0x2001_0db8 << 96) + (u128::from(it) << 60)).into(),
        };
        let rows = ends.windows(2).zip(draws.iter().cycle()).filter(|it| it.1 % 4 != 0);
        rows.map(|(it, draw)| {
            let (bits, width) = bits(at(it[1]));
            (at(it[0]), address(bits - 1, width), draw % 3)
        })
        .collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn nested_networks_read_as_a_naive_scan(rows in networks(), random in any::<[u128; 8]>()) {
        let ranges = ranges(&rows, Overlapping::NarrowestWins, Adjacent::Apart).unwrap();
        let scan = Scan::of(&rows);
        let random = random.iter().flat_map(|it| [address(*it, 128), address(it & 0xffff_ffff, 32)]);
        for at in scan.edges.iter().map(|it| it.0).chain(random) {
            scan.check(&ranges, at, |a, b| a == b);
        }
        for (first, last, value) in ranges.iter() {
            prop_assert_eq!(ranges.find(first).0, Some(value));
            prop_assert_eq!(ranges.find(last).0, Some(value));
        }
        prop_assert_eq!(ranges.iter().count(), ranges.len());
    }

    #[test]
    fn joined_ranges_have_the_widest_prefixes(rows in disjoint()) {
        let ranges = ranges(&rows, Overlapping::Refused, Adjacent::Joined).unwrap();
        let scan = Scan::of(&rows);
        let value = |it: Option<usize>| it.map(|it| rows[it].2);
        for (at, _) in &scan.edges {
            scan.check(&ranges, *at, |a, b| value(a) == value(b));
        }
    }

    #[test]
    fn any_overlap_is_refused_where_none_may_be(mut rows in disjoint(), at in any::<prop::sample::Index>()) {
        prop_assume!(!rows.is_empty());
        let (first, last, _) = rows[at.index(rows.len())];
        rows.push((last, last, 9));
        let refused = ranges(&rows, Overlapping::Refused, Adjacent::Joined).unwrap_err();
        prop_assert_eq!(refused.len(), 1);
        prop_assert_eq!((refused[0].first.first, refused[0].first.last), (first, last));
        prop_assert_eq!(refused[0].second.index, rows.len() - 1);
    }
}

fn row(network: &str, value: u8) -> (IpAddr, IpAddr, u8) {
    let network = parse_network(network).unwrap();
    (network.network(), network.broadcast(), value)
}

#[test]
fn lookups_by_hand() {
    let rows = vec![
        row("10.0.0.0/8", 1),
        row("10.1.0.0/16", 2),
        row("10.2.0.0/16", 2),
        row("2001:db8::/32", 3),
    ];
    for (adjacent, at, expected) in [
        (Adjacent::Apart, "10.1.2.3", (Some(2), 16)),
        (Adjacent::Apart, "10.2.2.3", (Some(2), 16)),
        (Adjacent::Apart, "10.0.0.1", (Some(1), 16)),
        (Adjacent::Apart, "10.3.0.1", (Some(1), 16)),
        (Adjacent::Apart, "10.9.0.1", (Some(1), 13)),
        (Adjacent::Joined, "10.9.0.1", (Some(1), 13)),
        (Adjacent::Apart, "11.0.0.0", (None, 8)),
        (Adjacent::Apart, "192.0.2.1", (None, 1)),
        (Adjacent::Apart, "2001:db8:7::1", (Some(3), 32)),
        (Adjacent::Apart, "::ffff:10.1.2.3", (Some(2), 112)),
        (Adjacent::Apart, "::1", (None, 81)),
    ] {
        let ranges = ranges(&rows, Overlapping::NarrowestWins, adjacent).unwrap();
        let (value, scope) = ranges.find(at.parse().unwrap());
        assert_eq!((value.copied(), scope), expected, "{at} {adjacent:?}");
    }
    let apart = ranges(&rows, Overlapping::NarrowestWins, Adjacent::Apart).unwrap();
    let joined = ranges(&rows, Overlapping::NarrowestWins, Adjacent::Joined).unwrap();
    assert_eq!((apart.len(), joined.len()), (5, 4));
    assert!(apart.memory() > joined.memory());
    let listed: Vec<String> =
        joined.iter().map(|(first, last, value)| format!("{first}-{last} {value}")).collect();
    assert_eq!(listed[1], "10.1.0.0-10.2.255.255 2");
}

#[test]
fn nothing_is_found_in_nothing() {
    let ranges: Ranges<u8> =
        RangesBuilder::new().build(Overlapping::Refused, Adjacent::Joined).unwrap();
    for at in ["10.0.0.1", "2001:db8::1", "::"] {
        assert_eq!(ranges.find(at.parse().unwrap()), (None, 0));
    }
    assert_eq!((ranges.is_empty(), ranges.len()), (true, 0));
}

#[test]
fn what_is_no_range_or_overlaps_is_told_with_both_ends() {
    let mut builder = RangesBuilder::new();
    let at = |it: &str| it.parse::<IpAddr>().unwrap();
    for (first, last, why) in [
        ("10.0.0.2", "10.0.0.1", "10.0.0.2 comes after 10.0.0.1; write the lower address first"),
        ("10.0.0.2", "::1", "10.0.0.2 and ::1 are of two families"),
        ("::1", "10.0.0.2", "::1 and 10.0.0.2 are of two families"),
    ] {
        let error = builder.add(at(first), at(last), 0).unwrap_err();
        assert!(error.to_string().starts_with(why), "{error}");
    }
    builder.add_network("10.0.0.0/24".parse().unwrap(), 7).unwrap();
    assert_eq!(builder.build(Overlapping::Refused, Adjacent::Apart).unwrap().len(), 1);

    let told = |rows: &Rows, overlapping| -> Vec<String> {
        let refused = ranges(rows, overlapping, Adjacent::Apart).unwrap_err();
        refused.iter().map(|it| format!("{} {}: {it}", it.first.index, it.second.index)).collect()
    };
    let twice = vec![row("10.0.0.0/8", 1), row("10.1.0.0/16", 2), row("10.0.0.0/8", 1)];
    assert_eq!(
        told(&twice, Overlapping::NarrowestWins),
        ["0 2: 10.0.0.0-10.255.255.255 and 10.0.0.0-10.255.255.255 overlap"]
    );
    assert_eq!(told(&twice, Overlapping::Refused).len(), 2);
    let crossing = vec![(at("::5"), at("::9"), 1), (at("::1"), at("::5"), 2)];
    assert_eq!(told(&crossing, Overlapping::NarrowestWins), ["0 1: ::5-::9 and ::1-::5 overlap"]);
}
