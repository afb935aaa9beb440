use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::world::Transition;
use super::{Change, ChangeError, Command, Diff, Handle, Load, ReloadError, World, chain};
use crate::clock::Clock;
use crate::metrics::ControlMetrics;
use crate::model::{EndpointKey, EndpointStatus, Ident, Overrides, Stamp, Verdict};
use crate::probe::{ProbeHandle, VerdictChange};
use crate::settings::{Problems, Settings};
use crate::snapshot::{Live, Snapshot};
use crate::store::{Store, StoreError};

/// How long the first verdict of a burst waits for the others.
const COALESCE: Duration = Duration::from_millis(2);
/// How often retired snapshots are looked at, while there are any.
const RETIRE: Duration = Duration::from_secs(1);
/// Operators' changes that may wait; a further one waits at its sender.
const COMMANDS: usize = 256;
/// Operators' changes that one write to the disk takes.
const BATCH: usize = 64;

/// The control task.
pub struct Control {
    world: World,
    live: Arc<Live>,
    store: Arc<Store>,
    prober: ProbeHandle,
    verdicts: mpsc::Receiver<VerdictChange>,
    commands: mpsc::Receiver<Command>,
    load: Load,
    metrics: ControlMetrics,
    /// Snapshots that a worker may still hold: they are freed here, not there.
    retired: Vec<Arc<Snapshot>>,
    /// The verdicts since the last publication, for the log.
    reasons: HashMap<EndpointKey, (Verdict, Option<String>)>,
    /// When to publish what has changed.
    due: Option<Instant>,
    saving: Option<Saving>,
    loading: Option<Loading>,
}

/// Changes that are being written to the disk.
struct Saving {
    written: JoinHandle<Result<(), StoreError>>,
    overrides: Overrides,
    accepted: Vec<Accepted>,
}

/// A change that fits the model, and who waits for it.
struct Accepted {
    change: Change,
    stamp: Stamp,
    reply: oneshot::Sender<Result<u64, ChangeError>>,
}

/// A configuration that is being read.
struct Loading {
    read: JoinHandle<Result<Settings, Problems>>,
    reply: oneshot::Sender<Result<Diff, ReloadError>>,
}

impl Control {
    /// A control task over a world whose snapshot is live, and the handle to talk to it.
    pub fn new(
        world: World,
        live: Arc<Live>,
        store: Arc<Store>,
        prober: ProbeHandle,
        verdicts: mpsc::Receiver<VerdictChange>,
        load: Load,
        metrics: ControlMetrics,
    ) -> (Self, Handle) {
        let (sender, commands) = mpsc::channel(COMMANDS);
        prober.watch(world.watches());
        let control = Self {
            world,
            live,
            store,
            prober,
            verdicts,
            commands,
            load,
            metrics,
            retired: Vec::new(),
            reasons: HashMap::new(),
            due: None,
            saving: None,
            loading: None,
        };
        (control, Handle { commands: sender })
    }

