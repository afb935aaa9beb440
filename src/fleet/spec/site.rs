//! Sites: their clusters, and the endpoints that stand for them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use super::schema;
use super::text::Reference;
use crate::model::{Ident, Name};

/// A site of the fleet: one Kubernetes cluster, and the endpoint that stands for it in a profile.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Site {
    /// The name of a site in the daemon's configuration.
    pub name: Ident,
    /// The site's cluster.
    pub cluster: Cluster,
    /// The endpoint whose address comes from the cluster. Without it the daemon's configuration has the address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<Endpoint>,
}

/// A site's Kubernetes cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Cluster {
    /// How it is reached.
    #[serde(flatten)]
    pub way: Way,
    /// The UID of its namespace `kube-system`. Another cluster in its place is refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<schema::Uid>")]
    pub uid: Option<String>,
    /// What upgrades and scales it. Without it the cluster is only observed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<Provider>,
    /// The version of Kubernetes that it should have.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<schema::Version>")]
    pub version: Option<String>,
    /// How many nodes each of its pools should have, by the pools' names.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(with = "schema::Nodes")]
    pub pools: BTreeMap<String, u32>,
}

/// A kubeconfig file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(extend("x-short" = "path"))]
pub struct Kubeconfig {
    /// The file; a relative path starts at the directory of the file that names it.
    #[schemars(length(min = 1))]
    pub path: PathBuf,
    /// The context in it, instead of its current one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub context: Option<String>,
}

/// A key of a Secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SecretRef {
    /// The Secret's name.
    #[schemars(with = "schema::ObjectName")]
    pub name: String,
    /// The namespace that it is in.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<schema::Namespace>")]
    pub namespace: Option<String>,
    /// The key in it.
    #[serde(default = "kubeconfig_key")]
    #[schemars(length(min = 1, max = 253))]
    pub key: String,
}

/// What upgrades and scales a cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Provider {
    /// Cluster API, in a management cluster.
    Capi(Capi),
}

/// A cluster that Cluster API manages.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Capi {
    /// The name of the `Cluster` object.
    #[schemars(with = "schema::ObjectName")]
    pub name: String,
    /// The namespace that it is in.
    #[schemars(with = "schema::Namespace")]
    pub namespace: String,
    /// The management cluster.
    pub management: Way,
}

/// How a Kubernetes cluster is reached: by `kubeconfig`, `secretRef` or `in_cluster`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("oneOf" = [
    {"required": ["kubeconfig"]}, {"required": ["secretRef"]}, {"required": ["in_cluster"]},
]))]
pub struct Way {
    /// A kubeconfig file. In a file, a text stands for its path.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kubeconfig: Option<Kubeconfig>,
    /// A Secret with a kubeconfig, in the cluster that the companion runs in; by default in its own namespace.
    #[serde(rename = "secretRef", skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<SecretRef>,
    /// Whether it is the cluster that the companion runs in.
    #[serde(default, skip_serializing_if = "is_false")]
    #[schemars(with = "schema::OnlyTrue")]
    pub in_cluster: bool,
}

/// An endpoint of a profile, whose address the cluster tells.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Endpoint {
    /// The profile in the daemon's configuration.
    pub profile: Name,
    /// The endpoint in it.
    pub name: Ident,
    /// What has the address.
    pub from: From,
    /// The pods that stand behind it. Without this the cluster isn't asked whether they are ready. In a file, a text stands for
    /// their Service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workload: Option<Backing>,
}

/// The pods that stand behind an endpoint; ready while one of them is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(extend("x-short" = "service"))]
pub struct Backing {
    /// The Service that they are of.
    pub service: Reference,
    /// Whether probes of the endpoint count as failed while the cluster says that none of them is ready. Otherwise it is only shown.
    #[serde(default)]
    pub required: bool,
}

/// An object whose status has an external address, and the port that is served there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct From {
    /// The object.
    #[serde(flatten)]
    pub object: Exposed,
    /// The port that traffic goes to; the object must expose it.
    #[schemars(range(min = 1))]
    pub port: u16,
}

/// An object with an external address, as `namespace/name`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Exposed {
    /// A Service of type LoadBalancer, such as an ingress controller's.
    Service(Reference),
    /// An Ingress.
    Ingress(Reference),
    /// A Gateway.
    Gateway(Reference),
}

impl<'de> Deserialize<'de> for Kubeconfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Path(PathBuf),
            Table { path: PathBuf, context: Option<String> },
        }
        Ok(match Written::deserialize(deserializer)? {
            Written::Path(path) => Self { path, context: None },
            Written::Table { path, context } => Self { path, context },
        })
    }
}

impl<'de> Deserialize<'de> for Backing {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Service(Reference),
            Table {
                service: Reference,
                #[serde(default)]
                required: bool,
            },
        }
        Ok(match Written::deserialize(deserializer)? {
            Written::Service(service) => Self { service, required: false },
            Written::Table { service, required } => Self { service, required },
        })
    }
}

fn is_false(value: &bool) -> bool {
    !value
}

/// The key that Cluster API keeps a cluster's kubeconfig under.
fn kubeconfig_key() -> String {
    "value".to_owned()
}
