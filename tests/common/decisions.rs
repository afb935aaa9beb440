//! Worlds to decide in: every method, in the sizes that matter, with clients that are told apart.
#![allow(dead_code, reason = "whoever takes it needs a part of it")]

use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::Arc;

use farol::control::{Recall, World};
use farol::model::{
    Adjacent, Family, Geography, Ident, Latencies, Now, Overlapping, Overrides, Point,
    RangesBuilder, Spot,
};
use farol::routing::Draw;
use farol::settings::load_text;
use farol::snapshot::{Asker, Choice, ProfileTable, Worker};
use ipnet::IpNet;

/// Draws as a worker does, and counts nothing.
pub(crate) struct Counting;

impl Asker for Counting {
    fn draw(&mut self, table: &ProfileTable, family: Family) -> Draw {
        table.counters.draw(Worker(0), family)
    }

    fn chose(&mut self, _: &ProfileTable, _: &Choice) {}
}

/// A world, and who asks in it.
pub(crate) struct Scene {
    pub(crate) name: String,
    pub(crate) world: World,
    /// The profile that is asked, if there is but one.
    pub(crate) asked: &'static str,
    pub(crate) clients: Vec<IpAddr>,
    /// Nanoseconds that a decision may take with caches warm.
    pub(crate) bound: Option<f64>,
}

impl Scene {
    pub(crate) fn table(&self) -> Arc<ProfileTable> {
        self.world.snapshot().profile(&self.asked.parse().unwrap()).unwrap().clone()
    }

    pub(crate) fn is_plain(&self, method: &str) -> bool {
        ["weighted", "priority"].contains(&method)
    }
}

const BASE: &str = "[[zone]]\nname = 'z.'\nnameservers = ['ns.elsewhere.']\n";
const SITES: usize = 8;

fn sites() -> String {
    (0..SITES).fold(String::new(), |mut text, it| {
        let (north, east) = (it as f64 * 7.0 - 20.0, it as f64 * 40.0 - 150.0);
        writeln!(
            text,
            "[[site]]\nname = 's{it}'\nlocation = {{ latitude = {north}, longitude = {east} }}"
        )
        .unwrap();
        text
    })
}

/// A profile with so many endpoints; `keys` gives more keys of each.
fn profile(name: &str, rules: &str, endpoints: usize, keys: impl Fn(usize) -> String) -> String {
    let mut text = format!("[[profile]]\nname = '{name}'\n{rules}\n");
    for endpoint in 0..endpoints {
        let keys = keys(endpoint);
        let [high, low] = (1 + endpoint as u16).to_be_bytes();
        let target = format!("target = '198.18.{high}.{low}'\n");
        let target = if keys.contains("profile =") { "" } else { &target };
        write!(text, "[[profile.endpoint]]\nname = 'e{endpoint}'\n{target}{keys}\n").unwrap();
    }
    text
}

/// A network for each row, a /24 after the other.
fn network(row: usize) -> IpNet {
    let bits = (1 << 24) + (u32::try_from(row).unwrap() << 8);
    IpNet::new(Ipv4Addr::from_bits(bits).into(), 24).unwrap()
}

/// Clients in these networks, far from each other.
fn clients(rows: usize) -> Vec<IpAddr> {
    let bits = |it: usize| u32::try_from(it * 7919 % rows).unwrap() << 8;
    (0..16_384).map(|it| Ipv4Addr::from_bits((1 << 24) + bits(it) + 77).into()).collect()
}

/// A latency table, and a database in whose networks is a place and a country.
fn geography(latencies: usize, spots: usize) -> impl Fn(&mut Geography) {
    move |geography| {
        let columns: Arc<[Ident]> =
            (0..SITES).map(|it| format!("s{it}").parse().unwrap()).collect();
        let mut table = RangesBuilder::new();
        for row in 0..latencies {
            let cells: Vec<Option<f32>> =
                (0..SITES).map(|it| Some(((row * 31 + it * 17) % 97) as f32)).collect();
            table
                .add_network(network(row), Latencies::new(columns.clone(), &cells).unwrap())
                .unwrap();
        }
        let countries = ["US-WA", "US", "DE", "FR", "JP", "BR", "ZA", "AU-NSW"];
        let mut database = RangesBuilder::new();
        for row in 0..spots {
            let (north, east) = ((row % 170) as f64 - 85.0, (row % 350) as f64 - 175.0);
            let region = countries[row % countries.len()].parse().ok();
            database
                .add_network(network(row), Spot { region, point: Point::new(north, east) })
                .unwrap();
        }
        geography.latencies =
            Arc::new(table.build(Overlapping::NarrowestWins, Adjacent::Apart).unwrap());
        geography.database =
            Arc::new(database.build(Overlapping::NarrowestWins, Adjacent::Joined).unwrap());
    }
}

