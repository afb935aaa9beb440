//! The API as its own description has it, and changes that are made only to what was seen.

#![allow(clippy::unwrap_used, clippy::panic, reason = "what tests share may panic like tests")]

mod common;

use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use common::daemon::{Daemon, Home};
use common::http::{Http, Response};
use jsonschema::Validator;
use serde_json::{Value, json};

const CONFIG: &str = "
    [[zone]]
    name = 'gtm.example.'
    nameservers = 'ns.example.'
    [[site]]
    name = 'seattle'
    location = { latitude = 47.6, longitude = -122.3, region = 'US-WA' }
    [[site]]
    name = 'orlando'
    [[profile]]
    name = 'app.gtm.example.'
    method = 'weighted'
    when_none_healthy = 'fallback'
    fallback = '192.0.2.9'
    monitor = { protocol = 'tcp', port = 9, interval = '10s' }
    endpoint = [
        { name = 'west', site = 'seattle', target = '127.0.0.1', weight = 80, geo = ['US-WA', 'GEO-AS'],
          subnets = '10.0.0.0/8', location = { latitude = 47.5, longitude = -122 } },
        { name = 'east', site = 'orlando', target = '127.0.0.1', weight = 20 },
    ]
    [[profile]]
    name = 'www.gtm.example.'
    method = 'priority'
    failback = 'manual'
    monitor = { protocol = 'none' }
    endpoint = [{ name = 'main', target = '192.0.2.3' }]
    [[profile]]
    name = 'own.gtm.example.'
    method = 'priority'
    monitor = { protocol = 'push', push = { token = 'token-of-the-site' }, interval = '1s' }
    endpoint = [{ name = 'west', target = '192.0.2.4' }]
";
const PROFILE: &str = "/v1/profiles/app.gtm.example.";
const WEST: &str = "/v1/profiles/app.gtm.example./endpoints/west";

/// The description, and what checks answers by it.
struct Description(Value);

impl Description {
    fn of(daemon: &Daemon) -> Self {
        // It holds no secrets.
        let response = Http::new(daemon.api.address).get("/openapi.json");
        assert_eq!((response.status, response.media_type.as_str()), (200, "application/json"));
        Self(response.json())
    }

    /// The operations: path, method and what is said of them.
    fn operations(&self) -> Vec<(&str, &str, &Value)> {
        let paths = self.0["paths"].as_object().unwrap().iter();
        let operations = paths.flat_map(|(path, item)| {
            item.as_object().unwrap().iter().map(move |(method, it)| (&**path, &**method, it))
        });
        operations.collect()
    }

    /// An answer must be one of those that the operation may give, with a body as it says.
    #[track_caller]
    fn check(&self, path: &str, method: &str, response: &Response) {
        let status = response.status.to_string();
        let told = &self.0["paths"][path][method]["responses"][&status];
        assert!(told.is_object(), "{method} {path} answers {status}: {}", response.body);
        for (name, _) in told["headers"].as_object().into_iter().flatten() {
            assert_ne!(response.header(name), "", "{method} {path} {status} has no {name}");
        }
        let Some(content) = told["content"].as_object() else {
            assert_eq!(response.body, "");
            return;
        };
        let media_type = response.media_type.split(';').next().unwrap();
        let schema = content.get(media_type).unwrap_or_else(|| panic!("{path}: {media_type}"));
        if media_type.ends_with("json") {
            let errors: Vec<String> = self
                .validator(&schema["schema"])
                .iter_errors(&response.json())
                .map(|it| format!("{}: {it}", it.instance_path()))
                .collect();
            assert_eq!(errors, [""; 0], "{method} {path} {status}: {}", response.body);
        }
    }

    fn validator(&self, schema: &Value) -> Validator {
        // Every key that is answered has to be described, so nothing more is allowed than what is.
        let mut components = self.0["components"].clone();
        for (_, it) in components["schemas"].as_object_mut().unwrap() {
            if it["type"] == "object" {
                it["unevaluatedProperties"] = json!(false);
            }
        }
        let mut schema = schema.clone();
        schema["components"] = components;
        if schema.get("oneOf").is_some() {
            // Of several parts none knows all the keys.
            for (_, it) in schema["components"]["schemas"].as_object_mut().unwrap() {
                it.as_object_mut().unwrap().remove("unevaluatedProperties");
            }
        }
        jsonschema::draft202012::new(&schema).unwrap()
    }
}

