//! The looks at a site's apps: one after the other, as each is work for the cluster; but one that takes long holds up no other for long.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::LocalBoxFuture;
use futures_util::stream::FuturesUnordered;
use tokio::time::Instant;

use crate::clock;
use crate::fleet::part::Part;
use crate::model::Ident;

/// How long the others wait for a look.
const TURN: Duration = Duration::from_secs(2);

/// The looks that are wanted, and those that are under way.
pub(super) struct Looks<'a, T> {
    waiting: VecDeque<Arc<Part>>,
    under_way: FuturesUnordered<LocalBoxFuture<'a, (Ident, T)>>,
    /// Until when each of those that are under way has its turn.
    turns: HashMap<Ident, Instant>,
}

impl<T> Default for Looks<'_, T> {
    fn default() -> Self {
        let (waiting, turns) = (VecDeque::new(), HashMap::new());
        Self { waiting, under_way: FuturesUnordered::new(), turns }
    }
}

impl<'a, T: 'a> Looks<'a, T> {
    /// Notes that an app is to be looked at; when what is under way there is over, as that may not have seen what has happened since.
    pub(super) fn want(&mut self, part: &Arc<Part>) {
        if self.waiting.iter().all(|it| it.app.name != part.app.name) {
            self.waiting.push_back(part.clone());
        }
    }

    /// When none waits for its turn any more: what is under way then takes long.
    pub(super) fn settled(&self) -> Option<Instant> {
        self.next().is_none().then(|| self.turn().unwrap_or_else(Instant::now))
    }

    /// Waits for a look to be over, which begins by this. Never ends while none is wanted; may be given up and called again.
    pub(super) async fn done<F>(&mut self, look: impl Fn(Arc<Part>) -> F) -> (Ident, T)
    where
        F: Future<Output = T> + 'a,
    {
        loop {
            let next = self.next();
            let turn = next.map(|_| self.turn().unwrap_or_else(Instant::now));
            tokio::select! {
                Some((app, seen)) = self.under_way.next() => {
                    self.turns.remove(&app);
                    return (app, seen);
                }
                () = clock::reached(turn) => {
                    let Some(part) = next.and_then(|it| self.waiting.remove(it)) else { continue };
                    let app = part.app.name.clone();
                    self.turns.insert(app.clone(), Instant::now() + TURN);
                    let look = look(part);
                    self.under_way.push(Box::pin(async move { (app, look.await) }));
                }
            }
        }
    }

    /// Which of those that wait begins next.
    fn next(&self) -> Option<usize> {
        self.waiting.iter().position(|it| !self.turns.contains_key(&it.app.name))
    }

    /// Until when another has its turn.
    fn turn(&self) -> Option<Instant> {
        self.turns.values().max().copied()
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

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
        looks: &mut Looks<'_, Instant>,
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

    #[tokio::test(start_paused = true)]
    async fn one_goes_after_the_other_unless_it_takes_long() {
        let (start, mut looks) = (Instant::now(), Looks::default());
        parts(&["a1", "b1", "c20", "d20", "e1", "f0"]).iter().for_each(|it| looks.want(it));
        let expected = [("a1", 0, 1), ("b1", 1, 2), ("e1", 6, 7), ("f0", 7, 7), ("c20", 2, 22)];
        let expected = expected.map(|(app, began, over)| (app.to_owned(), began, over));
        assert_eq!(outcomes(&mut looks, start, 5).await, expected);
    }

    #[tokio::test(start_paused = true)]
    async fn an_app_is_looked_at_once_at_a_time() {
        let (start, mut looks) = (Instant::now(), Looks::default());
        let parts = parts(&["a5", "b1"]);
        looks.want(&parts[0]);
        let early = tokio::time::timeout(Duration::from_secs(1), looks.done(look)).await;
        assert!(early.is_err(), "what is given up goes on");
        parts.iter().chain(&parts).for_each(|it| looks.want(it));
        let expected = [("b1", 2, 3), ("a5", 0, 5), ("a5", 5, 10)];
        let expected = expected.map(|(app, began, over)| (app.to_owned(), began, over));
        assert_eq!(outcomes(&mut looks, start, 3).await, expected);
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_settled_when_none_waits_for_its_turn() {
        let (start, mut looks) = (Instant::now(), Looks::default());
        assert_eq!(looks.settled(), Some(start));
        let parts = parts(&["a20", "b1"]);
        parts.iter().for_each(|it| looks.want(it));
        assert_eq!(looks.settled(), None);
        assert_eq!(outcomes(&mut looks, start, 1).await, [("b1".to_owned(), 2, 3)]);
        assert!(looks.settled().is_some_and(|it| it <= Instant::now()), "the other takes long");
        looks.want(&parts[0]);
        assert!(looks.settled().is_some(), "that it is wanted again holds up nobody");
    }
}
