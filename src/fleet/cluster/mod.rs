//! A site's cluster as the companion reaches it: only outbound, within time limits of its own, and only if it is the cluster that it is
//! said to be.

mod access;
mod apis;
mod client;
mod credential;
mod error;
mod request;

pub use access::{Access, Verb};
pub use apis::{Apis, NotServed, Resource};
pub use client::{Cluster, Reach, Version};
pub use error::{ClusterError, Conflict};
pub use request::{Apply, Deletion};
