//! Discovery: the addresses of endpoints, as the sites' clusters expose them, and whether the pods behind them are ready. One task, the
//! [`Discovery`], runs a watcher for each site, and another one where it is asked for pods.
//!
//! - **Flow**: control says by [`Wanted`](crate::resolve::Wanted) which endpoints are discovered, each with the record that everything
//!   found goes to; the fleet's description says where ([`Source`]). A watcher asks one site's API server, and tells what it says of
//!   one object. What follows for all endpoints is decided in one place without I/O (`claims`), and told to control.
//! - **Guarantees**: an endpoint keeps its last address until another one is sure: while its API server can't be asked, is that of
//!   another cluster, exposes nothing any more, or claims an address that another site claims too. It is stale then, and that is told.
//!   What is said of pods touches no address. Probes read it from the record, and fail by it where that is wanted and sure.
//! - **Cost**: one connection and one watch of one object for each site, and as much again for the pods, which know nothing of each
//!   other.

mod claims;
mod exposure;
#[cfg(test)]
mod recorded_tests;
mod slices;
mod source;
mod task;
mod watcher;
mod workload;

pub use source::{Source, sources};
pub use task::Discovery;
