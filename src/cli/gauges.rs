//! The metrics that something counts while it happens, and the names by which they know what runs.

use prometheus::Registry;

use crate::metrics::{
    AccessMetrics, CertificateMetrics, ControlMetrics, DiscoveryMetrics, ProbeMetrics,
    StateMetrics, SupervisionMetrics,
};
use crate::model::Timestamp;
use crate::store::StateFile;

/// The tasks that are started again when they end.
pub(super) const API: &str = "api";
pub(super) const DESCRIPTION: &str = "description";
pub(super) const DISCOVERY: &str = "discovery";
pub(super) const FLEET: &str = "fleet";
pub(super) const KEEPER: &str = "keeper";
pub(super) const PROBER: &str = "prober";
pub(super) const RESOLVER: &str = "resolver";
pub(super) const STALE: &str = "stale";
pub(super) const TRAFFIC: &str = "traffic";
pub(super) const WATCHER: &str = "watcher";
const TASKS: [&str; 10] =
    [API, DESCRIPTION, DISCOVERY, FLEET, KEEPER, PROBER, RESOLVER, STALE, TRAFFIC, WATCHER];

/// The parts of the daemon that give signs of life.
pub(super) const CONTROL: &str = "control";
pub(super) const RUNTIME: &str = "runtime";
const PARTS: [&str; 2] = [CONTROL, RUNTIME];

/// The certificates that clients are shown.
pub(super) struct Certificates {
    pub(super) dns: CertificateMetrics,
    pub(super) api: CertificateMetrics,
}

/// A registry, and what is in it from the start.
pub(super) struct Gauges {
    pub(super) registry: Registry,
    pub(super) probes: ProbeMetrics,
    pub(super) certificates: Certificates,
    pub(super) access: AccessMetrics,
    pub(super) control: ControlMetrics,
    pub(super) discovery: DiscoveryMetrics,
    pub(super) state: StateMetrics,
    pub(super) supervision: SupervisionMetrics,
}

impl Gauges {
    /// Registers them all. `started` is when the configuration was read first.
    pub(super) fn register(started: Timestamp) -> prometheus::Result<Self> {
        let registry = Registry::new();
        Ok(Self {
            probes: ProbeMetrics::register(&registry)?,
            certificates: Certificates {
                dns: CertificateMetrics::of_dns(&registry)?,
                api: CertificateMetrics::of_api(&registry)?,
            },
            access: AccessMetrics::register(&registry)?,
            control: ControlMetrics::register(&registry, started)?,
            discovery: DiscoveryMetrics::register(&registry)?,
            state: StateMetrics::register(&registry, &StateFile::ALL.map(StateFile::label))?,
            supervision: SupervisionMetrics::register(&registry, &TASKS, &PARTS)?,
            registry,
        })
    }
}
