//! The looks at a site's apps: one after the other, as each is work for the cluster; but one that takes long holds up no other for long.

use std::collections::{HashMap, VecDeque};
use std::panic::resume_unwind;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::{Id, JoinSet};
use tokio::time::{Instant, timeout};

use crate::clock;
use crate::fleet::part::Part;
use crate::fleet::plan::Forced;
use crate::fleet::render::Tools;
use crate::fleet::site::{PlanError, Planned, Reached, plan_app};
use crate::model::Ident;

/// How long the others wait for a look.
const TURN: Duration = Duration::from_secs(2);
/// How long a look may take: a disk that hangs would hold it for ever.
const LONGEST: Duration = Duration::from_secs(300);
/// The looks that go on at the same time: if all take long, it may be the cluster that is at its end.
const AT_ONCE: usize = 4;

/// The looks that are wanted, and those that are under way: in tasks of their own, as they may hold what the site waits for, such as the way to
/// a credential. They end with this.
pub(super) struct Looks<T> {
    waiting: VecDeque<Arc<Part>>,
    tasks: JoinSet<(Ident, T)>,
    /// Until when each of those that are under way has its turn.
    turns: HashMap<Id, Instant>,
}

impl<T> Default for Looks<T> {
    fn default() -> Self {
        Self { waiting: VecDeque::new(), tasks: JoinSet::new(), turns: HashMap::new() }
    }
}

impl<T: 'static> Looks<T> {
    /// Notes that an app is to be looked at, for which no look is wanted or under way.
    pub(super) fn want(&mut self, part: &Arc<Part>) {
        self.waiting.push_back(part.clone());
    }

    /// When all that is under way takes long, and none begins before one of that is over.
    pub(super) fn settled(&self) -> Option<Instant> {
        (!self.may_begin()).then(|| self.turn())
    }

    /// Waits for a look to be over, which begins by this. Never ends while none is wanted; may be given up and called again.
    pub(super) async fn done<F>(&mut self, look: impl Fn(Arc<Part>) -> F) -> (Ident, T)
    where
        F: Future<Output = T> + 'static,
    {
        loop {
            let turn = self.may_begin().then(|| self.turn());
            tokio::select! {
                Some(ended) = self.tasks.join_next_with_id() => {
                    let (id, seen) = ended.unwrap_or_else(|error| resume_unwind(error.into_panic()));
                    self.turns.remove(&id);
                    return seen;
                }
                () = clock::reached(turn) => {
                    let Some(part) = self.waiting.pop_front() else { continue };
                    let (app, look) = (part.app.name.clone(), look(part));
                    let task = self.tasks.spawn_local(async move { (app, look.await) });
                    self.turns.insert(task.id(), Instant::now() + TURN);
                }
            }
        }
    }

    /// Whether another begins when it has its turn.
    fn may_begin(&self) -> bool {
        !self.waiting.is_empty() && self.tasks.len() < AT_ONCE
    }

    /// When the next has its turn.
    fn turn(&self) -> Instant {
        self.turns.values().max().copied().unwrap_or_else(Instant::now)
    }
}

