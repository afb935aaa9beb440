//! A program from its start to its end, within a time limit.

use std::hash::Hash;
use std::io::{self, PipeReader};
use std::process::{Command, ExitStatus};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use super::{Dying, Ear, Group, Keeps, Programs};

/// What came of a program.
#[derive(Debug)]
pub struct Ran {
    /// How it ended; none where it took too long and was killed.
    pub status: Option<ExitStatus>,
    /// What it wrote to standard output.
    pub output: Ear,
    /// What it wrote to standard error.
    pub said: Ear,
}

/// Why nothing came of a program.
#[derive(Debug)]
pub enum RunError {
    /// It could not be started.
    NotStarted(io::Error),
    /// It could not be loaded in time.
    NotLoaded,
    /// It could not be listened to, or waited for.
    Lost(io::Error),
}

impl<K: Clone + Eq + Hash + Send + 'static> Programs<K> {
    /// Runs a command, known by a key, until it ends. Loading it may take as long as the limit, and running it too. Of its output so many
    /// of the first octets are kept, and of what it says besides so many of the last. Dropped before the end, it leaves nothing that runs.
    ///
    /// # Errors
    /// When it can't be started or waited for.
    pub async fn run(
        self: &Arc<Self>,
        key: K,
        command: Command,
        limit: Duration,
        (first, last): (usize, usize),
    ) -> Result<Ran, RunError> {
        let starting = timeout(limit, self.start(key, move |dying| start(command, dying)));
        let started = starting.await.map_err(|_| RunError::NotLoaded)?;
        let (mut group, output, said) = started.map_err(RunError::NotStarted)?;
        let mut output =
            Ear::new(output, Keeps::First(first), first + 1).map_err(RunError::Lost)?;
        let mut said = Ear::new(said, Keeps::Last(last), usize::MAX).map_err(RunError::Lost)?;
        let status = match timeout(limit, group.end(&mut [&mut output, &mut said])).await {
            Ok(status) => Some(status.map_err(RunError::Lost)?),
            Err(_) => None,
        };
        Ok(Ran { status, output, said })
    }
}

fn start(mut command: Command, dying: Arc<Dying>) -> io::Result<(Group, PipeReader, PipeReader)> {
    let ((output, our_output), (said, our_said)) = (io::pipe()?, io::pipe()?);
    command.stdout(our_output).stderr(our_said);
    Ok((Group::start(command, dying)?, output, said))
}
