//! The daemon as a whole: what `serve` and `demo` run. Wires the rooms together, and ends them in order.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use anyhow::Context;
use prometheus::Registry;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::api::{self, Api, Whole};
use crate::clock::Clock;
use crate::control::{
    Control, Handle, Keeper, Load, Parts, Recall, Running, Timelines, World, chain, watch_for_stale,
};
use crate::dns::{Context as DnsContext, Identity, Server, Sockets, TcpLimits};
use crate::metrics::{ControlMetrics, DnsCounters, Exposure, Metrics, ProbeMetrics, StateMetrics};
use crate::model::Timestamp;
use crate::probe::Prober;
use crate::settings::Settings;
use crate::snapshot::Live;
use crate::store::{Loaded, Memory, StateFile, Store};

/// Verdicts that may wait for the control task; further ones wait in the prober.
const VERDICTS: usize = 1024;
/// Descriptors for everything but probes and DNS over TCP: sockets, logs, state, the API.
const RESERVED_FILES: u64 = 256;
/// Sockets that probes have in any case.
const FEWEST_PROBES: u64 = 64;
/// How far the clock may have gone back since the last verdicts were stored, without a word about it.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(5);
/// How long tasks may take to end.
const GRACE: Duration = Duration::from_secs(5);

/// A daemon that answers already.
pub(super) struct Daemon {
    server: Server,
    control: Handle,
    api: Arc<Api>,
    tasks: JoinSet<&'static str>,
    stop: CancellationToken,
    dns: Vec<SocketAddr>,
    admin: SocketAddr,
}

impl Daemon {
    /// Starts everything. When it returns, queries are answered and the API is served. Must be called on a runtime.
    pub(super) fn start(settings: Settings, load: Load) -> anyhow::Result<Self> {
        let clock = Clock::start();
        let started = Clock::time_of_day();
        settings.warnings.iter().for_each(|it| tracing::warn!(event = "config_warning", "{it}"));
        let store = Arc::new(Store::open(&settings.state.dir)?);
        let token = read_token(&store, &settings)?;
        let loaded = store.load()?;
        let overrides = told_aside("overrides", loaded).unwrap_or_default();
        let memory = recall(&store, started);
        store.look_for_damage();

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
        let exposure = Exposure::new(settings.metrics.per_endpoint, settings.admin.protect_metrics);
        let exposure = Arc::new(exposure);
        let metrics =
            Metrics::new(registry, live.clone(), counters.clone(), exposure.clone(), started);

        let sockets = Sockets::bind(&settings.server.listen, settings.server.workers)?;
        let dns = sockets.addresses().to_vec();
        let (admin_socket, admin) = bind_admin(settings.admin.listen)?;
        let context = DnsContext {
            live: live.clone(),
            counters,
            identity: Arc::new(Identity {
                version: settings.server.version,
                id: settings.server.id,
            }),
            tcp: TcpLimits {
                connections: settings.server.tcp_max_connections,
                idle: settings.server.tcp_idle_timeout,
            },
        };
        let server = Server::start(sockets, &context).context("could not start the DNS workers")?;

        let (changes, verdicts) = mpsc::channel(VERDICTS);
        let connections = probe_connections(settings.server.tcp_max_connections);
        let (prober, watch) = Prober::new(clock, probe_metrics, changes, connections);
        let (control, handle) = Control::new(
            world,
            Parts {
                live: live.clone(),
                store: store.clone(),
                prober: watch,
                verdicts,
                load,
                running,
                timelines: timelines.clone(),
                metrics: control_metrics,
                exposure,
                state_metrics: state_metrics.clone(),
            },
        );
        let keeper = Keeper {
            live: live.clone(),
            timelines: timelines.clone(),
            store: store.clone(),
            clock,
            max_age: settings.state.max_age,
            metrics: state_metrics,
        };
        let api = Arc::new(Api {
            live,
            store,
            timelines,
            control: handle.clone(),
            metrics,
            clock,
            started,
            token,
            ready: AtomicBool::new(false),
            whole: Whole::default(),
        });
        let stop = CancellationToken::new();
        let mut daemon = Self {
            server,
            control: handle,
            api: api.clone(),
            tasks: JoinSet::new(),
            stop: stop.clone(),
            dns,
            admin,
        };
        let (control_stop, prober_stop) = (stop.clone(), stop.clone());
        daemon.spawn("stale", watch_for_stale(api.live.clone(), clock, stop.clone()));
        let keeper_stop = stop.clone();
        daemon.spawn("keeper", async move { keeper.run(keeper_stop).await });
        daemon.spawn("control", async move { control.run(control_stop).await });
        daemon.spawn("prober", async move { prober.run(prober_stop).await });
        daemon.spawn("api", api::serve(admin_socket, api, stop));
        daemon.announce();
        Ok(daemon)
    }

    fn spawn(&mut self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(async move {
            task.await;
            name
        });
    }

