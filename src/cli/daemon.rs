//! The daemon as a whole: what `serve` and `demo` run. Wires the rooms together, and ends them in order.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use anyhow::{Context, bail};
use arc_swap::ArcSwap;
use prometheus::Registry;
use tokio::sync::{mpsc, watch};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::ending::Stage;
use super::limits::probe_connections;
use super::opening::Opened;
use super::rooms::{AdminSocket, Rooms, identity};
use super::systemd::Systemd;
use super::watch::watch;
use crate::api::{self, Api, Whole};
use crate::clock::Clock;
use crate::control::{
    Control, Handle, Keeper, Load, Parts, Recall, Running, Timelines, World, watch_for_stale,
};
use crate::dns::{Context as DnsContext, Server, Sockets, TcpLimits};
use crate::metrics::{
    ControlMetrics, DnsCounters, Exposure, Metrics, ProbeMetrics, StateMetrics, SupervisionMetrics,
};
use crate::probe::Prober;
use crate::settings::{Reading, Settings};
use crate::snapshot::Live;
use crate::store::StateFile;
use crate::supervision::{Detector, Heart, keep_running};

/// Verdicts that may wait for the control task; further ones wait in the prober.
const VERDICTS: usize = 1024;
/// How long each may take to end, in this order; 9 s in all.
const API_PATIENCE: Duration = Duration::from_secs(2);
const PROBER_PATIENCE: Duration = Duration::from_secs(1);
const CONTROL_PATIENCE: Duration = Duration::from_secs(4);
const DNS_PATIENCE: Duration = Duration::from_secs(2);

/// Where the configuration comes from.
pub(super) struct Source {
    /// Reads it anew.
    pub(super) load: Load,
    /// What was read for the settings that the daemon starts with.
    pub(super) reading: Reading,
    /// The files and directories of which changes are noticed.
    pub(super) watched: Vec<PathBuf>,
}

/// A daemon that answers already.
pub(super) struct Daemon {
    server: Server,
    control: Handle,
    /// What is asked of the daemon, what probes, what decides: they end in this order.
    outer: Stage,
    prober: Stage,
    inner: Stage,
    detector: Detector,
    systemd: Systemd,
    dns: Vec<SocketAddr>,
    admin: SocketAddr,
}

