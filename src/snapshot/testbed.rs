//! Profiles written in a few words, without settings around them, and what they answer.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::{AnswerCounters, Asker, Choice, EndpointFacts, Given, Host, ProfileTable, Snapshot};
use crate::model::{
    Addresses, Affinity, Child, ClientNetwork, DefaultLocation, Endpoint, Failback, Family,
    FamilyRule, Flap, Forced, Geography, Latencies, Location, Method, MinChildren, Monitor, Now,
    Overlapping, Point, ProbeTarget, Profile, Protocol, Ranges, RangesBuilder, Sources, Spot,
    Stamp, Stamped, Target, Timestamp, Verdict, WhenNoneHealthy, parse_network,
};
use crate::model::{Adjacent, Ident};
use crate::routing::{Draw, mix};

/// How many draws a share is measured by, and how far off it may be, in percent.
const DRAWS: u64 = 1500;
const TOLERANCE: f64 = 4.0;

/// Profiles with what is known of their endpoints, and the snapshot of both.
pub(crate) struct Bed {
    pub(crate) snapshot: Snapshot,
    pub(crate) profiles: Vec<Arc<Profile>>,
    pub(crate) facts: Vec<Vec<EndpointFacts>>,
    pub(crate) geography: Arc<Geography>,
}

/// Reads "key=value" words and plain ones.
struct Words<'t>(Vec<&'t str>);

impl<'t> Words<'t> {
    fn has(&self, word: &str) -> bool {
        self.0.contains(&word)
    }

    fn find(&self, key: &str) -> Option<&'t str> {
        self.0.iter().find_map(|it| it.strip_prefix(key)?.strip_prefix('='))
    }

    fn number(&self, key: &str, default: u16) -> u16 {
        self.find(key).map_or(default, |it| it.parse().unwrap())
    }
}

fn point(text: &str) -> Location {
    let (latitude, longitude) = text.split_once(',').unwrap();
    let [latitude, longitude] = [latitude, longitude].map(|it| it.parse().unwrap());
    Location { latitude, longitude, region: None }
}

/// An endpoint by its words: `NAME [4] [6] [w=WEIGHT] [p=PRIORITY] [site=SITE] [at=NORTH,EAST] [geo=CODE,…] [net=NETWORK,…]
/// [slow=SECONDS] [child=PROFILE] [min=ANY/IPV4/IPV6] [flat] [unmonitored] [off]`, where one that is `flat` has no address
/// until it is `resolved`; it is probed every 10 s, and every 5 s in doubt.
fn endpoint(number: usize, text: &str) -> Endpoint {
    let words = Words(text.split_whitespace().collect());
    let flap =
        Flap { count: 0, window: Duration::ZERO, hold_down: Duration::ZERO, max: Duration::ZERO };
    let monitor = Monitor {
        protocol: if words.has("unmonitored") { Protocol::None } else { Protocol::Tcp },
        source: Sources::default(),
        watch_connection: false,
        interval: Duration::from_secs(10),
        timeout: Duration::from_secs(5),
        fast_interval: Duration::from_secs(5),
        tolerated_failures: 3,
        required_successes: 2,
        flap,
    };
    let both = words.has("4") == words.has("6");
    let octet = u8::try_from(number % 250).unwrap();
    let mut addresses: Vec<IpAddr> = Vec::new();
    addresses.extend((both || words.has("4")).then(|| IpAddr::from([192, 0, 2, octet])));
    let six = [0x2001, 0xdb8, 0, 0, 0, 0, 0, u16::from(octet)];
    addresses.extend((both || words.has("6")).then(|| IpAddr::from(six)));
    let target = match words.find("child") {
        Some(child) => {
            let min: Vec<u16> = words
                .find("min")
                .unwrap_or("1/0/0")
                .split('/')
                .map(|it| it.parse().unwrap())
                .collect();
            let min = MinChildren { any: min[0], v4: min[1], v6: min[2] };
            Target::Profile(Child { profile: format!("{child}.z.").parse().unwrap(), min })
        }
        None if words.has("flat") => {
            Target::Resolved(format!("{}.example.", words.0[0]).parse().unwrap())
        }
        None => Target::Addresses(addresses.into_iter().collect::<Addresses>()),
    };
    fn list<T: std::str::FromStr<Err: std::fmt::Debug>>(text: Option<&str>) -> Box<[T]> {
        text.into_iter().flat_map(|it| it.split(',')).map(|it| it.parse().unwrap()).collect()
    }
    Endpoint {
        name: words.0[0].parse().unwrap(),
        site: words.find("site").map(|it| it.parse().unwrap()),
        target,
        enabled: !words.has("off"),
        weight: words.number("w", 1),
        priority: words.number("p", u16::try_from(number).unwrap() + 1),
        geo: list(words.find("geo")),
        subnets: list(words.find("net")),
        location: words.find("at").map(point),
        capacity: 1,
        slow_start: Duration::from_secs(words.number("slow", 0).into()),
        probe: ProbeTarget { addresses: Arc::new([]), host: None, monitor: Arc::new(monitor) },
    }
}

