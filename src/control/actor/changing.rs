//! Operators' changes: checked against what there is and against guardrails, written down, and put in force.

use std::sync::Arc;

use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::super::audit::{self, Asking};
use super::super::events::Happening;
use super::super::timelines::{Done, Why};
use super::super::{
    Change, ChangeError, Command, Made, Request, guardrails, journal, pending,
    refresh_state_metrics,
};
use super::loading::Asked;
use super::{Control, REWRITE};
use crate::clock::Clock;
use crate::model::{Expired, Overrides, Pending, Settled, Stamp, Subject, Timestamp, chain};
use crate::snapshot::Snapshot;
use crate::store::{Record, StoreError};

/// What the audit log is told later, at most, while it can't be written; the oldest is lost.
const MOST_UNTOLD: usize = 10_000;

/// Overrides that are being written to the disk: with changes, or without those that have ended.
pub(super) struct Saving {
    pub(super) written: JoinHandle<Result<(), StoreError>>,
    overrides: Overrides,
    accepted: Vec<Accepted>,
    /// What the audit log is told beside them.
    told: Vec<Record>,
}

/// Changes that fit the model, and who waits for them.
struct Accepted {
    changes: Vec<Change>,
    stamp: Stamp,
    records: Vec<Record>,
    pending: Option<u64>,
    /// What of others they undo, in their order.
    undone: Vec<Pending>,
    reply: oneshot::Sender<Result<Made, ChangeError>>,
}

impl Accepted {
    /// Its changes, each with whose it is and what it undoes.
    fn done(&self) -> impl Iterator<Item = Done<'_>> {
        let mut undone = self.undone.iter();
        self.changes.iter().map(move |change| Done {
            change,
            stamp: &self.stamp,
            undone: matches!(change, Change::Undo(_)).then(|| undone.next()).flatten(),
        })
    }
}

/// What would come of changes.
struct Considered {
    overrides: Overrides,
    records: Vec<Record>,
    /// The number by which they are called, if they may be undone by themselves.
    pending: Option<u64>,
    /// What of others they undo.
    undone: Vec<Pending>,
    /// The snapshot that would have them, where it was needed.
    snapshot: Option<Arc<Snapshot>>,
}

impl Control {
    pub(super) fn take(&mut self, commands: Vec<Command>) {
        let mut overrides = self.world.overrides().clone();
        let mut accepted = Vec::new();
        for command in commands {
            match command {
                Command::Reload { by, reply } => self.ask_to_load(Some(Asked { by, reply })),
                Command::LookAgain => self.ask_to_load(None),
                Command::Change { request, reply } => {
                    match self.consider(&request, &overrides, accepted.is_empty()) {
                        Ok(Considered { snapshot: Some(snapshot), .. }) if request.dry_run => {
                            drop(reply.send(Ok(Made { snapshot, pending: None })));
                        }
                        Ok(considered) => {
                            overrides = considered.overrides;
                            let Request { changes, stamp, .. } = request;
                            let Considered { records, pending, undone, .. } = considered;
                            let it = Accepted { changes, stamp, records, pending, undone, reply };
                            accepted.push(it);
                        }
                        Err(error) => drop(reply.send(Err(error))),
                    }
                }
            }
        }
        if accepted.is_empty() {
            return;
        }
        self.save(overrides, accepted);
    }

