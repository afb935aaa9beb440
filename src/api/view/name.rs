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

/// Where the addresses of an endpoint come from that its site's cluster tells.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema, PartialEq, Eq)]
pub struct Discovered {
    /// What exposes them: `service ingress-nginx/controller of seattle, port 80`.
    pub from: String,
    /// The addresses that are answered with; none before the first.
    #[schema(value_type = Vec<String>)]
    pub addresses: Vec<IpAddr>,
    /// Since when they are so; none before the first.
    #[schema(format = DateTime)]
    pub at: Option<String>,
    /// Why they may be wrong, where the cluster doesn't bear them out.
    pub stale: Option<StaleAddresses>,
    /// The pods behind them, where the cluster is asked for those.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workload: Option<Workload>,
}

/// Why discovered addresses may be wrong.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema, PartialEq, Eq)]
pub struct StaleAddresses {
    /// Since when.
    #[schema(format = DateTime)]
    pub since: String,
    /// Why.
    pub reason: String,
}

/// What a site's cluster says of the pods behind an endpoint.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema, PartialEq, Eq)]
pub struct Workload {
    /// The Service that they are of: `ingress-nginx/controller`.
    pub service: String,
    /// Whether probes of the endpoint count as failed while none of them is ready.
    pub required: bool,
    /// Whether any of them is ready: `ready`, `not_ready`, or `unknown`, which speaks neither for nor against the endpoint.
    pub readiness: String,
    /// How many are ready, where that is known.
    pub ready: Option<u32>,
    /// How many there are, where that is known.
    pub pods: Option<u32>,
    /// Why it is unknown, where it is.
    pub reason: Option<String>,
    /// Since when it is so.
    #[schema(format = DateTime)]
    pub since: String,
}
