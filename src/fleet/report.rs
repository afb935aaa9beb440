//! What the companion tells of plans: JSON for programs, from which what people are shown is made.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::cluster::ClusterError;
use super::object::ObjectKey;
use super::plan::{Action, Mask, Step};
use super::site::{PlanError, Planned, Reached};
use crate::model::Ident;

/// What has to be done on all sites. A plan file is one of these.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FleetPlan {
    /// By site, in the order of the description.
    pub sites: Vec<SitePlan>,
    /// The fields that are taken over from whoever has them: `.spec.replicas`, or `Deployment/shop/web:.spec.replicas` for that of one object.
    #[serde(default)]
    pub forced: BTreeSet<String>,
}

/// What has to be done on a site.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SitePlan {
    /// The site's name.
    pub site: String,
    /// Its cluster; none where it can't be worked with.
    pub cluster: Option<ClusterReport>,
    /// Why it can't be worked with.
    pub error: Option<Trouble>,
    /// By app.
    pub apps: Vec<AppPlan>,
}

/// A cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClusterReport {
    /// The UID of its namespace `kube-system`.
    pub uid: String,
    /// Its version.
    pub version: String,
}

/// Why a cluster can't be worked with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trouble {
    /// In a word: `unreachable`, `wrong cluster`, `forbidden`, `unauthorized`…
    pub kind: String,
    /// In full.
    pub message: String,
}

/// What has to be done for an app on a site.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AppPlan {
    /// The app's name.
    pub app: String,
    /// Why there is no plan.
    pub error: Option<String>,
    /// In this order.
    pub steps: Vec<StepReport>,
    /// How many objects are as they are wanted.
    pub unchanged: usize,
    /// What nobody wants any more and stays, with why.
    pub stays: Vec<Told>,
    /// Why nothing of it can be done.
    pub refused: Vec<Told>,
    /// What of the source was left out, with why.
    pub skipped: Vec<Told>,
    /// What it saw and would do, in short.
    pub digest: String,
}

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StepReport {
    /// `create`, `change`, `hand over`, `delete` or `record`.
    pub action: String,
    /// On what.
    pub object: ObjectName,
    /// What changes; one change of the whole where it is new or goes.
    pub changes: Vec<ChangeReport>,
    /// The fields that are taken over from others, each with who has it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub taken: Vec<String>,
}

/// An object's name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ObjectName {
    /// The API group; empty for the core group.
    pub group: String,
    /// The kind.
    pub kind: String,
    /// The namespace; none for what belongs to the whole cluster.
    pub namespace: Option<String>,
    /// The name.
    pub name: String,
}

/// A field that changes. Values of Secrets are masked by a hash.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChangeReport {
    /// Its path; empty for the whole object.
    pub path: String,
    /// What it is; null where there is nothing.
    pub before: Option<Value>,
    /// What it becomes; null where it goes.
    pub after: Option<Value>,
    /// Who wrote what it is, where that isn't the companion.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manager: Option<String>,
}

/// An object, and what is told of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Told {
    /// Which object.
    pub object: ObjectName,
    /// What.
    pub why: String,
}

impl FleetPlan {
    /// How many steps it has.
    pub fn steps(&self) -> usize {
        self.sites.iter().flat_map(|it| &it.apps).map(|it| it.steps.len()).sum()
    }

    /// Whether a site or an app couldn't be planned, or nothing can be done for it.
    pub fn has_trouble(&self) -> bool {
        self.sites.iter().any(|site| {
            let is_troubled = |it: &AppPlan| it.error.is_some() || !it.refused.is_empty();
            site.error.is_some() || site.apps.iter().any(is_troubled)
        })
    }
}

impl SitePlan {
    /// A site whose cluster can't be worked with.
    pub fn troubled(site: &Ident, error: &ClusterError) -> Self {
        Self { site: site.to_string(), cluster: None, error: Some(error.into()), apps: Vec::new() }
    }

    /// A site and its apps.
    pub fn of(reached: &Reached, apps: Vec<AppPlan>) -> Self {
        Self {
            site: reached.site.name.to_string(),
            cluster: Some(reached.into()),
            error: None,
            apps,
        }
    }
}

impl AppPlan {
    /// What came of planning an app.
    pub fn of(app: &Ident, planned: &Result<Planned, PlanError>, mask: &Mask) -> Self {
        let app = app.to_string();
        match planned {
            Err(error) => Self { app, error: Some(error.to_string()), ..Self::default() },
            Ok(Planned { plan, skipped, secrets, .. }) => {
                let mask = &mask.hiding(secrets);
                Self {
                    app,
                    error: None,
                    steps: plan.steps.iter().map(|it| StepReport::of(it, mask)).collect(),
                    unchanged: plan.unchanged,
                    stays: plan.stays.iter().map(|it| Told::of(&it.key, &it.why)).collect(),
                    refused: plan
                        .refusals
                        .iter()
                        .map(|it| Told::of(&it.key, &mask.text(&it.why)))
                        .collect(),
                    skipped: skipped.iter().map(|it| Told::of(&it.key, &it.why)).collect(),
                    digest: plan.digest.clone(),
                }
            }
        }
    }
}

impl StepReport {
    fn of(step: &Step, mask: &Mask) -> Self {
        let change = |it: super::plan::FieldChange| ChangeReport {
            path: it.path,
            before: it.before,
            after: it.after,
            manager: None,
        };
        let taken = match &step.action {
            Action::Change { taken, .. } => taken.iter().map(ToString::to_string).collect(),
            _ => Vec::new(),
        };
        Self {
            action: step.action.to_string(),
            object: (&step.key).into(),
            changes: step.changes(mask).into_iter().map(change).collect(),
            taken,
        }
    }
}

impl Told {
    fn of(key: &ObjectKey, why: &str) -> Self {
        Self { object: key.into(), why: why.to_owned() }
    }
}

impl From<&ObjectKey> for ObjectName {
    fn from(key: &ObjectKey) -> Self {
        Self {
            group: key.kind.group.clone(),
            kind: key.kind.kind.clone(),
            namespace: key.namespace.clone(),
            name: key.name.clone(),
        }
    }
}

impl std::fmt::Display for ObjectName {
    /// `Deployment ratings/web`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ", self.kind)?;
        if let Some(namespace) = &self.namespace {
            write!(f, "{namespace}/")?;
        }
        f.write_str(&self.name)
    }
}

impl From<&ClusterError> for Trouble {
    fn from(error: &ClusterError) -> Self {
        Self { kind: error.word().to_owned(), message: error.to_string() }
    }
}

impl From<&Reached> for ClusterReport {
    fn from(reached: &Reached) -> Self {
        Self { uid: reached.uid.clone(), version: reached.version.full.clone() }
    }
}
