//! Series of each profile and each endpoint, made from the state when somebody scrapes.

use super::text::{Head, Kind, Samples};
use crate::model::{Endpoint, EndpointStatus, Forced, Ident, Moment, Verdict, WhenNoneHealthy};
use crate::snapshot::{EndpointState, Host, ProfileTable};

/// The label of answers that named no endpoint but the fallback addresses.
const FALLBACK: &str = "(fallback)";

/// A metric with series for each profile or endpoint.
pub(super) struct Family {
    pub(super) head: Head,
    /// Whether it is there in a large configuration too: it has series only of what operators have set.
    pub(super) always: bool,
    /// Writes the samples of one profile.
    pub(super) write: fn(&Row<'_>, &mut Samples<'_>),
}

impl Family {
    const fn new(
        name: &'static str,
        kind: Kind,
        help: &'static str,
        write: fn(&Row<'_>, &mut Samples<'_>),
    ) -> Self {
        Self { head: Head { name, kind, help }, always: false, write }
    }
}

/// A profile that samples are made of.
pub(super) struct Row<'s> {
    name: String,
    table: &'s ProfileTable,
    /// For ages.
    now: Moment,
}

impl<'s> Row<'s> {
    pub(super) fn new(table: &'s ProfileTable, now: Moment) -> Self {
        Self { name: table.profile.name.to_string(), table, now }
    }

    fn endpoints(&self) -> impl Iterator<Item = (&'s Endpoint, &'s EndpointState)> {
        self.table.profile.endpoints.iter().zip(&self.table.endpoints)
    }

    fn place<'a>(&'a self, endpoint: &'a Endpoint) -> [(&'static str, &'a str); 3] {
        let site = endpoint.site.as_ref().map(Ident::as_str).unwrap_or_default();
        [("profile", &self.name), ("endpoint", endpoint.name.as_str()), ("site", site)]
    }

    fn place_and<'a>(
        &'a self,
        endpoint: &'a Endpoint,
        label: &'static str,
        value: &'a str,
    ) -> [(&'static str, &'a str); 4] {
        let [profile, endpoint, site] = self.place(endpoint);
        [profile, endpoint, site, (label, value)]
    }

    fn name_and<'a>(
        &'a self,
        endpoint: &'a str,
        label: &'static str,
        value: &'a str,
    ) -> [(&'static str, &'a str); 3] {
        [("profile", &self.name), ("endpoint", endpoint), (label, value)]
    }
}

/// Every metric of profiles and endpoints, in the order of a scrape.
pub(super) static FAMILIES: [Family; 16] = [
    Family::new("farol_answers_total", Kind::Counter, "Answers that named an endpoint.", answers),
    Family::new(
        "farol_endpoint_up",
        Kind::Gauge,
        "Whether an endpoint is healthy by its probes or an operator's word (1), or not (0); drains don't count.",
        up,
    ),
    Family::new(
        "farol_endpoint_status",
        Kind::Gauge,
        "The status that an endpoint is in (1), and those that it is not in (0).",
        status,
    ),
    Family::new(
        "farol_endpoint_weight",
        Kind::Gauge,
        "An endpoint's weight: as configured, and with overrides and a slow start.",
        weight,
    ),
    Family::new(
        "farol_endpoint_transitions_total",
        Kind::Counter,
        "How often an endpoint came into a status.",
        transitions,
    ),
    Family::new(
        "farol_endpoint_verdict_age_seconds",
        Kind::Gauge,
        "The time since a probe last said something about an endpoint.",
        age,
    ),
    Family::new(
        "farol_endpoint_verdict_stale",
        Kind::Gauge,
        "Whether no probe has said anything about an endpoint for three of its intervals.",
        stale,
    ),
    Family::new(
        "farol_probes_total",
        Kind::Counter,
        "Probes by how they ended; void ones say nothing about the endpoint.",
        probes,
    ),
    Family::new(
        "farol_probe_tls_expiry_seconds",
        Kind::Gauge,
        "When the certificate that an endpoint last showed expires, in seconds since 1970.",
        expiry,
    ),
    Family::new(
        "farol_probe_tls_warn_seconds",
        Kind::Gauge,
        "From when on the certificate that an endpoint last showed has fewer days left than tls.min_days_left, in seconds since 1970.",
        warning,
    ),
    Family::new(
        "farol_target_resolved",
        Kind::Gauge,
        "Whether the last try to resolve the name that an endpoint stands for succeeded (1), or not (0).",
        resolved,
    ),
    Family::new(
        "farol_target_resolution_age_seconds",
        Kind::Gauge,
        "The time since the name that an endpoint stands for was last resolved.",
        resolution_age,
    ),
    Family::new(
        "farol_target_resolution_failures_total",
        Kind::Counter,
        "Tries to resolve the name that an endpoint stands for that failed.",
        resolution_failures,
    ),
    Family::new(
        "farol_profile_fail_open",
        Kind::Gauge,
        "Whether none or too few endpoints are healthy, so that when_none_healthy or panic_threshold decides.",
        |row, out| {
            out.add(&[("profile", &row.name)], u8::from(row.table.is_fail_open()));
        },
    ),
    Family::new(
        "farol_profile_awaits_failback",
        Kind::Gauge,
        "Whether a higher priority has recovered and waits for an operator's word, of profiles with manual failback.",
        |row, out| {
            if row.table.profile.fails_back_by_hand() {
                out.add(&[("profile", &row.name)], u8::from(row.table.awaits_failback()));
            }
        },
    ),
    Family {
        head: Head {
            name: "farol_override_active",
            kind: Kind::Gauge,
            help: "Operators' changes in force on an endpoint.",
        },
        always: true,
        write: overrides,
    },
];

