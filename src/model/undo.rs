//! How a change is put back: what was there before it, and what it has left.

use super::{EndpointKey, EndpointOverrides, Ident, Name, Overrides, Stamp, Stamped};

/// What something was before changes, and what they have left of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Undo {
    /// An endpoint's overrides.
    Endpoint {
        /// Which endpoint.
        key: EndpointKey,
        /// Before them.
        before: Box<EndpointOverrides>,
        /// After them.
        left: Box<EndpointOverrides>,
    },
    /// Whether a profile is in service.
    Profile {
        /// Its name.
        name: Name,
        /// Before them.
        before: Option<Stamped<bool>>,
        /// After them.
        left: Option<Stamped<bool>>,
    },
    /// A site's drain.
    Site {
        /// Its name.
        name: Ident,
        /// Before them.
        before: Option<Stamp>,
        /// After them.
        left: Option<Stamp>,
    },
}

impl Undo {
    /// Whether it is about an endpoint, which is in this site.
    pub fn is_about(&self, endpoint: &EndpointKey, site: Option<&Ident>) -> bool {
        match self {
            Self::Endpoint { key, .. } => key == endpoint,
            Self::Profile { name, .. } => *name == endpoint.profile,
            Self::Site { name, .. } => site == Some(name),
        }
    }

    /// Puts one thing back to what it was, where nobody has changed it since. Becomes what that did: `left` is what was there, and
    /// `before` is what is there since.
    pub(super) fn apply(&mut self, overrides: &mut Overrides) {
        match self {
            Self::Endpoint { key, before, left } => {
                let found = overrides.endpoints.remove(key).unwrap_or_default();
                let mut now = found.clone();
                restore(&mut now.weight, &left.weight, &before.weight);
                restore(&mut now.priority, &left.priority, &before.priority);
                restore(&mut now.enabled, &left.enabled, &before.enabled);
                restore(&mut now.forced, &left.forced, &before.forced);
                if !now.is_empty() {
                    overrides.endpoints.insert(key.clone(), now.clone());
                }
                (**left, **before) = (found, now);
            }
            Self::Profile { name, before, left } => {
                let found = overrides.profiles.remove(name);
                let mut now = found.clone();
                restore(&mut now, left, before);
                overrides.profiles.extend(now.clone().map(|it| (name.clone(), it)));
                (*left, *before) = (found, now);
            }
            Self::Site { name, before, left } => {
                let found = overrides.drained_sites.remove(name);
                let mut now = found.clone();
                restore(&mut now, left, before);
                if now.is_some() {
                    overrides.returning_sites.remove(name);
                }
                overrides.drained_sites.extend(now.clone().map(|it| (name.clone(), it)));
                (*left, *before) = (found, now);
            }
        }
    }

    /// Where this would bring back what `undone` has taken away, has it bring back what was there before that.
    pub(super) fn forget(&mut self, undone: &Self) {
        match (self, undone) {
            (
                Self::Endpoint { key, before, left },
                Self::Endpoint { key: other, before: was, left: had },
            ) if key == other => {
                forget(&mut before.weight, &left.weight, &had.weight, &was.weight);
                forget(&mut before.priority, &left.priority, &had.priority, &was.priority);
                forget(&mut before.enabled, &left.enabled, &had.enabled, &was.enabled);
                forget(&mut before.forced, &left.forced, &had.forced, &was.forced);
            }
            (
                Self::Profile { name, before, left },
                Self::Profile { name: other, before: was, left: had },
            ) if name == other => {
                forget(before, left, had, was);
            }
            (
                Self::Site { name, before, left },
                Self::Site { name: other, before: was, left: had },
            ) if name == other => {
                forget(before, left, had, was);
            }
            _ => {}
        }
    }
}

/// Puts a field back that a change has touched, where it still is what the change left.
fn restore<T: Clone + PartialEq>(now: &mut Option<T>, left: &Option<T>, before: &Option<T>) {
    if left != before && now == left {
        now.clone_from(before);
    }
}

/// Has a change that touched a field bring back what `was` there before another change, instead of what that one `had` left.
fn forget<T: Clone + PartialEq>(
    before: &mut Option<T>,
    left: &Option<T>,
    had: &Option<T>,
    was: &Option<T>,
) {
    if *before != *left && before == had {
        before.clone_from(was);
    }
}
