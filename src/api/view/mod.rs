//! The API's JSON types, which the command line shares. Durations are in seconds, times in RFC 3339, shares in percent.

mod audit;
mod change;
mod explain;
mod fleet;
mod monitor;
mod name;
mod pending;
mod problem;
mod routing;
mod session;
mod site;
mod state;
mod timeline;
mod token;
mod whatif;
mod zone;

pub use audit::{Audit, AuditEntry};
pub use change::{
    Batch, BatchChange, BatchRequest, Changed, DrainRequest, EndpointPatch, FailbackRequest,
    ProfilePatch, Reloaded, ReportRequest, Reported, UndrainRequest,
};
pub use explain::{
    ExplainedClient, ExplainedEndpoint, ExplainedLocation, ExplainedProfile, Explanation,
};
pub use fleet::{
    Fleet, FleetApp, FleetCluster, FleetDifference, FleetField, FleetHealing, FleetSite, FleetSkew,
    FleetSkewedSite, FleetTrouble,
};
pub use monitor::{Flap, Monitor, MonitorTls};
pub use name::{Discovered, FailedResolution, Resolved, StaleAddresses, Workload};
pub use pending::{PendingChange, PendingChanges, SettleRequest, Settled};
pub use problem::{Breach, Fault, Problem};
pub use routing::{Affinity, Guardrails, Ramp};
pub use session::{Session, SessionRequest};
pub use site::{Drain, Location, Requests, Returning, Site, Sites};
pub use state::{State, StateFile};
pub use timeline::{History, HistoryTurn, Timeline, Turn};
pub use token::{CreatedToken, Token, TokenRequest, Tokens};
pub use whatif::{
    WhatIf, WhatIfChange, WhatIfEndpoint, WhatIfRequest, WhatIfRow, WhatIfSetting, WhatIfShare,
};
pub use zone::{Record, Records, Soa, Zone, Zones};

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// One look at the whole daemon.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema, PartialEq)]
pub struct Status {
    /// The program's version.
    pub version: String,
    /// When the daemon started.
    #[schema(format = DateTime)]
    pub started: String,
    /// Whether every endpoint had its chance of a verdict.
    pub ready: bool,
    /// How many snapshots have been published.
    pub generation: u64,
    /// The zones' names.
    pub zones: Vec<String>,
    /// How many profiles there are.
    pub profiles: usize,
    /// How many endpoints are in each status; statuses that none is in are left out.
    pub endpoints: BTreeMap<String, usize>,
    /// Profiles of which none or too few endpoints are healthy, so that `when_none_healthy` or `panic_threshold` decides.
    pub failing_open: Vec<String>,
    /// Profiles where a higher priority has recovered and waits for `failback`.
    #[serde(default)]
    pub awaiting_failback: Vec<String>,
    /// Endpoints that are Degraded.
    pub degraded: Vec<EndpointRef>,
    /// Endpoints that nothing is heard of: no probe has said anything for three intervals.
    #[serde(default)]
    pub stale: Vec<EndpointRef>,
    /// Endpoints whose certificate has fewer days left than `tls.min_days_left`.
    #[serde(default)]
    pub certificates: Vec<EndpointRef>,
    /// Sites that are drained.
    pub drained_sites: Vec<String>,
    /// Who drained them.
    #[serde(default)]
    pub drains: BTreeMap<String, Drain>,
    /// Profiles and endpoints with an operator's change in force.
    pub overridden: Vec<Overridden>,
    /// Changes that may be undone by themselves yet.
    #[serde(default)]
    pub pending: Vec<PendingChange>,
    /// Overrides of endpoints and sites that the configuration doesn't have: "profile endpoint", or a site. They come back
    /// into force with what they are of.
    #[serde(default)]
    pub unmatched_overrides: Vec<String>,
    /// The last reload, if it was refused: what is on the disk is not what runs.
    #[serde(default)]
    pub refused_reload: Option<RefusedReload>,
    /// How the state directory is doing.
    #[serde(default)]
    pub state: State,
    /// The geo database, if one is configured.
    #[serde(default)]
    pub geo_database: Option<GeoDatabase>,
}

