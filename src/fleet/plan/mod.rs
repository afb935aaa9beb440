//! What has to be done for a cluster to be as an app wants it. Pure: what is wanted and what was observed go in, steps come out.

mod adopt;
mod diff;
mod digest;
mod fields;
mod forced;
mod lint;
mod order;
mod planner;
mod prune;
mod restore;
mod rules;
mod seen;
mod set;
mod step;
mod wanted;

pub use adopt::{Adoption, adoption};
pub use diff::{FieldChange, changes};
use digest::digest;
pub use digest::fingerprint;
pub use fields::has_field;
pub use forced::Forced;
pub use lint::{Complaint, defined, prepare};
pub use order::{Phase, place};
pub use planner::belongs_elsewhere;
pub use planner::{Observation, Observed, Plan, Proposed, Refusal, Stays, plan};
pub use prune::{KEPT, Pruning};
pub use restore::{needs_restoration, restoration};
pub use rules::without_rules;
pub use seen::{Mask, NOTES, bare, masked, own_fields};
pub use set::{ApplySet, ParentError, Scope};

pub use super::object::PART_OF;
pub use step::{Action, Step};
pub use wanted::{Wanted, scaled_by};

/// The field manager: whose fields it is that the companion applies.
pub const MANAGER: &str = "farol";
/// The field manager that keeps a workload's replicas while they pass from the source to an autoscaler.
pub const HANDOVER: &str = "farol-handover";
