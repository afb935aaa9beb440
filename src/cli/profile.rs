use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::client::ClientOptions;
use super::endpoint::endpoint_table;
use super::output::{list, table};
use crate::api::view;

/// Look at profiles: the names that are answered, and how.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  farol profile list
  farol profile show app.gtm.example")]
pub(super) struct Profile {
    #[command(flatten)]
    client: ClientOptions,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Every profile, one a line
    List,
    /// One profile with its endpoints
    Show {
        /// The profile's name, like app.gtm.example; the dot at the end may be left out
        name: String,
    },
}

impl Profile {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        self.client.run(async |client, output| match self.verb {
            Verb::List => {
                let answer = client.get::<view::Profiles>(&["profiles"]).await?;
                output.show(&answer.text, || profile_table(&answer.value.profiles))
            }
            Verb::Show { name } => {
                let answer = client.get::<view::Profile>(&["profiles", &name]).await?;
                output.show(&answer.text, || render(&answer.value))
            }
        })?;
        Ok(ExitCode::SUCCESS)
    }
}

fn profile_table(profiles: &[view::Profile]) -> String {
    let row = |it: &view::Profile| {
        let healthy = it.endpoints.iter().filter(|it| is_healthy(it)).count();
        vec![
            it.name.clone(),
            it.status.clone(),
            it.method.clone(),
            format!("{}s", it.ttl),
            format!("{healthy}/{}", it.endpoints.len()),
            if it.fail_open { "failing open" } else { "" }.to_owned(),
        ]
    };
    if profiles.is_empty() {
        return "The configuration has no profile.".to_owned();
    }
    let header = ["PROFILE", "STATUS", "METHOD", ">TTL", ">HEALTHY", "NOTE"];
    table(&header, profiles.iter().map(row).collect())
}

/// Whether an endpoint is one that answers may name without failing open.
fn is_healthy(endpoint: &view::Endpoint) -> bool {
    matches!(endpoint.status.as_str(), "Online" | "Unmonitored" | "CheckingEndpoint")
}

fn render(profile: &view::Profile) -> String {
    let fallback: Vec<String> = profile.fallback.iter().map(ToString::to_string).collect();
    let none_healthy = [profile.when_none_healthy.as_str(), &fallback.join(", ")].join(" ");
    let panic = match profile.panic_threshold {
        0 => "off".to_owned(),
        percent => format!("below {percent} % healthy, all are treated as healthy"),
    };
    let fail_open = if profile.fail_open { ", failing open" } else { "" };
    let facts = list(&[
        ("profile", profile.name.clone()),
        ("status", format!("{}{fail_open}", profile.status)),
        ("method", profile.method.clone()),
        ("ttl", format!("{}s", profile.ttl)),
        ("family", profile.family.clone()),
        ("when none is healthy", none_healthy.trim_end().to_owned()),
        ("panic threshold", panic),
        ("etag", profile.etag.clone()),
    ]);
    format!("{facts}\n{}", endpoint_table(std::slice::from_ref(profile), true))
}

#[cfg(test)]
mod tests {
    use super::super::endpoint::samples;
    use super::*;

    #[test]
    fn a_list_counts_the_healthy() {
        let lines = [
            "PROFILE           STATUS    METHOD    TTL  HEALTHY  NOTE",
            "app.gtm.example.  Degraded  weighted  30s      1/2  failing open",
        ];
        let profile = view::Profile { fail_open: true, ..samples::profile() };
        assert_eq!(profile_table(&[profile]), lines.join("\n"));
    }

    #[test]
    fn a_profile_is_shown_with_its_keys() {
        let text = render(&samples::profile());
        assert!(text.contains("status                Degraded\n"), "{text}");
        assert!(text.contains("when none is healthy  serve_all\n"), "{text}");
        assert!(
            text.contains("panic threshold       off\netag                  \"1\"\n\nENDPOINT"),
            "{text}"
        );
    }
}
