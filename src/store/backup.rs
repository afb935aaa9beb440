//! All state in one file, to be carried elsewhere: the payloads of the state files as they are, in an envelope of their own.
//! Of the API's tokens it has the hashes; `admin.token`, which is one itself, stays where it is.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::envelope::{self, Damage};
use super::time::Time;
use super::{
    IssuedToken, Memory, Record, StateFile, Store, StoreError, file, overrides, tokens, verdicts,
};
use crate::clock::Clock;
use crate::model::{Overrides, Timestamp};

/// What is in a state directory, or in a backup of one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contents {
    /// The operators' changes; nothing where there is no such file.
    pub overrides: Option<Overrides>,
    /// The last verdicts and the timelines; nothing where there is no such file.
    pub memory: Option<Memory>,
    /// The tokens that were made over the API; nothing where there is no such file.
    pub tokens: Option<Vec<IssuedToken>>,
}

/// Contents with when they were taken out of their directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backup {
    /// When it was made.
    pub made: Timestamp,
    /// What is in it.
    pub contents: Contents,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    made: Time,
    #[serde(skip_serializing_if = "Option::is_none")]
    overrides: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    verdicts: Option<Box<RawValue>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tokens: Option<Box<RawValue>>,
}

impl Contents {
    /// Reads a state directory, also while a daemon has it: its files are replaced whole. Changes nothing.
    ///
    /// # Errors
    /// When a file is there but can't be read or is damaged.
    pub fn read(dir: &Path) -> Result<Self, StoreError> {
        // What can't be listed is no state directory; that it is empty is no error.
        std::fs::read_dir(dir).map_err(|source| StoreError::read(dir, source))?;
        let payload = |file: StateFile| {
            let path = dir.join(file.name());
            match std::fs::read(&path) {
                Ok(bytes) => Ok(Some((path, bytes))),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
                Err(source) => Err(StoreError::read(&path, source)),
            }
        };
        let overrides = payload(StateFile::Overrides)?;
        let memory = payload(StateFile::Verdicts)?;
        let tokens = payload(StateFile::Tokens)?;
        Ok(Self {
            overrides: overrides
                .map(|it| opened(&it.0, &it.1, overrides::from_json))
                .transpose()?
                .map(|it| it.overrides),
            memory: memory.map(|it| opened(&it.0, &it.1, verdicts::from_json)).transpose()?,
            tokens: tokens.map(|it| opened(&it.0, &it.1, tokens::from_json)).transpose()?,
        })
    }

    /// The file of a backup that is made now.
    ///
    /// # Errors
    /// When the contents can't be written as JSON.
    pub fn back_up(&self) -> serde_json::Result<Vec<u8>> {
        let overrides =
            self.overrides.as_ref().map(|it| overrides::to_json(it, &[])).transpose()?;
        let verdicts = self.memory.as_ref().map(verdicts::to_json).transpose()?;
        let tokens = self.tokens.as_deref().map(tokens::to_json).transpose()?;
        let document = Document {
            made: Time::of(Clock::time_of_day()),
            overrides: overrides.map(RawValue::from_string).transpose()?,
            verdicts: verdicts.map(RawValue::from_string).transpose()?,
            tokens: tokens.map(RawValue::from_string).transpose()?,
        };
        envelope::seal(serde_json::to_string(&document))
    }
}

impl Backup {
    /// Reads a backup. `path` names it in errors.
    ///
    /// # Errors
    /// When it is damaged, of a newer version, or no backup.
    pub fn open(path: &Path, bytes: &[u8]) -> Result<Self, StoreError> {
        opened(path, bytes, |payload| {
            let document: Document = serde_json::from_str(payload)?;
            let overrides = document.overrides.map(|it| overrides::from_json(it.get()));
            let memory = document.verdicts.map(|it| verdicts::from_json(it.get()));
            let tokens = document.tokens.map(|it| tokens::from_json(it.get()));
            let contents = Contents {
                overrides: overrides.transpose()?.map(|it| it.overrides),
                memory: memory.transpose()?,
                tokens: tokens.transpose()?,
            };
            Ok(Self { made: document.made.timestamp()?, contents })
        })
    }
}

