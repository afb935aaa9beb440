use std::cell::Cell;
use std::process::ExitCode;

use clap::Args;
use jiff::Timestamp;

use super::change::pending;
use super::client::{Answer, ClientOptions};
use super::complain;
use super::live::{Look, Watch};
use super::output::{age, ago, by, count, one_line, override_in_words, table};
use crate::api::view;

/// One look at everything: whether all is well, and what is not.
///
/// Exit codes, as monitoring has them: 0 when all is well; 1 when something is degraded: an endpoint fails or nothing is heard
/// of it, its certificate expires soon, the last reload was refused, the state can't be kept, or the daemon has only just started; 2 when a profile answers without heeding health,
/// because none or too few of its endpoints are healthy; 3 when the daemon can't be asked or refuses to tell. Drains and
/// overrides are shown; they are wanted, so they change nothing about the exit code. With --watch it is 0 at Ctrl-C.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  farol status
  farol status --watch
  farol status --server https://gtm1.example:8053 --token-file ~/.farol-token
  farol status --output json | jq .degraded
  farol status >/dev/null || echo 'something is wrong'")]
pub(super) struct Status {
    #[command(flatten)]
    client: ClientOptions,
    #[command(flatten)]
    watch: Watch,
}

/// How the daemon is, as an exit code for monitoring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Health {
    Well = 0,
    Degraded = 1,
    Critical = 2,
    /// It can't be asked: neither good news nor bad.
    Unknown = 3,
}

impl Health {
    fn of(status: &view::Status) -> Self {
        let is_degraded = !status.ready
            || !status.degraded.is_empty()
            || !status.stale.is_empty()
            || !status.certificates.is_empty()
            || status.refused_reload.is_some()
            || !status.state.well
            || status.geo_database.as_ref().is_some_and(|it| it.error.is_some());
        match (status.failing_open.is_empty(), is_degraded) {
            (false, _) => Self::Critical,
            (true, true) => Self::Degraded,
            (true, false) => Self::Well,
        }
    }
}

impl Status {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let health = Cell::new(Health::Unknown);
        let looked = self.watch.run(&self.client, async |client, _| {
            let Answer { value, text } = client.get::<view::Status>(&["status"]).await?;
            health.set(Health::of(&value));
            let server = client.server().to_owned();
            Ok(Look::new(text, move || render(&value, &server, Timestamp::now())))
        });
        let health = match looked {
            // Whoever has watched is told by what was shown.
            Ok(()) if self.watch.is_on() => Health::Well,
            Ok(()) => health.get(),
            Err(error) => {
                complain(&format!("farol: {error:#}"));
                Health::Unknown
            }
        };
        Ok(ExitCode::from(health as u8))
    }
}

/// What to say of a geo database that could not be read: what is in force instead, and why.
fn unread(database: &view::GeoDatabase) -> Option<(String, String)> {
    let error = one_line(database.error.as_deref()?);
    let instead = match &database.built {
        Some(built) => format!("the one built {} stays in force", ago(built)),
        None => "none is in force".to_owned(),
    };
    Some((format!("The geo database can't be read, so {instead}:"), error))
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
    section(
        "None or too few endpoints healthy (when_none_healthy, panic_threshold):",
        status.failing_open.join("\n"),
    );
    section(
        "A higher priority has recovered and waits for `farol profile failback`:",
        status.awaiting_failback.join("\n"),
    );
    section("Degraded:", endpoints(&status.degraded, "REASON"));
    section(
        "Nothing is heard of, for probes have stopped or say nothing:",
        endpoints(&status.stale, "REASON"),
    );
    section("Certificates that expire soon:", endpoints(&status.certificates, "REASON"));
    if let Some(refused) = &status.refused_reload {
        let title =
            format!("What is on the disk does not run: a reload was refused {}:", ago(&refused.at));
        section(&title, refused.why.clone());
    }
    section("Sites that are drained:", drains(status));
    section("Changes that wait for their confirmation, or are watched:", pending(&status.pending));
    section("Overrides in force:", overrides(&status.overridden));
    let unmatched = status.unmatched_overrides.join("\n");
    section("Overrides of what the configuration doesn't have:", unmatched);
    section("State that wants looking after:", troubles(&status.state).join("\n"));
    if let Some((title, error)) = status.geo_database.as_ref().and_then(unread) {
        section(&title, error);
    }
    text.push_str(match Health::of(status) {
        Health::Well => "\nAll is well.",
        _ if !status.ready => "\nThe daemon is starting: some endpoints have no verdict yet.",
        _ if status.degraded.is_empty() && status.failing_open.is_empty() => {
            "\nThe answers are well; what stands above is not."
        }
        _ => "\nSomething is failing; look closer with `farol endpoint list`.",
    });
    text
}

