//! One companion does something at a time: changes a site, say. Who that is says a Lease, for a site one in its own cluster (`farol-fleet` in
//! `kube-system`), so that no site depends on another for it. It is held only while something is changed, and kept alive beside the work, as Kubernetes' own leader
//! election does it: the time of others is not trusted, only whether they have renewed while one looked on.

use std::pin::pin;
use std::sync::LazyLock;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

use super::cluster::{Apis, Cluster, ClusterError, Resource};
use super::object::Object;
use super::plan::MANAGER;
use super::site::Reached;

const GROUP: &str = "coordination.k8s.io";
/// Who hasn't renewed for so long is gone.
const LASTS: Duration = Duration::from_secs(15);
/// How often it is renewed: often enough that a server may be away for a while at any time.
const RENEW: Duration = Duration::from_secs(2);
/// The pause after a renewal that failed.
const RETRY: Duration = Duration::from_secs(1);
/// How long one renewal may take: a connection that is lost in silence is not to use up all the time that there is.
const RENEWAL: Duration = Duration::from_secs(4);
/// Who couldn't renew for so long works no more: soon others may.
const DEADLINE: Duration = Duration::from_secs(10);
/// How long a server that doesn't answer is waited for.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often one looks whether that of a site is free.
const LOOK: Duration = Duration::from_millis(500);

/// Why something wasn't done, or not to its end.
#[derive(Debug, thiserror::Error)]
pub enum LeaseError {
    /// The Lease can't be had.
    #[error("the Lease {lease}, by which one companion at a time does this: the cluster {error}")]
    Cluster {
        /// Which, as `namespace/name`.
        lease: String,
        /// Why.
        error: ClusterError,
    },
    /// It couldn't be renewed, and another companion may be at it by now.
    #[error(
        "the Lease {lease} could not be renewed in time, and another companion may be at work by now"
    )]
    Lost {
        /// Which, as `namespace/name`.
        lease: String,
    },
}

/// What was seen of a Lease, and when that was new.
#[derive(Debug, Default)]
struct Seen(Option<(Value, Instant)>);

impl Seen {
    /// Whose it is, now that it says this; none where it may be taken.
    fn look(&mut self, spec: &Value, who: &str, now: Instant) -> Option<String> {
        let holder = spec.get("holderIdentity").and_then(Value::as_str).unwrap_or_default();
        if holder.is_empty() || holder == who {
            return None;
        }
        let since = match &self.0 {
            Some((seen, since)) if seen == spec => *since,
            _ => self.0.insert((spec.clone(), now)).1,
        };
        let seconds = spec.get("leaseDurationSeconds").and_then(Value::as_u64);
        let lasts = seconds.map_or(LASTS, Duration::from_secs);
        (now.saturating_duration_since(since) < lasts).then(|| holder.to_owned())
    }
}

/// A Lease, there or not.
#[derive(Clone, Copy, Debug)]
pub struct Lease<'a> {
    cluster: &'a Cluster,
    apis: &'a Apis,
    namespace: &'a str,
    name: &'static str,
    look: Duration,
}

impl<'a> Lease<'a> {
    /// That by which one companion at a time changes a site.
    pub fn of_site(reached: &'a Reached) -> Self {
        Self::new(&reached.cluster, &reached.apis, "kube-system", "farol-fleet", LOOK)
    }

    /// That of this name in a namespace of a cluster, which serves these. Who waits for it looks so often whether it is free.
    pub fn new(
        cluster: &'a Cluster,
        apis: &'a Apis,
        namespace: &'a str,
        name: &'static str,
        look: Duration,
    ) -> Self {
        Self { cluster, apis, namespace, name, look }
    }

    /// Does something while no other companion does. Waits until it may, and says whom it waits for. The work is told whether it had to wait:
    /// the world may have moved then.
    ///
    /// # Errors
    /// When the Lease can't be had, or is lost before the work is done; the work is given up then.
    pub async fn alone<F: Future>(
        self,
        waiting: &mut (dyn FnMut(&str) + Send),
        work: impl FnOnce(bool) -> F,
    ) -> Result<F::Output, LeaseError> {
        let shown = || format!("{}/{}", self.namespace, self.name);
        let unheld = |error| LeaseError::Cluster { lease: shown(), error };
        let resource = self.apis.find(GROUP, "v1", "Lease").cloned();
        let resource = resource
            .ok_or_else(|| unheld(ClusterError::Garbled("it serves no Lease".to_owned())))?;
        let held = Holder { lease: self, resource };
        let (has_waited, since) = held.acquire(waiting).await.map_err(unheld)?;
        let kept = {
            let work = pin!(work(has_waited));
            tokio::select! {
                // Who was held up for too long writes nothing more.
                biased;
                () = keep(since, || held.is_renewed()) => Err(LeaseError::Lost { lease: shown() }),
                done = work => Ok(done),
            }
        };
        let end = Instant::now() + DEADLINE;
        while let Err(error) = held.release().await {
            // It runs out by itself.
            let is_passing = error.is_passing() || matches!(error, ClusterError::Changed(_));
            if !is_passing || Instant::now() >= end {
                break;
            }
            sleep(LOOK).await;
        }
        kept
    }
}

