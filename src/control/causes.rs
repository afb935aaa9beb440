//! Why endpoints came into another status, for their timelines and the log.

use std::collections::HashMap;
use std::sync::Arc;

use super::timelines::Why;
use super::world::Transition;
use crate::health::{Cause, Phase};
use crate::model::{EndpointKey, Name, Verdict};

/// The probes' last word on an endpoint.
pub(super) struct Heard {
    pub(super) verdict: Verdict,
    pub(super) phase: Option<Phase>,
    pub(super) reason: Option<Arc<str>>,
}

/// What the transitions of one publication follow from.
pub(super) struct Causes<'a> {
    pub(super) transitions: &'a [Transition],
    pub(super) why: &'a Why<'a>,
    /// The probes' words since the last publication.
    pub(super) heard: &'a HashMap<EndpointKey, Heard>,
}

impl Causes<'_> {
    /// The cause of one of them.
    pub(super) fn of(&self, it: &Transition) -> Cause {
        let heard = self.heard.get(&it.key);
        let other = match (self.why, heard) {
            // What was heard just before a reload is published with it.
            (Why::Reload, Some(_)) => None,
            _ => self.why.cause_of(it),
        };
        other.or_else(|| self.nested(it)).unwrap_or_else(|| Cause::Probe {
            phase: heard.and_then(|it| it.phase),
            reason: heard.and_then(|it| it.reason.as_deref()).map(str::to_owned),
        })
    }

    /// The cause where the endpoint stands for a profile.
    fn nested(&self, it: &Transition) -> Option<Cause> {
        let profile = it.child.as_ref()?;
        let reason = self.within(profile, it.to.is_healthy());
        Some(Cause::Profile { profile: profile.to_string(), reason })
    }

    /// What turned in a profile, to the better or the worse, and why: "dublin is Degraded: connect: refused".
    fn within(&self, profile: &Name, is_better: bool) -> Option<String> {
        let inside = || self.transitions.iter().filter(|it| it.key.profile == *profile);
        let to_same = inside().rfind(|it| it.to.is_healthy() == is_better);
        let it = to_same.or_else(|| inside().next_back())?;
        let because = self.of(it).in_words().map(|it| format!(": {it}")).unwrap_or_default();
        Some(format!("{} is {}{because}", it.key.endpoint, it.to.label()))
    }
}

#[cfg(test)]
mod tests {
    use super::super::Change;
    use super::super::timelines::Done;
    use super::*;
    use crate::model::{Change as Field, EndpointChange, EndpointStatus, Stamp, Timestamp};
    use EndpointStatus::{Degraded, Disabled, Online};

    fn transition(
        profile: &str,
        endpoint: &str,
        child: Option<&str>,
        to: EndpointStatus,
    ) -> Transition {
        let key =
            EndpointKey { profile: profile.parse().unwrap(), endpoint: endpoint.parse().unwrap() };
        let child = child.map(|it| it.parse().unwrap());
        Transition {
            key,
            site: None,
            child,
            at: Timestamp(0),
            from: Online,
            since: Timestamp(0),
            to,
        }
    }

    #[test]
    fn who_stands_for_a_profile_turns_for_what_turned_in_it() {
        let transitions = [
            transition("eu.z.", "dublin", None, Degraded),
            transition("eu.z.", "paris", None, Online),
            transition("us.z.", "rio", None, Disabled),
            transition("world.z.", "eu", Some("eu.z."), Degraded),
            transition("world.z.", "us", Some("us.z."), Degraded),
            transition("app.z.", "world", Some("world.z."), Online),
            transition("app.z.", "idle", Some("idle.z."), Degraded),
        ];
        let (phase, reason) = (Some(Phase::Connect), Some("connect: refused".into()));
        let word = Heard { verdict: Verdict::Degraded, phase, reason };
        let heard = [(transitions[0].key.clone(), word)].into();
        let enabled = EndpointChange { enabled: Field::Set(false), ..EndpointChange::default() };
        let change = Change::Endpoint(transitions[2].key.clone(), enabled);
        let by = "ann".to_owned();
        let stamp = Stamp { by, reason: None, at: Timestamp(0), expires: None };
        let why = Why::Changes(vec![Done { change: &change, stamp: &stamp, undone: None }]);
        let causes = Causes { transitions: &transitions, why: &why, heard: &heard };
        let told: Vec<_> = transitions
            .iter()
            .map(|it| {
                let cause = causes.of(it);
                (cause.label(), cause.in_words().unwrap_or_default())
            })
            .collect();
        let told: Vec<_> = told.iter().map(|(label, words)| (*label, words.as_str())).collect();
        let expected = [
            ("probe", "connect: refused"),
            ("probe", ""),
            ("change", "ann changed us.z. rio: enabled false"),
            ("profile", "eu.z.: dublin is Degraded: connect: refused"),
            ("profile", "us.z.: rio is Disabled: ann changed us.z. rio: enabled false"),
            (
                "profile",
                "world.z.: us is Degraded: us.z.: rio is Disabled: ann changed us.z. rio: enabled false",
            ),
            ("profile", "idle.z."),
        ];
        assert_eq!(told, expected);
    }
}
