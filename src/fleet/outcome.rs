//! What came of a command that changes clusters, for programs.

use serde::Serialize;

use super::report::{FleetPlan, ObjectName, StepReport, Told, Trouble};
use crate::model::Ident;

/// What came of applying.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Outcome {
    /// By site, in the order in which they are applied.
    pub sites: Vec<SiteOutcome>,
    /// Why it ended before everything was done.
    pub error: Option<String>,
}

/// What came of applying on a site.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SiteOutcome {
    /// The site's name.
    pub site: String,
    /// Why its cluster can't be worked with; nothing was done there.
    pub error: Option<Trouble>,
    /// By app.
    pub apps: Vec<AppOutcome>,
}

/// What came of applying an app on a site.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AppOutcome {
    /// The app's name.
    pub app: String,
    /// What was done, in this order.
    pub done: Vec<StepOutcome>,
    /// What was to be done and wasn't. Applying again goes on from there.
    pub not_done: Vec<StepOutcome>,
    /// Why nothing of it could be done.
    pub refused: Vec<Told>,
    /// Why it ended, or there was no plan.
    pub error: Option<String>,
}

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StepOutcome {
    /// `create`, `change`, `hand over`, `delete` or `record`.
    pub action: String,
    /// On what.
    pub object: ObjectName,
}

/// What came of taking objects over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Adopted {
    /// Whether it was only said what would be taken over.
    pub dry_run: bool,
    /// By site.
    pub sites: Vec<SiteAdopted>,
}

/// What came of taking objects over on a site.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SiteAdopted {
    /// The site's name.
    pub site: String,
    /// Why it ended there before everything was taken over.
    pub error: Option<String>,
    /// By app.
    pub apps: Vec<AppAdopted>,
}

/// What came of taking an app's objects over on a site.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AppAdopted {
    /// The app's name.
    pub app: String,
    /// What was taken over.
    pub taken_over: Vec<TakenOver>,
    /// What somebody else has, and who.
    pub left_alone: Vec<Told>,
}

/// An object that was taken over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TakenOver {
    /// Which one.
    pub object: ObjectName,
    /// The field managers that it was taken over from.
    pub managers: Vec<String>,
}

impl Outcome {
    /// Before anything of a plan is done.
    pub fn before(plan: &FleetPlan) -> Self {
        let step =
            |it: &StepReport| StepOutcome { action: it.action.clone(), object: it.object.clone() };
        let site = |it: &super::report::SitePlan| SiteOutcome {
            site: it.site.clone(),
            error: it.error.clone(),
            apps: it
                .apps
                .iter()
                .map(|it| AppOutcome {
                    app: it.app.clone(),
                    done: Vec::new(),
                    not_done: it.steps.iter().map(step).collect(),
                    refused: it.refused.clone(),
                    error: it.error.clone(),
                })
                .collect(),
        };
        Self { sites: plan.sites.iter().map(site).collect(), error: None }
    }

    /// How many steps were done.
    pub fn done(&self) -> usize {
        self.sites.iter().flat_map(|it| &it.apps).map(|it| it.done.len()).sum()
    }
}

impl AppOutcome {
    /// Notes that the next step is done.
    pub fn advance(&mut self) {
        if !self.not_done.is_empty() {
            self.done.push(self.not_done.remove(0));
        }
    }
}

impl Adopted {
    /// How many objects were taken over, or would be.
    pub fn count(&self) -> usize {
        self.sites.iter().flat_map(|it| &it.apps).map(|it| it.taken_over.len()).sum()
    }
}

impl SiteAdopted {
    /// A site of which nothing is taken over yet.
    pub fn new(site: &Ident) -> Self {
        Self { site: site.to_string(), error: None, apps: Vec::new() }
    }

    /// Begins with an app.
    pub fn app(&mut self, app: &Ident) -> &mut AppAdopted {
        let (taken_over, left_alone) = (Vec::new(), Vec::new());
        self.apps.push(AppAdopted { app: app.to_string(), taken_over, left_alone });
        let last = self.apps.len() - 1;
        &mut self.apps[last]
    }
}
