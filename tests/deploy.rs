//! What operators take over into their monitoring: alert rules and a dashboard.

#![allow(clippy::unwrap_used, reason = "what tests share may panic like tests")]

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use common::daemon::{Daemon, Home};
use common::http::Http;
use common::kubernetes::Cluster;
use common::{loopback, program, tls, wait_for};
use serde_json::Value;

const RULES: &str = "deploy/prometheus/farol.rules.yml";
const RULES_TESTS: [&str; 2] =
    ["deploy/prometheus/farol.rules.test.yml", "deploy/prometheus/farol.slow-rules.test.yml"];
const DASHBOARD: &str = "deploy/grafana/farol.json";

const ZONE: &str = "[[zone]]\nname = 'gtm.example.'\nnameservers = 'ns.example.'\n";
/// An endpoint whose address a cluster tells, and where that is.
const DISCOVERED: &str = "
    [fleet]
    file = 'fleet.yaml'
    [[site]]
    name = 'sea'
    [[profile]]
    name = 'app.gtm.example.'
    method = 'priority'
    endpoint = [{ name = 'a', site = 'sea', discovered = true }]
";
/// But for the kubeconfig.
const FLEET: &str = "
sites:
- name: sea
  cluster: { kubeconfig: KUBECONFIG }
  endpoint: { profile: app.gtm.example., name: a, from: { service: default/b, port: 80 }, workload: default/b }
";

fn path(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(file)
}

fn read(file: &str) -> String {
    fs::read_to_string(path(file)).unwrap()
}

#[track_caller]
fn promtool(arguments: &[&str], file: &Path) {
    let output = program::run(Command::new("promtool").args(arguments).arg(file), "");
    let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert!(output.status.success(), "{said}");
}

fn dashboard() -> Value {
    serde_json::from_str(&read(DASHBOARD)).unwrap()
}

/// The dashboard's panels, rows too.
fn panels(dashboard: &Value) -> &[Value] {
    dashboard["panels"].as_array().unwrap()
}

/// Every expression of the dashboard, with something in the place of its variables.
fn expressions(dashboard: &Value) -> Vec<String> {
    let targets = panels(dashboard).iter().filter_map(|it| it["targets"].as_array()).flatten();
    let plain = |it: &Value| {
        let text = it["expr"].as_str().unwrap().replace("$__rate_interval", "5m");
        let text = ["instance", "profile", "site"]
            .iter()
            .fold(text, |text, name| text.replace(&format!("${name}"), ".*"));
        assert!(!text.contains('$'), "{text}");
        text
    };
    targets.map(plain).collect()
}

/// The words of a text that are names of our metrics.
fn metrics(text: &str) -> BTreeSet<&str> {
    let words = text.split(|it: char| !it.is_ascii_alphanumeric() && it != '_' && it != ':');
    words.filter(|it| it.starts_with("farol_") || it.starts_with("process_")).collect()
}

/// The families of a fresh daemon's metrics.
fn families() -> BTreeSet<String> {
    // What is known of its certificates and its clusters is shown where there are some.
    let admin = tls::FILES.replace("server", "admin");
    let dns = format!("[server]\nlisten_tls = '{}:0'\n{}", loopback(), tls::FILES);
    let home = Home::new(&format!("{dns}{admin}{ZONE}{DISCOVERED}"));
    let cluster = Cluster::start("sea");
    cluster.puppet().pods_behind("default", "b", &[true]);
    let kubeconfig = cluster.kubeconfig();
    home.write("fleet.yaml", &FLEET.replace("KUBECONFIG", kubeconfig.to_str().unwrap()));
    let certificate = tls::renew(&home);
    let daemon = home.start();
    let scrape = || {
        let client = tls::config(&certificate, b"http/1.1");
        let mut stream = tls::connect(daemon.api.address, client).unwrap();
        let request = "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
        stream.write_all(request.as_bytes()).unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text
    };
    let text = wait_for("a look at the cluster", || {
        let known = [
            "farol_fleet_discovery_reachable",
            "farol_fleet_reachable",
            "farol_fleet_workload_ready",
        ];
        Some(scrape()).filter(|it| known.iter().all(|known| it.contains(known)))
    });
    let heads = text.lines().filter_map(|it| it.strip_prefix("# TYPE "));
    heads.map(|it| it.split(' ').next().unwrap().to_owned()).collect()
}

#[test]
fn every_alert_fires_when_it_should_and_only_then() {
    promtool(&["check", "config"], &path("deploy/prometheus/prometheus.yml"));
    promtool(&["check", "rules"], &path(RULES));
    RULES_TESTS.iter().for_each(|it| promtool(&["test", "rules"], &path(it)));
    let (rules, page) = (read(RULES), read("docs/ALERTS.md"));
    let tests = RULES_TESTS.map(read).concat();
    let alerts = |text: &str, start: &str| -> BTreeSet<String> {
        text.lines().filter_map(|it| it.trim().strip_prefix(start)).map(str::to_owned).collect()
    };
    let all = alerts(&rules, "- alert: ");
    assert!(all.len() > 15);
    assert_eq!(alerts(&tests, "- name: "), all, "each has a test");
    assert_eq!(alerts(&page, "## "), all, "each is explained");
    for alert in all {
        let fires = format!("labels: '{{alertname=\"{alert}\"}}'");
        assert!(tests.contains(&fires), "{alert} never fires in its test");
        let runbook = format!("runbook: docs/ALERTS.md#{}\n", alert.to_lowercase());
        assert!(rules.contains(&runbook), "{alert} has no runbook");
    }
}

