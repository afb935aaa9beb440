//! Probing: whether each endpoint answers, asked again and again. One task, the [`Prober`], holds what is believed of
//! every target and the agenda of when each is probed next; every probe runs in a task of its own, which the prober owns.
//! Endpoints whose addresses and monitors are equal are one target. What a probe does is in one file per protocol.
//!
//! - **Flow**: [`Prober::new`] gives the actor, which its owner runs until a token is cancelled, and a [`ProbeHandle`]
//!   that says what is to be probed. Every result goes into the endpoints' [`Probed`] and the metrics; a
//!   [`VerdictChange`] is sent only when the verdict turned.
//! - **Cost**: a tick costs what is due in it, whatever is configured.
//! - **Guarantees**: a target is never probed twice at the same time; the next probe starts an interval after the
//!   last one started; no socket outlives its probe; a probe that panics is contained and counts as void.
//! - **Caveat**: with more probes under way than [`Prober::new`]'s `most` allows, due probes wait, start late, and their
//!   time-outs say nothing (they are void). Those of a site that hangs wait for each other, not the other sites' for them.

mod agenda;
mod aim;
mod attempt;
mod body;
mod certificates;
mod draws;
mod exec;
mod grpc;
mod heritage;
#[cfg(test)]
mod hostile_tests;
mod http;
mod http1;
mod http2;
mod line;
mod reason;
mod reports;
mod scheduler;
mod shares;
mod target;
mod tcp;
#[cfg(test)]
pub(crate) mod testbed;
mod tls;
mod trail;
mod trust;
mod walk;
mod wire;

pub use reports::{Report, Unheard};

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Notify, mpsc, watch};
use tokio_util::sync::CancellationToken;

use self::attempt::Network;
use self::reports::Reports;
use self::scheduler::Scheduler;
use crate::clock::Clock;
use crate::health::{Belief, Probed, Resolved};
use crate::metrics::ProbeMetrics;
use crate::model::{EndpointKey, Ident, ProbeTarget, Timestamp, Verdict};

/// An endpoint that is to be probed.
#[derive(Clone, Debug)]
pub struct Watch {
    /// Which endpoint; unique among those watched.
    pub key: EndpointKey,
    /// Its site. Where sockets are short, those of one site don't wait for another's.
    pub site: Option<Ident>,
    /// Where and how. Endpoints with equal targets share their probes, unless they are discovered. An endpoint whose protocol is [`None`](crate::model::Protocol::None) is not probed.
    pub target: ProbeTarget,
    /// What is believed of the endpoint when it is watched for the first time. Where others share its target, see
    /// [`ProbeHandle::watch`].
    pub belief: Belief,
    /// What is known of the doubt about it, where somebody wants to know: see [`VerdictChange::doubt`].
    pub doubt: Option<Option<u8>>,
    /// Where the results go.
    pub probed: Arc<Probed>,
    /// What is known of the name that it stands for, whose addresses are probed if the target has it as its host; or what the cluster
    /// says of a discovered one.
    pub resolved: Option<Arc<Resolved>>,
    /// Whether it is discovered. Then it shares no probes, as the cluster may speak against this endpoint alone: see
    /// [`Resolved::objection`].
    pub is_discovered: bool,
}

/// The probes' verdict on an endpoint turned, or, where somebody wants to know, the doubt about it.
#[derive(Clone, Debug)]
pub struct VerdictChange {
    /// Which endpoint.
    pub key: EndpointKey,
    /// What is believed from now on.
    pub verdict: Verdict,
    /// While the last results speak against the verdict: how many more of them would turn it.
    pub doubt: Option<u8>,
    /// When it turned.
    pub at: Timestamp,
    /// What was wrong, when the result that decided was a failure: "connect: refused".
    pub reason: Option<Arc<str>>,
    /// The record that came with the [`Watch`]: whoever gave a changed endpoint a new one can tell by it that this
    /// change is still about the old.
    pub probed: Arc<Probed>,
}

/// Probes everything that is watched. Its owner runs it in a task and ends it by a token.
#[derive(Debug)]
pub struct Prober {
    scheduler: Scheduler<Network>,
}

impl Prober {
    /// A prober that watches nothing yet, and the handle that says what to watch.
    ///
    /// `most` bounds the sockets of probes under way, so that probing never takes the descriptors that answering needs; the
    /// last probe that fits may exceed it by its further addresses. It may change at any time. When `changes` is full, changes
    /// wait in the prober, in order, and probing goes on.
    pub fn new(
        clock: Clock,
        metrics: ProbeMetrics,
        changes: mpsc::Sender<VerdictChange>,
        most: watch::Receiver<usize>,
    ) -> (Self, ProbeHandle) {
        let handle = ProbeHandle::default();
        let network = Network::default();
        let scheduler = Scheduler::new(network, clock, metrics, changes, most, handle.clone());
        (Self { scheduler }, handle)
    }

    /// Probes until `stop` is cancelled or nobody listens for changes any more. Probes under way end with it.
    pub async fn run(self, stop: CancellationToken) {
        self.scheduler.run(stop).await;
    }
}

/// Says what is to be probed. Cheap to clone; never blocks.
#[derive(Clone, Debug, Default)]
pub struct ProbeHandle {
    wanted: Arc<Wanted>,
}

/// The latest word on what is to be watched, until the prober takes it in.
#[derive(Debug, Default)]
struct Wanted {
    latest: Mutex<Option<Vec<Watch>>>,
    changed: Notify,
    reports: Reports,
}

impl ProbeHandle {
    /// Replaces everything that is watched. Endpoints with equal targets are probed as one: each gets every result, and hears
    /// of every turn of the verdict.
    ///
    /// - A target that one of its endpoints has been listening to, with the same record, goes on: what is believed of it, its
    ///   next probe's time and the probe under way stay. Endpoints that join it are told at once what is known; those
    ///   that leave it disturb nobody.
    /// - A target that has an endpoint with the same record as before, when that had another target, goes on from what is
    ///   known of that one: it is the same place, probed otherwise. Its next probe keeps its time.
    /// - Any other target starts afresh, from what its endpoints believe: who believes nothing is told what the others do;
    ///   where they contradict each other, each keeps its own until the first result, which is the verdict for all.
    /// - A target that is missing is probed no more, and a probe of it that is under way has no result.
    pub fn watch(&self, wanted: Vec<Watch>) {
        *self.wanted.latest.lock().unwrap_or_else(PoisonError::into_inner) = Some(wanted);
        self.wanted.changed.notify_one();
    }

    /// Hands in what a site reports of an endpoint whose protocol is [`Push`](crate::model::Protocol::Push); it is counted as a
    /// probe's result by then.
    ///
    /// # Errors
    /// Why it counts for nothing.
    pub async fn report(&self, report: Report) -> Result<(), Unheard> {
        self.wanted.reports.hand_in(report).await
    }

    /// Waits for reports and takes them.
    async fn reports(&self) -> Vec<reports::Waiting> {
        self.wanted.reports.take().await
    }

    /// Waits for the next word and takes it.
    async fn next(&self) -> Vec<Watch> {
        loop {
            let latest = self.wanted.latest.lock().unwrap_or_else(PoisonError::into_inner).take();
            if let Some(wanted) = latest {
                return wanted;
            }
            self.wanted.changed.notified().await;
        }
    }
}
