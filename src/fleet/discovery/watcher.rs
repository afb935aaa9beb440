//! Watches one object of one cluster, for as long as it takes.

use std::time::Duration;

use futures_util::StreamExt;
use kube::Api;
use kube::api::{ApiResource, DynamicObject};
use kube::core::GroupVersionKind;
use kube::runtime::watcher::{self, Event};
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

use super::claims::Word;
use super::exposure::addresses;
use super::source::Source;
use crate::fleet::cluster::{Access, ClusterError, Resource, Verb};
use crate::fleet::object::GroupKind;
use crate::fleet::site::{Reached, reach};
use crate::fleet::spec::{Exposed, Reference};
use crate::model::EndpointKey;
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

/// What a watcher found, with the number that it was given.
pub(super) type Heard = (u64, EndpointKey, Word);

/// Tells what a source exposes, again and again, and when it can't be known. Never ends by itself.
pub(super) async fn watch(source: Source, number: u64, heard: mpsc::Sender<Heard>) {
    let mut backoff = Backoff::new(SHORTEST_PAUSE, LONGEST_PAUSE, A_WHILE);
    let watcher = Watcher { source, number, heard };
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
                watcher.source.shown()
            );
            continue;
        }
        watcher.tell(Word::Lost(format!("the cluster {error}"))).await;
        sleep(backoff.after(ran)).await;
    }
}

struct Watcher {
    source: Source,
    number: u64,
    heard: mpsc::Sender<Heard>,
}

impl Watcher {
    async fn tell(&self, word: Word) {
        // If nobody listens, discovery is over.
        let _ = self.heard.send((self.number, self.source.key.clone(), word)).await;
    }

    /// Reaches the cluster by what its kubeconfig says now, and follows the object until something is wrong.
    async fn follow(&self, is_good: &mut bool) -> ClusterError {
        let reached = match reach(&self.source.site).await {
            Ok(reached) => reached,
            Err(error) => return error,
        };
        let (group, kind, reference) = kind(&self.source.from.object);
        let Some(resource) = reached.apis.preferred(&GroupKind::new(group, kind)) else {
            return ClusterError::NotFound(format!("it serves no {kind}"));
        };
        match self.listen(&reached, resource, reference, is_good).await {
            ClusterError::Forbidden { message, .. } => {
                let namespace = Some(reference.namespace.as_str());
                let needed = [Verb::List, Verb::Watch];
                let needed = needed.map(|it| Access::new(it, resource, namespace));
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
        Reference { namespace, name }: &Reference,
        is_good: &mut bool,
    ) -> ClusterError {
        let GroupKind { group, kind } = &resource.kind;
        let kind = GroupVersionKind::gvk(group, &resource.version, kind);
        let resource = ApiResource::from_gvk_with_plural(&kind, &resource.plural);
        let api: Api<DynamicObject> =
            Api::namespaced_with(reached.cluster.client(), namespace, &resource);
        let only = watcher::Config::default().fields(&format!("metadata.name={name}"));
        let mut events = std::pin::pin!(watcher::watcher(api, only.timeout(WATCH)));
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut listed = None;
        loop {
            let found = tokio::select! {
                event = events.next() => match event {
                    Some(Ok(Event::Init)) => {
                        listed = None;
                        continue;
                    }
                    Some(Ok(Event::InitApply(object))) => {
                        listed = Some(object);
                        continue;
                    }
                    Some(Ok(Event::InitDone)) => listed.take(),
                    Some(Ok(Event::Apply(object))) => Some(object),
                    Some(Ok(Event::Delete(_))) => None,
                    Some(Err(error)) => return error.into(),
                    None => return ClusterError::Unreachable("the watch has ended".to_owned()),
                },
                _ = look.tick() => {
                    match self.identify(reached).await {
                        Ok(()) => continue,
                        Err(error) => return error,
                    }
                }
            };
            // A watch may have been begun anew meanwhile, and where, nobody knows.
            if let Err(error) = self.identify(reached).await {
                return error;
            }
            *is_good = true;
            self.tell(self.word(found.as_ref().map(|it| &it.data))).await;
        }
    }

    async fn identify(&self, reached: &Reached) -> Result<(), ClusterError> {
        // Without a pinned UID, it is at least the cluster that was reached.
        reached.cluster.identify(Some(&reached.uid)).await.map(drop)
    }

    fn word(&self, object: Option<&Value>) -> Word {
        match addresses(&self.source.from.object, object, self.source.from.port) {
            Ok(addresses) => Word::Exposed(addresses),
            Err(why) => Word::Unexposed(why.to_string()),
        }
    }
}

/// The group and kind of an object, and where it is.
fn kind(object: &Exposed) -> (&'static str, &'static str, &Reference) {
    match object {
        Exposed::Service(it) => ("", "Service", it),
        Exposed::Ingress(it) => ("networking.k8s.io", "Ingress", it),
        Exposed::Gateway(it) => ("gateway.networking.k8s.io", "Gateway", it),
    }
}
