//! The Prometheus registry and every metric's name.

mod dns;
mod probes;

pub use dns::{COUNTED_RCODES, DnsCounters, Drop, Transport};
pub use probes::ProbeMetrics;
