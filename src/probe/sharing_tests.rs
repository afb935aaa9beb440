//! Endpoints that share a probe, and sites that share the sockets.

use std::io;

use super::*;

/// An endpoint that believes something already.
fn believing(name: &str, port: u16, belief: Belief) -> Watch {
    Watch { belief, ..watch(name, port) }
}

/// The changes that are there after a moment, as the endpoints' names and verdicts.
async fn told(bench: &mut Bench) -> Vec<(String, Verdict)> {
    let mut told = Vec::new();
    while let Ok(Some(change)) = timeout(Duration::from_millis(2), bench.changes.recv()).await {
        told.push((change.key.endpoint.to_string(), change.verdict));
    }
    told.sort_by(|a, b| a.0.cmp(&b.0));
    told
}

fn of(verdict: Verdict, names: &[&str]) -> Vec<(String, Verdict)> {
    names.iter().map(|it| ((*it).to_owned(), verdict)).collect()
}

#[tokio::test(start_paused = true)]
async fn equal_targets_are_probed_once_and_all_endpoints_hear_of_it() {
    // Three, so that the first result of either target is among them.
    let outcomes =
        HashMap::from([(80, [vec![Outcome::Passed; 3], vec![Outcome::Failed]].concat())]);
    let mut bench = Bench::start(Script { outcomes, ..Script::default() });
    let mut endpoints = ["a", "b", "c"].map(|it| watch(it, 80));
    let mut other = monitor(Protocol::Tcp);
    other.tolerated_failures = 0;
    endpoints[2].target.monitor = Arc::new(other);
    bench.handle.watch(endpoints.to_vec());
    sleep(200 * SECOND).await;
    assert_eq!(endpoints[0].probed.tally(), endpoints[1].probed.tally());
    let tally = |at: usize| endpoints[at].probed.tally();
    let probes = tally(0).passed + tally(0).failed + tally(2).passed + tally(2).failed;
    assert_eq!(
        u64::try_from(bench.starts(80).len()).unwrap(),
        probes,
        "another monitor, another probe"
    );
    let told = told(&mut bench).await;
    let of = |name: &str| -> Vec<Verdict> {
        told.iter().filter(|it| it.0 == name).map(|it| it.1).collect()
    };
    for name in ["a", "b", "c"] {
        assert_eq!(of(name), [Verdict::Online, Verdict::Degraded], "{name}");
    }
    let latest = |at: usize| endpoints[at].probed.last().unwrap();
    assert!(Arc::ptr_eq(&latest(0), &latest(1)), "one result in memory, however many share it");
}

#[tokio::test(start_paused = true)]
async fn doubt_is_told_to_those_who_want_to_know() {
    use Outcome::{Failed, Passed};
    let outcomes = vec![Passed, Failed, Failed, Passed, Failed, Failed, Failed, Failed, Passed];
    let outcomes = HashMap::from([(80, outcomes)]);
    let mut bench = Bench::start(Script { outcomes, ..Script::default() });
    let heeding = |doubt| Watch { doubt, ..watch("heeds", 80) };
    let (deaf, mut heeds) = (watch("deaf", 80), heeding(Some(None)));
    bench.handle.watch(vec![deaf.clone(), heeds.clone()]);
    let mut heard: HashMap<String, Vec<(Verdict, Option<u8>)>> = HashMap::new();
    for _ in 0..13 {
        let change = bench.changes.recv().await.unwrap();
        let heard = heard.entry(change.key.endpoint.to_string()).or_default();
        heard.push((change.verdict, change.doubt));
    }
    use Verdict::{Degraded, Online};
    assert_eq!(heard["deaf"], [(Online, None), (Degraded, None), (Online, None)]);
    let doubts = [
        (Online, None),
        (Online, Some(3)),
        (Online, Some(2)),
        (Online, None),
        (Online, Some(3)),
        (Online, Some(2)),
        (Online, Some(1)),
        (Degraded, None),
        (Degraded, Some(1)),
        (Online, None),
    ];
    assert_eq!(heard["heeds"], doubts);

    // Who knows of a doubt that is over is told so.
    heeds.doubt = Some(Some(2));
    bench.handle.watch(vec![heeds.clone()]);
    let change = bench.changes.recv().await.unwrap();
    assert_eq!((change.key, change.verdict, change.doubt), (key("heeds"), Online, None));
}

