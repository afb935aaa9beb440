//! Files that are there whole or not at all.

use std::ffi::OsString;
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, chown};
use std::path::{Path, PathBuf};

use crate::clock::rfc3339;
use crate::model::Timestamp;

/// The end of the name of a file that is being written.
const HALF_WRITTEN: &str = ".new";
/// What the name of a damaged file has after the file's own.
const DAMAGED: &str = ".damaged-";
/// The same of a file in whose place a backup was restored.
const REPLACED: &str = ".before-";

/// What an operator can do about an error of the file system; empty where the error says it all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Problem(&'static str);

impl Problem {
    pub(super) fn of(error: &io::Error) -> Self {
        Self(match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
                ": the disk is full, make room on it"
            }
            ErrorKind::ReadOnlyFilesystem => {
                ": the file system is read-only, mount it writable or set another `state.dir`"
            }
            ErrorKind::PermissionDenied => {
                ": not permitted, give the directory and its files to the user that Farol runs as"
            }
            ErrorKind::NotADirectory => {
                ": a part of the path is no directory, set another `state.dir`"
            }
            ErrorKind::NotFound => ": the state directory is gone, bring it back or restart Farol",
            ErrorKind::AlreadyExists => {
                ": a file is in the way, move it or set another `state.dir`"
            }
            _ => "",
        })
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// Puts `bytes` in the place of the file, on the disk, readable by its owner alone. What fails leaves the old file. For the
/// state directory, which one process has for itself.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut name = path.as_os_str().to_owned();
    name.push(HALF_WRITTEN);
    let half_written = Path::new(&name);
    replace_through(half_written, path, || {
        write_new(half_written, bytes)?;
        belong_to_directory(half_written)
    })
}

/// Puts `bytes` in the place of a file in any directory, on the disk, readable by its owner alone.
///
/// # Errors
/// When the disk is full, read-only, forbidden…; the file is then as it was before, unless all but the last step was done and
/// the disk broke at syncing the directory.
pub fn replace_file(path: &Path, bytes: &[u8]) -> io::Result<()> {
    // Other processes write here as well, so the name is this one's own.
    let mut name = OsString::from(".");
    name.push(path.file_name().ok_or(ErrorKind::InvalidInput)?);
    name.push(format!(".{}{HALF_WRITTEN}", std::process::id()));
    let half_written = path.with_file_name(name);
    replace_through(&half_written, path, || write_new(&half_written, bytes))
}

fn replace_through(
    half_written: &Path,
    path: &Path,
    write: impl FnOnce() -> io::Result<()>,
) -> io::Result<()> {
    let replaced = write().and_then(|()| fs::rename(half_written, path));
    if replaced.is_err() {
        // It may take the room that is missing. That it can't be removed either is no news.
        let _ = fs::remove_file(half_written);
    }
    replaced?;
    sync_directory_of(path)
}

/// Writes a file of which nothing was there before: whatever an earlier attempt left is removed, so that the mode is
/// ours from the first byte.
fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Gives a file of root's to whom its directory belongs: a daemon that runs as somebody else has to read what root restored.
pub(super) fn belong_to_directory(path: &Path) -> io::Result<()> {
    let Some(dir) = path.parent().filter(|_| rustix::process::geteuid().is_root()) else {
        return Ok(());
    };
    let (file, dir) = (fs::metadata(path)?, fs::metadata(dir)?);
    if (file.uid(), file.gid()) == (dir.uid(), dir.gid()) {
        return Ok(());
    }
    chown(path, Some(dir.uid()), Some(dir.gid()))
}

/// Makes a rename last: the name is in the directory, not in the file.
pub(super) fn sync_directory_of(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(dir) if dir.as_os_str().is_empty() => File::open(".")?.sync_all(),
        Some(dir) => File::open(dir)?.sync_all(),
        None => Ok(()),
    }
}

