//! How queries are taken over TLS, HTTPS and QUIC.

use std::net::SocketAddr;
use std::sync::Arc;

use super::files::Library;
use super::identity::IdentityFiles;
use super::monitor::{Keys, file};
use super::overlap;
use super::problem::Log;
use super::reader::{Section, text};
use super::server::MAX_LISTEN;
use super::tree::Node;
use crate::model::TlsIdentity;

const HTTPS_PATH: &str = "/dns-query";
const MAX_CONNECTIONS: usize = 1000;

/// How queries are taken over TLS, HTTPS and QUIC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encrypted {
    /// Where queries are answered over TLS (RFC 7858), each once; mostly none.
    pub tls: Vec<SocketAddr>,
    /// Where queries are answered over HTTPS (RFC 8484), by HTTP/2 over TCP and by HTTP/3 over UDP.
    pub https: Vec<SocketAddr>,
    /// Where queries are answered over QUIC (RFC 9250).
    pub quic: Vec<SocketAddr>,
    /// The path of queries over HTTPS; begins with `/`, and has no query.
    pub https_path: Arc<str>,
    /// What clients are shown; there if any of the lists has an address.
    pub identity: Option<TlsIdentity>,
    /// Connections of all three that may be open at the same time, 1–100,000.
    pub max_connections: usize,
}

/// What a list of addresses listens on.
#[derive(Clone, Copy)]
struct Ports {
    key: &'static str,
    tcp: bool,
    udp: bool,
}

impl Ports {
    const PLAIN: Self = Self { key: "listen", tcp: true, udp: true };
    const TLS: Self = Self { key: "listen_tls", tcp: true, udp: false };
    const HTTPS: Self = Self { key: "listen_https", tcp: true, udp: true };
    const QUIC: Self = Self { key: "listen_quic", tcp: false, udp: true };

    fn share_with(self, other: Self) -> bool {
        self.tcp && other.tcp || self.udp && other.udp
    }
}

impl Encrypted {
    /// Reads the keys of `[server]` beside `plain`, the addresses of its list `listen`.
    pub(super) fn read(
        section: &Section<'_>,
        plain: &[SocketAddr],
        library: &Library<'_>,
        log: &Log,
    ) -> Self {
        let mut known: Vec<(Ports, SocketAddr)> =
            plain.iter().map(|it| (Ports::PLAIN, *it)).collect();
        let [tls, https, quic] = [Ports::TLS, Ports::HTTPS, Ports::QUIC].map(|ports| {
            let addresses = section.right(ports.key, MAX_LISTEN, |node: &Node| match text(node) {
                Some(text) => text.parse().map_err(|_| ""),
                None => Err(""),
            });
            for address in &addresses {
                complain_of_overlap(section, ports, address, &known);
                known.push((ports, *address));
            }
            addresses
        });
        let errors = log.errors();
        let table = section.table("tls");
        let identity = table.as_ref().and_then(|it| identity(it, library, log));
        if identity.is_none() && log.errors() == errors {
            let lists = [(Ports::TLS, &tls), (Ports::HTTPS, &https), (Ports::QUIC, &quic)];
            if let Some((ports, _)) = lists.into_iter().find(|(_, list)| !list.is_empty()) {
                let needs = "needs a certificate; write `certificate` and `key` in `[server.tls]`";
                section.wrong(ports.key, needs);
            }
        }
        let max_connections = table.as_ref().and_then(|it| it.integer("max_connections"));
        Self {
            tls,
            https,
            quic,
            https_path: section.parse("https_path", path).unwrap_or_else(|| HTTPS_PATH.into()),
            identity,
            max_connections: max_connections.unwrap_or(MAX_CONNECTIONS),
        }
    }

    /// Whether there is any address at all.
    pub fn is_on(&self) -> bool {
        !(self.tls.is_empty() && self.https.is_empty() && self.quic.is_empty())
    }

    /// The addresses at which TCP ports are taken, each with the key that says so.
    pub(super) fn tcp(&self) -> impl Iterator<Item = (&'static str, &SocketAddr)> {
        let tls = self.tls.iter().map(|it| (Ports::TLS.key, it));
        tls.chain(self.https.iter().map(|it| (Ports::HTTPS.key, it)))
    }
}

fn complain_of_overlap(
    section: &Section<'_>,
    ports: Ports,
    address: &SocketAddr,
    known: &[(Ports, SocketAddr)],
) {
    let clashes =
        |(other, it): &&(Ports, SocketAddr)| ports.share_with(*other) && overlap(it, address);
    let Some((other, clash)) = known.iter().find(clashes) else { return };
    let message = match other.key {
        key if key != ports.key => {
            format!("{address} overlaps with {clash} of `server.{key}`; take another port")
        }
        _ if clash == address => format!("{address} is in the list twice; remove one"),
        _ => format!("{clash} and {address} overlap; remove one of them"),
    };
    section.wrong(ports.key, message);
}

/// The certificate and the key. None if either is not written, or something is wrong with them, which is told.
pub(super) fn identity(
    section: &Section<'_>,
    library: &Library<'_>,
    log: &Log,
) -> Option<TlsIdentity> {
    let keys = Keys { section, layer: 0 };
    let [certificate, key] =
        ["certificate", "key"].map(|it| keys.written(it, file(section, it, log)));
    // What is no path was complained about, and is not shown: it may be the key itself.
    for (key, file, other) in [("certificate", &certificate, "key"), ("key", &key, "certificate")] {
        if file.is_some() && section.find(other).is_none() {
            section.wrong(key, format!("is of no use alone; write `{other}` too"));
        }
    }
    IdentityFiles::new(library, log).read(&certificate?, &key?)
}

/// A path without a query (RFC 3986 3.3).
fn path(text: &str) -> Result<Arc<str>, &'static str> {
    let is_plain = |it: u8| it.is_ascii_alphanumeric() || b"/-._~!$&'()*+,;=:@%".contains(&it);
    let is_path = text.starts_with('/') && text.len() <= 255 && text.bytes().all(is_plain);
    is_path.then(|| text.into()).ok_or("")
}
