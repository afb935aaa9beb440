//! A thousand endpoints that fail at random for a day, by every method and nested, some starting slowly and some keeping
//! their clients: each answer is one that a naive model of the documented rules allows.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::world::World;
use super::*;
use crate::model::{
    Adjacent, EndpointKey, EndpointStatus, Family, Ident, Latencies, Model, Moment, Now,
    Overlapping, Overrides, RangesBuilder, RecordType, Timestamp, Verdict,
};
use crate::probe::VerdictChange;
use crate::routing::{Draw, mix};
use crate::settings::load_text;
use crate::snapshot::{Asker, Choice, ProfileTable};

const GROUPS: usize = 50;
const PER_PROFILE: usize = 5;
const DAY: u64 = 86_400;
const SLOW: u64 = 300;
/// What each site is called, and where it is: north and east.
const SITES: [(&str, f64, f64); 5] = [
    ("oslo", 59.9, 10.7),
    ("rome", 41.9, 12.5),
    ("lima", -12.0, -77.0),
    ("tokyo", 35.7, 139.7),
    ("perth", -31.9, 115.9),
];
const CODES: [&str; 5] = ["US-WA", "US", "GEO-NA", "DE", "WORLD"];
/// An address, the region and the site of its network, and its row in the latency table.
type Asking = (&'static str, &'static str, Option<&'static str>, Option<[u32; 5]>);

/// Who asks, each by another way of being told where it is; the last is unknown.
const CLIENTS: [Asking; 6] = [
    ("10.0.0.9", "US-WA", Some("lima"), None),
    ("10.1.0.9", "US-OR", Some("tokyo"), None),
    ("10.2.0.9", "CA", None, Some([50, 40, 30, 40, 60])),
    ("10.3.0.9", "DE", None, Some([10, 10, 10, 10, 10])),
    ("10.4.0.9", "JP", Some("rome"), None),
    ("192.0.2.9", "", None, None),
];

/// Four profiles of five endpoints in each group, and one that three of them and two endpoints of its own are nested in.
fn config() -> String {
    let mut text = "[[zone]]\nname = 'z.'\nnameservers = ['ns.elsewhere.']\n".to_owned();
    for (name, north, east) in SITES {
        text += &format!(
            "[[site]]\nname = '{name}'\nlocation = {{ latitude = {north}, longitude = {east} }}\n"
        );
    }
    for (number, (_, region, site, _)) in CLIENTS.into_iter().enumerate().take(5) {
        let site = site.map(|it| format!("site = '{it}'\n")).unwrap_or_default();
        text += &format!(
            "[[client_network]]\ncidr = '10.{number}.0.0/16'\nregion = '{region}'\n{site}"
        );
    }
    let methods = ["weighted", "performance", "geographic", "subnet", "multivalue", "priority"];
    for group in 0..GROUPS {
        for (at, member) in ["a", "b", "c", "d"].into_iter().enumerate() {
            let method = methods[(group + at) % methods.len()];
            let affinity = if group % 3 == 1 { "affinity = {}\n" } else { "" };
            text += &format!(
                "[[profile]]\nname = '{member}{group}.z.'\nmethod = '{method}'\n{affinity}monitor = {{ protocol = 'tcp', port = 1 }}\n"
            );
            for number in 0..PER_PROFILE {
                text +=
                    &endpoint(method, group, number, &format!("target = '198.18.{at}.{number}'"));
            }
        }
        let method = methods[[0, 1, 2, 3, 5][group % 5]];
        text += &format!(
            "[[profile]]\nname = 'top{group}.z.'\nmethod = '{method}'\nmonitor = {{ protocol = 'tcp', port = 1 }}\n"
        );
        for (number, member) in ["a", "b", "c"].into_iter().enumerate() {
            text += &endpoint(
                method,
                group,
                number,
                &format!(
                    "profile = '{member}{group}.z.'\nmin_child_endpoints = {}",
                    1 + (group + number) % 4
                ),
            );
        }
    }
    text
}

fn endpoint(method: &str, group: usize, number: usize, target: &str) -> String {
    let clients = match method {
        "geographic" => format!("geo = '{}'\n", CODES[number]),
        "subnet" if number < 3 => format!("subnets = '10.{number}.0.0/16'\n"),
        _ => String::new(),
    };
    let slow =
        if group.is_multiple_of(2) { format!("slow_start = '{SLOW}s'\n") } else { String::new() };
    format!(
        "[[profile.endpoint]]\nname = 'e{number}'\nsite = '{}'\n{target}\nweight = {}\npriority = {}\n{clients}{slow}",
        SITES[number].0,
        [4, 1, 0, 2, 9][(group + number) % 5],
        1 + number / 2
    )
}

/// The profile that a group's others are nested in, and the one that its endpoint stands for.
fn top(slot: usize) -> usize {
    slot / 5 * 5 + 4
}

fn child(top: usize, at: usize) -> usize {
    top - 4 + at
}

/// What a naive model knows: how every endpoint is, and since when.
struct Naive<'m> {
    model: &'m Model,
    up: BTreeMap<(usize, usize), bool>,
    /// When each endpoint, nested or not, last came back.
    back: BTreeMap<(usize, usize), u64>,
}

