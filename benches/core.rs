//! What the pure core costs: a decision, a lookup, a step of health, a publication.
#![allow(clippy::unwrap_used, reason = "a benchmark may panic")]

use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use divan::{Bencher, black_box};
use farol::control::{Recall, World};
use farol::health::{Health, Outcome};
use farol::model::{
    Adjacent, Family, Moment, Now, Overlapping, Overrides, Ranges, RangesBuilder, RecordType,
    Timestamp, Verdict,
};
use farol::probe::VerdictChange;
use farol::routing::Draw;
use farol::settings::load_text;
use farol::snapshot::{Asker, Choice, ProfileTable, Snapshot, Worker};
use ipnet::IpNet;

fn main() {
    divan::main();
}

/// A world of weighted profiles with names a0.z., a1.z.…
fn world(profiles: usize, endpoints: usize) -> World {
    let mut text = String::from("[[zone]]\nname = \"z.\"\nnameservers = [\"ns.elsewhere.\"]\n");
    for profile in 0..profiles {
        write!(text, "[[profile]]\nname = \"a{profile}.z.\"\nmethod = \"weighted\"\n").unwrap();
        for endpoint in 0..endpoints {
            let weight = 1 + endpoint * 7 % 100;
            let target =
                format!("127.{}.{}.{}", endpoint % 200 + 1, profile >> 8 & 255, profile & 255);
            writeln!(text, "[[profile.endpoint]]\nname = \"e{endpoint}\"\ntarget = \"{target}\"\nweight = {weight}").unwrap();
        }
    }
    let model = load_text(Path::new("bench.toml"), &text).unwrap().model;
    World::new(&model, Overrides::default(), Recall::default(), 1, 7, Now::default())
}

fn table(snapshot: &Snapshot, profile: &str) -> Arc<ProfileTable> {
    snapshot.profile(&profile.parse().unwrap()).unwrap().clone()
}

/// Draws as a worker does, and counts nothing.
struct Counting(Worker);

impl Asker for Counting {
    fn draw(&mut self, table: &ProfileTable, family: Family) -> Draw {
        table.counters.draw(self.0, family)
    }

    fn chose(&mut self, _: &ProfileTable, _: Choice) {}
}

/// A weighted decision: it must cost the same whatever the number of endpoints.
#[divan::bench(args = [2, 5, 50, 1000])]
fn decide(bencher: Bencher, endpoints: usize) {
    let world = world(1, endpoints);
    let table = table(world.snapshot(), "a0.z.");
    let client = IpAddr::from([192, 0, 2, 1]);
    bencher.bench_local(|| {
        black_box(world.snapshot().decide(&table, RecordType::A, client, &mut Counting(Worker(0))));
    });
}

/// Finding the zone and the node of a name.
#[divan::bench(args = [10, 10_000])]
fn look_up(bencher: Bencher, profiles: usize) {
    let world = world(profiles, 2);
    let name: farol::model::Name = "a7.z.".parse().unwrap();
    bencher.bench_local(|| {
        let zone = world.snapshot().zones.find(black_box(name.as_wire())).unwrap();
        black_box(zone.find(name.as_wire(), RecordType::A));
    });
}

/// So many networks, of which every eighth lies in the one before, with a thousand values.
fn networks(rows: u32, at: fn(u32) -> IpNet) -> Ranges<u32> {
    let mut builder = RangesBuilder::new();
    for row in 0..rows {
        builder.add_network(at(row), row % 1000).unwrap();
    }
    builder.build(Overlapping::NarrowestWins, Adjacent::Apart).unwrap()
}

fn v4(row: u32) -> IpNet {
    let (bits, length) = if row % 8 == 7 { (row - 1, 25) } else { (row, 24) };
    IpNet::new(Ipv4Addr::from_bits((1 << 24) + (bits << 8)).into(), length).unwrap()
}

fn v6(row: u32) -> IpNet {
    let (bits, length) = if row % 8 == 7 { (row - 1, 56) } else { (row, 48) };
    let bits = (0x2001_u128 << 112) + ((u128::from(bits) * 5) << 80);
    IpNet::new(Ipv6Addr::from_bits(bits).into(), length).unwrap()
}

/// An address near the networks, another one each time.
fn wander(state: &mut u32, rows: u32) -> u32 {
    *state = state.wrapping_mul(0x9e37_79b1).wrapping_add(0x7f4a_7c15);
    ((u64::from(*state) * u64::from(rows)) >> 32) as u32
}

/// Finding the network around an IPv4 address.
#[divan::bench(args = [10, 10_000, 500_000])]
fn find_network_v4(bencher: Bencher, rows: u32) {
    let (ranges, mut state) = (networks(rows, v4), 1);
    bencher.bench_local(|| {
        let row = wander(&mut state, rows);
        let address = Ipv4Addr::from_bits((1 << 24) + (row << 8) + 77);
        black_box(ranges.find(IpAddr::from(address)));
    });
}

/// Finding the network around an IPv6 address.
#[divan::bench(args = [10, 10_000, 500_000])]
fn find_network_v6(bencher: Bencher, rows: u32) {
    let (ranges, mut state) = (networks(rows, v6), 1);
    bencher.bench_local(|| {
        let row = wander(&mut state, rows);
        let address = Ipv6Addr::from_bits((0x2001 << 112) + ((u128::from(row) * 5) << 80) + 77);
        black_box(ranges.find(IpAddr::from(address)));
    });
}

/// Making tables of networks.
#[divan::bench(args = [10_000, 500_000], sample_count = 10, sample_size = 1)]
fn build_networks(bencher: Bencher, rows: u32) {
    bencher.bench_local(|| networks(black_box(rows), v6));
}

/// One probe result.
#[divan::bench]
fn observe_a_result(bencher: Bencher) {
    let table = table(world(1, 1).snapshot(), "a0.z.");
    let monitor = &table.profile.endpoints[0].probe.monitor;
    let mut health = Health::default();
    let mut now = Moment::default();
    bencher.bench_local(|| {
        now = now + Duration::from_secs(1);
        black_box(health.observe(black_box(Outcome::Failed), monitor, now));
    });
}

/// From a verdict to a new snapshot: it must not grow with the number of profiles.
#[divan::bench(args = [10, 1000, 10_000])]
fn publish_a_verdict(bencher: Bencher, profiles: usize) {
    let mut world = world(profiles, 3);
    let key = farol::model::EndpointKey {
        profile: "a7.z.".parse().unwrap(),
        endpoint: "e1".parse().unwrap(),
    };
    let probed = table(world.snapshot(), "a7.z.").endpoints[1].facts.probed.clone();
    let mut verdict = Verdict::Online;
    bencher.bench_local(|| {
        verdict = if verdict == Verdict::Online { Verdict::Degraded } else { Verdict::Online };
        let change = VerdictChange {
            key: key.clone(),
            verdict,
            doubt: None,
            at: Timestamp(0),
            reason: None,
            probed: probed.clone(),
        };
        world.observe(&change);
        black_box(world.publish(Now::default()));
    });
}
