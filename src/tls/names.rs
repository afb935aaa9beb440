//! The names in a certificate: of its extensions nothing else is read, of a certificate that was verified before.

use std::net::IpAddr;

const SEQUENCE: u8 = 0x30;
const OCTET_STRING: u8 = 0x04;
/// `[3] EXPLICIT` in the certificate's body (RFC 5280 4.1).
const EXTENSIONS: u8 = 0xa3;
/// id-ce-subjectAltName, 2.5.29.17, with its tag.
const SUBJECT_ALT_NAME: &[u8] = &[0x06, 0x03, 0x55, 0x1d, 0x11];
/// The tags of a GeneralName (RFC 5280 4.2.1.6).
const EMAIL: u8 = 0x81;
const DNS: u8 = 0x82;
const URI: u8 = 0x86;
const IP: u8 = 0x87;

/// The subject's alternative names of a certificate in DER, as OpenSSL's configuration writes them: `DNS:ops.example`,
/// `email:ann@example.org`, `URI:spiffe://example.org/ops`, `IP:192.0.2.1`. Other kinds are left out.
pub fn alternative_names(certificate: &[u8]) -> Vec<String> {
    names(certificate).unwrap_or_default()
}

/// None where the certificate has no such extension, or is none.
fn names(certificate: &[u8]) -> Option<Vec<String>> {
    let (certificate, _) = of_tag(certificate, SEQUENCE)?;
    let (body, _) = of_tag(certificate, SEQUENCE)?;
    let (_, extensions) = elements(body).find(|(tag, _)| *tag == EXTENSIONS)?;
    let (extensions, _) = of_tag(extensions, SEQUENCE)?;
    let mut values = elements(extensions)
        .filter(|(tag, _)| *tag == SEQUENCE)
        .filter_map(|(_, it)| it.strip_prefix(SUBJECT_ALT_NAME));
    // Between the kind and the value may stand whether the extension is critical.
    let (_, value) = elements(values.next()?).find(|(tag, _)| *tag == OCTET_STRING)?;
    let (list, _) = of_tag(value, SEQUENCE)?;
    Some(elements(list).filter_map(|(tag, it)| name(tag, it)).collect())
}

fn name(tag: u8, octets: &[u8]) -> Option<String> {
    let text = || std::str::from_utf8(octets).ok().filter(|it| it.is_ascii());
    match tag {
        EMAIL => Some(format!("email:{}", text()?)),
        DNS => Some(format!("DNS:{}", text()?.to_ascii_lowercase())),
        URI => Some(format!("URI:{}", text()?)),
        IP => {
            let four = <[u8; 4]>::try_from(octets).map(IpAddr::from);
            let address = four.or_else(|_| <[u8; 16]>::try_from(octets).map(IpAddr::from)).ok()?;
            Some(format!("IP:{address}"))
        }
        _ => None,
    }
}

/// The content of the element at the beginning, if that has this tag, and what comes behind it.
fn of_tag(der: &[u8], expected: u8) -> Option<(&[u8], &[u8])> {
    element(der).filter(|(tag, ..)| *tag == expected).map(|(_, content, rest)| (content, rest))
}

/// The elements one after the other, until one makes no sense.
fn elements(mut der: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    std::iter::from_fn(move || {
        let (tag, content, rest) = element(der)?;
        der = rest;
        Some((tag, content))
    })
}

/// The tag and the content of the element at the beginning, and what comes behind it.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&[tag, first], rest) = der.split_first_chunk()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81..=0x83 => {
            let (length, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            (length.iter().fold(0, |sum, it| sum << 8 | usize::from(*it)), rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, CustomExtension, KeyPair, SanType};

    fn certificate(names: Vec<SanType>) -> Vec<u8> {
        let mut params = CertificateParams::new([]).unwrap();
        params.subject_alt_names = names;
        // 2.5.29.17 stands in another extension's value, where it is no name.
        let other = vec![0x04, 0x05, 0x06, 0x03, 0x55, 0x1d, 0x11];
        params.custom_extensions = vec![CustomExtension::from_oid_content(&[1, 2, 3], other)];
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
    }

    #[test]
    fn every_kind_of_name_is_told_with_its_kind() {
        let der = certificate(vec![
            SanType::DnsName("Ops.Example".try_into().unwrap()),
            SanType::Rfc822Name("Ann@example.org".try_into().unwrap()),
            SanType::URI("spiffe://example.org/ops".try_into().unwrap()),
            SanType::IpAddress("192.0.2.1".parse().unwrap()),
            SanType::IpAddress("2001:db8::1".parse().unwrap()),
        ]);
        let expected = [
            "DNS:ops.example",
            "email:Ann@example.org",
            "URI:spiffe://example.org/ops",
            "IP:192.0.2.1",
            "IP:2001:db8::1",
        ];
        assert_eq!(alternative_names(&der), expected);
        let many = (0..500).map(|it| SanType::DnsName(format!("n{it}").try_into().unwrap()));
        assert_eq!(alternative_names(&certificate(many.collect())).len(), 500);
        assert_eq!(alternative_names(&certificate(Vec::new())), [""; 0]);
    }

    #[test]
    fn what_is_no_certificate_has_no_names() {
        let der = certificate(vec![SanType::DnsName("a".try_into().unwrap())]);
        for length in 0..der.len() {
            assert!(alternative_names(&der[..length]).is_empty(), "cut to {length}");
        }
        for at in 0..der.len() {
            for octet in [0, 0x7f, 0x80, 0x84, 0xff] {
                let mut other = der.clone();
                other[at] = octet;
                assert!(alternative_names(&other).len() <= 1);
            }
        }
    }
}
