//! `farol endpoint …`: look at endpoints, and change them while the daemon runs.

mod change;
mod discovered;
mod history;
mod render;
mod report;
#[cfg(test)]
pub(super) mod samples;
mod wide;

pub(super) use history::{lasted, why};
pub(super) use render::{endpoint_table, note};

use std::process::ExitCode;

use clap::{ArgGroup, Args, Subcommand, ValueEnum};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::client::{Answer, ChangeOptions, Client, ClientOptions, Failure, UndoOptions};
use super::live::{Look, Watch};
use crate::api::view;
use crate::settings::nearest;

/// Look at endpoints, and change their weight, priority or service while the daemon runs.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  farol endpoint list app.gtm.example
  farol endpoint list app.gtm.example --output wide --watch
  farol endpoint set app.gtm.example seattle --weight 20 --reason 'less load while we upgrade'
  farol endpoint set app.gtm.example seattle --forced down
  farol endpoint clear app.gtm.example seattle weight
  farol endpoint clear app.gtm.example seattle
  farol endpoint history app.gtm.example seattle
  farol endpoint report app.gtm.example seattle --down --reason 'no lease'")]
pub(super) struct Endpoint {
    #[command(flatten)]
    client: ClientOptions,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Endpoints with their status, weight and share of the answers
    List {
        /// Only this profile's
        profile: Option<String>,
        #[command(flatten)]
        watch: Watch,
    },
    /// Everything about one endpoint
    Show {
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        watch: Watch,
    },
    /// When an endpoint came into another status, and why: the last 100 times, over restarts
    History {
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        watch: Watch,
    },
    /// Change an endpoint; the change beats the configuration, and lasts until it is cleared or expires
    Set(Set),
    /// Report how an endpoint is, in place of its site; its monitor's protocol is push
    Report(report::Report),
    /// Clear changes, so that the configuration is in force again
    Clear(Clear),
}

/// An endpoint of a profile.
#[derive(Args, Debug)]
struct Which {
    /// The profile's name, like app.gtm.example
    profile: String,
    /// The endpoint's name in it
    endpoint: String,
}

#[derive(Args, Debug)]
#[command(
    group(ArgGroup::new("change").args(["weight", "priority", "enabled", "forced"]).required(true).multiple(true)),
    after_help = "Examples:
  farol endpoint set app.gtm.example seattle --weight 20 --reason 'less load while we upgrade'
  farol endpoint set app.gtm.example seattle --enabled false --expires 30m
  farol endpoint set app.gtm.example seattle --forced none   # back to what the probes say"
)]
struct Set {
    #[command(flatten)]
    which: Which,
    /// Its weight, 0 to 65535
    #[arg(long, value_name = "N")]
    weight: Option<u16>,
    /// Its priority, 1 to 65535; the lowest answers
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    priority: Option<u16>,
    /// Whether it is in service
    #[arg(long, value_name = "true|false", action = clap::ArgAction::Set)]
    enabled: Option<bool>,
    /// Take it for healthy or failing, whatever its probes say
    #[arg(long, value_enum)]
    forced: Option<Forced>,
    #[command(flatten)]
    change: ChangeOptions,
    #[command(flatten)]
    undo: UndoOptions,
    /// When the change is undone by itself: how long from now on, like 30m or 1h30m, or a time like 2026-11-22T18:00:00Z
    #[arg(long, value_name = "DURATION|TIME")]
    expires: Option<String>,
    /// Only if nobody has changed the profile since this ETag of `farol profile show`
    #[arg(long, value_name = "ETAG")]
    if_match: Option<String>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Forced {
    Up,
    Down,
    None,
}

#[derive(Args, Debug)]
struct Clear {
    #[command(flatten)]
    which: Which,
    /// What to clear; all that is in force when nothing is named
    #[arg(value_enum)]
    field: Vec<Field>,
    #[command(flatten)]
    change: ChangeOptions,
    #[command(flatten)]
    undo: UndoOptions,
    /// Only if nobody has changed the profile since this ETag of `farol profile show`
    #[arg(long, value_name = "ETAG")]
    if_match: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Field {
    Weight,
    Priority,
    Enabled,
    Forced,
}

impl Endpoint {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        match self.verb {
            Verb::List { profile, watch } => watch.run(&self.client, async |client, output| {
                list(client, output.is_wide(), profile.as_deref()).await
            }),
            Verb::Show { which, watch } => watch.run(&self.client, async |client, _| {
                let (found, profile) = (find(client, &which).await?.answer, which.profile.clone());
                Ok(Look::new(found.text, move || render::endpoint(&profile, &found.value)))
            }),
            Verb::History { which, watch } => watch.run(&self.client, async |client, _| {
                let path = ["profiles", &which.profile, "endpoints", &which.endpoint, "timeline"];
                let answer = client.get::<view::Timeline>(&path).await?;
                Ok(Look::new(answer.text, move || history::history(&answer.value)))
            }),
            Verb::Set(set) => {
                self.client.run(async |client, output| change::set(&client, output, set).await)
            }
            Verb::Report(report) => self
                .client
                .run(async |client, output| report::report(&client, output, report).await),
            Verb::Clear(clear) => {
                self.client.run(async |client, output| change::clear(&client, output, clear).await)
            }
        }?;
        Ok(ExitCode::SUCCESS)
    }
}

async fn list(client: &Client, wide: bool, profile: Option<&str>) -> anyhow::Result<Look> {
    let named = profile.is_some();
    let (profiles, text) = match profile {
        Some(name) => {
            let answer = client.get::<view::Profile>(&["profiles", name]).await?;
            (vec![answer.value], answer.text)
        }
        None => {
            let answer = client.get::<view::Profiles>(&["profiles"]).await?;
            (answer.value.profiles, answer.text)
        }
    };
    Ok(Look::new(text, move || endpoint_table(&profiles, named, wide)))
}

/// An endpoint, and the ETag of its profile.
struct Found {
    etag: String,
    answer: Answer<view::Endpoint>,
}

/// One endpoint out of its profile, which is what the API gives.
async fn find(client: &Client, which: &Which) -> Result<Found, Failure> {
    #[derive(Deserialize)]
    struct Texts {
        endpoints: Vec<Box<RawValue>>,
    }
    let answer = client.get::<view::Profile>(&["profiles", &which.profile]).await?;
    let texts: Result<Texts, _> = serde_json::from_str(&answer.text);
    let texts = texts.map(|it| it.endpoints).unwrap_or_default();
    let name = which.endpoint.to_ascii_lowercase();
    let view::Profile { name: profile, etag, endpoints, .. } = answer.value;
    let near = nearest(&name, endpoints.iter().map(|it| it.name.as_str())).map(str::to_owned);
    let found = endpoints.into_iter().zip(texts).find(|(it, _)| it.name == name);
    let found = found.map(|(value, text)| Answer { value, text: text.get().to_owned() });
    found.map(|answer| Found { etag, answer }).ok_or_else(|| {
        let near = near.map(|it| format!("; did you mean {it}?")).unwrap_or_default();
        Failure::Missing {
            what: format!("profile `{profile}` has no endpoint `{}`{near}", which.endpoint),
        }
    })
}
