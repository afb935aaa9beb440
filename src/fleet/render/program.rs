//! One run of a program of others.

use std::ffi::OsString;
use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus, Stdio};

use super::mask::Mask;
use super::tools::{ProgramError, Tool, Tools};
use crate::model::is_hidden;
use crate::program::{Ear, RunError};

/// The octets that a program may write.
const MOST: usize = 64 * 1024 * 1024;
/// The octets of its complaints that are kept.
const KEPT: usize = 4096;
/// Where programs find others when our environment doesn't say.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What is to be run.
pub(super) struct Run<'a> {
    /// The program.
    pub(super) tool: Tool,
    /// Its arguments; they are shown to everybody on this machine.
    pub(super) arguments: Vec<OsString>,
    /// What it reads.
    pub(super) input: Option<File>,
    /// What it does, for people: `helm template ratings`.
    pub(super) doing: &'a str,
    /// What nobody may see of what it says.
    pub(super) mask: &'a Mask,
}

/// What a program has written.
pub(super) struct Written {
    /// What it was to write.
    pub(super) output: String,
    /// The end of what it said besides.
    pub(super) said: String,
}

impl Run<'_> {
    /// Runs it once there is a slot for it. Dropped before the end, it leaves nothing that runs.
    ///
    /// # Errors
    /// When it isn't there, fails, takes too long or writes too much.
    pub(super) async fn run(self, tools: &Tools) -> Result<Written, ProgramError> {
        // Nobody closes them.
        let _slot = tools.slots.acquire().await;
        self.run_without_slot(tools).await
    }

    /// Runs it at once, for those who have a bound of their own.
    ///
    /// # Errors
    /// Those of [`Run::run`].
    pub(super) async fn run_without_slot(self, tools: &Tools) -> Result<Written, ProgramError> {
        let Self { tool, arguments, input, doing, mask } = self;
        let path = tools.path(tool).clone();
        let mut command = Command::new(&path);
        command.args(arguments).current_dir("/").env_clear().env("PATH", PATH);
        command.envs(tools.environment.iter().cloned());
        command.stdin(input.map_or_else(Stdio::null, Stdio::from));
        let limit = tools.limit;
        let too_long = |said| ProgramError::TimedOut { doing: doing.to_owned(), limit, said };
        let ran = tools.programs.run(path.clone(), command, limit, (MOST, KEPT)).await;
        let ran = ran.map_err(|error| match error {
            RunError::NotStarted(error) if error.kind() == ErrorKind::NotFound => {
                ProgramError::Missing(vec![(tool, path)])
            }
            RunError::NotStarted(source) => ProgramError::NotStarted { tool, path, source },
            RunError::NotLoaded => too_long(String::new()),
            RunError::Lost(source) => ProgramError::Lost { doing: doing.to_owned(), source },
        })?;
        let said = told(&ran.said, mask);
        match ran.status {
            Some(status) => judge(status, ran.output, said, doing),
            None => Err(too_long(said)),
        }
    }
}

fn judge(
    status: ExitStatus,
    output: Ear,
    said: String,
    doing: &str,
) -> Result<Written, ProgramError> {
    let doing = || doing.to_owned();
    if output.is_cut_off() {
        return Err(ProgramError::TooMuch { doing: doing(), most: MOST });
    }
    let how = match (status.code(), status.signal()) {
        (Some(0), _) => {
            let output = String::from_utf8(output.into_kept());
            let output = output.map_err(|_| ProgramError::NoText { doing: doing() })?;
            return Ok(Written { output, said });
        }
        (Some(code), _) => format!("exit status {code}"),
        (None, signal) => format!("killed by signal {}", signal.unwrap_or_default()),
    };
    Err(ProgramError::Failed { doing: doing(), how, said })
}

/// The end of what was said, from a line's beginning on: half a secret isn't recognised as one.
fn told(said: &Ear, mask: &Mask) -> String {
    let text = String::from_utf8_lossy(said.kept());
    let text = match text.split_once('\n') {
        Some((_, rest)) if said.heard() > KEPT => rest,
        None if said.heard() > KEPT => "",
        _ => &text,
    };
    let plain = |it| if is_hidden(it) && it != '\n' { char::REPLACEMENT_CHARACTER } else { it };
    mask.hide(text).trim().chars().map(plain).collect()
}

#[cfg(test)]
#[path = "program_tests.rs"]
mod tests;
