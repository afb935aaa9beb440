//! A small client of Kubernetes API servers, one connection a request.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::Value;

use super::super::PATIENCE;
use super::super::http::{Response, exchange};
use super::credentials::Identity;

/// A server, and who is asking.
#[derive(Clone)]
pub(crate) struct Api {
    address: SocketAddr,
    config: Arc<ClientConfig>,
    agent: String,
}

impl Api {
    /// Trusts this authority, and shows this certificate.
    pub(crate) fn new(address: SocketAddr, authority: &str, identity: &Identity) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(authority.as_bytes()).unwrap()).unwrap();
        let chain = vec![CertificateDer::from_pem_slice(identity.certificate.as_bytes()).unwrap()];
        let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).unwrap();
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let builder = builder.with_safe_default_protocol_versions().unwrap();
        let config = builder.with_root_certificates(roots).with_client_auth_cert(chain, key);
        Self { address, config: Arc::new(config.unwrap()), agent: "test".to_owned() }
    }

    /// The same, which calls itself by this name.
    pub(crate) fn called(&self, agent: &str) -> Self {
        Self { agent: agent.to_owned(), ..self.clone() }
    }

    /// Asks a server that may be away; what is no whole response is an error. A PATCH is a merge patch.
    pub(crate) fn try_send(&self, method: &str, path: &str, body: &str) -> io::Result<Response> {
        let media_type = match method {
            "PATCH" => "application/merge-patch+json",
            _ => "application/json",
        };
        self.try_send_as(method, path, media_type, body)
    }

    /// The same, with a body of this type.
    pub(crate) fn try_send_as(
        &self,
        method: &str,
        path: &str,
        media_type: &str,
        body: &str,
    ) -> io::Result<Response> {
        let stream = TcpStream::connect(self.address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let name = ServerName::from(self.address.ip());
        let connection = ClientConnection::new(Arc::clone(&self.config), name);
        let mut stream = StreamOwned::new(connection.map_err(io::Error::other)?, stream);
        let headers = format!("User-Agent: {}\r\nContent-Type: {media_type}\r\n", self.agent);
        exchange(&mut stream, self.address, &format!("{method} {path}"), &headers, body)
    }

    /// Asks a server that is there.
    #[track_caller]
    pub(crate) fn send(&self, method: &str, path: &str, body: &Value) -> Response {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.try_send(method, path, &body).unwrap_or_else(|it| panic!("{method} {path}: {it}"))
    }

    /// Asks as one who has to, and must succeed.
    #[track_caller]
    pub(crate) fn must(&self, method: &str, path: &str, body: &Value) -> Value {
        let response = self.send(method, path, body);
        let is_done = (200..300).contains(&response.status);
        assert!(is_done, "{method} {path} {body}: {} {}", response.status, response.body);
        response.json()
    }

    #[track_caller]
    pub(crate) fn get(&self, path: &str) -> Value {
        self.must("GET", path, &Value::Null)
    }
}
