//! The daemon takes the addresses of endpoints from what real API servers say that their clusters expose, and heeds whether the pods behind
//! them are ready.

#![allow(clippy::unwrap_used, reason = "what tests share may panic like tests")]

mod common;

use std::net::IpAddr;

use common::daemon::{Daemon, Home};
use common::kubernetes::Cluster;
use common::site::Site;
use common::{loopback, wait_to_see, wait_until};
use serde_json::{Value, json};

const SEATTLE: &str = "seattle.gtm.example.";
const ORLANDO: &str = "orlando.gtm.example.";
const BOTH: [&str; 2] = ["seattle", "orlando"];

/// A daemon with a profile for each site, whose only endpoint is discovered.
fn config(port: u16, sites: &[&str]) -> String {
    let profile = |site: &str| {
        format!(
            "
            [[site]]
            name = '{site}'
            [[profile]]
            name = '{site}.gtm.example.'
            method = 'priority'
            monitor = 'fast'
            endpoint = [{{ name = 'ingress', site = '{site}', discovered = true }}]
            "
        )
    };
    format!(
        "
        [[zone]]
        name = 'gtm.example.'
        nameservers = 'ns.elsewhere.'
        [fleet]
        file = 'fleet.yaml'
        [monitor.fast]
        port = {port}
        interval = '200ms'
        timeout = '150ms'
        tolerated_failures = 1
        required_successes = 1
        flap = {{ count = 0 }}
        {}",
        sites.iter().map(|it| profile(it)).collect::<String>()
    )
}

/// The fleet's description, with each cluster's kubeconfig and the UID that is pinned.
fn fleet(sites: &[(&Cluster, &str)]) -> String {
    let site = |(cluster, uid): &(&Cluster, &str)| {
        let (name, kubeconfig) = (cluster.name(), cluster.kubeconfig());
        format!(
            "
- name: {name}
  cluster: {{ kubeconfig: {}, uid: {uid} }}
  endpoint:
    profile: {name}.gtm.example.
    name: ingress
    from: {{ service: default/ingress, port: 80 }}",
            kubeconfig.display()
        )
    };
    format!("sites:{}\n", sites.iter().map(site).collect::<String>())
}

/// Makes the Service, which has no address so far.
fn expose(cluster: &Cluster) {
    let service = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": { "name": "ingress" },
        "spec": { "type": "LoadBalancer", "ports": [{ "port": 80, "protocol": "TCP" }] },
    });
    cluster.api.must("POST", "/api/v1/namespaces/default/services", &service);
}

/// What the load balancer has for the Service.
fn balance(cluster: &Cluster, addresses: &[&IpAddr]) {
    let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
    let addresses: Vec<&str> = addresses.iter().map(String::as_str).collect();
    cluster.puppet().load_balancer("default", "ingress", &addresses);
}

fn discovered(daemon: &Daemon, profile: &str) -> Value {
    daemon.endpoint(profile, "ingress")["discovered"].clone()
}

/// Waits until an endpoint's addresses are stale for a reason that has this in it.
#[track_caller]
fn wait_for_stale(daemon: &Daemon, profile: &str, why: &str) {
    wait_until(&format!("stale address: {why}"), || {
        let stale = discovered(daemon, profile)["stale"].clone();
        stale["reason"].as_str().is_some_and(|it| it.contains(why))
    });
}

#[track_caller]
fn wait_for_fresh(daemon: &Daemon, profile: &str, address: &IpAddr) {
    wait_to_see(&json!([[address], null]), || {
        let now = discovered(daemon, profile);
        json!([now["addresses"], now["stale"]])
    });
    assert_eq!(daemon.answers(profile, "A"), [address.to_string()]);
}

