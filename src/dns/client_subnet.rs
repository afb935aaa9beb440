//! The network that a resolver asks for, and what is said of it in the answer (RFC 7871).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The families of addresses (IANA, Address Family Numbers).
const IPV4: u16 = 1;
const IPV6: u16 = 2;
/// Family, source and scope before the address.
const FIXED: usize = 4;

/// A client's network as a query names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ClientSubnet {
    family: u16,
    /// The length of its prefix.
    source: u8,
    /// Its first address; none where the client doesn't want to be told apart.
    network: Option<IpAddr>,
}

impl ClientSubnet {
    /// Reads an option's data. None when it is malformed: another length than its prefix has, bits behind the prefix, a
    /// scope, or a family that nobody knows (RFC 7871 7.1.2, 6).
    pub(super) fn read(data: &[u8]) -> Option<Self> {
        let (&[f0, f1, source, scope], address) = data.split_first_chunk::<FIXED>()?;
        let family = u16::from_be_bytes([f0, f1]);
        if scope != 0 || address.len() != octets(source) {
            return None;
        }
        let network = match family {
            // Who has nothing to say of the address may leave out its family too.
            0 if source == 0 => None,
            IPV4 if source <= 32 => {
                let bits = u32::from_be_bytes(padded(address)?);
                (bits & u32::MAX.checked_shr(source.into()).unwrap_or(0) == 0)
                    .then(|| IpAddr::from(Ipv4Addr::from_bits(bits)))
                    .map(Some)?
            }
            IPV6 if source <= 128 => {
                let bits = u128::from_be_bytes(padded(address)?);
                (bits & u128::MAX.checked_shr(source.into()).unwrap_or(0) == 0)
                    .then(|| IpAddr::from(Ipv6Addr::from_bits(bits)))
                    .map(Some)?
            }
            _ => return None,
        };
        Some(Self { family, source, network: network.filter(|_| source > 0) })
    }

    /// The first address of the network, if it is one that answers may depend on.
    pub(super) fn network(&self) -> Option<IpAddr> {
        self.network
    }

    /// The octets of the option's data.
    pub(super) fn length(&self) -> usize {
        FIXED + octets(self.source)
    }

    /// The option's data in an answer that holds for all of the prefix of length `scope`.
    pub(super) fn answer(&self, scope: u8) -> ([u8; FIXED + 16], usize) {
        let mut data = [0; FIXED + 16];
        let [f0, f1] = self.family.to_be_bytes();
        data[..FIXED].copy_from_slice(&[f0, f1, self.source, scope]);
        match self.network {
            Some(IpAddr::V4(it)) => data[FIXED..FIXED + 4].copy_from_slice(&it.octets()),
            Some(IpAddr::V6(it)) => data[FIXED..].copy_from_slice(&it.octets()),
            None => {}
        }
        (data, self.length())
    }
}

fn octets(prefix: u8) -> usize {
    usize::from(prefix).div_ceil(8)
}

fn padded<const N: usize>(octets: &[u8]) -> Option<[u8; N]> {
    let mut all = [0; N];
    all.get_mut(..octets.len())?.copy_from_slice(octets);
    Some(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn well_formed_networks_are_read_and_repeated() {
        for (data, network, scope, answer) in [
            (&[0, 1, 24, 0, 192, 0, 2][..], Some("192.0.2.0"), 20, &[0, 1, 24, 20, 192, 0, 2][..]),
            (&[0, 1, 32, 0, 192, 0, 2, 9], Some("192.0.2.9"), 32, &[0, 1, 32, 32, 192, 0, 2, 9]),
            (&[0, 1, 9, 0, 10, 128], Some("10.128.0.0"), 0, &[0, 1, 9, 0, 10, 128]),
            (
                &[0, 2, 20, 0, 0x20, 1, 0x10],
                Some("2001:1000::"),
                48,
                &[0, 2, 20, 48, 0x20, 1, 0x10],
            ),
            (&[0, 1, 0, 0], None, 0, &[0, 1, 0, 0]),
            (&[0, 2, 0, 0], None, 0, &[0, 2, 0, 0]),
            (&[0, 0, 0, 0], None, 0, &[0, 0, 0, 0]),
        ] {
            let subnet = ClientSubnet::read(data).unwrap();
            assert_eq!(subnet.network(), network.map(|it| it.parse().unwrap()), "{data:?}");
            let (octets, length) = subnet.answer(scope);
            assert_eq!(&octets[..length], answer, "{data:?}");
        }
    }

    #[test]
    fn malformed_networks_are_refused() {
        for data in [
            &[][..],
            &[0, 1, 24],
            &[0, 1, 24, 0, 192, 0],
            &[0, 1, 24, 0, 192, 0, 2, 0],
            &[0, 1, 24, 8, 192, 0, 2],
            &[0, 1, 23, 0, 192, 0, 3],
            &[0, 1, 33, 0, 1, 2, 3, 4, 5],
            &[0, 2, 129, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17],
            &[0, 2, 4, 0, 0xff],
            &[0, 3, 8, 0, 1],
            &[0, 0, 8, 0, 1],
        ] {
            assert_eq!(ClientSubnet::read(data), None, "{data:?}");
        }
    }
}
