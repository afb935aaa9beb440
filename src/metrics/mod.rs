//! The Prometheus registry and every metric's name. What threads count for themselves and what is known of endpoints is
//! turned into samples only when somebody scrapes.

mod control;
mod dns;
mod family;
mod probes;
mod state;
mod supervision;

pub use control::ControlMetrics;
pub use dns::{COUNTED_RCODES, DnsCounters, Drop, Transport};
pub use probes::ProbeMetrics;
pub use supervision::SupervisionMetrics;

use std::sync::Arc;

use prometheus::{Registry, TextEncoder};

use crate::model::Moment;
use crate::snapshot::Live;

/// The media type of what [`Metrics::render`] gives.
pub const MEDIA_TYPE: &str = prometheus::TEXT_FORMAT;

/// All metrics of one daemon.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    live: Arc<Live>,
    dns: Arc<DnsCounters>,
}

impl Metrics {
    /// Metrics over a registry of its own, in which others register theirs first.
    pub fn new(registry: Registry, live: Arc<Live>, dns: Arc<DnsCounters>) -> Self {
        Self { registry, live, dns }
    }

    /// Everything in Prometheus's text format. `now` is for ages.
    ///
    /// # Errors
    /// When the encoder finds a family malformed.
    pub fn render(&self, now: Moment) -> prometheus::Result<String> {
        let snapshot = self.live.load();
        let mut build =
            family::Family::gauge("farol_build_info", "The program's version.", &["version"]);
        build.add(&[env!("CARGO_PKG_VERSION")], 1.0);
        let mut families = self.registry.gather();
        families.extend(state::dns(&snapshot, &self.dns));
        families.extend(state::endpoints(&snapshot, now));
        families.extend(build.finish());
        TextEncoder::new().encode_to_string(&families)
    }
}
