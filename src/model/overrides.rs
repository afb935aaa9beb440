use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use super::{Forced, Ident, Name, Pending, Timestamp};

/// Every operator's change in force. An override beats the configuration until it is cleared.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overrides {
    /// By endpoint; none of them is empty.
    pub endpoints: BTreeMap<EndpointKey, EndpointOverrides>,
    /// Whether profiles are in service.
    pub profiles: BTreeMap<Name, Stamped<bool>>,
    /// The sites that are drained.
    pub drained_sites: BTreeMap<Ident, Stamp>,
    /// The sites that were undrained and take their share back little by little, with how long that takes; their time is over
    /// then.
    pub returning_sites: BTreeMap<Ident, Stamped<Duration>>,
    /// Changes that are undone by themselves, unless they are confirmed or for as long as they are watched, by number.
    pub pending: BTreeMap<u64, Pending>,
    /// The number of the last of those.
    pub numbered: u64,
    /// The endpoints that serve, where what recovers waits for an operator's word. Not said by an operator, but kept like what
    /// is: a restart must not fail back.
    pub serving: BTreeMap<Name, Serving>,
}

/// The endpoints of the priority that serves, by [`Family::index`](super::Family::index). Their names, since priorities may
/// become others.
pub type Serving = [BTreeSet<Ident>; 2];

/// Names one endpoint among all profiles.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EndpointKey {
    /// The profile's name.
    pub profile: Name,
    /// The endpoint's name in it.
    pub endpoint: Ident,
}

impl fmt::Display for EndpointKey {
    /// "app.example. seattle".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.profile, self.endpoint)
    }
}

/// The changes in force on one endpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct EndpointOverrides {
    /// Replaces the configured weight.
    pub weight: Option<Stamped<u16>>,
    /// Replaces the configured priority.
    pub priority: Option<Stamped<u16>>,
    /// Replaces the configured `enabled`.
    pub enabled: Option<Stamped<bool>>,
    /// Overrides the probes' verdict.
    pub forced: Option<Stamped<Forced>>,
}

impl EndpointOverrides {
    /// Whether nothing is overridden.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The fields that are overridden, with who did it.
    pub fn fields(&self) -> impl Iterator<Item = (Override, &Stamp)> {
        fn field<T: Copy>(
            set: &Option<Stamped<T>>,
            of: fn(T) -> Override,
        ) -> Option<(Override, &Stamp)> {
            set.as_ref().map(|it| (of(it.value), &it.stamp))
        }
        let fields = [
            field(&self.weight, Override::Weight),
            field(&self.priority, Override::Priority),
            field(&self.enabled, Override::Enabled),
            field(&self.forced, Override::Forced),
        ];
        fields.into_iter().flatten()
    }

    /// The names of the fields that are overridden.
    pub fn kinds(&self) -> impl Iterator<Item = &'static str> {
        self.fields().map(|(it, _)| it.kind())
    }
}

/// What an operator said of one field of an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Override {
    /// The weight.
    Weight(u16),
    /// The priority.
    Priority(u16),
    /// Whether it is in service.
    Enabled(bool),
    /// The forced verdict.
    Forced(Forced),
}

impl Override {
    /// The name of the field, in the API, the command line and metrics.
    pub const fn kind(self) -> &'static str {
        match self {
            Self::Weight(_) => "weight",
            Self::Priority(_) => "priority",
            Self::Enabled(_) => "enabled",
            Self::Forced(_) => "forced",
        }
    }
}

impl fmt::Display for Override {
    /// "weight 20", "forced down".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = self.kind();
        match self {
            Self::Weight(it) | Self::Priority(it) => write!(f, "{kind} {it}"),
            Self::Enabled(it) => write!(f, "{kind} {it}"),
            Self::Forced(it) => write!(f, "{kind} {}", it.label()),
        }
    }
}

/// A value with who set it, when and why.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Stamped<T> {
    /// The value in force.
    pub value: T,
    /// Who set it.
    pub stamp: Stamp,
}

