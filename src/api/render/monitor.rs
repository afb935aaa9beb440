//! How an endpoint is probed, without what may be a secret.

use std::net::SocketAddr;
use std::ops::RangeInclusive;

use crate::api::view;
use crate::model::{self, Protocol, TlsCheck};
use crate::snapshot::EndpointState;

pub(super) fn monitor(endpoint: &model::Endpoint, state: &EndpointState) -> view::Monitor {
    let monitor = &endpoint.probe.monitor;
    let probed = state.facts.probe(endpoint);
    let found = endpoint.probe.host.as_ref().zip(state.facts.host.as_ref());
    let found = found.map(|(to, host)| {
        let addresses = host.record.latest().addresses;
        addresses.iter().map(|it| SocketAddr::new(it, to.port).to_string()).collect()
    });
    let source = &monitor.source;
    let source = [source.v4.map(|it| it.to_string()), source.v6.map(|it| it.to_string())];
    let http = monitor.protocol.http();
    let body = http.and_then(|it| it.body.as_ref());
    view::Monitor {
        protocol: monitor.protocol.label().to_owned(),
        addresses: found
            .unwrap_or_else(|| probed.addresses.iter().map(ToString::to_string).collect()),
        source: source.into_iter().flatten().collect(),
        host: monitor.protocol.host().map(|it| it.to_string()),
        path: http.map(|it| it.path.to_string()),
        method: http.map(|it| it.method.label().to_owned()),
        headers: http.iter().flat_map(|it| &it.headers).map(|it| it.name.clone()).collect(),
        expected_status: http.iter().flat_map(|it| &it.expected_status).map(statuses).collect(),
        expected_body: body.map(|it| it.expected.as_written().to_owned()),
        body_limit: body.map(|it| it.limit),
        tls: monitor.protocol.tls().map(tls),
        service: match &monitor.protocol {
            Protocol::Grpc(check) => Some(check.service.to_string()),
            _ => None,
        },
        command: match &monitor.protocol {
            Protocol::Exec(check) => check.command.iter().map(ToString::to_string).collect(),
            _ => Vec::new(),
        },
        interval_seconds: monitor.interval.as_secs_f64(),
        timeout_seconds: monitor.timeout.as_secs_f64(),
        fast_interval_seconds: monitor.fast_interval.as_secs_f64(),
        tolerated_failures: monitor.tolerated_failures,
        required_successes: monitor.required_successes,
        watch_connection: monitor.watch_connection,
        flap: view::Flap {
            count: monitor.flap.count,
            window_seconds: monitor.flap.window.as_secs_f64(),
            hold_down_seconds: monitor.flap.hold_down.as_secs_f64(),
            max_seconds: monitor.flap.max.as_secs_f64(),
        },
    }
}

fn statuses(range: &RangeInclusive<u16>) -> String {
    match range.start() == range.end() {
        true => range.start().to_string(),
        false => format!("{}-{}", range.start(), range.end()),
    }
}

fn tls(check: &TlsCheck) -> view::MonitorTls {
    view::MonitorTls {
        verify: check.verify,
        ca_file: check.anchors.as_ref().map(|it| it.file.display().to_string()),
        client_cert: check.identity.as_ref().map(|it| it.file.display().to_string()),
        min_days_left: check.min_days_left,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::json;

    use super::monitor;
    use crate::control::{Recall, World};
    use crate::model::{Now, Overrides};
    use crate::settings::load_text;

    #[test]
    fn every_key_of_a_monitor_can_be_read_but_secrets() {
        let config = r#"
            [[zone]]
            name = "z."
            nameservers = "ns.example."
            [[profile]]
            name = "app.z."
            method = "weighted"
            [profile.monitor]
            protocol = "https"
            method = "HEAD"
            path = "/healthz"
            source = "127.0.0.1"
            expected_status = ["200", "300-302"]
            headers = { authorization = "Bearer hush" }
            watch_connection = true
            flap = { count = 5 }
            tls = { verify = false, min_days_left = 14 }
            [[profile.endpoint]]
            name = "a"
            target = "127.0.0.2"
        "#;
        let model = load_text(Path::new("farol.toml"), config).unwrap().model;
        let world = World::new(&model, Overrides::default(), Recall::default(), 1, 1, Now::at(0));
        let table = world.snapshot().profile(&"app.z.".parse().unwrap()).unwrap();
        let shown = monitor(&table.profile.endpoints[0], &table.endpoints[0]);
        let shown = serde_json::to_value(shown).unwrap();
        for (key, value) in [
            ("method", json!("HEAD")),
            ("source", json!(["127.0.0.1"])),
            ("expected_status", json!(["200", "300-302"])),
            ("headers", json!(["authorization"])),
            ("watch_connection", json!(true)),
            ("tls", json!({"verify": false, "min_days_left": 14})),
        ] {
            assert_eq!(shown[key], value, "{shown}");
        }
        assert_eq!(shown["flap"]["count"], 5);
        assert!(!shown.to_string().contains("hush"), "{shown}");
    }
}
