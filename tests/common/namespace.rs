//! Namespaces of Linux, in which a test mounts file systems and joins networks without touching the machine's own. They end
//! with the last process in them, so nothing has to be cleaned up, however a test ends.

use std::env;
use std::process::Command;

use rustix::process::geteuid;

use super::program::run;

/// Names the test that runs inside already.
const INSIDE: &str = "FAROL_TEST_INSIDE";

/// Runs the body of a test in namespaces of its own: the test's program runs once more, under `unshare` with these flags,
/// and there does this test alone. Whoever is in them is root there.
#[track_caller]
pub(crate) fn inside(flags: &[&str], test: &str, body: impl FnOnce()) {
    if env::var(INSIDE).is_ok_and(|it| it == test) {
        return body();
    }
    let mut command = Command::new("unshare");
    command.args(flags);
    if !geteuid().is_root() {
        command.arg("--map-root-user");
    }
    command.arg(env::current_exe().unwrap()).args(["--exact", test, "--nocapture"]);
    let output = run(command.env(INSIDE, test), "");
    let told = [output.stdout, output.stderr].map(|it| String::from_utf8_lossy(&it).into_owned());
    let told = told.concat();
    assert!(
        told.contains("running 1 test"),
        "{told}there are no namespaces for this user; run: sudo -E cargo test {test}"
    );
    assert!(output.status.success(), "inside its namespaces:\n{told}");
    eprintln!("{told}");
}

/// Runs a command of the system to its end, which must be a good one.
#[track_caller]
pub(crate) fn must(command: &str) {
    must_read(command, "");
}

/// Likewise, with something to read; tells what it said.
#[track_caller]
pub(crate) fn must_read(command: &str, input: &str) -> String {
    let mut words = command.split_whitespace();
    let mut program = Command::new(words.next().unwrap());
    let output = run(program.args(words), input);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}
