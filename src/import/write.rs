//! Writes a draft down as a configuration for people: TOML with a comment wherever one helps.

use std::collections::HashSet;
use std::fmt::Write;

use toml_edit::Value;

use super::draft::{Draft, Endpoint, Monitor, Probe, Profile, Site, Target, Zone, ident};
use super::report::one_line;
use crate::model::Method;

/// The configuration's text.
pub(super) fn write(draft: &Draft) -> String {
    let mut out = String::new();
    draft.notes.iter().for_each(|it| comment(&mut out, it));
    draft.zones.iter().for_each(|it| zone(&mut out, it));
    let monitors = monitors(&draft.profiles);
    for (name, monitor) in &monitors {
        let _ = writeln!(out, "\n[monitor.{name}]");
        keys(monitor).iter().for_each(|it| key(&mut out, it));
    }
    draft.sites.iter().for_each(|it| site(&mut out, it));
    for it in &draft.profiles {
        let known = it.monitor.as_ref().and_then(|own| monitors.iter().find(|it| it.1 == own));
        profile(&mut out, it, known.map(|it| it.0.as_str()));
    }
    out
}

/// The monitors of the profiles, each once, by names that say what they are.
fn monitors(profiles: &[Profile]) -> Vec<(String, &Monitor)> {
    let mut taken = HashSet::new();
    let mut monitors: Vec<(String, &Monitor)> = Vec::new();
    for monitor in profiles.iter().filter_map(|it| it.monitor.as_ref()) {
        if monitors.iter().all(|it| it.1 != monitor) {
            let protocol = monitor.protocol.unwrap_or(Probe::Http).label();
            let name = match monitor.port {
                Some(port) => format!("{protocol}-{port}"),
                None => protocol.to_owned(),
            };
            monitors.push((ident(&name, &mut taken), monitor));
        }
    }
    monitors
}

fn comment(out: &mut String, text: &str) {
    let _ = writeln!(out, "# {}", one_line(text));
}

fn key(out: &mut String, (name, value): &(&str, String)) {
    let _ = writeln!(out, "{name} = {value}");
}

/// A text as TOML has it.
fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

fn list<'t>(texts: impl IntoIterator<Item = &'t str>) -> String {
    let texts: Vec<String> = texts.into_iter().map(quoted).collect();
    format!("[{}]", texts.join(", "))
}

/// One text stands for itself, several are a list.
fn one_or_list(texts: &[String]) -> String {
    match texts {
        [one] => quoted(one),
        _ => list(texts.iter().map(String::as_str)),
    }
}

/// A number with a decimal point, which a float in TOML must have.
fn degrees(it: f64) -> String {
    format!("{it:?}")
}

fn zone(out: &mut String, zone: &Zone) {
    out.push_str("\n[[zone]]\n");
    key(out, &("name", quoted(&zone.name)));
    key(out, &("nameservers", list(zone.nameservers.iter().map(String::as_str))));
}

fn site(out: &mut String, site: &Site) {
    out.push_str("\n[[site]]\n");
    key(out, &("name", quoted(&site.name)));
    if let Some((latitude, longitude)) = site.place {
        let region = site.region.map(|it| format!(", region = {}", quoted(it)));
        let (latitude, longitude) = (degrees(latitude), degrees(longitude));
        let _ = writeln!(
            out,
            "location = {{ latitude = {latitude}, longitude = {longitude}{} }}",
            region.unwrap_or_default()
        );
    }
}

fn profile(out: &mut String, profile: &Profile, monitor: Option<&str>) {
    out.push('\n');
    profile.notes.iter().for_each(|it| comment(out, it));
    out.push_str("[[profile]]\n");
    let mut keys = vec![
        ("name", quoted(&profile.name)),
        ("method", quoted(profile.method.label())),
        ("ttl", profile.ttl.to_string()),
    ];
    if !profile.enabled {
        keys.insert(1, ("enabled", "false".to_owned()));
    }
    keys.extend(profile.ttl_min.map(|it| ("ttl_min", it.to_string())));
    keys.extend(monitor.map(|it| ("monitor", quoted(it))));
    if profile.any_family {
        keys.push(("family", quoted("any")));
    }
    if profile.panic_threshold > 0 {
        keys.push(("panic_threshold", profile.panic_threshold.to_string()));
    }
    keys.extend(profile.max_return.map(|it| ("max_return", it.to_string())));
    if profile.method == Method::Geographic && !profile.geo_failover {
        keys.push(("geo_failover", "false".to_owned()));
    }
    if profile.flatten {
        keys.push(("flatten", "true".to_owned()));
    }
    keys.iter().for_each(|it| key(out, it));
    profile.endpoints.iter().for_each(|it| endpoint(out, it));
}

