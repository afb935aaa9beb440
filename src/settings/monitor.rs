//! Monitors: what one table says, layers of tables, and the monitor that comes of them.

use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::anchors::AnchorFiles;
use super::kind::Kind;
use super::problem::{Log, Place, Problem};
use super::reader::{Section, text};
use super::secret::Secrets;
use super::tree::Node;
use super::{exec, http, push};
use crate::model::{ExpectedBody, Header, HttpMethod, PushCheck, Sources, TrustAnchors};

/// Where to probe: an address, and a port if it differs from the monitor's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ProbeAddress {
    pub(super) ip: IpAddr,
    pub(super) port: Option<u16>,
}

impl ProbeAddress {
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        let (ip, port) = match text.parse::<SocketAddr>() {
            Ok(address) => (address.ip(), Some(address.port())),
            Err(_) => (text.parse().map_err(|_| "")?, None),
        };
        if port == Some(0) {
            return Err("nothing listens on port 0");
        }
        Ok(Self { ip: reachable(ip)?, port })
    }
}

/// Refuses addresses that no service can have.
pub(super) fn reachable(ip: IpAddr) -> Result<IpAddr, &'static str> {
    let broadcast = matches!(ip, IpAddr::V4(it) if it.is_broadcast());
    if ip.is_unspecified() || ip.is_multicast() || broadcast {
        Err("no single machine has this address")
    } else {
        Ok(ip)
    }
}

/// A value, where it stands, and how near to the endpoint: 0 in the profile's monitor, 1 in the endpoint's.
#[derive(Clone, Debug)]
pub(super) struct Written<T> {
    pub(super) value: T,
    pub(super) spot: Spot,
}

/// Where a key of a monitor stands.
#[derive(Clone, Debug)]
pub(super) struct Spot {
    place: Place,
    path: String,
    layer: u8,
}

impl Spot {
    pub(super) fn problem(&self, message: impl Into<String>) -> Problem {
        Problem::at(&self.place, &self.path, message)
    }
}

/// What tables say about a monitor; what none of them says is absent.
#[derive(Clone, Debug, Default)]
pub(super) struct Draft {
    pub(super) kind: Option<Written<Kind>>,
    pub(super) port: Option<Written<u16>>,
    pub(super) host: Option<Written<Arc<str>>>,
    pub(super) address: Option<Written<ProbeAddress>>,
    pub(super) path: Option<Written<Arc<str>>>,
    pub(super) method: Option<Written<HttpMethod>>,
    pub(super) headers: Option<Written<Vec<Header>>>,
    pub(super) expected_status: Option<Written<Vec<RangeInclusive<u16>>>>,
    pub(super) expected_body: Option<Written<ExpectedBody>>,
    pub(super) body_limit: Option<Written<usize>>,
    pub(super) source: Option<Written<Sources>>,
    pub(super) command: Option<Written<Arc<[Box<str>]>>>,
    pub(super) push_token: Option<Written<PushCheck>>,
    pub(super) watch_connection: Option<Written<bool>>,
    pub(super) interval: Option<Written<Duration>>,
    pub(super) timeout: Option<Written<Duration>>,
    pub(super) fast_interval: Option<Written<Duration>>,
    pub(super) tolerated_failures: Option<Written<u8>>,
    pub(super) required_successes: Option<Written<u8>>,
    pub(super) tls_verify: Option<Written<bool>>,
    pub(super) tls_anchors: Option<Written<TrustAnchors>>,
    pub(super) tls_client_cert: Option<Written<PathBuf>>,
    pub(super) tls_client_key: Option<Written<PathBuf>>,
    pub(super) tls_min_days_left: Option<Written<u16>>,
    pub(super) grpc_service: Option<Written<Arc<str>>>,
    pub(super) grpc_tls: Option<Written<bool>>,
    pub(super) flap_count: Option<Written<u8>>,
    pub(super) flap_window: Option<Written<Duration>>,
    pub(super) flap_hold_down: Option<Written<Duration>>,
    pub(super) flap_max: Option<Written<Duration>>,
    /// Something in a table was wrong, so nothing can be said about what is missing or doesn't fit.
    pub(super) broken: bool,
}

