//! From probe outcomes to an endpoint's status: thresholds, damping and schedule. Pure: time, draws and results come in
//! as arguments, so a year of failures is tested in milliseconds.

#[cfg(test)]
mod azure_tests;
mod belief;
mod probed;
mod remembered;
mod resolved;
mod schedule;
mod state;
mod status;
mod timeline;
mod workload;

pub use belief::Belief;
pub use probed::{Phase, PhaseTimes, ProbeResult, ProbeTally, Probed};
pub use remembered::Remembered;
pub use resolved::{Resolution, Resolved, Trouble};
pub use schedule::{first_delay, first_verdict_within, next_start};
pub use state::{Health, Outcome};
pub use status::{Children, Evidence, Headcount, endpoint_status, profile_status};
pub use timeline::{Cause, Timeline, Turn};
pub use workload::{Readiness, Workload};
