use std::collections::VecDeque;
use std::time::Duration;

use super::Phase;
use crate::model::{EndpointStatus, Timestamp};

/// The last times that an endpoint came into another status, the oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Timeline(VecDeque<Turn>);

/// An endpoint came into another status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turn {
    /// When.
    pub at: Timestamp,
    /// What it was.
    pub from: EndpointStatus,
    /// Since when it had been so, where that is known.
    pub since: Option<Timestamp>,
    /// What it became.
    pub to: EndpointStatus,
    /// Why.
    pub cause: Cause,
}

/// Why an endpoint came into another status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Its probes.
    Probe {
        /// Where the probe ended that decided.
        phase: Option<Phase>,
        /// What was wrong, if something was: "connect: refused".
        reason: Option<String>,
    },
    /// What the endpoint stands for.
    Profile {
        /// The nested profile.
        profile: String,
        /// What turned in it, and why: "dublin is Degraded: connect: refused".
        reason: Option<String>,
    },
    /// An operator's change.
    Change {
        /// The change in words.
        change: String,
        /// Who made it.
        by: String,
        /// Why.
        reason: Option<String>,
    },
    /// An operator's change whose time was over.
    Expiry {
        /// The change in words.
        change: String,
        /// Who had made it.
        by: String,
    },
    /// Another configuration.
    Reload,
    /// The daemon's start: what it was is from before.
    Start,
}

impl Turn {
    /// How long it had been what it was; nothing where the time of day went back.
    pub fn lasted(&self) -> Option<Duration> {
        let milliseconds = self.at.0.saturating_sub(self.since?.0).max(0);
        Some(Duration::from_millis(milliseconds.unsigned_abs()))
    }

    /// Whether probes found good what they had not yet looked at: no news, after a start.
    pub fn is_first_good_word(&self) -> bool {
        (self.from, self.to) == (EndpointStatus::CheckingEndpoint, EndpointStatus::Online)
    }
}

impl Cause {
    /// The word in the API and on the disk.
    pub const fn label(&self) -> &'static str {
        match self {
            Self::Probe { .. } => "probe",
            Self::Profile { .. } => "profile",
            Self::Change { .. } => "change",
            Self::Expiry { .. } => "expiry",
            Self::Reload => "reload",
            Self::Start => "start",
        }
    }

    /// The cause in one line for people, where its word doesn't say it all.
    pub fn in_words(&self) -> Option<String> {
        let and = |words: String, reason: &Option<String>| match reason {
            Some(reason) => format!("{words}: {reason}"),
            None => words,
        };
        match self {
            Self::Probe { reason, .. } => reason.clone(),
            Self::Profile { profile, reason } => Some(and(profile.clone(), reason)),
            Self::Change { change, by, reason } => {
                Some(and(format!("{by} changed {change}"), reason))
            }
            Self::Expiry { change, by } => {
                Some(format!("the time of {by}'s change was over: {change}"))
            }
            Self::Reload | Self::Start => None,
        }
    }
}

impl Timeline {
    /// How many turns are kept.
    pub const LONGEST: usize = 100;

    /// Adds the latest turn; the oldest makes room for it.
    pub fn push(&mut self, turn: Turn) {
        if self.0.len() == Self::LONGEST {
            self.0.pop_front();
        }
        self.0.push_back(turn);
    }

    /// The latest turn.
    pub fn last(&self) -> Option<&Turn> {
        self.0.back()
    }

    /// Every turn, the oldest first.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Turn> + DoubleEndedIterator {
        self.0.iter()
    }

    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<Turn> for Timeline {
    /// The last of them are kept.
    fn from_iter<I: IntoIterator<Item = Turn>>(turns: I) -> Self {
        let mut timeline = Self::default();
        turns.into_iter().for_each(|it| timeline.push(it));
        timeline
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_hundred_turns_are_kept() {
        let turn = |at| Turn {
            at: Timestamp(at),
            from: EndpointStatus::Online,
            since: None,
            to: EndpointStatus::Degraded,
            cause: Cause::Reload,
        };
        let timeline: Timeline = (0..250).map(turn).collect();
        let ends = (timeline.iter().next().map(|it| it.at), timeline.last().map(|it| it.at));
        assert_eq!(timeline.iter().len(), 100);
        assert_eq!(ends, (Some(Timestamp(150)), Some(Timestamp(249))));
        for (since, lasted) in [(None, None), (Some(1500), Some(500)), (Some(2500), Some(0))] {
            let turn = Turn { since: since.map(Timestamp), ..turn(2000) };
            assert_eq!(turn.lasted(), lasted.map(Duration::from_millis));
        }
    }
}
