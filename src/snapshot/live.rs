use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering, fence};

use arc_swap::{ArcSwap, Cache};

use super::{Snapshot, Worker};

/// The position of a worker that answers nothing right now.
const IDLE: u64 = 0;
/// The position of a worker that is about to read a snapshot: any, so it counts as the oldest.
const ENTERING: u64 = 1;

/// The snapshot in force, and by which one each worker answers. One writer publishes; readers never wait.
#[derive(Debug)]
pub struct Live {
    current: ArcSwap<Snapshot>,
    positions: Box<[Position]>,
}

/// What a worker answers by: [`IDLE`], [`ENTERING`], or the snapshot's generation + [`ENTERING`]. On a cache line of its own.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Position(AtomicU64);

impl Live {
    /// Publishes the first snapshot for this many workers.
    pub fn new(first: Arc<Snapshot>, workers: usize) -> Self {
        let positions = (0..workers).map(|_| Position::default()).collect();
        Self { current: ArcSwap::new(first), positions }
    }

    /// The snapshot in force.
    pub fn load(&self) -> Arc<Snapshot> {
        self.current.load_full()
    }

    /// Puts a snapshot in force and gives back the one that was. The caller keeps that one until nobody else does, so that
    /// no worker pays for freeing it.
    pub fn publish(&self, snapshot: Arc<Snapshot>) -> Arc<Snapshot> {
        let retired = self.current.swap(snapshot);
        // Pairs with the fence in `Reader::enter`: of a worker that enters now, either it sees the new snapshot, or
        // `is_answered_by` sees that it has entered.
        fence(Ordering::SeqCst);
        retired
    }

    /// Whether every answer that is sent from now on comes from this generation or a later one. An idle worker counts: it
    /// reads the snapshot in force before it answers again.
    pub fn is_answered_by(&self, generation: u64) -> bool {
        fence(Ordering::SeqCst);
        let reached = |at: u64| at == IDLE || at >= generation + ENTERING;
        self.positions.iter().all(|it| reached(it.0.load(Ordering::SeqCst)))
    }
}

/// A worker's view of what is live.
pub struct Reader {
    live: Arc<Live>,
    cache: Cache<Current, Arc<Snapshot>>,
    worker: Worker,
}

/// Lets the cache borrow the swap inside [`Live`].
struct Current(Arc<Live>);

impl std::ops::Deref for Current {
    type Target = ArcSwap<Snapshot>;

    fn deref(&self) -> &Self::Target {
        &self.0.current
    }
}

impl Reader {
    /// The view of one worker. No two readers are for the same worker at a time.
    pub fn new(live: Arc<Live>, worker: Worker) -> Self {
        let cache = Cache::new(Current(live.clone()));
        Self { live, cache, worker }
    }

    /// Which worker this is.
    pub fn worker(&self) -> Worker {
        self.worker
    }

    /// Says that a batch of queries is there to be answered by the snapshot in force.
    pub fn enter(&mut self) {
        self.set(ENTERING);
        fence(Ordering::SeqCst);
        let generation = self.cache.load().generation;
        self.set(generation + ENTERING);
    }

    /// The snapshot in force. Between [`enter`](Self::enter) and [`leave`](Self::leave) it can only get newer.
    pub fn snapshot(&mut self) -> &Snapshot {
        self.cache.load()
    }

    /// Says that the batch's answers are sent.
    pub fn leave(&mut self) {
        self.set(IDLE);
    }

    fn set(&self, position: u64) {
        if let Some(own) = self.live.positions.get(self.worker.0) {
            own.0.store(position, Ordering::SeqCst);
        }
    }
}

impl Drop for Reader {
    /// A worker that died answers nothing.
    fn drop(&mut self) {
        self.leave();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot(generation: u64) -> Arc<Snapshot> {
        Arc::new(Snapshot { generation, ..Snapshot::default() })
    }

    #[test]
    fn a_publication_is_answered_by_once_no_worker_is_behind() {
        let live = Arc::new(Live::new(snapshot(1), 2));
        let mut first = Reader::new(live.clone(), Worker(0));
        let mut second = Reader::new(live.clone(), Worker(1));
        first.enter();
        assert_eq!(first.snapshot().generation, 1);
        live.publish(snapshot(2));
        assert!(!live.is_answered_by(2), "the first still answers by 1");
        first.leave();
        assert!(live.is_answered_by(2), "idle workers count");
        second.enter();
        assert_eq!(second.snapshot().generation, 2);
        assert!(live.is_answered_by(2));
        live.publish(snapshot(3));
        assert!(!live.is_answered_by(3));
        drop(second);
        assert!(live.is_answered_by(3), "a dead worker answers nothing");
    }
}