#[test]
fn the_description_has_every_route_and_answers_are_as_it_says() {
    let home = Home::new(&format!("{CONFIG}\n[fleet]\nfile = 'fleet.yaml'\n"));
    home.write("fleet.yaml", "sites: [ { name: seattle, cluster: { kubeconfig: none } } ]\n");
    let daemon = home.start().ready();
    let description = Description::of(&daemon);
    assert_eq!(description.0["openapi"], "3.1.0");
    let mut served = Vec::new();
    for (path, method, operation) in description.operations() {
        let profile = match path {
            it if it.ends_with("/report") => "own.gtm.example.",
            it if it.ends_with("/failback") => "www.gtm.example.",
            _ => "app.gtm.example.",
        };
        let id = match (method, path) {
            (_, it) if it.starts_with("/v1/changes/") => {
                let held = r#"{"weight": 60, "confirm_within": "5m"}"#;
                let west = "/v1/profiles/app.gtm.example./endpoints/west";
                daemon.api.must("PATCH", west, held)["pending"]["id"].to_string()
            }
            ("delete", _) => {
                let made = daemon.api.must("POST", "/v1/tokens", TOKEN);
                made["token"]["id"].as_str().unwrap().to_owned()
            }
            _ => "00000000".to_owned(),
        };
        let asked = path
            .replace("{id}", &id)
            .replace("{profile}", profile)
            .replace("{endpoint}", "west")
            .replace("{site}", "seattle")
            .replace("{zone}", "gtm.example.");
        let query = if path == "/v1/explain" { "?name=app.gtm.example." } else { "" };
        let own_token = fs::read_to_string(daemon.home.path("state/admin.token")).unwrap();
        let session = json!({"token": own_token}).to_string();
        let body = match (method, path) {
            ("post", "/v1/session") => &session,
            ("post", "/v1/tokens") => TOKEN,
            ("patch", "/v1/profiles/{profile}") => r#"{"enabled": true, "reason": "x"}"#,
            ("patch", _) => r#"{"weight": 60, "reason": "x"}"#,
            (_, "/v1/whatif") => {
                r#"{"profile": "app.gtm.example.", "changes": [{"fail": "site/seattle"}]}"#
            }
            (_, "/v1/changes") => {
                r#"{"changes": [{"profile": "app.gtm.example.", "endpoint": "west", "weight": 61}]}"#
            }
            (_, it) if it.ends_with("/report") => r#"{"healthy": true}"#,
            _ => "",
        };
        let verb = method.to_uppercase();
        if path == "/v1/events" {
            // It has no end; tests/events.rs listens.
            served.push(format!("{verb} {path}"));
            continue;
        }
        let response = daemon.api.send(&verb, &format!("{asked}{query}"), body);
        let well = if (method, path) == ("delete", "/v1/session") { 204 } else { 200 };
        assert_eq!(response.status, well, "{verb} {asked}: {}", response.body);
        description.check(path, method, &response);
        let security = operation["security"].as_array().cloned().unwrap_or_default();
        let is_open = security.contains(&json!({}));
        let nobody = Http::new(daemon.api.address).send(&verb, &format!("{asked}{query}"), body);
        assert_eq!(nobody.status, if is_open { well } else { 401 }, "{verb} {asked}");
        description.check(path, method, &nobody);
        if let Some(known) =
            Some(response.header("etag")).filter(|it| method == "get" && !it.is_empty())
        {
            let known = format!("If-None-Match: {known}\r\n");
            let same = daemon.api.send_with(&verb, &asked, "", &known);
            assert_eq!(same.status, 304, "{verb} {asked}");
            description.check(path, method, &same);
            description.check(
                path,
                method,
                &daemon.api.send_with(&verb, &asked, "", "If-None-Match: x\r\n"),
            );
        }
        if asked != path {
            let missing = asked
                .replace("app.gtm", "ap.gtm")
                .replace("own.gtm", "ow.gtm")
                .replace("seattle", "seatle");
            description.check(path, method, &daemon.api.send(&verb, &missing, body));
        }
        let takes = |it: &str| description.0["paths"][path].get(it.to_lowercase()).is_some();
        for wrong in ["DELETE", "PUT"].into_iter().filter(|it| !takes(it)) {
            let refused = daemon.api.send(wrong, &asked, "");
            assert_eq!(
                (refused.status, refused.media_type.as_str()),
                (405, "application/problem+json")
            );
            assert!(refused.header("allow").contains(&verb), "{}", refused.head);
        }
        served.push(format!("{verb} {path}"));
    }
    description.check("/v1/explain", "get", &daemon.api.get("/v1/explain"));
    description.check(WEST_ROUTE, "patch", &daemon.api.send("PATCH", WEST, "{"));
    let automatic = daemon.api.post("/v1/profiles/app.gtm.example./failback", "");
    assert_eq!(automatic.status, 409);
    description.check("/v1/profiles/{profile}/failback", "post", &automatic);
    let stale = "If-Match: \"x\"\r\n";
    description.check(
        WEST_ROUTE,
        "patch",
        &daemon.api.send_with("PATCH", WEST, r#"{"weight": 1}"#, stale),
    );
    daemon.home.write("farol.toml", "nonsense");
    description.check("/v1/reload", "post", &daemon.api.post("/v1/reload", ""));
    description.check("/v1/status", "get", &daemon.api.get("/v1/status"));
    // What an operator may do, and no more than that.
    let routes = [
        "GET /healthz",
        "GET /metrics",
        "GET /openapi.json",
        "GET /readyz",
        "GET /v1/audit",
        "GET /v1/changes",
        "POST /v1/changes",
        "POST /v1/changes/{id}/confirm",
        "POST /v1/changes/{id}/undo",
        "GET /v1/configuration",
        "GET /v1/events",
        "GET /v1/explain",
        "GET /v1/fleet",
        "GET /v1/fleet/sites/{site}",
        "GET /v1/history",
        "GET /v1/profiles",
        "GET /v1/profiles/{profile}",
        "PATCH /v1/profiles/{profile}",
        "PATCH /v1/profiles/{profile}/endpoints/{endpoint}",
        "POST /v1/profiles/{profile}/endpoints/{endpoint}/report",
        "GET /v1/profiles/{profile}/endpoints/{endpoint}/timeline",
        "POST /v1/profiles/{profile}/failback",
        "POST /v1/reload",
        "GET /v1/session",
        "POST /v1/session",
        "DELETE /v1/session",
        "GET /v1/sites",
        "POST /v1/sites/{site}/drain",
        "POST /v1/sites/{site}/undrain",
        "GET /v1/status",
        "GET /v1/tokens",
        "POST /v1/tokens",
        "DELETE /v1/tokens/{id}",
        "POST /v1/whatif",
        "GET /v1/zones",
        "GET /v1/zones/{zone}/records",
    ];
    assert_eq!(served, routes);
}

const TOKEN: &str = r#"{"name": "ann", "role": "viewer", "expires": "1h"}"#;
const WEST_ROUTE: &str = "/v1/profiles/{profile}/endpoints/{endpoint}";

#[test]
fn whom_an_endpoint_serves_is_shown_where_it_is_set() {
    let daemon = Daemon::start(CONFIG).ready();
    let profile = daemon.api.get(PROFILE).json();
    let west = &profile["endpoints"][0];
    assert_eq!(west["geo"], json!(["US-WA", "GEO-AS"]));
    assert_eq!(west["subnets"], json!(["10.0.0.0/8"]));
    assert_eq!(west["location"], json!({"latitude": 47.5, "longitude": -122.0}));
    let east = profile["endpoints"][1].as_object().unwrap();
    assert!(["geo", "subnets", "location"].iter().all(|it| !east.contains_key(*it)), "{east:?}");
}

fn etag(daemon: &Daemon, path: &str) -> String {
    let response = daemon.api.get(path);
    let etag = response.header("etag").to_owned();
    assert!(etag.starts_with('"') && etag.ends_with('"') && etag.len() == 34, "{}", response.head);
    etag
}

#[test]
fn an_etag_changes_with_configuration_and_overrides_and_not_with_health() {
    const PATHS: [&str; 4] = [PROFILE, "/v1/profiles", "/v1/sites", "/v1/status"];
    let daemon = Daemon::start(CONFIG);
    let etags = |daemon: &Daemon| PATHS.map(|it| etag(daemon, it));
    let first = etags(&daemon);
    let other = etag(&daemon, "/v1/profiles/www.gtm.example.");
    assert_eq!(daemon.api.get("/v1/profiles").json()["profiles"][0]["etag"], first[0].as_str());

    // The probes find nobody there, which changes what is answered and nothing else.
    let daemon = daemon.ready();
    common::wait_until("Degraded", || daemon.status("app.gtm.example.", "west") == "Degraded");
    assert_eq!(etags(&daemon), first);

    let changed = |before: &[String; 4], expected: [bool; 4]| {
        let now = etags(&daemon);
        let differs: Vec<bool> = now.iter().zip(before).map(|(now, it)| now != it).collect();
        assert_eq!(differs, expected);
        now
    };
    let patched = daemon.api.send("PATCH", WEST, r#"{"weight": 5}"#);
    let second = changed(&first, [true, true, false, true]);
    assert_eq!(patched.header("etag"), second[0]);
    let drained = daemon.api.post("/v1/sites/orlando/drain", "");
    let third = changed(&second, [true; 4]);
    assert_eq!(drained.header("etag"), third[2]);
    daemon.api.must("POST", "/v1/sites/orlando/undrain", "");
    daemon.api.must("PATCH", WEST, r#"{"weight": null}"#);
    assert_eq!(etags(&daemon), first, "as at the start");
    daemon.home.write("farol.toml", &CONFIG.replace("weight = 20", "weight = 21"));
    daemon.api.must("POST", "/v1/reload", "");
    let fourth = changed(&first, [true, true, false, true]);
    assert_eq!(etag(&daemon, "/v1/profiles/www.gtm.example."), other);

    let daemon = daemon.stop().start();
    assert_eq!(etags(&daemon), fourth, "a restart changes nothing");
}

#[test]
fn a_change_is_made_only_to_what_was_seen() {
    let daemon = Daemon::start(CONFIG);
    let patch = |if_match: &str, weight: u16| {
        let more = format!("If-Match: {if_match}\r\n");
        daemon.api.send_with("PATCH", WEST, &format!("{{\"weight\": {weight}}}"), &more)
    };
    let seen = etag(&daemon, PROFILE);
    for wrong in ["\"x\"", &format!("W/{seen}"), &etag(&daemon, "/v1/sites")] {
        let refused = patch(wrong, 1);
        assert_eq!(
            (refused.status, refused.media_type.as_str()),
            (412, "application/problem+json")
        );
        assert_eq!((refused.header("etag"), &refused.json()["etag"]), (&*seen, &json!(seen)));
        let told = refused.json()["detail"].as_str().unwrap().to_owned();
        assert!(told.contains(&format!("send If-Match: {seen}")), "{told}");
    }
    assert_eq!(daemon.endpoint("app.gtm.example.", "west")["weight"], 80);
    assert_eq!(patch(&seen[1..], 1).status, 400);
    let next = patch(&format!("\"x\", {seen}"), 1);
    assert_eq!(next.status, 200, "{}", next.body);
    assert_eq!(patch(&seen, 2).status, 412, "it is another one now");
    assert_eq!(patch("*", 2).status, 200);
    // What is not there is not there, whatever was seen.
    let missing = WEST.replace("west", "wset");
    let missing =
        daemon.api.send_with("PATCH", &missing, r#"{"weight": 1}"#, "If-Match: \"x\"\r\n");
    assert_eq!(missing.status, 404);

    let sites = etag(&daemon, "/v1/sites");
    let drain = |verb: &str| {
        let path = format!("/v1/sites/orlando/{verb}");
        daemon.api.send_with("POST", &path, "", &format!("If-Match: {sites}\r\n")).status
    };
    assert_eq!((drain("drain"), drain("undrain")), (200, 412));
    assert_eq!(daemon.api.get("/v1/sites").json()["sites"][1]["drained"], true);
}

#[test]
fn of_those_who_saw_the_same_one_changes_it() {
    const RIVALS: usize = 16;
    let daemon = Daemon::start(CONFIG);
    for round in 0..10 {
        let (seen, made) = (etag(&daemon, PROFILE), AtomicUsize::new(0));
        thread::scope(|scope| {
            for rival in 0..RIVALS {
                let (seen, made, api) = (&seen, &made, &daemon.api);
                scope.spawn(move || {
                    let body = format!("{{\"weight\": {}}}", round * RIVALS + rival);
                    let more = format!("If-Match: {seen}\r\n");
                    match api.send_with("PATCH", WEST, &body, &more).status {
                        200 => drop(made.fetch_add(1, Ordering::SeqCst)),
                        status => assert_eq!(status, 412),
                    }
                });
            }
        });
        assert_eq!(made.into_inner(), 1, "one of {RIVALS}");
    }
}
