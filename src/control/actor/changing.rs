//! Operators' changes: checked against what there is and against guardrails, written down, and put in force.

use std::sync::Arc;

use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::super::audit::{self, Asking};
use super::super::events::Happening;
use super::super::timelines::Why;
use super::super::{
    Change, ChangeError, Command, Made, Request, guardrails, journal, pending,
    refresh_state_metrics,
};
use super::loading::Asked;
use super::{Control, REWRITE};
use crate::clock::Clock;
use crate::model::{Expired, Overrides, Settled, Stamp};
use crate::snapshot::Snapshot;
use crate::store::{Record, StoreError, chain};

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
    reply: oneshot::Sender<Result<Made, ChangeError>>,
}

/// What would come of changes.
struct Considered {
    overrides: Overrides,
    records: Vec<Record>,
    /// The number by which they are called, if they may be undone by themselves.
    pending: Option<u64>,
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
                            let Considered { records, pending, .. } = considered;
                            accepted.push(Accepted { changes, stamp, records, pending, reply });
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
        let (mut then, mut records) = (overrides.clone(), Vec::new());
        for change in changes {
            let before = audit::in_force(change, &then);
            self.world.heed(condition, &then, change, stamp)?;
            self.world.plan(&mut then, change, stamp)?;
            records.push(asking.record(change, before, audit::in_force(change, &then)));
        }
        let pending = pending::hold(request, overrides, &mut then)?;
        if let Some(number) = pending {
            records.iter_mut().for_each(|it| it.change = Some(number));
        }
        let is_guarded = self.world.are_guarded(changes);
        if !is_guarded && !request.dry_run {
            return Ok(Considered { overrides: then, records, pending, snapshot: None });
        }
        let now = self.parts.clock.both();
        let before = match is_first && !self.world.is_edited() {
            true => self.world.snapshot().clone(),
            false => self.world.preview(overrides, &[], now),
        };
        let after = self.world.preview(&then, changes, now);
        let breaches = if is_guarded { guardrails::breaches(&before, &after) } else { Vec::new() };
        if breaches.is_empty() {
            return Ok(Considered { overrides: then, records, pending, snapshot: Some(after) });
        }
        let refusal = ChangeError::Guardrails(breaches);
        if let Some(reason) = over_guardrails {
            let outcome = format!("made over guardrails ({reason}), though {refusal}");
            records.iter_mut().for_each(|it| it.outcome.clone_from(&outcome));
            return Ok(Considered { overrides: then, records, pending, snapshot: Some(after) });
        }
        if !request.dry_run {
            records.iter_mut().for_each(|it| it.outcome = refusal.to_string());
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
        let Some(Saving { overrides, accepted, told, .. }) = self.saving.take() else { return };
        refresh_state_metrics(&self.parts.state_metrics, &self.parts.store);
        let refused = match written {
            Ok(Ok(())) => {
                // What has ended meanwhile ends for that reason, not for these changes.
                self.expire();
                let changes = accepted
                    .iter()
                    .flat_map(|it| it.changes.iter().map(|change| (change, &it.stamp)));
                let changes: Vec<(&Change, &Stamp)> = changes.collect();
                changes.iter().for_each(|(change, stamp)| journal::changed(change, stamp));
                let happened = changes.iter().map(|(change, stamp)| Happening::Change {
                    change: Change::clone(change),
                    stamp: Stamp::clone(stamp),
                });
                self.parts.events.add(Clock::time_of_day(), happened);
                self.put_in_force(overrides, &accepted);
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
        if self.rewrite.is_some() {
            self.rewrite = Some(Instant::now() + REWRITE);
            if !std::mem::replace(&mut self.is_behind, true) {
                journal::expiry_unwritten(&error);
            }
        }
        for it in accepted {
            let refusal = refused.clone().map_or(ChangeError::Broken, ChangeError::NotStored);
            drop(it.reply.send(Err(refusal)));
        }
    }

    /// Undoes what has ended, whether or not the disk takes note of it.
    pub(super) fn expire(&mut self) {
        let expired = self.world.expire(Clock::time_of_day());
        self.ended(&expired);
    }

    /// Undoes pending changes for which health got worse, likewise.
    pub(super) fn undo_worse(&mut self, worse: Vec<(u64, String)>) {
        let mut left = self.world.overrides().clone();
        let settle = |(number, what)| {
            let how = Settled::Worse(what);
            // What is being written was made from what was there before.
            self.undone.extend(self.saving.is_some().then(|| (number, how.clone())));
            left.settle(number, how)
        };
        let undone: Vec<Expired> = worse.into_iter().filter_map(settle).collect();
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
        self.tell_later(expired.iter().map(|it| audit::expired(it, now)).collect::<Vec<_>>());
        self.rewrite = Some(Instant::now());
        self.publish(&Why::Expiry(expired));
    }

    fn tell_expired(&self, expired: &[Expired]) {
        expired.iter().for_each(journal::expired);
        let happened = expired.iter().cloned().map(Happening::Expiry);
        self.parts.events.add(Clock::time_of_day(), happened);
    }

    /// Puts the overrides in force that are on the disk now, but for those that have ended since they were written.
    fn put_in_force(&mut self, mut overrides: Overrides, accepted: &[Accepted]) {
        let undone = std::mem::take(&mut self.undone);
        let is_outdated = overrides.serving != self.world.overrides().serving || !undone.is_empty();
        undone.into_iter().for_each(|(number, how)| drop(overrides.settle(number, how)));
        self.world.override_with(overrides);
        for change in accepted.iter().flat_map(|it| &it.changes) {
            if let Change::FailBack(profile) = change {
                self.world.fail_back(profile);
            }
        }
        let now = Clock::time_of_day();
        let mut expired = self.world.expire(now);
        let is_outdated = is_outdated || !expired.is_empty();
        // Of those that were in force before it was told already.
        expired.retain(|it| accepted.iter().any(|accepted| accepted.stamp == it.stamp));
        self.untold.extend(expired.iter().map(|it| audit::expired(it, now)));
        self.rewrite = (is_outdated || !self.untold.is_empty()).then(Instant::now);
        self.is_behind = false;
        self.tell_expired(&expired);
    }
}
