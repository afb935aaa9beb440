use std::time::Duration;

use tokio::time::Instant;

use crate::clock::Clock;
use crate::health::{Phase, PhaseTimes};
use crate::model::Timestamp;

/// How far a probe of one address has come. It outlives the probe's future, so a time-out can tell where it struck.
#[derive(Debug)]
pub(super) struct Trail {
    pub(super) at: Timestamp,
    pub(super) started: Instant,
    /// The phase that is running or was the last.
    pub(super) phase: Phase,
    entered: Instant,
    /// What is wrong if the phase ends no more, where its name doesn't say so.
    pub(super) stuck: Option<&'static str>,
    pub(super) times: PhaseTimes,
    pub(super) certificate_expires: Option<Timestamp>,
}

impl Trail {
    pub(super) fn start() -> Self {
        let now = Instant::now();
        Self {
            at: Clock::time_of_day(),
            started: now,
            phase: Phase::Connect,
            entered: now,
            stuck: None,
            times: PhaseTimes::default(),
            certificate_expires: None,
        }
    }

    /// The running phase is done.
    pub(super) fn complete(&mut self) {
        let time = match self.phase {
            Phase::Resolve => return,
            Phase::Connect => &mut self.times.connect,
            Phase::Tls => &mut self.times.tls,
            Phase::FirstByte => &mut self.times.first_byte,
            Phase::Body => &mut self.times.body,
            Phase::Exec => &mut self.times.exec,
            // Nobody walks here: what sites and clusters say comes by itself.
            Phase::Report | Phase::Readiness => return,
        };
        *time = Some(self.entered.elapsed());
    }

    /// The running phase is done, and the next one begins.
    pub(super) fn enter(&mut self, phase: Phase) {
        self.complete();
        self.phase = phase;
        self.entered = Instant::now();
    }

    pub(super) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }
}
