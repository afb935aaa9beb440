//! What the demo shows: a line a second with the answers that were counted, and what happens in between.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use anyhow::Context;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use super::asker::Asker;
use super::sites::Sites;
use crate::api::view;
use crate::cli::client::Client;
use crate::cli::output::{dress, one_line, percent};
use crate::cli::write_line;

/// The profile that is watched.
const PROFILE: &str = "app.gtm.example.";
/// 200 queries a second.
const ASK: Duration = Duration::from_millis(5);
/// How often the daemon is asked what it thinks.
const LOOK: Duration = Duration::from_millis(200);
const LINE: Duration = Duration::from_secs(1);
/// How long all sites are up, and then one is down.
const UP: Duration = Duration::from_secs(8);
const DOWN: Duration = Duration::from_secs(10);
/// Lines between headings.
const PAGE: usize = 15;
/// The width of a bar, and of a status in its place.
const BAR: usize = 10;
/// The width of an endpoint's column.
const COLUMN: usize = BAR + 14;

/// Shows a line. Fails when nobody reads any more.
fn show(text: &str) -> anyhow::Result<()> {
    write_line(&dress(text)).context("could not write to standard output")
}

/// Asks, counts and tells.
#[derive(Debug)]
pub(super) struct Show {
    client: Client,
    dns: SocketAddr,
    sites: Sites,
    started: Instant,
    answers: HashMap<IpAddr, usize>,
    unanswered: usize,
    lines: usize,
}

impl Show {
    pub(super) fn new(client: Client, dns: SocketAddr, sites: Sites) -> Self {
        let started = Instant::now();
        Self { client, dns, sites, started, answers: HashMap::new(), unanswered: 0, lines: 0 }
    }

    /// Goes on until it is dropped, or nobody reads any more.
    pub(super) async fn run(mut self) -> anyhow::Result<()> {
        let mut asker = Asker::new(self.dns, PROFILE).await?;
        let mut profile = self.look().await?;
        let names: Vec<String> = profile.endpoints.iter().map(|it| it.name.clone()).collect();
        let mut turns = names.iter().cycle();
        let mut failing: Option<&String> = None;
        let mut turn = self.started + UP;
        let [mut ask, mut look, mut line] = [ASK, LOOK, LINE].map(|period| {
            let mut ticks = interval(period);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
            ticks
        });
        line.tick().await; // the first comes at once, with nothing counted yet
        loop {
            tokio::select! {
                _ = ask.tick() => match asker.ask().await {
                    Some(address) => *self.answers.entry(address.into()).or_default() += 1,
                    None => self.unanswered += 1,
                },
                _ = look.tick() => {
                    let now = self.look().await?;
                    for event in events(&profile, &now) {
                        show(&format!("        >>> {event}"))?;
                    }
                    profile = now;
                }
                _ = line.tick() => self.tell(&profile)?,
                () = sleep_until(turn) => {
                    let (name, is_up) = match failing.take() {
                        Some(name) => (name, true),
                        None => match turns.next() {
                            Some(name) => (*failing.insert(name), false),
                            None => return Ok(()), // a profile without endpoints
                        },
                    };
                    self.sites.set(name, is_up);
                    let what = if is_up { "listens again" } else { "stops listening" };
                    show(&format!("        --- the demo's site {name} {what}"))?;
                    turn = Instant::now() + if is_up { UP } else { DOWN };
                }
            }
        }
    }

    async fn look(&self) -> anyhow::Result<view::Profile> {
        Ok(self.client.get(&["profiles", PROFILE]).await?.value)
    }

    /// One line for the answers since the last one.
    fn tell(&mut self, profile: &view::Profile) -> anyhow::Result<()> {
        if self.lines.is_multiple_of(PAGE) {
            show(&heading(profile))?;
        }
        self.lines += 1;
        let seconds = self.started.elapsed().as_secs();
        let text = line(seconds, profile, &self.answers, self.unanswered);
        self.answers.clear();
        self.unanswered = 0;
        show(&text)
    }
}

fn heading(profile: &view::Profile) -> String {
    let names: String = profile.endpoints.iter().map(|it| format!("{:COLUMN$}", it.name)).collect();
    format!(
        "\nWhere {} leads: share of real DNS answers (and what is expected)\n  time  {}",
        profile.name,
        names.trim_end()
    )
}

