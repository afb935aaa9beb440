//! Answers of the API for tests of what is made of them.

use serde_json::json;

use crate::api::view;

const TIME: &str = "2026-05-01T12:00:00Z";

/// An endpoint that is Online and has a weight of 60.
pub(in crate::cli) fn endpoint(name: &str) -> view::Endpoint {
    view::Endpoint {
        name: name.to_owned(),
        site: Some(name.to_owned()),
        target: vec!["192.0.2.1".to_owned()],
        profile: None,
        min_child_endpoints: None,
        min_child_endpoints_ipv4: None,
        min_child_endpoints_ipv6: None,
        resolved: None,
        discovered: None,
        enabled: true,
        weight: 60,
        priority: 1,
        geo: Vec::new(),
        subnets: Vec::new(),
        location: None,
        capacity: 1,
        slow_start_seconds: None,
        ramp: None,
        status: "Online".to_owned(),
        since: TIME.to_owned(),
        forced: None,
        verdict: Some("Online".to_owned()),
        drained: false,
        effective_weight: 60.0,
        cached_until: None,
        answers: 1200,
        share: Some(60.0),
        monitor: view::Monitor {
            protocol: "https".to_owned(),
            addresses: vec!["192.0.2.1:443".to_owned()],
            host: Some("app.gtm.example".to_owned()),
            path: Some("/healthz".to_owned()),
            interval_seconds: 10.0,
            timeout_seconds: 5.0,
            fast_interval_seconds: 5.0,
            tolerated_failures: 3,
            required_successes: 2,
            ..view::Monitor::default()
        },
        last_probe: None,
        certificate: None,
        stale: false,
        held_down_until: None,
        overrides: Vec::new(),
    }
}

/// A profile with a failing endpoint and one whose weight was changed.
pub(in crate::cli) fn profile() -> view::Profile {
    let failing = view::Endpoint {
        status: "Degraded".to_owned(),
        verdict: Some("Degraded".to_owned()),
        last_probe: Some(view::LastProbe {
            at: TIME.to_owned(),
            result: "failed".to_owned(),
            phase: "connect".to_owned(),
            seconds: 0.0015,
            reason: Some("connect: refused".to_owned()),
        }),
        ..endpoint("seattle")
    };
    let changed = view::Endpoint {
        weight: 40,
        share: Some(40.0),
        overrides: vec![view::Override {
            field: "weight".to_owned(),
            value: json!(40),
            by: "admin".to_owned(),
            reason: Some("less load".to_owned()),
            at: TIME.to_owned(),
            expires: Some("2026-05-01T14:00:00Z".to_owned()),
        }],
        ..endpoint("orlando")
    };
    view::Profile {
        name: "app.gtm.example.".to_owned(),
        etag: "\"1\"".to_owned(),
        status: "Degraded".to_owned(),
        enabled: true,
        method: "weighted".to_owned(),
        ttl: 30,
        ttl_min: None,
        effective_ttl: 30,
        max_return: None,
        affinity: None,
        failback: None,
        active_priority: None,
        awaits_failback: false,
        geo_failover: None,
        family: "by-method".to_owned(),
        when_none_healthy: "serve_all".to_owned(),
        fallback: Vec::new(),
        panic_threshold: 0,
        guardrails: None,
        fail_open: false,
        flatten: false,
        overrides: Vec::new(),
        endpoints: vec![failing, changed],
    }
}