#[test]
fn endpoints_are_where_their_clusters_expose_them() {
    let [mut seattle, orlando] = Cluster::start_all(["seattle", "orlando"]);
    let site = Site::start();
    let (home, elsewhere, other) = (site.address.ip(), loopback(), loopback());
    let (uid, orlando_uid) = (seattle.uid(), orlando.uid());
    expose(&seattle);
    balance(&seattle, &[&home]);
    let directory = Home::new(&config(site.address.port(), &BOTH));
    directory.write("fleet.yaml", &fleet(&[(&seattle, &uid), (&orlando, &orlando_uid)]));
    let daemon = directory.start();

    // What is there is answered with and probed; what isn't, isn't.
    wait_for_fresh(&daemon, SEATTLE, &home);
    wait_to_see(&"Online".to_owned(), || daemon.status(SEATTLE, "ingress"));
    let now = daemon.endpoint(SEATTLE, "ingress");
    assert_eq!(now["target"], json!([home]));
    assert_eq!(now["monitor"]["addresses"], json!([site.address]));
    assert_eq!(now["discovered"]["from"], "service default/ingress of seattle, port 80");
    wait_for_stale(&daemon, ORLANDO, "service default/ingress does not exist");
    assert!(daemon.answers(ORLANDO, "A").is_empty());
    expose(&orlando);
    wait_for_stale(&daemon, ORLANDO, "has no external address");
    balance(&orlando, &[&other]);
    wait_for_fresh(&daemon, ORLANDO, &other);
    wait_to_see(&"Degraded".to_owned(), || daemon.status(ORLANDO, "ingress"));

    // Somewhere else, health begins anew.
    let seen = daemon.logged();
    balance(&seattle, &[&elsewhere]);
    wait_for_fresh(&daemon, SEATTLE, &elsewhere);
    let transition = daemon.event("transition", seen);
    assert_eq!(
        (&transition["profile"], &transition["to"]),
        (&SEATTLE.into(), &"CheckingEndpoint".into())
    );
    wait_to_see(&"Degraded".to_owned(), || daemon.status(SEATTLE, "ingress"));
    balance(&seattle, &[&home]);
    wait_for_fresh(&daemon, SEATTLE, &home);

    // Nothing better is known, so the last address stays.
    balance(&seattle, &[]);
    wait_for_stale(&daemon, SEATTLE, "has no external address");
    assert_eq!(daemon.answers(SEATTLE, "A"), [home.to_string()]);
    balance(&seattle, &[&home]);
    wait_for_fresh(&daemon, SEATTLE, &home);

    // Two sites can't have one address.
    balance(&orlando, &[&home]);
    wait_for_stale(&daemon, ORLANDO, "is claimed by site seattle too");
    wait_for_stale(&daemon, SEATTLE, "is claimed by site orlando too");
    daemon.event("discovered_conflict", seen);
    assert_eq!(daemon.answers(ORLANDO, "A"), [other.to_string()]);
    assert_eq!(daemon.answers(SEATTLE, "A"), [home.to_string()]);
    balance(&orlando, &[&other]);
    wait_for_fresh(&daemon, ORLANDO, &other);
    wait_for_fresh(&daemon, SEATTLE, &home);

    // Without its API server it stays where it was, also over a restart, and the other site notices nothing.
    seattle.stop_server();
    wait_for_stale(&daemon, SEATTLE, "the cluster is unreachable");
    assert_eq!(daemon.answers(SEATTLE, "A"), [home.to_string()]);
    let metrics = daemon.api.get("/metrics").body;
    for line in [
        "farol_fleet_discovery_reachable{site=\"seattle\"} 0",
        "farol_fleet_discovery_reachable{site=\"orlando\"} 1",
        "farol_fleet_discovery_stale{endpoint=\"ingress\",profile=\"seattle.gtm.example.\",site=\"seattle\"} 1",
        "farol_fleet_discovery_stale{endpoint=\"ingress\",profile=\"orlando.gtm.example.\",site=\"orlando\"} 0",
    ] {
        assert!(metrics.contains(line), "{metrics}");
    }
    let daemon = daemon.stop().start();
    assert_eq!(daemon.answers(SEATTLE, "A"), [home.to_string()]);
    assert!(discovered(&daemon, SEATTLE)["stale"].is_object());
    wait_for_fresh(&daemon, ORLANDO, &other);
    balance(&orlando, &[&elsewhere]);
    wait_for_fresh(&daemon, ORLANDO, &elsewhere);
    seattle.start_server();
    wait_for_fresh(&daemon, SEATTLE, &home);

    // Another cluster than the one that is pinned is not believed.
    let another = "6f1c2c0e-8a55-4c7e-9d20-0f8f6b7f2a11";
    daemon.home.write("fleet.yaml", &fleet(&[(&seattle, another), (&orlando, &orlando_uid)]));
    wait_for_stale(&daemon, SEATTLE, "is another cluster");
    let reason = discovered(&daemon, SEATTLE)["stale"]["reason"].clone();
    assert!(
        reason.as_str().unwrap().contains(&format!("its UID is {uid}, and {another} is pinned"))
    );
    balance(&seattle, &[&other]);
    daemon.home.write("fleet.yaml", &fleet(&[(&seattle, &uid), (&orlando, &orlando_uid)]));
    wait_for_fresh(&daemon, SEATTLE, &other);
}

/// What may discover addresses, but not ask for pods.
const ADDRESSES_ALONE: &str = "
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: { name: addresses }
rules:
- { apiGroups: [''], resources: [namespaces], verbs: [get] }
- { apiGroups: [''], resources: [services], verbs: [list, watch] }
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: { name: addresses }
roleRef: { apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: addresses }
subjects:
- { apiGroup: rbac.authorization.k8s.io, kind: User, name: clerk }
";

/// What the cluster says of the pods, and what becomes of the endpoint.
#[track_caller]
fn wait_for_pods(daemon: &Daemon, readiness: &str, ready: &Value, pods: &Value, status: &str) {
    wait_to_see(&json!([readiness, ready, pods, status]), || {
        let workload = discovered(daemon, SEATTLE)["workload"].clone();
        let status = daemon.status(SEATTLE, "ingress");
        json!([workload["readiness"], workload["ready"], workload["pods"], status])
    });
}

