//! The pods behind an endpoint: what its record has of them, and what is told when that changes.

use super::source::Source;
use crate::clock::Clock;
use crate::health::{Readiness, Resolution, Resolved, Workload};
use crate::metrics::DiscoveryMetrics;
use crate::model::EndpointKey;

/// What is known of a source's pods before its cluster has said anything, if it is asked for them.
pub(super) fn unasked(source: &Source, why: &str) -> Option<Workload> {
    let backing = source.workload.as_ref()?;
    Some(Workload {
        service: backing.service.to_string().into(),
        required: backing.required,
        readiness: Readiness::Unknown(why.into()),
        since: Clock::time_of_day(),
    })
}

/// Writes down what a source's cluster says of its pods, and tells of it if that is news.
pub(super) fn note(
    source: &Source,
    record: &Resolved,
    metrics: &DiscoveryMetrics,
    readiness: Readiness,
) {
    let latest = record.latest();
    let Some(before) = &latest.workload else { return };
    if before.readiness == readiness {
        return;
    }
    metrics.ready(source.site.name.as_str(), &source.key, readiness.is_ready());
    let is_turn = before.readiness.is_ready() != readiness.is_ready();
    let since = if is_turn { Clock::time_of_day() } else { before.since };
    let after = Workload { readiness, since, ..before.clone() };
    if is_turn || after.readiness.is_ready().is_none() {
        tell(source, &after);
    }
    record.record(Resolution { workload: Some(after), ..latest });
}

fn tell(source: &Source, Workload { service, required, readiness, .. }: &Workload) {
    let EndpointKey { profile, endpoint } = &source.key;
    let (key, site) = (&source.key, &source.site.name);
    let meaning = match required {
        true => "its probes count as failed",
        false => "that is only shown, as it is not `required`",
    };
    match readiness {
        Readiness::Counted { ready: 0, .. } => {
            tracing::warn!(event = "workload_not_ready", %profile, %endpoint, %site, %service, required, "{site} says that {key} is not ready: Service {service} has {readiness}; {meaning}");
        }
        Readiness::Counted { ready, all } => {
            tracing::info!(event = "workload_ready", %profile, %endpoint, %site, %service, ready, all, "{site} says that {key} is ready: Service {service} has {readiness}");
        }
        Readiness::Unknown(reason) => {
            tracing::warn!(event = "workload_unknown", %profile, %endpoint, %site, %service, %reason, "whether the pods behind {key} are ready can't be known ({reason}); its probes count as they are");
        }
    }
}
