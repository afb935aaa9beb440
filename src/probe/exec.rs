//! The probe by a program of the operator's: it is run without a shell, in a process group of its own, and its exit status
//! is the result. Whatever ends the probe ends the whole group.

use std::io::{self, ErrorKind, PipeReader};
use std::net::SocketAddr;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::Arc;

use super::reason::Failure;
use super::trail::Trail;
use crate::model::{ExecCheck, is_hidden};
use crate::program::{Dying, Ear, Group, Keeps};

/// The programs of probes, each known by its command and the address that it is to probe.
pub(super) type Programs = crate::program::Programs<(ExecCheck, SocketAddr)>;

/// Where a program finds others.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// The octets of output that are looked at.
const KEPT: usize = 4096;
/// The octets that are read.
const MOST: usize = 1024 * 1024;
/// The characters of output that a reason has.
const SHOWN: usize = 200;

/// Runs the program until it ends. Dropped before that, it kills whatever is left of the group.
pub(super) async fn run(
    check: &ExecCheck,
    address: SocketAddr,
    programs: &Arc<Programs>,
    trail: &mut Trail,
) -> Result<(), Failure> {
    let own = check.clone();
    trail.stuck = Some("the program can't be loaded");
    let started =
        programs.start((check.clone(), address), move |dying| start(&own, address, dying));
    let (group, output) = started.await.map_err(|error| not_started(&error))?;
    trail.stuck = None;
    let (status, said) = end(group, output)
        .await
        .map_err(|error| Failure::Machine(format!("the program can't be waited for ({error})")))?;
    judge(status, &said)
}

fn start(
    check: &ExecCheck,
    address: SocketAddr,
    dying: Arc<Dying>,
) -> io::Result<(Group, PipeReader)> {
    let mut words = check.command.iter().map(|it| &**it);
    let mut command = Command::new(words.next().ok_or(ErrorKind::InvalidInput)?);
    let (output, input) = io::pipe()?;
    command.args(words).current_dir("/");
    command.env_clear().env("PATH", PATH).env("FAROL_ADDRESS", address.ip().to_string());
    if address.port() != 0 {
        command.env("FAROL_PORT", address.port().to_string());
    }
    command.stdin(Stdio::null()).stdout(input.try_clone()?).stderr(input);
    Ok((Group::start(command, dying)?, output))
}

async fn end(mut group: Group, output: PipeReader) -> io::Result<(ExitStatus, Ear)> {
    let mut said = Ear::new(output, Keeps::First(KEPT), MOST)?;
    let status = group.end(&mut [&mut said]).await?;
    Ok((status, said))
}

fn not_started(error: &io::Error) -> Failure {
    let exhausted = [libc::EAGAIN, libc::EMFILE, libc::ENFILE, libc::ENOMEM];
    if error.raw_os_error().is_some_and(|code| exhausted.contains(&code)) {
        return Failure::Machine(format!("this machine has no process to spare ({error})"));
    }
    Failure::Endpoint(match error.kind() {
        ErrorKind::NotFound => {
            "can't be started: there is no such program, or none that its first line names"
                .to_owned()
        }
        ErrorKind::PermissionDenied => "can't be started: Farol may not run it".to_owned(),
        _ => format!("can't be started: {error}"),
    })
}

fn judge(status: ExitStatus, said: &Ear) -> Result<(), Failure> {
    let how = match (status.code(), status.signal()) {
        (Some(0), _) => return Ok(()),
        (None, Some(libc::SIGPIPE)) if said.is_cut_off() => "wrote more than 1 MiB".to_owned(),
        (Some(code), _) => format!("exit status {code}"),
        (None, signal) => format!("killed by signal {}", signal.unwrap_or_default()),
    };
    let said = String::from_utf8_lossy(said.kept());
    let line = said.lines().map(str::trim).find(|it| !it.is_empty()).unwrap_or_default();
    let plain = |it: char| if is_hidden(it) { char::REPLACEMENT_CHARACTER } else { it };
    let line: String = line.chars().take(SHOWN).map(plain).collect();
    Err(Failure::Answer(if line.is_empty() { how } else { format!("{how}: {line}") }))
}

#[cfg(test)]
#[path = "exec_tests.rs"]
mod tests;
