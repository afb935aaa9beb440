//! Putting an app back.

use std::cell::Cell;
use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::task::Common;
use crate::fleet::apply::{Patience, Progress, apply};
use crate::fleet::lease::Lease;
use crate::fleet::part::Part;
use crate::fleet::plan::{Forced, Plan, restoration};
use crate::fleet::site::{Reached, plan_app};
use crate::model::{Ident, chain};

/// How long giving up may take, which is to give the Lease back.
const GIVING_UP: Duration = Duration::from_secs(5);

/// What came of putting an app back: in how many steps, or why not.
pub(super) type Mended = Result<usize, String>;

/// The one app of a site that is being put back, if any is: in a task of its own, as its Lease has to be renewed whatever the site does
/// meanwhile.
#[derive(Debug, Default)]
pub(super) struct Mending {
    tasks: JoinSet<Mended>,
    app: Option<Ident>,
    given_up: CancellationToken,
}

impl Mending {
    /// Whether nothing is being put back.
    pub(super) fn is_idle(&self) -> bool {
        self.app.is_none()
    }

    /// Begins to put an app back. One at a time: nothing else is to be under way.
    pub(super) fn begin(&mut self, reached: Arc<Reached>, part: Arc<Part>, common: &Common) {
        self.app = Some(part.app.name.clone());
        let (given_up, common) = (self.given_up.clone(), common.clone());
        self.tasks.spawn_local(async move { mend(&reached, &part, &common, &given_up).await });
    }

    /// Waits until an app was put back, or couldn't be. Never ends while none is.
    pub(super) async fn done(&mut self) -> (Ident, Mended) {
        let ended = self.tasks.join_next().await;
        let (Some(ended), Some(app)) = (ended, self.app.take()) else { return pending().await };
        let mended = ended.unwrap_or_else(|error| {
            tracing::error!(event = "fleet_panicked", %app, %error, "putting {app} back panicked, which is a fault in Farol");
            Err("it panicked, which is a fault in Farol".to_owned())
        });
        (app, mended)
    }

    /// Gives up what is under way, and the Lease with it. Gives what came of it, if something was.
    pub(super) async fn give_up(&mut self) -> Option<(Ident, Mended)> {
        if self.is_idle() {
            return None;
        }
        self.given_up.cancel();
        // The Lease runs out by itself.
        let mended = timeout(GIVING_UP, self.done()).await.ok();
        *self = Self::default();
        mended
    }
}

/// Puts an app back, while no other companion changes the site.
async fn mend(
    reached: &Reached,
    part: &Part,
    common: &Common,
    given_up: &CancellationToken,
) -> Mended {
    let (site, app) = (&reached.site.name, &part.app.name);
    let mut waiting = |holder: &str| {
        tracing::info!(event = "fleet_standing_by", %site, %app, holder, "{app} on {site} is not put back yet: {holder} is changing the site");
    };
    let (is_alone, done) = (Cell::new(false), AtomicUsize::new(0));
    let put_back = async {
        is_alone.set(true);
        // What was missing or other may be as it should by now.
        let planned = plan_app(reached, part, &common.tools, &Forced::all()).await;
        let planned = planned.map_err(|it| chain(&it))?;
        let mask = common.mask.hiding(&planned.secrets);
        let steps = restoration(&planned.plan);
        let plan = Plan { steps, ..Plan::default() };
        let mut count = |it: Progress<'_>| {
            if let Progress::Done(_) = it {
                done.fetch_add(1, Ordering::Relaxed);
            }
        };
        let applied = apply(&reached.cluster, &plan, &[], Patience::default(), &mut count).await;
        applied.map(|()| plan.steps.len()).map_err(|it| mask.text(&chain(&it)))
    };
    let work = |_| given_up.run_until_cancelled(put_back);
    // Who has the Lease gives it back; who waits for it has nothing to give.
    let waits_no_more = async {
        given_up.cancelled().await;
        if is_alone.get() {
            pending::<()>().await;
        }
    };
    let broken_off = |why: &str| {
        Err(match done.load(Ordering::Relaxed) {
            0 => why.to_owned(),
            steps => format!("{why}; {steps} objects were put back before"),
        })
    };
    let given_up = || broken_off("it was given up, as the fleet is described anew");
    tokio::select! {
        ended = Lease::of_site(reached).alone(&mut waiting, work) => match ended {
            Ok(mended) => mended.unwrap_or_else(given_up),
            Err(error) => broken_off(&chain(&error)),
        },
        () = waits_no_more => given_up(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn nothing_is_given_up_at_once() {
        let started = tokio::time::Instant::now();
        assert!(Mending::default().give_up().await.is_none());
        assert_eq!(started.elapsed(), Duration::ZERO);
    }
}
