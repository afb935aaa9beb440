//! What operators do at run time: changes over the API, drains, explanations, and what is refused.

#![allow(clippy::unwrap_used, reason = "what tests share may panic like tests")]

mod common;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use common::daemon::Daemon;
use common::dns::{Query, Reply, ask_tcp, connect, exchange};
use common::http::Http;
use common::wait_until;
use serde_json::{Value, json};

/// Two profiles over two sites; nothing is probed.
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
    endpoint = [
        { name = 'west', site = 'seattle', target = '192.0.2.1', weight = 80 },
        { name = 'east', site = 'orlando', target = '192.0.2.2', weight = 20 },
    ]
    [[profile]]
    name = 'www.gtm.example.'
    method = 'priority'
    monitor = { protocol = 'none' }
    endpoint = [
        { name = 'main', site = 'seattle', target = '192.0.2.3' },
        { name = 'spare', site = 'orlando', target = '192.0.2.4' },
    ]
";
const APP: &str = "/v1/profiles/app.gtm.example./endpoints/west";

/// The addresses of so many answers, without repetition.
fn seen(daemon: &Daemon, name: &str) -> Vec<String> {
    let mut seen: Vec<String> = (0..100).flat_map(|_| daemon.answers(name, "A")).collect();
    seen.sort();
    seen.dedup();
    seen
}

/// Endpoints and their shares, as `/v1/explain` tells them.
fn shares(daemon: &Daemon, name: &str) -> Vec<(String, f64, String)> {
    let explained = daemon.api.must("GET", &format!("/v1/explain?name={name}&type=A"), "");
    let text = |it: &Value| it.as_str().unwrap().to_owned();
    let endpoints = explained["profiles"][0]["endpoints"].as_array().unwrap().iter();
    endpoints
        .map(|it| (text(&it["name"]), it["share"].as_f64().unwrap(), text(&it["why"])))
        .collect()
}

