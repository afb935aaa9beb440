//! The monitoring of every site.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use super::app::Helm;
use super::schema;
use super::text::{ServicePort, Url};

/// The monitoring that is the same on every site.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Monitoring {
    /// The monitoring itself. Without it only what Farol generates for itself is installed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub release: Option<Helm>,
    /// Whether Farol's alerts are installed.
    #[serde(default = "yes")]
    pub alerts: bool,
    /// The namespace of all of it.
    #[serde(default = "namespace")]
    #[schemars(with = "schema::Namespace")]
    pub namespace: String,
    /// Labels of everything that Farol generates, by which a Prometheus may choose what it reads: `release: kube-prometheus-stack`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Where Farol's metrics are; without it none are read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scrape: Option<Scrape>,
    /// The blackbox exporter that asks the site's ingress; without it nobody does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub probe: Option<Probe>,
    /// The Prometheus that `farol fleet verify` asks whether samples arrive. In a file, a text stands for its URL.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prometheus: Option<Prometheus>,
}

/// How Farol's metrics are read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Scrape {
    /// Where they are.
    #[serde(flatten)]
    pub at: Metrics,
    /// Whether by HTTPS.
    #[serde(default)]
    pub https: bool,
    /// A Secret beside the objects with the token, where `admin.protect_metrics` asks for one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<Token>,
}

/// Where Farol's metrics are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Metrics {
    /// Outside of the cluster: addresses with ports, such as `ns1.example:8053`.
    #[schemars(with = "schema::Addresses")]
    Addresses(Vec<String>),
    /// Behind a Service of the cluster.
    Service(Labelled),
    /// In pods of the cluster.
    Pods(Labelled),
}

/// What is chosen by its labels.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Labelled {
    /// Its namespace.
    #[schemars(with = "schema::Namespace")]
    pub namespace: String,
    /// The labels that choose it.
    pub labels: BTreeMap<String, String>,
    /// The name of its port.
    #[schemars(length(min = 1, max = 63))]
    pub port: String,
}

/// A key of a Secret in the monitoring's namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Token {
    /// The Secret's name.
    #[schemars(with = "schema::ObjectName")]
    pub name: String,
    /// The key in it.
    #[schemars(length(min = 1, max = 253))]
    pub key: String,
}

/// How the site's ingress is asked: the Service that the site's endpoint is from, by its name in the cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Probe {
    /// The blackbox exporter, with its port: `blackbox-exporter.monitoring:9115`.
    #[schemars(length(min = 1, max = 253))]
    pub prober: String,
    /// The exporter's module.
    #[serde(default = "module")]
    #[schemars(length(min = 1, max = 63))]
    pub module: String,
    /// The name that is asked for there, which DNS may answer with another site.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub host: Option<String>,
}

/// How a site's Prometheus is reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(extend("x-short" = "url"))]
pub enum Prometheus {
    /// By a URL, the same for all sites.
    Url(#[schemars(extend("x-hidden" = true))] Url),
    /// By a Service of the site's cluster, through its API server.
    Service(ServicePort),
}

impl<'de> Deserialize<'de> for Prometheus {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(rename_all = "lowercase")]
        enum Table {
            Url(Url),
            Service(ServicePort),
        }
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Url(Url),
            Table(Table),
        }
        Ok(match Written::deserialize(deserializer)? {
            Written::Url(url) | Written::Table(Table::Url(url)) => Self::Url(url),
            Written::Table(Table::Service(service)) => Self::Service(service),
        })
    }
}

fn yes() -> bool {
    true
}

fn module() -> String {
    "http_2xx".to_owned()
}

fn namespace() -> String {
    "monitoring".to_owned()
}
