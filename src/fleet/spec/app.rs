//! Applications: what they consist of, where they run, and how one knows that they do.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::schema;
use super::site::SecretRef;
use super::text::{Digest, Url, Workload};
use crate::model::Ident;

/// An application that is the same on every site that it runs on, but for what is overridden there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("x-kubernetes-validations" = [{
    "rule": "has(self.source.helm) || !has(self.valuesFrom)",
    "message": "valuesFrom goes with source.helm",
}]))]
pub struct App {
    /// Its name.
    pub name: Ident,
    /// The namespace that its objects are in, unless they say otherwise.
    #[schemars(with = "schema::Namespace")]
    pub namespace: String,
    /// What it consists of.
    pub source: Source,
    /// What is different on a site, by the site's name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(with = "BTreeMap<String, Override>")]
    pub overrides: BTreeMap<Ident, Override>,
    /// The sites that it runs on; by default all of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1000))]
    pub sites: Option<Vec<Ident>>,
    /// Which of its workloads are scaled by their use of CPU.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100))]
    pub autoscale: Vec<Autoscale>,
    /// What has to be ready for the application to be so; by default everything in it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100))]
    pub ready: Vec<Workload>,
    /// Who is asked before a site is drained and before it is undrained.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gate: Option<Gate>,
    /// What becomes of objects that are no longer in it.
    #[serde(default, skip_serializing_if = "Prune::is_default")]
    pub prune: Prune,
    /// Values of the chart that stand elsewhere, because they are secrets; later ones win, and all of them win over `values`.
    #[serde(default, rename = "valuesFrom", skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100))]
    pub values_from: Vec<ValuesFrom>,
}

/// What an application consists of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// A file of manifests, or a directory of such files.
    #[schemars(with = "schema::FilePath")]
    Manifests(PathBuf),
    /// A directory with a `kustomization.yaml`.
    #[schemars(with = "schema::FilePath")]
    Kustomize(PathBuf),
    /// A Helm chart.
    Helm(Helm),
}

/// A Helm chart, rendered with the site's cluster's version and APIs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Helm {
    /// A path, `oci://…`, or with `repo` a chart's name in it. A relative path starts at the directory of the file that names it.
    #[schemars(length(min = 1))]
    pub chart: String,
    /// The repository that the chart is in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repo: Option<Url>,
    /// The chart's version. Charts that aren't paths must have one, so that every site gets the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<schema::ChartVersion>")]
    pub version: Option<String>,
    /// The SHA-256 of the chart's archive, or of its manifest in the registry. Another chart is refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// The chart's values on all sites.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    #[schemars(with = "schema::Values")]
    pub values: Map<String, Value>,
    /// The release's name; by default the application's, or `monitoring` for the monitoring.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<schema::Release>")]
    pub release: Option<String>,
}

/// What is different on one site.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Override {
    /// How many replicas Deployments and StatefulSets have, by their names.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(with = "schema::Replicas")]
    pub replicas: BTreeMap<String, u32>,
    /// Values of the chart that are merged over `source.helm.values`; null takes one away.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    #[schemars(with = "schema::Values")]
    pub values: Map<String, Value>,
}

/// A workload that is scaled by its use of CPU.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("x-kubernetes-validations" = [{
    "rule": "self.min <= self.max", "message": "min must be at most max",
}]))]
pub struct Autoscale {
    /// The workload: a Deployment or a StatefulSet.
    pub target: Workload,
    /// How much of the CPU that its pods request they should use on average, in percent.
    #[schemars(range(min = 1, max = 1000))]
    pub cpu: u32,
    /// The fewest replicas.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 10_000))]
    pub min: u32,
    /// The most replicas.
    #[schemars(range(min = 1, max = 10_000))]
    pub max: u32,
}

/// Whether a site may be drained or undrained, e.g. as far as the replication of its database goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Gate {
    /// A URL that gives a status from 200 to 299 when it may.
    #[schemars(extend("x-hidden" = true))]
    pub http: Url,
}

/// What becomes of objects that are no longer in an application.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Prune {
    /// Whether they are deleted.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// Which kinds are deleted, too, that are kept otherwise because data go with them.
    #[serde(default)]
    #[schemars(length(max = 3))]
    pub also: Vec<Precious>,
}

/// A kind whose objects are not deleted unless that is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Precious {
    /// Namespaces, with all that is in them.
    Namespace,
    /// Custom resource definitions, with all resources of theirs.
    CustomResourceDefinition,
    /// Claims of volumes, with the data on them.
    PersistentVolumeClaim,
}

/// Values of a chart that stand elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ValuesFrom {
    /// Where.
    #[serde(flatten)]
    pub from: ValuesSource,
    /// Which value it is, e.g. `omsagent.secret.key`. Without it what stands there is YAML with any number of values.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<schema::ValuePath>")]
    pub at: Option<String>,
}

/// Where values stand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ValuesSource {
    /// In a file; a relative path starts at the directory of the file that names it.
    #[schemars(with = "schema::FilePath")]
    File(PathBuf),
    /// In an environment variable of the companion.
    #[schemars(with = "schema::Variable")]
    Env(String),
    /// In a Secret of the site's cluster, by default in the application's namespace.
    Secret(SecretRef),
}

impl App {
    /// Whether it runs on a site.
    pub fn runs_on(&self, site: &Ident) -> bool {
        self.sites.as_ref().is_none_or(|it| it.contains(site))
    }
}

impl Helm {
    /// Whether the chart is a file or a directory, and not elsewhere.
    pub fn is_path(&self) -> bool {
        self.repo.is_none() && !self.chart.starts_with("oci://")
    }
}

impl Prune {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// Whether objects of a kind are deleted when they are no longer in the application.
    pub fn takes(&self, kind: &str) -> bool {
        let precious = match kind {
            "Namespace" => Precious::Namespace,
            "CustomResourceDefinition" => Precious::CustomResourceDefinition,
            "PersistentVolumeClaim" => Precious::PersistentVolumeClaim,
            _ => return self.enabled,
        };
        self.enabled && self.also.contains(&precious)
    }
}

impl Default for Prune {
    fn default() -> Self {
        Self { enabled: true, also: Vec::new() }
    }
}

fn one() -> u32 {
    1
}

fn yes() -> bool {
    true
}
