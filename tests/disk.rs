//! The disk of the state directory fills up or can't be written to: changes are refused, and everything else goes on.

#![allow(clippy::unwrap_used, reason = "what tests share may panic like tests")]

mod common;

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Command;

use common::daemon::{Daemon, Home};
use common::namespace::{inside, must};
use common::program::run;
use common::site::Site;
use common::{wait_to_see, wait_until};
use serde_json::json;

const APP: &str = "app.gtm.example.";
const FIRST: &str = "/v1/profiles/app.gtm.example./endpoints/first";

fn home(site: &Site) -> Home {
    let address = site.address;
    Home::new(&format!(
        "[[zone]]\nname = 'gtm.example.'\nnameservers = 'ns.example.'\n\
         [[site]]\nname = 'seattle'\n\
         [[profile]]\nname = '{APP}'\nmethod = 'priority'\n\
         monitor = {{ interval = '400ms', timeout = '300ms', tolerated_failures = 0, required_successes = 1, flap = {{ count = 0 }} }}\n\
         endpoint = [\n\
         {{ name = 'first', site = 'seattle', target = '192.0.2.1', address = '{address}' }},\n\
         {{ name = 'second', target = '192.0.2.2', monitor = {{ protocol = 'none' }} }}]\n"
    ))
}

/// Puts a small file system in the place of the state directory.
fn mount(home: &Home, options: &str) {
    let state = home.path("state");
    fs::create_dir_all(&state).unwrap();
    must(&format!("mount -t tmpfs -o size=64k,{options} farol-test {}", state.display()));
}

/// Writes until there is no room left.
fn fill(path: &Path) {
    let mut file = fs::File::create(path).unwrap();
    while file.write_all(&[0; 1024]).is_ok() {}
}

/// What a daemon does that needs no disk: it answers, it probes, and moves answers by what it finds.
#[track_caller]
fn assert_goes_on(daemon: &Daemon, site: &mut Site) {
    wait_to_see(&vec!["192.0.2.1".to_owned()], || daemon.answers(APP, "A"));
    let probes = site.answered();
    wait_until("another probe", || site.answered() > probes);
    site.kill();
    wait_to_see(&vec!["192.0.2.2".to_owned()], || daemon.answers(APP, "A"));
    site.revive();
    wait_to_see(&vec!["192.0.2.1".to_owned()], || daemon.answers(APP, "A"));
}

/// Every kind of change is refused with this said, and none is made.
#[track_caller]
fn assert_refused(daemon: &Daemon, said: &str) {
    let before =
        daemon.api.must("GET", "/v1/profiles", "")["profiles"][0]["endpoints"][0]["weight"].clone();
    for (method, path, body) in [
        ("PATCH", FIRST, r#"{"weight": 99, "priority": 9}"#),
        ("POST", "/v1/sites/seattle/drain", ""),
    ] {
        let seen = daemon.logged();
        let refused = daemon.api.send(method, path, body);
        assert_eq!(refused.status, 507, "{method} {path}: {}", refused.body);
        let detail = refused.json()["detail"].as_str().unwrap().to_owned();
        let start = "the change could not be stored, so it was not made: could not write `";
        assert!(detail.starts_with(start) && detail.contains(said), "{detail}");
        let logged = daemon.event("store_failed", seen);
        assert!(logged["error"].as_str().unwrap().contains(said), "{logged}");
    }
    let endpoint = daemon.endpoint(APP, "first");
    assert_eq!(endpoint["weight"], before);
    assert_ne!(endpoint["status"], "Drained");
}

/// A backup into the directory fails, and leaves nothing that the next would stumble over.
#[track_caller]
fn assert_no_backup(state: &Path) {
    let names = || fs::read_dir(state).unwrap().count();
    let before = names();
    let mut command = Command::new(env!("CARGO_BIN_EXE_farol"));
    command.args(["state", "backup", "--dir"]).arg(state).arg(state.join("backup"));
    for _ in 0..2 {
        let output = run(&mut command, "");
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(1) && told.contains("could not write"), "{told}");
    }
    assert_eq!(names(), before);
}

