//! What the companion tells of how the sites are: JSON for programs, from which what people are shown is made.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::drift::{Difference, differences};
use super::object::{Object, ObjectKey};
use super::plan::Mask;
use super::report::{ChangeReport, ClusterReport, ObjectName, Trouble};
use super::site::{PlanError, Planned};
use crate::model::Ident;

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
    /// The images that the pods of what is there are made from.
    pub images: BTreeSet<String>,
    /// Whether what is wanted is what was applied last. Where it isn't, the description has moved since, or an apply didn't go to its end.
    pub applied: bool,
    /// When the companion last wrote something of it, by the server's clock (RFC 3339).
    pub applied_at: Option<String>,
}

/// An object that isn't as it is wanted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DifferenceReport {
    /// Which.
    pub object: ObjectName,
    /// `missing`, `drifted`, `extra`, `kept` (nobody wants it any more, and it stays by a rule) or `refused`.
    pub state: String,
    /// The fields that drifted.
    pub changes: Vec<ChangeReport>,
    /// Why it is refused, or kept.
    pub why: Option<String>,
}

impl DifferenceReport {
    /// The fields that drifted, each with who wrote it: `spec.replicas by kubectl, data.a`.
    pub fn fields(&self) -> String {
        let field = |it: &ChangeReport| match &it.manager {
            Some(manager) => format!("{} by {manager}", it.path),
            None => it.path.clone(),
        };
        self.changes.iter().map(field).collect::<Vec<_>>().join(", ")
    }
}

impl AppStatus {
    /// What came of looking at an app.
    pub fn of(app: &Ident, planned: &Result<Planned, PlanError>, mask: &Mask) -> Self {
        let app = app.to_string();
        match planned {
            Err(error) => Self { app, error: Some(error.to_string()), ..Self::default() },
            Ok(planned) => {
                let differences = differences(&planned.plan, &mask.hiding(&planned.secrets));
                let differences: Vec<_> =
                    differences.into_iter().map(DifferenceReport::from).collect();
                let is_kept = |it: &DifferenceReport| it.state == "kept";
                Self {
                    app,
                    in_sync: planned.plan.is_applied && differences.iter().all(is_kept),
                    error: None,
                    unchanged: planned.plan.unchanged,
                    differences,
                    images: planned.images.clone(),
                    applied: planned.plan.is_applied,
                    applied_at: planned.applied_at.clone(),
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
        let apps = sites.iter().flat_map(|site| site.apps.iter().map(|it| (&*site.site, it)));
        let skewed = skewed(apps);
        Self { sites, skewed }
    }
}

/// The apps whose images are not the same on all sites, of these: each with its site's name. Those of which nothing is known don't count.
pub fn skewed<'a>(apps: impl Iterator<Item = (&'a str, &'a AppStatus)>) -> Vec<Skew> {
    let mut by_app: BTreeMap<&str, Vec<(&str, &BTreeSet<String>)>> = BTreeMap::new();
    for (site, app) in apps.filter(|it| it.1.error.is_none()) {
        by_app.entry(&app.app).or_default().push((site, &app.images));
    }
    let skew = |(app, by_site): (&str, Vec<(&str, &BTreeSet<String>)>)| {
        let (first, others) = by_site.split_first()?;
        let common = others.iter().fold(first.1.clone(), |common, it| &common & it.1);
        let own = |(site, images): &(&str, &BTreeSet<String>)| {
            let own = *images - &common;
            (!own.is_empty()).then(|| ((*site).to_owned(), own))
        };
        let images: Vec<_> = by_site.iter().filter_map(own).collect();
        (!images.is_empty()).then(|| Skew { app: app.to_owned(), images })
    };
    by_app.into_iter().filter_map(skew).collect()
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

impl From<(ObjectKey, Difference)> for DifferenceReport {
    fn from((key, difference): (ObjectKey, Difference)) -> Self {
        let object = ObjectName::from(&key);
        let (state, changes, why) = match difference {
            Difference::Missing => ("missing", Vec::new(), None),
            Difference::Extra => ("extra", Vec::new(), None),
            Difference::Kept(why) => ("kept", Vec::new(), Some(why)),
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
