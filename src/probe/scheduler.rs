mod groups;
mod lines;
mod pushed;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::{self, JoinError, JoinSet};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use self::groups::{Group, by_target, group};
use self::pushed::Pushed;
use super::agenda::{Agenda, Id};
use super::aim::{Next, unresolved};
use super::certificates::Certificates;
use super::draws::Draws;
use super::heritage::Heritage;
use super::line::End;
use super::shares::{Due, SiteId, SocketShares};
use super::target::{Outbox, Target};
use super::{ProbeHandle, VerdictChange, Watch};
use crate::clock::{Clock, reached};
use crate::health::{Outcome, Phase, PhaseTimes, ProbeResult, first_delay, next_start};
use crate::metrics::ProbeMetrics;
use crate::model::{EndpointKey, Moment, ProbeTarget, Protocol};
use crate::supervision::Burst;

/// Waits for sockets that are closer together than this are one burst.
const QUIET: Duration = Duration::from_secs(60);
/// How soon a probe looks again whose target's name is being resolved for the first time.
const RESOLVING: Duration = Duration::from_millis(250);

/// What the scheduler asks of the world.
pub(super) trait World: Send + Sync + 'static {
    /// Does one probe, which starts `late` after it was due. Ends soon after the monitor's timeout at the latest.
    fn probe(
        &self,
        target: &ProbeTarget,
        late: Duration,
    ) -> impl Future<Output = ProbeResult> + Send;

    /// Holds idle connections to a target's addresses until one of them ends.
    fn hold(&self, target: &ProbeTarget) -> impl Future<Output = End> + Send;
}

/// Decides what is probed when, and takes in what came of it. Alone in writing what is believed of the endpoints.
#[derive(Debug)]
pub(super) struct Scheduler<W> {
    world: Arc<W>,
    clock: Clock,
    metrics: ProbeMetrics,
    handle: ProbeHandle,
    draws: Draws,
    last_id: u64,
    targets: HashMap<Id, Target>,
    agenda: Agenda,
    sockets: SocketShares,
    /// How many sockets there may be.
    most: watch::Receiver<usize>,
    /// Of probes that wait for a socket.
    waits: Burst,
    /// How many sockets all probes together need.
    needed: usize,
    /// Each gives its result and how late it started.
    probes: JoinSet<(ProbeResult, Duration)>,
    /// The probes that have not ended. Of a target that is gone, the result is dropped.
    under_way: HashMap<task::Id, UnderWay>,
    /// Idle connections that are held.
    lines: JoinSet<End>,
    /// Whose they are; a task that is not in here was given up.
    held: HashMap<task::Id, Id>,
    /// The targets that are reported of.
    pushed: HashMap<EndpointKey, Pushed>,
    changes: mpsc::Sender<VerdictChange>,
    /// Changes that `changes` had no room for. Verdicts turn seldom, so it stays short; nothing in it may be lost.
    outbox: Outbox,
    /// Those that expire soon.
    certificates: Certificates,
}

/// A probe that has begun.
#[derive(Debug)]
struct UnderWay {
    target: Id,
    started: Moment,
}

impl<W: World> Scheduler<W> {
    pub(super) fn new(
        world: W,
        clock: Clock,
        metrics: ProbeMetrics,
        changes: mpsc::Sender<VerdictChange>,
        most: watch::Receiver<usize>,
        handle: ProbeHandle,
    ) -> Self {
        let sockets = SocketShares::new(*most.borrow());
        Self {
            world: Arc::new(world),
            clock,
            metrics,
            handle,
            draws: Draws::seeded(),
            last_id: 0,
            targets: HashMap::new(),
            agenda: Agenda::default(),
            sockets,
            most,
            waits: Burst::new(QUIET),
            needed: 0,
            probes: JoinSet::new(),
            under_way: HashMap::new(),
            lines: JoinSet::new(),
            held: HashMap::new(),
            pushed: HashMap::new(),
            changes,
            outbox: Outbox::new(),
            certificates: Certificates::default(),
        }
    }

    pub(super) async fn run(mut self, stop: CancellationToken) {
        // Lent out while the rest of us is at work.
        let (changes, handle) = (self.changes.clone(), self.handle.clone());
        loop {
            let wake = self.start_due();
            tokio::select! {
                biased; // in the order of importance; none of the earlier ones is ready all the time
                () = stop.cancelled() => break,
                Ok(()) = self.most.changed() => self.limit(),
                wanted = self.handle.next() => self.replace(wanted),
                permit = changes.reserve(), if !self.outbox.is_empty() => match permit {
                    Ok(permit) => {
                        if let Some(change) = self.outbox.pop_front() {
                            permit.send(change);
                        }
                    }
                    Err(_) => break, // nobody listens any more
                },
                Some(ended) = self.probes.join_next_with_id() => self.finish(ended),
                Some(ended) = self.lines.join_next_with_id() => self.end_line(ended),
                reports = handle.reports() => self.hear(reports),
                () = reached(wake) => {}
            }
        }
        self.lines.abort_all();
        self.probes.shutdown().await;
    }

