//! What must survive a restart: the operators' overrides, the last verdicts and the API's tokens. Files in one directory, which one
//! instance has for itself. Everything blocks; call it where blocking hurts nobody.
//!
//! - **Guarantees**: a file is replaced whole or not at all, and is on the disk when [`Store::save`] returns. What is
//!   there but makes no sense is put aside and reported, never overwritten and never fatal; a file that the disk will not
//!   give is an error.
//! - **Assumption**: the file system renames atomically and honours `fsync` and advisory locks, as local ones do.

mod audit;
mod backup;
mod envelope;
mod file;
mod overrides;
mod report;
mod time;
mod token;
mod tokens;
mod verdicts;

pub use audit::{Entry, Fault, Record, Values, Verification, verify};
pub use backup::{Backup, Contents};
pub use file::{Problem, replace_file};
pub use report::{Report, StateFile, Writes};
pub use token::{AdminToken, hash as token_hash, secret};
pub use tokens::{IssuedToken, TokenId, TokenIdError};
pub use verdicts::{Kept, KeptAddresses, Known, Memory};

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use self::audit::Audit;
use self::envelope::Damage;
use self::report::Reporter;
use crate::clock::Clock;
use crate::model::{Overrides, chain};

const LOCK: &str = "lock";
const ADMIN_TOKEN: &str = "admin.token";

/// The directory of what survives a restart, locked for as long as this value lives.
#[derive(Debug)]
pub struct Store {
    dir: PathBuf,
    reporter: Reporter,
    audit: Mutex<Audit>,
    /// The lock goes when the file is closed, also when the process dies.
    _lock: File,
}

/// What was found in a file at the start.
#[derive(Debug)]
pub struct Loaded<T> {
    /// What was stored; nothing when there was no readable file.
    pub stored: Option<T>,
    /// The file that couldn't be read.
    pub set_aside: Option<SetAside>,
}

/// A file that couldn't be read, and was put aside for people to look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetAside {
    /// Where it is now.
    pub file: PathBuf,
    /// What is wrong with it.
    pub why: String,
}

/// Why the state couldn't be read or written: what was being done, and what would help. The cause is the source.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The directory couldn't be made.
    #[error("could not create the state directory `{}`{problem}", path.display())]
    Create {
        /// The directory.
        path: PathBuf,
        /// What would help.
        problem: Problem,
        /// The cause.
        source: io::Error,
    },
    /// Another instance has the directory.
    #[error(
        "the state directory `{}` is in use by {holder}: stop it, or give this one another `state.dir`",
        path.display()
    )]
    InUse {
        /// The directory.
        path: PathBuf,
        /// Who has it: "process 4711".
        holder: String,
    },
    /// A file couldn't be read.
    #[error("could not read `{}`{problem}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What would help.
        problem: Problem,
        /// The cause.
        source: io::Error,
    },
    /// A file couldn't be written; what was in it before is still there.
    #[error("could not write `{}`{problem}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What would help.
        problem: Problem,
        /// The cause.
        source: io::Error,
    },
    /// A file is damaged, or of a newer version.
    #[error("`{}` can't be used: {why}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// There is no random number to make a token of.
    #[error("could not make a random token")]
    Random {
        /// The cause.
        source: getrandom::Error,
    },
    /// The token's file holds no usable token.
    #[error(
        "`{}` holds no token: write one of at least 16 characters, or remove the file and a new one is made",
        path.display()
    )]
    NoToken {
        /// The file.
        path: PathBuf,
    },
}

impl StoreError {
    fn create(path: &Path, source: io::Error) -> Self {
        Self::Create { path: path.into(), problem: Problem::of(&source), source }
    }

    fn read(path: &Path, source: io::Error) -> Self {
        Self::Read { path: path.into(), problem: Problem::of(&source), source }
    }

    fn write(path: &Path, source: io::Error) -> Self {
        Self::Write { path: path.into(), problem: Problem::of(&source), source }
    }
}

