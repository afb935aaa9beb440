//! The API's JSON types, which the command line shares. Durations are in seconds, times in RFC 3339, shares in percent.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// One look at the whole daemon.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
pub struct Status {
    /// The program's version.
    pub version: String,
    /// When the daemon started.
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
    pub endpoints: std::collections::BTreeMap<String, usize>,
    /// Profiles of which none or too few endpoints are healthy, so that `when_none_healthy` or `panic_threshold` decides.
    pub failing_open: Vec<String>,
    /// Endpoints that are Degraded.
    pub degraded: Vec<EndpointRef>,
    /// Sites that are drained.
    pub drained_sites: Vec<String>,
    /// Endpoints with an operator's change in force.
    pub overridden: Vec<EndpointRef>,
    /// Overrides of endpoints and sites that the configuration doesn't have: "profile endpoint", or a site. They come back
    /// into force with what they are of.
    #[serde(default)]
    pub unmatched_overrides: Vec<String>,
}

/// Names an endpoint.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub struct EndpointRef {
    /// The profile's name.
    pub profile: String,
    /// The endpoint's name in it.
    pub endpoint: String,
    /// Why it is named here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Every profile.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
pub struct Profiles {
    /// In the configuration's order.
    pub profiles: Vec<Profile>,
}

/// A profile, with the keys of the configuration and what is known of it.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
pub struct Profile {
    /// The name that it answers.
    pub name: String,
    /// Its state, summed up from its endpoints.
    pub status: String,
    /// Whether it is answered at all.
    pub enabled: bool,
    /// The routing method.
    pub method: String,
    /// Seconds that answers may be kept.
    pub ttl: u32,
    /// Whether the record type comes before the method's choice.
    pub family: String,
    /// What is answered while no endpoint is healthy.
    pub when_none_healthy: String,
    /// The addresses for that, where it is `fallback`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fallback: Vec<IpAddr>,
    /// Percent of the weight that must be healthy; 0 is off.
    pub panic_threshold: u8,
    /// Whether none or too few endpoints are healthy, so that `when_none_healthy` or `panic_threshold` decides.
    pub fail_open: bool,
    /// Its endpoints, in the configuration's order.
    pub endpoints: Vec<Endpoint>,
}

/// An endpoint, with the keys of the configuration and what is known of it.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
pub struct Endpoint {
    /// Its name, unique in its profile.
    pub name: String,
    /// Its site.
    pub site: Option<String>,
    /// What is answered.
    pub target: Vec<IpAddr>,
    /// Whether it is in service, with overrides.
    pub enabled: bool,
    /// The weight in force.
    pub weight: u16,
    /// The priority in force.
    pub priority: u16,
    /// Its state.
    pub status: String,
    /// When it came into this state.
    pub since: String,
    /// The operator's word on its health: `up`, `down` or none.
    pub forced: Option<String>,
    /// Whether it, or its site, is drained.
    pub drained: bool,
    /// The weight that routing uses.
    pub effective_weight: f64,
    /// Percent of the profile's answers that name it (to A; to AAAA where no endpoint has an IPv4 address).
    pub share: f64,
    /// How it is probed.
    pub monitor: Monitor,
    /// The last probe's result.
    pub last_probe: Option<LastProbe>,
    /// Whether the last result is older than three intervals: probing has stopped.
    pub stale: bool,
    /// When an endpoint that keeps failing, and passes its probes now, may be Online again.
    pub held_down_until: Option<String>,
    /// The operators' changes in force.
    pub overrides: Vec<Override>,
}

/// How an endpoint is probed.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
pub struct Monitor {
    /// `http`, `https`, `tcp` or `none`.
    pub protocol: String,
    /// Where the probes go.
    pub addresses: Vec<String>,
    /// The Host header and the name in TLS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// What is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// From the start of one probe to the start of the next.
    pub interval_seconds: f64,
    /// For a whole probe.
    pub timeout_seconds: f64,
    /// The interval while a verdict is in doubt.
    pub fast_interval_seconds: f64,
    /// One more failure in a row turns it Degraded.
    pub tolerated_failures: u8,
    /// Successes in a row that turn it Online again.
    pub required_successes: u8,
}

/// What came of a probe.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
pub struct LastProbe {
    /// When it started.
    pub at: String,
    /// `passed`, `failed`, or `void` when it says nothing about the endpoint.
    pub result: String,
    /// Where it ended: `connect`, `tls` or `first_byte`.
    pub phase: String,
    /// How long it took.
    pub seconds: f64,
    /// Why it did not pass.
    pub reason: Option<String>,
}

/// An operator's change in force.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
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
    pub at: String,
}

/// Every site.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
pub struct Sites {
    /// In the configuration's order.
    pub sites: Vec<Site>,
}

/// A site.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
pub struct Site {
    /// Its name.
    pub name: String,
    /// Where it is.
    pub location: Option<Location>,
    /// Whether it is drained.
    pub drained: bool,
    /// Who drained it.
    pub drain: Option<Drain>,
    /// How many endpoints are part of it.
    pub endpoints: usize,
    /// How many of them are healthy and in service.
    pub healthy: usize,
}

