//! Model, health and overrides of one instant, made into lookup tables with answers that are ready to send. Immutable: a
//! change makes a new [`Snapshot`], which shares with the old one whatever did not change.

mod answer;
mod counters;
mod decision;
mod endpoint;
mod explain;
mod live;
mod profile;
mod reach;
mod slots;
mod whatif;
mod zone;

pub use answer::{Answer, QUESTION};
pub use counters::{AnswerCounters, Worker, WorkerCounters};
pub use decision::{Asker, Choice, Decision, MAX_DEPTH};
pub use endpoint::{EndpointFacts, EndpointState, Host, Ramp, Returning};
pub use explain::{Explained, Explanation, Level, Query, Weighed, explain};
pub use live::{Entered, Live, Reader};
pub use profile::{Given, Nested, ProfileTable};
pub use slots::Slots;
pub use whatif::{
    Compared, Fate, Leaf, Outcome, Question, Row, Thought, Warning, WhatIf, WhatIfError, what_if,
};
pub use zone::{Found, Node, ZoneTable, Zones};

use std::sync::Arc;
use std::time::Duration;

use crate::model::{EndpointKey, Geography, Ident, Name, Pending, Site, Stamp, Stamped};

/// Everything that answers and views are made from, at one instant.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// Counts publications, from 1.
    pub generation: u64,
    /// Counts the publications among them that changed configuration or overrides, not only health.
    pub revision: u64,
    /// The zones.
    pub zones: Arc<Zones>,
    /// The profiles, by slot.
    pub profiles: Slots<ProfileTable>,
    /// The sites.
    pub sites: Arc<[SiteState]>,
    /// Where clients and sites are.
    pub geography: Arc<Geography>,
    /// Overrides of endpoints and sites that the configuration doesn't have, by name.
    pub unmatched_overrides: Arc<[String]>,
    /// Changes that may be undone by themselves yet, by number.
    pub pending: Arc<[(u64, Pending)]>,
}

/// A site at one instant.
#[derive(Clone, Debug)]
pub struct SiteState {
    /// The site as configured.
    pub site: Site,
    /// Who drained it, when and why, while it is drained.
    pub drained: Option<Stamp>,
    /// Who undrained it, when and why, while it takes its share back little by little, and how long that takes.
    pub returning: Option<Stamped<Duration>>,
}

impl Snapshot {
    /// The slot of the profile at this name.
    pub fn slot(&self, name: &Name) -> Option<u32> {
        self.zones.find(name.as_wire())?.node(name.as_wire())?.profile
    }

    /// The profile at this name.
    pub fn profile(&self, name: &Name) -> Option<&Arc<ProfileTable>> {
        self.profiles.get(self.slot(name)?)
    }

    /// Whether the configuration has this endpoint.
    pub fn has_endpoint(&self, key: &EndpointKey) -> bool {
        self.profile(&key.profile).is_some_and(|table| table.position(&key.endpoint).is_some())
    }

    /// The site of this name.
    pub fn site(&self, name: &Ident) -> Option<&SiteState> {
        self.sites.iter().find(|it| it.site.name == *name)
    }
}

#[cfg(test)]
mod clients_tests;
#[cfg(test)]
mod explain_tests;
#[cfg(test)]
mod health_tests;
#[cfg(test)]
mod nesting_tests;
#[cfg(test)]
mod properties_tests;
#[cfg(test)]
mod scope_tests;
#[cfg(test)]
pub(crate) mod testbed;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod time_tests;
