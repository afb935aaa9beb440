//! The description's custom resources: read once by commands, followed by the daemon, which writes into their status what became of them.
//!
//! - **All or nothing**: as with a file, a description that is wrong anywhere, or that has no site any more, changes nothing. What was taken
//!   last stays in force, also while the cluster that has the resources can't be asked.
//! - **Who writes**: one daemon at a time, by a Lease beside the resources. Others only read.

mod condition;
mod follower;
mod store;
mod teller;

pub use follower::{Configured, Follower};
pub use store::{ResourcesError, read};