impl Draft {
    /// Reads one table, of the profile (layer 0) or of the endpoint (layer 1).
    pub(super) fn read(
        section: &Section<'_>,
        layer: u8,
        anchors: &AnchorFiles<'_>,
        secrets: &Secrets<'_>,
        log: &Log,
    ) -> Self {
        let errors = log.errors();
        let monitor = Keys { section, layer };
        let methods = [HttpMethod::Get, HttpMethod::Head].map(|it| (it.label(), it));
        let mut draft = Self {
            kind: monitor.written("protocol", section.choose("protocol", &Kind::WORDS)),
            port: monitor.written("port", section.integer("port")),
            host: monitor.written("host", section.parse("host", http::host)),
            address: monitor.written("address", section.parse("address", ProbeAddress::parse)),
            path: monitor.written("path", section.parse("path", http::path)),
            method: monitor.written("method", section.choose("method", &methods)),
            headers: monitor.written("headers", http::headers(section, secrets, log)),
            expected_status: monitor
                .written("expected_status", section.list("expected_status", 8, http::statuses)),
            expected_body: monitor
                .written("expected_body", section.parse("expected_body", ExpectedBody::parse)),
            body_limit: monitor.written("body_limit", section.integer("body_limit")),
            source: monitor.written("source", sources(section)),
            command: monitor.written("command", exec::command(section)),
            watch_connection: monitor
                .written("watch_connection", section.boolean("watch_connection")),
            interval: monitor.written("interval", section.duration("interval")),
            timeout: monitor.written("timeout", section.duration("timeout")),
            fast_interval: monitor.written("fast_interval", section.duration("fast_interval")),
            tolerated_failures: monitor
                .written("tolerated_failures", section.integer("tolerated_failures")),
            required_successes: monitor
                .written("required_successes", section.integer("required_successes")),
            ..Self::default()
        };
        if let Some(section) = &section.table("tls") {
            let tls = Keys { section, layer };
            draft.tls_verify = tls.written("verify", section.boolean("verify"));
            let authorities = section.read("ca_file", |node, _| match text(node) {
                Some(file) => anchors.read(&node.place.resolve(file)),
                None => Err(String::new()),
            });
            draft.tls_anchors = tls.written("ca_file", authorities);
            draft.tls_client_cert = tls.written("client_cert", file(section, "client_cert", log));
            draft.tls_client_key = tls.written("client_key", file(section, "client_key", log));
            draft.tls_min_days_left =
                tls.written("min_days_left", section.integer("min_days_left"));
        }
        if let Some(section) = &section.table("grpc") {
            let grpc = Keys { section, layer };
            draft.grpc_service = grpc.written("service", section.parse("service", service));
            draft.grpc_tls = grpc.written("tls", section.boolean("tls"));
        }
        if let Some(section) = &section.table("push") {
            let push = Keys { section, layer };
            draft.push_token = push.written("token", push::token(section, secrets, log));
        }
        if let Some(section) = &section.table("flap") {
            let flap = Keys { section, layer };
            draft.flap_count = flap.written("count", section.integer("count"));
            draft.flap_window = flap.written("window", section.duration("window"));
            draft.flap_hold_down = flap.written("hold_down", section.duration("hold_down"));
            draft.flap_max = flap.written("max", section.duration("max"));
        }
        draft.broken = log.errors() > errors;
        draft
    }

    /// This draft where it says something, and `base` where it doesn't.
    pub(super) fn over(self, base: &Self) -> Self {
        let base = base.clone();
        Self {
            kind: self.kind.or(base.kind),
            port: self.port.or(base.port),
            host: self.host.or(base.host),
            address: self.address.or(base.address),
            path: self.path.or(base.path),
            method: self.method.or(base.method),
            headers: self.headers.or(base.headers),
            expected_status: self.expected_status.or(base.expected_status),
            expected_body: self.expected_body.or(base.expected_body),
            body_limit: self.body_limit.or(base.body_limit),
            source: self.source.or(base.source),
            command: self.command.or(base.command),
            push_token: self.push_token.or(base.push_token),
            watch_connection: self.watch_connection.or(base.watch_connection),
            interval: self.interval.or(base.interval),
            timeout: self.timeout.or(base.timeout),
            fast_interval: self.fast_interval.or(base.fast_interval),
            tolerated_failures: self.tolerated_failures.or(base.tolerated_failures),
            required_successes: self.required_successes.or(base.required_successes),
            tls_verify: self.tls_verify.or(base.tls_verify),
            tls_anchors: self.tls_anchors.or(base.tls_anchors),
            tls_client_cert: self.tls_client_cert.or(base.tls_client_cert),
            tls_client_key: self.tls_client_key.or(base.tls_client_key),
            tls_min_days_left: self.tls_min_days_left.or(base.tls_min_days_left),
            grpc_service: self.grpc_service.or(base.grpc_service),
            grpc_tls: self.grpc_tls.or(base.grpc_tls),
            flap_count: self.flap_count.or(base.flap_count),
            flap_window: self.flap_window.or(base.flap_window),
            flap_hold_down: self.flap_hold_down.or(base.flap_hold_down),
            flap_max: self.flap_max.or(base.flap_max),
            broken: self.broken || base.broken,
        }
    }