fn drains(status: &view::Status) -> String {
    let row = |site: &String| {
        let drain = status.drains.get(site);
        let by = drain.map(|it| by(&it.by, &it.at, it.expires.as_deref(), it.reason.as_deref()));
        vec![site.clone(), by.unwrap_or_default()]
    };
    match status.drained_sites.as_slice() {
        [] => String::new(),
        all => table(&["SITE", "DRAINED"], all.iter().map(row).collect()),
    }
}

fn overrides(overridden: &[view::Overridden]) -> String {
    let row = |it: &view::Overridden| {
        let overrides: Vec<String> = it.overrides.iter().map(override_in_words).collect();
        let endpoint = it.endpoint.clone().unwrap_or_default();
        vec![it.profile.clone(), endpoint, overrides.join("; ")]
    };
    match overridden {
        [] => String::new(),
        all => table(&["PROFILE", "ENDPOINT", "OVERRIDES"], all.iter().map(row).collect()),
    }
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
    use std::collections::BTreeMap;

    fn endpoint(name: &str, reason: &str) -> view::EndpointRef {
        view::EndpointRef {
            profile: "app.gtm.example.".to_owned(),
            endpoint: name.to_owned(),
            reason: Some(reason.to_owned()),
        }
    }

    fn database(built: Option<&str>) -> view::GeoDatabase {
        view::GeoDatabase {
            path: "geo.mmdb".to_owned(),
            built: built.map(str::to_owned),
            loaded: built.map(str::to_owned),
            networks: 0,
            error: Some("farol.toml:3: geo.database: it is damaged".to_owned()),
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
            stale: Vec::new(),
            certificates: Vec::new(),
            drained_sites: Vec::new(),
            drains: BTreeMap::new(),
            overridden: Vec::new(),
            pending: Vec::new(),
            awaiting_failback: Vec::new(),
            unmatched_overrides: Vec::new(),
            refused_reload: None,
            state: view::State::default(),
            geo_database: None,
        }
    }

    #[track_caller]
    fn check(status: &view::Status, lines: &[&str]) {
        let now = "2026-05-01T12:03:00Z".parse().unwrap();
        assert_eq!(render(status, "http://h", now).lines().collect::<Vec<_>>(), lines);
    }

    #[test]
    fn what_is_not_well_has_its_exit_code() {
        let well = status();
        assert_eq!(Health::of(&well), Health::Well);
        let refused = view::RefusedReload { at: well.started.clone(), why: "x".to_owned() };
        for degraded in [
            view::Status { ready: false, ..well.clone() },
            view::Status { degraded: vec![endpoint("seattle", "x")], ..well.clone() },
            view::Status { stale: vec![endpoint("seattle", "x")], ..well.clone() },
            view::Status { certificates: vec![endpoint("seattle", "x")], ..well.clone() },
            view::Status { refused_reload: Some(refused), ..well.clone() },
            view::Status {
                state: view::State { well: false, ..Default::default() },
                ..well.clone()
            },
            view::Status { geo_database: Some(database(None)), ..well.clone() },
        ] {
            assert_eq!(Health::of(&degraded), Health::Degraded, "{degraded:?}");
            let critical = view::Status { failing_open: vec!["a.".to_owned()], ..degraded };
            assert_eq!(Health::of(&critical), Health::Critical);
        }
        let wanted = view::Status {
            drained_sites: vec!["orlando".to_owned()],
            unmatched_overrides: vec!["a. b".to_owned()],
            ..well
        };
        assert_eq!(Health::of(&wanted), Health::Well);
    }

    #[test]
    fn all_is_well_or_what_is_not_is_said() {
        const HEAD: &str = "Farol 0.1.0 at http://h: ready, up 3m, generation 7";
        const COUNTS: &str = "2 profiles in 1 zone, 6 endpoints: 1 Degraded, 5 Online";
        check(&status(), &[HEAD, COUNTS, "", "All is well."]);
        let override_ = view::Override {
            field: "weight".to_owned(),
            value: 20.into(),
            by: "admin".to_owned(),
            reason: None,
            at: "soon".to_owned(),
            expires: None,
        };
        let drain = view::Drain {
            by: "ann".to_owned(),
            reason: None,
            at: "soon".to_owned(),
            ..view::Drain::default()
        };
        let ill = view::Status {
            degraded: vec![endpoint("seattle", "connect: refused")],
            failing_open: vec!["www.gtm.example.".to_owned()],
            drained_sites: vec!["orlando".to_owned()],
            drains: [("orlando".to_owned(), drain)].into(),
            overridden: vec![view::Overridden {
                profile: "app.gtm.example.".to_owned(),
                endpoint: Some("dublin".to_owned()),
                overrides: vec![override_],
            }],
            refused_reload: Some(view::RefusedReload {
                at: "soon".to_owned(),
                why: "farol.toml:3: no".to_owned(),
            }),
            ..status()
        };
        let lines = [
            HEAD,
            COUNTS,
            "",
            "None or too few endpoints healthy (when_none_healthy, panic_threshold):",
            "  www.gtm.example.",
            "",
            "Degraded:",
            "  PROFILE           ENDPOINT  REASON",
            "  app.gtm.example.  seattle   connect: refused",
            "",
            "What is on the disk does not run: a reload was refused soon:",
            "  farol.toml:3: no",
            "",
            "Sites that are drained:",
            "  SITE     DRAINED",
            "  orlando  by ann, soon",
            "",
            "Overrides in force:",
            "  PROFILE           ENDPOINT  OVERRIDES",
            "  app.gtm.example.  dublin    weight 20 by admin, soon",
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
        let stale = vec![endpoint("rio", "connect: this machine has no address 192.0.2.9")];
        let lines = [
            HEAD,
            COUNTS,
            "",
            "Nothing is heard of, for probes have stopped or say nothing:",
            "  PROFILE           ENDPOINT  REASON",
            "  app.gtm.example.  rio       connect: this machine has no address 192.0.2.9",
            "",
            "The answers are well; what stands above is not.",
        ];
        check(&view::Status { stale, ..status() }, &lines);
        let ill = view::Status { state, ..status() };
        assert_eq!(Health::of(&ill), Health::Degraded);
        let lines = [
            HEAD,
            COUNTS,
            "",
            "State that wants looking after:",
            "  verdicts can't be stored: could not write `v`: the disk is full",
            "  /s/overrides.json.damaged-1 was damaged and put aside: look at it, then take it away",
            "",
            "The answers are well; what stands above is not.",
        ];
        check(&ill, &lines);
        for (built, instead) in
            [(None, "none is in force"), (Some("soon"), "the one built soon stays in force")]
        {
            let ill = view::Status { geo_database: Some(database(built)), ..status() };
            let title = format!("The geo database can't be read, so {instead}:");
            let error = "  farol.toml:3: geo.database: it is damaged";
            let end = "The answers are well; what stands above is not.";
            check(&ill, &[HEAD, COUNTS, "", &title, error, "", end]);
        }
    }
}
