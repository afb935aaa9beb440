//! From a draft to a monitor: defaults are filled in, and what one key means for another is checked.

use std::cell::RefCell;
use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::duration::show;
use super::files::Library;
use super::http;
use super::identity::IdentityFiles;
use super::kind::Kind;
use super::monitor::{Draft, ProbeAddress, Spot, Written, nearer, spot};
use super::problem::{Log, Problem};
use super::reader::Section;
use crate::model::{
    BodyCheck, ExecCheck, Flap, GrpcCheck, HttpCheck, HttpMethod, Monitor, Name, ProbeTarget,
    Protocol, Sources, TlsCheck, TlsIdentity,
};

const INTERVAL: Duration = Duration::from_secs(10);
const MOST_DEFAULT_TIMEOUT: Duration = Duration::from_secs(5);
const BODY_LIMIT: usize = 65_536;
const TOLERATED_FAILURES: u8 = 3;
const REQUIRED_SUCCESSES: u8 = 2;
const FLAP: Flap = Flap {
    count: 3,
    window: Duration::from_secs(600),
    hold_down: Duration::from_secs(30),
    max: Duration::from_secs(600),
};

/// A monitor, and what its tables say about where to probe.
#[derive(Clone, Debug)]
pub(super) struct Resolved {
    pub(super) kind: Kind,
    pub(super) monitor: Arc<Monitor>,
    /// None where the protocol has no usual port and none was written.
    pub(super) port: Option<u16>,
    pub(super) address: Option<ProbeAddress>,
}

/// Makes monitors. Equal ones are one: hundreds of thousands of endpoints share a few.
pub(super) struct Resolver<'a> {
    log: &'a Log,
    identities: IdentityFiles<'a>,
    shared: RefCell<HashSet<Arc<Monitor>>>,
}

impl<'a> Resolver<'a> {
    pub(super) fn new(library: &'a Library<'a>, log: &'a Log) -> Self {
        let identities = IdentityFiles::new(library, log);
        Self { log, identities, shared: RefCell::default() }
    }

    /// Checks a draft as far as that needs no profile; a named monitor holds by itself, whether it is used or not.
    pub(super) fn check(&self, draft: Draft) -> Draft {
        let errors = self.log.errors();
        if !draft.broken {
            draft.check_use(value(&draft.kind).unwrap_or(Kind::Http), self.log);
            self.times(&draft);
            self.flap(&draft);
            self.body(&draft);
            // Another layer may have the other half.
            if draft.tls_client_cert.is_some() && draft.tls_client_key.is_some() {
                self.identity(&draft);
            }
        }
        Draft { broken: draft.broken || self.log.errors() > errors, ..draft }
    }

    /// Fills in a draft for a profile or one of its endpoints, the `owner`, which is blamed for what is missing.
    pub(super) fn resolve(
        &self,
        draft: &Draft,
        owner: &Section<'_>,
        profile: &Name,
    ) -> Option<Resolved> {
        if draft.broken {
            return None;
        }
        let errors = self.log.errors();
        let kind = value(&draft.kind).unwrap_or(Kind::Http);
        draft.check_use(kind, self.log);
        let times = self.times(draft);
        let flap = self.flap(draft);
        let protocol = match kind {
            Kind::Http => Protocol::Http(self.http(draft, owner, profile)?),
            Kind::Https => Protocol::Https(self.http(draft, owner, profile)?, self.tls(draft)),
            Kind::Tcp => Protocol::Tcp,
            Kind::Tls => Protocol::Tls(self.host(draft, owner, profile)?, self.tls(draft)),
            Kind::Grpc => Protocol::Grpc(GrpcCheck {
                host: self.host(draft, owner, profile)?,
                service: value(&draft.grpc_service).unwrap_or_else(|| "".into()),
                tls: value(&draft.grpc_tls).unwrap_or(false).then(|| self.tls(draft)),
            }),
            Kind::Exec => {
                let command = self.demand(value(&draft.command), "command", kind, owner)?;
                Protocol::Exec(ExecCheck { command })
            }
            Kind::Push => {
                let token = self.demand(value(&draft.push_token), "push.token", kind, owner)?;
                Protocol::Push(token)
            }
            Kind::None => Protocol::None,
        };
        if self.log.errors() > errors {
            return None;
        }
        let monitor = self.share(Monitor {
            protocol,
            source: value(&draft.source).filter(|_| kind != Kind::None).unwrap_or_default(),
            interval: times.interval,
            timeout: times.timeout,
            fast_interval: times.fast_interval,
            tolerated_failures: value(&draft.tolerated_failures).unwrap_or(TOLERATED_FAILURES),
            required_successes: value(&draft.required_successes).unwrap_or(REQUIRED_SUCCESSES),
            // A wider layer may have written it for its own protocol.
            watch_connection: kind.uses("watch_connection")
                && value(&draft.watch_connection).unwrap_or(false),
            flap,
        });
        let port = value(&draft.port).or(kind.port());
        // An address that a wider layer has for its own protocol may be nothing to this one.
        let address = value(&draft.address).filter(|_| kind.has_address());
        Some(Resolved { kind, monitor, port, address })
    }

