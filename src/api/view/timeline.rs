use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The last times that an endpoint came into another status, the oldest first.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema, PartialEq)]
pub struct Timeline {
    /// At most 100 of them, kept over restarts.
    pub turns: Vec<Turn>,
}

/// An endpoint came into another status.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema, PartialEq)]
pub struct Turn {
    /// When.
    #[schema(format = DateTime)]
    pub at: String,
    /// What it was.
    pub from: String,
    /// How long it had been so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lasted_seconds: Option<f64>,
    /// What it became.
    pub to: String,
    /// Why: `probe`, `profile` where what it stands for turned, `change`, `expiry`, `reload`, or `start` where another status is known from before.
    pub cause: String,
    /// Where the probe ended that decided: `resolve`, `connect`, `tls`, `first_byte`, `body`, `exec`, `report` or `readiness`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<String>,
    /// The nested profile that turned it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// The operator's change in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<String>,
    /// Who made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// What the probe complained of, what turned in the nested profile and why, or why the operator made the change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// The last times that endpoints came into another status.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema, PartialEq)]
pub struct History {
    /// The newest first.
    pub turns: Vec<HistoryTurn>,
}

/// One of several endpoints came into another status.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema, PartialEq)]
pub struct HistoryTurn {
    /// Its profile.
    pub profile: String,
    /// Its name.
    pub endpoint: String,
    /// Its site.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub site: Option<String>,
    /// From what to what, and why.
    pub turn: Turn,
}