#[tokio::test(start_paused = true)]
async fn who_joins_is_told_at_once_and_who_leaves_disturbs_nobody() {
    let outcomes = HashMap::from([(80, vec![Outcome::Failed])]);
    let script = Script { takes: 4 * SECOND, outcomes, ..Script::default() };
    let mut bench = Bench::start(script);
    let (first, second, third) = (watch("first", 80), watch("second", 80), watch("third", 80));
    bench.handle.watch(vec![first.clone()]);
    bench.changes.recv().await.unwrap();

    let before = first.probed.tally();
    bench.handle.watch(vec![second.clone(), first.clone()]);
    let now = Instant::now();
    let change = bench.changes.recv().await.unwrap();
    assert!(now.elapsed() < Duration::from_millis(2));
    assert_eq!((change.key, change.verdict), (key("second"), Verdict::Degraded));
    assert_eq!(change.reason.as_deref(), Some("connect: refused"));
    assert!(Arc::ptr_eq(&change.probed, &second.probed));
    assert_eq!(second.probed.last(), first.probed.last());
    assert_eq!((second.probed.tally().failed, first.probed.tally()), (0, before));

    // Changes of who listens, at probes of all ages.
    for turn in 0..60 {
        sleep(SECOND).await;
        let listeners = match turn % 3 {
            0 => vec![third.clone(), second.clone()],
            1 => vec![second.clone()],
            _ => vec![first.clone(), second.clone(), third.clone()],
        };
        bench.handle.watch(listeners);
        let told = told(&mut bench).await;
        assert!(told.iter().all(|it| it.0 != "second" && it.1 == Verdict::Degraded), "{told:?}");
    }
    bench.gaps(80).iter().for_each(|gap| assert_jittered(*gap, 10 * SECOND));
    assert!(bench.starts(80).len() >= 6 && !bench.seen().overlapped);
}

#[tokio::test(start_paused = true)]
async fn a_shared_target_starts_afresh_when_all_its_records_are_new() {
    let mut bench = Bench::start(Script::default());
    let endpoints = ["a", "b"].map(|it| watch(it, 80));
    bench.handle.watch(endpoints.to_vec());
    sleep(11 * SECOND).await;
    assert_eq!(told(&mut bench).await, of(Verdict::Online, &["a", "b"]));
    bench.handle.watch(endpoints.clone().map(|it| Watch { probed: Arc::default(), ..it }).to_vec());
    let probes = bench.starts(80).len();
    assert_eq!(told(&mut bench).await, [], "what was believed counts no more");
    sleep(11 * SECOND).await;
    assert_eq!(told(&mut bench).await, of(Verdict::Online, &["a", "b"]));
    assert!(bench.starts(80).len() > probes);
    assert!(endpoints[0].probed.tally().passed <= 2, "the old records are left alone");
}

#[tokio::test(start_paused = true)]
async fn what_is_believed_at_first_is_shared_or_left_until_the_first_result() {
    let (online, degraded) = (Belief::fresh(Verdict::Online), Belief::fresh(Verdict::Degraded));
    for (beliefs, first, at_once, then) in [
        ([online, Belief::default()], Outcome::Passed, of(Verdict::Online, &["b"]), vec![]),
        ([online, Belief::default()], Outcome::Failed, of(Verdict::Online, &["b"]), vec![]),
        ([online, degraded], Outcome::Passed, vec![], of(Verdict::Online, &["b"])),
        ([online, degraded], Outcome::Failed, vec![], of(Verdict::Degraded, &["a"])),
        ([degraded, degraded], Outcome::Passed, vec![], vec![]),
        (
            [Belief::aged(Verdict::Degraded); 2],
            Outcome::Passed,
            vec![],
            of(Verdict::Online, &["a", "b"]),
        ),
    ] {
        let outcomes = HashMap::from([(80, vec![first])]);
        // Probes take so long that there is one result in the time.
        let script = Script { outcomes, takes: 15 * SECOND, ..Script::default() };
        let mut bench = Bench::start(script);
        let [a, b] = beliefs;
        bench.handle.watch(vec![believing("a", 80, a), believing("b", 80, b)]);
        assert_eq!(told(&mut bench).await, at_once, "{beliefs:?}");
        sleep(26 * SECOND).await;
        assert_eq!(told(&mut bench).await, then, "{beliefs:?} {first:?}");
    }
}

