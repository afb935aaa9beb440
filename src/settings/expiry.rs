//! When certificates expire.

use std::time::Duration;

use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, Error as TlsError, RootCertStore};

use crate::model::Timestamp;

/// When a certificate in DER expires. The verifier doesn't show it for a valid one, but complains of it when asked whether the
/// certificate is valid at the end of time; it looks at that before any signature, so the question is cheap.
pub(crate) fn expiry(certificate: &[u8]) -> Option<Timestamp> {
    let certificate = CertificateDer::from(certificate);
    let certificate = ParsedCertificate::try_from(&certificate).ok()?;
    let end_of_time = UnixTime::since_unix_epoch(Duration::from_secs(u64::MAX));
    let nobody = RootCertStore::empty();
    match verify_server_cert_signed_by_trust_anchor(&certificate, &nobody, &[], end_of_time, &[]) {
        Err(TlsError::InvalidCertificate(CertificateError::ExpiredContext {
            not_after, ..
        })) => timestamp(not_after),
        _ => None,
    }
}

/// A time of the TLS library's.
pub(crate) fn timestamp(time: UnixTime) -> Option<Timestamp> {
    let seconds = i64::try_from(time.as_secs()).ok()?;
    seconds.checked_mul(1000).map(Timestamp)
}
