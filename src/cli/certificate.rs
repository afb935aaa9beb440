//! The certificates that clients are shown: those of DNS over TLS, HTTPS and QUIC, and those of the API.

use rustls::Error as TlsError;

use crate::clock::{Clock, rfc3339};
use crate::metrics::CertificateMetrics;
use crate::model::TlsIdentity;
use crate::settings::expiry;

/// Who is shown a certificate, and where it is set.
#[derive(Debug)]
pub(super) struct Audience {
    pub(super) who: &'static str,
    pub(super) key: &'static str,
}

impl Audience {
    pub(super) const DNS: Self = Self { who: "DNS clients", key: "server.tls" };
    pub(super) const API: Self = Self { who: "clients of the API", key: "admin.tls" };
}

/// What is shown by these settings, if anything, and the keys that handshakes need for it.
#[derive(Clone)]
pub(super) struct Shown<S, K> {
    settings: Option<S>,
    pub(super) keys: Option<K>,
    audience: &'static Audience,
}

impl<S: AsRef<TlsIdentity> + Clone + PartialEq, K: Clone> Shown<S, K> {
    /// Nothing yet.
    pub(super) fn nothing(audience: &'static Audience) -> Self {
        Self { settings: None, keys: None, audience }
    }

    /// What is to be shown after this. Where the settings are the same, so is what handshakes need: sessions may be resumed.
    ///
    /// # Errors
    /// When the certificate can't be used with its key.
    pub(super) fn next(
        &self,
        settings: Option<&S>,
        make: impl FnOnce(&S) -> Result<K, TlsError>,
    ) -> Result<Self, String> {
        if self.settings.as_ref() == settings {
            return Ok(self.clone());
        }
        let keys = settings.map(|it| {
            make(it).map_err(|error| {
                let (file, key) = (it.as_ref().file.display(), self.audience.key);
                format!("the certificate of {file} can't be used with its key ({error}); set `{key}` to others")
            })
        });
        let (settings, keys) = (settings.cloned(), keys.transpose()?);
        Ok(Self { settings, keys, audience: self.audience })
    }

    fn identity(&self) -> Option<&TlsIdentity> {
        self.settings.as_ref().map(AsRef::as_ref)
    }

    /// Says what is shown from now on, where it was `before` until now.
    pub(super) fn tell(&self, before: &Self, metrics: &CertificateMetrics) {
        if self.identity() == before.identity() {
            return;
        }
        let who = self.audience.who;
        let Some(identity) = self.identity() else {
            metrics.shown(None);
            return;
        };
        let file = identity.file.display().to_string();
        let Some(expires) = identity.certificates.first().and_then(|it| expiry(it)) else {
            tracing::info!(
                event = "certificate_shown",
                file,
                "{who} are shown the certificate of {file}"
            );
            return;
        };
        metrics.shown(Some((&file, expires)));
        let time = rfc3339(expires);
        if expires < Clock::time_of_day() {
            tracing::warn!(
                event = "certificate_expired",
                file,
                expires = time,
                "{who} are shown the certificate of {file}, which expired {time}; renew it"
            );
        } else {
            tracing::info!(
                event = "certificate_shown",
                file,
                expires = time,
                "{who} are shown the certificate of {file}, which expires {time}"
            );
        }
    }
}
