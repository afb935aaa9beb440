//! What Farol says of a site's monitoring, with a Prometheus that scrapes it.

#![allow(clippy::unwrap_used, reason = "what tests share may panic like tests")]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::time::{Duration, SystemTime};

use common::cli::check;
use common::daemon::{Daemon, Home};
use common::fleet::Fleet;
use common::http::Http;
use common::kubernetes::{Cluster, wait_to_see};
use common::namespace::{inside, must};
use common::program::{self, Program};
use common::site::Site;
use common::{free_address, wait_for, wait_until};
use farol::fleet::monitoring::{FAROL, INTERVAL, Samples, Wanted, generate, verify};
use farol::traffic::Prometheus;
use serde_json::json;

const ZONE: &str = "[[zone]]\nname = 'gtm.example.'\nnameservers = 'ns.example.'\n";

/// How old the last sample of the series `ended` is.
const ENDED: Duration = Duration::from_secs(20 * 60);

/// Asks a site's Prometheus for a series.
fn ask(url: &str, selector: &str) -> Samples {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(verify(&Prometheus::new(), url, selector, INTERVAL))
}

/// A series whose scrapes have ended, in a Prometheus' directory.
fn write_ended(home: &Home, tsdb: &str) {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let file = home.path("ended.txt");
    let at = (now - ENDED).as_secs();
    fs::write(&file, format!("# TYPE ended gauge\nended 1 {at}\n# EOF\n")).unwrap();
    let mut promtool = Command::new("promtool");
    promtool.args(["tsdb", "create-blocks-from", "openmetrics"]).arg(file).arg(tsdb);
    let output = program::run(&mut promtool, "");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// A Prometheus that scrapes a daemon, and answers at this address when this returns.
fn prometheus(daemon: &Daemon, address: SocketAddr) -> Program {
    let (target, home) = (daemon.api.address, &daemon.home);
    let (file, tsdb) = (home.path("prometheus.yml"), home.path("tsdb"));
    let config = format!(
        "global: {{ scrape_interval: 500ms }}\n\
         scrape_configs: [{{ job_name: farol, static_configs: [{{ targets: ['{target}'] }}] }}]\n"
    );
    fs::write(&file, config).unwrap();
    let mut command = Command::new("prometheus");
    command.arg(format!("--config.file={}", file.display()));
    command.arg(format!("--storage.tsdb.path={}", tsdb.display()));
    command.arg(format!("--web.listen-address={address}"));
    let program = Program::start(&mut command, &home.path("prometheus.log"));
    wait_until("Prometheus", || TcpStream::connect(address).is_ok());
    program
}

#[test]
fn samples_are_fresh_stale_absent_or_out_of_reach() {
    let daemon = Home::new(ZONE).start();
    let address = free_address();
    write_ended(&daemon.home, &daemon.home.path("tsdb").display().to_string());
    let _prometheus = prometheus(&daemon, address);
    let url = format!("http://{address}/");

    let fresh = wait_for("sample of Farol", || match ask(&url, FAROL) {
        Samples::Fresh { age } => Some(age),
        _ => None,
    });
    assert!(fresh < INTERVAL, "{fresh:?}");
    let ended = ask(&url, "ended");
    let Samples::Stale { age } = ended else { panic!("{ended:?}") };
    assert!(age >= ENDED && age < ENDED + common::PATIENCE * 2, "{age:?}");
    assert_eq!(ask(&url, "never"), Samples::Absent);

    let why = |url: &str, selector: &str| match ask(url, selector) {
        Samples::Unreachable(why) => why,
        other => panic!("{other:?}"),
    };
    let refused = why(&format!("http://{}", free_address()), FAROL);
    assert!(refused.contains("refused"), "{refused}");
    let site = Site::start();
    let other = why(&format!("http://{}", site.address), FAROL);
    assert!(other.contains("no answer of its API"), "{other}");
    let broken = why(&url, "{");
    assert!(broken.contains("parse error"), "{broken}");
    assert!(Http::new(address).get("/-/ready").status == 200, "it has stood all the time");
}

/// Where the Prometheus of the next test answers: a Service's endpoint can't have a loopback address, so the test has a network of its own.
const BEHIND: &str = "198.18.0.1:9090";
/// A Service and the pod behind it, which the API server wants to know; and one who may do little.
const SERVICE: &str = "
apiVersion: v1
kind: Namespace
metadata: { name: monitoring }
---
apiVersion: v1
kind: Service
metadata: { name: prometheus, namespace: monitoring }
spec: { ports: [ { name: web, port: 9090 } ] }
---
apiVersion: v1
kind: Pod
metadata: { name: prometheus, namespace: monitoring }
spec: { containers: [ { name: prometheus, image: prometheus } ] }
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: { name: clerk }
rules:
- { apiGroups: [\"\"], resources: [namespaces, configmaps, nodes], verbs: [get, list, create, patch] }
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: { name: clerk }
roleRef: { apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: clerk }
subjects: [ { kind: User, name: clerk } ]
";
/// An app that is ready as it is, and what is said of the monitoring.
const WEB: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: { name: web }\n";
const MORE: &str =
    "monitoring: { alerts: false, prometheus: { service: 'monitoring/prometheus:9090' } }\n";
const ENDPOINTS: &str = "
apiVersion: v1
kind: Endpoints
metadata: { name: prometheus, namespace: monitoring }
subsets:
- addresses: [ { ip: 198.18.0.1, targetRef: { kind: Pod, namespace: monitoring, name: prometheus } } ]
  ports: [ { name: web, port: 9090 } ]
";

#[test]
fn a_prometheus_behind_a_service_is_asked_through_the_api_server() {
    inside(&["--net"], "a_prometheus_behind_a_service_is_asked_through_the_api_server", || {
        must("ip link set lo up");
        must("ip link add outer type veth peer name inner");
        must("ip address add 198.18.0.1/24 dev outer");
        must("ip link set outer up");
        must("ip link set inner up");
        must("ip route add default dev outer");
        let cluster = Cluster::start("seattle");
        cluster.apply(SERVICE);
        let pod = json!({ "phase": "Running", "podIP": "198.18.0.1", "podIPs": [{ "ip": "198.18.0.1" }] });
        cluster.puppet().status("/api/v1/namespaces/monitoring/pods/prometheus", &pod);
        let daemon = Home::new(ZONE).start();
        let fleet = Fleet::of(&[&cluster], MORE);
        fleet.write("web.yaml", WEB);
        fleet.apply();
        let verify = || fleet.run(&["verify"]);

        // A Service that nobody knows, and one with nothing behind it.
        check(&verify(), 1, &["ready", "has no such thing: services \"prometheus\" not found"]);
        let nothing = "apiVersion: v1\nkind: Endpoints\nmetadata: { name: prometheus, namespace: monitoring }\n";
        cluster.apply(nothing);
        let nobody = "can't do it now: no endpoints available for service \"prometheus";
        check(&verify(), 1, &["ready", nobody]);
        cluster.apply(ENDPOINTS);
        let refused = "can't do it now: error trying to reach service: dial tcp 198.18.0.1:9090: connect: connection refused";
        check(&verify(), 1, &[refused]);
        let program = prometheus(&daemon, BEHIND.parse().unwrap());
        wait_to_see(&true, || verify().out.contains("fresh, "));
        check(&verify(), 0, &["ready", "fresh, "]);
        // Who may do all the rest, but not that.
        let clerk = Fleet::new(&[("seattle", &cluster.kubeconfig_for("clerk", None), "")], MORE);
        clerk.write("web.yaml", WEB);
        let forbidden = "the cluster forbids it: services \"prometheus:9090\" is forbidden: User \"clerk\" cannot get resource \"services/proxy\"";
        check(&clerk.run(&["verify"]), 1, &["ready", forbidden]);
        drop(program);
        check(&verify(), 1, &[refused]);
    });
}

#[test]
fn promtool_takes_the_generated_rules() {
    let wanted = Wanted {
        site: "seattle".to_owned(),
        namespace: "monitoring".to_owned(),
        labels: BTreeMap::new(),
        farol: None,
        ingress: None,
        alerts: true,
    };
    let served = BTreeSet::from(["monitoring.coreos.com/v1/PrometheusRule".to_owned()]);
    let generated = generate(&wanted, &served);
    let rules = generated.objects.iter().find(|it| it.kind() == "PrometheusRule").unwrap();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("rules.yml");
    fs::write(&file, rules.at("/spec").unwrap().to_string()).unwrap();
    let output = program::run(Command::new("promtool").args(["check", "rules"]).arg(file), "");
    let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert!(output.status.success(), "{said}");
}
