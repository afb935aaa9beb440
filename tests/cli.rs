//! The command line as an operator uses it: the real program, as daemon and as its client.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test's helpers may panic too")]

mod common;

use std::process::Command;

use common::cli::{Run, check, farol, json};
use common::daemon::Daemon;
use serde_json::Value;

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

fn server(daemon: &Daemon) -> String {
    format!("http://{}", daemon.api.address)
}

/// Runs a verb with a daemon's address and token.
fn run(daemon: &Daemon, args: &[&str]) -> Run {
    let token_file = daemon.home.path("state/admin.token");
    let token_file = token_file.to_str().unwrap();
    farol(args, &[("FAROL_SERVER", &server(daemon)), ("FAROL_TOKEN_FILE", token_file)])
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
    assert_eq!(json(&["explain", PROFILE])["profiles"][0]["method"], "weighted");
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
    check(
        &run(&daemon, &["status"]),
        0,
        &["Overrides in force:", "seattle   weight 25 by admin, "],
    );
    check(
        &run(&daemon, &["reload"]),
        0,
        &["nothing is different", "app.gtm.example. seattle: weight 25 over 75\n"],
    );
    check(&endpoint("clear", &["weight"]), 0, &["weight  25 → 75\n"]);

    check(&endpoint("set", &["--forced", "down"]), 0, &["status  Unmonitored → Degraded\n"]);
    check(&run(&daemon, &["status"]), 1, &["seattle   forced down\n", "farol endpoint list"]);
    check(&run(&daemon, &["endpoint", "set", PROFILE, "orlando", "--forced", "down"]), 0, &[]);
    check(&run(&daemon, &["status"]), 2, &["None or too few endpoints healthy"]);
    check(&run(&daemon, &["endpoint", "clear", PROFILE, "orlando"]), 0, &[]);
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
    check(
        &run(&daemon, &["status"]),
        1,
        &["a reload was refused ", "profile[#1].nmae: no such key", "The answers are well; "],
    );
    check(
        &farol(&[&["status"], &at[..]].concat(), &[("FAROL_TOKEN", "wrong")]),
        3,
        &["did not accept"],
    );
    let server = server(&daemon);
    drop(daemon);
    let gone = ["--server", &server];
    let told =
        format!("no daemon answers at {server} (connection refused): is `farol serve` running?");
    let token = [("FAROL_TOKEN", "any")];
    check(&farol(&[&["status"], &gone[..]].concat(), &token), 3, &[&told]);
    check(&farol(&[&["site", "list"], &gone[..]].concat(), &token), 1, &[&told]);
}

#[test]
fn yaml_is_the_same_document() {
    let daemon = Daemon::start(CONFIG);
    let yaml = |args: &[&str]| run(&daemon, &[args, &["--output", "yaml"]].concat());
    check(&yaml(&["profile", "show", PROFILE]), 0, &["name: app.gtm.example.\n", "\nttl: 30\n"]);
    check(&yaml(&["endpoint", "show", PROFILE, "seattle"]), 0, &["weight: 75\n"]);
    check(&yaml(&["status"]), 0, &["ready: true\n", "  Unmonitored: 2\n"]);
    check(&yaml(&["site", "list"]), 0, &["latitude: 47.6\n"]);
    check(&yaml(&["site", "drain", "orlando"]), 0, &["drained: true\n"]);
    check(&yaml(&["explain", PROFILE]), 0, &["  method: weighted\n"]);
    check(&yaml(&["reload"]), 0, &["changed: []\n"]);
}

#[test]
fn a_change_is_refused_when_somebody_was_faster() {
    let daemon = Daemon::start(CONFIG);
    let etag = json(&run(&daemon, &["profile", "show", PROFILE, "-o", "json"]))["etag"].clone();
    let set = |weight: &str, etag: &str| {
        run(
            &daemon,
            &["endpoint", "set", PROFILE, "seattle", "--weight", weight, "--if-match", etag],
        )
    };
    let etag = etag.as_str().unwrap();
    check(&set("20", etag), 0, &["weight  75 → 20\n"]);
    check(&set("30", etag), 1, &["somebody else has changed it; look at it"]);
    let clear = ["endpoint", "clear", PROFILE, "seattle", "--if-match", etag];
    check(&run(&daemon, &clear), 1, &["somebody else has changed it"]);
    let drain = ["site", "drain", "orlando", "--if-match", etag];
    check(&run(&daemon, &drain), 1, &["somebody else has changed it"]);
}

#[test]
fn daemons_have_names() {
    let daemon = Daemon::start(CONFIG);
    let home = tempfile::tempdir().unwrap();
    let home = [("XDG_CONFIG_HOME", home.path().to_str().unwrap())];
    let token_file = daemon.home.path("state/admin.token");
    let (server, token_file) = (server(&daemon), token_file.to_str().unwrap().to_owned());
    check(&farol(&["context", "list"], &home), 0, &["There is no context; make one with"]);
    let set = ["context", "set", "here", "--server", &server, "--token-file", &token_file];
    check(&farol(&set, &home), 0, &["Commands that name no other daemon go to here."]);
    check(&farol(&["context", "set", "gone", "--server", "http://127.0.0.1:1"], &home), 0, &[]);
    check(&farol(&["status"], &home), 0, &["All is well."]);
    check(&farol(&["context", "use", "gone"], &home), 0, &["go to gone."]);
    check(&farol(&["status"], &home), 3, &["no daemon answers at http://127.0.0.1:1 "]);
    check(&farol(&["status", "--context", "here"], &home), 0, &["All is well."]);
    check(&farol(&["status"], &[home[0], ("FAROL_CONTEXT", "here")]), 0, &["All is well."]);
    check(&farol(&["status", "--context", "her"], &home), 3, &["did you mean here?"]);
    // The token of a context is for its own server.
    let other = farol(&["status", "--server", &server], &home);
    check(&other, 3, &["wants a token, and none was given"]);
    check(&farol(&["context", "show", "here"], &home), 0, &[&server, &token_file]);
    check(&farol(&["context", "list"], &home), 0, &["gone*"]);
    check(&farol(&["context", "delete", "gone"], &home), 0, &[]);
    check(&farol(&["context", "show"], &home), 1, &["choose one with `farol context use NAME`"]);
}

#[test]
fn bash_completes_verbs() {
    let script = farol(&["completions", "bash"], &[]).out;
    let words =
        "COMP_WORDS=(farol endp); COMP_CWORD=1; _farol farol endp farol; echo ${COMPREPLY[@]}";
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&file, format!("{script}\n{words}")).unwrap();
    let output = Command::new("bash").arg(file.path()).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "endpoint\n", "{output:?}");
    for shell in ["zsh", "fish", "elvish", "powershell"] {
        check(&farol(&["completions", shell], &[]), 0, &["farol", "endpoint"]);
    }
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

#[test]
fn each_command_has_its_manual_page() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().to_str().unwrap();
    check(&farol(&["man", path], &[]), 0, &[path]);
    for (page, parts) in [
        ("farol.1", ["farol-endpoint(1)", "Exit codes"]),
        ("farol-endpoint-set.1", ["weight", "Examples"]),
        ("farol-audit-verify.1", ["--config", "state directory"]),
    ] {
        let text = std::fs::read_to_string(directory.path().join(page)).unwrap();
        let text = text.replace('\\', "");
        for part in parts {
            assert!(text.contains(part), "{page} has no `{part}`:\n{text}");
        }
    }
    check(&farol(&["man", "/nowhere"], &[]), 1, &["could not write manual pages to /nowhere"]);
}