impl Daemon {
    /// Starts everything. When it returns, queries are answered and the API is served. Must be called on a runtime.
    pub(super) fn start(settings: Settings, source: Source) -> anyhow::Result<Self> {
        let clock = Clock::start();
        let started = Clock::time_of_day();
        settings.warnings.iter().for_each(|it| tracing::warn!(event = "config_warning", "{it}"));
        let Opened { store, token, overrides, memory } =
            Opened::from(&settings.state.dir, started)?;

        let workers = Sockets::workers(settings.server.workers);
        let seed = getrandom::u64().context("the operating system gives no random numbers")?;
        let running = Running::of(&settings);
        let recall = Recall::new(&memory, started, settings.state.max_age);
        let world = World::new(&settings.model, overrides, recall, workers, seed, started);
        let timelines = Arc::new(Timelines::resume(memory, &world, started));
        let live = Arc::new(Live::new(world.snapshot().clone(), workers));
        let counters = Arc::new(DnsCounters::new(workers));

        let registry = Registry::new();
        let probe_metrics = ProbeMetrics::register(&registry)?;
        let control_metrics = ControlMetrics::register(&registry, started)?;
        let state_metrics =
            StateMetrics::register(&registry, &StateFile::ALL.map(StateFile::label))?;
        let supervision = SupervisionMetrics::register(
            &registry,
            &["api", "keeper", "prober", "stale", "watcher"],
            &["control", "runtime"],
        )?;
        let exposure = Exposure::new(settings.metrics.per_endpoint, settings.admin.protect_metrics);
        let exposure = Arc::new(exposure);
        let metrics =
            Metrics::new(registry, live.clone(), counters.clone(), exposure.clone(), started);

        let sockets = Sockets::bind(&settings.server.listen, settings.server.workers)?;
        let admin = AdminSocket::bind(settings.admin.listen)?;
        let tcp = TcpLimits {
            connections: settings.server.tcp_max_connections,
            idle: settings.server.tcp_idle_timeout,
        };
        let identity = Arc::new(ArcSwap::from_pointee(identity(&settings.server)));
        let context = DnsContext { live: live.clone(), counters, identity: identity.clone(), tcp };
        let server =
            Server::start(&sockets, &context).context("could not start the DNS workers")?;

        let (control_heart, runtime_heart) = (Heart::new("control"), Heart::new("runtime"));
        let hearts = vec![control_heart.clone(), runtime_heart.clone()];
        let detector = start_detector(hearts, supervision.clone())?;

        let (serve_at, listeners) = watch::channel(admin.listener.clone());
        let (dns, admin_address) = (sockets.addresses(), admin.address);
        let rooms = Rooms {
            sockets,
            steering: server.steering(),
            identity,
            admin,
            serve_at,
            systemd: Systemd::default(),
            prepared: None,
        };
        let (status, listening) = (rooms.status(), rooms.dns());
        let (changes, verdicts) = mpsc::channel(VERDICTS);
        let connections = probe_connections(&settings.server);
        let new_prober =
            move || Prober::new(clock, probe_metrics.clone(), changes.clone(), connections);
        let (first_prober, prober) = new_prober();
        let (read, readings) = watch::channel(source.reading);
        let parts = Parts {
            live: live.clone(),
            store: store.clone(),
            timelines: timelines.clone(),
            prober,
            verdicts,
            load: source.load,
            running,
            surroundings: Box::new(rooms),
            reading: read,
            heart: control_heart.clone(),
            metrics: control_metrics,
            exposure,
            state_metrics: state_metrics.clone(),
        };
        let (control, handle) = Control::new(world, parts);
        let keeper = Keeper {
            live: live.clone(),
            timelines: timelines.clone(),
            store: store.clone(),
            clock,
            max_age: settings.state.max_age,
            metrics: state_metrics,
        };
        let api = Arc::new(Api {
            live: live.clone(),
            store,
            timelines,
            control: handle.clone(),
            metrics,
            clock,
            started,
            token,
            ready: AtomicBool::new(false),
            whole: Whole::default(),
            control_heart,
        });

        let mut daemon = Self {
            server,
            control: handle.clone(),
            outer: Stage::new("api", API_PATIENCE),
            prober: Stage::new("prober", PROBER_PATIENCE),
            inner: Stage::new("control", CONTROL_PATIENCE),
            detector,
            systemd: Systemd::default(),
            dns,
            admin: admin_address,
        };
        let counted = |task: &'static str| {
            let metrics = supervision.clone();
            move || metrics.restarted(task)
        };
        let stop = daemon.inner.stop.clone();
        daemon.inner.spawn(control.run(stop));
        daemon.inner.spawn(beat(runtime_heart, daemon.inner.stop.clone()));
        let stop = daemon.inner.stop.clone();
        let keep = move || keeper.clone().run(stop.clone());
        let stop = daemon.inner.stop.clone();
        daemon.inner.spawn(keep_running("keeper", stop, keep, counted("keeper")));

        let (stop, control) = (daemon.prober.stop.clone(), handle.clone());
        let mut first = Some(first_prober);
        let probe = move || {
            let prober = first.take().unwrap_or_else(|| {
                let (prober, watch) = new_prober();
                control.probe_with(watch);
                prober
            });
            prober.run(stop.clone())
        };
        let stop = daemon.prober.stop.clone();
        daemon.prober.spawn(keep_running("prober", stop, probe, counted("prober")));