/// Whoever holds a Lease, or wants to.
struct Holder<'a> {
    lease: Lease<'a>,
    resource: Resource,
}

impl Holder<'_> {
    /// Waits until it is one's own. Gives whether that took more than a look, and since when it may be: when that was asked for.
    async fn acquire(
        &self,
        waiting: &mut (dyn FnMut(&str) + Send),
    ) -> Result<(bool, Instant), ClusterError> {
        let (mut seen, mut told) = (Seen::default(), None);
        let mut answered = Instant::now();
        loop {
            let asked = Instant::now();
            match self.take(&mut seen).await {
                Ok(None) => return Ok((told.is_some(), asked)),
                Ok(Some(holder)) => {
                    answered = Instant::now();
                    if told.as_ref() != Some(&holder) {
                        waiting(&holder);
                        told = Some(holder);
                    }
                }
                // Another one was quicker.
                Err(ClusterError::Changed(_)) => {}
                Err(error) if error.is_passing() && answered.elapsed() < PATIENCE => {}
                Err(error) => return Err(error),
            }
            sleep(self.lease.look).await;
        }
    }

    /// Takes it if it is free; gives whose it is if it isn't.
    async fn take(&self, seen: &mut Seen) -> Result<Option<String>, ClusterError> {
        let Some(live) = self.live().await? else { return self.make().await.map(|()| None) };
        let spec = live.at("/spec").unwrap_or(&Value::Null);
        match seen.look(spec, who(), Instant::now()) {
            Some(holder) => Ok(Some(holder)),
            None => self.renew(live).await.map(|()| None),
        }
    }

    async fn live(&self) -> Result<Option<Object>, ClusterError> {
        let Lease { cluster, namespace, name, .. } = self.lease;
        cluster.get(&self.resource, Some(namespace), name).await
    }

    /// Makes it, as one's own.
    async fn make(&self) -> Result<(), ClusterError> {
        let api_version = self.resource.api_version();
        let Lease { cluster, namespace, name, .. } = self.lease;
        let mut lease = Object::named(&api_version, "Lease", Some(namespace), name);
        hold(&mut lease);
        cluster.create(&self.resource, &lease).await?;
        // It may be another's that was there a moment before.
        match self.live().await?.is_some_and(|it| is_ours(&it)) {
            true => Ok(()),
            false => Err(ClusterError::Changed("another one was quicker".to_owned())),
        }
    }

    /// Says that it is one's own, over what was read.
    async fn renew(&self, mut live: Object) -> Result<(), ClusterError> {
        hold(&mut live);
        self.lease.cluster.replace(&self.resource, &live, MANAGER).await
    }

    /// Renews it, if it is one's own still. Gives whether it was.
    async fn is_renewed(&self) -> Result<bool, ClusterError> {
        match self.live().await? {
            Some(live) if is_ours(&live) => self.renew(live).await.map(|()| true),
            _ => Ok(false),
        }
    }

    /// Says that it is nobody's.
    async fn release(&self) -> Result<(), ClusterError> {
        let Some(mut live) = self.live().await?.filter(is_ours) else { return Ok(()) };
        live.set(&["spec", "holderIdentity"], json!(""));
        self.lease.cluster.replace(&self.resource, &live, MANAGER).await
    }
}

/// Renews until it is another's, or until no renewal went well for too long. What was renewed counts from when that was asked for.
async fn keep<F: Future<Output = Result<bool, ClusterError>>>(
    mut renewed: Instant,
    renew: impl Fn() -> F,
) {
    let mut due = renewed + RENEW;
    loop {
        let deadline = renewed + DEADLINE;
        if due.max(Instant::now()) >= deadline {
            return sleep_until(deadline).await;
        }
        sleep_until(due).await;
        let asked = Instant::now();
        match timeout_at(deadline.min(asked + RENEWAL), renew()).await {
            Ok(Ok(true)) => (renewed, due) = (asked, Instant::now().max(asked + RENEW)),
            Ok(Ok(false)) => return,
            Ok(Err(_)) | Err(_) => due = Instant::now() + RETRY,
        }
    }
}

