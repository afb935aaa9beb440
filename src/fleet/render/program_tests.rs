use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::process::{Pid, test_kill_process};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::super::Target;
use super::super::scratch::in_memory;
use super::*;

const LONG: Duration = Duration::from_secs(3000);

/// The shell stands for a program of others.
fn tools(limit: Duration) -> Tools {
    let environment = vec![("GIVEN".into(), "yes".into())];
    let (helm, kubectl) = ("/bin/sh".into(), "no-such-kubectl".into());
    let kustomize = "/nonexistent/kustomize".into();
    let (programs, slots, charts) = (Arc::default(), Arc::new(Semaphore::new(1)), Arc::default());
    Tools { helm, kubectl, kustomize, limit, environment, programs, slots, charts }
}

fn mask() -> Mask {
    Mask::of(&Target { secrets: vec!["hunter22".to_owned()], ..Target::default() })
}

async fn shell(
    script: &str,
    limit: Duration,
    input: Option<File>,
) -> Result<Written, ProgramError> {
    let arguments = vec!["-c".into(), script.into()];
    let (tool, doing) = (Tool::Helm, "helm template web");
    Run { tool, arguments, input, doing, mask: &mask() }.run(&tools(limit)).await
}

/// Waits until a process is gone, zombies too.
async fn wait_for_end(pid: &str) {
    let pid = Pid::from_raw(pid.trim().parse().unwrap()).unwrap();
    while test_kill_process(pid).is_ok() {
        sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn output_and_complaints_are_kept_apart_and_the_environment_is_ours() {
    let script = "cat; echo warned >&2; pwd; echo $GIVEN ${HOME-none} $PATH";
    let written = shell(script, LONG, Some(in_memory(b"values\n").unwrap())).await.unwrap();
    assert_eq!(written.output, format!("values\n/\nyes none {PATH}\n"));
    assert_eq!(written.said, "warned");
    // Nothing is read where nothing is given.
    assert_eq!(shell("cat", LONG, None).await.unwrap().output, "");
}

#[tokio::test]
async fn much_output_is_taken_whole() {
    let written = shell("head -c 10000000 /dev/zero | tr '\\0' a", LONG, None).await.unwrap();
    assert_eq!(written.output.len(), 10_000_000);
}

#[tokio::test]
async fn a_failure_has_the_end_of_what_was_said_without_secrets() {
    for (script, message) in [
        ("echo 'Error: bad' >&2; exit 3", "helm template web failed (exit status 3): Error: bad"),
        ("exit 1", "helm template web failed (exit status 1)"),
        ("kill -9 $$", "helm template web failed (killed by signal 9)"),
        (
            "printf 'a hunter22\\033[31m\\nb\\n' >&2; exit 1",
            "helm template web failed (exit status 1): a ***\u{fffd}[31m\nb",
        ),
    ] {
        assert_eq!(shell(script, LONG, None).await.err().unwrap().to_string(), message);
    }
    // A line that was cut begins with half a secret.
    let script = "head -c 5000 /dev/zero | tr '\\0' x >&2; printf '\\nlast\\n' >&2; exit 1";
    let error = shell(script, LONG, None).await.err().unwrap();
    assert_eq!(error.to_string(), "helm template web failed (exit status 1): last");
    let script = "head -c 5000 /dev/zero | tr '\\0' x >&2; exit 1";
    let error = shell(script, LONG, None).await.err().unwrap();
    assert_eq!(error.to_string(), "helm template web failed (exit status 1)");
}

#[tokio::test]
async fn what_is_missing_is_told_and_what_cannot_be_started_too() {
    for (tool, begin) in [
        (
            Tool::Kubectl,
            "`PATH` has no `no-such-kubectl`, and kustomizations are rendered by it; install kubectl",
        ),
        (
            Tool::Kustomize,
            "there is no `/nonexistent/kustomize`, and kustomizations are rendered by it; install",
        ),
    ] {
        let run = Run { tool, arguments: Vec::new(), input: None, doing: "x", mask: &mask() };
        let error = run.run(&tools(LONG)).await.err().unwrap();
        assert!(matches!(error, ProgramError::Missing(_)));
        assert!(error.to_string().starts_with(begin), "{error}");
    }
    let helm = PathBuf::from("/etc/passwd");
    let tools = Tools { helm, ..tools(LONG) };
    let run =
        Run { tool: Tool::Helm, arguments: Vec::new(), input: None, doing: "x", mask: &mask() };
    let error = run.run(&tools).await.err().unwrap();
    assert_eq!(error.to_string(), "could not start helm (`/etc/passwd`)");
}

#[tokio::test]
async fn at_the_limit_all_that_it_started_is_killed() {
    let directory = tempfile::tempdir().unwrap();
    let (own, other) = (directory.path().join("own"), directory.path().join("other"));
    let script = format!(
        "trap '' TERM; echo asking for hunter22 >&2; echo $$ >{}; (trap '' TERM; (sleep 3000 & echo $! >{}; wait) &); sleep 3000",
        own.display(),
        other.display()
    );
    let started = Instant::now();
    let error = shell(&script, Duration::from_secs(2), None).await.err().unwrap();
    assert!(started.elapsed() >= Duration::from_secs(2));
    let message = "helm template web took longer than 2 s and was killed: asking for ***";
    assert_eq!(error.to_string(), message);
    wait_for_end(&fs::read_to_string(own).unwrap()).await;
    wait_for_end(&fs::read_to_string(other).unwrap()).await;
}

#[tokio::test]
async fn output_without_end_and_what_is_no_text_are_refused() {
    let error = shell("exec yes", LONG, None).await.err().unwrap();
    assert_eq!(error.to_string(), "helm template web wrote more than 64 MiB");
    let error = shell("printf '\\377'", LONG, None).await.err().unwrap();
    assert_eq!(error.to_string(), "helm template web wrote what is not UTF-8");
}

#[tokio::test]
async fn no_more_run_at_a_time_than_there_are_slots() {
    let directory = tempfile::tempdir().unwrap();
    let lock = directory.path().join("lock").display().to_string();
    let script =
        format!("mkdir {lock} || exit 1; head -c 1000000 /dev/zero >/dev/null; rmdir {lock}");
    let tools = tools(LONG);
    let mut runs = JoinSet::new();
    for _ in 0..8 {
        let (tools, script) = (tools.clone(), script.clone());
        runs.spawn(async move {
            let arguments = vec!["-c".into(), script.into()];
            let run = Run { tool: Tool::Helm, arguments, input: None, doing: "x", mask: &mask() };
            run.run(&tools).await.map(|it| it.output)
        });
    }
    while let Some(ended) = runs.join_next().await {
        ended.unwrap().unwrap();
    }
}