fn reason(daemon: &Daemon) -> String {
    let workload = discovered(daemon, SEATTLE)["workload"].clone();
    workload["reason"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn pods_that_are_not_ready_fail_probes_where_that_is_wanted() {
    let mut seattle = Cluster::start("seattle");
    let (site, uid) = (Site::start(), seattle.uid());
    let home = site.address.ip();
    expose(&seattle);
    balance(&seattle, &[&home]);
    let pods = |cluster: &Cluster, ready: &[bool]| {
        cluster.puppet().pods_behind("default", "app", ready);
    };
    let described = |cluster: &Cluster, workload: &str| {
        format!("{}    workload: {workload}\n", fleet(&[(cluster, &uid)]))
    };
    let required = described(&seattle, "{ service: default/app, required: true }");
    let directory = Home::new(&config(site.address.port(), &["seattle"]));
    directory.write("fleet.yaml", &required);
    let daemon = directory.start();

    // What says nothing of pods says nothing against the endpoint.
    wait_for_pods(&daemon, "unknown", &Value::Null, &Value::Null, "Online");
    wait_until("no such pods", || reason(&daemon).contains("default/app has no EndpointSlice"));

    // Its server answers all the time.
    let seen = daemon.logged();
    pods(&seattle, &[false, false, false]);
    wait_for_pods(&daemon, "not_ready", &json!(0), &json!(3), "Degraded");
    let last = daemon.endpoint(SEATTLE, "ingress")["last_probe"].clone();
    let why = "the site says not ready: Service default/app has 0 of 3 pods ready";
    assert_eq!(
        json!([last["result"], last["phase"], last["reason"]]),
        json!(["failed", "readiness", why])
    );
    let held = || {
        let told = daemon.api.must("GET", &format!("/v1/explain?name={SEATTLE}"), "");
        told["profiles"][0]["endpoints"][0]["why"].as_str().unwrap().to_owned()
    };
    assert_eq!(held(), format!("answers, although degraded: {why}"), "there is no other");
    let answered = site.answered();
    wait_until("an answer", || site.answered() > answered);
    assert_eq!(daemon.event("workload_not_ready", seen)["service"], "default/app");
    let metric = |value: &str| {
        let labels = format!("endpoint=\"ingress\",profile=\"{SEATTLE}\",site=\"seattle\"");
        let metrics = daemon.api.get("/metrics").body;
        metrics.contains(&format!("farol_fleet_workload_ready{{{labels}}}{value}"))
    };
    assert!(metric(" 0\n"));
    pods(&seattle, &[false, true, false]);
    wait_for_pods(&daemon, "ready", &json!(1), &json!(3), "Online");
    assert!(metric(" 1\n"));

    // An API server that is away takes no traffic from a site.
    seattle.stop_server();
    wait_for_pods(&daemon, "unknown", &Value::Null, &Value::Null, "Online");
    assert!(reason(&daemon).starts_with("the cluster is unreachable"), "{}", reason(&daemon));
    assert!(!metric(""));
    daemon.event("workload_unknown", seen);
    let answered = site.answered();
    wait_until("some probes", || site.answered() > answered + 4);
    assert_eq!(daemon.status(SEATTLE, "ingress"), "Online");
    seattle.start_server();
    wait_for_pods(&daemon, "ready", &json!(1), &json!(3), "Online");

    // Who may not ask for pods still learns where the endpoint is.
    pods(&seattle, &[false, false]);
    wait_for_pods(&daemon, "not_ready", &json!(0), &json!(2), "Degraded");
    seattle.apply(ADDRESSES_ALONE);
    let (clerk, own) = (seattle.kubeconfig_for("clerk", None), seattle.kubeconfig());
    let (clerk, own) = (clerk.display().to_string(), own.display().to_string());
    daemon.home.write("fleet.yaml", &required.replace(&own, &clerk));
    wait_for_pods(&daemon, "unknown", &Value::Null, &Value::Null, "Online");
    wait_until("what is missing", || {
        let reason = reason(&daemon);
        reason.contains("the cluster forbids it") && reason.contains("endpointslices")
    });
    wait_for_fresh(&daemon, SEATTLE, &home);

    // Where it isn't required, it is only shown.
    let answered = site.answered();
    daemon.home.write("fleet.yaml", &described(&seattle, "default/app"));
    wait_for_pods(&daemon, "not_ready", &json!(0), &json!(2), "Online");
    assert_eq!(discovered(&daemon, SEATTLE)["workload"]["required"], false);
    wait_until("some probes", || site.answered() > answered + 4);
    assert_eq!(daemon.status(SEATTLE, "ingress"), "Online");
    let shown = "the site says not ready: Service default/app has 0 of 2 pods ready";
    assert_eq!(held(), format!("answers, although {shown}"));
}

#[test]
fn a_fleet_that_does_not_fit_is_refused() {
    let home = Home::new(&config(80, &BOTH));
    let description = "sites:
- name: seattle
  cluster: { kubeconfig: nowhere }
  endpoint: { profile: seatle.gtm.example., name: ingress, from: { service: a/b, port: 80 } }
";
    home.write("fleet.yaml", description);
    let said = home.fail_to_start();
    assert!(said.contains("fleet.yaml:4: sites[seattle].endpoint.profile"), "{said}");
    assert!(said.contains("the configuration has no such profile"), "{said}");
}
