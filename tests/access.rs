//! Who gets in over the API, and what they may do.

#![allow(clippy::unwrap_used, clippy::panic, reason = "what tests share may panic like tests")]

mod common;

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use common::cli::{Run, check, farol, json};
use common::daemon::{Daemon, Home};
use common::http::{Http, Response};
use common::tls::metric;
use common::{PATIENCE, loopback, wait_until};
use serde_json::{Value, json as object};
use socket2::{Domain, Socket, Type};

const CONFIG: &str = "
    [[zone]]
    name = 'gtm.example.'
    nameservers = 'ns.example.'
    [[site]]
    name = 'seattle'
    [[site]]
    name = 'orlando'
    [[profile]]
    name = 'app.team.gtm.example.'
    method = 'weighted'
    monitor = { protocol = 'none' }
    endpoint = [
        { name = 'west', site = 'seattle', target = '192.0.2.1' },
        { name = 'east', site = 'orlando', target = '192.0.2.2' },
    ]
    [[profile]]
    name = 'ups.team.gtm.example.'
    method = 'priority'
    monitor = { protocol = 'none' }
    endpoint = [
        { name = 'all', profile = 'app.team.gtm.example.' },
        { name = 'other', profile = 'www.gtm.example.' },
    ]
    [[profile]]
    name = 'www.gtm.example.'
    method = 'priority'
    failback = 'manual'
    monitor = { protocol = 'none' }
    endpoint = [{ name = 'main', site = 'orlando', target = '192.0.2.3' }]
    [[profile]]
    name = 'own.gtm.example.'
    method = 'priority'
    monitor = { protocol = 'push', push = { token = 'token-of-the-site' }, interval = '1s' }
    endpoint = [{ name = 'west', target = '192.0.2.4' }]
";
const WEST: &str = "/v1/profiles/app.team.gtm.example./endpoints/west";
const MAIN: &str = "/v1/profiles/www.gtm.example./endpoints/main";

/// Makes a token; gives its id and itself.
#[track_caller]
fn token(daemon: &Daemon, role: &str, profiles: &[&str]) -> (String, Http) {
    let body = object!({"name": format!("the-{role}"), "role": role, "profiles": profiles});
    let made = daemon.api.must("POST", "/v1/tokens", &body.to_string());
    let id = made["token"]["id"].as_str().unwrap().to_owned();
    (id, daemon.api.with_token(made["secret"].as_str().unwrap()))
}

/// Runs a verb with a daemon's address, by this token.
fn run(daemon: &Daemon, token: &str, args: &[&str]) -> Run {
    let server = format!("http://{}", daemon.api.address);
    farol(args, &[("FAROL_SERVER", &server), ("FAROL_TOKEN", token)])
}

fn own_token(daemon: &Daemon) -> String {
    fs::read_to_string(daemon.home.path("state/admin.token")).unwrap().trim().to_owned()
}

#[track_caller]
fn refused(response: &Response, status: u16, parts: &[&str]) {
    assert_eq!(response.status, status, "{}", response.body);
    let detail = response.json()["detail"].as_str().unwrap().to_owned();
    for part in parts {
        assert!(detail.contains(part), "no `{part}` in {detail}");
    }
}

