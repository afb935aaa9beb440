//! What clients over TLS, HTTPS and QUIC are shown, and what the server agrees to speak.

use std::fmt;
use std::sync::Arc;

use quinn::crypto::rustls::QuicServerConfig;
use rustls::crypto::ring;
use rustls::server::WebPkiClientVerifier;
use rustls::{Error as TlsError, ServerConfig, SupportedProtocolVersion};

use super::{doq, http2, http3};
use crate::model::TlsIdentity;
use crate::tls::server_config;

/// How handshakes go, for each protocol (ALPN, RFC 7301). Clones are the same.
#[derive(Clone)]
pub struct TlsKeys {
    pub(super) tls: Arc<ServerConfig>,
    pub(super) https: Arc<ServerConfig>,
    pub(super) doq: quinn::ServerConfig,
    pub(super) http3: quinn::ServerConfig,
}

impl fmt::Debug for TlsKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TlsKeys")
    }
}

impl TlsKeys {
    /// Makes of a certificate and its key what handshakes need.
    ///
    /// # Errors
    /// When they don't belong together, or can't be used.
    pub fn new(identity: &TlsIdentity) -> Result<Self, TlsError> {
        let both = rustls::ALL_VERSIONS;
        Ok(Self {
            tls: Arc::new(config(identity, both, b"dot")?),
            https: Arc::new(config(identity, both, http2::ALPN)?),
            doq: quic(identity, doq::ALPN)?,
            http3: quic(identity, http3::ALPN)?,
        })
    }
}

/// Clients may resume a session for some hours by a ticket, for which nothing is kept here.
fn config(
    identity: &TlsIdentity,
    versions: &[&'static SupportedProtocolVersion],
    protocol: &[u8],
) -> Result<ServerConfig, TlsError> {
    let mut config =
        server_config(identity, versions, WebPkiClientVerifier::no_client_auth(), protocol)?;
    config.ticketer = ring::Ticketer::new()?;
    Ok(config)
}

/// The same for QUIC, which has TLS 1.3 alone (RFC 9001 4.2).
fn quic(identity: &TlsIdentity, protocol: &[u8]) -> Result<quinn::ServerConfig, TlsError> {
    let config = config(identity, &[&rustls::version::TLS13], protocol)?;
    let config = QuicServerConfig::try_from(config);
    let config = config.map_err(|error| TlsError::General(error.to_string()))?;
    Ok(quinn::ServerConfig::with_crypto(Arc::new(config)))
}
