use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// The name of a site, an endpoint or a monitor: `[a-z0-9-]{1,63}`. Cheap to clone.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ident(Arc<str>);

/// A text that is no [`Ident`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("write 1 to 63 of a-z, 0-9 and `-`")]
pub struct IdentError;

impl Ident {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Ident {
    type Err = IdentError;

    fn from_str(text: &str) -> Result<Self, IdentError> {
        let allowed = |it: u8| it.is_ascii_lowercase() || it.is_ascii_digit() || it == b'-';
        if (1..=63).contains(&text.len()) && text.bytes().all(allowed) {
            Ok(Self(text.into()))
        } else {
            Err(IdentError)
        }
    }
}

impl fmt::Display for Ident {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Ident {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ident({})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_short_lower_case_names_pass() {
        for good in ["a", "seattle", "az-1", &"x".repeat(63)] {
            assert_eq!(good.parse::<Ident>().unwrap().as_str(), good);
        }
        for bad in ["", "Seattle", "a.b", "a_b", "ä", &"x".repeat(64)] {
            assert_eq!(bad.parse::<Ident>(), Err(IdentError), "{bad}");
        }
    }
}
