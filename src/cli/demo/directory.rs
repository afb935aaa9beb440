use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;

use anyhow::Context;

/// A directory for this run alone, which goes away with this value.
#[derive(Debug)]
pub(super) struct Directory {
    path: PathBuf,
}

impl Directory {
    pub(super) fn create() -> anyhow::Result<Self> {
        let draw = getrandom::u32().context("the operating system gives no random numbers")?;
        let path = std::env::temp_dir().join(format!("farol-demo-{draw:08x}"));
        // Nobody else may read the token in it, or have put something there before.
        let made = DirBuilder::new().mode(0o700).create(&path);
        made.with_context(|| format!("could not create `{}`", path.display()))?;
        Ok(Self { path })
    }

    /// Writes a file in it.
    pub(super) fn write(&self, name: &str, text: &str) -> anyhow::Result<PathBuf> {
        let file = self.path.join(name);
        fs::write(&file, text).with_context(|| format!("could not write `{}`", file.display()))?;
        Ok(file)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.path) {
            let path = self.path.display();
            tracing::warn!(event = "demo_left_behind", %error, "could not remove {path}: {error}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn it_is_private_and_goes_away() {
        let directory = Directory::create().unwrap();
        let file = directory.write("a", "b").unwrap();
        let mode = fs::metadata(&directory.path).unwrap().permissions().mode();
        assert_eq!((mode & 0o777, fs::read_to_string(&file).unwrap()), (0o700, "b".to_owned()));
        drop(directory);
        assert!(!file.exists());
    }
}
