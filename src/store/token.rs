//! The token that is made at the first start, so that the admin API never runs open.

use std::fmt;
use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use ring::digest::{SHA256, digest};

use super::{StoreError, envelope, file};
use crate::model::TokenHash;

/// A new token's randomness.
const TOKEN_OCTETS: usize = 32;
/// What an operator writes instead may be shorter, but not so short that it is guessed.
const LEAST_LENGTH: usize = 16;
/// Nobody has a longer one; whatever is in the file, reading it ends.
const MOST_LENGTH: u64 = 4096;

/// The admin API's token. Only its hash is kept, and nothing shows even that.
#[derive(Clone)]
pub struct AdminToken {
    hash: TokenHash,
    /// Whether it was made just now: its file is where the operator finds it.
    pub created: bool,
    /// Whether others than the file's owner may read it, which is worth a warning.
    pub too_open: bool,
}

impl AdminToken {
    fn new(token: &str, created: bool, too_open: bool) -> Self {
        Self { hash: hash(token), created, too_open }
    }

    /// The hash of the token.
    pub fn hash(&self) -> &TokenHash {
        &self.hash
    }
}

/// The hash by which a token is known.
pub fn hash(token: &str) -> TokenHash {
    let mut octets = [0; 32];
    octets.copy_from_slice(digest(&SHA256, token.as_bytes()).as_ref());
    TokenHash(octets)
}

/// So much randomness that nobody guesses it, as text.
///
/// # Errors
/// When the operating system gives no random numbers.
pub fn secret() -> Result<String, StoreError> {
    let mut octets = [0; TOKEN_OCTETS];
    getrandom::fill(&mut octets).map_err(|source| StoreError::Random { source })?;
    Ok(envelope::hex(&octets))
}

impl fmt::Debug for AdminToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdminToken")
            .field("created", &self.created)
            .field("too_open", &self.too_open)
            .finish_non_exhaustive()
    }
}

/// The token in the file, or, where one is `needed`, a new one, which is then on the disk.
pub(super) fn read_or_create(path: &Path, needed: bool) -> Result<Option<AdminToken>, StoreError> {
    match fs::File::open(path) {
        Ok(file) => read(path, file).map(Some),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            needed.then(|| create(path)).transpose()
        }
        Err(source) => Err(StoreError::read(path, source)),
    }
}

fn read(path: &Path, file: fs::File) -> Result<AdminToken, StoreError> {
    let failed = |source| StoreError::read(path, source);
    let too_open = file.metadata().map_err(failed)?.permissions().mode() & 0o077 != 0;
    let mut text = String::new();
    file.take(MOST_LENGTH).read_to_string(&mut text).map_err(failed)?;
    let token = text.trim();
    let plain = token.bytes().all(|it| it.is_ascii_graphic());
    if token.len() < LEAST_LENGTH || !plain {
        return Err(StoreError::NoToken { path: path.into() });
    }
    Ok(AdminToken::new(token, false, too_open))
}

fn create(path: &Path) -> Result<AdminToken, StoreError> {
    let token = secret()?;
    file::replace(path, format!("{token}\n").as_bytes())
        .map_err(|source| StoreError::write(path, source))?;
    Ok(AdminToken::new(&token, true, false))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn it_is_made_once_and_private() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("admin.token");
        assert!(read_or_create(&path, false).unwrap().is_none() && !path.exists());
        let made = read_or_create(&path, true).unwrap().unwrap();
        let text = fs::read_to_string(&path).unwrap();
        let token = text.strip_suffix('\n').unwrap();
        assert!(token.len() == 64 && token.bytes().all(|it| b"0123456789abcdef".contains(&it)));
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(made.created && !made.too_open && *made.hash() == hash(token));

        let again = read_or_create(&path, true).unwrap().unwrap();
        assert!(!again.created && !again.too_open && *again.hash() == hash(token));
        assert!(!format!("{again:?}").contains(&token[..8]), "{again:?}");
    }

    #[test]
    fn a_file_that_others_read_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("admin.token");
        fs::write(&path, "  an operator's own words don't count\n").unwrap();
        assert!(matches!(read_or_create(&path, true), Err(StoreError::NoToken { .. })));
        fs::write(&path, "s3cret-of-the-operator\n").unwrap();
        for (mode, too_open) in [(0o600, false), (0o400, false), (0o640, true), (0o604, true)] {
            set_mode(&path, mode);
            let token = read_or_create(&path, true).unwrap().unwrap();
            assert_eq!(token.too_open, too_open, "{mode:o}");
            assert!(*token.hash() == hash("s3cret-of-the-operator"));
        }
    }

    #[test]
    fn an_empty_file_opens_no_door() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("admin.token");
        for content in ["", "\n", "short", "a b c d e f g h i j k l m n"] {
            fs::write(&path, content).unwrap();
            let error = read_or_create(&path, true).unwrap_err();
            assert!(error.to_string().contains("holds no token"), "{error}");
        }
    }
}
