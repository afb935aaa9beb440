use std::net::Ipv4Addr;
use std::time::Duration;

use super::*;
use crate::health::{Resolution, Resolved};
use crate::model::{
    Endpoint, Failback, FamilyRule, Flap, Geography, Method, Moment, Monitor, Now, ProbeTarget,
    Profile, Protocol, Site, Sources, Target, Verdict, WhenNoneHealthy,
};
use crate::snapshot::{
    AnswerCounters, EndpointFacts, Given, Host, ProfileTable, SiteState, Snapshot,
};

/// More profiles than fit one piece of a scrape.
const PROFILES: usize = 1000;

/// A profile of two endpoints, the first at the site.
fn profile(number: usize) -> Profile {
    let flap =
        Flap { count: 0, window: Duration::ZERO, hold_down: Duration::ZERO, max: Duration::ZERO };
    let monitor = Arc::new(Monitor {
        protocol: Protocol::Tcp,
        source: Sources::default(),
        interval: Duration::from_secs(10),
        timeout: Duration::from_secs(5),
        fast_interval: Duration::from_secs(5),
        tolerated_failures: 3,
        required_successes: 2,
        watch_connection: false,
        flap,
    });
    let endpoint = |(name, site): (&str, Option<&str>)| Endpoint {
        name: name.parse().unwrap(),
        site: site.map(|it| it.parse().unwrap()),
        target: Target::Addresses([Ipv4Addr::LOCALHOST.into()].into_iter().collect()),
        enabled: true,
        weight: 1,
        priority: 1,
        geo: Box::default(),
        subnets: Box::default(),
        location: None,
        capacity: 1,
        slow_start: Duration::ZERO,
        probe: ProbeTarget { addresses: Arc::new([]), host: None, monitor: monitor.clone() },
    };
    Profile {
        name: format!("p{number}.z.").parse().unwrap(),
        enabled: true,
        method: Method::Priority,
        ttl: 30,
        ttl_min: None,
        family: FamilyRule::ByMethod,
        max_return: 2,
        affinity: None,
        failback: Failback::Automatic,
        geo_failover: true,
        when_none_healthy: WhenNoneHealthy::ServeAll,
        panic_threshold: 0,
        guardrails: crate::model::Guardrails::default(),
        endpoints: [("a", Some("west")), ("b", None)].map(endpoint).into_iter().collect(),
    }
}

/// Many profiles, whose first endpoints are down; the second ones stand for names, every tenth of which is resolved.
fn metrics(per_endpoint: bool) -> Metrics {
    let table = |number| {
        let record = Resolved::default();
        let at = (number % 10 == 0).then(|| (Timestamp(0), Moment(Duration::from_secs(1))));
        record.record(Resolution { at, failures: 3, ..Resolution::default() });
        let host = Some(Host::in_record(Arc::new(record)));
        let facts = [(Verdict::Degraded, None), (Verdict::Unknown, host)]
            .map(|(verdict, host)| EndpointFacts { verdict, host, ..EndpointFacts::default() });
        let counters = Arc::new(AnswerCounters::new(1, Box::new([0; 3]), 1));
        let geography = Geography::default();
        let given = Given { previous: None, enabled: None, geography: &geography, now: Now::at(0) };
        ProfileTable::new(Arc::new(profile(number)), facts.into(), counters, given)
    };
    let west = Site { name: "west".parse().unwrap(), location: None, requests: None };
    let snapshot = Snapshot {
        profiles: (0..PROFILES).map(table).collect(),
        sites: [SiteState { site: west, drained: None, returning: None, left_behind: None }].into(),
        ..Snapshot::default()
    };
    let live = Arc::new(Live::new(Arc::new(snapshot), 1));
    let exposure = Arc::new(Exposure::new(per_endpoint, false));
    let dns = Arc::new(DnsCounters::new(1));
    let (log, _) = tracing_appender::non_blocking(std::io::sink());
    let (registry, fleet) = (Registry::new(), FleetMetrics::default());
    Metrics::new(registry, live, dns, exposure, fleet, log.error_counter(), Timestamp(0))
}

fn scrape(metrics: &Metrics) -> Vec<String> {
    metrics.scrape(Now::at(31_000), true).unwrap().collect()
}

#[test]
fn a_large_scrape_comes_in_small_pieces_that_make_one_text() {
    let pieces = scrape(&metrics(true));
    let longest = pieces.iter().map(String::len).max().unwrap();
    assert!(pieces.len() > 20 && longest < 32 * 1024, "{} of {longest}", pieces.len());
    let text = pieces.concat();
    let mut families: Vec<&str> = Vec::new();
    for line in text.lines() {
        if let Some(head) = line.strip_prefix("# HELP ") {
            families.push(head.split(' ').next().unwrap());
        } else if !line.starts_with('#') {
            assert!(line.starts_with(families.last().unwrap()), "{line} is not with its family");
        }
    }
    let count = families.len();
    families.sort_unstable();
    families.dedup();
    assert_eq!(families.len(), count, "each family begins once");
    let series = |start: &str| text.lines().filter(|it| it.starts_with(start)).count();
    assert_eq!(series("farol_endpoint_status{"), 2 * 8 * PROFILES);
    assert_eq!(series("farol_profile_fail_open{"), PROFILES);
    assert_eq!(series("farol_target_resolved{"), PROFILES, "only of names");
    assert_eq!(series("farol_target_resolution_age_seconds{"), PROFILES / 10);
    for line in [
        "farol_target_resolved{profile=\"p0.z.\",endpoint=\"b\",site=\"\"} 1",
        "farol_target_resolved{profile=\"p1.z.\",endpoint=\"b\",site=\"\"} 0",
        "farol_target_resolution_age_seconds{profile=\"p0.z.\",endpoint=\"b\",site=\"\"} 30",
    ] {
        assert!(text.contains(&format!("\n{line}\n")), "{line} is missing");
    }
}

#[test]
fn totals_stay_when_series_of_endpoints_are_off() {
    let metrics = metrics(false);
    let pieces = scrape(&metrics);
    // Also where there is little to write, no piece is about all profiles.
    let parts = PROFILES.div_ceil(256);
    assert!(pieces.len() > 2 * parts, "{}", pieces.len());
    let text = pieces.concat();
    for line in [
        "farol_endpoints{status=\"Degraded\"} 1000",
        "farol_endpoints{status=\"CheckingEndpoint\"} 1000",
        "farol_endpoints{status=\"Online\"} 0",
        "farol_profiles{status=\"Degraded\"} 1000",
        "farol_profiles_fail_open 0",
        "farol_site_endpoints{site=\"west\",status=\"Degraded\"} 1000",
        "farol_site_endpoints{site=\"west\",status=\"Online\"} 0",
        "farol_verdicts_stale 2000",
        "farol_targets_unresolved 900",
        "farol_overrides{kind=\"weight\"} 0",
        "farol_profiles_overridden 0",
        "farol_changes_pending 0",
        "farol_ready 1",
    ] {
        assert!(text.contains(&format!("\n{line}\n")), "{line} is missing:\n{text}");
    }
    assert!(!text.contains("profile=\""), "{text}");
    metrics.exposure.set(true, true);
    assert!(scrape(&metrics).concat().contains("profile=\"p0.z.\""));
    assert!(metrics.are_protected());
}
