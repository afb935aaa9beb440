use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use prometheus::Registry;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::clock::Clock;
use crate::health::{Belief, Cause, Outcome, Phase, PhaseTimes, ProbeResult};
use crate::metrics::StateMetrics;
use crate::model::{EndpointKey, Model, Moment, Now, Overrides, ProbeHost, Timestamp, Verdict};
use crate::probe::VerdictChange;
use crate::settings::load_text;
use crate::snapshot::Live;
use crate::store::{Kept, Known, Memory, Store};

const CONFIG: &str = r#"
[[zone]]
name = "z."
nameservers = ["ns.elsewhere."]
[[profile]]
name = "app.z."
method = "weighted"
monitor = { protocol = "tcp", port = 9 }
endpoint = [{ name = "a", target = "127.0.0.1" }, { name = "b", target = "127.0.0.2" }]
"#;
const MINUTE: Duration = Duration::from_secs(60);
const NOW: Timestamp = Timestamp(1_777_636_800_000);

fn model() -> Model {
    load_text(Path::new("farol.toml"), CONFIG).unwrap().model
}

fn key(endpoint: &str) -> EndpointKey {
    EndpointKey { profile: "app.z.".parse().unwrap(), endpoint: endpoint.parse().unwrap() }
}

/// A memory of both endpoints, `age` seconds before [`NOW`].
fn memory(a: Verdict, b: Verdict, age: i64) -> Memory {
    let as_of = Timestamp(NOW.0 - age * 1000);
    let kept = |name: &str, address: &str, verdict| {
        let probed = [address.parse().unwrap()].into();
        let known = Some(Known { verdict, as_of, probed, host: None });
        Kept { key: key(name), known, discovered: None, timeline: Arc::default() }
    };
    Memory {
        written: as_of,
        endpoints: vec![kept("a", "127.0.0.1:9", a), kept("b", "127.0.0.2:9", b)],
    }
}

fn start(memory: &Memory) -> World {
    let recall = Recall::new(memory, NOW, MINUTE);
    World::new(&model(), Overrides::default(), recall, 1, 7, Now::at(NOW.0))
}

fn passed() -> ProbeResult {
    ProbeResult {
        at: NOW,
        outcome: Outcome::Passed,
        phase: Phase::Connect,
        elapsed: Duration::ZERO,
        phases: PhaseTimes::default(),
        reason: None,
        refused: false,
        certificate_expires: None,
    }
}

fn statuses(world: &World) -> String {
    let table = world.snapshot().profile(&key("a").profile).unwrap();
    table.endpoints.iter().map(|it| it.status.label().chars().next().unwrap()).collect()
}

#[test]
fn a_start_serves_by_what_it_remembers() {
    use Verdict::{Degraded, Online};
    for (age, expected) in [(0, "DO"), (60, "DO"), (61, "DC"), (-60, "DO"), (-61, "DC")] {
        let world = start(&memory(Degraded, Online, age));
        assert_eq!(statuses(&world), expected, "{age} s old");
        // The prober starts from it too.
        let told: Vec<_> =
            world.watches().iter().map(|it| it.belief.verdict() == Degraded).collect();
        assert_eq!(told, [true, false]);
        let aged = Belief::aged(Degraded);
        let is_aged = world.watches().iter().any(|it| it.belief == aged);
        assert_eq!(is_aged, age.abs() > 60, "one success is enough after {age} s");
    }
}

#[test]
fn a_result_since_the_start_makes_an_old_word_fresh() {
    let world = start(&memory(Verdict::Degraded, Verdict::Online, 61));
    let is_aged = || world.watches()[0].belief == Belief::aged(Verdict::Degraded);
    assert!(is_aged());
    let table = world.snapshot().profile(&key("a").profile).unwrap();
    let failed = ProbeResult { outcome: Outcome::Failed, ..passed() };
    table.endpoints[0].facts.probed.record(Arc::new(failed), Moment::default(), None);
    assert!(!is_aged(), "a reload must not make it yield to one success");
}

#[test]
fn what_was_found_elsewhere_is_not_remembered() {
    let mut memory = memory(Verdict::Degraded, Verdict::Degraded, 0);
    let known = memory.endpoints[0].known.as_mut().unwrap();
    known.probed = ["127.0.0.1:10".parse().unwrap()].into();
    assert_eq!(statuses(&start(&memory)), "CD");
}