fn answers(row: &Row<'_>, out: &mut Samples<'_>) {
    let counters = &row.table.counters;
    let labels = |endpoint| [("profile", row.name.as_str()), ("endpoint", endpoint)];
    for (at, (endpoint, _)) in row.endpoints().enumerate() {
        out.add(&labels(endpoint.name.as_str()), counters.answers(at));
    }
    if matches!(row.table.profile.when_none_healthy, WhenNoneHealthy::Fallback(_)) {
        out.add(&labels(FALLBACK), counters.fallback_answers());
    }
}

fn up(row: &Row<'_>, out: &mut Samples<'_>) {
    for (endpoint, state) in row.endpoints() {
        let is_up = match state.forced() {
            Some(forced) => forced == Forced::Up,
            None => state.facts.verdict != Verdict::Degraded,
        };
        out.add(&row.place(endpoint), u8::from(is_up));
    }
}

fn status(row: &Row<'_>, out: &mut Samples<'_>) {
    for (endpoint, state) in row.endpoints() {
        for status in EndpointStatus::ALL {
            let labels = row.place_and(endpoint, "status", status.label());
            out.add(&labels, u8::from(status == state.status));
        }
    }
}

fn weight(row: &Row<'_>, out: &mut Samples<'_>) {
    for (endpoint, state) in row.endpoints() {
        out.add(&row.place_and(endpoint, "kind", "configured"), endpoint.weight);
        out.add(&row.place_and(endpoint, "kind", "effective"), state.effective_weight());
    }
}

fn transitions(row: &Row<'_>, out: &mut Samples<'_>) {
    for (endpoint, state) in row.endpoints() {
        for (to, count) in EndpointStatus::ALL.into_iter().zip(state.transitions) {
            out.add(&row.place_and(endpoint, "to", to.label()), count);
        }
    }
}

fn age(row: &Row<'_>, out: &mut Samples<'_>) {
    for (endpoint, state) in row.endpoints() {
        if let Some(heard) = state.facts.probed.heard() {
            out.add(&row.place(endpoint), row.now.since(heard).as_secs_f64());
        }
    }
}

fn stale(row: &Row<'_>, out: &mut Samples<'_>) {
    for (endpoint, state) in row.endpoints() {
        let is_stale = state.is_stale(endpoint, row.now);
        out.add(&row.place(endpoint), u8::from(is_stale));
    }
}

fn probes(row: &Row<'_>, out: &mut Samples<'_>) {
    for (endpoint, state) in row.endpoints() {
        let tally = state.facts.probed.tally();
        for (result, count) in
            [("passed", tally.passed), ("failed", tally.failed), ("void", tally.void)]
        {
            out.add(&row.name_and(endpoint.name.as_str(), "result", result), count);
        }
    }
}

fn expiry(row: &Row<'_>, out: &mut Samples<'_>) {
    for (endpoint, state) in row.endpoints() {
        if let Some(expires) = state.certificate_expires(&endpoint.probe.monitor) {
            out.add(&row.place(endpoint), expires.0 as f64 / 1000.0);
        }
    }
}

fn warning(row: &Row<'_>, out: &mut Samples<'_>) {
    for (endpoint, state) in row.endpoints() {
        if let Some(from) = state.certificate_warns_from(&endpoint.probe.monitor) {
            out.add(&row.place(endpoint), from.0 as f64 / 1000.0);
        }
    }
}

/// What is known of the name that an endpoint stands for.
fn name<'a>(endpoint: &Endpoint, state: &'a EndpointState) -> Option<&'a Host> {
    state.facts.host.as_ref().filter(|_| !endpoint.is_discovered())
}

fn resolved(row: &Row<'_>, out: &mut Samples<'_>) {
    for (endpoint, state) in row.endpoints() {
        if let Some(host) = name(endpoint, state) {
            out.add(&row.place(endpoint), u8::from(host.record.latest().is_resolved()));
        }
    }
}

fn resolution_age(row: &Row<'_>, out: &mut Samples<'_>) {
    for (endpoint, state) in row.endpoints() {
        let at = name(endpoint, state).and_then(|it| it.record.latest().at);
        if let Some((_, at)) = at {
            out.add(&row.place(endpoint), row.now.since(at).as_secs_f64());
        }
    }
}

fn resolution_failures(row: &Row<'_>, out: &mut Samples<'_>) {
    for (endpoint, state) in row.endpoints() {
        if let Some(host) = name(endpoint, state) {
            out.add(&row.place(endpoint), host.record.latest().failures);
        }
    }
}

fn overrides(row: &Row<'_>, out: &mut Samples<'_>) {
    for (endpoint, state) in row.endpoints() {
        for kind in state.facts.overrides.kinds() {
            out.add(&row.name_and(endpoint.name.as_str(), "kind", kind), 1);
        }
    }
}
