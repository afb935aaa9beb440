//! What is known of endpoints outlives the daemon: verdicts, timelines, and what happens where they can't be kept.

#![allow(clippy::unwrap_used, reason = "what tests share may panic like tests")]

mod common;

use std::fs;

use common::daemon::{Daemon, Home};
use common::site::Site;
use common::{wait_to_see, wait_until};
use farol::store::Store;
use serde_json::{Value, json};

const APP: &str = "app.gtm.example.";
const TIMELINE: &str = "/v1/profiles/app.gtm.example./endpoints/first/timeline";

/// `first` answers before `second`; the second probe that fails turns an endpoint.
fn config(first: &Site, second: &Site) -> String {
    let (first, second) = (first.address, second.address);
    format!(
        "[[zone]]
        name = 'gtm.example.'
        nameservers = 'ns.example.'
        [[site]]
        name = 'seattle'
        [[profile]]
        name = '{APP}'
        method = 'priority'
        monitor = {{ interval = '200ms', timeout = '100ms', tolerated_failures = 1 }}
        endpoint = [
            {{ name = 'first', site = 'seattle', target = '192.0.2.1', address = '{first}' }},
            {{ name = 'second', target = '192.0.2.2', address = '{second}' }},
        ]"
    )
}

fn verdicts(home: &Home) -> String {
    fs::read_to_string(home.path("state/verdicts.json")).unwrap_or_default()
}

#[track_caller]
fn wait_for_status(daemon: &Daemon, status: &str) {
    wait_to_see(&status.to_owned(), || daemon.status(APP, "first"));
}

#[test]
fn the_first_answer_after_a_crash_avoids_what_was_down() {
    let (mut first, second) = (Site::start(), Site::start());
    let daemon = Daemon::start(&config(&first, &second)).ready();
    first.kill();
    wait_for_status(&daemon, "Degraded");
    wait_until("kept verdict", || verdicts(&daemon.home).contains("\"degraded\""));
    let daemon = daemon.crash_and_restart();
    assert_eq!(daemon.answers(APP, "A"), ["192.0.2.2"], "the very first answer");
    assert_eq!(daemon.status(APP, "first"), "Degraded");
    let daemon = daemon.ready();
    assert_eq!(daemon.status(APP, "first"), "Degraded");
    first.revive();
    wait_for_status(&daemon, "Online");
    // An ordered stop keeps the last word, however fresh.
    let home = daemon.stop();
    assert!(!verdicts(&home).contains("\"degraded\""), "{}", verdicts(&home));
}

#[test]
fn a_timeline_says_what_happened_and_why_over_restarts() {
    let (mut first, second) = (Site::start(), Site::start());
    let daemon = Daemon::start(&config(&first, &second)).ready();
    assert_eq!(daemon.api.must("GET", TIMELINE, "")["turns"], json!([]), "it never turned");
    first.kill();
    wait_for_status(&daemon, "Degraded");
    let body = json!({"reason": "new firewall", "expires": "2s"}).to_string();
    daemon.api.must("POST", "/v1/sites/seattle/drain", &body);
    wait_for_status(&daemon, "Degraded");
    let daemon = daemon.stop().start();
    let turns = daemon.api.must("GET", TIMELINE, "")["turns"].as_array().unwrap().clone();
    let steps: Vec<String> =
        turns.iter().map(|it| format!("{} {} {}", it["from"], it["to"], it["cause"])).collect();
    let expected = [
        r#""Online" "Degraded" "probe""#,
        r#""Degraded" "Drained" "change""#,
        r#""Drained" "Degraded" "expiry""#,
    ];
    assert_eq!(steps, expected);
    assert_eq!(
        (&turns[0]["phase"], &turns[0]["reason"]),
        (&json!("connect"), &json!("connect: refused"))
    );
    assert_eq!((&turns[1]["by"], &turns[1]["reason"]), (&json!("admin"), &json!("new firewall")));
    assert_eq!(turns[2]["change"], "site seattle: drained");
    let missing = daemon.api.get(&TIMELINE.replace("first", "frist"));
    assert!(
        missing.status == 404 && missing.body.contains("did you mean first?"),
        "{}",
        missing.body
    );
}

