use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use prometheus::Registry;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::clock::Clock;
use crate::metrics::{ControlMetrics, ProbeMetrics};
use crate::model::{Change as Field, EndpointStatus, Forced, Model, Overrides, Timestamp, Verdict};
use crate::probe::{Prober, VerdictChange};
use crate::settings::load_text;
use crate::snapshot::{Live, Snapshot};
use crate::store::Store;
use crate::supervision::Heart;

const CONFIG: &str = r#"
[[zone]]
name = "z."
nameservers = ["ns.elsewhere."]
[[site]]
name = "sea"
[monitor.tcp]
protocol = "tcp"
port = 9
[[profile]]
name = "app.z."
method = "weighted"
monitor = "tcp"
endpoint = [{ name = "a", site = "sea", target = "127.0.0.1" }, { name = "b", target = "127.0.0.2" }]
[[profile]]
name = "www.z."
method = "priority"
monitor = "tcp"
endpoint = [{ name = "a", site = "sea", target = "127.0.0.1" }]
"#;

fn model(text: &str) -> Model {
    load_text(Path::new("farol.toml"), text).unwrap().model
}

fn world() -> World {
    World::new(&model(CONFIG), Overrides::default(), 1, 7, Timestamp(0))
}

fn stamp() -> Stamp {
    Stamp { by: "ann".to_owned(), reason: None, at: Timestamp(0) }
}

fn key(profile: &str, endpoint: &str) -> EndpointKey {
    EndpointKey { profile: profile.parse().unwrap(), endpoint: endpoint.parse().unwrap() }
}

fn drain(drained: bool) -> Change {
    Change::Site { name: "sea".parse().unwrap(), drained }
}

/// The statuses of a profile's endpoints, by initial.
fn statuses(snapshot: &Snapshot, profile: &str) -> String {
    let table = snapshot.profile(&profile.parse().unwrap()).unwrap();
    table.endpoints.iter().map(|it| it.status.label().chars().next().unwrap()).collect()
}

/// What the prober would say of an endpoint.
fn verdict(world: &World, profile: &str, endpoint: &str, verdict: Verdict) -> VerdictChange {
    let key = key(profile, endpoint);
    let table = world.snapshot().profile(&key.profile).unwrap();
    let at = table.position(&key.endpoint).unwrap();
    let probed = table.endpoints[at].facts.probed.clone();
    VerdictChange { key, verdict, at: Timestamp(0), reason: None, probed }
}

#[test]
fn verdicts_are_published_together_and_touch_only_their_profile() {
    let mut world = world();
    let before = world.snapshot().clone();
    world.observe(&verdict(&world, "app.z.", "a", Verdict::Degraded));
    world.observe(&verdict(&world, "app.z.", "b", Verdict::Online));
    assert!(world.is_edited());
    let transitions = world.publish(Timestamp(5)).transitions;
    let after = world.snapshot();
    assert_eq!((before.generation, after.generation), (1, 2));
    assert_eq!(
        (statuses(&before, "app.z."), statuses(after, "app.z.")),
        ("CC".into(), "DO".into())
    );
    assert_eq!(transitions.len(), 2);
    assert_eq!(
        (transitions[0].from, transitions[0].to),
        (EndpointStatus::CheckingEndpoint, EndpointStatus::Degraded)
    );
    assert!(Arc::ptr_eq(&before.zones, &after.zones));
    let www = |it: &Snapshot| it.profile(&"www.z.".parse().unwrap()).unwrap().clone();
    assert!(Arc::ptr_eq(&www(&before), &www(after)));
}

#[test]
fn a_drain_moves_every_endpoint_of_its_site() {
    let mut world = world();
    for (drained, app, www) in [(true, "DC", "D"), (false, "CC", "C")] {
        let mut overrides = world.overrides().clone();
        world.plan(&mut overrides, &drain(drained), &stamp()).unwrap();
        world.override_with(overrides);
        world.publish(Timestamp(1));
        assert_eq!(statuses(world.snapshot(), "app.z."), app);
        assert_eq!(statuses(world.snapshot(), "www.z."), www);
        assert_eq!(world.snapshot().sites[0].drained.is_some(), drained);
    }
}

#[test]
fn what_does_not_exist_cannot_be_changed() {
    let world = world();
    let change =
        |profile, endpoint| Change::Endpoint(key(profile, endpoint), EndpointChange::default());
    let mut overrides = Overrides::default();
    let mut refused =
        |change: Change| world.plan(&mut overrides, &change, &stamp()).unwrap_err().to_string();
    assert_eq!(refused(change("no.z.", "a")), "no profile is called `no.z.`");
    assert_eq!(refused(change("app.z.", "c")), "profile `app.z.` has no endpoint `c`");
    let site = Change::Site { name: "sae".parse().unwrap(), drained: true };
    assert_eq!(refused(site), "no site is called `sae`");
    assert_eq!(overrides, Overrides::default());
}

