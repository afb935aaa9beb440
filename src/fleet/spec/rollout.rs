//! How changes go from site to site.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::text::{Percent, Span};
use super::window::Window;
use crate::model::Ident;

/// How changes go from site to site, and when they must not.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(extend("x-kubernetes-validations" = [{
    "rule": "self.ramp[self.ramp.size() - 1] == 100", "message": "ramp must end at 100",
}]))]
pub struct Rollout {
    /// Which sites are changed together, and in which order. Without it each site is a wave of its own, in the order of `sites`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 1000), inner(length(min = 1, max = 1000)))]
    pub waves: Vec<Vec<Ident>>,
    /// How many sites must stay healthy.
    #[schemars(range(min = 1, max = 1000))]
    pub min_healthy_sites: u32,
    /// How much of the fleet's capacity must stay.
    pub min_capacity: Percent,
    /// How traffic leaves a site.
    pub drain: Drain,
    /// What proves that a site serves again.
    pub verify: Verify,
    /// The shares of its weight that a site gets back one after another, in percent.
    #[schemars(length(min = 1, max = 20), inner(range(min = 1, max = 100)))]
    pub ramp: Vec<u32>,
    /// How long each share is held, from 0s to 24h.
    #[schemars(extend("x-write" = "a duration from \"0s\" to \"24h\""))]
    pub step: Span,
    /// How long the site is watched at its full weight, from 0s to 24h.
    #[schemars(extend("x-write" = "a duration from \"0s\" to \"24h\""))]
    pub soak: Span,
    /// What is done when a site fails.
    pub on_failure: OnFailure,
    /// When a site may be begun; by default at any time.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100))]
    pub windows: Vec<Window>,
}

/// How traffic leaves a site.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Drain {
    /// How many times the largest TTL that was given out for the site is waited for.
    #[schemars(range(min = 1.0, max = 100.0))]
    pub ttl_factor: f64,
    /// When the site counts as quiet. Without it, once the TTLs have run out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quiet: Option<Quiet>,
    /// How long it may take, from 1s to 24h.
    #[schemars(extend("x-write" = "a duration from \"1s\" to \"24h\""))]
    pub timeout: Span,
    /// What is done when it takes longer.
    pub on_timeout: OnTimeout,
}

/// When a site counts as quiet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Quiet {
    /// What the site's Prometheus is asked; it gives one value.
    #[schemars(length(min = 1))]
    pub promql: String,
    /// From this value on downwards the site is quiet.
    #[schemars(range(min = 0.0, max = 1e12))]
    pub max: f64,
}

/// What is done when a drain takes too long.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OnTimeout {
    /// The rollout waits for an operator, with the site drained.
    #[default]
    Hold,
    /// The rollout goes on.
    Proceed,
}

/// What proves that a site serves again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Verify {
    /// How long it may take, from 1s to 24h.
    #[schemars(extend("x-write" = "a duration from \"1s\" to \"24h\""))]
    pub timeout: Span,
    /// How many probes in a row must be good.
    #[schemars(range(min = 1, max = 1000))]
    pub probes: u32,
}

/// What is done when a site fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OnFailure {
    /// The site gets back what it had, is verified and undrained.
    #[default]
    Rollback,
    /// The rollout waits for an operator, with the site drained.
    Hold,
}

impl Default for Rollout {
    fn default() -> Self {
        Self {
            waves: Vec::new(),
            min_healthy_sites: 1,
            min_capacity: Percent::HALF,
            drain: Drain::default(),
            verify: Verify::default(),
            ramp: vec![10, 50, 100],
            step: Span::seconds(120),
            soak: Span::seconds(300),
            on_failure: OnFailure::default(),
            windows: Vec::new(),
        }
    }
}

impl Default for Drain {
    fn default() -> Self {
        Self {
            ttl_factor: 2.0,
            quiet: None,
            timeout: Span::seconds(900),
            on_timeout: OnTimeout::default(),
        }
    }
}

impl Default for Verify {
    fn default() -> Self {
        Self { timeout: Span::seconds(600), probes: 5 }
    }
}
