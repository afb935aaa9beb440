use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use regex::bytes::{Regex, RegexBuilder};

/// The most octets of a text or pattern.
const LONGEST: usize = 1024;
/// The most that a compiled pattern may take, in octets, which bounds how long a search may take.
const PATTERN_MOST: usize = 64 * 1024;

/// What the body of an answer must have in it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BodyCheck {
    /// What is looked for.
    pub expected: ExpectedBody,
    /// How much of the body is looked at, in octets, 1–1,048,576; no less than a text that is expected.
    pub limit: usize,
}

/// A text or a pattern. Clones share what it was compiled to.
#[derive(Clone)]
pub struct ExpectedBody {
    written: Arc<str>,
    is_pattern: bool,
    regex: Regex,
}

/// Why there is nothing that a text or pattern could be found in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExpectedBodyError {
    /// It is found everywhere.
    #[error("nothing is written to look for")]
    Empty,
    /// It is longer than 1024 octets.
    #[error("it is longer than 1024 octets")]
    TooLong,
    /// It is no regular expression.
    #[error("the pattern can't be read: {0}")]
    Syntax(String),
    /// To look for it would take too much memory and time.
    #[error("the pattern takes more than 64 KiB when it is compiled; write a simpler one")]
    TooLarge,
}

impl ExpectedBody {
    /// Reads what an operator wrote: a pattern between slashes in the syntax of the regex crate, whose classes are of ASCII
    /// else a text.
    ///
    /// # Errors
    /// When it is empty, too long, or no usable pattern.
    pub fn parse(written: &str) -> Result<Self, ExpectedBodyError> {
        let pattern = written.strip_prefix('/').and_then(|it| it.strip_suffix('/'));
        if pattern.unwrap_or(written).is_empty() {
            return Err(ExpectedBodyError::Empty);
        }
        if written.len() > LONGEST {
            return Err(ExpectedBodyError::TooLong);
        }
        let regex = match pattern {
            Some(pattern) => {
                RegexBuilder::new(pattern).unicode(false).size_limit(PATTERN_MOST).build()
            }
            None => Regex::new(&regex::escape(written)),
        };
        let regex = regex.map_err(|error| match error {
            regex::Error::CompiledTooBig(_) => ExpectedBodyError::TooLarge,
            // The other lines draw a picture of the pattern.
            other => {
                let text = other.to_string();
                let why = text.lines().last().unwrap_or_default();
                ExpectedBodyError::Syntax(why.trim_start_matches("error: ").to_owned())
            }
        })?;
        Ok(Self { written: written.into(), is_pattern: pattern.is_some(), regex })
    }

    /// What an operator wrote.
    pub fn as_written(&self) -> &str {
        &self.written
    }

    /// The length of a text, in octets; none for a pattern. A text is found in a part of a body as well as in all of it; a
    /// pattern may depend on what comes after (`$`, `\b`).
    pub fn text_length(&self) -> Option<usize> {
        (!self.is_pattern).then_some(self.written.len())
    }

    /// Whether these octets have it in them. Takes time in proportion to their number, times the size of a pattern.
    pub fn is_in(&self, octets: &[u8]) -> bool {
        self.regex.is_match(octets)
    }
}

impl PartialEq for ExpectedBody {
    fn eq(&self, other: &Self) -> bool {
        self.written == other.written
    }
}

impl Eq for ExpectedBody {}

impl Hash for ExpectedBody {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.written.hash(state);
    }
}

impl fmt::Debug for ExpectedBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.written, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slashes_on_both_sides_make_a_pattern() {
        for (written, body, found) in [
            ("a.c", "abc", false),
            ("a.c", "xa.cx", true),
            ("/a.c/", "abc", true),
            ("/a.c", "abc", false),
            ("/a.c", "/a.c", true),
            ("a/", "a/", true),
            ("/", "x/x", true),
            (r"/\/a\//", "x/a/x", true),
            ("/(?i)^ok$/", "OK", true),
            ("/^ok$/", "ok\n", false),
            ("é", "\u{e9}", true),
        ] {
            let expected = ExpectedBody::parse(written).unwrap();
            assert_eq!(expected.is_in(body.as_bytes()), found, "{written} in {body}");
        }
        assert!(ExpectedBody::parse(r"/\xff$/").unwrap().is_in(b"a\xff"));
    }

    #[test]
    fn what_can_be_found_nowhere_or_everywhere_is_refused() {
        let why = |written: &str| ExpectedBody::parse(written).unwrap_err().to_string();
        assert_eq!(why(""), "nothing is written to look for");
        assert_eq!(why("//"), "nothing is written to look for");
        assert_eq!(why("/[a/"), "the pattern can't be read: unclosed character class");
        assert_eq!(why(&"x".repeat(1025)), "it is longer than 1024 octets");
        assert!(why(r"/(\w{99}){99}/").contains("more than 64 KiB"));
    }

    #[test]
    fn equal_ones_are_written_alike() {
        let parse = |it| ExpectedBody::parse(it).unwrap();
        assert_eq!(parse("/a/"), parse("/a/"));
        assert_ne!(parse("/a/"), parse("a"));
        assert_eq!((parse("é").text_length(), parse("/a/").text_length()), (Some(2), None));
        assert_eq!(format!("{:?}", parse("/a/")), r#""/a/""#);
    }
}
