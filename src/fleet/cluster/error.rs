//! What can go wrong between the companion and an API server, told apart by what an operator has to do about it.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::time::Duration;

use kube::core::Status;
use kube::runtime::watcher;

use super::Access;
use crate::model::chain;

/// Why a cluster didn't do what it was asked for.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ClusterError {
    /// There is no way to it: a kubeconfig that can't be read, a credential that can't be had.
    #[error("can't be reached: {0}")]
    Kubeconfig(String),
    /// Nobody answered.
    #[error("is unreachable: {0}")]
    Unreachable(String),
    /// Nobody answered in time.
    #[error("is unreachable: no answer within {} s", .0.as_secs_f64())]
    Silent(Duration),
    /// It answers, but it is another cluster.
    #[error(
        "is another cluster: its UID is {found}, and {wanted} is pinned; mend the kubeconfig, or `uid` where the cluster was made anew"
    )]
    WrongCluster {
        /// The UID that is pinned.
        wanted: String,
        /// The UID of the cluster that answered.
        found: String,
    },
    /// It doesn't know who asks: a token or a certificate that is wrong or has expired.
    #[error("does not take the credential: {0}; it may have expired, renew it in the kubeconfig")]
    Unauthorized(String),
    /// Two sites are one cluster.
    #[error("is that of site {0} too; name the kubeconfig of this site's own")]
    Shared(String),
    /// It knows who asks, who may not.
    #[error("forbids it: {message}{}", lacking(.missing))]
    Forbidden {
        /// What the server said.
        message: String,
        /// What else is missing, where that was asked for.
        missing: Vec<Access>,
    },
    /// There is no such thing.
    #[error("has no such thing: {0}")]
    NotFound(String),
    /// Fields belong to others.
    #[error("has it from others in part: {}", conflicts(.0))]
    Conflicts(Vec<Conflict>),
    /// What was read meanwhile changed, or exists already.
    #[error("has changed meanwhile: {0}")]
    Changed(String),
    /// It refuses what is asked for as wrong.
    #[error("refuses it: {0}")]
    Refused(String),
    /// It can't do it now.
    #[error("can't do it now: {0}")]
    Unavailable(String),
    /// What it answers is not what the API promises.
    #[error("answers what nobody understands: {0}")]
    Garbled(String),
}

/// A field that another manager owns and that is to get another value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// The manager's name, and how it wrote: `"kubectl" using apps/v1`.
    pub manager: String,
    /// The field, as the server writes it: `.spec.replicas`.
    pub field: String,
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} belongs to {}", self.field, self.manager)
    }
}

impl ClusterError {
    /// Whether the same request may go well a little later.
    pub const fn is_passing(&self) -> bool {
        matches!(self, Self::Unreachable(_) | Self::Silent(_) | Self::Unavailable(_))
    }

    /// Whether it is the cluster as a whole that can't be worked with, whatever is asked for.
    pub const fn is_about_the_cluster(&self) -> bool {
        matches!(
            self,
            Self::Kubeconfig(_)
                | Self::Unreachable(_)
                | Self::Silent(_)
                | Self::WrongCluster { .. }
                | Self::Unauthorized(_)
                | Self::Shared(_)
        )
    }

    /// The one word for it in metrics and tables.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Kubeconfig(_) => "no way",
            Self::Unreachable(_) | Self::Silent(_) => "unreachable",
            Self::WrongCluster { .. } | Self::Shared(_) => "wrong cluster",
            Self::Unauthorized(_) => "unauthorized",
            Self::Forbidden { .. } => "forbidden",
            Self::NotFound(_) => "not found",
            Self::Conflicts(_) => "conflict",
            Self::Changed(_) => "changed",
            Self::Refused(_) => "refused",
            Self::Unavailable(_) => "unavailable",
            Self::Garbled(_) => "garbled",
        }
    }
}

