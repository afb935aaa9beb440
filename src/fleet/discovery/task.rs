//! The one task of discovery: runs the watchers, and passes on what follows from what they say.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::{self, AbortHandle, JoinSet};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::claims::{Claims, Stale, Standing, Word};
use super::source::Source;
use super::watcher::{self, Heard, Said, Subject};
use super::workload;
use crate::clock::{self, Clock};
use crate::health::{Resolution, Resolved, Trouble};
use crate::metrics::DiscoveryMetrics;
use crate::model::{Addresses, EndpointKey, Locator};
use crate::resolve::Wanted;

/// Words of watchers that may wait; further ones wait at their watchers.
const WORDS: usize = 64;
/// The pause before a watcher that panicked begins anew.
const AFTER_PANIC: Duration = Duration::from_secs(5);
/// How long an endpoint is without a description before that is told: what is wanted and where to look change one after the other.
const UNDESCRIBED_FOR: Duration = Duration::from_secs(1);
/// Why addresses may be wrong that were known before there was this watcher.
const UNASKED: &str = "its cluster has not answered so far";
/// Why addresses may be wrong whose endpoint no description tells of.
const UNDESCRIBED: &str = "no description of the fleet could be read so far";

/// Discovers the addresses of everything that is wanted. Its owner runs it in a task and ends it by a token; the next one begins
/// where it was.
#[derive(Debug)]
pub struct Discovery {
    clock: Clock,
    sources: watch::Receiver<Option<Arc<[Source]>>>,
    wanted: watch::Receiver<Wanted>,
    changes: mpsc::Sender<Locator>,
    metrics: DiscoveryMetrics,
}

/// An endpoint that is watched.
struct Watched {
    source: Source,
    record: Arc<Resolved>,
    watchers: Vec<Running>,
}

/// A watcher at work.
struct Running {
    subject: Subject,
    /// Tells it from those before.
    number: u64,
    task: AbortHandle,
}

/// What runs, and what is known.
struct Task {
    discovery: Discovery,
    claims: Claims,
    watched: HashMap<EndpointKey, Watched>,
    /// The endpoints that nobody says where to look for, each with the time at which that is told; none where it was.
    undescribed: HashMap<EndpointKey, Option<Instant>>,
    watchers: JoinSet<()>,
    last_number: u64,
    heard: mpsc::Sender<Heard>,
}

impl Discovery {
    /// Discovery of whatever is wanted last, by these sources; none while it isn't known yet whether there are some. It tells control which
    /// endpoints have other addresses.
    pub fn new(
        clock: Clock,
        sources: watch::Receiver<Option<Arc<[Source]>>>,
        wanted: watch::Receiver<Wanted>,
        changes: mpsc::Sender<Locator>,
        metrics: DiscoveryMetrics,
    ) -> Self {
        Self { clock, sources, wanted, changes, metrics }
    }

    /// Discovers until `stop` is cancelled or nobody listens any more.
    pub async fn run(self, stop: CancellationToken) {
        let (sender, mut words) = mpsc::channel(WORDS);
        let (mut sources, mut wanted) = (self.sources.clone(), self.wanted.clone());
        let mut task = Task {
            discovery: self,
            claims: Claims::default(),
            watched: HashMap::new(),
            undescribed: HashMap::new(),
            watchers: JoinSet::new(),
            last_number: 0,
            heard: sender,
        };
        let run = async {
            task.arrange().await;
            loop {
                let tells = task.undescribed.values().flatten().min().copied();
                tokio::select! {
                    // What has changed may be the description that is missed.
                    biased;
                    changed = sources.changed() => match changed {
                        Ok(()) => task.arrange().await,
                        Err(_) => break,
                    },
                    changed = wanted.changed() => match changed {
                        Ok(()) => task.arrange().await,
                        Err(_) => break,
                    },
                    Some(heard) = words.recv() => task.hear(heard).await,
                    Some(ended) = task.watchers.join_next_with_id() => {
                        if let Err(error) = ended {
                            task.restart(error.id());
                        }
                    },
                    () = clock::reached(tells) => task.leave_undescribed(),
                }
            }
        };
        stop.run_until_cancelled(run).await;
        task.watchers.shutdown().await;
    }
}

