//! The companion in the daemon, against real API servers: it says what drifts as it happens, and puts it back where it is told to.

#![allow(clippy::unwrap_used, reason = "what tests share may panic like tests")]

mod common;

use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use common::cli::{check, farol};
use common::daemon::Daemon;
use common::fleet::{Fleet, WEB, at};
use common::kubernetes::Cluster;
use common::{wait_for, wait_to_see, wait_until};
use serde_json::{Value, json};

/// The fleet's app on a site, as the daemon sees it.
fn app(daemon: &Daemon, site: &str) -> Value {
    let seen = daemon.api.get(&format!("/v1/fleet/sites/{site}")).json();
    seen["apps"].as_array().and_then(|it| it.first()).cloned().unwrap_or(Value::Null)
}

fn state(daemon: &Daemon, site: &str) -> String {
    app(daemon, site)["state"].as_str().unwrap_or("unseen").to_owned()
}

#[track_caller]
fn wait_for_state(daemon: &Daemon, site: &str, expected: &str) {
    wait_to_see(&expected.to_owned(), || state(daemon, site));
}

/// What of the app isn't as it is wanted: objects, how they differ, and in which fields by whom.
fn differences(daemon: &Daemon, site: &str) -> Vec<String> {
    let app = app(daemon, site);
    let difference = |it: &Value| {
        let fields = it["fields"].as_array().unwrap().iter().map(|field| {
            let text = |key: &str| field[key].as_str().unwrap_or_default().to_owned();
            format!(" {} is {} by {}", text("path"), field["is"], text("manager"))
        });
        let text = |key: &str| it[key].as_str().unwrap().to_owned();
        format!("{} {}{}", text("object"), text("state"), fields.collect::<String>())
    };
    app["differences"].as_array().into_iter().flatten().map(difference).collect()
}

fn metric(daemon: &Daemon, sample: &str) -> Option<f64> {
    let text = daemon.api.get("/metrics").body;
    let line = text.lines().find(|it| it.starts_with(&format!("{sample} ")))?;
    line.rsplit(' ').next()?.parse().ok()
}

fn set_image(cluster: &Cluster, image: &str) {
    cluster.kubectl(&[
        "--namespace=shop",
        "set",
        "image",
        "deployment/web",
        &format!("web={image}"),
    ]);
}

fn image(cluster: &Cluster) -> String {
    at(cluster, "deployment/web", ".spec.template.spec.containers[0].image")
}

#[test]
fn what_drifts_is_told_with_fields_and_managers_and_nothing_is_written() {
    let clusters = Cluster::start_all(["seattle", "orlando"]);
    let kubelets = clusters.each_ref().map(|it| it.puppet().kubelets());
    let fleet = Fleet::of(&clusters.each_ref(), "");
    let daemon = fleet.home().start();
    for site in ["seattle", "orlando"] {
        wait_for_state(&daemon, site, "outdated");
    }
    assert_eq!(differences(&daemon, "seattle").len(), 4, "{:?}", differences(&daemon, "seattle"));
    fleet.apply();
    for (site, cluster) in ["seattle", "orlando"].into_iter().zip(&clusters) {
        wait_for_state(&daemon, site, "in_sync");
        cluster.writes();
    }
    let [seattle, orlando] = &clusters;
    seattle.puppet().node("one", "v1.20.2");
    seattle.kubectl(&["--namespace=shop", "scale", "deployment/web", "--replicas=4"]);
    set_image(seattle, "web:7");
    let name = "spec.template.spec.containers[web].image";
    let expected = [format!("Deployment shop/web drifted {name} is \"web:7\" by kubectl-set")];
    wait_to_see(&expected.to_vec(), || differences(&daemon, "seattle"));
    assert_eq!(state(&daemon, "seattle"), "drifted", "replicas are nobody's by the source");
    assert_eq!(app(&daemon, "seattle")["healing"]["next"], Value::Null, "nobody will put it back");
    assert_eq!(state(&daemon, "orlando"), "in_sync");
    let fleet_now = daemon.api.get("/v1/fleet").json();
    assert_eq!(fleet_now["skewed"][0]["sites"][0]["images"], json!(["web:7"]));
    assert_eq!(fleet_now["sites"][0]["apps"][0]["different"], 1);
    let sample = |name: &str| format!("farol_fleet_{name}{{site=\"seattle\",app=\"shop\"}}");
    assert_eq!(metric(&daemon, &sample("in_sync")), Some(0.0));
    assert_eq!(metric(&daemon, &sample("applied")), Some(1.0));
    assert!(metric(&daemon, &sample("drift_seconds")).unwrap() > 0.0);
    assert!(metric(&daemon, &sample("last_apply_timestamp_seconds")).unwrap() > 1e9);
    wait_to_see(&Some(1.0), || metric(&daemon, "farol_fleet_skewed{app=\"shop\"}"));
    assert_eq!(metric(&daemon, "farol_fleet_reachable{site=\"orlando\"}"), Some(1.0));

    set_image(seattle, "web:1");
    wait_for_state(&daemon, "seattle", "in_sync");
    orlando.kubectl(&["--namespace=shop", "delete", "service/web"]);
    wait_to_see(&vec!["Service shop/web missing".to_owned()], || differences(&daemon, "orlando"));
    // A label taken off takes the object out of the set.
    seattle.kubectl(&[
        "--namespace=shop",
        "label",
        "secret/key",
        "applyset.kubernetes.io/part-of-",
    ]);
    wait_for_state(&daemon, "seattle", "drifted");
    for cluster in &clusters {
        assert_eq!(cluster.writes_of("farol"), Vec::<String>::new(), "it only looks");
    }
    drop(kubelets);
}

