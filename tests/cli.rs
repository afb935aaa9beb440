//! The command line as an operator uses it: the real program, as daemon and as its client.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test's helpers may panic too")]

mod common;

use std::process::Command;

use serde_json::Value;

use common::daemon::Daemon;

const PROFILE: &str = "app.gtm.example";

const CONFIG: &str = r#"
[[zone]]
name = "gtm.example."
nameservers = ["ns1.example.net."]

[[site]]
name = "seattle"
location = { latitude = 47.6, longitude = -122.3, region = "US-WA" }

[[site]]
name = "orlando"

[[profile]]
name = "app.gtm.example."
method = "weighted"
monitor = { protocol = "none" }

[[profile.endpoint]]
name = "seattle"
site = "seattle"
target = "192.0.2.10"
weight = 75

[[profile.endpoint]]
name = "orlando"
site = "orlando"
target = "198.51.100.10"
weight = 25
"#;

/// What came of running the program.
#[derive(Debug)]
struct Run {
    code: Option<i32>,
    out: String,
    err: String,
}

/// Runs the program to its end, with no environment of its own but this.
fn farol(args: &[&str], environment: &[(&str, &str)]) -> Run {
    let mut command = Command::new(env!("CARGO_BIN_EXE_farol"));
    for key in ["FAROL_SERVER", "FAROL_TOKEN", "FAROL_TOKEN_FILE", "FAROL_LOG", "FAROL_LOG_FORMAT"]
    {
        command.env_remove(key);
    }
    let output = command.args(args).envs(environment.iter().copied()).output().unwrap();
    let text = |octets| String::from_utf8(octets).unwrap();
    Run { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

fn server(daemon: &Daemon) -> String {
    format!("http://{}", daemon.api.address)
}

/// Runs a verb with a daemon's address and token.
fn run(daemon: &Daemon, args: &[&str]) -> Run {
    let token_file = daemon.home.path("state/admin.token");
    let token_file = token_file.to_str().unwrap();
    farol(args, &[("FAROL_SERVER", &server(daemon)), ("FAROL_TOKEN_FILE", token_file)])
}

#[track_caller]
fn check(run: &Run, code: i32, parts: &[&str]) {
    assert_eq!(run.code, Some(code), "{run:?}");
    for part in parts {
        assert!(run.out.contains(part) || run.err.contains(part), "no `{part}` in {run:?}");
    }
}

#[track_caller]
fn json(run: &Run) -> Value {
    assert_eq!(run.code, Some(0), "{run:?}");
    serde_json::from_str(&run.out).unwrap()
}

#[test]
fn everything_can_be_seen_as_tables_and_as_json() {
    let daemon = Daemon::start(CONFIG);
    let server = format!("at {}: ", server(&daemon));
    check(
        &run(&daemon, &["status"]),
        0,
        &[&server, "1 profile in 1 zone, 2 endpoints: 2 Unmonitored\n", "All is well."],
    );
    check(
        &run(&daemon, &["profile", "list"]),
        0,
        &["PROFILE           STATUS", "app.gtm.example.  Online  weighted  30s      2/2\n"],
    );
    check(
        &run(&daemon, &["profile", "show", PROFILE]),
        0,
        &["method                weighted\n", "192.0.2.10     Unmonitored", "75 %"],
    );
    check(
        &run(&daemon, &["endpoint", "list"]),
        0,
        &["app.gtm.example.  seattle", "app.gtm.example.  orlando"],
    );
    check(
        &run(&daemon, &["endpoint", "show", PROFILE, "orlando"]),
        0,
        &["target    198.51.100.10\n", "share     25 %\n"],
    );
    check(&run(&daemon, &["site", "list"]), 0, &["seattle  US-WA   in service      1/1\n"]);
    check(
        &run(&daemon, &["explain", PROFILE, "--client", "10.0.0.1"]),
        0,
        &["question    app.gtm.example. A from 10.0.0.1\n", "75 %  answers"],
    );
    check(
        &run(&daemon, &["explain", PROFILE, "--type", "AAAA"]),
        0,
        &["NODATA", "has no address of this type"],
    );

    let json = |args: &[&str]| json(&run(&daemon, &[args, &["--output", "json"]].concat()));
    assert_eq!(json(&["status"])["endpoints"]["Unmonitored"], 2);
    assert_eq!(json(&["profile", "list"])["profiles"][0]["ttl"], 30);
    assert_eq!(json(&["profile", "show", PROFILE])["endpoints"][1]["name"], "orlando");
    assert_eq!(json(&["endpoint", "list"])["profiles"][0]["name"], "app.gtm.example.");
    assert_eq!(json(&["endpoint", "list", PROFILE])["method"], "weighted");
    assert_eq!(json(&["endpoint", "show", PROFILE, "seattle"])["share"], 75.0);
    assert_eq!(json(&["site", "list"])["sites"][0]["name"], "seattle");
    assert_eq!(json(&["explain", PROFILE])["method"], "weighted");
    assert_eq!(json(&["reload"])["changed"], Value::Array(Vec::new()));
}

#[test]
fn changes_say_what_they_did() {
    let daemon = Daemon::start(CONFIG);
    let endpoint = |verb: &str, rest: &[&str]| {
        run(&daemon, &[&["endpoint", verb, PROFILE, "seattle"], rest].concat())
    };
    check(
        &endpoint("set", &["--weight", "25", "--reason", "less load"]),
        0,
        &["weight  75 → 25\n", "share   75 % → 50 %\n", "since generation "],
    );
    check(&endpoint("show", &[]), 0, &["overrides  weight 25 by admin, ", " ago: less load\n"]);
    check(
        &run(&daemon, &["endpoint", "list", PROFILE]),
        0,
        &["25*", "* seattle: weight 25 by admin"],
    );
    check(&run(&daemon, &["status"]), 0, &["Overrides in force:", "seattle   weight\n"]);
    check(
        &run(&daemon, &["reload"]),
        0,
        &["nothing is different", "app.gtm.example. seattle: weight 25 over 75\n"],
    );
    check(&endpoint("clear", &["weight"]), 0, &["weight  25 → 75\n"]);

    check(&endpoint("set", &["--forced", "down"]), 0, &["status  Unmonitored → Degraded\n"]);
    check(&run(&daemon, &["status"]), 1, &["seattle   forced down\n", "farol endpoint list"]);
    check(&endpoint("set", &["--forced", "none"]), 0, &["forced  down → none\n"]);
    check(&endpoint("set", &["--enabled", "false"]), 0, &["enabled  true → false\n"]);
    check(&endpoint("clear", &[]), 0, &["enabled  false → true\n"]);
    check(&endpoint("clear", &[]), 0, &["nothing to clear"]);
    let changed = json(&endpoint("set", &["--priority", "9", "-o", "json"]));
    assert_eq!((&changed["priority"], changed["generation"].is_u64()), (&9.into(), true));

    let drain = ["site", "drain", "orlando", "--reason", "new firewall"];
    check(&run(&daemon, &drain), 0, &["orlando: in service → drained; answers name none of its 1"]);
    check(&run(&daemon, &["site", "list"]), 0, &["drained by admin, ", " ago: new firewall\n"]);
    check(&run(&daemon, &["site", "undrain", "orlando"]), 0, &["orlando: drained → in service; "]);
}

#[test]
fn errors_say_what_to_do() {
    let daemon = Daemon::start(CONFIG);
    check(
        &run(&daemon, &["profile", "show", "ap.gtm.example"]),
        1,
        &["farol: no profile is called `ap.gtm.example`; did you mean app.gtm.example.?"],
    );
    check(
        &run(&daemon, &["endpoint", "show", PROFILE, "seatle"]),
        1,
        &["profile `app.gtm.example.` has no endpoint `seatle`; did you mean seattle?"],
    );
    check(&run(&daemon, &["site", "drain", "seatle"]), 1, &["did you mean seattle?"]);
    check(&run(&daemon, &["explain", PROFILE, "--type", "A6X"]), 1, &["farol: type: "]);
    let nothing = ["endpoint", "set", PROFILE, "seattle"];
    check(&run(&daemon, &nothing), 2, &["required", "--weight"]);

    let at = ["--server", &server(&daemon)];
    let wrong = farol(&[&at[..], &["profile", "list"]].concat(), &[("FAROL_TOKEN", "wrong")]);
    check(&wrong, 2, &["unexpected argument '--server'"]);
    let list = [&["profile", "list"], &at[..]].concat();
    let wrong = farol(&list, &[("FAROL_TOKEN", "0123456789abcdef")]);
    check(
        &wrong,
        1,
        &["did not accept the token in FAROL_TOKEN; give its token with --token-file"],
    );
    assert!(!wrong.err.contains("0123456789abcdef"), "{wrong:?}");
    check(
        &farol(&[&list[..], &["--token-file", "/nowhere/token"]].concat(), &[]),
        1,
        &["`/nowhere/token`, which --token-file names: no such file"],
    );

    daemon.home.write("farol.toml", "[[profile]]\nnmae = 'x'\n");
    check(
        &run(&daemon, &["reload"]),
        1,
        &["what runs is kept:\n", "profile[#1].nmae: no such key"],
    );
    let server = server(&daemon);
    drop(daemon);
    let gone = ["--server", &server];
    let told =
        format!("no daemon answers at {server} (connection refused): is `farol serve` running?");
    let token = [("FAROL_TOKEN", "any")];
    check(&farol(&[&["status"], &gone[..]].concat(), &token), 2, &[&told]);
    check(&farol(&[&["site", "list"], &gone[..]].concat(), &token), 1, &[&told]);
}

#[test]
fn the_demo_shows_answers_and_ends() {
    let run = farol(&["demo", "--seconds", "6"], &[]);
    check(
        &run,
        0,
        &[
            "dig @127.0.0.1 -p ",
            " app.gtm.example\n",
            " status --server http://127.0.0.1:",
            "share of real DNS answers",
            "seattle                 orlando                 dublin\n",
            " % ( 60)  ",
            "Goodbye.",
        ],
    );
    assert!(!run.err.contains("WARN"), "{run:?}");
}