/// A place on Earth.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
pub struct Location {
    /// Degrees north.
    pub latitude: f64,
    /// Degrees east.
    pub longitude: f64,
    /// ISO 3166-1 country or 3166-2 subdivision.
    pub region: Option<String>,
}

/// Who drained a site, when and why.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
pub struct Drain {
    /// Who drained it.
    pub by: String,
    /// Why.
    pub reason: Option<String>,
    /// When.
    pub at: String,
}

/// What a change left behind, and the generation by which every worker answers.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
pub struct Changed<T> {
    /// The generation of the snapshot that has the change.
    pub generation: u64,
    /// What was changed, as it is now; nothing when the configuration doesn't have it.
    #[serde(flatten)]
    pub now: T,
}

/// What a reload changed.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
pub struct Reloaded {
    /// The generation of the snapshot that has it all.
    pub generation: u64,
    /// Profiles that are new.
    pub added: Vec<String>,
    /// Profiles that are gone.
    pub removed: Vec<String>,
    /// Profiles that read otherwise now.
    pub changed: Vec<String>,
    /// Whether zones or sites changed.
    pub zones_or_sites_changed: bool,
    /// Overrides that stay in force over the configuration: "profile endpoint: weight 9 over 1" or "site: drained".
    pub overridden: Vec<String>,
    /// Overrides of what the configuration doesn't have.
    #[serde(default)]
    pub unmatched_overrides: Vec<String>,
    /// Keys that were changed and are read at the start only.
    #[serde(default)]
    pub needs_restart: Vec<String>,
}

/// Why a name is answered as it is.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
pub struct Explanation {
    /// The name asked for.
    pub name: String,
    /// The record type asked for.
    #[serde(rename = "type")]
    pub record_type: String,
    /// The client whose query is explained.
    pub client: Option<IpAddr>,
    /// The snapshot that decided.
    pub generation: u64,
    /// The zone that answers.
    pub zone: Option<String>,
    /// One line: what is answered, and why.
    pub outcome: String,
    /// The profile that decides, if one does.
    pub profile: Option<String>,
    /// Its routing method.
    pub method: Option<String>,
    /// Seconds that the answer may be kept.
    pub ttl: Option<u32>,
    /// The endpoint that this draw met.
    pub picked: Option<String>,
    /// The addresses that this draw answers with.
    pub answers: Vec<IpAddr>,
    /// Every endpoint of the profile, in or out.
    pub endpoints: Vec<ExplainedEndpoint>,
}

/// Why an endpoint is among those that answer, or not.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
pub struct ExplainedEndpoint {
    /// Its name.
    pub name: String,
    /// Its site.
    pub site: Option<String>,
    /// Its state.
    pub status: String,
    /// The weight in force.
    pub weight: u16,
    /// The priority in force.
    pub priority: u16,
    /// Whether it is among those that answer.
    pub candidate: bool,
    /// Why it is, or is not.
    pub why: String,
    /// Percent of the answers that name it.
    pub share: f64,
}

/// A problem, by RFC 9457.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
pub struct Problem {
    /// The HTTP status.
    pub status: u16,
    /// The status in words.
    pub title: String,
    /// What is wrong, and what to do.
    pub detail: String,
    /// Names that exist and are like the one asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub near: Vec<String>,
}

/// The body of a change to an endpoint. A key that is left out is left alone; null clears the override.
#[derive(Clone, Debug, Default, Serialize, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct EndpointPatch {
    /// 0–65535.
    #[serde(default, with = "patch", skip_serializing_if = "Option::is_none")]
    pub weight: Option<Option<i64>>,
    /// 1–65535.
    #[serde(default, with = "patch", skip_serializing_if = "Option::is_none")]
    pub priority: Option<Option<i64>>,
    /// Whether it is in service.
    #[serde(default, with = "patch", skip_serializing_if = "Option::is_none")]
    pub enabled: Option<Option<bool>>,
    /// `up`, `down`, or null.
    #[serde(default, with = "patch", skip_serializing_if = "Option::is_none")]
    pub forced: Option<Option<String>>,
    /// Why, for those who come after.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// The body of a drain or an undrain; may be missing.
#[derive(Clone, Debug, Default, Serialize, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct DrainRequest {
    /// Why, for those who come after.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Tells a key that is left out from one that is null.
mod patch {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<T: Serialize, S: Serializer>(
        value: &Option<Option<T>>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        value.as_ref().and_then(Option::as_ref).serialize(serializer)
    }

    pub(super) fn deserialize<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Option<T>>, D::Error> {
        Option::deserialize(deserializer).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patch_tells_missing_from_null() {
        let patch: EndpointPatch =
            serde_json::from_str(r#"{"weight": 5, "forced": null}"#).unwrap();
        assert_eq!((patch.weight, patch.enabled), (Some(Some(5)), None));
        assert_eq!(patch.forced, Some(None));
        let back = serde_json::to_string(&patch).unwrap();
        assert_eq!(back, r#"{"weight":5,"forced":null}"#);
        assert!(serde_json::from_str::<EndpointPatch>(r#"{"wieght": 5}"#).is_err());
    }
}
