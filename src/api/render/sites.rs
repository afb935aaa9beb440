//! Sites, and how far a drain has come: DNS can't see connections, but what was answered until when is known, and for how long
//! it may be kept.

use std::collections::BTreeMap;
use std::time::Duration;

use super::location;
use crate::api::etag::etag;
use crate::api::view;
use crate::clock::rfc3339;
use crate::control::Version;
use crate::model::{Ident, Now, Site, Stamp};
use crate::snapshot::{Answers, SiteState, Snapshot};
use crate::traffic::{Measured, Traffic};

/// How long a measurement counts, in milliseconds.
const MEASURED_FOR: i64 = 30_000;

/// What sites are looked at by.
#[derive(Clone, Copy)]
pub(in crate::api) struct Looking<'a> {
    pub(in crate::api) snapshot: &'a Snapshot,
    pub(in crate::api) traffic: &'a Traffic,
    pub(in crate::api) now: Now,
}

/// Every site, and the version of them all.
pub(in crate::api) fn all_sites(looking: &Looking<'_>) -> view::Sites {
    let etag = etag(Version::of_sites(&looking.snapshot.sites));
    view::Sites { etag, sites: sites(looking) }
}

/// Every site, with its endpoints counted.
pub(in crate::api) fn sites(looking: &Looking<'_>) -> Vec<view::Site> {
    let mut counts: BTreeMap<&Ident, (usize, usize)> = BTreeMap::new();
    for table in looking.snapshot.profiles.iter() {
        for (endpoint, state) in table.profile.endpoints.iter().zip(&table.endpoints) {
            if let Some(site) = &endpoint.site {
                let count = counts.entry(site).or_default();
                count.0 += 1;
                count.1 += usize::from(state.status.is_healthy());
            }
        }
    }
    let count = |it: &SiteState| counts.get(&it.site.name).copied().unwrap_or_default();
    looking.snapshot.sites.iter().map(|it| site(it, count(it), looking)).collect()
}

fn site(
    state: &SiteState,
    (endpoints, healthy): (usize, usize),
    looking: &Looking<'_>,
) -> view::Site {
    let returning = state.returning.as_ref().map(|it| view::Returning {
        by: it.stamp.by.clone(),
        reason: it.stamp.reason.clone(),
        at: rfc3339(it.stamp.at),
        until: rfc3339(it.stamp.expires.unwrap_or(it.stamp.at)),
    });
    view::Site {
        name: state.site.name.to_string(),
        location: state.site.location.as_ref().map(location),
        drained: state.drained.is_some(),
        drain: state.drained.as_ref().map(|it| drain(&state.site, it, looking)),
        returning,
        endpoints,
        healthy,
    }
}

/// Who drained a site, and how far that has come.
pub(super) fn drain(site: &Site, stamp: &Stamp, looking: &Looking<'_>) -> view::Drain {
    let now = looking.now;
    let left = Left::of(&site.name, looking.snapshot);
    // What was never answered with has stopped with the drain.
    let stopped = match left.answers {
        it if it == Answers::default() => rfc3339(stamp.at),
        it => rfc3339(it.given_until.time),
    };
    let is_over = left.still_answered.is_empty();
    let kept = left.answers.held_until.moment.since(now.moment);
    // What was measured before the drain, or long ago, says nothing of it.
    let since = stamp.at.0.max(now.time.0.saturating_sub(MEASURED_FOR));
    let measured = looking.traffic.of(&site.name).filter(|it| it.at.0 >= since);
    let requests = site.requests.as_ref().map(|it| requests(it.quiet, measured));
    let is_quiet = |it: &view::Requests| it.value.is_some_and(|value| value <= it.quiet);
    view::Drain {
        by: stamp.by.clone(),
        reason: stamp.reason.clone(),
        at: rfc3339(stamp.at),
        expires: stamp.expires.map(rfc3339),
        stopped: is_over.then_some(stopped),
        longest_ttl_seconds: kept.as_secs_f64(),
        safe_at: is_over.then(|| rfc3339(left.answers.held_until.time)),
        safe: is_over && kept == Duration::ZERO && requests.as_ref().is_none_or(is_quiet),
        still_answered: left.still_answered,
        requests,
    }
}

/// The requests that a site still gets.
fn requests(quiet: f64, measured: Option<Measured>) -> view::Requests {
    let (at, value) = match measured {
        Some(Measured { at, value }) => (Some(rfc3339(at)), Some(value)),
        None => (None, None),
    };
    let (value, error) = match value.transpose() {
        Ok(value) => (value, None),
        Err(error) => (None, Some(error)),
    };
    view::Requests { value, quiet, at, error }
}

/// What is left of a site's answers.
#[derive(Default)]
struct Left {
    still_answered: Vec<view::EndpointRef>,
    answers: Answers,
}

impl Left {
    fn of(site: &Ident, snapshot: &Snapshot) -> Self {
        let state = snapshot.site(site);
        let left_behind = state.and_then(|it| it.left_behind);
        let mut left = Self { answers: left_behind.unwrap_or_default(), ..Self::default() };
        for table in snapshot.profiles.iter() {
            let pairs = table.profile.endpoints.iter().zip(&table.endpoints);
            for (endpoint, state) in pairs.filter(|it| it.0.site.as_ref() == Some(site)) {
                match state.is_answer {
                    // Nothing is answered by it since.
                    false => {
                        left.answers = left.answers.later(state.answers(0, Now::default()));
                    }
                    true => left.still_answered.push(view::EndpointRef {
                        profile: table.profile.name.to_string(),
                        endpoint: endpoint.name.to_string(),
                        reason: Some("everything in the profile is drained or disabled".to_owned()),
                    }),
                }
            }
        }
        left
    }
}
