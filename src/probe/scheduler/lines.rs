//! Idle connections that are held beside the probes, and what their ends bring about: a probe at once, never a verdict.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::{self, JoinError};

use super::super::agenda::Id;
use super::super::line::End;
use super::{Scheduler, Target, World};
use crate::health::Outcome;
use crate::model::{Moment, Verdict};

/// From one probe to the next while the connection is lost and connects are refused: long enough for the next one to be
/// another look, short enough to be done with all that are tolerated in a moment.
const AT_ONCE: Duration = Duration::from_millis(5);

impl<W: World> Scheduler<W> {
    /// Holds a connection to a target that has just passed a probe, if it is to be watched and there are sockets to spare.
    pub(super) fn hold_line(&mut self, id: Id, now: Moment) {
        let Some(target) = self.targets.get_mut(&id) else { return };
        if !target.what.monitor.watch_connection {
            return;
        }
        let (what, line) = (target.aimed(), target.line.get_or_insert_default());
        line.is_lost = false;
        // A name may lead elsewhere by now.
        if let Some(task) = line.held.take_if(|_| line.addresses != what.addresses) {
            task.abort();
            self.held.remove(&task.id());
            self.sockets.reclaim(line.addresses.len());
        }
        if !line.is_wanted(now) || !self.sockets.lend(what.addresses.len()) {
            return;
        }
        let (world, addresses) = (Arc::clone(&self.world), what.addresses.clone());
        let task = self.lines.spawn(async move { world.hold(&what).await });
        self.held.insert(task.id(), id);
        line.begin(task, addresses, now);
    }

    /// A connection has ended: now is the time to look.
    pub(super) fn end_line(&mut self, ended: Result<(task::Id, End), JoinError>) {
        let task = ended.as_ref().map_or_else(JoinError::id, |(task, _)| *task);
        let Some(id) = self.held.remove(&task) else { return };
        let Some(target) = self.targets.get_mut(&id) else { return };
        let (now, end) = (self.clock.now(), ended.map_or(End::NotHeld, |(_, end)| end));
        let Some(line) = &mut target.line else { return };
        self.sockets.reclaim(line.addresses.len());
        line.end(end, target.what.monitor.interval, now);
        if end != End::Lost {
            return;
        }
        if target.probe.is_some() {
            line.is_urgent = true;
        } else if !target.is_asking {
            self.schedule(id, now);
        }
    }

    /// Gives up the connection of a target.
    pub(super) fn give_up_line(&mut self, target: &mut Target) {
        let Some(line) = &mut target.line else { return };
        if let Some(task) = line.held.take() {
            task.abort();
            self.held.remove(&task.id());
            self.sockets.reclaim(line.addresses.len());
        }
    }

    /// Gives up every connection, since probes need the sockets. Tells whether there was one.
    pub(super) fn give_up_lines(&mut self) -> bool {
        let held = std::mem::take(&mut self.held);
        for id in held.values() {
            let Some(target) = self.targets.get_mut(id) else { continue };
            let Some(line) = &mut target.line else { continue };
            if let Some(task) = line.held.take() {
                task.abort();
                self.sockets.reclaim(line.addresses.len());
            }
        }
        !held.is_empty()
    }

    /// How long after its start a probe with this result is followed by the next.
    pub(super) fn gap_after(&mut self, id: Id, result: Outcome, refused: bool) -> Duration {
        let Some(target) = self.targets.get_mut(&id) else { return Duration::ZERO };
        let interval = target.interval();
        let Some(line) = &mut target.line else { return interval };
        if line.is_lost && result == Outcome::Failed {
            line.was_right();
        }
        if std::mem::take(&mut line.is_urgent) {
            return Duration::ZERO;
        }
        // Both the connection's end and the refusal say that nobody listens any more, and what is left to tolerate is bounded.
        let is_gone = line.is_lost && result == Outcome::Failed && refused;
        if is_gone && target.verdict() == Verdict::Online {
            interval.min(AT_ONCE)
        } else {
            interval
        }
    }
}
