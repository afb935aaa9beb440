//! A decision by each routing method, among 10,000 profiles, with a latency table and a geo database of 500,000 networks each.
//! `warm`: one profile is asked again and again, for a thousand networks of clients from all over the tables. `cold`: before each
//! decision the caches were filled with something else.

use std::fmt::Write;
use std::net::IpAddr;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use divan::{Bencher, black_box};
use farol::control::{Recall, World};
use farol::model::{
    Adjacent, Family, Geography, Ident, Latencies, Now, Overlapping, Overrides, Point, Ranges,
    RangesBuilder, RecordType, Spot,
};
use farol::routing::Draw;
use farol::settings::load_text;
use farol::snapshot::{Asker, Choice, ProfileTable, Snapshot, Worker};
use ipnet::IpNet;

use crate::networks::{clients, inside, v4, v6, wander};

/// How many other profiles there are.
const OTHERS: u32 = 10_000;
/// Networks in the latency table and in the database, half of each family.
const ROWS: u32 = 500_000;
const SITES: u32 = 8;
/// More than a core's caches hold, and those that it shares.
const BALLAST: usize = 96 << 20;

/// Draws as a worker does, and counts nothing.
struct Counting(Worker);

impl Asker for Counting {
    fn draw(&mut self, table: &ProfileTable, family: Family) -> Draw {
        table.counters.draw(self.0, family)
    }

    fn chose(&mut self, _: &ProfileTable, _: &Choice) {}
}

/// What is asked: a profile of this name, with so many endpoints, and these keys.
#[derive(Clone, Copy)]
struct Case {
    name: &'static str,
    endpoints: u32,
    keys: &'static str,
    /// More keys of an endpoint, by its number.
    of_endpoint: fn(u32) -> String,
}

const fn case(name: &'static str, endpoints: u32, keys: &'static str) -> Case {
    Case { name, endpoints, keys, of_endpoint: |_| String::new() }
}

const CASES: &[Case] = &[
    case("weighted-2", 2, "method = 'weighted'"),
    case("weighted-200", 200, "method = 'weighted'"),
    case("priority-200", 200, "method = 'priority'"),
    case("affinity-16", 16, "method = 'weighted'\naffinity = { prefix4 = 24, prefix6 = 56 }"),
    case("affinity-200", 200, "method = 'weighted'\naffinity = { prefix4 = 24, prefix6 = 56 }"),
    case("multivalue-16", 16, "method = 'multivalue'"),
    Case {
        of_endpoint: |it| format!("site = 's{}'\n", it % SITES),
        ..case("performance-8-table", SITES, "method = 'performance'")
    },
    Case {
        of_endpoint: |it| format!("location = {{ latitude = {}, longitude = 10 }}\n", it * 11 % 80),
        ..case("performance-8-distance", SITES, "method = 'performance'")
    },
    Case {
        of_endpoint: |it| {
            let code = ["WORLD", "US", "DE", "US-WA", "GEO-EU", "FR", "JP", "GEO-SA"];
            format!("geo = ['{}']\n", code[it as usize % code.len()])
        },
        ..case("geographic-8", 8, "method = 'geographic'")
    },
    Case {
        of_endpoint: |it| format!("subnets = ['{}', '{}']\n", v4(it * 2), v6(it * 2)),
        ..case("subnet-200", 200, "method = 'subnet'")
    },
];

/// Ten thousand profiles of two endpoints, and those of the cases.
fn configuration() -> String {
    let mut text = String::from("[[zone]]\nname = 'z.'\nnameservers = ['ns.elsewhere.']\n");
    for site in 0..SITES {
        writeln!(text, "[[site]]\nname = 's{site}'").unwrap();
    }
    let others = (0..OTHERS).map(|it| (format!("a{it}"), case("", 2, "method = 'weighted'")));
    for (name, case) in others.chain(CASES.iter().map(|it| (it.name.to_owned(), *it))) {
        writeln!(text, "[[profile]]\nname = '{name}.z.'\n{}", case.keys).unwrap();
        for endpoint in 0..case.endpoints {
            let target = format!("127.{}.0.1", endpoint + 1);
            let (weight, more) = (1 + endpoint * 7 % 100, (case.of_endpoint)(endpoint));
            writeln!(text, "[[profile.endpoint]]\nname = 'e{endpoint}'\ntarget = '{target}'\nweight = {weight}\n{more}").unwrap();
        }
    }
    text
}