    /// Runs until `stop` is cancelled. A change that is being written is finished first.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut sweep = tokio::time::interval(RETIRE);
        let mut commands = Vec::with_capacity(BATCH);
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                () = reached(self.due) => self.publish(),
                Some(verdict) = self.verdicts.recv() => self.observe(&verdict),
                written = finished(self.saving.as_mut().map(|it| &mut it.written)) => self.saved(written),
                read = finished(self.loading.as_mut().map(|it| &mut it.read)) => self.loaded(read),
                // One write at a time: what comes meanwhile waits, and is then written together.
                count = self.commands.recv_many(&mut commands, BATCH), if self.saving.is_none() => {
                    if count == 0 {
                        break;
                    }
                    self.take(std::mem::take(&mut commands));
                }
                _ = sweep.tick(), if !self.retired.is_empty() => self.free_retired(),
            }
        }
        if let Some(saving) = &mut self.saving {
            let written = (&mut saving.written).await.map_err(|_| ());
            self.saved(written);
        }
    }

    fn observe(&mut self, change: &VerdictChange) {
        self.world.observe(change);
        self.reasons.insert(change.key.clone(), (change.verdict, change.reason.clone()));
        self.due.get_or_insert_with(|| Instant::now() + COALESCE);
    }

    fn take(&mut self, commands: Vec<Command>) {
        let mut overrides = self.world.overrides().clone();
        let mut accepted = Vec::new();
        for command in commands {
            match command {
                Command::Reload { reply } => self.start_loading(reply),
                Command::Change { change, stamp, reply } => {
                    match self.world.plan(&mut overrides, &change, &stamp) {
                        Ok(()) => accepted.push(Accepted { change, stamp, reply }),
                        Err(error) => drop(reply.send(Err(error))),
                    }
                }
            }
        }
        if accepted.is_empty() {
            return;
        }
        let (store, written) = (self.store.clone(), overrides.clone());
        let written = tokio::task::spawn_blocking(move || store.save(&written));
        self.saving = Some(Saving { written, overrides, accepted });
    }

    /// Puts the changes in force that are on the disk now, or refuses them.
    fn saved(&mut self, written: Result<Result<(), StoreError>, ()>) {
        let Some(Saving { overrides, accepted, .. }) = self.saving.take() else { return };
        let refused = match written {
            Ok(Ok(())) => {
                accepted.iter().for_each(|it| log_change(&it.change, &it.stamp));
                self.world.override_with(overrides);
                self.publish();
                let generation = self.world.snapshot().generation;
                accepted.into_iter().for_each(|it| drop(it.reply.send(Ok(generation))));
                return;
            }
            Ok(Err(error)) => Some(Arc::new(error)),
            Err(()) => None,
        };
        let error = refused.as_deref().map_or("the store panicked".to_owned(), |it| chain(it));
        tracing::error!(
            event = "store_failed",
            error,
            "changes were refused: they can't be stored"
        );
        for it in accepted {
            let refusal = refused.clone().map_or(ChangeError::Stopping, ChangeError::NotStored);
            drop(it.reply.send(Err(refusal)));
        }
    }

    fn start_loading(&mut self, reply: oneshot::Sender<Result<Diff, ReloadError>>) {
        let load = self.load.clone();
        let read = tokio::task::spawn_blocking(move || load());
        if let Some(earlier) = self.loading.replace(Loading { read, reply }) {
            drop(earlier.reply.send(Err(ReloadError::Superseded)));
        }
    }

    fn loaded(&mut self, read: Result<Result<Settings, Problems>, ()>) {
        let Some(Loading { reply, .. }) = self.loading.take() else { return };
        let result = match read {
            Ok(Ok(settings)) => {
                settings
                    .warnings
                    .iter()
                    .for_each(|it| tracing::warn!(event = "config_warning", "{it}"));
                Ok(self.reload(&settings))
            }
            Ok(Err(problems)) => {
                self.metrics.reloaded(false, Clock::time_of_day());
                tracing::error!(
                    event = "reload_refused",
                    "the configuration has errors, so what runs is kept:\n{problems}",
                );
                Err(ReloadError::Invalid(problems))
            }
            Err(()) => Err(ReloadError::Stopping),
        };
        drop(reply.send(result));
    }

    fn reload(&mut self, settings: &Settings) -> Diff {
        let now = Clock::time_of_day();
        let started = Instant::now();
        let (diff, transitions) = self.world.reload(&settings.model, now);
        self.due = None;
        self.put_live(started, &transitions);
        self.prober.watch(self.world.watches());
        self.metrics.reloaded(true, now);
        tracing::info!(
            event = "reloaded",
            generation = diff.generation,
            added = diff.added.len(),
            removed = diff.removed.len(),
            changed = diff.changed.len(),
            overridden = diff.overridden.len(),
            "the configuration was reloaded: {} profiles added, {} removed, {} changed; {} overrides stay in force",
            diff.added.len(),
            diff.removed.len(),
            diff.changed.len(),
            diff.overridden.len(),
        );
        diff
    }

    fn publish(&mut self) {
        self.due = None;
        if self.world.is_edited() {
            let started = Instant::now();
            let transitions = self.world.publish(Clock::time_of_day());
            self.put_live(started, &transitions);
        }
    }

    fn put_live(&mut self, started: Instant, transitions: &[Transition]) {
        self.retired.push(self.live.publish(self.world.snapshot().clone()));
        self.free_retired();
        self.metrics.published(started.elapsed());
        for transition in transitions {
            let reason = self.reasons.remove(&transition.key).and_then(|(_, reason)| reason);
            log_transition(transition, reason.as_deref().unwrap_or_default());
        }
        // Probes that changed their mind about an endpoint whose status is an operator's word.
        for (key, (verdict, reason)) in self.reasons.drain() {
            let (profile, endpoint) = (&key.profile, &key.endpoint);
            let reason = reason.unwrap_or_default();
            tracing::info!(event = "verdict", %profile, %endpoint, ?verdict, reason, "probes of {profile} {endpoint} say {verdict:?}, and its status stays");
        }
    }

    fn free_retired(&mut self) {
        self.retired.retain(|it| Arc::strong_count(it) > 1);
    }
}

fn log_change(change: &Change, stamp: &Stamp) {
    let (by, reason) = (&stamp.by, stamp.reason.as_deref().unwrap_or_default());
    let because = if reason.is_empty() { String::new() } else { format!(": {reason}") };
    tracing::info!(event = "change", by, %change, reason, "{by} changed {change}{because}");
}

fn log_transition(transition: &Transition, reason: &str) {
    let Transition { key, site, from, to } = transition;
    let (profile, endpoint) = (&key.profile, &key.endpoint);
    let site = site.as_ref().map(Ident::as_str).unwrap_or_default();
    let because = if reason.is_empty() { String::new() } else { format!(": {reason}") };
    let (was, is) = (from.label(), to.label());
    // The first good word of every endpoint after a start is no news.
    if (*from, *to) == (EndpointStatus::CheckingEndpoint, EndpointStatus::Online) {
        tracing::debug!(event = "transition", %profile, %endpoint, site, from = was, to = is, reason, "{profile} {endpoint} is {is} (was {was})");
    } else {
        tracing::info!(event = "transition", %profile, %endpoint, site, from = was, to = is, reason, "{profile} {endpoint} is {is} (was {was}){because}");
    }
}

async fn reached(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due).await,
        None => std::future::pending().await,
    }
}

/// The end of a blocking task, if there is one; its panic is an error.
async fn finished<T>(task: Option<&mut JoinHandle<T>>) -> Result<T, ()> {
    match task {
        Some(task) => task.await.map_err(|_| ()),
        None => std::future::pending().await,
    }
}
