use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::{self, AbortHandle, JoinError, JoinSet};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::agenda::{Agenda, Id};
use super::draws::Draws;
use super::{ProbeHandle, VerdictChange, Watch};
use crate::clock::Clock;
use crate::health::{Health, Outcome, Phase, PhaseTimes, ProbeResult, first_delay, next_start};
use crate::metrics::ProbeMetrics;
use crate::model::{Moment, ProbeTarget, Protocol};

/// The one question that the scheduler asks of the world.
pub(super) trait World: Send + Sync + 'static {
    /// Does one probe, which starts `late` after it was due. Ends soon after the monitor's timeout at the latest.
    fn probe(
        &self,
        target: &ProbeTarget,
        late: Duration,
    ) -> impl Future<Output = ProbeResult> + Send;
}

/// Decides who is probed when, and takes in what came of it. Alone in writing what is believed of the endpoints.
#[derive(Debug)]
pub(super) struct Scheduler<W> {
    world: Arc<W>,
    clock: Clock,
    metrics: ProbeMetrics,
    handle: ProbeHandle,
    draws: Draws,
    last_id: u64,
    endpoints: HashMap<Id, Endpoint>,
    agenda: Agenda,
    probes: JoinSet<ProbeResult>,
    /// The probes whose results are awaited; a task that is not in here was given up.
    under_way: HashMap<task::Id, UnderWay>,
    /// The sockets that those probes hold.
    connections: usize,
    max_connections: usize,
    changes: mpsc::Sender<VerdictChange>,
    /// Changes that `changes` had no room for. Verdicts turn seldom, so it stays short; nothing in it may be lost.
    outbox: VecDeque<VerdictChange>,
}

/// What is known of one endpoint.
#[derive(Debug)]
struct Endpoint {
    watch: Watch,
    health: Health,
    probe: Option<AbortHandle>,
}

/// A probe that has begun.
#[derive(Debug)]
struct UnderWay {
    endpoint: Id,
    started: Moment,
    connections: usize,
}

impl<W: World> Scheduler<W> {
    pub(super) fn new(
        world: W,
        clock: Clock,
        metrics: ProbeMetrics,
        changes: mpsc::Sender<VerdictChange>,
        max_connections: usize,
        handle: ProbeHandle,
    ) -> Self {
        Self {
            world: Arc::new(world),
            clock,
            metrics,
            handle,
            draws: Draws::seeded(),
            last_id: 0,
            endpoints: HashMap::new(),
            agenda: Agenda::default(),
            probes: JoinSet::new(),
            under_way: HashMap::new(),
            connections: 0,
            max_connections,
            changes,
            outbox: VecDeque::new(),
        }
    }

    pub(super) async fn run(mut self, stop: CancellationToken) {
        let changes = self.changes.clone(); // lent out while the rest of us is at work
        loop {
            let wake = self.start_due();
            tokio::select! {
                biased; // in the order of importance; none of the earlier ones is ready all the time
                () = stop.cancelled() => break,
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
                () = reached(wake) => {}
            }
        }
        self.probes.shutdown().await;
    }

    /// Starts every probe that is due, as far as there are sockets. Tells when to look again; never, while one has to end
    /// first.
    fn start_due(&mut self) -> Option<Instant> {
        let now = self.clock.now();
        while self.connections < self.max_connections || self.under_way.is_empty() {
            let Some((due, id)) = self.agenda.take_due(now) else {
                return self.agenda.next_due().map(|due| self.clock.instant(due));
            };
            self.start(id, due, now);
        }
        None
    }

    fn start(&mut self, id: Id, due: Moment, now: Moment) {
        let Some(endpoint) = self.endpoints.get_mut(&id) else { return };
        let (world, clock) = (Arc::clone(&self.world), self.clock);
        let target = endpoint.watch.target.clone();
        let connections = target.addresses.len();
        let probe = self.probes.spawn(async move {
            // The task may have waited for its turn too.
            let late = clock.now().since(due);
            world.probe(&target, late).await
        });
        self.connections += connections;
        self.under_way.insert(probe.id(), UnderWay { endpoint: id, started: now, connections });
        endpoint.probe = Some(probe);
    }