/// 100 endpoints of one site hang, which needs 50 sockets; of 16, they leave the other site enough.
#[tokio::test(start_paused = true)]
async fn a_site_that_hangs_starves_no_other() {
    let at = |site: &str, port| Watch {
        site: Some(site.parse().unwrap()),
        ..watch(&format!("e{port}"), port)
    };
    let slow = (1000..1100).map(|port| (port, 5 * SECOND)).collect();
    let bench = Bench::limited(Script { takes: TENTH / 10, slow, ..Script::default() }, 16);
    let dark = (1000..1100).map(|port| at("dark", port));
    bench.handle.watch((1..=20).map(|port| at("bright", port)).chain(dark).collect());
    sleep(300 * SECOND).await;
    let seen = bench.seen();
    for port in 1..=20 {
        assert!(seen.lateness[&port] <= Duration::from_millis(2), "{:?}", seen.lateness[&port]);
        bench.gaps(port).iter().for_each(|gap| assert_jittered(*gap, 10 * SECOND));
    }
    let dark: usize = (1000..1100).map(|port| bench.starts(port).len()).sum();
    assert!(dark >= 8 * 300 / 5 - 16, "{dark}: half of the sockets are for whoever needs them");
    assert!((1000..1100).all(|port| !bench.starts(port).is_empty()));
    assert!(seen.lateness[&1000] > SECOND, "which is the dark site's own affair");
    let waits =
        bench.registry.gather().into_iter().find(|it| it.name() == "farol_probe_waits_total");
    let waits = waits.unwrap().get_metric()[0].get_counter().get_value();
    assert!(waits > 100.0, "{waits}");
}

/// The value of one of the prober's metrics.
fn metric(bench: &Bench, name: &str) -> f64 {
    let family = bench.registry.gather().into_iter().find(|it| it.name() == name).unwrap();
    let metric = &family.get_metric()[0];
    metric.get_counter().get_value() + metric.get_gauge().get_value()
}

#[tokio::test(start_paused = true)]
async fn another_limit_holds_at_once_and_whoever_waits_is_counted() {
    let bench = Bench::limited(Script { takes: 5 * SECOND, ..Script::default() }, 2);
    bench.handle.watch((1..=20).map(|port| watch(&format!("e{port}"), port)).collect());
    sleep(60 * SECOND).await;
    assert_eq!((bench.seen().most_under_way, metric(&bench, "farol_probe_slots")), (2, 2.0));
    // 20 probes want to take 5 s in every 10 s, and 4 can.
    assert!(metric(&bench, "farol_probes_waiting") > 10.0);
    assert!(metric(&bench, "farol_probe_wait_seconds_total") > 100.0);
    bench.most.send(20).unwrap();
    sleep(60 * SECOND).await;
    assert!(bench.seen().most_under_way > 10, "{}", bench.seen().most_under_way);
    assert_eq!(
        (metric(&bench, "farol_probes_waiting"), metric(&bench, "farol_probe_slots")),
        (0.0, 20.0)
    );
    let waited = metric(&bench, "farol_probe_wait_seconds_total");
    bench.most.send(1).unwrap();
    sleep(10 * SECOND).await;
    bench.script.seen.lock().unwrap().most_under_way = 0;
    sleep(60 * SECOND).await;
    assert_eq!(bench.seen().most_under_way, 1);
    assert!(metric(&bench, "farol_probe_wait_seconds_total") > waited);
}

/// What is logged by this thread until the guard is dropped.
fn logged() -> (Arc<Mutex<Vec<u8>>>, tracing::subscriber::DefaultGuard) {
    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);
    impl io::Write for Log {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let log = Log::default();
    let text = Arc::clone(&log.0);
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || log.clone());
    (text, tracing::subscriber::set_default(subscriber.finish()))
}

#[tokio::test(start_paused = true)]
async fn too_few_sockets_are_said_once() {
    let (log, _guard) = logged();
    let count = |event: &str| {
        let text = String::from_utf8(log.lock().unwrap().clone()).unwrap();
        text.matches(&format!("event=\"{event}\"")).count()
    };
    let bench = Bench::limited(Script { takes: 9 * SECOND, ..Script::default() }, 3);
    let endpoints = |count| (1..=count).map(|port| watch(&format!("e{port}"), port)).collect();
    bench.handle.watch(endpoints(3));
    sleep(100 * SECOND).await;
    assert_eq!((count("probe_limit"), count("probes_wait")), (0, 0));
    bench.handle.watch(endpoints(8));
    sleep(100 * SECOND).await;
    bench.handle.watch(endpoints(8));
    sleep(100 * SECOND).await;
    assert_eq!((count("probe_limit"), count("probes_wait")), (1, 1));
    bench.handle.watch(endpoints(3));
    sleep(100 * SECOND).await;
    bench.handle.watch(endpoints(9));
    sleep(100 * SECOND).await;
    assert_eq!((count("probe_limit"), count("probes_wait")), (2, 2), "another burst");
}