#[test]
fn every_expression_of_the_dashboard_is_one() {
    let rules: String = (0..)
        .zip(expressions(&dashboard()))
        .map(|(at, it)| {
            format!("  - {{ record: 'expression:{at}', expr: '{}' }}\n", it.replace('\'', "''"))
        })
        .collect();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("dashboard.yml");
    fs::write(&file, format!("groups:\n- name: dashboard\n  rules:\n{rules}")).unwrap();
    promtool(&["check", "rules"], &file);
}

#[test]
fn every_metric_that_is_named_exists_and_every_other_is_documented() {
    let families = families();
    let exists = |name: &str| {
        let parts = ["_bucket", "_sum", "_count"];
        families.contains(name)
            || parts.iter().any(|it| name.strip_suffix(it).is_some_and(|it| families.contains(it)))
    };
    let queries = dashboard()["templating"]["list"].to_string();
    let mut named = expressions(&dashboard());
    named.extend(RULES_TESTS.map(read));
    named.extend([read(RULES), read("docs/ALERTS.md"), queries]);
    for text in &named {
        for metric in metrics(text) {
            assert!(exists(metric), "{metric} is no metric of the daemon");
        }
    }
    let page = read("docs/OPERATING.md");
    let table =
        page.lines().filter(|it| it.starts_with("| `farol_") || it.starts_with("| `process_"));
    let documented: BTreeSet<String> =
        table.flat_map(|it| metrics(it.split('|').nth(1).unwrap())).map(str::to_owned).collect();
    assert_eq!(documented, families);
}

#[test]
fn the_dashboard_holds_together() {
    let dashboard = dashboard();
    let datasource = "${datasource}";
    let mut ids = BTreeSet::new();
    let mut taken = BTreeSet::new();
    for panel in panels(&dashboard) {
        let title = panel["title"].as_str().unwrap();
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "{title}: its id is another's");
        let place = |name: &str| panel["gridPos"][name].as_u64().unwrap();
        let (left, top) = (place("x"), place("y"));
        assert!(left + place("w") <= 24, "{title} is too wide");
        for x in left..left + place("w") {
            for y in top..top + place("h") {
                assert!(taken.insert((x, y)), "{title} lies over another panel");
            }
        }
        if panel["type"] == "row" {
            continue;
        }
        assert_eq!(panel["datasource"]["uid"], datasource, "{title}");
        assert!(panel["fieldConfig"]["defaults"]["unit"].is_string(), "{title} has no unit");
        let targets = panel["targets"].as_array().unwrap();
        assert!(!targets.is_empty(), "{title} shows nothing");
        for target in targets {
            assert_eq!(target["datasource"]["uid"], datasource, "{title}");
            let expression = target["expr"].as_str().unwrap();
            assert!(expression.contains("$instance"), "{title} shows every instance");
        }
    }
    let variables = dashboard["templating"]["list"].as_array().unwrap();
    let names: Vec<&str> = variables.iter().map(|it| it["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["datasource", "instance", "profile", "site"]);
    assert!(variables.iter().skip(1).all(|it| it["datasource"]["uid"] == datasource));
}

#[test]
fn instances_with_the_same_configuration_show_the_same_number() {
    let hash = |daemon: &Daemon| {
        let metrics = daemon.api.get("/metrics").body;
        let hash = metrics.lines().find_map(|it| it.strip_prefix("farol_config_hash "));
        hash.unwrap().parse::<u64>().unwrap()
    };
    let (first, second) = (Daemon::start(ZONE), Daemon::start(ZONE));
    let before = hash(&first);
    assert_eq!(before, hash(&second));
    first.home.write("farol.toml", &ZONE.replace("ns.example.", "ns2.example."));
    first.reload("reloaded");
    assert_ne!(hash(&first), before);
    second.home.write("farol.toml", &ZONE.replace("ns.example.", "ns2.example."));
    second.reload("reloaded");
    assert_eq!(hash(&first), hash(&second));
}

#[test]
fn metrics_are_shown_to_whom_and_as_widely_as_the_settings_say() {
    let config = format!(
        "{ZONE}[[profile]]\nname = 'app.gtm.example.'\nmethod = 'priority'\nmonitor = {{ protocol = 'none' }}\n\
         endpoint = [{{ name = 'main', target = '192.0.2.1' }}]\n"
    );
    let daemon = Daemon::start(&config);
    let public = Http::new(daemon.api.address);
    assert!(public.get("/metrics").body.contains("profile=\"app.gtm.example.\""));
    let restricted = "[admin]\nprotect_metrics = true\n[metrics]\nper_endpoint = false\n";
    daemon.home.write("farol.toml", &format!("{restricted}{config}"));
    let reloaded = daemon.reload("reloaded");
    assert!(!daemon.log().contains("needs_restart"), "{reloaded}");
    assert_eq!(public.get("/metrics").status, 401);
    assert_eq!(public.with_token("wrong").get("/metrics").status, 401);
    assert_eq!(public.get("/healthz").status, 200);
    let shown = daemon.api.get("/metrics");
    assert_eq!(shown.status, 200);
    assert!(!shown.body.contains("profile=\""), "{}", shown.body);
    assert!(shown.body.contains("farol_endpoints{status=\"Unmonitored\"} 1\n"), "{}", shown.body);
}
