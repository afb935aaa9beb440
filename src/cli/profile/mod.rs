//! `farol profile …`: look at profiles, and take them out of service or let them fail back.

mod table;

pub(super) use self::table::{is_healthy, notes};

use std::process::ExitCode;

use clap::{Args, Subcommand};

use self::table::{guardrails, profile_table, wide_table};
use super::client::{ChangeOptions, Client, ClientOptions, Failure, Output, Seen, UndoOptions};
use super::endpoint::endpoint_table;
use super::live::{Look, Watch};
use super::output::{ending, list, override_in_words};
use crate::api::view;

/// Look at profiles: the names that are answered, and how. Let one fail back by hand.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  farol profile list
  farol profile list --status Degraded --site seattle
  farol profile list --output wide
  farol profile list --status Degraded --watch
  farol profile show app.gtm.example
  farol profile disable app.gtm.example --confirm-within 5m --reason 'moved away'
  farol profile failback app.gtm.example --reason 'the database has caught up'")]
pub(super) struct Profile {
    #[command(flatten)]
    client: ClientOptions,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Profiles, one a line
    List {
        #[command(flatten)]
        filters: Filters,
        #[command(flatten)]
        watch: Watch,
    },
    /// One profile with its endpoints
    Show {
        /// The profile's name, like app.gtm.example; the dot at the end may be left out
        name: String,
        #[command(flatten)]
        watch: Watch,
    },
    /// Bring a profile into service, whatever the configuration says
    Enable(Enable),
    /// Take a profile out of service: it is answered with nothing
    Disable(Enable),
    /// Let the configuration say again whether a profile is in service
    Clear(Change),
    /// Let the lowest priority serve again, after a failover in a profile with failback = "manual"
    Failback {
        /// The profile's name, like app.gtm.example; the dot at the end may be left out
        name: String,
        #[command(flatten)]
        change: ChangeOptions,
        /// Only if nobody has changed the profile since this ETag of `farol profile show`
        #[arg(long, value_name = "ETAG")]
        if_match: Option<String>,
    },
}

#[derive(Args, Debug)]
struct Change {
    /// The profile's name, like app.gtm.example; the dot at the end may be left out
    name: String,
    #[command(flatten)]
    change: ChangeOptions,
    #[command(flatten)]
    undo: UndoOptions,
    /// Only if nobody has changed the profile since this ETag of `farol profile show`
    #[arg(long, value_name = "ETAG")]
    if_match: Option<String>,
}

#[derive(Args, Debug)]
struct Enable {
    #[command(flatten)]
    change: Change,
    /// When it is undone by itself: how long from now on, like 30m or 1h30m, or a time like 2026-11-22T18:00:00Z
    #[arg(long, value_name = "DURATION|TIME")]
    expires: Option<String>,
}

/// Which profiles are listed: those that fit all of it.
#[derive(Args, Debug)]
struct Filters {
    /// Only those in this zone
    #[arg(long, value_name = "NAME")]
    zone: Option<String>,
    /// Only those with an endpoint in this site
    #[arg(long, value_name = "NAME")]
    site: Option<String>,
    /// Only those in this state, or with an endpoint in it, like Degraded
    #[arg(long, value_name = "STATUS")]
    status: Option<String>,
    /// Only those with this in their name, or in that of an endpoint
    text: Option<String>,
}

impl Filters {
    fn query(self) -> Vec<(&'static str, String)> {
        let filters = [
            ("zone", self.zone),
            ("site", self.site),
            ("status", self.status),
            ("text", self.text),
        ];
        filters.into_iter().filter_map(|(key, it)| Some((key, it?))).collect()
    }
}