#[test]
fn what_drifts_is_put_back_but_what_is_described_anew_is_for_people() {
    let cluster = Cluster::start("seattle");
    let _kubelets = cluster.puppet().kubelets();
    let fleet = Fleet::of(&[&cluster], "drift: heal\n");
    let daemon = fleet.home().start();
    wait_for_state(&daemon, "seattle", "outdated");
    assert_eq!(cluster.writes(), Vec::<String>::new(), "what was never applied is not put back");
    fleet.apply();
    wait_for_state(&daemon, "seattle", "in_sync");
    cluster.writes();

    set_image(&cluster, "web:7");
    wait_to_see(&"web:1".to_owned(), || image(&cluster));
    wait_to_see(&json!(1), || app(&daemon, "seattle")["healing"]["times"].clone());
    wait_for_state(&daemon, "seattle", "in_sync");
    let writes = cluster.writes();
    assert_eq!(writes.len(), 1, "{writes:?}");
    assert!(writes[0].starts_with("patch /apis/apps/v1/namespaces/shop/deployments/web?"));
    let lease = cluster.kubectl(&[
        "--namespace=kube-system",
        "get",
        "lease/farol-fleet",
        "--output=jsonpath={.spec.holderIdentity}",
    ]);
    assert_eq!(lease, "", "it is given back");

    // Who changes it back at once is not fought every second.
    set_image(&cluster, "web:8");
    wait_for("a pause", || app(&daemon, "seattle")["healing"]["next"].as_str().map(str::to_owned));
    assert_eq!(image(&cluster), "web:8");
    set_image(&cluster, "web:1");
    wait_for_state(&daemon, "seattle", "in_sync");
    // It is as it is wanted, but somebody else has the field: that is taken back too.
    wait_to_see(&json!(2), || app(&daemon, "seattle")["healing"]["times"].clone());
    assert_eq!(cluster.writes().len(), 1);

    // Another image in the source is no drift: it is applied when somebody says so.
    fleet.write("web.yaml", &WEB.replace("web:1", "web:2"));
    daemon.api.must("POST", "/v1/reload", "");
    wait_for_state(&daemon, "seattle", "outdated");
    assert_eq!(cluster.writes(), Vec::<String>::new());
    assert_eq!(image(&cluster), "web:1");
    // Who set it by hand to what it was has it too.
    let field = r#"spec.template.spec.containers[name="web"].image"#;
    check(&fleet.run(&["apply", "--yes", "--force-conflicts", field]), 0, &["done: "]);
    wait_for_state(&daemon, "seattle", "in_sync");
    assert_eq!(image(&cluster), "web:2");

    // So it is with a Secret that is described anew; one that somebody has rotated has drifted, and isn't written over.
    let source = WEB.replace("web:1", "web:2");
    fleet.write("web.yaml", &source.replace("hunter2", "hunter3"));
    daemon.api.must("POST", "/v1/reload", "");
    wait_for_state(&daemon, "seattle", "outdated");
    fleet.write("web.yaml", &source);
    daemon.api.must("POST", "/v1/reload", "");
    wait_for_state(&daemon, "seattle", "in_sync");
    cluster.writes();
    let rotated = r#"--patch={"stringData": {"password": "correct horse"}}"#;
    cluster.kubectl(&["--namespace=shop", "patch", "secret/key", rotated]);
    wait_for_state(&daemon, "seattle", "drifted");
    assert_eq!(app(&daemon, "seattle")["healing"]["next"], Value::Null);
    assert_eq!(cluster.writes(), Vec::<String>::new());
    assert!(!daemon.api.get("/v1/fleet/sites/seattle").body.contains("correct"));
}

