//! Changes as operators make them: several at once, tried without being made, held by guardrails, and written down.

#![allow(clippy::unwrap_used, reason = "what tests share may panic like tests")]

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::cli::{Run, check};
use common::daemon::Daemon;
use common::wait_until;
use serde_json::{Value, json};

const CONFIG: &str = "
    [[zone]]
    name = 'gtm.example.'
    nameservers = 'ns.example.'
    [[site]]
    name = 'seattle'
    [[site]]
    name = 'orlando'
    [[profile]]
    name = 'app.gtm.example.'
    method = 'weighted'
    monitor = { protocol = 'none' }
    guardrails = { min_sites = 1, max_weight_step = 50 }
    endpoint = [
        { name = 'west', site = 'seattle', target = '192.0.2.1', weight = 80 },
        { name = 'east', site = 'orlando', target = '192.0.2.2', weight = 20 },
    ]
    [[profile]]
    name = 'www.gtm.example.'
    method = 'priority'
    monitor = { protocol = 'none' }
    endpoint = [{ name = 'main', site = 'seattle', target = '192.0.2.3' }]
";
const APP: &str = "app.gtm.example.";
const WEST: &str = "/v1/profiles/app.gtm.example./endpoints/west";

/// Runs a verb against the daemon, as an operator at its machine.
fn farol(daemon: &Daemon, args: &[&str]) -> Run {
    let (server, token) =
        (format!("http://{}", daemon.api.address), daemon.home.path("state/admin.token"));
    let environment = [("FAROL_SERVER", &*server), ("FAROL_TOKEN_FILE", token.to_str().unwrap())];
    common::cli::farol(args, &environment)
}

fn weight(daemon: &Daemon, endpoint: &str) -> Value {
    daemon.endpoint(APP, endpoint)["weight"].clone()
}

fn entries(daemon: &Daemon, query: &str) -> Vec<Value> {
    daemon.api.must("GET", &format!("/v1/audit{query}"), "")["entries"].as_array().unwrap().clone()
}

fn drained(daemon: &Daemon, site: &str) -> bool {
    let sites = daemon.api.must("GET", "/v1/sites", "");
    let mut sites = sites["sites"].as_array().unwrap().iter();
    sites.find(|it| it["name"] == site).unwrap()["drained"].as_bool().unwrap()
}

#[test]
fn a_batch_is_made_whole_or_not_at_all() {
    let daemon = Daemon::start(CONFIG);
    let batch = json!({"changes": [
        {"profile": APP, "endpoint": "west", "weight": 60},
        {"profile": "app.gtm.example", "endpoint": "east", "weight": 40, "priority": 3},
        {"site": "orlando", "drained": true},
    ], "reason": "new firewall"});
    let made = daemon.api.must("POST", "/v1/changes", &batch.to_string());
    assert_eq!(made["profiles"][0]["endpoints"][1]["weight"], 40, "{made}");
    assert_eq!(made["sites"], json!([daemon.api.must("GET", "/v1/sites", "")["sites"][1]]));
    assert!((0..20).all(|_| daemon.answers(APP, "A") == ["192.0.2.1"]));

    let west = json!({"profile": APP, "endpoint": "west", "weight": 61});
    for (wrong, status, detail) in [
        (json!({"profile": APP, "endpoint": "wset", "weight": 1}), 404, "did you mean west"),
        (json!({"profile": APP, "endpoint": "east", "weight": 70000}), 400, "changes[1].weight"),
        (json!({"profile": APP, "endpoint": "east"}), 400, "changes[1]: changes nothing"),
        (json!({"profile": APP, "weight": 1}), 400, "changes[1]: send profile, endpoint"),
        (json!({"profile": APP, "failback": true}), 409, "fails back by itself"),
        (json!({"site": "nowhere", "drained": true}), 404, "no site is called `nowhere`"),
        (json!({"site": "seattle", "drained": true, "weight": 1}), 400, "changes[1]: send"),
        (json!({"site": "seattle", "drained": true}), 409, "min_sites = 1, and 0 would be left"),
        (json!({"weihgt": 1}), 400, "changes[1].weihgt: found 1; is not known"),
    ] {
        let body = json!({"changes": [west, wrong]}).to_string();
        let refused = daemon.api.post("/v1/changes", &body);
        assert_eq!(refused.status, status, "{body}: {}", refused.body);
        assert!(refused.json()["detail"].as_str().unwrap().contains(detail), "{}", refused.body);
        assert_eq!(weight(&daemon, "west"), 60);
    }
    for body in [json!({"changes": []}), json!({"changes": vec![&west; 101]})] {
        let refused = daemon.api.post("/v1/changes", &body.to_string());
        assert_eq!((refused.status, weight(&daemon, "west")), (400, json!(60)));
    }
}

