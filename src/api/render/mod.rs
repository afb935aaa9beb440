//! From the snapshot to the API's JSON types.

mod fleet;
mod monitor;
mod sites;
mod status;

pub(super) use fleet::{fleet, site as fleet_site};
pub(super) use sites::{Looking, all_sites, sites};
pub(super) use status::status;

use std::sync::Arc;

use serde_json::json;

use self::monitor::monitor;
use super::etag::etag;
use super::view;
use crate::clock::rfc3339;
use crate::control::Version;
use crate::health::{Cause, Readiness, Timeline, Turn, Workload};
use crate::model::{
    self, EndpointStatus, Family, Ident, Method, Moment, Now, Override, Pending, Protocol, Stamp,
    Timestamp, Verdict, WhenNoneHealthy,
};
use crate::snapshot::{EndpointState, Host, ProfileTable};

pub(super) fn percent(share: f64) -> f64 {
    (share * 10_000.0).round() / 100.0
}

/// A moment by the time of day.
fn time_at(moment: Moment, now: Now) -> String {
    let left = i64::try_from(moment.since(now.moment).as_millis()).unwrap_or(i64::MAX);
    rfc3339(Timestamp(now.time.0.saturating_add(left)))
}

/// The family that a profile is shown by: AAAA only where no endpoint has an IPv4 address.
fn shown_family(table: &ProfileTable) -> Family {
    let mut pairs = table.profile.endpoints.iter().zip(&table.endpoints);
    if pairs.any(|(it, state)| state.has(it, Family::V4)) { Family::V4 } else { Family::V6 }
}

pub(super) fn profile(table: &ProfileTable, now: Now) -> view::Profile {
    let profile = &table.profile;
    let fallback = match &profile.when_none_healthy {
        WhenNoneHealthy::Fallback(addresses) => addresses.iter().collect(),
        _ => Vec::new(),
    };
    view::Profile {
        name: profile.name.to_string(),
        etag: etag(Version::of_profile(table)),
        status: table.status.label().to_owned(),
        enabled: table.is_enabled(),
        method: profile.method.label().to_owned(),
        ttl: profile.ttl,
        ttl_min: profile.ttl_min,
        effective_ttl: table.ttl,
        max_return: (profile.method == Method::Multivalue).then_some(profile.max_return),
        affinity: profile
            .affinity
            .map(|it| view::Affinity { prefix4: it.prefix4, prefix6: it.prefix6 }),
        failback: (profile.method == Method::Priority).then(|| profile.failback.label().to_owned()),
        active_priority: table.active_priority(shown_family(table)),
        awaits_failback: table.awaits_failback(),
        geo_failover: (profile.method == Method::Geographic).then_some(profile.geo_failover),
        family: profile.family.label().to_owned(),
        when_none_healthy: profile.when_none_healthy.label().to_owned(),
        fallback,
        panic_threshold: profile.panic_threshold,
        fail_open: table.is_fail_open(),
        guardrails: view::Guardrails::of(profile.guardrails),
        flatten: profile.flattens(),
        overrides: own_overrides(table),
        endpoints: endpoints(table, now),
    }
}

/// The endpoints of a profile, in its order.
pub(super) fn endpoints(table: &ProfileTable, now: Now) -> Vec<view::Endpoint> {
    let pairs = || table.profile.endpoints.iter().zip(&table.endpoints);
    let shares = table.shares(shown_family(table), None);
    let share = |at: usize| shares.as_ref()?.get(at).copied();
    let answered = |at: usize| Answered { share: share(at), answers: table.counters.answers(at) };
    pairs().enumerate().map(|(at, (it, state))| endpoint(it, state, &answered(at), now)).collect()
}

/// What becomes of queries.
struct Answered {
    /// The part of the answers that names an endpoint, from 0 to 1.
    share: Option<f64>,
    /// How many have.
    answers: u64,
}

