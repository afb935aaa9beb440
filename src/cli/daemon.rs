//! The daemon as a whole: what `serve` and `demo` run. Wires the rooms together, and ends them in order.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use anyhow::{Context, bail};
use arc_swap::ArcSwap;
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::companion::{Companion, configured_by};
use super::ending::Stage;
use super::gauges::{self, Gauges};
use super::limits::{probe_connections, probes_allowed};
use super::listening::{self, joined};
use super::log::Logs;
use super::naming::Naming;
use super::opening::Opened;
use super::probing::Probers;
use super::pulse::{Pulse, beat};
use super::systemd;
use super::watch::watch;
use crate::api::{self, Access, Api, READERS, Whole};
use crate::clock::Clock;
use crate::control::{Control, Events, Handle, Keeper, Load, Parts, Running, watch_for_stale};
use crate::dns::{Addresses, Server, Sockets};
use crate::metrics::{DnsCounters, Exposure, Metrics};
use crate::settings::{Reading, Settings};
use crate::snapshot::{Live, Snapshot};
use crate::supervision::Detector;
use crate::traffic::Traffic;

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
    dns: Vec<SocketAddr>,
    admin: SocketAddr,
}

impl Daemon {
    /// Starts everything. When it returns, queries are answered and the API is served. Must be called on a runtime.
    pub(super) fn start(settings: Settings, source: Source, logs: &Logs) -> anyhow::Result<Self> {
        let clock = Clock::start();
        let now = clock.both();
        let started = now.time;
        settings.warnings.iter().for_each(|it| tracing::warn!(event = "config_warning", "{it}"));
        let workers = Sockets::workers(settings.server.workers);
        let Opened { store, own_token, tokens, world, timelines } =
            Opened::from(&settings, workers, now)?;
        let gauges = Gauges::register(started)?;
        let Gauges { registry, probes, certificates, access, control, state, .. } = gauges;
        let supervision = gauges.supervision;
        let access =
            Access::new(store.clone(), own_token.as_ref(), tokens, &settings.admin, access);
        let access = Arc::new(access);
        control.configured(settings.digest);
        let exposure = Exposure::new(settings.metrics.per_endpoint, settings.admin.protect_metrics);
        let exposure = Arc::new(exposure);

        let live = Arc::new(Live::new(world.snapshot().clone(), workers));
        let counters = Arc::new(DnsCounters::new(workers));
        let connections = probe_connections(&settings.server);
        let (may_probe, most) = watch::channel(probes_allowed(&settings.probe, connections));
        let configuration = Arc::new(ArcSwap::from_pointee(settings.written.clone()));
        let Naming { wanted, found, finders, sources } =
            Naming::new(clock, &settings, gauges.discovery);
        let Companion { configured, follower, controllers } = Companion::new(&settings, sources)?;
        let (known, shown) = (access.clone(), configuration.clone());
        let allow = move |it: &Settings| {
            known.configure(&it.admin);
            shown.store(Arc::new(it.written.clone()));
            may_probe.send_replace(probes_allowed(&it.probe, connections));
            configured.send_replace(configured_by(it));
        };
        let (server, listening) = listening::open(
            &settings,
            live.clone(),
            counters.clone(),
            certificates,
            Box::new(allow),
        )?;
        let Pulse { control_heart, runtime_heart, detector } = Pulse::start(&supervision)?;

        let (mut probers, prober, verdicts) = Probers::new(clock, probes, most);
        let (read, readings) = watch::channel(source.reading);
        let events = Arc::new(Events::default());
        let (dns, admin) = listening.addresses();
        let (status, serve_at) = (listening.status(), listening.serve_at());
        let parts = Parts {
            clock,
            live: live.clone(),
            store: store.clone(),
            timelines: timelines.clone(),
            events: events.clone(),
            prober,
            verdicts,
            names: wanted,
            resolved: found,
            load: source.load,
            running: Running::of(&settings),
            surroundings: Box::new(listening),
            reading: read,
            heart: control_heart.clone(),
            metrics: control,
            exposure: exposure.clone(),
            state_metrics: state.clone(),
        };
        let (control, handle) = Control::new(world, parts);
        let keeper = Keeper {
            live: live.clone(),
            timelines: timelines.clone(),
            store: store.clone(),
            clock,
            max_age: settings.state.max_age,
            metrics: state,
        };
        let traffic = Arc::new(Traffic::default());
        let lost = logs.lost.clone();
        let fleet = controllers.metrics.clone();
        let metrics =
            Metrics::new(registry, live.clone(), counters, exposure, fleet, lost, started);
        let api = Arc::new(Api {
            live: live.clone(),
            store,
            timelines,
            events,
            configuration,
            traffic: traffic.clone(),
            fleet: controllers.board.clone(),
            control: handle.clone(),
            metrics,
            clock,
            started,
            access,
            ready: AtomicBool::new(false),
            whole: Whole::default(),
            readers: Arc::new(Semaphore::new(READERS)),
            control_heart,
        });

        let mut inner = Stage::new(CONTROL_PATIENCE);
        inner.spawn(gauges::CONTROL, |stop| control.run(stop));
        inner.spawn(gauges::RUNTIME, |stop| beat(runtime_heart, stop));
        inner.keep(gauges::KEEPER, &supervision, move |stop| keeper.clone().run(stop));
        let (mut prober, control) = (Stage::new(PROBER_PATIENCE), handle.clone());
        prober.keep(gauges::PROBER, &supervision, move |stop| probers.next(&control).run(stop));
        let discoveries = finders.clone();
        prober.keep(gauges::RESOLVER, &supervision, move |stop| finders.resolver().run(stop));
        prober.keep(gauges::DISCOVERY, &supervision, move |stop| discoveries.discovery().run(stop));
        prober.keep(gauges::DESCRIPTION, &supervision, move |stop| follower.clone().run(stop));
        prober.keep(gauges::FLEET, &supervision, move |stop| controllers.next().run(stop));
        let mut outer = Stage::new(API_PATIENCE);
        let serve = move |stop| api::serve(serve_at.clone(), api.clone(), stop);
        outer.keep(gauges::API, &supervision, serve);
        let drained = live.clone();
        let measure = move |stop| traffic.clone().measure(drained.clone(), stop);
        outer.keep(gauges::TRAFFIC, &supervision, measure);
        let published = live.clone();
        let look = move |stop| watch_for_stale(published.clone(), clock, stop);
        outer.keep(gauges::STALE, &supervision, look);
        if !source.watched.is_empty() {
            let (paths, control): (Arc<[PathBuf]>, _) = (source.watched.into(), handle.clone());
            let look = move |stop| watch(paths.clone(), readings.clone(), control.clone(), stop);
            outer.keep(gauges::WATCHER, &supervision, look);
        }

        systemd::ready(&status);
        log_start(&status, &dns, admin, &live.load());
        let dns = dns.plain;
        Ok(Self { server, control: handle, outer, prober, inner, detector, dns, admin })
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
        systemd::stopping();
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

/// Says that queries are answered, at which addresses, and by how much.
fn log_start(status: &str, at: &Addresses, admin: SocketAddr, snapshot: &Snapshot) {
    let [dns, tls, https, quic] = [&at.plain, &at.tls, &at.https, &at.quic].map(|it| joined(it));
    let (profiles, generation) = (snapshot.profiles.len(), snapshot.generation);
    tracing::info!(event = "started", dns, tls, https, quic, %admin, profiles, generation, "{status}; {profiles} profiles");
}