#[test]
fn what_was_found_under_another_name_is_not_remembered() {
    let text = CONFIG.replace("app.z.\"", "app.z.\"\nflatten = true");
    let model = |name: &str| {
        let text = text.replace("127.0.0.1", name);
        load_text(Path::new("farol.toml"), &text).unwrap().model
    };
    for (name, port, expected) in
        [("a.example.", 9, "DD"), ("b.example.", 9, "CD"), ("a.example.", 8, "CD")]
    {
        let mut memory = memory(Verdict::Degraded, Verdict::Degraded, 0);
        let known = memory.endpoints[0].known.as_mut().unwrap();
        known.probed = [].into();
        known.host = Some(Arc::new(ProbeHost { name: "a.example.".parse().unwrap(), port }));
        let recall = Recall::new(&memory, NOW, MINUTE);
        let none = Overrides::default();
        let world = World::new(&model(name), none, recall, 1, 7, Now::at(NOW.0));
        assert_eq!(statuses(&world), expected, "{name} {port}");
    }
}

#[test]
fn what_failed_is_remembered_while_an_address_of_it_is_left() {
    use Verdict::{Degraded, Online};
    for (verdict, is_remembered) in [(Degraded, "D"), (Online, "C")] {
        let mut memory = memory(verdict, Degraded, 0);
        let known = memory.endpoints[0].known.as_mut().unwrap();
        known.probed = ["127.0.0.9:9", "127.0.0.1:9"].map(|it| it.parse().unwrap()).into();
        assert_eq!(statuses(&start(&memory)), format!("{is_remembered}D"));
    }
}

#[test]
fn what_is_remembered_counts_at_the_start_only() {
    let mut world = start(&memory(Verdict::Degraded, Verdict::Degraded, 0));
    assert_eq!(statuses(&world), "DD");
    let elsewhere = CONFIG.replace("127.0.0.1", "127.0.0.3");
    for text in [&elsewhere, CONFIG] {
        world.reload(&load_text(Path::new("farol.toml"), text).unwrap().model, Now::at(NOW.0));
        assert_eq!(statuses(&world), "CD", "what was true before may have changed meanwhile");
    }
}

#[tokio::test(start_paused = true)]
async fn a_verdict_takes_the_place_of_what_is_remembered() {
    let mut world = start(&memory(Verdict::Degraded, Verdict::Degraded, 61));
    // Of an endpoint that shares its probes: nothing was heard of this one yet.
    let (key, probed) = (key("a"), world.watches()[0].probed.clone());
    let verdict = Verdict::Degraded;
    world.observe(&VerdictChange { key, verdict, doubt: None, at: NOW, reason: None, probed });
    world.publish(Now::at(NOW.0));
    let beliefs: Vec<_> = world.watches().iter().map(|it| it.belief).collect();
    assert_eq!(beliefs, [Belief::fresh(verdict), Belief::aged(verdict)]);

    let dir = tempfile::tempdir().unwrap();
    let kept = keep(keeper(&world, dir.path(), MINUTE)).await;
    let keys: Vec<_> = kept.endpoints.iter().map(|it| it.key.endpoint.to_string()).collect();
    assert_eq!(keys, ["b"], "nobody knows when the other one was true");
}

#[tokio::test(start_paused = true)]
async fn what_no_probe_says_is_not_kept_and_a_timeline_is() {
    let text = CONFIG.replace(
        "target = \"127.0.0.1\"",
        "target = \"127.0.0.1\", monitor = { protocol = \"none\" }",
    );
    let model = load_text(Path::new("farol.toml"), &text).unwrap().model;
    let mut world =
        World::new(&model, Overrides::default(), Recall::default(), 1, 7, Now::at(NOW.0));
    let dir = tempfile::tempdir().unwrap();
    let keeper = keeper(&world, dir.path(), MINUTE);
    let table = world.snapshot().profile(&key("a").profile).unwrap().clone();
    for state in &table.endpoints {
        state.facts.probed.record(Arc::new(passed()), keeper.clock.now(), None);
    }
    let turned = world::Transition {
        key: key("b"),
        site: None,
        child: None,
        at: NOW,
        from: crate::model::EndpointStatus::Degraded,
        since: NOW,
        to: crate::model::EndpointStatus::Online,
    };
    keeper.timelines.add([(&turned, Cause::Reload)].into_iter());
    let probed = table.endpoints[0].facts.probed.clone();
    let verdict = Verdict::Degraded;
    world.observe(&VerdictChange {
        key: key("a"),
        verdict,
        doubt: None,
        at: NOW,
        reason: None,
        probed,
    });
    world.publish(Now::at(NOW.0));
    keeper.live.publish(world.snapshot().clone());
    let kept = keep(keeper).await.endpoints;
    assert_eq!((kept.len(), &kept[0].key, kept[0].known.is_none()), (1, &key("b"), true));
    assert!(!kept[0].timeline.is_empty());
}

