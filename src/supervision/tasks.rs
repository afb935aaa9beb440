use std::time::Duration;

use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::Backoff;

/// The pause after a task that had run for a while.
const SHORTEST_PAUSE: Duration = Duration::from_millis(100);
/// The pause before a task that never gets far.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// A task that ran for so long had started well.
const A_WHILE: Duration = Duration::from_secs(60);

/// Runs a task until `stop` is cancelled and the task has ended by it. One that panics, or ends before, is logged, told to
/// `restarted`, and made again after a pause that grows while it does not get far.
pub async fn keep_running<F>(
    task: &'static str,
    stop: CancellationToken,
    mut make: impl FnMut() -> F,
    restarted: impl Fn(),
) where
    F: Future<Output = ()> + Send + 'static,
{
    let mut backoff = Backoff::new(SHORTEST_PAUSE, LONGEST_PAUSE, A_WHILE);
    loop {
        let started = Instant::now();
        let mut run = JoinSet::new();
        run.spawn(make());
        let ended = run.join_next().await;
        if stop.is_cancelled() {
            return;
        }
        let pause = backoff.after(started.elapsed());
        let (why, pause_ms) = (why(ended), pause.as_millis());
        restarted();
        tracing::error!(
            event = "task_restarted",
            task,
            why,
            pause_ms,
            "the {task} task {why}; it starts again in {pause_ms} ms"
        );
        tokio::select! {
            () = sleep(pause) => {}
            () = stop.cancelled() => return,
        }
    }
}

fn why(ended: Option<Result<(), JoinError>>) -> &'static str {
    match ended {
        Some(Err(_)) => "panicked",
        _ => "ended by itself",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[tokio::test(start_paused = true)]
    async fn a_task_that_panics_or_ends_is_made_again_after_growing_pauses() {
        let (stop, runs, restarts) =
            (CancellationToken::new(), AtomicUsize::new(0), AtomicUsize::new(0));
        let started = Instant::now();
        let make = || {
            let (run, stop) = (runs.fetch_add(1, Ordering::SeqCst), stop.clone());
            async move {
                match run {
                    0..=2 => panic!("a broken task"),
                    3 => {}
                    _ => stop.cancel(),
                }
            }
        };
        let restarted = || {
            restarts.fetch_add(1, Ordering::SeqCst);
        };
        keep_running("test", stop.clone(), make, restarted).await;
        assert_eq!((runs.load(Ordering::SeqCst), restarts.load(Ordering::SeqCst)), (5, 4));
        assert_eq!(started.elapsed(), SHORTEST_PAUSE * (1 + 2 + 4 + 8));
    }

    #[tokio::test]
    async fn a_panic_is_told_from_an_end() {
        let mut run = JoinSet::new();
        run.spawn(async {});
        assert_eq!(why(run.join_next().await), "ended by itself");
        run.spawn(async { panic!("a broken task") });
        assert_eq!(why(run.join_next().await), "panicked");
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_ends_when_it_is_time_to_stop() {
        let stop = CancellationToken::new();
        let make = || async { panic!("a broken task") };
        let stopping = async {
            sleep(A_WHILE).await;
            stop.cancel();
        };
        let started = Instant::now();
        tokio::join!(keep_running("test", stop.clone(), make, || ()), stopping);
        assert_eq!(started.elapsed(), A_WHILE);
    }
}