fn state(daemon: &Daemon) -> Value {
    daemon.api.must("GET", "/v1/status", "")["state"].clone()
}

#[test]
fn damaged_verdicts_stop_nothing_and_are_seen() {
    let (first, second) = (Site::start(), Site::start());
    let home = Daemon::start(&config(&first, &second)).ready().stop();
    let file = home.path("state/verdicts.json");
    let kept = fs::read(&file).unwrap();
    fs::write(&file, &kept[..kept.len() / 2]).unwrap();
    let daemon = home.start();
    daemon.event("state_set_aside", 0);
    assert_eq!(daemon.answers(APP, "A"), ["192.0.2.1"]);
    let aside = state(&daemon);
    assert!(
        aside["well"] == false && aside["set_aside"][0].as_str().unwrap().contains(".damaged-"),
        "{aside}"
    );
    wait_until("metric of damage", || {
        daemon.api.get("/metrics").body.contains("\nfarol_state_set_aside_files 1\n")
    });
    // Once somebody has taken it away, all is well.
    fs::remove_file(aside["set_aside"][0].as_str().unwrap()).unwrap();
    daemon.api.must("POST", "/v1/sites/seattle/drain", "");
    wait_until("look at the directory", || state(&daemon)["well"] == true);
}

#[test]
fn verdicts_that_cannot_be_kept_hurt_nobody() {
    let (mut first, second) = (Site::start(), Site::start());
    let home = Home::new(&config(&first, &second));
    // What can't be read is no reason not to start either.
    fs::create_dir_all(home.path("state/verdicts.json")).unwrap();
    let daemon = home.start().ready();
    daemon.event("state_unreadable", 0);
    daemon.event("verdicts_unwritten", 0);
    let failing = "\nfarol_state_write_success{file=\"verdicts\"} 0\n";
    wait_until("metric of the failure", || daemon.api.get("/metrics").body.contains(failing));
    let state = state(&daemon);
    assert!(state["well"] == false && state["files"][1]["error"].is_string(), "{state}");
    first.kill();
    wait_to_see(&vec!["192.0.2.2".to_owned()], || daemon.answers(APP, "A"));
    daemon.api.must("POST", "/v1/sites/seattle/drain", "");
    let first_failure = "\nfarol_state_write_failures_total{file=\"verdicts\"} 1\n";
    wait_until("another failure", || !daemon.api.get("/metrics").body.contains(first_failure));
    assert_eq!(daemon.log().matches("\"event\":\"verdicts_unwritten\"").count(), 1, "once a burst");
    fs::remove_dir(daemon.home.path("state/verdicts.json")).unwrap();
    first.revive();
    daemon.event("verdicts_written", 0);
    daemon.stop();
}

#[test]
fn a_clock_that_went_back_is_named_and_old_verdicts_count_as_far_away() {
    let (mut first, second) = (Site::start(), Site::start());
    let daemon = Daemon::start(&config(&first, &second)).ready();
    first.kill();
    wait_for_status(&daemon, "Degraded");
    let home = daemon.stop();
    let store = Store::open(&home.path("state")).unwrap();
    let mut memory = store.load_memory().unwrap().stored.unwrap();
    memory.written.0 += 3_600_000;
    for kept in &mut memory.endpoints {
        let known = kept.known.as_mut().unwrap();
        known.as_of.0 += 3_600_000;
    }
    store.save_memory(&memory).unwrap();
    drop(store);
    let daemon = home.start();
    let seconds = daemon.event("clock_went_back", 0)["seconds"].as_i64().unwrap();
    assert!((3500..=3600).contains(&seconds), "{seconds}");
    assert_eq!(daemon.answers(APP, "A"), ["192.0.2.2"], "Degraded is remembered all the same");
}
