use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::task::Id;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How far a connection is with its request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// The first request, or the rest of one whose head is here, is on its way.
    Arriving,
    /// The request is here as a whole and has no answer yet.
    Handling,
    /// The answer is being sent, or was; another request may come.
    Answered,
}

/// A connection's place among the others.
#[derive(Debug)]
pub(super) struct Place {
    /// Cancelled when the connection must end.
    pub(super) end: CancellationToken,
    phase: Mutex<(Phase, Instant)>,
}

impl Place {
    /// A connection that has sent nothing yet, and ends with `stop`.
    pub(super) fn new(stop: &CancellationToken) -> Self {
        let phase = Mutex::new((Phase::Arriving, Instant::now()));
        Self { end: stop.child_token(), phase }
    }

    pub(super) fn enter(&self, phase: Phase) {
        *self.phase.lock().unwrap_or_else(PoisonError::into_inner) = (phase, Instant::now());
    }

    /// The phase, and since when it is in it.
    pub(super) fn phase(&self) -> (Phase, Instant) {
        *self.phase.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Who is connected, by task, so that a newcomer finds a place.
#[derive(Debug, Default)]
pub(super) struct Connections(HashMap<Id, Arc<Place>>);

impl Connections {
    /// How many there are, without those that were told to make room.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn admit(&mut self, task: Id, place: Arc<Place>) {
        self.0.insert(task, place);
    }

    pub(super) fn leave(&mut self, task: Id) {
        self.0.remove(&task);
    }

    /// Tells the connection to end that has been silent for longest; says whether there is one that is not worked for.
    pub(super) fn end_most_silent(&mut self) -> bool {
        let since = |(task, place): (&Id, &Arc<Place>)| match place.phase() {
            (Phase::Handling, _) => None,
            (_, since) => Some((since, *task)),
        };
        let silent = self.0.iter().filter_map(since).min_by_key(|it| it.0);
        let ended = silent.and_then(|(_, task)| self.0.remove(&task));
        ended.as_ref().map(|it| it.end.cancel()).is_some()
    }

    /// Tells every connection to end; what is worked for is answered first.
    pub(super) fn end_all(&mut self) {
        self.0.drain().for_each(|(_, it)| it.end.cancel());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tokio::task::JoinSet;

    #[tokio::test(start_paused = true)]
    async fn the_most_silent_makes_room_and_nobody_who_is_worked_for() {
        let (stop, mut tasks) = (CancellationToken::new(), JoinSet::new());
        let mut connections = Connections::default();
        let mut places = Vec::new();
        for phase in [Phase::Handling, Phase::Arriving, Phase::Answered] {
            tokio::time::sleep(Duration::from_secs(1)).await;
            let place = Arc::new(Place::new(&stop));
            place.enter(phase);
            connections.admit(tasks.spawn(async {}).id(), place.clone());
            places.push(place);
        }
        let ended = || places.iter().map(|it| it.end.is_cancelled()).collect::<Vec<_>>();
        assert!(connections.end_most_silent());
        assert_eq!((ended(), connections.len()), (vec![false, true, false], 2));
        assert!(connections.end_most_silent());
        assert!(!connections.end_most_silent());
        assert_eq!((ended(), connections.len()), (vec![false, true, true], 1));
        stop.cancel();
        assert_eq!(ended(), [true; 3]);
    }
}
