//! Manifests as they are written: a file, or all of a directory.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::task::spawn_blocking;

use super::yaml::{Objects, Place};
use super::{Fault, Faults, Render, RenderError, Rendered, Target, Tools};
use crate::fleet::object::Manifest;

/// The octets that a file may have.
const MOST_OCTETS: u64 = 16 * 1024 * 1024;
/// The octets that all files together may have.
const MOST_OCTETS_TOGETHER: u64 = 64 * 1024 * 1024;
/// The files and directories that a directory may have.
const MOST_ENTRIES: usize = 20_000;
/// What a kustomization's file is called.
const KUSTOMIZATIONS: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];

/// A file of manifests; or a directory: all `*.yaml`, `*.yml` and `*.json` in it and below, in the order of their names. What
/// begins with a dot is left alone, as are other files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifests(pub PathBuf);

impl Render for Manifests {
    async fn render(&self, _: &Target, _: &Tools) -> Result<Rendered, RenderError> {
        let path = self.0.clone();
        let read = spawn_blocking(move || read(&path)).await;
        let broken = |error| Faults(vec![Fault::of(&self.0, format!("can't be read: {error}"))]);
        let manifests = read.map_err(|error| RenderError::Manifests(broken(error)))??;
        Ok(Rendered { manifests, skipped: Vec::new() })
    }
}

fn read(path: &Path) -> Result<Vec<Manifest>, RenderError> {
    let mut objects = Objects::default();
    let files = match fs::metadata(path) {
        Err(error) => {
            objects.fault(Fault::of(path, unreadable(&error)));
            Vec::new()
        }
        Ok(it) if it.is_dir() => match Walk::through(path) {
            Ok(files) => files,
            Err(faults) => {
                faults.into_iter().for_each(|it| objects.fault(it));
                Vec::new()
            }
        },
        Ok(_) => vec![path.to_owned()],
    };
    let mut left = MOST_OCTETS_TOGETHER;
    for file in files {
        match text(&file, left.min(MOST_OCTETS)) {
            Ok(text) => {
                left -= text.len() as u64;
                let is_json = file.extension().is_some_and(|it| it.eq_ignore_ascii_case("json"));
                let file = Arc::new(file);
                if is_json {
                    objects.json(&text, &Place::File(&file));
                } else {
                    objects.yaml(&text, &Place::File(&file));
                }
            }
            Err(message) => objects.fault(Fault::of(file, message)),
        }
    }
    objects.finish()
}

fn unreadable(error: &io::Error) -> String {
    format!("can't be read: {error}")
}

/// The text of a file. Nothing but a regular file is opened: others may hang.
fn text(path: &Path, most: u64) -> Result<String, String> {
    let is_file = fs::metadata(path).map_err(|it| unreadable(&it))?.is_file();
    if !is_file {
        return Err("is no regular file".to_owned());
    }
    let mut content = Vec::new();
    let file = File::open(path).map_err(|it| unreadable(&it))?;
    file.take(most + 1).read_to_end(&mut content).map_err(|it| unreadable(&it))?;
    if content.len() as u64 > most {
        let (one, all) = (MOST_OCTETS / 1024 / 1024, MOST_OCTETS_TOGETHER / 1024 / 1024);
        return Err(format!(
            "is too large: a file may have {one} MiB, and all of an app's together {all} MiB"
        ));
    }
    String::from_utf8(content).map_err(|it| {
        let line = 1 + it.as_bytes()[..it.utf8_error().valid_up_to()]
            .iter()
            .filter(|it| **it == b'\n')
            .count();
        format!("is not UTF-8 in line {line}")
    })
}

/// A walk through a directory.
struct Walk {
    /// The directory, without symbolic links on the way.
    root: PathBuf,
    /// What was come by, without symbolic links on the way: everything is read once, and a ring is walked once.
    seen: HashSet<PathBuf>,
    files: Vec<PathBuf>,
    faults: Vec<Fault>,
}

impl Walk {
    fn through(directory: &Path) -> Result<Vec<PathBuf>, Vec<Fault>> {
        let unreadable = |error| vec![Fault::of(directory, unreadable(&error))];
        let root = fs::canonicalize(directory).map_err(unreadable)?;
        let seen = HashSet::from([root.clone()]);
        let mut walk = Self { root, seen, files: Vec::new(), faults: Vec::new() };
        walk.directory(directory).map_err(unreadable)?;
        if walk.faults.is_empty() { Ok(walk.files) } else { Err(walk.faults) }
    }

    fn directory(&mut self, directory: &Path) -> io::Result<()> {
        let mut names = Vec::new();
        for entry in fs::read_dir(directory)? {
            names.push(entry?.file_name());
        }
        names.sort();
        for name in names {
            let path = directory.join(&name);
            let name = name.to_string_lossy();
            if name.starts_with('.') {
                continue;
            }
            if KUSTOMIZATIONS.contains(&&*name) {
                let message = "is a kustomization; write `kustomize` with its directory instead of `manifests`";
                self.faults.push(Fault::of(path, message));
            } else if let Err(message) = self.entry(&path) {
                self.faults.push(Fault::of(path, message));
            }
            if self.seen.len() > MOST_ENTRIES {
                let message = format!("has more than {MOST_ENTRIES} files and directories in it");
                self.faults = vec![Fault::of(&self.root, message)];
                return Ok(());
            }
        }
        Ok(())
    }

    fn entry(&mut self, path: &Path) -> Result<(), String> {
        let is_manifest = path.extension().is_some_and(|it| {
            ["yaml", "yml", "json"].iter().any(|known| it.eq_ignore_ascii_case(known))
        });
        let kind = fs::metadata(path);
        let is_directory = kind.as_ref().is_ok_and(fs::Metadata::is_dir);
        if !is_manifest && !is_directory {
            return Ok(());
        }
        kind.map_err(|it| unreadable(&it))?;
        let real = fs::canonicalize(path).map_err(|it| unreadable(&it))?;
        // Whoever may change the directory's content is not to be able to bring any file of this machine into a cluster. Links
        // within it are fine: a mounted ConfigMap consists of them.
        if !real.starts_with(&self.root) {
            return Err(
                "is a symbolic link that leads out of the directory; put the file itself here"
                    .to_owned(),
            );
        }
        if !self.seen.insert(real) {
            return Ok(());
        }
        if is_directory {
            return self.directory(path).map_err(|it| unreadable(&it));
        }
        self.files.push(path.to_owned());
        Ok(())
    }
}

#[cfg(test)]
#[path = "manifests_tests.rs"]
mod tests;
