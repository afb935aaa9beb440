use std::collections::BTreeMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::io;
use std::path::{Path, PathBuf};

use super::files::{ZONE_FILE_MOST, named, read_file};
use super::problem::Log;

/// Which files were read for a configuration, be it good or not, and what was in them. Two are equal when nothing differs that
/// could make a difference.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// What the operator named.
    paths: Vec<PathBuf>,
    /// With a digest of the content; none where it could not be read.
    files: BTreeMap<PathBuf, Option<u64>>,
}

impl Reading {
    /// The files, also those that could not be read.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        self.files.keys().map(PathBuf::as_path)
    }

    /// Reads the files again: whether they are the same, with the same in them.
    pub fn is_current(&self) -> bool {
        let named = named(&self.paths, &Log::default());
        let now = |path| read_file(path, ZONE_FILE_MOST).ok().as_deref().map(digest);
        named.iter().all(|it| self.files.contains_key(it))
            && self.files.iter().all(|(path, then)| now(path) == *then)
    }

    pub(super) fn of(paths: &[PathBuf]) -> Self {
        Self { paths: paths.to_owned(), files: BTreeMap::new() }
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

#[cfg(test)]
mod tests {
    use crate::settings::load_noting;
    use std::fs;

    #[test]
    fn what_is_read_is_current_until_a_file_comes_goes_or_says_something_else() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        let read = || load_noting(&vec![directory.path().to_owned()].into()).1;
        fs::write(at("a.toml"), "a").unwrap();
        let first = read();
        fs::write(at("a.toml"), "a").unwrap();
        fs::write(at("other"), "").unwrap();
        assert!(first.is_current() && first == read());
        fs::write(at("b.toml"), "").unwrap();
        let second = read();
        assert!(!first.is_current() && second.is_current() && first != second);
        fs::write(at("a.toml"), "b").unwrap();
        let third = read();
        assert!(!second.is_current() && third.is_current() && second != third);
        fs::remove_file(at("b.toml")).unwrap();
        assert!(!third.is_current() && third != read());
    }
}
