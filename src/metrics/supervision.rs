use std::time::Duration;

use prometheus::{GaugeVec, IntCounterVec, Opts, Registry};

/// What runs, and whether it does.
#[derive(Clone, Debug)]
pub struct SupervisionMetrics {
    restarts: IntCounterVec,
    stalls: IntCounterVec,
    silence: GaugeVec,
}

impl SupervisionMetrics {
    /// Registers the metrics; these tasks and parts exist from the start, at zero.
    ///
    /// # Errors
    /// When a metric of one of these names is registered already.
    pub fn register(
        registry: &Registry,
        tasks: &[&str],
        parts: &[&str],
    ) -> prometheus::Result<Self> {
        let restarts = "Times that a task panicked or ended by itself, and was started again.";
        let stalls = "Times that a part of the daemon gave no sign of life for 5 s.";
        let silence = "How long a part of the daemon has given no sign of life.";
        let metrics = Self {
            restarts: IntCounterVec::new(
                Opts::new("farol_task_restarts_total", restarts),
                &["task"],
            )?,
            stalls: IntCounterVec::new(Opts::new("farol_stalls_total", stalls), &["part"])?,
            silence: GaugeVec::new(Opts::new("farol_heartbeat_age_seconds", silence), &["part"])?,
        };
        registry.register(Box::new(metrics.restarts.clone()))?;
        registry.register(Box::new(metrics.stalls.clone()))?;
        registry.register(Box::new(metrics.silence.clone()))?;
        for task in tasks {
            metrics.restarts.with_label_values(&[task]).inc_by(0);
        }
        for part in parts {
            metrics.stalls.with_label_values(&[part]).inc_by(0);
            metrics.silent(part, Duration::ZERO, false);
        }
        Ok(metrics)
    }

    /// Counts a task that was started again.
    pub fn restarted(&self, task: &str) {
        self.restarts.with_label_values(&[task]).inc();
    }

    /// Notes how long a part has been silent, and whether a stall of it began just now.
    pub fn silent(&self, part: &str, silence: Duration, begins: bool) {
        self.silence.with_label_values(&[part]).set(silence.as_secs_f64());
        if begins {
            self.stalls.with_label_values(&[part]).inc();
        }
    }
}