impl Naive<'_> {
    /// Nobody is ever drained, disabled or unknown here.
    fn is_up(&self, slot: usize, at: usize) -> bool {
        match self.model.profiles[slot].endpoints[at].child() {
            None => self.up[&(slot, at)],
            Some((_, min)) => {
                let child = child(slot, at);
                let up = (0..PER_PROFILE).filter(|it| self.up[&(child, *it)]).count();
                up >= usize::from(min.any)
            }
        }
    }

    fn ramps(&self, slot: usize, at: usize, now: u64) -> bool {
        let slow = self.model.profiles[slot].endpoints[at].slow_start.as_secs();
        self.is_up(slot, at) && self.back.get(&(slot, at)).is_some_and(|it| now - it < slow)
    }

    /// The endpoints in the order in which a client gets them, equals together.
    fn order(&self, slot: usize, client: usize) -> Vec<Vec<usize>> {
        let profile = &self.model.profiles[slot];
        let count = profile.endpoints.len();
        let mut alive: Vec<usize> = (0..count).filter(|it| self.is_up(slot, *it)).collect();
        if alive.is_empty() {
            alive = (0..count).collect();
        }
        let (_, region, site, row) = CLIENTS[client];
        // The lower, the earlier; without a score it does not serve this client.
        let score = |at: usize| -> Option<f64> {
            match profile.method.label() {
                "priority" => Some(profile.endpoints[at].priority.into()),
                "geographic" => {
                    let chain: &[&str] = match region {
                        "US-WA" => &["US-WA", "US", "GEO-NA", "WORLD"],
                        "US-OR" => &["US", "GEO-NA", "WORLD"],
                        "CA" => &["GEO-NA", "WORLD"],
                        "DE" => &["DE", "WORLD"],
                        _ => &["WORLD"],
                    };
                    chain.iter().position(|it| *it == CODES[at]).map(|it| it as f64)
                }
                "subnet" if at < 3 => (client == at).then_some(0.0),
                "subnet" => Some(1.0),
                "performance" => Some(match (site, row) {
                    (Some(site), _) => distance(site, SITES[at].0),
                    (None, Some(row)) => row[at].into(),
                    (None, None) => 0.0,
                }),
                _ => Some(0.0),
            }
        };
        let mut groups: Vec<(f64, Vec<usize>)> = Vec::new();
        for at in alive {
            let Some(score) = score(at) else { continue };
            match groups.iter_mut().find(|it| it.0 == score) {
                Some(group) => group.1.push(at),
                None => groups.push((score, vec![at])),
            }
        }
        groups.sort_by(|a, b| a.0.total_cmp(&b.0));
        let weight = |it: &usize| profile.endpoints[*it].weight;
        groups
            .into_iter()
            .map(|(_, mut group)| {
                if group.iter().any(|it| weight(it) > 0) {
                    group.retain(|it| weight(it) > 0);
                }
                group
            })
            .collect()
    }

    /// Every answer that a client may get, as paths.
    fn allowed(&self, slot: usize, client: usize, now: u64) -> BTreeSet<Vec<usize>> {
        let mut serving = BTreeSet::new();
        for group in self.order(slot, client) {
            let sure = group.iter().any(|it| !self.ramps(slot, *it, now));
            serving.extend(group);
            if sure {
                break;
            }
        }
        let mut paths = BTreeSet::new();
        for at in serving {
            match self.model.profiles[slot].endpoints[at].child() {
                None => drop(paths.insert(vec![at])),
                Some(_) => {
                    let below = self.allowed(child(slot, at), client, now);
                    if below.is_empty() {
                        paths.insert(vec![at, usize::MAX]);
                    }
                    paths.extend(below.into_iter().map(|it| [vec![at], it].concat()));
                }
            }
        }
        paths
    }
}

/// Along a great circle, by the haversine formula.
fn distance(one: &str, other: &str) -> f64 {
    let place = |name: &str| SITES.iter().find(|it| it.0 == name).map(|it| (it.1, it.2)).unwrap();
    let ((a, b), (c, d)) = (place(one), place(other));
    let half = |from: f64, to: f64| ((to - from).to_radians() / 2.0).sin().powi(2);
    let sum = half(a, c) + a.to_radians().cos() * c.to_radians().cos() * half(b, d);
    2.0 * sum.sqrt().asin()
}

/// Draws anew for each profile, and writes down where it is led.
struct Walker {
    seed: u64,
    way: Vec<Vec<usize>>,
}

impl Asker for Walker {
    fn draw(&mut self, _: &ProfileTable, _: Family) -> Draw {
        self.seed = mix(self.seed);
        Draw { seed: self.seed, sequence: self.seed >> 40 }
    }

    fn chose(&mut self, _: &ProfileTable, choice: &Choice) {
        self.way.push(match choice {
            Choice::Endpoints(pick) => pick.members().collect(),
            Choice::NoData => vec![usize::MAX],
            other => panic!("{other:?}"),
        });
    }
}

