use super::profile::ProfileTable;
use super::{MAX_DEPTH, Snapshot};
use crate::model::Family;
use crate::routing::{Client, Source};

/// How many profiles are remembered.
const SEEN: usize = 32;

/// Looks at everything that chance may lead a client to, through profiles in profiles: the answer that one draw meets holds
/// where all do, or else a resolver would give it to clients that another answer is meant for.
pub(super) struct Reach<'a> {
    snapshot: &'a Snapshot,
    client: &'a Client<'a>,
    family: Family,
    /// The first that were looked at: whatever leads to them again adds nothing.
    seen: [u32; SEEN],
    count: usize,
}

impl<'a> Reach<'a> {
    pub(super) fn new(snapshot: &'a Snapshot, client: &'a Client<'a>, family: Family) -> Self {
        Self { snapshot, client, family, seen: [0; SEEN], count: 0 }
    }

    /// The length of the widest prefix around the client in which every client may be led to the same. `depth` is how many
    /// profiles led here.
    pub(super) fn scope(&mut self, table: &ProfileTable, depth: usize) -> u8 {
        let Source::Members(chooser) = &table.family(self.family).prepared.source else {
            return 0;
        };
        let mut below = 0;
        let own = chooser.reach(self.client, |member| {
            let nested = table.endpoints.get(member).and_then(|it| it.facts.nested);
            let apart = nested.filter(|it| it.tells_clients_apart[self.family.index()]);
            let new = apart.filter(|it| depth < MAX_DEPTH && self.is_new(it.slot));
            if let Some(child) = new.and_then(|it| self.snapshot.profiles.get(it.slot)) {
                below = self.scope(child, depth + 1).max(below);
            }
        });
        own.max(below)
    }

    fn is_new(&mut self, slot: u32) -> bool {
        let is_known = self.seen.iter().take(self.count).any(|it| *it == slot);
        if let Some(free) = self.seen.get_mut(self.count).filter(|_| !is_known) {
            *free = slot;
            self.count += 1;
        }
        !is_known
    }
}
