use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Subcommand};

use super::client::{ChangeOptions, ClientOptions, Failure, Seen, UndoOptions};
use super::drain::wait;
use super::live::{Look, Watch};
use super::output::{by, count, ending, table};
use crate::api::view;
use crate::settings::parse_duration;

/// Look at sites, and move the traffic away from one or back.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  farol site list
  farol site list --watch
  farol site drain seattle --reason 'new firewall' --expires 2h
  farol site drain seattle --wait --reason 'new firewall'   # until nobody can hold an answer that names it
  farol site undrain seattle --ramp 5m")]
pub(super) struct Site {
    #[command(flatten)]
    client: ClientOptions,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Every site with its endpoints counted
    List(Watch),
    /// Move the traffic away from a site: no answer names its endpoints any more
    Drain(Drain),
    /// Bring a site back
    Undrain(Undrain),
}

#[derive(Args, Debug)]
struct Which {
    /// The site's name
    name: String,
    #[command(flatten)]
    change: ChangeOptions,
    #[command(flatten)]
    undo: UndoOptions,
    /// Only if nobody has changed a site since this ETag of `farol site list`
    #[arg(long, value_name = "ETAG")]
    if_match: Option<String>,
}

#[derive(Args, Debug)]
struct Drain {
    #[command(flatten)]
    which: Which,
    /// When the drain ends by itself: how long from now on, like 30m or 1h30m, or a time like 2026-11-22T18:00:00Z
    #[arg(long, value_name = "DURATION|TIME")]
    expires: Option<String>,
    /// Show how far it comes, and end when it is safe: no resolver keeps an answer that names the site, by its TTL
    #[arg(long, conflicts_with = "dry_run")]
    wait: bool,
    /// Wait no longer than this, like 10m; the site stays drained
    #[arg(long, value_name = "DURATION", requires = "wait", value_parser = duration)]
    timeout: Option<Duration>,
}

#[derive(Args, Debug)]
struct Undrain {
    #[command(flatten)]
    which: Which,
    /// Take the share back little by little over this time, like 5m, in the place of the endpoints' slow_start
    #[arg(long, value_name = "DURATION")]
    ramp: Option<String>,
}

fn duration(text: &str) -> Result<Duration, String> {
    parse_duration(text).ok_or_else(|| "write how long, such as 30s, 10m or 1h30m".to_owned())
}

impl Site {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        if let Verb::List(watch) = self.verb {
            watch.run(&self.client, async |client, output| {
                let answer = client.get::<view::Sites>(&["sites"]).await?;
                Ok(Look::new(answer.text, move || site_table(&answer.value, output.is_wide())))
            })?;
            return Ok(ExitCode::SUCCESS);
        }
        self.client.run(async |client, output| {
            let (which, waits, verb, body) = match self.verb {
                Verb::List(_) => return Ok(()),
                Verb::Drain(Drain { which, expires, wait, timeout }) => {
                    let ChangeOptions { reason, dry_run, override_guardrail } =
                        which.change.clone();
                    let UndoOptions { confirm_within, undo_if_worse } = which.undo.clone();
                    let body = view::DrainRequest {
                        reason,
                        expires,
                        confirm_within,
                        undo_if_worse,
                        dry_run,
                        override_guardrail,
                    };
                    (which, wait.then_some(timeout), "drain", serde_json::to_value(body)?)
                }
                Verb::Undrain(Undrain { which, ramp }) => {
                    let ChangeOptions { reason, dry_run, override_guardrail } =
                        which.change.clone();
                    let UndoOptions { confirm_within, undo_if_worse } = which.undo.clone();
                    let body = view::UndrainRequest {
                        ramp,
                        reason,
                        confirm_within,
                        undo_if_worse,
                        dry_run,
                        override_guardrail,
                    };
                    (which, None, "undrain", serde_json::to_value(body)?)
                }
            };
            let path = ["sites", &which.name, verb];
            let mut seen = Seen::new(which.if_match);
            loop {
                let sites = client.get::<view::Sites>(&["sites"]).await?.value;
                let before = sites.sites.iter().find(|it| it.name == which.name);
                let before = before.is_some_and(|it| it.drained);
                let etag = seen.expects(&sites.etag);
                match client.post::<view::Changed<view::Site>>(&path, &body, Some(&etag)).await {
                    Err(Failure::Changed { .. }) if seen.may_look_again() => {}
                    answer => {
                        let answer = answer?;
                        let Some(timeout) = waits else {
                            return output.show(&answer.text, || report(before, &answer.value));
                        };
                        if output.is_for_people() {
                            output.show(&answer.text, || report(before, &answer.value))?;
                        }
                        let json = wait(&client, &which.name, timeout).await?;
                        return output.show(&json, || format!("{} is safe.", which.name));
                    }
                }
            }
        })?;
        Ok(ExitCode::SUCCESS)
    }
}

