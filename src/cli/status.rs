use std::process::ExitCode;

use clap::Args;
use jiff::Timestamp;

use super::client::{ClientOptions, Output};
use super::complain;
use super::output::{age, count, one_line, show, show_json, table};
use crate::api::view;

/// One look at everything: what is degraded, failing open, drained or overridden.
///
/// Exit codes: 0 when all is well; 1 when an endpoint is degraded, a profile fails open, or the state can't be kept; 2 when the daemon can't be
/// reached or does not answer as it should.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  farol status
  farol status --server https://gtm1.example:8053 --token-file ~/.farol-token
  farol status --output json | jq .degraded
  farol status >/dev/null || echo 'something is wrong'")]
pub(super) struct Status {
    #[command(flatten)]
    client: ClientOptions,
}

/// The exit code for a daemon that can't be asked: neither good news nor bad.
const UNKNOWN: u8 = 2;

impl Status {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let looked = self.client.run(async |client, output| {
            let answer = client.get::<view::Status>(&["status"]).await?;
            match output {
                Output::Json => show_json(&answer.text)?,
                Output::Table => show(&render(&answer.value, client.server(), Timestamp::now()))?,
            }
            Ok(is_well(&answer.value))
        });
        Ok(match looked {
            Ok(true) => ExitCode::SUCCESS,
            Ok(false) => ExitCode::FAILURE,
            Err(error) => {
                complain(&format!("farol: {error:#}"));
                ExitCode::from(UNKNOWN)
            }
        })
    }
}

fn is_well(status: &view::Status) -> bool {
    status.degraded.is_empty()
        && status.failing_open.is_empty()
        && troubles(&status.state).is_empty()
}

/// What is wrong with the state directory.
fn troubles(state: &view::State) -> Vec<String> {
    let failing = state.files.iter().filter_map(|it| {
        let error = one_line(it.error.as_deref()?);
        Some(format!("{} can't be stored: {error}", it.file))
    });
    let aside = state
        .set_aside
        .iter()
        .map(|it| format!("{it} was damaged and put aside: look at it, then take it away"));
    failing.chain(aside).collect()
}

fn render(status: &view::Status, server: &str, now: Timestamp) -> String {
    let up = age(&status.started, now).unwrap_or_default();
    let ready = if status.ready { "ready" } else { "starting" };
    let total: usize = status.endpoints.values().sum();
    let states: Vec<String> =
        status.endpoints.iter().map(|(state, number)| format!("{number} {state}")).collect();
    let states = if states.is_empty() { String::new() } else { format!(": {}", states.join(", ")) };
    let mut text = format!(
        "Farol {} at {server}: {ready}, up {up}, generation {}\n{} in {}, {}{states}\n",
        status.version,
        status.generation,
        count(status.profiles, "profile"),
        count(status.zones.len(), "zone"),
        count(total, "endpoint"),
    );
    let mut section = |title: &str, body: String| {
        if !body.is_empty() {
            let body: String = body.lines().map(|line| format!("  {line}\n")).collect();
            text.push_str(&format!("\n{title}\n{body}"));
        }
    };
    section("Degraded:", endpoints(&status.degraded, "REASON"));
    section(
        "None or too few endpoints healthy (when_none_healthy, panic_threshold):",
        status.failing_open.join("\n"),
    );
    section("Sites that are drained:", status.drained_sites.join("\n"));
    section("Overrides in force:", endpoints(&status.overridden, "OVERRIDES"));
    let unmatched = status.unmatched_overrides.join("\n");
    section("Overrides of what the configuration doesn't have:", unmatched);
    section("State that wants looking after:", troubles(&status.state).join("\n"));
    let is_serving_well = status.degraded.is_empty() && status.failing_open.is_empty();
    text.push_str(match (is_serving_well, is_well(status)) {
        (true, true) => "\nAll is well.",
        (true, false) => "\nEndpoints are well; the state directory is not.",
        (false, _) => "\nSomething is failing; look closer with `farol endpoint list`.",
    });
    text
}

fn endpoints(endpoints: &[view::EndpointRef], reason: &str) -> String {
    let row = |it: &view::EndpointRef| {
        let reason = it.reason.as_deref().map(one_line).unwrap_or_default();
        vec![it.profile.clone(), it.endpoint.clone(), reason]
    };
    match endpoints {
        [] => String::new(),
        all => table(&["PROFILE", "ENDPOINT", reason], all.iter().map(row).collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(name: &str, reason: &str) -> view::EndpointRef {
        view::EndpointRef {
            profile: "app.gtm.example.".to_owned(),
            endpoint: name.to_owned(),
            reason: Some(reason.to_owned()),
        }
    }

    fn status() -> view::Status {
        view::Status {
            version: "0.1.0".to_owned(),
            started: "2026-05-01T12:00:00Z".to_owned(),
            ready: true,
            generation: 7,
            zones: vec!["gtm.example.".to_owned()],
            profiles: 2,
            endpoints: [("Online".to_owned(), 5), ("Degraded".to_owned(), 1)].into(),
            failing_open: Vec::new(),
            degraded: Vec::new(),
            drained_sites: Vec::new(),
            overridden: Vec::new(),
            unmatched_overrides: Vec::new(),
            state: view::State::default(),
        }
    }

    #[track_caller]
    fn check(status: &view::Status, lines: &[&str]) {
        let now = "2026-05-01T12:03:00Z".parse().unwrap();
        assert_eq!(render(status, "http://h", now).lines().collect::<Vec<_>>(), lines);
    }

    #[test]
    fn all_is_well_or_what_is_not_is_said() {
        const HEAD: &str = "Farol 0.1.0 at http://h: ready, up 3m, generation 7";
        const COUNTS: &str = "2 profiles in 1 zone, 6 endpoints: 1 Degraded, 5 Online";
        let well = status();
        assert!(is_well(&well));
        check(&well, &[HEAD, COUNTS, "", "All is well."]);
        let ill = view::Status {
            degraded: vec![endpoint("seattle", "connect: refused")],
            failing_open: vec!["www.gtm.example.".to_owned()],
            drained_sites: vec!["orlando".to_owned()],
            overridden: vec![endpoint("dublin", "weight, forced")],
            ..status()
        };
        assert!(!is_well(&ill));
        let lines = [
            HEAD,
            COUNTS,
            "",
            "Degraded:",
            "  PROFILE           ENDPOINT  REASON",
            "  app.gtm.example.  seattle   connect: refused",
            "",
            "None or too few endpoints healthy (when_none_healthy, panic_threshold):",
            "  www.gtm.example.",
            "",
            "Sites that are drained:",
            "  orlando",
            "",
            "Overrides in force:",
            "  PROFILE           ENDPOINT  OVERRIDES",
            "  app.gtm.example.  dublin    weight, forced",
            "",
            "Something is failing; look closer with `farol endpoint list`.",
        ];
        check(&ill, &lines);
        let error = Some("could not write `v`: the disk is full".to_owned());
        let file = view::StateFile { file: "verdicts".to_owned(), error, ..Default::default() };
        let state = view::State {
            well: false,
            files: vec![file],
            set_aside: vec!["/s/overrides.json.damaged-1".to_owned()],
        };
        let ill = view::Status { state, ..status() };
        assert!(!is_well(&ill));
        let lines = [
            HEAD,
            COUNTS,
            "",
            "State that wants looking after:",
            "  verdicts can't be stored: could not write `v`: the disk is full",
            "  /s/overrides.json.damaged-1 was damaged and put aside: look at it, then take it away",
            "",
            "Endpoints are well; the state directory is not.",
        ];
        check(&ill, &lines);
    }
}
