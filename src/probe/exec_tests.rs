use std::fs;
use std::path::Path;
use std::pin::pin;
use std::time::Duration;

use rustix::process::{Pid, test_kill_process};
use tokio::time::sleep;

use super::*;
use crate::health::{Outcome, Phase, ProbeResult};
use crate::model::{Monitor, ProbeTarget, Protocol};
use crate::probe::attempt::Network;
use crate::probe::scheduler::World;
use crate::probe::testbed::{assert_told, monitor};

fn target(command: &[&str], timeout: Duration) -> ProbeTarget {
    let command = command.iter().map(|it| Box::from(*it)).collect();
    let protocol = Protocol::Exec(ExecCheck { command });
    let monitor = Monitor { timeout, ..monitor(protocol) };
    ProbeTarget {
        addresses: ["192.0.2.1:8443".parse().unwrap()].into(),
        host: None,
        monitor: Arc::new(monitor),
    }
}

async fn probe(network: &Network, command: &[&str], timeout: Duration) -> ProbeResult {
    network.probe(&target(command, timeout), Duration::ZERO).await
}

const LONG: Duration = Duration::from_secs(3000);
const SHORT: Duration = Duration::from_millis(500);

async fn shell(script: &str) -> ProbeResult {
    probe(&Network::default(), &["/bin/sh", "-c", script], LONG).await
}

/// Waits until a process is gone, zombies too.
async fn wait_for_end(pid: &str) {
    let pid = Pid::from_raw(pid.trim().parse().unwrap()).unwrap();
    while test_kill_process(pid).is_ok() {
        sleep(Duration::from_millis(5)).await;
    }
}

/// Waits until a file has a line in it.
async fn line_of(path: &Path) -> String {
    loop {
        match fs::read_to_string(path) {
            Ok(text) if text.ends_with('\n') => return text,
            _ => sleep(Duration::from_millis(5)).await,
        }
    }
}

#[tokio::test]
async fn the_exit_status_decides_and_the_first_line_says_why() {
    let result = shell("exit 0").await;
    assert_told(&result, Outcome::Passed, None);
    assert_eq!(result.phase, Phase::Exec);
    assert!(result.phases.iter().map(|it| it.0).eq([Phase::Exec]));
    for (script, reason) in [
        ("exit 3", "exit status 3"),
        ("echo; echo ' no lease '; echo more; exit 1", "exit status 1: no lease"),
        ("echo no lease >&2; exit 1", "exit status 1: no lease"),
        ("printf 'a\\033[31mb\\377'; exit 1", "exit status 1: a\u{fffd}[31mb\u{fffd}"),
        ("printf 'a\\342\\200\\256b'; exit 1", "exit status 1: a\u{fffd}b"),
        ("kill -9 $$", "killed by signal 9"),
    ] {
        assert_told(&shell(script).await, Outcome::Failed, Some(reason));
    }
    let result = shell("head -c 100000000 /dev/zero | tr '\\0' a; exit 1").await;
    let reason = format!("exit status 1: {}", "a".repeat(SHOWN));
    assert_told(&result, Outcome::Failed, Some(&reason));
}

#[tokio::test]
async fn a_program_knows_where_to_look_and_nothing_else() {
    let result =
        shell("echo $(pwd) $FAROL_ADDRESS $FAROL_PORT $(env | wc -l) $(cat | wc -c); exit 1");
    // The shell adds PWD and perhaps OLDPWD, SHLVL and _.
    let reason = result.await.reason.unwrap();
    let told: Vec<&str> = reason.split(' ').collect();
    assert_eq!(told[..6], ["exit", "status", "1:", "/", "192.0.2.1", "8443"], "{reason}");
    assert!(told[6].parse::<u32>().unwrap() <= 7 && told[7] == "0", "{reason}");
    let argument =
        probe(&Network::default(), &["/bin/sh", "-c", "echo \"$0\"; exit 1", "$(id) *"], LONG)
            .await;
    assert_told(&argument, Outcome::Failed, Some("exit status 1: $(id) *"));
}

