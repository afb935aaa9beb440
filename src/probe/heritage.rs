use std::collections::HashMap;
use std::sync::Arc;

use super::Watch;
use crate::health::{Belief, Health, Probed};
use crate::model::{Moment, Verdict};

/// What is known of endpoints, by their records, when their targets become others: who is probed otherwise at the same place
/// keeps the evidence, and its time.
#[derive(Debug, Default)]
pub(super) struct Heritage(HashMap<*const Probed, Share>);

/// What is known of one of them.
#[derive(Clone, Debug)]
pub(super) struct Share {
    pub(super) health: Health,
    /// What it was told last.
    pub(super) told: Verdict,
    /// When its next probe would have started.
    pub(super) due: Moment,
}

impl Heritage {
    pub(super) fn leave(&mut self, record: *const Probed, share: Share) {
        self.0.insert(record, share);
    }

    /// What is known of a target that these endpoints share from now on: what they believe together, with the evidence of the one
    /// among those who believe it that has to prove itself for longest.
    pub(super) fn health(&self, watches: &[Watch]) -> Health {
        let belief = |it: &Watch| self.of(it).map_or(it.belief, |it| it.health.belief());
        let merged = Belief::merged(watches.iter().map(belief));
        let proven = watches.iter().filter_map(|it| self.of(it)).map(|it| &it.health);
        let proven = proven.filter(|it| it.belief() == merged).max_by_key(|it| it.hold_down());
        proven.cloned().unwrap_or_else(|| Health::believing(merged))
    }

    /// What an endpoint was told last, or believes by itself.
    pub(super) fn told(&self, watch: &Watch) -> Verdict {
        self.of(watch).map_or(watch.belief.verdict(), |it| it.told)
    }

    /// When the first of these endpoints would have been probed next.
    pub(super) fn due(&self, watches: &[Watch]) -> Option<Moment> {
        watches.iter().filter_map(|it| self.of(it)).map(|it| it.due).min()
    }

    fn of(&self, watch: &Watch) -> Option<&Share> {
        self.0.get(&Arc::as_ptr(&watch.probed))
    }
}
