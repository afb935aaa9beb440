//! What the daemon says and does while a part of it hangs: strace holds one system call of its, as a sick kernel or disk does.

#![allow(clippy::unwrap_used, reason = "what tests share may panic like tests")]

mod common;

use std::fs;
use std::process::Command;

use common::daemon::Daemon;
use common::namespace::inside;
use common::program::Program;
use common::{loopback, wait_until};
use rustix::process::Signal;
use serde_json::json;

const APP: &str = "app.gtm.example.";
const CONFIG: &str = "
    [[zone]]
    name = 'gtm.example.'
    nameservers = 'ns.example.'
    [[profile]]
    name = 'app.gtm.example.'
    method = 'weighted'
    monitor = { protocol = 'none' }
    endpoint = [{ name = 'only', target = '192.0.2.1' }]
";

/// From now on, no such system call of the daemon comes back until the tracer is dropped. Only who is root may do that to
/// others, at some distributions.
#[track_caller]
fn hold(daemon: &Daemon, call: &str) -> Program {
    let said = daemon.home.path("strace");
    let (process, calls) = (daemon.process().to_string(), daemon.home.path("calls"));
    let mut command = Command::new("strace");
    command.args(["--follow-forks", "--attach", &process, "--trace", call]);
    command.arg("--inject").arg(format!("{call}:delay_enter=3600s"));
    let strace = Program::start(command.arg("--output").arg(calls), &said);
    let threads = || fs::read_dir(format!("/proc/{process}/task")).unwrap();
    wait_until("strace at every thread", || {
        let status = |it: std::path::PathBuf| fs::read_to_string(it.join("status"));
        threads().all(|it| match status(it.unwrap().path()) {
            Ok(status) => !status.contains("TracerPid:\t0\n"),
            Err(_) => true,
        })
    });
    strace
}

#[test]
fn control_that_hangs_is_told_and_answers_go_on() {
    inside(&["--mount"], "control_that_hangs_is_told_and_answers_go_on", || {
        let mut daemon = Daemon::start(CONFIG);
        let health = || daemon.api.get("/healthz");
        assert_eq!(health().status, 200);
        let strace = hold(&daemon, "bind");
        let elsewhere = format!("{}:0", loopback());
        let listen = daemon.home.listens_at().to_vec();
        daemon.home.move_to(&[&listen[0], &elsewhere], None);
        daemon.signal(Signal::HUP);
        assert_eq!(daemon.event("stalled", 0)["part"], "control");
        let health = || daemon.api.get("/healthz");
        assert_eq!(health().status, 503);
        let detail = health().json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.starts_with("the control task has given no sign of life for"), "{detail}");
        let metrics = daemon.api.get("/metrics").body;
        for metric in
            ["farol_stalls_total{part=\"control\"} 1\n", "farol_stalls_total{part=\"runtime\"} 0\n"]
        {
            assert!(metrics.contains(metric), "{metrics}");
        }
        assert_eq!(daemon.answers(APP, "A"), ["192.0.2.1"]);

        drop(strace);
        assert_eq!(daemon.event("stall_ended", 0)["part"], "control");
        wait_until("health", || health().status == 200);
        daemon.event("reloaded", 0);
        daemon.stop();
    });
}

#[test]
fn what_does_not_end_is_cut_off_and_named() {
    inside(&["--mount"], "what_does_not_end_is_cut_off_and_named", || {
        let daemon = Daemon::start(CONFIG);
        let strace = hold(&daemon, "fsync");
        let api = daemon.api.clone();
        let change = std::thread::spawn(move || {
            let only = "/v1/profiles/app.gtm.example./endpoints/only";
            api.try_send("PATCH", only, r#"{"weight": 5}"#).is_ok()
        });
        let written = daemon.home.path("state/overrides.json.new");
        wait_until("change that is being written", || written.exists());
        daemon.signal(Signal::TERM);
        let slow = daemon.event("slow_stop", 0);
        assert_eq!(slow["hung"], json!("control, keeper"), "{slow}");
        // Nobody is told of the end of a process before its tracer.
        drop(strace);
        let (code, log) = daemon.end();
        assert_eq!(code, Some(1), "{log}");
        assert!(!log.contains(r#""event":"stopped""#), "{log}");
        assert!(!change.join().unwrap(), "nobody is told of a change that may not last");
    });
}
