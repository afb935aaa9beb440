use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, CommandFactory};

use super::output::count;
use super::{Cli, say};

/// Write the manual pages into a directory: one for each command.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  farol man /usr/local/share/man/man1 && man farol-endpoint-set
  farol man . && man ./farol.1")]
pub(super) struct Man {
    /// The directory, which must exist
    directory: PathBuf,
}

impl Man {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let written = || format!("could not write manual pages to {}", self.directory.display());
        let pages = || std::fs::read_dir(&self.directory).map(Iterator::count);
        pages().with_context(written)?;
        clap_mangen::generate_to(Cli::command(), &self.directory).with_context(written)?;
        let files = count(pages().with_context(written)?, "file");
        say(&format!("{} has {files} now", self.directory.display()))?;
        Ok(ExitCode::SUCCESS)
    }
}
