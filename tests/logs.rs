//! What is logged has stable names, all of them documented, and can be read by programs.

#![allow(clippy::unwrap_used, reason = "what tests share may panic like tests")]

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use common::daemon::{Daemon, Home};
use common::wait_until;
use rustix::process::Signal;
use serde_json::Value;

const CONFIG: &str = "
    [[zone]]
    name = 'gtm.example.'
    nameservers = 'ns.example.'
    [[site]]
    name = 'seattle'
    [[profile]]
    name = 'app.gtm.example.'
    method = 'priority'
    monitor = { protocol = 'tcp', interval = '1s' }
    endpoint = [{ name = 'main', site = 'seattle', target = '127.0.0.1', address = '127.0.0.1:1' }]
";

/// How many lines may wait for their reader.
const WAITING: usize = 128_000;
const ZONES: usize = 800;
const SERVERS: usize = 32;

fn sources(directory: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, files);
        } else if path.extension().is_some_and(|it| it == "rs") {
            files.push(path);
        }
    }
}

#[test]
fn every_event_has_a_name_and_every_name_is_documented() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    sources(&root.join("src"), &mut files);
    let mut logged = BTreeSet::new();
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        for level in ["error", "warn", "info", "debug", "trace"] {
            for call in text.split(&format!("tracing::{level}!(")).skip(1) {
                let name = call.trim_start().strip_prefix("event = \"");
                let name = name.unwrap_or_else(|| {
                    panic!("{} logs something without an event: {call:.60}", file.display())
                });
                logged.insert(name.split('"').next().unwrap().to_owned());
            }
        }
    }
    let page = fs::read_to_string(root.join("docs/OPERATING.md")).unwrap();
    let table = page.split("\n## Log events\n").nth(1).unwrap().split("\n## ").next().unwrap();
    let first = table.lines().filter_map(|it| it.strip_prefix("| `")?.split('|').next());
    let documented: BTreeSet<String> = first
        .flat_map(|it| it.split(|it: char| !it.is_ascii_lowercase() && it != '_'))
        .filter(|it| !it.is_empty())
        .map(str::to_owned)
        .collect();
    assert!(documented.len() > 20);
    assert_eq!(documented, logged);
}

/// Every line is an object that says when, how bad, what and in words.
#[track_caller]
fn check(log: &str) {
    assert!(!log.is_empty());
    for line in log.lines() {
        let event: Value = serde_json::from_str(line).unwrap_or_default();
        for field in ["timestamp", "level", "event", "message"] {
            assert!(event[field].as_str().is_some_and(|it| !it.is_empty()), "no {field}: {line}");
        }
        let time = event["timestamp"].as_str().unwrap();
        assert!(time.parse::<jiff::Timestamp>().is_ok(), "{time}");
    }
}

#[test]
fn the_whole_life_of_a_daemon_can_be_parsed() {
    let daemon = Daemon::start(CONFIG);
    wait_until("verdict", || daemon.status("app.gtm.example.", "main") == "Degraded");
    daemon.api.must("POST", "/v1/sites/seattle/drain", r#"{"reason": "\"work\"\nagain"}"#);
    daemon.event("change", 0);
    daemon.home.write("farol.toml", "nonsense = \"\n");
    daemon.reload("reload_refused");
    daemon.home.write("farol.toml", CONFIG);
    daemon.reload("reloaded");
    let change = daemon.event("change", 0);
    assert_eq!(change["reason"], "\"work\"\nagain");
    check(&daemon.log());
}

#[test]
fn why_a_daemon_did_not_start_can_be_parsed() {
    let first = Home::new(CONFIG).start();
    for home in
        [Home::new("nonsense = 1\nmore = 2\n"), Home::new(CONFIG).state(&first.home.path("state"))]
    {
        let said = home.fail_to_start();
        check(&said);
        assert!(said.contains(r#""event":"failed""#), "{said}");
    }
}

/// A daemon whose log is read to the line that says that it has started, and no further.
fn unread(config: &str) -> Daemon {
    let stops_reading = r#"exec "$0" "$@" 2> >(sed --unbuffered '/"started"/q' >&2; exec tail --pid=$$ --follow /dev/null 2>&1)"#;
    Home::new(config).through(&["bash", "-c", stops_reading]).start()
}

#[test]
fn lines_that_are_lost_are_counted() {
    let daemon = unread(CONFIG);
    // A warning for each nameserver, since none has an address.
    let zone = |zone: usize| {
        let servers: Vec<String> = (0..SERVERS).map(|it| format!("'n{it}.z{zone}.'")).collect();
        format!("[[zone]]\nname = 'z{zone}.'\nnameservers = [{}]\n", servers.join(", "))
    };
    let zones: String = (0..ZONES).map(zone).collect();
    daemon.home.write("farol.toml", &format!("{CONFIG}{zones}"));
    let lost = || {
        let metrics = daemon.api.get("/metrics").body;
        let count =
            metrics.lines().find_map(|it| it.strip_prefix("farol_log_lines_dropped_total "));
        count.unwrap().parse::<u64>().unwrap()
    };
    assert_eq!(lost(), 0);
    for _ in 0..2 + WAITING / ZONES / SERVERS {
        daemon.api.must("POST", "/v1/reload", "");
    }
    assert!(lost() > 0);
}

#[test]
fn logs_that_nobody_reads_hold_nothing_up() {
    let daemon = unread(CONFIG);
    let reason = "x".repeat(1000);
    // Several times what a pipe holds.
    for weight in 1..300 {
        let change = format!(r#"{{"weight": {weight}, "reason": "{reason}"}}"#);
        daemon.api.must("PATCH", "/v1/profiles/app.gtm.example./endpoints/main", &change);
    }
    assert_eq!(daemon.api.get("/healthz").status, 200);
    daemon.signal(Signal::TERM);
    assert_eq!(daemon.end().0, Some(0));
}
