use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{Family, GeoCode, Ident, Location, Name, ProbeTarget, Subnet};

/// How one name is answered.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Profile {
    /// The name that is answered; may be a wildcard or a zone's apex.
    pub name: Name,
    /// Whether it is answered at all; a disabled profile has no addresses.
    pub enabled: bool,
    /// How one of several candidates is chosen.
    pub method: Method,
    /// Seconds that a resolver may keep an answer.
    pub ttl: u32,
    /// Whether the choice looks at the record type asked for before anything else.
    pub family: FamilyRule,
    /// What is answered while no endpoint is healthy.
    pub when_none_healthy: WhenNoneHealthy,
    /// Percent (0–100) of the weight that must be healthy, or else all endpoints are treated as healthy; 0 turns it off.
    pub panic_threshold: u8,
    /// The places traffic can go, in the order of writing.
    pub endpoints: Vec<Endpoint>,
}

/// A routing method (one file each in `routing`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Method {
    /// The lowest priority that has a candidate.
    Priority,
    /// Shares by weight.
    Weighted,
}

impl Method {
    /// The word in the configuration.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Priority => "priority",
            Self::Weighted => "weighted",
        }
    }
}

/// Which comes first: the place, or an address of the type asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FamilyRule {
    /// The method's own rule: `priority` chooses the place first, so that A and AAAA lead to the same one; `weighted`
    /// looks only at endpoints that have an address of the type asked for.
    ByMethod,
    /// Only endpoints that have an address of the type asked for, in every method.
    Any,
}

impl FamilyRule {
    /// The word in the configuration.
    pub const fn label(self) -> &'static str {
        match self {
            Self::ByMethod => "by-method",
            Self::Any => "any",
        }
    }
}

/// What a profile answers while none of its endpoints is healthy, in any family.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum WhenNoneHealthy {
    /// As if every Degraded endpoint were Online (Azure Traffic Manager's way).
    ServeAll,
    /// As if the endpoints that were healthy last still were; all of them when none ever was.
    LastHealthy,
    /// These addresses.
    Fallback(Addresses),
    /// NOERROR without an address.
    NoData,
    /// SERVFAIL, so that resolvers may serve stale answers or ask another server.
    ServFail,
}

impl WhenNoneHealthy {
    /// The word in the configuration.
    pub const fn label(&self) -> &'static str {
        match self {
            Self::ServeAll => "serve_all",
            Self::LastHealthy => "last_healthy",
            Self::Fallback(_) => "fallback",
            Self::NoData => "nodata",
            Self::ServFail => "servfail",
        }
    }
}

/// One place that traffic can go.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Endpoint {
    /// Its name, unique in the profile.
    pub name: Ident,
    /// The site that it is part of.
    pub site: Option<Ident>,
    /// What is answered.
    pub addresses: Addresses,
    /// Whether the configuration has it in service.
    pub enabled: bool,
    /// Its share of traffic among its equals, 0–65535. 0 serves only when every other candidate has 0 too.
    pub weight: u16,
    /// Lower is preferred, 1–65535; equals share by weight.
    pub priority: u16,
    /// The parts of the world that it serves, in the order of writing; empty where none was written.
    pub geo: Box<[GeoCode]>,
    /// The clients' networks that it serves, in the order of writing; empty where none was written.
    pub subnets: Box<[Subnet]>,
    /// Where it is, if not at its site's location.
    pub location: Option<Location>,
    /// What is probed.
    pub probe: ProbeTarget,
}

/// The addresses of one place, each once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Addresses {
    /// Answers to A.
    pub v4: Box<[Ipv4Addr]>,
    /// Answers to AAAA.
    pub v6: Box<[Ipv6Addr]>,
}

impl Addresses {
    /// Whether there is an address of this family.
    pub fn has(&self, family: Family) -> bool {
        match family {
            Family::V4 => !self.v4.is_empty(),
            Family::V6 => !self.v6.is_empty(),
        }
    }

    /// IPv4 addresses first.
    pub fn iter(&self) -> impl Iterator<Item = IpAddr> {
        let v4 = self.v4.iter().copied().map(IpAddr::from);
        v4.chain(self.v6.iter().copied().map(IpAddr::from))
    }

    /// The addresses of one family.
    pub fn of(&self, family: Family) -> impl Iterator<Item = IpAddr> {
        self.iter().filter(move |address| address.is_ipv4() == (family == Family::V4))
    }
}

impl FromIterator<IpAddr> for Addresses {
    fn from_iter<I: IntoIterator<Item = IpAddr>>(addresses: I) -> Self {
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        for address in addresses {
            match address {
                IpAddr::V4(it) if !v4.contains(&it) => v4.push(it),
                IpAddr::V6(it) if !v6.contains(&it) => v6.push(it),
                _ => {}
            }
        }
        Self { v4: v4.into(), v6: v6.into() }
    }
}