#[test]
fn what_is_only_tried_changes_nothing_and_tells_what_would_be() {
    let daemon = Daemon::start(CONFIG);
    let before = daemon.api.must("GET", "/v1/status", "")["generation"].clone();
    let body = r#"{"weight": 40, "dry_run": true}"#;
    let tried = daemon.api.must("PATCH", WEST, body);
    assert_eq!((&tried["dry_run"], &tried["weight"]), (&json!(true), &json!(40)));
    let share = tried["share"].as_f64().unwrap();
    assert!((share - 66.7).abs() < 0.1, "{tried}");
    let tried = daemon.api.must("POST", "/v1/sites/orlando/drain", r#"{"dry_run": true}"#);
    assert_eq!((&tried["dry_run"], &tried["drained"]), (&json!(true), &json!(true)));
    assert_eq!(tried["generation"], before);
    // It is refused as the change would be.
    let refused = daemon.api.send("PATCH", WEST, r#"{"weight": 0, "dry_run": true}"#);
    assert_eq!(refused.status, 409, "{}", refused.body);
    let run = farol(
        &daemon,
        &["endpoint", "set", APP, "west", "--weight", "40", "--dry-run", "--reason", "a try"],
    );
    check(&run, 0, &["80 → 40", "Nothing was changed"]);
    assert_eq!((weight(&daemon, "west"), drained(&daemon, "orlando")), (json!(80), false));
    assert_eq!(entries(&daemon, ""), [] as [Value; 0], "a try is nothing to write down");
    let after = daemon.api.must("GET", "/v1/status", "")["generation"].clone();
    assert_eq!(before, after);
}

#[test]
fn guardrails_hold_until_an_admin_says_why_not() {
    let daemon = Daemon::start(CONFIG);
    daemon.api.must("POST", "/v1/sites/seattle/drain", "");
    let refused = daemon.api.post("/v1/sites/orlando/drain", r#"{"reason": "too eager"}"#);
    assert_eq!(refused.status, 409, "{}", refused.body);
    let breach = json!({"profile": APP, "guardrail": "min_sites", "now": 1, "then": 0, "limit": 1});
    assert_eq!(refused.json()["breaches"], json!([breach]));
    let drain = ["site", "drain", "orlando"];
    check(
        &farol(&daemon, &drain),
        1,
        &["min_sites = 1, and 0 would be left of now 1", "--override-guardrail REASON"],
    );
    assert!(!drained(&daemon, "orlando"));
    let refused = daemon.api.send("PATCH", WEST, r#"{"weight": 131}"#);
    assert_eq!(refused.json()["breaches"][0]["endpoint"], "west", "{}", refused.body);
    let run = farol(&daemon, &[&drain[..], &["--override-guardrail", "the site burns"]].concat());
    check(&run, 0, &["orlando: in service → drained"]);
    // What repairs is free to go.
    daemon.api.must("POST", "/v1/sites/seattle/undrain", "");
    wait_until("refusals in the log", || {
        let outcomes = entries(&daemon, "").into_iter().map(|it| it["outcome"].clone());
        let outcomes: Vec<String> =
            outcomes.map(|it| it.as_str().unwrap().chars().take(28).collect()).collect();
        let refused = "refused by guardrails: app.g";
        let over = "made over guardrails (the si";
        let mut sorted = outcomes.clone();
        sorted.sort();
        sorted == ["made", "made", over, refused, refused, refused]
    });
}

#[test]
fn the_log_says_who_did_what_and_shows_what_was_altered() {
    let daemon = Daemon::start(CONFIG);
    let body = r#"{"weight": 100, "reason": "<b>\"more\"\u0000</b>", "expires": "2h"}"#;
    daemon.api.must("PATCH", WEST, body);
    daemon.api.must("PATCH", WEST, r#"{"weight": null, "forced": "down"}"#);
    daemon.api.must(
        "POST",
        "/v1/sites/orlando/drain",
        r#"{"expires": "1ms", "override_guardrail": "a test"}"#,
    );
    daemon.api.must("POST", "/v1/reload", "");
    wait_until("an entry of each kind", || entries(&daemon, "").len() == 5);
    let all = entries(&daemon, "");
    let actions: Vec<_> = all.iter().map(|it| it["action"].as_str().unwrap()).collect();
    let mut sorted = actions.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, ["drain", "expire", "reload", "set", "set"]);
    let (first, second) = (&all[4], &all[3]);
    assert_eq!(first["number"], 1);
    assert_eq!((&first["by"], &first["profile"]), (&json!("admin"), &json!(APP)));
    assert_eq!(
        (&first["before"], &first["after"]),
        (&json!({"weight": null}), &json!({"weight": 100}))
    );
    assert_eq!(first["reason"], "<b>\"more\"\u{0}</b>");
    assert_eq!(second["before"], json!({"forced": null, "weight": 100}));
    assert_eq!(second["after"], json!({"forced": "down", "weight": null}));
    let expire = all.iter().find(|it| it["action"] == "expire").unwrap();
    assert_eq!((&expire["by"], &expire["site"]), (&json!("farol"), &json!("orlando")));

    // Pages and filters.
    let page = daemon.api.must("GET", "/v1/audit?limit=2", "");
    assert_eq!(page["next"], 4, "{page}");
    let older = daemon.api.must("GET", "/v1/audit?limit=9&before=4", "");
    assert_eq!((older["entries"].as_array().unwrap().len(), &older["next"]), (3, &Value::Null));
    assert_eq!(entries(&daemon, "?profile=app.gtm.example").len(), 2);
    assert_eq!(entries(&daemon, "?site=orlando&by=farol").len(), 1);
    assert_eq!(entries(&daemon, "?profile=www.gtm.example."), [] as [Value; 0]);
    for wrong in ["?limit=0", "?limit=1001", "?profile=a..b", "?limti=1"] {
        assert_eq!(daemon.api.get(&format!("/v1/audit{wrong}")).status, 400, "{wrong}");
    }
    let run = farol(&daemon, &["audit", "list", "--limit", "2", "--before", "3"]);
    check(&run, 0, &["forced configured → down, weight 100 → configured", "admin"]);

    let state = daemon.home.path("state");
    let verify = || farol(&daemon, &["audit", "verify", "--dir", state.to_str().unwrap()]);
    check(&verify(), 0, &["ok: 5 lines in 1 file, numbers 1 to 5"]);
    let log = file_of_log(&state);
    let good = fs::read_to_string(&log).unwrap();
    for (bad, why) in [
        (good.replace("\"weight\":100", "\"weight\":101"), ":1: it was altered"),
        (good.lines().skip(1).map(|it| format!("{it}\n")).collect(), "line 1 is gone before it"),
        (good.lines().take(3).map(|it| format!("{it}\n")).collect(), "gone at the end"),
    ] {
        fs::write(&log, bad).unwrap();
        check(&verify(), 1, &[why, "tampered with"]);
    }
}

fn file_of_log(state: &Path) -> PathBuf {
    let files = fs::read_dir(state).unwrap().map(|it| it.unwrap().path());
    let mut logs = files.filter(|it| it.extension().is_some_and(|it| it == "jsonl"));
    logs.next().unwrap()
}

#[test]
fn long_lists_come_filtered_and_in_pages() {
    let daemon = Daemon::start(CONFIG);
    daemon.api.must("PATCH", WEST, r#"{"forced": "down"}"#);
    let names = |query: &str| {
        let page = daemon.api.must("GET", &format!("/v1/profiles{query}"), "");
        let profiles = page["profiles"].as_array().unwrap().iter();
        let names: Vec<_> = profiles.map(|it| it["name"].as_str().unwrap().to_owned()).collect();
        (names, page["next"].clone())
    };
    let (app, www) = (APP.to_owned(), "www.gtm.example.".to_owned());
    for (query, expected, next) in [
        ("", vec![&app, &www], Value::Null),
        ("?limit=1", vec![&app], json!(APP)),
        ("?limit=1&after=app.gtm.example", vec![&www], Value::Null),
        ("?limit=2", vec![&app, &www], Value::Null),
        ("?status=degraded", vec![&app], Value::Null),
        ("?site=orlando", vec![&app], Value::Null),
        ("?text=MAI", vec![&www], Value::Null),
        ("?zone=gtm.example&text=.gtm.&site=seattle&limit=1", vec![&app], json!(APP)),
        ("?text=nothing", vec![], Value::Null),
    ] {
        let (found, more) = names(query);
        assert_eq!((found.iter().collect::<Vec<_>>(), more), (expected, next), "{query}");
    }
    for wrong in ["?limit=0", "?limit=x", "?zone=a..b", "?site=A", "?stauts=x", "?status=Degarded"]
    {
        assert_eq!(daemon.api.get(&format!("/v1/profiles{wrong}")).status, 400, "{wrong}");
    }
    assert_eq!(daemon.api.get("/v1/profiles?zone=elsewhere.").status, 422);
    assert_eq!(daemon.api.get("/v1/profiles?after=ap.gtm.example").status, 404);
    let run = farol(&daemon, &["profile", "list", "--status", "Degraded"]);
    check(&run, 0, &["app.gtm.example."]);
    assert!(!run.out.contains("www"), "{run:?}");

    daemon.api.must("POST", "/v1/sites/orlando/drain", r#"{"override_guardrail": "a test"}"#);
    let turns = |query: &str| {
        let history = daemon.api.must("GET", &format!("/v1/history{query}"), "");
        let turns = history["turns"].as_array().unwrap().iter();
        turns.map(|it| it["endpoint"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(turns(""), ["east", "west"]);
    assert_eq!(turns("?limit=1"), ["east"]);
    assert_eq!(turns("?site=seattle&profile=app.gtm.example"), ["west"]);
    assert_eq!(turns("?profile=www.gtm.example."), [] as [&str; 0]);
    let run = farol(&daemon, &["history", "--site", "orlando"]);
    check(&run, 0, &["east", "Unmonitored", "Drained", "admin changed site orlando: drained"]);
}
