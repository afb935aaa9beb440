//! Changes that are undone by themselves: unless somebody confirms them in time, or when health gets worse meanwhile.

use std::fmt;

use super::{Expired, Overrides, Stamp, Subject, Timestamp, Undo};

/// Changes in force that may be undone by themselves yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pending {
    /// Who made them, when and why.
    pub stamp: Stamp,
    /// What they are, one after the other: "app.example. seattle: weight 20".
    pub changes: Vec<String>,
    /// Until when they are watched, or have to be confirmed. A time of day: a restart moves nothing.
    pub until: Timestamp,
    /// Whether they are undone then, unless somebody has confirmed them.
    pub needs_confirmation: bool,
    /// Whether they are undone as soon as health gets worse.
    pub undo_if_worse: bool,
    /// How they are undone.
    pub undo: Vec<Undo>,
}

/// Why changes were undone, or are pending no more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settled {
    /// Nobody confirmed them in time: they were undone.
    Unconfirmed,
    /// Health got worse: they were undone. With what did.
    Worse(String),
    /// Nothing got worse in the time for which they were watched: they stay.
    Kept,
}

impl Settled {
    /// Whether the changes are in force no more.
    pub const fn is_undone(&self) -> bool {
        self.reason().is_some()
    }

    /// Why they were undone, in a word; none where they stay.
    pub const fn reason(&self) -> Option<&'static str> {
        match self {
            Self::Unconfirmed => Some("unconfirmed"),
            Self::Worse(_) => Some("worse"),
            Self::Kept => None,
        }
    }
}

impl fmt::Display for Settled {
    /// "undone, as nobody confirmed it in time".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unconfirmed => f.write_str("undone, as nobody confirmed it in time"),
            Self::Worse(what) => write!(f, "undone, as health got worse: {what}"),
            Self::Kept => f.write_str("kept, as nothing got worse"),
        }
    }
}

impl Overrides {
    /// Has changes wait for their confirmation, or be watched. Gives the number by which they are called.
    pub fn hold(&mut self, pending: Pending) -> u64 {
        self.numbered += 1;
        self.pending.insert(self.numbered, pending);
        self.numbered
    }

    /// Undoes pending changes, except for what somebody has changed since. Gives them, if they are pending, with what undoing them
    /// did.
    pub fn undo(&mut self, number: u64) -> Option<Pending> {
        let mut pending = self.pending.remove(&number)?;
        for undo in &mut pending.undo {
            let others = self.pending.values_mut().flat_map(|it| &mut it.undo);
            others.for_each(|it| it.forget(undo));
            undo.apply(self);
        }
        Some(pending)
    }

    /// Ends the wait for pending changes. Gives what is told of it, if they were pending.
    pub fn settle(&mut self, number: u64, how: Settled) -> Option<Expired> {
        let pending =
            if how.is_undone() { self.undo(number) } else { self.pending.remove(&number) }?;
        let stamp = pending.stamp.clone();
        Some(Expired {
            subject: Subject::Pending { number, pending: Box::new(pending), how },
            stamp,
        })
    }

    /// Ends the wait for those whose time is over at `now`, but for these.
    pub(super) fn settle_due(&mut self, now: Timestamp, but: &[u64]) -> Vec<Expired> {
        let is_due = |it: &(&u64, &Pending)| it.1.until <= now && !but.contains(it.0);
        let due = self.pending.iter().filter(is_due);
        // The newest first: each finds what it has left.
        let due: Vec<(u64, bool)> =
            due.map(|(number, it)| (*number, it.needs_confirmation)).rev().collect();
        let settle = |(number, needs_confirmation)| {
            let how = if needs_confirmation { Settled::Unconfirmed } else { Settled::Kept };
            self.settle(number, how)
        };
        due.into_iter().filter_map(settle).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Change, EndpointChange, EndpointKey, Ident, Name, Stamped};

    fn stamp(by: &str) -> Stamp {
        Stamp { by: by.to_owned(), reason: None, at: Timestamp(0), expires: None }
    }

    fn key() -> EndpointKey {
        EndpointKey { profile: "app.z.".parse().unwrap(), endpoint: "a".parse().unwrap() }
    }

    fn site() -> Ident {
        "sea".parse().unwrap()
    }

    fn weigh(overrides: &mut Overrides, weight: Change<u16>, by: &str) {
        let change = EndpointChange { weight, ..EndpointChange::default() };
        let mut changed = overrides.endpoints.remove(&key()).unwrap_or_default();
        change.apply(&mut changed, &stamp(by));
        if !changed.is_empty() {
            overrides.endpoints.insert(key(), changed);
        }
    }

    fn weight(overrides: &Overrides) -> Option<u16> {
        overrides.endpoints.get(&key())?.weight.as_ref().map(|it| it.value)
    }

    /// Makes a change of the weight that waits until this time for its confirmation.
    fn hold(overrides: &mut Overrides, to: u16, by: &str, until: i64, confirm: bool) -> u64 {
        let of = |it: &Overrides| Box::new(it.endpoints.get(&key()).cloned().unwrap_or_default());
        let before = of(overrides);
        weigh(overrides, Change::Set(to), by);
        let undo = vec![Undo::Endpoint { key: key(), before, left: of(overrides) }];
        overrides.hold(Pending {
            stamp: stamp(by),
            changes: vec![format!("weight {to}")],
            until: Timestamp(until),
            needs_confirmation: confirm,
            undo_if_worse: !confirm,
            undo,
        })
    }

