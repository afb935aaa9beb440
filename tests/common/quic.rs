//! A client of QUIC, on tokio.

use std::net::SocketAddr;
use std::sync::Arc;

use quinn::crypto::rustls::QuicClientConfig;
use quinn::{ClientConfig, Connection, ConnectionError, Endpoint, TransportConfig, VarInt};
use rustls::pki_types::CertificateDer;

use super::tls;

/// A client that trusts nobody but this certificate, speaks this protocol, and takes so many octets that it has not read.
pub(crate) fn endpoint(
    certificate: &CertificateDer<'static>,
    protocol: &[u8],
    window: u32,
) -> Endpoint {
    let mut endpoint = Endpoint::client("127.0.0.1:0".parse().unwrap()).unwrap();
    let config = QuicClientConfig::try_from(tls::config(certificate, protocol)).unwrap();
    let mut config = ClientConfig::new(Arc::new(config));
    let mut transport = TransportConfig::default();
    transport.stream_receive_window(VarInt::from_u32(window));
    transport.receive_window(VarInt::from_u32(window));
    config.transport_config(Arc::new(transport));
    endpoint.set_default_client_config(config);
    endpoint
}

/// A connection of a new client, with the endpoint that must live as long.
pub(crate) async fn connect(
    server: SocketAddr,
    certificate: &CertificateDer<'static>,
    protocol: &[u8],
) -> Result<(Connection, Endpoint), ConnectionError> {
    let endpoint = endpoint(certificate, protocol, 16 << 20);
    let connection = endpoint.connect(server, tls::NAME).unwrap().await?;
    Ok((connection, endpoint))
}
