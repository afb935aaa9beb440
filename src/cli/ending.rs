//! The end of the daemon, in order and within a time limit.

use std::collections::HashMap;
use std::time::Duration;

use tokio::task::{Id, JoinSet};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::metrics::SupervisionMetrics;
use crate::supervision::keep_running;

/// Tasks that end together.
pub(super) struct Stage {
    patience: Duration,
    stop: CancellationToken,
    tasks: JoinSet<()>,
    names: HashMap<Id, &'static str>,
}

impl Stage {
    /// A stage without tasks, which have so long to end once they are told to.
    pub(super) fn new(patience: Duration) -> Self {
        let stop = CancellationToken::new();
        Self { patience, stop, tasks: JoinSet::new(), names: HashMap::new() }
    }

    /// Runs a task, which ends by the token that it is made with.
    pub(super) fn spawn<F>(&mut self, task: &'static str, make: impl FnOnce(CancellationToken) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let handle = self.tasks.spawn(make(self.stop.clone()));
        self.names.insert(handle.id(), task);
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
        self.spawn(task, |stop| {
            let token = stop.clone();
            let make = move || make(token.clone());
            keep_running(task, stop, make, move || metrics.restarted(task))
        });
    }

    /// Waits until one of the tasks has ended; tells how.
    pub(super) async fn ended(&mut self) -> anyhow::Error {
        let ended = self.tasks.join_next_with_id().await;
        let mut name = |id: Id| self.names.remove(&id).unwrap_or_default();
        match ended {
            Some(Err(error)) => {
                let name = name(error.id());
                anyhow::Error::new(error).context(format!("the {name} task panicked"))
            }
            Some(Ok((id, ()))) => anyhow::anyhow!("the {} task ended by itself", name(id)),
            None => anyhow::anyhow!("no task was started"),
        }
    }

    /// Tells the tasks to end and waits for them. Names those that take too long; they are aborted then.
    pub(super) async fn end(mut self) -> Vec<&'static str> {
        self.stop.cancel();
        let drain = async {
            while let Some(ended) = self.tasks.join_next_with_id().await {
                self.names.remove(&ended.map_or_else(|error| error.id(), |(id, ())| id));
            }
        };
        // Who is named still has not ended.
        let _ = timeout(self.patience, drain).await;
        let mut hung: Vec<_> = self.names.into_values().collect();
        hung.sort_unstable();
        hung
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::Instant;

    #[tokio::test(start_paused = true)]
    async fn tasks_that_hang_are_named_when_their_time_is_over() {
        let started = Instant::now();
        let mut well = Stage::new(Duration::from_secs(2));
        well.spawn("well", |stop| async move { stop.cancelled().await });
        assert_eq!((well.end().await, started.elapsed()), (vec![], Duration::ZERO));
        let mut hung = Stage::new(Duration::from_secs(2));
        hung.spawn("well", |stop| async move { stop.cancelled().await });
        hung.spawn("hung", |_| std::future::pending());
        hung.spawn("blocked", |_| std::future::pending());
        assert_eq!((hung.end().await, started.elapsed().as_secs()), (vec!["blocked", "hung"], 2));
    }

    #[tokio::test]
    async fn a_task_that_ends_too_soon_says_how() {
        let mut stage = Stage::new(Duration::ZERO);
        stage.spawn("control", |_| async {});
        assert_eq!(stage.ended().await.to_string(), "the control task ended by itself");
        stage.spawn("runtime", |_| async { panic!("broken") });
        assert_eq!(stage.ended().await.to_string(), "the runtime task panicked");
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_that_is_kept_is_made_again_and_counted() {
        let registry = prometheus::Registry::new();
        let metrics = SupervisionMetrics::register(&registry, &["kept"], &[]).unwrap();
        let (made, mut makings) = tokio::sync::mpsc::unbounded_channel();
        let mut stage = Stage::new(Duration::from_secs(2));
        let mut last = 0;
        stage.keep("kept", &metrics, move |stop| {
            last += 1;
            let (run, made) = (last, made.clone());
            async move {
                let _ = made.send(run);
                if run == 3 {
                    stop.cancelled().await;
                }
            }
        });
        while makings.recv().await.unwrap() < 3 {}
        let text = prometheus::TextEncoder::new().encode_to_string(&registry.gather()).unwrap();
        assert!(text.contains("farol_task_restarts_total{task=\"kept\"} 2"), "{text}");
        assert!(stage.end().await.is_empty());
    }
}
