//! Server-sent events: what happens reaches who listens, and who was away hears it later.

#![allow(clippy::unwrap_used, reason = "what tests share may panic like tests")]

mod common;

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Instant;

use common::daemon::Daemon;
use common::http::Http;
use common::{PATIENCE, wait_until};
use serde_json::{Value, json};

const CONFIG: &str = "
    [[zone]]
    name = 'gtm.example.'
    nameservers = 'ns.example.'
    [[site]]
    name = 'seattle'
    [[profile]]
    name = 'app.gtm.example.'
    method = 'weighted'
    monitor = { protocol = 'none' }
    endpoint = [
        { name = 'west', site = 'seattle', target = '192.0.2.1' },
        { name = 'east', target = '192.0.2.2' },
    ]
    [[profile]]
    name = 'www.gtm.example.'
    method = 'weighted'
    monitor = { protocol = 'none' }
    endpoint = [{ name = 'main', target = '192.0.2.3' }]
";
const WEST: &str = "/v1/profiles/app.gtm.example./endpoints/west";
const MAIN: &str = "/v1/profiles/www.gtm.example./endpoints/main";

/// A client that stays connected.
struct Listener(BufReader<TcpStream>);

#[derive(Debug)]
struct Event {
    id: String,
    kind: String,
    data: Value,
}

