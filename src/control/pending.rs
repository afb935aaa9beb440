//! Changes that may be undone by themselves: how, and when health has got worse.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::world::Transition;
use super::{Change, ChangeError, Request, World};
use crate::health::Cause;
use crate::model::{EndpointOverrides, EndpointStatus, Ident, Name, Overrides, Pending, Undo};
use crate::snapshot::ProfileTable;

impl World {
    /// What is pending, for those who look.
    pub(super) fn pending(&self) -> Arc<[(u64, Pending)]> {
        self.overrides.pending.iter().map(|(number, it)| (*number, it.clone())).collect()
    }

    /// The profiles that a change is about, by slot.
    pub(super) fn touched(&self, change: &Change) -> BTreeSet<u32> {
        match change {
            Change::Endpoint(key, _) => self.snapshot.slot(&key.profile).into_iter().collect(),
            Change::Profile { name, .. } | Change::FailBack(name) => {
                self.snapshot.slot(name).into_iter().collect()
            }
            Change::Site { name, .. } => self.in_site(name).collect(),
            Change::Confirm(_) => BTreeSet::new(),
            Change::Undo(number) => {
                self.overrides.pending.get(number).map(|it| self.concerned(it)).unwrap_or_default()
            }
        }
    }

    /// The profiles that pending changes are about, by slot.
    fn concerned(&self, pending: &Pending) -> BTreeSet<u32> {
        let of = |undo: &Undo| -> Vec<u32> {
            match undo {
                Undo::Endpoint { key, .. } => {
                    self.snapshot.slot(&key.profile).into_iter().collect()
                }
                Undo::Profile { name, .. } => self.snapshot.slot(name).into_iter().collect(),
                Undo::Site { name, .. } => self.in_site(name).collect(),
            }
        };
        pending.undo.iter().flat_map(of).collect()
    }

    fn in_site(&self, site: &Ident) -> impl Iterator<Item = u32> {
        let is_there = |it: &ProfileTable| {
            it.profile.endpoints.iter().any(|it| it.site.as_ref() == Some(site))
        };
        let tables = (0..).zip(self.snapshot.profiles.iter());
        tables.filter(move |it| is_there(it.1)).map(|it| it.0)
    }

    /// With these profiles all that they are nested in.
    pub(super) fn with_ancestors(&self, mut slots: BTreeSet<u32>) -> BTreeSet<u32> {
        let mut left: Vec<u32> = slots.iter().copied().collect();
        while let Some(slot) = left.pop() {
            left.extend(self.nesting.parents(slot).iter().filter(|it| slots.insert(**it)));
        }
        slots
    }

    /// The pending changes that are to be undone for what the probes have found: an endpoint has turned Degraded in a profile
    /// that they are about, or in one that is nested in it.
    pub(super) fn worsened(&self, caused: &[(&Transition, Cause)]) -> Vec<(u64, String)> {
        if !self.overrides.pending.values().any(|it| it.undo_if_worse) {
            return Vec::new();
        }
        let is_worse = |it: &&(&Transition, Cause)| {
            it.0.to == EndpointStatus::Degraded && matches!(it.1, Cause::Probe { .. })
        };
        let mut worse = Vec::new();
        for (transition, cause) in caused.iter().filter(is_worse) {
            let slot = self.snapshot.slot(&transition.key.profile);
            let slots = self.with_ancestors(slot.into_iter().collect());
            let watched = self.overrides.pending.iter().filter(|it| it.1.undo_if_worse);
            for (number, _) in watched.filter(|it| !self.concerned(it.1).is_disjoint(&slots)) {
                let because = cause.in_words().map(|it| format!(": {it}")).unwrap_or_default();
                worse.push((*number, format!("{} is Degraded{because}", transition.key)));
            }
        }
        // The newest first; of several reasons the first.
        worse.sort_by_key(|it| std::cmp::Reverse(it.0));
        worse.dedup_by_key(|it| it.0);
        worse
    }
}

/// Has changes wait that lead from these overrides to `then`, as they ask for. Gives the number by which they are called.
///
/// # Errors
/// When one of them can't be undone.
pub(super) fn hold(
    request: &Request,
    before: &Overrides,
    then: &mut Overrides,
) -> Result<Option<u64>, ChangeError> {
    let Some(hold) = request.hold else { return Ok(None) };
    let mut undo = Vec::new();
    for change in &request.changes {
        let it = undoing(change, before, then)
            .ok_or_else(|| ChangeError::NotUndoable(change.to_string()))?;
        if !undo.contains(&it) {
            undo.push(it);
        }
    }
    Ok(Some(then.hold(Pending {
        stamp: request.stamp.clone(),
        changes: request.changes.iter().map(ToString::to_string).collect(),
        until: hold.until,
        needs_confirmation: hold.needs_confirmation,
        undo_if_worse: hold.undo_if_worse,
        undo,
    })))
}

fn undoing(change: &Change, before: &Overrides, then: &Overrides) -> Option<Undo> {
    match change {
        Change::Endpoint(key, _) => {
            let of = |it: &Overrides| -> Box<EndpointOverrides> {
                Box::new(it.endpoints.get(key).cloned().unwrap_or_default())
            };
            Some(Undo::Endpoint { key: key.clone(), before: of(before), left: of(then) })
        }
        Change::Profile { name, .. } => {
            let of = |it: &Overrides| it.profiles.get(name).cloned();
            Some(Undo::Profile { name: Name::clone(name), before: of(before), left: of(then) })
        }
        Change::Site { name, .. } => {
            let of = |it: &Overrides| it.drained_sites.get(name).cloned();
            Some(Undo::Site { name: name.clone(), before: of(before), left: of(then) })
        }
        Change::FailBack(_) | Change::Confirm(_) | Change::Undo(_) => None,
    }
}
