use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::Mutex;

use prometheus::Registry;
use tokio::time::{sleep, timeout};

use super::*;
use crate::health::{Belief, Health, Probed};
use crate::model::{EndpointKey, Monitor, Verdict};
use crate::probe::testbed::monitor;

const SECOND: Duration = Duration::from_secs(1);
const TENTH: Duration = Duration::from_millis(100);

/// A world without a network: each address behaves as scripted, and what is asked of it is written down.
#[derive(Default)]
struct Script {
    /// What the probes of each port come to, in turn; the last one goes on for ever.
    outcomes: HashMap<u16, Vec<Outcome>>,
    /// How long each probe takes.
    takes: Duration,
    /// How long it takes at these ports instead.
    slow: HashMap<u16, Duration>,
    /// How long the idle connections to each port last, in turn, and how they end; the last one goes on for ever.
    lines: HashMap<u16, Vec<(Duration, End)>>,
    /// Whether failures are refusals.
    refuses: bool,
    seen: Mutex<Seen>,
}

#[derive(Clone, Debug, Default)]
struct Seen {
    /// Port and time of each start, since the clock's own.
    starts: Vec<(u16, Instant)>,
    /// Port and time of each idle connection.
    holds: Vec<(u16, Instant)>,
    begun: HashMap<u16, usize>,
    under_way: HashSet<u16>,
    most_under_way: u32,
    overlapped: bool,
    latest: Duration,
    /// How late the latest probe of each port started.
    lateness: HashMap<u16, Duration>,
}

/// Counts a probe as under way until it ends or is dropped.
struct Guard<'a>(&'a Script, u16);

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        if let Ok(mut seen) = self.0.seen.lock() {
            seen.under_way.remove(&self.1);
        }
    }
}

impl Script {
    fn begin(&self, port: u16, late: Duration) -> (Guard<'_>, usize) {
        let mut seen = self.seen.lock().unwrap();
        let begun = seen.begun.entry(port).or_default();
        let before = *begun;
        *begun += 1;
        seen.starts.push((port, Instant::now()));
        seen.latest = seen.latest.max(late);
        let lateness = seen.lateness.entry(port).or_default();
        *lateness = late.max(*lateness);
        seen.overlapped |= !seen.under_way.insert(port);
        seen.most_under_way = seen.most_under_way.max(u32::try_from(seen.under_way.len()).unwrap());
        (Guard(self, port), before)
    }
}

impl World for Arc<Script> {
    async fn hold(&self, target: &ProbeTarget) -> End {
        let port = target.addresses[0].port();
        let made = {
            let mut seen = self.seen.lock().unwrap();
            seen.holds.push((port, Instant::now()));
            seen.holds.iter().filter(|it| it.0 == port).count()
        };
        let ends = self.lines.get(&port).map_or(&[][..], Vec::as_slice);
        match ends.get(made - 1).or(ends.last()) {
            Some((after, end)) => {
                sleep(*after).await;
                *end
            }
            None => std::future::pending().await,
        }
    }

    async fn probe(&self, target: &ProbeTarget, late: Duration) -> ProbeResult {
        let port = target.addresses[0].port();
        let (_guard, before) = self.begin(port, late);
        sleep(self.slow.get(&port).copied().unwrap_or(self.takes)).await;
        let script = self.outcomes.get(&port).map_or(&[][..], Vec::as_slice);
        let outcome = script.get(before).or(script.last()).copied().unwrap_or(Outcome::Passed);
        assert!(port != PANICS || before > 0, "a probe that panics");
        ProbeResult {
            at: Clock::time_of_day(),
            outcome,
            phase: Phase::Connect,
            elapsed: self.takes,
            phases: PhaseTimes::default(),
            reason: (outcome == Outcome::Failed).then(|| "connect: refused".into()),
            refused: self.refuses && outcome == Outcome::Failed,
            certificate_expires: None,
        }
    }
}

