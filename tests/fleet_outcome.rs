//! What `farol fleet` tells programs of what it did, and what is forced on one object only.

#![allow(clippy::unwrap_used, reason = "what tests share may panic like tests")]

mod common;

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use common::cli::{check, json};
use common::fleet::{Fleet, WEB, at};
use common::kubernetes::Cluster;
use serde_json::{Value, json};

#[test]
fn programs_get_one_document_at_the_end() {
    let cluster = Cluster::start("seattle");
    let _kubelets = cluster.puppet().kubelets();
    let old = "apiVersion: v1\nkind: ConfigMap\nmetadata: { name: settings, namespace: shop }\ndata: { a: b }\n";
    cluster.kubectl(&["create", "namespace", "shop"]);
    cluster.apply(old);
    let nowhere = cluster.path("missing.kubeconfig");
    let own = cluster.kubeconfig();
    let fleet = Fleet::new(&[("seattle", &own, ""), ("orlando", &nowhere, "")], "");
    fleet.write("settings.yaml", old);

    let adopted = json(&fleet.run(&["adopt", "--site", "seattle", "-o", "json"]));
    let object =
        json!({ "group": "", "kind": "ConfigMap", "namespace": "shop", "name": "settings" });
    let taken = json!([{ "object": object, "managers": ["kubectl-client-side-apply"] }]);
    let app = json!({ "app": "shop", "taken_over": taken, "left_alone": [] });
    let site = json!({ "site": "seattle", "error": null, "apps": [app] });
    assert_eq!(adopted, json!({ "dry_run": false, "sites": [site] }));
    let adopted = fleet.run(&["adopt", "--dry-run", "-o", "json"]);
    check(&adopted, 1, &["nothing to take over"]);
    let adopted: Value = serde_json::from_str(&adopted.out).unwrap();
    assert!(adopted["sites"][1]["error"].as_str().unwrap().contains("can't be reached"));

    let unasked = fleet.run(&["apply", "-o", "json"]);
    check(&unasked, 1, &[]);
    let outcome: Value = serde_json::from_str(&unasked.out).unwrap();
    assert!(outcome["error"].as_str().unwrap().contains("nobody can be asked here"), "{outcome}");
    let app = |outcome: &Value| outcome["sites"][0]["apps"][0].clone();
    assert_eq!(app(&outcome)["done"], json!([]));

    let applied = fleet.run(&["apply", "--yes", "-o", "json"]);
    check(&applied, 1, &[]);
    assert!(applied.err.contains("create Deployment shop/web"), "what happens is told meanwhile");
    let outcome: Value = serde_json::from_str(&applied.out).unwrap();
    assert_eq!(outcome["sites"][1]["error"]["kind"], "no way");
    assert_eq!((&app(&outcome)["not_done"], &app(&outcome)["error"]), (&json!([]), &Value::Null));
    let object =
        json!({ "group": "apps", "kind": "Deployment", "namespace": "shop", "name": "web" });
    let done = app(&outcome)["done"].as_array().unwrap().clone();
    assert!(done.contains(&json!({ "action": "create", "object": object })), "{outcome}");
}

#[test]
fn what_is_taken_over_waits_for_who_changes_the_site() {
    let cluster = Cluster::start("seattle");
    cluster.kubectl(&["create", "namespace", "shop"]);
    let old = "apiVersion: v1\nkind: ConfigMap\nmetadata: { name: settings, namespace: shop }\n";
    cluster.apply(old);
    let fleet = Fleet::of(&[&cluster], "");
    fleet.write("settings.yaml", old);
    let lease = json!({
        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "farol-fleet"},
        "spec": {"holderIdentity": "somebody", "leaseDurationSeconds": 3600, "renewTime": "2026-01-01T00:00:00.000000Z"},
    });
    let leases = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases";
    cluster.api.must("POST", leases, &lease);
    cluster.writes_of("farol");

    let mut adopt = Command::new(env!("CARGO_BIN_EXE_farol"))
        .args(["fleet", "adopt", "--fleet", &fleet.path("fleet.yaml")])
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut told = BufReader::new(adopt.stderr.take().unwrap()).lines().map(Result::unwrap);
    let waiting = "seattle: waiting for somebody, who is changing the site";
    assert!(told.any(|it| it.contains(waiting)));
    // Who only looks waits for nobody.
    check(&fleet.run(&["adopt", "--dry-run"]), 0, &["1 objects would be taken over"]);
    assert_eq!(cluster.writes_of("farol"), Vec::<String>::new());
    cluster.kubectl(&["--namespace=kube-system", "delete", "lease/farol-fleet"]);
    assert!(adopt.wait().unwrap().success());
    let writes = cluster.writes_of("farol");
    let own = |it: &&String| it.contains("/leases");
    let [first, .., last] = writes.as_slice() else { panic!("{writes:?}") };
    assert!(own(&first) && own(&last) && last.starts_with("update"), "{writes:?}");
    let patched = writes.iter().filter(|it| !own(it)).map(|it| it.starts_with("patch"));
    assert_eq!(patched.collect::<Vec<_>>(), [true], "{writes:?}");

    check(&fleet.run(&["adopt"]), 0, &["nothing to take over"]);
    assert_eq!(cluster.writes_of("farol"), Vec::<String>::new(), "nobody has to wait for that");
}

#[test]
fn a_field_may_be_forced_on_one_object_and_stay_others_elsewhere() {
    let cluster = Cluster::start("seattle");
    let _kubelets = cluster.puppet().kubelets();
    let fleet = Fleet::of(&[&cluster], "");
    let with = WEB.replacen("spec:\n", "spec:\n  replicas: 1\n", 1);
    let (deployment, _) = with.split_once("---").unwrap();
    fleet.write("web.yaml", &with);
    fleet.write("api.yaml", &deployment.replace("name: web", "name: api"));
    fleet.apply();
    for name in ["web", "api"] {
        let object = format!("deployment/{name}");
        let patch = r#"--patch={"spec": {"replicas": 4}}"#;
        cluster.kubectl(&["--namespace=shop", "patch", &object, patch]);
    }

    let web = "Deployment/shop/web:spec.replicas";
    let refused = fleet.run(&["plan", "--force-conflicts", web]);
    check(
        &refused,
        1,
        &[
            "~ Deployment shop/web",
            "! Deployment shop/api: .spec.replicas belongs to",
            "--force-conflicts Deployment/shop/api:FIELD",
        ],
    );
    fleet.write(
        "api.yaml",
        &deployment.replace("name: web", "name: api").replace("  replicas: 1\n", ""),
    );
    let file = fleet.path("plan.json");
    check(&fleet.run(&["plan", "--force-conflicts", web, "--out", &file]), 2, &["takes over"]);
    check(&fleet.run(&["apply", &file]), 0, &["change Deployment shop/web"]);
    assert_eq!(at(&cluster, "deployment/web", ".spec.replicas"), "1");
    assert_eq!(at(&cluster, "deployment/api", ".spec.replicas"), "4", "what nobody asked for");
}
