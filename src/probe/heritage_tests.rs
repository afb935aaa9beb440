//! Endpoints that are probed otherwise at the same place, as after a secret was replaced.

use super::*;
use crate::model::Flap;

/// An endpoint that is probed otherwise from now on: with another `timeout`, so that its target is another one.
fn otherwise(watch: &Watch, timeout: Duration, change: impl FnOnce(&mut Monitor)) -> Watch {
    let mut monitor = Monitor { timeout, ..(*watch.target.monitor).clone() };
    change(&mut monitor);
    let target = ProbeTarget { monitor: Arc::new(monitor), ..watch.target.clone() };
    Watch { target, ..watch.clone() }
}

/// Replaces the monitor every second, for so many seconds, and tells when the verdict turned, and into what.
async fn run(bench: &mut Bench, watch: &Watch, seconds: u32) -> Vec<(u64, Verdict)> {
    let (started, mut turned) = (Instant::now(), Vec::new());
    for second in 0..seconds {
        let other = otherwise(watch, SECOND + TENTH * (second % 2), |_| {});
        bench.handle.watch(vec![other]);
        while let Ok(Some(change)) = timeout(SECOND, bench.changes.recv()).await {
            turned.push((started.elapsed().as_secs(), change.verdict));
        }
    }
    turned
}

#[tokio::test(start_paused = true)]
async fn failures_in_a_row_count_on_and_the_next_probe_keeps_its_time() {
    let outcomes = HashMap::from([(80, vec![Outcome::Passed, Outcome::Passed, Outcome::Failed])]);
    let mut bench = Bench::start(Script { outcomes, ..Script::default() });
    let turned = run(&mut bench, &watch("a", 80), 100).await;
    let verdicts: Vec<_> = turned.iter().map(|it| it.1).collect();
    assert_eq!(verdicts, [Verdict::Online, Verdict::Degraded]);
    let intervals = [10, 10, 3, 3, 3, 10, 10].map(|it| it * SECOND);
    bench.gaps(80).into_iter().zip(intervals).for_each(|(gap, it)| assert_jittered(gap, it));
}

#[tokio::test(start_paused = true)]
async fn what_is_held_down_stays_so() {
    use Outcome::{Failed, Passed};
    let outcomes = HashMap::from([(80, vec![Passed, Failed, Passed, Failed, Passed])]);
    let mut bench = Bench::start(Script { outcomes, ..Script::default() });
    let flap = Flap { count: 1, window: 600 * SECOND, hold_down: 60 * SECOND, max: 60 * SECOND };
    let flapping = otherwise(&watch("a", 80), SECOND, |it| {
        (it.tolerated_failures, it.required_successes, it.flap) = (0, 1, flap);
    });
    let turned = run(&mut bench, &flapping, 150).await;
    let [.., (down, Verdict::Degraded), (up, Verdict::Online)] = turned[..] else {
        panic!("{turned:?}")
    };
    assert!(turned.len() == 5 && up - down >= 60, "{turned:?}");
}

#[tokio::test(start_paused = true)]
async fn who_leaves_others_takes_along_what_is_known() {
    let outcomes = HashMap::from([(80, vec![Outcome::Passed, Outcome::Failed])]);
    let mut bench = Bench::start(Script { outcomes, ..Script::default() });
    let [a, b] = ["a", "b"].map(|it| watch(it, 80));
    bench.handle.watch(vec![a.clone(), b.clone()]);
    // One failure is to come.
    while bench.starts(80).len() < 4 {
        sleep(SECOND).await;
    }
    while timeout(TENTH, bench.changes.recv()).await.is_ok() {}
    bench.handle.watch(vec![otherwise(&a, SECOND, |_| {}), b.clone()]);
    let told: Vec<_> = [bench.changes.recv().await, bench.changes.recv().await].into();
    let told: Vec<_> = told.into_iter().flatten().map(|it| (it.key, it.verdict)).collect();
    assert!(told.iter().all(|it| it.1 == Verdict::Degraded) && told[0].0 != told[1].0, "{told:?}");
    assert!(bench.starts(80).len() <= 6, "one more of each");
}

/// A change that nobody has taken yet counts as told, also where its endpoint goes to others that know better.
#[tokio::test(start_paused = true)]
async fn what_is_on_its_way_is_known_to_have_been_told() {
    let outcomes = HashMap::from([(80, vec![Outcome::Failed])]);
    let mut bench = Bench::start(Script { outcomes, ..Script::default() });
    let (a, b) = (watch("a", 80), watch("b", 81));
    bench.handle.watch(vec![a.clone(), b.clone()]);
    sleep(11 * SECOND).await;
    let joined = Watch { target: b.target.clone(), ..a };
    bench.handle.watch(vec![joined, b]);
    let mut last = HashMap::new();
    while let Ok(Some(change)) = timeout(SECOND, bench.changes.recv()).await {
        last.insert(change.key, change.verdict);
    }
    assert_eq!(last[&key("a")], Verdict::Online);
}
