//! Whatever is wrong with what the daemon is given: each thing is called by its name, with what to do, and answers go on.

#![allow(clippy::unwrap_used, reason = "what tests share may panic like tests")]

mod common;

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;

use common::daemon::{Daemon, Home};
use rustix::process::geteuid;

const NAME: &str = "app.gtm.example.";
const PATCH: &str = "/v1/profiles/app.gtm.example./endpoints/first";
const CONFIG: &str = "
    [[zone]]
    name = 'gtm.example.'
    nameservers = 'ns.example.'
    file = 'gtm.zone'
    [[profile]]
    name = 'app.gtm.example.'
    method = 'priority'
    monitor = { protocol = 'none' }
    endpoint = [{ name = 'first', target = '192.0.2.1' }]
";
const ZONE: &str = "www 60 IN A 192.0.2.7\n";
/// The user that the daemon runs as where the test is root, whom nothing is forbidden.
const NOBODY: u32 = 65_534;

/// Breaks a file of the configuration.
type Break = fn(&Path);
/// What becomes of a state file.
type Damage = fn(Vec<u8>) -> Vec<u8>;

fn home() -> Home {
    let home = Home::new(CONFIG);
    home.write("gtm.zone", ZONE);
    home
}

/// Everybody may read what is in the home, and its daemon is an ordinary user's.
fn unprivileged(home: Home) -> Home {
    set_mode(&home.path("."), 0o755);
    if !geteuid().is_root() {
        return home;
    }
    let (user, group) = (format!("--reuid={NOBODY}"), format!("--regid={NOBODY}"));
    home.through(&["setpriv", &user, &group, "--clear-groups"])
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

#[track_caller]
fn assert_answers(daemon: &Daemon) {
    assert_eq!(daemon.answers(NAME, "A"), ["192.0.2.1"]);
    assert_eq!(daemon.answers("www.gtm.example.", "A"), ["192.0.2.7"]);
    assert_eq!(daemon.api.get("/healthz").status, 200);
}

#[test]
fn a_reload_of_broken_files_is_refused_by_their_names() {
    let breaks: [(&str, &str, Break); 9] = [
        ("farol.toml", "farol.toml", |it| fs::write(it, "[[zone]\nname = 'x.'\n").unwrap()),
        ("farol.toml", "no such key", |it| fs::write(it, format!("zones = 1\n{CONFIG}")).unwrap()),
        ("farol.toml", "found \"192.0.2\"", |it| {
            fs::write(it, CONFIG.replace("192.0.2.1", "192.0.2")).unwrap();
        }),
        ("farol.toml", "UTF-8", |it| fs::write(it, [0xff, 0xfe, 0]).unwrap()),
        ("farol.toml", "can't be read: No such file", |it| fs::remove_file(it).unwrap()),
        ("farol.toml", "it is a device, not a regular file", |it| {
            fs::remove_file(it).unwrap();
            std::os::unix::fs::symlink("/dev/null", it).unwrap();
        }),
        ("gtm.zone", "can't be read: No such file", |it| fs::remove_file(it).unwrap()),
        ("gtm.zone", "gtm.zone", |it| fs::write(it, "www 60 IN A not-an-address\n").unwrap()),
        ("gtm.zone", "gtm.zone", |it| fs::write(it, "www 60 IN").unwrap()),
    ];
    let daemon = home().start();
    for (number, (file, said, break_it)) in breaks.into_iter().enumerate() {
        let path = daemon.home.path(file);
        break_it(&path);
        let refused = daemon.reload("reload_refused");
        let message = refused["message"].as_str().unwrap().to_owned();
        assert!(message.contains(file) && message.contains(said), "{number}: {message}");
        assert!(message.starts_with("the configuration has errors, so what runs is kept"));
        let response = daemon.api.post("/v1/reload", "");
        assert_eq!(response.status, 422, "{}", response.body);
        assert!(response.body.contains(file), "{}", response.body);
        assert_answers(&daemon);
        daemon.api.must("PATCH", PATCH, &format!("{{\"weight\": {number}}}"));
        fs::remove_file(&path).unwrap_or_default();
        fs::write(&path, if file == "gtm.zone" { ZONE } else { CONFIG }).unwrap();
        daemon.reload("reloaded");
    }
    assert_eq!(daemon.endpoint(NAME, "first")["weight"], 8);
    assert_answers(&daemon);
}

#[test]
fn a_state_file_that_makes_no_sense_is_set_aside_and_named() {
    let mut daemon = home().start();
    let file = daemon.home.path("state/overrides.json");
    let cuts: [(Damage, &str); 5] = [
        (|it| it[..it.len() / 2].to_vec(), "it is not the JSON that Farol writes"),
        (|_| Vec::new(), "it is not the JSON that Farol writes"),
        (|it| vec![0; it.len()], "it is not the JSON that Farol writes"),
        (
            |it| String::from_utf8(it).unwrap().replace("\"ann\"", "\"bob\"").into(),
            "its checksum does not fit its content",
        ),
        (
            |it| String::from_utf8(it).unwrap().replace("\"version\":1", "\"version\":99").into(),
            "a newer one wrote it",
        ),
    ];
    for (number, (cut, why)) in cuts.into_iter().enumerate() {
        daemon.api.must("PATCH", PATCH, r#"{"weight": 42, "reason": "ann"}"#);
        let home = daemon.crash();
        let damaged = cut(fs::read(&file).unwrap());
        fs::write(&file, &damaged).unwrap();
        daemon = home.start();
        let event = daemon.event("state_set_aside", 0);
        assert!(event["why"].as_str().unwrap().contains(why), "{event}");
        let aside = event["file"].as_str().unwrap().to_owned();
        assert!(event["message"].as_str().unwrap().contains(&aside), "{event}");
        assert!(aside.starts_with(file.to_str().unwrap()), "{aside}");
        assert_eq!(fs::read(&aside).unwrap(), damaged, "{number}: it is kept as it was");
        // Nothing is in force, and changes work.
        assert_answers(&daemon);
        assert_eq!(daemon.endpoint(NAME, "first")["overrides"], serde_json::json!([]));
    }
    let state = fs::read_dir(daemon.home.path("state")).unwrap();
    let aside =
        state.filter(|it| it.as_ref().unwrap().path().to_string_lossy().contains("damaged"));
    assert_eq!(aside.count(), 5, "none took the place of another");
}

#[test]
fn a_state_directory_of_another_user_is_named_with_what_to_do() {
    // Of someone else at the start: neither readable nor writable, then readable.
    for mode in [0o700, 0o755] {
        let home = unprivileged(home());
        let state = home.path("state");
        fs::create_dir(&state).unwrap();
        set_mode(&state, if geteuid().is_root() { mode } else { mode & 0o055 });
        let said = home.fail_to_start();
        let file = state.join("lock").display().to_string();
        let what =
            ": not permitted, give the directory and its files to the user that Farol runs as";
        assert!(said.contains(&format!("could not write `{file}`{what}")), "{said}");
        set_mode(&state, 0o700);
    }

    // Taken away while the daemon runs.
    let home = unprivileged(home());
    let state = home.path("state");
    fs::create_dir(&state).unwrap();
    if geteuid().is_root() {
        chown(&state, Some(NOBODY), Some(NOBODY)).unwrap();
    }
    let daemon = home.start();
    daemon.api.must("PATCH", PATCH, r#"{"weight": 5}"#);
    if geteuid().is_root() {
        chown(&state, Some(0), Some(0)).unwrap();
    } else {
        set_mode(&state, 0o500);
    }
    let refused = daemon.api.send("PATCH", PATCH, r#"{"weight": 6}"#);
    assert_eq!(refused.status, 507, "{}", refused.body);
    let what = ": not permitted, give the directory and its files to the user that Farol runs as: ";
    assert!(refused.body.contains(what), "{}", refused.body);
    assert!(daemon.event("store_failed", 0)["error"].as_str().unwrap().contains(what));
    assert_answers(&daemon);
    assert_eq!(daemon.endpoint(NAME, "first")["weight"], 5);
    // Given back.
    if geteuid().is_root() {
        chown(&state, Some(NOBODY), Some(NOBODY)).unwrap();
    } else {
        set_mode(&state, 0o700);
    }
    daemon.api.must("PATCH", PATCH, r#"{"weight": 7}"#);
    let daemon = daemon.crash_and_restart();
    assert_eq!(daemon.endpoint(NAME, "first")["weight"], 7);
}

#[test]
fn a_token_that_others_may_read_is_warned_of_and_one_that_is_none_is_refused() {
    let home = home().start().stop();
    let token = home.path("state/admin.token");
    set_mode(&token, 0o644);
    let daemon = home.start();
    let warning = daemon.event("token_too_open", 0);
    assert_eq!((&warning["level"], &warning["file"]), (&"WARN".into(), &token.to_str().into()));
    let what = format!("others may read {0}; run: chmod 600 {0}", token.display());
    assert_eq!(warning["message"], what);
    assert_answers(&daemon);
    let home = daemon.stop();
    fs::write(&token, "short\n").unwrap();
    let said = home.fail_to_start();
    assert!(
        said.contains("holds no token: write one of at least 16 characters, or remove the file"),
        "{said}"
    );
}

#[test]
fn a_second_daemon_on_the_same_state_leaves_the_first_alone() {
    let daemon = home().start();
    daemon.api.must("PATCH", PATCH, r#"{"weight": 5}"#);
    let second = home().state(&daemon.home.path("state"));
    let said = second.fail_to_start();
    let state = daemon.home.path("state").display().to_string();
    let who = format!(
        "in use by process {}: stop it, or give this one another `state.dir`",
        daemon.process()
    );
    assert!(said.contains(&format!("the state directory `{state}` is {who}")), "{said}");
    assert_answers(&daemon);
    daemon.api.must("PATCH", PATCH, r#"{"weight": 6}"#);
    let daemon = daemon.crash_and_restart();
    assert_eq!(daemon.endpoint(NAME, "first")["weight"], 6);
}
