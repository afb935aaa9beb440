//! How queries are taken.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use super::encrypted::Encrypted;
use super::files::Library;
use super::overlap;
use super::problem::Log;
use super::reader::{Section, text};
use super::secret::Secrets;
use super::tree::Node;

pub(super) const MAX_LISTEN: usize = 64;
/// So many that a set of instances can change them one after the other, and no more than each bad cookie may cost.
const MAX_SECRETS: usize = 4;
/// DNS flag day 2020: what no path on the internet breaks into fragments.
const UDP_SIZE: u16 = 1232;
const TCP_MAX_CONNECTIONS: usize = 1000;
const TCP_IDLE_TIMEOUT: Duration = Duration::from_secs(10);

/// How queries are taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Where queries are answered, over UDP and TCP; never empty, each once.
    pub listen: Vec<SocketAddr>,
    /// Threads that answer over UDP, at least 1.
    pub workers: usize,
    /// The answer to version.bind, 1–255 octets; none refuses the question.
    pub version: Option<String>,
    /// The answer to id.server and NSID, 1–255 octets; none refuses the question.
    pub id: Option<String>,
    /// The largest UDP message that is advertised and sent, 512–4096 octets.
    pub udp_size: u16,
    /// TCP connections that may be open at the same time, 1–100,000.
    pub tcp_max_connections: usize,
    /// How long a TCP connection may be silent, 2 s–1 h (RFC 7766).
    pub tcp_idle_timeout: Duration,
    /// What cookies are signed with: the first signs, all verify. Without any, one is made up at the start.
    pub cookie_secrets: Vec<CookieSecret>,
    /// Whether clients that send a cookie without a good server part get another one, and no answer over UDP until they use it.
    pub require_server_cookie: bool,
    /// How queries are taken over TLS, HTTPS and QUIC.
    pub encrypted: Encrypted,
}

/// What server cookies are signed with (RFC 9018 4.4); shown nowhere.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct CookieSecret(pub [u8; 16]);

impl fmt::Debug for CookieSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CookieSecret")
    }
}

impl CookieSecret {
    fn read(node: &Node, secrets: &Secrets<'_>) -> Result<Self, String> {
        let text = text(node).ok_or_else(String::new)?;
        let digits = secrets.fill(text, &node.place)?;
        let is_one = digits.len() == 32 && digits.bytes().all(|it| it.is_ascii_hexdigit());
        let number = u128::from_str_radix(&digits, 16).ok().filter(|_| is_one);
        number.map(|it| Self(it.to_be_bytes())).ok_or_else(String::new)
    }
}

impl Server {
    pub(super) fn read(
        root: &Section<'_>,
        secrets: &Secrets<'_>,
        library: &Library<'_>,
        log: &Log,
    ) -> Option<Self> {
        let section = root.table("server")?;
        let octets = |text: &str| match text.len() {
            1..=255 => Ok(text.to_owned()),
            _ => Err(""),
        };
        let listen = section.right("listen", MAX_LISTEN, |node: &Node| match text(node) {
            Some(text) => text.parse().map_err(|_| ""),
            None => Err(""),
        });
        let listen = match section.find("listen") {
            Some(_) => listen,
            None => vec![SocketAddr::from(([0; 4], 53)), SocketAddr::from(([0_u16; 8], 53))],
        };
        let earlier = |index| listen.iter().take(index);
        for (index, address) in listen.iter().enumerate() {
            let Some(other) = earlier(index).find(|it| overlap(it, address)) else { continue };
            let message = if other == address {
                format!("{address} is in the list twice; remove one")
            } else {
                format!("{other} and {address} overlap; remove one of them")
            };
            section.wrong("listen", message);
            break;
        }
        let secret = |node: &Node| CookieSecret::read(node, secrets);
        let cookie_secrets = section.list("cookie_secrets", MAX_SECRETS, secret);
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        Some(Self {
            workers: section.integer("workers").unwrap_or_else(cores),
            version: section.parse("version", octets),
            id: section.parse("id", octets),
            udp_size: section.integer("udp_size").unwrap_or(UDP_SIZE),
            tcp_max_connections: section
                .integer("tcp_max_connections")
                .unwrap_or(TCP_MAX_CONNECTIONS),
            tcp_idle_timeout: section.duration("tcp_idle_timeout").unwrap_or(TCP_IDLE_TIMEOUT),
            cookie_secrets: cookie_secrets.unwrap_or_default(),
            require_server_cookie: section.boolean("require_server_cookie").unwrap_or(false),
            encrypted: Encrypted::read(&section, &listen, library, log),
            listen,
        })
    }
}