#[test]
fn a_full_disk_refuses_changes_and_nothing_else() {
    inside(&["--mount"], "a_full_disk_refuses_changes_and_nothing_else", || {
        let mut site = Site::start();
        let home = home(&site);
        mount(&home, "rw");
        let daemon = home.start();
        wait_to_see(&"Online".to_owned(), || daemon.status(APP, "first"));
        daemon.api.must("PATCH", FIRST, r#"{"weight": 7, "reason": "before"}"#);
        let filler = daemon.home.path("state/filler");
        fill(&filler);
        assert_no_backup(&daemon.home.path("state"));
        assert_refused(&daemon, ": the disk is full, make room on it: ");
        assert_goes_on(&daemon, &mut site);
        // What was in force before still is, also for one that starts while the disk is full.
        let daemon = daemon.crash_and_restart();
        assert_eq!(daemon.endpoint(APP, "first")["weight"], 7);
        wait_to_see(&"Online".to_owned(), || daemon.status(APP, "first"));
        assert_refused(&daemon, ": the disk is full, make room on it: ");

        fs::remove_file(filler).unwrap();
        daemon.api.must("PATCH", FIRST, r#"{"priority": 3}"#);
        let daemon = daemon.crash_and_restart();
        let endpoint = daemon.endpoint(APP, "first");
        assert_eq!((&endpoint["weight"], &endpoint["priority"]), (&json!(7), &json!(3)));
    });
}

#[test]
fn a_read_only_disk_refuses_changes_and_nothing_else() {
    inside(&["--mount"], "a_read_only_disk_refuses_changes_and_nothing_else", || {
        let mut site = Site::start();
        let daemon = home(&site).start();
        wait_to_see(&"Online".to_owned(), || daemon.status(APP, "first"));
        daemon.api.must("PATCH", FIRST, r#"{"weight": 7}"#);
        mount(&daemon.home, "ro");
        let said = ": the file system is read-only, mount it writable or set another `state.dir`: ";
        assert_refused(&daemon, said);
        assert_goes_on(&daemon, &mut site);
        must(&format!("umount {}", daemon.home.path("state").display()));
        daemon.api.must("PATCH", FIRST, r#"{"priority": 3}"#);
        let daemon = daemon.crash_and_restart();
        let endpoint = daemon.endpoint(APP, "first");
        assert_eq!((&endpoint["weight"], &endpoint["priority"]), (&json!(7), &json!(3)));
    });
}

#[test]
fn a_restart_on_a_read_only_disk_goes_on_by_what_is_stored() {
    inside(&["--mount"], "a_restart_on_a_read_only_disk_goes_on_by_what_is_stored", || {
        let mut site = Site::start();
        let first = home(&site);
        let second = home(&site).state(&first.path("state"));
        mount(&first, "rw");
        let daemon = first.start();
        wait_to_see(&"Online".to_owned(), || daemon.status(APP, "first"));
        daemon.api.must("PATCH", FIRST, r#"{"weight": 7}"#);
        site.kill();
        wait_to_see(&"Degraded".to_owned(), || daemon.status(APP, "first"));
        let home = daemon.stop();
        fs::write(home.path("state/overrides.json.new"), "{").unwrap();
        let state = home.path("state").display().to_string();
        must(&format!("mount -o remount,ro {state}"));

        let daemon = home.start();
        assert_eq!(daemon.answers(APP, "A"), ["192.0.2.2"], "the very first answer");
        assert_eq!(daemon.endpoint(APP, "first")["weight"], 7);
        let told = second.fail_to_start();
        assert!(told.contains("is in use by another process: stop it"), "{told}");
        site.revive();
        let said = ": the file system is read-only, mount it writable or set another `state.dir`: ";
        assert_refused(&daemon, said);
        assert_goes_on(&daemon, &mut site);
        let failing = "\nfarol_state_write_success{file=\"overrides\"} 0\n";
        wait_until("metric of the failure", || daemon.api.get("/metrics").body.contains(failing));
        assert_eq!(daemon.api.must("GET", "/v1/status", "")["state"]["well"], false);

        must(&format!("mount -o remount,rw {state}"));
        daemon.api.must("PATCH", FIRST, r#"{"priority": 3}"#);
        let daemon = daemon.crash_and_restart();
        let endpoint = daemon.endpoint(APP, "first");
        assert_eq!((&endpoint["weight"], &endpoint["priority"]), (&json!(7), &json!(3)));
    });
}

#[test]
fn a_first_start_on_such_a_disk_says_what_to_do() {
    inside(&["--mount"], "a_first_start_on_such_a_disk_says_what_to_do", || {
        let site = Site::start();
        let full = ": the disk is full, make room on it: ";
        let read_only =
            ": the file system is read-only, mount it writable or set another `state.dir`: ";
        for (is_full, has_lock, file, said) in [
            (true, true, "admin.token", full),
            (false, true, "admin.token", read_only),
            (false, false, "lock", read_only),
        ] {
            let home = home(&site);
            mount(&home, "rw");
            if has_lock {
                fs::write(home.path("state/lock"), "1\n").unwrap();
            }
            if is_full {
                fill(&home.path("state/filler"));
            } else {
                must(&format!("mount -o remount,ro {}", home.path("state").display()));
            }
            let told = home.fail_to_start();
            let file = home.path("state").join(file);
            assert!(
                told.contains(&format!("could not write `{}`{said}", file.display())),
                "{told}"
            );
        }
    });
}
