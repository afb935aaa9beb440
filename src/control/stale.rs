//! Looks for verdicts that no probe confirms any more, and endpoints that none says anything about. They stay as they are, but
//! not in silence.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::world::key;
use crate::clock::Clock;
use crate::model::{EndpointKey, Moment, Verdict};
use crate::snapshot::{Live, ProfileTable, Snapshot};

/// From one look at all endpoints to the next. The shortest of intervals gets by with one look in three.
const SWEEP: Duration = Duration::from_secs(5);
/// The profiles that are looked at before others have their turn.
const PROFILES: usize = 256;
/// The endpoints of one sweep that are logged by name; if probing as a whole has stopped, all of them would say the same.
const NAMED: usize = 20;

/// Logs which verdicts become stale, and which are fresh again, until `stop` is cancelled.
pub async fn watch_for_stale(live: Arc<Live>, clock: Clock, stop: CancellationToken) {
    let mut stale = BTreeSet::new();
    while stop.run_until_cancelled(tokio::time::sleep(SWEEP)).await.is_some() {
        stale = sweep(&live, clock, &stale).await;
    }
}

async fn sweep(live: &Live, clock: Clock, before: &BTreeSet<EndpointKey>) -> BTreeSet<EndpointKey> {
    let (snapshot, now) = (live.load(), clock.now());
    let mut stale = BTreeSet::new();
    for (at, table) in snapshot.profiles.iter().enumerate() {
        if at % PROFILES == PROFILES - 1 {
            tokio::task::yield_now().await;
        }
        stale.extend(stale_of(table, now));
    }
    let became: Vec<_> = stale.difference(before).collect();
    became.iter().take(NAMED).for_each(|it| became_stale(&snapshot, it));
    if became.len() > NAMED {
        let (count, named) = (became.len(), NAMED);
        tracing::warn!(
            event = "verdicts_stale",
            count,
            "the verdicts on {count} endpoints became stale, of which {named} are named here"
        );
    }
    // What is configured no more is neither.
    let fresh: Vec<_> = before.difference(&stale).filter(|it| snapshot.has_endpoint(it)).collect();
    for EndpointKey { profile, endpoint } in fresh.iter().take(NAMED) {
        tracing::info!(event = "verdict_fresh", %profile, %endpoint, "probes of {profile} {endpoint} say something again");
    }
    if fresh.len() > NAMED {
        let (count, named) = (fresh.len(), NAMED);
        tracing::info!(
            event = "verdicts_fresh",
            count,
            "the verdicts on {count} endpoints are fresh again, of which {named} are named here"
        );
    }
    stale
}

fn became_stale(snapshot: &Snapshot, key: &EndpointKey) {
    let EndpointKey { profile, endpoint } = key;
    let state = |table: &ProfileTable| table.endpoints.get(table.position(endpoint)?).cloned();
    let Some(state) = snapshot.profile(profile).and_then(|it| state(it)) else { return };
    let so = match state.facts.verdict {
        Verdict::Unknown => "it has no verdict, and is served without one",
        Verdict::Online | Verdict::Degraded => "its last verdict stays in force",
    };
    let reason = state.facts.probed.void_reason();
    let reason = reason.as_deref().unwrap_or_default();
    let because = if reason.is_empty() { String::new() } else { format!(": {reason}") };
    tracing::warn!(event = "verdict_stale", %profile, %endpoint, reason, "no probe of {profile} {endpoint} has said anything for three intervals; {so}{because}");
}

