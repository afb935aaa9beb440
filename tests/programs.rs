//! Programs that probe: their exit status decides, and none outlives its reason to run.

#![allow(clippy::unwrap_used, reason = "what tests share may panic like tests")]

mod common;

use std::fs;
use std::path::Path;

use common::daemon::{Daemon, Home};
use common::{wait_for, wait_to_see, wait_until};
use rustix::process::{Pid, test_kill_process};

/// A profile whose first endpoint a shell's script probes.
fn config(script: &str) -> String {
    format!(
        "[[zone]]\nname = 'gtm.example.'\nnameservers = 'ns.example.'\n[[profile]]\nname = 'app.gtm.example.'\nmethod = 'priority'\n\
         [profile.monitor]\nprotocol = 'exec'\ncommand = ['/bin/sh', '-c', \"{script}\"]\ninterval = '10s'\ntimeout = '9s'\n\
         [[profile.endpoint]]\nname = 'a'\ntarget = '192.0.2.1'\n\
         [[profile.endpoint]]\nname = 'b'\ntarget = '192.0.2.2'\nmonitor = {{ protocol = 'none' }}\n"
    )
}

fn answers(daemon: &Daemon) -> Vec<String> {
    daemon.answers("app.gtm.example.", "A")
}

/// The number of the process that has written it into a file.
fn pid(file: &Path) -> Pid {
    let text =
        wait_for("program", || fs::read_to_string(file).ok().filter(|it| it.ends_with('\n')));
    Pid::from_raw(text.trim().parse().unwrap()).unwrap()
}

fn wait_for_end(pid: Pid) {
    wait_until("end of the program", || test_kill_process(pid).is_err());
}

#[test]
fn a_program_decides() {
    let home = Home::new("");
    let gate = home.path("open");
    let script =
        format!("test -e {} || {{ echo $FAROL_ADDRESS is closed; exit 3; }}", gate.display());
    home.write(
        "farol.toml",
        &config(&script).replace("'10s'", "'200ms'").replace("'9s'", "'190ms'"),
    );
    let daemon = home.start();
    wait_to_see(&vec!["192.0.2.2".to_owned()], || answers(&daemon));
    let shown = daemon.api.must("GET", "/v1/profiles/app.gtm.example", "");
    let last = &shown["endpoints"][0]["last_probe"];
    assert_eq!(last["reason"], "exit status 3: 192.0.2.1 is closed", "{shown}");
    assert_eq!(last["phase"], "exec");
    fs::write(&gate, "").unwrap();
    wait_to_see(&vec!["192.0.2.1".to_owned()], || answers(&daemon));

    let endpoint = "/v1/profiles/app.gtm.example/endpoints/a";
    let forced = daemon.api.must("PATCH", endpoint, r#"{"forced": "down"}"#);
    assert!(forced["status"] == "Degraded" && forced["verdict"] == "Online", "{forced}");
    daemon.stop();
}

#[test]
fn no_program_outlives_its_endpoint_or_the_daemon() {
    let home = Home::new("");
    let file = home.path("pid");
    // First the shell, then what it has started.
    let script = format!("(sleep 3000 & echo $! > {}; wait)", file.display());
    home.write("farol.toml", &config(&script));
    let daemon = home.start();
    let first = pid(&file);
    assert!(test_kill_process(first).is_ok());
    fs::remove_file(&file).unwrap();
    let seen = daemon.logged();
    daemon.home.write("farol.toml", &config(&script).replace("'10s'", "'11s'"));
    daemon.event("reloaded", seen);
    wait_for_end(first);
    let second = pid(&file);
    assert!(test_kill_process(second).is_ok());
    daemon.stop();
    wait_for_end(second);
}