#[test]
fn an_override_of_what_is_gone_is_shown_and_can_be_cleared() {
    let mut world = world();
    let change = |weight| {
        let change = EndpointChange { weight, ..EndpointChange::default() };
        Change::Endpoint(key("app.z.", "b"), change)
    };
    let mut overrides = Overrides::default();
    for change in [change(Field::Set(9)), drain(true)] {
        world.plan(&mut overrides, &change, &stamp()).unwrap();
    }
    world.override_with(overrides);
    let text = CONFIG
        .replace("[[site]]\nname = \"sea\"", "")
        .replace("site = \"sea\", ", "")
        .replace(", { name = \"b\", target = \"127.0.0.2\" }", "");
    let (diff, _) = world.reload(&model(&text), Timestamp(1));
    assert_eq!(diff.unmatched, ["app.z. b", "sea"]);
    assert_eq!(diff.overridden, Vec::<String>::new());
    assert_eq!(*world.snapshot().unmatched_overrides, *diff.unmatched);

    let mut overrides = world.overrides().clone();
    assert!(world.plan(&mut overrides, &change(Field::Set(1)), &stamp()).is_err());
    assert!(world.plan(&mut overrides, &drain(true), &stamp()).is_err());
    world.plan(&mut overrides, &change(Field::Clear), &stamp()).unwrap();
    world.plan(&mut overrides, &drain(false), &stamp()).unwrap();
    world.override_with(overrides);
    world.publish(Timestamp(2));
    assert!(world.snapshot().unmatched_overrides.is_empty());
    assert_eq!(*world.overrides(), Overrides::default());
}

#[test]
fn a_reload_tells_what_overrides_beat_and_nothing_else() {
    let mut world = world();
    let mut overrides = Overrides::default();
    let change = EndpointChange {
        weight: Field::Set(9),
        priority: Field::Set(7),
        enabled: Field::Set(true),
        forced: Field::Set(Forced::Down),
    };
    let same = EndpointChange { enabled: Field::Set(true), ..EndpointChange::default() };
    for change in [
        Change::Endpoint(key("app.z.", "b"), change),
        Change::Endpoint(key("app.z.", "a"), same),
        drain(true),
    ] {
        world.plan(&mut overrides, &change, &stamp()).unwrap();
    }
    world.override_with(overrides);
    let b = "app.z. b: weight 9 over 1, priority 7 over 2, forced down";
    let (diff, _) = world.reload(&model(CONFIG), Timestamp(1));
    assert_eq!(diff.overridden, [b, "sea: drained"]);
    let text = CONFIG.replace("{ name = \"b\",", "{ name = \"b\", weight = 9, enabled = false,");
    let (diff, _) = world.reload(&model(&text), Timestamp(1));
    let b = "app.z. b: priority 7 over 2, enabled true over false, forced down";
    assert_eq!(diff.overridden, [b, "sea: drained"]);
}

#[test]
fn the_edges_of_failing_open_are_told() {
    let mut world = world();
    let mut edges = Vec::new();
    for say in [Verdict::Online, Verdict::Degraded, Verdict::Degraded, Verdict::Online] {
        world.observe(&verdict(&world, "www.z.", "a", say));
        edges.extend(world.publish(Timestamp(1)).fail_open);
    }
    let www: Name = "www.z.".parse().unwrap();
    assert_eq!(edges, [(www.clone(), true), (www, false)]);
}

