//! Writes into the resources' status what became of them, while no other daemon does.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval, sleep};

use super::condition::{Name, Seen, due};
use super::store::Store;
use crate::fleet::cluster::ClusterError;
use crate::fleet::controller::Board;
use crate::fleet::lease::Lease;
use crate::fleet::spec::resources::Status;
use crate::model::chain;

/// By which one daemon at a time writes.
const LEASE: &str = "farol-fleet-status";
/// How often the others look whether they may: one that ended is followed by another soon, not at once.
const STAND_BY: Duration = Duration::from_secs(5);
/// How often it is looked whether something is to be written: how apps are changes in bursts.
const LOOK: Duration = Duration::from_secs(5);
/// The pause after something couldn't be written.
const PAUSE: Duration = Duration::from_secs(60);

/// Writes for as long as it runs.
pub(super) async fn tell(
    store: &Store,
    board: &Board,
    seen: watch::Receiver<Arc<Seen>>,
) -> Infallible {
    let mut trouble = None;
    loop {
        let lease = Lease::new(&store.cluster, &store.apis, &store.namespace, LEASE, STAND_BY);
        let mut waiting = |holder: &str| {
            tracing::debug!(
                event = "fleet_status_standing_by",
                holder,
                "{holder} writes the status of the fleet's resources"
            );
        };
        let write = write(store, board, seen.clone(), &mut trouble);
        let why = match lease.alone(&mut waiting, |_| write).await {
            Ok(Err(error)) => error.to_string(),
            Err(error) => chain(&error),
        };
        if trouble.as_ref() != Some(&why) {
            let namespace = &store.namespace;
            tracing::warn!(
                event = "fleet_status_unwritten",
                namespace,
                why,
                "the status of the fleet's resources in {namespace} is not written, or not of all: {why}"
            );
            trouble = Some(why);
        }
        sleep(PAUSE).await;
    }
}

async fn write(
    store: &Store,
    board: &Board,
    mut seen: watch::Receiver<Arc<Seen>>,
    trouble: &mut Option<String>,
) -> Result<Infallible, ClusterError> {
    let mut ticks = interval(LOOK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut written: HashMap<Name, Status> = HashMap::new();
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            // The sender lives as long as this future.
            Ok(()) = seen.changed() => {}
        }
        let now = Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        let latest = seen.borrow_and_update().clone();
        let mut failed = None;
        for it in due(&latest, board.now().as_ref(), &written, &now) {
            match store.write_status(it.of.0, &it.of.1, &it.status).await {
                Ok(()) => drop(written.insert(it.of, it.status)),
                // It is gone by now, or somebody changes it at this moment.
                Err(ClusterError::NotFound(_) | ClusterError::Changed(_)) => {}
                Err(error) if error.is_about_the_cluster() => return Err(error),
                // What is wrong with one is no reason to leave out the others.
                Err(error) => drop(failed.get_or_insert(error)),
            }
        }
        match failed {
            Some(error) => return Err(error),
            None if trouble.take().is_some() => {
                tracing::info!(
                    event = "fleet_status_written",
                    "the status of the fleet's resources is written again"
                );
            }
            None => {}
        }
    }
}
