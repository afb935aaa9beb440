//! What operators ask for, and why it may be refused.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::{Breach, Condition, Version};
use crate::model::{EndpointChange, EndpointKey, Ident, Name, Stamp, Timestamp};
use crate::snapshot::Snapshot;

/// An operator's change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// To one endpoint.
    Endpoint(EndpointKey, EndpointChange),
    /// Takes a profile out of service or brings it back, or lets the configuration say.
    Profile {
        /// The profile.
        name: Name,
        /// Whether it is to be in service.
        enabled: Option<bool>,
    },
    /// Drains a site, or brings it back.
    Site {
        /// The site.
        name: Ident,
        /// Whether it is to be drained.
        drained: bool,
        /// How long it takes on its way back to its full share, in the place of `slow_start`.
        ramp: Option<Duration>,
    },
    /// Lets the lowest priority of this profile serve again.
    FailBack(Name),
    /// Has pending changes stay.
    Confirm(u64),
    /// Undoes pending changes.
    Undo(u64),
}

impl Change {
    /// Whether there is something that could end: whatever only clears has no end.
    pub fn sets(&self) -> bool {
        match self {
            Self::Endpoint(_, change) => !change.only_clears(),
            Self::Profile { enabled, .. } => enabled.is_some(),
            Self::Site { drained, .. } => *drained,
            Self::FailBack(_) | Self::Confirm(_) | Self::Undo(_) => false,
        }
    }
}

impl fmt::Display for Change {
    /// "app.example. seattle: weight 20, forced cleared", "site seattle: drained" or "app.example.: failed back".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Endpoint(key, change) => {
                write!(f, "{} {}: {change}", key.profile, key.endpoint)
            }
            Self::Profile { name, enabled: Some(enabled) } => {
                write!(f, "{name}: enabled {enabled}")
            }
            Self::Profile { name, enabled: None } => write!(f, "{name}: enabled cleared"),
            Self::Site { name, drained: true, .. } => write!(f, "site {name}: drained"),
            Self::Site { name, ramp: Some(ramp), .. } => {
                write!(f, "site {name}: undrained over {ramp:?}")
            }
            Self::Site { name, .. } => write!(f, "site {name}: undrained"),
            Self::FailBack(profile) => write!(f, "{profile}: failed back"),
            Self::Confirm(number) => write!(f, "change {number}: confirmed"),
            Self::Undo(number) => write!(f, "change {number}: undone"),
        }
    }
}

/// What an operator asks for: changes that are made all together or not at all.
#[derive(Clone, Debug)]
pub struct Request {
    /// The changes, in the order in which they are made.
    pub changes: Vec<Change>,
    /// What they expect to find.
    pub condition: Condition,
    /// Who makes them, when, why and until when.
    pub stamp: Stamp,
    /// From where.
    pub from: Option<IpAddr>,
    /// Whether it is only to be found out what would come of them.
    pub dry_run: bool,
    /// Why guardrails don't hold for them, where they don't.
    pub over_guardrails: Option<String>,
    /// Whether they may be undone by themselves.
    pub hold: Option<Hold>,
}

/// How long changes are pending, and what undoes them by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hold {
    /// Until when they are watched, or have to be confirmed.
    pub until: Timestamp,
    /// Whether they are undone then, unless somebody has confirmed them.
    pub needs_confirmation: bool,
    /// Whether they are undone as soon as health gets worse.
    pub undo_if_worse: bool,
}

/// Changes that were made, or would have been.
#[derive(Clone, Debug)]
pub struct Made {
    /// The snapshot that has them.
    pub snapshot: Arc<Snapshot>,
    /// The number by which they are confirmed or undone, while they are pending.
    pub pending: Option<u64>,
}

impl Request {
    /// One change, as guardrails allow.
    pub fn new(change: Change, stamp: Stamp) -> Self {
        Self {
            changes: vec![change],
            condition: Condition::None,
            stamp,
            from: None,
            dry_run: false,
            over_guardrails: None,
            hold: None,
        }
    }
}

/// Why a change was refused.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// There is no such profile.
    #[error("no profile is called `{0}`")]
    NoProfile(Name),
    /// The profile has no such endpoint.
    #[error("profile `{}` has no endpoint `{}`", .0.profile, .0.endpoint)]
    NoEndpoint(EndpointKey),
    /// There is no such site.
    #[error("no site is called `{0}`")]
    NoSite(Ident),
    /// The profile has no manual failback.
    #[error(
        "profile `{0}` fails back by itself: there is something to do by hand only with method = \"priority\" and failback = \"manual\""
    )]
    FailsBackByItself(Name),
    /// There is nothing pending of this number.
    #[error(
        "no change {0} is pending: it was confirmed or undone, or its time is over; `farol history` and `farol audit list` tell"
    )]
    NotPending(u64),
    /// What it does can't be undone by itself.
    #[error("\"{0}\" can't be undone, so it can't wait for a confirmation or be watched")]
    NotUndoable(String),
    /// It was to be made to another version than this; none is there when the configuration doesn't have it any more.
    #[error("somebody else has changed it since")]
    Changed(Option<Version>),
    /// It would leave less than guardrails ask for.
    #[error("refused by guardrails: {}", in_words(.0))]
    Guardrails(Vec<Breach>),
    /// It could not be made durable, so it was not made at all.
    #[error("the change could not be stored, so it was not made")]
    NotStored(#[source] Arc<crate::store::StoreError>),
    /// Storing it panicked.
    #[error("the change could not be stored, which is a fault in Farol; look at its log")]
    Broken,
    /// The daemon is stopping.
    #[error("the daemon is stopping")]
    Stopping,
}

fn in_words(breaches: &[Breach]) -> String {
    breaches.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}