/// A network of each family in turn.
fn network(row: u32) -> IpNet {
    if row.is_multiple_of(2) { v4(row / 2) } else { v6(row / 2) }
}

fn table<T: Clone + Eq + std::hash::Hash>(value: impl Fn(u32) -> T) -> Arc<Ranges<T>> {
    let mut builder = RangesBuilder::new();
    for row in 0..ROWS {
        builder.add_network(network(row), value(row)).unwrap();
    }
    Arc::new(builder.build(Overlapping::NarrowestWins, Adjacent::Apart).unwrap())
}

fn latencies() -> Arc<Ranges<Latencies>> {
    let name = |it| format!("s{it}").parse().unwrap();
    let sites: Arc<[Ident]> = (0..SITES).map(name).collect();
    table(|row| {
        let cell = |site: u32| Some((row.wrapping_mul(site + 7) % 20_000) as f32 / 10.0);
        Latencies::new(sites.clone(), &(0..SITES).map(cell).collect::<Vec<_>>()).unwrap()
    })
}

fn spots() -> Arc<Ranges<Spot>> {
    let regions = ["US-WA", "US", "DE-BY", "FR", "BR", "JP", "ZA", "CA-QC"];
    table(|row| Spot {
        region: regions[row as usize % regions.len()].parse().ok(),
        point: Point::new(f64::from(row % 170) - 85.0, f64::from(row % 359) - 179.0),
    })
}

/// The same configuration without a latency table and with one, which distance must not know of.
struct Worlds {
    with_table: World,
    without: World,
}

static WORLDS: LazyLock<Worlds> = LazyLock::new(|| {
    let model = load_text(Path::new("bench.toml"), &configuration()).unwrap().model;
    let world = |latencies| {
        let geography = Geography { database: spots(), latencies, ..(*model.geography).clone() };
        let model = farol::model::Model { geography: Arc::new(geography), ..model.clone() };
        World::new(&model, Overrides::default(), Recall::default(), 1, 7, Now::default())
    };
    Worlds { with_table: world(latencies()), without: world(Arc::default()) }
});

fn snapshot(case: &str) -> &'static Arc<Snapshot> {
    let worlds = &*WORLDS;
    if case.ends_with("-table") { worlds.with_table.snapshot() } else { worlds.without.snapshot() }
}

fn decide(snapshot: &Snapshot, table: &ProfileTable, client: IpAddr) {
    let decision = snapshot.decide(table, RecordType::A, client, &mut Counting(Worker(0)));
    black_box(decision.answers().map(|it| it.ttl).sum::<u32>() + u32::from(decision.scope));
}

#[divan::bench(args = CASES.iter().map(|it| it.name), sample_size = 10_000)]
fn warm(bencher: Bencher<'_, '_>, case: &str) {
    let snapshot = snapshot(case);
    let table = snapshot.profile(&format!("{case}.z.").parse().unwrap()).unwrap();
    let mut state = 1;
    let mut clients = clients(|| network(wander(&mut state, ROWS)));
    bencher.bench_local(|| decide(snapshot, table, clients()));
}

#[divan::bench(args = CASES.iter().map(|it| it.name), sample_count = 200, sample_size = 1)]
fn cold(bencher: Bencher<'_, '_>, case: &str) {
    let snapshot = snapshot(case);
    let table = snapshot.profile(&format!("{case}.z.").parse().unwrap()).unwrap();
    let (mut state, mut ballast) = (1, vec![0_u8; BALLAST]);
    let evict = || {
        ballast.chunks_mut(64).for_each(|it| it[0] = it[0].wrapping_add(1));
        black_box(&ballast);
        inside(network(wander(&mut state, ROWS)))
    };
    bencher.with_inputs(evict).bench_local_values(|client| decide(snapshot, table, client));
}
