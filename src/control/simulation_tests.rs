//! A day of failures, changes, reloads and jumps of the clock, in seconds: the scheduler, health, the world and its snapshots
//! at work together under a clock that stands still unless everyone waits. What comes out is held against an oracle.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::{JoinSet, yield_now};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::oracle_tests::{Expected, Oracle, Word};
use super::world::Changes;
use super::*;
use crate::clock::Clock;
use crate::health::Outcome;
use crate::model::{
    Change as Field, EndpointChange, EndpointKey, EndpointStatus, Family, Forced, Model, Monitor,
    Name, Now, Overrides, Stamp, Timestamp,
};
use crate::probe::testbed::play;
use crate::probe::{ProbeHandle, VerdictChange};
use crate::routing::{Draw, mix};
use crate::settings::load_text;
use crate::snapshot::{Choice, ProfileTable, Snapshot};

const DAY: Duration = Duration::from_secs(86_400);
const SITES: usize = 4;
/// The day that is gone through; `FAROL_SEED` takes another. Only the jitter of probes is never the same.
const SEED: u64 = 24;

/// Five profiles with an endpoint at each site, one of them of every way to answer when none is healthy. What is `moved` is
/// probed elsewhere, and every other time there is one profile more.
fn config(moved: u16) -> String {
    let mut text = "[[zone]]\nname = 'z.'\nnameservers = ['ns.elsewhere.']\n".to_owned();
    (0..SITES).for_each(|it| text += &format!("[[site]]\nname = 's{it}'\n"));
    let rules = [
        "method = 'weighted'\nwhen_none_healthy = 'serve_all'\npanic_threshold = 40",
        "method = 'priority'\nwhen_none_healthy = 'last_healthy'",
        "method = 'weighted'\nwhen_none_healthy = 'fallback'\nfallback = ['203.0.113.9']",
        "method = 'priority'\nfamily = 'any'\nwhen_none_healthy = 'nodata'",
        "method = 'weighted'\nwhen_none_healthy = 'servfail'",
        "method = 'priority'",
    ];
    for (number, rule) in rules.iter().enumerate().take(5 + usize::from(moved % 2)) {
        text += &format!(
            "[[profile]]\nname = 'p{number}.z.'\n{rule}\nmonitor = {{ protocol = 'tcp', interval = '{}s', \
             fast_interval = '10s', timeout = '4s', tolerated_failures = {}, required_successes = {}, \
             flap = {{ count = {}, window = '20m', hold_down = '45s', max = '4m' }} }}\n",
            45 + 5 * number,
            number % 4,
            1 + number % 3,
            number % 3
        );
        for site in 0..SITES {
            let port = if number == 5 || site == number % SITES { 1000 + moved } else { 999 };
            let six = if site % 2 == 0 {
                format!(", '2001:db8:{number}::{site}'")
            } else {
                String::new()
            };
            text += &format!(
                "[[profile.endpoint]]\nname = 'e{site}'\nsite = 's{site}'\ntarget = ['192.0.{number}.{site}'{six}]\n\
                 address = '198.18.{number}.{site}:{port}'\nweight = {}\npriority = {}\n",
                (site + 3) % 4,
                1 + site / 2
            );
        }
    }
    text
}

/// Random numbers that a seed makes the same again.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(1);
        mix(self.0)
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(end).unwrap()).unwrap()
    }

    fn percent(&mut self, chance: usize) -> bool {
        self.below(100) < chance
    }

    fn seconds(&mut self, least: usize, most: usize) -> Duration {
        Duration::from_millis(
            u64::try_from(1000 * least + self.below(1000 * (most - least))).unwrap(),
        )
    }
}

/// How a site fares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Site {
    Up,
    /// Refuses connections.
    Down,
    /// Says nothing, so that probes take their whole timeout.
    Silent,
    /// Loses every third connection.
    Shaky,
}

/// What the probes meet, and what they have seen.
struct Net {
    dice: Dice,
    sites: [Site; SITES],
    monitors: BTreeMap<SocketAddr, Monitor>,
    oracle: Oracle,
    probes: usize,
    turns: usize,
}

