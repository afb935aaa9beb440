//! How the fleet is, by what its controller has seen.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::api::view;
use crate::clock::rfc3339;
use crate::fleet::controller::{AppNow, Board, HealingNow, SiteNow};
use crate::fleet::report::{ChangeReport, Trouble};
use crate::fleet::spec::Drift;
use crate::fleet::status::{DifferenceReport, Skew};
use crate::model::Timestamp;

/// All sites; of what isn't as it is wanted, only how much that is.
pub(in crate::api) fn fleet(board: &Board) -> view::Fleet {
    let trouble = board.refused().map(trouble);
    let Some(now) = board.now() else {
        return view::Fleet { drift: None, trouble, sites: Vec::new(), skewed: Vec::new() };
    };
    let drift = match now.drift {
        Drift::Report => "report",
        Drift::Heal => "heal",
    };
    view::Fleet {
        drift: Some(drift.to_owned()),
        trouble,
        sites: now.sites.iter().map(|it| site(it, false)).collect(),
        skewed: now.skewed.into_iter().map(skew).collect(),
    }
}

/// One site, with everything that isn't as it is wanted, if `whole`.
pub(in crate::api) fn site(now: &SiteNow, whole: bool) -> view::FleetSite {
    let cluster = now.cluster.as_ref().map(|it| view::FleetCluster {
        uid: it.uid.clone(),
        version: it.version.clone(),
        nodes: now.nodes.map(|it| it.total),
        nodes_ready: now.nodes.map(|it| it.ready),
    });
    view::FleetSite {
        site: now.site.clone(),
        cluster,
        trouble: now.trouble.clone().map(trouble),
        answered_at: now.answered_at.map(rfc3339),
        unwatched: now.unwatched.clone(),
        apps: now.apps.iter().map(|it| app(it, whole)).collect(),
    }
}

fn trouble((trouble, since): (Trouble, Timestamp)) -> view::FleetTrouble {
    let Trouble { kind, message } = trouble;
    view::FleetTrouble { kind, message, since: rfc3339(since) }
}

fn app(now: &AppNow, whole: bool) -> view::FleetApp {
    let status = &now.status;
    let (differences, images) = match whole {
        true => (
            status.differences.iter().map(difference).collect(),
            status.images.iter().cloned().collect(),
        ),
        false => (Vec::new(), Vec::new()),
    };
    view::FleetApp {
        app: status.app.clone(),
        state: now.state.label().to_owned(),
        since: rfc3339(now.since),
        looked_at: rfc3339(now.looked_at),
        applied_at: status.applied_at.clone(),
        error: status.error.clone(),
        unchanged: status.unchanged,
        different: status.differences.len(),
        differences,
        images,
        healing: healing(&now.healing),
    }
}

fn healing(now: &HealingNow) -> view::FleetHealing {
    view::FleetHealing {
        times: now.times,
        last: now.last.map(rfc3339),
        next: now.next.map(rfc3339),
        trouble: now.trouble.clone(),
    }
}

fn difference(it: &DifferenceReport) -> view::FleetDifference {
    let field = |it: &ChangeReport| view::FleetField {
        path: it.path.clone(),
        is: it.before.clone().unwrap_or(Value::Null),
        wanted: it.after.clone().unwrap_or(Value::Null),
        manager: it.manager.clone(),
    };
    view::FleetDifference {
        object: it.object.to_string(),
        state: it.state.clone(),
        why: it.why.clone(),
        fields: it.changes.iter().map(field).collect(),
    }
}

fn skew(skew: Skew) -> view::FleetSkew {
    let site = |(site, images): (String, BTreeSet<String>)| view::FleetSkewedSite {
        site,
        images: images.into_iter().collect(),
    };
    view::FleetSkew { app: skew.app, sites: skew.images.into_iter().map(site).collect() }
}
