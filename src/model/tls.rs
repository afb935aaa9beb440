use std::fmt;
use std::hash::{Hash, Hasher};
use std::path::PathBuf;
use std::sync::Arc;

use super::Timestamp;

const DAY_MILLISECONDS: i64 = 86_400_000;

/// What a probe demands of TLS.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TlsCheck {
    /// Whether chain, name and validity of the certificate are checked.
    pub verify: bool,
    /// The trust anchors; none means those of the operating system.
    pub anchors: Option<TrustAnchors>,
    /// What the probe shows to servers that ask who it is.
    pub identity: Option<TlsIdentity>,
    /// A certificate that is valid for fewer days is warned of, 0–365; 0 for no warning.
    pub min_days_left: u16,
}

impl TlsCheck {
    /// From when on a certificate that expires then is warned of; none without warnings.
    pub fn warns_from(&self, expires: Timestamp) -> Option<Timestamp> {
        let least = i64::from(self.min_days_left) * DAY_MILLISECONDS;
        (least > 0).then(|| Timestamp(expires.0.saturating_sub(least)))
    }
}

/// Certificate authorities read from a file.
#[derive(Clone, PartialEq, Eq)]
pub struct TrustAnchors {
    /// The file that they came from.
    pub file: PathBuf,
    /// The certificates, in DER.
    pub certificates: Arc<[Box<[u8]>]>,
}

impl Hash for TrustAnchors {
    /// By the file alone: monitors are hashed by the hundred thousand, and a bundle has hundreds of certificates.
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.file.hash(state);
    }
}

impl fmt::Debug for TrustAnchors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TrustAnchors({}, {} certificates)", self.file.display(), self.certificates.len())
    }
}

/// A certificate that a client or a server shows of itself, and its private key, which belong together. Nothing shows the key.
#[derive(Clone, PartialEq, Eq)]
pub struct TlsIdentity {
    /// The file that the certificates came from.
    pub file: PathBuf,
    /// The own certificate and those between it and an authority, in DER.
    pub certificates: Arc<[Box<[u8]>]>,
    /// The key of the first, in DER: PKCS #8, PKCS #1 or SEC 1.
    pub key: Arc<[u8]>,
}

impl AsRef<TlsIdentity> for TlsIdentity {
    fn as_ref(&self) -> &TlsIdentity {
        self
    }
}

impl Hash for TlsIdentity {
    /// By the file alone, for the reason that trust anchors are.
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.file.hash(state);
    }
}

impl fmt::Debug for TlsIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TlsIdentity({}, key hidden)", self.file.display())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_warned_of_when_it_has_too_few_days_left() {
        let from = |min_days_left| {
            let check = TlsCheck { verify: true, anchors: None, identity: None, min_days_left };
            check.warns_from(Timestamp(1_000_000_000_000)).map(|it| it.0)
        };
        assert_eq!(from(0), None, "0 turns it off");
        assert_eq!(from(2), Some(1_000_000_000_000 - 2 * 86_400_000));
    }

    #[test]
    fn the_key_is_never_shown() {
        let identity = TlsIdentity {
            file: "/etc/farol/client.pem".into(),
            certificates: Arc::new([Box::from(&b"certificate"[..])]),
            key: Arc::from(&[7, 7, 7][..]),
        };
        assert_eq!(format!("{identity:?}"), "TlsIdentity(/etc/farol/client.pem, key hidden)");
    }
}
