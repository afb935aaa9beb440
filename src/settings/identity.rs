//! Certificates that probes and the server show of themselves, and their keys, from PEM files.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{Error as TlsError, InconsistentKeys};

use super::files::{FILE_MOST, Library};
use super::monitor::Written;
use super::problem::Log;
use crate::model::TlsIdentity;

/// Reads each pair of files once, however many tables name it, so that they share what is in it.
pub(super) struct IdentityFiles<'a> {
    library: &'a Library<'a>,
    log: &'a Log,
    read: RefCell<HashMap<(PathBuf, PathBuf), Result<TlsIdentity, Wrong>>>,
}

/// Which of the two files is wrong, and a phrase that says how; nothing of a key is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Wrong {
    Certificate(String),
    Key(String),
}

impl<'a> IdentityFiles<'a> {
    pub(super) fn new(library: &'a Library<'a>, log: &'a Log) -> Self {
        Self { library, log, read: RefCell::default() }
    }

    /// None if a file is wrong, or they don't belong together, which is told where the file is named.
    pub(super) fn read(
        &self,
        certificate: &Written<PathBuf>,
        key: &Written<PathBuf>,
    ) -> Option<TlsIdentity> {
        let pair = (certificate.value.clone(), key.value.clone());
        let known = self.read.borrow().get(&pair).cloned();
        let read = known.unwrap_or_else(|| {
            self.warn_of_readers(key);
            let read = identity(self.library, &pair.0, &pair.1);
            self.read.borrow_mut().insert(pair, read.clone());
            read
        });
        let (spot, why) = match read {
            Ok(identity) => return Some(identity),
            Err(Wrong::Certificate(why)) => (&certificate.spot, why),
            Err(Wrong::Key(why)) => (&key.spot, why),
        };
        self.log.error(spot.problem(why));
        None
    }

    /// A group may be meant to read a key, since the daemon is mostly not the owner of it; everybody is not.
    fn warn_of_readers(&self, key: &Written<PathBuf>) {
        let mode = fs::metadata(&key.value).map_or(0, |it| it.permissions().mode());
        if mode & 0o007 != 0 {
            let path = &key.value;
            let message =
                format!("everybody on this machine may read the key {path:?}; run chmod o= on it");
            self.log.warning(key.spot.problem(message));
        }
    }
}

fn identity(library: &Library<'_>, file: &Path, key_file: &Path) -> Result<TlsIdentity, Wrong> {
    let content = library.read(file, FILE_MOST).map_err(Wrong::Certificate)?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&content).collect();
    let chain = chain
        .map_err(|error| Wrong::Certificate(format!("{file:?} is no good PEM file: {error}")))?;
    if chain.is_empty() {
        return Err(Wrong::Certificate(format!("{file:?} has no certificate in it")));
    }
    let content = library.read(key_file, FILE_MOST).map_err(Wrong::Key)?;
    // What the parser says may show a part of what it read.
    let key = PrivateKeyDer::from_pem_slice(&content).map_err(|_| {
        let how = "write one in PEM, not encrypted (PKCS #8, PKCS #1 or SEC 1)";
        Wrong::Key(format!("{key_file:?} has no private key in it that can be read; {how}"))
    })?;
    let certificates: Vec<Box<[u8]>> = chain.iter().map(|it| Box::from(it.as_ref())).collect();
    let octets: Arc<[u8]> = key.secret_der().into();
    CertifiedKey::from_der(chain, key, &ring::default_provider()).map_err(|error| match error {
        TlsError::InconsistentKeys(InconsistentKeys::KeyMismatch) => Wrong::Key(format!(
            "{key_file:?} is not the key of the first certificate in {file:?}; name two files that belong together"
        )),
        TlsError::InvalidCertificate(_) => Wrong::Certificate(format!(
            "the first certificate in {file:?} can't be used; name a file that begins with the own certificate"
        )),
        _ => Wrong::Key(format!(
            "{key_file:?} has a key of a kind that can't be used; write one of ECDSA (P-256, P-384), Ed25519 or RSA"
        )),
    })?;
    Ok(TlsIdentity { file: file.to_owned(), certificates: certificates.into(), key: octets })
}