impl Store {
    /// Takes the directory, creating it where it is missing, and clears what an earlier crash left half-written. One that has
    /// been taken before can be taken on a read-only disk as well.
    ///
    /// # Errors
    /// When it, or its lock, is missing and can't be created, or another instance has it.
    pub fn open(dir: &Path) -> Result<Self, StoreError> {
        let mut builder = DirBuilder::new();
        builder.recursive(true).mode(0o700);
        builder.create(dir).map_err(|source| StoreError::create(dir, source))?;
        let lock = take_lock(dir)?;
        file::clear_leftovers(dir);
        let mut audit = Audit::open(dir).map_err(|source| StoreError::read(dir, source))?;
        // What can't be read is told by who loads it.
        let stored = fs::read(dir.join(StateFile::Overrides.name()));
        if let Ok(stored) =
            envelope::open(&stored.unwrap_or_default()).and_then(overrides::from_json)
        {
            audit.recover(stored.audit);
        }
        let (reporter, audit) = (Reporter::default(), Mutex::new(audit));
        Ok(Self { dir: dir.into(), reporter, audit, _lock: lock })
    }

    /// Reads the overrides, and adds to the audit log what a crash kept out of it. A file that is damaged, or of a newer
    /// version, is put aside.
    ///
    /// # Errors
    /// When the file is there but can't be read or put aside.
    pub fn load(&self) -> Result<Loaded<Overrides>, StoreError> {
        let Loaded { stored, set_aside } = self.read(StateFile::Overrides, overrides::from_json)?;
        self.write_audit(&mut self.audit());
        Ok(Loaded { stored: stored.map(|it| it.overrides), set_aside })
    }

    /// Reads the last verdicts and the timelines. A file that is damaged, or of a newer version, is put aside.
    ///
    /// # Errors
    /// When the file is there but can't be read or put aside.
    pub fn load_memory(&self) -> Result<Loaded<Memory>, StoreError> {
        self.read(StateFile::Verdicts, verdicts::from_json)
    }

    /// Reads the tokens. A file that is damaged, or of a newer version, is put aside, and none of them opens anything then.
    ///
    /// # Errors
    /// When the file is there but can't be read or put aside.
    pub fn load_tokens(&self) -> Result<Loaded<Vec<IssuedToken>>, StoreError> {
        self.read(StateFile::Tokens, tokens::from_json)
    }