#[test]
fn one_companion_acts_while_others_stand_by() {
    let cluster = Cluster::start("seattle");
    let _kubelets = cluster.puppet().kubelets();
    let fleet = Fleet::of(&[&cluster], "drift: heal\n");
    fleet.apply();
    let daemons = [fleet.home().start(), fleet.home().start()];
    for daemon in &daemons {
        wait_for_state(daemon, "seattle", "in_sync");
    }
    // Somebody else changes the site now.
    let lease = json!({
        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "farol-fleet"},
        "spec": {"holderIdentity": "somebody", "leaseDurationSeconds": 3600, "renewTime": "2026-01-01T00:00:00.000000Z"},
    });
    let path = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/farol-fleet";
    let release = || {
        cluster.kubectl(&["--namespace=kube-system", "delete", "lease/farol-fleet"]);
    };
    let hold = || {
        release();
        cluster.api.must("POST", path.trim_end_matches("/farol-fleet"), &lease);
    };
    hold();
    cluster.writes();
    // A command stands by too, and does nothing of what it planned before if that holds no more.
    fleet.write("more.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: { name: more }\n");
    let mut apply = Command::new(env!("CARGO_BIN_EXE_farol"))
        .args(["fleet", "apply", "--yes", "--fleet", &fleet.path("fleet.yaml")])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut told = BufReader::new(apply.stderr.take().unwrap()).lines().map(Result::unwrap);
    assert!(told.any(|it| it.contains("waiting for somebody, who is changing the site")));
    cluster.kubectl(&["--namespace=shop", "create", "configmap", "more"]);
    assert_eq!(cluster.writes(), Vec::<String>::new());
    release();
    assert!(told.any(|it| it.contains("was changed meanwhile; plan again")));
    assert_eq!(apply.wait().unwrap().code(), Some(1));
    assert_eq!(cluster.writes(), Vec::<String>::new());
    cluster.kubectl(&["--namespace=shop", "delete", "configmap", "more"]);
    fs::remove_file(fleet.path("shop/more.yaml")).unwrap();
    hold();
    set_image(&cluster, "web:7");
    for daemon in &daemons {
        let standing_by = daemon.event("fleet_standing_by", 0);
        assert_eq!(standing_by["holder"], "somebody");
    }
    assert_eq!(image(&cluster), "web:7");
    assert_eq!(cluster.writes(), Vec::<String>::new());
    release();
    for daemon in &daemons {
        wait_for_state(daemon, "seattle", "in_sync");
        wait_to_see(&Value::Null, || app(daemon, "seattle")["healing"]["next"].clone());
    }
    assert_eq!(image(&cluster), "web:1");
    let free = || {
        let lease = cluster.api.get(path);
        lease["spec"]["holderIdentity"].as_str().unwrap_or_default().is_empty()
    };
    wait_until("a free Lease", free);
    let writes = cluster.writes();
    assert_eq!(writes.len(), 1, "one of both wrote: {writes:?}");
}

