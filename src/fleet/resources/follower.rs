//! From what is configured to what is in force: a file's fleet at once, that of custom resources whenever they change.

use std::convert::Infallible;
use std::fmt;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::store::{ResourcesError, Store};
use super::teller::{Seen, tell};
use crate::clock;
use crate::fleet::cluster::ClusterError;
use crate::fleet::controller::Board;
use crate::fleet::discovery::{Source, sources};
use crate::fleet::report::Trouble;
use crate::fleet::spec::{Base, Described, Description, Fleet};
use crate::metrics::FleetMetrics;
use crate::model::Model;
use crate::settings::Problems;
use crate::supervision::Backoff;

/// The pause before the cluster that has the resources is asked again, at first and at last.
const SHORTEST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// Who was followed for so long was reached well.
const A_WHILE: Duration = Duration::from_secs(60);
/// How long after a change the resources are read: changes seldom come alone.
const SETTLE: Duration = Duration::from_millis(300);

/// What the daemon is configured with, as far as it is about the fleet.
#[derive(Debug, Default)]
pub struct Configured {
    /// What the fleet's file says; none without one.
    pub description: Option<Description>,
    /// The profiles whose endpoints may be discovered.
    pub model: Model,
}

/// Keeps the fleet that is in force up to what is configured. Its owner runs it in a task and ends it by a token; a clone goes on where it was.
#[derive(Clone)]
pub struct Follower {
    configured: watch::Receiver<Arc<Configured>>,
    fleet: watch::Sender<Option<Arc<Fleet>>>,
    sources: watch::Sender<Arc<[Source]>>,
    board: Arc<Board>,
    metrics: FleetMetrics,
}

impl Follower {
    /// A follower of whatever is configured last. It tells the controller which fleet is in force and discovery where to look, and writes on
    /// the board and into the metrics if what is described isn't in force.
    pub fn new(
        configured: watch::Receiver<Arc<Configured>>,
        fleet: watch::Sender<Option<Arc<Fleet>>>,
        sources: watch::Sender<Arc<[Source]>>,
        board: Arc<Board>,
        metrics: FleetMetrics,
    ) -> Self {
        Self { configured, fleet, sources, board, metrics }
    }

    /// Works until `stop` is cancelled or nobody configures any more.
    pub async fn run(self, stop: CancellationToken) {
        let mut configured = self.configured.clone();
        let work = async {
            loop {
                let now = configured.borrow_and_update().clone();
                let follow = async {
                    match &now.description {
                        None => {
                            self.board.refuse(None);
                            self.metrics.in_force(None);
                            self.publish(None, Vec::new());
                        }
                        Some(Description::Whole(described)) => {
                            // It was held against the configuration when both were loaded.
                            let taken = self.take(described, &now.model, true);
                            taken.unwrap_or_else(|it| self.refused(&it.into()));
                        }
                        Some(Description::InCluster(base)) => {
                            match self.follow(base, &now.model).await {}
                        }
                    }
                    pending().await
                };
                tokio::select! {
                    () = follow => {}
                    changed = configured.changed() => if changed.is_err() {
                        return;
                    }
                }
            }
        };
        stop.run_until_cancelled(work).await;
    }

    async fn follow(&self, base: &Base, model: &Model) -> Infallible {
        let mut backoff = Backoff::new(SHORTEST_PAUSE, LONGEST_PAUSE, A_WHILE);
        let mut is_first = true;
        loop {
            let started = Instant::now();
            let Err(error) = self.follow_once(base, model, &mut is_first).await;
            self.refused(&error);
            sleep(backoff.after(started.elapsed())).await;
        }
    }

    async fn follow_once(
        &self,
        base: &Base,
        model: &Model,
        is_first: &mut bool,
    ) -> Result<Infallible, ResourcesError> {
        let store = Store::open(&base.resources).await?;
        let (seen, latest) = watch::channel(Arc::default());
        let mut changes = store.changes();
        let read = async {
            let mut due = Some(Instant::now());
            loop {
                tokio::select! {
                    Some(changed) = changes.next() => match changed {
                        Ok(()) => _ = due.get_or_insert_with(|| Instant::now() + SETTLE),
                        // The watch has the credential of its beginning.
                        Err(error @ (ClusterError::Unauthorized(_) | ClusterError::Forbidden { .. })) => {
                            return Err(error.into());
                        }
                        // It begins anew by itself; whether the cluster is there, reading shows.
                        Err(_) => _ = due.get_or_insert_with(|| Instant::now() + SETTLE),
                    },
                    () = clock::reached(due) => {
                        due = None;
                        let listed = store.list().await?;
                        let taken = listed.described(base).and_then(|it| {
                            Ok(self.take(&it, model, std::mem::take(is_first))?)
                        });
                        let refused = match taken {
                            Ok(()) => None,
                            Err(error) => {
                                self.refused(&error);
                                match error {
                                    ResourcesError::Wrong(problems) => Some(problems),
                                    _ => None,
                                }
                            }
                        };
                        seen.send_replace(Arc::new(Seen { listed, refused }));
                    }
                }
            }
        };
        tokio::select! {
            ended = read => ended,
            never = tell(&store, &self.board, latest) => match never {},
        }
    }

    /// Has a fleet be in force, if it fits the configuration. It is looked at anew if that is asked for, or else if it is another one.
    fn take(&self, described: &Described, model: &Model, anew: bool) -> Result<(), Problems> {
        let sources = sources(model, described)?;
        let is_in_force = self.fleet.borrow().as_deref() == Some(&described.fleet);
        if anew || !is_in_force || **self.sources.borrow() != sources {
            self.publish(Some(described.fleet.clone()), sources);
        }
        if self.board.refuse(None) {
            tracing::info!(
                event = "fleet_description_taken",
                "the fleet's description is right again, and in force"
            );
        }
        self.metrics.in_force(Some(true));
        Ok(())
    }

    fn publish(&self, fleet: Option<Fleet>, sources: Vec<Source>) {
        if let Some(fleet) = &fleet {
            let (sites, apps) = (fleet.sites.len(), fleet.apps.len());
            tracing::info!(
                event = "fleet_described",
                sites,
                apps,
                "the fleet has {sites} sites and {apps} apps"
            );
        }
        self.sources.send_replace(sources.into());
        self.fleet.send_replace(fleet.map(Arc::new));
    }

    /// Says why what is described isn't in force, once.
    fn refused(&self, why: &ResourcesError) {
        let (kind, message) = match why {
            ResourcesError::Cluster(error) => (error.word(), why.to_string()),
            _ => ("refused", why.to_string()),
        };
        let trouble = Trouble { kind: kind.to_owned(), message: message.clone() };
        self.metrics.in_force(Some(false));
        if self.board.refuse(Some(trouble)) {
            tracing::warn!(
                event = "fleet_description_refused",
                why = message,
                "the fleet's description is not taken, what was in force stays: {message}"
            );
        }
    }
}

impl fmt::Debug for Follower {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Follower").finish_non_exhaustive()
    }
}
