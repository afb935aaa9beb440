//! The command line, run as an operator runs it.

use std::process::Command;

use serde_json::Value;

/// What came of running the program.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// Runs the program to its end, with no environment of its own but this.
pub(crate) fn farol(args: &[&str], environment: &[(&str, &str)]) -> Run {
    let mut command = Command::new(env!("CARGO_BIN_EXE_farol"));
    for key in [
        "FAROL_SERVER",
        "FAROL_CONTEXT",
        "FAROL_TOKEN",
        "FAROL_TOKEN_FILE",
        "FAROL_LOG",
        "FAROL_LOG_FORMAT",
        "FAROL_CA",
        "FAROL_CLIENT_CERT",
        "FAROL_CLIENT_KEY",
        "XDG_CONFIG_HOME",
    ] {
        command.env_remove(key);
    }
    command.env("HOME", "/nonexistent");
    let output = command.args(args).envs(environment.iter().copied()).output().unwrap();
    let text = |octets| String::from_utf8(octets).unwrap();
    Run { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

#[track_caller]
pub(crate) fn check(run: &Run, code: i32, parts: &[&str]) {
    assert_eq!(run.code, Some(code), "{run:?}");
    for part in parts {
        assert!(run.out.contains(part) || run.err.contains(part), "no `{part}` in {run:?}");
    }
}

#[track_caller]
pub(crate) fn json(run: &Run) -> Value {
    assert_eq!(run.code, Some(0), "{run:?}");
    serde_json::from_str(&run.out).unwrap()
}
