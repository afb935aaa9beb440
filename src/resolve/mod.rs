//! Resolving: the addresses of the names that endpoints stand for, kept up to date. One task, the [`Resolver`], asks again
//! whenever what it found runs out, and sooner and then ever later while there is no answer.
//!
//! - **Flow**: control says by [`Wanted`] which names there are, each with the [`Resolved`] that everything found goes to: probes
//!   and views read it there. Only when the addresses, or how long they may be kept, are others does control hear of the name.
//! - **Cost**: a name is asked for once an expiry, whoever stands for it; first questions are spread, and few are under way at the
//!   same time.
//! - **Guarantees**: the last good answer stays while nobody can be asked; a question that panics is contained and counts as failed.

mod answer;
mod network;
mod task;
#[cfg(test)]
mod task_tests;

use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use self::network::Network;
use self::task::Task;
use crate::clock::Clock;
use crate::health::Resolved;
use crate::model::{EndpointKey, Locator, Name};
use crate::settings;

/// What addresses are to be found for, and who is asked.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The names, each once, with where to write down what comes of it.
    pub names: Vec<(Name, Arc<Resolved>)>,
    /// The endpoints whose addresses clusters tell, and not this task, likewise.
    pub discovered: Vec<(EndpointKey, Arc<Resolved>)>,
    /// Who is asked for the names.
    pub servers: settings::Resolver,
}

/// Resolves everything that is wanted. Its owner runs it in a task and ends it by a token; the next one begins where it was.
#[derive(Debug)]
pub struct Resolver {
    clock: Clock,
    wanted: watch::Receiver<Wanted>,
    changes: mpsc::Sender<Locator>,
}

impl Resolver {
    /// A resolver of whatever is wanted last, which tells the names whose addresses are others. When `changes` is full, they
    /// wait here, and resolving goes on.
    pub fn new(
        clock: Clock,
        wanted: watch::Receiver<Wanted>,
        changes: mpsc::Sender<Locator>,
    ) -> Self {
        Self { clock, wanted, changes }
    }

    /// Resolves until `stop` is cancelled or nobody listens any more.
    pub async fn run(self, stop: CancellationToken) {
        Task::new(Network::new, self.clock, self.wanted, self.changes).run(stop).await;
    }
}
