//! Keeps workers running: one that ends by a panic or an error is counted, logged and started again, after a pause that grows
//! while it does not get far.

use std::fmt::Display;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;
use std::time::{Duration, Instant};

/// The pause after a worker that had run for a while.
const SHORTEST_PAUSE: Duration = Duration::from_millis(10);
/// Doubled from the shortest, and less than the second in which a worker has to be back.
const LONGEST_PAUSE: Duration = Duration::from_millis(640);
/// A worker that ran for so long had started well: what ended it is news.
const A_WHILE: Duration = Duration::from_secs(1);

/// Runs `serve` until it ends by itself. `panicked` counts the times that it panicked.
pub(super) fn supervised<E: Display>(
    name: &str,
    panicked: impl Fn(),
    mut serve: impl FnMut() -> Result<(), E>,
) {
    let mut backoff = Backoff::new();
    loop {
        let started = Instant::now();
        let ended = catch_unwind(AssertUnwindSafe(&mut serve));
        let pause = backoff.after(started.elapsed());
        let pause_ms = pause.as_millis();
        match ended {
            Ok(Ok(())) => return,
            Ok(Err(error)) => {
                tracing::error!(event = "worker_failed", worker = name, pause_ms, %error, "a DNS worker failed; it starts again");
            }
            Err(_) => {
                panicked();
                tracing::error!(
                    event = "worker_panicked",
                    worker = name,
                    pause_ms,
                    "a DNS worker panicked; it starts again"
                );
            }
        }
        thread::sleep(pause);
    }
}

/// How long to wait before the next start.
struct Backoff {
    next: Duration,
}

impl Backoff {
    fn new() -> Self {
        Self { next: SHORTEST_PAUSE }
    }

    /// The pause after a run of this length.
    fn after(&mut self, ran: Duration) -> Duration {
        let pause = if ran >= A_WHILE { SHORTEST_PAUSE } else { self.next };
        self.next = (pause * 2).min(LONGEST_PAUSE);
        pause
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[test]
    fn pauses_grow_while_a_worker_does_not_get_far() {
        let mut backoff = Backoff::new();
        let mut pauses = |runs: &[u64]| -> Vec<u128> {
            runs.iter().map(|it| backoff.after(Duration::from_millis(*it)).as_millis()).collect()
        };
        assert_eq!(pauses(&[0, 0, 5, 999]), [10, 20, 40, 80]);
        assert_eq!(pauses(&[0; 5]), [160, 320, 640, 640, 640]);
        assert_eq!(pauses(&[1000, 0]), [10, 20], "it had run for a while");
    }

    #[test]
    fn a_worker_that_panics_or_fails_starts_again_after_a_pause() {
        let (panics, mut runs) = (Cell::new(0), 0);
        let started = Instant::now();
        supervised(
            "test",
            || panics.set(panics.get() + 1),
            || {
                runs += 1;
                match runs {
                    1 | 2 => panic!("a broken worker"),
                    3 => Err("no pipe"),
                    _ => Ok(()),
                }
            },
        );
        assert_eq!((runs, panics.get()), (4, 2));
        assert!(started.elapsed() >= SHORTEST_PAUSE * (1 + 2 + 4));
    }
}
