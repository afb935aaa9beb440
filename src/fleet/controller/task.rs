//! The one task of the companion: has a task for each site, and tells them what is wanted.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::{Id, JoinSet};
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::board::{AppNow, AppState, Board, SiteNow};
use super::memory::Memory;
use super::site::{Order, SiteTask};
use crate::fleet::cluster::ClusterError;
use crate::fleet::part::Part;
use crate::fleet::plan::Mask;
use crate::fleet::render::Tools;
use crate::fleet::spec::{Drift, Fleet, Site};
use crate::fleet::thread::on_thread;
use crate::metrics::{AppSample, FleetMetrics, SiteSample};
use crate::model::{Ident, Timestamp};

/// The pause before a site's task that panicked begins anew.
const AFTER_PANIC: Duration = Duration::from_secs(5);

/// How long sites' tasks may take to end, which give their Leases back: less than the daemon waits for.
const ENDING: Duration = Duration::from_millis(800);

/// How often sites are compared: not with each change, of which a start has thousands.
const COMPARE: Duration = Duration::from_secs(1);

/// Keeps the fleet that is described last under watch. Its owner runs it in a task and ends it by a token.
pub struct Controller {
    fleet: watch::Receiver<Option<Arc<Fleet>>>,
    common: Common,
}

/// What all sites' tasks have in common.
#[derive(Clone)]
pub(super) struct Common {
    pub(super) tools: Tools,
    pub(super) mask: Mask,
    board: Arc<Board>,
    metrics: FleetMetrics,
    /// Which site a cluster is.
    claims: Arc<Mutex<HashMap<String, Ident>>>,
}

/// A site's task. It ends when there are no orders any more.
struct Running {
    orders: watch::Sender<Order>,
    task: Id,
    memory: Rc<RefCell<Memory>>,
}

impl Controller {
    /// A controller of whatever fleet is described last; what it finds is on the board. Secrets show by this mask.
    pub fn new(
        fleet: watch::Receiver<Option<Arc<Fleet>>>,
        mask: Mask,
        board: Arc<Board>,
        metrics: FleetMetrics,
    ) -> Self {
        Self { fleet, common: Common::new(mask, board, metrics) }
    }

    /// Works until `stop` is cancelled or nobody describes fleets any more. On a thread of its own: what is rendered and compared there
    /// keeps no probe waiting.
    pub async fn run(self, stop: CancellationToken) {
        on_thread("watching the fleet", stop, |stop| self.work(stop)).await;
    }

    async fn work(self, stop: CancellationToken) {
        let Self { mut fleet, common } = self;
        let (mut running, mut tasks) = (HashMap::new(), JoinSet::new());
        let mut ticks = interval(COMPARE);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let work = async {
            loop {
                let described = fleet.borrow_and_update().clone();
                arrange(described.as_deref(), &common, &mut running, &mut tasks);
                common.compare();
                loop {
                    tokio::select! {
                        changed = fleet.changed() => match changed {
                            Ok(()) => break,
                            Err(_) => return,
                        },
                        _ = ticks.tick() => common.compare(),
                        Some(ended) = tasks.join_next_with_id() => {
                            if let Err(error) = ended && error.is_panic() {
                                restart(error.id(), &common, &mut running, &mut tasks);
                            }
                        }
                    }
                }
            }
        };
        stop.run_until_cancelled(work).await;
        running.clear();
        let ended = async { while tasks.join_next().await.is_some() {} };
        let _ = timeout(ENDING, ended).await;
        tasks.shutdown().await;
    }
}

impl fmt::Debug for Controller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Controller").finish_non_exhaustive()
    }
}

/// Has a task for each site that is described, and no other.
fn arrange(
    fleet: Option<&Fleet>,
    common: &Common,
    running: &mut HashMap<Ident, Running>,
    tasks: &mut JoinSet<()>,
) {
    let orders: Vec<Order> = fleet.map(orders).unwrap_or_default();
    let names: Vec<Ident> = orders.iter().map(|it| it.site.name.clone()).collect();
    running.retain(|name, _| names.contains(name));
    common.forget_all_but(&names);
    common.board.describe(fleet.map(|it| (it.drift, names)));
    for order in orders {
        match running.get(&order.site.name) {
            // Sources may have changed too: everything is looked at anew.
            Some(it) => drop(it.orders.send_replace(order)),
            None => {
                let name = order.site.name.clone();
                let (orders, receiver) = watch::channel(order);
                let memory = Rc::default();
                let task = SiteTask::new(receiver, common.clone(), Rc::clone(&memory));
                let task = tasks.spawn_local(task.run()).id();
                running.insert(name, Running { orders, task, memory });
            }
        }
    }
}

fn orders(fleet: &Fleet) -> Vec<Order> {
    let parts: Vec<Arc<Part>> = Part::all(fleet).into_iter().map(Arc::new).collect();
    let order = |site: &Site| Order {
        site: site.clone(),
        parts: parts.iter().filter(|it| it.app.runs_on(&site.name)).cloned().collect(),
        heals: fleet.drift == Drift::Heal,
    };
    fleet.sites.iter().map(order).collect()
}

/// Begins a site's task anew that panicked, which is a fault in Farol. What it remembered stays: what was put back a moment ago rests.
fn restart(
    ended: Id,
    common: &Common,
    running: &mut HashMap<Ident, Running>,
    tasks: &mut JoinSet<()>,
) {
    let Some((site, it)) = running.iter_mut().find(|it| it.1.task == ended) else { return };
    tracing::error!(event = "fleet_panicked", %site, "the task of site {site} panicked, which is a fault in Farol; it begins anew");
    let task = SiteTask::new(it.orders.subscribe(), common.clone(), Rc::clone(&it.memory));
    let anew = tasks.spawn_local(async move {
        sleep(AFTER_PANIC).await;
        task.run().await;
    });
    it.task = anew.id();
}