impl From<kube::Error> for ClusterError {
    fn from(error: kube::Error) -> Self {
        match error {
            kube::Error::Api(status) => of_status(&status),
            kube::Error::SerdeError(error) => Self::Garbled(error.to_string()),
            kube::Error::FromUtf8(error) => Self::Garbled(error.to_string()),
            kube::Error::Auth(error) => {
                Self::Kubeconfig(format!("has no credential: {}", chain(&error)))
            }
            error => Self::Unreachable(causes(&error)),
        }
    }
}

impl From<watcher::Error> for ClusterError {
    fn from(error: watcher::Error) -> Self {
        match error {
            watcher::Error::InitialListFailed(error)
            | watcher::Error::WatchStartFailed(error)
            | watcher::Error::WatchFailed(error) => error.into(),
            watcher::Error::WatchError(status) => kube::Error::Api(status).into(),
            error => Self::Garbled(error.to_string()),
        }
    }
}

fn of_status(status: &Status) -> ClusterError {
    let message = match status.message.is_empty() {
        true => format!("{} {}", status.code, status.reason),
        false => status.message.clone(),
    };
    match status.code {
        401 => ClusterError::Unauthorized(message),
        403 => ClusterError::Forbidden { message, missing: Vec::new() },
        404 => ClusterError::NotFound(message),
        409 => {
            let causes = status.details.iter().flat_map(|it| &it.causes);
            let conflicts: Vec<Conflict> = causes
                .filter(|it| it.reason == "FieldManagerConflict")
                .map(|it| Conflict {
                    manager: it.message.trim_start_matches("conflict with ").to_owned(),
                    field: it.field.clone(),
                })
                .collect();
            match conflicts.is_empty() {
                true => ClusterError::Changed(message),
                false => ClusterError::Conflicts(conflicts),
            }
        }
        410 | 429 | 500 | 502..=504 => ClusterError::Unavailable(message),
        _ => ClusterError::Refused(message),
    }
}

/// What caused an error of the HTTP client, whose own words ("ServiceError") say nothing.
fn causes(error: &(dyn Error + 'static)) -> String {
    error.source().map_or_else(|| error.to_string(), chain)
}

fn conflicts(conflicts: &[Conflict]) -> String {
    let said: Vec<String> = conflicts.iter().map(ToString::to_string).collect();
    format!("{}; take it out of the source, or force it", said.join(", "))
}

fn lacking(missing: &[Access]) -> String {
    let mut by_place: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for it in missing {
        by_place.entry(it.place()).or_default().push(it.verb.to_string());
    }
    let said: Vec<String> =
        by_place.iter().map(|(place, verbs)| format!("{} {place}", verbs.join(", "))).collect();
    match said.is_empty() {
        true => String::new(),
        false => format!("; missing: {}", said.join("; ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(code: u16, json: serde_json::Value) -> ClusterError {
        let mut status: Status = serde_json::from_value(json).unwrap();
        status.code = code;
        kube::Error::Api(Box::new(status)).into()
    }

    #[test]
    fn answers_are_told_apart_by_what_has_to_be_done() {
        for (code, word) in [
            (401, "unauthorized"),
            (403, "forbidden"),
            (404, "not found"),
            (409, "changed"),
            (422, "refused"),
            (429, "unavailable"),
            (503, "unavailable"),
        ] {
            let error = status(code, serde_json::json!({"message": "so it is"}));
            assert_eq!(error.word(), word);
            assert!(error.to_string().contains("so it is"));
        }
    }

    #[test]
    fn a_conflict_names_field_and_manager() {
        let error = status(
            409,
            serde_json::json!({"message": "Apply failed", "details": {"causes": [
                {"reason": "FieldManagerConflict", "field": ".spec.replicas", "message": "conflict with \"eve\" using apps/v1"},
            ]}}),
        );
        assert_eq!(
            error.to_string(),
            "has it from others in part: .spec.replicas belongs to \"eve\" using apps/v1; take it out of the source, or force it"
        );
    }
}
