use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// A network in CIDR notation: an address whose bits after the prefix are all zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Network {
    address: IpAddr,
    length: u8,
}

/// Why a text is no [`Network`]. The messages say what is wrong; what to write instead is said by who asked for it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NetworkError {
    /// It has not the form of one.
    #[error("it has not the form of a network")]
    Form,
    /// The prefix is longer than an address of the family is.
    #[error("its prefix is 0 to {most} bits long")]
    Length {
        /// The longest of the family: 32 or 128.
        most: u8,
    },
    /// Some bits after the prefix are set, so it is not clear which network is meant.
    #[error("it has bits set after its prefix, perhaps {0} is meant")]
    HostBits(Network),
}

impl Network {
    /// The network of this prefix.
    ///
    /// # Errors
    /// When the length is out of range for the family, or bits are set after the prefix.
    pub fn new(address: IpAddr, length: u8) -> Result<Self, NetworkError> {
        let most = width(address);
        if length > most {
            return Err(NetworkError::Length { most });
        }
        let network = Self::around(address, length);
        if network.address == address { Ok(network) } else { Err(NetworkError::HostBits(network)) }
    }

    /// The network of this length around an address; a length that is too long is that of the address alone.
    pub fn around(address: IpAddr, length: u8) -> Self {
        let length = length.min(width(address));
        let address = match address {
            IpAddr::V4(it) => Ipv4Addr::from_bits(it.to_bits() & !host_bits_v4(length)).into(),
            IpAddr::V6(it) => Ipv6Addr::from_bits(it.to_bits() & !host_bits_v6(length)).into(),
        };
        Self { address, length }
    }

    /// The same addresses in the form that clients have: a network of IPv4-mapped IPv6 addresses (RFC 4291 2.5.5.2) is the IPv4 one.
    pub fn to_canonical(self) -> Self {
        match (self.address.to_canonical(), self.length.checked_sub(96)) {
            (address @ IpAddr::V4(_), Some(length)) if self.address.is_ipv6() => {
                Self { address, length }
            }
            _ => self,
        }
    }

    /// Its first address.
    pub fn first(&self) -> IpAddr {
        self.address
    }

    /// The length of its prefix in bits.
    pub fn length(&self) -> u8 {
        self.length
    }

    /// Its last address.
    pub fn last(&self) -> IpAddr {
        match self.address {
            IpAddr::V4(it) => Ipv4Addr::from_bits(it.to_bits() | host_bits_v4(self.length)).into(),
            IpAddr::V6(it) => Ipv6Addr::from_bits(it.to_bits() | host_bits_v6(self.length)).into(),
        }
    }
}

fn width(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

fn host_bits_v4(length: u8) -> u32 {
    u32::MAX.checked_shr(length.into()).unwrap_or(0)
}

fn host_bits_v6(length: u8) -> u128 {
    u128::MAX.checked_shr(length.into()).unwrap_or(0)
}

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let (address, length) = text.split_once('/').ok_or(NetworkError::Form)?;
        let address: IpAddr = address.parse().map_err(|_| NetworkError::Form)?;
        // A sign would be taken for a part of the number.
        if length.is_empty() || !length.bytes().all(|it| it.is_ascii_digit()) {
            return Err(NetworkError::Form);
        }
        // Digits that are no number are too many.
        let length = length.parse().map_err(|_| NetworkError::Length { most: width(address) })?;
        Self::new(address, length)
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_is_what_its_text_says_or_an_error_that_says_the_right_one() {
        for (text, first, last) in [
            ("10.0.0.0/8", "10.0.0.0", "10.255.255.255"),
            ("192.0.2.7/32", "192.0.2.7", "192.0.2.7"),
            ("0.0.0.0/0", "0.0.0.0", "255.255.255.255"),
            ("2001:db8::/32", "2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"),
            ("::/0", "::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
            ("::1/128", "::1", "::1"),
        ] {
            let network: Network = text.parse().unwrap();
            assert_eq!(
                (network.first().to_string(), network.last().to_string()),
                (first.into(), last.into())
            );
            assert_eq!(network.to_string(), text);
        }
        for (text, expected) in [
            ("::ffff:10.1.0.0/112", "10.1.0.0/16"),
            ("::ffff:0:0/96", "0.0.0.0/0"),
            ("::ffff:192.0.2.7/128", "192.0.2.7/32"),
            ("::fffe:0:0/95", "::fffe:0:0/95"),
            ("::/0", "::/0"),
            ("10.0.0.0/8", "10.0.0.0/8"),
        ] {
            let network: Network = text.parse().unwrap();
            assert_eq!(network.to_canonical().to_string(), expected);
        }
        for (text, why) in [
            ("10.0.0.1/8", "it has bits set after its prefix, perhaps 10.0.0.0/8 is meant"),
            ("2001:db8::1/64", "perhaps 2001:db8::/64 is meant"),
            ("10.0.0.0/33", "its prefix is 0 to 32 bits long"),
            ("::/300", "its prefix is 0 to 128 bits long"),
            ("10.0.0.0", "it has not the form of a network"),
            ("10.0.0.0/", "it has not the form"),
            ("10.0.0.0/+8", "it has not the form"),
            ("10.0.0/8", "it has not the form"),
            ("", "it has not the form"),
        ] {
            let error = text.parse::<Network>().unwrap_err().to_string();
            assert!(error.contains(why), "{text}: {error}");
        }
    }
}
