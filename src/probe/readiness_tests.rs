use super::*;
use crate::health::{Readiness, Resolution, Resolved, Workload};
use crate::model::Timestamp;

/// A discovered endpoint whose cluster is asked for the pods behind it, and what it says.
fn discovered(name: &str, port: u16, required: bool) -> (Watch, impl Fn(Readiness)) {
    let record = Arc::new(Resolved::default());
    let watch = Watch { resolved: Some(record.clone()), is_discovered: true, ..watch(name, port) };
    let say = move |readiness| {
        let service = "edge/web".into();
        let workload = Some(Workload { service, required, readiness, since: Timestamp(0) });
        record.record(Resolution { workload, ..Resolution::default() });
    };
    (watch, say)
}

const READY: Readiness = Readiness::Counted { ready: 1, all: 3 };
const NOT_READY: Readiness = Readiness::Counted { ready: 0, all: 3 };

/// The next turn of the verdict, with why.
async fn turn(bench: &mut Bench) -> (Verdict, Option<String>) {
    let change = bench.changes.recv().await.unwrap();
    (change.verdict, change.reason.map(|it| it.to_string()))
}

#[tokio::test(start_paused = true)]
async fn probes_fail_while_the_site_says_that_nobody_is_ready() {
    let mut bench = Bench::start(Script::default());
    let (endpoint, say) = discovered("a", 80, true);
    say(READY);
    bench.handle.watch(vec![endpoint.clone()]);
    assert_eq!(turn(&mut bench).await, (Verdict::Online, None));

    // The thresholds are those of any probe: three failures are tolerated, and two passes bring it back.
    say(NOT_READY);
    let before = endpoint.probed.tally();
    let why = "the site says not ready: Service edge/web has 0 of 3 pods ready";
    assert_eq!(turn(&mut bench).await, (Verdict::Degraded, Some(why.to_owned())));
    let after = endpoint.probed.tally();
    assert_eq!((after.failed - before.failed, after.passed - before.passed), (4, 0));
    let last = endpoint.probed.last().unwrap();
    assert_eq!((last.phase, last.reason.as_deref()), (Phase::Readiness, Some(why)));
    say(READY);
    assert_eq!(turn(&mut bench).await, (Verdict::Online, None));
    assert_eq!(endpoint.probed.tally().passed - after.passed, 2);
    let metrics = prometheus::TextEncoder::new().encode_to_string(&bench.registry.gather());
    let failed = "farol_probe_results_total{result=\"failed\"} 4\n";
    assert!(metrics.unwrap().contains(failed), "as they count");

    // Who can't be asked says nothing, for it or against it.
    say(Readiness::Unknown("silence".into()));
    sleep(100 * SECOND).await;
    assert_eq!(endpoint.probed.tally().failed, after.failed);
    assert!(bench.changes.try_recv().is_err());
}

#[tokio::test(start_paused = true)]
async fn the_site_says_so_only_of_its_own_endpoint_and_where_that_is_required() {
    let outcomes = HashMap::from([(81, vec![Outcome::Failed])]);
    let mut bench = Bench::start(Script { outcomes, ..Script::default() });
    let ((required, first), (shown, second)) =
        (discovered("a", 80, true), discovered("b", 80, false));
    let (failing, third) = discovered("c", 81, true);
    let fixed = watch("d", 80);
    first(NOT_READY);
    second(NOT_READY);
    third(READY);
    bench.handle.watch(vec![required.clone(), shown.clone(), failing.clone(), fixed.clone()]);
    sleep(100 * SECOND).await;
    let mut told = HashMap::new();
    while let Ok(Some(change)) = timeout(Duration::from_millis(2), bench.changes.recv()).await {
        told.insert(change.key.endpoint.to_string(), change.verdict);
    }
    for (name, verdict) in [
        ("a", Verdict::Degraded),
        ("b", Verdict::Online),
        ("c", Verdict::Degraded),
        ("d", Verdict::Online),
    ] {
        assert_eq!(told.get(name), Some(&verdict), "{name}");
    }
    let reason = failing.probed.last().unwrap().reason.clone();
    assert_eq!(
        reason.as_deref(),
        Some("connect: refused"),
        "pods that are ready make no probe pass"
    );
    // A reload goes on with what is known.
    let before = required.probed.tally().failed;
    bench.handle.watch(vec![required.clone(), fixed]);
    sleep(100 * SECOND).await;
    assert!(required.probed.tally().failed > before);
    assert!(bench.changes.try_recv().is_err());
}
