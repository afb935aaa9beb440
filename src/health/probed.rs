use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::Outcome;
use crate::model::{Moment, Timestamp};

/// The part of a probe in which it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Until the name that the endpoint stands for has an address; it has been looked up before.
    Resolve,
    /// Until the TCP connection stands.
    Connect,
    /// Until the TLS handshake is done.
    Tls,
    /// Until the answer's status and headers are there.
    FirstByte,
    /// Until the answer's body says what it must.
    Body,
    /// Until the program has ended that is the probe.
    Exec,
    /// Until the site reports by itself.
    Report,
    /// Until the site's cluster says that the pods behind the endpoint are ready.
    Readiness,
}

impl Phase {
    /// Every phase, in the order in which a probe passes them.
    pub const ALL: [Self; 8] = [
        Self::Resolve,
        Self::Connect,
        Self::Tls,
        Self::FirstByte,
        Self::Body,
        Self::Exec,
        Self::Report,
        Self::Readiness,
    ];

    /// The word in metrics, logs and the API.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Resolve => "resolve",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::FirstByte => "first_byte",
            Self::Body => "body",
            Self::Exec => "exec",
            Self::Report => "report",
            Self::Readiness => "readiness",
        }
    }
}

/// How long each phase took, as far as the probe came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PhaseTimes {
    /// The TCP handshake.
    pub connect: Option<Duration>,
    /// The TLS handshake.
    pub tls: Option<Duration>,
    /// From sending the request to having the answer's head.
    pub first_byte: Option<Duration>,
    /// From having the head to having seen enough of the body.
    pub body: Option<Duration>,
    /// The run of the program.
    pub exec: Option<Duration>,
}

impl PhaseTimes {
    /// The phases that were completed, with how long each took.
    pub fn iter(&self) -> impl Iterator<Item = (Phase, Duration)> {
        let times = [
            (Phase::Connect, self.connect),
            (Phase::Tls, self.tls),
            (Phase::FirstByte, self.first_byte),
            (Phase::Body, self.body),
            (Phase::Exec, self.exec),
        ];
        times.into_iter().filter_map(|(phase, time)| Some((phase, time?)))
    }
}

/// What came of one probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeResult {
    /// When it started.
    pub at: Timestamp,
    /// What it says.
    pub outcome: Outcome,
    /// Where it ended.
    pub phase: Phase,
    /// How long it took as a whole.
    pub elapsed: Duration,
    /// How long each phase took.
    pub phases: PhaseTimes,
    /// Why it failed or is void, for people: "connect: refused".
    pub reason: Option<Arc<str>>,
    /// Whether the connection was refused: the machine is there, and nobody listens.
    pub refused: bool,
    /// When the certificate that the endpoint showed expires.
    pub certificate_expires: Option<Timestamp>,
}

/// What probing knows about one endpoint: written by the prober alone, read by whoever shows it.
#[derive(Debug, Default)]
pub struct Probed {
    /// When it began.
    since: Moment,
    passed: AtomicU64,
    failed: AtomicU64,
    void: AtomicU64,
    latest: Mutex<Latest>,
}

/// The last word of the probes.
#[derive(Clone, Debug, Default)]
struct Latest {
    result: Option<Arc<ProbeResult>>,
    /// When a probe last said something, for or against the endpoint.
    heard: Option<Moment>,
    held_down_until: Option<Moment>,
    /// Of the last certificate that was shown, which may be longer ago than the last result.
    certificate_expires: Option<Timestamp>,
}

/// How many probes ended how, since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProbeTally {
    /// Probes that passed.
    pub passed: u64,
    /// Probes that failed.
    pub failed: u64,
    /// Probes that said nothing.
    pub void: u64,
}

impl Probed {
    /// The record of an endpoint that is watched from then on.
    pub fn since(since: Moment) -> Self {
        Self { since, ..Self::default() }
    }

    /// Takes over the last word of a record of the same probes; what was counted stays.
    pub fn follow(&self, other: &Probed) {
        let latest = other.latest().clone();
        *self.latest.lock().unwrap_or_else(PoisonError::into_inner) = latest;
    }