/// Renames a damaged file, to a name that no file has. Tells the name.
pub(super) fn set_aside(path: &Path, now: Timestamp) -> io::Result<PathBuf> {
    // The directory is ours alone, so nobody takes the name in between.
    let aside = free_name(path, DAMAGED, now);
    fs::rename(path, &aside)?;
    sync_directory_of(path)?;
    Ok(aside)
}

/// Copies a file that another is about to take the place of, likewise.
pub(super) fn keep_copy(path: &Path, now: Timestamp) -> io::Result<PathBuf> {
    let copy = free_name(path, REPLACED, now);
    fs::copy(path, &copy)?;
    File::open(&copy)?.sync_all()?;
    sync_directory_of(path)?;
    Ok(copy)
}

/// Removes a file that may not be there.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => sync_directory_of(path),
    }
}

/// The file's name with what is said of it, when, and a number where that name is taken.
fn free_name(path: &Path, what: &str, now: Timestamp) -> PathBuf {
    let seconds = Timestamp(now.0.div_euclid(1000).saturating_mul(1000));
    // The short form of ISO 8601: no colon, which is special to some who copy files.
    let stamp = rfc3339(seconds).replace(['-', ':'], "");
    let name = |number: u64| {
        let mut name = path.as_os_str().to_owned();
        name.push(format!("{what}{stamp}"));
        if number > 0 {
            name.push(format!("-{number}"));
        }
        PathBuf::from(name)
    };
    let taken = (0..).take_while(|it| name(*it).symlink_metadata().is_ok()).count();
    name(taken as u64)
}

/// The damaged files that were put aside, in the order of their names.
pub(super) fn damaged(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().contains(DAMAGED) {
            files.push(entry.path());
        }
    }
    files.sort();
    Ok(files)
}

/// Removes what a crash left half-written, as far as the disk allows. What stays is only clutter: the next write of its file
/// removes it.
pub(super) fn clear_leftovers(dir: &Path) {
    let Ok(entries) = fs::read_dir(dir) else { return };
    for entry in entries.flatten() {
        let half_written = entry.file_name().as_encoded_bytes().ends_with(HALF_WRITTEN.as_bytes());
        if half_written && entry.file_type().is_ok_and(|it| it.is_file()) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_file_is_replaced_whole_and_private() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        for content in ["first", "second"] {
            replace(&path, content.as_bytes()).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), content);
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "nothing else is left");
    }

    #[test]
    fn a_file_among_others_is_replaced_likewise() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        fs::write(&path, "old").unwrap();
        fs::write(dir.path().join("file.new"), "somebody's").unwrap();
        replace_file(&path, b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let in_the_way = dir.path().join("dir");
        fs::create_dir(&in_the_way).unwrap();
        assert!(replace_file(&in_the_way, b"new").is_err() && in_the_way.is_dir());
        assert_eq!(fs::read(dir.path().join("file.new")).unwrap(), b"somebody's");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 3, "nothing else is left");
        assert!(replace_file(Path::new("/"), b"").is_err());
    }

    #[test]
    fn a_file_of_the_working_directory_has_a_directory() {
        sync_directory_of(Path::new("file")).unwrap();
    }

    #[test]
    fn a_failed_write_leaves_the_old_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        replace(&path, b"old").unwrap();
        // A directory where the new file would be written can't be replaced by one.
        fs::create_dir(dir.path().join("file.new")).unwrap();
        assert!(replace(&path, b"new").is_err());
        assert_eq!(fs::read(&path).unwrap(), b"old");
    }

    #[test]
    fn damaged_files_never_overwrite_each_other() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        let mut names = Vec::new();
        for content in ["one", "two", "three"] {
            fs::write(&path, content).unwrap();
            let aside = set_aside(&path, Timestamp(0)).unwrap();
            assert_eq!(fs::read_to_string(&aside).unwrap(), content);
            names.push(aside.file_name().unwrap().to_str().unwrap().to_owned());
        }
        let name = "file.damaged-19700101T000000Z";
        assert_eq!(names, [name.to_owned(), format!("{name}-1"), format!("{name}-2")]);
    }
}
