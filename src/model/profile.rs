use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::LazyLock;
use std::time::Duration;

use super::{Discovered, Family, GeoCode, Guardrails, Ident, Location, Name, ProbeTarget, Subnet};

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
    /// While an endpoint is in doubt, resolvers may keep an answer only until a change is possible, and no shorter than this
    /// many seconds.
    pub ttl_min: Option<u32>,
    /// Whether the choice looks at the record type asked for before anything else.
    pub family: FamilyRule,
    /// How many endpoints one answer names with [`Method::Multivalue`], 1–16.
    pub max_return: u8,
    /// Keeps each client network at one endpoint.
    pub affinity: Option<Affinity>,
    /// Who decides that a recovered endpoint of higher priority serves again.
    pub failback: Failback,
    /// Whether [`Method::Geographic`] leaves a Degraded endpoint for the next wider match.
    pub geo_failover: bool,
    /// What is answered while no endpoint is healthy.
    pub when_none_healthy: WhenNoneHealthy,
    /// Percent (0–100) of the weight that must be healthy, or else all endpoints are treated as healthy; 0 turns it off.
    pub panic_threshold: u8,
    /// What operators' changes must leave of it.
    pub guardrails: Guardrails,
    /// The places traffic can go, in the order of writing.
    pub endpoints: Vec<Endpoint>,
}

impl Profile {
    /// Whether an endpoint of higher priority that recovers waits for an operator's word.
    pub fn fails_back_by_hand(&self) -> bool {
        self.method == Method::Priority && self.failback == Failback::Manual
    }

    /// Whether a Degraded endpoint serves its part of the world all the same.
    pub fn serves_degraded(&self) -> bool {
        self.method == Method::Geographic && !self.geo_failover
    }

    /// Whether an endpoint of its own is answered with a CNAME record, so that no other record can be at its name.
    pub fn has_alias(&self) -> bool {
        self.endpoints.iter().any(|it| it.alias().is_some())
    }

    /// Whether the addresses of names are answered in their place.
    pub fn flattens(&self) -> bool {
        self.endpoints.iter().any(|it| matches!(it.target, Target::Resolved(_)))
    }
}

/// A routing method (one file each in `routing`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Method {
    /// The lowest priority that has a candidate.
    Priority,
    /// Shares by weight.
    Weighted,
    /// The lowest latency to the client's network.
    Performance,
    /// The endpoint whose regions match the client's most narrowly.
    Geographic,
    /// The endpoint whose networks the client's is in.
    Subnet,
    /// Several endpoints at once, by weight.
    Multivalue,
}

impl Method {
    /// Every method.
    pub const ALL: [Self; 6] = [
        Self::Priority,
        Self::Weighted,
        Self::Performance,
        Self::Geographic,
        Self::Subnet,
        Self::Multivalue,
    ];

    /// The word in the configuration.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Priority => "priority",
            Self::Weighted => "weighted",
            Self::Performance => "performance",
            Self::Geographic => "geographic",
            Self::Subnet => "subnet",
            Self::Multivalue => "multivalue",
        }
    }

    /// Whether who asks has a say in what is answered, [`Affinity`] aside.
    pub const fn looks_at_clients(self) -> bool {
        matches!(self, Self::Performance | Self::Geographic | Self::Subnet)
    }
}

/// How large the networks are that stay at one endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Affinity {
    /// The prefix length of an IPv4 client's network, 1–32.
    pub prefix4: u8,
    /// The prefix length of an IPv6 client's network, 1–128.
    pub prefix6: u8,
}

/// What follows when an endpoint recovers that is preferred to the one that serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Failback {
    /// It serves again at once.
    Automatic,
    /// It waits for an operator's word, or until what serves fails.
    Manual,
}

impl Failback {
    /// The word in the configuration.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Automatic => "automatic",
            Self::Manual => "manual",
        }
    }
}

/// Which comes first: the place, or an address of the type asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FamilyRule {
    /// The method's own rule: `weighted` and `multivalue` look only at endpoints that have an address of the type asked for;
    /// the others choose the place first, so that A and AAAA lead to the same one.
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
    pub target: Target,
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
    /// How much it can carry, 0–1,000,000, in any unit that all endpoints of the profile share.
    pub capacity: u32,
    /// How long it takes to get its full share after it recovered or was undrained; zero is at once.
    pub slow_start: Duration,
    /// What is probed. A [`Target::Profile`] is not.
    pub probe: ProbeTarget,
}

impl Endpoint {
    /// Its addresses, where it has some of its own.
    pub fn addresses(&self) -> &Addresses {
        static NONE: LazyLock<Addresses> = LazyLock::new(Addresses::default);
        match &self.target {
            Target::Addresses(addresses) => addresses,
            Target::Name(_) | Target::Resolved(_) | Target::Discovered(_) | Target::Profile(_) => {
                &NONE
            }
        }
    }

    /// The profile that it stands for, where it is nested.
    pub fn child(&self) -> Option<(&Name, MinChildren)> {
        match &self.target {
            Target::Profile(Child { profile, min }) => Some((profile, *min)),
            _ => None,
        }
    }

    /// The name that it stands for, where it does.
    pub fn host(&self) -> Option<&Name> {
        match &self.target {
            Target::Name(name) | Target::Resolved(name) => Some(name),
            Target::Addresses(_) | Target::Discovered(_) | Target::Profile(_) => None,
        }
    }

    /// The name that a CNAME record leads to, where it is answered with one.
    pub fn alias(&self) -> Option<&Name> {
        match &self.target {
            Target::Name(name) => Some(name),
            _ => None,
        }
    }
}

/// What traffic is sent to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    /// Addresses; at least one.
    Addresses(Addresses),
    /// A name, which is answered with a CNAME record.
    Name(Name),
    /// A name, in whose place its addresses are answered.
    Resolved(Name),
    /// Addresses that are discovered.
    Discovered(Discovered),
    /// Whatever another profile answers.
    Profile(Child),
}

/// A nested profile.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Child {
    /// Its name. There is such a profile, and it doesn't lead back here.
    pub profile: Name,
    /// How much of it must be healthy.
    pub min: MinChildren,
}

/// How many endpoints of a nested profile must be healthy for it to serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MinChildren {
    /// Of all, at least 1.
    pub any: u16,
    /// Of those with an IPv4 address.
    pub v4: u16,
    /// Of those with an IPv6 address.
    pub v6: u16,
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
