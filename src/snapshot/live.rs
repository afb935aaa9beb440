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

    /// Whether every answer that is made from now on comes from this generation or a later one. An idle worker counts: it
    /// reads the snapshot in force before it answers again. Answers made before are on their way: over UDP they are sent,
    /// over TCP a client that does not read may have some of them still to come.
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
    pub fn enter(&mut self) -> Entered<'_> {
        self.set(ENTERING);
        // From here on the worker becomes idle again however this ends.
        let entered = Entered(self);
        fence(Ordering::SeqCst);
        let generation = entered.0.cache.load().generation;
        entered.0.set(generation + ENTERING);
        entered
    }

    fn set(&self, position: u64) {
        if let Some(own) = self.live.positions.get(self.worker.0) {
            own.0.store(position, Ordering::SeqCst);
        }
    }
}

/// A worker while it answers a batch. Only here can it see the snapshot; dropping it, also in a panic, makes the worker idle,
/// so that no change waits for an answer that will never be made.
pub struct Entered<'r>(&'r mut Reader);

impl Entered<'_> {
    /// The snapshot in force; during a batch it can only get newer.
    pub fn snapshot(&mut self) -> &Snapshot {
        self.0.cache.load()
    }
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        self.0.set(IDLE);
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
        let mut batch = first.enter();
        assert_eq!(batch.snapshot().generation, 1);
        live.publish(snapshot(2));
        assert!(!live.is_answered_by(2), "the first still answers by 1");
        drop(batch);
        assert!(live.is_answered_by(2), "idle workers count");
        let mut batch = second.enter();
        assert_eq!(batch.snapshot().generation, 2);
        assert!(live.is_answered_by(2));
        live.publish(snapshot(3));
        assert!(!live.is_answered_by(3));
        drop(batch);
        assert!(live.is_answered_by(3), "the batch is over");
    }

    #[test]
    fn a_batch_that_panics_is_over() {
        let live = Arc::new(Live::new(snapshot(1), 1));
        let mut reader = Reader::new(live.clone(), Worker(0));
        let batch = std::panic::AssertUnwindSafe(|| {
            let _batch = reader.enter();
            panic!("a broken query");
        });
        assert!(std::panic::catch_unwind(batch).is_err());
        live.publish(snapshot(2));
        assert!(live.is_answered_by(2), "the reader lives on, idle");
    }
}