    /// What an endpoint has that is never probed itself.
    pub(super) fn unprobed(&self) -> ProbeTarget {
        let monitor = self.share(Monitor {
            protocol: Protocol::None,
            interval: INTERVAL,
            timeout: MOST_DEFAULT_TIMEOUT,
            fast_interval: MOST_DEFAULT_TIMEOUT,
            tolerated_failures: TOLERATED_FAILURES,
            required_successes: REQUIRED_SUCCESSES,
            flap: FLAP,
            source: Sources::default(),
            watch_connection: false,
        });
        ProbeTarget { addresses: [].into(), host: None, monitor }
    }

    fn share(&self, monitor: Monitor) -> Arc<Monitor> {
        let mut shared = self.shared.borrow_mut();
        if let Some(known) = shared.get(&monitor) {
            return known.clone();
        }
        let monitor = Arc::new(monitor);
        shared.insert(monitor.clone());
        monitor
    }

    fn complain(&self, spot: Option<&Spot>, message: fmt::Arguments<'_>) {
        if let Some(spot) = spot {
            self.log.error(spot.problem(message.to_string()));
        }
    }

    /// Complains unless the key that a protocol can't do without was written.
    fn demand<T>(&self, value: Option<T>, key: &str, kind: Kind, owner: &Section<'_>) -> Option<T> {
        if value.is_none() {
            let message = format!("is missing; write it, protocol = \"{}\" needs it", kind.label());
            let path = owner.key(&format!("monitor.{key}"));
            self.log.error(Problem::at(owner.place, path, message));
        }
        value
    }

    fn times(&self, draft: &Draft) -> Times {
        let interval = value(&draft.interval).unwrap_or(INTERVAL);
        let timeout = value(&draft.timeout).unwrap_or(MOST_DEFAULT_TIMEOUT.min(interval / 2));
        if timeout >= interval {
            let nearer = nearer(spot(&draft.timeout), spot(&draft.interval));
            let (timeout, interval) = (show(timeout), show(interval));
            self.complain(
                nearer,
                format_args!("`timeout` ({timeout}) must be less than `interval` ({interval})"),
            );
        }
        let fast_interval = value(&draft.fast_interval).unwrap_or(timeout.max(interval / 4));
        // The default fits whenever the timeout does.
        if draft.fast_interval.is_some() && fast_interval > interval {
            let nearer = nearer(spot(&draft.fast_interval), spot(&draft.interval));
            let (fast, interval) = (show(fast_interval), show(interval));
            self.complain(
                nearer,
                format_args!("`fast_interval` ({fast}) must be at most `interval` ({interval})"),
            );
        }
        Times { interval, timeout, fast_interval }
    }