/// A geo database: what is in force, and why it is not what is on the disk.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema, PartialEq)]
pub struct GeoDatabase {
    /// Its file.
    pub path: String,
    /// When what is in force was built, as its maker says; none while nothing is in force.
    #[schema(format = DateTime)]
    pub built: Option<String>,
    /// When what is in force was read.
    #[schema(format = DateTime)]
    pub loaded: Option<String>,
    /// Networks of what is in force.
    pub networks: usize,
    /// Why the file could not be read when it was read last.
    pub error: Option<String>,
}

/// A configuration that was not taken.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema, PartialEq)]
pub struct RefusedReload {
    /// When.
    #[schema(format = DateTime)]
    pub at: String,
    /// Everything that is wrong, one a line.
    pub why: String,
}

/// A profile, or an endpoint, with operators' changes in force.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema, PartialEq)]
pub struct Overridden {
    /// The profile's name.
    pub profile: String,
    /// The endpoint's name in it; none where it is the profile itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// The changes.
    pub overrides: Vec<Override>,
}

/// Names an endpoint.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema, PartialEq, Eq)]
pub struct EndpointRef {
    /// The profile's name.
    pub profile: String,
    /// The endpoint's name in it.
    pub endpoint: String,
    /// Why it is named here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Profiles.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema, PartialEq)]
pub struct Profiles {
    /// In the configuration's order.
    pub profiles: Vec<Profile>,
    /// What to send as `after` for the next page; none when there are no more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// A profile, with the keys of the configuration and what is known of it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema, PartialEq)]
pub struct Profile {
    /// The name that it answers.
    #[schema(example = "app.gtm.example.")]
    pub name: String,
    /// Its ETag, and that of its endpoints, for If-Match: another one when configuration or overrides are others.
    #[schema(example = "\"6f1c0d1be6a54ce2a1b0f4a0c2d9e877\"")]
    pub etag: String,
    /// Its state, summed up from its endpoints: Online, Degraded, CheckingEndpoints, Inactive or Disabled.
    pub status: String,
    /// Whether it is answered at all.
    pub enabled: bool,
    /// The routing method.
    pub method: String,
    /// Seconds that answers may be kept.
    pub ttl: u32,
    /// The least of them while an endpoint is in doubt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl_min: Option<u32>,
    /// Seconds that answers may be kept now: `ttl`, or less while an endpoint is in doubt. A nested profile may have less still.
    #[serde(default)]
    pub effective_ttl: u32,
    /// How many endpoints an answer names, with `multivalue`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_return: Option<u8>,
    /// Which clients stay together at one endpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub affinity: Option<Affinity>,
    /// Whether a recovered endpoint of higher priority serves again at once (`automatic`) or by an operator's word (`manual`),
    /// with `priority`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failback: Option<String>,
    /// The priority that serves, with `priority` (A; AAAA where no endpoint has an IPv4 address).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active_priority: Option<u16>,
    /// Whether a higher priority has recovered and waits for `failback`.
    #[serde(default)]
    pub awaits_failback: bool,
    /// Whether a Degraded endpoint is left for the next wider match, with `geographic`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub geo_failover: Option<bool>,
    /// Whether the record type comes before the method's choice.
    pub family: String,
    /// What is answered while no endpoint is healthy.
    pub when_none_healthy: String,
    /// The addresses for that, where it is `fallback`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<String>)]
    pub fallback: Vec<IpAddr>,
    /// Percent of the weight that must be healthy; 0 is off.
    pub panic_threshold: u8,
    /// Whether none or too few endpoints are healthy, so that `when_none_healthy` or `panic_threshold` decides.
    pub fail_open: bool,
    /// What operators' changes must leave of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guardrails: Option<Guardrails>,
    /// Whether targets that are names are answered with their addresses instead of a CNAME.
    #[serde(default)]
    pub flatten: bool,
    /// The operators' changes in force on the profile itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub overrides: Vec<Override>,
    /// Its endpoints, in the configuration's order.
    pub endpoints: Vec<Endpoint>,
}

/// An endpoint, with the keys of the configuration and what is known of it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema, PartialEq)]
pub struct Endpoint {
    /// Its name, unique in its profile.
    pub name: String,
    /// Its site.
    pub site: Option<String>,
    /// What is answered: addresses, or one DNS name.
    pub target: Vec<String>,
    /// The nested profile that it stands for; it has no target of its own then, and is not probed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// How many endpoints of that profile must be healthy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_child_endpoints: Option<u16>,
    /// How many of those with an IPv4 address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_child_endpoints_ipv4: Option<u16>,
    /// How many of those with an IPv6 address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_child_endpoints_ipv6: Option<u16>,
    /// What is known of the name that it stands for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolved: Option<Resolved>,
    /// What its site's cluster tells of its addresses, where they are discovered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub discovered: Option<Discovered>,
    /// Whether it is in service, with overrides.
    pub enabled: bool,
    /// The weight in force.
    pub weight: u16,
    /// The priority in force.
    pub priority: u16,
    /// The parts of the world that it serves: `WORLD`, groupings such as `GEO-EU`, countries and subdivisions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub geo: Vec<String>,
    /// The clients' networks that it serves: addresses, CIDRs and ranges.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub subnets: Vec<String>,
    /// Where it is, if not at its site's location.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<Location>,
    /// How much it can carry, in any unit that the profile's endpoints share; for `min_capacity`.
    #[serde(default)]
    pub capacity: u32,
    /// How long it takes to its full share after it recovered, was undrained or was enabled again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slow_start_seconds: Option<f64>,
    /// How far it has come, while it starts slowly.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ramp: Option<Ramp>,
    /// Its state.
    pub status: String,
    /// When it came into this state.
    #[schema(format = DateTime)]
    pub since: String,
    /// The operator's word on its health: `up`, `down` or none.
    pub forced: Option<String>,
    /// What its probes say, whatever its status is: `Online` or `Degraded`; null before the first result, and where nothing is
    /// probed.
    #[serde(default)]
    pub verdict: Option<String>,
    /// Whether it, or its site, is drained.
    pub drained: bool,
    /// The weight that routing uses.
    pub effective_weight: f64,
    /// Until when resolvers may keep answers that name it; null while it is answered with.
    #[serde(default)]
    #[schema(format = DateTime)]
    pub cached_until: Option<String>,
    /// Percent of the profile's answers that name it (to A; to AAAA where no endpoint has an IPv4 address). Null where that
    /// depends on the client, with `performance`, `geographic` and `subnet`: `/v1/explain` tells it for one client.
    pub share: Option<f64>,
    /// How many answers have named it since the daemon started.
    #[serde(default)]
    pub answers: u64,
    /// How it is probed.
    pub monitor: Monitor,
    /// The last probe's result.
    pub last_probe: Option<LastProbe>,
    /// The certificate that it last showed, also while probes don't get as far as one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<Certificate>,
    /// Whether no probe has said anything for three intervals: probing has stopped, or says nothing. The verdict stays in force;
    /// without one it is served.
    pub stale: bool,
    /// When an endpoint that keeps failing, and passes its probes now, may be Online again.
    #[schema(format = DateTime)]
    pub held_down_until: Option<String>,
    /// The operators' changes in force.
    pub overrides: Vec<Override>,
}

/// What came of a probe.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema, PartialEq)]
pub struct LastProbe {
    /// When it started.
    #[schema(format = DateTime)]
    pub at: String,
    /// `passed`, `failed`, or `void` when it says nothing about the endpoint.
    pub result: String,
    /// Where it ended: `resolve`, `connect`, `tls`, `first_byte`, `body`, `exec`, `report` or `readiness`.
    pub phase: String,
    /// How long it took.
    pub seconds: f64,
    /// Why it did not pass.
    pub reason: Option<String>,
}

/// A certificate that an endpoint showed.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema, PartialEq)]
pub struct Certificate {
    /// When it expires.
    #[schema(format = DateTime)]
    pub expires: String,
    /// Whether it has fewer days left than `tls.min_days_left`.
    pub expires_soon: bool,
}

/// An operator's change in force.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema, PartialEq)]
pub struct Override {
    /// The key that it overrides.
    pub field: String,
    /// The value in force.
    pub value: serde_json::Value,
    /// Who set it.
    pub by: String,
    /// Why.
    pub reason: Option<String>,
    /// When.
    #[schema(format = DateTime)]
    pub at: String,
    /// When it is undone by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    pub expires: Option<String>,
}
