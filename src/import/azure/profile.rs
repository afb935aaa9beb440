//! A profile: its method, its TTL, and what its method makes of it.

use std::collections::HashSet;

use serde_json::Value;

use super::documents::Found;
use super::endpoint::{Owner, endpoint};
use super::fields::Fields;
use super::monitor::monitor;
use super::{Reading, is_word};
use crate::import::draft::{Endpoint, Monitor, Probe, Profile, Target};
use crate::import::kind;
use crate::import::report::Report;
use crate::model::Method;

/// What Azure's own pages offer first.
const TTL: u32 = 60;
/// Where Farol's largest answer ends.
const MOST_RETURN: i64 = 16;
/// What says nothing about traffic.
const OF_AZURE: [&str; 12] = [
    "id",
    "location",
    "tags",
    "etag",
    "resourceGroup",
    "systemData",
    "apiVersion",
    "comments",
    "metadata",
    "scope",
    "kind",
    "sku",
];

/// Reads a profile; none where its method can't be made out.
pub(super) fn profile(found: &Found, name: String, reading: &mut Reading<'_>) -> Option<Profile> {
    let resource = found.object.get("name").and_then(Value::as_str).filter(|it| !it.is_empty());
    let place = resource.unwrap_or(&found.place).to_owned();
    let fields = Fields::new(place.clone(), &found.object);
    let method = method(&fields, reading.report)?;
    let from = format!("Azure Traffic Manager profile {place}");
    let mut profile = Profile::new(name, place, method);
    profile.notes.push(from);
    profile.enabled = fields.switch("profileStatus", reading.report).unwrap_or(true);
    if !profile.enabled {
        reading.report.differs(
            &profile.from,
            "profileStatus Disabled → enabled = false",
            "Azure answers NXDOMAIN then, Farol NODATA",
            "",
        );
    }
    profile.ttl = ttl(&fields, reading.report);
    let monitor = monitor(&fields, reading.report);
    max_return(&fields, &mut profile, reading.report);
    other_settings(&fields, reading.report);

    let mut owner =
        Owner { method, monitor: &monitor, names: HashSet::new(), place: &profile.from };
    let mut endpoints = Vec::new();
    for (at, it) in fields.list("endpoints", reading.report).iter().enumerate() {
        match it.as_object() {
            Some(object) => endpoints.extend(endpoint(object, at, &mut owner, reading)),
            None => reading.report.unsupported(
                &profile.from,
                format!("an endpoint that is {}", kind(it)),
                "it is no object",
                "",
            ),
        }
    }
    for key in ["name", "type"] {
        fields.find(key);
    }
    fields.tell_rest(&OF_AZURE, reading.report);
    profile.endpoints = endpoints;
    if profile.method == Method::Multivalue && profile.max_return.is_none() {
        let all = profile.endpoints.len().clamp(1, 16);
        profile.max_return = u8::try_from(all).ok();
    }
    let is_own = |it: &Endpoint| !matches!(it.target, Target::Profile { .. });
    let is_probed = |it: &Endpoint| is_own(it) && it.monitor != Some(Monitor::none());
    if profile.endpoints.iter().any(is_probed) {
        tell_monitoring(&profile.from, monitor.protocol, reading.report);
    }
    if profile.endpoints.iter().any(is_own) {
        profile.monitor = Some(monitor);
    } else if !profile.endpoints.is_empty() {
        reading.report.same(
            &profile.from,
            "monitorConfig, which a profile of nested endpoints alone has no use for, is left out",
        );
    }
    tell_method(&mut profile, reading.report);
    Some(profile)
}

fn method(fields: &Fields<'_>, report: &mut Report) -> Option<Method> {
    let written = fields.find("trafficRoutingMethod");
    let found = Method::ALL.into_iter().find(|it| is_word(written, it.label()));
    match found {
        Some(method) => report.same(
            &fields.place,
            format!(
                "trafficRoutingMethod {} → method = \"{}\"",
                written.and_then(Value::as_str).unwrap_or_default(),
                method.label()
            ),
        ),
        None => report.unsupported(
            &fields.place,
            format!("trafficRoutingMethod is {}", written.map_or_else(|| "missing".to_owned(), kind)),
            "it is none of Priority, Weighted, Performance, Geographic, MultiValue and Subnet, so the profile is not written",
            "correct it, and import again",
        ),
    }
    found
}

