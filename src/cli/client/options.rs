use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, ValueEnum};

use super::{Client, Failure, Token};

pub(super) const DEFAULT_SERVER: &str = "http://127.0.0.1:8053";

/// Which daemon, by which right, and how its answers are shown.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Options for the daemon")]
pub(in crate::cli) struct ClientOptions {
    /// The daemon's API
    #[arg(long, global = true, value_name = "URL", default_value = DEFAULT_SERVER, env = "FAROL_SERVER")]
    server: String,
    /// The file with the API's token [else: FAROL_TOKEN (the token itself), FAROL_TOKEN_FILE,
    /// /var/lib/farol/admin.token]
    #[arg(long, global = true, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// How the answer is shown
    #[arg(long, short, global = true, value_enum, value_name = "FORMAT", default_value = "table")]
    output: Output,
}

/// How an answer is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum Output {
    /// For people
    Table,
    /// The API's own JSON, for programs
    Json,
}

impl ClientOptions {
    /// Does something with a client of the daemon, and waits for it.
    pub(in crate::cli) fn run<T>(
        &self,
        work: impl AsyncFnOnce(Client, Output) -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        let client = self.client()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.context("could not start the async runtime")?.block_on(work(client, self.output))
    }

    fn client(&self) -> Result<Client, Failure> {
        let token = Token::find(self.token_file.as_deref(), |key| std::env::var_os(key))?;
        Client::new(&self.server, token)
    }
}