#[tokio::test]
async fn what_cant_be_started_fails_and_says_why() {
    let directory = tempfile::tempdir().unwrap();
    let plain = directory.path().join("plain");
    fs::write(&plain, "").unwrap();
    for (program, reason) in [
        (
            "/nonexistent/check",
            "exec: can't be started: there is no such program, or none that its first line names",
        ),
        (plain.to_str().unwrap(), "exec: can't be started: Farol may not run it"),
    ] {
        assert_told(
            &probe(&Network::default(), &[program], LONG).await,
            Outcome::Failed,
            Some(reason),
        );
    }
    for code in [libc::EAGAIN, libc::ENOMEM, libc::EMFILE, libc::ENFILE] {
        let failure = not_started(&io::Error::from_raw_os_error(code));
        assert!(matches!(failure, Failure::Machine(_)), "{failure:?}");
    }
}

#[tokio::test]
async fn a_program_that_is_not_loaded_is_told_at_the_timeout() {
    let network = Network::default();
    let (hung, well) = (["/bin/true", "hung"], ["/bin/true"]);
    let check = ExecCheck { command: hung.map(Box::from).into() };
    let (end, hang) = std::sync::mpsc::channel::<()>();
    let start = move |_| hang.recv().map_err(io::Error::other);
    let mut first = pin!(network.programs.start((check, "192.0.2.1:8443".parse().unwrap()), start));
    assert!(tokio::time::timeout(Duration::ZERO, &mut first).await.is_err());
    let reason = "exec: the program can't be loaded: timed out after 500 ms";
    assert_told(&probe(&network, &hung, SHORT).await, Outcome::Failed, Some(reason));
    assert_told(&probe(&network, &well, LONG).await, Outcome::Passed, None);
    end.send(()).unwrap();
    first.await.unwrap();
    assert_told(&probe(&network, &hung, LONG).await, Outcome::Passed, None);
}

#[tokio::test]
async fn a_time_out_kills_all_that_the_program_started() {
    let directory = tempfile::tempdir().unwrap();
    let (own, other) = (directory.path().join("own"), directory.path().join("other"));
    // The second one has left its parent, and ignores requests to end.
    let script = format!(
        "trap '' TERM; echo $$ >{}; (trap '' TERM; (sleep 3000 & echo $! >{}; wait) &) ; sleep 3000",
        own.display(),
        other.display()
    );
    let network = Network::default();
    let result = probe(&network, &["/bin/sh", "-c", &script], Duration::from_secs(2)).await;
    assert_told(&result, Outcome::Failed, Some("exec: timed out after 2 s"));
    wait_for_end(&line_of(&own).await).await;
    wait_for_end(&line_of(&other).await).await;
}

#[tokio::test]
async fn a_program_that_leaves_others_behind_ends_with_them() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("left");
    // What it leaves holds its output open.
    let result = shell(&format!("sleep 3000 & echo $! >{}; exit 0", file.display())).await;
    assert_told(&result, Outcome::Passed, None);
    wait_for_end(&line_of(&file).await).await;
}

#[tokio::test]
async fn a_probe_that_is_given_up_leaves_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("own");
    let script = format!("echo $$ >{}; sleep 3000", file.display());
    let target = target(&["/bin/sh", "-c", &script], LONG);
    let network = Network::default();
    {
        let mut probe = pin!(network.probe(&target, Duration::ZERO));
        tokio::select! {
            _ = &mut probe => unreachable!(),
            _ = line_of(&file) => {}
        }
    }
    wait_for_end(&line_of(&file).await).await;
}

#[tokio::test]
async fn output_without_end_is_cut_off() {
    let result = probe(&Network::default(), &["/usr/bin/yes", "no lease"], LONG).await;
    assert_told(&result, Outcome::Failed, Some("wrote more than 1 MiB: no lease"));
    // Who doesn't mind passes.
    assert_told(&shell("yes; exit 0").await, Outcome::Passed, None);
    // Who ignores it writes into the void, and does not take our time.
    let script = "trap '' PIPE; yes 2>/dev/null; sleep 3000";
    let result = probe(&Network::default(), &["/bin/sh", "-c", script], SHORT).await;
    assert_told(&result, Outcome::Failed, Some("exec: timed out after 500 ms"));
}
