//! Keeps the last verdicts and the timelines on the disk, in a task of its own: nobody waits for it, and nothing depends on
//! its success but how much is known after a restart.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::world::key;
use super::{Timelines, refresh_state_metrics};
use crate::clock::Clock;
use crate::metrics::StateMetrics;
use crate::model::{Endpoint, EndpointKey, Moment, Protocol, Timestamp, Verdict, chain};
use crate::snapshot::{EndpointState, Live, Snapshot};
use crate::store::{Kept, KeptAddresses, Known, Memory, Store};

/// How long the first change waits for others to be written with it.
const SOON: Duration = Duration::from_secs(2);
/// How many times as long as a write took it pauses before the next, so that a large file doesn't keep the disk busy.
const REST: u32 = 20;

/// Writes down what is known of the endpoints.
#[derive(Clone, Debug)]
pub struct Keeper {
    /// Where the verdicts are.
    pub live: Arc<Live>,
    /// The timelines.
    pub timelines: Arc<Timelines>,
    /// Where they are kept.
    pub store: Arc<Store>,
    /// The clock that says how old a verdict is.
    pub clock: Clock,
    /// How long verdicts are remembered; four times in it they are written at least.
    pub max_age: Duration,
    /// What is counted.
    pub metrics: StateMetrics,
}

impl Keeper {
    /// Writes soon after each change and every quarter of `max_age`, until `stop` is cancelled, and then once more.
    pub async fn run(self, stop: CancellationToken) {
        let mut is_failing = false;
        let mut pause = SOON;
        while stop.run_until_cancelled(self.due(pause)).await.is_some() {
            let started = Instant::now();
            self.write(&mut is_failing).await;
            pause = pause_after(started.elapsed());
        }
        self.write(&mut is_failing).await;
    }

    async fn due(&self, pause: Duration) {
        sleep(pause.min(self.max_age / 4)).await;
        // That the time is over is as good as a change: verdicts that stay the same grow old in the file.
        let _ = timeout((self.max_age / 4).saturating_sub(pause), self.timelines.changed()).await;
    }

    async fn write(&self, is_failing: &mut bool) {
        let now = (self.clock.now(), Clock::time_of_day());
        let (snapshot, timelines, store) =
            (self.live.load(), self.timelines.clone(), self.store.clone());
        let written = tokio::task::spawn_blocking(move || {
            let written = store.save_memory(&memory(&snapshot, &timelines, now));
            store.look_for_damage();
            written
        });
        let failed = match written.await {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(chain(&error)),
            Err(_) => Some("writing them panicked, which is a fault in Farol".to_owned()),
        };
        refresh_state_metrics(&self.metrics, &self.store);
        match &failed {
            Some(error) if !*is_failing => tracing::error!(
                event = "verdicts_unwritten",
                error,
                "the last verdicts could not be stored ({error}): after a restart, probes have to find them anew; it will be tried again"
            ),
            None if *is_failing => {
                tracing::info!(event = "verdicts_written", "the last verdicts are stored again");
            }
            Some(_) | None => {}
        }
        *is_failing = failed.is_some();
    }
}

/// How long the disk has its rest after a write.
fn pause_after(write: Duration) -> Duration {
    SOON.max(write * REST)
}

/// Everything that is known of the endpoints at `now`, on both clocks.
fn memory(snapshot: &Snapshot, timelines: &Timelines, now: (Moment, Timestamp)) -> Memory {
    let mut endpoints = Vec::new();
    for table in snapshot.profiles.iter() {
        for (endpoint, state) in table.profile.endpoints.iter().zip(&table.endpoints) {
            let key: EndpointKey = key(&table.profile, endpoint);
            let timeline = timelines.get(&key).unwrap_or_default();
            let known = known(endpoint, state, now);
            let discovered = discovered(endpoint, state);
            if known.is_some() || discovered.is_some() || !timeline.is_empty() {
                endpoints.push(Kept { key, known, discovered, timeline });
            }
        }
    }
    Memory { written: now.1, endpoints }
}

fn discovered(endpoint: &Endpoint, state: &EndpointState) -> Option<KeptAddresses> {
    let found = state.facts.host.as_ref().filter(|_| endpoint.is_discovered())?.record.latest();
    Some(KeptAddresses { addresses: found.addresses, at: found.at?.0 })
}

fn known(
    endpoint: &Endpoint,
    state: &EndpointState,
    (moment, time): (Moment, Timestamp),
) -> Option<Known> {
    let facts = &state.facts;
    if facts.verdict == Verdict::Unknown || endpoint.probe.monitor.protocol == Protocol::None {
        return None;
    }
    // Until it is borne out by a probe, what is remembered grows no younger by being written again.
    let as_of = match (facts.probed.heard(), facts.remembered) {
        (Some(heard), _) => {
            let age = i64::try_from(moment.since(heard).as_millis()).unwrap_or(i64::MAX);
            Timestamp(time.0.saturating_sub(age))
        }
        (None, Some(remembered)) => remembered.as_of,
        // The word of another endpoint that shares its probes, which was not borne out yet either.
        (None, None) => return None,
    };
    let probe = facts.probe(endpoint);
    let (probed, host) = (probe.addresses.clone(), probe.host.clone());
    Some(Known { verdict: facts.verdict, as_of, probed, host })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_takes_long_to_write_is_written_seldom() {
        let [short, long] = [50, 3000].map(Duration::from_millis);
        assert_eq!((pause_after(short), pause_after(long)), (SOON, Duration::from_secs(60)));
    }
}
