use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::reload::Diff;
use super::world::{Changes, World};
use super::{
    Change, ChangeError, Command, Handle, Load, Loaded, ReloadError, Running, Surroundings, chain,
    journal,
};
use crate::clock::Clock;
use crate::metrics::ControlMetrics;
use crate::model::{EndpointKey, Overrides, Stamp, Verdict};
use crate::probe::{ProbeHandle, VerdictChange};
use crate::settings::{Reading, Settings};
use crate::snapshot::{Live, Snapshot};
use crate::store::{Store, StoreError};
use crate::supervision::Heart;

/// How long the first verdict of a burst waits for the others.
const COALESCE: Duration = Duration::from_millis(2);
/// How often retired snapshots are looked at, while there are any.
const RETIRE: Duration = Duration::from_secs(1);
/// Operators' changes that may wait; a further one waits at its sender.
const COMMANDS: usize = 256;
/// Operators' changes that one write to the disk takes.
const BATCH: usize = 64;

/// What the control task works with.
pub struct Parts {
    /// Where snapshots are published; the world's is live already.
    pub live: Arc<Live>,
    /// Where overrides are kept.
    pub store: Arc<Store>,
    /// Who is told what to probe; [`Handle::probe_with`] puts another in its place.
    pub prober: ProbeHandle,
    /// What the prober says.
    pub verdicts: mpsc::Receiver<VerdictChange>,
    /// What a reload reads.
    pub load: Load,
    /// The settings that count until the next start.
    pub running: Running,
    /// What else a reload changes.
    pub surroundings: Box<dyn Surroundings>,
    /// The files as they were read last; always told after they were read, also when nothing was new.
    pub reading: watch::Sender<Reading>,
    /// Beats while the task is alive.
    pub heart: Arc<Heart>,
    /// What is counted.
    pub metrics: ControlMetrics,
}

/// The control task.
pub struct Control {
    world: World,
    parts: Parts,
    commands: mpsc::Receiver<Command>,
    probers: mpsc::UnboundedReceiver<ProbeHandle>,
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
    reply: oneshot::Sender<Result<Arc<Snapshot>, ChangeError>>,
}

/// A configuration that is being read.
struct Loading {
    read: JoinHandle<Loaded>,
    /// Who asked; when nobody did, it is taken only if something is new.
    replies: Vec<ReloadReply>,
    /// The files are to be read again, for those who asked when this had begun already.
    again: Option<Vec<ReloadReply>>,
}

type ReloadReply = oneshot::Sender<Result<Diff, ReloadError>>;

impl Control {
    /// A control task over a world whose snapshot is live, and the handle to talk to it.
    pub fn new(world: World, parts: Parts) -> (Self, Handle) {
        let (sender, commands) = mpsc::channel(COMMANDS);
        let (new_probers, probers) = mpsc::unbounded_channel();
        parts.prober.watch(world.watches());
        journal::unmatched(&world.snapshot().unmatched_overrides);
        let control = Self {
            world,
            parts,
            commands,
            probers,
            retired: Vec::new(),
            reasons: HashMap::new(),
            due: None,
            saving: None,
            loading: None,
        };
        (control, Handle { commands: sender, probers: new_probers })
    }

    /// Runs until `stop` is cancelled. A change that is being written is finished first.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut sweep = tokio::time::interval(RETIRE);
        let mut pulse = tokio::time::interval(Heart::EVERY);
        let mut commands = Vec::with_capacity(BATCH);
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                _ = pulse.tick() => self.parts.heart.beat(),
                () = reached(self.due) => self.publish(),
                Some(prober) = self.probers.recv() => self.probe_with(prober),
                Some(verdict) = self.parts.verdicts.recv() => self.observe(&verdict),
                written = finished(self.saving.as_mut().map(|it| &mut it.written)) => self.saved(written),
                // What a change was checked against stays until the change is in force.
                read = finished(self.loading.as_mut().map(|it| &mut it.read)), if self.saving.is_none() => {
                    self.loaded(read);
                }
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

    fn probe_with(&mut self, prober: ProbeHandle) {
        // The former prober's last words come first: the new one does not repeat them.
        while let Ok(verdict) = self.parts.verdicts.try_recv() {
            self.observe(&verdict);
        }
        self.publish();
        self.parts.prober = prober;
        self.parts.prober.watch(self.world.watches());
    }

