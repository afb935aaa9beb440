use anyhow::Context;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::control::Handle;

/// What a running daemon is told by signals. Listening begins before the daemon answers, so that none of them ever does what
/// it does to programs that don't listen.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl Signals {
    /// Starts to listen. Must be called on a runtime.
    pub(super) fn listen() -> anyhow::Result<Self> {
        let listen = |kind| signal(kind).context("could not listen for signals");
        Ok(Self {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
            hang_up: listen(SignalKind::hangup())?,
        })
    }

    /// Reloads whenever SIGHUP says so; ends when SIGTERM or SIGINT says to stop, whatever a reload is at.
    pub(super) async fn obey(&mut self, control: Handle) {
        let hang_up = &mut self.hang_up;
        let reload = async {
            while hang_up.recv().await.is_some() {
                tracing::info!(event = "hung_up", "SIGHUP: reading the configuration anew");
                // How it went is logged by the control task.
                drop(control.reload().await);
            }
            std::future::pending::<()>().await;
        };
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
            () = reload => {}
        }
        tracing::info!(event = "stopping", "told to stop: answering what has come in");
    }

    /// Ends when SIGTERM or SIGINT comes once more.
    pub(super) async fn insist(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
        tracing::warn!(event = "stopped_at_once", "told to stop a second time: stopping at once");
    }
}
