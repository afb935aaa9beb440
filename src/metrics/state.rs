use prometheus::proto::MetricFamily;

use super::dns::{BUCKETS, DnsCounters, by_rcode};
use super::family::{Family, histogram};
use crate::model::{Endpoint, EndpointStatus, Forced, Ident, Moment, Verdict, WhenNoneHealthy};
use crate::snapshot::{EndpointState, ProfileTable, Snapshot};

/// The label of answers that named no endpoint but the fallback addresses.
const FALLBACK: &str = "(fallback)";

/// Everything that the workers have counted.
pub(super) fn dns(snapshot: &Snapshot, counters: &DnsCounters) -> Vec<MetricFamily> {
    let mut queries = Family::counter(
        "farol_dns_queries_total",
        "Queries received, also faulty ones, by transport and address family.",
        &["transport", "family"],
    );
    counters.queries().for_each(|(labels, count)| queries.add(&labels, count as f64));
    let mut responses = Family::counter(
        "farol_dns_responses_total",
        "Answers sent, by zone (empty: no zone of ours) and response code.",
        &["zone", "rcode"],
    );
    counters
        .outside_by_rcode()
        .for_each(|(rcode, count)| responses.add(&["", rcode], count as f64));
    for table in snapshot.zones.iter() {
        let zone = table.zone.name().to_string();
        by_rcode(&table.responses, 0)
            .for_each(|(rcode, count)| responses.add(&[&zone, rcode], count as f64));
    }
    let mut dropped = Family::counter(
        "farol_dns_dropped_total",
        "Packets that got no answer and connections that were cut off, by reason.",
        &["reason"],
    );
    counters.drops().for_each(|(reason, count)| dropped.add(&[reason], count as f64));
    let mut panics = Family::counter(
        "farol_dns_worker_panics_total",
        "Panics of DNS workers that were contained.",
        &[],
    );
    panics.add(&[], counters.panics() as f64);
    let (buckets, sum) = counters.times();
    let times = histogram(
        "farol_dns_response_seconds",
        "How long it took to make an answer, of one in 64.",
        &BUCKETS,
        &buckets,
        sum,
    );
    let families = [queries, responses, dropped, panics].into_iter().filter_map(Family::finish);
    families.chain([times]).collect()
}

/// Everything about endpoints, profiles and sites. `now` is for ages.
pub(super) fn endpoints(snapshot: &Snapshot, now: Moment) -> Vec<MetricFamily> {
    let mut families = EndpointFamilies::new();
    let mut fail_open = Family::gauge(
        "farol_profile_fail_open",
        "Whether none or too few endpoints are healthy, so that when_none_healthy or panic_threshold decides.",
        &["profile"],
    );
    for table in snapshot.profiles.iter() {
        let profile = table.profile.name.to_string();
        fail_open.add(&[&profile], f64::from(u8::from(table.is_fail_open())));
        families.profile(&profile, table, now);
    }
    let mut drained = Family::gauge("farol_site_drained", "Whether a site is drained.", &["site"]);
    for site in snapshot.sites.iter() {
        drained.add(&[site.site.name.as_str()], f64::from(u8::from(site.drained.is_some())));
    }
    let mut generation =
        Family::gauge("farol_snapshot_generation", "How many snapshots have been published.", &[]);
    generation.add(&[], snapshot.generation as f64);
    let all = families.into_iter().chain([fail_open, drained, generation]);
    all.filter_map(Family::finish).collect()
}

struct EndpointFamilies {
    answers: Family,
    up: Family,
    status: Family,
    weight: Family,
    transitions: Family,
    age: Family,
    probes: Family,
    expiry: Family,
    overrides: Family,
}

