//! Who changed what, when, from where and why: one line of JSON for each change, never altered, in files that are only appended
//! to. Each line has the hash of the one before it, so that one that is altered or removed shows.
//!
//! A change and its line are on the disk together or not at all: the state file that has the change carries the line until
//! it is known to be in the log, and what a crash left out is added at the next start.

mod line;
mod verify;

pub use line::{Entry, Record, Values};
pub use verify::{Fault, Verification, verify};

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use self::line::{Chain, open};
use super::file::{belong_to_directory, sync_directory_of};

/// What a file is called has the number of its first line between these.
const NAME: (&str, &str) = ("audit-", ".jsonl");
/// After a file has become this long, in octets, a new one is begun.
const LONGEST: u64 = 16 << 20;

/// The log as one daemon writes it.
#[derive(Debug)]
pub(super) struct Audit {
    dir: PathBuf,
    chain: Chain,
    /// The file that a crash left half a line in, and where its whole lines end: nobody was told that its change was made.
    torn: Option<(PathBuf, u64)>,
    /// The lines that are not known to be on the disk, in order; the state file has them as well.
    unwritten: Vec<String>,
    /// The last one that was written.
    last: Option<String>,
    longest: u64,
}

impl Audit {
    /// Goes on where the log in this directory ends. A file that can't be read is passed over: whoever verifies is told.
    pub(super) fn open(dir: &Path) -> io::Result<Self> {
        let mut audit = Self {
            dir: dir.into(),
            chain: Chain::default(),
            torn: None,
            unwritten: Vec::new(),
            last: None,
            longest: LONGEST,
        };
        for (age, path) in files(dir)?.into_iter().rev().enumerate() {
            let Ok(octets) = fs::read(&path) else { continue };
            let end = octets.iter().rposition(|it| *it == b'\n').map_or(0, |it| it + 1);
            if age == 0 && end < octets.len() {
                audit.torn = Some((path, end as u64));
            }
            let text = String::from_utf8_lossy(octets.get(..end).unwrap_or_default());
            // What somebody altered is told by who verifies; here it only has to be gone on from.
            let last = text.lines().rev().find_map(|it| Some((it, Chain::after(it)?)));
            if let Some((line, chain)) = last {
                audit.chain = chain;
                audit.last = Some(line.to_owned());
                break;
            }
        }
        Ok(audit)
    }

    /// Makes the lines of what has happened. They are to be stored with it, and then to be [written](Self::write).
    pub(super) fn add(&mut self, records: &[Record]) {
        for record in records {
            let line = self.chain.seal(record);
            self.unwritten.push(line);
        }
    }

    /// Takes back what was [added](Self::add) last, since what it tells of was not stored.
    pub(super) fn take_back(&mut self, number: usize) {
        let kept = self.unwritten.len().saturating_sub(number);
        for line in self.unwritten.drain(kept..).rev() {
            self.chain.take_back(&line);
        }
    }

    /// Those that have to be stored elsewhere until they are in the log, or else the last one, by which it shows when the end of
    /// the log is cut off.
    pub(super) fn to_store(&self) -> Vec<String> {
        if self.unwritten.is_empty() {
            self.last.iter().cloned().collect()
        } else {
            self.unwritten.clone()
        }
    }

    /// Takes up the lines that were stored with the last changes, of which a crash may have kept some out of the log.
    pub(super) fn recover(&mut self, lines: Vec<String>) {
        for line in lines {
            if let Some(after) = Chain::after(&line).filter(|it| it.next > self.chain.next) {
                self.chain = after;
                self.unwritten.push(line);
            }
        }
    }

    /// Appends the lines that are not on the disk yet. What fails leaves the log as it was, and they are kept.
    pub(super) fn write(&mut self) -> io::Result<()> {
        let Some(first) = self.unwritten.first() else { return Ok(()) };
        if let Some((path, whole)) = &self.torn {
            match OpenOptions::new().write(true).open(path).and_then(|it| it.set_len(*whole)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => self.torn = None,
            }
        }
        let path = self.current(first)?;
        let mut file = OpenOptions::new().append(true).create(true).mode(0o600).open(&path)?;
        let before = file.metadata()?.len();
        if before == 0 {
            // Before there is anything in it: what is there must not be written twice.
            belong_to_directory(&path)?;
            sync_directory_of(&path)?;
        }
        let mut text = self.unwritten.join("\n");
        text.push('\n');
        let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
        if written.is_err() && file.set_len(before).is_err() {
            // Half of it would be no line, and all of it would be there twice.
            self.torn = Some((path, before));
        }
        written?;
        self.last = self.unwritten.pop();
        self.unwritten.clear();
        Ok(())
    }

    /// The file to append to; a new one, called by its first line, where the former is long enough.
    fn current(&self, first: &str) -> io::Result<PathBuf> {
        let last = files(&self.dir)?.pop();
        match last {
            Some(path) if fs::metadata(&path)?.len() < self.longest => Ok(path),
            _ => {
                let (before, after) = NAME;
                let number = open(first).map_or(self.chain.next, |it| it.number);
                Ok(self.dir.join(format!("{before}{number:012}{after}")))
            }
        }
    }
}

/// The last entries that are `wanted`, the newest first, at most `most` of them; those `before` a number, where one is given.
///
/// # Errors
/// When a file is there but can't be read.
pub(super) fn last_entries(
    dir: &Path,
    before: Option<u64>,
    most: usize,
    wanted: impl Fn(&Entry) -> bool,
) -> io::Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for path in files(dir)?.into_iter().rev() {
        let text = read(&path)?;
        let found = text.lines().rev().filter_map(|it| open(it).ok());
        let found = found.filter(|it| before.is_none_or(|before| it.number < before) && wanted(it));
        entries.extend(found.take(most - entries.len()));
        if entries.len() == most {
            break;
        }
    }
    Ok(entries)
}

/// The log's files, the oldest first.
fn files(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(dir)?.map(|it| it.map(|it| it.path()));
    let mut files: Vec<PathBuf> = entries.collect::<io::Result<_>>()?;
    files.retain(|it| first_number(it).is_some() && it.is_file());
    files.sort_by_key(|it| first_number(it));
    Ok(files)
}

/// The number of a file's first line, by its name; none when it is no file of the log.
fn first_number(path: &Path) -> Option<u64> {
    let (before, after) = NAME;
    path.file_name()?.to_str()?.strip_prefix(before)?.strip_suffix(after)?.parse().ok()
}

/// A file's text. What is no UTF-8 was not written by us, and is no reason to see nothing of the rest.
fn read(path: &Path) -> io::Result<String> {
    let text = String::from_utf8(fs::read(path)?);
    Ok(text.unwrap_or_else(|it| String::from_utf8_lossy(it.as_bytes()).into_owned()))
}

#[cfg(test)]
mod tests;
