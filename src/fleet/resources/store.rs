//! The cluster that has the resources.

use std::pin::Pin;

use futures_util::future::try_join3;
use futures_util::stream::select_all;
use futures_util::{Stream, StreamExt};
use kube::Api;
use kube::api::{ApiResource, DynamicObject, PartialObjectMeta};
use kube::core::GroupVersionKind;
use kube::runtime::watcher::{self, Event};
use kube::runtime::{WatchStreamExt, watcher as watching};
use serde::de::DeserializeOwned;

use crate::fleet::cluster::{Apis, Cluster, ClusterError, Resource};
use crate::fleet::object::{GroupKind, Object};
use crate::fleet::spec::resources::{FleetApp, Rollout, Site};
use crate::fleet::spec::{Base, Described, Resources};
use crate::fleet::way::open;
use crate::settings::Problems;

const GROUP: &str = "farol.dev";
const VERSION: &str = "v1alpha1";
/// Whose fields in the resources the status is: no one's who applies the resources themselves.
const MANAGER: &str = "farol-status";
/// Seconds after which a server ends a watch, to be begun anew: a connection that was lost in silence is noticed by then.
const WATCH: u32 = 120;

/// Why there is no description.
#[derive(Debug, thiserror::Error)]
pub enum ResourcesError {
    /// The cluster can't be asked.
    #[error("the cluster that has the description's resources {0}")]
    Cluster(#[from] ClusterError),
    /// It doesn't know the definitions.
    #[error(
        "the cluster that should have the description's resources serves no {GROUP}/{VERSION} {0}; apply Farol's deploy/crds to it"
    )]
    NoDefinition(&'static str),
    /// It is wrong.
    #[error("{0}")]
    Wrong(#[from] Problems),
}

/// Reads the description's resources once, and puts it together.
///
/// # Errors
/// When they can't be read, or describe no fleet.
pub async fn read(base: &Base) -> Result<Described, ResourcesError> {
    Store::open(&base.resources).await?.list().await?.described(base)
}

/// The cluster that has the resources.
pub(super) struct Store {
    pub(super) cluster: Cluster,
    pub(super) apis: Apis,
    pub(super) namespace: String,
    sites: Resource,
    apps: Resource,
    rollouts: Resource,
}

/// The resources.
#[derive(Debug, Default)]
pub(super) struct Listed {
    pub(super) sites: Vec<Site>,
    pub(super) apps: Vec<FleetApp>,
    pub(super) rollouts: Vec<Rollout>,
}

/// Changes of resources, one by one.
pub(super) type Changes = Pin<Box<dyn Stream<Item = Result<(), ClusterError>> + Send>>;

impl Store {
    /// Gets ready to ask the cluster, and makes sure that it is the one that is pinned.
    pub(super) async fn open(resources: &Resources) -> Result<Self, ResourcesError> {
        let cluster = open(&resources.cluster).await?;
        if let Some(uid) = &resources.uid {
            cluster.identify(Some(uid)).await?;
        }
        let apis = cluster.apis().await?;
        let served = |kind| {
            let found = apis.find(GROUP, VERSION, kind).cloned();
            found.ok_or(ResourcesError::NoDefinition(kind))
        };
        let (sites, apps, rollouts) = (served("Site")?, served("FleetApp")?, served("Rollout")?);
        let namespace = resources.namespace.clone();
        Ok(Self { cluster, apis, namespace, sites, apps, rollouts })
    }

    /// All of the resources.
    pub(super) async fn list(&self) -> Result<Listed, ClusterError> {
        let lists = (self.all(&self.sites), self.all(&self.apps), self.all(&self.rollouts));
        let (sites, apps, rollouts) = try_join3(lists.0, lists.1, lists.2).await?;
        Ok(Listed { sites, apps, rollouts })
    }

    async fn all<K: DeserializeOwned>(&self, resource: &Resource) -> Result<Vec<K>, ClusterError> {
        let objects = self.cluster.list(resource, Some(&self.namespace), None).await?;
        let typed = objects.into_iter().map(|it| {
            let key = it.key();
            serde_json::from_value(it.into_json())
                .map_err(|error| ClusterError::Garbled(format!("{key}: {error}")))
        });
        typed.collect()
    }

    /// Tells of changes from now on.
    pub(super) fn changes(&self) -> Changes {
        let watch = |resource: &Resource| {
            let served = GroupVersionKind::gvk(GROUP, VERSION, &resource.kind.kind);
            let served = ApiResource::from_gvk_with_plural(&served, &resource.plural);
            let api: Api<PartialObjectMeta<DynamicObject>> =
                Api::namespaced_with(self.cluster.client(), &self.namespace, &served);
            let events = watching(api, watcher::Config::default().timeout(WATCH)).default_backoff();
            let told = |event| match event {
                // The list is complete only then.
                Ok(Event::Init | Event::InitApply(_)) => None,
                Ok(Event::InitDone | Event::Apply(_) | Event::Delete(_)) => Some(Ok(())),
                Err(error) => Some(Err(ClusterError::from(error))),
            };
            events.filter_map(move |it| std::future::ready(told(it))).boxed()
        };
        select_all([&self.sites, &self.apps, &self.rollouts].map(watch)).boxed()
    }

    /// Writes the status of a resource of this kind.
    pub(super) async fn write_status(
        &self,
        kind: &str,
        name: &str,
        status: &impl serde::Serialize,
    ) -> Result<(), ClusterError> {
        let kind = GroupKind::new(GROUP, kind);
        let all = [&self.sites, &self.apps, &self.rollouts];
        let Some(resource) = all.into_iter().find(|it| it.kind == kind) else { return Ok(()) };
        let mut object =
            Object::named(&resource.api_version(), &kind.kind, Some(&self.namespace), name);
        let status = serde_json::to_value(status)
            .map_err(|error| ClusterError::Garbled(error.to_string()))?;
        object.set(&["status"], status);
        self.cluster.apply_status(resource, &object, MANAGER).await
    }
}

impl Listed {
    /// The description that they are, together with the rest of it.
    pub(super) fn described(&self, base: &Base) -> Result<Described, ResourcesError> {
        Ok(base.with(self.sites.clone(), self.apps.clone(), &self.rollouts)?)
    }
}
