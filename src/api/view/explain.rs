use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Why a name is answered as it is.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema, PartialEq)]
pub struct Explanation {
    /// The name asked for.
    pub name: String,
    /// The record type asked for.
    #[serde(rename = "type")]
    pub record_type: String,
    /// Whose query is explained.
    pub client: ExplainedClient,
    /// The snapshot that decided.
    pub generation: u64,
    /// The zone that answers.
    pub zone: Option<String>,
    /// One line: what is answered, and why.
    pub outcome: String,
    /// The name that this draw answers with, by CNAME.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alias: Option<String>,
    /// The addresses that this draw answers with.
    #[schema(value_type = Vec<String>)]
    pub answers: Vec<IpAddr>,
    /// What chance said, if it was asked; the same draw meets the same endpoints.
    #[schema(example = "573422:0")]
    pub draw: Option<String>,
    /// Seconds that the answer may be kept.
    pub ttl: Option<u32>,
    /// Why so long.
    pub ttl_reason: Option<String>,
    /// The length of the prefix around the client that the answer holds for (RFC 7871); 0 when the client doesn't matter.
    pub scope: Option<u8>,
    /// Why it is as wide.
    pub scope_reason: Option<String>,
    /// The profiles that had a say, from the one that is asked to the one that answers. Empty where no profile answers.
    pub profiles: Vec<ExplainedProfile>,
}

/// Whose query is explained.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema, PartialEq)]
pub struct ExplainedClient {
    /// The client's address, or its network.
    #[schema(example = "10.20.0.0/16")]
    pub network: String,
    /// `query` where it was given, `default` where none was: then it is one that nothing is known of.
    pub from: String,
}

/// What one profile had to say.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema, PartialEq)]
pub struct ExplainedProfile {
    /// Its name.
    pub name: String,
    /// Its routing method.
    pub method: String,
    /// One line: what it chose, and why.
    pub outcome: String,
    /// Its TTL in force.
    pub ttl: u32,
    /// The draw that its choice was made by; a nested profile has one that follows from that of the query.
    pub draw: String,
    /// The endpoints that this draw met.
    pub picked: Vec<String>,
    /// Where the client is; none where the method did not ask.
    pub location: Option<ExplainedLocation>,
    /// Every endpoint, in or out.
    pub endpoints: Vec<ExplainedEndpoint>,
}

/// Where a client is.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema, PartialEq)]
pub struct ExplainedLocation {
    /// What said so: `client_network`, `latency_table`, `database`, `location_default`, or `none` where nothing did.
    pub table: String,
    /// The network around the client that it holds for.
    #[schema(example = "10.20.0.0/16")]
    pub range: Option<String>,
    /// ISO 3166-1 country or 3166-2 subdivision.
    pub region: Option<String>,
    /// The site that is nearest by configuration.
    pub site: Option<String>,
    /// Degrees north.
    pub latitude: Option<f64>,
    /// Degrees east.
    pub longitude: Option<f64>,
}

/// Why an endpoint is among those that answer, or not.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema, PartialEq)]
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
    /// Whether it is among those that answer this client.
    pub candidate: bool,
    /// Why it is, or is not.
    pub why: String,
    /// Percent of this profile's answers to this client that name it.
    pub share: f64,
    /// Milliseconds away from the client, by the latency table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub milliseconds: Option<f64>,
    /// Kilometres away from the client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kilometres: Option<f64>,
    /// Percent of its share that it takes while it starts slowly.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ramp: Option<f64>,
}
