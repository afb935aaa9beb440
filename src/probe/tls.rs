//! The TLS handshake of a probe.

use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::{CertificateError, ClientConfig, Error as TlsError};
use std::io;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::reason::{self, Failure};
use super::trail::Trail;
use super::wire::Wire;
use crate::model::Timestamp;
use crate::settings::{expiry, timestamp};

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
    trail.certificate_expires = leaf.and_then(|it| expiry(it));
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

#[cfg(test)]
#[path = "tls_tests.rs"]
mod tests;