impl EndpointFamilies {
    fn new() -> Self {
        Self {
            answers: Family::counter(
                "farol_answers_total",
                "Answers that named an endpoint.",
                &["profile", "endpoint"],
            ),
            up: Family::gauge(
                "farol_endpoint_up",
                "Whether an endpoint is healthy by its probes or an operator's word (1), or not (0); drains don't count.",
                &["profile", "endpoint", "site"],
            ),
            status: Family::gauge(
                "farol_endpoint_status",
                "The status that an endpoint is in (1), and those that it is not in (0).",
                &["profile", "endpoint", "site", "status"],
            ),
            weight: Family::gauge(
                "farol_endpoint_weight",
                "An endpoint's weight, as configured and with overrides.",
                &["profile", "endpoint", "site", "kind"],
            ),
            transitions: Family::counter(
                "farol_endpoint_transitions_total",
                "How often an endpoint came into a status.",
                &["profile", "endpoint", "site", "to"],
            ),
            age: Family::gauge(
                "farol_endpoint_verdict_age_seconds",
                "The time since a probe last said something about an endpoint.",
                &["profile", "endpoint", "site"],
            ),
            probes: Family::counter(
                "farol_probes_total",
                "Probes by how they ended; void ones say nothing about the endpoint.",
                &["profile", "endpoint", "result"],
            ),
            expiry: Family::gauge(
                "farol_probe_tls_expiry_seconds",
                "When the certificate that an endpoint last showed expires, in seconds since 1970.",
                &["profile", "endpoint", "site"],
            ),
            overrides: Family::gauge(
                "farol_override_active",
                "Operators' changes in force on an endpoint.",
                &["profile", "endpoint", "kind"],
            ),
        }
    }

    fn profile(&mut self, profile: &str, table: &ProfileTable, now: Moment) {
        for (at, (endpoint, state)) in
            table.profile.endpoints.iter().zip(&table.endpoints).enumerate()
        {
            self.answers.add(&[profile, endpoint.name.as_str()], table.counters.answers(at) as f64);
            self.endpoint(profile, endpoint, state, now);
        }
        if matches!(table.profile.when_none_healthy, WhenNoneHealthy::Fallback(_)) {
            self.answers.add(&[profile, FALLBACK], table.counters.fallback_answers() as f64);
        }
    }

    fn endpoint(&mut self, profile: &str, endpoint: &Endpoint, state: &EndpointState, now: Moment) {
        let name = endpoint.name.as_str();
        let site = endpoint.site.as_ref().map(Ident::as_str).unwrap_or_default();
        let healthy = match state.forced() {
            Some(forced) => forced == Forced::Up,
            None => state.facts.verdict != Verdict::Degraded,
        };
        self.up.add(&[profile, name, site], f64::from(u8::from(healthy)));
        for (status, count) in EndpointStatus::ALL.into_iter().zip(state.transitions) {
            let is_in = f64::from(u8::from(status == state.status));
            self.status.add(&[profile, name, site, status.label()], is_in);
            self.transitions.add(&[profile, name, site, status.label()], f64::from(count));
        }
        self.weight.add(&[profile, name, site, "configured"], endpoint.weight.into());
        self.weight.add(&[profile, name, site, "effective"], state.weight.into());
        let probed = &state.facts.probed;
        if let Some(heard) = probed.heard() {
            self.age.add(&[profile, name, site], now.since(heard).as_secs_f64());
        }
        let tally = probed.tally();
        for (result, count) in
            [("passed", tally.passed), ("failed", tally.failed), ("void", tally.void)]
        {
            self.probes.add(&[profile, name, result], count as f64);
        }
        if let Some(expires) = probed.last().and_then(|it| it.certificate_expires) {
            self.expiry.add(&[profile, name, site], expires.0 as f64 / 1000.0);
        }
        for kind in state.facts.overrides.kinds() {
            self.overrides.add(&[profile, name, kind], 1.0);
        }
    }

    fn into_iter(self) -> impl Iterator<Item = Family> {
        let (answers, up, status, weight) = (self.answers, self.up, self.status, self.weight);
        let (transitions, age, probes) = (self.transitions, self.age, self.probes);
        [answers, up, status, weight, transitions, age, probes, self.expiry, self.overrides]
            .into_iter()
    }
}