#[path = "heritage_tests.rs"]
mod heritage;
#[path = "line_tests.rs"]
mod line;
#[path = "push_tests.rs"]
mod push;
#[path = "readiness_tests.rs"]
mod readiness;
#[path = "sharing_tests.rs"]
mod sharing;

/// The first probe of this port panics.
const PANICS: u16 = 666;

/// A scheduler at work, and everything around it.
struct Bench {
    script: Arc<Script>,
    handle: ProbeHandle,
    changes: mpsc::Receiver<VerdictChange>,
    registry: Registry,
    stop: CancellationToken,
    most: watch::Sender<usize>,
    tasks: JoinSet<()>,
}

impl Bench {
    fn start(script: Script) -> Self {
        Self::limited(script, usize::MAX)
    }

    fn limited(script: Script, max_connections: usize) -> Self {
        let script = Arc::new(script);
        let (sender, changes) = mpsc::channel(1);
        let registry = Registry::new();
        let metrics = ProbeMetrics::register(&registry).unwrap();
        let (handle, stop) = (ProbeHandle::default(), CancellationToken::new());
        let world = Arc::clone(&script);
        let clock = Clock::start();
        let (most, limit) = watch::channel(max_connections);
        let scheduler = Scheduler::new(world, clock, metrics, sender, limit, handle.clone());
        let mut tasks = JoinSet::new();
        tasks.spawn(scheduler.run(stop.clone()));
        Self { script, handle, changes, registry, stop, most, tasks }
    }

    fn seen(&self) -> Seen {
        self.script.seen.lock().unwrap().clone()
    }

    /// When the probes of a port started.
    fn starts(&self, port: u16) -> Vec<Instant> {
        let seen = self.seen();
        seen.starts.iter().filter(|(it, _)| *it == port).map(|(_, at)| *at).collect()
    }

    /// The seconds between the starts of the probes of a port.
    fn gaps(&self, port: u16) -> Vec<Duration> {
        self.starts(port).windows(2).map(|it| it[1] - it[0]).collect()
    }
}

fn key(name: &str) -> EndpointKey {
    EndpointKey { profile: "app.example.".parse().unwrap(), endpoint: name.parse().unwrap() }
}

/// An endpoint that is probed at `port` every ten seconds, every three in doubt.
fn watch(name: &str, port: u16) -> Watch {
    let addresses = [SocketAddr::from(([192, 0, 2, 1], port))];
    let monitor = Arc::new(monitor(Protocol::Tcp));
    let target = ProbeTarget { addresses: addresses.into(), host: None, monitor };
    Watch {
        key: key(name),
        site: None,
        target,
        belief: Belief::default(),
        doubt: None,
        probed: Arc::default(),
        resolved: None,
        is_discovered: false,
    }
}

/// Whether `gap` is `interval`, give or take the jitter and the timers' own grain.
#[track_caller]
fn assert_jittered(gap: Duration, interval: Duration) {
    let grain = Duration::from_millis(2);
    let range = interval.mul_f64(0.9)..=interval.mul_f64(1.1) + grain;
    assert!(range.contains(&gap), "{gap:?} is not about {interval:?}");
}

