//! What the companion tells of plans and states, as JSON for programs and as what people are shown is made from.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::cluster::ClusterError;
use super::drift::{Difference, differences};
use super::object::{Object, ObjectKey};
use super::plan::{Mask, Step};
use super::site::{PlanError, Planned, Reached};
use crate::model::Ident;

/// What has to be done on all sites. A plan file is one of these.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FleetPlan {
    /// By site, in the order of the description.
    pub sites: Vec<SitePlan>,
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

/// How all sites are.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FleetStatus {
    /// By site.
    pub sites: Vec<SiteStatus>,
    /// The apps whose images are not the same on all sites.
    pub skewed: Vec<Skew>,
}

/// An app that isn't the same on all sites.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skew {
    /// The app.
    pub app: String,
    /// The images that are not on all sites, by site.
    pub images: Vec<(String, BTreeSet<String>)>,
}

/// How a site is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SiteStatus {
    /// The site's name.
    pub site: String,
    /// Its cluster; none where it can't be worked with.
    pub cluster: Option<ClusterReport>,
    /// Why it can't be worked with.
    pub error: Option<Trouble>,
    /// How many of its nodes are ready, of how many; none where one may not look at them.
    pub nodes: Option<Nodes>,
    /// By app.
    pub apps: Vec<AppStatus>,
}

/// The nodes of a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Nodes {
    /// Those that are ready.
    pub ready: usize,
    /// All of them.
    pub total: usize,
}

/// How an app is on a site.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AppStatus {
    /// The app's name.
    pub app: String,
    /// Whether everything is as it is wanted.
    pub in_sync: bool,
    /// Why that can't be told.
    pub error: Option<String>,
    /// How many objects are as they are wanted.
    pub unchanged: usize,
    /// Those that aren't.
    pub differences: Vec<DifferenceReport>,
    /// The images that its pods are made from.
    pub images: BTreeSet<String>,
}

/// An object that isn't as it is wanted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DifferenceReport {
    /// Which.
    pub object: ObjectName,
    /// `missing`, `drifted`, `extra` or `refused`.
    pub state: String,
    /// The fields that drifted.
    pub changes: Vec<ChangeReport>,
    /// Why it is refused.
    pub why: Option<String>,
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
        Self { site: reached.site.to_string(), cluster: Some(reached.into()), error: None, apps }
    }
}

impl AppPlan {
    /// What came of planning an app.
    pub fn of(app: &Ident, planned: &Result<Planned, PlanError>, mask: &Mask) -> Self {
        let app = app.to_string();
        match planned {
            Err(error) => Self { app, error: Some(error.to_string()), ..Self::default() },
            Ok(Planned { plan, skipped, .. }) => Self {
                app,
                error: None,
                steps: plan.steps.iter().map(|it| StepReport::of(it, mask)).collect(),
                unchanged: plan.unchanged,
                stays: plan.stays.iter().map(|it| Told::of(&it.key, &it.why)).collect(),
                refused: plan.refusals.iter().map(|it| Told::of(&it.key, &it.why)).collect(),
                skipped: skipped.iter().map(|it| Told::of(&it.key, &it.why)).collect(),
                digest: plan.digest.clone(),
            },
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
        Self {
            action: step.action.to_string(),
            object: (&step.key).into(),
            changes: step.changes(mask).into_iter().map(change).collect(),
        }
    }
}

impl AppStatus {
    /// What came of looking at an app.
    pub fn of(app: &Ident, planned: &Result<Planned, PlanError>, mask: &Mask) -> Self {
        let app = app.to_string();
        match planned {
            Err(error) => Self { app, error: Some(error.to_string()), ..Self::default() },
            Ok(planned) => {
                let differences = differences(&planned.plan, mask);
                let differences: Vec<_> =
                    differences.into_iter().map(DifferenceReport::from).collect();
                Self {
                    app,
                    in_sync: differences.is_empty() && planned.plan.is_empty(),
                    error: None,
                    unchanged: planned.plan.unchanged,
                    differences,
                    images: planned.images.clone(),
                }
            }
        }
    }