impl Common {
    pub(super) fn new(mask: Mask, board: Arc<Board>, metrics: FleetMetrics) -> Self {
        let (tools, claims) = (Tools::from_environment(), Arc::default());
        Self { tools, mask, board, metrics, claims }
    }

    /// Makes sure that a cluster is this site alone.
    pub(super) fn claim(&self, site: &Ident, uid: &str) -> Result<(), ClusterError> {
        let mut claims = self.claims.lock().unwrap_or_else(PoisonError::into_inner);
        // It was another cluster before, perhaps.
        claims.retain(|_, it| it != site);
        match claims.get(uid) {
            Some(other) => Err(ClusterError::Shared(other.to_string())),
            None => {
                claims.insert(uid.to_owned(), site.clone());
                Ok(())
            }
        }
    }

    fn forget_all_but(&self, sites: &[Ident]) {
        let mut claims = self.claims.lock().unwrap_or_else(PoisonError::into_inner);
        claims.retain(|_, it| sites.contains(it));
        drop(claims);
        self.metrics.keep(|name| sites.iter().any(|it| it.as_str() == name));
    }

    /// Tells everybody how a site is.
    pub(super) fn publish(&self, site: &Ident, now: &SiteNow) {
        self.metrics.site(&now.site, sample(now));
        self.board.note(site, now.clone());
    }

    /// Compares the sites.
    fn compare(&self) {
        let skewed = self.board.now().map(|it| it.skewed).unwrap_or_default();
        self.metrics.skewed(skewed.into_iter().map(|it| it.app).collect());
    }
}

fn sample(now: &SiteNow) -> SiteSample {
    let is_reachable = now.is_known();
    let app = |it: &AppNow| AppSample {
        app: it.status.app.clone(),
        off_since: (it.state != AppState::InSync).then_some(it.since),
        is_applied: it.status.applied,
        applied_at: it.status.applied_at.as_deref().and_then(server_time),
        healed: it.healing.times,
    };
    // How nodes and apps are on a site that can't be asked, nobody knows.
    let known = now.apps.iter().filter(|it| is_reachable && it.state != AppState::Unknown);
    SiteSample {
        is_reachable,
        version: now.cluster.as_ref().map(|it| it.version.clone()),
        nodes: now.nodes.filter(|_| is_reachable).map(|it| (it.ready, it.total)),
        apps: known.map(app).collect(),
    }
}

/// A time by a server's clock, which writes RFC 3339.
fn server_time(text: &str) -> Option<Timestamp> {
    text.parse().ok().map(|it: jiff::Timestamp| Timestamp(it.as_millisecond()))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use tokio::task::LocalSet;

    use super::*;
    use crate::fleet::cluster::Apis;
    use crate::fleet::site::PlanError;
    use crate::fleet::spec::{Described, Description};
    use crate::fleet::status::AppStatus;

    fn common() -> Common {
        Common::new(Mask::new(&[7; 32]), Arc::default(), FleetMetrics::default())
    }

    #[test]
    fn a_cluster_is_one_site_and_may_become_another() {
        let common = common();
        let [a, b]: [Ident; 2] = ["a", "b"].map(|it| it.parse().unwrap());
        assert_eq!(common.claim(&a, "one"), Ok(()));
        assert_eq!(common.claim(&a, "one"), Ok(()), "it is reached again");
        assert_eq!(common.claim(&b, "two"), Ok(()));
        // Both kubeconfigs are swapped: who is refused first lets go of what it had.
        assert_eq!(common.claim(&a, "two"), Err(ClusterError::Shared("b".to_owned())));
        assert_eq!(common.claim(&b, "one"), Ok(()));
        assert_eq!(common.claim(&a, "two"), Ok(()));
        common.forget_all_but(std::slice::from_ref(&a));
        assert_eq!(common.claim(&a, "one"), Ok(()), "b is gone");
    }

    #[tokio::test(start_paused = true)]
    async fn what_a_task_remembered_outlives_its_panic() {
        let text = "sites:\n- name: sea\n  cluster: { kubeconfig: /nonexistent/kubeconfig }\napps:\n- name: shop\n  namespace: shop\n  source: { manifests: shop }\n";
        let described = Description::parse(Path::new("fleet.yaml"), text).unwrap();
        let Description::Whole(Described { fleet, .. }) = described else {
            panic!("{described:?}")
        };
        let (common, site): (_, Ident) = (common(), "sea".parse().unwrap());
        common.board.describe(Some((Drift::Heal, vec![site.clone()])));
        let memory: Rc<RefCell<Memory>> = Rc::default();
        let (app, away) = ("shop".parse().unwrap(), Err(PlanError::Values("gone".to_owned())));
        let status = AppStatus::of(&app, &away, &common.mask);
        memory.borrow_mut().note("sea", &app, status, &away, &Apis::default());
        let local = LocalSet::new();
        let work = async {
            let mut tasks = JoinSet::new();
            let task = tasks.spawn_local(async { panic!("on purpose") }).id();
            let (orders, _) = watch::channel(orders(&fleet).remove(0));
            let mut running = [(site, Running { orders, task, memory })].into();
            let ended = tasks.join_next_with_id().await.unwrap().unwrap_err();
            restart(ended.id(), &common, &mut running, &mut tasks);
            // The site can't be reached, and what is told of its app is what was remembered.
            let seen = || common.board.now().unwrap().sites[0].clone();
            while seen().trouble.is_none() {
                sleep(AFTER_PANIC).await;
            }
            assert_eq!(seen().apps[0].status.error.as_deref(), Some("valuesFrom: gone"));
        };
        local.run_until(work).await;
    }
}
