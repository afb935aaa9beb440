//! Charts that are elsewhere: each is pulled once for all who want it at the time, and kept for those who want it soon after.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared, WeakShared};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::RenderError;
use super::package::{Package, Wanted};
use super::tools::Tools;

/// How long a package is used: less than passes until the daemon looks at everything anew.
const KEPT: Duration = Duration::from_secs(300);
/// The charts that are pulled at the same time. They mostly wait, for as long as a program may if nobody answers, so they take no slots of what
/// renders.
const AT_ONCE: usize = 8;

/// What comes of a pull, for each of those who wait for it.
type Pulling = BoxFuture<'static, Result<Arc<Package>, Arc<RenderError>>>;

/// The charts that are being pulled, and those that were a while ago.
#[derive(Debug)]
pub(super) struct Charts {
    /// Held by those who wait, and then by what keeps them: a pull that nobody waits for any more is over.
    pulls: Mutex<HashMap<Wanted, WeakShared<Pulling>>>,
    keeping: Mutex<JoinSet<()>>,
    turns: Semaphore,
}

impl Default for Charts {
    fn default() -> Self {
        let (pulls, keeping) = (Mutex::default(), Mutex::default());
        Self { pulls, keeping, turns: Semaphore::new(AT_ONCE) }
    }
}

impl Charts {
    /// The package of a chart that is no path. Its directory stays for as long as somebody has this.
    ///
    /// # Errors
    /// When it can't be pulled: then that was tried while this waited.
    pub(super) async fn package(
        &self,
        wanted: Wanted,
        tools: &Tools,
    ) -> Result<Arc<Package>, RenderError> {
        self.pull(wanted, tools).await.map_err(RenderError::Pull)
    }

    /// The pull that there is, or a new one.
    fn pull(&self, wanted: Wanted, tools: &Tools) -> Shared<Pulling> {
        let mut pulls = self.pulls();
        pulls.retain(|_, it| it.upgrade().is_some());
        // Of a failure hear only those who waited for it.
        let is_of_use = |it: &Shared<Pulling>| !matches!(it.peek(), Some(Err(_)));
        let known = pulls.get(&wanted).and_then(WeakShared::upgrade).filter(is_of_use);
        known.unwrap_or_else(|| {
            let panicked =
                wanted.refused("pulling it panicked, which is a fault in Farol".to_owned());
            let pull = AssertUnwindSafe(pull(wanted.clone(), tools.clone())).catch_unwind();
            // Else those who wait would never hear of it.
            let pull = pull.map(|it| it.unwrap_or_else(|_| Err(Arc::new(panicked))));
            let pull = pull.boxed().shared();
            pulls.extend(pull.downgrade().map(|it| (wanted, it)));
            pull
        })
    }

    /// Keeps what was pulled just now for those who come soon.
    fn keep(&self, wanted: &Wanted) {
        let Some(pull) = self.pulls().get(wanted).and_then(WeakShared::upgrade) else { return };
        let mut keeping = self.keeping.lock().unwrap_or_else(PoisonError::into_inner);
        while keeping.try_join_next().is_some() {}
        keeping.spawn(async move {
            sleep(KEPT).await;
            drop(pull);
        });
    }

    fn pulls(&self) -> MutexGuard<'_, HashMap<Wanted, WeakShared<Pulling>>> {
        self.pulls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn pull(wanted: Wanted, tools: Tools) -> Result<Arc<Package>, Arc<RenderError>> {
    // Nobody closes them.
    let _turn = tools.charts.turns.acquire().await;
    let package = wanted.pull(&tools).await?;
    tools.charts.keep(&wanted);
    Ok(Arc::new(package))
}

#[cfg(test)]
#[path = "charts_tests.rs"]
mod tests;