    /// How many of its objects are in a state.
    pub fn count(&self, state: &str) -> usize {
        self.differences.iter().filter(|it| it.state == state).count()
    }
}

impl FleetStatus {
    /// All sites, compared.
    pub fn of(sites: Vec<SiteStatus>) -> Self {
        let apps: BTreeSet<&str> =
            sites.iter().flat_map(|it| &it.apps).map(|it| it.app.as_str()).collect();
        let skewed = apps.into_iter().filter_map(|app| {
            let of = |site: &SiteStatus| {
                let app = site.apps.iter().find(|it| it.app == app && it.error.is_none())?;
                Some((site.site.clone(), app.images.clone()))
            };
            let by_site: Vec<_> = sites.iter().filter_map(of).collect();
            let common = by_site.iter().skip(1).fold(by_site.first()?.1.clone(), |common, it| {
                common.intersection(&it.1).cloned().collect()
            });
            let own = |(site, images): (String, BTreeSet<String>)| {
                (site, images.difference(&common).cloned().collect::<BTreeSet<_>>())
            };
            let images: Vec<_> =
                by_site.into_iter().map(own).filter(|it| !it.1.is_empty()).collect();
            (!images.is_empty()).then(|| Skew { app: app.to_owned(), images })
        });
        let skewed = skewed.collect();
        Self { sites, skewed }
    }
}

impl Nodes {
    /// Of these nodes.
    pub fn of(nodes: &[Object]) -> Self {
        let is_ready = |node: &&Object| {
            let text =
                |it: &Value, key: &str| it.get(key).and_then(Value::as_str).map(str::to_owned);
            node.items("/status/conditions").iter().any(|it| {
                text(it, "type").as_deref() == Some("Ready")
                    && text(it, "status").as_deref() == Some("True")
            })
        };
        Self { ready: nodes.iter().filter(is_ready).count(), total: nodes.len() }
    }
}

impl Told {
    fn of(key: &ObjectKey, why: &str) -> Self {
        Self { object: key.into(), why: why.to_owned() }
    }
}

impl From<(ObjectKey, Difference)> for DifferenceReport {
    fn from((key, difference): (ObjectKey, Difference)) -> Self {
        let object = ObjectName::from(&key);
        let (state, changes, why) = match difference {
            Difference::Missing => ("missing", Vec::new(), None),
            Difference::Extra => ("extra", Vec::new(), None),
            Difference::Refused(why) => ("refused", Vec::new(), Some(why)),
            Difference::Drifted(drifted) => {
                let change = |it: super::drift::Drifted| ChangeReport {
                    path: it.change.path,
                    before: it.change.before,
                    after: it.change.after,
                    manager: it.manager,
                };
                ("drifted", drifted.into_iter().map(change).collect(), None)
            }
        };
        Self { object, state: state.to_owned(), changes, why }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn site(name: &str, images: &[&str]) -> SiteStatus {
        let images = images.iter().map(|it| (*it).to_owned()).collect();
        let app = AppStatus { app: "web".to_owned(), images, ..AppStatus::default() };
        SiteStatus {
            site: name.to_owned(),
            cluster: None,
            error: None,
            nodes: None,
            apps: vec![app],
        }
    }

    #[test]
    fn images_that_are_not_everywhere_are_a_skew() {
        let skewed = |sites: Vec<SiteStatus>| FleetStatus::of(sites).skewed;
        assert_eq!(skewed(vec![site("a", &["w:1", "x:1"]), site("b", &["w:1", "x:1"])]), []);
        let skewed = skewed(vec![site("a", &["w:1", "x:1"]), site("b", &["w:2", "x:1"])]);
        assert_eq!(skewed.len(), 1);
        assert_eq!(skewed[0].images[0], ("a".to_owned(), ["w:1".to_owned()].into()));
        assert_eq!(skewed[0].images[1], ("b".to_owned(), ["w:2".to_owned()].into()));
    }
}
