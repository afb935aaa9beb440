//! The fleet's description as custom resources of a cluster.

use serde::de::DeserializeOwned;

use super::cluster::{Apis, Cluster, ClusterError, Reach};
use super::object::GroupKind;
use super::spec::{Fleet, resources};
use crate::settings::Problems;

const GROUP: &str = "farol.dev";

/// Why no description can be read from a cluster.
#[derive(Debug, thiserror::Error)]
pub enum ResourcesError {
    /// The cluster can't be asked.
    #[error("the cluster {0}")]
    Cluster(#[from] ClusterError),
    /// It doesn't know the definitions.
    #[error("the cluster serves no {0}.{GROUP}; apply deploy/crds to it first")]
    NoDefinition(&'static str),
    /// There is none.
    #[error("namespace {0} has no Site; apply the description there, or name another namespace")]
    Nothing(String),
    /// It is wrong.
    #[error("{0}")]
    Wrong(#[from] Problems),
}

/// Reads the description that is in a namespace of a cluster: its objects `Site`, `FleetApp` and `Rollout`.
///
/// # Errors
/// When the cluster can't be asked, or what it has describes no fleet.
pub async fn read(reach: &Reach, namespace: &str) -> Result<Fleet, ResourcesError> {
    let cluster = Cluster::open(reach).await?;
    let apis = cluster.apis().await?;
    let sites: Vec<resources::Site> = list(&cluster, &apis, "Site", namespace).await?;
    if sites.is_empty() {
        return Err(ResourcesError::Nothing(namespace.to_owned()));
    }
    let apps = list(&cluster, &apis, "FleetApp", namespace).await?;
    let rollouts: Vec<resources::Rollout> = list(&cluster, &apis, "Rollout", namespace).await?;
    Ok(Fleet::from_resources(sites, apps, &rollouts)?)
}

async fn list<K: DeserializeOwned>(
    cluster: &Cluster,
    apis: &Apis,
    kind: &'static str,
    namespace: &str,
) -> Result<Vec<K>, ResourcesError> {
    let resource = apis.preferred(&GroupKind::new(GROUP, kind));
    let resource = resource.ok_or(ResourcesError::NoDefinition(kind))?;
    let objects = cluster.list(resource, Some(namespace), None).await?;
    let typed = objects.into_iter().map(|it| {
        let key = it.key();
        serde_json::from_value(it.into_json())
            .map_err(|error| ClusterError::Garbled(format!("{key}: {error}")))
    });
    Ok(typed.collect::<Result<_, _>>()?)
}