/// Who changed something, when and why, and until when.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Stamp {
    /// The author, from the token.
    pub by: String,
    /// The author's reason, where one was given.
    pub reason: Option<String>,
    /// When the change was made.
    pub at: Timestamp,
    /// When it is undone by itself; never, where there is none. A time of day: a clock that is set, or a restart, moves
    /// nothing.
    pub expires: Option<Timestamp>,
}

/// A change to one endpoint; each field is left alone, cleared or set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EndpointChange {
    /// The weight.
    pub weight: Change<u16>,
    /// The priority.
    pub priority: Change<u16>,
    /// Whether it is in service.
    pub enabled: Change<bool>,
    /// The forced verdict.
    pub forced: Change<Forced>,
}

impl EndpointChange {
    /// Whether it asks for nothing.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether it sets nothing.
    pub fn only_clears(&self) -> bool {
        fn sets<T>(change: &Change<T>) -> bool {
            matches!(change, Change::Set(_))
        }
        !(sets(&self.weight) || sets(&self.priority) || sets(&self.enabled) || sets(&self.forced))
    }

    /// Puts the change into `overrides`, stamped.
    pub fn apply(&self, overrides: &mut EndpointOverrides, stamp: &Stamp) {
        self.weight.apply(&mut overrides.weight, stamp);
        self.priority.apply(&mut overrides.priority, stamp);
        self.enabled.apply(&mut overrides.enabled, stamp);
        self.forced.apply(&mut overrides.forced, stamp);
    }
}

impl fmt::Display for EndpointChange {
    /// What it does to each field: "weight 20, forced cleared".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let forced = match self.forced {
            Change::Keep => Change::Keep,
            Change::Clear => Change::Clear,
            Change::Set(forced) => Change::Set(forced.label()),
        };
        let fields = [
            self.weight.in_words("weight"),
            self.priority.in_words("priority"),
            self.enabled.in_words("enabled"),
            forced.in_words("forced"),
        ];
        f.write_str(&fields.into_iter().flatten().collect::<Vec<_>>().join(", "))
    }
}

/// What a change does to one field.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Change<T> {
    /// Leaves it as it is.
    #[default]
    Keep,
    /// Clears the override: the configuration's value counts again.
    Clear,
    /// Sets the override.
    Set(T),
}

impl<T: fmt::Display> Change<T> {
    fn in_words(&self, field: &str) -> Option<String> {
        match self {
            Self::Keep => None,
            Self::Clear => Some(format!("{field} cleared")),
            Self::Set(value) => Some(format!("{field} {value}")),
        }
    }
}

impl<T: Copy> Change<T> {
    fn apply(&self, field: &mut Option<Stamped<T>>, stamp: &Stamp) {
        match self {
            Self::Keep => {}
            Self::Clear => *field = None,
            Self::Set(value) => *field = Some(Stamped { value: *value, stamp: stamp.clone() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_touches_only_the_fields_that_it_names() {
        let stamp =
            |by: &str| Stamp { by: by.to_owned(), reason: None, at: Timestamp(1), expires: None };
        let mut overrides = EndpointOverrides::default();
        let first = EndpointChange {
            weight: Change::Set(5),
            enabled: Change::Set(false),
            ..Default::default()
        };
        first.apply(&mut overrides, &stamp("ann"));
        let second = EndpointChange {
            weight: Change::Clear,
            forced: Change::Set(Forced::Up),
            ..Default::default()
        };
        assert_eq!(second.to_string(), "weight cleared, forced up");
        second.apply(&mut overrides, &stamp("bob"));
        assert_eq!(overrides.weight, None);
        assert_eq!(overrides.enabled, Some(Stamped { value: false, stamp: stamp("ann") }));
        assert_eq!(overrides.forced, Some(Stamped { value: Forced::Up, stamp: stamp("bob") }));
        assert!(
            !second.only_clears()
                && EndpointChange { weight: Change::Clear, ..Default::default() }.only_clears()
        );
        assert!(!overrides.is_empty() && EndpointOverrides::default().is_empty());
        let fields: Vec<_> =
            overrides.fields().map(|(it, stamp)| format!("{it} by {}", stamp.by)).collect();
        assert_eq!(fields, ["enabled false by ann", "forced up by bob"]);
    }
}
