use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use super::failure::{Failure, plain};

/// Where a daemon with default settings keeps it.
pub(super) const DEFAULT_FILE: &str = "/var/lib/farol/admin.token";

/// The API's token and where it came from. Shows the latter only.
pub(in crate::cli) struct Token {
    value: Option<String>,
    origin: String,
}

impl Token {
    /// The token that was given: by the flag, else the environment, else the default file if it can be read.
    pub(super) fn find(
        flag: Option<&Path>,
        environment: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Self, Failure> {
        let environment = |key: &str| environment(key).filter(|it| !it.is_empty());
        if let Some(file) = flag {
            return Self::read(file, "--token-file");
        }
        if let Some(token) = environment("FAROL_TOKEN") {
            let origin = "the token in FAROL_TOKEN".to_owned();
            return Ok(Self { value: Some(token.to_string_lossy().trim().to_owned()), origin });
        }
        if let Some(file) = environment("FAROL_TOKEN_FILE") {
            return Self::read(&PathBuf::from(file), "FAROL_TOKEN_FILE");
        }
        Ok(match std::fs::read_to_string(DEFAULT_FILE) {
            Ok(text) => Self {
                value: Some(text.trim().to_owned()),
                origin: format!("the token of {DEFAULT_FILE}"),
            },
            Err(error) => Self {
                value: None,
                origin: format!("{DEFAULT_FILE}: {}", plain(&error.to_string())),
            },
        })
    }

    fn read(file: &Path, origin: &'static str) -> Result<Self, Failure> {
        match std::fs::read_to_string(file) {
            Ok(text) => Ok(Self {
                value: Some(text.trim().to_owned()),
                origin: format!("the token of {} ({origin})", file.display()),
            }),
            Err(error) => {
                let why = plain(&error.to_string());
                Err(Failure::TokenFile { file: file.to_owned(), origin, why })
            }
        }
    }

    #[cfg(test)]
    pub(super) fn none() -> Self {
        Self { value: None, origin: "no token".to_owned() }
    }

    /// The token of a file that this program wrote.
    pub(in crate::cli) fn of(file: &Path) -> Result<Self, Failure> {
        Self::read(file, "the daemon's state")
    }

    pub(super) fn value(&self) -> Option<&str> {
        self.value.as_deref()
    }
}

/// Where it came from; where none was found, why.
impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.origin)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token").field("origin", &self.origin).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(flag: Option<&Path>, environment: &[(&str, &str)], value: &str, origin: &str) {
        let get =
            |key: &str| environment.iter().find(|it| it.0 == key).map(|it| OsString::from(it.1));
        let token = Token::find(flag, get).unwrap();
        assert_eq!(token.value(), Some(value));
        assert!(token.to_string().contains(origin), "{token}");
        assert!(!format!("{token}{token:?}").contains(value), "shows its value");
    }

    #[test]
    fn the_flag_beats_the_environment() {
        let directory = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = directory.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let (flagged, named) = (file("a", "s3cret-a\n"), file("b", "s3cret-b\n"));
        let named = ("FAROL_TOKEN_FILE", named.to_str().unwrap());
        let given = ("FAROL_TOKEN", "s3cret-c");
        check(Some(&flagged), &[given, named], "s3cret-a", "(--token-file)");
        check(None, &[given, named], "s3cret-c", "FAROL_TOKEN");
        check(None, &[("FAROL_TOKEN", ""), named], "s3cret-b", "(FAROL_TOKEN_FILE)");
    }

    #[test]
    fn a_file_that_was_named_must_be_there() {
        let error = Token::find(Some(Path::new("/nowhere/token")), |_| None).unwrap_err();
        assert!(
            error.to_string().contains("`/nowhere/token`, which --token-file names"),
            "{error}"
        );
    }
}