/// Plays one probe: waits for as long as it takes, and writes down what it said when it is over.
async fn probe(net: Arc<Mutex<Net>>, clock: Clock, address: SocketAddr) -> Outcome {
    let SocketAddr::V4(v4) = address else { unreachable!("all are IPv4") };
    let site = usize::from(v4.ip().octets()[3]);
    let (outcome, takes) = {
        let mut net = net.lock().unwrap();
        let (state, quick) = (net.sites[site], net.dice.seconds(0, 1));
        net.probes += 1;
        match state {
            _ if net.dice.percent(1) => (Outcome::Void, quick),
            Site::Up if net.dice.percent(2) => (Outcome::Failed, quick),
            Site::Shaky if net.dice.percent(33) => (Outcome::Failed, quick),
            Site::Up | Site::Shaky => (Outcome::Passed, quick),
            Site::Down => (Outcome::Failed, quick),
            Site::Silent => (Outcome::Failed, Duration::from_secs(4)),
        }
    };
    sleep(takes).await;
    if outcome != Outcome::Void {
        let word = Word { at: clock.now().0, passed: outcome == Outcome::Passed };
        let mut net = net.lock().unwrap();
        let Net { oracle, monitors, turns, .. } = &mut *net;
        let judge = oracle.words.entry(address).or_default();
        *turns += usize::from(judge.hear(word, &monitors[&address]));
    }
    outcome
}

/// A world, and another one to which the same happens while its clock never jumps.
struct Day {
    net: Arc<Mutex<Net>>,
    model: Model,
    worlds: [World; 2],
    changes: mpsc::Receiver<VerdictChange>,
    prober: ProbeHandle,
    clock: Clock,
    /// How far the first world's time of day is off.
    skew: i64,
    dice: Dice,
    /// The tables whose answers were looked at already, and how often they were looked at.
    checked: [BTreeMap<Name, Arc<ProfileTable>>; 2],
    checks: usize,
    seen: BTreeMap<EndpointKey, EndpointStatus>,
    open: BTreeSet<Name>,
    published: usize,
    opened: usize,
}

impl Day {
    /// The same moment by two times of day.
    fn times(&self) -> [Now; 2] {
        let moment = self.clock.now();
        let now = 1_700_000_000_000 + i64::try_from(moment.0.as_millis()).unwrap();
        [now + self.skew, now].map(|it| Now { moment, time: Timestamp(it) })
    }

    /// Takes in a verdict, and every other that came at the same instant.
    async fn settle(&mut self, first: Option<VerdictChange>) {
        let mut change = first;
        let mut idle = 0;
        while idle < 16 {
            match change.take() {
                Some(change) => {
                    self.observe(&change);
                    idle = 0;
                }
                None => {
                    yield_now().await;
                    idle += 1;
                }
            }
            change = self.changes.try_recv().ok();
        }
        if self.worlds[0].is_edited() {
            self.publish();
        }
        self.check();
    }

    fn observe(&mut self, change: &VerdictChange) {
        let record = |world: &World| {
            let table = world.snapshot().profile(&change.key.profile)?;
            Some(table.endpoints[table.position(&change.key.endpoint)?].facts.probed.clone())
        };
        let [first, second] = &mut self.worlds;
        if record(first).is_some_and(|it| Arc::ptr_eq(&it, &change.probed)) {
            let probed = record(second).unwrap();
            second.observe(&VerdictChange { probed, ..change.clone() });
        }
        first.observe(change);
    }

    fn publish(&mut self) {
        let before = self.worlds[0].snapshot().generation;
        let times = self.times();
        let [first, second] = &mut self.worlds;
        let told = [first.publish(times[0]), second.publish(times[1])];
        let mut second_told = told[1].clone();
        let transitions = second_told.transitions.iter_mut().zip(&told[0].transitions);
        transitions.for_each(|(it, first)| (it.at, it.since) = (first.at, first.since));
        assert_eq!(told[0], second_told, "the time of day decided something");
        assert_eq!(first.snapshot().generation, before + 1);
        let [told, _] = told;
        self.published(&told);
    }

    /// What was told of a publication is what changed, no more and no less.
    fn published(&mut self, told: &Changes) {
        self.published += 1;
        let snapshot = self.worlds[0].snapshot();
        let mut expected = Vec::new();
        let mut seen = BTreeMap::new();
        let mut open = BTreeSet::new();
        for table in snapshot.profiles.iter() {
            let name = &table.profile.name;
            open.extend(table.is_fail_open().then(|| name.clone()));
            for (endpoint, state) in table.profile.endpoints.iter().zip(&table.endpoints) {
                let key = EndpointKey { profile: name.clone(), endpoint: endpoint.name.clone() };
                let before = self.seen.get(&key).copied().filter(|it| *it != state.status);
                expected.extend(before.map(|it| (key.clone(), it, state.status)));
                seen.insert(key, state.status);
            }
        }
        let mut transitions: Vec<_> =
            told.transitions.iter().map(|it| (it.key.clone(), it.from, it.to)).collect();
        transitions.sort_by(|one, other| one.0.cmp(&other.0));
        expected.sort_by(|one, other| one.0.cmp(&other.0));
        assert_eq!(transitions, expected);
        for (name, opened) in &told.fail_open {
            assert_eq!(
                (open.contains(name), self.open.contains(name)),
                (*opened, !opened),
                "{name}"
            );
            self.opened += usize::from(*opened);
        }
        (self.seen, self.open) = (seen, open);
    }