    fn announce(&self) {
        let snapshot = self.api.live.load();
        let dns: Vec<String> = self.dns.iter().map(ToString::to_string).collect();
        let (dns, admin, profiles) = (dns.join(", "), self.admin, snapshot.profiles.len());
        tracing::info!(
            event = "started",
            dns,
            %admin,
            profiles,
            generation = snapshot.generation,
            "answering DNS at {dns}; API and metrics at http://{admin}; {profiles} profiles",
        );
    }

    /// Talks to the control task.
    pub(super) fn control(&self) -> &Handle {
        &self.control
    }

    /// Where queries are answered, with real ports.
    pub(super) fn dns(&self) -> &[SocketAddr] {
        &self.dns
    }

    /// Where the API is served, with its real port.
    pub(super) fn admin(&self) -> SocketAddr {
        self.admin
    }

    /// Runs until `stop` is cancelled, then ends everything: probes and changes first, answers last.
    ///
    /// # Errors
    /// When a task that the daemon can't do without ended by itself.
    pub(super) async fn run(mut self, stop: CancellationToken) -> anyhow::Result<()> {
        let outcome = tokio::select! {
            biased;
            () = stop.cancelled() => Ok(()),
            Some(ended) = self.tasks.join_next() => Err(match ended {
                Ok(name) => anyhow::anyhow!("the {name} task ended by itself"),
                Err(error) => anyhow::Error::new(error).context("a task panicked"),
            }),
        };
        self.stop.cancel();
        let drain = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(GRACE, drain).await.is_err() {
            tracing::warn!(event = "slow_stop", "some tasks were still running after {GRACE:?}");
        }
        let server = self.server;
        tokio::task::spawn_blocking(move || server.stop())
            .await
            .context("the DNS workers did not end")?;
        outcome
    }
}

/// What was stored in a file; says where it is if it couldn't be read.
fn told_aside<T>(what: &str, loaded: Loaded<T>) -> Option<T> {
    if let Some(aside) = &loaded.set_aside {
        let (file, why) = (aside.file.display(), &aside.why);
        tracing::error!(event = "state_set_aside", %file, why, "the stored {what} can't be read ({why}); they were put aside as {file}, and none is in force");
    }
    loaded.stored
}

/// What is remembered of the endpoints. Whatever is wrong with it, probes find it anew, so the daemon starts all the same.
fn recall(store: &Store, now: Timestamp) -> Memory {
    let memory = store.load_memory().map(|it| told_aside("verdicts", it)).unwrap_or_else(|error| {
        let error = chain(&error);
        tracing::error!(
            event = "state_unreadable",
            error,
            "the last verdicts can't be read, so probes have to find them anew: {error}"
        );
        None
    });
    let memory = memory.unwrap_or_default();
    let ahead = memory.written.0.saturating_sub(now.0);
    if ahead > CLOCK_TOLERANCE.as_millis() as i64 {
        let seconds = ahead / 1000;
        tracing::warn!(
            event = "clock_went_back",
            seconds,
            "the last verdicts were stored {seconds} s in the future: the clock was set back, or is wrong; they count as that old"
        );
    }
    memory
}

fn read_token(store: &Store, settings: &Settings) -> anyhow::Result<crate::store::AdminToken> {
    let token = store.admin_token()?;
    let file = settings.state.dir.join("admin.token");
    let file = file.display();
    if token.created {
        tracing::info!(event = "token_created", %file, "the API's token was made: {file}");
    }
    if token.too_open {
        tracing::warn!(event = "token_too_open", %file, "others may read {file}; run: chmod 600 {file}");
    }
    Ok(token)
}

fn bind_admin(address: SocketAddr) -> anyhow::Result<(TcpListener, SocketAddr)> {
    let failed = || match address.port() {
        0 => format!("could not listen on {address} for the API"),
        _ => format!(
            "could not listen on TCP {address} for the API; stop what uses it, or set `admin.listen` to another address or port"
        ),
    };
    let listener = std::net::TcpListener::bind(address).with_context(failed)?;
    listener.set_nonblocking(true).with_context(failed)?;
    let address = listener.local_addr().with_context(failed)?;
    Ok((TcpListener::from_std(listener).with_context(failed)?, address))
}

/// How many sockets probes may have open: what the process may open at all, less what the rest needs.
fn probe_connections(tcp_connections: usize) -> usize {
    let limit = getrlimit(Resource::Nofile);
    let most = limit.maximum.unwrap_or(u64::MAX);
    if setrlimit(Resource::Nofile, Rlimit { current: Some(most), maximum: limit.maximum }).is_err()
    {
        tracing::warn!(event = "file_limit", "the limit of open files could not be raised");
    }
    let now = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let reserved = RESERVED_FILES + tcp_connections as u64;
    let needed = reserved + FEWEST_PROBES;
    if now < needed {
        tracing::warn!(
            event = "file_limit",
            limit = now,
            needed,
            "the limit of open files is {now}, and TCP clients, probes and the rest may need {needed}; raise it (LimitNOFILE=), or lower server.tcp_max_connections"
        );
    }
    let left = now.saturating_sub(reserved).max(FEWEST_PROBES);
    usize::try_from(left).unwrap_or(usize::MAX).min(tokio::sync::Semaphore::MAX_PERMITS)
}