impl Profile {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        match self.verb {
            Verb::List { filters, watch } => {
                let query = filters.query();
                watch.run(&self.client, async |client, output| look(client, &query, output).await)
            }
            Verb::Show { name, watch } => watch.run(&self.client, async |client, output| {
                let answer = client.get::<view::Profile>(&["profiles", &name]).await?;
                Ok(Look::new(answer.text, move || render(&answer.value, output.is_wide())))
            }),
            Verb::Enable(Enable { change, expires }) => self.client.run(async |client, output| {
                set_enabled(&client, output, change, Some(true), expires).await
            }),
            Verb::Disable(Enable { change, expires }) => self.client.run(async |client, output| {
                set_enabled(&client, output, change, Some(false), expires).await
            }),
            Verb::Clear(change) => self
                .client
                .run(async |client, output| set_enabled(&client, output, change, None, None).await),
            Verb::Failback { name, change, if_match } => self.client.run(async |client, output| {
                let ChangeOptions { reason, dry_run, override_guardrail } = change;
                let body = view::FailbackRequest { reason, dry_run, override_guardrail };
                let path = ["profiles", &name, "failback"];
                let mut seen = Seen::new(if_match);
                loop {
                    let before = client.get::<view::Profile>(&["profiles", &name]).await?.value;
                    let etag = seen.expects(&before.etag);
                    let answer =
                        client.post::<view::Changed<view::Profile>>(&path, &body, Some(&etag));
                    match answer.await {
                        Err(Failure::Changed { .. }) if seen.may_look_again() => {}
                        answer => {
                            let answer = answer?;
                            let report = || failed_back(&before, &answer.value);
                            return output.show(&answer.text, report);
                        }
                    }
                }
            }),
        }?;
        Ok(ExitCode::SUCCESS)
    }
}

async fn look(client: &Client, query: &[(&str, String)], output: Output) -> anyhow::Result<Look> {
    let answer = client.query::<view::Profiles>(&["profiles"], query).await?;
    let profiles = answer.value.profiles;
    if output.is_wide() {
        let zones = client.get::<view::Status>(&["status"]).await?.value.zones;
        return Ok(Look::new(answer.text, move || wide_table(&profiles, &zones)));
    }
    Ok(Look::new(answer.text, move || profile_table(&profiles)))
}

async fn set_enabled(
    client: &Client,
    output: Output,
    change: Change,
    enabled: Option<bool>,
    expires: Option<String>,
) -> anyhow::Result<()> {
    let Change { name, change, undo, if_match } = change;
    let ChangeOptions { reason, dry_run, override_guardrail } = change;
    let UndoOptions { confirm_within, undo_if_worse } = undo;
    let body = view::ProfilePatch {
        enabled: Some(enabled),
        reason,
        expires,
        confirm_within,
        undo_if_worse,
        dry_run,
        override_guardrail,
    };
    let path = ["profiles", &name];
    let mut seen = Seen::new(if_match);
    loop {
        let before = client.get::<view::Profile>(&path).await?.value;
        let etag = seen.expects(&before.etag);
        match client.patch::<view::Changed<view::Profile>>(&path, &body, Some(&etag)).await {
            Err(Failure::Changed { .. }) if seen.may_look_again() => {}
            answer => {
                let answer = answer?;
                return output.show(&answer.text, || enabled_report(&before, &answer.value));
            }
        }
    }
}

/// What became of a profile's service.
fn enabled_report(before: &view::Profile, changed: &view::Changed<view::Profile>) -> String {
    let now = &changed.now;
    let word = |it: &view::Profile| if it.enabled { "in service" } else { "out of service" };
    let change = match before.enabled == now.enabled {
        true => format!("was {} already", word(now)),
        false => format!("{} → {}", word(before), word(now)),
    };
    let end = ending(changed.generation, changed.dry_run, changed.pending.as_ref());
    format!("{}: {change}\n{end}", now.name)
}

/// What a failback did.
fn failed_back(before: &view::Profile, changed: &view::Changed<view::Profile>) -> String {
    let (name, end) =
        (&changed.now.name, ending(changed.generation, changed.dry_run, changed.pending.as_ref()));
    let priority =
        |it: &view::Profile| it.active_priority.map_or("none".to_owned(), |it| it.to_string());
    let (was, is) = (priority(before), priority(&changed.now));
    match was == is && !before.awaits_failback {
        true => format!("{name}: nothing to fail back, priority {is} serves\n{end}"),
        false => format!("{name}: failed back, priority {was} → {is}\n{end}"),
    }
}

