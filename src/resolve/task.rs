use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::{self, JoinError, JoinSet};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Wanted;
use super::answer::{Answer, judge, pause};
use crate::clock::{Clock, reached};
use crate::health::{Resolution, Resolved};
use crate::model::{Family, Locator, Name};
use crate::routing::mix;
use crate::settings;

/// Names that are asked for at the same time.
const UNDER_WAY: usize = 32;
/// From one first question to the next.
const SPREAD: Duration = Duration::from_millis(5);
/// By which all first questions are asked.
const SPREAD_MOST: Duration = Duration::from_secs(10);

/// The one question that the task asks of the world.
pub(super) trait World: Send + Sync + 'static {
    /// Asks for a name's addresses of one family.
    fn look_up(&self, name: &Name, family: Family) -> impl Future<Output = Answer> + Send;
}

/// Decides which name is asked for when, and takes in what came of it.
pub(super) struct Task<W, F> {
    make: F,
    world: Arc<W>,
    clock: Clock,
    wanted: watch::Receiver<Wanted>,
    changes: mpsc::Sender<Locator>,
    /// Changes that `changes` had no room for.
    outbox: VecDeque<Name>,
    names: HashMap<Name, Entry>,
    agenda: BinaryHeap<Reverse<(Instant, u64, Name)>>,
    lookups: JoinSet<[Answer; 2]>,
    under_way: HashMap<task::Id, (Name, u64)>,
    last_id: u64,
    seed: u64,
}

/// A name.
struct Entry {
    /// Told from what was asked for under the same name before.
    id: u64,
    record: Arc<Resolved>,
    /// Tries in a row that brought trouble.
    troubles: u32,
}

impl<W: World, F: Fn(&settings::Resolver) -> W> Task<W, F> {
    pub(super) fn new(
        make: F,
        clock: Clock,
        wanted: watch::Receiver<Wanted>,
        changes: mpsc::Sender<Locator>,
    ) -> Self {
        let world = Arc::new(make(&wanted.borrow().servers));
        Self {
            make,
            world,
            clock,
            wanted,
            changes,
            outbox: VecDeque::new(),
            names: HashMap::new(),
            agenda: BinaryHeap::new(),
            lookups: JoinSet::new(),
            under_way: HashMap::new(),
            last_id: 0,
            seed: getrandom::u64().unwrap_or_default(),
        }
    }

