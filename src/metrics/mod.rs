//! The Prometheus registry and every metric's name.

mod probes;

pub use probes::ProbeMetrics;
