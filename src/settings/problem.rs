use std::cell::RefCell;
use std::collections::HashSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where something was written.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Place {
    pub(super) file: Arc<Path>,
    /// Counted from 1; none where the format's parser doesn't know it, and for a file as a whole.
    pub(super) line: Option<usize>,
}

impl Place {
    /// A file as a whole.
    pub(super) fn file(path: &Path) -> Self {
        Self { file: path.into(), line: None }
    }

    /// A path written here: relative ones start at the directory of the file that names them.
    pub(super) fn resolve(&self, path: &str) -> PathBuf {
        self.file.parent().unwrap_or(Path::new("")).join(path)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        self.line.map_or(Ok(()), |line| write!(f, ":{line}"))
    }
}

/// One thing that is wrong, or in [`Settings::warnings`](super::Settings::warnings) doubtful, in a configuration.
/// Shown as one line: `farol.toml:12: server.workers: found 0; write a whole number from 1 to 1024`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Problem {
    /// The file that has to change.
    pub file: PathBuf,
    /// The line in it, counted from 1, where it is known.
    pub line: Option<usize>,
    /// The path of keys, e.g. `profile[app.gtm.example.].endpoint[seattle].weight`; empty for a file as a whole.
    pub key: String,
    /// The value that was found, shortened; none where there is none or it may be a secret.
    pub found: Option<String>,
    /// What is wrong and what to write instead.
    pub message: String,
}

impl Problem {
    pub(super) fn at(place: &Place, key: impl Into<String>, message: impl Into<String>) -> Self {
        let (file, line) = (place.file.to_path_buf(), place.line);
        Self { file, line, key: key.into(), found: None, message: message.into() }
    }

    pub(super) fn found(self, found: impl Into<String>) -> Self {
        Self { found: Some(found.into()), ..self }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.file.display())?;
        if let Some(line) = self.line {
            write!(f, "{line}:")?;
        }
        if !self.key.is_empty() {
            write!(f, " {}:", self.key)?;
        }
        if let Some(found) = &self.found {
            write!(f, " found {found};")?;
        }
        write!(f, " {}", self.message)
    }
}

/// Everything that is wrong with a configuration; never empty. Shown one per line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problems(pub(super) Vec<Problem>);

impl Problems {
    /// All that is wrong, of which there is something, by file and line; what is said twice counts once.
    pub(crate) fn of(mut problems: Vec<Problem>) -> Self {
        let mut seen = HashSet::new();
        problems.retain(|it| seen.insert(it.clone()));
        problems.sort_by(|a, b| (&a.file, a.line).cmp(&(&b.file, b.line)));
        Self(problems)
    }

    /// The problems by file and line.
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.0.iter()
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            write!(f, "{separator}{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

/// What to say about the second of two things that may be there once.
pub(super) fn twice(first: &Place) -> String {
    format!("is written twice, the first time at {first}; keep one of them")
}

/// Gathers problems while reading goes on. Shared by readers of different tables, hence the cells.
#[derive(Debug, Default)]
pub(super) struct Log {
    errors: RefCell<Vec<Problem>>,
    /// A monitor that many profiles share is checked for each of them, but what is wrong with it is said once.
    seen: RefCell<HashSet<Problem>>,
    warnings: RefCell<Vec<Problem>>,
    aside: RefCell<Vec<Problem>>,
}

impl Log {
    pub(super) fn error(&self, problem: Problem) {
        if self.seen.borrow_mut().insert(problem.clone()) {
            self.errors.borrow_mut().push(problem);
        }
    }

    pub(super) fn warning(&self, problem: Problem) {
        self.warnings.borrow_mut().push(problem);
    }

    /// Takes what is no error by itself, and is told beside errors.
    pub(super) fn aside(&self, problem: Problem) {
        self.aside.borrow_mut().push(problem);
    }

    /// How many errors there are; unchanged over a piece of reading means that it went well.
    pub(super) fn errors(&self) -> usize {
        self.errors.borrow().len()
    }

    /// The warnings, if there is no error.
    pub(super) fn finish(self) -> Result<Vec<Problem>, Problems> {
        let mut errors = self.errors.into_inner();
        if errors.is_empty() {
            return Ok(self.warnings.into_inner());
        }
        errors.extend(self.aside.into_inner());
        // Readers take a table's keys in an order of their own; people read a file from the top.
        errors.sort_by(|a, b| (&a.file, a.line).cmp(&(&b.file, b.line)));
        Err(Problems(errors))
    }
}

/// The candidate that is most like `word`, unless none is much like it.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let distance = |it: &str| strsim::osa_distance(word, it);
    let near = candidates.into_iter().map(|it| (distance(it), it)).min_by_key(|it| it.0)?;
    // Two slips in a short word, one more for every four letters of a longer one.
    (near.0 <= 1 + near.1.chars().count() / 4).then_some(near.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_is_one_line() {
        let place = Place { file: Path::new("farol.toml").into(), line: Some(12) };
        let problem = Problem::at(&place, "server.workers", "write 1").found("0");
        assert_eq!(problem.to_string(), "farol.toml:12: server.workers: found 0; write 1");
        let whole = Problem::at(&Place::file(Path::new("x.toml")), "", "is empty");
        assert_eq!(whole.to_string(), "x.toml: is empty");
        assert_eq!(Problems(vec![whole.clone(), whole]).to_string().lines().count(), 2);
    }

    #[test]
    fn an_error_is_said_once_and_warnings_need_success() {
        let problem = Problem::at(&Place::file(Path::new("x.toml")), "", "is empty");
        let log = Log::default();
        log.warning(problem.clone());
        log.error(problem.clone());
        log.error(problem.clone());
        assert_eq!(log.errors(), 1);
        assert_eq!(log.finish(), Err(Problems(vec![problem.clone()])));
        let log = Log::default();
        log.warning(problem.clone());
        assert_eq!(log.finish(), Ok(vec![problem]));
    }

    #[test]
    fn only_near_names_are_suggested() {
        let keys = ["weight", "priority", "ttl", "name"];
        for (word, expected) in [
            ("wieght", Some("weight")),
            ("prioritiy", Some("priority")),
            ("tll", Some("ttl")),
            ("bogus", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, keys), expected, "{word}");
        }
        assert_eq!(nearest("x", []), None);
    }

    #[test]
    fn relative_paths_start_at_the_file_that_names_them() {
        for (file, path, expected) in [
            ("conf/farol.toml", "a.zone", "conf/a.zone"),
            ("farol.toml", "a.zone", "a.zone"),
            ("conf/farol.toml", "/etc/a.zone", "/etc/a.zone"),
        ] {
            assert_eq!(Place::file(Path::new(file)).resolve(path), Path::new(expected));
        }
    }
}
