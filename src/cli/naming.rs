//! What finds the addresses of endpoints that have none of their own: names are resolved, clusters tell what they expose.

use std::sync::Arc;

use tokio::sync::{mpsc, watch};

use crate::clock::Clock;
use crate::fleet::discovery::{Discovery, Source};
use crate::metrics::DiscoveryMetrics;
use crate::model::Locator;
use crate::resolve::{Resolver, Wanted};
use crate::settings::Settings;

/// What may wait for the control task; the rest waits with those who find it.
const FOUND: usize = 1024;

/// The channels between control and those who find addresses.
pub(super) struct Naming {
    /// Tells what is wanted.
    pub(super) wanted: watch::Sender<Wanted>,
    /// What has other addresses.
    pub(super) found: mpsc::Receiver<Locator>,
    /// Makes one after the other.
    pub(super) finders: Finders,
    /// Tells where clusters are to be asked.
    pub(super) sources: watch::Sender<Arc<[Source]>>,
}

/// Makes whoever finds addresses.
#[derive(Clone)]
pub(super) struct Finders {
    clock: Clock,
    wanted: watch::Receiver<Wanted>,
    sources: watch::Receiver<Arc<[Source]>>,
    changes: mpsc::Sender<Locator>,
    metrics: DiscoveryMetrics,
}

impl Naming {
    pub(super) fn new(clock: Clock, settings: &Settings, metrics: DiscoveryMetrics) -> Self {
        let servers = settings.resolver.clone();
        let nothing = Wanted { names: Vec::new(), discovered: Vec::new(), servers };
        let (wanted, wanted_now) = watch::channel(nothing);
        let (changes, found) = mpsc::channel(FOUND);
        let (sources, sources_now) = watch::channel(Arc::default());
        let finders = Finders { clock, wanted: wanted_now, sources: sources_now, changes, metrics };
        Self { wanted, found, finders, sources }
    }
}

impl Finders {
    pub(super) fn resolver(&self) -> Resolver {
        Resolver::new(self.clock, self.wanted.clone(), self.changes.clone())
    }

    pub(super) fn discovery(&self) -> Discovery {
        let (sources, wanted) = (self.sources.clone(), self.wanted.clone());
        Discovery::new(self.clock, sources, wanted, self.changes.clone(), self.metrics.clone())
    }
}
