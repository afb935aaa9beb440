use super::*;
use crate::model::{PushCheck, TokenHash};
use crate::probe::{Report, Unheard};

/// An endpoint whose site reports every ten seconds at the latest; two failures are tolerated.
fn pushed(name: &str) -> Watch {
    let mut watch = watch(name, 0);
    let protocol = Protocol::Push(PushCheck { token: TokenHash([7; 32]), references: [].into() });
    let what = Monitor { tolerated_failures: 2, ..monitor(protocol) };
    watch.target.monitor = Arc::new(what);
    watch
}

async fn report(bench: &Bench, name: &str, reason: Option<&str>) -> Result<(), Unheard> {
    let reason_told = reason.map(Arc::from);
    bench
        .handle
        .report(Report { key: key(name), healthy: reason.is_none(), reason: reason_told })
        .await
}

#[tokio::test(start_paused = true)]
async fn reports_are_results_and_so_is_silence() {
    let mut bench = Bench::start(Script::default());
    let endpoint = pushed("a");
    bench.handle.watch(vec![endpoint.clone()]);
    let started = Instant::now();
    assert_eq!(report(&bench, "a", None).await, Ok(()));
    assert_eq!(bench.changes.recv().await.unwrap().verdict, Verdict::Online);
    assert!(started.elapsed() < SECOND);
    for _ in 0..10 {
        sleep(9 * SECOND).await;
        assert_eq!(report(&bench, "a", None).await, Ok(()));
    }
    assert_eq!(endpoint.probed.tally().failed, 0);
    // Failures in a row are counted whether they are told or silent.
    sleep(SECOND).await;
    assert_eq!(report(&bench, "a", Some("disk full")).await, Ok(()));
    let last = endpoint.probed.last().unwrap();
    assert_eq!((last.reason.as_deref(), last.phase), (Some("reported: disk full"), Phase::Report));
    let told = Instant::now();
    let down = bench.changes.recv().await.unwrap();
    assert_eq!(
        (down.verdict, down.reason.as_deref()),
        (Verdict::Degraded, Some("no report for 10 s"))
    );
    let silent = told.elapsed().as_secs_f64();
    assert!((19.9..20.1).contains(&silent), "{silent}: two whole intervals of silence");
    // Two passes bring it back.
    assert_eq!(report(&bench, "a", None).await, Ok(()));
    sleep(SECOND).await;
    assert_eq!(report(&bench, "a", None).await, Ok(()));
    assert_eq!(bench.changes.recv().await.unwrap().verdict, Verdict::Online);
    assert!(bench.seen().starts.is_empty(), "nothing is sent to a site that reports");
}

#[tokio::test(start_paused = true)]
async fn the_first_interval_counts_from_the_start() {
    let mut bench = Bench::start(Script::default());
    let started = Instant::now();
    bench.handle.watch(vec![pushed("a")]);
    assert_eq!(bench.changes.recv().await.unwrap().verdict, Verdict::Degraded);
    let waited = started.elapsed().as_secs_f64();
    assert!((9.9..10.1).contains(&waited), "{waited}");
}

#[tokio::test(start_paused = true)]
async fn each_endpoint_is_reported_for_by_itself_and_not_too_often() {
    let mut bench = Bench::start(Script::default());
    let (a, b) = (pushed("a"), pushed("b"));
    assert_eq!(a.target, b.target);
    bench.handle.watch(vec![a.clone(), b.clone(), watch("c", 80)]);
    assert_eq!(report(&bench, "a", None).await, Ok(()));
    assert_eq!(report(&bench, "a", None).await, Err(Unheard::TooSoon));
    assert_eq!(bench.changes.recv().await.unwrap().key, key("a"));
    assert_eq!((a.probed.tally().passed, b.probed.tally().passed), (1, 0));
    for name in ["c", "d"] {
        assert_eq!(report(&bench, name, None).await, Err(Unheard::NotAwaited));
    }
    sleep(TENTH).await;
    assert_eq!(report(&bench, "a", None).await, Ok(()));
    // A reload of something else leaves what is known.
    bench.handle.watch(vec![a.clone()]);
    sleep(SECOND).await;
    assert_eq!(report(&bench, "b", None).await, Err(Unheard::NotAwaited));
    assert_eq!(report(&bench, "a", None).await, Ok(()));
    assert_eq!(a.probed.tally().passed, 3);
    bench.stop.cancel();
    bench.tasks.join_next().await;
    assert_eq!(report(&bench, "a", None).await, Err(Unheard::Busy), "nobody is there");
}
