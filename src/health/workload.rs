use std::fmt;
use std::sync::Arc;

use crate::model::Timestamp;

/// The pods that stand behind an endpoint, by what its site's cluster says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workload {
    /// The Service that they are of: `ingress-nginx/controller`.
    pub service: Arc<str>,
    /// Whether probes of the endpoint fail while none of them is ready.
    pub required: bool,
    /// What the cluster says.
    pub readiness: Readiness,
    /// Since when it says so, however many are ready.
    pub since: Timestamp,
}

/// Whether pods are ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// So many of all of them are; one is enough.
    Counted {
        /// How many are ready.
        ready: u32,
        /// How many there are; those that are being ended don't count.
        all: u32,
    },
    /// Nobody can say, for this reason. That speaks neither for nor against the endpoint.
    Unknown(Arc<str>),
}

impl Workload {
    /// Why a probe of the endpoint fails now, whatever it found itself.
    pub fn objection(&self) -> Option<Arc<str>> {
        self.shortage().filter(|_| self.required).map(Into::into)
    }

    /// That none of the pods is ready, in words, if the cluster says so.
    pub fn shortage(&self) -> Option<String> {
        let (service, readiness) = (&self.service, &self.readiness);
        (readiness.is_ready() == Some(false))
            .then(|| format!("the site says not ready: Service {service} has {readiness}"))
    }
}

impl Readiness {
    /// Whether any is ready, if that is known.
    pub fn is_ready(&self) -> Option<bool> {
        match self {
            Self::Counted { ready, .. } => Some(*ready > 0),
            Self::Unknown(_) => None,
        }
    }

    /// The word in the API.
    pub fn label(&self) -> &'static str {
        match self.is_ready() {
            Some(true) => "ready",
            Some(false) => "not_ready",
            None => "unknown",
        }
    }
}

impl fmt::Display for Readiness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Counted { all: 0, .. } => f.write_str("no pods"),
            Self::Counted { ready, all } => write!(f, "{ready} of {all} pods ready"),
            Self::Unknown(why) => write!(f, "pods of which nothing is known: {why}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_pods_that_are_known_not_to_be_ready_speak_against_the_endpoint() {
        let none = "the site says not ready: Service edge/web has 0 of 3 pods ready";
        let gone = "the site says not ready: Service edge/web has no pods";
        for (readiness, label, objection) in [
            (Readiness::Counted { ready: 3, all: 3 }, "ready", None),
            (Readiness::Counted { ready: 1, all: 3 }, "ready", None),
            (Readiness::Counted { ready: 0, all: 3 }, "not_ready", Some(none)),
            (Readiness::Counted { ready: 0, all: 0 }, "not_ready", Some(gone)),
            (Readiness::Unknown("silence".into()), "unknown", None),
        ] {
            assert_eq!(readiness.label(), label);
            let required = Workload {
                service: "edge/web".into(),
                required: true,
                readiness,
                since: Timestamp(0),
            };
            assert_eq!(required.objection().as_deref(), objection);
            assert_eq!(Workload { required: false, ..required }.objection(), None);
        }
    }
}
