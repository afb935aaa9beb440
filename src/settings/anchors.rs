//! Certificate authorities for probes, from PEM files.

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::files::{FILE_MOST, Library};
use crate::model::TrustAnchors;

/// Reads each file once, however many monitors name it, so that they share the certificates.
pub(super) struct AnchorFiles<'a> {
    library: &'a Library<'a>,
    read: RefCell<HashMap<PathBuf, Result<TrustAnchors, String>>>,
}

impl<'a> AnchorFiles<'a> {
    pub(super) fn new(library: &'a Library<'a>) -> Self {
        Self { library, read: RefCell::default() }
    }

    /// # Errors
    /// A phrase that says what is wrong with the file.
    pub(super) fn read(&self, path: &Path) -> Result<TrustAnchors, String> {
        if let Some(known) = self.read.borrow().get(path) {
            return known.clone();
        }
        let read = self.library.read(path, FILE_MOST).and_then(|content| parse(path, &content));
        self.read.borrow_mut().insert(path.to_owned(), read.clone());
        read
    }
}

fn parse(path: &Path, content: &[u8]) -> Result<TrustAnchors, String> {
    let mut store = RootCertStore::empty();
    let mut certificates = Vec::new();
    for (index, certificate) in CertificateDer::pem_slice_iter(content).enumerate() {
        let number = index + 1;
        let broken = |why: String| format!("certificate {number} of {path:?} can't be used: {why}");
        let certificate = certificate.map_err(|error| broken(error.to_string()))?;
        certificates.push(Box::from(certificate.as_ref()));
        // What probes can't trust later is refused now.
        store.add(certificate).map_err(|error| broken(error.to_string()))?;
    }
    if certificates.is_empty() {
        return Err(format!("{path:?} has no certificate in it"));
    }
    Ok(TrustAnchors { file: path.to_owned(), certificates: certificates.into() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    fn authority() -> String {
        let mut parameters = rcgen::CertificateParams::new([]).unwrap();
        parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let key = rcgen::KeyPair::generate().unwrap();
        parameters.self_signed(&key).unwrap().pem()
    }

    #[test]
    fn a_file_is_read_once_and_must_hold_certificates() {
        let reads = Cell::new(0);
        let two = format!("{}\n# and\n{}", authority(), authority());
        let read = |path: &Path, _| {
            reads.set(reads.get() + 1);
            match path.to_str() {
                Some("ca.pem") => Ok(two.clone().into_bytes()),
                Some("empty.pem") => Ok(b"nothing".to_vec()),
                Some("bad.pem") => {
                    Ok(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".to_vec())
                }
                _ => Err(std::io::ErrorKind::NotFound.into()),
            }
        };
        let library = Library::new(&read);
        let files = AnchorFiles::new(&library);
        let first = files.read(Path::new("ca.pem")).unwrap();
        let second = files.read(Path::new("ca.pem")).unwrap();
        assert_eq!((first.certificates.len(), reads.get()), (2, 1));
        assert!(std::sync::Arc::ptr_eq(&first.certificates, &second.certificates));
        for (file, expected) in [
            ("empty.pem", "\"empty.pem\" has no certificate in it"),
            ("bad.pem", "certificate 1 of \"bad.pem\" can't be used"),
            ("none.pem", "\"none.pem\" can't be read"),
        ] {
            let why = files.read(Path::new(file)).unwrap_err();
            assert!(why.contains(expected), "{why}");
        }
    }
}
