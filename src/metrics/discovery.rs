use prometheus::{IntGaugeVec, Opts, Registry};

use crate::model::EndpointKey;

/// Whether the sites' clusters can be asked for addresses, which addresses may be wrong, and what is ready behind them.
#[derive(Clone, Debug)]
pub struct DiscoveryMetrics {
    reachable: IntGaugeVec,
    stale: IntGaugeVec,
    ready: IntGaugeVec,
}

impl DiscoveryMetrics {
    /// Registers the metrics, without a site.
    ///
    /// # Errors
    /// When a metric of one of these names is registered already.
    pub fn register(registry: &Registry) -> prometheus::Result<Self> {
        let reachable = "Whether a site's cluster can be asked for addresses (1), or not (0).";
        let stale = "Whether an endpoint's discovered addresses may be wrong, or none is known (1), or its cluster bears them out (0).";
        let ready = "Whether any of the pods behind an endpoint is ready by what its cluster says (1), or none (0).";
        let metrics = Self {
            reachable: IntGaugeVec::new(
                Opts::new("farol_fleet_discovery_reachable", reachable),
                &["site"],
            )?,
            stale: IntGaugeVec::new(
                Opts::new("farol_fleet_discovery_stale", stale),
                &["profile", "endpoint", "site"],
            )?,
            ready: IntGaugeVec::new(
                Opts::new("farol_fleet_workload_ready", ready),
                &["profile", "endpoint", "site"],
            )?,
        };
        registry.register(Box::new(metrics.reachable.clone()))?;
        registry.register(Box::new(metrics.stale.clone()))?;
        registry.register(Box::new(metrics.ready.clone()))?;
        Ok(metrics)
    }

    /// Notes whether a site's cluster can be asked.
    pub fn reachable(&self, site: &str, is_reachable: bool) {
        self.reachable.with_label_values(&[site]).set(is_reachable.into());
    }

    /// Notes whether an endpoint's addresses may be wrong.
    pub fn stale(&self, site: &str, EndpointKey { profile, endpoint }: &EndpointKey, stale: bool) {
        let labels = [&profile.to_string(), endpoint.as_str(), site];
        self.stale.with_label_values(&labels).set(stale.into());
    }

    /// Notes whether any of the pods behind an endpoint is ready, if that is known.
    pub fn ready(
        &self,
        site: &str,
        EndpointKey { profile, endpoint }: &EndpointKey,
        ready: Option<bool>,
    ) {
        let labels = [&profile.to_string(), endpoint.as_str(), site];
        match ready {
            Some(ready) => self.ready.with_label_values(&labels).set(ready.into()),
            None => drop(self.ready.remove_label_values(&labels)),
        }
    }

    /// Forgets an endpoint and its site.
    pub fn forget(&self, site: &str, EndpointKey { profile, endpoint }: &EndpointKey) {
        // What was never told isn't there.
        let _ = self.reachable.remove_label_values(&[site]);
        let labels = [&profile.to_string(), endpoint.as_str(), site];
        let _ = self.stale.remove_label_values(&labels);
        let _ = self.ready.remove_label_values(&labels);
    }
}
