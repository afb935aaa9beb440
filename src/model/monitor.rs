use std::fmt;
use std::hash::{Hash, Hasher};
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// How an endpoint is probed, with every default filled in. Endpoints that are probed alike have equal monitors.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Monitor {
    /// What a probe is.
    pub protocol: Protocol,
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
            Self::Exec(_) => "exec",
            Self::Push(_) => "push",
            Self::None => "none",
        }
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
}

/// The methods that a probe may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HttpMethod {
    /// Asks for the whole answer; the probe reads no further than its head.
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
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Header {
    /// The header's name, a valid HTTP token.
    pub name: String,
    /// The header's value, visible ASCII and spaces.
    pub value: String,
}

impl fmt::Debug for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: (hidden)", self.name)
    }
}

/// What a probe demands of TLS.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TlsCheck {
    /// Whether chain, name and validity of the certificate are checked.
    pub verify: bool,
    /// The trust anchors; none means those of the operating system.
    pub anchors: Option<TrustAnchors>,
}

/// Certificate authorities read from a file.
#[derive(Clone, PartialEq, Eq)]
pub struct TrustAnchors {
    /// The file that they came from.
    pub file: PathBuf,
    /// The certificates, in DER.
    pub certificates: Arc<[Box<[u8]>]>,
}

impl Hash for TrustAnchors {
    /// By the file alone: monitors are hashed by the hundred thousand, and a bundle has hundreds of certificates.
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.file.hash(state);
    }
}

impl fmt::Debug for TrustAnchors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TrustAnchors({}, {} certificates)", self.file.display(), self.certificates.len())
    }
}

/// The program that an `exec` probe runs.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ExecCheck {
    /// The program's absolute path and its arguments; never empty.
    pub command: Arc<[Box<str>]>,
}

/// Whose reports of a site are believed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PushCheck {
    /// Of the token that reports are sent with.
    pub token: TokenHash,
}

/// The SHA-256 of a token, which is never shown.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct TokenHash(pub [u8; 32]);

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

/// One thing to probe: where, and how. Endpoints with equal targets share their probes. Clones share their memory.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ProbeTarget {
    /// Every address is probed; one failure fails the probe. Never empty.
    pub addresses: Arc<[SocketAddr]>,
    /// How each address is probed.
    pub monitor: Arc<Monitor>,
}
