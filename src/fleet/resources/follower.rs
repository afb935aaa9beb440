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

use super::condition::Seen;
use super::store::{Listed, ResourcesError, Store};
use super::teller::tell;
use crate::clock::{self, Clock};
use crate::fleet::cluster::ClusterError;
use crate::fleet::controller::Board;
use crate::fleet::discovery::{Source, sources};
use crate::fleet::report::Trouble;
use crate::fleet::spec::{Base, Description, Fleet};
use crate::fleet::thread::on_thread;
use crate::metrics::FleetMetrics;
use crate::model::{Model, Timestamp};
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
    sources: watch::Sender<Option<Arc<[Source]>>>,
    board: Arc<Board>,
    metrics: FleetMetrics,
}

/// The resources that are followed, and what came of them.
struct Following<'a> {
    base: &'a Base,
    model: &'a Model,
    /// Whether everything is to be looked at anew, as with a reload of a file.
    is_new: bool,
    /// The fleet that was taken last, and since when it is in force.
    in_force: Option<(Arc<Fleet>, Timestamp)>,
}

impl Following<'_> {
    /// Takes in which fleet is in force.
    fn note(&mut self, fleet: Option<Arc<Fleet>>) {
        let is_same = |it: &&(Arc<Fleet>, Timestamp)| {
            fleet.as_ref().is_some_and(|fleet| Arc::ptr_eq(fleet, &it.0))
        };
        let known = self.in_force.as_ref().filter(is_same);
        let since = known.map_or_else(Clock::time_of_day, |it| it.1);
        self.in_force = fleet.map(|it| (it, since));
    }
}

impl Follower {
    /// A follower of whatever is configured last. It tells the controller which fleet is in force and discovery where to look, and writes on
    /// the board and into the metrics if what is described isn't in force.
    pub fn new(
        configured: watch::Receiver<Arc<Configured>>,
        fleet: watch::Sender<Option<Arc<Fleet>>>,
        sources: watch::Sender<Option<Arc<[Source]>>>,
        board: Arc<Board>,
        metrics: FleetMetrics,
    ) -> Self {
        Self { configured, fleet, sources, board, metrics }
    }

    /// Works until `stop` is cancelled or nobody configures any more.
    pub async fn run(self, stop: CancellationToken) {
        on_thread("following the fleet's description", stop, |stop| self.work(stop)).await;
    }

    async fn work(self, stop: CancellationToken) {
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
                            match sources(&now.model, described) {
                                Ok(sources) => self.take(described.fleet.clone(), sources, true),
                                // Both were held against each other when they were loaded.
                                Err(problems) => self.refused(&problems.into()),
                            }
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
        let mut following = Following { base, model, is_new: true, in_force: None };
        loop {
            let started = Instant::now();
            let Err(error) = self.follow_once(&mut following).await;
            let is_expired =
                matches!(error, ResourcesError::Cluster(ClusterError::Unauthorized(_)));
            // A credential that did for a while is renewed by beginning anew.
            if is_expired && started.elapsed() >= A_WHILE {
                continue;
            }
            self.refused(&error);
            sleep(backoff.after(started.elapsed())).await;
        }
    }

    async fn follow_once(
        &self,
        following: &mut Following<'_>,
    ) -> Result<Infallible, ResourcesError> {
        let store = Store::open(&following.base.resources).await?;
        store.may_follow().await?;
        let (seen, latest) = watch::channel(Arc::default());
        let mut changes = store.changes();
        let read = async {
            let mut due = Some(Instant::now());
            loop {
                tokio::select! {
                    Some(changed) = changes.next() => match changed {
                        // The watch has the credential of its beginning.
                        Err(error @ ClusterError::Unauthorized(_)) => return Err(error.into()),
                        // A watch that ended begins anew by itself; whether the cluster is there, reading shows.
                        Ok(()) | Err(_) => {
                            due.get_or_insert_with(|| Instant::now() + SETTLE);
                        }
                    },
                    () = clock::reached(due) => {
                        due = None;
                        let listed = store.list().await?;
                        let refused = self.read(following, &listed);
                        let in_force = following.in_force.clone();
                        seen.send_replace(Arc::new(Seen { listed, refused, in_force }));
                    }
                }
            }
        };
        tokio::select! {
            ended = read => ended,
            never = tell(&store, &self.board, latest) => match never {},
        }
    }

    /// Takes in what the resources are now. Gives what is wrong with them, if something is.
    fn read(&self, following: &mut Following<'_>, listed: &Listed) -> Option<Problems> {
        let Following { base, model, is_new, .. } = *following;
        let taken = listed.described(base).and_then(|it| {
            let sources = sources(model, &it)?;
            self.take(it.fleet, sources, is_new);
            Ok(())
        });
        match taken {
            Ok(()) => {
                following.is_new = false;
                following.note(self.fleet.borrow().clone());
                None
            }
            Err(problems) => {
                self.refused(&ResourcesError::Wrong(problems.clone()));
                Some(problems)
            }
        }
    }

    /// Has a fleet be in force. It is looked at anew if that is asked for, or else if it is another one.
    fn take(&self, fleet: Fleet, sources: Vec<Source>, anew: bool) {
        let is_other = self.fleet.borrow().as_deref() != Some(&fleet);
        if is_other {
            let (sites, apps) = (fleet.sites.len(), fleet.apps.len());
            tracing::info!(
                event = "fleet_described",
                sites,
                apps,
                "a description of the fleet is in force (sites: {sites}, apps: {apps})"
            );
        }
        let are_others = self.sources.borrow().as_deref() != Some(&sources[..]);
        if anew || is_other || are_others {
            self.publish(Some(fleet), sources);
        }
        if self.board.refuse(None) {
            tracing::info!(
                event = "fleet_description_taken",
                "the fleet's description is right again, and in force"
            );
        }
        self.metrics.in_force(Some(true));
    }

    fn publish(&self, fleet: Option<Fleet>, sources: Vec<Source>) {
        self.sources.send_replace(Some(sources.into()));
        self.fleet.send_replace(fleet.map(Arc::new));
    }

    /// Says why what is described isn't in force, once.
    fn refused(&self, why: &ResourcesError) {
        let (kind, message) = match why {
            ResourcesError::Cluster(error) => (error.word(), why.to_string()),
            ResourcesError::Wrong(problems) => ("refused", first(problems)),
            ResourcesError::NoDefinition(_) => ("refused", why.to_string()),
        };
        self.metrics.in_force(Some(false));
        // Then at least it is known that nothing is.
        if self.sources.borrow().is_none() {
            self.sources.send_replace(Some(Arc::default()));
        }
        let trouble = Trouble { kind: kind.to_owned(), message: message.clone() };
        if self.board.refuse(Some(trouble)) {
            tracing::warn!(
                event = "fleet_description_refused",
                why = message,
                "the fleet's description is not taken, what was in force stays: {message}"
            );
        }
    }
}

/// The first of many problems, and how many more there are.
fn first(problems: &Problems) -> String {
    const MOST: usize = 20;
    let mut lines: Vec<String> = problems.iter().take(MOST).map(ToString::to_string).collect();
    let more = problems.iter().count().saturating_sub(MOST);
    if more > 0 {
        lines.push(format!("and {more} more"));
    }
    lines.join("\n")
}

impl fmt::Debug for Follower {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Follower").finish_non_exhaustive()
    }
}
