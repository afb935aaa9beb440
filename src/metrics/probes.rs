use std::time::Duration;

use prometheus::{
    Counter, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, Opts,
    Registry,
};

use crate::health::{Outcome, Phase, ProbeResult};

/// From a connection on the same rack to the longest timeouts in use, in seconds.
const BUCKETS: [f64; 12] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];

/// What all probes together have taken.
#[derive(Clone, Debug)]
pub struct ProbeMetrics {
    duration: HistogramVec,
    results: IntCounterVec,
    waits: IntCounter,
    wait_seconds: Counter,
    waiting: IntGauge,
    slots: IntGauge,
    late: Histogram,
}

impl ProbeMetrics {
    /// Registers the metrics; every phase and result exists from the start, at zero.
    ///
    /// # Errors
    /// When a metric of one of these names is registered already.
    pub fn register(registry: &Registry) -> prometheus::Result<Self> {
        let help = "How long the completed phases of probes took.";
        let options = HistogramOpts::new("farol_probe_duration_seconds", help);
        let duration = HistogramVec::new(options.buckets(BUCKETS.to_vec()), &["phase"])?;
        // Names are resolved before there is a probe, and clusters are not asked by one.
        let is_timed = |it: &Phase| !matches!(it, Phase::Resolve | Phase::Readiness);
        for phase in Phase::ALL.into_iter().filter(is_timed) {
            duration.with_label_values(&[phase.label()]);
        }
        registry.register(Box::new(duration.clone()))?;
        // Not a sum over endpoints: that would fall when one is taken out of the configuration.
        let help = "Probes of all endpoints by how they ended.";
        let results =
            IntCounterVec::new(Opts::new("farol_probe_results_total", help), &["result"])?;
        for outcome in Outcome::ALL {
            results.with_label_values(&[outcome.label()]);
        }
        registry.register(Box::new(results.clone()))?;
        let help = "Probes that started late because too few sockets were free.";
        let waits = IntCounter::new("farol_probe_waits_total", help)?;
        registry.register(Box::new(waits.clone()))?;
        let help = "How long probes have waited for a socket.";
        let wait_seconds = Counter::new("farol_probe_wait_seconds_total", help)?;
        registry.register(Box::new(wait_seconds.clone()))?;
        let help = "Probes that are due and wait for a socket.";
        let waiting = IntGauge::new("farol_probes_waiting", help)?;
        registry.register(Box::new(waiting.clone()))?;
        let help = "How many probes may be under way at the same time, each address counted.";
        let slots = IntGauge::new("farol_probe_slots", help)?;
        registry.register(Box::new(slots.clone()))?;
        let help = "How late probes started.";
        let options = HistogramOpts::new("farol_probe_late_seconds", help);
        let late = Histogram::with_opts(options.buckets(BUCKETS.to_vec()))?;
        registry.register(Box::new(late.clone()))?;
        Ok(Self { duration, results, waits, wait_seconds, waiting, slots, late })
    }

    /// Counts a probe that had to wait so long for a socket.
    pub fn waited(&self, time: Duration) {
        self.waits.inc();
        self.wait_seconds.inc_by(time.as_secs_f64());
    }

    /// So many probes wait for a socket now.
    pub fn waiting(&self, count: usize) {
        self.waiting.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// So many sockets may be in use from now on.
    pub fn limited(&self, most: usize) {
        self.slots.set(i64::try_from(most).unwrap_or(i64::MAX));
    }

    /// Counts one probe, which started so late.
    pub fn observe(&self, result: &ProbeResult, late: Duration) {
        self.results.with_label_values(&[result.outcome.label()]).inc();
        self.late.observe(late.as_secs_f64());
        for (phase, elapsed) in result.phases.iter() {
            self.duration.with_label_values(&[phase.label()]).observe(elapsed.as_secs_f64());
        }
    }
}
