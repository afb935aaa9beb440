//! What happens to the members of a site's sets, and to their parents, as the cluster tells it: metadata only, by one watch for each kind
//! where the whole cluster may be watched, or else by one for each namespace.

use std::collections::{BTreeSet, HashSet};
use std::pin::Pin;

use futures_util::stream::SelectAll;
use futures_util::{Stream, StreamExt};
use kube::Api;
use kube::api::{ApiResource, DynamicObject, PartialObjectMeta};
use kube::core::GroupVersionKind;
use kube::runtime::watcher::{self, Event};
use kube::runtime::{WatchStreamExt, watcher as watching};
use serde_json::Value;

use crate::fleet::cluster::{Access, ClusterError, Resource, Verb};
use crate::fleet::object::{GroupKind, ObjectKey, PART_OF};
use crate::fleet::plan::ApplySet;
use crate::fleet::print::Print;
use crate::fleet::site::Reached;

/// Seconds after which a server ends a watch, to be begun anew: a connection that was lost in silence is noticed by then.
const WATCH: u32 = 120;

type Happenings = Pin<Box<dyn Stream<Item = Happened> + Send>>;
type Meta = PartialObjectMeta<DynamicObject>;

/// What happened.
pub(super) enum Happened {
    /// An object is so now. It belongs to the set of this ID, as a member or as its parent.
    Seen(ObjectKey, String, Print),
    /// An object is gone, or no member any more.
    Gone(ObjectKey),
    /// These are all that there are of a kind, in a namespace or everywhere; of parents, or of members.
    Listed {
        /// The kind.
        kind: GroupKind,
        /// The namespace; none for everywhere.
        namespace: Option<String>,
        /// Whether it is about parents.
        parents: bool,
        /// Those that are there.
        there: HashSet<ObjectKey>,
    },
    /// A watch doesn't go well. It is begun anew by itself.
    Broken(ClusterError),
}

impl Happened {
    /// Whether it is about definitions of custom resources, with which the cluster may serve other kinds.
    pub(super) fn is_about_definitions(&self) -> bool {
        let kind = match self {
            Self::Seen(key, ..) | Self::Gone(key) => &key.kind,
            Self::Listed { kind, .. } => kind,
            Self::Broken(_) => return false,
        };
        kind.is("apiextensions.k8s.io", "CustomResourceDefinition")
    }
}

/// What is watched. By default nothing.
#[derive(Default)]
pub(super) struct Members {
    streams: SelectAll<Happenings>,
    /// Where.
    pub(super) places: BTreeSet<(GroupKind, String)>,
    /// What can't be watched, and why.
    pub(super) unwatched: Option<String>,
}

impl Members {
    /// Begins to watch these kinds in these namespaces.
    ///
    /// # Errors
    /// When the cluster can't be asked what one may watch.
    pub(super) async fn follow(
        reached: &Reached,
        places: BTreeSet<(GroupKind, String)>,
    ) -> Result<Self, ClusterError> {
        let parents = GroupKind::new("", "ConfigMap");
        let kinds: BTreeSet<&GroupKind> = places.iter().map(|it| &it.0).chain([&parents]).collect();
        let served = kinds.into_iter().filter_map(|it| reached.apis.preferred(it));
        let served: Vec<&Resource> = served.collect();
        let both = |resource: &Resource, namespace: Option<&str>| {
            [Verb::List, Verb::Watch].map(|it| Access::new(it, resource, namespace))
        };
        let everywhere: Vec<Access> = served.iter().flat_map(|it| both(it, None)).collect();
        let lacking = reached.cluster.missing(&everywhere).await?;
        let namespaces: BTreeSet<&str> =
            places.iter().map(|it| it.1.as_str()).filter(|it| !it.is_empty()).collect();
        let (mut watches, mut alone) = (Vec::new(), Vec::new());
        for resource in served {
            match both(resource, None).iter().any(|it| lacking.contains(it)) {
                false => watches.push((resource, None)),
                true if resource.namespaced => {
                    alone.extend(namespaces.iter().map(|it| (resource, Some(*it))));
                }
                true => alone.push((resource, None)),
            }
        }
        let one_by_one: Vec<Access> =
            alone.iter().flat_map(|(resource, namespace)| both(resource, *namespace)).collect();
        let missing = reached.cluster.missing(&one_by_one).await?;
        let is_allowed = |(resource, namespace): &(&Resource, Option<&str>)| {
            !both(resource, *namespace).iter().any(|it| missing.contains(it))
        };
        watches.extend(alone.into_iter().filter(is_allowed));
        let unwatched = (!missing.is_empty()).then(|| {
            let message = "what changes there shows only at the next look at everything";
            ClusterError::Forbidden { message: message.to_owned(), missing }.to_string()
        });
        let mut streams = SelectAll::new();
        for (resource, namespace) in watches {
            if resource.kind == parents {
                streams.push(watch(reached, resource, namespace, true));
            }
            if places.iter().any(|it| it.0 == resource.kind) {
                streams.push(watch(reached, resource, namespace, false));
            }
        }
        Ok(Self { streams, places, unwatched })
    }

    /// What happens next. Never ends.
    pub(super) async fn next(&mut self) -> Happened {
        match self.streams.next().await {
            Some(happened) => happened,
            None => std::future::pending().await,
        }
    }
}

fn watch(
    reached: &Reached,
    resource: &Resource,
    namespace: Option<&str>,
    parents: bool,
) -> Happenings {
    let GroupKind { group, kind } = &resource.kind;
    let served = GroupVersionKind::gvk(group, &resource.version, kind);
    let served = ApiResource::from_gvk_with_plural(&served, &resource.plural);
    let client = reached.cluster.client();
    let api: Api<Meta> = match namespace {
        Some(namespace) => Api::namespaced_with(client, namespace, &served),
        None => Api::all_with(client, &served),
    };
    let label = if parents { ApplySet::ID } else { PART_OF };
    let config = watcher::Config::default().labels(label).timeout(WATCH);
    let (kind, namespace) = (resource.kind.clone(), namespace.map(str::to_owned));
    let mut there = HashSet::new();
    let mut happened = move |event: Result<Event<Meta>, watcher::Error>| {
        let key = |it: &Meta| ObjectKey {
            kind: kind.clone(),
            namespace: it.metadata.namespace.clone(),
            name: it.metadata.name.clone().unwrap_or_default(),
        };
        let seen = |it: &Meta| {
            let set = it.metadata.labels.as_ref().and_then(|it| it.get(label)).cloned();
            let metadata = serde_json::to_value(&it.metadata).unwrap_or(Value::Null);
            Happened::Seen(key(it), set.unwrap_or_default(), Print::of(&metadata))
        };
        match event {
            Ok(Event::Init) => {
                there.clear();
                None
            }
            Ok(Event::InitApply(object)) => {
                there.insert(key(&object));
                Some(seen(&object))
            }
            Ok(Event::InitDone) => {
                let (kind, namespace) = (kind.clone(), namespace.clone());
                let there = std::mem::take(&mut there);
                Some(Happened::Listed { kind, namespace, parents, there })
            }
            Ok(Event::Apply(object)) => Some(seen(&object)),
            Ok(Event::Delete(object)) => Some(Happened::Gone(key(&object))),
            Err(error) => Some(Happened::Broken(error.into())),
        }
    };
    let events = watching(api, config).default_backoff();
    Box::pin(events.filter_map(move |it| std::future::ready(happened(it))))
}