fn endpoint(out: &mut String, endpoint: &Endpoint) {
    out.push('\n');
    endpoint.notes.iter().for_each(|it| comment(out, it));
    out.push_str("[[profile.endpoint]]\n");
    let mut keys = vec![("name", quoted(&endpoint.name))];
    keys.extend(endpoint.site.as_deref().map(|it| ("site", quoted(it))));
    match &endpoint.target {
        Target::Addresses(addresses) => {
            let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
            keys.push(("target", one_or_list(&addresses)));
        }
        Target::Name(name) => keys.push(("target", quoted(name))),
        Target::Profile { name, min } => {
            keys.push(("profile", quoted(name)));
            for (key, least, min) in [
                ("min_child_endpoints", 1, min.any),
                ("min_child_endpoints_ipv4", 0, min.v4),
                ("min_child_endpoints_ipv6", 0, min.v6),
            ] {
                keys.extend((min > least).then(|| (key, min.to_string())));
            }
        }
    }
    if !endpoint.enabled {
        keys.push(("enabled", "false".to_owned()));
    }
    keys.extend(endpoint.weight.map(|it| ("weight", it.to_string())));
    keys.extend(endpoint.priority.map(|it| ("priority", it.to_string())));
    if !endpoint.geo.is_empty() {
        keys.push(("geo", one_or_list(&endpoint.geo)));
    }
    if !endpoint.subnets.is_empty() {
        keys.push(("subnets", one_or_list(&endpoint.subnets)));
    }
    if let Some(monitor) = &endpoint.monitor {
        let inline: Vec<String> =
            self::keys(monitor).iter().map(|(key, value)| format!("{key} = {value}")).collect();
        keys.push(("monitor", format!("{{ {} }}", inline.join(", "))));
    }
    keys.iter().for_each(|it| key(out, it));
}

/// A monitor's keys in the order of config/reference.toml.
fn keys(monitor: &Monitor) -> Vec<(&'static str, String)> {
    let mut keys = Vec::new();
    keys.extend(monitor.protocol.map(|it| ("protocol", quoted(it.label()))));
    keys.extend(monitor.port.map(|it| ("port", it.to_string())));
    keys.extend(monitor.host.as_deref().map(|it| ("host", quoted(it))));
    keys.extend(monitor.path.as_deref().map(|it| ("path", quoted(it))));
    if !monitor.headers.is_empty() {
        let headers: Vec<String> =
            monitor.headers.iter().map(|(name, value)| header(name, value)).collect();
        keys.push(("headers", format!("{{ {} }}", headers.join(", "))));
    }
    if !monitor.expected_status.is_empty() {
        let statuses = monitor.expected_status.iter().map(String::as_str);
        keys.push(("expected_status", list(statuses)));
    }
    keys.extend(monitor.interval.map(|it| ("interval", quoted(&format!("{it}s")))));
    keys.extend(monitor.timeout.map(|it| ("timeout", quoted(&milliseconds(it)))));
    keys.extend(monitor.tolerated_failures.map(|it| ("tolerated_failures", it.to_string())));
    keys.extend(monitor.required_successes.map(|it| ("required_successes", it.to_string())));
    keys.extend(monitor.verify.map(|it| ("tls", format!("{{ verify = {it} }}"))));
    keys
}

/// `${` in a value stands for a file or a variable, unless it is escaped.
fn header(name: &str, value: &str) -> String {
    format!("{} = {}", quoted(name), quoted(&value.replace("${", "$${")))
}

fn milliseconds(it: u64) -> String {
    if it.is_multiple_of(1000) { format!("{}s", it / 1000) } else { format!("{it}ms") }
}
