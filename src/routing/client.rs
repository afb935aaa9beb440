use std::net::{IpAddr, Ipv4Addr};

use super::mix;
use crate::model::Affinity;

/// Who asks, as far as answers depend on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Client {
    network: IpAddr,
}

impl Client {
    /// A client that nothing is known of.
    pub const UNKNOWN: Self = Self { network: IpAddr::V4(Ipv4Addr::UNSPECIFIED) };

    /// The client at this address, or of the network that starts with it. An IPv4 address that is written as an IPv6 one is
    /// an IPv4 address.
    pub fn new(network: IpAddr) -> Self {
        Self { network: network.to_canonical() }
    }

    /// Its address, or the first of its network.
    pub fn network(&self) -> IpAddr {
        self.network
    }

    /// A prefix length of this client's as one of the network that it was made from, which may have been an IPv4 one written
    /// as IPv6.
    pub fn scope_in(&self, network: IpAddr, scope: u8) -> u8 {
        match (network, self.network) {
            (IpAddr::V6(_), IpAddr::V4(_)) if scope > 0 => scope + 96,
            _ => scope,
        }
    }

    /// The length of the network's prefix that stays together, in the client's own family.
    pub(super) fn affinity_scope(&self, affinity: Affinity) -> u8 {
        match self.network {
            IpAddr::V4(_) => affinity.prefix4,
            IpAddr::V6(_) => affinity.prefix6,
        }
    }

    /// A hash of the network that stays together; the same on every instance.
    pub(super) fn key(&self, affinity: Affinity) -> u64 {
        match self.network {
            IpAddr::V4(it) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(affinity.prefix4)).unwrap_or(0);
                mix(u64::from(it.to_bits() & mask))
            }
            IpAddr::V6(it) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(affinity.prefix6)).unwrap_or(0);
                let bits = it.to_bits() & mask;
                mix((bits >> 64) as u64 ^ mix(bits as u64 ^ 6))
            }
        }
    }
}
