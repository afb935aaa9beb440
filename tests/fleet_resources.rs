//! The fleet's description as custom resources of a real API server: commands read it, the daemon follows it and tells in their status what
//! became of them.

#![allow(clippy::unwrap_used, reason = "what tests share may panic like tests")]

mod common;

use std::fs;
use std::net::IpAddr;
use std::path::Path;

use common::cli::{Run, check, farol};
use common::daemon::{Daemon, Home};
use common::fleet::WEB;
use common::kubernetes::Cluster;
use common::{loopback, wait_to_see, wait_until};
use serde_json::{Value, json};

const RESOURCES: &str = "/apis/farol.dev/v1alpha1/namespaces/farol";

/// A daemon's home with an app's manifests and a description that is custom resources of this cluster; one endpoint of its profile is
/// discovered.
fn home(store: &Cluster, more: &str) -> Home {
    let home = Home::new(
        "
        [[zone]]
        name = 'gtm.example.'
        nameservers = 'ns.elsewhere.'
        [[site]]
        name = 'seattle'
        [fleet]
        file = 'fleet.yaml'
        [[profile]]
        name = 'app.gtm.example.'
        method = 'priority'
        monitor = { protocol = 'none' }
        endpoint = [{ name = 'sea', site = 'seattle', discovered = true }]
        ",
    );
    fs::create_dir(home.path("shop")).unwrap();
    home.write("shop/web.yaml", WEB);
    let kubeconfig = store.kubeconfig();
    let kubeconfig = kubeconfig.display();
    home.write(
        "fleet.yaml",
        &format!("resources: {{ cluster: {{ kubeconfig: {kubeconfig} }}{more} }}\n"),
    );
    home
}

/// Has a cluster know the resources' definitions, and have the namespace that they are in.
fn define(store: &Cluster) {
    let crds = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/crds");
    store.kubectl(&["create", "--validate=false", &format!("--filename={}", crds.display())]);
    store.kubectl(&["wait", "--for=condition=established", "crd", "--all"]);
    store.kubectl(&["create", "namespace", "farol"]);
    wait_to_see(&200, || store.api.send("GET", &format!("{RESOURCES}/sites"), &Value::Null).status);
}

/// Makes a resource be so, whatever it was.
fn describe(store: &Cluster, kind: &str, name: &str, spec: &Value) {
    store.apply(
        &json!({
            "apiVersion": "farol.dev/v1alpha1", "kind": kind,
            "metadata": { "name": name, "namespace": "farol" }, "spec": spec,
        })
        .to_string(),
    );
}

fn site(cluster: &Cluster, endpoint: &str) -> Value {
    json!({
        "cluster": { "kubeconfig": { "path": cluster.kubeconfig() } },
        "endpoint": { "profile": "app.gtm.example.", "name": endpoint, "from": { "service": "default/ingress", "port": 80 } },
    })
}

fn shop() -> Value {
    json!({ "namespace": "shop", "source": { "manifests": "shop/" } })
}

/// What a resource's status says: condition, whether it holds, and why.
fn conditions(store: &Cluster, resource: &str) -> Vec<String> {
    let object = store.api.get(&format!("{RESOURCES}/{resource}"));
    let conditions = object["status"]["conditions"].as_array();
    let told = conditions.into_iter().flatten().map(|it| {
        let text = |key: &str| it[key].as_str().unwrap().to_owned();
        format!("{} {} {}", text("type"), text("status"), text("reason"))
    });
    told.collect()
}

#[track_caller]
fn wait_for_conditions(store: &Cluster, resource: &str, expected: &[&str]) {
    let expected: Vec<String> = expected.iter().map(|it| (*it).to_owned()).collect();
    wait_to_see(&expected, || conditions(store, resource));
}

fn fleet(home: &Path, args: &[&str]) -> Run {
    let file = home.join("fleet.yaml");
    farol(&[&["fleet"], args].concat(), &[("FAROL_FLEET", file.to_str().unwrap())])
}

fn trouble(daemon: &Daemon) -> String {
    let fleet = daemon.api.get("/v1/fleet").json();
    fleet["trouble"]["message"].as_str().unwrap_or_default().to_owned()
}

fn state(daemon: &Daemon) -> String {
    let site = daemon.api.get("/v1/fleet/sites/seattle").json();
    site["apps"][0]["state"].as_str().unwrap_or_default().to_owned()
}

/// A Service with this address, as a load balancer gives it.
fn expose(cluster: &Cluster, address: &IpAddr) {
    let service = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": { "name": "ingress" },
        "spec": { "type": "LoadBalancer", "ports": [{ "port": 80, "protocol": "TCP" }] },
    });
    cluster.api.must("POST", "/api/v1/namespaces/default/services", &service);
    cluster.puppet().load_balancer("default", "ingress", &[&address.to_string()]);
}

