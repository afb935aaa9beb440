//! Keeps workers running: one that ends by a panic or an error is counted, logged and started again, after a pause that grows
//! while it does not get far.

use std::fmt::Display;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;
use std::time::{Duration, Instant};

use crate::supervision::Backoff;

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
    let mut backoff = Backoff::new(SHORTEST_PAUSE, LONGEST_PAUSE, A_WHILE);
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

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
