//! Reloads: the configuration is read aside, and put in force whole or not at all.

use std::sync::PoisonError;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::super::audit;
use super::super::events::Happening;
use super::super::timelines::Why;
use super::super::{Asker, Diff, Loaded, Refusal, ReloadError, journal};
use super::Control;
use crate::clock::Clock;
use crate::settings::Settings;
use crate::store::Record;

/// How long refused files wait for the next look, at first and at last.
const RELOOK_FIRST: Duration = Duration::from_secs(5);
const RELOOK_LAST: Duration = Duration::from_secs(300);

/// A configuration that is being read.
pub(super) struct Loading {
    pub(super) read: JoinHandle<Loaded>,
    /// Who asked; when nobody did, it is taken only if something is new.
    replies: Vec<Asked>,
    /// The files are to be read again, for those who asked when this had begun already.
    again: Option<Vec<Asked>>,
}

/// When to look at the files again that were refused though nobody asked for them: what was wrong may have been no file, but a
/// want of descriptors or an address in use, say, and nobody touches a file when that ends.
#[derive(Clone, Copy)]
pub(super) struct Relook {
    pub(super) at: Instant,
    wait: Duration,
}

impl Relook {
    /// The next look; later each time, as files with a real mistake are looked at in vain.
    fn after(last: Option<Self>) -> Self {
        let wait = last.map_or(RELOOK_FIRST, |it| (it.wait * 2).min(RELOOK_LAST));
        Self { at: Instant::now() + wait, wait }
    }
}

/// Somebody who asked for a reload, and waits for what comes of it.
pub(super) struct Asked {
    pub(super) by: Option<Asker>,
    pub(super) reply: oneshot::Sender<Result<Diff, ReloadError>>,
}

impl Control {
    pub(super) fn ask_to_load(&mut self, reply: Option<Asked>) {
        match &mut self.loading {
            Some(loading) => loading.again.get_or_insert_default().extend(reply),
            None => self.start_loading(reply.into_iter().collect()),
        }
    }

    fn start_loading(&mut self, replies: Vec<Asked>) {
        if !replies.is_empty() {
            self.parts.surroundings.begin();
        }
        let (load, in_force) = (self.parts.load.clone(), self.world.snapshot().geography.clone());
        let read = tokio::task::spawn_blocking(move || load(in_force));
        self.loading = Some(Loading { read, replies, again: None });
    }

    pub(super) fn loaded(&mut self, read: Result<Loaded, ()>) {
        let Some(Loading { replies, again, .. }) = self.loading.take() else { return };
        let asked = !replies.is_empty();
        let (read, is_new) = match read {
            Ok((settings, reading)) => {
                let before = self.parts.reading.send_replace(reading.clone());
                (settings.map_err(ReloadError::Invalid), before != reading)
            }
            Err(()) => (Err(ReloadError::Broken), true),
        };
        let last = self.relook.take();
        // What could not be had when the files were read before may be there by now, though they say what they said.
        let refused = if asked || is_new || (last.is_some() && read.is_ok()) {
            self.try_to_reload(read, is_new, replies).is_err()
        } else {
            tracing::debug!(
                event = "config_unchanged",
                "the configuration's files say what they said"
            );
            read.is_err()
        };
        if refused && (!asked || last.is_some()) {
            self.relook = Some(Relook::after(last));
        }
        if let Some(again) = again {
            self.start_loading(again);
        }
    }

    /// Takes what was read, or keeps what runs, and tells everybody; nobody hears twice of what nobody asked for.
    fn try_to_reload(
        &mut self,
        read: Result<Settings, ReloadError>,
        is_new: bool,
        replies: Vec<Asked>,
    ) -> Result<(), ()> {
        let asked = !replies.is_empty();
        if !asked {
            self.parts.surroundings.begin();
        }
        let result = read.and_then(|settings| self.reload(&settings));
        self.parts.surroundings.end(result.is_ok());
        let now = Clock::time_of_day();
        let why = result.as_ref().err().map(ToString::to_string);
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        if asked || is_new || refused.as_ref().map(|it| &it.why) != why.as_ref() {
            if let Err(error) = &result {
                journal::reload_refused(error);
            }
            *refused = why.map(|why| Refusal { at: now, why });
        }
        drop(refused);
        self.parts.metrics.reloaded(result.is_ok(), now);
        if asked || is_new {
            let outcome = result.as_ref().map(|it| it.generation).map_err(ToString::to_string);
            let askers: Vec<Option<Asker>> = replies.iter().map(|it| it.by.clone()).collect();
            let askers = if askers.is_empty() { vec![None] } else { askers };
            let record = |by| audit::reloaded(by, outcome.clone(), now);
            let records: Vec<Record> = askers.into_iter().map(record).collect();
            self.tell_later(records);
        }
        replies.into_iter().for_each(|it| drop(it.reply.send(result.clone())));
        result.map(drop).map_err(drop)
    }

    fn reload(&mut self, settings: &Settings) -> Result<Diff, ReloadError> {
        self.parts.surroundings.prepare(settings).map_err(ReloadError::Impossible)?;
        settings.warnings.iter().for_each(|it| tracing::warn!(event = "config_warning", "{it}"));
        let started = Instant::now();
        let (mut diff, changes) = self.world.reload(&settings.model, self.parts.clock.both());
        let differing = self.parts.running.take(settings);
        (diff.settings, diff.needs_restart) = (differing.taken, differing.needs_restart);
        self.parts.metrics.configured(settings.digest);
        self.parts.exposure.set(settings.metrics.per_endpoint, settings.admin.protect_metrics);
        self.due = None;
        let worse = self.put_live(started, &changes, &Why::Reload);
        let snapshot = self.world.snapshot();
        self.parts.timelines.keep_only(|it| snapshot.has_endpoint(it));
        self.parts.surroundings.commit(settings);
        self.parts.prober.watch(self.world.watches());
        self.parts.names.send_replace(super::wanted(&self.world, &self.parts.running));
        journal::reloaded(&diff);
        self.parts.events.add(Clock::time_of_day(), [Happening::Reload(diff.clone())]);
        diff.warnings = settings.warnings.iter().map(ToString::to_string).collect();
        diff.warnings.extend(journal::geo_database(&self.world.snapshot().geography));
        if !worse.is_empty() {
            self.undo_worse(worse);
        }
        Ok(diff)
    }
}
