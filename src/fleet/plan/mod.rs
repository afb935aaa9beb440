//! What has to be done for a cluster to be as an app wants it. Pure: what is wanted and what was observed go in, steps come out.

mod adopt;
mod diff;
mod lint;
mod order;
mod planner;
mod prune;
mod seen;
mod set;
mod step;

pub use adopt::{Adoption, adoption};
pub use diff::{FieldChange, changes};
pub use lint::{Complaint, Wanted, prepare};
pub use order::{Phase, place};
pub use planner::{Forced, Observation, Observed, Plan, Proposed, Refusal, Stays, plan};
pub use prune::{KEPT, Pruning};
pub use seen::{Mask, bare, masked, own_fields};
pub use set::{ApplySet, PART_OF, ParentError, Scope};
pub use step::{Action, Step};

/// The field manager: whose fields it is that the companion applies.
pub const MANAGER: &str = "farol";
/// The field manager that keeps a workload's replicas while they pass from the source to an autoscaler.
pub const HANDOVER: &str = "farol-handover";
