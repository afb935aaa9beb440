//! What servers of TLS have in common: whom they are by their certificate, and whom they talk to by that of a client.

mod names;

pub use names::alternative_names;

use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::danger::ClientCertVerifier;
use rustls::{Error as TlsError, ServerConfig, SupportedProtocolVersion};

use crate::model::TlsIdentity;

/// How handshakes go of a server with this identity, which speaks one protocol (ALPN, RFC 7301). Nobody gets to send anything
/// before the handshake is over: whoever recorded it could have it done again.
///
/// # Errors
/// When the certificate can't be used with its key.
pub fn server_config(
    identity: &TlsIdentity,
    versions: &[&'static SupportedProtocolVersion],
    clients: Arc<dyn ClientCertVerifier>,
    protocol: &[u8],
) -> Result<ServerConfig, TlsError> {
    let chain = identity.certificates.iter().map(|it| CertificateDer::from(it.to_vec()));
    let key = PrivateKeyDer::try_from(identity.key.to_vec())
        .map_err(|why| TlsError::General(why.to_owned()))?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(versions)?
        .with_client_cert_verifier(clients)
        .with_single_cert(chain.collect(), key)?;
    config.max_early_data_size = 0;
    config.alpn_protocols = vec![protocol.to_vec()];
    Ok(config)
}
