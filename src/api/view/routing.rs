use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::model;

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

/// What operators' changes must leave of a profile; what is missing is off.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema, PartialEq)]
pub struct Guardrails {
    /// So many endpoints that are healthy and in service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_healthy_endpoints: Option<u16>,
    /// So many sites that have one of those.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_sites: Option<u16>,
    /// So many percent of the endpoints' `capacity`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_capacity: Option<u8>,
    /// A weight may go up or down by no more than this at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_weight_step: Option<u16>,
}

impl Guardrails {
    /// They, unless all are off.
    pub(in crate::api) fn of(rules: model::Guardrails) -> Option<Self> {
        let model::Guardrails { min_healthy_endpoints, min_sites, min_capacity, max_weight_step } =
            rules;
        (!rules.are_off()).then_some(Self {
            min_healthy_endpoints,
            min_sites,
            min_capacity,
            max_weight_step,
        })
    }
}