    /// Takes in a result, and how long the endpoint is held down after it. Endpoints that share a probe share its result.
    pub fn record(&self, result: Arc<ProbeResult>, now: Moment, held_down_until: Option<Moment>) {
        let counter = match result.outcome {
            Outcome::Passed => &self.passed,
            Outcome::Failed => &self.failed,
            Outcome::Void => &self.void,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        let mut latest = self.latest();
        if result.outcome != Outcome::Void {
            latest.heard = Some(now);
        }
        latest.held_down_until = held_down_until;
        latest.certificate_expires = result.certificate_expires.or(latest.certificate_expires);
        latest.result = Some(result);
    }

    /// How many probes ended how.
    pub fn tally(&self) -> ProbeTally {
        ProbeTally {
            passed: self.passed.load(Ordering::Relaxed),
            failed: self.failed.load(Ordering::Relaxed),
            void: self.void.load(Ordering::Relaxed),
        }
    }

    /// The last result.
    pub fn last(&self) -> Option<Arc<ProbeResult>> {
        self.latest().result.clone()
    }

    /// When the certificate that the endpoint last showed expires.
    pub fn certificate_expires(&self) -> Option<Timestamp> {
        self.latest().certificate_expires
    }

    /// When a probe last said something; none before the first verdict.
    pub fn heard(&self) -> Option<Moment> {
        self.latest().heard
    }

    /// Since when nothing has been heard: since a probe last said something, or since the record began.
    pub fn silent_since(&self) -> Moment {
        self.heard().unwrap_or(self.since)
    }

    /// Why the last probe said nothing, where it didn't.
    pub fn void_reason(&self) -> Option<Arc<str>> {
        self.last().filter(|it| it.outcome == Outcome::Void)?.reason.clone()
    }

    /// When a flapping endpoint that passes its probes may be Online again.
    pub fn held_down_until(&self) -> Option<Moment> {
        self.latest().held_down_until
    }

    fn latest(&self) -> MutexGuard<'_, Latest> {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_known_until_another_one_is_shown() {
        let probed = Probed::default();
        for (shown, known) in
            [(None, None), (Some(5), Some(5)), (None, Some(5)), (Some(3), Some(3))]
        {
            let certificate_expires = shown.map(Timestamp);
            let result = ProbeResult { certificate_expires, ..result(Outcome::Failed) };
            probed.record(Arc::new(result), Moment::default(), None);
            assert_eq!(probed.certificate_expires(), known.map(Timestamp));
        }
    }

    fn result(outcome: Outcome) -> ProbeResult {
        ProbeResult {
            at: Timestamp(1),
            outcome,
            phase: Phase::Connect,
            elapsed: Duration::ZERO,
            phases: PhaseTimes::default(),
            reason: None,
            refused: false,
            certificate_expires: None,
        }
    }

    #[test]
    fn void_probes_are_counted_but_are_no_word_on_the_endpoint() {
        let probed = Probed::since(Moment(Duration::from_millis(500)));
        let silent_since = |probed: &Probed| probed.silent_since().0.as_millis();
        assert_eq!(silent_since(&probed), 500);
        let result = |outcome| Arc::new(result(outcome));
        let at = |seconds| Moment(Duration::from_secs(seconds));
        probed.record(result(Outcome::Passed), at(1), None);
        probed.record(result(Outcome::Failed), at(2), None);
        probed.record(result(Outcome::Void), at(3), Some(at(9)));
        assert_eq!(probed.tally(), ProbeTally { passed: 1, failed: 1, void: 1 });
        assert_eq!((probed.heard(), silent_since(&probed)), (Some(at(2)), 2000));
        assert_eq!(probed.last().map(|it| it.outcome), Some(Outcome::Void));
        assert_eq!(probed.held_down_until(), Some(at(9)));
        let next = Probed::default();
        next.follow(&probed);
        assert_eq!((next.last(), next.heard()), (probed.last(), Some(at(2))));
        assert_eq!((next.tally(), next.held_down_until()), (ProbeTally::default(), Some(at(9))));
    }
}
