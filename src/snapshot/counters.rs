use std::sync::atomic::{AtomicU64, Ordering};

use crate::model::Family;
use crate::routing::{Draw, mix};

/// One cache line of counters, so that no line is ever written by two workers.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Line([AtomicU64; 8]);

/// Which of the threads that answer queries is asking; from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Worker(pub usize);

/// Counters that every worker has for itself, summed up by who reads them.
#[derive(Debug)]
pub struct WorkerCounters {
    lines: Box<[Line]>,
    lines_per_worker: usize,
}

impl WorkerCounters {
    /// `width` counters for each worker, at zero.
    pub fn new(workers: usize, width: usize) -> Self {
        let lines_per_worker = width.div_ceil(8).max(1);
        let lines = (0..workers * lines_per_worker).map(|_| Line::default()).collect();
        Self { lines, lines_per_worker }
    }

    /// Adds to a counter of this worker's own and gives the value before. Only that worker may call it.
    pub fn add(&self, worker: Worker, counter: usize, number: u64) -> u64 {
        let Some(cell) = self.cell(worker.0, counter) else { return 0 };
        // One writer: a plain load and store cost less than a locked addition.
        let before = cell.load(Ordering::Relaxed);
        cell.store(before.wrapping_add(number), Ordering::Relaxed);
        before
    }

    /// What all workers have counted.
    pub fn sum(&self, counter: usize) -> u64 {
        let workers = self.lines.len() / self.lines_per_worker;
        let cells = (0..workers).filter_map(|worker| self.cell(worker, counter));
        cells.map(|cell| cell.load(Ordering::Relaxed)).fold(0, u64::wrapping_add)
    }

    fn cell(&self, worker: usize, counter: usize) -> Option<&AtomicU64> {
        if counter >= self.lines_per_worker * 8 {
            return None;
        }
        self.lines.get(worker * self.lines_per_worker + counter / 8)?.0.get(counter % 8)
    }
}

/// How many of a profile's counters number its draws: one for each family.
const DRAWS: usize = Family::ALL.len();

/// What the workers have drawn from and answered with one profile. It outlives the tables that are prepared anew when
/// something changes.
#[derive(Debug)]
pub struct AnswerCounters {
    /// First the draws by family, then the answers by endpoint, then those from the fallback addresses.
    counters: WorkerCounters,
    /// Counted before the profile's endpoints were configured anew, in the same order without the draws.
    carried: Box<[u64]>,
    seed: u64,
}

impl AnswerCounters {
    /// Counters for a profile whose endpoints, and fallback addresses behind them, have answered `carried` times already.
    /// `seed` makes its draws differ from other profiles'.
    pub fn new(workers: usize, carried: Box<[u64]>, seed: u64) -> Self {
        let counters = WorkerCounters::new(workers, DRAWS + carried.len());
        Self { counters, carried, seed }
    }

    /// The next draw of this worker's sequence for a family.
    pub fn draw(&self, worker: Worker, family: Family) -> Draw {
        let sequence = self.counters.add(worker, family.index(), 1);
        let own = (worker.0 as u64) << 1 | family.index() as u64;
        Draw { seed: mix(self.seed ^ own), sequence }
    }

    /// Counts an answer that named an endpoint.
    pub fn count(&self, worker: Worker, endpoint: usize) {
        self.counters.add(worker, DRAWS + endpoint, 1);
    }

    /// Counts an answer from the fallback addresses.
    pub fn count_fallback(&self, worker: Worker) {
        self.count(worker, self.fallback());
    }

    /// How many answers named this endpoint.
    pub fn answers(&self, endpoint: usize) -> u64 {
        let carried = self.carried.get(endpoint).copied().unwrap_or_default();
        carried.wrapping_add(self.counters.sum(DRAWS + endpoint))
    }

    /// How many answers came from the fallback addresses.
    pub fn fallback_answers(&self) -> u64 {
        self.answers(self.fallback())
    }

    /// The fallback addresses count behind the endpoints.
    fn fallback(&self) -> usize {
        self.carried.len().saturating_sub(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_count_apart_and_are_summed_up() {
        let counters = WorkerCounters::new(2, 10);
        assert_eq!(counters.add(Worker(0), 9, 1), 0);
        assert_eq!(counters.add(Worker(0), 9, 1), 1);
        assert_eq!(counters.add(Worker(1), 9, 5), 0);
        assert_eq!((counters.sum(9), counters.sum(1)), (7, 0));
        counters.add(Worker(2), 0, 1);
        counters.add(Worker(0), 16, 1);
        assert_eq!((counters.sum(0), counters.sum(16)), (0, 0), "out of range counts nothing");
    }

    #[test]
    fn draws_are_numbered_by_worker_and_family() {
        let counters = AnswerCounters::new(2, Box::new([7, 0, 4]), 1);
        let first = counters.draw(Worker(0), Family::V4);
        let second = counters.draw(Worker(0), Family::V4);
        let others = [counters.draw(Worker(0), Family::V6), counters.draw(Worker(1), Family::V4)];
        assert_eq!((first.sequence, second.sequence, first.seed), (0, 1, second.seed));
        assert!(others.iter().all(|it| it.sequence == 0 && it.seed != first.seed));
        counters.count(Worker(1), 0);
        counters.count_fallback(Worker(0));
        assert_eq!(
            (counters.answers(0), counters.answers(1), counters.fallback_answers()),
            (8, 0, 5)
        );
    }
}