fn world(text: &str, geography: impl Fn(&mut Geography)) -> World {
    let mut model =
        load_text(Path::new("bench.toml"), &format!("{BASE}{}{text}", sites())).unwrap().model;
    geography(Arc::make_mut(&mut model.geography));
    World::new(&model, Overrides::default(), Recall::default(), 1, 7, Now::default())
}

fn site(endpoint: usize) -> String {
    format!("site = 's{}'", endpoint % SITES)
}

const CODES: [&str; 8] = ["US-WA", "US", "DE", "GEO-EU", "GEO-AS", "BR", "GEO-AF", "WORLD"];

/// Every method on its own.
pub(crate) fn scenes() -> Vec<Scene> {
    let weights = |it: usize| format!("weight = {}", 1 + it * 7 % 100);
    let mut scenes = Vec::new();
    let mut add = |name: String, text: &str, places: &dyn Fn(&mut Geography), bound| {
        let world = world(text, places);
        scenes.push(Scene { name, world, asked: "a.z.", clients: clients(4096), bound });
    };
    let nowhere = |_: &mut Geography| {};
    for endpoints in [2, 16, 200] {
        let many = format!("{endpoints} endpoints");
        let weighted = |rules: &str| profile("a.z.", rules, endpoints, weights);
        add(format!("weighted, {many}"), &weighted("method = 'weighted'"), &nowhere, Some(100.0));
        add(format!("priority, {many}"), &weighted("method = 'priority'"), &nowhere, Some(100.0));
        let affinity = weighted("method = 'weighted'\naffinity = {}");
        let bound = if endpoints > 16 { 3000.0 } else { 300.0 };
        add(format!("weighted with affinity, {many}"), &affinity, &nowhere, Some(bound));
        let multivalue = weighted("method = 'multivalue'\nmax_return = 4");
        add(format!("multivalue, {many}"), &multivalue, &nowhere, None);
    }
    let performance = profile("a.z.", "method = 'performance'", SITES, site);
    add("performance by table".to_owned(), &performance, &geography(4096, 0), Some(300.0));
    add("performance by distance".to_owned(), &performance, &geography(0, 4096), Some(300.0));
    add("performance of unknown clients".to_owned(), &performance, &nowhere, Some(300.0));
    let regions =
        profile("a.z.", "method = 'geographic'", SITES, |it| format!("geo = '{}'", CODES[it]));
    add("geographic".to_owned(), &regions, &geography(0, 4096), Some(300.0));
    let subnets = |it: usize| format!("subnets = '{}.0.0.0/8'", it + 1);
    let subnet = profile("a.z.", "method = 'subnet'", SITES, subnets);
    add("subnet".to_owned(), &subnet, &nowhere, Some(300.0));
    let mut nested = profile("c.z.", "method = 'weighted'", 4, weights);
    nested += &profile("b.z.", "method = 'geographic'", 1, |_| {
        "geo = 'WORLD'\nprofile = 'c.z.'".to_owned()
    });
    nested += &profile("a.z.", "method = 'weighted'", 2, |_| "profile = 'b.z.'".to_owned());
    add("nested, 3 deep".to_owned(), &nested, &geography(0, 4096), Some(300.0));
    let mut apart =
        profile("c.z.", "method = 'subnet'", 4, |it| format!("subnets = '{}.0.0.0/8'", it + 1));
    apart += &profile("b.z.", "method = 'geographic'", 8, |it| {
        let below = if it % 2 == 0 { "" } else { "\nprofile = 'c.z.'" };
        format!("geo = '{}'{below}", CODES[it])
    });
    apart += &profile("a.z.", "method = 'weighted'", 3, |it| {
        ["profile = 'b.z.'", "profile = 'c.z.'", ""][it].to_owned()
    });
    add("nested, telling clients apart".to_owned(), &apart, &geography(0, 4096), Some(600.0));
    scenes
}

/// So many profiles by all methods but multivalue, among a latency table and a database of so many rows each.
pub(crate) fn wide(profiles: usize, rows: usize) -> Scene {
    let mut text = String::new();
    for number in 0..profiles {
        let name = format!("a{number}.z.");
        text += &match number % 5 {
            0 => profile(&name, "method = 'weighted'", 4, |it| format!("weight = {}", it + 1)),
            1 => profile(&name, "method = 'priority'", 4, |_| String::new()),
            2 => profile(&name, "method = 'performance'", 4, site),
            3 => profile(&name, "method = 'geographic'", 4, |it| {
                format!("geo = '{}'", CODES[it * 2 + 1])
            }),
            _ => profile(&name, "method = 'subnet'", 4, |it| {
                format!("subnets = '{}.0.0.0/8'", it + 1)
            }),
        };
    }
    let world = world(&text, geography(rows, rows));
    let name = format!("{profiles} profiles, {rows} rows");
    Scene { name, world, asked: "a0.z.", clients: clients(rows), bound: None }
}