#[test]
fn each_role_may_do_what_its_routes_say() {
    let daemon = Daemon::start(CONFIG).ready();
    let description = daemon.api.get("/openapi.json").json();
    let mut roles = Vec::new();
    for (path, item) in description["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let role = operation["x-role"].as_str().unwrap_or_default().to_owned();
            roles.push((format!("{} {path}", method.to_uppercase()), role));
        }
    }
    let told: Vec<(&str, &str)> = roles.iter().map(|(it, role)| (&**it, &**role)).collect();
    assert_eq!(
        told,
        [
            ("GET /healthz", ""),
            ("GET /metrics", "viewer"),
            ("GET /openapi.json", ""),
            ("GET /readyz", ""),
            ("GET /v1/audit", "viewer"),
            ("GET /v1/changes", "viewer"),
            ("POST /v1/changes", "operator"),
            ("POST /v1/changes/{id}/confirm", "operator"),
            ("POST /v1/changes/{id}/undo", "operator"),
            ("GET /v1/configuration", "admin"),
            ("GET /v1/events", "viewer"),
            ("GET /v1/explain", "viewer"),
            ("GET /v1/fleet", "viewer"),
            ("GET /v1/fleet/sites/{site}", "viewer"),
            ("GET /v1/history", "viewer"),
            ("GET /v1/profiles", "viewer"),
            ("GET /v1/profiles/{profile}", "viewer"),
            ("PATCH /v1/profiles/{profile}", "operator"),
            ("PATCH /v1/profiles/{profile}/endpoints/{endpoint}", "operator"),
            ("POST /v1/profiles/{profile}/endpoints/{endpoint}/report", ""),
            ("GET /v1/profiles/{profile}/endpoints/{endpoint}/timeline", "viewer"),
            ("POST /v1/profiles/{profile}/failback", "operator"),
            ("POST /v1/reload", "admin"),
            ("GET /v1/session", "viewer"),
            ("POST /v1/session", ""),
            ("DELETE /v1/session", ""),
            ("GET /v1/sites", "viewer"),
            ("POST /v1/sites/{site}/drain", "operator"),
            ("POST /v1/sites/{site}/undrain", "operator"),
            ("GET /v1/status", "viewer"),
            ("GET /v1/tokens", "admin"),
            ("POST /v1/tokens", "admin"),
            ("DELETE /v1/tokens/{id}", "admin"),
            ("POST /v1/whatif", "viewer"),
            ("GET /v1/zones", "viewer"),
            ("GET /v1/zones/{zone}/records", "viewer"),
        ]
    );
    let all = ["viewer", "operator", "admin"];
    let rank = |role: &str| all.iter().position(|it| *it == role).unwrap();
    for had in all {
        let (_, api) = token(&daemon, had, &[]);
        // Metrics are open, and events have no end; tests/events.rs listens.
        let open = ["GET /metrics", "GET /v1/events"];
        for (route, needed) in told.iter().filter(|it| !it.1.is_empty() && !open.contains(&it.0)) {
            let (method, path) = route.split_once(' ').unwrap();
            let path = path
                .replace("{profile}", "www.gtm.example.")
                .replace("{endpoint}", "main")
                .replace("{site}", "seattle")
                .replace("{zone}", "gtm.example.")
                .replace("{id}", "00000000");
            let response = api.send(method, &path, "");
            let sentence =
                format!("this takes the role {needed}, and the-{had} has the role {had}");
            if rank(had) < rank(needed) {
                refused(&response, 403, &[&sentence]);
            } else {
                assert!(![401, 403].contains(&response.status), "{route}: {}", response.body);
            }
            assert_eq!(response.header("x-content-type-options"), "nosniff");
        }
    }
    let report = format!("{}/report", MAIN.replace("www", "own").replace("main", "west"));
    let (_, viewer) = token(&daemon, "viewer", &[]);
    refused(&viewer.post(&report, r#"{"healthy": true}"#), 403, &["takes the role operator"]);
}

#[test]
fn tokens_are_made_listed_and_revoked_by_the_command_line() {
    let daemon = Daemon::start(CONFIG);
    let own = own_token(&daemon);
    let args =
        ["token", "create", "deploy", "--role", "operator", "--expires", "30d", "-o", "json"];
    let made = json(&run(&daemon, &own, &args));
    let (secret, id) = (made["secret"].as_str().unwrap(), made["token"]["id"].as_str().unwrap());
    assert!(
        secret.starts_with(&format!("farol_{id}_")) && made["token"]["expires"].is_string(),
        "{made}"
    );
    let set = ["endpoint", "set", "app.team.gtm.example", "west", "--weight", "5"];
    check(&run(&daemon, secret, &set), 0, &["weight"]);
    let west = daemon.endpoint("app.team.gtm.example.", "west");
    assert_eq!(west["overrides"][0]["by"], "deploy", "a change names its author");
    check(
        &run(&daemon, secret, &["reload"]),
        1,
        &["takes the role admin, and deploy has the role operator"],
    );

    let create = ["token", "create", "eye", "--role", "viewer", "--profile", "*.team.gtm.example."];
    check(
        &run(&daemon, &own, &create),
        0,
        &["it is shown this once", "token     farol_", "profiles  *.team"],
    );
    let list = run(&daemon, &own, &["token", "list"]);
    check(&list, 0, &["(file)", "deploy", "eye", "*.team.gtm.example.", "0s ago"]);
    assert!(!list.out.contains("farol_"), "{list:?}");
    check(
        &run(&daemon, &own, &["token", "list", "-o", "yaml"]),
        0,
        &["source: file", "role: operator"],
    );
    let wrong = ["token", "create", "x", "--role", "admin", "--profile", "a."];
    check(&run(&daemon, &own, &wrong), 1, &["an admin manages everything and can't be limited"]);
    check(
        &run(&daemon, &own, &["token", "create", "admin", "--role", "viewer"]),
        1,
        &["admin.token"],
    );
    check(
        &run(&daemon, &own, &["token", "create", "x", "--role", "root"]),
        2,
        &["write viewer, operator or admin"],
    );

    check(&run(&daemon, &own, &["token", "revoke", id]), 0, &["of deploy opens nothing any more"]);
    check(&run(&daemon, secret, &["status"]), 3, &["did not accept the token in FAROL_TOKEN"]);
    check(&run(&daemon, &own, &["token", "revoke", id]), 1, &["no token has the id"]);

    let (id, api) = token(&daemon, "admin", &[]);
    let path = format!("/v1/tokens/{id}");
    refused(&api.send("DELETE", &path, ""), 409, &["?force=true"]);
    refused(
        &api.send("DELETE", &format!("{path}?force=perhaps"), ""),
        400,
        &["force: found `perhaps`"],
    );
    assert_eq!(api.send("DELETE", &format!("{path}?force=true"), "").status, 200);
    assert_eq!(api.get("/v1/status").status, 401);
}

#[test]
fn who_is_limited_sees_and_changes_no_other_profiles() {
    let daemon = Daemon::start(CONFIG).ready();
    let (_, api) = token(&daemon, "operator", &["*.team.gtm.example."]);
    daemon.api.must("PATCH", MAIN, r#"{"forced": "down", "reason": "hush"}"#);
    daemon.api.must("POST", "/v1/sites/orlando/drain", r#"{"reason": "all"}"#);

    let names = |value: &Value| -> Vec<String> {
        let all = value.as_array().unwrap().iter();
        all.map(|it| it["name"].as_str().unwrap().to_owned()).collect()
    };
    let profiles = api.must("GET", "/v1/profiles", "");
    assert_eq!(names(&profiles["profiles"]), ["app.team.gtm.example.", "ups.team.gtm.example."]);
    let sites = api.must("GET", "/v1/sites", "");
    assert_eq!(names(&sites["sites"]), ["seattle", "orlando"]);
    assert_eq!(sites["sites"][1]["endpoints"], 1, "those of others are not counted");
    let status = api.get("/v1/status");
    assert_eq!(status.json()["profiles"], 2);
    assert_eq!(status.json()["drained_sites"], object!(["orlando"]));
    assert!(!status.body.contains("www.gtm") && !status.body.contains("hush"), "{}", status.body);

    let limited =
        "the-operator is limited to *.team.gtm.example.; www.gtm.example. is none of them";
    for (method, path, body) in [
        ("GET", "/v1/profiles/www.gtm.example", ""),
        ("GET", "/v1/profiles/WWW%2Egtm.example.", ""),
        ("GET", &*format!("{MAIN}/timeline"), ""),
        ("PATCH", MAIN, r#"{"weight": 1}"#),
        ("POST", "/v1/profiles/www.gtm.example/failback", ""),
        ("GET", "/v1/explain?name=www.gtm.example", ""),
        ("GET", "/v1/explain?name=ups.team.gtm.example", ""),
        ("POST", "/v1/whatif", r#"{"profile": "www.gtm.example", "changes": []}"#),
        ("POST", "/v1/whatif", r#"{"profile": "ups.team.gtm.example", "changes": []}"#),
    ] {
        refused(&api.send(method, path, body), 403, &[limited]);
    }
    let fleet = "the-operator is limited to *.team.gtm.example., and the fleet is more than these";
    for path in ["/v1/fleet", "/v1/fleet/sites/seattle"] {
        refused(&api.get(path), 403, &[fleet]);
        assert_ne!(daemon.api.get(path).status, 403);
    }
    // What is not there is told of neither.
    refused(&api.get("/v1/profiles/ww.gtm.example"), 403, &["ww.gtm.example. is none of them"]);
    let missing = api.get("/v1/profiles/ap.team.gtm.example");
    refused(&missing, 404, &["no profile is called"]);
    assert!(!missing.body.contains("near") && !missing.body.contains("did you mean"));
    let hinted = daemon.api.get("/v1/profiles/ap.team.gtm.example");
    refused(&hinted, 404, &["did you mean app.team.gtm.example.?"]);

    api.must("PATCH", WEST, r#"{"weight": 3}"#);
    api.must("GET", "/v1/explain?name=app.team.gtm.example", "");
    api.must("POST", "/v1/whatif", r#"{"profile": "app.team.gtm.example", "changes": []}"#);
    api.must("POST", "/v1/sites/seattle/drain", "");
    let shared = ["the site also serves www.gtm.example., and the-operator is limited to"];
    refused(&api.post("/v1/sites/orlando/undrain", ""), 403, &shared);
    let report = "/v1/profiles/own.gtm.example./endpoints/west/report";
    refused(&api.post(report, r#"{"healthy": true}"#), 403, &["own.gtm.example. is none of them"]);
    assert_eq!(metric(&daemon, "farol_api_auth_failures_total{reason=\"scope\"}"), 14.0);
}

#[test]
fn protected_metrics_take_a_viewer_without_limits() {
    let daemon = Home::new(&format!("[admin]\nprotect_metrics = true\n{CONFIG}")).start();
    let (_, viewer) = token(&daemon, "viewer", &[]);
    let (_, limited) = token(&daemon, "viewer", &["www.gtm.example."]);
    assert_eq!(viewer.get("/metrics").status, 200);
    assert_eq!(Http::new(daemon.api.address).get("/metrics").status, 401);
    refused(&limited.get("/metrics"), 403, &["metrics are about every profile"]);
}

#[test]
fn a_token_ends_at_its_time_and_the_others_outlive_a_restart() {
    let daemon = Daemon::start(CONFIG);
    let (_, viewer) = token(&daemon, "viewer", &[]);
    let body = r#"{"name": "short", "role": "viewer", "expires": "1s"}"#;
    let short = daemon.api.must("POST", "/v1/tokens", body)["secret"].as_str().unwrap().to_owned();
    let short = daemon.api.with_token(&short);
    wait_until("expired token", || short.get("/v1/status").status == 401);
    refused(&short.get("/v1/status"), 401, &["the token expired "]);
    let list = daemon.api.must("GET", "/v1/tokens", "");
    assert_eq!(list["tokens"][2]["expired"], true, "{list}");
    let past = r#"{"name": "short", "role": "viewer", "expires": "2001-01-01T00:00:00Z"}"#;
    refused(&daemon.api.post("/v1/tokens", past), 422, &["expires: ", "is past"]);

    let file = daemon.home.path("state/tokens.json");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let daemon = daemon.stop().start();
    let viewer = viewer.at(daemon.api.address);
    assert_eq!(viewer.get("/v1/status").status, 200);

    // What is damaged opens nothing, and is put aside.
    let home = daemon.stop();
    fs::write(&file, fs::read_to_string(&file).unwrap().replace("viewer", "admin ")).unwrap();
    let daemon = home.start();
    daemon.event("state_set_aside", 0);
    let viewer = viewer.at(daemon.api.address);
    assert_eq!(viewer.get("/v1/status").status, 401);
    assert_eq!(daemon.api.get("/v1/status").json()["state"]["well"], false);
}

/// Asks on a connection that stays open; gives the status.
fn ask(stream: &mut TcpStream, api: &str) -> String {
    let request =
        format!("GET /v1/sites HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {api}\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let (mut head, mut octet) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut octet).unwrap();
        head.push(octet[0]);
    }
    let head = String::from_utf8(head).unwrap();
    let length = head.lines().find_map(|it| it.strip_prefix("content-length: ")).unwrap();
    stream.read_exact(&mut vec![0; length.parse().unwrap()]).unwrap();
    head.split(' ').nth(1).unwrap().to_owned()
}

#[test]
fn a_revoked_token_opens_nothing_on_an_open_connection() {
    let daemon = Daemon::start(CONFIG);
    let made = daemon.api.must("POST", "/v1/tokens", r#"{"name": "a", "role": "viewer"}"#);
    let secret = made["secret"].as_str().unwrap();
    let mut stream = TcpStream::connect(daemon.api.address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    assert_eq!(ask(&mut stream, secret), "200");
    let path = format!("/v1/tokens/{}", made["token"]["id"].as_str().unwrap());
    daemon.api.must("DELETE", &path, "");
    assert_eq!(ask(&mut stream, secret), "401");
    assert_eq!(ask(&mut stream, &own_token(&daemon)), "200");
}

/// What `farol token hash` makes of a token.
fn hashed(token: &str, args: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_farol"));
    command.args(["token", "hash"]).args(args).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(token.as_bytes()).unwrap();
    String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap()
}

#[test]
fn tokens_of_the_configuration_open_what_it_says() {
    let entry = hashed(
        "a-token-kept-in-git\n",
        &["deploy", "--role", "operator", "--profile", "www.gtm.example"],
    );
    assert!(
        !entry.contains("a-token-kept-in-git")
            && entry.contains("profiles = [\"www.gtm.example.\"]")
    );
    let root = hashed("a-token-kept-by-root\n", &["root", "--role", "admin"]);
    let daemon = Home::new(&format!("{CONFIG}{entry}{root}")).start();
    assert!(!daemon.home.path("state/admin.token").exists(), "it needs none");
    let (deploy, root) = (
        daemon.api.with_token("a-token-kept-in-git"),
        daemon.api.with_token("a-token-kept-by-root"),
    );
    deploy.must("PATCH", MAIN, r#"{"weight": 2}"#);
    assert_eq!(deploy.send("PATCH", WEST, r#"{"weight": 2}"#).status, 403);
    let listed = root.must("GET", "/v1/tokens", "");
    assert_eq!(listed["tokens"][0]["source"], "configuration");

    // A reload lets others in.
    daemon.home.write("farol.toml", &format!("{CONFIG}{entry}"));
    let reloaded = root.must("POST", "/v1/reload", "");
    assert_eq!(reloaded["settings"], object!(["admin.token"]));
    assert_eq!(root.get("/v1/tokens").status, 401);
    assert_eq!(deploy.get("/v1/status").status, 200);
}

/// Asks for the status from an address of this machine.
fn ask_from(source: SocketAddr, server: SocketAddr, token: &str) -> (String, String) {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&source.into()).unwrap();
    socket.connect(&server.into()).unwrap();
    let mut stream = TcpStream::from(socket);
    let head = format!(
        "GET /v1/status HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).unwrap();
    (response.split(' ').nth(1).unwrap().to_owned(), response)
}

#[test]
fn who_sends_wrong_tokens_waits_and_nobody_else() {
    let daemon = Daemon::start(CONFIG);
    let (here, there) = ((loopback(), 0).into(), (loopback(), 0).into());
    let (server, own) = (daemon.api.address, own_token(&daemon));
    let guess = || ask_from(here, server, "farol_00000000_guess");
    // On a slow machine a wait may be over before the next guess, but waits double.
    let waits = common::wait_for("refusal", || Some(guess()).filter(|it| it.0 == "429")).1;
    let seconds = waits.lines().find_map(|it| it.strip_prefix("retry-after: ")).unwrap();
    assert!((1..=60).contains(&seconds.parse::<u64>().unwrap()), "{waits}");
    assert!(waits.contains("too many wrong tokens came from your address"), "{waits}");
    assert_eq!(ask_from(there, server, &own).0, "200");
    daemon.event("auth_backoff", 0);
    assert_eq!(daemon.log().matches("auth_backoff").count(), 1, "once a burst");
    assert!(metric(&daemon, "farol_api_auth_failures_total{reason=\"wrong\"}") >= 5.0);
    assert!(metric(&daemon, "farol_api_auth_failures_total{reason=\"backoff\"}") >= 1.0);
    // The site's own token goes before.
    let report = "/v1/profiles/own.gtm.example./endpoints/west/report";
    let site = daemon.api.with_token("token-of-the-site").post(report, r#"{"healthy": true}"#);
    assert_eq!(site.status, 200, "{}", site.body);
}

#[test]
fn who_asks_too_often_is_told_to_wait() {
    let daemon = Home::new(&format!("[admin]\nrate_limit = 1\nrate_burst = 2\n{CONFIG}")).start();
    let limited = common::wait_for("refusal", || {
        Some(daemon.api.get("/v1/sites")).filter(|it| it.status == 429)
    });
    refused(&limited, 429, &["`admin.rate_limit` and `admin.rate_burst`"]);
    assert_eq!(limited.header("retry-after"), "1");
    assert!(metric(&daemon, "farol_api_rate_limited_total") >= 1.0);
}

#[test]
fn no_token_is_shown_anywhere() {
    let home = Home::new(CONFIG).environment(&[("FAROL_LOG", "trace")]);
    let daemon = home.start().ready();
    let made = daemon.api.must("POST", "/v1/tokens", r#"{"name": "a", "role": "operator"}"#);
    let (secret, own) = (made["secret"].as_str().unwrap(), own_token(&daemon));
    let (api, wrong) = (daemon.api.with_token(secret), format!("{secret}0"));
    api.must("PATCH", WEST, r#"{"weight": 3}"#);
    assert_eq!(api.post("/v1/reload", "").status, 403);
    assert_eq!(daemon.api.with_token(&wrong).get("/v1/status").status, 401);
    let hash = fs::read_to_string(daemon.home.path("state/tokens.json")).unwrap();
    let hash = hash.rsplit_once("\"sha256\":\"").unwrap().1[..64].to_owned();
    let paths = ["/v1/tokens", "/v1/status", "/v1/profiles", "/metrics", "/openapi.json"];
    let shown = paths.map(|it| daemon.api.get(it).body).concat();
    let backup = ["state", "backup", "-", "--dir"];
    let dir = daemon.home.path("state").display().to_string();
    let stored = farol(&[&backup[..], &[&dir]].concat(), &[]).out;
    let path = format!("/v1/tokens/{}", made["token"]["id"].as_str().unwrap());
    daemon.api.must("DELETE", &path, "");
    daemon.event("token_revoked", 0);
    let everything = shown + &daemon.log();
    let random = secret.rsplit('_').next().unwrap();
    for hidden in [random, &own, &hash] {
        assert!(!everything.contains(hidden), "something shows a token");
    }
    assert!(stored.contains(&hash) && !stored.contains(random) && !stored.contains(&own));
}

#[test]
fn who_is_limited_changes_and_hears_of_nothing_else() {
    let daemon = Daemon::start(CONFIG);
    let (_, limited) = token(&daemon, "operator", &["app.team.gtm.example."]);
    let batch = |profile: &str, endpoint: &str, more: Value| {
        let mut change = object!({"profile": profile, "endpoint": endpoint, "weight": 7});
        change.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        object!({"changes": [change]}).to_string()
    };
    let own = batch("app.team.gtm.example.", "west", object!({}));
    limited.must("POST", "/v1/changes", &own);
    let others = batch("www.gtm.example.", "main", object!({}));
    refused(&limited.post("/v1/changes", &others), 403, &["www.gtm.example. is none of them"]);
    daemon.api.must("POST", "/v1/changes", &others);
    let drain = object!({"changes": [{"site": "orlando", "drained": true}]}).to_string();
    refused(&limited.post("/v1/changes", &drain), 403, &["the site also serves"]);
    let over = object!({"weight": 8, "override_guardrail": "why not"}).to_string();
    refused(
        &limited.send("PATCH", WEST, &over),
        403,
        &["override_guardrail takes the role admin, and the-operator has the role operator"],
    );

    let list = |api: &Http, path: &str, key: &str| -> Vec<String> {
        let page = api.must("GET", path, "");
        let key = page.as_object().unwrap().keys().next().unwrap().clone() + key;
        let (list, field) = key.split_once('.').unwrap();
        let items = page[list].as_array().unwrap().iter();
        items.map(|it| it[field].as_str().unwrap_or_default().to_owned()).collect()
    };
    assert_eq!(list(&limited, "/v1/audit", ".profile"), ["app.team.gtm.example."]);
    assert_eq!(list(&daemon.api, "/v1/audit", ".action"), ["set", "set", "create token"]);
    assert_eq!(list(&limited, "/v1/profiles", ".name"), ["app.team.gtm.example."]);
    daemon.api.must("PATCH", MAIN, r#"{"forced": "down"}"#);
    daemon.api.must("PATCH", WEST, r#"{"forced": "down"}"#);
    assert_eq!(list(&limited, "/v1/history", ".endpoint"), ["west"]);
    let entry = &daemon.api.must("GET", "/v1/audit?by=the-operator", "")["entries"][0];
    assert_eq!(entry["from"], "127.0.0.1", "{entry}");
}

#[test]
fn whoever_listens_is_heard_of_no_more_when_the_token_is_revoked() {
    let daemon = Daemon::start(CONFIG);
    let body = object!({"name": "eye", "role": "viewer", "profiles": ["app.team.gtm.example."]});
    let made = daemon.api.must("POST", "/v1/tokens", &body.to_string());
    let (id, secret) = (made["token"]["id"].as_str().unwrap(), made["secret"].as_str().unwrap());
    let mut stream = TcpStream::connect(daemon.api.address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let request = format!(
        "GET /v1/events HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {secret}\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut heard = String::new();
    let mut hear = |until: &str| {
        let mut octets = [0; 4096];
        while !heard.contains(until) {
            let length = stream.read(&mut octets).unwrap();
            assert!(length > 0, "{heard}");
            heard.push_str(std::str::from_utf8(&octets[..length]).unwrap());
        }
    };
    hear("id: ");
    daemon.api.must("PATCH", MAIN, r#"{"weight": 7}"#);
    daemon.api.must("PATCH", WEST, r#"{"weight": 98}"#);
    hear("weight 98");
    daemon.api.must("DELETE", &format!("/v1/tokens/{id}"), "");
    daemon.api.must("PATCH", WEST, r#"{"weight": 99}"#);
    let mut octets = [0; 4096];
    while !heard.contains("weight 99") {
        match stream.read(&mut octets).unwrap() {
            0 => break,
            length => heard.push_str(std::str::from_utf8(&octets[..length]).unwrap()),
        }
    }
    assert!(!heard.contains("weight 99") && !heard.contains("www"), "{heard}");
}