impl Store {
    /// Puts the contents of a backup in the place of what is there, of which copies are kept. Tells where.
    ///
    /// # Errors
    /// When a file can't be copied or written. The files in force are then those of before, or of the backup, each whole.
    pub fn restore(&self, contents: &Contents) -> Result<Vec<PathBuf>, StoreError> {
        let now = Clock::time_of_day();
        let mut kept = Vec::new();
        for file in [StateFile::Overrides, StateFile::Verdicts, StateFile::Tokens] {
            let path = self.dir.join(file.name());
            if path.symlink_metadata().is_ok() {
                let copy = file::keep_copy(&path, now);
                kept.push(copy.map_err(|source| StoreError::write(&path, source))?);
            }
        }
        match &contents.overrides {
            Some(overrides) => self.save(overrides, &[Record::own("restore", now)])?,
            None => {
                self.remove(StateFile::Overrides)?;
                self.note(&[Record::own("restore", now)]);
            }
        }
        match &contents.memory {
            Some(memory) => self.save_memory(memory)?,
            None => self.remove(StateFile::Verdicts)?,
        }
        match &contents.tokens {
            Some(tokens) => self.save_tokens(tokens)?,
            None => self.remove(StateFile::Tokens)?,
        }
        Ok(kept)
    }

    fn remove(&self, file: StateFile) -> Result<(), StoreError> {
        let path = self.dir.join(file.name());
        file::remove(&path).map_err(|source| StoreError::write(&path, source))
    }
}

fn opened<T>(
    path: &Path,
    bytes: &[u8],
    read: impl FnOnce(&str) -> Result<T, Damage>,
) -> Result<T, StoreError> {
    let damaged =
        |damage: Damage| StoreError::Damaged { path: path.into(), why: damage.to_string() };
    envelope::open(bytes).and_then(read).map_err(damaged)
}

#[cfg(test)]
mod tests {
    use super::super::verdicts::tests::memory;
    use super::*;
    use crate::model::Stamp;

    fn contents() -> Contents {
        let stamp = Stamp {
            by: "ann".to_owned(),
            reason: None,
            at: Timestamp(1),
            expires: Some(Timestamp(5_000_000_000_000)),
        };
        let mut overrides = Overrides::default();
        overrides.drained_sites.insert("sea".parse().unwrap(), stamp);
        let hash = "0".repeat(64);
        let tokens = format!(
            r#"{{"tokens":[{{"id":"00000001","name":"ann","role":"viewer","created":5,"by":"bob","sha256":"{hash}"}}]}}"#
        );
        let tokens = Some(tokens::from_json(&tokens).unwrap());
        Contents { overrides: Some(overrides), memory: Some(memory()), tokens }
    }

    #[test]
    fn what_is_backed_up_is_restored_and_what_was_there_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        assert_eq!(Contents::read(dir.path()).unwrap(), Contents::default());
        store.restore(&contents()).unwrap();
        let backup = Contents::read(dir.path()).unwrap().back_up().unwrap();

        store.save(&Overrides::default(), &[]).unwrap();
        let restored = Backup::open(Path::new("b"), &backup).unwrap();
        assert_eq!(restored.contents, contents());
        let kept = store.restore(&restored.contents).unwrap();
        assert_eq!(Contents::read(dir.path()).unwrap(), contents());
        let names: Vec<_> = kept.iter().map(|it| it.display().to_string()).collect();
        assert!(names.len() == 3 && names[0].contains("overrides.json.before-"), "{names:?}");
        store.look_for_damage();
        assert!(store.report().is_well(), "what was kept is no damage");
        // An empty backup leaves nothing in force.
        store.restore(&Contents::default()).unwrap();
        assert_eq!(Contents::read(dir.path()).unwrap(), Contents::default());
    }

    #[test]
    fn no_damaged_backup_is_taken() {
        let backup = contents().back_up().unwrap();
        let refused = |bytes: &[u8]| Backup::open(Path::new("b"), bytes).unwrap_err().to_string();
        assert!(
            refused(&backup[..backup.len() / 2]).contains("`b` can't be used: it is not the JSON")
        );
        let other = String::from_utf8(backup.clone()).unwrap().replace("sea", "orl");
        assert!(refused(other.as_bytes()).contains("its checksum does not fit"));
        let newer = String::from_utf8(backup).unwrap().replace("\"version\":1", "\"version\":2");
        assert!(refused(newer.as_bytes()).contains("a newer one wrote it"));
        let dir = tempfile::tempdir().unwrap();
        Store::open(dir.path()).unwrap().save(&Overrides::default(), &[]).unwrap();
        let no_backup = std::fs::read(dir.path().join("overrides.json")).unwrap();
        assert!(refused(&no_backup).contains("unknown field `endpoints`"));
    }
}
