//! What `farol fleet` tells programs of what it did, and what is forced on one object only.

#![allow(clippy::unwrap_used, reason = "what tests share may panic like tests")]

mod common;

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
