use super::{discovered, wide};
use crate::api::view;
use crate::cli::output::{ago, lasting, list, one_line, override_in_words, percent, table};

/// The endpoints of these profiles, with the probe's reason for those that fail; below, what operators changed.
/// Of a single profile that the reader named, each line need not say the name again. A `wide` one has more columns.
pub(in crate::cli) fn endpoint_table(
    profiles: &[view::Profile],
    named: bool,
    wide: bool,
) -> String {
    let mut rows = Vec::new();
    let mut overrides = String::new();
    for profile in profiles {
        for endpoint in &profile.endpoints {
            let mut row = row(endpoint, wide);
            row.insert(0, if named { String::new() } else { profile.name.clone() });
            rows.push(row);
            for it in &endpoint.overrides {
                let (name, words) = (&endpoint.name, override_in_words(it));
                overrides.push_str(&match named {
                    true => format!("* {name}: {words}\n"),
                    false => format!("* {} {name}: {words}\n", profile.name),
                });
            }
        }
    }
    if rows.is_empty() {
        return "The configuration has no endpoint.".to_owned();
    }
    let header = [
        "PROFILE",
        "ENDPOINT",
        "SITE",
        "TARGET",
        "STATUS",
        "SINCE",
        ">WEIGHT",
        ">PRIORITY",
        "GEO",
        "SUBNETS",
        "LOCATION",
        ">SHARE",
    ];
    let header = [&header[..], &wide::HEADER, &["NOTE"]].concat();
    let table = table(&header, rows);
    if overrides.is_empty() { table } else { format!("{table}\n\n{overrides}") }
}

fn row(endpoint: &view::Endpoint, wide: bool) -> Vec<String> {
    let mark = |field: &str| {
        if endpoint.overrides.iter().any(|it| it.field == field) { "*" } else { "" }
    };
    let mut cells = vec![
        endpoint.name.clone(),
        endpoint.site.clone().unwrap_or_default(),
        target(endpoint),
        format!("{}{}{}", endpoint.status, mark("enabled"), mark("forced")),
        ago(&endpoint.since),
        format!("{}{}", endpoint.weight, mark("weight")),
        format!("{}{}", endpoint.priority, mark("priority")),
        few(&endpoint.geo),
        few(&endpoint.subnets),
        location(endpoint),
        percent(endpoint.share),
    ];
    cells.extend(if wide { wide::cells(endpoint) } else { Default::default() });
    cells.push(note(endpoint));
    cells
}

/// What else there is to know about its status.
pub(in crate::cli) fn note(endpoint: &view::Endpoint) -> String {
    let mut notes = Vec::new();
    if let Some(forced) = &endpoint.forced {
        notes.push(format!("forced {forced}"));
    }
    if let Some(ramp) = &endpoint.ramp {
        notes
            .push(format!("starts slowly: {} % of its share, all at {}", ramp.percent, ramp.until));
    }
    if let Some(reason) = endpoint.last_probe.as_ref().and_then(|it| it.reason.as_deref()) {
        notes.push(one_line(reason));
    }
    if let Some(until) = &endpoint.held_down_until {
        notes.push(format!("held down until {until}"));
    }
    if let Some(certificate) = endpoint.certificate.as_ref().filter(|it| it.expires_soon) {
        notes.push(format!("certificate expires {}", certificate.expires));
    }
    if endpoint.stale {
        notes.push("stale: probes have stopped or say nothing".to_owned());
    }
    notes.join("; ")
}

fn target(endpoint: &view::Endpoint) -> String {
    if let Some(profile) = &endpoint.profile {
        return format!("profile {profile}");
    }
    let addresses: Vec<String> = endpoint.target.iter().map(ToString::to_string).collect();
    addresses.join(", ")
}

/// What was found of the name that it stands for.
fn resolved(name: &view::Resolved) -> String {
    let Some(at) = &name.at else { return "nothing so far".to_owned() };
    let addresses: Vec<String> = name.addresses.iter().map(ToString::to_string).collect();
    format!("{}, found {}, for {} s", addresses.join(", "), ago(at), name.ttl_seconds)
}