#[test]
fn a_reload_keeps_what_is_known_of_what_stays() {
    let mut world = world();
    let mut overrides = Overrides::default();
    let weight = EndpointChange { weight: Field::Set(9), ..EndpointChange::default() };
    world.plan(&mut overrides, &Change::Endpoint(key("app.z.", "b"), weight), &stamp()).unwrap();
    world.override_with(overrides);
    for (endpoint, say) in [("a", Verdict::Degraded), ("b", Verdict::Degraded)] {
        world.observe(&verdict(&world, "app.z.", endpoint, say));
    }
    let table = |world: &World, name: &str| {
        world.snapshot().profile(&name.parse().unwrap()).unwrap().clone()
    };
    world.publish(Timestamp(1));
    let before = table(&world, "app.z.");
    before.counters.count(crate::snapshot::Worker(0), 1);

    // b comes first, a goes elsewhere, c is new, www.z. is gone.
    let text = CONFIG
        .split("[[profile]]\nname = \"www.z.\"").next().unwrap()
        .replace("endpoint = [{ name = \"a\", site = \"sea\", target = \"127.0.0.1\" }, { name = \"b\", target = \"127.0.0.2\" }]",
            "endpoint = [{ name = \"b\", target = \"127.0.0.2\" }, { name = \"a\", target = \"127.0.0.9\" }, { name = \"c\", target = \"127.0.0.3\" }]");
    let (diff, _) = world.reload(&model(&text), Timestamp(2));
    let after = table(&world, "app.z.");
    assert_eq!(statuses(world.snapshot(), "app.z."), "DCC");
    assert_eq!((after.endpoints[0].since, after.endpoints[0].weight), (Timestamp(1), 9));
    assert_eq!(after.counters.answers(0), 1, "answers are counted on");
    assert!(Arc::ptr_eq(&after.endpoints[0].facts.probed, &before.endpoints[1].facts.probed));
    assert!(!Arc::ptr_eq(&after.endpoints[1].facts.probed, &before.endpoints[0].facts.probed));
    assert_eq!(diff.changed, ["app.z.".parse().unwrap()]);
    assert_eq!((diff.added.len(), diff.removed.clone()), (0, vec!["www.z.".parse().unwrap()]));
    assert_eq!(diff.overridden, ["app.z. b: weight 9 over 1"]);
    assert!(diff.zones_or_sites, "the serial follows the configuration");

    // A late word on the place where a was says nothing about where it is now.
    let late = VerdictChange {
        key: key("app.z.", "a"),
        verdict: Verdict::Online,
        at: Timestamp(0),
        reason: None,
        probed: before.endpoints[0].facts.probed.clone(),
    };
    world.observe(&late);
    world.publish(Timestamp(3));
    assert_eq!(statuses(world.snapshot(), "app.z."), "DCC");
}

#[test]
fn probing_otherwise_at_the_same_place_keeps_the_verdict() {
    let mut world = world();
    world.observe(&verdict(&world, "www.z.", "a", Verdict::Degraded));
    world.reload(&model(&CONFIG.replace("port = 9", "port = 9\ninterval = \"1m\"")), Timestamp(1));
    assert_eq!(statuses(world.snapshot(), "www.z."), "D");
    let watch = world.watches().into_iter().find(|it| it.key == key("www.z.", "a")).unwrap();
    assert_eq!(
        (watch.verdict, watch.target.monitor.interval),
        (Verdict::Degraded, Duration::from_secs(60))
    );
}

/// Notes what is asked of it; an id of `refused` can't be had.
struct Notes(Arc<Mutex<Vec<&'static str>>>);

impl Surroundings for Notes {
    fn begin(&mut self) {
        self.0.lock().unwrap().push("begin");
    }

    fn prepare(&mut self, settings: &Settings) -> Result<(), String> {
        self.0.lock().unwrap().push("prepare");
        match settings.server.id.as_deref() {
            Some("refused") => Err("no such address".to_owned()),
            _ => Ok(()),
        }
    }

    fn commit(&mut self, _: &Settings) {
        self.0.lock().unwrap().push("commit");
    }

    fn end(&mut self, taken: bool) {
        self.0.lock().unwrap().push(if taken { "taken" } else { "kept" });
    }
}

/// A control task over a store in a temporary directory, its verdicts said by the test.
struct Running {
    handle: Handle,
    live: Arc<Live>,
    verdicts: mpsc::Sender<VerdictChange>,
    config: Arc<Mutex<String>>,
    /// What was called of the surroundings, in order.
    calls: Arc<Mutex<Vec<&'static str>>>,
    dir: tempfile::TempDir,
    stop: CancellationToken,
    tasks: JoinSet<()>,
}

impl Running {
    fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let config = Arc::new(Mutex::new(CONFIG.to_owned()));
        let text = config.clone();
        let file = dir.path().join("farol.toml");
        let load = move || {
            std::fs::write(&file, &*text.lock().unwrap()).unwrap();
            load_from(vec![file.clone()])()
        };
        Self::start_with(dir, config, Arc::new(load))
    }

    fn start_with(dir: tempfile::TempDir, config: Arc<Mutex<String>>, load: Load) -> Self {
        let store = Arc::new(Store::open(dir.path()).unwrap());
        let world = world();
        let live = Arc::new(Live::new(world.snapshot().clone(), 1));
        let registry = Registry::new();
        let metrics = ControlMetrics::register(&registry, Timestamp(0)).unwrap();
        let probes = ProbeMetrics::register(&registry).unwrap();
        let (verdicts, heard) = mpsc::channel(16);
        // A prober that is never run: only the test says verdicts.
        let (_, watch) = Prober::new(Clock::start(), probes, verdicts.clone(), 1);
        let calls = Arc::default();
        let settings = load_text(Path::new("farol.toml"), CONFIG).unwrap();
        let parts = Parts {
            live: live.clone(),
            store,
            prober: watch,
            verdicts: heard,
            load,
            running: super::Running::of(&settings),
            surroundings: Box::new(Notes(Arc::clone(&calls))),
            reading: tokio::sync::watch::Sender::default(),
            heart: Heart::new("control"),
            metrics,
        };
        let (control, handle) = Control::new(world, parts);
        let (stop, mut tasks) = (CancellationToken::new(), JoinSet::new());
        tasks.spawn(control.run(stop.clone()));
        Self { handle, live, verdicts, config, calls, dir, stop, tasks }
    }

    async fn stop(mut self) -> tempfile::TempDir {
        self.stop.cancel();
        while self.tasks.join_next().await.is_some() {}
        self.dir
    }
}

