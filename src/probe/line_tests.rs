use super::*;
use crate::health::{Resolution, Resolved, Trouble};
use crate::model::{Addresses, ProbeHost, Timestamp};

const MILLISECOND: Duration = Duration::from_millis(1);

/// An endpoint of which the connection is watched.
fn watched(port: u16) -> Watch {
    let mut watch = watch("a", port);
    let what = watch.target.monitor.as_ref().clone();
    watch.target.monitor = Arc::new(Monitor { watch_connection: true, ..what });
    watch
}

/// Watches one port with a script. The seconds of its probes and of its idle connections since the first probe.
async fn run(script: Script, seconds: u32) -> (Vec<f64>, Vec<f64>) {
    let bench = Bench::start(script);
    bench.handle.watch(vec![watched(80)]);
    sleep(SECOND * seconds).await;
    let (starts, seen) = (bench.starts(80), bench.seen());
    assert!(!seen.overlapped);
    let since = |it: &Instant| it.duration_since(starts[0]).as_secs_f64();
    (starts.iter().map(since).collect(), seen.holds.iter().map(|it| since(&it.1)).collect())
}

fn lines(ends: &[(Duration, End)]) -> HashMap<u16, Vec<(Duration, End)>> {
    HashMap::from([(80, ends.to_vec())])
}

#[tokio::test(start_paused = true)]
async fn a_lost_connection_is_probed_at_once_and_is_no_verdict() {
    let ends = [(4 * SECOND, End::Lost), (SECOND * 9999, End::Lost)];
    let (probes, holds) = run(Script { lines: lines(&ends), ..Script::default() }, 100).await;
    assert!(probes[1] > 3.99 && probes[1] < 4.02, "{probes:?}");
    assert!(probes[2] > 12.9, "the next one comes after an interval: {probes:?}");
    // The triggered probe passed; it is too soon then to connect again, and not after the next one.
    assert_eq!(holds.len(), 2, "{holds:?}");
    assert!(holds[1] > 12.9, "{holds:?}");
}

#[tokio::test(start_paused = true)]
async fn refusals_after_a_lost_connection_are_decided_in_a_moment() {
    use Outcome::{Failed, Passed};
    for (refuses, tolerated) in [(true, 3), (false, 3), (true, 0)] {
        let outcomes = HashMap::from([(80, vec![Passed, Failed])]);
        let lines = lines(&[(4 * SECOND, End::Lost)]);
        let mut bench = Bench::start(Script { outcomes, lines, refuses, ..Script::default() });
        let mut endpoint = watched(80);
        let what = endpoint.target.monitor.as_ref().clone();
        endpoint.target.monitor = Arc::new(Monitor { tolerated_failures: tolerated, ..what });
        bench.handle.watch(vec![endpoint]);
        assert_eq!(bench.changes.recv().await.unwrap().verdict, Verdict::Online);
        let online = Instant::now();
        assert_eq!(bench.changes.recv().await.unwrap().verdict, Verdict::Degraded);
        let took = online.elapsed();
        let decided = took - 4 * SECOND;
        match refuses {
            true => assert!(decided < MILLISECOND * 30, "{decided:?}"),
            // Without a refusal each further look takes the fast interval.
            false => assert!(decided > SECOND * 8, "{decided:?}"),
        }
        let failures = bench.starts(80).len() - 1;
        assert_eq!(failures, usize::from(tolerated) + 1, "never without as many probes as ever");
        // Once it is decided, probes are as rare as ever.
        sleep(30 * SECOND).await;
        assert!(bench.starts(80).len() <= failures + 5);
        assert_eq!(bench.seen().holds.len(), 1, "nothing to hold while it is down");
    }
}

#[tokio::test(start_paused = true)]
async fn refusals_alone_are_not_hurried() {
    let outcomes = HashMap::from([(80, vec![Outcome::Passed, Outcome::Failed])]);
    let (probes, _) = run(Script { outcomes, refuses: true, ..Script::default() }, 25).await;
    assert!(probes[2] - probes[1] > 2.0, "{probes:?}");
}

