use std::fmt;

/// What an operator's change must leave of a profile. Each is off where there is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Guardrails {
    /// So many endpoints that are healthy and in service, at least 1.
    pub min_healthy_endpoints: Option<u16>,
    /// So many sites with one of those, at least 1.
    pub min_sites: Option<u16>,
    /// So many percent (1–100) of all endpoints' capacity.
    pub min_capacity: Option<u8>,
    /// No weight may go up or down by more than this at once, but for back to what is configured.
    pub max_weight_step: Option<u16>,
}

impl Guardrails {
    /// These, and where one is off, that of `others`.
    pub fn or(self, others: Self) -> Self {
        Self {
            min_healthy_endpoints: self.min_healthy_endpoints.or(others.min_healthy_endpoints),
            min_sites: self.min_sites.or(others.min_sites),
            min_capacity: self.min_capacity.or(others.min_capacity),
            max_weight_step: self.max_weight_step.or(others.max_weight_step),
        }
    }

    /// Whether all are off.
    pub fn are_off(self) -> bool {
        self == Self::default()
    }
}

/// One of the guardrails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guardrail {
    /// [`Guardrails::min_healthy_endpoints`].
    HealthyEndpoints,
    /// [`Guardrails::min_sites`].
    Sites,
    /// [`Guardrails::min_capacity`].
    Capacity,
    /// [`Guardrails::max_weight_step`].
    WeightStep,
}

impl Guardrail {
    /// Its key in the configuration.
    pub const fn label(self) -> &'static str {
        match self {
            Self::HealthyEndpoints => "min_healthy_endpoints",
            Self::Sites => "min_sites",
            Self::Capacity => "min_capacity",
            Self::WeightStep => "max_weight_step",
        }
    }
}

impl fmt::Display for Guardrail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.label())
    }
}
