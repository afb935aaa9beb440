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
    /// The token that was given: by the flag, else by the context that was named, else by the environment, else by the context
    /// in use, else in the default file if that can be read.
    pub(super) fn find(
        flag: Option<&Path>,
        named: Option<&Path>,
        environment: impl Fn(&str) -> Option<OsString>,
        used: Option<&Path>,
    ) -> Result<Self, Failure> {
        let environment = |key: &str| environment(key).filter(|it| !it.is_empty());
        if let Some(file) = flag {
            return Self::read(file, "--token-file");
        }
        if let Some(file) = named {
            return Self::read(file, "the context");
        }
        if let Some(token) = environment("FAROL_TOKEN") {
            let origin = "the token in FAROL_TOKEN".to_owned();
            return Ok(Self { value: Some(token.to_string_lossy().trim().to_owned()), origin });
        }
        if let Some(file) = environment("FAROL_TOKEN_FILE") {
            return Self::read(&PathBuf::from(file), "FAROL_TOKEN_FILE");
        }
        if let Some(file) = used {
            return Self::read(file, "the context");
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

    #[test]
    fn what_is_said_beats_the_environment_which_beats_what_is_in_use() {
        let directory = tempfile::tempdir().unwrap();
        let file = |name: &str| {
            let path = directory.path().join(name);
            std::fs::write(&path, format!("s3cret-{name}\n")).unwrap();
            path
        };
        let (flag, named, used) = (file("flag"), file("named"), file("used"));
        let in_environment = file("file");
        let both = [
            ("FAROL_TOKEN", "s3cret-given"),
            ("FAROL_TOKEN_FILE", in_environment.to_str().unwrap()),
        ];
        let file_only = [("FAROL_TOKEN", ""), both[1]];
        for (flag, named, environment, value, origin) in [
            (Some(&*flag), Some(&*named), &both[..], "flag", "(--token-file)"),
            (None, Some(&*named), &both, "named", "(the context)"),
            (None, None, &both, "given", "FAROL_TOKEN"),
            (None, None, &file_only, "file", "(FAROL_TOKEN_FILE)"),
            (None, None, &[], "used", "(the context)"),
        ] {
            let get = |key: &str| {
                environment.iter().find(|it| it.0 == key).map(|it| OsString::from(it.1))
            };
            let token = Token::find(flag, named, get, Some(&used)).unwrap();
            assert_eq!(token.value(), Some(format!("s3cret-{value}").as_str()));
            assert!(token.to_string().contains(origin), "{token}");
            assert!(!format!("{token}{token:?}").contains("s3cret"), "shows its value");
        }
    }

    #[test]
    fn a_file_that_was_named_must_be_there() {
        let error =
            Token::find(Some(Path::new("/nowhere/token")), None, |_| None, None).unwrap_err();
        assert!(
            error.to_string().contains("`/nowhere/token`, which --token-file names"),
            "{error}"
        );
    }
}
