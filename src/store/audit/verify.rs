use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::line::{Chain, open};
use super::{files, first_number, read};
use crate::store::{StateFile, envelope, overrides};

/// What came of looking through the whole log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verification {
    /// The files that were read, the oldest first.
    pub files: Vec<PathBuf>,
    /// Good lines.
    pub lines: u64,
    /// The numbers of the first and the last good one.
    pub span: Option<(u64, u64)>,
    /// Everything that is wrong.
    pub faults: Vec<Fault>,
}

/// Something that is wrong with the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// In which file.
    pub file: PathBuf,
    /// In which line, from 1; none at a file's end.
    pub line: Option<usize>,
    /// What.
    pub why: String,
}

impl fmt::Display for Fault {
    /// "/var/lib/farol/audit-000000000001.jsonl:7: it was altered: …".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        write!(f, ": {}", self.why)
    }
}

/// Looks through the whole log in a state directory. Lines before the first one may be gone: whoever archives old files removes
/// them. That the last ones are gone shows by what is stored with the changes; while a daemon writes them it looks like that
/// for a moment.
///
/// # Errors
/// When the directory or a file can't be read.
pub fn verify(dir: &Path) -> io::Result<Verification> {
    // Read before the log is: what it names is in the log by then, or soon.
    let stored = stored_lines(dir)?;
    let mut found = Verification { files: files(dir)?, ..Verification::default() };
    let mut chain: Option<Chain> = None;
    let last_file = found.files.last().cloned();
    for path in found.files.clone() {
        let text = read(&path)?;
        // A crash left it, or a daemon is writing it now; before the next line is written it is cut off.
        let is_torn = last_file.as_ref() == Some(&path) && !text.ends_with('\n');
        let whole = text.lines().count() - usize::from(is_torn && !text.is_empty());
        for (line, text) in (1..).zip(text.lines().take(whole)) {
            let mut fault = |why: String| {
                found.faults.push(Fault { file: path.clone(), line: Some(line), why });
            };
            let entry = match open(text) {
                Ok(entry) => entry,
                Err(damage) => {
                    fault(format!("it was altered: {damage}"));
                    continue;
                }
            };
            // Whoever archives old files takes whole ones.
            let begins = first_number(&path).filter(|_| line == 1);
            let expected = chain.as_ref().map(|it| it.next).or(begins);
            match expected {
                Some(expected) if entry.number > expected => {
                    fault(format!("{} before it", gone((expected, entry.number - 1))));
                }
                Some(expected) if entry.number < expected => {
                    fault(format!("{} should be here: lines were moved", expected));
                }
                _ if chain.as_ref().is_some_and(|it| !it.leads_to(&entry)) => {
                    fault("the one before it is another than when this was written".to_owned());
                }
                _ => {}
            }
            found.lines += 1;
            let first = found.span.map_or(entry.number, |it| it.0);
            found.span = Some((first, entry.number));
            chain = Chain::after(text);
        }
    }
    let next = chain.as_ref().map_or(1, |it| it.next);
    let last = stored.iter().filter_map(|it| open(it).ok()).map(|it| it.number).max();
    if let Some(last) = last.filter(|it| *it >= next) {
        let why = format!("{} at the end", gone((next, last)));
        found.faults.push(Fault { file: last_file.unwrap_or_else(|| dir.into()), line: None, why });
    }
    Ok(found)
}

fn gone((first, last): (u64, u64)) -> String {
    if first == last {
        format!("line {first} is gone")
    } else {
        format!("lines {first} to {last} are gone")
    }
}

/// The lines that are stored with the last changes; none where the file makes no sense, which others tell.
fn stored_lines(dir: &Path) -> io::Result<Vec<String>> {
    match fs::read(dir.join(StateFile::Overrides.name())) {
        Ok(bytes) => {
            let stored = envelope::open(&bytes).and_then(overrides::from_json);
            Ok(stored.map(|it| it.audit).unwrap_or_default())
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}