#[test]
fn resources_are_the_description() {
    let store = Cluster::start("seattle");
    let _kubelets = store.puppet().kubelets();
    let home = home(&store, "");
    let directory = home.path("");

    // What is missing is said, in the order in which it is missed.
    let crds = "serves no farol.dev/v1alpha1 Site; apply Farol's deploy/crds to it";
    check(&fleet(&directory, &["plan"]), 1, &[crds]);
    define(&store);
    let none = "namespace farol: has no Site; a fleet has one at least";
    check(&fleet(&directory, &["plan"]), 1, &[none, "nothing was done"]);
    describe(&store, "Site", "seattle", &site(&store, "sea"));
    describe(&store, "FleetApp", "shop", &shop());
    check(&fleet(&directory, &["plan"]), 2, &["Deployment shop/web"]);
    check(&fleet(&directory, &["apply", "--yes"]), 0, &["done: "]);

    let address = loopback();
    expose(&store, &address);
    let daemon = home.start();
    wait_to_see(&vec![address.to_string()], || daemon.answers("app.gtm.example.", "A"));
    let accepted = "Accepted True Accepted";
    wait_for_conditions(&store, "sites/seattle", &[accepted, "Ready True Reachable"]);
    wait_for_conditions(&store, "fleetapps/shop", &[accepted, "Synced True InSync"]);
    let table = store.kubectl(&["--namespace=farol", "get", "fleetapps,sites.farol.dev"]);
    assert!(table.contains("ACCEPTED") && table.contains("SYNCED"), "{table}");

    store.kubectl(&["--namespace=shop", "set", "image", "deployment/web", "web=web:7"]);
    wait_for_conditions(&store, "fleetapps/shop", &[accepted, "Synced False Drifted"]);

    // The server takes what refers to nothing; Farol keeps what was in force, and says so wherever one looks.
    let seen = daemon.logged();
    let mut wrong = shop();
    wrong["overrides"] = json!({ "west": {} });
    describe(&store, "FleetApp", "shop", &wrong);
    let why = "FleetApp farol/shop: apps[shop].overrides.west: no such site; add it to `sites`, or name another";
    wait_to_see(&why.to_owned(), || trouble(&daemon));
    assert!(daemon.event("fleet_description_refused", seen)["why"].as_str().unwrap() == why);
    wait_for_conditions(
        &store,
        "fleetapps/shop",
        &["Accepted False Invalid", "Synced False Drifted"],
    );
    wait_for_conditions(
        &store,
        "sites/seattle",
        &["Accepted False OthersInvalid", "Ready True Reachable"],
    );
    let metrics = daemon.api.get("/metrics").body;
    assert!(metrics.contains("\nfarol_fleet_description_in_force 0\n"), "{metrics}");
    assert_eq!(state(&daemon), "drifted");
    check(&fleet(&directory, &["plan"]), 1, &[why]);

    // So it is with what doesn't fit the configuration, and when nothing is left.
    describe(&store, "FleetApp", "shop", &shop());
    wait_to_see(&String::new(), || trouble(&daemon));
    describe(&store, "Site", "seattle", &site(&store, "sia"));
    let why = "Site farol/seattle: sites[seattle].endpoint.name: found \"sia\"; app.gtm.example. has no such endpoint; add it there, or name another";
    wait_to_see(&why.to_owned(), || trouble(&daemon));
    store.kubectl(&["--namespace=farol", "delete", "sites.farol.dev", "seattle"]);
    wait_until("no site", || trouble(&daemon).contains("has no Site"));
    assert_eq!(daemon.answers("app.gtm.example.", "A"), [address.to_string()]);
    describe(&store, "Site", "seattle", &site(&store, "sea"));
    wait_to_see(&String::new(), || trouble(&daemon));

    // What is in force follows.
    let mut elsewhere = shop();
    elsewhere["namespace"] = json!("other");
    describe(&store, "FleetApp", "shop", &elsewhere);
    wait_to_see(&"outdated".to_owned(), || state(&daemon));
    wait_for_conditions(&store, "fleetapps/shop", &[accepted, "Synced False Outdated"]);
}

#[test]
fn what_is_in_force_stays_while_the_resources_can_not_be_asked() {
    let mut store = Cluster::start("store");
    let site_cluster = Cluster::start("seattle");
    let address = loopback();
    expose(&site_cluster, &address);
    define(&store);
    describe(&store, "Site", "seattle", &site(&site_cluster, "sea"));
    let uid = store.uid();
    let home = home(&store, &format!(", uid: {uid}"));
    store.stop_server();
    let daemon = home.start();
    wait_until("trouble", || trouble(&daemon).contains("is unreachable"));
    assert_eq!(daemon.api.get("/v1/fleet").json()["sites"], json!([]));
    store.start_server();
    wait_to_see(&vec![address.to_string()], || daemon.answers("app.gtm.example.", "A"));
    wait_to_see(&String::new(), || trouble(&daemon));
    let ready = ["Accepted True Accepted", "Ready True Reachable"];
    wait_for_conditions(&store, "sites/seattle", &ready);

    // One daemon writes the status; another one reads, and takes its place.
    let holder = || {
        store.api.get("/apis/coordination.k8s.io/v1/namespaces/farol/leases/farol-fleet-status")["spec"]["holderIdentity"].clone()
    };
    let first = holder();
    let other = self::home(&store, "").start();
    wait_to_see(&vec![address.to_string()], || other.answers("app.gtm.example.", "A"));
    assert_eq!(holder(), first);
    daemon.stop();
    wait_until("another writer", || holder() != first);
}
