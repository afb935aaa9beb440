use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Changes that are only thought of.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema, PartialEq)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "profile": "app.gtm.example.",
    "changes": [{"fail": "site/seattle"}, {"set": {"endpoint": "orlando", "weight": 50}}],
}))]
pub struct WhatIfRequest {
    /// The profile's name.
    pub profile: String,
    /// `A` or `AAAA`; A when it is left out, or AAAA where no endpoint has an IPv4 address.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub record_type: Option<String>,
    /// The one client to ask for: its address, or its network. All clients when it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// What would be changed, in this order.
    #[serde(default)]
    #[schema(max_items = 100)]
    pub changes: Vec<WhatIfChange>,
}

/// A change that is only thought of. An endpoint of a nested profile is named by the endpoints that lead there: `eu/dublin`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema, PartialEq)]
#[serde(rename_all = "snake_case")]
pub enum WhatIfChange {
    /// `site/NAME` or `endpoint/NAME` would fail its probes.
    Fail(String),
    /// `site/NAME` or `endpoint/NAME` would be drained.
    Drain(String),
    /// `site/NAME` or `endpoint/NAME` would be drained no more.
    Undrain(String),
    /// An operator would change an endpoint.
    Set(WhatIfSetting),
    /// The profile would choose by this method.
    Method(String),
}

/// What an operator would change of an endpoint.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct WhatIfSetting {
    /// Its name, or the names that lead to it.
    pub endpoint: String,
    /// 0–65535.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0, maximum = 65535)]
    pub weight: Option<i64>,
    /// 1–65535.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 65535)]
    pub priority: Option<i64>,
    /// Whether it is in service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// `up` or `down`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forced: Option<String>,
}

/// What answers would be.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema, PartialEq)]
pub struct WhatIf {
    /// The profile's name.
    pub profile: String,
    /// The record type.
    #[serde(rename = "type")]
    pub record_type: String,
    /// The snapshot that "now" is.
    pub generation: u64,
    /// What clients get: those whose answers would change first, and then those that stand for more networks.
    pub rows: Vec<WhatIfRow>,
    /// How many rows were too many.
    pub left_out: usize,
    /// Every endpoint, also of nested profiles.
    pub endpoints: Vec<WhatIfEndpoint>,
    /// What an operator should know of.
    pub warnings: Vec<String>,
}

/// Clients that get the same.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema, PartialEq)]
pub struct WhatIfRow {
    /// Up to eight of them: regions, networks, `elsewhere` or `all clients`.
    pub clients: Vec<String>,
    /// How many they are.
    pub networks: usize,
    /// What they get; endpoints that get nothing now and then are left out.
    pub shares: Vec<WhatIfShare>,
}

/// A part of the answers.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema, PartialEq)]
pub struct WhatIfShare {
    /// An endpoint, by the names that lead to it (`eu/dublin`); `NODATA`, `SERVFAIL` or `fallback addresses`.
    pub answer: String,
    /// Percent of the answers now.
    pub now: f64,
    /// Percent of the answers then.
    pub then: f64,
}

/// An endpoint now and then.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema, PartialEq, Eq)]
pub struct WhatIfEndpoint {
    /// The names that lead to it.
    pub name: String,
    /// Its status now.
    pub now: String,
    /// Its status then.
    pub then: String,
}