impl Task {
    /// Watches what there is, and no more. What is watched already goes on.
    async fn arrange(&mut self) {
        let sources = self.discovery.sources.borrow_and_update().clone();
        let Some(sources) = sources else { return };
        let records: HashMap<EndpointKey, Arc<Resolved>> =
            self.discovery.wanted.borrow_and_update().discovered.iter().cloned().collect();
        let is_same = |it: &Watched| {
            sources.contains(&it.source)
                && records.get(&it.source.key).is_some_and(|record| Arc::ptr_eq(record, &it.record))
        };
        let gone: Vec<EndpointKey> = self
            .watched
            .values()
            .filter(|it| !is_same(it))
            .map(|it| it.source.key.clone())
            .collect();
        let mut changed = Vec::new();
        for key in gone {
            let Some(Watched { source, watchers, .. }) = self.watched.remove(&key) else {
                continue;
            };
            watchers.iter().for_each(|it| it.task.abort());
            self.discovery.metrics.forget(source.site.name.as_str(), &key);
            changed.extend(self.claims.remove(&key));
        }
        for source in sources.iter() {
            let Some(record) = records.get(&source.key) else { continue };
            if self.watched.contains_key(&source.key) {
                continue;
            }
            let mut known = record.latest();
            if let Some(tells) = self.undescribed.remove(&source.key) {
                self.discovery.metrics.forget("", &source.key);
                if tells.is_none() {
                    known.trouble = None;
                }
            }
            let kept: Vec<IpAddr> = known.addresses.iter().collect();
            self.claims.add(source.key.clone(), source.site.name.clone(), kept);
            let (shown, pods) = (source.shown().into(), workload::unasked(source, UNASKED));
            record.record(Resolution { source: Some(shown), workload: pods, ..known });
            let watchers = source
                .subjects()
                .map(|it| self.start(source.clone(), it, Duration::ZERO))
                .collect();
            let watched = Watched { source: source.clone(), record: record.clone(), watchers };
            self.watched.insert(source.key.clone(), watched);
            changed.push(source.key.clone());
        }
        self.find_undescribed(&records);
        self.pass_on(&changed).await;
    }

    /// Takes in which endpoints are not watched.
    fn find_undescribed(&mut self, records: &HashMap<EndpointKey, Arc<Resolved>>) {
        let is_left = |it: &EndpointKey| records.contains_key(it) && !self.watched.contains_key(it);
        for (gone, _) in self.undescribed.extract_if(|key, _| !is_left(key)) {
            self.discovery.metrics.forget("", &gone);
        }
        let tells = Some(Instant::now() + UNDESCRIBED_FOR);
        for (key, record) in records.iter().filter(|it| is_left(it.0)) {
            let known = self.undescribed.entry(key.clone()).or_insert(tells);
            // Another record takes the first one's place, and nothing was told of it.
            if known.is_none() && record.latest().trouble.is_none() {
                *known = tells;
            }
        }
    }

    /// Says of endpoints that have not been watched for a while that their addresses may be wrong.
    fn leave_undescribed(&mut self) {
        let now = Instant::now();
        let records = self.discovery.wanted.borrow().discovered.clone();
        for (key, record) in &records {
            let tells = self.undescribed.get_mut(key);
            let Some(tells) = tells.filter(|it| it.is_some_and(|it| it <= now)) else { continue };
            *tells = None;
            let (known, reason) = (record.latest(), Arc::<str>::from(UNDESCRIBED));
            self.discovery.metrics.stale("", key, true);
            let EndpointKey { profile, endpoint } = key;
            tracing::warn!(event = "discovered_stale", %profile, %endpoint, %reason, "where {key} is can't be discovered ({reason}); it keeps the addresses that it has");
            let failed = Some((Clock::time_of_day(), reason.clone()));
            let trouble = Some(Trouble { reason, is_final: false });
            record.record(Resolution { failed, trouble, ..known });
        }
    }

    fn start(&mut self, source: Source, subject: Subject, pause: Duration) -> Running {
        self.last_number += 1;
        let (number, heard, watched) = (self.last_number, self.heard.clone(), subject.clone());
        let task = self.watchers.spawn(async move {
            sleep(pause).await;
            watcher::watch(source, watched, number, heard).await;
        });
        Running { subject, number, task }
    }

    /// Starts a watcher again that panicked, which is a fault in Farol; one that was ended is not among the watched.
    fn restart(&mut self, ended: task::Id) {
        let is_it = |it: &Running| it.task.id() == ended;
        let all = self.watched.values();
        let found =
            all.filter_map(|it| Some((&it.source, it.watchers.iter().find(|it| is_it(it))?)));
        let Some((source, subject)) =
            found.map(|(source, it)| (source.clone(), it.subject.clone())).next()
        else {
            return;
        };
        let key = source.key.clone();
        tracing::error!(
            event = "discovery_panicked",
            site = %source.site.name,
            "discovering {} panicked, which is a fault in Farol; it begins anew",
            source.shown_of(&subject)
        );
        let running = self.start(source, subject, AFTER_PANIC);
        if let Some(watched) = self.watched.get_mut(&key)
            && let Some(former) = watched.watchers.iter_mut().find(|it| is_it(it))
        {
            *former = running;
        }
    }

