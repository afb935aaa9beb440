//! The companion in the daemon: the fleet that is in force, and whoever keeps it under watch, made again when they end.

use std::sync::Arc;

use tokio::sync::watch;

use super::complain;
use super::fleet::mask;
use crate::control::{Load, Loaded};
use crate::fleet::controller::{Board, Controller};
use crate::fleet::discovery::{Source, sources};
use crate::fleet::plan::Mask;
use crate::fleet::resources::{Configured, Follower};
use crate::fleet::spec::{Description, Fleet};
use crate::metrics::FleetMetrics;
use crate::settings::{Problems, Settings};

/// What the companion is told by and made of.
pub(super) struct Companion {
    /// Tells what is configured.
    pub(super) configured: watch::Sender<Arc<Configured>>,
    /// Keeps the fleet that is in force up to that; a clone takes its place when it ends.
    pub(super) follower: Follower,
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
    /// The companion of these settings, which tells discovery where to look.
    pub(super) fn new(
        settings: &Settings,
        sources: watch::Sender<Arc<[Source]>>,
    ) -> anyhow::Result<Self> {
        let (configured, configured_now) = watch::channel(configured_by(settings));
        let (fleet, fleet_now) = watch::channel(None);
        let (board, metrics): (Arc<Board>, _) = (Arc::default(), FleetMetrics::default());
        let follower =
            Follower::new(configured_now, fleet, sources, board.clone(), metrics.clone());
        let controllers = Controllers { fleet: fleet_now, mask: mask()?, board, metrics };
        Ok(Self { configured, follower, controllers })
    }
}

impl Controllers {
    pub(super) fn next(&self) -> Controller {
        let (fleet, mask) = (self.fleet.clone(), self.mask.clone());
        Controller::new(fleet, mask, self.board.clone(), self.metrics.clone())
    }
}

/// What these settings, which were checked by [`with_fleet`], say of the fleet.
pub(super) fn configured_by(settings: &Settings) -> Arc<Configured> {
    let description = describe(settings).unwrap_or_else(|problems| {
        complain(&problems.to_string());
        None
    });
    // Without a fleet, nobody asks for it.
    let model = description.as_ref().map(|_| settings.model.clone()).unwrap_or_default();
    Arc::new(Configured { description, model })
}

/// Takes a configuration only if what it says of the fleet is right too.
pub(super) fn with_fleet(load: Load) -> Load {
    Arc::new(move |in_force| -> Loaded {
        let (settings, reading) = load(in_force);
        (settings.and_then(fits_fleet), reading)
    })
}

/// The settings, if what they say of the fleet is right too; custom resources are held against them when they are read.
///
/// # Errors
/// Everything that is wrong with the fleet's file, or in it doesn't fit the settings.
pub(super) fn fits_fleet(settings: Settings) -> Result<Settings, Problems> {
    if let Some(Description::Whole(described)) = describe(&settings)? {
        sources(&settings.model, &described)?;
    }
    Ok(settings)
}

fn describe(settings: &Settings) -> Result<Option<Description>, Problems> {
    let file = settings.fleet.as_ref();
    file.map(|it| Description::parse(&it.path, &it.text)).transpose()
}
