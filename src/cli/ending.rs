//! The end of the daemon, in order and within a time limit.

use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::metrics::SupervisionMetrics;
use crate::supervision::keep_running;

/// Tasks that end together.
pub(super) struct Stage {
    name: &'static str,
    patience: Duration,
    stop: CancellationToken,
    tasks: JoinSet<()>,
}

impl Stage {
    /// A stage without tasks, which have so long to end once they are told to.
    pub(super) fn new(name: &'static str, patience: Duration) -> Self {
        Self { name, patience, stop: CancellationToken::new(), tasks: JoinSet::new() }
    }

    /// Runs a task, which ends by the token that it is made with.
    pub(super) fn spawn<F>(&mut self, make: impl FnOnce(CancellationToken) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.tasks.spawn(make(self.stop.clone()));
    }

    /// Likewise; makes the task again, and counts it, should it end before it is told to.
    pub(super) fn keep<F>(
        &mut self,
        task: &'static str,
        metrics: &SupervisionMetrics,
        mut make: impl FnMut(CancellationToken) -> F + Send + 'static,
    ) where
        F: Future<Output = ()> + Send + 'static,
    {
        let metrics = metrics.clone();
        self.spawn(|stop| {
            let token = stop.clone();
            let make = move || make(token.clone());
            keep_running(task, stop, make, move || metrics.restarted(task))
        });
    }

    /// Waits until one of the tasks has ended; tells how.
    pub(super) async fn ended(&mut self) -> anyhow::Error {
        match self.tasks.join_next().await {
            Some(Err(error)) => anyhow::Error::new(error).context("a task panicked"),
            _ => anyhow::anyhow!("the {} task ended by itself", self.name),
        }
    }

    /// Tells the tasks to end and waits for them. Gives the stage's name if they take too long; they are aborted then.
    pub(super) async fn end(mut self) -> Option<&'static str> {
        self.stop.cancel();
        let drain = async { while self.tasks.join_next().await.is_some() {} };
        timeout(self.patience, drain).await.is_err().then_some(self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::Instant;

    #[tokio::test(start_paused = true)]
    async fn a_stage_that_hangs_is_named_when_its_time_is_over() {
        let started = Instant::now();
        let mut well = Stage::new("well", Duration::from_secs(2));
        well.spawn(|stop| async move { stop.cancelled().await });
        assert_eq!((well.end().await, started.elapsed()), (None, Duration::ZERO));
        let mut hung = Stage::new("hung", Duration::from_secs(2));
        hung.spawn(|_| std::future::pending());
        assert_eq!((hung.end().await, started.elapsed().as_secs()), (Some("hung"), 2));
    }

    #[tokio::test]
    async fn a_task_that_ends_too_soon_says_how() {
        let mut stage = Stage::new("control", Duration::ZERO);
        stage.spawn(|_| async {});
        assert_eq!(stage.ended().await.to_string(), "the control task ended by itself");
        stage.spawn(|_| async { panic!("broken") });
        assert_eq!(stage.ended().await.to_string(), "a task panicked");
    }
}
