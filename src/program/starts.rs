//! What is known of programs from one run to the next: those that are being started, and those that are dying.

use std::collections::HashSet;
use std::hash::Hash;
use std::io;
use std::process::Child;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use rustix::process::Pid;
use tokio::runtime::Handle;
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinSet;

use super::group::exit;

/// Starts programs, each known by a key, and lets them go that were killed, also when nobody waits for them any more.
///
/// Loading a program takes as long as its disk likes, for ever if that hangs. So every start has a thread of its own, which
/// takes nobody else's, and there is never a second start of what has not come back from its last one.
#[derive(Debug)]
pub struct Programs<K> {
    starting: Mutex<HashSet<K>>,
    came_back: Notify,
    dying: Arc<Dying>,
}

impl<K> Default for Programs<K> {
    fn default() -> Self {
        Self { starting: Mutex::default(), came_back: Notify::new(), dying: Arc::default() }
    }
}

impl<K: Clone + Eq + Hash + Send + 'static> Programs<K> {
    /// Has `start` start a program, once the last start of the same has come back.
    ///
    /// # Errors
    /// Those of `start`, and when there is no thread for it.
    pub async fn start<T: Send + 'static>(
        self: &Arc<Self>,
        key: K,
        start: impl FnOnce(Arc<Dying>) -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let place = self.place(key).await;
        let (started, answer) = oneshot::channel();
        let runtime = Handle::current();
        let dying = Arc::clone(&self.dying);
        thread::Builder::new().name("exec".to_owned()).spawn(move || {
            let _runtime = runtime.enter();
            // What nobody waits for any more ends with this.
            let _ = started.send(start(dying));
            drop(place);
        })?;
        answer.await.map_err(io::Error::other)?
    }

    /// Waits until a program is not being started.
    async fn place(self: &Arc<Self>, key: K) -> Place<K> {
        loop {
            let came_back = self.came_back.notified();
            if self.starting().insert(key.clone()) {
                return Place { programs: Arc::clone(self), key };
            }
            came_back.await;
        }
    }
}

impl<K> Programs<K> {
    fn starting(&self) -> MutexGuard<'_, HashSet<K>> {
        self.starting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keeps others from starting the same.
struct Place<K: Eq + Hash> {
    programs: Arc<Programs<K>>,
    key: K,
}

impl<K: Eq + Hash> Drop for Place<K> {
    fn drop(&mut self) {
        self.programs.starting().remove(&self.key);
        self.programs.came_back.notify_waiters();
    }
}

/// Programs that were killed and are not dead yet.
#[derive(Debug, Default)]
pub struct Dying(Mutex<JoinSet<()>>);

impl Dying {
    /// Reaps a program that was killed once it is dead: what hangs in a system call dies only after it, and nobody is to wait
    /// for that.
    pub(super) fn let_go(&self, mut child: Child, pid: Pid) {
        if let (Ok(None), Ok(runtime)) = (child.try_wait(), Handle::try_current()) {
            let mut dying = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            while dying.try_join_next().is_some() {}
            dying.spawn_on(reap(child, pid), &runtime);
        }
    }
}

impl Drop for Dying {
    /// Whoever waits for a dead program goes on when nobody starts any more: else it would stay a zombie.
    fn drop(&mut self) {
        self.0.get_mut().unwrap_or_else(PoisonError::into_inner).detach_all();
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

    #[tokio::test]
    async fn a_start_that_hangs_has_no_second_one_beside_it_and_disturbs_nobody() {
        let (programs, starts) = (Arc::<Programs<&str>>::default(), Arc::<AtomicUsize>::default());
        let (end, hang) = mpsc::channel::<()>();
        let hang = Arc::new(Mutex::new(hang));
        for _ in 0..5 {
            let (hang, starts) = (Arc::clone(&hang), Arc::clone(&starts));
            let start = move |_| {
                starts.fetch_add(1, Ordering::Relaxed);
                hang.lock().unwrap().recv().map_err(io::Error::other)
            };
            let started = programs.start("/hung", start);
            assert!(timeout(Duration::from_millis(20), started).await.is_err());
        }
        assert_eq!(starts.load(Ordering::Relaxed), 1);
        assert_eq!(programs.start("/well", |_| Ok(7)).await.unwrap(), 7);
        end.send(()).unwrap();
        assert_eq!(programs.start("/hung", |_| Ok(8)).await.unwrap(), 8, "it came back");
    }

    #[tokio::test]
    async fn a_start_that_panics_is_over() {
        let programs = Arc::<Programs<&str>>::default();
        let start = |_| -> io::Result<()> { panic!("a start that panics") };
        assert!(programs.start("/odd", start).await.is_err());
        assert_eq!(programs.start("/odd", |_| Ok(1)).await.unwrap(), 1);
    }
}
