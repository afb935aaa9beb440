//! The fleet's description: what the sites' clusters should be and have, read from a file or from custom resources into types
//! that can't be wrong. Everything that is wrong is said at once, each with its line and key.
//!
//! The way of a file: `settings` makes a document of it, which knows its lines; `read` holds that to the schema that `schema`
//! makes of the types, and `check` to what no schema says. A file may say that sites and apps are custom resources; these
//! (`resources`) are put together to such a document, too.

mod app;
mod check;
mod description;
mod monitoring;
mod phrase;
mod read;
pub mod resources;
mod rollout;
mod schema;
mod site;
#[cfg(test)]
mod tests;
mod text;
mod window;

pub use app::{
    App, Autoscale, Gate, Helm, Override, Precious, Prune, Source, ValuesFrom, ValuesSource,
};
pub use check::MONITORING;
pub use description::{Base, Described, Description, Resources};
pub use monitoring::{Labelled, Metrics, Monitoring, Probe, Prometheus, Scrape, Token};
pub use rollout::{Drain, OnFailure, OnTimeout, Quiet, Rollout, Verify};
pub use site::{
    Backing, Capi, Cluster, Endpoint, Exposed, From, Kubeconfig, Provider, SecretRef, Site, Way,
};
pub use text::{Digest, Percent, Reference, ServicePort, Span, TextError, Url, Workload};
pub use window::Window;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::Ident;

/// All that is wanted.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Fleet {
    /// The sites; at least one.
    pub sites: Vec<Site>,
    /// The monitoring that is the same on every site. Without it Farol leaves monitoring alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub monitoring: Option<Monitoring>,
    /// The applications.
    pub apps: Vec<App>,
    /// How changes go from site to site.
    pub rollout: Rollout,
    /// What is done about objects that somebody else changed.
    pub drift: Drift,
}

/// What is done about objects that somebody else changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Drift {
    /// It is told.
    #[default]
    Report,
    /// It is told and undone.
    Heal,
}

impl Fleet {
    /// The site of this name.
    pub fn site(&self, name: &Ident) -> Option<&Site> {
        self.sites.iter().find(|it| it.name == *name)
    }

    /// The application of this name.
    pub fn app(&self, name: &Ident) -> Option<&App> {
        self.apps.iter().find(|it| it.name == *name)
    }
}
