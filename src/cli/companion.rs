//! The companion in the daemon: told which fleet is described, made again when it ends.

use std::sync::Arc;

use tokio::sync::watch;

use super::complain;
use super::fleet::mask;
use crate::fleet::controller::{Board, Controller};
use crate::fleet::plan::Mask;
use crate::fleet::spec::Fleet;
use crate::metrics::FleetMetrics;
use crate::settings::Settings;

/// What the companion is told by and made of.
pub(super) struct Companion {
    /// Tells which fleet is described.
    pub(super) described: watch::Sender<Option<Arc<Fleet>>>,
    /// Makes one after the other.
    pub(super) controllers: Controllers,
}

/// Makes controllers.
#[derive(Clone)]
pub(super) struct Controllers {
    fleet: watch::Receiver<Option<Arc<Fleet>>>,
    mask: Mask,
    pub(super) board: Arc<Board>,
    pub(super) metrics: FleetMetrics,
}

impl Companion {
    pub(super) fn new(settings: &Settings) -> anyhow::Result<Self> {
        let (described, fleet) = watch::channel(fleet_of(settings));
        let (board, metrics) = (Arc::default(), FleetMetrics::default());
        let controllers = Controllers { fleet, mask: mask()?, board, metrics };
        Ok(Self { described, controllers })
    }
}

impl Controllers {
    pub(super) fn next(&self) -> Controller {
        let (fleet, mask) = (self.fleet.clone(), self.mask.clone());
        Controller::new(fleet, mask, self.board.clone(), self.metrics.clone())
    }
}

/// The fleet of these settings, which were checked when they were loaded.
pub(super) fn fleet_of(settings: &Settings) -> Option<Arc<Fleet>> {
    let file = settings.fleet.as_ref()?;
    match Fleet::parse(&file.path, &file.text) {
        Ok(fleet) => Some(Arc::new(fleet)),
        Err(problems) => {
            complain(&problems.to_string());
            None
        }
    }
}