    /// Takes in what came of a probe: for show, for the verdict, and for when the next one starts.
    fn finish(&mut self, ended: Result<(task::Id, ProbeResult), JoinError>) {
        let task = ended.as_ref().map_or_else(JoinError::id, |(task, _)| *task);
        let Some(probe) = self.under_way.remove(&task) else { return };
        self.connections -= probe.connections;
        let Some(endpoint) = self.endpoints.get_mut(&probe.endpoint) else { return };
        endpoint.probe = None;

        let now = self.clock.now();
        let result = match ended {
            Ok((_, result)) => result,
            Err(error) => broken(&error, endpoint, now.since(probe.started)),
        };
        let Watch { key, target, probed, .. } = &endpoint.watch;
        let turned = endpoint.health.observe(result.outcome, &target.monitor, now);
        self.metrics.observe(&result);
        if turned {
            self.outbox.push_back(VerdictChange {
                key: key.clone(),
                verdict: endpoint.health.verdict(),
                at: Clock::time_of_day(),
                reason: result.reason.clone(),
                probed: Arc::clone(probed),
            });
        }
        probed.record(result, now, endpoint.health.held_down_until());

        let interval = endpoint.health.interval(&target.monitor);
        let next = next_start(probe.started, interval, self.draws.next(), now);
        self.agenda.add(next, probe.endpoint);
    }

    /// Watches these endpoints and no others.
    fn replace(&mut self, wanted: Vec<Watch>) {
        let now = self.clock.now();
        let mut former: HashMap<_, _> = std::mem::take(&mut self.endpoints)
            .into_iter()
            .map(|(id, endpoint)| (endpoint.watch.key.clone(), (id, endpoint)))
            .collect();
        for watch in wanted {
            if watch.target.monitor.protocol == Protocol::None {
                continue;
            }
            // A new record means that what was believed counts no more, even of an equal target: it may have been another
            // one in between.
            let unchanged = former.get(&watch.key).is_some_and(|(_, it)| {
                it.watch.target == watch.target && Arc::ptr_eq(&it.watch.probed, &watch.probed)
            });
            match former.remove(&watch.key) {
                Some((id, endpoint)) if unchanged => {
                    self.endpoints.insert(id, Endpoint { watch, ..endpoint });
                }
                changed => {
                    if let Some((_, endpoint)) = changed {
                        self.give_up(&endpoint);
                    }
                    self.add(watch, now);
                }
            }
        }
        for (_, endpoint) in former.into_values() {
            self.give_up(&endpoint);
        }
        self.agenda.keep_only(|id| self.endpoints.contains_key(&id));
    }

    fn add(&mut self, watch: Watch, now: Moment) {
        self.last_id += 1;
        let id = Id(self.last_id);
        let delay = first_delay(watch.target.monitor.interval, self.draws.next());
        self.agenda.add(now + delay, id);
        let health = Health::believing(watch.verdict);
        self.endpoints.insert(id, Endpoint { watch, health, probe: None });
    }

    /// Forgets an endpoint's probe under way, and what was not yet told of it.
    fn give_up(&mut self, endpoint: &Endpoint) {
        self.outbox.retain(|change| change.key != endpoint.watch.key);
        let Some(probe) = &endpoint.probe else { return };
        probe.abort();
        if let Some(given_up) = self.under_way.remove(&probe.id()) {
            self.connections -= given_up.connections;
        }
    }
}

async fn reached(wake: Option<Instant>) {
    match wake {
        Some(instant) => sleep_until(instant).await,
        None => std::future::pending().await,
    }
}

/// The result of a probe that panicked: a fault of ours, which says nothing of the endpoint.
fn broken(error: &JoinError, endpoint: &Endpoint, elapsed: Duration) -> ProbeResult {
    let key = &endpoint.watch.key;
    tracing::error!(event = "probe_panicked", profile = %key.profile, endpoint = %key.endpoint, %error, "a probe panicked");
    ProbeResult {
        at: Clock::time_of_day(),
        outcome: Outcome::Void,
        phase: Phase::Connect,
        elapsed,
        phases: PhaseTimes::default(),
        reason: Some("the probe panicked, which is a fault in Farol".to_owned()),
        certificate_expires: None,
    }
}

#[cfg(test)]
#[path = "scheduler_tests.rs"]
mod tests;
