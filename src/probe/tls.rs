//! The TLS handshake of a probe.

use std::sync::Arc;

use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, ClientConfig, Error as TlsError, RootCertStore};
use std::io;
use std::time::Duration;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::reason::{self, Failure};
use super::trail::Trail;
use super::wire::Wire;
use crate::model::Timestamp;

/// Shakes hands with the server as a client that wants `host`: by name with SNI, or by address without (RFC 6066 3).
pub(super) async fn handshake(
    stream: Wire,
    host: &str,
    config: Arc<ClientConfig>,
    trail: &mut Trail,
) -> Result<TlsStream<Wire>, Failure> {
    let name = server_name(host)?;
    let stream = TlsConnector::from(config).connect(name, stream).await.map_err(|error| {
        trail.certificate_expires = expired(&error);
        match reason::of_io(&error) {
            Failure::Endpoint(text) if error.kind() == io::ErrorKind::UnexpectedEof => {
                Failure::Endpoint(format!("{text} in the handshake"))
            }
            failure => failure,
        }
    })?;
    let leaf = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first());
    trail.certificate_expires = leaf.and_then(expiry);
    Ok(stream)
}

fn server_name(host: &str) -> Result<ServerName<'static>, Failure> {
    let bare = host.strip_prefix('[').and_then(|it| it.strip_suffix(']')).unwrap_or(host);
    ServerName::try_from(bare.to_owned()).map_err(|_| {
        Failure::Endpoint(format!("`{host}` is no name that a certificate can be for"))
    })
}

/// When the certificate that failed the handshake expired, if that was why.
fn expired(error: &io::Error) -> Option<Timestamp> {
    match error.get_ref()?.downcast_ref()? {
        TlsError::InvalidCertificate(CertificateError::ExpiredContext { not_after, .. }) => {
            timestamp(*not_after)
        }
        _ => None,
    }
}

/// When a certificate expires. The verifier doesn't show it for a valid one, but complains of it when asked whether the
/// certificate is valid at the end of time; it looks at that before any signature, so the question is cheap.
fn expiry(certificate: &CertificateDer<'_>) -> Option<Timestamp> {
    let certificate = ParsedCertificate::try_from(certificate).ok()?;
    let end_of_time = UnixTime::since_unix_epoch(Duration::from_secs(u64::MAX));
    let nobody = RootCertStore::empty();
    match verify_server_cert_signed_by_trust_anchor(&certificate, &nobody, &[], end_of_time, &[]) {
        Err(TlsError::InvalidCertificate(CertificateError::ExpiredContext {
            not_after, ..
        })) => timestamp(not_after),
        _ => None,
    }
}

fn timestamp(time: UnixTime) -> Option<Timestamp> {
    let seconds = i64::try_from(time.as_secs()).ok()?;
    seconds.checked_mul(1000).map(Timestamp)
}

#[cfg(test)]
#[path = "tls_tests.rs"]
mod tests;