    /// Starts every probe that is due, as far as there are sockets. Tells when the next one is due.
    fn start_due(&mut self) -> Option<Instant> {
        let now = self.clock.now();
        while let Some((at, id)) = self.agenda.take_due(now) {
            let Some(target) = self.targets.get_mut(&id).filter(|it| it.due == at) else {
                continue;
            };
            if matches!(target.what.monitor.protocol, Protocol::Push(_)) {
                self.note_silence(id, at, now);
            } else if target.probe.is_none() && !target.is_asking {
                target.is_asking = true;
                self.sockets.ask(target.site, Due { id, at, asked: now });
            }
        }
        loop {
            while let Some((site, due)) = self.sockets.next() {
                self.start(site, due, now);
            }
            if self.sockets.waiting() == 0 || !self.give_up_lines() {
                break;
            }
        }
        self.metrics.waiting(self.sockets.waiting());
        if self.sockets.waiting() > 0 {
            self.note_wait(now);
        }
        self.agenda.next_due().map(|due| self.clock.instant(due))
    }

    fn start(&mut self, site: SiteId, due: Due, now: Moment) {
        let Some(target) = self.targets.get_mut(&due.id) else { return };
        target.is_asking = false;
        let what = match target.look() {
            Next::At(what) => what,
            Next::NotYet => return self.schedule(due.id, now + RESOLVING),
            Next::Nowhere(reason) => return self.fail(due.id, &reason, now),
        };
        let (world, clock) = (Arc::clone(&self.world), self.clock);
        self.sockets.take(site, what.addresses.len());
        if due.asked < now {
            self.metrics.waited(now.since(due.asked));
        }
        let probe = self.probes.spawn(async move {
            // The task may have waited for its turn too.
            let late = clock.now().since(due.at);
            (world.probe(&what, late).await, late)
        });
        self.under_way.insert(probe.id(), UnderWay { target: due.id, started: now });
        target.probe = Some(probe);
    }

    /// Takes in that there is nowhere to probe.
    fn fail(&mut self, id: Id, reason: &str, now: Moment) {
        let Some(target) = self.targets.get_mut(&id) else { return };
        let result = unresolved(reason, Clock::time_of_day());
        let counted = target.observe(result, now, &mut self.outbox);
        self.metrics.observe(&counted, Duration::ZERO);
        let next = next_start(now, target.interval(), self.draws.next(), now);
        self.schedule(id, next);
    }

    /// Says once a burst that probes wait.
    fn note_wait(&mut self, now: Moment) {
        if self.waits.begins(self.clock.instant(now).into_std()) {
            let (waiting, most) = (self.sockets.waiting(), self.sockets.most());
            tracing::warn!(
                event = "probes_wait",
                waiting,
                most,
                "{waiting} probes are due and wait for one of {most} sockets; raise the limit of open files (LimitNOFILE=) or probe.max_concurrent_probes, or look for sites that hang"
            );
        }
    }

    /// Takes in what came of a probe: for show, for the verdict, and for when the next one starts.
    fn finish(&mut self, ended: Result<(task::Id, (ProbeResult, Duration)), JoinError>) {
        let task = ended.as_ref().map_or_else(JoinError::id, |(task, _)| *task);
        let Some(probe) = self.under_way.remove(&task) else { return };
        let Some(target) = self.targets.get_mut(&probe.target) else { return };
        target.probe = None;
        self.sockets.give_back(target.site, target.sockets());

        let now = self.clock.now();
        let (result, late) = match ended {
            Ok((_, result)) => result,
            Err(error) => (broken(&error, target, now.since(probe.started)), Duration::ZERO),
        };
        self.certificates.note(target.key(), &target.what.monitor, &result);
        let counted = target.observe(result, now, &mut self.outbox);
        self.metrics.observe(&counted, late);
        let gap = self.gap_after(probe.target, counted.outcome, counted.refused);
        if counted.outcome == Outcome::Passed {
            self.hold_line(probe.target, now);
        }
        let next = next_start(probe.started, gap, self.draws.next(), now);
        self.schedule(probe.target, next);
    }

    /// Has a target looked at then, and not before.
    fn schedule(&mut self, id: Id, due: Moment) {
        if let Some(target) = self.targets.get_mut(&id) {
            target.due = due;
            self.agenda.add(due, id);
        }
    }

