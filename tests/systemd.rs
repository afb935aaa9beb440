//! What systemd hears, played by a socket.

#![allow(clippy::unwrap_used, reason = "what tests share may panic like tests")]

mod common;

use std::os::unix::net::UnixDatagram;

use common::PATIENCE;
use common::daemon::{Daemon, Home};
use rustix::process::Signal;

const ZONE: &str = "[[zone]]\nname = 'gtm.example.'\nnameservers = 'ns.example.'\n";

/// The next messages until one has this line.
#[track_caller]
fn hear(socket: &UnixDatagram, line: &str) -> String {
    let mut heard = Vec::new();
    loop {
        let mut message = [0; 4096];
        let length = socket.recv(&mut message).map_err(|it| format!("{it}: {heard:?}")).unwrap();
        let message = String::from_utf8_lossy(&message[..length]).into_owned();
        if message.lines().any(|it| it == line) {
            return message;
        }
        heard.push(message);
    }
}

fn start(watchdog_usec: &str) -> (Daemon, UnixDatagram, tempfile::TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let home = Home::new(ZONE).environment(&[
        ("NOTIFY_SOCKET", path.to_str().unwrap()),
        ("WATCHDOG_USEC", watchdog_usec),
    ]);
    (home.start(), socket, directory)
}

#[test]
fn systemd_hears_of_the_start_reloads_and_the_end() {
    let (daemon, socket, _directory) = start("600000000");
    let ready = hear(&socket, "READY=1");
    assert!(ready.contains(&format!("STATUS=answering DNS at {}", daemon.dns[0])), "{ready}");
    for (text, status) in
        [(ZONE, ""), ("nonsense", "; the last reload was refused, look at the log")]
    {
        daemon.home.write("farol.toml", text);
        daemon.signal(Signal::HUP);
        let reloading = hear(&socket, "RELOADING=1");
        let time = reloading.lines().find_map(|it| it.strip_prefix("MONOTONIC_USEC=")).unwrap();
        assert!(time.parse::<u64>().unwrap() > 0);
        let ready = hear(&socket, "READY=1");
        assert!(ready.trim_end().ends_with(status), "{ready}");
    }
    daemon.signal(Signal::TERM);
    hear(&socket, "STOPPING=1");
    daemon.exit();
}

#[test]
fn signs_of_life_come_while_the_daemon_runs_and_not_while_it_hangs() {
    let (daemon, socket, _directory) = start("1000000");
    for _ in 0..3 {
        hear(&socket, "WATCHDOG=1");
    }
    let metrics = daemon.api.get("/metrics").body;
    for metric in [
        "farol_stalls_total{part=\"control\"} 0",
        "farol_stalls_total{part=\"runtime\"} 0",
        "farol_heartbeat_age_seconds{part=\"control\"} ",
        "farol_task_restarts_total{task=\"prober\"} 0",
    ] {
        assert!(metrics.contains(metric), "{metrics}");
    }
    // Stopped as a whole and let go on, it has not stalled: no part of it could have done anything.
    daemon.signal(Signal::STOP);
    std::thread::sleep(std::time::Duration::from_secs(6));
    daemon.signal(Signal::CONT);
    hear(&socket, "WATCHDOG=1");
    assert_eq!(daemon.api.get("/healthz").status, 200);
    assert!(!daemon.log().contains("stalled"), "{}", daemon.log());
    daemon.stop();
}
