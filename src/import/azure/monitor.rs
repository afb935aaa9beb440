//! Monitors: what Azure probes, and what an endpoint has otherwise.

use std::net::IpAddr;

use serde_json::Value;

use super::fields::Fields;
use crate::import::draft::{Monitor, Probe, is_host};
use crate::import::report::Report;

const INTERVAL: u64 = 30;
/// With probes each 30 s; each 10 s it is 9.
const TIMEOUT: u64 = 10;
const FAST_TIMEOUT: u64 = 9;
/// What Farol's loader takes.
const MOST_HEADERS: usize = 16;
const MOST_STATUSES: usize = 8;
/// What the probe itself says.
const OWN_HEADERS: [&str; 3] = ["content-length", "connection", "transfer-encoding"];

/// The monitor of a profile; all of Azure's defaults where it has none.
pub(super) fn monitor(profile: &Fields<'_>, report: &mut Report) -> Monitor {
    let Some(fields) = profile.table("monitorConfig", report) else {
        report.differs(
            &profile.place,
            "no monitorConfig → http on port 80, path /",
            "a profile of Farol's is monitored unless it says protocol = \"none\"",
            "check the monitor",
        );
        return timing(None, None, Monitor { protocol: Some(Probe::Http), ..Monitor::default() });
    };
    let protocol = protocol(&fields, report);
    let mut monitor = Monitor { protocol: Some(protocol), ..Monitor::default() };
    monitor.port = fields.number("port", 1, 65_535, report);
    if protocol == Probe::Tcp && monitor.port.is_none() {
        report.unsupported(
            &fields.place,
            "TCP without a port",
            "a probe needs one",
            "write it into the monitor; port 80 is written meanwhile",
        );
        monitor.port = Some(80);
    }
    let path = fields.text("path", report);
    match path {
        Some(path) if protocol.is_http() => {
            monitor.path = Some(self::path(path, &fields.place, report))
        }
        Some(_) => {
            report.same(&fields.place, "monitorConfig.path, which TCP has no use for, is left out")
        }
        None => {}
    }
    let headers = headers(&fields, "customHeaders", report);
    let statuses = statuses(&fields, report);
    if protocol.is_http() {
        (monitor.host, monitor.headers) = apart(headers, &fields.place, report);
        monitor.expected_status = statuses;
    } else if !headers.is_empty() || !statuses.is_empty() {
        report.same(
            &fields.place,
            "customHeaders and expectedStatusCodeRanges, which TCP has no use for, are left out",
        );
    }
    if protocol == Probe::Https {
        monitor.verify = Some(false);
    }
    let interval: Option<u64> = fields.number("intervalInSeconds", 1, 3600, report);
    let timeout: Option<u64> = fields.number("timeoutInSeconds", 1, 3600, report);
    monitor.tolerated_failures = fields.number("toleratedNumberOfFailures", 0, 20, report);
    report.same(&fields.place, "monitorConfig: protocol, port, path, interval, timeout and tolerated failures → the monitor's keys");
    report
        .same(&fields.place, "one success turns an endpoint Online again → required_successes = 1");
    fields.tell_rest(&["profileMonitorStatus"], report);
    timing(interval, timeout, monitor)
}

/// Fills in Azure's times.
fn timing(interval: Option<u64>, timeout: Option<u64>, monitor: Monitor) -> Monitor {
    let interval = interval.unwrap_or(INTERVAL);
    let usual = if interval <= 10 { FAST_TIMEOUT } else { TIMEOUT };
    let timeout = timeout.unwrap_or(usual) * 1000;
    Monitor {
        interval: Some(interval),
        // Farol's probes never wait for their predecessors, so a timeout ends before the next begins.
        timeout: Some(timeout.min(interval * 1000 - 500)),
        tolerated_failures: Some(monitor.tolerated_failures.unwrap_or(3)),
        required_successes: Some(1),
        ..monitor
    }
}

fn protocol(fields: &Fields<'_>, report: &mut Report) -> Probe {
    let written = fields.text("protocol", report).unwrap_or("HTTP");
    match written.to_ascii_uppercase().as_str() {
        "HTTP" => Probe::Http,
        "HTTPS" => Probe::Https,
        "TCP" => Probe::Tcp,
        _ => {
            report.unsupported(
                &fields.place,
                format!("the probe protocol {written}"),
                "it is none of HTTP, HTTPS and TCP; http is written instead",
                "write the protocol that is meant into the monitor",
            );
            Probe::Http
        }
    }
}

/// A path as a request has it: what may not stand in one is percent-encoded.
fn path(text: &str, place: &str, report: &mut Report) -> String {
    let allowed = |it: u8| it.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/?%".contains(&it);
    let mut path = if text.starts_with('/') { String::new() } else { "/".to_owned() };
    for octet in text.bytes() {
        if allowed(octet) {
            path.push(char::from(octet));
        } else {
            path.push_str(&format!("%{octet:02X}"));
        }
    }
    if path != text {
        report.differs(
            place,
            format!("the path {text} → {path}"),
            "Farol takes a path as it stands in a request, percent-encoded and with `/` first",
            "",
        );
    }
    path
}

