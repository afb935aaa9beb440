use std::net::{IpAddr, Ipv4Addr};

use super::mix;
use crate::model::{Affinity, Geography};

/// Who asks, and what is known of where that is.
#[derive(Clone, Copy, Debug)]
pub struct Client<'g> {
    network: IpAddr,
    pub(super) geography: &'g Geography,
}

impl<'g> Client<'g> {
    /// The client at this address, or of the network that starts with it. An IPv4 address that is written as an IPv6 one is
    /// an IPv4 address.
    pub fn new(network: IpAddr, geography: &'g Geography) -> Self {
        Self { network: network.to_canonical(), geography }
    }

    /// A client that nothing is known of.
    pub fn unknown(geography: &'g Geography) -> Self {
        Self::new(Ipv4Addr::UNSPECIFIED.into(), geography)
    }

    /// Its address, or the first of its network.
    pub fn network(&self) -> IpAddr {
        self.network
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