fn is_ours(lease: &Object) -> bool {
    lease.at("/spec/holderIdentity").and_then(Value::as_str) == Some(who())
}

/// Makes a Lease one's own, from now on.
fn hold(lease: &mut Object) {
    let now = Timestamp::now().to_zoned(TimeZone::UTC);
    let now = json!(now.strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string());
    if !is_ours(lease) {
        lease.set(&["spec", "holderIdentity"], json!(who()));
        lease.set(&["spec", "acquireTime"], now.clone());
    }
    lease.set(&["spec", "leaseDurationSeconds"], json!(LASTS.as_secs()));
    lease.set(&["spec", "renewTime"], now);
}

/// What this process is called in Leases: its machine, its number, and something that tells it from one of the same number in another container.
fn who() -> &'static str {
    static WHO: LazyLock<String> = LazyLock::new(|| {
        let machine = rustix::system::uname();
        let machine = machine.nodename().to_string_lossy();
        let mut tag = [0; 4];
        // Without random numbers, machine and number have to do.
        let _ = getrandom::fill(&mut tag);
        format!("{machine}_{}_{:08x}", std::process::id(), u32::from_be_bytes(tag))
    });
    &WHO
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_does_not_renew_is_gone_and_nobodys_time_is_trusted() {
        let start = Instant::now();
        let spec = |holder: &str, renewed: &str| json!({"holderIdentity": holder, "leaseDurationSeconds": 15, "renewTime": renewed});
        let taken = Some("b".to_owned());
        let mut seen = Seen::default();
        let mut look =
            |spec: Value, seconds| seen.look(&spec, "a", start + Duration::from_secs(seconds));
        assert_eq!(look(spec("", "1999"), 0), None);
        assert_eq!(look(spec("a", "1999"), 0), None, "its own from before");
        assert_eq!(look(spec("b", "1999"), 1), taken, "it may be renewed any moment");
        assert_eq!(look(spec("b", "1999"), 15), taken);
        assert_eq!(look(spec("b", "2000"), 15), taken, "it has renewed");
        assert_eq!(look(spec("b", "2000"), 29), taken);
        assert_eq!(look(spec("b", "2000"), 30), None);
        assert_eq!(look(spec("c", "2000"), 30), Some("c".to_owned()));
    }

    /// What a server does with a renewal.
    #[derive(Clone, Copy, Debug)]
    enum Server {
        Takes,
        Fails,
        Hangs,
        HasAnother,
    }

    /// Keeps a Lease before a server that does this from this second on, until the next; gives in which second it was lost.
    async fn lost(weather: &[(u64, Server)]) -> Option<u64> {
        lost_after(0, weather).await
    }

    /// Likewise, of one that was asked for so many seconds before it was given.
    async fn lost_after(seconds: u64, weather: &[(u64, Server)]) -> Option<u64> {
        let asked = Instant::now();
        sleep(Duration::from_secs(seconds)).await;
        let start = Instant::now();
        let renew = || async move {
            let now = start.elapsed().as_secs();
            let server =
                weather.iter().rev().find(|it| it.0 <= now).map_or(Server::Takes, |it| it.1);
            match server {
                Server::Takes => Ok(true),
                Server::Fails => Err(ClusterError::Unreachable("down".to_owned())),
                Server::Hangs => std::future::pending().await,
                Server::HasAnother => Ok(false),
            }
        };
        let kept = tokio::time::timeout(Duration::from_secs(3600), keep(asked, renew)).await;
        kept.is_ok().then(|| start.elapsed().as_secs())
    }

    #[tokio::test(start_paused = true)]
    async fn only_who_is_away_for_too_long_loses_it() {
        use Server::{Fails, Hangs, HasAnother, Takes};
        for (weather, expected) in [
            (&[][..], None),
            (&[(60, Fails), (67, Takes)], None),
            (&[(61, Fails), (69, Takes)], None),
            (&[(60, Hangs), (64, Takes), (71, Hangs), (75, Takes)], None),
            (&[(60, Fails), (61, Takes), (62, Fails), (63, Takes)], None),
            (&[(60, Fails)], Some(68)),
            (&[(60, Hangs)], Some(68)),
            (&[(60, Fails), (62, HasAnother)], Some(62)),
            (&[(60, HasAnother), (61, Takes)], Some(60)),
        ] {
            assert_eq!(lost(weather).await, expected, "{weather:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn it_counts_from_when_it_was_asked_for() {
        assert_eq!(lost_after(9, &[]).await, None, "renewed at once");
        assert_eq!(lost_after(9, &[(0, Server::Fails)]).await, Some(1));
        assert_eq!(lost_after(11, &[]).await, Some(0), "another one may have it by now");
    }
}