    /// The snapshots say what the oracle says.
    fn check(&mut self) {
        let now = self.clock.now().0;
        let seen = self.net.lock().unwrap().oracle.look(&self.model);
        // What a table answers can't change; now and then everything is looked at nonetheless, also what nobody replaced.
        let anew = self.checks.is_multiple_of(100);
        self.checks += 1;
        for (world, checked) in self.worlds.iter().zip(&mut self.checked) {
            let snapshot = world.snapshot();
            assert_eq!(snapshot.profiles.iter().count(), seen.len());
            for (name, seen) in &seen {
                let table = snapshot.profile(name).unwrap();
                let statuses: Vec<_> = table.endpoints.iter().map(|it| it.status).collect();
                assert_eq!(statuses, seen.statuses, "{name} at {now:?}");
                assert_eq!(
                    table.is_fail_open(),
                    seen.fails_open,
                    "{name} at {now:?}: {statuses:?}"
                );
                let before = checked.insert(name.clone(), table.clone());
                if anew || before.is_none_or(|it| !Arc::ptr_eq(&it, table)) {
                    for (family, expected) in Family::ALL.into_iter().zip(&seen.answers) {
                        check_answers(table, family, expected, now);
                    }
                }
            }
        }
    }

    /// An operator changes something.
    fn change(&mut self) {
        let dice = &mut self.dice;
        let change = if dice.percent(20) {
            let name = format!("s{}", dice.below(SITES)).parse().unwrap();
            Change::Site { name, drained: dice.percent(40), ramp: None }
        } else {
            let profile = &self.model.profiles[dice.below(self.model.profiles.len())];
            let endpoint = profile.endpoints[dice.below(SITES)].name.clone();
            let number = u16::try_from(dice.below(4)).unwrap();
            let mut change = EndpointChange::default();
            match dice.below(9) {
                0 => change.weight = Field::Set(number),
                1 => change.priority = Field::Set(number + 1),
                2 => change.enabled = Field::Set(dice.percent(50)),
                3 => {
                    change.forced =
                        Field::Set(if dice.percent(50) { Forced::Up } else { Forced::Down })
                }
                4 => {
                    change = EndpointChange {
                        weight: Field::Set(number),
                        enabled: Field::Clear,
                        ..change
                    }
                }
                _ => {
                    let (weight, priority) = (Field::Clear, Field::Clear);
                    change = EndpointChange {
                        weight,
                        priority,
                        enabled: Field::Clear,
                        forced: Field::Clear,
                    };
                }
            }
            Change::Endpoint(EndpointKey { profile: profile.name.clone(), endpoint }, change)
        };
        let stamp =
            Stamp { by: "ann".to_owned(), reason: None, at: self.times()[0].time, expires: None };
        for world in &mut self.worlds {
            let mut overrides = world.overrides().clone();
            world.plan(&mut overrides, &change, &stamp).unwrap();
            world.override_with(overrides);
        }
        self.net.lock().unwrap().oracle.change(&change);
    }

    /// Reloads what runs, or another configuration.
    fn reload(&mut self, moved: Option<u16>) {
        if let Some(moved) = moved {
            self.model = load_text(Path::new("farol.toml"), &config(moved)).unwrap().model;
        }
        let endpoints = self.model.profiles.iter().flat_map(|it| &it.endpoints);
        let monitors = endpoints.map(|it| (it.probe.addresses[0], (*it.probe.monitor).clone()));
        self.net.lock().unwrap().monitors.extend(monitors);
        let times = self.times();
        let [first, second] = &mut self.worlds;
        let (_, told) = first.reload(&self.model, times[0]);
        second.reload(&self.model, times[1]);
        self.published(&told);
        self.prober.watch(self.worlds[0].watches());
    }
}

