//! What an app's source renders to for a site: manifests as they are written, a kustomization or a chart, behind one trait.
//!
//! - **Flow**: [`Source::render`] gives the objects and what was left out; [`override_replicas`] and [`autoscalers`] make a site's
//!   own of them. Nothing here asks a cluster: what is known of it comes in by the [`Target`].
//! - **Guarantees**: a source that is broken renders nothing, and all that is broken in it is told at once; values never stand on
//!   a command line nor on a disk; programs are bounded in time and output. A chart's rendering waits for no network: it is
//!   brought here before, and that takes no slot of what renders.

mod autoscale;
mod charts;
mod helm;
mod kustomize;
mod manifests;
mod mask;
mod overrides;
mod package;
mod program;
mod scratch;
mod strict;
mod tools;
mod yaml;

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

pub use self::autoscale::{Autoscale, autoscalers};
pub use self::helm::HelmChart;
pub use self::kustomize::Kustomize;
pub use self::manifests::Manifests;
pub use self::overrides::{OverrideError, override_replicas};
pub use self::package::{ChartSource, Digest, DigestError};
pub use self::tools::{ProgramError, Tool, Tools};
use super::object::{Manifest, ObjectKey, Origin};

/// What an app is rendered for.
#[derive(Clone, Default, PartialEq)]
pub struct Target {
    /// The site's name.
    pub site: String,
    /// The app's namespace.
    pub namespace: String,
    /// The cluster's version, e.g. `v1.20.2`; empty where it isn't known: then charts see their program's own.
    pub kubernetes: String,
    /// What the cluster serves, as charts ask for it: `apps/v1` and `apps/v1/Deployment`.
    pub apis: Vec<String>,
    /// The values of a chart, merged for the site; null for none.
    pub values: serde_json::Value,
    /// Texts in the values that nobody may see, whatever their keys are called.
    pub secrets: Vec<String>,
}

/// What a source renders to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rendered {
    /// The objects, in the order of writing.
    pub manifests: Vec<Manifest>,
    /// What is no part of the app's objects and was left out.
    pub skipped: Vec<Skipped>,
}

/// An object that was left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// What it is called.
    pub key: ObjectKey,
    /// Where it was written.
    pub origin: Origin,
    /// Why, and what to do.
    pub why: String,
}

/// Something that is wrong with a manifest. Shown as one line: `deploy/web.yaml:12: has no text in \`kind\``.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Where: the file or what was rendered, and the line where it is known.
    pub origin: Origin,
    /// What is wrong, and what to write instead.
    pub message: String,
}

/// All that is wrong with some manifests; never empty. Shown one per line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Faults(pub Vec<Fault>);

/// Why a source can't be rendered.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// Manifests are broken, or can't be read.
    #[error("{0}")]
    Manifests(Faults),
    /// A program is missing, failed, or took too long.
    #[error(transparent)]
    Program(#[from] ProgramError),
    /// A chart or its release is not what may be rendered.
    #[error("the chart {chart} can't be rendered: {why}")]
    Chart {
        /// The chart as it is written.
        chart: String,
        /// What is wrong, and what to do.
        why: String,
    },
    /// A chart can't be brought to this machine; all who wanted it are told the same.
    #[error(transparent)]
    Pull(Arc<RenderError>),
    /// A file that is needed for a while can't be made or read.
    #[error("could not {doing}")]
    Scratch {
        /// What was being done.
        doing: String,
        /// Why that failed.
        source: io::Error,
    },
}

/// What can be rendered for a site.
pub trait Render {
    /// Renders the objects that are wanted on the target.
    ///
    /// # Errors
    /// When the source can't be read or rendered: then there are no objects at all.
    fn render(
        &self,
        target: &Target,
        tools: &Tools,
    ) -> impl Future<Output = Result<Rendered, RenderError>> + Send;
}

/// Where an app's objects are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// In a file or a directory of manifests.
    Manifests(Manifests),
    /// In a directory with a kustomization.
    Kustomize(Kustomize),
    /// In a chart of Helm's.
    Helm(HelmChart),
}

impl Render for Source {
    async fn render(&self, target: &Target, tools: &Tools) -> Result<Rendered, RenderError> {
        match self {
            Self::Manifests(source) => source.render(target, tools).await,
            Self::Kustomize(source) => source.render(target, tools).await,
            Self::Helm(source) => source.render(target, tools).await,
        }
    }
}

impl Fault {
    /// What is wrong with a whole file, or with a directory.
    fn of(file: impl Into<PathBuf>, message: impl Into<String>) -> Self {
        let origin = Origin { from: Arc::new(file.into()), line: None };
        Self { origin, message: message.into() }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.origin, self.message)
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            fault.fmt(f)?;
        }
        Ok(())
    }
}

impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} {}", self.origin, self.key, self.why)
    }
}

impl fmt::Debug for Target {
    /// Without the values, which may be secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target")
            .field("site", &self.site)
            .field("namespace", &self.namespace)
            .field("kubernetes", &self.kubernetes)
            .field("apis", &self.apis.len())
            .finish_non_exhaustive()
    }
}
