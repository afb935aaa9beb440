//! The one writer: merges configuration, verdicts and operators' changes, and publishes what follows from them. A change is
//! taken whole or refused whole, and is on the disk before it is acknowledged.
//!
//! `world`, `reload` and `running` say what follows from what, without I/O; `actor` is the task that carries it out, and `journal` what
//! it says of it. `stale` watches over verdicts that nobody confirms, `time_of_day` over the
//! clock.

mod actor;
mod audit;
mod causes;
mod change;
mod events;
mod failback;
mod geography;
mod guardrails;
mod journal;
mod keeper;
mod names;
mod nesting;
mod pending;
mod recall;
mod reload;
mod running;
mod stale;
mod surroundings;
mod time_of_day;
mod timelines;
mod version;
mod world;

pub use actor::{Control, Parts};
pub use change::{Change, ChangeError, Hold, Made, Request};
pub use events::{Event, Events, Happening, News};
pub use guardrails::Breach;
pub use keeper::Keeper;
pub use recall::Recall;
pub use reload::Diff;
pub use running::Running;
pub use stale::watch_for_stale;
pub use surroundings::Surroundings;
pub use timelines::Timelines;
pub use version::{Condition, NoVersion, Version};
pub use world::World;

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{mpsc, oneshot, watch};

use crate::metrics::StateMetrics;
use crate::model::{Geography, Timestamp};
use crate::probe::{ProbeHandle, Report, Unheard};
use crate::settings::{Inputs, Problems, Reading, Settings};
use crate::store::{StateFile, Store};

/// Who asks for something, and from where.
#[derive(Clone, Debug)]
pub struct Asker {
    /// The name of the token.
    pub name: String,
    /// The address.
    pub from: IpAddr,
}

/// Why a reload kept what runs.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ReloadError {
    /// The configuration has errors.
    #[error("{0}")]
    Invalid(Problems),
    /// It asks for what can't be had, an address to listen at, say.
    #[error("{0}")]
    Impossible(String),
    /// Reading it panicked.
    #[error("reading the configuration failed, which is a fault in Farol; look at its log")]
    Broken,
    /// The daemon is stopping.
    #[error("the daemon is stopping")]
    Stopping,
}

/// Talks to the control task. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Handle {
    commands: mpsc::Sender<Command>,
    probers: watch::Sender<ProbeHandle>,
    refused: Arc<Mutex<Option<Refusal>>>,
}

/// A reload that was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// When.
    pub at: Timestamp,
    /// Everything that is wrong, one a line.
    pub why: String,
}

#[derive(Debug)]
enum Command {
    Change { request: Request, reply: oneshot::Sender<Result<Made, ChangeError>> },
    Reload { by: Option<Asker>, reply: oneshot::Sender<Result<Diff, ReloadError>> },
    LookAgain,
}

impl Handle {
    /// Makes changes if their condition holds. Gives the snapshot that has them; it is live, and they are on the disk, by then.
    /// With [`dry_run`](Request::dry_run) it is the snapshot that would have them.
    ///
    /// # Errors
    /// When one names what doesn't exist, expects another version, breaks a guardrail, or can't be stored; nothing has changed
    /// then.
    pub async fn change(&self, request: Request) -> Result<Made, ChangeError> {
        let (reply, answer) = oneshot::channel();
        let command = Command::Change { request, reply };
        self.commands.send(command).await.map_err(|_| ChangeError::Stopping)?;
        answer.await.map_err(|_| ChangeError::Stopping)?
    }

    /// The last reload, if it was refused: what is on the disk is not what runs.
    pub fn refused_reload(&self) -> Option<Refusal> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reads the configuration anew and puts all of it in force, or nothing, for whoever has this machine.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub async fn reload(&self) -> Result<Diff, ReloadError> {
        self.reload_for(None).await
    }

    /// The same, for who asks.
    ///
    /// # Errors
    /// As [`reload`](Self::reload).
    pub async fn reload_for(&self, by: Option<Asker>) -> Result<Diff, ReloadError> {
        let (reply, answer) = oneshot::channel();
        let command = Command::Reload { by, reply };
        self.commands.send(command).await.map_err(|_| ReloadError::Stopping)?;
        answer.await.map_err(|_| ReloadError::Stopping)?
    }

    /// Reads the configuration anew as [`reload`](Self::reload) does, if its files say something else than they did when they were
    /// read last. How it went is logged, and shown by the [`Reading`].
    pub async fn look_again(&self) {
        // If nobody listens, the daemon is stopping.
        let _ = self.commands.send(Command::LookAgain).await;
    }

    /// Hands what a site reports to the prober.
    ///
    /// # Errors
    /// Why it counts for nothing.
    pub async fn report(&self, report: Report) -> Result<(), Unheard> {
        let prober = self.probers.borrow().clone();
        prober.report(report).await
    }

    /// Has this prober do the probing from now on: it is told what to watch and what is believed so far. The one before must
    /// have ended.
    pub fn probe_with(&self, prober: ProbeHandle) {
        // If nobody listens, the daemon is stopping.
        let _ = self.probers.send(prober);
    }
}

/// Brings the metrics up to what the store has seen.
fn refresh_state_metrics(metrics: &StateMetrics, store: &Store) {
    let report = store.report();
    for (file, it) in StateFile::ALL.into_iter().zip(&report.writes) {
        metrics.file(file.label(), it.error.is_none(), it.succeeded, it.failures);
    }
    metrics.set_aside(report.set_aside.len());
}

/// What a reload reads, given where clients are by what is in force.
pub type Load = Arc<dyn Fn(Arc<Geography>) -> Loaded + Send + Sync>;

/// A configuration, or what is wrong with it, and the files that were read for it.
pub type Loaded = (Result<Settings, Problems>, Reading);

/// Reads the configuration from these files, and what is laid over them.
pub fn load_from(inputs: impl Into<Inputs>) -> Load {
    let inputs = inputs.into();
    Arc::new(move |in_force| {
        crate::settings::load_noting(&Inputs { in_force: Some(in_force), ..inputs.clone() })
    })
}

#[cfg(test)]
mod actor_tests;
#[cfg(test)]
mod memory_tests;
#[cfg(test)]
mod multitude_tests;
#[cfg(test)]
mod oracle_tests;
#[cfg(test)]
mod pending_tests;
#[cfg(test)]
mod simulation_tests;
#[cfg(test)]
mod tests;