#[test]
fn an_endpoint_that_is_another_one_after_the_start_has_turned() {
    let mut memory = memory(Verdict::Degraded, Verdict::Online, 0);
    for kept in &mut memory.endpoints {
        let turn = crate::health::Turn {
            at: Timestamp(5),
            from: crate::model::EndpointStatus::Degraded,
            since: None,
            to: crate::model::EndpointStatus::Online,
            cause: Cause::Reload,
        };
        kept.timeline = Arc::new([turn].into_iter().collect());
    }
    let timelines = Timelines::resume(memory.clone(), &start(&memory), NOW);
    let last = |name| timelines.get(&key(name)).unwrap().last().unwrap().clone();
    assert_eq!((last("a").at, last("a").since), (NOW, Some(Timestamp(5))));
    assert_eq!(last("a").cause, Cause::Start);
    assert_eq!((last("b").at, last("b").cause), (Timestamp(5), Cause::Reload));
}

/// A keeper over a store in a temporary directory.
fn keeper(world: &World, dir: &Path, max_age: Duration) -> Keeper {
    Keeper {
        live: Arc::new(Live::new(world.snapshot().clone(), 1)),
        timelines: Arc::default(),
        store: Arc::new(Store::open(dir).unwrap()),
        clock: Clock::start(),
        max_age,
        metrics: StateMetrics::register(&Registry::new(), &[]).unwrap(),
    }
}

/// What is on the disk once the keeper was stopped.
async fn keep(keeper: Keeper) -> Memory {
    let (store, stop) = (keeper.store.clone(), CancellationToken::new());
    stop.cancel();
    keeper.run(stop).await;
    store.load_memory().unwrap().stored.unwrap()
}

#[tokio::test(start_paused = true)]
async fn what_is_remembered_grows_no_younger_by_being_kept() {
    let dir = tempfile::tempdir().unwrap();
    let before = memory(Verdict::Degraded, Verdict::Online, 30);
    let world = start(&before);
    let keeper = keeper(&world, dir.path(), MINUTE);
    let table = world.snapshot().profile(&key("a").profile).unwrap().clone();
    let heard = passed();
    table.endpoints[1].facts.probed.record(Arc::new(heard), keeper.clock.now(), None);
    tokio::time::advance(Duration::from_secs(20)).await;
    let kept = keep(keeper).await;
    let as_of = |at: usize| kept.endpoints[at].known.as_ref().unwrap().as_of.0;
    assert!(as_of(0).abs_diff(NOW.0 - 30_000) <= 1000, "not borne out yet");
    assert!(as_of(1).abs_diff(kept.written.0 - 20_000) <= 1000, "borne out 20 s ago");
    let verdicts = kept.endpoints.iter().map(|it| it.known.as_ref().unwrap().verdict);
    assert_eq!(verdicts.collect::<Vec<_>>(), [Verdict::Degraded, Verdict::Online]);
}

#[tokio::test(start_paused = true)]
async fn a_short_memory_is_written_in_time() {
    let dir = tempfile::tempdir().unwrap();
    let world = start(&memory(Verdict::Online, Verdict::Online, 0));
    let keeper = keeper(&world, dir.path(), Duration::from_secs(4));
    let store = keeper.store.clone();
    std::fs::create_dir(dir.path().join("verdicts.json")).unwrap();
    let run = keeper.run(CancellationToken::new());
    let _ = tokio::time::timeout(Duration::from_millis(10_500), run).await;
    assert_eq!(store.report().writes[1].failures, 10, "four times before it is forgotten");
}

#[tokio::test(start_paused = true)]
async fn a_burst_is_one_write_and_silence_is_a_write_now_and_then() {
    let dir = tempfile::tempdir().unwrap();
    let world = start(&memory(Verdict::Online, Verdict::Online, 0));
    let keeper = keeper(&world, dir.path(), 40 * MINUTE);
    let (store, timelines) = (keeper.store.clone(), keeper.timelines.clone());
    let stop = CancellationToken::new();
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(keeper.run(stop.clone()));
    let writes = || store.report().writes[1].failures;
    // Each write fails, and is counted by that.
    std::fs::create_dir(dir.path().join("verdicts.json")).unwrap();
    for _ in 0..10 {
        timelines.notify();
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(writes(), 1, "ten changes");
    tokio::time::sleep(20 * MINUTE).await;
    assert_eq!(writes(), 3, "every quarter of 40 minutes");
    std::fs::remove_dir(dir.path().join("verdicts.json")).unwrap();
    timelines.notify();
    tokio::time::sleep(Duration::from_secs(5)).await;
    let report = store.report();
    assert!(report.is_well() && report.writes[1].succeeded.is_some(), "{report:?}");
    stop.cancel();
    while tasks.join_next().await.is_some() {}
}