#[tokio::test(start_paused = true)]
async fn probes_start_an_interval_apart_however_long_they_take() {
    for takes in [Duration::ZERO, 5 * SECOND] {
        let bench = Bench::start(Script { takes, ..Script::default() });
        let endpoint = watch("a", 80);
        bench.handle.watch(vec![endpoint.clone()]);
        sleep(300 * SECOND).await;
        let gaps = bench.gaps(80);
        assert!(gaps.len() >= 26, "{gaps:?}");
        gaps.iter().for_each(|gap| assert_jittered(*gap, 10 * SECOND));
        assert!(gaps.iter().any(|gap| gap != &gaps[0]), "jitter is drawn anew each time");
        let passed = usize::try_from(endpoint.probed.tally().passed).unwrap();
        assert!((gaps.len()..=gaps.len() + 1).contains(&passed));
        assert!(bench.seen().latest <= Duration::from_millis(2));
    }
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_is_never_probed_twice_at_once() {
    let bench = Bench::start(Script { takes: 25 * SECOND, ..Script::default() });
    bench.handle.watch(vec![watch("a", 80)]);
    sleep(600 * SECOND).await;
    assert!(!bench.seen().overlapped);
    // The next one starts as soon as the last one's result is there.
    bench.gaps(80).iter().for_each(|gap| {
        assert!((25 * SECOND..25 * SECOND + TENTH).contains(gap), "{gap:?}");
    });
}

#[tokio::test(start_paused = true)]
async fn doubt_quickens_and_only_turns_are_told() {
    use Outcome::{Failed, Passed};
    let outcomes =
        HashMap::from([(80, vec![Passed, Failed, Failed, Failed, Failed, Failed, Passed])]);
    let mut bench = Bench::start(Script { outcomes, ..Script::default() });
    let endpoint = watch("a", 80);
    bench.handle.watch(vec![endpoint.clone()]);
    let mut turns = Vec::new();
    for _ in 0..3 {
        let change = bench.changes.recv().await.unwrap();
        assert_eq!(change.key, key("a"));
        assert!(Arc::ptr_eq(&change.probed, &endpoint.probed));
        turns.push((change.verdict, change.reason, bench.starts(80).len()));
    }
    let refused = Some(Arc::from("connect: refused"));
    let expected =
        [(Verdict::Online, None, 1), (Verdict::Degraded, refused, 5), (Verdict::Online, None, 8)];
    assert_eq!(turns, expected);
    sleep(10 * SECOND).await;
    let intervals = [10, 3, 3, 3, 10, 10, 3, 10].map(|it| it * SECOND);
    bench.gaps(80).into_iter().zip(intervals).for_each(|(gap, it)| assert_jittered(gap, it));
}

#[tokio::test(start_paused = true)]
async fn changes_wait_in_order_for_a_slow_listener() {
    let flapping = [Outcome::Failed, Outcome::Passed, Outcome::Passed].repeat(20);
    let outcomes = HashMap::from([(80, flapping)]);
    let mut bench = Bench::start(Script { outcomes, ..Script::default() });
    bench.handle.watch(vec![watch("a", 80)]);
    sleep(200 * SECOND).await;
    assert!(bench.starts(80).len() > 15, "probing went on");
    let first = bench.changes.recv().await.unwrap().verdict;
    let second = bench.changes.recv().await.unwrap().verdict;
    assert_eq!((first, second), (Verdict::Degraded, Verdict::Online));
}

#[tokio::test(start_paused = true)]
async fn what_is_unchanged_goes_on_as_if_nothing_had_happened() {
    let mut bench = Bench::start(Script { takes: 4 * SECOND, ..Script::default() });
    let (kept, moved, gone) = (watch("kept", 1), watch("moved", 2), watch("gone", 3));
    bench.handle.watch(vec![kept.clone(), moved, gone.clone()]);
    for _ in 0..3 {
        bench.changes.recv().await.unwrap();
    }
    // Reload every second from now on, so that probes of all ages are met.
    let moved_again = watch("moved", 4);
    for _ in 0..100 {
        sleep(SECOND).await;
        bench.handle.watch(vec![kept.clone(), moved_again.clone()]);
    }
    bench.gaps(1).iter().for_each(|gap| assert_jittered(*gap, 10 * SECOND));
    bench.gaps(4).iter().for_each(|gap| assert_jittered(*gap, 10 * SECOND));
    assert!(bench.starts(1).len() >= 9 && bench.starts(4).len() >= 8);
    assert!(bench.starts(2).len() <= 2 && bench.starts(3).len() <= 2, "probed after the reload");
    assert!(gone.probed.tally().passed <= 2);
    let change = bench.changes.recv().await.unwrap();
    assert_eq!((change.key, change.verdict), (key("moved"), Verdict::Online), "starts afresh");
    assert!(bench.changes.try_recv().is_err(), "the unchanged one keeps its verdict");
}

/// The endpoint was another one in between, of which the prober never heard: its listener has forgotten the verdict.
#[tokio::test(start_paused = true)]
async fn an_equal_target_with_a_new_record_starts_afresh() {
    let mut bench = Bench::start(Script::default());
    let endpoint = watch("a", 80);
    bench.handle.watch(vec![endpoint.clone()]);
    let first = bench.changes.recv().await.unwrap();
    let again = Watch { probed: Arc::default(), ..endpoint };
    bench.handle.watch(vec![again.clone()]);
    let second =
        timeout(100 * SECOND, bench.changes.recv()).await.expect("it starts afresh").unwrap();
    assert_eq!((first.verdict, second.verdict), (Verdict::Online, Verdict::Online));
    assert!(Arc::ptr_eq(&second.probed, &again.probed));
}

#[tokio::test(start_paused = true)]
async fn a_removed_endpoints_probe_ends_without_a_result() {
    let bench = Bench::start(Script { takes: 1000 * SECOND, ..Script::default() });
    let endpoint = watch("a", 80);
    bench.handle.watch(vec![endpoint.clone()]);
    sleep(20 * SECOND).await;
    assert_eq!(bench.seen().under_way.len(), 1);
    bench.handle.watch(Vec::new());
    sleep(SECOND).await;
    assert_eq!(bench.seen().under_way.len(), 0, "its connection is closed");
    sleep(2000 * SECOND).await;
    assert_eq!(endpoint.probed.last(), None);
    assert_eq!(bench.starts(80).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn unmonitored_endpoints_are_left_alone() {
    let bench = Bench::start(Script::default());
    let mut endpoint = watch("a", 80);
    endpoint.target.monitor = Arc::new(monitor(Protocol::None));
    bench.handle.watch(vec![endpoint]);
    sleep(100 * SECOND).await;
    assert_eq!(bench.starts(80), []);
}

#[tokio::test(start_paused = true)]
async fn thousands_of_endpoints_never_burst() {
    let bench = Bench::start(Script { takes: TENTH, ..Script::default() });
    let many = (1..=5000).map(|port| watch(&format!("e{port}"), port)).collect();
    let started = Instant::now();
    bench.handle.watch(many);
    sleep(60 * SECOND).await;
    let mut seconds = [0_u32; 61];
    for (_, at) in bench.seen().starts {
        seconds[usize::try_from((at - started).as_secs()).unwrap()] += 1;
    }
    // 500 a second on average; 625 and then 375 where the earliest second probes meet the latest first ones.
    assert!(seconds[..60].iter().all(|count| (250..750).contains(count)), "{seconds:?}");
    assert!(!bench.seen().overlapped);
}

#[tokio::test(start_paused = true)]
async fn the_limit_of_connections_holds_and_everyone_gets_a_turn() {
    let bench = Bench::limited(Script { takes: SECOND, ..Script::default() }, 3);
    bench.handle.watch((1..=60).map(|port| watch(&format!("e{port}"), port)).collect());
    sleep(100 * SECOND).await;
    let seen = bench.seen();
    assert_eq!(seen.most_under_way, 3);
    assert!(seen.latest > SECOND, "probes know that they start late");
    for port in 1..=60 {
        assert!((4..=6).contains(&bench.starts(port).len()), "three a second, in turn");
    }
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_a_socket_goes_on_waiting_after_a_reload() {
    let bench = Bench::limited(Script { takes: 30 * SECOND, ..Script::default() }, 1);
    let endpoints = vec![watch("a", 1), watch("b", 2)];
    bench.handle.watch(endpoints.clone());
    for _ in 0..29 {
        sleep(SECOND).await;
        bench.handle.watch(endpoints.clone());
    }
    assert_eq!(bench.seen().starts.len(), 1);
    sleep(15 * SECOND).await;
    let seen = bench.seen();
    assert_eq!((seen.starts.len(), seen.overlapped), (2, false));
    assert!(seen.latest > 15 * SECOND, "counted from when it was due: {:?}", seen.latest);
}

#[tokio::test(start_paused = true)]
async fn every_address_takes_a_socket() {
    let bench = Bench::limited(Script { takes: 5 * SECOND, ..Script::default() }, 4);
    let two = |port| {
        let mut endpoint = watch(&format!("e{port}"), port);
        endpoint.target.addresses =
            [1, 2].map(|it| SocketAddr::from(([192, 0, 2, it], port))).into();
        endpoint
    };
    bench.handle.watch((1..=9).map(two).collect());
    sleep(100 * SECOND).await;
    assert_eq!(bench.seen().most_under_way, 2);
    assert!((1..=9).all(|port| bench.starts(port).len() > 2), "they come back");
}

#[tokio::test(start_paused = true)]
async fn lateness_counts_from_when_a_probe_was_due() {
    let bench = Bench::start(Script::default());
    bench.handle.watch(vec![watch("a", 80)]);
    sleep(11 * SECOND).await;
    // As if nothing of the process had run for a minute.
    tokio::time::advance(60 * SECOND).await;
    sleep(SECOND).await;
    assert!(bench.seen().latest > 45 * SECOND, "{:?}", bench.seen().latest);
}

#[tokio::test(start_paused = true)]
async fn changes_of_what_is_gone_wait_no_longer() {
    let mut bench = Bench::start(Script::default());
    bench.handle.watch((1..=9).map(|port| watch(&format!("e{port}"), port)).collect());
    sleep(11 * SECOND).await;
    bench.handle.watch(Vec::new());
    sleep(SECOND).await;
    let mut told = 0;
    while timeout(SECOND, bench.changes.recv()).await.is_ok() {
        told += 1;
    }
    assert_eq!(told, 1, "only what was on its way");
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_panics_is_void_and_the_next_one_follows() {
    let bench = Bench::start(Script::default());
    let endpoint = watch("a", PANICS);
    bench.handle.watch(vec![endpoint.clone()]);
    sleep(25 * SECOND).await;
    let tally = endpoint.probed.tally();
    assert_eq!((tally.void, tally.failed), (1, 0));
    assert!(tally.passed >= 1);
}

#[tokio::test(start_paused = true)]
async fn it_ends_when_it_is_told_to_or_nobody_listens() {
    let mut told = Bench::start(Script { takes: 1000 * SECOND, ..Script::default() });
    told.handle.watch(vec![watch("a", 80)]);
    sleep(20 * SECOND).await;
    told.stop.cancel();
    assert!(told.tasks.join_next().await.unwrap().is_ok());
    assert_eq!(told.seen().under_way.len(), 0);

    let mut alone = Bench::start(Script::default());
    alone.changes.close();
    alone.handle.watch(vec![watch("a", 80)]);
    assert!(alone.tasks.join_next().await.unwrap().is_ok());
}

#[test]
fn a_hundred_thousand_endpoints_stay_small() {
    assert!(size_of::<Health>() <= 80, "{}", size_of::<Health>());
    assert!(size_of::<Target>() <= 184, "{}", size_of::<Target>());
}

#[tokio::test(start_paused = true)]
async fn results_are_there_for_whoever_shows_them() {
    let outcomes = HashMap::from([(80, vec![Outcome::Failed])]);
    let bench = Bench::start(Script { outcomes, ..Script::default() });
    let endpoint = watch("a", 80);
    bench.handle.watch(vec![endpoint.clone()]);
    sleep(11 * SECOND).await;
    let probed: &Probed = &endpoint.probed;
    assert_eq!(probed.last().unwrap().reason.as_deref(), Some("connect: refused"));
    assert!(probed.heard().is_some());
}