/// The draws meet everything that is expected, and nothing else.
fn check_answers(table: &ProfileTable, family: Family, expected: &Expected, now: Duration) {
    let draws = (0..32).map(|sequence| Draw { seed: 7, sequence });
    let (snapshot, nobody) = (Snapshot::default(), Ipv4Addr::UNSPECIFIED.into());
    let choice =
        |mut draw: Draw| snapshot.decide(table, family.record_type(), nobody, &mut draw).choice;
    let choices: Vec<Choice> = draws.map(choice).collect();
    let fits = match expected {
        Expected::Among(endpoints) => {
            let place = |it: &Choice| match it {
                Choice::Endpoints(pick) => Some(pick.members().next()),
                Choice::NoData => Some(None),
                Choice::Fallback | Choice::ServFail => None,
            };
            let places: Option<BTreeSet<_>> = choices.iter().map(place).collect();
            places.as_ref() == Some(endpoints)
        }
        Expected::Fallback => choices.iter().all(|it| *it == Choice::Fallback),
        Expected::NoData => choices.iter().all(|it| *it == Choice::NoData),
        Expected::ServFail => choices.iter().all(|it| *it == Choice::ServFail),
    };
    let (name, statuses) = (&table.profile.name, table.endpoints.iter().map(|it| it.status));
    assert!(
        fits,
        "{name} {family:?} at {now:?}: {:?}, not {expected:?}: {choices:?}",
        statuses.collect::<Vec<_>>()
    );
}

#[tokio::test(start_paused = true)]
async fn a_day_of_failures_goes_by_the_rules() {
    let seed = std::env::var("FAROL_SEED").map_or(SEED, |it| it.parse().unwrap());
    let clock = Clock::start();
    let net = Arc::new(Mutex::new(Net {
        dice: Dice(mix(seed)),
        sites: [Site::Up; SITES],
        monitors: BTreeMap::new(),
        oracle: Oracle::default(),
        probes: 0,
        turns: 0,
    }));
    let (sender, changes) = mpsc::channel(64);
    let (stop, mut tasks) = (CancellationToken::new(), JoinSet::new());
    let played = net.clone();
    let (prober, handle) = play(move |it| probe(played.clone(), clock, it), sender, stop.clone());
    tasks.spawn(prober);
    let model = load_text(Path::new("farol.toml"), &config(0)).unwrap().model;
    let world = || World::new(&model, Overrides::default(), Recall::default(), 1, 7, Now::at(0));
    let mut day = Day {
        net: net.clone(),
        worlds: [world(), world()],
        model,
        changes,
        prober: handle,
        clock,
        skew: 0,
        dice: Dice(seed),
        checked: Default::default(),
        checks: 0,
        seen: BTreeMap::new(),
        open: BTreeSet::new(),
        published: 0,
        opened: 0,
    };
    day.reload(Some(0));
    let (mut moved, mut events) = (0, [0_usize; 4]);
    let mut next = Instant::now() + day.dice.seconds(30, 60);
    while clock.now().0 < DAY {
        tokio::select! {
            change = day.changes.recv() => day.settle(change).await,
            () = sleep_until(next) => {
                day.settle(None).await;
                next = Instant::now() + day.dice.seconds(1, 120);
                let event = [0, 0, 0, 0, 1, 1, 1, 1, 2, 3][day.dice.below(10)];
                events[event] += 1;
                match event {
                    0 => {
                        let site = day.dice.below(SITES);
                        let states = [Site::Up, Site::Up, Site::Up, Site::Down, Site::Silent, Site::Shaky];
                        let state = states[day.dice.below(states.len())];
                        net.lock().unwrap().sites[site] = state;
                    }
                    1 => day.change(),
                    2 => day.skew = [0, 86_400_000, -86_400_000, -3_600_000][day.dice.below(4)],
                    _ => {
                        let other = day.dice.percent(40);
                        moved += u16::from(other);
                        day.reload(other.then_some(moved));
                    }
                }
                day.settle(None).await;
            }
        }
    }
    stop.cancel();
    while tasks.join_next().await.is_some() {}
    let net = net.lock().unwrap();
    let held = net.oracle.words.values().map(|it| it.held.len()).sum::<usize>();
    let Net { probes, turns, .. } = *net;
    let told = format!(
        "{probes} probes, {turns} turns, {held} after a hold-down, {events:?} events, {} publications, {} times failing open",
        day.published, day.opened
    );
    // The day was long and bad enough to mean something.
    assert!(probes > 20_000 && turns > 500 && held > 20 && day.opened > 20, "{told}");
    assert!(events.iter().all(|it| *it > 50), "{told}");
}
