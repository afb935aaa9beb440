//! What is known of programs from one probe to the next: those that are being started, and those that are dying.

use std::collections::HashSet;
use std::io;
use std::net::SocketAddr;
use std::process::Child;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use rustix::process::Pid;
use tokio::runtime::Handle;
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinSet;

use super::exec::exit;
use crate::model::ExecCheck;

/// A program and the address that it is to probe.
pub(super) type Run = (ExecCheck, SocketAddr);

/// Starts programs, and lets them go that were killed, also when nobody waits for them any more.
///
/// Loading a program takes as long as its disk likes, for ever if that hangs. So every start has a thread of its own, which
/// takes nobody else's, and there is never a second start of what has not come back from its last one.
#[derive(Debug, Default)]
pub(super) struct Programs {
    starting: Mutex<HashSet<Run>>,
    came_back: Notify,
    dying: Mutex<JoinSet<()>>,
}

impl Programs {
    /// Has `start` start a program, once the last start of the same has come back.
    pub(super) async fn start<T: Send + 'static>(
        self: &Arc<Self>,
        run: Run,
        start: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let place = self.place(run).await;
        let (started, answer) = oneshot::channel();
        let runtime = Handle::current();
        thread::Builder::new().name("exec".to_owned()).spawn(move || {
            let _runtime = runtime.enter();
            // What nobody waits for any more ends with this.
            let _ = started.send(start());
            drop(place);
        })?;
        answer.await.map_err(io::Error::other)?
    }

    /// Waits until a program is not being started.
    async fn place(self: &Arc<Self>, run: Run) -> Place {
        loop {
            let came_back = self.came_back.notified();
            if self.starting().insert(run.clone()) {
                return Place { programs: Arc::clone(self), run };
            }
            came_back.await;
        }
    }

    fn starting(&self) -> MutexGuard<'_, HashSet<Run>> {
        self.starting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reaps a program that was killed once it is dead: what hangs in a system call dies only after it, and nobody is to wait
    /// for that.
    pub(super) fn let_go(&self, mut child: Child, pid: Pid) {
        if let (Ok(None), Ok(runtime)) = (child.try_wait(), Handle::try_current()) {
            let mut dying = self.dying.lock().unwrap_or_else(PoisonError::into_inner);
            while dying.try_join_next().is_some() {}
            dying.spawn_on(reap(child, pid), &runtime);
        }
    }
}

/// Keeps others from starting the same.
struct Place {
    programs: Arc<Programs>,
    run: Run,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.programs.starting().remove(&self.run);
        self.programs.came_back.notify_waiters();
    }
}

async fn reap(mut child: Child, pid: Pid) {
    if exit(pid).await.is_ok() {
        let _ = child.wait();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    fn run(program: &str) -> Run {
        (ExecCheck { command: [program.into()].into() }, "192.0.2.1:80".parse().unwrap())
    }

    #[tokio::test]
    async fn a_start_that_hangs_has_no_second_one_beside_it_and_disturbs_nobody() {
        let (programs, starts) = (Arc::<Programs>::default(), Arc::<AtomicUsize>::default());
        let (end, hang) = mpsc::channel::<()>();
        let hang = Arc::new(Mutex::new(hang));
        for _ in 0..5 {
            let (hang, starts) = (Arc::clone(&hang), Arc::clone(&starts));
            let start = move || {
                starts.fetch_add(1, Ordering::Relaxed);
                hang.lock().unwrap().recv().map_err(io::Error::other)
            };
            let started = programs.start(run("/hung"), start);
            assert!(timeout(Duration::from_millis(20), started).await.is_err());
        }
        assert_eq!(starts.load(Ordering::Relaxed), 1);
        assert_eq!(programs.start(run("/well"), || Ok(7)).await.unwrap(), 7);
        end.send(()).unwrap();
        assert_eq!(programs.start(run("/hung"), || Ok(8)).await.unwrap(), 8, "it came back");
    }

    #[tokio::test]
    async fn a_start_that_panics_is_over() {
        let programs = Arc::<Programs>::default();
        let start = || -> io::Result<()> { panic!("a start that panics") };
        assert!(programs.start(run("/odd"), start).await.is_err());
        assert_eq!(programs.start(run("/odd"), || Ok(1)).await.unwrap(), 1);
    }
}
