//! What answers would be after changes that are only thought of: a changed copy of what a profile's tables are made from, made
//! ready by the very same code, and asked for its shares.

mod altered;
mod audience;
mod kinds;
mod outcome;
mod rows;
#[cfg(test)]
mod tests;

pub use outcome::{Leaf, Outcome};
pub use rows::Row;

use std::net::IpAddr;
use std::time::Duration;

use super::Snapshot;
use crate::model::{EndpointChange, EndpointStatus, Family, Ident, Method, Misfit, Name, Now};
use crate::routing::{Basis, Client};
use altered::{Tree, alter};
use outcome::To;
use rows::compare;

/// The most rows that one answer has: more are not read.
const MAX_ROWS: usize = 50;

/// What is asked.
#[derive(Clone, Debug)]
pub struct Question {
    /// The profile.
    pub profile: Name,
    /// The record type; none is A, or AAAA where no endpoint has an IPv4 address.
    pub family: Option<Family>,
    /// The one client that is asked about; none is all, told apart as the profile does.
    pub client: Option<IpAddr>,
    /// What would be changed, in this order.
    pub changes: Vec<Thought>,
}

/// A change that is only thought of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Thought {
    /// The profile would choose by another method.
    Method(Method),
    /// Something would happen to an endpoint: of the profile, or of one that is nested in it, by the names that lead there.
    Endpoint(Vec<Ident>, Fate),
    /// Something would happen to all endpoints in a site, in the profile and those that are nested in it.
    Site(Ident, Fate),
}

/// What would happen to an endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It would fail its probes; one that stands for a profile, all that is in it.
    Fail,
    /// It would be drained.
    Drain,
    /// It would be drained no more.
    Undrain,
    /// An operator would change it.
    Set(EndpointChange),
}

/// Why a question has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WhatIfError {
    /// There is no such profile.
    #[error("no profile is called `{0}`")]
    NoProfile(Name),
    /// The profile, or one that is nested in it, has no such endpoint.
    #[error("profile `{profile}` has no endpoint `{text}`")]
    NoEndpoint {
        /// The profile that was asked about.
        profile: Name,
        /// The names that lead nowhere, with `/` between them.
        text: String,
        /// The names that lead to endpoints.
        known: Vec<String>,
    },
    /// No endpoint of the profile is in such a site.
    #[error("profile `{profile}` has no endpoint in site `{site}`")]
    NoSite {
        /// The profile that was asked about.
        profile: Name,
        /// The site.
        site: Ident,
        /// The sites that its endpoints are in.
        known: Vec<String>,
    },
    /// The method has no use for an endpoint, and no configuration may say so.
    #[error("profile[{profile}].endpoint[{endpoint}].{key}: {why}", key = .why.key())]
    Misfit {
        /// The profile that was asked about.
        profile: Name,
        /// The first of its endpoints.
        endpoint: Ident,
        /// Why.
        why: Misfit,
    },
}

/// What would be.
#[derive(Clone, Debug, PartialEq)]
pub struct WhatIf {
    /// The record type that this is for.
    pub family: Family,
    /// What clients get, now and then: those whose answers change first, and then those that stand for more networks.
    pub rows: Vec<Row>,
    /// How many rows were too many.
    pub left_out: usize,
    /// Every endpoint, also of nested profiles.
    pub endpoints: Vec<Compared>,
    /// What an operator should know of.
    pub warnings: Vec<Warning>,
}

/// An endpoint now and then.
#[derive(Clone, Debug, PartialEq)]
pub struct Compared {
    /// The names that lead to it, with `/` between them.
    pub path: String,
    /// Its status now.
    pub now: EndpointStatus,
    /// Its status then.
    pub then: EndpointStatus,
}

