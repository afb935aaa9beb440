use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use prometheus::Registry;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::tests::{CONFIG, drain, key, model, stamp, statuses, until, verdict, world};
use super::*;
use crate::clock::Clock;
use crate::metrics::{ControlMetrics, Exposure, ProbeMetrics, StateMetrics};
use crate::model::{
    Change as Field, EndpointChange, Forced, Now, Overrides, Stamp, Timestamp, Verdict,
};
use crate::probe::{Prober, VerdictChange};
use crate::resolve::Wanted;
use crate::settings::load_text;
use crate::snapshot::{Live, Snapshot};
use crate::store::Store;
use crate::supervision::Heart;

/// Notes what is asked of it. An id of `refused` can't be had; one of `taken` can at the fifth attempt.
struct Notes(Arc<Mutex<Vec<&'static str>>>);

impl Surroundings for Notes {
    fn begin(&mut self) {
        self.0.lock().unwrap().push("begin");
    }

    fn prepare(&mut self, settings: &Settings) -> Result<(), String> {
        let mut calls = self.0.lock().unwrap();
        calls.push("prepare");
        let attempts = calls.iter().filter(|it| **it == "prepare").count();
        match settings.server.id.as_deref() {
            Some("refused") => Err("no such address".to_owned()),
            Some("taken") if attempts < 5 => Err("another has it".to_owned()),
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
    events: Arc<Events>,
    dir: tempfile::TempDir,
    stop: CancellationToken,
    tasks: JoinSet<()>,
}

impl Running {
    fn start() -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), world())
    }

    fn start_in(dir: tempfile::TempDir, world: World) -> Self {
        let config = Arc::new(Mutex::new(CONFIG.to_owned()));
        let text = config.clone();
        let file = dir.path().join("farol.toml");
        let load = move |in_force| {
            std::fs::write(&file, &*text.lock().unwrap()).unwrap();
            load_from(vec![file.clone()])(in_force)
        };
        Self::start_with(dir, config, Arc::new(load), world)
    }

    fn start_with(
        dir: tempfile::TempDir,
        config: Arc<Mutex<String>>,
        load: Load,
        world: World,
    ) -> Self {
        let store = Arc::new(Store::open(dir.path()).unwrap());
        let live = Arc::new(Live::new(world.snapshot().clone(), 1));
        let registry = Registry::new();
        let metrics = ControlMetrics::register(&registry, Timestamp(0)).unwrap();
        let probes = ProbeMetrics::register(&registry).unwrap();
        let (verdicts, heard) = mpsc::channel(16);
        // A prober that is never run: only the test says verdicts.
        let (_, watch) = Prober::new(Clock::start(), probes, verdicts.clone(), watch::channel(1).1);
        let (calls, events) = (Arc::default(), Arc::<Events>::default());
        let settings = load_text(Path::new("farol.toml"), CONFIG).unwrap();
        let (_, resolved) = mpsc::channel(16);
        let nothing = Wanted {
            names: Vec::new(),
            discovered: Vec::new(),
            servers: settings.resolver.clone(),
        };
        let parts = Parts {
            clock: Clock::start(),
            live: live.clone(),
            store,
            prober: watch,
            verdicts: heard,
            names: watch::Sender::new(nothing),
            resolved,
            load,
            running: super::Running::of(&settings),
            timelines: Arc::default(),
            events: Arc::clone(&events),
            surroundings: Box::new(Notes(Arc::clone(&calls))),
            reading: watch::Sender::default(),
            heart: Heart::new("control"),
            metrics,
            exposure: Arc::new(Exposure::new(true, false)),
            state_metrics: StateMetrics::register(&registry, &[]).unwrap(),
        };
        let (control, handle) = Control::new(world, parts);
        let (stop, mut tasks) = (CancellationToken::new(), JoinSet::new());
        tasks.spawn(control.run(stop.clone()));
        Self { handle, live, verdicts, config, calls, events, dir, stop, tasks }
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
    let made = running.handle.change(Request::new(change, stamp())).await.unwrap();
    assert_eq!((made.snapshot.generation, running.live.load().generation), (2, 2));
    assert_eq!(statuses(&running.live.load(), "app.z."), "DC");
    let dir = running.stop().await;
    let stored = Store::open(dir.path()).unwrap().load().unwrap().stored.unwrap();
    assert!(stored.endpoints[&key("app.z.", "a")].forced.is_some());
}

#[tokio::test]
async fn a_change_that_cannot_be_stored_is_not_made() {
    let running = Running::start();
    let file = running.dir.path().join("overrides.json");
    std::fs::create_dir(&file).unwrap();
    let refused = running.handle.change(Request::new(drain(true), stamp())).await.unwrap_err();
    assert!(matches!(refused, ChangeError::NotStored(_)));
    assert_eq!(statuses(&running.live.load(), "www.z."), "C");
    std::fs::remove_dir(&file).unwrap();
    running.handle.change(Request::new(drain(true), stamp())).await.unwrap();
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

#[tokio::test(start_paused = true)]
async fn what_ends_is_undone_at_once_and_on_the_disk_once_it_can_be() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("overrides.json");
    std::fs::create_dir(&file).unwrap();
    let mut world = world();
    world.override_with(until(1, &drain(true)));
    world.publish(Now::at(0));
    assert_eq!(statuses(world.snapshot(), "www.z."), "D");
    let running = Running::start_in(dir, world);
    assert_eq!(statuses(&running.live.load(), "www.z."), "C", "in force, whatever the disk does");
    tokio::time::sleep(Duration::from_secs(60)).await;
    std::fs::remove_dir(&file).unwrap();
    while !file.exists() {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let dir = running.stop().await;
    assert_eq!(Store::open(dir.path()).unwrap().load().unwrap().stored, Some(Overrides::default()));
}

#[tokio::test(start_paused = true)]
async fn a_change_that_ended_while_it_was_written_is_not_in_force() {
    let running = Running::start();
    let stamp = Stamp { expires: Some(Timestamp(1)), ..stamp() };
    running.handle.change(Request::new(drain(true), stamp)).await.unwrap();
    assert_eq!(statuses(&running.live.load(), "www.z."), "C");
    let dir = running.stop().await;
    let left = Store::open(dir.path()).unwrap().load().unwrap().stored.unwrap();
    let mut ended = left.clone();
    ended.expire(Timestamp(1));
    assert_eq!(ended, Overrides::default());
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
async fn a_reload_takes_over_tables_of_files_that_say_the_same() {
    let running = Running::start();
    let table = running.dir.path().join("latency.csv");
    let geo = "[geo]\nlatency_table = 'latency.csv'\n[[site]]\nname = 'west'\n";
    let read = async |mark: &str, milliseconds: u32| {
        std::fs::write(&table, format!("network,west\n10.0.0.0/8,{milliseconds}\n")).unwrap();
        *running.config.lock().unwrap() = format!("{geo}{CONFIG}\n# {mark}\n");
        running.handle.reload().await.unwrap();
        running.live.load().geography.latencies.clone()
    };
    let first = read("one", 7).await;
    assert!(Arc::ptr_eq(&read("two", 7).await, &first));
    assert!(!Arc::ptr_eq(&read("two", 8).await, &first));
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn files_that_were_refused_are_looked_at_again_until_they_are_taken() {
    let (reads, is_short) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(true)));
    let (counted, short) = (reads.clone(), is_short.clone());
    let load: Load = Arc::new(move |in_force| {
        counted.fetch_add(1, Ordering::Relaxed);
        let missing = vec![PathBuf::from("/missing/farol.toml")];
        match short.load(Ordering::Relaxed) {
            true => load_from(missing)(in_force),
            false => (load_text(Path::new("farol.toml"), CONFIG), Reading::default()),
        }
    });
    let running = Running::start_with(tempfile::tempdir().unwrap(), Arc::default(), load, world());
    let minutes = async |count: u64| tokio::time::sleep(Duration::from_secs(60 * count)).await;
    running.handle.reload().await.unwrap_err();
    minutes(10).await;
    assert_eq!(reads.load(Ordering::Relaxed), 1, "who asked was told, and may ask again");
    running.handle.look_again().await;
    minutes(60).await;
    let looks = reads.load(Ordering::Relaxed);
    assert!((10..30).contains(&looks), "{looks}");
    assert!(running.handle.refused_reload().is_some());
    is_short.store(false, Ordering::Relaxed);
    minutes(6).await;
    assert!(running.handle.refused_reload().is_none());
    let looks = reads.load(Ordering::Relaxed);
    minutes(60).await;
    assert_eq!(reads.load(Ordering::Relaxed), looks);
    let calls = running.calls.lock().unwrap().join(" ");
    // What is refused again for the same is told once.
    assert_eq!(calls, "begin kept begin prepare commit taken");
}

#[tokio::test(start_paused = true)]
async fn what_could_not_be_had_is_tried_again_though_the_files_say_nothing_new() {
    let running = Running::start();
    let refused_at = || running.handle.refused_reload().map(|it| it.at);
    let calls = || running.calls.lock().unwrap().clone();
    let until = async |attempts: usize| {
        let started = tokio::time::Instant::now();
        while calls().iter().filter(|it| **it == "prepare").count() < attempts {
            assert!(started.elapsed() < Duration::from_secs(3600), "{:?}", calls());
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        started.elapsed().as_secs()
    };
    *running.config.lock().unwrap() = format!("[server]\nid = \"taken\"\n{CONFIG}");
    running.handle.look_again().await;
    until(1).await;
    let first = refused_at();
    assert!(first.is_some());
    let waits = [until(2).await, until(3).await, until(4).await];
    assert_eq!(waits, [5, 10, 20]);
    assert_eq!(refused_at(), first, "what is refused again for the same is told once");
    assert_eq!(until(5).await, 40);
    assert_eq!((refused_at(), running.live.load().generation), (None, 2));
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert_eq!(calls()[12..], ["begin", "prepare", "commit", "taken"]);
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
            doubt: None,
            at: Timestamp(0),
            reason: None,
            probed,
        }
    };
    // The last words of the former prober, more than control could have heard by chance.
    let last = change(&running.live.load(), Verdict::Online);
    for _ in 0..16 {
        running.verdicts.send(last.clone()).await.unwrap();
    }
    let metrics = ProbeMetrics::register(&Registry::new()).unwrap();
    let (prober, watch) =
        Prober::new(Clock::start(), metrics, running.verdicts.clone(), watch::channel(8).1);
    running.handle.probe_with(watch);
    running.tasks.spawn(prober.run(running.stop.clone()));
    // It would say nothing of an endpoint that it believes to be down already.
    while statuses(&running.live.load(), "www.z.") != "D" {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let failed = last.probed.tally().failed;
    assert!(failed > 3, "{failed}: one failure turns nothing that is believed to be well");
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
    let load: Load = Arc::new(move |_| {
        wait.lock().unwrap().recv().unwrap();
        (load_text(Path::new("farol.toml"), CONFIG), Reading::default())
    });
    runtime.block_on(async {
        let running =
            Running::start_with(tempfile::tempdir().unwrap(), Arc::default(), load, world());
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
        asked.spawn(async move {
            handle.change(Request::new(drain(true), stamp())).await.unwrap().snapshot.generation
        });
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

#[tokio::test]
async fn a_failover_is_kept_and_a_failback_on_the_disk_when_it_is_acknowledged() {
    let manual = CONFIG.replace("\"weighted\"", "\"priority\"\nfailback = \"manual\"");
    let at_start =
        World::new(&model(&manual), Overrides::default(), Recall::default(), 1, 7, Now::at(0));
    let app = key("app.z.", "a").profile;
    let running = Running::start_in(tempfile::tempdir().unwrap(), at_start);
    let stored = || {
        let path = running.dir.path().join("overrides.json");
        std::fs::read_to_string(path).unwrap_or_default().replace(char::is_whitespace, "")
    };
    let change = |say| {
        let table = running.live.load().profile(&app).unwrap().clone();
        let probed = table.endpoints[0].facts.probed.clone();
        let (key, at) = (key("app.z.", "a"), Timestamp(0));
        VerdictChange { key, verdict: say, doubt: None, at, reason: None, probed }
    };
    running.verdicts.send(change(Verdict::Degraded)).await.unwrap();
    while !stored().contains(r#""a":["b"]"#) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    running.verdicts.send(change(Verdict::Online)).await.unwrap();
    let waits = || running.live.load().profile(&app).unwrap().awaits_failback();
    while !waits() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let failed_back =
        running.handle.change(Request::new(Change::FailBack(app.clone()), stamp())).await;
    assert_eq!(failed_back.unwrap().snapshot.generation, running.live.load().generation);
    assert!(!waits());
    assert!(!stored().contains(r#"["b"]"#), "{}", stored());
    let www = Change::FailBack(key("www.z.", "a").profile);
    let refused = running.handle.change(Request::new(www, stamp())).await.unwrap_err();
    assert!(refused.to_string().contains("fails back by itself"), "{refused}");
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_slow_start_after_a_quiet_day_makes_up_for_no_steps() {
    let config = CONFIG.replace("name = \"b\"", "name = \"b\", slow_start = \"60s\"");
    let none = Overrides::default();
    let at_start = World::new(&model(&config), none, Recall::default(), 1, 7, Now::at(0));
    let running = Running::start_in(tempfile::tempdir().unwrap(), at_start);
    tokio::time::sleep(Duration::from_secs(86_400)).await;
    let before = running.live.load();
    let table = before.profile(&key("app.z.", "b").profile).unwrap();
    let probed = table.endpoints[1].facts.probed.clone();
    for verdict in [Verdict::Degraded, Verdict::Online] {
        let (key, at, probed) = (key("app.z.", "b"), Timestamp(0), probed.clone());
        let change = VerdictChange { key, verdict, doubt: None, at, reason: None, probed };
        running.verdicts.send(change).await.unwrap();
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    let published = running.live.load().generation - before.generation;
    assert!((4..=10).contains(&published), "{published} snapshots in three seconds");
    running.stop().await;
}

#[tokio::test]
async fn a_change_is_undone_when_the_probes_find_worse_and_the_disk_knows_it() {
    let world = world();
    let worse = verdict(&world, "app.z.", "b", Verdict::Degraded);
    let running = Running::start_in(tempfile::tempdir().unwrap(), world);
    let change = EndpointChange { weight: Field::Set(9), ..EndpointChange::default() };
    let until = Clock::time_of_day().0 + 3_600_000;
    let hold = Hold { until: Timestamp(until), needs_confirmation: true, undo_if_worse: true };
    let change = Change::Endpoint(key("app.z.", "a"), change);
    let request = Request { hold: Some(hold), ..Request::new(change, stamp()) };
    let dry = Request { dry_run: true, ..request.clone() };
    assert_eq!(running.handle.change(dry).await.unwrap().pending, None);
    let made = running.handle.change(request).await.unwrap();
    assert_eq!((made.pending, made.snapshot.pending.len()), (Some(1), 1));
    let mut events = running.events.listen();
    running.verdicts.send(worse).await.unwrap();
    let words = "undone, as health got worse: app.z. b is Degraded";
    let undone = |it: &Arc<Event>| match &it.what {
        Happening::Expiry(expired) => expired.to_string().ends_with(words),
        _ => false,
    };
    while !running.events.after(0, 100).events.iter().any(undone) {
        events.changed().await.unwrap();
    }
    let dir = running.stop().await;
    let stored = Store::open(dir.path()).unwrap().load().unwrap().stored.unwrap();
    assert_eq!(stored, Overrides { numbered: 1, ..Overrides::default() });
}
