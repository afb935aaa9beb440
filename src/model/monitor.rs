use std::fmt;
use std::hash::{Hash, Hasher};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use super::{BodyCheck, Name, TlsCheck, Verdict};

/// How an endpoint is probed, with every default filled in. Endpoints that are probed alike have equal monitors.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Monitor {
    /// What a probe is.
    pub protocol: Protocol,
    /// Where probes come from.
    pub source: Sources,
    /// From the start of one probe to the start of the next, while there is no doubt.
    pub interval: Duration,
    /// For the whole probe, from the first packet to the verdict on the answer.
    pub timeout: Duration,
    /// The interval while the last results speak against the verdict.
    pub fast_interval: Duration,
    /// The (n+1)th failure in a row turns an endpoint Degraded.
    pub tolerated_failures: u8,
    /// Passes in a row that turn a Degraded endpoint Online; at least 1.
    pub required_successes: u8,
    /// Whether an idle connection is held open, so that its end has the endpoint probed at once.
    pub watch_connection: bool,
    /// What holds an endpoint down that keeps failing and recovering.
    pub flap: Flap,
}

/// What a probe does after it knows where to go.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// An HTTP request without TLS.
    Http(HttpCheck),
    /// An HTTP request over TLS.
    Https(HttpCheck, TlsCheck),
    /// A TCP connection that is opened and closed.
    Tcp,
    /// A TLS handshake for this host, by name or address, and nothing after it.
    Tls(Arc<str>, TlsCheck),
    /// A question of gRPC's health protocol, grpc.health.v1.
    Grpc(GrpcCheck),
    /// A program that is run.
    Exec(ExecCheck),
    /// Nothing is sent: the site reports how it is.
    Push(PushCheck),
    /// Not probed: always served unless an operator says otherwise.
    None,
}

impl Protocol {
    /// The word in the configuration.
    pub const fn label(&self) -> &'static str {
        match self {
            Self::Http(_) => "http",
            Self::Https(..) => "https",
            Self::Tcp => "tcp",
            Self::Tls(..) => "tls",
            Self::Grpc(_) => "grpc",
            Self::Exec(_) => "exec",
            Self::Push(_) => "push",
            Self::None => "none",
        }
    }

    /// The request and the answer that passes, where a probe is of HTTP.
    pub const fn http(&self) -> Option<&HttpCheck> {
        match self {
            Self::Http(check) | Self::Https(check, _) => Some(check),
            Self::Tcp
            | Self::Tls(..)
            | Self::Grpc(_)
            | Self::Exec(_)
            | Self::Push(_)
            | Self::None => None,
        }
    }

    /// The host that is asked for.
    pub const fn host(&self) -> Option<&Arc<str>> {
        match self {
            Self::Http(check) | Self::Https(check, _) => Some(&check.host),
            Self::Tls(host, _) => Some(host),
            Self::Grpc(check) => Some(&check.host),
            Self::Tcp | Self::Exec(_) | Self::Push(_) | Self::None => None,
        }
    }

    /// What is demanded of TLS, where a probe speaks it.
    pub const fn tls(&self) -> Option<&TlsCheck> {
        match self {
            Self::Https(_, check) | Self::Tls(_, check) => Some(check),
            Self::Grpc(check) => check.tls.as_ref(),
            Self::Http(_) | Self::Tcp | Self::Exec(_) | Self::Push(_) | Self::None => None,
        }
    }
}

/// The addresses of this machine that probes are bound to: at most one of each family. Where there is none of either, the
/// operating system chooses; where there is one of either, every address that is probed has one of its family.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Sources {
    /// For probes of IPv4 addresses.
    pub v4: Option<Ipv4Addr>,
    /// For probes of IPv6 addresses.
    pub v6: Option<Ipv6Addr>,
}

impl Sources {
    /// The address to probe this one from.
    pub fn of(self, probed: IpAddr) -> Option<IpAddr> {
        match probed {
            IpAddr::V4(_) => self.v4.map(IpAddr::V4),
            IpAddr::V6(_) => self.v6.map(IpAddr::V6),
        }
    }

    /// Whether there is one for this address, or the operating system chooses for all.
    pub fn suit(self, probed: IpAddr) -> bool {
        self == Self::default() || self.of(probed).is_some()
    }
}