/// A profile by its words, with an endpoint for each further line: `NAME METHOD [ttl=30] [ttl_min=SECONDS]
/// [none=serve_all|last_healthy|fallback|nodata|servfail] [panic=PERCENT] [affinity=24/56] [max=2] [manual] [any]
/// [stay] [off]`.
fn profile(text: &str) -> Profile {
    let mut lines = text.lines().map(str::trim).filter(|it| !it.is_empty());
    let words = Words(lines.next().unwrap().split_whitespace().collect());
    let affinity = words.find("affinity").map(|it| {
        let (prefix4, prefix6) = it.split_once('/').unwrap();
        Affinity { prefix4: prefix4.parse().unwrap(), prefix6: prefix6.parse().unwrap() }
    });
    Profile {
        name: format!("{}.z.", words.0[0]).parse().unwrap(),
        enabled: !words.has("off"),
        method: Method::ALL.into_iter().find(|it| it.label() == words.0[1]).unwrap(),
        ttl: words.number("ttl", 30).into(),
        ttl_min: words.find("ttl_min").map(|it| it.parse().unwrap()),
        family: if words.has("any") { FamilyRule::Any } else { FamilyRule::ByMethod },
        max_return: u8::try_from(words.number("max", 2)).unwrap(),
        affinity,
        failback: if words.has("manual") { Failback::Manual } else { Failback::Automatic },
        geo_failover: !words.has("stay"),
        when_none_healthy: match words.find("none").unwrap_or("serve_all") {
            "serve_all" => WhenNoneHealthy::ServeAll,
            "last_healthy" => WhenNoneHealthy::LastHealthy,
            "fallback" => {
                WhenNoneHealthy::Fallback([IpAddr::from([203, 0, 113, 9])].into_iter().collect())
            }
            "nodata" => WhenNoneHealthy::NoData,
            "servfail" => WhenNoneHealthy::ServFail,
            other => panic!("{other}"),
        },
        panic_threshold: u8::try_from(words.number("panic", 0)).unwrap(),
        guardrails: crate::model::Guardrails::default(),
        endpoints: lines.enumerate().map(|(number, it)| endpoint(number, it)).collect(),
    }
}

/// Where clients and sites are, by lines: `site NAME NORTH,EAST`, `client NETWORK [REGION] [site=SITE]`,
/// `spot NETWORK [REGION] [at=NORTH,EAST]` (of the database), `table SITE…` with `ms NETWORK [MILLISECONDS|-]…`, `default
/// SITE|NORTH,EAST`.
pub(crate) fn geography(text: &str) -> Geography {
    let mut geography = Geography::default();
    let mut networks = RangesBuilder::new();
    let (mut spots, mut rows) = (RangesBuilder::new(), RangesBuilder::new());
    let mut columns: Arc<[Ident]> = Arc::new([]);
    let network = |it: &str| parse_network(it).unwrap();
    let place = |it: &str| Point::from(&point(it));
    for line in text.lines().map(str::trim).filter(|it| !it.is_empty()) {
        let words = Words(line.split_whitespace().collect());
        let region = words.0.get(2).and_then(|it| it.parse().ok());
        match words.0[0] {
            "site" => {
                let sites = Arc::make_mut(&mut geography.sites);
                sites.insert(words.0[1].parse().unwrap(), place(words.0[2]));
            }
            "client" => {
                let site = words.find("site").map(|it| it.parse().unwrap());
                networks.add_network(network(words.0[1]), ClientNetwork { region, site }).unwrap();
            }
            "spot" => {
                let spot = Spot { region, point: words.find("at").map(place) };
                spots.add_network(network(words.0[1]), spot).unwrap();
            }
            "table" => columns = words.0[1..].iter().map(|it| it.parse().unwrap()).collect(),
            "ms" => {
                let cells: Vec<Option<f32>> =
                    words.0[2..].iter().map(|it| it.parse().ok()).collect();
                let row = Latencies::new(columns.clone(), &cells).unwrap();
                rows.add_network(network(words.0[1]), row).unwrap();
            }
            "default" => {
                geography.location_default = Some(match words.0[1].contains(',') {
                    true => DefaultLocation::Point(place(words.0[1])),
                    false => DefaultLocation::Site(words.0[1].parse().unwrap()),
                });
            }
            other => panic!("{other}"),
        }
    }
    fn built<T: Clone + Eq + std::hash::Hash>(of: RangesBuilder<T>) -> Arc<Ranges<T>> {
        Arc::new(of.build(Overlapping::NarrowestWins, Adjacent::Joined).unwrap())
    }
    geography.networks = built(networks);
    geography.database = built(spots);
    geography.latencies = built(rows);
    geography
}