    fn read<T>(
        &self,
        file: StateFile,
        from_json: impl FnOnce(&str) -> Result<T, Damage>,
    ) -> Result<Loaded<T>, StoreError> {
        let path = self.dir.join(file.name());
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(Loaded { stored: None, set_aside: None });
            }
            Err(source) => return Err(StoreError::read(&path, source)),
        };
        match envelope::open(&bytes).and_then(from_json) {
            Ok(stored) => Ok(Loaded { stored: Some(stored), set_aside: None }),
            Err(damage) => {
                let file = file::set_aside(&path, Clock::time_of_day())
                    .map_err(|source| StoreError::write(&path, source))?;
                let set_aside = Some(SetAside { file, why: damage.to_string() });
                self.look_for_damage();
                Ok(Loaded { stored: None, set_aside })
            }
        }
    }

    /// Writes the overrides, and what has led to them. When this returns, they are on the disk. Where it can't be appended to
    /// the audit log, what has led to them is in the overrides' file until it can.
    ///
    /// # Errors
    /// When the disk is full, read-only, forbidden…; the file then holds what it held before, unless all but the last step
    /// was done and the disk broke at syncing the directory.
    pub fn save(&self, overrides: &Overrides, records: &[Record]) -> Result<(), StoreError> {
        let mut audit = self.audit();
        audit.add(records);
        let json = overrides::to_json(overrides, &audit.to_store());
        let written = self.write(StateFile::Overrides, json);
        match &written {
            Ok(()) => self.write_audit(&mut audit),
            Err(_) => audit.take_back(records.len()),
        }
        written
    }

    /// Tells the audit log of something that changed no overrides. Where it can't be appended, it is with the next one that
    /// can, or is lost with the process.
    pub fn note(&self, records: &[Record]) {
        let mut audit = self.audit();
        audit.add(records);
        self.write_audit(&mut audit);
    }

    fn write_audit(&self, audit: &mut Audit) {
        let path = self.dir.join(StateFile::Audit.name());
        let written = audit.write().map_err(|source| StoreError::write(&path, source));
        let outcome = written.as_ref().map(|_| ()).map_err(|it| chain(it));
        self.reporter.wrote(StateFile::Audit, outcome, Clock::time_of_day());
    }

    fn audit(&self) -> MutexGuard<'_, Audit> {
        self.audit.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The last entries of the audit log that are `wanted`, the newest first, at most `most` of them; those `before` a
    /// number, where one is given.
    ///
    /// # Errors
    /// When a file is there but can't be read.
    pub fn last_entries(
        &self,
        before: Option<u64>,
        most: usize,
        wanted: impl Fn(&Entry) -> bool,
    ) -> Result<Vec<Entry>, StoreError> {
        audit::last_entries(&self.dir, before, most, wanted)
            .map_err(|source| StoreError::read(&self.dir, source))
    }

    /// Writes the last verdicts and the timelines. When this returns, they are on the disk.
    ///
    /// # Errors
    /// As [`save`](Self::save).
    pub fn save_memory(&self, memory: &Memory) -> Result<(), StoreError> {
        self.write(StateFile::Verdicts, verdicts::to_json(memory))
    }

    /// Writes the tokens. When this returns, they are on the disk.
    ///
    /// # Errors
    /// As [`save`](Self::save).
    pub fn save_tokens(&self, tokens: &[IssuedToken]) -> Result<(), StoreError> {
        self.write(StateFile::Tokens, tokens::to_json(tokens))
    }

    fn write(&self, file: StateFile, json: serde_json::Result<String>) -> Result<(), StoreError> {
        let path = self.dir.join(file.name());
        let written = envelope::seal(json)
            .map_err(io::Error::from)
            .and_then(|bytes| file::replace(&path, &bytes))
            .map_err(|source| StoreError::write(&path, source));
        let outcome = written.as_ref().map(|_| ()).map_err(|it| chain(it));
        self.reporter.wrote(file, outcome, Clock::time_of_day());
        written
    }

    /// How the directory is doing, as far as it was seen.
    pub fn report(&self) -> Report {
        self.reporter.get()
    }

    /// Looks for damaged files that were put aside, at this start or before, for the report.
    pub fn look_for_damage(&self) {
        // A directory that can't be read fails at everything else as well, and that is told.
        if let Ok(files) = file::damaged(&self.dir) {
            self.reporter.found_aside(files);
        }
    }

    /// The token in its own file: the one that is there, or, where one is `needed`, a new one.
    ///
    /// # Errors
    /// When the file can't be read or written, or holds no token.
    pub fn admin_token(&self, needed: bool) -> Result<Option<AdminToken>, StoreError> {
        token::read_or_create(&self.dir.join(ADMIN_TOKEN), needed)
    }
}

/// Locks the directory, and writes into the lock who has it, where it can be written to: a disk that went read-only is no
/// reason to answer nobody.
fn take_lock(dir: &Path) -> Result<File, StoreError> {
    let path = dir.join(LOCK);
    let failed = |source| StoreError::write(&path, source);
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600);
    let (mut lock, is_writable) = match options.open(&path) {
        Ok(lock) => (lock, true),
        Err(error) => (File::open(&path).map_err(|_| failed(error))?, false),
    };
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            let process =
                lock.read_to_string(&mut holder).ok().and_then(|_| holder.trim().parse().ok());
            // What can't be written to may name one that ended long ago.
            let holder = process
                .filter(|_: &u32| is_writable)
                .map_or_else(|| "another process".to_owned(), |it| format!("process {it}"));
            return Err(StoreError::InUse { path: dir.into(), holder });
        }
        Err(TryLockError::Error(source)) => return Err(failed(source)),
    }
    if is_writable {
        file::belong_to_directory(&path).map_err(failed)?;
    }
    // The lock holds without it.
    let _ = sign(&mut lock);
    Ok(lock)
}

/// Replaces what is in the file by this process's id.
fn sign(lock: &mut File) -> io::Result<()> {
    lock.set_len(0)?;
    lock.rewind()?;
    writeln!(lock, "{}", std::process::id())
}

#[cfg(test)]
#[path = "store_tests.rs"]
mod tests;