    #[test]
    fn what_nobody_confirms_in_time_is_undone() {
        let mut overrides = Overrides::default();
        weigh(&mut overrides, Change::Set(7), "ann");
        let before = overrides.endpoints.clone();
        let number = hold(&mut overrides, 20, "bob", 100, true);
        assert_eq!((number, overrides.next_expiry()), (1, Some(Timestamp(100))));
        assert_eq!((overrides.expire(Timestamp(99)), weight(&overrides)), (vec![], Some(20)));
        let settling = overrides.expire_but(Timestamp(100), &[number]);
        assert_eq!((settling, weight(&overrides)), (vec![], Some(20)), "its fate is being written");
        let told = overrides.expire(Timestamp(100));
        let told: Vec<String> = told.iter().map(ToString::to_string).collect();
        assert_eq!(told, ["change 1 (weight 20): undone, as nobody confirmed it in time"]);
        assert_eq!((overrides.endpoints, overrides.pending.len()), (before, 0));
    }

    #[test]
    fn what_is_only_watched_stays() {
        let mut overrides = Overrides::default();
        hold(&mut overrides, 20, "bob", 100, false);
        let told = overrides.expire(Timestamp(100));
        assert!(told[0].to_string().ends_with("kept, as nothing got worse"), "{}", told[0]);
        assert_eq!((weight(&overrides), overrides.pending.len()), (Some(20), 0));
    }

    #[test]
    fn what_somebody_changed_since_is_left_alone() {
        let mut overrides = Overrides::default();
        let number = hold(&mut overrides, 20, "bob", 100, true);
        weigh(&mut overrides, Change::Set(20), "eve");
        overrides.undo(number).unwrap();
        assert_eq!(weight(&overrides), Some(20), "the same value, but somebody else's word");
        assert_eq!(overrides.undo(number), None);
    }

    #[test]
    fn undoing_never_brings_back_what_was_undone() {
        for order in [[1, 2], [2, 1]] {
            let mut overrides = Overrides::default();
            weigh(&mut overrides, Change::Set(7), "ann");
            hold(&mut overrides, 20, "bob", 100, true);
            hold(&mut overrides, 30, "eve", 200, true);
            order.into_iter().for_each(|it| drop(overrides.undo(it)));
            assert_eq!(weight(&overrides), Some(7), "{order:?}");
        }
        let mut overrides = Overrides::default();
        hold(&mut overrides, 20, "bob", 100, true);
        hold(&mut overrides, 30, "eve", 100, true);
        assert_eq!(overrides.expire(Timestamp(100)).len(), 2);
        assert_eq!(weight(&overrides), None);
        assert_eq!(hold(&mut overrides, 5, "ann", 300, true), 3, "no number is given twice");
    }

    #[test]
    fn what_a_change_did_not_touch_is_nothing_to_undo() {
        let mut overrides = Overrides::default();
        weigh(&mut overrides, Change::Set(20), "ann");
        // The weight is cleared, held; then another field is set, held, and the first is undone.
        let of = |it: &Overrides| Box::new(it.endpoints.get(&key()).cloned().unwrap_or_default());
        let hold = |overrides: &mut Overrides, change: &EndpointChange| {
            let before = of(overrides);
            let mut changed = overrides.endpoints.remove(&key()).unwrap_or_default();
            change.apply(&mut changed, &stamp("bob"));
            if !changed.is_empty() {
                overrides.endpoints.insert(key(), changed);
            }
            let undo = vec![Undo::Endpoint { key: key(), before, left: of(overrides) }];
            overrides.hold(Pending {
                stamp: stamp("bob"),
                changes: vec![],
                until: Timestamp(9),
                needs_confirmation: true,
                undo_if_worse: false,
                undo,
            })
        };
        let clear = EndpointChange { weight: Change::Clear, ..EndpointChange::default() };
        let first = hold(&mut overrides, &clear);
        let second = hold(
            &mut overrides,
            &EndpointChange { enabled: Change::Set(false), ..EndpointChange::default() },
        );
        let undone = overrides.undo(first).unwrap();
        let Undo::Endpoint { before, left, .. } = &undone.undo[0] else { panic!() };
        assert!(left.weight.is_none() && before.weight.is_some(), "what undoing did");
        assert_eq!(weight(&overrides), Some(20));
        weigh(&mut overrides, Change::Clear, "eve");
        overrides.undo(second);
        assert_eq!(weight(&overrides), None, "eve's word stays");
        assert!(overrides.endpoints.is_empty());
    }

    #[test]
    fn drains_and_profiles_are_put_back_too() {
        let name: Name = "app.z.".parse().unwrap();
        let off = Stamped { value: false, stamp: stamp("bob") };
        let mut overrides = Overrides::default();
        overrides.drained_sites.insert(site(), stamp("bob"));
        overrides.profiles.insert(name.clone(), off.clone());
        let undo = vec![
            Undo::Site { name: site(), before: None, left: Some(stamp("bob")) },
            Undo::Profile { name: name.clone(), before: None, left: Some(off) },
        ];
        let mut pending = Pending {
            stamp: stamp("bob"),
            changes: vec![],
            until: Timestamp(9),
            needs_confirmation: true,
            undo_if_worse: false,
            undo,
        };
        let number = overrides.hold(pending.clone());
        overrides.undo(number);
        assert!(overrides.drained_sites.is_empty() && overrides.profiles.is_empty());
        pending.undo = vec![Undo::Site { name: site(), before: Some(stamp("ann")), left: None }];
        let number = overrides.hold(pending);
        overrides.undo(number);
        assert_eq!(overrides.drained_sites.get(&site()), Some(&stamp("ann")));
    }
}