    fn take(&mut self, commands: Vec<Command>) {
        let mut overrides = self.world.overrides().clone();
        let mut accepted = Vec::new();
        for command in commands {
            match command {
                Command::Reload { reply } => self.ask_to_load(Some(reply)),
                Command::LookAgain => self.ask_to_load(None),
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
        let (store, written) = (self.parts.store.clone(), overrides.clone());
        let written = tokio::task::spawn_blocking(move || store.save(&written));
        self.saving = Some(Saving { written, overrides, accepted });
    }

    /// Puts the changes in force that are on the disk now, or refuses them.
    fn saved(&mut self, written: Result<Result<(), StoreError>, ()>) {
        let Some(Saving { overrides, accepted, .. }) = self.saving.take() else { return };
        let refused = match written {
            Ok(Ok(())) => {
                accepted.iter().for_each(|it| journal::changed(&it.change, &it.stamp));
                self.world.override_with(overrides);
                self.publish();
                let snapshot = self.world.snapshot();
                accepted.into_iter().for_each(|it| drop(it.reply.send(Ok(snapshot.clone()))));
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
            let refusal = refused.clone().map_or(ChangeError::Broken, ChangeError::NotStored);
            drop(it.reply.send(Err(refusal)));
        }
    }

    fn ask_to_load(&mut self, reply: Option<ReloadReply>) {
        match &mut self.loading {
            Some(loading) => loading.again.get_or_insert_default().extend(reply),
            None => self.start_loading(reply.into_iter().collect()),
        }
    }

    fn start_loading(&mut self, replies: Vec<ReloadReply>) {
        if !replies.is_empty() {
            self.parts.surroundings.begin();
        }
        let load = self.parts.load.clone();
        let read = tokio::task::spawn_blocking(move || load());
        self.loading = Some(Loading { read, replies, again: None });
    }

    fn loaded(&mut self, read: Result<Loaded, ()>) {
        let Some(Loading { replies, again, .. }) = self.loading.take() else { return };
        let asked = !replies.is_empty();
        let read = read.map(|(settings, reading)| {
            let is_new = self.parts.reading.send_replace(reading.clone()) != reading;
            (settings, is_new)
        });
        if asked || !matches!(read, Ok((_, false))) {
            if !asked {
                self.parts.surroundings.begin();
            }
            let result = match read {
                Ok((Ok(settings), _)) => self.reload(&settings),
                Ok((Err(problems), _)) => Err(ReloadError::Invalid(problems)),
                Err(()) => Err(ReloadError::Broken),
            };
            if let Err(error) = &result {
                journal::reload_refused(error);
            }
            self.parts.metrics.reloaded(result.is_ok(), Clock::time_of_day());
            self.parts.surroundings.end(result.is_ok());
            replies.into_iter().for_each(|reply| drop(reply.send(result.clone())));
        } else {
            tracing::debug!(
                event = "config_unchanged",
                "the configuration's files say what they said"
            );
        }
        if let Some(again) = again {
            self.start_loading(again);
        }
    }

    fn reload(&mut self, settings: &Settings) -> Result<Diff, ReloadError> {
        settings.warnings.iter().for_each(|it| tracing::warn!(event = "config_warning", "{it}"));
        self.parts.surroundings.prepare(settings).map_err(ReloadError::Impossible)?;
        let started = Instant::now();
        let (mut diff, changes) = self.world.reload(&settings.model, Clock::time_of_day());
        diff.needs_restart = self.parts.running.differing(settings);
        self.due = None;
        self.put_live(started, &changes);
        self.parts.surroundings.commit(settings);
        self.parts.prober.watch(self.world.watches());
        journal::reloaded(&diff);
        Ok(diff)
    }

    fn publish(&mut self) {
        self.due = None;
        if self.world.is_edited() {
            let started = Instant::now();
            let changes = self.world.publish(Clock::time_of_day());
            self.put_live(started, &changes);
        }
    }

    fn put_live(&mut self, started: Instant, changes: &Changes) {
        self.retired.push(self.parts.live.publish(self.world.snapshot().clone()));
        self.free_retired();
        self.parts.metrics.published(started.elapsed());
        journal::published(changes, |key| self.reasons.remove(key)?.1);
        for (key, (verdict, reason)) in self.reasons.drain() {
            journal::verdict(&key, verdict, &reason.unwrap_or_default());
        }
    }

    fn free_retired(&mut self) {
        self.retired.retain(|it| Arc::strong_count(it) > 1);
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
