//! What systemd is told (sd_notify(3)). Without it, nobody is told anything.

use std::time::{Duration, Instant};

use sd_notify::NotifyState;

/// Tells systemd how the daemon is.
#[derive(Clone, Debug, Default)]
pub(super) struct Systemd {
    last_sign: Option<Instant>,
}

impl Systemd {
    /// How often systemd wants a sign of life, if it does; half of what it allows.
    pub(super) fn watchdog() -> Option<Duration> {
        sd_notify::watchdog_enabled().map(|it| it / 2)
    }

    /// Queries are answered; also after a reload.
    pub(super) fn ready(&self, status: &str) {
        tell(&[NotifyState::Ready, NotifyState::Status(status)]);
    }

    pub(super) fn reloading(&self) {
        // Without the time, systemd would take the next READY for an answer to an earlier reload.
        if let Ok(now) = NotifyState::monotonic_usec_now() {
            tell(&[NotifyState::Reloading, now]);
        }
    }

    pub(super) fn stopping(&self) {
        tell(&[NotifyState::Stopping, NotifyState::Status("answering what has come in")]);
    }

    /// Gives the sign of life, if it is due.
    pub(super) fn alive(&mut self, every: Duration) {
        if self.last_sign.is_none_or(|it| it.elapsed() >= every) {
            self.last_sign = Some(Instant::now());
            tell(&[NotifyState::Watchdog]);
        }
    }
}

fn tell(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::warn!(event = "notify_failed", %error, "systemd could not be told how the daemon is: {error}");
    }
}
