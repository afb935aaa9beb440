use std::future::poll_fn;
use std::io::{self, ErrorKind};
use std::os::unix::process::CommandExt;
use std::pin::pin;
use std::process::{Child, Command, ExitStatus};
use std::sync::Arc;
use std::task::Poll;

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use tokio::signal::unix::{SignalKind, signal};

use super::ear::Ear;
use super::starts::Dying;

/// A program, and all processes that it has started and that are in no group of their own. Dropped, it is killed.
#[derive(Debug)]
pub struct Group {
    pid: Pid,
    /// None once its status is known: then the process is gone, and its number may be another's.
    child: Option<Child>,
    dying: Arc<Dying>,
}

impl Group {
    /// Starts a program, which takes as long as it takes to load it. Our ends of its pipes are closed.
    ///
    /// # Errors
    /// When it can't be started.
    pub fn start(mut command: Command, dying: Arc<Dying>) -> io::Result<Self> {
        let child = command.process_group(0).spawn()?;
        Ok(Self { pid: Pid::from_child(&child), child: Some(child), dying })
    }

    /// Waits for the program's end, and ends what it has left behind.
    ///
    /// # Errors
    /// When it can't be waited for.
    pub async fn end(&mut self, ears: &mut [&mut Ear]) -> io::Result<ExitStatus> {
        let mut exit = pin!(exit(self.pid));
        loop {
            tokio::select! {
                biased; // the program may have ended while others write on
                ended = &mut exit => break ended?,
                () = listen(ears) => {}
            }
        }
        // Not before its group is killed may the program be reaped: until then its number is nobody else's.
        let _ = kill_process_group(self.pid, Signal::KILL);
        let child = self.child.as_mut().ok_or(ErrorKind::NotFound)?;
        let status = child.wait()?;
        self.child = None;
        ears.iter_mut().for_each(|it| it.hear_the_rest());
        Ok(status)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let Some(child) = self.child.take() else { return };
        let _ = kill_process_group(self.pid, Signal::KILL);
        self.dying.let_go(child, self.pid);
    }
}

/// Waits until one of them has heard something.
async fn listen(ears: &mut [&mut Ear]) {
    poll_fn(|context| {
        let heard = ears.iter_mut().filter_map(|it| it.poll(context).is_ready().then_some(()));
        if heard.count() > 0 { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
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