    pub(super) async fn run(mut self, stop: CancellationToken) {
        let changes = self.changes.clone(); // lent out while the rest of us is at work
        let mut servers = self.wanted.borrow().servers.clone();
        self.replace();
        loop {
            let wake = self.start_due();
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                changed = self.wanted.changed() => {
                    if changed.is_err() {
                        break; // nobody wants anything any more
                    }
                    let wanted = self.wanted.borrow_and_update().servers.clone();
                    // The system's servers may be others too.
                    if wanted != servers || wanted.servers.is_empty() {
                        self.world = Arc::new((self.make)(&wanted));
                        servers = wanted;
                    }
                    self.replace();
                }
                permit = changes.reserve(), if !self.outbox.is_empty() => match permit {
                    Ok(permit) => {
                        if let Some(name) = self.outbox.pop_front() {
                            permit.send(Locator::Name(name));
                        }
                    }
                    Err(_) => break, // nobody listens any more
                },
                Some(ended) = self.lookups.join_next_with_id() => self.finish(ended),
                () = reached(wake) => {}
            }
        }
        self.lookups.shutdown().await;
    }

    /// Asks for these names and no others. What is known of them already runs out when it would have.
    fn replace(&mut self) {
        let wanted = self.wanted.borrow_and_update().names.clone();
        let now = Instant::now();
        let mut former = std::mem::take(&mut self.names);
        let mut new = 0_u32;
        let new_ones = wanted.iter().filter(|(name, _)| !former.contains_key(name)).count();
        let step = SPREAD.min(SPREAD_MOST / u32::try_from(new_ones).unwrap_or(u32::MAX).max(1));
        for (name, record) in wanted {
            match former.remove(&name).filter(|it| Arc::ptr_eq(&it.record, &record)) {
                Some(entry) => {
                    self.names.insert(name, entry);
                }
                None => {
                    self.last_id += 1;
                    self.agenda.push(Reverse((now + step * new, self.last_id, name.clone())));
                    self.names.insert(name, Entry { id: self.last_id, record, troubles: 0 });
                    new += 1;
                }
            }
        }
        let names = &self.names;
        self.agenda.retain(|Reverse((_, id, name))| names.get(name).is_some_and(|it| it.id == *id));
        self.outbox.retain(|it| names.contains_key(it));
    }

    /// Asks for every name that is due, as far as there is room. Tells when the next one is due.
    fn start_due(&mut self) -> Option<Instant> {
        let now = Instant::now();
        while self.lookups.len() < UNDER_WAY {
            if self.agenda.peek().is_none_or(|Reverse((due, ..))| *due > now) {
                break;
            }
            let Some(Reverse((_, id, name))) = self.agenda.pop() else { break };
            let (world, asked) = (self.world.clone(), name.clone());
            let lookup = self.lookups.spawn(async move {
                let ask = |family| world.look_up(&asked, family);
                let (v4, v6) = tokio::join!(ask(Family::V4), ask(Family::V6));
                [v4, v6]
            });
            self.under_way.insert(lookup.id(), (name, id));
        }
        // While there is no room, the end of a question is what to wait for.
        let has_room = self.lookups.len() < UNDER_WAY;
        self.agenda.peek().filter(|_| has_room).map(|Reverse((due, ..))| *due)
    }

    /// Takes in what came of a question.
    fn finish(&mut self, ended: Result<(task::Id, [Answer; 2]), JoinError>) {
        let task = ended.as_ref().map_or_else(JoinError::id, |(task, _)| *task);
        let Some((name, id)) = self.under_way.remove(&task) else { return };
        let Some(entry) = self.names.get_mut(&name).filter(|it| it.id == id) else { return };
        let answers = match ended {
            Ok((_, answers)) => answers,
            Err(_) => [(); 2].map(|()| {
                Answer::Failed("resolving panicked, which is a fault in Farol".to_owned())
            }),
        };
        let before = entry.record.latest();
        let after = judge(&before, answers, (Clock::time_of_day(), self.clock.now()));
        entry.troubles = if after.trouble.is_some() { entry.troubles + 1 } else { 0 };
        tell(&name, &before, &after);
        let wait = early(&mut self.seed, &name, pause(&after, entry.troubles));
        let is_other = (&before.addresses, before.ttl) != (&after.addresses, after.ttl);
        entry.record.record(Resolution { next: Some(self.clock.now() + wait), ..after });
        if is_other {
            self.outbox.push_back(name.clone());
        }
        self.agenda.push(Reverse((Instant::now() + wait, id, name)));
    }
}

/// Up to a tenth sooner, so that names that were asked for together are not for ever.
fn early(seed: &mut u64, name: &Name, wait: Duration) -> Duration {
    let mut hasher = DefaultHasher::new();
    name.hash(&mut hasher);
    *seed = mix(*seed ^ hasher.finish());
    wait - (wait / 10).mul_f64(*seed as f64 / u64::MAX as f64)
}

/// Says that a name came into trouble or out of it.
fn tell(name: &Name, before: &Resolution, after: &Resolution) {
    let reason = |it: &Resolution| it.trouble.as_ref().map(|it| it.reason.clone());
    let addresses: Vec<String> = after.addresses.iter().map(|it| it.to_string()).collect();
    let addresses = addresses.join(", ");
    match (reason(before), reason(after)) {
        (former, Some(reason)) if former.as_ref() != Some(&reason) => {
            let then = match after.reach() {
                Ok(_) => "its last good addresses stay in use",
                Err(_) => "endpoints that are probed there fail",
            };
            tracing::warn!(
                event = "target_unresolved",
                %name,
                %reason,
                addresses,
                "{name} could not be resolved ({reason}); {then}"
            );
        }
        (Some(_), None) => tracing::info!(
            event = "target_resolved",
            %name,
            addresses,
            "{name} is resolved again: {addresses}"
        ),
        (None, None) if before.addresses != after.addresses => tracing::info!(
            event = "target_addresses",
            %name,
            addresses,
            "{name} has these addresses now: {addresses}"
        ),
        _ => {}
    }
}