fn stale_of(table: &ProfileTable, now: Moment) -> impl Iterator<Item = EndpointKey> {
    let endpoints = table.profile.endpoints.iter().zip(&table.endpoints);
    let stale = endpoints.filter(move |(it, state)| state.is_stale(it, now));
    stale.map(|(endpoint, _)| key(&table.profile, endpoint))
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write};
    use std::path::Path;
    use std::sync::Mutex;

    use super::super::World;
    use super::*;
    use crate::health::{Outcome, Phase, PhaseTimes, ProbeResult};
    use crate::model::{Now, Overrides, Timestamp};
    use crate::probe::VerdictChange;
    use crate::settings::load_text;

    /// A log that is kept.
    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl Write for Log {
        fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(octets)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Log {
        /// The events since the last call, in their order.
        fn take(&self) -> Vec<String> {
            let text = String::from_utf8(std::mem::take(&mut *self.0.lock().unwrap())).unwrap();
            let event = |line: &str| {
                let line: serde_json::Value = serde_json::from_str(line).unwrap();
                let field = |name: &str| line[name].as_str().unwrap_or_default().to_owned();
                format!("{} {}", field("event"), field("endpoint")).trim().to_owned()
            };
            text.lines().map(event).collect()
        }
    }

    /// A world with so many endpoints, e0 and on, which are probed every 10 seconds.
    fn world(endpoints: usize) -> World {
        let endpoint = |at| format!("{{ name = 'e{at}', target = '192.0.2.{at}' }}, ");
        let endpoints: String = (0..endpoints).map(endpoint).collect();
        let config = format!(
            "[[zone]]\nname = 'z.'\nnameservers = 'ns.example.'\n[[profile]]\nname = 'app.z.'\n\
             method = 'weighted'\nmonitor = {{ interval = '10s' }}\nendpoint = [{endpoints}]\n"
        );
        let settings = load_text(Path::new("farol.toml"), &config).unwrap();
        World::new(
            &settings.model,
            Overrides::default(),
            crate::control::Recall::default(),
            1,
            1,
            Now::at(0),
        )
    }

    /// Lets a probe say that an endpoint is well.
    fn hear(world: &mut World, endpoint: usize, now: Moment) {
        let watch = world.watches().swap_remove(endpoint);
        let result = ProbeResult {
            at: Timestamp(0),
            outcome: Outcome::Passed,
            phase: Phase::Connect,
            elapsed: Duration::ZERO,
            phases: PhaseTimes::default(),
            reason: None,
            refused: false,
            certificate_expires: None,
        };
        watch.probed.record(Arc::new(result), now, None);
        let (key, probed) = (watch.key, watch.probed);
        let verdict = Verdict::Online;
        world.observe(&VerdictChange {
            key,
            verdict,
            doubt: None,
            at: Timestamp(0),
            reason: None,
            probed,
        });
    }

    /// What this thread logs until the guard is dropped.
    fn logged() -> (Log, tracing::subscriber::DefaultGuard) {
        let log = Log::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt()
            .json()
            .flatten_event(true)
            .with_writer(move || writer.clone());
        (log, tracing::subscriber::set_default(subscriber.finish()))
    }

    async fn run(mut world: World, heard: usize, until: impl AsyncFnOnce(Log, &mut World, Clock)) {
        let (log, _guard) = logged();
        let clock = Clock::start();
        (0..heard).for_each(|at| hear(&mut world, at, clock.now()));
        world.publish(Now::at(0));
        let live = Arc::new(Live::new(world.snapshot().clone(), 1));
        let stop = CancellationToken::new();
        let watching = watch_for_stale(live, clock, stop.clone());
        tokio::join!(watching, async {
            until(log, &mut world, clock).await;
            stop.cancel();
        });
    }

    #[tokio::test(start_paused = true)]
    async fn a_verdict_that_becomes_stale_is_told_once_and_so_is_its_end() {
        // Of e2 there is never a verdict.
        run(world(3), 2, async |log, world, clock| {
            tokio::time::sleep(Duration::from_secs(29)).await;
            assert_eq!(log.take(), [""; 0], "three intervals are not over");
            hear(world, 1, clock.now());
            tokio::time::sleep(Duration::from_secs(25)).await;
            assert_eq!(log.take(), ["verdict_stale e0", "verdict_stale e2"]);
            hear(world, 0, clock.now());
            hear(world, 1, clock.now());
            tokio::time::sleep(SWEEP).await;
            assert_eq!(log.take(), ["verdict_fresh e0"]);
        })
        .await;
    }

    #[tokio::test]
    async fn what_is_configured_no_more_is_not_fresh() {
        let (log, _guard) = logged();
        let live = Live::new(world(1).snapshot().clone(), 1);
        let before = ["e0", "e1"].map(|it| EndpointKey {
            profile: "app.z.".parse().unwrap(),
            endpoint: it.parse().unwrap(),
        });
        assert!(sweep(&live, Clock::start(), &before.into()).await.is_empty());
        assert_eq!(log.take(), ["verdict_fresh e0"]);
    }

    #[tokio::test(start_paused = true)]
    async fn many_are_summed_up() {
        run(world(NAMED), NAMED, async |log, _, _| {
            tokio::time::sleep(Duration::from_secs(36)).await;
            assert_eq!(log.take().len(), NAMED, "all are named");
        })
        .await;
        run(world(50), 50, async |log, world, clock| {
            tokio::time::sleep(Duration::from_secs(36)).await;
            let told = log.take();
            assert_eq!((told.len(), told.last().unwrap().as_str()), (NAMED + 1, "verdicts_stale"));
            (0..50).for_each(|at| hear(world, at, clock.now()));
            tokio::time::sleep(SWEEP).await;
            let told = log.take();
            assert_eq!((told.len(), told.last().unwrap().as_str()), (NAMED + 1, "verdicts_fresh"));
        })
        .await;
    }
}
