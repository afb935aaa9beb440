//! Places for what is needed for a while, and that nobody else may look into.

use std::fs::{self, DirBuilder, File};
use std::io::{self, ErrorKind, Seek, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use rustix::fs::{MemfdFlags, memfd_create};

/// A directory of our own, which goes away with this.
pub(super) struct Scratch(PathBuf);

impl Scratch {
    /// Makes one where temporary files are.
    pub(super) fn new() -> io::Result<Self> {
        let mut builder = DirBuilder::new();
        builder.mode(0o700);
        loop {
            let path = std::env::temp_dir().join(format!("farol-{:016x}", getrandom::u64()?));
            match builder.create(&path) {
                Ok(()) => return Ok(Self(path)),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A file in memory alone: it has no name, is on no disk, and is gone when its last user is, however that ended.
pub(super) fn in_memory(content: &[u8]) -> io::Result<File> {
    let mut file = File::from(memfd_create("farol", MemfdFlags::CLOEXEC)?);
    file.write_all(content)?;
    file.rewind()?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_directory_is_for_nobody_else_and_goes_away_with_all_that_is_in_it() {
        let scratch = Scratch::new().unwrap();
        let path = scratch.path().to_owned();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
        fs::write(path.join("a"), "b").unwrap();
        drop(scratch);
        assert!(!path.exists());
    }

    #[test]
    fn a_file_in_memory_is_read_from_its_start() {
        let mut text = String::new();
        in_memory(b"values").unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "values");
    }
}
