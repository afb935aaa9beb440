//! Who may do what.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use super::{Ident, Name, NameError};

/// What somebody may do; each may also do what those before it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Looks.
    Viewer,
    /// Changes where traffic goes.
    Operator,
    /// Reloads, and manages who gets in.
    Admin,
}

/// A text that is no [`Role`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("write viewer, operator or admin")]
pub struct RoleError;

impl Role {
    /// Every one, from the least to the most.
    pub const ALL: [Self; 3] = [Self::Viewer, Self::Operator, Self::Admin];

    /// The word for it.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.label())
    }
}

impl FromStr for Role {
    type Err = RoleError;

    fn from_str(text: &str) -> Result<Self, RoleError> {
        Self::ALL.into_iter().find(|it| it.label() == text).ok_or(RoleError)
    }
}

/// A profile's name, or `*.` before a name, which stands for every profile below that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope(Name);

impl Scope {
    fn holds(&self, profile: &Name) -> bool {
        match self.0.parent().filter(|_| self.0.is_wildcard()) {
            Some(above) => profile.is_within(&above) && *profile != above,
            None => *profile == self.0,
        }
    }
}

impl FromStr for Scope {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        text.parse().map(Self)
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The profiles that somebody is limited to. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scopes(Arc<[Scope]>);

impl Scopes {
    /// The most that anybody is given.
    pub const MOST: usize = 100;

    /// No limit.
    pub fn all() -> Self {
        Self(Arc::new([]))
    }

    /// Whether there are profiles that they don't hold.
    pub fn are_limited(&self) -> bool {
        !self.0.is_empty()
    }

    /// Whether this profile is one of them.
    pub fn hold(&self, profile: &Name) -> bool {
        self.0.is_empty() || self.0.iter().any(|it| it.holds(profile))
    }

    /// Each one; none where there is no limit.
    pub fn iter(&self) -> impl Iterator<Item = &Scope> {
        self.0.iter()
    }
}

impl FromIterator<Scope> for Scopes {
    /// Of nothing, no limit.
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        Self(scopes.into_iter().collect())
    }
}

impl fmt::Display for Scopes {
    /// "app.example., *.team.example."
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, scope) in self.0.iter().enumerate() {
            write!(f, "{}{scope}", if index == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

/// What somebody may do, and the name under which they do it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    name: Ident,
    role: Role,
    scopes: Scopes,
}

/// Why there is no such [`Grant`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GrantError {
    /// Reloading and managing are not about profiles.
    #[error("an admin manages everything and can't be limited to profiles; make it an operator")]
    LimitedAdmin,
}

impl Grant {
    /// The name of the token in the state directory, which nobody else is to be taken for.
    pub const OWN_TOKEN: &str = "admin";

    /// # Errors
    /// When an admin is to be limited to profiles.
    pub fn new(name: Ident, role: Role, scopes: Scopes) -> Result<Self, GrantError> {
        if role == Role::Admin && scopes.are_limited() {
            return Err(GrantError::LimitedAdmin);
        }
        Ok(Self { name, role, scopes })
    }

    /// The name that changes are signed with.
    pub fn name(&self) -> &Ident {
        &self.name
    }

    /// What may be done.
    pub fn role(&self) -> Role {
        self.role
    }

    /// To which profiles.
    pub fn scopes(&self) -> &Scopes {
        &self.scopes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scopes(texts: &[&str]) -> Scopes {
        texts.iter().map(|it| it.parse::<Scope>().unwrap()).collect()
    }

    #[test]
    fn roles_are_in_order_and_have_names() {
        assert!(Role::ALL.is_sorted());
        for role in Role::ALL {
            assert_eq!(role.label().parse(), Ok(role));
        }
        assert_eq!("root".parse::<Role>(), Err(RoleError));
    }

    #[test]
    fn a_wildcard_holds_whatever_is_below_it() {
        for (limits, profile, held) in [
            (&[][..], "app.example.", true),
            (&["app.example."], "app.example.", true),
            (&["app.example"], "APP.example.", true),
            (&["app.example."], "a.app.example.", false),
            (&["app.example."], "example.", false),
            (&["*.team.example."], "app.team.example.", true),
            (&["*.team.example."], "a.b.team.example.", true),
            (&["*.team.example."], "team.example.", false),
            (&["*.team.example."], "xteam.example.", false),
            (&["a.example.", "*.b.example."], "x.b.example.", true),
            (&["*."], "app.example.", true),
        ] {
            assert_eq!(
                scopes(limits).hold(&profile.parse().unwrap()),
                held,
                "{limits:?} {profile}"
            );
        }
        let both = scopes(&["a.example", "*.b.example."]);
        assert_eq!(both.to_string(), "a.example., *.b.example.");
        assert!("a..b".parse::<Scope>().is_err());
    }

    #[test]
    fn an_admin_has_no_limits() {
        let name = || "ann".parse().unwrap();
        let limits = || scopes(&["a.example."]);
        assert!(Grant::new(name(), Role::Operator, limits()).is_ok());
        assert!(Grant::new(name(), Role::Admin, Scopes::all()).is_ok());
        assert_eq!(Grant::new(name(), Role::Admin, limits()), Err(GrantError::LimitedAdmin));
    }
}
