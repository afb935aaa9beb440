use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Every site.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema, PartialEq)]
pub struct Sites {
    /// The ETag of all of them, for If-Match: another one when a site is configured otherwise, drained or undrained.
    pub etag: String,
    /// In the configuration's order.
    pub sites: Vec<Site>,
}

/// A site.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema, PartialEq)]
pub struct Site {
    /// Its name.
    pub name: String,
    /// Where it is.
    pub location: Option<Location>,
    /// Whether it is drained.
    pub drained: bool,
    /// Who drained it, and how far that has come.
    pub drain: Option<Drain>,
    /// How it takes its share back after a drain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub returning: Option<Returning>,
    /// How many endpoints are part of it.
    pub endpoints: usize,
    /// How many of them are healthy and in service.
    pub healthy: usize,
}

/// A place on Earth.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema, PartialEq)]
pub struct Location {
    /// Degrees north.
    pub latitude: f64,
    /// Degrees east.
    pub longitude: f64,
    /// ISO 3166-1 country or 3166-2 subdivision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
}

/// Who undrained a site, and until when it takes its share back little by little.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema, PartialEq)]
pub struct Returning {
    /// Who undrained it.
    pub by: String,
    /// Why.
    pub reason: Option<String>,
    /// When.
    #[schema(format = DateTime)]
    pub at: String,
    /// When it has its full share again.
    #[schema(format = DateTime)]
    pub until: String,
}

/// Who drained a site, when and why, and how far that has come.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema, PartialEq)]
pub struct Drain {
    /// Who drained it.
    pub by: String,
    /// Why.
    pub reason: Option<String>,
    /// When.
    #[schema(format = DateTime)]
    pub at: String,
    /// When it ends by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    pub expires: Option<String>,
    /// When the last answer named one of its endpoints; null while any is still answered with.
    #[serde(default)]
    #[schema(format = DateTime)]
    pub stopped: Option<String>,
    /// For how long the longest of those answers may still be kept somewhere, in seconds; 0 when none is.
    #[serde(default)]
    pub longest_ttl_seconds: f64,
    /// When the last of those answers has run out; null while any of its endpoints is still answered with. Resolvers that keep
    /// answers for longer than their TTL are nobody's to know.
    #[serde(default)]
    #[schema(format = DateTime)]
    pub safe_at: Option<String>,
    /// Whether that is over, and, where `requests` are measured, they are quiet.
    #[serde(default)]
    pub safe: bool,
    /// Its endpoints that are answered with all the same, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub still_answered: Vec<super::EndpointRef>,
    /// What the configured query says of the requests that it still gets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests: Option<Requests>,
}

/// The requests that a site still gets.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema, PartialEq)]
pub struct Requests {
    /// What was measured last, in the query's own unit; none before the first time.
    pub value: Option<f64>,
    /// From this value on downwards it is quiet.
    pub quiet: f64,
    /// When it was measured.
    #[schema(format = DateTime)]
    pub at: Option<String>,
    /// Why it could not be measured the last time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}
