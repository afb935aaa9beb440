//! Changes that are undone by themselves, profiles that are taken out of service, and sites that come back little by little.

#![allow(clippy::unwrap_used, reason = "what tests share may panic like tests")]

mod common;

use common::cli::{Run, check};
use common::daemon::Daemon;
use common::site::Site;
use common::wait_until;
use serde_json::{Value, json};

const APP: &str = "app.gtm.example.";
const WEST: &str = "/v1/profiles/app.gtm.example./endpoints/west";

fn config(west: &Site, east: &Site) -> String {
    let (west, east) = (west.address, east.address);
    format!(
        "
        [[zone]]
        name = 'gtm.example.'
        nameservers = 'ns.example.'
        [[site]]
        name = 'seattle'
        [[site]]
        name = 'orlando'
        [[profile]]
        name = '{APP}'
        method = 'priority'
        monitor = {{ interval = '200ms', timeout = '100ms', tolerated_failures = 0 }}
        endpoint = [
            {{ name = 'west', site = 'seattle', target = '192.0.2.1', address = '{west}' }},
            {{ name = 'east', site = 'orlando', target = '192.0.2.2', address = '{east}' }},
        ]
        "
    )
}

fn farol(daemon: &Daemon, args: &[&str]) -> Run {
    let (server, token) =
        (format!("http://{}", daemon.api.address), daemon.home.path("state/admin.token"));
    let environment = [("FAROL_SERVER", &*server), ("FAROL_TOKEN_FILE", token.to_str().unwrap())];
    common::cli::farol(args, &environment)
}

fn pending(daemon: &Daemon) -> Vec<Value> {
    daemon.api.must("GET", "/v1/changes", "")["pending"].as_array().unwrap().clone()
}

fn weight(daemon: &Daemon) -> Value {
    daemon.endpoint(APP, "west")["weight"].clone()
}

fn actions(daemon: &Daemon) -> Vec<(String, String)> {
    let audit = daemon.api.must("GET", "/v1/audit", "");
    let text = |it: &Value| it.as_str().unwrap_or_default().to_owned();
    let entries = audit["entries"].as_array().unwrap().iter();
    entries.map(|it| (text(&it["action"]), text(&it["outcome"]))).collect()
}

#[test]
fn a_change_that_nobody_confirms_is_undone_also_over_a_restart() {
    let (west, east) = (Site::start(), Site::start());
    let mut daemon = Daemon::start(&config(&west, &east)).ready();
    let body = json!({"weight": 9, "confirm_within": "2s", "reason": "a try"});
    let made = daemon.api.must("PATCH", WEST, &body.to_string());
    assert_eq!(made["pending"]["id"], 1, "{made}");
    assert_eq!(pending(&daemon)[0]["changes"], json!(["app.gtm.example. west: weight 9"]));
    assert_eq!(weight(&daemon), 9);
    daemon = daemon.crash_and_restart();
    wait_until("the end of the change", || weight(&daemon) == 1);
    assert_eq!(pending(&daemon), [] as [Value; 0]);
    wait_until("the line in the audit log", || {
        let (action, outcome) = actions(&daemon).swap_remove(0);
        action == "settle" && outcome == "undone, as nobody confirmed it in time"
    });
}

#[test]
fn a_change_is_confirmed_or_undone_by_hand() {
    let (west, east) = (Site::start(), Site::start());
    let daemon = Daemon::start(&config(&west, &east)).ready();
    let set = |weight: &str| {
        farol(
            &daemon,
            &["endpoint", "set", APP, "west", "--weight", weight, "--confirm-within", "1h"],
        )
    };
    check(&set("9"), 0, &["1 → 9", "unless you run: farol change confirm 1"]);
    check(&farol(&daemon, &["change", "list"]), 0, &["undone then unless confirmed", "weight 9"]);
    check(&farol(&daemon, &["change", "confirm", "1", "--dry-run"]), 0, &["Nothing was changed"]);
    check(&farol(&daemon, &["change", "confirm", "1"]), 0, &["change 1: confirmed"]);
    check(&farol(&daemon, &["change", "confirm", "1"]), 1, &["no change 1 is pending"]);
    check(&set("5"), 0, &["9 → 5"]);
    check(&farol(&daemon, &["change", "undo", "2"]), 0, &["change 2: undone"]);
    assert_eq!(weight(&daemon), 9);
    check(&farol(&daemon, &["change", "list"]), 0, &["No change is pending."]);
    let actions: Vec<String> = actions(&daemon).into_iter().map(|it| it.0).collect();
    assert_eq!(actions, ["undo", "set", "confirm", "set"]);
}