/// The request of an HTTP probe and what counts as a good answer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HttpCheck {
    /// The request's method.
    pub method: HttpMethod,
    /// The Host header, and the name in TLS's SNI that the certificate must be for.
    pub host: Arc<str>,
    /// Absolute path with an optional query.
    pub path: Arc<str>,
    /// Further headers; they may replace none of the above.
    pub headers: Vec<Header>,
    /// The statuses that pass; every other one fails, redirects too.
    pub expected_status: Vec<RangeInclusive<u16>>,
    /// What the body must have in it; without it the body is not read.
    pub body: Option<BodyCheck>,
}

/// The request of a gRPC probe.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct GrpcCheck {
    /// The `:authority`, and the name in TLS's SNI that the certificate must be for.
    pub host: Arc<str>,
    /// The service that is asked about; empty for the server as a whole.
    pub service: Arc<str>,
    /// What is demanded of TLS; without it the probe speaks HTTP/2 in the clear.
    pub tls: Option<TlsCheck>,
}

/// The methods that a probe may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HttpMethod {
    /// Asks for the whole answer; the probe reads no further than it must.
    Get,
    /// Asks for the head alone.
    Head,
}

impl HttpMethod {
    /// The method as HTTP writes it.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
        }
    }
}

/// A request header. Its value may be a credential, so it is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Header {
    /// The header's name, a valid HTTP token.
    pub name: String,
    /// The header's value, visible ASCII and spaces.
    pub value: String,
    /// What the value referred to as it was written: "file:token".
    pub references: Box<[Box<str>]>,
}

impl Hash for Header {
    /// Without the value: what is made of hashes is shown, and a weak secret could be guessed by it.
    fn hash<H: Hasher>(&self, state: &mut H) {
        (&self.name, &self.references).hash(state);
    }
}

impl fmt::Debug for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: (hidden)", self.name)
    }
}

/// The program that an `exec` probe runs.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ExecCheck {
    /// The program's absolute path and its arguments; never empty.
    pub command: Arc<[Box<str>]>,
}

/// Whose reports of a site are believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushCheck {
    /// Of the token that reports are sent with.
    pub token: TokenHash,
    /// What it referred to as it was written: "env:TOKEN".
    pub references: Box<[Box<str>]>,
}

impl Hash for PushCheck {
    /// Without the token, as [`Header`].
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.references.hash(state);
    }
}

/// The SHA-256 of a token, which is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct TokenHash(pub [u8; 32]);

impl TokenHash {
    /// Reads 64 hexadecimal digits.
    pub fn from_hex(digits: &str) -> Option<Self> {
        if digits.len() != 64 || !digits.bytes().all(|it| it.is_ascii_hexdigit()) {
            return None;
        }
        let octet = |at: usize| u8::from_str_radix(digits.get(2 * at..2 * at + 2)?, 16).ok();
        let octets: Vec<u8> = (0..32).map(octet).collect::<Option<_>>()?;
        octets.try_into().map(Self).ok()
    }
}

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(hidden)")
    }
}

/// When an endpoint that keeps going down must prove itself for longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Flap {
    /// How many times it may go down within `window` freely; 0 turns damping off.
    pub count: u8,
    /// How far back going down is counted.
    pub window: Duration,
    /// How long successes must last after one time too many; doubles with each further time.
    pub hold_down: Duration,
    /// Where doubling ends.
    pub max: Duration,
}

/// A name that is probed at whatever addresses it has.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ProbeHost {
    /// The name.
    pub name: Name,
    /// The port of each address.
    pub port: u16,
}

/// One thing to probe: where, and how. Endpoints with equal targets share their probes. Clones share their memory.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ProbeTarget {
    /// Every address is probed; one failure fails the probe. In ascending order, and never empty, unless there is a `host`.
    pub addresses: Arc<[SocketAddr]>,
    /// The name whose addresses are probed instead.
    pub host: Option<Arc<ProbeHost>>,
    /// How each address is probed.
    pub monitor: Arc<Monitor>,
}

impl ProbeTarget {
    /// Whether what was found here, with this verdict, says something of the other one, however either is probed: at the same
    /// addresses, in any order, everything does; what failed stays so while any address of it is left, since it may be the one.
    pub fn tells_of(&self, other: &Self, verdict: Verdict) -> bool {
        let is_in_other = |it: &SocketAddr| other.addresses.contains(it);
        let is_same =
            self.addresses.len() == other.addresses.len() && self.addresses.iter().all(is_in_other);
        let is_part = verdict == Verdict::Degraded && self.addresses.iter().any(is_in_other);
        self.host == other.host && (is_same || is_part)
    }
}