/// When that name was asked for, and when it will be.
fn asked(name: &view::Resolved) -> String {
    let next = name.next.as_ref().map(|it| format!("again at {it}"));
    let failing = name.error.as_ref().map(|_| "failed".to_owned());
    let parts = [name.asked.as_deref().map(ago), failing, next];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

fn last_failure(name: &view::Resolved) -> String {
    let failure = name.last_failure.as_ref();
    failure.map(|it| format!("{}: {}", ago(&it.at), one_line(&it.reason))).unwrap_or_default()
}

/// What a nested profile must have to serve.
fn children(endpoint: &view::Endpoint) -> String {
    let least = |least: Option<u16>, what: &str| {
        least.filter(|it| *it > 0).map(|it| format!("{it} healthy{what}"))
    };
    let needs = [
        least(endpoint.min_child_endpoints, ""),
        least(endpoint.min_child_endpoints_ipv4, " with IPv4"),
        least(endpoint.min_child_endpoints_ipv6, " with IPv6"),
    ];
    needs.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

fn slow_start(endpoint: &view::Endpoint) -> String {
    endpoint.slow_start_seconds.map(|it| format!("{it} s")).unwrap_or_default()
}

/// The first of them, where all would make a table too wide.
fn few(items: &[String]) -> String {
    const MOST: usize = 3;
    let shown = items.get(..MOST).unwrap_or(items).join(", ");
    match items.len().saturating_sub(MOST) {
        0 => shown,
        more => format!("{shown} +{more}"),
    }
}

fn location(endpoint: &view::Endpoint) -> String {
    let location = endpoint.location.as_ref();
    location.map(|it| format!("{}, {}", it.latitude, it.longitude)).unwrap_or_default()
}

/// Everything about one endpoint.
pub(super) fn endpoint(profile: &str, endpoint: &view::Endpoint) -> String {
    let note = note(endpoint);
    let note = if note.is_empty() { note } else { format!(" ({note})") };
    let overrides: Vec<String> = endpoint.overrides.iter().map(override_in_words).collect();
    let name = |part: fn(&view::Resolved) -> String| endpoint.resolved.as_ref().map(part);
    let [discovered, stale, workload] = discovered::cells(endpoint.discovered.as_ref());
    list(&[
        ("endpoint", endpoint.name.clone()),
        ("profile", profile.to_owned()),
        ("site", endpoint.site.clone().unwrap_or_default()),
        ("target", target(endpoint)),
        ("discovered", discovered),
        ("stale", stale),
        ("workload", workload),
        ("resolved", name(resolved).unwrap_or_default()),
        ("asked", name(asked).unwrap_or_default()),
        ("last failure", name(last_failure).unwrap_or_default()),
        ("needs", children(endpoint)),
        ("status", format!("{} for {}{note}", endpoint.status, lasting(&endpoint.since))),
        ("verdict", endpoint.verdict.clone().unwrap_or_default()),
        ("enabled", endpoint.enabled.to_string()),
        ("drained", if endpoint.drained { "drained" } else { "" }.to_owned()),
        ("weight", endpoint.weight.to_string()),
        ("priority", endpoint.priority.to_string()),
        ("geo", endpoint.geo.join(", ")),
        ("subnets", endpoint.subnets.join(", ")),
        ("location", location(endpoint)),
        ("slow start", slow_start(endpoint)),
        ("share", percent(endpoint.share)),
        (
            "monitor",
            if endpoint.profile.is_none() { monitor(&endpoint.monitor) } else { String::new() },
        ),
        ("last probe", endpoint.last_probe.as_ref().map(last_probe).unwrap_or_default()),
        (
            "certificate",
            endpoint
                .certificate
                .as_ref()
                .map(|it| format!("expires {}", it.expires))
                .unwrap_or_default(),
        ),
        ("overrides", overrides.join("\n")),
    ])
}

fn monitor(monitor: &view::Monitor) -> String {
    let host = monitor.host.as_ref().map(|it| format!(", host {it}")).unwrap_or_default();
    let path = monitor.path.as_deref().unwrap_or_default();
    match monitor.addresses.as_slice() {
        [] => monitor.protocol.clone(),
        addresses => format!(
            "{} to {}{path}{host}, every {} s, down after {} failures, up after {} successes",
            monitor.protocol,
            addresses.join(" and "),
            monitor.interval_seconds,
            u16::from(monitor.tolerated_failures) + 1,
            monitor.required_successes,
        ),
    }
}

fn last_probe(probe: &view::LastProbe) -> String {
    let reason = probe.reason.as_ref().map(|it| format!(": {}", one_line(it))).unwrap_or_default();
    format!("{} {} in {:.1} ms{reason}", probe.result, ago(&probe.at), probe.seconds * 1000.0)
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    #[test]
    fn a_table_has_reasons_and_marks_overrides() {
        let text = endpoint_table(&[samples::profile()], true, false);
        // The times go on while the test runs.
        let line = |at: usize| text.lines().nth(at).unwrap_or_default();
        assert!(line(0).starts_with("ENDPOINT  SITE"), "{text}");
        assert!(line(0).ends_with("WEIGHT  PRIORITY  SHARE  NOTE"), "{text}");
        assert!(line(1).contains("192.0.2.1  Degraded"), "{text}");
        assert!(line(1).ends_with("    60         1   60 %  connect: refused"), "{text}");
        assert!(line(2).ends_with("    40*         1   40 %"), "{text}");
        assert!(line(4).starts_with("* orlando: weight 40 by admin, "), "{text}");
        assert!(line(4).ends_with(" ago, until 2026-05-01T14:00:00Z: less load"), "{text}");
    }

    #[test]
    fn several_profiles_are_told_apart() {
        let text = endpoint_table(&[samples::profile(), samples::profile()], false, false);
        assert!(text.starts_with("PROFILE           ENDPOINT"), "{text}");
        assert!(text.contains("* app.gtm.example. orlando: weight"), "{text}");
    }

    #[test]
    fn one_endpoint_is_shown_in_full() {
        let text = endpoint("app.gtm.example.", &samples::profile().endpoints[0]);
        let monitor = "monitor     https to 192.0.2.1:443/healthz, host app.gtm.example, every 10 s, \
                       down after 4 failures, up after 2 successes\n";
        assert!(text.contains(monitor), "{text}");
        assert!(text.contains(" in 1.5 ms: connect: refused\n"), "{text}");
        assert!(text.contains("verdict     Degraded\n"), "{text}");
        assert!(!text.contains("certificate"), "{text}");
        for (expires_soon, times) in [(false, 1), (true, 2)] {
            let expires = "2026-12-01T00:00:00Z".to_owned();
            let certificate = Some(view::Certificate { expires, expires_soon });
            let shown = view::Endpoint { certificate, ..samples::profile().endpoints[0].clone() };
            let text = endpoint("app.gtm.example.", &shown);
            assert!(text.contains("expires 2026-12-01T00:00:00Z\n"), "{text}");
            assert_eq!(text.matches("expires 2026-12-01T").count(), times, "{text}");
        }
    }

    #[test]
    fn a_nested_profile_and_a_slow_start_are_shown() {
        let nested = view::Endpoint {
            profile: Some("eu.gtm.example.".to_owned()),
            target: Vec::new(),
            min_child_endpoints: Some(2),
            min_child_endpoints_ipv4: Some(0),
            min_child_endpoints_ipv6: Some(1),
            slow_start_seconds: Some(60.0),
            ramp: Some(view::Ramp { percent: 55.0, until: "2026-05-01T12:00:30Z".to_owned() }),
            ..samples::endpoint("eu")
        };
        let text = endpoint("app.gtm.example.", &nested);
        let ramp = "starts slowly: 55 % of its share, all at 2026-05-01T12:00:30Z";
        for line in [
            "target      profile eu.gtm.example.\n",
            "needs       2 healthy, 1 healthy with IPv6\n",
            "slow start  60 s\n",
            ramp,
        ] {
            assert!(text.contains(line), "{text}");
        }
        assert!(!text.contains("monitor"), "{text}");
        let text = endpoint_table(
            &[view::Profile { endpoints: vec![nested], ..samples::profile() }],
            true,
            false,
        );
        assert!(text.contains("  profile eu.gtm.example.  ") && text.ends_with(ramp), "{text}");
    }

    #[test]
    fn what_a_name_was_found_to_be_is_shown() {
        let never = view::Resolved {
            addresses: Vec::new(),
            ttl_seconds: 0,
            at: None,
            asked: None,
            next: None,
            error: None,
            last_failure: None,
        };
        let time = |minute: u8| format!("2026-05-01T12:{minute:02}:00Z");
        let addresses = ["192.0.2.1", "2001:db8::1"].map(|it| it.parse().unwrap()).to_vec();
        let (at, asked, next) = (Some(time(1)), Some(time(1)), Some(time(3)));
        let good = view::Resolved { addresses, ttl_seconds: 30, at, asked, next, ..never.clone() };
        let failure = view::FailedResolution { at: time(1), reason: "timed\nout".to_owned() };
        let (error, last_failure) = (Some("timed out".to_owned()), Some(failure));
        let lost = view::Resolved { error, last_failure, ..good.clone() };
        for (resolved, lines) in [
            (never, &["resolved  nothing so far\nstatus  "][..]),
            (
                good,
                &[
                    "resolved  192.0.2.1, 2001:db8::1, found AGO, for 30 s\n",
                    "asked     AGO, again at 2026-05-01T12:03:00Z\nstatus",
                ],
            ),
            (
                lost,
                &[
                    "asked         AGO, failed, again at 2026-05-01T12:03:00Z\n",
                    "last failure  AGO: timed out\n",
                ],
            ),
        ] {
            let shown = view::Endpoint { resolved: Some(resolved), ..samples::endpoint("eu") };
            // The times go on while the test runs.
            let text = endpoint("app.gtm.example.", &shown).replace(&ago(&time(1)), "AGO");
            for line in lines {
                assert!(text.contains(line), "{line}\nnot in\n{text}");
            }
        }
        let text = endpoint("app.gtm.example.", &samples::endpoint("eu"));
        assert!(!text.contains("resolved") && !text.contains("asked"), "{text}");
    }

    #[test]
    fn who_is_served_is_shown_where_it_is_set() {
        let texts = |it: &[&str]| it.iter().map(|it| (*it).to_owned()).collect();
        let location = view::Location { latitude: 47.6, longitude: -122.3, region: None };
        let set = view::Endpoint {
            geo: texts(&["US", "CA", "MX", "GEO-SA", "AQ"]),
            subnets: texts(&["10.0.0.0/8"]),
            location: Some(location),
            ..samples::endpoint("seattle")
        };
        let text = endpoint("app.gtm.example.", &set);
        assert!(text.contains("geo       US, CA, MX, GEO-SA, AQ\n"), "{text}");
        assert!(text.contains("subnets   10.0.0.0/8\nlocation  47.6, -122.3\n"), "{text}");
        let profile = view::Profile { endpoints: vec![set], ..samples::profile() };
        let text = endpoint_table(&[profile], true, false);
        assert!(
            text.contains("  PRIORITY  GEO            SUBNETS     LOCATION      SHARE"),
            "{text}"
        );
        assert!(text.contains("  US, CA, MX +2  10.0.0.0/8  47.6, -122.3   60 %"), "{text}");
        let text = endpoint("app.gtm.example.", &samples::endpoint("seattle"));
        assert!(!text.contains("geo") && !text.contains("subnets"), "{text}");
    }
}