/// Draws by a seed, each profile apart, and writes down where it is led.
struct Walker {
    draw: Draw,
    way: Vec<Vec<String>>,
}

impl Asker for Walker {
    fn draw(&mut self, table: &ProfileTable, _: Family) -> Draw {
        let name = table.profile.name.as_wire().iter();
        let seed = name.fold(self.draw.seed, |seed, it| mix(seed ^ u64::from(*it)));
        Draw { seed, ..self.draw }
    }

    fn chose(&mut self, table: &ProfileTable, choice: &Choice) {
        let name = |it: usize| table.profile.endpoints[it].name.to_string();
        self.way.push(match choice {
            Choice::Endpoints(pick) => pick.members().map(name).collect(),
            Choice::Fallback => vec!["fallback".to_owned()],
            Choice::NoData => vec!["nodata".to_owned()],
            Choice::ServFail => vec!["servfail".to_owned()],
        });
    }
}

/// What was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answered {
    /// Paths such as "eu/dublin", in the order of the answer.
    pub(crate) places: Vec<String>,
    pub(crate) ttl: u32,
    pub(crate) scope: u8,
}

impl Bed {
    /// Nested profiles come before those that they are nested in. Every endpoint is Online.
    pub(crate) fn new(geo: &str, profiles: &[&str]) -> Self {
        let profiles: Vec<Profile> = profiles.iter().map(|it| profile(it)).collect();
        Self::of(geography(geo), profiles)
    }

    pub(crate) fn of(geography: Geography, profiles: Vec<Profile>) -> Self {
        let online = EndpointFacts { verdict: Verdict::Online, ..EndpointFacts::default() };
        let geography = Arc::new(geography);
        let snapshot = Snapshot { geography: geography.clone(), ..Snapshot::default() };
        let facts = profiles.iter().map(|it| vec![online.clone(); it.endpoints.len()]).collect();
        let profiles = profiles.into_iter().map(Arc::new).collect();
        let mut bed = Self { snapshot, profiles, facts, geography };
        bed.publish(0);
        bed
    }

    pub(crate) fn slot(&self, name: &str) -> usize {
        let name = format!("{name}.z.").parse().unwrap();
        self.profiles.iter().position(|it| it.name == name).unwrap()
    }

    pub(crate) fn table(&self, name: &str) -> &Arc<ProfileTable> {
        self.snapshot.profiles.get(u32::try_from(self.slot(name)).unwrap()).unwrap()
    }

    /// Changes facts, in lines of `PROFILE/ENDPOINT WORD…`: `up`, `down`, `new`, `drained`, `undrained`, `off`, `on`,
    /// `forced-up`, `forced-down`, `unforced`, `resolved`, `doubt=N`, `w=N`.
    pub(crate) fn set(&mut self, text: &str) -> &mut Self {
        fn by<T>(value: T) -> Option<Stamped<T>> {
            let stamp =
                Stamp { by: "ann".to_owned(), reason: None, at: Timestamp(0), expires: None };
            Some(Stamped { value, stamp })
        }
        for line in text.lines().map(str::trim).filter(|it| !it.is_empty()) {
            let mut words = line.split_whitespace();
            let (profile, endpoint) = words.next().unwrap().split_once('/').unwrap();
            let slot = self.slot(profile);
            let endpoint: Ident = endpoint.parse().unwrap();
            let at = self.profiles[slot].endpoints.iter().position(|it| it.name == endpoint);
            let facts = &mut self.facts[slot][at.unwrap()];
            for word in words {
                match word {
                    "up" => facts.verdict = Verdict::Online,
                    "down" => facts.verdict = Verdict::Degraded,
                    "new" => facts.verdict = Verdict::Unknown,
                    "drained" => facts.drained = true,
                    "undrained" => facts.drained = false,
                    "off" => facts.overrides.enabled = by(false),
                    "on" => facts.overrides.enabled = by(true),
                    "forced-up" => facts.overrides.forced = by(Forced::Up),
                    "forced-down" => facts.overrides.forced = by(Forced::Down),
                    "unforced" => facts.overrides.forced = None,
                    "resolved" => {
                        let addresses = Arc::new(
                            ["192.0.2.9", "2001:db8::9"]
                                .map(|it| it.parse::<IpAddr>().unwrap())
                                .into_iter()
                                .collect(),
                        );
                        facts.host = Some(Host { addresses, ttl: 60, ..Host::default() });
                    }
                    _ => match word.split_once('=').unwrap() {
                        ("w", it) => facts.overrides.weight = by(it.parse().unwrap()),
                        ("doubt", it) => facts.doubt = it.parse().ok(),
                        (other, _) => panic!("{other}"),
                    },
                }
            }
        }
        self
    }