fn state(drained: bool) -> &'static str {
    if drained { "drained" } else { "in service" }
}

fn report(before: bool, changed: &view::Changed<view::Site>) -> String {
    let site = &changed.now;
    let change = match before == site.drained {
        true => format!("was {} already", state(before)),
        false => format!("{} → {}", state(before), state(site.drained)),
    };
    let healthy = match (site.drained, site.endpoints) {
        (_, 0) => "no endpoint is in it".to_owned(),
        (true, number) => match site.drain.as_ref().map_or(0, |it| it.still_answered.len()) {
            0 => format!("answers name none of its {}", count(number, "endpoint")),
            still => format!(
                "answers still name {still} of its {}: everything in their profile is drained or disabled",
                count(number, "endpoint")
            ),
        },
        (false, number) => format!("{} of its {} healthy", site.healthy, count(number, "endpoint")),
    };
    let end = ending(changed.generation, changed.dry_run, changed.pending.as_ref());
    format!("{}: {change}; {healthy}\n{end}", site.name)
}

fn site_table(sites: &view::Sites, wide: bool) -> String {
    let row = |it: &view::Site| {
        let drain = it.drain.as_ref();
        let drain = drain.map(|it| by(&it.by, &it.at, it.expires.as_deref(), it.reason.as_deref()));
        let region = it.location.as_ref().and_then(|it| it.region.clone());
        let place = it.location.as_ref().filter(|_| wide);
        let place = place.map(|it| format!("{}, {}", it.latitude, it.longitude));
        vec![
            it.name.clone(),
            region.unwrap_or_default(),
            place.unwrap_or_default(),
            state(it.drained).to_owned(),
            format!("{}/{}", it.healthy, it.endpoints),
            drain.map(|it| format!("drained {it}")).unwrap_or_default(),
        ]
    };
    match sites.sites.as_slice() {
        [] => "The configuration has no site.".to_owned(),
        all => {
            let rows = all.iter().map(row).collect();
            let table = table(&["SITE", "REGION", "LOCATION", "STATE", ">HEALTHY", "NOTE"], rows);
            format!("{table}\n\netag {}", sites.etag)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site(drained: bool) -> view::Site {
        view::Site {
            name: "seattle".to_owned(),
            location: None,
            drained,
            drain: None,
            returning: None,
            endpoints: 2,
            healthy: 1,
        }
    }

    #[test]
    fn a_drain_says_what_it_did() {
        let told = |before, drained| {
            let changed =
                view::Changed { generation: 7, dry_run: false, pending: None, now: site(drained) };
            report(before, &changed).lines().next().unwrap().to_owned()
        };
        assert_eq!(
            told(false, true),
            "seattle: in service → drained; answers name none of its 2 endpoints"
        );
        assert_eq!(
            told(true, false),
            "seattle: drained → in service; 1 of its 2 endpoints healthy"
        );
        assert!(told(true, true).starts_with("seattle: was drained already; "));
    }

    #[test]
    fn sites_are_listed_without_empty_columns() {
        let sites = view::Sites { etag: "\"1\"".to_owned(), sites: vec![site(false)] };
        let lines =
            ["SITE     STATE       HEALTHY", "seattle  in service      1/2", "", "etag \"1\""];
        assert_eq!(site_table(&sites, false), lines.join("\n"));
        let location = view::Location { latitude: 47.6, longitude: -122.3, region: None };
        let placed = view::Site { location: Some(location), ..site(false) };
        let sites = view::Sites { sites: vec![placed], ..sites };
        assert!(site_table(&sites, true).contains("seattle  47.6, -122.3  in service"));
        assert!(!site_table(&sites, false).contains("47.6"));
    }
}
