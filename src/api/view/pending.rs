use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Changes that may be undone by themselves yet.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema, PartialEq)]
pub struct PendingChanges {
    /// The oldest first.
    pub pending: Vec<PendingChange>,
}

/// Changes in force that may be undone by themselves yet; all of them together.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema, PartialEq)]
pub struct PendingChange {
    /// By which they are confirmed or undone.
    pub id: u64,
    /// Who made them.
    pub by: String,
    /// Why.
    pub reason: Option<String>,
    /// When.
    #[schema(format = DateTime)]
    pub at: String,
    /// Until when they are watched, or have to be confirmed.
    #[schema(format = DateTime)]
    pub until: String,
    /// Whether they are undone then, unless somebody has confirmed them.
    pub needs_confirmation: bool,
    /// Whether they are undone as soon as an endpoint turns Degraded in a profile that they are about, that is nested there, or
    /// beside it.
    pub undo_if_worse: bool,
    /// What they are.
    pub changes: Vec<String>,
}

/// The body of a confirmation, or of an undo; may be missing.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema, PartialEq)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"reason": "looks well"}))]
pub struct SettleRequest {
    /// Why, for those who come after.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 1000)]
    pub reason: Option<String>,
    /// Only tell what would come of it; nothing is changed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dry_run: bool,
    /// Why guardrails are to be passed over; for admins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 1000)]
    pub override_guardrail: Option<String>,
}

/// What a confirmation or an undo left behind.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema, PartialEq, Eq)]
pub struct Settled {
    /// The generation by which every worker answers.
    pub generation: u64,
    /// Whether nothing was changed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dry_run: bool,
}
