mod changing;
mod loading;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use self::changing::Saving;
use self::loading::{Loading, Relook};
use super::causes::{Causes, Heard};
use super::events::{Events, Happening};
use super::time_of_day::TimeOfDay;
use super::timelines::{Timelines, Why};
use super::world::{Changes, Transition, World};
use super::{Command, Handle, Load, Refusal, Running, Surroundings, journal};
use crate::clock::{Clock, reached};
use crate::health::{Cause, Turn};
use crate::metrics::{ControlMetrics, Exposure, StateMetrics};
use crate::model::{EndpointKey, Locator, Settled, Timestamp, Verdict};
use crate::probe::{ProbeHandle, VerdictChange};
use crate::resolve::Wanted;
use crate::settings::Reading;
use crate::snapshot::{Live, Snapshot};
use crate::store::{Record, Store};
use crate::supervision::Heart;

/// How long the first verdict of a burst waits for the others.
const COALESCE: Duration = Duration::from_millis(2);
/// How often retired snapshots are looked at, while there are any.
const RETIRE: Duration = Duration::from_secs(1);
/// The longest time from one look at the time of day to the next, while an override has an end.
const LOOK: Duration = Duration::from_secs(1);
/// How long the overrides wait for the next write after one that failed.
const REWRITE: Duration = Duration::from_secs(10);
/// How often endpoints that start slowly take more.
const RAMP: Duration = Duration::from_millis(500);
/// Operators' changes that may wait; a further one waits at its sender.
const COMMANDS: usize = 256;
/// Operators' changes that one write to the disk takes.
const BATCH: usize = 64;

/// What the control task works with.
pub struct Parts {
    /// By which endpoints start slowly.
    pub clock: Clock,
    /// Where snapshots are published; the world's is live already.
    pub live: Arc<Live>,
    /// Where overrides are kept.
    pub store: Arc<Store>,
    /// Who is told what to probe; [`Handle::probe_with`] puts another in its place.
    pub prober: ProbeHandle,
    /// What the prober says.
    pub verdicts: mpsc::Receiver<VerdictChange>,
    /// Who is told what to find addresses for.
    pub names: watch::Sender<Wanted>,
    /// What tells addresses that are others now.
    pub resolved: mpsc::Receiver<Locator>,
    /// What a reload reads.
    pub load: Load,
    /// The settings in force beside the world's.
    pub running: Running,
    /// Who is told what came into another status, and why.
    pub timelines: Arc<Timelines>,
    /// Who is told what happens.
    pub events: Arc<Events>,
    /// What else a reload changes.
    pub surroundings: Box<dyn Surroundings>,
    /// The files as they were read last; always told after they were read, also when nothing was new.
    pub reading: watch::Sender<Reading>,
    /// Beats while the task is alive.
    pub heart: Arc<Heart>,
    /// What is counted.
    pub metrics: ControlMetrics,
    /// What of the metrics is shown to whom.
    pub exposure: Arc<Exposure>,
    /// How the state directory is doing.
    pub state_metrics: StateMetrics,
}

/// The control task.
pub struct Control {
    world: World,
    parts: Parts,
    commands: mpsc::Receiver<Command>,
    probers: watch::Receiver<ProbeHandle>,
    /// Snapshots that a worker may still hold: they are freed here, not there.
    retired: Vec<Arc<Snapshot>>,
    /// The verdicts since the last publication, for the log.
    heard: HashMap<EndpointKey, Heard>,
    /// When to publish what has changed.
    due: Option<Instant>,
    saving: Option<Saving>,
    /// What the audit log has to be told beside the next changes.
    untold: Vec<Record>,
    /// Pending changes that were undone while overrides are being written that have them.
    undone: Vec<(u64, Settled)>,
    /// When to write the overrides again: some have ended that are on the disk still, or others serve than it says.
    rewrite: Option<Instant>,
    /// Whether it was told that they couldn't be.
    is_behind: bool,
    loading: Option<Loading>,
    relook: Option<Relook>,
    /// The last reload, if it was refused.
    refused: Arc<Mutex<Option<Refusal>>>,
}

