//! The daemon takes the addresses of endpoints from what real API servers say that their clusters expose.

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

/// A daemon with a profile for each site, whose only endpoint is discovered.
fn config(port: u16) -> String {
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
        {}{}",
        profile("seattle"),
        profile("orlando")
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
    let directory = Home::new(&config(site.address.port()));
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

#[test]
fn a_fleet_that_does_not_fit_is_refused() {
    let home = Home::new(&config(80));
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