fn render(profile: &view::Profile, wide: bool) -> String {
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
        ("ttl", ttl(profile)),
        ("family", profile.family.clone()),
        ("max return", profile.max_return.map(|it| it.to_string()).unwrap_or_default()),
        (
            "affinity",
            profile
                .affinity
                .as_ref()
                .map(|it| format!("networks of /{} (IPv4) and /{} (IPv6)", it.prefix4, it.prefix6))
                .unwrap_or_default(),
        ),
        ("failback", failback(profile)),
        ("geo failover", profile.geo_failover.map(on_or_off).unwrap_or_default()),
        ("when none is healthy", none_healthy.trim_end().to_owned()),
        ("panic threshold", panic),
        ("guardrails", guardrails(profile)),
        (
            "overrides",
            profile.overrides.iter().map(override_in_words).collect::<Vec<_>>().join("\n"),
        ),
        ("etag", profile.etag.clone()),
    ]);
    format!("{facts}\n{}", endpoint_table(std::slice::from_ref(profile), true, wide))
}

fn on_or_off(is_on: bool) -> String {
    if is_on { "on" } else { "off" }.to_owned()
}

fn ttl(profile: &view::Profile) -> String {
    let ttl = match profile.effective_ttl == profile.ttl {
        true => format!("{}s", profile.ttl),
        false => {
            format!("{}s, now {}s: an endpoint is in doubt", profile.ttl, profile.effective_ttl)
        }
    };
    profile.ttl_min.map_or_else(|| ttl.clone(), |it| format!("{ttl} (ttl_min {it}s)"))
}

fn failback(profile: &view::Profile) -> String {
    let Some(failback) = &profile.failback else { return String::new() };
    let serves =
        profile.active_priority.map(|it| format!("; priority {it} serves")).unwrap_or_default();
    let waits = match profile.awaits_failback {
        true => format!(", and a higher one waits for `farol profile failback {}`", profile.name),
        false => String::new(),
    };
    format!("{failback}{serves}{waits}")
}

#[cfg(test)]
mod tests {
    use super::super::endpoint::samples;
    use super::*;

    #[test]
    fn what_waits_for_an_operator_is_shown() {
        let waiting = view::Profile {
            method: "priority".to_owned(),
            failback: Some("manual".to_owned()),
            active_priority: Some(2),
            awaits_failback: true,
            ttl_min: Some(2),
            effective_ttl: 5,
            ..samples::profile()
        };
        let text = render(&waiting, false);
        let line = "failback              manual; priority 2 serves, and a higher one waits for `farol profile failback app.gtm.example.`\n";
        assert!(text.contains(line), "{text}");
        assert!(text.contains("30s, now 5s: an endpoint is in doubt (ttl_min 2s)\n"), "{text}");
        assert!(
            profile_table(std::slice::from_ref(&waiting)).ends_with("5s      1/2  awaits failback")
        );
        let now =
            view::Profile { active_priority: Some(1), awaits_failback: false, ..waiting.clone() };
        let report = |before: &view::Profile| {
            failed_back(
                before,
                &view::Changed { generation: 7, dry_run: false, pending: None, now: now.clone() },
            )
        };
        assert!(report(&waiting).starts_with("app.gtm.example.: failed back, priority 2 → 1\n"));
        let nothing = "app.gtm.example.: nothing to fail back, priority 1 serves\n";
        assert!(report(&now).starts_with(nothing), "{}", report(&now));
    }

    #[test]
    fn a_profile_is_shown_with_its_keys() {
        let text = render(&samples::profile(), false);
        assert!(text.contains("status                Degraded\n"), "{text}");
        assert!(text.contains("when none is healthy  serve_all\n"), "{text}");
        assert!(
            text.contains("panic threshold       off\netag                  \"1\"\n\nENDPOINT"),
            "{text}"
        );
    }
}
