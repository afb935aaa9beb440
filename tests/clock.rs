//! A clock that is set while the daemon runs. Only the daemon sees it: libfaketime shows it another time of day.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "what tests share may panic like tests"
)]

mod common;

use std::fs;
use std::path::PathBuf;

use common::daemon::{Daemon, Home};
use common::wait_to_see;
use serde_json::{Value, json};

const APP: &str = "app.gtm.example.";
const CONFIG: &str = "
    [[zone]]
    name = 'gtm.example.'
    nameservers = 'ns.example.'
    [[profile]]
    name = 'app.gtm.example.'
    method = 'priority'
    monitor = { protocol = 'none' }
    endpoint = [
        { name = 'first', target = '192.0.2.1' },
        { name = 'second', target = '192.0.2.2' },
    ]
";
const DAY: i64 = 24 * 60 * 60;

/// libfaketime for programs of several threads, at its place for this machine's architecture.
#[track_caller]
fn library() -> PathBuf {
    let directories = fs::read_dir("/usr/lib").unwrap().map(|it| it.unwrap().path());
    let mut libraries = directories.map(|it| it.join("faketime/libfaketimeMT.so.1"));
    libraries
        .find(|it| it.exists())
        .expect("libfaketime is not installed; run: tests/install-tools")
}

/// Sets the clock of the daemon at this home to so many seconds from the machine's.
fn set(home: &Home, seconds: i64) {
    home.write("time.new", &format!("{seconds:+}\n"));
    fs::rename(home.path("time.new"), home.path("time")).unwrap();
}

/// A daemon whose clock can be set, by the machine's at first.
fn start() -> Daemon {
    let home = Home::new(CONFIG);
    set(&home, 0);
    let (library, time) = (library(), home.path("time"));
    let variables = [
        ("LD_PRELOAD", library.to_str().unwrap()),
        ("FAKETIME_TIMESTAMP_FILE", time.to_str().unwrap()),
        ("FAKETIME_NO_CACHE", "1"),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
        ("NO_FAKE_STAT", "1"),
    ];
    home.environment(&variables).start()
}

/// Disables the first endpoint for an hour.
fn disable(daemon: &Daemon) -> Value {
    let first = "/v1/profiles/app.gtm.example./endpoints/first";
    daemon.api.must("PATCH", first, r#"{"enabled": false, "expires": "1h"}"#)
}

/// The seconds of the next leap that is told of.
#[track_caller]
fn leap(daemon: &Daemon, seen: usize) -> i64 {
    let told = daemon.event("clock_jumped", seen);
    assert_eq!(told["level"], "WARN");
    told["seconds"].as_i64().unwrap()
}

#[test]
fn a_clock_that_is_set_back_is_told_and_lets_a_change_last() {
    let daemon = start();
    disable(&daemon);
    let seen = daemon.logged();
    set(&daemon.home, -DAY);
    assert!((leap(&daemon, seen) + DAY).abs() <= 1);
    assert_eq!(daemon.answers(APP, "A"), ["192.0.2.2"]);
    // By the old time it would have ended, by the new one it has 23 hours left.
    let seen = daemon.logged();
    set(&daemon.home, 2 * 3600 - DAY);
    assert!((leap(&daemon, seen) - 2 * 3600).abs() <= 1);
    assert_eq!(daemon.answers(APP, "A"), ["192.0.2.2"]);
    assert!(!daemon.log().contains("override_expired"), "{}", daemon.log());
    // Changes go on to be made.
    daemon.api.must(
        "PATCH",
        "/v1/profiles/app.gtm.example./endpoints/first",
        r#"{"enabled": null}"#,
    );
    assert_eq!(daemon.answers(APP, "A"), ["192.0.2.1"]);
    daemon.stop();
}

#[test]
fn a_clock_that_is_set_forward_ends_what_is_past() {
    let daemon = start();
    disable(&daemon);
    assert_eq!(daemon.answers(APP, "A"), ["192.0.2.2"]);
    let seen = daemon.logged();
    set(&daemon.home, 3 * 3600);
    wait_to_see(&vec!["192.0.2.1".to_owned()], || daemon.answers(APP, "A"));
    assert_eq!(
        daemon.event("override_expired", seen)["change"],
        json!("app.gtm.example. first: enabled false")
    );
    assert!((leap(&daemon, seen) - 3 * 3600).abs() <= 1);
    daemon.stop();
}