fn endpoint(
    endpoint: &model::Endpoint,
    state: &EndpointState,
    answered: &Answered,
    now: Now,
) -> view::Endpoint {
    let probed = &state.facts.probed;
    let held_down_until = probed.held_down_until().filter(|it| *it > now.moment);
    let child = endpoint.child();
    let found = state.facts.host.as_ref();
    let slow_start = Some(endpoint.slow_start).filter(|it| !it.is_zero());
    view::Endpoint {
        name: endpoint.name.to_string(),
        site: endpoint.site.as_ref().map(Ident::to_string),
        target: match endpoint.host() {
            Some(name) => vec![name.to_string()],
            None => state.addresses(endpoint).iter().map(|it| it.to_string()).collect(),
        },
        profile: child.map(|(profile, _)| profile.to_string()),
        min_child_endpoints: child.map(|(_, min)| min.any),
        min_child_endpoints_ipv4: child.map(|(_, min)| min.v4),
        min_child_endpoints_ipv6: child.map(|(_, min)| min.v6),
        resolved: found.filter(|_| !endpoint.is_discovered()).map(|it| resolved(it, now)),
        discovered: found.filter(|_| endpoint.is_discovered()).map(discovered),
        enabled: state.enabled,
        weight: state.weight,
        priority: state.priority,
        geo: endpoint.geo.iter().map(ToString::to_string).collect(),
        subnets: endpoint.subnets.iter().map(ToString::to_string).collect(),
        location: endpoint.location.as_ref().map(location),
        capacity: endpoint.capacity,
        slow_start_seconds: slow_start.map(|it| it.as_secs_f64()),
        ramp: state.ramp.map(|it| view::Ramp {
            percent: percent(f64::from(it.part)),
            until: time_at(it.until, now),
        }),
        status: state.status.label().to_owned(),
        since: rfc3339(state.since),
        forced: state.forced().map(|it| it.label().to_owned()),
        verdict: verdict(endpoint, state),
        drained: state.facts.drained,
        effective_weight: state.effective_weight(),
        cached_until: state.cached_until().map(|it| rfc3339(it.time)),
        share: answered.share.map(percent),
        answers: answered.answers,
        monitor: monitor(endpoint, state),
        last_probe: probed.last().map(|it| last_probe(&it)),
        certificate: certificate(endpoint, state, now),
        stale: state.is_stale(endpoint, now.moment),
        held_down_until: held_down_until.map(|it| time_at(it, now)),
        overrides: overrides(state.facts.overrides.fields()),
    }
}

/// What its probes say, if it is probed.
fn verdict(endpoint: &model::Endpoint, state: &EndpointState) -> Option<String> {
    let is_probed = endpoint.probe.monitor.protocol != Protocol::None;
    let word = match state.facts.verdict {
        Verdict::Unknown => return None,
        Verdict::Online => EndpointStatus::Online,
        Verdict::Degraded => EndpointStatus::Degraded,
    };
    is_probed.then(|| word.label().to_owned())
}

fn resolved(host: &Host, now: Now) -> view::Resolved {
    let resolution = host.record.latest();
    let failure = |(at, reason): (Timestamp, Arc<str>)| view::FailedResolution {
        at: rfc3339(at),
        reason: reason.to_string(),
    };
    view::Resolved {
        addresses: resolution.addresses.iter().collect(),
        ttl_seconds: resolution.ttl,
        at: resolution.at.map(|(at, _)| rfc3339(at)),
        asked: resolution.asked().map(rfc3339),
        next: resolution.next.map(|it| time_at(it, now)),
        error: resolution.trouble.map(|it| it.reason.to_string()),
        last_failure: resolution.failed.map(failure),
    }
}

fn discovered(host: &Host) -> view::Discovered {
    let found = host.record.latest();
    let since = found.failed.map(|it| rfc3339(it.0)).unwrap_or_default();
    let stale = |reason: String| view::StaleAddresses { since, reason };
    view::Discovered {
        from: found.source.as_deref().unwrap_or_default().to_owned(),
        addresses: found.addresses.iter().collect(),
        at: found.at.map(|(at, _)| rfc3339(at)),
        stale: found.trouble.map(|it| stale(it.reason.to_string())),
        workload: found.workload.as_ref().map(workload),
    }
}

