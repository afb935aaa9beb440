//! `farol state`: backing up, restoring and looking at a state directory.

#![allow(clippy::unwrap_used, reason = "what tests share may panic like tests")]

mod common;

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::Path;
use std::process::{Command, Output};

use common::daemon::{Daemon, Home};
use serde_json::{Value, json};

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
    endpoint = [{ name = 'first', site = 'seattle', target = '192.0.2.1' }]
";

/// Runs `farol state` on the configuration of a home.
fn farol(home: &Home, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_farol"));
    command.arg("state").args(arguments);
    for file in ["here.toml", "farol.toml"] {
        command.arg("--config").arg(home.path(file));
    }
    command.output().unwrap()
}

#[track_caller]
fn must(home: &Home, arguments: &[&str]) -> String {
    let output = farol(home, arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[track_caller]
fn refused(home: &Home, arguments: &[&str]) -> String {
    let output = farol(home, arguments);
    assert_eq!(output.status.code(), Some(1));
    String::from_utf8(output.stderr).unwrap()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn a_backup_of_a_running_daemon_is_restored_once_it_has_stopped() {
    let daemon = Daemon::start(CONFIG);
    let drain = json!({"reason": "new firewall", "expires": "1h"}).to_string();
    daemon.api.must("POST", "/v1/sites/seattle/drain", &drain);
    let backup = daemon.home.path("backup.json");
    let told = must(&daemon.home, &["backup", text(&backup)]);
    assert!(told.contains("1 change, "), "{told}");
    assert_eq!(fs::metadata(&backup).unwrap().permissions().mode() & 0o777, 0o600);
    let again = refused(&daemon.home, &["backup", text(&backup)]);
    assert!(again.contains("is there already: name another file"), "never over a file: {again}");
    let token = fs::read_to_string(daemon.home.path("state/admin.token")).unwrap();
    assert!(!fs::read_to_string(&backup).unwrap().contains(token.trim()));

    daemon.api.must("POST", "/v1/sites/seattle/undrain", "");
    let in_use = refused(&daemon.home, &["restore", text(&backup)]);
    assert!(in_use.contains(&format!("in use by process {}", daemon.process())), "{in_use}");
    assert_eq!(daemon.status("app.gtm.example.", "first"), "Unmonitored");

    let home = daemon.stop();
    let kept = must(&home, &["restore", text(&backup)]);
    assert!(kept.contains("kept: ") && kept.contains("overrides.json.before-"), "{kept}");
    let daemon = home.start();
    assert_eq!(daemon.status("app.gtm.example.", "first"), "Drained");
    let site = daemon.api.must("GET", "/v1/sites", "")["sites"][0].clone();
    assert_eq!(site["drain"]["reason"], "new firewall");
    assert!(site["drain"]["expires"].is_string());
    daemon.stop();
}

#[test]
fn a_backup_is_restored_into_a_new_directory_only_if_that_was_made() {
    let daemon = Daemon::start(CONFIG);
    daemon.api.must("POST", "/v1/sites/seattle/drain", "");
    let home = daemon.stop();
    let (backup, new) = (home.path("backup.json"), home.path("stat"));
    must(&home, &["backup", text(&backup)]);
    let restore = ["restore", text(&backup), "--dir", text(&new)];
    let told = refused(&home, &restore);
    assert!(told.contains(&format!("no state directory `{}`", text(&new))), "{told}");
    assert!(told.contains(&format!("install -d -m 700 -o USER {}", text(&new))), "{told}");
    assert!(!new.exists());
    fs::create_dir(&new).unwrap();
    must(&home, &restore);
    let daemon = home.state(&new).start();
    assert_eq!(daemon.status("app.gtm.example.", "first"), "Drained");
    daemon.stop();
}

#[test]
fn no_damaged_or_newer_backup_is_restored() {
    let daemon = Daemon::start(CONFIG);
    daemon.api.must("POST", "/v1/sites/seattle/drain", "");
    let home = daemon.stop();
    let backup = must(&home, &["backup", "-"]);
    for (bad, told) in [
        (&backup[..backup.len() / 2], "it is not the JSON"),
        (&backup.replace("seattle", "orlando"), "its checksum does not fit"),
        (&backup.replace("\"version\":1", "\"version\":2"), "a newer one wrote it"),
    ] {
        home.write("bad.json", bad);
        let said = refused(&home, &["restore", text(&home.path("bad.json"))]);
        assert!(said.contains(told), "{said}");
    }
    assert!(must(&home, &["show"]).contains("site seattle  drained  admin"));
}

#[test]
fn what_is_stored_can_be_looked_at() {
    let daemon = Daemon::start(CONFIG);
    let drain = json!({"reason": "why", "expires": "1h"}).to_string();
    daemon.api.must("POST", "/v1/sites/seattle/drain", &drain);
    let shown = must(&daemon.home, &["show"]);
    let words = ["ON", "UNTIL", "site seattle", "drained", "admin", "why"];
    assert!(words.iter().all(|it| shown.contains(it)), "{shown}");
    let shown: Value = must(&daemon.home, &["show", "-o", "json"]).parse().unwrap();
    assert_eq!(
        (&shown["changes"][0]["on"], &shown["changes"][0]["by"]),
        (&json!("site seattle"), &json!("admin"))
    );
    let gone = refused(&daemon.home, &["show", "--dir", "/nonexistent"]);
    assert!(gone.contains("could not read `/nonexistent`"), "{gone}");
}

#[test]
fn what_root_restores_belongs_to_whom_the_directory_belongs() {
    // Only root can make another the owner; for everybody else it is themselves.
    let me = rustix::process::geteuid();
    let owner = if me.is_root() { 65_534 } else { me.as_raw() };
    let daemon = Daemon::start(CONFIG);
    daemon.api.must("POST", "/v1/sites/seattle/drain", "");
    let home = daemon.stop();
    let (state, backup) = (home.path("state"), home.path("backup.json"));
    let farol = |arguments: &[&str]| {
        let run = Command::new(env!("CARGO_BIN_EXE_farol"))
            .args(["state", "--dir", state.to_str().unwrap()])
            .args(arguments)
            .output()
            .unwrap();
        assert!(run.status.success(), "{run:?}");
    };
    farol(&["backup", backup.to_str().unwrap()]);
    chown(&state, Some(owner), None).unwrap();
    farol(&["restore", backup.to_str().unwrap()]);
    for file in ["lock", "overrides.json", "verdicts.json"] {
        assert_eq!(fs::metadata(state.join(file)).unwrap().uid(), owner);
    }
}
