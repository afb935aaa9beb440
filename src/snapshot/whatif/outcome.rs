use crate::model::{Family, Ident};
use crate::routing::{Client, Source};
use crate::snapshot::{MAX_DEPTH, Snapshot};

/// What a client gets.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Leaf {
    /// An endpoint, by the names that lead to it, with `/` between them.
    Endpoint(String),
    /// The fallback addresses.
    Fallback,
    /// Nothing of this type.
    NoData,
    /// SERVFAIL.
    ServFail,
}

/// What clients get, and how often: parts from 0 to 1, none of them 0, in the profile's order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome(pub Vec<(Leaf, f64)>);

/// Who gets it.
#[derive(Clone, Copy)]
pub(super) struct To<'a> {
    pub(super) family: Family,
    pub(super) client: &'a Client<'a>,
    /// This client alone, which affinity keeps at one endpoint, and not all that are where it is.
    pub(super) alone: bool,
}

impl Outcome {
    /// What the profile in a slot answers.
    pub(super) fn of(snapshot: &Snapshot, slot: u32, to: To<'_>) -> Self {
        let mut outcome = Self::default();
        outcome.descend(snapshot, slot, to, &[], 1.0);
        outcome
    }

    /// The part that gets no address.
    pub(super) fn unanswered(&self) -> f64 {
        let none = |it: &&(Leaf, f64)| matches!(it.0, Leaf::NoData | Leaf::ServFail);
        self.0.iter().filter(none).map(|it| it.1).sum()
    }

    /// What makes it another outcome: parts to a hundredth of a percent.
    pub(super) fn key(&self) -> Vec<(Leaf, u32)> {
        self.0.iter().map(|(leaf, part)| (leaf.clone(), (part * 10_000.0).round() as u32)).collect()
    }

    fn add(&mut self, leaf: Leaf, part: f64) {
        match self.0.iter_mut().find(|it| it.0 == leaf) {
            Some(known) => known.1 += part,
            None if part > 1e-9 => self.0.push((leaf, part)),
            None => {}
        }
    }

    fn descend(&mut self, snapshot: &Snapshot, slot: u32, to: To<'_>, above: &[&Ident], part: f64) {
        let table = snapshot.profiles.get(slot).filter(|_| above.len() <= MAX_DEPTH);
        let Some(table) = table else { return self.add(Leaf::NoData, part) };
        let prepared = table.family(to.family);
        let shares = match &prepared.prepared.source {
            Source::Members(chooser) if to.alone => {
                chooser.shares(Some(to.client), table.endpoints.len()).unwrap_or_default()
            }
            Source::Members(chooser) => chooser.shares_around(to.client, table.endpoints.len()),
            Source::Fallback if prepared.fallback.count > 0 => {
                return self.add(Leaf::Fallback, part);
            }
            Source::Fallback | Source::NoData => return self.add(Leaf::NoData, part),
            Source::ServFail => return self.add(Leaf::ServFail, part),
        };
        let answered: f64 = shares.iter().sum();
        let pairs = table.profile.endpoints.iter().zip(&table.endpoints);
        for ((endpoint, state), share) in pairs.zip(shares) {
            if share == 0.0 {
                continue;
            }
            let names: Vec<&Ident> = above.iter().copied().chain([&endpoint.name]).collect();
            if let Some(nested) = state.facts.nested {
                self.descend(snapshot, nested.slot, to, &names, part * share);
            } else if state.has(endpoint, to.family) {
                let path = names.iter().map(|it| it.as_str()).collect::<Vec<_>>().join("/");
                self.add(Leaf::Endpoint(path), part * share);
            } else {
                self.add(Leaf::NoData, part * share);
            }
        }
        self.add(Leaf::NoData, part * (1.0 - answered).max(0.0));
    }
}