        let stop = daemon.outer.stop.clone();
        let serve = move || api::serve(listeners.clone(), api.clone(), stop.clone());
        let stop = daemon.outer.stop.clone();
        daemon.outer.spawn(keep_running("api", stop, serve, counted("api")));
        let (stop, published) = (daemon.outer.stop.clone(), live.clone());
        let look = move || watch_for_stale(published.clone(), clock, stop.clone());
        let stop = daemon.outer.stop.clone();
        daemon.outer.spawn(keep_running("stale", stop, look, counted("stale")));
        if !source.watched.is_empty() {
            let (stop, watched): (_, Arc<[PathBuf]>) =
                (daemon.outer.stop.clone(), source.watched.into());
            let look =
                move || watch(watched.clone(), readings.clone(), handle.clone(), stop.clone());
            let stop = daemon.outer.stop.clone();
            daemon.outer.spawn(keep_running("watcher", stop, look, counted("watcher")));
        }

        daemon.systemd.ready(&status);
        let (dns, admin, snapshot) = (listening, daemon.admin, live.load());
        let (profiles, generation) = (snapshot.profiles.len(), snapshot.generation);
        tracing::info!(event = "started", dns, %admin, profiles, generation, "{status}; {profiles} profiles");
        Ok(daemon)
    }

    /// Talks to the control task.
    pub(super) fn control(&self) -> &Handle {
        &self.control
    }

    /// Where queries were answered at first, with real ports.
    pub(super) fn dns(&self) -> &[SocketAddr] {
        &self.dns
    }

    /// Where the API was served at first, with its real port.
    pub(super) fn admin(&self) -> SocketAddr {
        self.admin
    }

    /// Runs until `stop` is cancelled, then ends everything: first what is asked of the daemon, then probes and changes,
    /// answers last.
    ///
    /// # Errors
    /// When a task that the daemon can't do without ended by itself, or one did not end in its time.
    pub(super) async fn run(mut self, stop: CancellationToken) -> anyhow::Result<()> {
        let outcome = tokio::select! {
            biased;
            () = stop.cancelled() => Ok(()),
            why = self.inner.ended() => Err(why),
        };
        self.systemd.stopping();
        let mut hung = Vec::new();
        for stage in [self.outer, self.prober, self.inner] {
            hung.extend(stage.end().await);
        }
        let (server, detector) = (self.server, self.detector);
        let last = tokio::task::spawn_blocking(move || {
            server.stop();
            detector.stop();
        });
        match timeout(DNS_PATIENCE, last).await {
            Ok(ended) => ended.context("the DNS workers did not end well")?,
            Err(_) => hung.push("dns"),
        }
        outcome?;
        if !hung.is_empty() {
            let hung = hung.join(", ");
            tracing::error!(
                event = "slow_stop",
                hung,
                "did not end in time and was cut off: {hung}"
            );
            bail!("did not end in time and was cut off: {hung}");
        }
        Ok(())
    }
}

/// Shows that the runtime runs tasks.
async fn beat(heart: Arc<Heart>, stop: CancellationToken) {
    loop {
        heart.beat();
        tokio::select! {
            () = sleep(Heart::EVERY) => {}
            () = stop.cancelled() => return,
        }
    }
}

/// Looks after these hearts, and gives systemd a sign of life while all are well.
fn start_detector(
    hearts: Vec<Arc<Heart>>,
    metrics: SupervisionMetrics,
) -> anyhow::Result<Detector> {
    let (mut systemd, watchdog) = (Systemd::default(), Systemd::watchdog());
    let every = watchdog.map_or(Heart::EVERY, |it| it.min(Heart::EVERY));
    let looked = move |judged: &[(&Heart, bool)]| {
        for (heart, begins) in judged {
            metrics.silent(heart.part(), heart.silence(), *begins);
        }
        if let Some(watchdog) = watchdog
            && !judged.iter().any(|(heart, _)| heart.is_stalled())
        {
            systemd.alive(watchdog);
        }
    };
    Detector::start(hearts, every, looked).context("could not start the stall detector")
}
