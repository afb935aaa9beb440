//! The probe by a program of the operator's: it is run without a shell, in a process group of its own, and its exit status
//! is the result. Whatever ends the probe ends the whole group.

use std::io::{self, ErrorKind, PipeReader};
use std::net::SocketAddr;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::pin::pin;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe;
use tokio::signal::unix::{SignalKind, signal};

use super::programs::Programs;
use super::reason::Failure;
use super::trail::Trail;
use crate::model::{ExecCheck, is_hidden};

/// Where a program finds others.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// The octets of output that are looked at; the rest is read and forgotten, so that no program waits for its reader.
const KEPT: usize = 4096;
/// The octets that are read. Then the pipe is closed, so that a program that writes without end gets SIGPIPE, and not our time.
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
    let (own, keeper) = (check.clone(), Arc::clone(programs));
    trail.stuck = Some("the program can't be loaded");
    let started = programs.start((check.clone(), address), move || start(&own, address, keeper));
    let (mut group, output) = started.await.map_err(|error| not_started(&error))?;
    trail.stuck = None;
    let (status, said) = group
        .end(output)
        .await
        .map_err(|error| Failure::Machine(format!("the program can't be waited for ({error})")))?;
    judge(status, &said)
}

fn start(
    check: &ExecCheck,
    address: SocketAddr,
    programs: Arc<Programs>,
) -> io::Result<(Group, PipeReader)> {
    let mut words = check.command.iter().map(|it| &**it);
    let mut command = Command::new(words.next().ok_or(ErrorKind::InvalidInput)?);
    let (output, input) = io::pipe()?;
    command.args(words).current_dir("/").process_group(0);
    command.env_clear().env("PATH", PATH).env("FAROL_ADDRESS", address.ip().to_string());
    if address.port() != 0 {
        command.env("FAROL_PORT", address.port().to_string());
    }
    command.stdin(Stdio::null()).stdout(input.try_clone()?).stderr(input);
    let child = command.spawn()?;
    let pid = Pid::from_child(&child);
    Ok((Group { pid, child: Some(child), programs }, output))
}

/// A program, and all processes that it has started and that are in no group of their own.
struct Group {
    pid: Pid,
    /// None once its status is known: then the process is gone, and its number may be another's.
    child: Option<Child>,
    programs: Arc<Programs>,
}

impl Group {
    /// Waits for the program's end, and ends what it has left behind. Gives its output too.
    async fn end(&mut self, output: PipeReader) -> io::Result<(ExitStatus, Said)> {
        let mut output = Some(pipe::Receiver::from_owned_fd(output.into())?);
        let mut exit = pin!(exit(self.pid));
        let (mut said, mut piece) = (Said::default(), [0; KEPT]);
        loop {
            tokio::select! {
                biased; // the program may have ended while others write on
                ended = &mut exit => break ended?,
                read = read(output.as_mut(), &mut piece), if output.is_some() => match read {
                    Ok(count @ 1..) if said.hear(&piece[..count]) => {}
                    _ => output = None,
                },
            }
        }
        // Not before its group is killed may the program be reaped: until then its number is nobody else's.
        let _ = kill_process_group(self.pid, Signal::KILL);
        let child = self.child.as_mut().ok_or(ErrorKind::NotFound)?;
        let status = child.wait()?;
        self.child = None;
        let rest = |piece: &mut [u8]| rustix::io::read(output.as_ref()?, piece).ok();
        while let (true, Some(count @ 1..)) = (said.first.len() < KEPT, rest(&mut piece)) {
            said.hear(&piece[..count]);
        }
        Ok((status, said))
    }
}

async fn read(output: Option<&mut pipe::Receiver>, piece: &mut [u8]) -> io::Result<usize> {
    match output {
        Some(output) => output.read(piece).await,
        None => Ok(0),
    }
}

/// The output of a program.
#[derive(Debug, Default)]
struct Said {
    /// The first octets of it.
    first: Vec<u8>,
    /// How many there were.
    octets: usize,
}

impl Said {
    /// Takes in some more. Tells whether any more is wanted.
    fn hear(&mut self, piece: &[u8]) -> bool {
        let room = KEPT.saturating_sub(self.first.len()).min(piece.len());
        self.first.extend_from_slice(&piece[..room]);
        self.octets = self.octets.saturating_add(piece.len());
        self.octets < MOST
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let Some(child) = self.child.take() else { return };
        let _ = kill_process_group(self.pid, Signal::KILL);
        self.programs.let_go(child, self.pid);
    }
}

/// Waits until a process has ended. It is not reaped, so its number stays its own.
pub(super) async fn exit(pid: Pid) -> io::Result<()> {
    let mut ends = signal(SignalKind::child())?;
    let look = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
    while waitid(WaitId::Pid(pid), look)?.is_none() {
        ends.recv().await;
    }
    Ok(())
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

fn judge(status: ExitStatus, said: &Said) -> Result<(), Failure> {
    let how = match (status.code(), status.signal()) {
        (Some(0), _) => return Ok(()),
        (None, Some(libc::SIGPIPE)) if said.octets >= MOST => "wrote more than 1 MiB".to_owned(),
        (Some(code), _) => format!("exit status {code}"),
        (None, signal) => format!("killed by signal {}", signal.unwrap_or_default()),
    };
    let said = String::from_utf8_lossy(&said.first);
    let line = said.lines().map(str::trim).find(|it| !it.is_empty()).unwrap_or_default();
    let plain = |it: char| if is_hidden(it) { char::REPLACEMENT_CHARACTER } else { it };
    let line: String = line.chars().take(SHOWN).map(plain).collect();
    Err(Failure::Answer(if line.is_empty() { how } else { format!("{how}: {line}") }))
}

#[cfg(test)]
#[path = "exec_tests.rs"]
mod tests;
