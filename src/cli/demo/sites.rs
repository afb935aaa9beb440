//! Small HTTPS servers that fail when they are told to.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use rustls::ServerConfig;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

use super::config::{Plan, SITE_PORT};

/// How long a client may take for its request.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long to wait with taking a port again that somebody else has now.
const RETRY: Duration = Duration::from_millis(200);
/// A request's head is shorter than this.
const LONGEST_HEAD: u64 = 16 * 1024;
/// Ports that are tried until one is free on every address.
const ATTEMPTS: usize = 50;

/// Every site of the demo, until it is dropped.
#[derive(Debug)]
pub(super) struct Sites {
    port: u16,
    sites: Vec<(String, watch::Sender<bool>)>,
    _serving: JoinSet<()>,
}

impl Sites {
    /// Starts them all on one port, the usual one if it is free.
    pub(super) async fn start(plan: &Plan, tls: Arc<ServerConfig>) -> anyhow::Result<Self> {
        let (port, listeners) = listen(plan).await?;
        let acceptor = TlsAcceptor::from(tls);
        let mut serving = JoinSet::new();
        let mut sites = Vec::new();
        for (name, listener) in plan.sites.keys().zip(listeners) {
            let (is_up, told) = watch::channel(true);
            serving.spawn(serve(name.clone(), listener, acceptor.clone(), told));
            sites.push((name.clone(), is_up));
        }
        Ok(Self { port, sites, _serving: serving })
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// Tells a site to fail, by listening no more, or to come back.
    pub(super) fn set(&self, name: &str, is_up: bool) {
        if let Some((_, site)) = self.sites.iter().find(|it| it.0 == name) {
            site.send_replace(is_up);
        }
    }
}

/// A listener for every site, all on one port.
async fn listen(plan: &Plan) -> anyhow::Result<(u16, Vec<TcpListener>)> {
    let mut last = None;
    for port in std::iter::once(SITE_PORT).chain(std::iter::repeat_n(0, ATTEMPTS)) {
        match listen_on(plan, port).await {
            Ok(found) => return Ok(found),
            Err(error) => last = Some(error),
        }
    }
    let error = last.context("no port was tried")?;
    Err(error).context("found no port that is free on the addresses of all sites")
}

/// With port 0 the first site's address decides.
async fn listen_on(plan: &Plan, mut port: u16) -> anyhow::Result<(u16, Vec<TcpListener>)> {
    let mut listeners = Vec::new();
    for address in plan.sites.values() {
        let listener = bind(*address, port).await?;
        port = listener.local_addr().context("a site has no address")?.port();
        listeners.push(listener);
    }
    Ok((port, listeners))
}

async fn bind(address: IpAddr, port: u16) -> anyhow::Result<TcpListener> {
    let address = SocketAddr::new(address, port);
    TcpListener::bind(address).await.with_context(|| format!("could not listen on {address}"))
}

/// Serves while it is told to be up. Gone are the listener and every connection while it is not.
async fn serve(
    name: String,
    listener: TcpListener,
    acceptor: TlsAcceptor,
    mut is_up: watch::Receiver<bool>,
) {
    let Ok(address) = listener.local_addr() else { return };
    let mut listener = Some(listener);
    loop {
        if let Some(listener) = listener.take() {
            tokio::select! {
                () = accept(&name, &listener, &acceptor) => {}
                told = is_up.wait_for(|it| !it) => if told.is_err() { return },
            }
        }
        if is_up.wait_for(|it| *it).await.is_err() {
            return;
        }
        match TcpListener::bind(address).await {
            Ok(bound) => listener = Some(bound),
            Err(_) => sleep(RETRY).await,
        }
    }
}

async fn accept(name: &str, listener: &TcpListener, acceptor: &TlsAcceptor) {
    let mut connections = JoinSet::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            sleep(RETRY).await; // out of descriptors, perhaps
            continue;
        };
        while connections.try_join_next().is_some() {}
        let (text, acceptor) = (format!("hello from {name}\n"), acceptor.clone());
        connections.spawn(async move {
            // A client that breaks off or dawdles is its own fault.
            let _ = timeout(PATIENCE, answer(stream, &acceptor, &text)).await;
        });
    }
}

/// Answers one request, whatever it asks for, with this text.
async fn answer(stream: TcpStream, acceptor: &TlsAcceptor, text: &str) -> std::io::Result<()> {
    let mut stream = acceptor.accept(stream).await?;
    let mut head = Vec::new();
    let mut reader = (&mut stream).take(LONGEST_HEAD);
    while !head.ends_with(b"\r\n\r\n") {
        head.push(reader.read_u8().await?);
    }
    let length = text.len();
    let response = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{text}"
    );
    stream.write_all(response.as_bytes()).await?;
    stream.shutdown().await
}

#[cfg(test)]
mod tests {
    use super::super::authority::Authority;
    use super::*;
    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::pem::PemObject;
    use rustls::{ClientConfig, RootCertStore};
    use tokio_rustls::TlsConnector;

    fn connector(authority: &Authority) -> TlsConnector {
        let mut roots = RootCertStore::empty();
        let pem = authority.pem();
        roots.add(CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider);
        let builder = builder.with_safe_default_protocol_versions().unwrap();
        Arc::new(builder.with_root_certificates(roots).with_no_client_auth()).into()
    }

    #[tokio::test]
    async fn a_site_answers_fails_and_comes_back() {
        let address = IpAddr::from([127, 0, 0, 14]);
        let plan = Plan {
            sites: [("rio".to_owned(), address)].into(),
            hosts: vec!["app.gtm.example".to_owned()],
        };
        let authority = Authority::new().unwrap();
        let sites = Sites::start(&plan, authority.server(&plan.hosts).unwrap()).await.unwrap();
        let address = SocketAddr::new(address, sites.port());

        let stream = TcpStream::connect(address).await.unwrap();
        let host = "app.gtm.example".try_into().unwrap();
        let mut stream = connector(&authority).connect(host, stream).await.unwrap();
        stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: app.gtm.example\r\n\r\n").await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert!(answer.ends_with("\r\n\r\nhello from rio\n"), "{answer}");

        for is_up in [false, true] {
            sites.set("rio", is_up);
            while TcpStream::connect(address).await.is_ok() != is_up {
                tokio::task::yield_now().await;
            }
        }
    }
}
