use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, CommandFactory};
use clap_complete::{Shell, generate};

use super::{Cli, say};

/// Write the completions of a shell to standard output.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  farol completions bash >/etc/bash_completion.d/farol
  farol completions zsh >\"${fpath[1]}/_farol\"
  farol completions fish >~/.config/fish/completions/farol.fish
  source <(farol completions bash)   # for this shell only")]
pub(super) struct Completions {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

impl Completions {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let mut script = Vec::new();
        generate(self.shell, &mut Cli::command(), "farol", &mut script);
        let script = String::from_utf8(script).context("the completions are no text")?;
        say(script.trim_end())?;
        Ok(ExitCode::SUCCESS)
    }
}
