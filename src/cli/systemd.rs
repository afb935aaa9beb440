//! What systemd is told (sd_notify(3)). Without it, nobody is told anything.

use std::time::{Duration, Instant};

use sd_notify::NotifyState;

/// Queries are answered; also after a reload.
pub(super) fn ready(status: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(status)]);
}

pub(super) fn reloading() {
    // Without the time, systemd would take the next READY for an answer to an earlier reload.
    if let Ok(now) = NotifyState::monotonic_usec_now() {
        tell(&[NotifyState::Reloading, now]);
    }
}

pub(super) fn stopping() {
    tell(&[NotifyState::Stopping, NotifyState::Status("answering what has come in")]);
}

/// Who kills the daemon when it gives no sign of life.
pub(super) struct Watchdog {
    /// How often a sign is due; half of what systemd allows.
    pub(super) every: Duration,
    last_sign: Option<Instant>,
}

impl Watchdog {
    /// The one that systemd set up, if it did.
    pub(super) fn set_up() -> Option<Self> {
        sd_notify::watchdog_enabled().map(|it| Self { every: it / 2, last_sign: None })
    }

    /// Gives the sign of life, if it is due.
    pub(super) fn alive(&mut self) {
        if self.last_sign.is_none_or(|it| it.elapsed() >= self.every) {
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