    /// Makes the snapshot of what is known after so many seconds.
    pub(crate) fn publish(&mut self, seconds: i64) -> &mut Self {
        let before = std::mem::take(&mut self.snapshot.profiles);
        let mut tables: Vec<ProfileTable> = Vec::new();
        for ((slot, profile), facts) in (0_u32..).zip(&self.profiles).zip(&self.facts) {
            let mut facts = facts.clone();
            for (endpoint, facts) in profile.endpoints.iter().zip(&mut facts) {
                let Some((child, _)) = endpoint.child() else { continue };
                let at = self.profiles.iter().position(|it| it.name == *child).unwrap();
                facts.nested = Some(tables[at].nested(u32::try_from(at).unwrap()));
            }
            let old = before.get(slot);
            let counters = Arc::new(AnswerCounters::new(1, vec![0; facts.len() + 1].into(), 1));
            let given = Given {
                previous: old.map(|it| &**it),
                enabled: None,
                geography: &self.geography,
                now: Now::at(1000 * seconds),
            };
            tables.push(ProfileTable::new(profile.clone(), facts, counters, given));
        }
        self.snapshot.profiles = tables.into_iter().collect();
        self
    }

    /// Changes facts and makes the snapshot of them.
    pub(crate) fn after(&mut self, seconds: i64, changes: &str) -> &mut Self {
        self.set(changes).publish(seconds)
    }

    pub(crate) fn ask(&self, name: &str, family: Family, client: IpAddr, draw: Draw) -> Answered {
        let mut walker = Walker { draw, way: Vec::new() };
        let (table, record_type) = (self.table(name), family.record_type());
        let decision = self.snapshot.decide(table, record_type, client, &mut walker);
        let last = walker.way.pop().unwrap();
        let way: Vec<String> = walker.way.into_iter().map(|it| it[0].clone()).collect();
        let path = |it: String| way.iter().cloned().chain([it]).collect::<Vec<_>>().join("/");
        Answered {
            places: last.into_iter().map(path).collect(),
            ttl: decision.ttl,
            scope: decision.scope,
        }
    }

    /// The percentage of the answers that name each place.
    pub(crate) fn shares(&self, name: &str, family: Family, client: &str) -> BTreeMap<String, f64> {
        let client = client.parse().unwrap();
        let mut counts: BTreeMap<String, f64> = BTreeMap::new();
        for sequence in 0..DRAWS {
            for place in self.ask(name, family, client, Draw { seed: 5, sequence }).places {
                *counts.entry(place).or_default() += 100.0 / DRAWS as f64;
            }
        }
        counts
    }

    /// Holds the answers to A and AAAA against what is expected: "a:80 b:20", in percent of the answers. Without a number it
    /// is all of them.
    #[track_caller]
    pub(crate) fn check(&self, name: &str, client: &str, expected: &str) -> &Self {
        Family::ALL.into_iter().for_each(|it| self.check_family(name, it, client, expected));
        self
    }

    #[track_caller]
    pub(crate) fn check_family(&self, name: &str, family: Family, client: &str, expected: &str) {
        let shares = self.shares(name, family, client);
        let expected: BTreeMap<String, f64> = expected
            .split_whitespace()
            .map(|it| it.split_once(':').unwrap_or((it, "100")))
            .map(|(name, share)| (name.to_owned(), share.parse().unwrap()))
            .collect();
        let same = shares.keys().eq(expected.keys())
            && shares.values().zip(expected.values()).all(|(a, b)| (a - b).abs() < TOLERANCE);
        assert!(same, "{name} {family:?} for {client}: {shares:?}, not {expected:?}");
    }
}