fn line(
    seconds: u64,
    profile: &view::Profile,
    answers: &HashMap<IpAddr, usize>,
    unanswered: usize,
) -> String {
    let total: usize = answers.values().sum();
    let mut text = format!("{seconds:>5}s  ");
    let mut reasons = Vec::new();
    for endpoint in &profile.endpoints {
        let count: usize =
            endpoint.target.iter().filter_map(|it| answers.get(&it.parse().ok()?)).sum();
        let share = (count as f64 * 100.0 / total.max(1) as f64).round();
        let picture = match endpoint.status.as_str() {
            "Online" => bar(share),
            other => other.to_owned(),
        };
        let expected = endpoint.share.unwrap_or_default().round();
        let _ = write!(text, "{picture:BAR$} {share:>3} % ({expected:>3})  ");
        if let Some(reason) = reason(endpoint) {
            reasons.push(format!("{}: {reason}", endpoint.name));
        }
    }
    if unanswered > 0 {
        reasons.push(format!("unanswered: {unanswered}"));
    }
    text.push_str(&reasons.join("; "));
    text.trim_end().to_owned()
}

fn bar(share: f64) -> String {
    let full = (share / 100.0 * BAR as f64).round() as usize;
    "█".repeat(full.min(BAR)) + &"·".repeat(BAR.saturating_sub(full))
}

/// Why an endpoint's probes fail.
fn reason(endpoint: &view::Endpoint) -> Option<String> {
    endpoint.last_probe.as_ref()?.reason.as_deref().map(one_line)
}

/// What happened between two looks.
fn events(before: &view::Profile, now: &view::Profile) -> Vec<String> {
    let pairs = || before.endpoints.iter().zip(&now.endpoints).filter(|(a, b)| a.name == b.name);
    let moved = pairs().any(|(a, b)| a.share != b.share);
    let mut events: Vec<String> =
        pairs().filter(|(a, b)| a.status != b.status).map(|(_, it)| turned(it)).collect();
    if events.is_empty() && moved {
        events.push("an operator's change".to_owned());
    }
    if let Some(last) = events.last_mut().filter(|_| moved) {
        let _ = write!(last, "; answers now go to {}", shares(now));
    }
    events
}

fn turned(endpoint: &view::Endpoint) -> String {
    let cause = match endpoint.status.as_str() {
        "Degraded" if endpoint.forced.is_none() => reason(endpoint),
        "Online" if endpoint.forced.is_none() => Some("probes pass".to_owned()),
        _ => None,
    };
    let cause = cause.unwrap_or_else(|| "by an operator".to_owned());
    format!("{}: {cause} → {}", endpoint.name, endpoint.status)
}

fn shares(profile: &view::Profile) -> String {
    let shares: Vec<String> = profile
        .endpoints
        .iter()
        .filter(|it| it.share > Some(0.0))
        .map(|it| format!("{} {}", it.name, percent(it.share)))
        .collect();
    if shares.is_empty() { "no endpoint".to_owned() } else { shares.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::endpoint::samples;

    fn profile(endpoints: [(&str, &str, f64); 3]) -> view::Profile {
        let endpoint = |(at, (name, status, share)): (usize, (&str, &str, f64))| view::Endpoint {
            status: status.to_owned(),
            share: Some(share),
            target: vec![format!("127.0.0.{}", 11 + at)],
            last_probe: samples::profile().endpoints[0]
                .last_probe
                .clone()
                .filter(|_| status == "Degraded"),
            ..samples::endpoint(name)
        };
        let endpoints = endpoints.into_iter().enumerate().map(endpoint).collect();
        view::Profile { endpoints, ..samples::profile() }
    }

    fn well() -> view::Profile {
        profile([
            ("seattle", "Online", 60.0),
            ("orlando", "Online", 30.0),
            ("dublin", "Online", 10.0),
        ])
    }

    fn ill() -> view::Profile {
        profile([
            ("seattle", "Degraded", 0.0),
            ("orlando", "Online", 75.0),
            ("dublin", "Online", 25.0),
        ])
    }

    #[test]
    fn events_say_what_why_and_where_to() {
        assert_eq!(events(&well(), &well()), [""; 0]);
        assert_eq!(
            events(&well(), &ill()),
            ["seattle: connect: refused → Degraded; answers now go to orlando 75 %, dublin 25 %"]
        );
        assert_eq!(
            events(&ill(), &well()),
            [
                "seattle: probes pass → Online; answers now go to seattle 60 %, orlando 30 %, dublin 10 %"
            ]
        );
        let mut steered = well();
        steered.endpoints[0].share = Some(50.0);
        let [event] = events(&well(), &steered).try_into().unwrap();
        assert!(
            event.starts_with("an operator's change; answers now go to seattle 50 %"),
            "{event}"
        );
    }

    #[test]
    fn a_line_has_shares_and_reasons() {
        let [b, c] = [12, 13].map(|last| IpAddr::from([127, 0, 0, last]));
        let answers = HashMap::from([(b, 150), (c, 50)]);
        assert_eq!(
            line(9, &ill(), &answers, 1),
            "    9s  Degraded     0 % (  0)  ████████··  75 % ( 75)  ███·······  25 % ( 25)  \
             seattle: connect: refused; unanswered: 1"
        );
    }
}
