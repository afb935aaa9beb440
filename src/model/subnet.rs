use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;

use super::network::{NetworkError, parse_network};

/// A range of addresses of one family, ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Subnet {
    first: IpAddr,
    last: IpAddr,
}

/// Why a text is no [`Subnet`]. The messages say what is wrong; what to write instead is said by who asked for it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubnetError {
    /// It is neither an address, nor a CIDR, nor a range.
    #[error("")]
    Form,
    /// It is no CIDR, but was meant as one.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// The first address of a range is the higher one.
    #[error("ends before it begins, perhaps \"{1}-{0}\" is meant")]
    Order(IpAddr, IpAddr),
    /// One end of a range is IPv4 and the other IPv6.
    #[error("begins in one address family and ends in the other")]
    Families,
    /// It lies in ::ffff:0:0/96, where no client is: such addresses are taken for what they stand for.
    #[error("is IPv4 in IPv6's clothes, perhaps \"{0}\" is meant")]
    Mapped(Subnet),
}

impl Subnet {
    /// The lowest address.
    pub const fn first(self) -> IpAddr {
        self.first
    }

    /// The highest address, of the same family.
    pub const fn last(self) -> IpAddr {
        self.last
    }

    /// Whether the address lies in it. An IPv4-mapped IPv6 address (RFC 4291 2.5.5.2) counts as the IPv4 address.
    pub fn contains(self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        // IPv4 sorts before IPv6, so no address lies in a range of the other family.
        self.first <= address && address <= self.last
    }

    /// The range between two addresses, ends included.
    ///
    /// # Errors
    /// When they are of two families, in the wrong order, or stand for IPv4 addresses.
    pub fn new(first: IpAddr, last: IpAddr) -> Result<Self, SubnetError> {
        if first.is_ipv4() != last.is_ipv4() {
            return Err(SubnetError::Families);
        }
        if first > last {
            return Err(SubnetError::Order(first, last));
        }
        let meant = Self { first: first.to_canonical(), last: last.to_canonical() };
        match first.is_ipv6() && meant.first.is_ipv4() && meant.last.is_ipv4() {
            true => Err(SubnetError::Mapped(meant)),
            false => Ok(Self { first, last }),
        }
    }

    /// The CIDR that is the same addresses, if there is one.
    fn cidr(self) -> Option<IpNet> {
        let length = match (self.first, self.last) {
            (IpAddr::V4(a), IpAddr::V4(b)) => (a.to_bits() ^ b.to_bits()).leading_zeros(),
            (IpAddr::V6(a), IpAddr::V6(b)) => (a.to_bits() ^ b.to_bits()).leading_zeros(),
            _ => return None,
        };
        let net = IpNet::new(self.first, u8::try_from(length).ok()?).ok()?;
        (net.network() == self.first && net.broadcast() == self.last).then_some(net)
    }
}

impl FromStr for Subnet {
    type Err = SubnetError;

    /// Reads a CIDR whose address has no bits set behind the prefix, a range `a-b`, or an address, which stands for itself
    /// alone.
    fn from_str(text: &str) -> Result<Self, SubnetError> {
        let address = |text: &str| text.parse::<IpAddr>().map_err(|_| SubnetError::Form);
        if let Some((first, last)) = text.split_once('-') {
            return Self::new(address(first)?, address(last)?);
        }
        if text.contains('/') {
            let net = parse_network(text)?;
            return Self::new(net.network(), net.broadcast());
        }
        let address = address(text)?;
        Self::new(address, address)
    }
}

impl fmt::Display for Subnet {
    /// An address, a CIDR, or `a-b` where the range is neither.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.cidr() {
            _ if self.first == self.last => write!(f, "{}", self.first),
            Some(net) => write!(f, "{net}"),
            None => write!(f, "{}-{}", self.first, self.last),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn subnet(text: &str) -> Subnet {
        text.parse().unwrap()
    }

    #[test]
    fn subnets_are_read() {
        for (text, first, last, shown) in [
            ("192.0.2.1", "192.0.2.1", "192.0.2.1", "192.0.2.1"),
            ("192.0.2.1/32", "192.0.2.1", "192.0.2.1", "192.0.2.1"),
            ("10.0.0.0/8", "10.0.0.0", "10.255.255.255", "10.0.0.0/8"),
            ("0.0.0.0/0", "0.0.0.0", "255.255.255.255", "0.0.0.0/0"),
            ("10.0.0.0-10.0.0.7", "10.0.0.0", "10.0.0.7", "10.0.0.0/29"),
            ("10.0.0.1-10.0.0.7", "10.0.0.1", "10.0.0.7", "10.0.0.1-10.0.0.7"),
            ("10.0.0.1-10.0.0.1", "10.0.0.1", "10.0.0.1", "10.0.0.1"),
            ("2001:db8::1", "2001:db8::1", "2001:db8::1", "2001:db8::1"),
            ("2001:DB8::/127", "2001:db8::", "2001:db8::1", "2001:db8::/127"),
            ("::/0", "::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "::/0"),
            ("::fffe:0:0-::ffff:0:1", "::fffe:0:0", "::ffff:0:1", "::fffe:0:0-::ffff:0.0.0.1"),
        ] {
            let range = subnet(text);
            let ends = [first, last].map(|it| it.parse::<IpAddr>().unwrap());
            assert_eq!([range.first(), range.last()], ends, "{text}");
            assert_eq!(range.to_string(), shown);
            assert_eq!(subnet(shown), range);
        }
    }

    #[test]
    fn what_is_wrong_is_told() {
        for (text, expected) in [
            ("", ""),
            ("host", ""),
            ("10.0.0.0/", "it has not the form of a network"),
            ("10.0.0.1 - 10.0.0.2", ""),
            ("10.0.0.1-10.0.0.2-10.0.0.3", ""),
            ("10.0.0.0-10.1.0.0/16", ""),
            ("10.0.0.0/1000", "its prefix is 0 to 32 bits long"),
            ("10.1.0.0/8", "it has bits set after its prefix, perhaps 10.0.0.0/8 is meant"),
            ("10.0.0.9-10.0.0.1", "ends before it begins, perhaps \"10.0.0.1-10.0.0.9\" is meant"),
            ("10.0.0.1-2001:db8::1", "begins in one address family and ends in the other"),
            ("::ffff:10.0.0.0/104", "is IPv4 in IPv6's clothes, perhaps \"10.0.0.0/8\" is meant"),
        ] {
            assert_eq!(text.parse::<Subnet>().unwrap_err().to_string(), expected, "{text}");
        }
    }

    #[test]
    fn mapped_addresses_are_those_they_stand_for() {
        let mapped = "::ffff:10.0.0.1".parse().unwrap();
        assert!(subnet("10.0.0.0/8").contains(mapped));
        assert!(!subnet("::/0").contains(mapped));
        assert!(!subnet("::/0").contains("10.0.0.1".parse().unwrap()));
    }

    proptest! {
        /// On a small ring of addresses everything can be counted.
        #[test]
        fn ranges_are_sets_of_addresses(a: u8, b: u8, wide: bool) {
            let at = |octet: u8| match wide {
                true => IpAddr::from([0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, octet]),
                false => IpAddr::from([192, 0, 2, octet]),
            };
            let range = subnet(&format!("{}-{}", at(a.min(b)), at(a.max(b))));
            let count = (0..=u8::MAX).filter(|it| range.contains(at(*it))).count();
            prop_assert_eq!(count, usize::from(a.abs_diff(b)) + 1);
            prop_assert_eq!(subnet(&range.to_string()), range);
        }
    }
}
