use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, Subcommand};
use serde_json::Value;

use super::client::ClientOptions;

/// Look at the configuration that is in force.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  farol config show
  farol config show --output json | jq .monitor")]
pub(super) struct Config {
    #[command(flatten)]
    client: ClientOptions,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// The keys in force: files, environment and flags laid over each other, with defaults and without secrets; zones, sites and
    /// profiles have verbs of their own
    Show,
}

impl Config {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let Verb::Show = self.verb;
        self.client.run(async |client, output| {
            let answer = client.get::<Value>(&["configuration"]).await?;
            let text = serde_saphyr::to_string(&answer.value);
            let text = text.context("the answer could not be written for people")?;
            output.show(&answer.text, || text)
        })?;
        Ok(ExitCode::SUCCESS)
    }
}
