//! Signs of life: the runtime's own, who looks for those of every part, and what systemd hears of it.

use std::sync::Arc;

use anyhow::Context;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::gauges::{CONTROL, RUNTIME};
use super::systemd::Watchdog;
use crate::metrics::SupervisionMetrics;
use crate::supervision::{Detector, Heart};

/// The hearts of the daemon's parts, and who listens to them.
pub(super) struct Pulse {
    pub(super) control_heart: Arc<Heart>,
    pub(super) runtime_heart: Arc<Heart>,
    pub(super) detector: Detector,
}

impl Pulse {
    /// Looks after the hearts from now on.
    pub(super) fn start(metrics: &SupervisionMetrics) -> anyhow::Result<Self> {
        let (control_heart, runtime_heart) = (Heart::new(CONTROL), Heart::new(RUNTIME));
        let hearts = vec![control_heart.clone(), runtime_heart.clone()];
        let detector = start_detector(hearts, metrics.clone())?;
        Ok(Self { control_heart, runtime_heart, detector })
    }
}

/// Shows that the runtime runs tasks.
pub(super) async fn beat(heart: Arc<Heart>, stop: CancellationToken) {
    loop {
        heart.beat();
        tokio::select! {
            () = sleep(Heart::EVERY) => {}
            () = stop.cancelled() => return,
        }
    }
}

/// Looks after these hearts, and gives systemd a sign of life while all are well.
fn start_detector(
    hearts: Vec<Arc<Heart>>,
    metrics: SupervisionMetrics,
) -> anyhow::Result<Detector> {
    let mut watchdog = Watchdog::set_up();
    let every = watchdog.as_ref().map_or(Heart::EVERY, |it| it.every.min(Heart::EVERY));
    let looked = move |judged: &[(&Heart, bool)]| {
        for (heart, begins) in judged {
            metrics.silent(heart.part(), heart.silence(), *begins);
        }
        if let Some(watchdog) = &mut watchdog
            && !judged.iter().any(|(heart, _)| heart.is_stalled())
        {
            watchdog.alive();
        }
    };
    Detector::start(hearts, every, looked).context("could not start the stall detector")
}
