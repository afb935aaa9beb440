use std::process::ExitCode;

use clap::Args;

use super::client::ClientOptions;
use super::endpoint::{lasted, why};
use super::live::{Look, Watch};
use super::output::table;
use crate::api::view;

/// When endpoints came into another status, and why: the newest first.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  farol history
  farol history --site seattle --limit 20
  farol history --profile app.gtm.example --output json")]
pub(super) struct History {
    #[command(flatten)]
    client: ClientOptions,
    #[command(flatten)]
    watch: Watch,
    /// Only this profile's endpoints
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
    /// Only this site's endpoints
    #[arg(long, value_name = "NAME")]
    site: Option<String>,
    /// So many at most, 1 to 1000
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=1000))]
    limit: u16,
}

impl History {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let named = [("profile", self.profile), ("site", self.site)];
        let mut query: Vec<(&str, String)> =
            named.into_iter().filter_map(|(key, it)| Some((key, it?))).collect();
        query.push(("limit", self.limit.to_string()));
        self.watch.run(&self.client, async |client, output| {
            let answer = client.query::<view::History>(&["history"], &query).await?;
            Ok(Look::new(answer.text, move || history_table(&answer.value, output.is_wide())))
        })?;
        Ok(ExitCode::SUCCESS)
    }
}

fn history_table(history: &view::History, wide: bool) -> String {
    let row = |it: &view::HistoryTurn| {
        let view::HistoryTurn { profile, endpoint, site, turn } = it;
        let site = site.clone().unwrap_or_default();
        let (profile, endpoint) = (profile.clone(), endpoint.clone());
        vec![
            turn.at.clone(),
            profile,
            endpoint,
            site,
            turn.from.clone(),
            if wide { lasted(turn) } else { String::new() },
            turn.to.clone(),
            turn.phase.clone().filter(|_| wide).unwrap_or_default(),
            why(turn),
        ]
    };
    match history.turns.as_slice() {
        [] => "Every endpoint has been in one status since it is known.".to_owned(),
        turns => {
            let header =
                ["TIME", "PROFILE", "ENDPOINT", "SITE", "FROM", "FOR", "TO", "PHASE", "WHY"];
            table(&header, turns.iter().map(row).collect())
        }
    }
}
