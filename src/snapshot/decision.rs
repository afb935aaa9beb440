use std::net::IpAddr;

use super::Snapshot;
use super::answer::{Answer, Destination};
use super::profile::ProfileTable;
use super::reach::Reach;
use crate::model::{Family, Name, RecordType};
use crate::routing::{Basis, Client, Draw, Pick, Source};

/// How deep profiles may be nested.
pub const MAX_DEPTH: usize = 10;

/// Who wants a decision.
pub trait Asker {
    /// The draw that a profile's choice is made by. Each profile has draws of its own.
    fn draw(&mut self, table: &ProfileTable, family: Family) -> Draw;

    /// Hears what each profile chose, from the one that is asked to the one that answers.
    fn chose(&mut self, table: &ProfileTable, choice: &Choice);
}

/// What a profile chose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// These endpoints.
    Endpoints(Pick),
    /// The fallback addresses.
    Fallback,
    /// Nothing of this type.
    NoData,
    /// SERVFAIL.
    ServFail,
}

/// What a profile answers to one query.
#[derive(Clone, Copy, Debug)]
pub struct Decision<'s> {
    /// The profile that answers: the one that was asked, or one that is nested in it.
    pub table: &'s ProfileTable,
    /// What it chose.
    pub choice: Choice,
    /// Seconds that a resolver may keep the answer: the least of all profiles that had a say, and of the addresses that a name
    /// was found to have.
    pub ttl: u32,
    /// The length of the widest prefix around the client in which every client has the same candidates, of all profiles that
    /// chance may lead to, counted as the client's address is written; 0 when the client doesn't matter.
    pub scope: u8,
    /// Whether health was heeded by all profiles that had a say, or else why one didn't.
    pub basis: Basis,
    family: Family,
}

/// The family whose tables decide queries of this type: an alias has the same candidates in both.
pub(super) fn family_of(record_type: RecordType) -> Family {
    Family::of(record_type).unwrap_or(Family::V4)
}

impl Snapshot {
    /// Decides one query of a client at `network`, of a type that the profile answers: a pure function of the snapshot, the
    /// client and the draws.
    pub fn decide<'s>(
        &'s self,
        table: &'s ProfileTable,
        record_type: RecordType,
        network: IpAddr,
        asker: &mut impl Asker,
    ) -> Decision<'s> {
        let client = Client::new(network, &self.geography);
        let family = family_of(record_type);
        let choice = Choice::NoData;
        let basis = Basis::Healthy;
        let scope = match table.family(family).leads_apart {
            true => Reach::new(self, &client, family).scope(table, 0),
            false => 0,
        };
        let mut decision = Decision { table, choice, ttl: u32::MAX, scope, basis, family };
        for _ in 0..=MAX_DEPTH {
            let table = decision.table;
            decision.ttl = decision.ttl.min(table.ttl);
            if decision.basis == Basis::Healthy {
                decision.basis = table.basis(family);
            }
            let scope;
            (decision.choice, scope) = table.choose(record_type, &client, asker);
            decision.scope = decision.scope.max(scope);
            asker.chose(table, &decision.choice);
            let child = match decision.destination() {
                Some(Destination::Profile(slot)) => self.profiles.get(*slot),
                _ => None,
            };
            let Some(child) = child else {
                let ttls = decision.answers().map(|it| it.ttl);
                decision.ttl = ttls.fold(decision.ttl, u32::min);
                return decision;
            };
            decision.table = child;
        }
        // Profiles that lead back to themselves are never configured.
        decision.choice = Choice::NoData;
        decision
    }
}

impl ProfileTable {
    /// Whether it answers queries of this type; other types are static records. An alias stands for every type.
    pub fn answers(&self, record_type: RecordType) -> bool {
        self.is_alias || Family::of(record_type).is_some()
    }

    #[inline]
    fn choose(
        &self,
        record_type: RecordType,
        client: &Client,
        asker: &mut impl Asker,
    ) -> (Choice, u8) {
        let family = family_of(record_type);
        let table = self.family(family);
        match &table.prepared.source {
            Source::Members(chooser) => {
                let pick = chooser.pick(client, asker.draw(self, family));
                let mut destinations = pick.members().filter_map(|it| table.destinations.get(it));
                let leads_somewhere = destinations.any(|it| !matches!(it, Destination::Nothing));
                let choice = if leads_somewhere { Choice::Endpoints(pick) } else { Choice::NoData };
                (choice, pick.scope)
            }
            // Where an alias is missing, addresses take its place, and there are no other records.
            Source::Fallback if table.fallback.count > 0 && Family::of(record_type).is_some() => {
                (Choice::Fallback, 0)
            }
            Source::Fallback | Source::NoData => (Choice::NoData, 0),
            Source::ServFail => (Choice::ServFail, 0),
        }
    }
}

impl<'s> Decision<'s> {
    /// The name that the answer's CNAME record leads to, where it is one.
    pub fn alias(&self) -> Option<&'s Name> {
        match self.destination()? {
            Destination::Alias(name) => Some(name),
            _ => None,
        }
    }

    /// Where the first of those that were chosen leads.
    fn destination(&self) -> Option<&'s Destination> {
        let Choice::Endpoints(pick) = &self.choice else { return None };
        self.table.family(self.family).destinations.get(pick.members().next()?)
    }

    /// The records of the answer: none, one endpoint's, or those of several in this order.
    pub fn answers(&self) -> impl Iterator<Item = &'s Answer> {
        let table = self.table.family(self.family);
        let (pick, fallback) = match &self.choice {
            Choice::Endpoints(pick) => (pick, None),
            Choice::Fallback => (&Pick::NONE, Some(&table.fallback)),
            Choice::NoData | Choice::ServFail => (&Pick::NONE, None),
        };
        let addresses = pick.members().filter_map(|it| match table.destinations.get(it)? {
            Destination::Addresses(answer) => Some(answer),
            _ => None,
        });
        addresses.chain(fallback)
    }
}

/// Whoever always draws the same.
#[cfg(test)]
impl Asker for Draw {
    fn draw(&mut self, _: &ProfileTable, _: Family) -> Draw {
        *self
    }

    fn chose(&mut self, _: &ProfileTable, _: &Choice) {}
}
