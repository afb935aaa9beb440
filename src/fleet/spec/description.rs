//! What a file says: all of a fleet, or in which cluster its sites and apps are custom resources.

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    App, Drift, Fleet, Kubeconfig, Monitoring, Provider, Rollout, Site, Source, ValuesSource, Way,
    read, schema,
};
use crate::settings::{At, Document, Problems, directory};

/// What a file says.
#[derive(Clone, Debug)]
pub enum Description {
    /// All of it.
    Whole(Described),
    /// That the sites, the applications and the rollout are custom resources.
    InCluster(Base),
}

/// A fleet, and where each of its sites is described.
#[derive(Clone, Debug)]
pub struct Described {
    /// The fleet.
    pub fleet: Fleet,
    document: Document,
}

/// What of a fleet isn't in custom resources.
#[derive(Clone, Debug, PartialEq)]
pub struct Base {
    /// Where these are.
    pub resources: Resources,
    /// The monitoring that is the same on every site.
    pub(super) monitoring: Option<Monitoring>,
    /// What is done about objects that somebody else changed.
    pub(super) drift: Drift,
    /// Where relative paths in the resources start.
    pub(super) directory: PathBuf,
}

/// Where the description's custom resources are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Resources {
    /// The cluster that has them.
    pub cluster: Way,
    /// The UID of its namespace `kube-system`. Another cluster in its place is refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<schema::Uid>")]
    pub uid: Option<String>,
    /// The namespace that they are in.
    #[serde(default = "farol")]
    #[schemars(with = "schema::Namespace")]
    pub namespace: String,
}

/// The keys of a file.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(extend("oneOf" = [{"required": ["sites"]}, {"required": ["resources"]}]))]
pub(super) struct Written {
    /// The sites.
    #[serde(default)]
    #[schemars(length(min = 1, max = 1000))]
    sites: Vec<Site>,
    /// Where sites, applications and the rollout are custom resources, instead of `sites`, `apps` and `rollout` here.
    resources: Option<Resources>,
    /// The monitoring that is the same on every site. Without it Farol leaves monitoring alone.
    monitoring: Option<Monitoring>,
    /// The applications.
    #[serde(default)]
    #[schemars(length(max = 1000))]
    apps: Vec<App>,
    /// How changes go from site to site.
    #[serde(default)]
    rollout: Rollout,
    /// What is done about objects that somebody else changed.
    #[serde(default)]
    drift: Drift,
}

impl Description {
    /// Reads a YAML, JSON or TOML file. Relative paths in it start at its directory.
    ///
    /// # Errors
    /// Everything that is wrong, never only the first problem.
    pub fn read(file: &Path) -> Result<Self, Problems> {
        Self::of(Document::read(file)?, &directory(file))
    }

    /// Reads a text as if it stood in a file.
    ///
    /// # Errors
    /// Everything that is wrong, never only the first problem.
    pub fn parse(file: &Path, text: &str) -> Result<Self, Problems> {
        Self::of(Document::parse(file, text)?, &directory(file))
    }

    fn of(document: Document, directory: &Path) -> Result<Self, Problems> {
        let Written { sites, resources, monitoring, apps, rollout, drift } =
            read::written(&document, directory)?;
        Ok(match resources {
            Some(resources) => {
                let directory = directory.to_owned();
                Self::InCluster(Base { resources, monitoring, drift, directory })
            }
            None => {
                let fleet = Fleet { sites, monitoring, apps, rollout, drift };
                Self::Whole(Described { fleet, document })
            }
        })
    }
}

impl Written {
    /// Has every path start at the directory of the file that names it.
    pub(super) fn resolve(&mut self, directory: &Path) {
        let join = |path: &mut PathBuf| *path = directory.join(&*path);
        let kubeconfig = |it: &mut Option<Kubeconfig>| {
            if let Some(it) = it {
                join(&mut it.path);
            }
        };
        if let Some(it) = &mut self.resources {
            kubeconfig(&mut it.cluster.kubeconfig);
        }
        for site in &mut self.sites {
            kubeconfig(&mut site.cluster.way.kubeconfig);
            if let Some(Provider::Capi(capi)) = &mut site.cluster.provider {
                kubeconfig(&mut capi.management.kubeconfig);
            }
        }
        let releases = self.monitoring.iter_mut().filter_map(|it| it.release.as_mut());
        let mut charts: Vec<_> = releases.collect();
        for app in &mut self.apps {
            match &mut app.source {
                Source::Manifests(path) | Source::Kustomize(path) => join(path),
                Source::Helm(helm) => charts.push(helm),
            }
            for values in &mut app.values_from {
                if let ValuesSource::File(path) = &mut values.from {
                    join(path);
                }
            }
        }
        for chart in charts.into_iter().filter(|it| it.is_path()) {
            chart.chart = directory.join(&chart.chart).to_string_lossy().into_owned();
        }
    }
}

impl Base {
    /// The fleet of this document, which has its sites, applications and rollout.
    pub(super) fn complete(&self, document: Document) -> Result<Described, Problems> {
        let Written { sites, apps, rollout, .. } = read::written(&document, &self.directory)?;
        let (monitoring, drift) = (self.monitoring.clone(), self.drift);
        Ok(Described { fleet: Fleet { sites, monitoring, apps, rollout, drift }, document })
    }
}

impl Described {
    /// The sites, each with where it is described.
    pub(crate) fn sites(&self) -> impl Iterator<Item = (At<'_>, &Site)> {
        let written = self.document.root().get("sites").map(|it| it.items()).unwrap_or_default();
        written.into_iter().zip(&self.fleet.sites)
    }

    /// The description as a whole.
    pub(crate) fn root(&self) -> At<'_> {
        self.document.root()
    }
}

fn farol() -> String {
    "farol".to_owned()
}
