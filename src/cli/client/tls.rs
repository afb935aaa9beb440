//! Whom the client trusts, and who it is itself.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

use super::Failure;

/// The files that a client's TLS goes by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::cli) struct TlsFiles {
    /// The authorities to trust instead of the system's.
    pub(in crate::cli) ca: Option<PathBuf>,
    /// The certificate to show.
    pub(in crate::cli) client_cert: Option<PathBuf>,
    /// Its key; the certificate's file has it where none is named.
    pub(in crate::cli) client_key: Option<PathBuf>,
}

impl TlsFiles {
    /// What is said here, else what the other says. A certificate and its key go together.
    pub(super) fn or(self, other: Self) -> Self {
        let (client_cert, client_key) = match self.client_cert {
            Some(own) => (Some(own), self.client_key),
            None => (other.client_cert, self.client_key.or(other.client_key)),
        };
        Self { ca: self.ca.or(other.ca), client_cert, client_key }
    }

    /// TLS with the one crypto provider of the program. The files, and the system's roots, are read only when they are needed.
    pub(super) fn config(&self, needed: bool) -> Result<ClientConfig, Failure> {
        let mut roots = RootCertStore::empty();
        match self.ca.as_deref().filter(|_| needed) {
            Some(file) => {
                for certificate in certificates(file)? {
                    let wrong = |it: rustls::Error| Failure::pem(file, it.to_string());
                    roots.add(certificate).map_err(wrong)?;
                }
            }
            None if needed => {
                roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            }
            None => {}
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| Failure::start(&error))?
            .with_root_certificates(roots);
        let Some(file) = self.client_cert.as_deref().filter(|_| needed) else {
            return Ok(builder.with_no_client_auth());
        };
        let key_file = self.client_key.as_deref().unwrap_or(file);
        // What the parser says may show a part of what it read.
        let key = PrivateKeyDer::from_pem_file(key_file).map_err(|_| {
            let why = "there is no private key in it that can be read (PEM, not encrypted)";
            Failure::pem(key_file, why.to_owned())
        })?;
        builder.with_client_auth_cert(certificates(file)?, key).map_err(|error| {
            let why = format!("it can't be used with the key of `{}`: {error}", key_file.display());
            Failure::pem(file, why)
        })
    }
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, Failure> {
    let wrong = |it: rustls::pki_types::pem::Error| Failure::pem(file, it.to_string());
    let all = CertificateDer::pem_file_iter(file).map_err(wrong)?;
    let all: Vec<_> = all.collect::<Result<_, _>>().map_err(wrong)?;
    if all.is_empty() {
        return Err(Failure::pem(file, "there is no certificate in it".to_owned()));
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(ca: &str, client_cert: &str, client_key: &str) -> TlsFiles {
        let file = |it: &str| (!it.is_empty()).then(|| PathBuf::from(it));
        TlsFiles { ca: file(ca), client_cert: file(client_cert), client_key: file(client_key) }
    }

    #[test]
    fn a_key_of_another_certificate_is_not_taken() {
        let context = || files("ca", "c", "k");
        for (said, taken) in [
            (files("", "", ""), context()),
            (files("x", "", ""), files("x", "c", "k")),
            (files("", "x", ""), files("ca", "x", "")),
            (files("", "x", "y"), files("ca", "x", "y")),
            (files("", "", "y"), files("ca", "c", "y")),
        ] {
            assert_eq!(said.or(context()), taken);
        }
    }

    #[test]
    fn what_is_wrong_with_a_file_is_told_with_its_name() {
        let directory = tempfile::tempdir().unwrap();
        let [good, other, key, bad] =
            ["good", "other", "key", "bad"].map(|it| directory.path().join(it));
        let certified = rcgen::generate_simple_self_signed(["a".to_owned()]).unwrap();
        let stranger = rcgen::KeyPair::generate().unwrap();
        std::fs::write(&good, certified.cert.pem() + &certified.signing_key.serialize_pem())
            .unwrap();
        std::fs::write(&other, stranger.serialize_pem()).unwrap();
        std::fs::write(&key, certified.signing_key.serialize_pem()).unwrap();
        std::fs::write(&bad, "hush").unwrap();
        let told = |ca: &Path, cert: &Path, key: &Path| {
            let [ca, cert, key] = [ca, cert, key].map(|it| it.to_str().unwrap().to_owned());
            let config = files(&ca, &cert, &key).config(true);
            config.err().map(|it| it.to_string()).unwrap_or_default()
        };
        let none = Path::new("");
        assert_eq!(told(&good, &good, none), "");
        assert_eq!(told(&good, &good, &key), "");
        assert!(told(&bad, none, none).contains("bad`: there is no certificate in it"));
        assert!(told(Path::new("/nowhere/ca"), none, none).contains("`/nowhere/ca`: "));
        assert!(told(none, &good, &bad).contains("bad`: there is no private key in it"));
        assert!(told(none, &good, &other).contains("good`: it can't be used with the key of"));
        // Without TLS nothing is read.
        assert!(files("/nowhere", "/nowhere", "").config(false).is_ok());
    }
}
