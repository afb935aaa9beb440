//! From a way to a cluster as it is described to a cluster that can be asked.

use super::cluster::{Cluster, ClusterError, Reach};
use super::spec::Way;
use super::values::secret_text;

/// Gets ready to ask a cluster; where its kubeconfig is in a Secret, that is read for it.
///
/// # Errors
/// When the kubeconfig can't be had or used.
pub(super) async fn open(way: &Way) -> Result<Cluster, ClusterError> {
    Cluster::open(&reach(way).await?).await
}

/// One way is written; the reading made sure of it.
async fn reach(way: &Way) -> Result<Reach, ClusterError> {
    if let Some(it) = &way.kubeconfig {
        return Ok(Reach::File { path: it.path.clone(), context: it.context.clone() });
    }
    let Some(secret) = &way.secret_ref else { return Ok(Reach::InCluster) };
    let own = Cluster::open(&Reach::InCluster).await?;
    let namespace = secret.namespace.clone().unwrap_or_else(|| own.namespace());
    let yaml = secret_text(&own, &namespace, &secret.name, &secret.key).await?;
    Ok(Reach::Text { yaml, context: None })
}
