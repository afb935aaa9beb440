//! Writes into the resources' status what became of them, while no other daemon does.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval, sleep};

use super::condition::due;
use super::store::{Listed, Store};
use crate::fleet::cluster::ClusterError;
use crate::fleet::controller::Board;
use crate::fleet::lease::Lease;
use crate::model::chain;
use crate::settings::Problems;

/// By which one daemon at a time writes.
const LEASE: &str = "farol-fleet-status";
/// How often it is looked whether something is to be written: how apps are changes in bursts.
const LOOK: Duration = Duration::from_secs(5);
/// The pause after something couldn't be written.
const PAUSE: Duration = Duration::from_secs(60);

/// What was seen last.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) listed: Listed,
    /// What is wrong with the description that they are.
    pub(super) refused: Option<Problems>,
}

/// Writes for as long as it runs.
pub(super) async fn tell(
    store: &Store,
    board: &Board,
    seen: watch::Receiver<Arc<Seen>>,
) -> Infallible {
    let mut told = String::new();
    loop {
        let lease = Lease::new(&store.cluster, &store.apis, &store.namespace, LEASE);
        let mut waiting = |holder: &str| {
            tracing::debug!(
                event = "fleet_status_standing_by",
                holder,
                "{holder} writes the status of the fleet's resources"
            );
        };
        let ended = lease.alone(&mut waiting, |_| write(store, board, seen.clone())).await;
        let why = match ended {
            Ok(Err(error)) => error.to_string(),
            Err(error) => chain(&error),
        };
        if why != told {
            let namespace = &store.namespace;
            tracing::warn!(
                event = "fleet_status_unwritten",
                namespace,
                why,
                "the status of the fleet's resources in {namespace} is not written: {why}"
            );
            told = why;
        }
        sleep(PAUSE).await;
    }
}

async fn write(
    store: &Store,
    board: &Board,
    mut seen: watch::Receiver<Arc<Seen>>,
) -> Result<Infallible, ClusterError> {
    let mut ticks = interval(LOOK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            // The sender lives as long as this future.
            Ok(()) = seen.changed() => {}
        }
        let now = Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        let latest = seen.borrow_and_update().clone();
        let all = due(&latest.listed, latest.refused.as_ref(), board.now().as_ref(), &now);
        for it in all {
            match store.write_status(it.kind, &it.name, &it.status).await {
                // It is gone by now, or somebody changes it at this moment.
                Ok(()) | Err(ClusterError::NotFound(_) | ClusterError::Changed(_)) => {}
                Err(error) => return Err(error),
            }
        }
    }
}