fn workload(it: &Workload) -> view::Workload {
    let (ready, pods, reason) = match &it.readiness {
        Readiness::Counted { ready, all } => (Some(*ready), Some(*all), None),
        Readiness::Unknown(why) => (None, None, Some(why.to_string())),
    };
    view::Workload {
        service: it.service.to_string(),
        required: it.required,
        readiness: it.readiness.label().to_owned(),
        ready,
        pods,
        reason,
        since: rfc3339(it.since),
    }
}

fn last_probe(result: &crate::health::ProbeResult) -> view::LastProbe {
    view::LastProbe {
        at: rfc3339(result.at),
        result: result.outcome.label().to_owned(),
        phase: result.phase.label().to_owned(),
        seconds: result.elapsed.as_secs_f64(),
        reason: result.reason.as_deref().map(str::to_owned),
    }
}

fn certificate(
    endpoint: &model::Endpoint,
    state: &EndpointState,
    now: Now,
) -> Option<view::Certificate> {
    let warns_from = state.certificate_warns_from(&endpoint.probe.monitor);
    Some(view::Certificate {
        expires: rfc3339(state.certificate_expires(&endpoint.probe.monitor)?),
        expires_soon: warns_from.is_some_and(|it| it < now.time),
    })
}

/// The overrides of a profile itself.
fn own_overrides(table: &ProfileTable) -> Vec<view::Override> {
    overrides(table.enabled_by.iter().map(|it| (Override::Enabled(it.value), &it.stamp)))
}

/// Changes that may be undone by themselves yet.
pub(super) fn pending(number: u64, pending: &Pending) -> view::PendingChange {
    view::PendingChange {
        id: number,
        by: pending.stamp.by.clone(),
        reason: pending.stamp.reason.clone(),
        at: rfc3339(pending.stamp.at),
        until: rfc3339(pending.until),
        needs_confirmation: pending.needs_confirmation,
        undo_if_worse: pending.undo_if_worse,
        changes: pending.changes.clone(),
    }
}

fn overrides<'a>(fields: impl Iterator<Item = (Override, &'a Stamp)>) -> Vec<view::Override> {
    let view = |(it, stamp): (Override, &Stamp)| view::Override {
        field: it.kind().to_owned(),
        value: match it {
            Override::Weight(it) | Override::Priority(it) => json!(it),
            Override::Enabled(it) => json!(it),
            Override::Forced(it) => json!(it.label()),
        },
        by: stamp.by.clone(),
        reason: stamp.reason.clone(),
        at: rfc3339(stamp.at),
        expires: stamp.expires.map(rfc3339),
    };
    fields.map(view).collect()
}

/// When an endpoint came into another status, and why.
pub(super) fn timeline(timeline: &Timeline) -> view::Timeline {
    view::Timeline { turns: timeline.iter().map(turn).collect() }
}

pub(super) fn turn(turn: &Turn) -> view::Turn {
    let (mut phase, mut profile, mut change, mut by, mut reason) = (None, None, None, None, None);
    match turn.cause.clone() {
        Cause::Probe { phase: at, reason: why } => {
            (phase, reason) = (at.map(|it| it.label().to_owned()), why);
        }
        Cause::Profile { profile: which, reason: why } => (profile, reason) = (Some(which), why),
        Cause::Change { change: what, by: who, reason: why } => {
            (change, by, reason) = (Some(what), Some(who), why);
        }
        Cause::Expiry { change: what, by: who } => (change, by) = (Some(what), Some(who)),
        Cause::Reload | Cause::Start => {}
    }
    view::Turn {
        at: rfc3339(turn.at),
        from: turn.from.label().to_owned(),
        lasted_seconds: turn.lasted().map(|it| it.as_secs_f64()),
        to: turn.to.label().to_owned(),
        cause: turn.cause.label().to_owned(),
        phase,
        profile,
        change,
        by,
        reason,
    }
}

fn location(location: &model::Location) -> view::Location {
    view::Location {
        latitude: location.latitude,
        longitude: location.longitude,
        region: location.region.map(|it| it.to_string()),
    }
}