    /// Watches these endpoints and no others.
    fn replace(&mut self, wanted: Vec<Watch>) {
        let now = self.clock.now();
        self.pushed.clear();
        let of = |it: &Target| Some(group(&it.what, it.key()?, it.is_discovered()));
        let mut former: HashMap<Group, (Id, Target)> = std::mem::take(&mut self.targets)
            .into_iter()
            .filter_map(|(id, target)| Some((of(&target)?, (id, target))))
            .collect();
        // Everything about sockets is counted anew, since sites may be others.
        self.sockets.clear().for_each(|due| self.agenda.add(due.at, due.id));
        let mut heritage = Heritage::default();
        former.values().for_each(|(_, it)| it.bequeath(&mut heritage, now));
        let mut needed = 0;
        for (group, watches) in by_target(wanted) {
            needed += group.0.addresses.len().max(1);
            let site = self.sockets.site(watches.first().and_then(|it| it.site.as_ref()));
            // New records throughout mean that what was believed counts no more, even of an equal target: its endpoints may
            // have had another one in between.
            let held = former.remove(&group);
            let what = group.0;
            match held {
                Some((id, mut target)) if target.is_known_to(&watches) => {
                    if target.probe.is_some() {
                        self.sockets.take(site, target.sockets());
                    }
                    target.is_asking = false; // who did is in the agenda again
                    target.go_on(what, site, watches, &heritage, &mut self.outbox);
                    self.insert(id, target);
                }
                other => {
                    if let Some((_, target)) = other {
                        self.give_up(target);
                    }
                    let due = heritage.due(&watches);
                    let target = Target::new(what, site, watches, &heritage, &mut self.outbox);
                    self.add(target, due, now);
                }
            }
        }
        former.into_values().for_each(|(_, target)| self.give_up(target));
        self.agenda.keep_only(|id| self.targets.contains_key(&id));
        if !self.outbox.is_empty() {
            let heard: HashSet<_> = self.targets.values().flat_map(Target::records).collect();
            self.outbox.retain(|it| heard.contains(&Arc::as_ptr(&it.probed)));
        }
        self.warn_of_limit(needed);
    }

    /// Watches a target from now on, of which a probe is `due` if its endpoints have been probed there before.
    fn add(&mut self, target: Target, due: Option<Moment>, now: Moment) {
        self.last_id += 1;
        let id = Id(self.last_id);
        let interval = target.what.monitor.interval;
        let is_pushed = matches!(target.what.monitor.protocol, Protocol::Push(_));
        let due = match due {
            Some(due) => due.min(now + if is_pushed { interval } else { target.interval() }),
            // A site has its whole interval to report.
            None if is_pushed => now + interval,
            None => now + first_delay(interval, self.draws.next()),
        };
        self.insert(id, target);
        self.schedule(id, due);
    }

    fn insert(&mut self, id: Id, target: Target) {
        if let (Protocol::Push(_), Some(key)) = (&target.what.monitor.protocol, target.key()) {
            self.pushed.insert(key.clone(), Pushed::new(id));
        }
        self.targets.insert(id, target);
    }

    /// Forgets a target's probe under way and its connection.
    fn give_up(&mut self, mut target: Target) {
        target.give_up();
        self.give_up_line(&mut target);
    }

    /// Takes in another limit of sockets.
    fn limit(&mut self) {
        self.sockets.limit(*self.most.borrow_and_update());
        let needed = std::mem::take(&mut self.needed);
        self.warn_of_limit(needed);
    }

    /// Warns when not all probes could be under way together, as they are when everything hangs.
    fn warn_of_limit(&mut self, needed: usize) {
        let most = self.sockets.most();
        self.metrics.limited(most);
        if std::mem::replace(&mut self.needed, needed) != needed && needed > most {
            tracing::warn!(
                event = "probe_limit",
                needed,
                most,
                "probes need {needed} sockets when everything hangs, and may have {most}, so some would start late; raise the limit of open files (LimitNOFILE=) or probe.max_concurrent_probes"
            );
        }
    }
}

/// The result of a probe that panicked: a fault of ours, which says nothing of the endpoint.
fn broken(error: &JoinError, target: &Target, elapsed: Duration) -> ProbeResult {
    let key = target.key().map(ToString::to_string).unwrap_or_default();
    tracing::error!(event = "probe_panicked", endpoint = key, %error, "a probe of {key} panicked");
    ProbeResult {
        at: Clock::time_of_day(),
        outcome: Outcome::Void,
        phase: Phase::Connect,
        elapsed,
        phases: PhaseTimes::default(),
        reason: Some("the probe panicked, which is a fault in Farol".into()),
        refused: false,
        certificate_expires: None,
    }
}

#[cfg(test)]
#[path = "scheduler_tests.rs"]
mod tests;
