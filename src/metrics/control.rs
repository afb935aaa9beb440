use std::time::Duration;

use prometheus::{Gauge, Histogram, HistogramOpts, IntCounterVec, Opts, Registry};

use crate::model::Timestamp;

/// From one profile's change to a reload of a hundred thousand, in seconds.
const BUCKETS: [f64; 10] =
    [0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.005, 0.025, 0.1, 0.5, 2.0];

/// What the control task has done.
#[derive(Clone, Debug)]
pub struct ControlMetrics {
    publish: Histogram,
    reload_success: Gauge,
    reload_time: Gauge,
    config_hash: Gauge,
    undone: IntCounterVec,
}

impl ControlMetrics {
    /// Registers the metrics. The configuration that the daemon starts with counts as a successful reload at `now`.
    ///
    /// # Errors
    /// When a metric of one of these names is registered already.
    pub fn register(registry: &Registry, now: Timestamp) -> prometheus::Result<Self> {
        let help = "How long it took to make and publish a snapshot.";
        let options = HistogramOpts::new("farol_snapshot_publish_seconds", help);
        let metrics = Self {
            publish: Histogram::with_opts(options.buckets(BUCKETS.to_vec()))?,
            reload_success: Gauge::new(
                "farol_config_reload_success",
                "Whether the last reload was taken (1) or refused (0).",
            )?,
            reload_time: Gauge::new(
                "farol_config_reload_timestamp_seconds",
                "When the configuration in force was loaded, in seconds since 1970.",
            )?,
            config_hash: Gauge::new(
                "farol_config_hash",
                "A number that is the same on instances with the same zones, sites and profiles.",
            )?,
            undone: IntCounterVec::new(
                Opts::new(
                    "farol_changes_undone_total",
                    "Operators' changes that were undone by themselves: nobody confirmed them, or health got worse.",
                ),
                &["reason"],
            )?,
        };
        for reason in ["unconfirmed", "worse"] {
            metrics.undone.with_label_values(&[reason]);
        }
        registry.register(Box::new(metrics.publish.clone()))?;
        registry.register(Box::new(metrics.reload_success.clone()))?;
        registry.register(Box::new(metrics.reload_time.clone()))?;
        registry.register(Box::new(metrics.config_hash.clone()))?;
        registry.register(Box::new(metrics.undone.clone()))?;
        metrics.reloaded(true, now);
        Ok(metrics)
    }

    /// Shows the digest of the configuration that is in force, which is below 2^53.
    pub fn configured(&self, digest: u64) {
        self.config_hash.set(digest as f64);
    }

    /// Counts a publication and the time it took.
    pub fn published(&self, took: Duration) {
        self.publish.observe(took.as_secs_f64());
    }

    /// Counts changes that were undone by themselves, for this reason: `unconfirmed` or `worse`.
    pub fn undone(&self, reason: &str) {
        self.undone.with_label_values(&[reason]).inc();
    }

    /// Notes how a reload ended.
    pub fn reloaded(&self, success: bool, now: Timestamp) {
        self.reload_success.set(f64::from(u8::from(success)));
        if success {
            self.reload_time.set(now.0 as f64 / 1000.0);
        }
    }
}
