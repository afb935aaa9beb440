use std::collections::HashMap;
use std::net::IpAddr;

use super::{Endpoint, Method, Profile, Target};

/// Why a method has no use for an endpoint.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Misfit {
    /// It stands for a profile.
    #[error(
        "is of no use with method = \"multivalue\", which answers with addresses of its own endpoints; write their addresses here, or nest this profile in another one"
    )]
    Nested,
    /// It stands for a name.
    #[error(
        "is a name, and method = \"multivalue\" answers with the addresses of several endpoints; write addresses, or another method"
    )]
    Name,
    /// Its addresses are discovered, and may be another endpoint's.
    #[error(
        "is of no use with method = \"multivalue\", which answers with the addresses of several endpoints; write addresses, or another method"
    )]
    Discovered,
    /// One answer may name an address of it twice (RFC 2181 5).
    #[error(
        "has {0}, which the endpoint {1} has too, and one answer may name both; keep it at one of them"
    )]
    Shared(IpAddr, String),
    /// It serves no part of the world.
    #[error("is missing; write the parts of the world that the endpoint serves, such as \"WORLD\"")]
    NoRegion,
}

impl Misfit {
    /// The endpoint's key that is at fault.
    pub const fn key(&self) -> &'static str {
        match self {
            Self::Nested => "profile",
            Self::Name | Self::Shared(..) => "target",
            Self::Discovered => "discovered",
            Self::NoRegion => "geo",
        }
    }
}

impl Profile {
    /// The first endpoint that a method has no use for, which may be another than the profile's own.
    pub fn misfit(&self, method: Method) -> Option<(&Endpoint, Misfit)> {
        let mut owners = HashMap::new();
        self.endpoints.iter().find_map(|endpoint| {
            let why = match (method, &endpoint.target) {
                (Method::Geographic, _) if endpoint.geo.is_empty() => Misfit::NoRegion,
                (Method::Multivalue, Target::Profile(_)) => Misfit::Nested,
                (Method::Multivalue, Target::Name(_) | Target::Resolved(_)) => Misfit::Name,
                (Method::Multivalue, Target::Discovered(_)) => Misfit::Discovered,
                (Method::Multivalue, Target::Addresses(addresses)) => {
                    let mut addresses = addresses.iter();
                    let shared = addresses.find_map(|it| Some((it, owners.insert(it, endpoint)?)));
                    let (address, owner) = shared?;
                    Misfit::Shared(address, format!("`{}`", owner.name))
                }
                _ => return None,
            };
            Some((endpoint, why))
        })
    }
}
