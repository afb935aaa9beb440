//! Endpoints of which the site reports by itself: a report is a result, and so is silence.

use std::sync::Arc;
use std::time::Duration;

use super::super::agenda::Id;
use super::super::reason;
use super::super::reports::{Report, Unheard, Waiting};
use super::{Scheduler, World};
use crate::clock::Clock;
use crate::health::{Outcome, Phase, PhaseTimes, ProbeResult};
use crate::model::Moment;

/// The least time from one report of an endpoint to the next.
const APART: Duration = Duration::from_millis(100);

/// A target that is reported of.
#[derive(Debug)]
pub(super) struct Pushed {
    id: Id,
    /// When the last report came, since the last reload.
    reported: Option<Moment>,
}

impl Pushed {
    pub(super) fn new(id: Id) -> Self {
        Self { id, reported: None }
    }
}

impl<W: World> Scheduler<W> {
    /// Takes in what sites have reported.
    pub(super) fn hear(&mut self, reports: Vec<Waiting>) {
        let now = self.clock.now();
        for (report, reply) in reports {
            // Who has reported may have lost patience.
            let _ = reply.send(self.take_report(report, now));
        }
    }

    fn take_report(&mut self, report: Report, now: Moment) -> Result<(), Unheard> {
        let pushed = self.pushed.get_mut(&report.key).ok_or(Unheard::NotAwaited)?;
        let id = pushed.id;
        let target = self.targets.get_mut(&id).ok_or(Unheard::NotAwaited)?;
        if pushed.reported.is_some_and(|it| now.since(it) < APART) {
            return Err(Unheard::TooSoon);
        }
        pushed.reported = Some(now);
        let interval = target.what.monitor.interval;
        let result = if report.healthy {
            result(Outcome::Passed, None)
        } else {
            let why = report.reason.as_deref().unwrap_or("failing");
            result(Outcome::Failed, Some(format!("reported: {why}")))
        };
        let counted = target.observe(result, now, &mut self.outbox);
        self.metrics.observe(&counted, Duration::ZERO);
        self.schedule(id, now + interval);
        Ok(())
    }

    /// Nothing was heard of an endpoint for an interval, which ended `at`. That is a failure, unless Farol itself looked so late
    /// that a report may wait to be read.
    pub(super) fn note_silence(&mut self, id: Id, at: Moment, now: Moment) {
        let Some(target) = self.targets.get_mut(&id) else { return };
        let (interval, late) = (target.what.monitor.interval, now.since(at));
        let told = format!("no report for {}", reason::duration(interval));
        let result = if late > interval / 4 {
            let late = reason::duration(late);
            result(Outcome::Void, Some(format!("{told}, but Farol itself looked {late} late")))
        } else {
            result(Outcome::Failed, Some(told))
        };
        let counted = target.observe(result, now, &mut self.outbox);
        self.metrics.observe(&counted, late);
        self.schedule(id, now + interval);
    }
}

fn result(outcome: Outcome, reason: Option<String>) -> ProbeResult {
    ProbeResult {
        at: Clock::time_of_day(),
        outcome,
        phase: Phase::Report,
        elapsed: Duration::ZERO,
        phases: PhaseTimes::default(),
        reason: reason.map(Arc::from),
        refused: false,
        certificate_expires: None,
    }
}
