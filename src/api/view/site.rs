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
    /// Who drained it.
    pub drain: Option<Drain>,
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

/// Who drained a site, when and why.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema, PartialEq)]
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
}
