//! How the state directory is doing, for those who look after it.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use crate::model::Timestamp;

/// A file of the state directory that is written again and again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StateFile {
    /// The operators' changes.
    Overrides,
    /// The last verdicts and the timelines.
    Verdicts,
    /// The tokens that were made over the API.
    Tokens,
    /// The audit log.
    Audit,
}

impl StateFile {
    /// Every one.
    pub const ALL: [Self; 4] = [Self::Overrides, Self::Verdicts, Self::Tokens, Self::Audit];

    /// The word in metrics and the API.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Overrides => "overrides",
            Self::Verdicts => "verdicts",
            Self::Tokens => "tokens",
            Self::Audit => "audit",
        }
    }

    /// Its name in the directory.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Overrides => "overrides.json",
            Self::Verdicts => "verdicts.json",
            Self::Tokens => "tokens.json",
            Self::Audit => "audit",
        }
    }
}

/// How the state directory is doing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// How the writing of each file goes, in the order of [`StateFile::ALL`].
    pub writes: [Writes; 4],
    /// Damaged files that were put aside and are there still.
    pub set_aside: Vec<PathBuf>,
}

/// How the writing of a file goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Writes {
    /// When it last succeeded; never since the start, where there is none.
    pub succeeded: Option<Timestamp>,
    /// How often it failed since the start.
    pub failures: u64,
    /// Why the last one failed; none where it succeeded, or nothing was written yet.
    pub error: Option<String>,
}

impl Report {
    /// Whether there is nothing to look after.
    pub fn is_well(&self) -> bool {
        self.set_aside.is_empty() && self.writes.iter().all(|it| it.error.is_none())
    }
}

/// The report as it grows.
#[derive(Debug, Default)]
pub(super) struct Reporter(Mutex<Report>);

impl Reporter {
    pub(super) fn get(&self) -> Report {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn wrote(&self, file: StateFile, outcome: Result<(), String>, now: Timestamp) {
        let mut report = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let [overrides, verdicts, tokens, audit] = &mut report.writes;
        let writes = match file {
            StateFile::Overrides => overrides,
            StateFile::Verdicts => verdicts,
            StateFile::Tokens => tokens,
            StateFile::Audit => audit,
        };
        match outcome {
            Ok(()) => {
                writes.succeeded = Some(now);
                writes.error = None;
            }
            Err(error) => {
                writes.failures += 1;
                writes.error = Some(error);
            }
        }
    }

    pub(super) fn found_aside(&self, files: Vec<PathBuf>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).set_aside = files;
    }
}