#[test]
fn a_change_is_undone_when_health_gets_worse() {
    let (west, mut east) = (Site::start(), Site::start());
    let daemon = Daemon::start(&config(&west, &east)).ready();
    let first = || daemon.answers(APP, "A");
    wait_until("both are Online", || {
        ["west", "east"].iter().all(|it| daemon.endpoint(APP, it)["status"] == "Online")
    });
    let body = r#"{"undo_if_worse": true, "reason": "new firewall"}"#;
    let drained = daemon.api.must("POST", "/v1/sites/seattle/drain", body);
    assert_eq!(drained["pending"]["needs_confirmation"], false, "{drained}");
    assert_eq!(first(), ["192.0.2.2"]);
    east.kill();
    wait_until("the undo", || first() == ["192.0.2.1"]);
    wait_until("the line in the audit log", || {
        let (action, outcome) = actions(&daemon).swap_remove(0);
        let why = "undone, as health got worse: app.gtm.example. east is Degraded";
        action == "settle" && outcome.starts_with(why)
    });
}

#[test]
fn what_can_not_be_undone_is_not_taken() {
    let (west, east) = (Site::start(), Site::start());
    let daemon = Daemon::start(&config(&west, &east)).ready();
    for (body, said) in [
        (json!({"weight": 9, "confirm_within": "0s"}), "write how long, from 1s to 24h"),
        (json!({"weight": 9, "confirm_within": "25h"}), "write how long, from 1s to 24h"),
        (json!({"weight": 9, "undo_if_worse": 1}), "write true or false"),
    ] {
        let refused = daemon.api.send("PATCH", WEST, &body.to_string());
        assert_eq!(refused.status, 400, "{}", refused.body);
        assert!(refused.body.contains(said), "{}", refused.body);
    }
    let failback = json!({"changes": [{"profile": APP, "failback": true}], "confirm_within": "5m"});
    assert_eq!(daemon.api.post("/v1/changes", &failback.to_string()).status, 409);
    for verb in ["confirm", "undo"] {
        let refused = daemon.api.post(&format!("/v1/changes/7/{verb}"), "");
        assert_eq!(refused.status, 404, "{}", refused.body);
    }
    assert_eq!(weight(&daemon), 1);
}

#[test]
fn a_profile_is_taken_out_of_service_and_brought_back() {
    let (west, east) = (Site::start(), Site::start());
    let mut daemon = Daemon::start(&config(&west, &east)).ready();
    let disable = ["profile", "disable", APP, "--reason", "moved away"];
    check(&farol(&daemon, &disable), 0, &["in service → out of service"]);
    assert_eq!(daemon.answers(APP, "A"), [] as [String; 0]);
    daemon = daemon.crash_and_restart();
    assert_eq!(daemon.answers(APP, "A"), [] as [String; 0]);
    let profile = daemon.api.must("GET", "/v1/profiles/app.gtm.example", "");
    assert_eq!((&profile["enabled"], &profile["status"]), (&json!(false), &json!("Disabled")));
    assert_eq!(profile["overrides"][0]["reason"], "moved away");
    check(&farol(&daemon, &["profile", "show", APP]), 0, &["enabled false by admin"]);
    check(&farol(&daemon, &["profile", "clear", APP]), 0, &["out of service → in service"]);
    assert_eq!(daemon.answers(APP, "A"), ["192.0.2.1"]);
    let batch = json!({"changes": [{"profile": APP, "enabled": false}], "expires": "1s"});
    daemon.api.must("POST", "/v1/changes", &batch.to_string());
    assert_eq!(daemon.answers(APP, "A"), [] as [String; 0]);
    wait_until("its end", || daemon.answers(APP, "A") == ["192.0.2.1"]);
    check(&farol(&daemon, &["profile", "disable", "ap.gtm.example"]), 1, &["did you mean"]);
}

#[test]
fn an_undrained_site_comes_back_little_by_little() {
    let (west, east) = (Site::start(), Site::start());
    let daemon = Daemon::start(&config(&west, &east)).ready();
    check(&farol(&daemon, &["site", "drain", "seattle"]), 0, &["in service → drained"]);
    let undrain = ["site", "undrain", "seattle", "--ramp", "1h", "--reason", "done"];
    check(&farol(&daemon, &undrain), 0, &["drained → in service"]);
    let ramp = daemon.endpoint(APP, "west")["ramp"].clone();
    assert!((10.0..11.0).contains(&ramp["percent"].as_f64().unwrap()), "{ramp}");
    let sites = daemon.api.must("GET", "/v1/sites", "");
    assert_eq!(sites["sites"][0]["returning"]["reason"], "done", "{sites}");
    // Most answers still name the other.
    let named = (0..200).filter(|_| daemon.answers(APP, "A") == ["192.0.2.1"]).count();
    assert!((1..80).contains(&named), "{named}");
    let refused = daemon.api.post("/v1/sites/seattle/drain", r#"{"ramp": "5m"}"#);
    assert_eq!(refused.status, 400, "{}", refused.body);
}