fn ttl(fields: &Fields<'_>, report: &mut Report) -> u32 {
    let Some(dns) = fields.table("dnsConfig", report) else { return TTL };
    for key in ["relativeName", "fqdn"] {
        dns.find(key);
    }
    let ttl = dns.number("ttl", 0, 2_147_483_647, report);
    if ttl.is_some() {
        report.same(&fields.place, "dnsConfig.ttl → ttl");
    } else {
        report.differs(
            &fields.place,
            format!("no dnsConfig.ttl → ttl = {TTL}"),
            "Farol's own default is 30",
            "",
        );
    }
    dns.tell_rest(&[], report);
    ttl.unwrap_or(TTL)
}

fn max_return(fields: &Fields<'_>, profile: &mut Profile, report: &mut Report) {
    let written = fields.integer("maxReturn", report).filter(|it| *it > 0);
    match (profile.method, written) {
        (Method::Multivalue, Some(_)) => {
            profile.max_return = fields.number("maxReturn", 1, MOST_RETURN, report);
            report.same(&fields.place, "maxReturn → max_return");
        }
        (Method::Multivalue, None) => report
            .same(&fields.place, "no maxReturn → max_return = the number of endpoints, 16 at most"),
        (_, Some(_)) => {
            report.same(&fields.place, "maxReturn, which only MultiValue looks at, is left out")
        }
        (_, None) => {}
    }
}

/// What is no part of how answers are made.
fn other_settings(fields: &Fields<'_>, report: &mut Report) {
    if is_word(fields.find("trafficViewEnrollmentStatus"), "enabled") {
        report.unsupported(
            &fields.place,
            "trafficViewEnrollmentStatus Enabled",
            "Farol draws no map of clients and latencies",
            "look at farol_answers_total and `farol explain`",
        );
    }
    let types: Vec<&str> = fields
        .list("allowedEndpointRecordTypes", report)
        .iter()
        .filter_map(Value::as_str)
        .collect();
    if !types.is_empty() && !types.contains(&"Any") {
        report.unsupported(
            &fields.place,
            format!("allowedEndpointRecordTypes {}", types.join(", ")),
            "Farol holds no profile to kinds of targets; it refuses only what can't be answered",
            "",
        );
    }
    if fields.text("recordType", report).is_some() {
        report.unsupported(
            &fields.place,
            "recordType",
            "Farol answers every type that the chosen endpoint has",
            "",
        );
    }
}

fn tell_monitoring(place: &str, protocol: Option<Probe>, report: &mut Report) {
    report.differs(
        place,
        "where probes come from",
        "Azure probes from many of its own places, Farol from the machines that it runs on",
        "let Farol's machines through the endpoints' firewalls, and Azure's no more",
    );
    report.differs(
        place,
        "how soon a failure counts",
        "while results speak against a verdict, Farol probes at fast_interval; Azure keeps its interval",
        "set fast_interval = interval in the monitor for Azure's pace",
    );
    report.differs(
        place,
        "endpoints that flap",
        "Farol holds an endpoint down that keeps failing; Azure does not",
        "set flap = { count = 0 } in the monitor for Azure's way",
    );
    if protocol == Some(Probe::Https) {
        report.same(
            place,
            "certificates are not checked → tls.verify = false; remove it where they are good, Farol can check them",
        );
    }
}

fn tell_method(profile: &mut Profile, report: &mut Report) {
    let place = profile.from.clone();
    match profile.method {
        Method::Performance => {
            profile.notes.push("By distance; with geo.latency_table by measured latency.".to_owned());
            report.differs(
                &place,
                "Performance: the Internet Latency Table",
                "it is Azure's own; Farol goes by [[client_network]], then by your table of latencies, then by distance to the site",
                "set geo.database, or [[client_network]] for private networks; geo.latency_table for measured latencies",
            );
        }
        Method::Geographic => {
            profile.geo_failover = false;
            report.same(&place, "Geographic serves a Degraded endpoint all the same → geo_failover = false");
            let is_nested = |it: &Endpoint| matches!(it.target, Target::Profile { .. });
            if profile.endpoints.iter().any(is_nested) {
                report.differs(
                    &place,
                    "Geographic: a nested profile that is disabled, or has nothing in service",
                    "Azure answers its region with NODATA; Farol goes on to the next wider region",
                    "disable no nested profile whose region must not be served by others",
                );
            }
            report.differs(
                &place,
                "Geographic: where clients are",
                "Azure has a database of its own",
                "set geo.database, or [[client_network]] for private networks; without either all are WORLD",
            );
        }
        Method::Subnet => report.differs(
            &place,
            "Subnet: a Degraded endpoint",
            "Farol leaves it for the next wider network around the client, and then for endpoints without subnets",
            "",
        ),
        Method::Priority | Method::Weighted | Method::Multivalue => {}
    }
    if profile.method != Method::Geographic {
        report.same(&place, "none healthy: all enabled endpoints count as healthy → when_none_healthy = \"serve_all\", the default");
    }
}
