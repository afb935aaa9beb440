use std::collections::BTreeMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::io;
use std::path::{Path, PathBuf};

use super::files::{ZONE_FILE_MOST, read_file};

/// Which files were read for a configuration, be it good or not, and what was in them. Two are equal when nothing differs that
/// could make a difference.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// With a digest of the content; none where it could not be read.
    files: BTreeMap<PathBuf, Option<u64>>,
}

impl Reading {
    /// The files, also those that could not be read.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        self.files.keys().map(PathBuf::as_path)
    }

    /// Reads the files again: whether the same is in them.
    pub fn is_current(&self) -> bool {
        let now = |path| read_file(path, ZONE_FILE_MOST).ok().as_deref().map(digest);
        self.files.iter().all(|(path, then)| now(path) == *then)
    }

    pub(super) fn note(&mut self, path: &Path, content: &io::Result<Vec<u8>>) {
        self.files.insert(path.to_owned(), content.as_deref().ok().map(digest));
    }
}

fn digest(content: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    content.hash(&mut hasher);
    hasher.finish()
}
