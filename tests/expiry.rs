//! Changes that end by themselves: while the daemon runs, while it is down, and on a disk that takes no note of it.

#![allow(clippy::unwrap_used, reason = "what tests share may panic like tests")]

mod common;

use std::fs;

use common::daemon::Daemon;
use common::{wait_to_see, wait_until};
use serde_json::{Value, json};

const APP: &str = "app.gtm.example.";
const CONFIG: &str = "
    [[zone]]
    name = 'gtm.example.'
    nameservers = 'ns.example.'
    [[site]]
    name = 'seattle'
    [[profile]]
    name = 'app.gtm.example.'
    method = 'priority'
    monitor = { protocol = 'none' }
    endpoint = [
        { name = 'first', site = 'seattle', target = '192.0.2.1' },
        { name = 'second', target = '192.0.2.2' },
    ]
";
const FIRST: &str = "/v1/profiles/app.gtm.example./endpoints/first";

fn change(daemon: &Daemon, body: Value) -> Value {
    daemon.api.must("PATCH", FIRST, &body.to_string())
}

#[test]
fn a_change_and_a_drain_end_by_themselves() {
    let daemon = Daemon::start(CONFIG);
    let changed = change(&daemon, json!({"enabled": false, "priority": 9, "expires": "1s"}));
    assert!(changed["overrides"][0]["expires"].is_string(), "{changed}");
    assert_eq!(daemon.answers(APP, "A"), ["192.0.2.2"]);
    wait_to_see(&vec!["192.0.2.1".to_owned()], || daemon.answers(APP, "A"));
    let expired = daemon.event("override_expired", 0);
    assert_eq!(
        (&expired["by"], &expired["change"]),
        (&json!("admin"), &json!("app.gtm.example. first: priority 9"))
    );
    assert_eq!(daemon.endpoint(APP, "first")["overrides"], json!([]));

    let drained = daemon.api.must("POST", "/v1/sites/seattle/drain", r#"{"expires": "1s"}"#);
    assert!(drained["drain"]["expires"].is_string(), "{drained}");
    assert_eq!(daemon.status(APP, "first"), "Drained");
    wait_to_see(&"Unmonitored".to_owned(), || daemon.status(APP, "first"));
}

#[test]
fn an_end_is_kept_over_a_crash_and_reached_while_nothing_runs() {
    let daemon = Daemon::start(CONFIG);
    let late = change(&daemon, json!({"weight": 5, "expires": "1h"}))["overrides"][0].clone();
    let daemon = daemon.crash_and_restart();
    assert_eq!(daemon.endpoint(APP, "first")["overrides"], json!([late]), "to the millisecond");

    let changed = change(&daemon, json!({"enabled": false, "expires": "3s"}));
    let ends: jiff::Timestamp =
        changed["overrides"][1]["expires"].as_str().unwrap().parse().unwrap();
    let home = daemon.crash();
    let file = home.path("state/overrides.json");
    assert!(fs::read_to_string(&file).unwrap().contains("\"enabled\""), "it is still to come");
    wait_until("end of the change", || jiff::Timestamp::now() > ends);
    let daemon = home.start();
    assert_eq!(daemon.answers(APP, "A"), ["192.0.2.1"], "the very first answer");
    let expired = daemon.event("override_expired", 0);
    assert_eq!(expired["change"], "app.gtm.example. first: enabled false");
    wait_to_see(&false, || fs::read_to_string(&file).unwrap().contains("\"enabled\""));
    assert_eq!(daemon.endpoint(APP, "first")["overrides"], json!([late]));
}

#[test]
fn an_end_that_makes_no_sense_is_refused() {
    let daemon = Daemon::start(CONFIG);
    for (body, status, told) in [
        (json!({"weight": 5, "expires": "2001-01-01T00:00:00Z"}), 422, "is past (it is 20"),
        (json!({"weight": 5, "expires": "soon"}), 400, "found `soon`; write a time"),
        (json!({"weight": null, "expires": "1h"}), 422, "the change only clears"),
    ] {
        let refused = daemon.api.send("PATCH", FIRST, &body.to_string());
        assert!(refused.status == status && refused.body.contains(told), "{}", refused.body);
    }
    let refused = daemon.api.post("/v1/sites/seattle/undrain", r#"{"expires": "1h"}"#);
    assert!(refused.status == 422 && refused.body.contains("only clears"), "{}", refused.body);
    assert_eq!(daemon.endpoint(APP, "first")["overrides"], json!([]));
}
