//! The certificate that clients of DNS over TLS, HTTPS and QUIC are shown.

use crate::clock::{Clock, rfc3339};
use crate::dns::TlsKeys;
use crate::metrics::CertificateMetrics;
use crate::model::TlsIdentity;
use crate::settings::expiry;

/// What is shown, if anything, and what handshakes need for it.
#[derive(Clone, Default)]
pub(super) struct Shown {
    identity: Option<TlsIdentity>,
    pub(super) keys: Option<TlsKeys>,
}

impl Shown {
    /// What is to be shown after this. Where the certificate is the same, so is what handshakes need: sessions may be resumed.
    ///
    /// # Errors
    /// When the certificate can't be used with its key.
    pub(super) fn next(&self, identity: Option<&TlsIdentity>) -> Result<Self, String> {
        if self.identity.as_ref() == identity {
            return Ok(self.clone());
        }
        let keys = identity.map(|it| {
            TlsKeys::new(it).map_err(|error| {
                let file = it.file.display();
                format!("the certificate of {file} can't be used with its key ({error}); set `server.tls` to others")
            })
        });
        Ok(Self { identity: identity.cloned(), keys: keys.transpose()? })
    }

    /// Says what is shown from now on, where it was `before` until now.
    pub(super) fn tell(&self, before: &Self, metrics: &CertificateMetrics) {
        if self.identity == before.identity {
            return;
        }
        let Some(identity) = &self.identity else {
            metrics.shown(None);
            return;
        };
        let file = identity.file.display().to_string();
        let Some(expires) = identity.certificates.first().and_then(|it| expiry(it)) else {
            tracing::info!(
                event = "certificate_shown",
                file,
                "DNS clients are shown the certificate of {file}"
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
                "DNS clients are shown the certificate of {file}, which expired {time}; renew it"
            );
        } else {
            tracing::info!(
                event = "certificate_shown",
                file,
                expires = time,
                "DNS clients are shown the certificate of {file}, which expires {time}"
            );
        }
    }
}
