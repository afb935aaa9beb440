//! Prometheus scrapes the daemon, and its promtool looks at what it gets.

#![allow(clippy::unwrap_used, reason = "what tests share may panic like tests")]

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpStream;
use std::process::Command;

use common::daemon::Daemon;
use common::http::Http;
use common::program::{self, Program};
use common::site::Site;
use common::{free_address, wait_to_see, wait_until};

/// A daemon with a site that stands and one that fell.
fn daemon(up: &Site, down: &Site) -> Daemon {
    let (up, down) = (up.address, down.address);
    let config = format!(
        "
        [[zone]]
        name = 'gtm.example.'
        nameservers = 'ns.example.'
        [[site]]
        name = 'seattle'
        [[site]]
        name = 'orlando'
        [[profile]]
        name = 'app.gtm.example.'
        method = 'weighted'
        monitor = {{ interval = '1s' }}
        endpoint = [
            {{ name = 'first', site = 'seattle', target = '192.0.2.1', address = '{up}' }},
            {{ name = 'second', site = 'orlando', target = '192.0.2.2', address = '{down}' }},
        ]
        "
    );
    Daemon::start(&config).ready()
}

#[test]
fn promtool_has_no_complaint() {
    let (up, mut down) = (Site::start(), Site::start());
    down.kill();
    let daemon = daemon(&up, &down);
    // Something of everything is to be seen.
    daemon.answers("app.gtm.example.", "A");
    daemon.api.must("POST", "/v1/sites/seattle/drain", r#"{"reason": "work"}"#);
    daemon.api.must("PATCH", "/v1/profiles/app.gtm.example./endpoints/first", r#"{"weight": 3}"#);
    let metrics = Http::new(daemon.api.address).get("/metrics");
    assert_eq!(metrics.status, 200);
    assert!(metrics.body.contains("farol_build_info"), "{}", metrics.body);
    let output = program::run(Command::new("promtool").args(["check", "metrics"]), &metrics.body);
    let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert!(output.status.success() && said.is_empty(), "{said}\n{}", metrics.body);
}

#[test]
fn prometheus_knows_which_endpoints_are_up() {
    let (up, mut down) = (Site::start(), Site::start());
    down.kill();
    let daemon = daemon(&up, &down);
    let (address, target) = (free_address(), daemon.api.address);
    let file = daemon.home.path("prometheus.yml");
    let config = format!(
        "global: {{ scrape_interval: 500ms }}\n\
         scrape_configs: [{{ job_name: farol, static_configs: [{{ targets: ['{target}'] }}] }}]\n"
    );
    fs::write(&file, config).unwrap();
    let mut command = Command::new("prometheus");
    command.arg(format!("--config.file={}", file.display()));
    command.arg(format!("--storage.tsdb.path={}", daemon.home.path("tsdb").display()));
    command.arg(format!("--web.listen-address={address}"));
    let _prometheus = Program::start(&mut command, &daemon.home.path("prometheus.log"));

    wait_until("Prometheus", || TcpStream::connect(address).is_ok());
    let prometheus = Http::new(address);
    let look = || {
        let answer = prometheus.get("/api/v1/query?query=farol_endpoint_up");
        let answer = if answer.status == 200 { answer.json() } else { return BTreeMap::new() };
        let samples = answer["data"]["result"].as_array().unwrap().iter();
        let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
        samples
            .map(|it| {
                let label = |name: &str| text(&it["metric"][name]);
                let labels =
                    format!("{} {} {}", label("profile"), label("endpoint"), label("site"));
                (labels, text(&it["value"][1]))
            })
            .collect()
    };
    let sample = |labels: &str, value: &str| (labels.to_owned(), value.to_owned());
    let expected = BTreeMap::from([
        sample("app.gtm.example. first seattle", "1"),
        sample("app.gtm.example. second orlando", "0"),
    ]);
    wait_to_see(&expected, look);
}
