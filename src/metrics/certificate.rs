use prometheus::{GaugeVec, Opts, Registry};

use crate::model::Timestamp;

/// The certificate that clients are shown.
#[derive(Clone, Debug)]
pub struct CertificateMetrics {
    expiry: GaugeVec,
}

impl CertificateMetrics {
    /// Registers the metric of the certificate for clients of DNS, without a sample.
    ///
    /// # Errors
    /// When a metric of this name is registered already.
    pub fn of_dns(registry: &Registry) -> prometheus::Result<Self> {
        let help = "When the certificate that DNS clients over TLS, HTTPS and QUIC are shown expires, in seconds since 1970.";
        Self::register(registry, Opts::new("farol_dns_tls_expiry_seconds", help))
    }

    /// Registers the metric of the certificate for clients of the API, without a sample.
    ///
    /// # Errors
    /// When a metric of this name is registered already.
    pub fn of_api(registry: &Registry) -> prometheus::Result<Self> {
        let help = "When the certificate that clients of the API are shown expires, in seconds since 1970.";
        Self::register(registry, Opts::new("farol_api_tls_expiry_seconds", help))
    }

    fn register(registry: &Registry, opts: Opts) -> prometheus::Result<Self> {
        let expiry = GaugeVec::new(opts, &["certificate"])?;
        registry.register(Box::new(expiry.clone()))?;
        Ok(Self { expiry })
    }

    /// Notes what is shown from now on: the file, and when its certificate expires.
    pub fn shown(&self, certificate: Option<(&str, Timestamp)>) {
        self.expiry.reset();
        if let Some((file, expires)) = certificate {
            self.expiry.with_label_values(&[file]).set(expires.0 as f64 / 1000.0);
        }
    }
}
