use std::net::IpAddr;

use ipnet::IpNet;

/// Why a text is no network. The messages say what is wrong; what to write instead is said by who asked for it.
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
    HostBits(IpNet),
}

/// Reads a network in CIDR notation: an address whose bits after the prefix are all zero, and the prefix's length.
///
/// # Errors
/// When the text is none.
pub fn parse_network(text: &str) -> Result<IpNet, NetworkError> {
    let (address, length) = text.split_once('/').ok_or(NetworkError::Form)?;
    let address: IpAddr = address.parse().map_err(|_| NetworkError::Form)?;
    // A sign would be taken for a part of the number, and some take a leading zero for octal.
    let is_decimal = !length.is_empty() && length.bytes().all(|it| it.is_ascii_digit());
    if !is_decimal || (length.len() > 1 && length.starts_with('0')) {
        return Err(NetworkError::Form);
    }
    // Digits that are no number are too many.
    let too_long = || NetworkError::Length { most: IpNet::from(address).max_prefix_len() };
    let length = length.parse().map_err(|_| too_long())?;
    let network = IpNet::new(address, length).map_err(|_| too_long())?;
    if network.trunc() == network {
        Ok(network)
    } else {
        Err(NetworkError::HostBits(network.trunc()))
    }
}

/// The network of this length around an address; a length that is too long is that of the address alone.
pub fn network_around(address: IpAddr, length: u8) -> IpNet {
    IpNet::new(address, length).unwrap_or_else(|_| address.into()).trunc()
}

/// The same addresses in the form that clients have: a network of IPv4-mapped IPv6 addresses (RFC 4291 2.5.5.2) is the IPv4 one.
pub fn canonical_network(network: IpNet) -> IpNet {
    match (network.network().to_canonical(), network.prefix_len().checked_sub(96)) {
        (address @ IpAddr::V4(_), Some(length)) if network.network().is_ipv6() => {
            network_around(address, length)
        }
        _ => network,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_is_what_its_text_says_or_an_error_that_says_the_right_one() {
        for text in ["10.0.0.0/8", "192.0.2.7/32", "0.0.0.0/0", "2001:db8::/32", "::/0", "::1/128"]
        {
            assert_eq!(parse_network(text).unwrap().to_string(), text);
        }
        for (text, expected) in [
            ("::ffff:10.1.0.0/112", "10.1.0.0/16"),
            ("::ffff:0:0/96", "0.0.0.0/0"),
            ("::ffff:192.0.2.7/128", "192.0.2.7/32"),
            ("::fffe:0:0/95", "::fffe:0:0/95"),
            ("::/0", "::/0"),
            ("10.0.0.0/8", "10.0.0.0/8"),
        ] {
            let network = parse_network(text).unwrap();
            assert_eq!(canonical_network(network).to_string(), expected);
        }
        for (text, why) in [
            ("10.0.0.1/8", "it has bits set after its prefix, perhaps 10.0.0.0/8 is meant"),
            ("2001:db8::1/64", "perhaps 2001:db8::/64 is meant"),
            ("10.0.0.0/33", "its prefix is 0 to 32 bits long"),
            ("::/300", "its prefix is 0 to 128 bits long"),
            ("10.0.0.0", "it has not the form of a network"),
            ("10.0.0.0/", "it has not the form"),
            ("10.0.0.0/+8", "it has not the form"),
            ("10.0.0.0/08", "it has not the form"),
            ("10.0.0/8", "it has not the form"),
            ("10.0.0.0/255.0.0.0", "it has not the form"),
            ("", "it has not the form"),
        ] {
            let error = parse_network(text).unwrap_err().to_string();
            assert!(error.contains(why), "{text}: {error}");
        }
    }

    #[test]
    fn around_an_address_is_a_network_of_any_length() {
        for (address, length, network) in [
            ("10.1.2.3", 8, "10.0.0.0/8"),
            ("10.1.2.3", 0, "0.0.0.0/0"),
            ("10.1.2.3", 40, "10.1.2.3/32"),
            ("2001:db8::1", 32, "2001:db8::/32"),
            ("2001:db8::1", 200, "2001:db8::1/128"),
        ] {
            assert_eq!(network_around(address.parse().unwrap(), length).to_string(), network);
        }
    }
}