#[test]
fn a_day_of_a_thousand_endpoints_is_answered_as_a_naive_model_says() {
    let mut model = load_text(Path::new("farol.toml"), &config()).unwrap().model;
    let columns: Arc<[Ident]> = SITES.iter().map(|it| it.0.parse().unwrap()).collect();
    let mut rows = RangesBuilder::new();
    for (address, _, _, row) in CLIENTS {
        let Some(row) = row else { continue };
        let cells = row.map(|it| Some(it as f32));
        let network = format!("{}0.0/16", &address[..5]).parse().unwrap();
        rows.add_network(network, Latencies::new(columns.clone(), &cells).unwrap()).unwrap();
    }
    let rows = rows.build(Overlapping::NarrowestWins, Adjacent::Apart).unwrap();
    Arc::make_mut(&mut model.geography).latencies = Arc::new(rows);

    let mut naive = Naive { model: &model, up: BTreeMap::new(), back: BTreeMap::new() };
    let mut leaves = Vec::new();
    for (slot, profile) in model.profiles.iter().enumerate() {
        let own = profile.endpoints.iter().enumerate().filter(|it| it.1.child().is_none());
        leaves.extend(own.map(|it| (slot, it.0)));
    }
    assert_eq!(leaves.len(), 1000);
    naive.up.extend(leaves.iter().map(|it| (*it, true)));
    let now = |seconds: u64| Now {
        moment: Moment(Duration::from_secs(seconds)),
        time: Timestamp(i64::try_from(seconds).unwrap() * 1000),
    };
    let mut world = World::new(&model, Overrides::default(), Recall::default(), 1, 7, now(0));
    let mut dice = mix(24);
    let mut roll = |end: usize| {
        dice = mix(dice);
        usize::try_from(dice % u64::try_from(end).unwrap()).unwrap()
    };
    let (mut second, mut answers, mut places, mut failing) = (0, 0, BTreeSet::new(), 0);
    while second < DAY {
        second += 5 + u64::try_from(roll(50)).unwrap();
        // A bad hour now and then, in which a part of the endpoints fails together.
        let bad = second / 3600 % 4 == 3;
        let mut touched = BTreeSet::new();
        for _ in 0..1 + roll(3) {
            let (slot, at) = leaves[roll(leaves.len())];
            let top = top(slot);
            let before = [0, 1, 2].map(|it| naive.is_up(top, it));
            let up = roll(10) < if bad { 2 } else { 7 };
            if naive.up.insert((slot, at), up) == Some(false) && up {
                naive.back.insert((slot, at), second);
            }
            for it in (0..3).filter(|it| !before[*it]) {
                if naive.is_up(top, it) {
                    naive.back.insert((top, it), second);
                }
            }
            let table = world.snapshot().profiles.get(u32::try_from(slot).unwrap()).unwrap();
            let change = VerdictChange {
                doubt: None,
                key: EndpointKey {
                    profile: table.profile.name.clone(),
                    endpoint: table.profile.endpoints[at].name.clone(),
                },
                verdict: if up { Verdict::Online } else { Verdict::Degraded },
                at: Timestamp(0),
                reason: None,
                probed: table.endpoints[at].facts.probed.clone(),
            };
            world.observe(&change);
            touched.insert(slot);
            touched.insert(top);
            world.step_ramps();
            world.publish(now(second));
        }
        touched.insert(roll(model.profiles.len()));
        let snapshot = world.snapshot();
        for slot in touched {
            let table = snapshot.profiles.get(u32::try_from(slot).unwrap()).unwrap();
            let name = &table.profile.name;
            for (at, state) in table.endpoints.iter().enumerate() {
                let is_up = state.status != EndpointStatus::Degraded;
                assert_eq!(is_up, naive.is_up(slot, at), "{name} {at} at {second}");
                assert_eq!(
                    state.ramp.is_some(),
                    naive.ramps(slot, at, second),
                    "{name} {at} at {second}"
                );
            }
            failing += usize::from(table.is_fail_open());
            for (client, (address, ..)) in CLIENTS.iter().enumerate() {
                let address: IpAddr = address.parse().unwrap();
                let allowed = naive.allowed(slot, client, second);
                for _ in 0..3 {
                    let mut walker =
                        Walker { seed: u64::try_from(roll(1 << 40)).unwrap(), way: Vec::new() };
                    let decision = snapshot.decide(table, RecordType::A, address, &mut walker);
                    assert!(decision.scope <= 24);
                    let last = walker.way.pop().unwrap();
                    let way: Vec<usize> = walker.way.into_iter().map(|it| it[0]).collect();
                    for place in last {
                        let path = [way.clone(), vec![place]].concat();
                        let fits =
                            allowed.contains(&path) || (path == [usize::MAX] && allowed.is_empty());
                        assert!(
                            fits,
                            "{name} for {address} at {second}: {path:?}, not among {allowed:?}"
                        );
                        answers += 1;
                        places.insert((slot, path));
                    }
                }
            }
        }
    }
    // The day was long and bad enough to mean something.
    assert!(
        answers > 100_000 && places.len() > 1200 && failing > 100,
        "{answers} {} {failing}",
        places.len()
    );
}
