//! Watches one thing in one cluster, for as long as it takes.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::StreamExt;
use kube::api::{ApiResource, DynamicObject};
use kube::core::GroupVersionKind;
use kube::runtime::watcher::{self, Event};
use kube::{Api, ResourceExt};
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

use super::claims::Word;
use super::exposure::addresses;
use super::slices::{SERVICE, readiness};
use super::source::Source;
use crate::fleet::cluster::{Access, ClusterError, Resource, Verb};
use crate::fleet::object::GroupKind;
use crate::fleet::site::{Reached, reach};
use crate::fleet::spec::{Exposed, Reference};
use crate::health::Readiness;
use crate::supervision::Backoff;

/// The pause before the way to a cluster is tried again, at first and at last.
const SHORTEST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// A watch that went on for so long had started well.
const A_WHILE: Duration = Duration::from_secs(60);
/// One that went on for so long may have ended by chance: that is told only if there is no way back.
const BRIEFLY: Duration = Duration::from_secs(5);
/// How often the cluster is asked who it is while it says nothing else.
const LOOK: Duration = Duration::from_secs(10);
/// Seconds after which a server ends a watch, to be begun anew: a connection that was lost in silence is noticed by then.
const WATCH: u32 = 60;

/// What a watcher found.
#[derive(Debug)]
pub(super) struct Heard {
    /// The number that it was given.
    pub(super) number: u64,
    pub(super) said: Said,
}

/// What a cluster says of a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// Of its addresses.
    Addresses(Word),
    /// Of its pods.
    Pods(Readiness),
}

/// What is watched of a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Subject {
    /// The object with the addresses.
    Addresses,
    /// The EndpointSlices of this Service.
    Pods(Reference),
}

/// Tells what a cluster says of a source, again and again, and when it can't be known. Never ends by itself.
pub(super) async fn watch(
    source: Source,
    subject: Subject,
    number: u64,
    heard: mpsc::Sender<Heard>,
) {
    let mut backoff = Backoff::new(SHORTEST_PAUSE, LONGEST_PAUSE, A_WHILE);
    let watcher = Watcher { source, subject, number, heard };
    loop {
        let (started, mut is_good) = (Instant::now(), false);
        let error = watcher.follow(&mut is_good).await;
        let ran = started.elapsed();
        if is_good && ran >= BRIEFLY {
            tracing::debug!(
                event = "discovery_again",
                site = %watcher.source.site.name,
                %error,
                "the watch of {} ended ({error}); it is begun anew",
                watcher.source.shown_of(&watcher.subject)
            );
            continue;
        }
        watcher.tell(watcher.lost(format!("the cluster {error}"))).await;
        sleep(backoff.after(ran)).await;
    }
}

struct Watcher {
    source: Source,
    subject: Subject,
    number: u64,
    heard: mpsc::Sender<Heard>,
}

impl Watcher {
    async fn tell(&self, said: Said) {
        // If nobody listens, discovery is over.
        let _ = self.heard.send(Heard { number: self.number, said }).await;
    }

    /// Reaches the cluster by what its kubeconfig says now, and follows the objects until something is wrong.
    async fn follow(&self, is_good: &mut bool) -> ClusterError {
        let reached = match reach(&self.source.site).await {
            Ok(reached) => reached,
            Err(error) => return error,
        };
        let (group, kind, namespace) = self.kind();
        let Some(resource) = reached.apis.preferred(&GroupKind::new(group, kind)) else {
            return ClusterError::NotFound(format!("it serves no {kind}"));
        };
        match self.listen(&reached, resource, namespace, is_good).await {
            ClusterError::Forbidden { message, .. } => {
                let needed = [Verb::List, Verb::Watch];
                let needed = needed.map(|it| Access::new(it, resource, Some(namespace)));
                let missing = reached.cluster.missing(&needed).await.unwrap_or_default();
                ClusterError::Forbidden { message, missing }
            }
            error => error,
        }
    }

