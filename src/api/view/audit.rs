use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::store::Values;

/// A page of the audit log.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema, PartialEq)]
pub struct Audit {
    /// The newest first.
    pub entries: Vec<AuditEntry>,
    /// What to send as `before` for the next page; none when there may be no older entry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<u64>,
}

/// Something that was done, or was to be done and refused.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema, PartialEq)]
pub struct AuditEntry {
    /// Its number: 1 for the first one, and so on without a gap.
    pub number: u64,
    /// When, in RFC 3339.
    pub at: String,
    /// Who did it: the name of a token, or `farol` for what happens by itself.
    pub by: String,
    /// From where.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub from: Option<IpAddr>,
    /// What was done: set, clear, drain, undrain, failback, confirm, undo, settle, expire, reload, restore.
    pub action: String,
    /// The profile that it was done to, if it was one, or one of its endpoints.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// The endpoint, if it was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// The site, if it was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub site: Option<String>,
    /// The number of the change that is pending by it, was confirmed or undone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<u64>,
    /// What was in force before, of what was to change; null is the configuration's value.
    #[serde(default)]
    #[schema(value_type = Object)]
    pub before: Values,
    /// What is in force since, or would be, had it not been refused.
    #[serde(default)]
    #[schema(value_type = Object)]
    pub after: Values,
    /// The author's reason, where one was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When it is undone by itself, if ever, in RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<String>,
    /// "made", or why it was refused.
    pub outcome: String,
    /// The hash of its line in the log, which the next line names.
    pub hash: String,
}