/// Headers of a probe, those whose names and values can be sent.
pub(super) fn headers(
    fields: &Fields<'_>,
    key: &str,
    report: &mut Report,
) -> Vec<(String, String)> {
    let mut headers: Vec<(String, String)> = Vec::new();
    for it in fields.list(key, report) {
        let text = |key: &str| it.get(key).and_then(Value::as_str);
        let (Some(name), Some(value)) = (text("name"), text("value")) else {
            report.unsupported(
                &fields.place,
                "a header without name or value",
                "it can't be sent",
                "",
            );
            continue;
        };
        let is_token = |it: u8| it.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&it);
        let can_be_sent = !name.is_empty()
            && name.bytes().all(is_token)
            && value.bytes().all(|it| it == b' ' || it.is_ascii_graphic())
            && !OWN_HEADERS.contains(&name.to_ascii_lowercase().as_str());
        if !can_be_sent {
            report.unsupported(
                &fields.place,
                format!("the header {name}"),
                "it is one that the probe sets by itself, or has characters that Farol doesn't send",
                "",
            );
            continue;
        }
        headers.retain(|known| !known.0.eq_ignore_ascii_case(name));
        headers.push((name.to_owned(), value.to_owned()));
    }
    headers
}

/// The host among headers, and the others.
pub(super) fn apart(
    mut headers: Vec<(String, String)>,
    place: &str,
    report: &mut Report,
) -> (Option<String>, Vec<(String, String)>) {
    let at = headers.iter().position(|it| it.0.eq_ignore_ascii_case("host"));
    let host = at.map(|at| headers.remove(at).1).map(|it| without_port(&it, place, report));
    let is_good = |it: &String| is_host(it) || it.parse::<IpAddr>().is_ok();
    let (host, bad) = match host {
        Some(host) if !is_good(&host) => (None, Some(host)),
        other => (other, None),
    };
    if host.is_some() {
        report.same(place, "the custom header Host → host");
    }
    if let Some(bad) = bad {
        report.unsupported(
            place,
            format!("the custom header Host {bad}"),
            "it is neither a name in full nor an address",
            "write host into the monitor",
        );
    }
    if !headers.is_empty() {
        report
            .same(place, "customHeaders → headers; one that is a secret may stand as ${file:PATH}");
    }
    if headers.len() > MOST_HEADERS {
        report.unsupported(
            place,
            "more than 16 headers",
            "a probe of Farol's has 16 at most; the others are left out",
            "",
        );
        headers.truncate(MOST_HEADERS);
    }
    (host, headers)
}

fn without_port(host: &str, place: &str, report: &mut Report) -> String {
    match host.rsplit_once(':') {
        Some((name, port)) if !name.contains(':') && port.parse::<u16>().is_ok() => {
            report.differs(
                place,
                format!("the host {host} → {name}"),
                "Farol's Host header has no port",
                "",
            );
            name.to_owned()
        }
        _ => host.to_owned(),
    }
}

/// Ranges of statuses as texts; Farol knows final ones, from 200 to 599.
fn statuses(fields: &Fields<'_>, report: &mut Report) -> Vec<String> {
    let mut statuses = Vec::new();
    for it in fields.list("expectedStatusCodeRanges", report) {
        let number = |key: &str| it.get(key).and_then(Value::as_i64);
        let (min, max) = (number("min").or(number("max")), number("max").or(number("min")));
        let Some((min, max)) = min.zip(max) else {
            report.unsupported(
                &fields.place,
                "a range of statuses without min and max",
                "it can't be read",
                "",
            );
            continue;
        };
        let (low, high) = (min.max(200), max.min(599));
        if (low, high) != (min, max) {
            report.differs(
                &fields.place,
                format!("the statuses {min}-{max}"),
                "Farol knows final statuses alone, from 200 to 599",
                "",
            );
        }
        if low <= high {
            statuses.push(if low == high { low.to_string() } else { format!("{low}-{high}") });
        }
    }
    if !statuses.is_empty() {
        report.same(&fields.place, "expectedStatusCodeRanges → expected_status");
    }
    if statuses.len() > MOST_STATUSES {
        report.unsupported(
            &fields.place,
            "more than 8 ranges of statuses",
            "a monitor of Farol's has 8 at most; the others are left out",
            "join them",
        );
        statuses.truncate(MOST_STATUSES);
    }
    statuses
}

/// What an endpoint's probes have of their own: Azure asks for the target's name unless a header says otherwise.
pub(super) fn of_endpoint(
    profile: &Monitor,
    own: Vec<(String, String)>,
    target: &str,
    place: &str,
    report: &mut Report,
) -> Option<Monitor> {
    if !profile.protocol.is_some_and(Probe::is_http) {
        if !own.is_empty() {
            report.same(place, "customHeaders and expectedStatusCodeRanges, which TCP has no use for, are left out");
        }
        return None;
    }
    let has_own = !own.is_empty();
    let (host, own) = apart(own, place, report);
    let mut headers = Vec::new();
    if has_own && !own.is_empty() {
        let is_own = |name: &str| own.iter().any(|it| it.0.eq_ignore_ascii_case(name));
        headers = profile.headers.iter().filter(|it| !is_own(&it.0)).cloned().collect();
        headers.extend(own);
        headers.truncate(MOST_HEADERS);
    }
    let asks_for_target = host.is_none() && profile.host.is_none();
    if asks_for_target {
        report.same(place, "probes ask for the target's own name → host");
    }
    let host =
        host.or_else(|| asks_for_target.then(|| target.trim_end_matches('.').to_ascii_lowercase()));
    let monitor = Monitor { host, headers, ..Monitor::default() };
    (monitor != Monitor::default()).then_some(monitor)
}
