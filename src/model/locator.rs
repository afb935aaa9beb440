//! Where addresses come from that a configuration doesn't have.

use std::borrow::Cow;
use std::fmt;
use std::net::SocketAddr;

use super::{Addresses, Endpoint, EndpointKey, Name, ProbeTarget, Protocol, Target};

/// What tells the addresses of endpoints that have none of their own.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Locator {
    /// The DNS, for a name.
    Name(Name),
    /// The cluster of an endpoint's site.
    Cluster(EndpointKey),
}

impl fmt::Display for Locator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => name.fmt(f),
            Self::Cluster(key) => key.fmt(f),
        }
    }
}

/// A target whose addresses the cluster of the endpoint's site tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Discovered {
    /// The port that is probed at each of them; none where probes go elsewhere.
    pub port: Option<u16>,
}

impl Endpoint {
    /// What tells the addresses that it is answered with or probed at, where that is not the configuration. It is in this profile.
    pub fn locator(&self, profile: &Name) -> Option<Locator> {
        match &self.target {
            Target::Discovered(_) => {
                let (profile, endpoint) = (profile.clone(), self.name.clone());
                Some(Locator::Cluster(EndpointKey { profile, endpoint }))
            }
            _ => self.resolved().cloned().map(Locator::Name),
        }
    }

    /// Whether it is answered with addresses that are found elsewhere.
    pub fn is_located(&self) -> bool {
        matches!(self.target, Target::Resolved(_) | Target::Discovered(_))
    }

    /// Whether its addresses are discovered.
    pub fn is_discovered(&self) -> bool {
        matches!(self.target, Target::Discovered(_))
    }

    /// The name that has to be resolved for it: to be answered with its addresses, or to be probed there.
    pub fn resolved(&self) -> Option<&Name> {
        let is_answered = matches!(self.target, Target::Resolved(_));
        let goes_nowhere =
            matches!(self.probe.monitor.protocol, Protocol::None | Protocol::Push(_));
        let is_probed = self.probe.host.is_some() && !goes_nowhere;
        self.host().filter(|_| is_answered || is_probed)
    }

    /// What is probed where these are the addresses that were found for it.
    pub fn probe_at(&self, found: &Addresses) -> Cow<'_, ProbeTarget> {
        let Target::Discovered(Discovered { port: Some(port) }) = self.target else {
            return Cow::Borrowed(&self.probe);
        };
        let source = self.probe.monitor.source;
        let mut all: Vec<SocketAddr> = found.iter().map(|it| SocketAddr::new(it, port)).collect();
        // Where none can be reached from here, the probes say so.
        if all.iter().any(|it| source.suit(it.ip())) {
            all.retain(|it| source.suit(it.ip()));
        }
        all.sort_unstable();
        Cow::Owned(ProbeTarget { addresses: all.into(), ..self.probe.clone() })
    }
}