#[tokio::test]
async fn a_change_is_live_and_durable_when_it_is_acknowledged() {
    let running = Running::start();
    let change = EndpointChange { forced: Field::Set(Forced::Down), ..EndpointChange::default() };
    let change = Change::Endpoint(key("app.z.", "a"), change);
    let made = running.handle.change(change, stamp()).await.unwrap();
    assert_eq!((made.generation, running.live.load().generation), (2, 2));
    assert_eq!(statuses(&running.live.load(), "app.z."), "DC");
    let dir = running.stop().await;
    let stored = Store::open(dir.path()).unwrap().load().unwrap().overrides;
    assert!(stored.endpoints[&key("app.z.", "a")].forced.is_some());
}

#[tokio::test]
async fn a_change_that_cannot_be_stored_is_not_made() {
    let running = Running::start();
    let file = running.dir.path().join("overrides.json");
    std::fs::create_dir(&file).unwrap();
    let refused = running.handle.change(drain(true), stamp()).await.unwrap_err();
    assert!(matches!(refused, ChangeError::NotStored(_)));
    assert_eq!(statuses(&running.live.load(), "www.z."), "C");
    std::fs::remove_dir(&file).unwrap();
    running.handle.change(drain(true), stamp()).await.unwrap();
    assert_eq!(statuses(&running.live.load(), "www.z."), "D");
}

#[tokio::test(start_paused = true)]
async fn a_burst_of_verdicts_is_one_publication() {
    let running = Running::start();
    let world = world();
    for endpoint in ["a", "b"] {
        let mut change = verdict(&world, "app.z.", endpoint, Verdict::Degraded);
        let live = running.live.load();
        let table = live.profile(&change.key.profile).unwrap();
        change.probed =
            table.endpoints[table.position(&change.key.endpoint).unwrap()].facts.probed.clone();
        running.verdicts.send(change).await.unwrap();
    }
    while running.live.load().generation == 1 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(running.live.load().generation, 2);
    assert_eq!(statuses(&running.live.load(), "app.z."), "DD");
}

#[tokio::test]
async fn a_broken_reload_keeps_what_runs() {
    let running = Running::start();
    *running.config.lock().unwrap() = CONFIG.replace("weighted", "wieghted");
    let refused = running.handle.reload().await.unwrap_err().to_string();
    assert!(refused.contains("wieghted"), "{refused}");
    assert_eq!(running.live.load().generation, 1);
    *running.config.lock().unwrap() = CONFIG.replace("www.z.", "new.z.");
    let diff = running.handle.reload().await.unwrap();
    assert_eq!((diff.added.len(), diff.removed.len(), diff.changed.len()), (1, 1, 0));
    assert_eq!(running.live.load().generation, 2);
}

#[tokio::test]
async fn every_reload_that_is_asked_for_is_done() {
    let running = Running::start();
    *running.config.lock().unwrap() = format!("[server]\ntcp_max_connections = 7\n{CONFIG}");
    let asked: Vec<_> = (0..8).map(|_| running.handle.clone()).collect();
    let mut tasks = JoinSet::new();
    for handle in asked {
        tasks.spawn(async move { handle.reload().await.map(|it| it.needs_restart) });
    }
    while let Some(done) = tasks.join_next().await {
        assert_eq!(done.unwrap().unwrap(), ["server.tcp_max_connections"]);
    }
}