impl Listener {
    /// Listens from now on, or from after an event.
    fn start(daemon: &Daemon, query: &str, after: Option<&str>) -> Self {
        let api = &daemon.api;
        let token = fs::read_to_string(daemon.home.path("state/admin.token")).unwrap();
        let token = token.trim();
        let mut stream = TcpStream::connect(api.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let after = after.map(|it| format!("Last-Event-ID: {it}\r\n")).unwrap_or_default();
        let request = format!(
            "GET /v1/events{query} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n{after}\r\n"
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut listener = Self(BufReader::new(stream));
        let head: Vec<String> =
            std::iter::from_fn(|| Some(listener.line()).filter(|it| !it.is_empty())).collect();
        assert!(head[0].contains(" 200 "), "{head:?}");
        assert!(head.iter().any(|it| it == "content-type: text/event-stream"), "{head:?}");
        // It is connected once something comes.
        while !listener.line().starts_with("id: ") {}
        listener
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        assert!(self.0.read_line(&mut line).unwrap() > 0, "the connection ended");
        line.trim_end().to_owned()
    }

    /// The next event. Lines of chunks and of keep-alive are passed over.
    fn next(&mut self) -> Event {
        let mut after = |key: &str| loop {
            if let Some(value) = self.line().strip_prefix(key) {
                return value.to_owned();
            }
        };
        let mut id = after("id: ");
        let kind = loop {
            // An id alone comes while nothing happens.
            match self.line() {
                line if line.starts_with("id: ") => id = line["id: ".len()..].to_owned(),
                line if line.starts_with("event: ") => break line["event: ".len()..].to_owned(),
                _ => {}
            }
        };
        let data = self.line();
        Event {
            id,
            kind,
            data: serde_json::from_str(data.strip_prefix("data: ").unwrap()).unwrap(),
        }
    }

    /// The next event that is not about a snapshot.
    fn next_but_publish(&mut self) -> Event {
        std::iter::repeat_with(|| self.next()).find(|it| it.kind != "publish").unwrap()
    }
}

#[test]
fn what_happens_is_told_in_order_with_its_causes() {
    let daemon = Daemon::start(CONFIG);
    let mut listener = Listener::start(&daemon, "", None);
    let body = r#"{"forced": "down", "reason": "<script>\nalert(1)</script>"}"#;
    let changed = daemon.api.must("PATCH", WEST, body);
    let change = listener.next();
    assert_eq!(change.kind, "change");
    assert_eq!(change.data["by"], "admin");
    assert_eq!(change.data["change"], "app.gtm.example. west: forced down");
    assert_eq!(change.data["reason"], "<script>\nalert(1)</script>");
    let transition = listener.next();
    assert_eq!(transition.kind, "transition");
    let of = json!({"profile": "app.gtm.example.", "endpoint": "west", "site": "seattle"});
    for (key, value) in of.as_object().unwrap() {
        assert_eq!(&transition.data[key], value);
    }
    let turn = &transition.data["turn"];
    assert_eq!((&turn["from"], &turn["to"]), (&json!("Unmonitored"), &json!("Degraded")));
    assert_eq!((&turn["cause"], &turn["by"]), (&json!("change"), &json!("admin")));
    let publish = listener.next();
    assert_eq!(
        (publish.kind.as_str(), &publish.data["generation"]),
        ("publish", &changed["generation"])
    );

    daemon.api.must("PATCH", MAIN, r#"{"forced": "down"}"#);
    let kinds: Vec<String> = (0..3).map(|_| listener.next_but_publish().kind).collect();
    assert_eq!(kinds, ["change", "transition", "fail_open"]);
    daemon.api.must("POST", "/v1/sites/seattle/drain", r#"{"expires": "1ms"}"#);
    let kinds: Vec<String> = (0..2).map(|_| listener.next_but_publish().kind).collect();
    assert_eq!(kinds, ["change", "expiry"]);
    daemon.api.must("POST", "/v1/reload", "");
    wait_until("reload", || listener.next_but_publish().kind == "reload");
}

#[test]
fn who_was_away_hears_what_happened_meanwhile() {
    let daemon = Daemon::start(CONFIG);
    let mut listener = Listener::start(&daemon, "", None);
    daemon.api.must("PATCH", WEST, r#"{"weight": 2}"#);
    let last = listener.next();
    drop(listener);
    daemon.api.must("PATCH", WEST, r#"{"weight": 3}"#);
    let mut again = Listener::start(&daemon, "", Some(&last.id));
    assert_eq!(again.next().kind, "publish", "of the first change");
    assert_eq!(again.next().data["change"], "app.gtm.example. west: weight 3");
    let newest = again.next();
    for unknown in ["1-1", "x", &newest.id.replace('-', "-99")] {
        let mut listener = Listener::start(&daemon, "", Some(unknown));
        let reset = listener.next();
        assert_eq!((reset.kind.as_str(), &reset.id), ("reset", &newest.id), "{unknown}");
    }
    // The daemon that gave the id is another one.
    let daemon = daemon.crash_and_restart();
    let mut listener = Listener::start(&daemon, "", Some(&newest.id));
    assert_eq!(listener.next().kind, "reset");
}

#[test]
fn a_listener_hears_only_what_it_wants_and_needs_a_token() {
    let daemon = Daemon::start(CONFIG);
    let mut of_site = Listener::start(&daemon, "?site=seattle", None);
    let mut of_profile = Listener::start(&daemon, "?profile=www.gtm.example", None);
    for path in [WEST, MAIN] {
        daemon.api.must("PATCH", path, r#"{"forced": "down"}"#);
    }
    let transition = |it: &mut Listener| {
        std::iter::repeat_with(|| it.next()).find(|it| it.kind == "transition").unwrap()
    };
    assert_eq!(transition(&mut of_site).data["endpoint"], "west");
    assert_eq!(transition(&mut of_profile).data["endpoint"], "main");
    for wrong in ["?profile=a..b", "?site=A", "?stie=x"] {
        assert_eq!(daemon.api.get(&format!("/v1/events{wrong}")).status, 400, "{wrong}");
    }
    assert_eq!(Http::new(daemon.api.address).get("/v1/events").status, 401);
}

#[test]
fn many_who_listen_and_never_read_hold_nothing_up() {
    let daemon = Daemon::start(CONFIG);
    let listeners: Vec<Listener> = (0..500).map(|_| Listener::start(&daemon, "", None)).collect();
    let reason = "x".repeat(1000);
    for number in 0..100 {
        let body = json!({"weight": number, "reason": reason}).to_string();
        daemon.api.must("PATCH", WEST, &body);
    }
    let started = Instant::now();
    assert_eq!(daemon.api.get("/readyz").status, 200);
    assert!(started.elapsed() < PATIENCE);
    // Each of them hears everything as soon as it reads.
    for mut listener in listeners.into_iter().step_by(50) {
        let mut last = Value::Null;
        while last != "app.gtm.example. west: weight 99" {
            let event = listener.next_but_publish();
            assert_eq!(event.kind, "change");
            last = event.data["change"].clone();
        }
    }
}

#[test]
fn the_command_line_follows_also_over_a_restart() {
    let daemon = Daemon::start(CONFIG);
    let mut command = Command::new(env!("CARGO_BIN_EXE_farol"));
    command.env("FAROL_SERVER", format!("http://{}", daemon.api.address));
    command.env("FAROL_TOKEN_FILE", daemon.home.path("state/admin.token"));
    command.args(["events", "--output", "json", "--publications"]).stdout(Stdio::piped());
    let mut follower = command.stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(follower.stdout.take().unwrap()).lines();
    let (found, seen) = mpsc::channel::<Value>();
    let reader = thread::spawn(move || {
        for line in lines.by_ref().map_while(Result::ok) {
            let event: Value = serde_json::from_str(&line).unwrap();
            if found.send(event).is_err() {
                break;
            }
        }
    });
    let follow = |daemon: &Daemon| {
        // It may not be connected yet, so something happens until it is.
        let mut weight = 0;
        wait_until("event", || {
            weight += 1;
            daemon.api.must("PATCH", WEST, &json!({"weight": weight}).to_string());
            seen.try_iter().any(|it| it["event"] == "change")
        });
    };
    follow(&daemon);
    let address = daemon.api.address.to_string();
    let daemon = daemon.crash().admin(&address).start();
    follow(&daemon);
    follower.kill().unwrap();
    follower.wait().unwrap();
    reader.join().unwrap();
}