#[test]
fn a_site_that_is_away_slows_no_other_and_is_looked_at_when_it_is_back() {
    let mut clusters = Cluster::start_all(["seattle", "orlando"]);
    let kubelets = clusters.each_ref().map(|it| it.puppet().kubelets());
    let fleet = Fleet::of(&clusters.each_ref(), "");
    fleet.apply();
    let daemon = fleet.home().start();
    for site in ["seattle", "orlando"] {
        wait_for_state(&daemon, site, "in_sync");
    }
    drop(kubelets);
    clusters[0].stop_server();
    let trouble = |key: &str| {
        let site = daemon.api.get("/v1/fleet/sites/seattle").json();
        site["trouble"][key].as_str().map(str::to_owned)
    };
    wait_to_see(&Some("unreachable".to_owned()), || trouble("kind"));
    assert_eq!(metric(&daemon, "farol_fleet_reachable{site=\"seattle\"}"), Some(0.0));
    let sample = "farol_fleet_in_sync{site=\"seattle\",app=\"shop\"}";
    assert_eq!(metric(&daemon, sample), None, "nobody knows");
    set_image(&clusters[1], "web:7");
    wait_for_state(&daemon, "orlando", "drifted");
    clusters[0].start_server();
    clusters[0].kubectl(&["--namespace=shop", "delete", "service/web"]);
    wait_to_see(&vec!["Service shop/web missing".to_owned()], || differences(&daemon, "seattle"));
    assert_eq!(trouble("kind"), None);
}

#[test]
fn who_may_watch_a_namespace_only_is_told_of_that_and_sees_what_it_may() {
    let cluster = Cluster::start("seattle");
    let _kubelets = cluster.puppet().kubelets();
    let own = Fleet::of(&[&cluster], "");
    own.apply();
    let rule = |verbs: &str, kinds: &str| {
        format!("- {{ apiGroups: ['', apps], resources: [{kinds}], verbs: [{verbs}] }}\n")
    };
    let rules =
        rule("get, list, create, patch, delete", "deployments, services, secrets, configmaps")
            + &rule("watch", "deployments, configmaps");
    cluster.apply(&format!(
        "apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {{ name: r, namespace: shop }}\nrules:\n{rules}"
    ));
    cluster.kubectl(&[
        "--namespace=shop",
        "create",
        "rolebinding",
        "r",
        "--role=r",
        "--user=robot",
    ]);
    cluster.kubectl(&["create", "clusterrole", "n", "--verb=get", "--resource=namespaces"]);
    cluster.kubectl(&["create", "clusterrolebinding", "n", "--clusterrole=n", "--user=robot"]);
    let fleet = Fleet::new(&[("seattle", &cluster.kubeconfig_for("robot", None), "")], "");
    let daemon = fleet.home().start();
    wait_for_state(&daemon, "seattle", "in_sync");
    let site = || daemon.api.get("/v1/fleet/sites/seattle").json();
    let why = wait_for("what can't be watched", || site()["unwatched"].as_str().map(str::to_owned));
    for missing in ["watch secrets in shop", "watch services in shop"] {
        assert!(why.contains(missing), "{why}");
    }
    assert!(!why.contains("deployments"), "{why}");
    assert_eq!(site()["cluster"]["nodes"], Value::Null, "it may not look at nodes");
    set_image(&cluster, "web:7");
    wait_for_state(&daemon, "seattle", "drifted");
}

