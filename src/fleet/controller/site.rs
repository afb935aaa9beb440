//! One site: its cluster is looked at as a whole, then watched, and what changes is looked at again.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::convert::Infallible;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

use super::board::SiteNow;
use super::known::Known;
use super::looks::{Looks, look};
use super::members::{Happened, Members};
use super::memory::Memory;
use super::mending::Mending;
use super::pace::Pace;
use super::task::Common;
use super::waits::Waits;
use crate::clock::{self, Clock};
use crate::fleet::cluster::ClusterError;
use crate::fleet::object::{Object, ObjectKey};
use crate::fleet::part::Part;
use crate::fleet::plan::ApplySet;
use crate::fleet::site::{PlanError, Planned, Reached, nodes, reach, set};
use crate::fleet::spec::Site;
use crate::fleet::status::{AppStatus, Nodes};
use crate::model::Ident;
use crate::supervision::Backoff;

/// The pause before the way to a cluster is tried again, at first and at last.
const SHORTEST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// Who was followed for so long was reached well.
const A_WHILE: Duration = Duration::from_secs(60);
/// How often the cluster is asked who it is, and in how many of those times how its nodes are.
const LOOK: Duration = Duration::from_secs(10);
const NODES_EVERY: u32 = 3;
/// After how long everything is looked at anew: sources change, and so do APIs. Sites spread over a fifth more.
const ANEW: Duration = Duration::from_secs(600);

/// What a site is to be.
#[derive(Clone)]
pub(super) struct Order {
    /// The site.
    pub(super) site: Site,
    /// What is kept in step there, in the order of the description.
    pub(super) parts: Vec<Arc<Part>>,
    /// Whether drift is put back.
    pub(super) heals: bool,
}

/// Why a site isn't followed any more.
enum Ended {
    /// Everything has to be looked at anew.
    Anew,
    /// A watch isn't allowed, though the cluster can be worked with: a credential that was renewed since, or rights that were taken.
    Refused(ClusterError),
    /// Its cluster can't be worked with.
    Lost(ClusterError),
}

/// Follows one site.
pub(super) struct SiteTask {
    orders: watch::Receiver<Order>,
    common: Common,
    now: SiteNow,
    /// Outlives this task, should it panic.
    memory: Rc<RefCell<Memory>>,
    waits: Waits,
    known: Known,
}

/// The sets of a site's apps.
struct Sets {
    /// Whose they are, by their IDs.
    apps: HashMap<String, Ident>,
    parents: HashSet<ObjectKey>,
}

impl Sets {
    fn of(parts: &[Arc<Part>]) -> Self {
        let sets = parts.iter().map(|it| (set(&it.app), it.app.name.clone()));
        let sets: Vec<_> = sets.collect();
        let parent = |it: &ApplySet| {
            Object::named("v1", "ConfigMap", Some(&it.namespace), &it.parent_name()).key()
        };
        Self {
            parents: sets.iter().map(|it| parent(&it.0)).collect(),
            apps: sets.into_iter().map(|(set, app)| (set.id(), app)).collect(),
        }
    }
}

impl From<ClusterError> for Ended {
    fn from(error: ClusterError) -> Self {
        Self::Lost(error)
    }
}

impl SiteTask {
    pub(super) fn new(
        orders: watch::Receiver<Order>,
        common: Common,
        memory: Rc<RefCell<Memory>>,
    ) -> Self {
        let now = SiteNow { site: orders.borrow().site.name.to_string(), ..SiteNow::default() };
        let (waits, known) = (Waits::default(), Known::default());
        Self { orders, common, now, memory, waits, known }
    }

    /// Follows the site until nobody gives orders any more.
    pub(super) async fn run(mut self) {
        let mut backoff = Backoff::new(SHORTEST_PAUSE, LONGEST_PAUSE, A_WHILE);
        let mut orders = self.orders.clone();
        let (mut mending, mut was_refused) = (Mending::default(), false);
        loop {
            let order = orders.borrow_and_update().clone();
            let started = Instant::now();
            let follow = async {
                let Err(ended) = self.follow(&order, &mut mending).await;
                match ended {
                    Ended::Anew => {
                        was_refused = false;
                        return;
                    }
                    // A new credential, or watching less, may do. Where it doesn't, the cluster can't be followed.
                    Ended::Refused(_) if !std::mem::replace(&mut was_refused, true) => {}
                    Ended::Refused(error) | Ended::Lost(error) => self.lost(&error),
                }
                sleep(backoff.after(started.elapsed())).await;
            };
            let changed = tokio::select! {
                // Else what is being put back would go on by the orders before.
                biased;
                changed = orders.changed() => changed,
                () = follow => continue,
            };
            // By another description, it may not be what is wanted any more.
            if let Some((app, mended)) = mending.give_up().await {
                self.memory.borrow_mut().mended(&self.now.site, &app, mended);
            }
            if changed.is_err() {
                return;
            }
            (self.waits, self.known) = Default::default();
        }
    }