    fn flap(&self, draft: &Draft) -> Flap {
        let flap = Flap {
            count: value(&draft.flap_count).unwrap_or(FLAP.count),
            window: value(&draft.flap_window).unwrap_or(FLAP.window),
            hold_down: value(&draft.flap_hold_down).unwrap_or(FLAP.hold_down),
            max: value(&draft.flap_max).unwrap_or(FLAP.max),
        };
        if flap.max < flap.hold_down {
            let nearer = nearer(spot(&draft.flap_max), spot(&draft.flap_hold_down));
            let (max, hold_down) = (show(flap.max), show(flap.hold_down));
            self.complain(
                nearer,
                format_args!("`max` ({max}) must be at least `hold_down` ({hold_down})"),
            );
        }
        flap
    }

    fn host(&self, draft: &Draft, owner: &Section<'_>, profile: &Name) -> Option<Arc<str>> {
        value(&draft.host).or_else(|| {
            let host =
                if profile.is_wildcard() { None } else { http::host(&profile.to_host()).ok() };
            if host.is_none() {
                let message =
                    "is missing; write the host to ask for, because the profile's name is none";
                self.log.error(Problem::at(owner.place, owner.key("monitor.host"), message));
            }
            host
        })
    }

    fn http(&self, draft: &Draft, owner: &Section<'_>, profile: &Name) -> Option<HttpCheck> {
        let host = self.host(draft, owner, profile)?;
        if draft.expected_body.is_none() {
            let message = "is of no use without `expected_body`; write that too, or remove this";
            self.complain(spot(&draft.body_limit), format_args!("{message}"));
        }
        Some(HttpCheck {
            method: value(&draft.method).unwrap_or(HttpMethod::Get),
            host,
            path: value(&draft.path).unwrap_or_else(|| "/".into()),
            headers: value(&draft.headers).unwrap_or_default(),
            expected_status: value(&draft.expected_status).unwrap_or_else(|| vec![200..=200]),
            body: self.body(draft),
        })
    }

    fn body(&self, draft: &Draft) -> Option<BodyCheck> {
        let expected = value(&draft.expected_body)?;
        let limit = value(&draft.body_limit).unwrap_or(BODY_LIMIT);
        if value(&draft.method) == Some(HttpMethod::Head) {
            let nearer = nearer(spot(&draft.expected_body), spot(&draft.method));
            let message =
                "`expected_body` and `method = \"HEAD\"` exclude each other: HEAD has no body";
            self.complain(nearer, format_args!("{message}; write \"GET\""));
        }
        if let Some(length) = expected.text_length().filter(|it| *it > limit) {
            let nearer = nearer(spot(&draft.expected_body), spot(&draft.body_limit));
            let message = format_args!(
                "`body_limit` ({limit}) must be at least the {length} octets of `expected_body`"
            );
            self.complain(nearer, message);
        }
        Some(BodyCheck { expected, limit })
    }

    fn tls(&self, draft: &Draft) -> TlsCheck {
        TlsCheck {
            verify: value(&draft.tls_verify).unwrap_or(true),
            anchors: value(&draft.tls_anchors),
            identity: self.identity(draft),
            min_days_left: value(&draft.tls_min_days_left).unwrap_or(0),
        }
    }

    /// The certificate and the key, which may come from different layers.
    fn identity(&self, draft: &Draft) -> Option<TlsIdentity> {
        match (&draft.tls_client_cert, &draft.tls_client_key) {
            (None, None) => None,
            (Some(certificate), Some(key)) => self.identities.read(certificate, key),
            (certificate, key) => {
                let missing = if key.is_none() { "client_key" } else { "client_cert" };
                let message = format_args!("is of no use alone; write `{missing}` too");
                self.complain(spot(certificate).or(spot(key)), message);
                None
            }
        }
    }
}

struct Times {
    interval: Duration,
    timeout: Duration,
    fast_interval: Duration,
}

fn value<T: Clone>(written: &Option<Written<T>>) -> Option<T> {
    written.as_ref().map(|it| it.value.clone())
}
