//! The monitoring of every site.

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
    /// The Prometheus that `farol fleet verify` asks whether samples arrive. In a file, a text stands for its URL.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prometheus: Option<Prometheus>,
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

fn namespace() -> String {
    "monitoring".to_owned()
}