    /// What would come of changes to these `overrides`, which are those in force if it `is_first`, or else with others that have
    /// been accepted.
    fn consider(
        &mut self,
        request: &Request,
        overrides: &Overrides,
        is_first: bool,
    ) -> Result<Considered, ChangeError> {
        let Request { changes, condition, stamp, .. } = request;
        let over_guardrails = request.over_guardrails.as_deref();
        let asking = Asking { stamp, from: request.from };
        let (mut then, mut records, mut undone) = (overrides.clone(), Vec::new(), Vec::new());
        for change in changes {
            let before = audit::in_force(change, &then);
            self.world.heed(condition, &then, change, stamp)?;
            if let Change::Undo(number) = change {
                let pending = then.clone().undo(*number).ok_or(ChangeError::NotPending(*number))?;
                records.extend(asking.undo(*number, &pending));
                undone.push(pending);
            }
            self.world.plan(&mut then, change, stamp)?;
            if !matches!(change, Change::Undo(_)) {
                records.push(asking.record(change, before, audit::in_force(change, &then)));
            }
        }
        let pending = pending::hold(request, overrides, &mut then)?;
        if let Some(number) = pending {
            records.iter_mut().for_each(|it| it.change = Some(number));
        }
        let is_guarded = self.world.are_guarded(changes, overrides);
        if !is_guarded && !request.dry_run {
            return Ok(Considered { overrides: then, records, pending, undone, snapshot: None });
        }
        let now = self.parts.clock.both();
        let before = match is_first && !self.world.is_edited() {
            true => self.world.snapshot().clone(),
            false => self.world.preview(overrides, &[], now),
        };
        let after = self.world.preview(&then, changes, now);
        let mut breaches =
            if is_guarded { guardrails::breaches(&before, &after) } else { Vec::new() };
        if is_guarded && breaches.is_empty() {
            // What is pending may be undone by itself: then, too, enough must be left.
            let without = [overrides, &then].map(pending::unconfirmed);
            if without.iter().any(Option::is_some) {
                let [before, after] = [overrides, &then].map(|it| {
                    let left = pending::unconfirmed(it).unwrap_or_else(|| it.clone());
                    self.world.preview(&left, &[], now)
                });
                breaches = guardrails::breaches(&before, &after);
            }
        }
        if breaches.is_empty() {
            let snapshot = Some(after);
            return Ok(Considered { overrides: then, records, pending, undone, snapshot });
        }
        let refusal = ChangeError::Guardrails(breaches);
        if let Some(reason) = over_guardrails {
            let outcome = format!("made over guardrails ({reason}), though {refusal}");
            records.iter_mut().for_each(|it| it.outcome.clone_from(&outcome));
            let snapshot = Some(after);
            return Ok(Considered { overrides: then, records, pending, undone, snapshot });
        }
        if !request.dry_run {
            for it in &mut records {
                it.outcome = refusal.to_string();
                // Its number is the next one's, unless it is about one.
                it.change = it.change.filter(|_| pending.is_none());
            }
            self.tell_later(records);
        }
        Err(refusal)
    }

    /// Has the audit log told of what changed no override, with the next write.
    pub(super) fn tell_later(&mut self, records: impl IntoIterator<Item = Record>) {
        self.untold.extend(records);
        let too_many = self.untold.len().saturating_sub(MOST_UNTOLD);
        self.untold.drain(..too_many);
        self.rewrite.get_or_insert_with(Instant::now);
    }

    /// Finishes what is being written, and writes what is not on the disk yet.
    pub(super) async fn finish(&mut self) {
        self.finish_saving().await;
        if self.rewrite.is_some() || !self.untold.is_empty() {
            self.write_anew();
            self.finish_saving().await;
        }
    }

    async fn finish_saving(&mut self) {
        if let Some(saving) = &mut self.saving {
            let written = (&mut saving.written).await.map_err(|_| ());
            self.saved(written);
        }
    }

    /// Writes the overrides that are in force.
    pub(super) fn write_anew(&mut self) {
        self.save(self.world.overrides().clone(), Vec::new());
    }

    fn save(&mut self, overrides: Overrides, accepted: Vec<Accepted>) {
        let told = std::mem::take(&mut self.untold);
        let records = told.iter().chain(accepted.iter().flat_map(|it| &it.records));
        let records: Vec<Record> = records.cloned().collect();
        let (store, written) = (self.parts.store.clone(), overrides.clone());
        let written = tokio::task::spawn_blocking(move || store.save(&written, &records));
        self.saving = Some(Saving { written, overrides, accepted, told });
    }

