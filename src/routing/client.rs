use std::net::{IpAddr, Ipv4Addr};

use super::mix;
use crate::model::{Affinity, Geography};

/// Where an IPv4 address begins in the IPv6 one that it is written as (RFC 4291 2.5.5.2).
const MAPPED: u8 = 96;

/// Who asks, and what is known of where that is.
#[derive(Clone, Copy, Debug)]
pub struct Client<'g> {
    network: IpAddr,
    pub(super) geography: &'g Geography,
}

impl<'g> Client<'g> {
    /// The client at this address, or of the network that starts with it. An IPv4 address that is written as an IPv6 one is
    /// an IPv4 address, but prefixes around it have the length that they have in IPv6.
    pub fn new(network: IpAddr, geography: &'g Geography) -> Self {
        Self { network, geography }
    }

    /// A client that nothing is known of.
    pub fn unknown(geography: &'g Geography) -> Self {
        Self::new(Ipv4Addr::UNSPECIFIED.into(), geography)
    }

    /// Its address, or the first of its network.
    pub fn network(&self) -> IpAddr {
        self.network
    }

    /// The length of the network's prefix that stays together, as the client's address is written.
    pub(super) fn affinity_scope(&self, affinity: Affinity) -> u8 {
        match self.network {
            IpAddr::V4(_) => affinity.prefix4,
            IpAddr::V6(it) if it.to_ipv4_mapped().is_some() => MAPPED + affinity.prefix4,
            IpAddr::V6(_) => affinity.prefix6,
        }
    }

    /// A hash of the network that stays together; the same on every instance.
    pub(super) fn key(&self, affinity: Affinity) -> u64 {
        match self.network.to_canonical() {
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
