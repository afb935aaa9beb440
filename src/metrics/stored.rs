use prometheus::{Gauge, GaugeVec, IntCounterVec, Opts, Registry};

use crate::model::Timestamp;

/// How the state directory is doing.
#[derive(Clone, Debug)]
pub struct StateMetrics {
    success: GaugeVec,
    time: GaugeVec,
    failures: IntCounterVec,
    set_aside: Gauge,
}

impl StateMetrics {
    /// Registers the metrics, with a sample for each of these files.
    ///
    /// # Errors
    /// When a metric of one of these names is registered already.
    pub fn register(registry: &Registry, files: &[&str]) -> prometheus::Result<Self> {
        let metrics = Self {
            success: GaugeVec::new(
                Opts::new(
                    "farol_state_write_success",
                    "Whether the last write of a file of the state directory succeeded (1) or failed (0).",
                ),
                &["file"],
            )?,
            time: GaugeVec::new(
                Opts::new(
                    "farol_state_last_write_timestamp_seconds",
                    "When a file of the state directory was last written, in seconds since 1970; 0 before the first time.",
                ),
                &["file"],
            )?,
            failures: IntCounterVec::new(
                Opts::new(
                    "farol_state_write_failures_total",
                    "Writes of a file of the state directory that failed.",
                ),
                &["file"],
            )?,
            set_aside: Gauge::new(
                "farol_state_set_aside_files",
                "Damaged files in the state directory that were put aside.",
            )?,
        };
        registry.register(Box::new(metrics.success.clone()))?;
        registry.register(Box::new(metrics.time.clone()))?;
        registry.register(Box::new(metrics.failures.clone()))?;
        registry.register(Box::new(metrics.set_aside.clone()))?;
        files.iter().for_each(|file| metrics.file(file, true, None, 0));
        Ok(metrics)
    }

    /// Notes how the writing of a file goes, with all its failures so far.
    pub fn file(&self, file: &str, success: bool, last: Option<Timestamp>, failures: u64) {
        let value = |family: &GaugeVec, value| family.with_label_values(&[file]).set(value);
        value(&self.success, f64::from(u8::from(success)));
        value(&self.time, last.map_or(0.0, |it| it.0 as f64 / 1000.0));
        let counted = self.failures.with_label_values(&[file]);
        counted.inc_by(failures.saturating_sub(counted.get()));
    }

    /// Notes how many damaged files there are.
    pub fn set_aside(&self, files: usize) {
        self.set_aside.set(files as f64);
    }
}
