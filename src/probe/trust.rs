//! How probes trust: one TLS client configuration for each way of checking, made once.

use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    ClientConfig, DigitallySignedStruct, Error as TlsError, RootCertStore, SignatureScheme,
};
use tokio::sync::OnceCell;
use tokio::task::spawn_blocking;

use super::reason::Failure;
use crate::model::{TlsCheck, TlsIdentity, TrustAnchors};

/// Far more than a configuration has; only reloads that keep changing the anchors get there, and then all are remade.
const MOST_KEPT: usize = 1024;

/// Makes and keeps TLS client configurations.
#[derive(Debug, Default)]
pub(super) struct Trust {
    kept: Mutex<HashMap<Key, Arc<OnceCell<Arc<ClientConfig>>>>>,
    system: Arc<OnceCell<Arc<RootCertStore>>>,
}

/// What a probe offers to speak over TLS (ALPN, RFC 7301).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Offer {
    /// Nothing: whatever the server speaks, nothing is said to it.
    Nothing,
    /// HTTP/2, else HTTP/1.1.
    Http,
    /// HTTP/2 alone.
    Http2,
}

impl Offer {
    fn protocols(self) -> Vec<Vec<u8>> {
        let names: &[&[u8]] = match self {
            Self::Nothing => &[],
            Self::Http => &[b"h2", b"http/1.1"],
            Self::Http2 => &[b"h2"],
        };
        names.iter().map(|it| it.to_vec()).collect()
    }
}

/// What makes one configuration differ from another. Compared in full, hashed by the little that tells checks apart: a
/// bundle of certificates is long, and equal ones are mostly the same memory, which `Arc` sees at once.
#[derive(Debug, PartialEq, Eq)]
struct Key {
    verify: bool,
    anchors: Option<TrustAnchors>,
    identity: Option<TlsIdentity>,
    offer: Offer,
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.verify, self.offer).hash(state);
        self.anchors.as_ref().map(|it| (&it.file, it.certificates.len())).hash(state);
        self.identity.as_ref().map(|it| (&it.file, it.certificates.len())).hash(state);
    }
}

impl Trust {
    /// The configuration for this check and offer. The first time it is made away from the async threads, since it reads
    /// files and parses certificates.
    pub(super) async fn config(
        &self,
        check: &TlsCheck,
        offer: Offer,
    ) -> Result<Arc<ClientConfig>, Failure> {
        let cell = self.cell(check, offer);
        cell.get_or_try_init(|| self.make(check, offer)).await.map(Arc::clone)
    }

    fn cell(&self, check: &TlsCheck, offer: Offer) -> Arc<OnceCell<Arc<ClientConfig>>> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= MOST_KEPT {
            kept.clear();
        }
        let (anchors, identity) = (check.anchors.clone(), check.identity.clone());
        let key = Key { verify: check.verify, anchors, identity, offer };
        Arc::clone(kept.entry(key).or_default())
    }

    async fn make(&self, check: &TlsCheck, offer: Offer) -> Result<Arc<ClientConfig>, Failure> {
        let roots = match (check.verify, check.anchors.clone()) {
            (false, _) => None,
            (true, Some(anchors)) => Some(away(move || read_anchors(&anchors)).await?),
            (true, None) => {
                let system = self.system.get_or_try_init(|| away(read_system)).await?;
                Some(Arc::clone(system))
            }
        };
        let identity = check.identity.clone();
        away(move || {
            let made = config(roots, identity.as_ref(), offer);
            made.map(Arc::new).map_err(|error| Failure::Machine(error.to_string()))
        })
        .await
    }
}

/// Runs what blocks where blocking hurts nobody.
async fn away<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    let ended = spawn_blocking(work).await;
    ended.unwrap_or_else(|error| Err(Failure::Machine(error.to_string())))
}

fn read_anchors(anchors: &TrustAnchors) -> Result<Arc<RootCertStore>, Failure> {
    let mut roots = RootCertStore::empty();
    let certificates = anchors.certificates.iter().map(|it| CertificateDer::from(it.to_vec()));
    let (added, _) = roots.add_parsable_certificates(certificates);
    let file = anchors.file.display();
    let none = || Failure::Machine(format!("no usable certificate in `{file}`"));
    if added == 0 { Err(none()) } else { Ok(Arc::new(roots)) }
}

fn read_system() -> Result<Arc<RootCertStore>, Failure> {
    let found = rustls_native_certs::load_native_certs();
    for error in &found.errors {
        tracing::warn!(event = "trust_anchors_unread", %error, "could not read some of the operating system's trust anchors");
    }
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(found.certs);
    let none = || Failure::Machine("this machine has no trust anchors; set tls.ca_file".to_owned());
    if added == 0 { Err(none()) } else { Ok(Arc::new(roots)) }
}

/// A client that never resumes a session: every probe is what a new client would do. Without roots it trusts anyone.
fn config(
    roots: Option<Arc<RootCertStore>>,
    identity: Option<&TlsIdentity>,
    offer: Offer,
) -> Result<ClientConfig, TlsError> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()?;
    let builder = match roots {
        Some(roots) => builder.with_root_certificates(roots),
        None => builder.dangerous().with_custom_certificate_verifier(Arc::new(Anyone { provider })),
    };
    let mut config = match identity {
        Some(identity) => {
            let chain = identity.certificates.iter().map(|it| CertificateDer::from(it.to_vec()));
            let key = PrivateKeyDer::try_from(identity.key.to_vec())
                .map_err(|why| TlsError::General(why.to_owned()))?;
            builder.with_client_auth_cert(chain.collect(), key)?
        }
        None => builder.with_no_client_auth(),
    };
    config.resumption = Resumption::disabled();
    config.alpn_protocols = offer.protocols();
    Ok(config)
}

/// Takes any certificate for any name, but still demands that the server holds its key.
#[derive(Debug)]
struct Anyone {
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        let known = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        let known = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn anchors(bytes: &[u8]) -> TlsCheck {
        let certificates = Arc::new([Box::from(bytes)]);
        let anchors = TrustAnchors { file: "/etc/farol/ca.pem".into(), certificates };
        TlsCheck { verify: true, anchors: Some(anchors), identity: None, min_days_left: 0 }
    }

    #[tokio::test]
    async fn each_check_has_one_configuration() {
        let trust = Trust::default();
        let unverified =
            TlsCheck { verify: false, anchors: None, identity: None, min_days_left: 0 };
        let first = trust.config(&unverified, Offer::Http).await.unwrap();
        assert!(Arc::ptr_eq(&first, &trust.config(&unverified, Offer::Http).await.unwrap()));

        let key = rcgen::generate_simple_self_signed(["a.example".to_owned()]).unwrap();
        let own = trust.config(&anchors(key.cert.der()), Offer::Http).await.unwrap();
        assert!(!Arc::ptr_eq(&first, &own));
        assert!(Arc::ptr_eq(
            &own,
            &trust.config(&anchors(key.cert.der()), Offer::Http).await.unwrap()
        ));
    }

    #[tokio::test]
    async fn a_file_without_certificates_is_our_fault() {
        let failure =
            Trust::default().config(&anchors(b"no certificate"), Offer::Http).await.unwrap_err();
        let text = "no usable certificate in `/etc/farol/ca.pem`";
        assert_eq!(failure, Failure::Machine(text.to_owned()));
    }
}
