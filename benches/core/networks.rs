//! Tables of networks: making them, and finding what is around an address.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use divan::{Bencher, black_box};
use farol::model::{Adjacent, Overlapping, Ranges, RangesBuilder, network_around};
use ipnet::IpNet;

/// So many networks, of which every eighth lies in the one before, with a thousand values.
pub(crate) fn networks(rows: u32, at: fn(u32) -> IpNet) -> Ranges<u32> {
    let mut builder = RangesBuilder::new();
    for row in 0..rows {
        builder.add_network(at(row), row % 1000).unwrap();
    }
    builder.build(Overlapping::NarrowestWins, Adjacent::Apart).unwrap()
}

pub(crate) fn v4(row: u32) -> IpNet {
    let (bits, length) = if row % 8 == 7 { (row - 1, 25) } else { (row, 24) };
    network_around(Ipv4Addr::from_bits((1 << 24) + (bits << 8)).into(), length)
}

pub(crate) fn v6(row: u32) -> IpNet {
    let (bits, length) = if row % 8 == 7 { (row - 1, 56) } else { (row, 48) };
    let bits = (0x2001_u128 << 112) + ((u128::from(bits) * 5) << 80);
    network_around(Ipv6Addr::from_bits(bits).into(), length)
}

/// One of so many rows, another one each time.
pub(crate) fn wander(state: &mut u32, rows: u32) -> u32 {
    *state = state.wrapping_mul(0x9e37_79b1).wrapping_add(0x7f4a_7c15);
    ((u64::from(*state) * u64::from(rows)) >> 32) as u32
}

/// An address in the network of this row.
pub(crate) fn inside(network: IpNet) -> IpAddr {
    match network.network() {
        IpAddr::V4(it) => Ipv4Addr::from_bits(it.to_bits() + 77).into(),
        IpAddr::V6(it) => Ipv6Addr::from_bits(it.to_bits() + 77).into(),
    }
}

/// How many clients there are.
const CLIENTS: usize = 1000;

/// Addresses in these networks, one after the other and then again.
pub(crate) fn clients(mut network: impl FnMut() -> IpNet) -> impl FnMut() -> IpAddr {
    let clients: Vec<IpAddr> = (0..CLIENTS).map(|_| inside(network())).collect();
    let mut next = 0;
    move || {
        next = (next + 1) % CLIENTS;
        clients[next]
    }
}

fn find(bencher: Bencher<'_, '_>, rows: u32, at: fn(u32) -> IpNet) {
    let (ranges, mut state) = (networks(rows, at), 1);
    let mut clients = clients(|| at(wander(&mut state, rows)));
    bencher.bench_local(|| black_box(ranges.find(clients()).1));
}

/// Finding the network around an IPv4 address.
#[divan::bench(args = [10, 10_000, 500_000], sample_size = 10_000)]
fn find_v4(bencher: Bencher<'_, '_>, rows: u32) {
    find(bencher, rows, v4);
}

/// Finding the network around an IPv6 address.
#[divan::bench(args = [10, 10_000, 500_000], sample_size = 10_000)]
fn find_v6(bencher: Bencher<'_, '_>, rows: u32) {
    find(bencher, rows, v6);
}

/// Making tables of networks.
#[divan::bench(args = [10_000, 500_000], sample_count = 10, sample_size = 1)]
fn build(bencher: Bencher<'_, '_>, rows: u32) {
    bencher.bench_local(|| networks(black_box(rows), v6));
}