#[tokio::test(start_paused = true)]
async fn a_loss_while_a_probe_is_under_way_is_looked_into_right_after_it() {
    let ends = lines(&[(11 * SECOND, End::Lost), (9999 * SECOND, End::Lost)]);
    let script = Script { lines: ends, takes: 4 * SECOND, ..Script::default() };
    let (probes, _) = run(script, 60).await;
    // Connected at 4, lost at 15, during the probe or just before it; two probes follow each other then.
    let soon = probes.windows(2).any(|it| it[1] - it[0] < 8.0);
    assert!(soon, "{probes:?}");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_ends_idle_connections_brings_no_storm() {
    let at_once = lines(&[(MILLISECOND, End::Lost)]);
    let (probes, holds) = run(Script { lines: at_once, ..Script::default() }, 3600).await;
    assert!(holds.len() < 24, "{}: less and less often", holds.len());
    assert!(probes.len() < 360 + 50, "{}", probes.len());
    let after_a_minute = lines(&[(60 * SECOND, End::Lost)]);
    let (probes, holds) = run(Script { lines: after_a_minute, ..Script::default() }, 3600).await;
    assert!((40..=60).contains(&holds.len()), "{}: nearly always there", holds.len());
    assert!(probes.len() < 360 + 110, "{}", probes.len());
}

#[tokio::test(start_paused = true)]
async fn a_loss_that_told_the_truth_is_no_reason_to_wait() {
    use Outcome::{Failed, Passed};
    // Each connection lasts a second, and the probe that follows fails.
    let outcomes = HashMap::from([(80, [Passed, Failed].repeat(200))]);
    let lines = lines(&[(SECOND, End::Lost)]);
    let (probes, holds) = run(Script { outcomes, lines, ..Script::default() }, 600).await;
    let passed = probes.len() / 2;
    assert!(holds.len() + 2 >= passed && passed > 50, "{} of {passed}", holds.len());
}

#[tokio::test(start_paused = true)]
async fn connections_make_room_for_probes() {
    let bench = Bench::limited(Script { takes: SECOND, ..Script::default() }, 4);
    let mut all: Vec<Watch> =
        (1..=3).map(|port| Watch { key: key(&format!("e{port}")), ..watched(port) }).collect();
    bench.handle.watch(all.clone());
    sleep(100 * SECOND).await;
    let held = bench.seen().holds.len();
    assert!(held == 2, "{held}: half of the sockets are for probes");
    all.extend((10..40).map(|port| watch(&format!("e{port}"), port)));
    bench.handle.watch(all);
    sleep(100 * SECOND).await;
    assert_eq!(bench.seen().most_under_way, 4, "probes have all sockets when they need them");
}

/// A watched endpoint that stands for a name, and what is known of that name.
fn watched_name() -> (Watch, Arc<Resolved>) {
    let (mut watch, resolved) = (watched(80), Arc::<Resolved>::default());
    watch.target.addresses = [].into();
    let name = "place.example.".parse().unwrap();
    watch.target.host = Some(Arc::new(ProbeHost { name, port: 80 }));
    watch.resolved = Some(resolved.clone());
    (watch, resolved)
}

fn found(address: &str) -> Resolution {
    let addresses = Arc::new(Addresses::from_iter([address.parse().unwrap()]));
    let at = Some((Timestamp::default(), Moment::default()));
    Resolution { addresses, at, ..Resolution::default() }
}

#[tokio::test(start_paused = true)]
async fn the_connection_to_a_name_goes_where_its_probes_go() {
    let (watch, resolved) = watched_name();
    let bench = Bench::start(Script::default());
    bench.handle.watch(vec![watch]);
    sleep(SECOND * 30).await;
    assert_eq!(bench.seen().starts, [], "nobody knows yet where it is");
    resolved.record(found("192.0.2.1"));
    sleep(SECOND).await;
    assert_eq!((bench.seen().starts.len(), bench.seen().holds.len()), (1, 1), "at once");
    sleep(SECOND * 60).await;
    assert_eq!(bench.seen().holds.len(), 1);
    resolved.record(found("192.0.2.2"));
    sleep(SECOND * 60).await;
    assert_eq!(bench.seen().holds.len(), 2, "once more, to where it is now");
}

#[tokio::test(start_paused = true)]
async fn a_name_without_an_address_fails_once_each_interval() {
    let (watch, resolved) = watched_name();
    let trouble = Some(Trouble { reason: "NXDOMAIN".into(), is_final: true });
    resolved.record(Resolution { trouble, ..Resolution::default() });
    let probed = watch.probed.clone();
    let mut bench = Bench::start(Script::default());
    bench.handle.watch(vec![watch]);
    assert_eq!(bench.changes.recv().await.unwrap().verdict, Verdict::Degraded);
    sleep(SECOND * 100).await;
    let failed = probed.tally().failed;
    assert!((9..45).contains(&failed), "{failed}");
    assert_eq!(probed.last().unwrap().reason.as_deref(), Some("resolve: NXDOMAIN"));
    resolved.record(found("192.0.2.1"));
    assert_eq!(bench.changes.recv().await.unwrap().verdict, Verdict::Online);
}