/// Looks at an app as a whole.
pub(super) fn look(
    reached: &Arc<Reached>,
    part: Arc<Part>,
    tools: &Tools,
) -> impl Future<Output = Result<Planned, PlanError>> + 'static {
    let (reached, tools) = (reached.clone(), tools.clone());
    async move {
        let nothing = Forced::default();
        let planned = plan_app(&reached, &part, &tools, &nothing);
        timeout(LONGEST, planned).await.unwrap_or(Err(PlanError::TookLong(LONGEST)))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use tokio::task::LocalSet;
    use tokio::time::sleep;

    use super::*;
    use crate::fleet::spec::{Described, Description};

    /// The apps of a fleet.
    fn parts(names: &[&str]) -> Vec<Arc<Part>> {
        let mut text =
            "sites:\n- { name: sea, cluster: { kubeconfig: /nonexistent } }\napps:\n".to_owned();
        for name in names {
            text.push_str(&format!(
                "- {{ name: {name}, namespace: {name}, source: {{ manifests: . }} }}\n"
            ));
        }
        let described = Description::parse(Path::new("/fleet.yaml"), &text).unwrap();
        let Description::Whole(Described { fleet, .. }) = described else {
            panic!("{described:?}")
        };
        Part::all(&fleet).into_iter().map(Arc::new).collect()
    }

    /// A look that takes so many seconds, as its app is called. Gives when it began.
    async fn look(part: Arc<Part>) -> Instant {
        let began = Instant::now();
        let seconds = part.app.name.as_str().trim_start_matches(|it: char| it.is_alphabetic());
        sleep(Duration::from_secs(seconds.parse().unwrap())).await;
        began
    }

    /// The next `count` that are over: the app, when its look began, and when it was over, in seconds after the start.
    async fn outcomes(
        looks: &mut Looks<Instant>,
        start: Instant,
        count: usize,
    ) -> Vec<(String, u64, u64)> {
        let mut outcomes = Vec::new();
        for _ in 0..count {
            let (app, began) = looks.done(look).await;
            let seconds = |it: Instant| (it - start).as_secs();
            outcomes.push((app.to_string(), seconds(began), seconds(Instant::now())));
        }
        outcomes
    }

    fn expected<const N: usize>(all: [(&str, u64, u64); N]) -> Vec<(String, u64, u64)> {
        all.map(|(app, began, over)| (app.to_owned(), began, over)).into()
    }

    #[tokio::test(start_paused = true)]
    async fn one_goes_after_the_other_unless_it_takes_long() {
        let (start, mut looks) = (Instant::now(), Looks::default());
        parts(&["a1", "b1", "c20", "d20", "e1", "f0"]).iter().for_each(|it| looks.want(it));
        let outcomes = LocalSet::new().run_until(outcomes(&mut looks, start, 5)).await;
        let all = [("a1", 0, 1), ("b1", 1, 2), ("e1", 6, 7), ("f0", 7, 7), ("c20", 2, 22)];
        assert_eq!(outcomes, expected(all));
    }

    #[tokio::test(start_paused = true)]
    async fn so_many_go_on_at_the_same_time_and_no_more() {
        let (start, mut looks) = (Instant::now(), Looks::default());
        parts(&["a20", "b20", "c20", "d20", "e1"]).iter().for_each(|it| looks.want(it));
        let local = LocalSet::new();
        let given_up = timeout(Duration::from_secs(6), looks.done(look));
        assert!(local.run_until(given_up).await.is_err());
        assert_eq!(looks.settled(), Some(start + Duration::from_secs(8)), "though one waits");
        let outcomes = local.run_until(outcomes(&mut looks, start, 2)).await;
        assert_eq!(outcomes, expected([("a20", 0, 20), ("e1", 20, 21)]));
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_settled_when_none_begins_and_goes_on_while_nobody_asks() {
        let (start, mut looks) = (Instant::now(), Looks::default());
        assert_eq!(looks.settled(), Some(start));
        parts(&["a5", "b1"]).iter().for_each(|it| looks.want(it));
        assert_eq!(looks.settled(), None);
        let local = LocalSet::new();
        let given_up = timeout(Duration::from_secs(1), looks.done(look));
        assert!(local.run_until(given_up).await.is_err());
        let seen = local.run_until(outcomes(&mut looks, start, 1)).await;
        assert_eq!(seen, expected([("b1", 2, 3)]));
        assert!(looks.settled().is_some_and(|it| it <= Instant::now()), "the other takes long");
        local.run_until(sleep(Duration::from_secs(10))).await;
        let seen = local.run_until(outcomes(&mut looks, start, 1)).await;
        assert_eq!(seen, expected([("a5", 0, 13)]), "it is over, and heard of when somebody asks");
    }
}