    async fn hear(&mut self, Heard { number, said }: Heard) {
        let is_from = |it: &&Watched| it.watchers.iter().any(|it| it.number == number);
        let Some(Watched { source, record, .. }) = self.watched.values().find(is_from) else {
            return;
        };
        let metrics = &self.discovery.metrics;
        match said {
            Said::Addresses(word) => {
                metrics.reachable(source.site.name.as_str(), !matches!(word, Word::Lost(_)));
                let changed = self.claims.hear(&source.key, word);
                self.pass_on(&changed).await;
            }
            Said::Pods(readiness) => workload::note(source, record, metrics, readiness),
        }
    }

    /// Writes down where endpoints are now, and tells control of those that are elsewhere.
    async fn pass_on(&self, changed: &[EndpointKey]) {
        for key in changed {
            let (Some(watched), Some(standing)) =
                (self.watched.get(key), self.claims.standing(key))
            else {
                continue;
            };
            let before = watched.record.latest();
            let after = self.resolution(&before, standing);
            let site = watched.source.site.name.as_str();
            let is_stale = after.trouble.is_some() || after.at.is_none();
            self.discovery.metrics.stale(site, key, is_stale);
            tell(&watched.source, &before, &after, standing);
            let is_other = before.addresses != after.addresses;
            watched.record.record(after);
            if is_other {
                // If nobody listens, the daemon is stopping.
                let _ = self.discovery.changes.send(Locator::Cluster(key.clone())).await;
            }
        }
    }

    fn resolution(&self, before: &Resolution, standing: &Standing) -> Resolution {
        let now = (Clock::time_of_day(), self.discovery.clock.now());
        let addresses: Addresses = standing.addresses.iter().copied().collect();
        let is_same = *before.addresses == addresses;
        let addresses = if is_same { before.addresses.clone() } else { Arc::new(addresses) };
        let has_some = addresses.iter().next().is_some();
        let reason: Option<Arc<str>> = standing.stale.as_ref().map(|it| match it {
            Stale::Unconfirmed => match &before.trouble {
                Some(trouble) => trouble.reason.clone(),
                None => UNASKED.into(),
            },
            Stale::Unexposed(why) | Stale::Lost(why) | Stale::Claimed(why) => why.as_str().into(),
        });
        // Since when it is stale; of the reason, the last.
        let since = before.failed.as_ref().filter(|_| before.trouble.is_some()).map(|it| it.0);
        let failed = reason.clone().map(|it| (since.unwrap_or(now.0), it));
        Resolution {
            at: before.at.filter(|_| is_same).or(has_some.then_some(now)),
            ttl: u32::MAX,
            failures: before.failures + u64::from(reason.is_some() && before.trouble.is_none()),
            failed: failed.or_else(|| before.failed.clone()),
            trouble: reason.map(|reason| Trouble { reason, is_final: false }),
            addresses,
            ..before.clone()
        }
    }
}

/// Says that an endpoint has other addresses, or that they are stale now or no more.
fn tell(source: &Source, before: &Resolution, after: &Resolution, standing: &Standing) {
    let EndpointKey { profile, endpoint } = &source.key;
    let (key, site, from) = (&source.key, &source.site.name, source.shown());
    let addresses: Vec<String> = after.addresses.iter().map(|it| it.to_string()).collect();
    let addresses = addresses.join(", ");
    let kept = match addresses.is_empty() {
        true => "it has no address".to_owned(),
        false => format!("it keeps {addresses}"),
    };
    let reason = |it: &Resolution| it.trouble.as_ref().map(|it| it.reason.clone());
    if before.addresses != after.addresses {
        tracing::info!(event = "discovered_addresses", %profile, %endpoint, %site, from, addresses, "{key} is at {addresses} now, by {from}");
    }
    match (reason(before), reason(after), &standing.stale) {
        (former, Some(reason), Some(Stale::Claimed(_))) if former.as_ref() != Some(&reason) => {
            tracing::error!(event = "discovered_conflict", %profile, %endpoint, %site, %reason, addresses, "{key} can't go where {from} says: {reason}; {kept}");
        }
        (former, Some(reason), _) if former.as_ref() != Some(&reason) => {
            tracing::warn!(event = "discovered_stale", %profile, %endpoint, %site, %reason, addresses, "where {key} is can't be discovered ({reason}); {kept}");
        }
        (Some(_), None, _) => {
            tracing::info!(event = "discovered_fresh", %profile, %endpoint, %site, addresses, "where {key} is was discovered again: {addresses}");
        }
        _ => {}
    }
}

#[cfg(test)]
#[path = "task_tests.rs"]
mod tests;
