//! TLS of the API's connections.

use std::fmt;
use std::io;
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::{Error as TlsError, RootCertStore, ServerConfig};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::model::TrustAnchors;
use crate::settings::AdminTls;
use crate::tls::{alternative_names, server_config};

const PROTOCOL: &[u8] = b"http/1.1";
/// What a connection in TLS begins with: the content type of a handshake (RFC 8446 5.1).
const HANDSHAKE: u8 = 22;

/// How handshakes with clients of the API go. Clones are the same.
#[derive(Clone)]
pub struct TlsKeys {
    config: Arc<ServerConfig>,
    client_ca: Option<TrustAnchors>,
    requires_certificate: bool,
}

impl fmt::Debug for TlsKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TlsKeys")
    }
}

impl TlsKeys {
    /// Makes of the settings what handshakes need.
    ///
    /// # Errors
    /// When certificate and key don't belong together, or can't be used.
    pub fn new(settings: &AdminTls) -> Result<Self, TlsError> {
        let required = settings.require_client_certificate;
        let clients = verifier(settings.client_ca.as_ref(), required)?;
        let versions = rustls::ALL_VERSIONS;
        let mut config = server_config(&settings.identity, versions, clients, PROTOCOL)?;
        // A session that is resumed would bring a client's certificate that nobody looks at again.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        let client_ca = settings.client_ca.clone();
        Ok(Self { config: Arc::new(config), client_ca, requires_certificate: required })
    }

    /// Whether whoever was let in by the one would be by the other. What clients are shown makes no difference.
    pub(super) fn trust_as(&self, other: &Self) -> bool {
        self.client_ca == other.client_ca && self.requires_certificate == other.requires_certificate
    }

    pub(super) async fn shake_hands(&self, stream: TcpStream) -> io::Result<Shaken> {
        let mut first = [0];
        if stream.peek(&mut first).await? > 0 && first != [HANDSHAKE] {
            return Ok(Shaken::Plain(stream));
        }
        let stream = TlsAcceptor::from(self.config.clone()).accept(stream).await?;
        let certificates = stream.get_ref().1.peer_certificates().unwrap_or_default();
        let names = certificates.first().map(|it| alternative_names(it)).unwrap_or_default();
        Ok(Shaken::Secure(Box::new(stream), names.into()))
    }
}

/// What became of a handshake.
pub(super) enum Shaken {
    /// With the alternative names of the client's certificate.
    Secure(Box<TlsStream<TcpStream>>, Arc<[String]>),
    /// The client speaks something else.
    Plain(TcpStream),
}

fn verifier(
    client_ca: Option<&TrustAnchors>,
    required: bool,
) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    let Some(client_ca) = client_ca else { return Ok(WebPkiClientVerifier::no_client_auth()) };
    let mut roots = RootCertStore::empty();
    for certificate in client_ca.certificates.iter() {
        roots.add(CertificateDer::from(certificate.as_ref()))?;
    }
    let provider = Arc::new(ring::default_provider());
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
    let builder = if required { builder } else { builder.allow_unauthenticated() };
    builder.build().map_err(|error| TlsError::General(error.to_string()))
}
