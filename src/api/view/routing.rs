use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How large the networks of clients are that stay at one endpoint.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema, PartialEq, Eq)]
pub struct Affinity {
    /// The prefix length of an IPv4 client's network.
    pub prefix4: u8,
    /// The prefix length of an IPv6 client's network.
    pub prefix6: u8,
}

/// How far an endpoint has come that starts slowly.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema, PartialEq)]
pub struct Ramp {
    /// Percent of its share that it takes now.
    pub percent: f64,
    /// When it takes all of it.
    #[schema(format = DateTime)]
    pub until: String,
}
