//! Servers of a test's own: what API servers ask (webhooks, servers of API groups), and what stands before an API server.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use rustls::crypto::ring;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use socket2::SockRef;

use super::super::servers::free;
use super::super::tls::pair;

/// What somebody asks.
pub(crate) struct Request {
    pub(crate) method: String,
    /// With its query.
    pub(crate) path: String,
    /// In lower case.
    headers: String,
    pub(crate) body: String,
}

/// Status and body; none where it never answers.
pub(crate) type Answer = Option<(u16, String)>;

/// A server, which takes connections until it is dropped.
pub(crate) struct Answers {
    pub(crate) address: SocketAddr,
    authority: String,
    listener: TcpListener,
}

impl Request {
    /// A header's value, in lower case; or nothing.
    pub(crate) fn header(&self, name: &str) -> &str {
        let mut headers = self.headers.lines().filter_map(|it| it.split_once(": "));
        headers.find(|it| it.0 == name).map(|it| it.1).unwrap_or_default()
    }
}

impl Answers {
    /// Answers over HTTPS.
    pub(crate) fn https(answer: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Self {
        let (certificate, key) = pair();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let builder = builder.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
        let config = builder.with_single_cert(vec![certificate.der().clone()], key).unwrap();
        let config = Arc::new(config);
        Self::start(certificate.pem(), move |stream| {
            let connection = ServerConnection::new(config.clone()).map_err(io::Error::other)?;
            serve(&mut StreamOwned::new(connection, stream), &answer)
        })
    }

    /// Answers over plain HTTP.
    pub(crate) fn http(answer: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Self {
        Self::start(String::new(), move |mut stream| serve(&mut stream, &answer))
    }

    fn start(
        authority: String,
        talk: impl Fn(TcpStream) -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(free()).unwrap();
        let (accepting, talk) = (listener.try_clone().unwrap(), Arc::new(talk));
        thread::spawn(move || {
            while let Ok((stream, _)) = accepting.accept() {
                let talk = talk.clone();
                thread::spawn(move || talk(stream));
            }
        });
        Self { address: listener.local_addr().unwrap(), authority, listener }
    }

    /// Whom its clients trust, as `caBundle` has it.
    pub(crate) fn bundle(&self) -> String {
        BASE64_STANDARD.encode(&self.authority)
    }
}

impl Drop for Answers {
    fn drop(&mut self) {
        let _ = SockRef::from(&self.listener).shutdown(Shutdown::Both);
    }
}

/// Answers one request.
fn serve(stream: &mut (impl Read + Write), answer: &impl Fn(&Request) -> Answer) -> io::Result<()> {
    let mut head = Vec::new();
    let mut octet = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut octet)?;
        head.push(octet[0]);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let (first, headers) = head.split_once("\r\n").unwrap();
    let mut words = first.split(' ').map(str::to_owned);
    let mut request = Request {
        method: words.next().unwrap_or_default(),
        path: words.next().unwrap_or_default(),
        headers: headers.to_lowercase(),
        body: String::new(),
    };
    let mut body = vec![0; request.header("content-length").parse().unwrap_or_default()];
    stream.read_exact(&mut body)?;
    request.body = String::from_utf8_lossy(&body).into_owned();
    let Some((status, body)) = answer(&request) else {
        // Until the client has had enough.
        return stream.read(&mut octet).map(drop);
    };
    write!(
        stream,
        "HTTP/1.1 {status} So\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )?;
    stream.flush()
}