#[test]
fn an_acknowledged_change_is_what_every_worker_answers() {
    const CLIENTS: usize = 8; // the kernel spreads their sockets over the workers
    let daemon = Daemon::start(&format!("[server]\nworkers = 4\n{CONFIG}"));
    let old = "192.0.2.1";
    for _ in 0..5 {
        daemon.api.must("PATCH", APP, r#"{"weight": 80}"#);
        let (done, olds) = (AtomicBool::new(false), AtomicUsize::new(0));
        thread::scope(|scope| {
            let ask = || {
                let (socket, query) = (daemon.client(), Query::new("app.gtm.example.", "A").wire());
                let mut last_old = None;
                while !done.load(Ordering::SeqCst) {
                    let asked = Instant::now();
                    let reply = Reply::read(&exchange(&socket, &query).unwrap());
                    if reply.data() == [old] {
                        last_old = Some(asked);
                        olds.fetch_add(1, Ordering::SeqCst);
                    }
                }
                last_old
            };
            let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(ask)).collect();
            wait_until("stream of old answers", || olds.load(Ordering::SeqCst) > 100);
            daemon.api.must("PATCH", APP, r#"{"weight": 0}"#);
            let acknowledged = Instant::now();
            seen(&daemon, "app.gtm.example.");
            done.store(true, Ordering::SeqCst);
            for client in clients {
                let last_old = client.join().unwrap();
                assert!(
                    last_old.is_none_or(|it| it < acknowledged),
                    "asked later, answered by the old"
                );
            }
        });
    }
}

#[test]
fn a_change_shows_its_author_and_is_undone_by_null() {
    let daemon = Daemon::start(CONFIG);
    let body = r#"{"weight": 0, "enabled": false, "forced": "down", "reason": "maintenance"}"#;
    let changed = daemon.api.must("PATCH", APP, body);
    assert_eq!((&changed["weight"], &changed["enabled"]), (&json!(0), &json!(false)));
    assert_eq!((&changed["forced"], &changed["status"]), (&json!("down"), &json!("Disabled")));
    let overrides = changed["overrides"].as_array().unwrap();
    assert_eq!(overrides.len(), 3, "{changed}");
    assert!(overrides.iter().all(|it| it["by"] == "admin" && it["reason"] == "maintenance"));
    assert_eq!(seen(&daemon, "app.gtm.example."), ["192.0.2.2"]);
    let undone =
        daemon.api.must("PATCH", APP, r#"{"weight": null, "enabled": null, "forced": null}"#);
    assert_eq!((&undone["weight"], &undone["overrides"]), (&json!(80), &json!([])));
    assert_eq!(seen(&daemon, "app.gtm.example."), ["192.0.2.1", "192.0.2.2"]);
}

#[test]
fn wrong_requests_are_told_what_would_be_right() {
    let daemon = Daemon::start(CONFIG);
    let before = daemon.api.must("GET", "/v1/profiles", "");
    for (method, path, body, status, detail) in [
        (
            "PATCH",
            APP,
            "{}",
            400,
            "the body changes nothing; send weight, priority, enabled or forced",
        ),
        (
            "PATCH",
            APP,
            r#"{"weight": 70000}"#,
            400,
            "weight: found 70000; write a whole number from 0 to 65535",
        ),
        (
            "PATCH",
            APP,
            r#"{"weight": -1}"#,
            400,
            "weight: found -1; write a whole number from 0 to 65535",
        ),
        (
            "PATCH",
            APP,
            r#"{"priority": 0}"#,
            400,
            "priority: found 0; write a whole number from 1 to 65535",
        ),
        (
            "PATCH",
            APP,
            r#"{"forced": "sideways"}"#,
            400,
            "forced: found `sideways`; write one of up, down",
        ),
        (
            "PATCH",
            APP,
            r#"{"wieght": 5}"#,
            400,
            "wieght: found 5; is not known; did you mean weight?",
        ),
        (
            "PATCH",
            APP,
            r#"{"weight": "5"}"#,
            400,
            "weight: found `5`; write a whole number from 0 to 65535",
        ),
        ("PATCH", APP, r#"{"weight": 5"#, 400, "the body: EOF while parsing"),
        (
            "PATCH",
            "/v1/profiles/ap.gtm.example./endpoints/west",
            "{}",
            404,
            "no profile is called `ap.gtm.example.`; did you mean app.gtm.example.?",
        ),
        (
            "PATCH",
            "/v1/profiles/app.gtm.example./endpoints/wets",
            "{}",
            404,
            "has no endpoint `wets`; did you mean west?",
        ),
        (
            "GET",
            "/v1/profiles/nothing.like.it.",
            "",
            404,
            "no profile is called `nothing.like.it.`",
        ),
        (
            "POST",
            "/v1/sites/seatle/drain",
            "",
            404,
            "no site is called `seatle`; did you mean seattle?",
        ),
        (
            "POST",
            "/v1/sites/seattle/drain",
            r#"{"why": "x"}"#,
            400,
            "why: found `x`; is not known; write reason, dry_run, override_guardrail, confirm_within, undo_if_worse, expires",
        ),
        ("GET", "/v1/explain", "", 400, "name: is missing"),
        (
            "GET",
            "/v1/explain?name=app.gtm.example.&type=NONSENSE",
            "",
            400,
            "type: found `NONSENSE`; write a record type",
        ),
        (
            "GET",
            "/v1/explain?name=a..b&type=A",
            "",
            400,
            "name: found `a..b`; the name has an empty label",
        ),
        ("PATCH", APP, "[]", 400, "the body: send a JSON object"),
        ("PATCH", APP, " [5]", 400, "the body: send a JSON object"),
        ("PATCH", APP, "", 400, "the body: send a JSON object"),
        ("POST", "/v1/sites/seattle/drain", "[]", 400, "the body: send a JSON object"),
        ("GET", "/v1/profiles/%ff", "", 400, "the path: "),
        ("PATCH", "/v1/profiles/%ff/endpoints/x", "{}", 400, "the path: "),
        ("POST", "/v1/sites/%ff/drain", "", 400, "the path: "),
        ("POST", "/v1/sites/%ff/undrain", "", 400, "the path: "),
        ("POST", "/metrics", "", 405, "does not take this method"),
        ("DELETE", "/healthz", "", 405, "does not take this method"),
        ("DELETE", APP, "", 405, "does not take this method"),
        ("GET", "/v2/profiles", "", 404, "the API begins with /v1"),
    ] {
        let response = daemon.api.send(method, path, body);
        assert_eq!(response.status, status, "{method} {path} {body}: {}", response.body);
        assert_eq!(response.media_type, "application/problem+json", "{method} {path}");
        let problem = response.json();
        let told = problem["detail"].as_str().unwrap();
        assert!(told.contains(detail), "{method} {path} {body}: {told}");
        assert_eq!(problem["status"], status);
    }
    assert_eq!(daemon.api.must("GET", "/v1/profiles", ""), before, "nothing has changed");
}

#[test]
fn without_the_token_nothing_is_told_or_done() {
    let daemon = Daemon::start(CONFIG);
    let nobody = Http::new(daemon.api.address);
    for client in [nobody.clone(), nobody.with_token("0123456789abcdef"), nobody.with_token("")] {
        for (method, path) in
            [("GET", "/v1/status"), ("GET", "/v1/profiles"), ("PATCH", APP), ("POST", "/v1/reload")]
        {
            let response = client.send(method, path, r#"{"weight": 0}"#);
            assert_eq!(response.status, 401, "{method} {path}");
            assert!(response.json()["detail"].as_str().unwrap().contains("Authorization: Bearer"));
        }
    }
    for open in ["/healthz", "/readyz", "/metrics"] {
        assert_eq!(nobody.get(open).status, 200, "{open}");
    }
    assert_eq!(daemon.endpoint("app.gtm.example.", "west")["weight"], 80);
}

#[test]
fn draining_a_site_moves_all_its_endpoints() {
    let daemon = Daemon::start(CONFIG);
    let both = ["192.0.2.1", "192.0.2.2"];
    assert_eq!(seen(&daemon, "app.gtm.example."), both);
    assert_eq!(seen(&daemon, "www.gtm.example."), ["192.0.2.3"]);

    let site = daemon.api.must("POST", "/v1/sites/seattle/drain", r#"{"reason": "upgrade"}"#);
    assert_eq!((&site["drained"], &site["drain"]["reason"]), (&json!(true), &json!("upgrade")));
    assert_eq!((&site["endpoints"], &site["healthy"]), (&json!(2), &json!(0)));
    assert_eq!(seen(&daemon, "app.gtm.example."), ["192.0.2.2"]);
    assert_eq!(seen(&daemon, "www.gtm.example."), ["192.0.2.4"]);
    assert_eq!(daemon.status("www.gtm.example.", "main"), "Drained");
    assert_eq!(daemon.api.must("GET", "/v1/status", "")["drained_sites"], json!(["seattle"]));

    daemon.api.must("POST", "/v1/sites/seattle/undrain", "");
    assert_eq!(seen(&daemon, "app.gtm.example."), both);
    assert_eq!(seen(&daemon, "www.gtm.example."), ["192.0.2.3"]);
}

#[test]
fn explain_tells_the_shares_that_are_answered() {
    let daemon = Daemon::start(CONFIG);
    let row = |name: &str, share: f64, why: &str| (name.to_owned(), share, why.to_owned());
    let (app, www) = ("app.gtm.example.", "www.gtm.example.");
    assert_eq!(shares(&daemon, app), [row("west", 80.0, "answers"), row("east", 20.0, "answers")]);
    let lower = "a lower priority number has a candidate";
    assert_eq!(shares(&daemon, www), [row("main", 100.0, "answers"), row("spare", 0.0, lower)]);
    daemon.api.must("PATCH", APP, r#"{"weight": 60}"#);
    assert_eq!(shares(&daemon, app), [row("west", 75.0, "answers"), row("east", 25.0, "answers")]);
    daemon.api.must("POST", "/v1/sites/orlando/drain", "");
    assert_eq!(
        shares(&daemon, app),
        [row("west", 100.0, "answers"), row("east", 0.0, "drained, with site orlando")]
    );
    daemon.api.must("POST", "/v1/sites/orlando/undrain", "");

    // One worker's answers are as told, to a small constant.
    let answered: Vec<String> = (0..400).flat_map(|_| daemon.answers(app, "A")).collect();
    let west = answered.iter().filter(|it| *it == "192.0.2.1").count();
    assert!(west.abs_diff(300) <= 20, "{west} of 400");
}

#[test]
fn what_is_not_stored_says_why() {
    let daemon = Daemon::start(CONFIG);
    // A directory is in the way of the file, also for root.
    let file = daemon.home.path("state/overrides.json");
    fs::create_dir(&file).unwrap();
    fs::write(file.join("x"), "").unwrap();
    let refused = daemon.api.send("PATCH", APP, r#"{"weight": 5}"#);
    assert_eq!(refused.status, 507, "{}", refused.body);
    let detail = refused.json()["detail"].as_str().unwrap().to_owned();
    let cause = detail.strip_prefix("the change could not be stored, so it was not made: ");
    let logged = daemon.event("store_failed", 0)["error"].as_str().unwrap().to_owned();
    assert_eq!(cause, Some(logged.as_str()));
    assert!(detail.contains("os error"), "{detail}");
    assert_eq!(daemon.endpoint("app.gtm.example.", "west")["weight"], 80);
}

#[test]
fn half_sent_requests_keep_nobody_out() {
    let daemon = Daemon::start(CONFIG);
    let send = |text: &str| {
        let mut stream = TcpStream::connect(daemon.api.address).unwrap();
        stream.set_read_timeout(Some(common::PATIENCE)).unwrap();
        stream.write_all(text.as_bytes()).unwrap();
        stream
    };
    let half = ["", "GET /he", "PATCH / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nx"];
    let mut halves: Vec<TcpStream> = (0..900).map(|it| send(half[it % half.len()])).collect();
    let kept = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
    let mut idle = send(kept);
    idle.read_exact(&mut [0; 15]).unwrap();
    let started = Instant::now();
    assert_eq!(daemon.api.get("/healthz").status, 200);
    daemon.api.must("PATCH", APP, r#"{"weight": 5}"#);
    // The oldest made room for the others; nobody waited for the ten seconds that a request may take.
    halves[0].read_to_end(&mut Vec::new()).unwrap_or_default();
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
    let open = fs::read_dir(format!("/proc/{}/fd", daemon.process())).unwrap().count();
    assert!(open < 640 + 100, "{open} descriptors");
    let mut dns = connect(daemon.dns[0]);
    assert_eq!(ask_tcp(&mut dns, &Query::new("www.gtm.example.", "A")).unwrap().data().len(), 1);

    // Nor is a stop held up for the five seconds that tasks may take to end.
    let told = Instant::now();
    daemon.stop();
    assert!(told.elapsed() < Duration::from_secs(5), "{:?}", told.elapsed());
}

#[test]
fn answering_goes_before_everything_else() {
    let daemon = Daemon::start(CONFIG);
    let tasks = fs::read_dir(format!("/proc/{}/task", daemon.process())).unwrap();
    let mut answering = Vec::new();
    let mut others = Vec::new();
    for task in tasks.map(|it| it.unwrap().path()) {
        let name = fs::read_to_string(task.join("comm")).unwrap();
        let stat = fs::read_to_string(task.join("stat")).unwrap();
        // The seventeenth field after the name in parentheses.
        let nice: i32 =
            stat.rsplit(") ").next().unwrap().split(' ').nth(16).unwrap().parse().unwrap();
        match name.trim() {
            it if it.starts_with("dns-") => answering.push(nice),
            it if it.starts_with("tokio") => others.push(nice),
            _ => {}
        }
    }
    let (best, least) = (answering.iter().max().unwrap(), others.iter().min().unwrap());
    assert!(best < least, "answering {answering:?}, others {others:?}");
}
