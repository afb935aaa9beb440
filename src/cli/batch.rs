use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, Subcommand};

use super::client::{ChangeOptions, ClientOptions, UndoOptions};
use super::endpoint::endpoint_table;
use super::output::ending;
use crate::api::view;

/// Make several changes all together or not at all.
#[derive(Args, Debug)]
#[command(after_help = r#"The file has JSON such as:
  {"changes": [
    {"profile": "app.gtm.example", "endpoint": "seattle", "weight": 20},
    {"profile": "app.gtm.example", "endpoint": "orlando", "forced": null},
    {"profile": "www.gtm.example", "enabled": false},
    {"site": "orlando", "drained": true}
  ], "reason": "new firewall", "expires": "2h"}

Examples:
  farol batch apply changes.json --dry-run
  farol batch apply changes.json --reason 'new firewall'
  jq .plan plan.json | farol batch apply -"#)]
pub(super) struct Batch {
    #[command(flatten)]
    client: ClientOptions,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Make the changes in a file
    Apply {
        /// The file; - is standard input
        file: PathBuf,
        #[command(flatten)]
        change: ChangeOptions,
        #[command(flatten)]
        undo: UndoOptions,
        /// When what they set is undone by itself: how long from now on, like 30m, or a time like 2026-11-22T18:00:00Z
        #[arg(long, value_name = "DURATION|TIME")]
        expires: Option<String>,
    },
}

impl Batch {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let Verb::Apply { file, change, undo, expires } = self.verb;
        let mut batch = read(&file)?;
        let ChangeOptions { reason, dry_run, override_guardrail } = change;
        batch.reason = reason.or(batch.reason);
        batch.expires = expires.or(batch.expires);
        batch.override_guardrail = override_guardrail.or(batch.override_guardrail);
        batch.dry_run |= dry_run;
        batch.confirm_within = undo.confirm_within.or(batch.confirm_within);
        batch.undo_if_worse |= undo.undo_if_worse;
        self.client.run(async |client, output| {
            let answer = client.post::<view::Batch>(&["changes"], &batch, None).await?;
            output.show(&answer.text, || report(&answer.value))
        })?;
        Ok(ExitCode::SUCCESS)
    }
}

fn read(file: &Path) -> anyhow::Result<view::BatchRequest> {
    let mut text = String::new();
    if file == Path::new("-") {
        std::io::stdin().read_to_string(&mut text).context("could not read standard input")?;
    } else {
        text = std::fs::read_to_string(file)
            .with_context(|| format!("could not read {}", file.display()))?;
    }
    serde_json::from_str(&text)
        .with_context(|| format!("{} is no batch of changes", file.display()))
}

fn report(batch: &view::Batch) -> String {
    let view::Batch { generation, dry_run, pending, profiles, sites } = batch;
    let mut parts = Vec::new();
    if !profiles.is_empty() {
        parts.push(endpoint_table(profiles, false, false));
    }
    let state = |it: &view::Site| {
        format!("site {}: {}", it.name, if it.drained { "drained" } else { "in service" })
    };
    parts.extend(sites.iter().map(state));
    parts.push(ending(*generation, *dry_run, pending.as_ref()));
    parts.join("\n")
}