#[tokio::test]
async fn what_a_reload_needs_is_had_before_anything_changes() {
    let running = Running::start();
    let with_id = |id: &str| format!("[server]\nid = \"{id}\"\n{}", CONFIG.replace("www", "new"));
    *running.config.lock().unwrap() = with_id("refused");
    let refused = running.handle.reload().await.unwrap_err();
    assert_eq!(refused.to_string(), "no such address");
    assert_eq!(
        (running.live.load().generation, statuses(&running.live.load(), "www.z.")),
        (1, "C".into())
    );
    *running.config.lock().unwrap() = with_id("x");
    running.handle.reload().await.unwrap();
    let calls = running.calls.lock().unwrap().join(" ");
    assert_eq!(calls, "begin prepare kept begin prepare commit taken");
}

#[tokio::test]
async fn looking_again_takes_only_what_is_new() {
    let running = Running::start();
    running.handle.reload().await.unwrap();
    let generation = || running.live.load().generation;
    assert_eq!(generation(), 2);
    running.handle.look_again().await;
    running.handle.look_again().await;
    *running.config.lock().unwrap() = CONFIG.replace("www", "new");
    running.handle.look_again().await;
    while generation() == 2 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    *running.config.lock().unwrap() = "nonsense".to_owned();
    running.handle.look_again().await;
    running.handle.look_again().await;
    *running.config.lock().unwrap() = CONFIG.to_owned();
    running.handle.look_again().await;
    while generation() == 3 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let calls = running.calls.clone();
    running.stop().await;
    let calls = calls.lock().unwrap().join(" ");
    // Whether the nonsense was seen in time depends on who is faster; what is the same is never taken twice.
    let seen = calls.replace("begin kept ", "");
    assert_eq!(seen, "begin prepare commit taken ".repeat(3).trim_end());
}

#[tokio::test]
async fn another_prober_goes_on_from_what_is_believed() {
    let mut running = Running::start();
    *running.config.lock().unwrap() = CONFIG.replace("port = 9", "port = 9\ninterval = \"1s\"");
    running.handle.reload().await.unwrap();
    let change = |world: &Snapshot, say| {
        let table = world.profile(&"www.z.".parse().unwrap()).unwrap();
        let probed = table.endpoints[0].facts.probed.clone();
        VerdictChange {
            key: key("www.z.", "a"),
            verdict: say,
            at: Timestamp(0),
            reason: None,
            probed,
        }
    };
    // The last word of the former prober, which control may not have heard yet.
    running.verdicts.send(change(&running.live.load(), Verdict::Online)).await.unwrap();
    let metrics = ProbeMetrics::register(&Registry::new()).unwrap();
    let (prober, watch) = Prober::new(Clock::start(), metrics, running.verdicts.clone(), 8);
    running.handle.probe_with(watch);
    running.tasks.spawn(prober.run(running.stop.clone()));
    // It would say nothing of an endpoint that it believes to be down already.
    while statuses(&running.live.load(), "www.z.") != "D" {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[test]
fn a_reload_waits_for_a_change_that_is_being_written() {
    // One blocking thread, so that the test decides what is done when: reading, something else, writing.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(1)
        .build()
        .unwrap();
    let ((go, wait), (begun, begins)) = (std::sync::mpsc::channel(), std::sync::mpsc::channel());
    let (release, held) = std::sync::mpsc::channel::<()>();
    let wait = Mutex::new(wait);
    let load: Load = Arc::new(move || {
        wait.lock().unwrap().recv().unwrap();
        (load_text(Path::new("farol.toml"), CONFIG), Reading::default())
    });
    runtime.block_on(async {
        let running = Running::start_with(tempfile::tempdir().unwrap(), Arc::default(), load);
        let turns = async || {
            for _ in 0..100 {
                tokio::task::yield_now().await;
            }
        };
        let mut asked = JoinSet::new();
        let handle = running.handle.clone();
        asked.spawn(async move { handle.reload().await.unwrap().generation });
        turns().await;
        let other = tokio::task::spawn_blocking(move || {
            begun.send(()).unwrap();
            held.recv().unwrap();
        });
        let handle = running.handle.clone();
        asked.spawn(async move { handle.change(drain(true), stamp()).await.unwrap().generation });
        turns().await;
        go.send(()).unwrap();
        begins.recv().unwrap();
        turns().await;
        assert_eq!(
            running.live.load().generation,
            1,
            "the files are read, the change is not written"
        );
        release.send(()).unwrap();
        other.await.unwrap();
        let first = asked.join_next().await.unwrap().unwrap();
        let second = asked.join_next().await.unwrap().unwrap();
        assert_eq!((first, second), (2, 3));
        assert_eq!(statuses(&running.live.load(), "www.z."), "D");
    });
}