    async fn listen(
        &self,
        reached: &Reached,
        resource: &Resource,
        namespace: &str,
        is_good: &mut bool,
    ) -> ClusterError {
        let GroupKind { group, kind } = &resource.kind;
        let kind = GroupVersionKind::gvk(group, &resource.version, kind);
        let resource = ApiResource::from_gvk_with_plural(&kind, &resource.plural);
        let api: Api<DynamicObject> =
            Api::namespaced_with(reached.cluster.client(), namespace, &resource);
        let mut events = std::pin::pin!(watcher::watcher(api, self.selection().timeout(WATCH)));
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut objects, mut listed) = (BTreeMap::new(), BTreeMap::new());
        let mut last = None;
        loop {
            tokio::select! {
                event = events.next() => match event {
                    Some(Ok(Event::Init)) => {
                        listed.clear();
                        continue;
                    }
                    Some(Ok(Event::InitApply(object))) => {
                        listed.insert(object.name_any(), object.data);
                        continue;
                    }
                    Some(Ok(Event::InitDone)) => objects = std::mem::take(&mut listed),
                    Some(Ok(Event::Apply(object))) => {
                        objects.insert(object.name_any(), object.data);
                    }
                    Some(Ok(Event::Delete(object))) => {
                        objects.remove(&object.name_any());
                    }
                    Some(Err(error)) => return error.into(),
                    None => return ClusterError::Unreachable("the watch has ended".to_owned()),
                },
                _ = look.tick() => {
                    match self.identify(reached).await {
                        Ok(()) => continue,
                        Err(error) => return error,
                    }
                }
            }
            let said = self.said(&objects);
            if last.as_ref() == Some(&said) {
                continue;
            }
            // A watch may have been begun anew meanwhile, and where, nobody knows.
            if let Err(error) = self.identify(reached).await {
                return error;
            }
            *is_good = true;
            self.tell(said.clone()).await;
            last = Some(said);
        }
    }

    async fn identify(&self, reached: &Reached) -> Result<(), ClusterError> {
        // Without a pinned UID, it is at least the cluster that was reached.
        reached.cluster.identify(Some(&reached.uid)).await.map(drop)
    }

    /// What these objects say, which are all that there are, by their names.
    fn said(&self, objects: &BTreeMap<String, Value>) -> Said {
        match &self.subject {
            Subject::Addresses => {
                let from = &self.source.from;
                Said::Addresses(match addresses(&from.object, objects.values().next(), from.port) {
                    Ok(addresses) => Word::Exposed(addresses),
                    Err(why) => Word::Unexposed(why.to_string()),
                })
            }
            Subject::Pods(service) => Said::Pods(readiness(service, objects.values())),
        }
    }

    /// That nothing can be known.
    fn lost(&self, why: String) -> Said {
        match self.subject {
            Subject::Addresses => Said::Addresses(Word::Lost(why)),
            Subject::Pods(_) => Said::Pods(Readiness::Unknown(why.into())),
        }
    }

    /// The group and kind of the objects, and where they are.
    fn kind(&self) -> (&'static str, &'static str, &str) {
        let (group, kind, it) = match (&self.subject, &self.source.from.object) {
            (Subject::Pods(it), _) => ("discovery.k8s.io", "EndpointSlice", it),
            (Subject::Addresses, Exposed::Service(it)) => ("", "Service", it),
            (Subject::Addresses, Exposed::Ingress(it)) => ("networking.k8s.io", "Ingress", it),
            (Subject::Addresses, Exposed::Gateway(it)) => {
                ("gateway.networking.k8s.io", "Gateway", it)
            }
        };
        (group, kind, &it.namespace)
    }

    /// Which of them.
    fn selection(&self) -> watcher::Config {
        let all = watcher::Config::default();
        match (&self.subject, &self.source.from.object) {
            (Subject::Pods(it), _) => all.labels(&format!("{SERVICE}={}", it.name)),
            (
                Subject::Addresses,
                Exposed::Service(it) | Exposed::Ingress(it) | Exposed::Gateway(it),
            ) => all.fields(&format!("metadata.name={}", it.name)),
        }
    }
}
