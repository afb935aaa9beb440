//! The Prometheus registry and every metric's name. What threads count for themselves and what is known of endpoints is
//! turned into samples only when somebody scrapes, piece by piece.

mod access;
mod certificate;
mod control;
mod discovery;
mod dns;
mod endpoints;
mod exposure;
mod fleet;
mod geography;
mod probes;
mod process;
mod scrape;
mod stored;
mod supervision;
#[cfg(test)]
mod tests;
mod text;
mod totals;
mod traffic;

pub use access::{AccessMetrics, AuthFailure};
pub use certificate::CertificateMetrics;
pub use control::ControlMetrics;
pub use discovery::DiscoveryMetrics;
pub use dns::{
    AnswerClass, COUNTED_RCODES, CookieStanding, DnsCounters, DropReason, Limited, Transport,
};
pub use exposure::Exposure;
pub use fleet::{AppSample, FleetMetrics, SiteSample};
pub use probes::ProbeMetrics;
pub use scrape::Scrape;
pub use stored::StateMetrics;
pub use supervision::SupervisionMetrics;

use std::sync::Arc;

use prometheus::{Registry, TextEncoder};
use tracing_appender::non_blocking::ErrorCounter;

use self::text::{Head, Kind, Text};
use crate::model::{Now, Timestamp};
use crate::snapshot::Live;

/// The media type of a scrape.
pub const MEDIA_TYPE: &str = prometheus::TEXT_FORMAT;

/// All metrics of one daemon.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    live: Arc<Live>,
    dns: Arc<DnsCounters>,
    exposure: Arc<Exposure>,
    fleet: FleetMetrics,
    log_lines_lost: ErrorCounter,
    started: Timestamp,
}

impl Metrics {
    /// Metrics over a registry of its own, in which others register theirs first. `log_lines_lost` counts what could not be
    /// logged; `started` is when the process did.
    pub fn new(
        registry: Registry,
        live: Arc<Live>,
        dns: Arc<DnsCounters>,
        exposure: Arc<Exposure>,
        fleet: FleetMetrics,
        log_lines_lost: ErrorCounter,
        started: Timestamp,
    ) -> Self {
        Self { registry, live, dns, exposure, fleet, log_lines_lost, started }
    }

    /// Whether a token is needed to read them.
    pub fn are_protected(&self) -> bool {
        self.exposure.is_protected()
    }

    /// Everything in Prometheus's text format. `now` is for ages; `ready` is what `/readyz` says.
    ///
    /// # Errors
    /// When the encoder finds a family malformed.
    pub fn scrape(&self, now: Now, ready: bool) -> prometheus::Result<Scrape> {
        let snapshot = self.live.load();
        let mut text = Text::from(TextEncoder::new().encode_to_string(&self.registry.gather())?);
        traffic::write(&snapshot, &self.dns, &mut text);
        process::write(self.started, &mut text);
        self.fleet.write(now.time, &mut text);
        text.counter(
            "farol_log_lines_dropped_total",
            "Lines of the log that were lost because nobody read them.",
            self.log_lines_lost.dropped_lines(),
        );
        text.gauge(
            "farol_ready",
            "Whether every endpoint has a verdict or has had its chance of one (1), or not (0).",
            u8::from(ready),
        );
        let (name, help) = ("farol_build_info", "The program's version.");
        text.family(Head { name, kind: Kind::Gauge, help })
            .add(&[("version", env!("CARGO_PKG_VERSION"))], 1);
        Ok(Scrape::new(text, snapshot, now.moment, self.exposure.per_endpoint()))
    }
}