    fn lost(&mut self, error: &ClusterError) {
        let site = &self.now.site;
        let since = match &self.now.trouble {
            Some((known, since)) if known.message == error.to_string() => *since,
            known => {
                tracing::warn!(event = "fleet_lost", %site, %error, "the cluster of {site} {error}");
                known.as_ref().map_or_else(Clock::time_of_day, |it| it.1)
            }
        };
        self.now.trouble = Some((error.into(), since));
        self.publish();
    }

    async fn follow(&mut self, order: &Order, mending: &mut Mending) -> Result<Infallible, Ended> {
        let reached = Arc::new(reach(&order.site).await?);
        self.common.claim(&order.site.name, &reached.uid)?;
        self.found(order, &reached).await?;
        let apps = || order.parts.iter().map(|it| &it.app.name);
        self.known.begin(apps());
        let (mut pace, mut looks) = (Pace::of(apps()), Looks::default());
        order.parts.iter().for_each(|it| looks.want(it));
        // What is watched depends on what is seen first. What changes between both shows in what watches list at their beginning.
        let (mut members, mut is_to_be_followed) = (Members::default(), true);
        let sets = Sets::of(&order.parts);
        let mut ticks = interval(LOOK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut ticked = 0_u32;
        let next_anew = || Instant::now() + ANEW + spread(&order.site.name);
        // The time begins when all was seen, or what takes long would be given up each time.
        let mut anew = pace.has_seen_all().then(next_anew);
        loop {
            if pace.is_at_rest() {
                self.known.rest();
            }
            self.waits.note(self.memory.borrow().waits_for_apis(), Instant::now());
            let heal = self.memory.borrow().next_healing();
            let heal = heal.filter(|_| order.heals && mending.is_idle());
            let follow = looks.settled().filter(|_| is_to_be_followed);
            tokio::select! {
                happened = members.next() => {
                    let is_definition = happened.is_about_definitions();
                    if matches!(happened, Happened::Listed { .. }) {
                        pace.may_have_missed(Instant::now());
                    }
                    let apps = self.hear(&reached, &sets, happened).await?;
                    if is_definition && !apps.is_empty() {
                        self.waits.changed(Instant::now());
                    }
                    apps.iter().for_each(|it| pace.happened(it, Instant::now()));
                }
                () = clock::reached(pace.due()) => {
                    let apps = pace.take(Instant::now());
                    let parts = order.parts.iter().filter(|it| apps.contains(&it.app.name));
                    parts.for_each(|it| looks.want(it));
                }
                (app, planned) = looks.done(|it| look(&reached, it, &self.common.tools)) => {
                    self.looked(&reached, &app, planned, &mut pace).await?;
                    is_to_be_followed |= self.known.places() != members.places;
                    if anew.is_none() && pace.has_seen_all() {
                        anew = Some(next_anew());
                    }
                }
                () = clock::reached(follow) => {
                    members = Members::follow(&reached, self.known.places()).await?;
                    is_to_be_followed = false;
                    self.unwatched(members.unwatched.clone());
                }
                () = clock::reached(heal.as_ref().map(|it| it.1)) => {
                    let app = heal.map(|it| it.0);
                    let part = order.parts.iter().find(|it| Some(&it.app.name) == app.as_ref());
                    if let Some(part) = part.cloned() {
                        mending.begin(reached.clone(), part, &self.common);
                    }
                }
                (app, mended) = mending.done() => {
                    self.memory.borrow_mut().mended(&self.now.site, &app, mended);
                    // What is written shows as a change, but what can't be written doesn't.
                    pace.hurry(&app, Instant::now());
                }
                _ = ticks.tick() => {
                    // Without a pinned UID, it is at least the cluster that was reached.
                    reached.cluster.identify(Some(&reached.uid)).await?;
                    self.now.answered_at = Some(Clock::time_of_day());
                    ticked += 1;
                    if ticked.is_multiple_of(NODES_EVERY) {
                        self.now.nodes = nodes(&reached).await.ok().map(|it| Nodes::of(&it));
                        // What couldn't be told may be told now.
                        let unknown = self.memory.borrow().unknown(Clock::time_of_day());
                        unknown.iter().for_each(|it| pace.remind(it, Instant::now()));
                    }
                    self.publish();
                }
                () = clock::reached(self.waits.due()) => {
                    if self.serves_otherwise(&reached).await? {
                        anew = Some(Instant::now());
                    }
                    self.waits.asked();
                }
                () = clock::reached(anew) => return Err(Ended::Anew),
            }
        }
    }

    /// Whether the cluster serves other kinds than it did when it was reached.
    async fn serves_otherwise(&self, reached: &Reached) -> Result<bool, ClusterError> {
        match reached.cluster.apis().await {
            Ok(now) => Ok(now.names() != reached.apis.names()),
            Err(error) if error.is_about_the_cluster() => Err(error),
            // It is asked again.
            Err(_) => Ok(false),
        }
    }

    /// Takes in that the cluster answers.
    async fn found(&mut self, order: &Order, reached: &Reached) -> Result<(), ClusterError> {
        let site = &self.now.site;
        if let Some((trouble, since)) = self.now.trouble.take() {
            let seconds = Clock::time_of_day().0.saturating_sub(since.0) / 1000;
            tracing::info!(event = "fleet_found", %site, after_s = seconds, "the cluster of {site} can be worked with again, after {seconds} s ({})", trouble.kind);
        }
        self.now.cluster = Some(reached.into());
        self.now.answered_at = Some(Clock::time_of_day());
        self.now.nodes = match nodes(reached).await {
            Err(error) if error.is_about_the_cluster() => return Err(error),
            nodes => nodes.ok().map(|it| Nodes::of(&it)),
        };
        let names: Vec<&Ident> = order.parts.iter().map(|it| &it.app.name).collect();
        self.memory.borrow_mut().keep(&names);
        self.publish();
        Ok(())
    }

    fn unwatched(&mut self, unwatched: Option<String>) {
        if let Some(why) = unwatched.as_ref().filter(|_| self.now.unwatched != unwatched) {
            let site = &self.now.site;
            tracing::warn!(event = "fleet_unwatched", %site, why, "the cluster of {site} {why}");
        }
        self.now.unwatched = unwatched;
        self.publish();
    }

    /// Takes in what was seen of an app.
    async fn looked(
        &mut self,
        reached: &Reached,
        app: &Ident,
        mut planned: Result<Planned, PlanError>,
        pace: &mut Pace,
    ) -> Result<(), ClusterError> {
        match &mut planned {
            // Unless the cluster answers nobody, it is about this app: a webhook that hangs.
            Err(PlanError::Cluster(error)) if error.is_about_the_cluster() => {
                reached.cluster.identify(Some(&reached.uid)).await?;
            }
            Err(_) => {}
            Ok(planned) => {
                planned.refuse_what(|key| self.known.wanted_before(app, key));
                let concerned = self.known.learn(planned);
                concerned.iter().for_each(|it| pace.hurry(it, Instant::now()));
            }
        }
        // It may have been seen as it was before what it is hurried for.
        if pace.is_hurried(app) {
            pace.looked(app, false, Instant::now());
            return Ok(());
        }
        let status = AppStatus::of(app, &planned, &self.common.mask);
        let (mut memory, apis) = (self.memory.borrow_mut(), &reached.apis);
        let is_news = memory.note(&self.now.site, app, status, &planned, apis);
        drop(memory);
        pace.looked(app, is_news, Instant::now());
        self.publish();
        Ok(())
    }

    /// Takes in what happened. Gives the apps that have changed by that.
    async fn hear(
        &mut self,
        reached: &Reached,
        sets: &Sets,
        happened: Happened,
    ) -> Result<Vec<Ident>, Ended> {
        let known = &mut self.known;
        Ok(match happened {
            Happened::Seen(key, id, print) => known.see(key, sets.apps.get(&id), print),
            Happened::Gone(key) => known.lose(&key).into_iter().collect(),
            Happened::Listed { kind, namespace, parents, there } => {
                let is_about = |key: &ObjectKey| {
                    key.kind == kind
                        && (namespace.is_none() || key.namespace == namespace)
                        && sets.parents.contains(key) == parents
                };
                known.listed(is_about, &there)
            }
            Happened::Broken(error) => {
                reached.cluster.identify(Some(&reached.uid)).await?;
                let site = &self.now.site;
                tracing::debug!(event = "fleet_watch_ended", %site, %error, "a watch of the cluster of {site} ended: it {error}; it is begun anew");
                match error {
                    // The watches keep the credential that they began with, and no right comes back by asking again.
                    ClusterError::Unauthorized(_) | ClusterError::Forbidden { .. } => {
                        return Err(Ended::Refused(error));
                    }
                    _ => Vec::new(),
                }
            }
        })
    }

    fn publish(&mut self) {
        // Nobody wants to know of a site that isn't described any more.
        if self.orders.has_changed().is_err() {
            return;
        }
        let order = self.orders.borrow();
        self.now.apps = self.memory.borrow().apps(&order.parts);
        if !order.heals {
            self.now.apps.iter_mut().for_each(|it| it.healing.next = None);
        }
        self.now.unseen = self.memory.borrow().unseen(&order.parts);
        self.common.publish(&order.site.name, &self.now);
    }
}

/// By how much later a site is looked at anew than others.
fn spread(site: &Ident) -> Duration {
    let mut hasher = DefaultHasher::new();
    site.hash(&mut hasher);
    let most = u64::try_from((ANEW / 5).as_millis()).unwrap_or(u64::MAX);
    Duration::from_millis(hasher.finish() % most)
}

#[cfg(test)]
#[path = "site_tests.rs"]
mod tests;