impl Control {
    /// A control task over a world whose snapshot is live, and the handle to talk to it.
    pub fn new(mut world: World, parts: Parts) -> (Self, Handle) {
        let (sender, commands) = mpsc::channel(COMMANDS);
        let (new_probers, probers) = watch::channel(parts.prober.clone());
        parts.prober.watch(world.watches());
        parts.names.send_replace(wanted(&world, &parts.running));
        journal::unmatched(&world.snapshot().unmatched_overrides);
        journal::geo_database(&world.snapshot().geography);
        let rewrite = world.take_serving_changed().then(Instant::now);
        let mut control = Self {
            world,
            parts,
            commands,
            probers,
            retired: Vec::new(),
            heard: HashMap::new(),
            due: None,
            saving: None,
            untold: Vec::new(),
            undone: Vec::new(),
            rewrite,
            is_behind: false,
            loading: None,
            relook: None,
            refused: Arc::default(),
        };
        let refused = control.refused.clone();
        control.expire();
        (control, Handle { commands: sender, probers: new_probers, refused })
    }

    /// Runs until `stop` is cancelled. What is to be written is written first.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut sweep = tokio::time::interval(RETIRE);
        let mut pulse = tokio::time::interval(Heart::EVERY);
        let mut ramp = tokio::time::interval(RAMP);
        // Nobody waits for what is not to be done, so nothing of it is made up for.
        sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
        ramp.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut time = TimeOfDay::now();
        let mut commands = Vec::with_capacity(BATCH);
        loop {
            let expiry = self.world.next_expiry().map(|it| self.next_look(it));
            tokio::select! {
                () = stop.cancelled() => break,
                _ = pulse.tick() => {
                    self.parts.heart.beat();
                    time.look();
                }
                _ = ramp.tick(), if self.world.is_ramping() => {
                    self.world.step_ramps();
                    self.publish(&Why::Verdicts);
                }
                () = reached(self.due) => self.publish(&Why::Verdicts),
                () = reached(expiry) => self.expire(),
                () = reached(self.rewrite), if self.saving.is_none() => {
                    self.write_anew();
                }
                () = reached(self.relook.map(|it| it.at)), if self.loading.is_none() => self.ask_to_load(None),
                Ok(()) = self.probers.changed() => {
                    let prober = self.probers.borrow_and_update().clone();
                    self.probe_with(prober);
                }
                Some(verdict) = self.parts.verdicts.recv() => self.observe(&verdict),
                Some(locator) = self.parts.resolved.recv() => self.resolved(&locator),
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
        self.finish().await;
    }

    fn observe(&mut self, change: &VerdictChange) {
        if self.world.observe(change) {
            // The probe that decided is the last one, unless another has ended since.
            let last = change.probed.last().filter(|it| it.reason == change.reason);
            let (phase, reason) = (last.map(|it| it.phase), change.reason.clone());
            let heard = Heard { verdict: change.verdict, phase, reason };
            self.heard.insert(change.key.clone(), heard);
        }
        if self.world.is_edited() {
            self.due.get_or_insert_with(|| Instant::now() + COALESCE);
        }
    }

    fn resolved(&mut self, locator: &Locator) {
        let moved = self.world.resolved(locator, self.parts.clock.now());
        if !moved.is_empty() {
            let reason: Arc<str> = "its cluster exposes it at another address".into();
            for key in moved {
                let (verdict, reason) = (Verdict::Unknown, Some(reason.clone()));
                self.heard.insert(key, Heard { verdict, phase: None, reason });
            }
            self.publish(&Why::Verdicts);
            self.parts.prober.watch(self.world.watches());
        }
        if self.world.is_edited() {
            self.due.get_or_insert_with(|| Instant::now() + COALESCE);
        }
    }

    fn probe_with(&mut self, prober: ProbeHandle) {
        // The former prober's last words come first: the new one does not repeat them.
        while let Ok(verdict) = self.parts.verdicts.try_recv() {
            self.observe(&verdict);
        }
        self.publish(&Why::Verdicts);
        self.parts.prober = prober;
        self.parts.prober.watch(self.world.watches());
    }

    fn publish(&mut self, why: &Why<'_>) {
        self.due = None;
        if self.world.is_edited() {
            let started = Instant::now();
            let changes = self.world.publish(self.parts.clock.both());
            let worse = self.put_live(started, &changes, why);
            if !worse.is_empty() {
                self.undo_worse(worse);
            }
        }
    }

    /// Puts the world's snapshot in force and tells of it. Gives the pending changes that are to be undone for it.
    #[must_use]
    fn put_live(
        &mut self,
        started: Instant,
        changes: &Changes,
        why: &Why<'_>,
    ) -> Vec<(u64, String)> {
        if self.world.take_serving_changed() {
            self.rewrite.get_or_insert_with(Instant::now);
        }
        self.retired.push(self.parts.live.publish(self.world.snapshot().clone()));
        self.free_retired();
        self.parts.metrics.published(started.elapsed());
        let causes = Causes { transitions: &changes.transitions, why, heard: &self.heard };
        let caused = changes.transitions.iter().map(|it| (it, causes.of(it)));
        let caused: Vec<(&Transition, Cause)> = caused.collect();
        journal::published(changes, &caused);
        caused.iter().for_each(|(it, _)| drop(self.heard.remove(&it.key)));
        self.tell_listeners(changes, &caused);
        let worse = self.world.worsened(&caused);
        self.parts.timelines.add(caused.into_iter());
        self.parts.timelines.notify();
        // What is probed elsewhere by now has no verdict.
        for (key, heard) in self.heard.drain().filter(|it| it.1.verdict != Verdict::Unknown) {
            journal::verdict(&key, heard.verdict, heard.reason.as_deref().unwrap_or_default());
        }
        worse
    }

    fn tell_listeners(&self, changes: &Changes, caused: &[(&Transition, Cause)]) {
        let transition = |(it, cause): &(&Transition, Cause)| {
            let (from, since, to, cause) = (it.from, Some(it.since), it.to, cause.clone());
            let turn = Turn { at: it.at, from, since, to, cause };
            Happening::Transition { key: it.key.clone(), site: it.site.clone(), turn }
        };
        let fail_open = changes.fail_open.iter().cloned();
        let failback = changes.failback.iter().cloned();
        let snapshot = self.world.snapshot();
        let (generation, revision) = (snapshot.generation, snapshot.revision);
        let happened = caused.iter().map(transition);
        let happened = happened.chain(fail_open.map(|(name, is)| Happening::FailOpen(name, is)));
        let happened = happened.chain(failback.map(|(name, is)| Happening::Failback(name, is)));
        let published = Happening::Publish { generation, revision };
        self.parts.events.add(Clock::time_of_day(), happened.chain([published]));
    }

    /// When to look at the time of day for something that ends then: no later than in [`LOOK`], as the clock may be set.
    fn next_look(&self, ends: Timestamp) -> Instant {
        let left = ends.0.saturating_sub(Clock::time_of_day().0);
        let left = Duration::from_millis(u64::try_from(left).unwrap_or_default()).min(LOOK);
        // What is past may wait for the write that says what becomes of it.
        let waits = left.is_zero() && !self.settling().is_empty();
        Instant::now() + if waits { LOOK } else { left }
    }

    fn free_retired(&mut self) {
        self.retired.retain(|it| Arc::strong_count(it) > 1);
    }
}

/// What is to be resolved.
fn wanted(world: &World, running: &Running) -> Wanted {
    let (names, discovered) = (world.names(), world.discovered());
    Wanted { names, discovered, servers: running.resolver().clone() }
}

/// The end of a blocking task, if there is one; its panic is an error.
async fn finished<T>(task: Option<&mut JoinHandle<T>>) -> Result<T, ()> {
    match task {
        Some(task) => task.await.map_err(|_| ()),
        None => std::future::pending().await,
    }
}