/// What an operator should know of.
#[derive(Clone, Debug, PartialEq)]
pub enum Warning {
    /// The profile would answer without heeding health, or none of its endpoints would be in service.
    Unheeded {
        /// The profile.
        profile: Name,
        /// Why.
        basis: Basis,
        /// What decides while none is healthy.
        rule: String,
        /// Whether it is so already.
        already: bool,
    },
    /// Some clients that have an answer would have none.
    NoAnswer,
    /// It would fail its probes and be answered all the same, because an operator forced it up.
    HeldUp(String),
    /// It would fail and be answered all the same, because nothing probes it.
    Unprobed(String),
    /// It would begin to start slowly.
    StartsSlowly {
        /// The names that lead to it.
        path: String,
        /// The part of its share that it would start with.
        part: f32,
        /// How long that would take.
        span: Duration,
    },
}

/// Answers a question. Nothing is touched.
///
/// # Errors
/// When the question names what does not exist, or a method that no configuration may have there.
pub fn what_if(snapshot: &Snapshot, question: &Question, now: Now) -> Result<WhatIf, WhatIfError> {
    let slot = snapshot
        .slot(&question.profile)
        .ok_or_else(|| WhatIfError::NoProfile(question.profile.clone()))?;
    // Both are made at this very time, so that what differs is owed to the changes.
    let current = altered::at(snapshot, &Tree::of(snapshot, slot), now);
    let before = Tree::of(&current, slot);
    let (altered, failed) = alter(&current, &before, &question.profile, &question.changes, now)?;
    let after = Tree::of(&altered, slot);
    let family = question.family.unwrap_or_else(|| usual_family(&before));
    let rows = match question.client {
        Some(address) => {
            let client = Client::new(address, &snapshot.geography);
            let to = To { family, client: &client, alone: true };
            let outcome = |it: &Tree<'_>| Outcome::of(it.snapshot, it.slot, to);
            let clients = vec![address.to_string()];
            vec![Row { clients, networks: 1, now: outcome(&before), then: outcome(&after) }]
        }
        None => compare(&before, &after, family),
    };
    let mut warnings = warnings(&before, &after, &failed, family);
    let lost = |it: &Row| it.then.unanswered() > it.now.unanswered() + 1e-9;
    warnings.extend(rows.iter().any(lost).then_some(Warning::NoAnswer));
    let left_out = rows.len().saturating_sub(MAX_ROWS);
    let rows = rows.into_iter().take(MAX_ROWS).collect();
    let pairs = before.endpoints.iter().zip(&after.endpoints);
    let endpoints = pairs.map(|(now, then)| Compared {
        path: now.path(),
        now: now.state.status,
        then: then.state.status,
    });
    Ok(WhatIf { family, rows, left_out, endpoints: endpoints.collect(), warnings })
}

fn usual_family(tree: &Tree<'_>) -> Family {
    let has_v4 = tree.endpoints.iter().any(|it| it.state.has(it.endpoint, Family::V4));
    if has_v4 { Family::V4 } else { Family::V6 }
}

fn warnings(
    before: &Tree<'_>,
    after: &Tree<'_>,
    failed: &[(u32, usize)],
    family: Family,
) -> Vec<Warning> {
    let mut warnings = Vec::new();
    for (now, then) in before.tables().zip(after.tables()) {
        let basis = then.basis(family);
        if basis != Basis::Healthy {
            let already = now.basis(family) == basis;
            let profile = then.profile.name.clone();
            let rule = then.unhealthy_rule();
            warnings.push(Warning::Unheeded { profile, basis, rule, already });
        }
    }
    for (now, then) in before.endpoints.iter().zip(&after.endpoints) {
        let is_failed = failed.contains(&(then.slot, then.at));
        match then.state.status {
            EndpointStatus::Unmonitored if is_failed => {
                warnings.push(Warning::Unprobed(then.path()));
            }
            status if is_failed && status.is_healthy() && then.state.forced().is_some() => {
                warnings.push(Warning::HeldUp(then.path()));
            }
            _ => {}
        }
        if let Some(ramp) = then.state.ramp.filter(|_| now.state.ramp.is_none()) {
            let (path, span) = (then.path(), then.endpoint.slow_start);
            warnings.push(Warning::StartsSlowly { path, part: ramp.part, span });
        }
    }
    warnings
}
