//! Which files a configuration consists of, and their contents.

use std::cell::RefCell;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::problem::{Log, Place, Problem};

/// The text of one configuration file.
pub(super) struct Source {
    pub(super) path: Arc<Path>,
    pub(super) text: String,
}

/// Reads the files that a configuration names, and remembers which. The function is the disk, or a test's memory.
pub(super) struct Library<'a> {
    read: &'a dyn Fn(&Path) -> io::Result<Vec<u8>>,
    files: RefCell<Vec<PathBuf>>,
}

impl<'a> Library<'a> {
    pub(super) fn new(read: &'a dyn Fn(&Path) -> io::Result<Vec<u8>>) -> Self {
        Self { read, files: RefCell::default() }
    }

    /// # Errors
    /// A phrase that says what is wrong with the file.
    pub(super) fn read(&self, path: &Path) -> Result<Vec<u8>, String> {
        let content =
            (self.read)(path).map_err(|error| format!("{path:?} can't be read: {error}"))?;
        let mut files = self.files.borrow_mut();
        if !files.iter().any(|it| it == path) {
            files.push(path.to_owned());
        }
        Ok(content)
    }

    /// Every file that was read, in that order.
    pub(super) fn into_files(self) -> Vec<PathBuf> {
        self.files.into_inner()
    }
}

/// Reads configuration files; a directory stands for every `*.toml` in it, sorted. A file that is named twice counts
/// once. Files that can't be read are missing from the result and told to the log.
pub(super) fn sources(paths: &[PathBuf], library: &Library<'_>, log: &Log) -> Vec<Source> {
    let mut files: Vec<PathBuf> = Vec::new();
    for path in paths {
        let found = if path.is_dir() { in_directory(path, log) } else { vec![path.clone()] };
        for file in found {
            if !files.contains(&file) {
                files.push(file);
            }
        }
    }
    files.iter().filter_map(|file| source(file, library, log)).collect()
}

fn in_directory(directory: &Path, log: &Log) -> Vec<PathBuf> {
    let complain = |message: String| log.error(Problem::at(&Place::file(directory), "", message));
    let entries = match std::fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) => {
            complain(format!("the directory can't be read: {error}"));
            return Vec::new();
        }
    };
    // Editors leave hidden files beside the one they edit.
    let is_configuration = |path: &PathBuf| {
        let hidden = path.file_name().is_some_and(|it| it.to_string_lossy().starts_with('.'));
        path.extension().is_some_and(|it| it == "toml") && !hidden && !path.is_dir()
    };
    let mut files: Vec<PathBuf> =
        entries.flatten().map(|it| it.path()).filter(is_configuration).collect();
    if files.is_empty() {
        complain("has no `*.toml` file in it; add one, or name another path".to_owned());
    }
    files.sort();
    files
}

fn source(path: &Path, library: &Library<'_>, log: &Log) -> Option<Source> {
    let complain = |message: String| log.error(Problem::at(&Place::file(path), "", message));
    let content = match library.read(path) {
        Ok(content) => content,
        Err(why) => {
            complain(format!("{why}; name a configuration file, or a directory of `*.toml` files"));
            return None;
        }
    };
    match String::from_utf8(content) {
        Ok(text) => Some(Source { path: path.into(), text }),
        Err(error) => {
            let at = error.utf8_error().valid_up_to();
            let line = error.as_bytes().iter().take(at).filter(|it| **it == b'\n').count() + 1;
            let place = Place { file: path.into(), line: Some(line) };
            log.error(Problem::at(&place, "", "is not UTF-8 from here on; save it as UTF-8"));
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[track_caller]
    fn check(paths: &[PathBuf], expected: Result<&[&str], &str>) {
        let read = |path: &Path| fs::read(path);
        let (library, log) = (Library::new(&read), Log::default());
        let found = sources(paths, &library, &log);
        match (log.finish(), expected) {
            (Ok(_), Ok(names)) => {
                let name = |it: &Source| it.path.file_name().unwrap().to_str().unwrap().to_owned();
                assert_eq!(found.iter().map(name).collect::<Vec<_>>(), names);
                assert_eq!(library.into_files().len(), names.len());
            }
            (Err(problems), Err(text)) => {
                assert!(problems.to_string().contains(text), "{problems}")
            }
            (found, expected) => panic!("{found:?} instead of {expected:?}"),
        }
    }

    #[test]
    fn a_directory_is_its_toml_files_in_order() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        check(&[directory.path().to_owned()], Err("has no `*.toml` file"));
        fs::create_dir(at("dir.toml")).unwrap();
        for name in ["b.toml", "a.toml", "c.yaml", ".#a.toml"] {
            fs::write(at(name), "").unwrap();
        }
        check(&[directory.path().to_owned()], Ok(&["a.toml", "b.toml"]));
        check(&[at("b.toml"), directory.path().to_owned()], Ok(&["b.toml", "a.toml"]));
        check(&[at("c.yaml")], Ok(&["c.yaml"]));
        check(&[at("missing.toml")], Err("name a configuration file, or a directory"));
        fs::write(at("latin.toml"), b"# a\n# \xe9\n").unwrap();
        check(&[at("latin.toml")], Err("latin.toml:2: is not UTF-8"));
    }
}
