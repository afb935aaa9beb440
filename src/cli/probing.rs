//! The prober that runs, and the one that takes its place when it has ended.

use tokio::sync::{mpsc, watch};

use crate::clock::Clock;
use crate::control::Handle;
use crate::metrics::ProbeMetrics;
use crate::probe::{ProbeHandle, Prober, VerdictChange};

/// Verdicts that may wait for the control task; further ones wait in the prober.
const VERDICTS: usize = 1024;

/// Makes one prober after the other.
pub(super) struct Probers {
    clock: Clock,
    metrics: ProbeMetrics,
    changes: mpsc::Sender<VerdictChange>,
    most: watch::Receiver<usize>,
    first: Option<Prober>,
}

impl Probers {
    /// Probers that never have more sockets than `most`, what tells the first one what to watch, and where all of them tell what they found.
    pub(super) fn new(
        clock: Clock,
        metrics: ProbeMetrics,
        most: watch::Receiver<usize>,
    ) -> (Self, ProbeHandle, mpsc::Receiver<VerdictChange>) {
        let (changes, verdicts) = mpsc::channel(VERDICTS);
        let mut probers = Self { clock, metrics, changes, most, first: None };
        let (first, handle) = probers.make();
        probers.first = Some(first);
        (probers, handle, verdicts)
    }

    /// The next prober. Control learns of all but the first, whose handle it has.
    pub(super) fn next(&mut self, control: &Handle) -> Prober {
        self.first.take().unwrap_or_else(|| {
            let (prober, handle) = self.make();
            control.probe_with(handle);
            prober
        })
    }

    fn make(&self) -> (Prober, ProbeHandle) {
        Prober::new(self.clock, self.metrics.clone(), self.changes.clone(), self.most.clone())
    }
}