    /// Complains about keys that the protocol has no use for, unless they come from a wider layer than the protocol:
    /// an endpoint that is probed by `tcp` may well inherit the path of a profile that is probed by `https`.
    pub(super) fn check_use(&self, kind: Kind, log: &Log) {
        let layer = spot(&self.kind).map_or(0, |it| it.layer);
        for (key, spot) in self.spots() {
            if spot.layer >= layer && !kind.uses(key) {
                let message = format!(
                    "is of no use with protocol = \"{}\"; remove it, or write another protocol",
                    kind.label()
                );
                log.error(spot.problem(message));
            }
            let speaks_tls =
                kind != Kind::Grpc || self.grpc_tls.as_ref().is_some_and(|it| it.value);
            if spot.layer >= layer && key == "tls" && !speaks_tls {
                let message = "is of no use without TLS; write `grpc.tls = true`, or remove it";
                log.error(spot.problem(message));
            }
        }
    }

    /// Every key but the protocol that was written, and where.
    fn spots(&self) -> impl Iterator<Item = (&'static str, &Spot)> {
        let spots = [
            ("port", spot(&self.port)),
            ("host", spot(&self.host)),
            ("address", spot(&self.address)),
            ("path", spot(&self.path)),
            ("method", spot(&self.method)),
            ("headers", spot(&self.headers)),
            ("expected_status", spot(&self.expected_status)),
            ("expected_body", spot(&self.expected_body)),
            ("body_limit", spot(&self.body_limit)),
            ("source", spot(&self.source)),
            ("command", spot(&self.command)),
            ("push", spot(&self.push_token)),
            ("watch_connection", spot(&self.watch_connection)),
            ("interval", spot(&self.interval)),
            ("timeout", spot(&self.timeout)),
            ("fast_interval", spot(&self.fast_interval)),
            ("tolerated_failures", spot(&self.tolerated_failures)),
            ("required_successes", spot(&self.required_successes)),
            ("tls", spot(&self.tls_verify)),
            ("tls", spot(&self.tls_anchors)),
            ("tls", spot(&self.tls_client_cert)),
            ("tls", spot(&self.tls_client_key)),
            ("tls", spot(&self.tls_min_days_left)),
            ("grpc", spot(&self.grpc_service)),
            ("grpc", spot(&self.grpc_tls)),
            ("flap", spot(&self.flap_count)),
            ("flap", spot(&self.flap_window)),
            ("flap", spot(&self.flap_hold_down)),
            ("flap", spot(&self.flap_max)),
        ];
        spots.into_iter().filter_map(|(key, spot)| Some((key, spot?)))
    }
}

/// An address to probe from, or one of each family.
fn sources(section: &Section<'_>) -> Option<Sources> {
    let address = |node: &Node| match text(node).map(str::parse::<IpAddr>) {
        Some(Ok(address)) => reachable(address),
        _ => Err(""),
    };
    let addresses = section.list("source", 2, address)?;
    let mut sources = Sources::default();
    for address in addresses {
        let earlier = match address {
            IpAddr::V4(it) => sources.v4.replace(it).is_some(),
            IpAddr::V6(it) => sources.v6.replace(it).is_some(),
        };
        if earlier {
            section.wrong("source", "has two addresses of one family; remove one of them");
            return None;
        }
    }
    Some(sources)
}

/// The path of a file, which starts at the directory of the one that names it. What a file has in it instead may be a key, so
/// it is not shown.
pub(super) fn file(section: &Section<'_>, name: &str, log: &Log) -> Option<PathBuf> {
    let node = section.find(name)?;
    if text(node).is_some_and(|it| it.contains(char::is_control) || it.contains("-----BEGIN")) {
        let why = "is what the file should have in it; write the file's path";
        log.error(Problem::at(&node.place, section.key(name), why));
        return None;
    }
    section.read(name, |node, _| match text(node) {
        Some(file) if !file.is_empty() => Ok(node.place.resolve(file)),
        _ => Err(""),
    })
}

/// The name of a gRPC service.
fn service(text: &str) -> Result<Arc<str>, &'static str> {
    const LONGEST: usize = 255;
    let fits = text.len() <= LONGEST && text.bytes().all(|it| it.is_ascii_graphic());
    if fits { Ok(text.into()) } else { Err("") }
}

/// Ties values to where they were written.
pub(super) struct Keys<'a> {
    pub(super) section: &'a Section<'a>,
    pub(super) layer: u8,
}

impl Keys<'_> {
    pub(super) fn written<T>(&self, name: &str, value: Option<T>) -> Option<Written<T>> {
        let (place, path) = (self.section.place_of(name).clone(), self.section.key(name));
        value.map(|value| Written { value, spot: Spot { place, path, layer: self.layer } })
    }
}

/// Where a value was written, if it was.
pub(super) fn spot<T>(written: &Option<Written<T>>) -> Option<&Spot> {
    written.as_ref().map(|it| &it.spot)
}

/// Which of two keys a complaint about both belongs to: the one nearest to the endpoint, else the first.
pub(super) fn nearer<'a>(first: Option<&'a Spot>, second: Option<&'a Spot>) -> Option<&'a Spot> {
    match (first, second) {
        (Some(first), Some(second)) if second.layer > first.layer => Some(second),
        (first, second) => first.or(second),
    }
}
