//! The Prometheus registry and every metric's name.

mod control;
mod dns;
mod probes;

pub use control::ControlMetrics;
pub use dns::{COUNTED_RCODES, DnsCounters, Drop, Transport};
pub use probes::ProbeMetrics;