#[test]
fn sites_come_and_go_with_the_description() {
    let clusters = Cluster::start_all(["seattle", "orlando"]);
    let fleet = Fleet::of(&[&clusters[0]], "");
    let daemon = fleet.home().start();
    wait_for_state(&daemon, "seattle", "outdated");
    assert_eq!(daemon.api.get("/v1/fleet/sites/orlando").status, 404);
    let other = Fleet::of(&clusters.each_ref(), "");
    fs::copy(other.path("fleet.yaml"), fleet.path("fleet.yaml")).unwrap();
    wait_for_state(&daemon, "orlando", "outdated");
    // Two sites can't be one cluster.
    let kubeconfigs =
        [clusters[0].kubeconfig(), clusters[0].kubeconfig_for("other", Some("system:masters"))];
    let sites = [("seattle", &*kubeconfigs[0], ""), ("orlando", &*kubeconfigs[1], "")];
    fs::copy(Fleet::new(&sites, "").path("fleet.yaml"), fleet.path("fleet.yaml")).unwrap();
    let kinds = || {
        let fleet = daemon.api.get("/v1/fleet").json();
        let sites = fleet["sites"].as_array().unwrap().clone();
        sites.iter().filter(|it| it["trouble"]["kind"] == "wrong cluster").count()
    };
    wait_to_see(&1, kinds);
}

#[test]
fn an_app_that_takes_long_to_look_at_holds_up_no_other() {
    let cluster = Cluster::start("seattle");
    let _kubelets = cluster.puppet().kubelets();
    let fleet = Fleet::of(&[&cluster], "");
    let described = fs::read_to_string(fleet.path("fleet.yaml")).unwrap();
    let late = "apps:\n- { name: late, namespace: late, source: { helm: { chart: shop } } }\n";
    fs::write(fleet.path("fleet.yaml"), described.replace("apps:\n", late)).unwrap();
    // A chart that is not rendered before the test lets it.
    let chart = fleet.path("chart.yaml");
    let script = format!(
        "#!/bin/sh\nwhile [ -e {} ] && ! [ -e {chart} ]; do sleep 0.1; done\ncat {chart}\n",
        fleet.path("helm")
    );
    fs::write(fleet.path("helm"), script).unwrap();
    let account = "{apiVersion: v1, kind: ServiceAccount, metadata: {name: robot}}\n";
    fs::set_permissions(fleet.path("helm"), Permissions::from_mode(0o755)).unwrap();
    let helm = fleet.path("helm");
    let helm = [("FAROL_HELM", helm.as_str())];
    let daemon = fleet.home().environment(&helm).start();
    let states = || {
        let site = daemon.api.get("/v1/fleet/sites/seattle").json();
        let apps = site["apps"].as_array().into_iter().flatten();
        let apps = apps.map(|it| format!("{} {}", it["app"], it["state"]).replace('"', ""));
        (apps.collect::<Vec<_>>().join(", "), site["unseen"].clone())
    };
    let refusals = || {
        let site = daemon.api.get("/v1/fleet/sites/seattle").json();
        let differences = site["apps"].as_array().into_iter().flatten();
        let differences = differences.flat_map(|it| it["differences"].as_array().cloned());
        let refused = differences.flatten().filter(|it| it["state"] == "refused");
        refused.map(|it| format!("{} {}", it["object"], it["why"])).collect::<Vec<_>>()
    };
    let wait_for_states = |states_then: &str, unseen: Value| {
        wait_to_see(&(states_then.to_owned(), unseen), states);
    };
    wait_for_states("shop outdated", json!(["late"]));
    // Who comes first has what both want, though it is seen last.
    let key = "---\n{apiVersion: v1, kind: Secret, metadata: {name: key, namespace: shop}}\n";
    let publish = |text: &str| {
        fs::write(fleet.path("new.yaml"), text).unwrap();
        fs::rename(fleet.path("new.yaml"), &chart).unwrap();
    };
    publish(&format!("{account}{key}"));
    let why = r#""Secret shop/key" "is in late too; keep it in one of them""#;
    wait_until(why, || refusals().iter().any(|it| it == why));
    publish(account);
    daemon.reload("reloaded");
    wait_for_states("late outdated, shop outdated", Value::Null);
    let apply = ["fleet", "apply", "--yes", "--fleet", &fleet.path("fleet.yaml")];
    check(&farol(&apply, &helm), 0, &["done: "]);
    wait_for_states("late in_sync, shop in_sync", Value::Null);
    cluster.kubectl(&["--namespace=late", "delete", "serviceaccount/robot"]);
    // What was seen late is watched like all else.
    wait_for_states("late drifted, shop in_sync", Value::Null);
}
