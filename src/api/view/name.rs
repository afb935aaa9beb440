use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What is known of a name that an endpoint stands for.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema, PartialEq, Eq)]
pub struct Resolved {
    /// The addresses of the last good answer.
    #[schema(value_type = Vec<String>)]
    pub addresses: Vec<IpAddr>,
    /// How long they may be kept.
    pub ttl_seconds: u32,
    /// When they came; none before the first good answer.
    #[schema(format = DateTime)]
    pub at: Option<String>,
    /// When the name was asked for last, whatever came of it.
    #[schema(format = DateTime)]
    pub asked: Option<String>,
    /// When it is asked for again.
    #[schema(format = DateTime)]
    pub next: Option<String>,
    /// Why the last try failed, where it did.
    pub error: Option<String>,
    /// The last try that failed, also where one has succeeded since.
    pub last_failure: Option<FailedResolution>,
}

/// A try to resolve a name that failed.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema, PartialEq, Eq)]
pub struct FailedResolution {
    /// When.
    #[schema(format = DateTime)]
    pub at: String,
    /// Why.
    pub reason: String,
}