    /// Puts the changes in force that are on the disk now, or refuses them.
    pub(super) fn saved(&mut self, written: Result<Result<(), StoreError>, ()>) {
        let now = Clock::time_of_day();
        if matches!(written, Ok(Ok(()))) {
            // What has ended meanwhile ends for that reason, not for these changes.
            self.expire_at(now);
        }
        let Some(Saving { overrides, accepted, told, .. }) = self.saving.take() else { return };
        refresh_state_metrics(&self.parts.state_metrics, &self.parts.store);
        let refused = match written {
            Ok(Ok(())) => {
                let changes: Vec<Done<'_>> = accepted.iter().flat_map(Accepted::done).collect();
                changes.iter().for_each(|it| journal::changed(it.change, it.stamp));
                let happened = changes.iter().map(|it| Happening::Change {
                    change: Change::clone(it.change),
                    stamp: Stamp::clone(it.stamp),
                });
                self.parts.events.add(now, happened);
                self.put_in_force(overrides, &accepted, now);
                self.publish(&Why::Changes(changes));
                let snapshot = self.world.snapshot();
                for Accepted { pending, reply, .. } in accepted {
                    drop(reply.send(Ok(Made { snapshot: snapshot.clone(), pending })));
                }
                return;
            }
            Ok(Err(error)) => Some(Arc::new(error)),
            Err(()) => None,
        };
        let error = refused.as_deref().map_or("the store panicked".to_owned(), |it| chain(it));
        if !accepted.is_empty() {
            journal::store_failed(&error);
        }
        self.undone.clear();
        let later = std::mem::replace(&mut self.untold, told);
        self.untold.extend(later);
        // Whatever came to the disk, what is in force has to be there in the end.
        let was_behind = self.rewrite.replace(Instant::now() + REWRITE).is_some();
        if was_behind && !std::mem::replace(&mut self.is_behind, true) {
            journal::expiry_unwritten(&error);
        }
        for it in accepted {
            let refusal = refused.clone().map_or(ChangeError::Broken, ChangeError::NotStored);
            drop(it.reply.send(Err(refusal)));
        }
    }

    /// Undoes what has ended, whether or not the disk takes note of it.
    pub(super) fn expire(&mut self) {
        self.expire_at(Clock::time_of_day());
    }

    fn expire_at(&mut self, now: Timestamp) {
        let expired = self.world.expire_but(now, &self.settling());
        self.ended(&expired);
    }

    /// The pending changes of which it is being written that they are confirmed or undone: that came in time.
    pub(super) fn settling(&self) -> Vec<u64> {
        let accepted = self.saving.iter().flat_map(|it| &it.accepted);
        let number = |it: &Change| match it {
            Change::Confirm(number) | Change::Undo(number) => Some(*number),
            _ => None,
        };
        accepted.flat_map(|it| &it.changes).filter_map(number).collect()
    }

    /// Undoes pending changes for which health got worse, likewise.
    pub(super) fn undo_worse(&mut self, worse: Vec<(u64, String)>) {
        let (mut left, settling) = (self.world.overrides().clone(), self.settling());
        let worse = worse.into_iter().filter(|it| !settling.contains(&it.0));
        let settle = |(number, what)| {
            let how = Settled::Worse(what);
            // What is being written was made from what was there before.
            self.undone.extend(self.saving.is_some().then(|| (number, how.clone())));
            left.settle(number, how)
        };
        let undone: Vec<Expired> = worse.filter_map(settle).collect();
        self.world.override_with(left);
        self.ended(&undone);
    }

    /// Tells what has ended, and has it written down.
    fn ended(&mut self, expired: &[Expired]) {
        if expired.is_empty() {
            return;
        }
        self.tell_expired(expired);
        let now = Clock::time_of_day();
        self.tell_later(expired.iter().flat_map(|it| audit::expired(it, now)).collect::<Vec<_>>());
        self.rewrite = Some(Instant::now());
        self.publish(&Why::Expiry(expired));
    }

    fn tell_expired(&self, expired: &[Expired]) {
        expired.iter().for_each(journal::expired);
        for it in expired {
            if let Subject::Pending { how, .. } = &it.subject {
                how.reason().into_iter().for_each(|it| self.parts.metrics.undone(it));
            }
        }
        let happened = expired.iter().cloned().map(Happening::Expiry);
        self.parts.events.add(Clock::time_of_day(), happened);
    }

    /// Puts the overrides in force that are on the disk now, but for those that have ended since they were written.
    fn put_in_force(&mut self, mut overrides: Overrides, accepted: &[Accepted], now: Timestamp) {
        let undone = std::mem::take(&mut self.undone);
        let is_outdated = overrides.serving != self.world.overrides().serving || !undone.is_empty();
        undone.into_iter().for_each(|(number, how)| drop(overrides.settle(number, how)));
        self.world.override_with(overrides);
        for change in accepted.iter().flat_map(|it| &it.changes) {
            if let Change::FailBack(profile) = change {
                self.world.fail_back(profile);
            }
        }
        let mut expired = self.world.expire(now);
        let is_outdated = is_outdated || !expired.is_empty();
        // Of those that were in force before it was told already.
        expired.retain(|it| accepted.iter().any(|accepted| accepted.stamp == it.stamp));
        self.untold.extend(expired.iter().flat_map(|it| audit::expired(it, now)));
        self.rewrite = (is_outdated || !self.untold.is_empty()).then(Instant::now);
        self.is_behind = false;
        self.tell_expired(&expired);
    }
}
