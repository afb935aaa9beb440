//! A certificate for a daemon, and clients that trust it.

use std::fs;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use rcgen::{CertificateParams, KeyPair, SanType};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::daemon::{Daemon, Home};
use super::{PATIENCE, loopback, wait_until};

/// Who the daemon is by its certificate.
pub(crate) const NAME: &str = "dns.farol.test";

/// The lines of `[server.tls]` that name the files which [`renew`] writes.
pub(crate) const FILES: &str = "[server.tls]\ncertificate = 'tls.crt'\nkey = 'tls.key'\n";

/// The most connections of a [`Server`].
pub(crate) const LIMIT: usize = 16;

/// A home whose daemon listens over this (`tls`, `https`, `quic`) too, with these further lines of `[server]`. Its zone has a small
/// answer and one of 40,000 octets.
pub(crate) fn home(over: &str, idle: &str, more: &str) -> (Home, CertificateDer<'static>) {
    let config = format!(
        "[server]\nlisten_{over} = '{}:0'\ntcp_idle_timeout = '{idle}'\n{more}{FILES}max_connections = {LIMIT}\n
         [[zone]]\nname = 'gtm.example.'\nfile = 'gtm.zone'\n",
        loopback(),
    );
    let home = Home::new(&config);
    let long: String = (0..200).map(|it| format!("long TXT \"{it:0>200}\"\n")).collect();
    let soa = "@ SOA ns hostmaster 1 2 3 4 5\n@ NS ns\nns 30 A 192.0.2.1\n";
    home.write("gtm.zone", &format!("$TTL 60\n{soa}{long}"));
    let certificate = renew(&home);
    (home, certificate)
}

/// A daemon that answers over TLS, HTTPS or QUIC.
pub(crate) struct Server {
    pub(crate) daemon: Daemon,
    pub(crate) at: SocketAddr,
    pub(crate) certificate: CertificateDer<'static>,
}

impl Server {
    /// Starts a daemon with such a [`home`].
    pub(crate) fn over(over: &str, idle: &str, more: &str) -> Self {
        let (home, certificate) = home(over, idle, more);
        let daemon = home.start().ready();
        Self { at: listens(&daemon, over), daemon, certificate }
    }
}

/// Writes a new certificate and its key; gives the certificate.
pub(crate) fn renew(home: &Home) -> CertificateDer<'static> {
    let (certificate, key) = pair();
    home.write("tls.key", &key.serialize_pem());
    let private = fs::Permissions::from_mode(0o600);
    fs::set_permissions(home.path("tls.key"), private).unwrap();
    home.write("tls.crt", &certificate.pem());
    certificate.der().clone()
}

/// A certificate that is its own authority, and its key.
pub(crate) fn pair() -> (rcgen::Certificate, KeyPair) {
    let mut parameters = CertificateParams::new([NAME.to_owned()]).unwrap();
    parameters.subject_alt_names.push(SanType::IpAddress("127.0.0.1".parse().unwrap()));
    let key = KeyPair::generate().unwrap();
    (parameters.self_signed(&key).unwrap(), key)
}

/// A client that trusts nobody but this certificate, and speaks this protocol.
pub(crate) fn config(certificate: &CertificateDer<'static>, protocol: &[u8]) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone()).unwrap();
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider);
    let builder = builder.with_safe_default_protocol_versions().unwrap();
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![protocol.to_vec()];
    config
}

/// A TCP connection in TLS.
pub(crate) type TlsStream = StreamOwned<ClientConnection, TcpStream>;

/// Connects and shakes hands.
pub(crate) fn connect(server: SocketAddr, config: ClientConfig) -> io::Result<TlsStream> {
    let stream = TcpStream::connect(server)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let name = ServerName::try_from(NAME).unwrap();
    let connection = ClientConnection::new(Arc::new(config), name).map_err(io::Error::other)?;
    let mut stream = StreamOwned::new(connection, stream);
    while stream.conn.is_handshaking() {
        stream.conn.complete_io(&mut stream.sock)?;
    }
    Ok(stream)
}

/// Where the daemon answers over `tls`, `https` or `quic`.
#[track_caller]
pub(crate) fn listens(daemon: &Daemon, over: &str) -> SocketAddr {
    daemon.event("started", 0)[over].as_str().unwrap().parse().unwrap()
}

/// A metric's value.
#[track_caller]
pub(crate) fn metric(daemon: &Daemon, series: &str) -> f64 {
    let metrics = daemon.api.get("/metrics").body;
    let prefix = format!("{series} ");
    let value = metrics.lines().find_map(|it| it.strip_prefix(&prefix));
    value.unwrap_or_else(|| panic!("no {series}")).parse().unwrap()
}

/// How often something was not answered for this reason.
#[track_caller]
pub(crate) fn dropped(daemon: &Daemon, reason: &str) -> f64 {
    metric(daemon, &format!("farol_dns_dropped_total{{reason=\"{reason}\"}}"))
}

/// Waits until so much was not answered for this reason: what clients see may come before it is counted.
#[track_caller]
pub(crate) fn wait_dropped(daemon: &Daemon, reason: &str, least: usize) {
    wait_until(&format!("{least} {reason}"), || dropped(daemon, reason) >= least as f64);
}
