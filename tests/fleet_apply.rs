//! `farol fleet` against real API servers: what it plans is what it does, a second time it does nothing, and what goes wrong is told apart.

#![allow(clippy::unwrap_used, reason = "what tests share may panic like tests")]

mod common;

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use common::cli::{check, farol};
use common::fleet::{Fleet, WEB, at};
use common::kubernetes::Cluster;
use common::wait_until;
use serde_json::Value;
use tempfile::TempDir;

#[test]
fn everything_is_made_once_and_then_left_alone() {
    let clusters = Cluster::start_all(["seattle", "orlando"]);
    let kubelets = clusters.each_ref().map(|it| it.puppet().kubelets());
    let fleet = Fleet::of(&clusters.each_ref(), "");
    let plan = fleet.run(&["plan"]);
    check(&plan, 2, &["seattle (v1.", "+ Namespace shop", "+ Deployment shop/web", "8 to create"]);
    for secret in ["hunter2", "aHVudGVyMg=="] {
        assert!(!fleet.run(&["diff"]).out.contains(secret), "secrets are masked");
    }
    for cluster in &clusters {
        assert_eq!(cluster.writes(), Vec::<String>::new(), "planning writes nothing");
    }
    let file = fleet.path("plan.json");
    check(&fleet.run(&["plan", "--site", "seattle", "--out", &file]), 2, &["4 to create"]);
    check(&fleet.run(&["apply", &file]), 0, &["done: 6 steps"]);
    assert_eq!(clusters[1].writes(), Vec::<String>::new(), "a plan of one site is about no other");
    fleet.apply();
    for cluster in &clusters {
        assert_eq!(
            at(cluster, "deployment/web", ".spec.template.spec.containers[0].image"),
            "web:1"
        );
        assert_eq!(cluster.writes().len(), 6, "a namespace, three objects, the set's parent twice");
    }
    check(&fleet.run(&["plan"]), 0, &["shop: 3 as they are wanted"]);
    check(&fleet.run(&["status"]), 0, &["in sync"]);
    fleet.apply();
    for cluster in &clusters {
        assert_eq!(cluster.writes(), Vec::<String>::new(), "a second time nothing is written");
    }
    drop(kubelets);
}

#[test]
fn changes_come_through_and_what_is_not_wanted_any_more_goes() {
    let cluster = Cluster::start("seattle");
    let _kubelets = cluster.puppet().kubelets();
    let fleet = Fleet::of(&[&cluster], "");
    let map = |name: &str, kind: &str| {
        format!("---\napiVersion: v1\nkind: {kind}\nmetadata: {{ name: {name} }}\n")
    };
    fleet.write("extra.yaml", &(map("old", "ConfigMap") + &map("robot", "ServiceAccount")));
    fleet.apply();
    cluster.kubectl(&["--namespace=shop", "create", "configmap", "somebody-elses"]);

    fleet.write("web.yaml", &WEB.replace("web:1", "web:2"));
    fs::remove_file(fleet.path("shop/extra.yaml")).unwrap();
    let plan = fleet.run(&["plan"]);
    check(
        &plan,
        2,
        &[
            "spec.template.spec.containers[web].image: web:1 → web:2",
            "- ConfigMap shop/old",
            "- ServiceAccount shop/robot",
        ],
    );
    fleet.apply();
    assert_eq!(at(&cluster, "deployment/web", ".spec.template.spec.containers[0].image"), "web:2");
    let left = cluster.kubectl(&["--namespace=shop", "get", "configmaps", "--output=name"]);
    assert!(left.contains("somebody-elses") && !left.contains("/old"), "{left}");

    fs::remove_file(fleet.path("shop/web.yaml")).unwrap();
    let empty = fleet.run(&["plan"]);
    check(
        &empty,
        0,
        &["Deployment shop/web stays: the source renders nothing, which prunes nothing"],
    );
}

#[test]
fn what_others_change_is_drift_and_stays_theirs_unless_it_is_forced() {
    let cluster = Cluster::start("seattle");
    let _kubelets = cluster.puppet().kubelets();
    let fleet = Fleet::of(&[&cluster], "");
    fleet.apply();
    let patch = "--patch={\"spec\":{\"selector\":{\"app\":\"other\"}}}";
    cluster.kubectl(&["--namespace=shop", "patch", "service/web", patch]);
    cluster.kubectl(&["--namespace=shop", "delete", "secret/key"]);
    let status = fleet.run(&["status"]);
    check(
        &status,
        2,
        &["1 drifted, 1 missing", "Service shop/web drifted: spec.selector.app by kubectl-patch"],
    );
    let plan = fleet.run(&["plan"]);
    check(
        &plan,
        1,
        &[
            ".spec.selector.app belongs to \"kubectl-patch\"",
            "shop/web.yaml:13",
            "+ Secret shop/key",
        ],
    );
    check(&fleet.run(&["apply", "--yes"]), 1, &["nothing was done"]);
    let forced = fleet.run(&["apply", "--yes", "--force-conflicts", "spec.selector.app"]);
    check(&forced, 0, &["change Service shop/web", "create Secret shop/key"]);
    assert_eq!(at(&cluster, "service/web", ".spec.selector.app"), "web");
    check(&fleet.run(&["plan"]), 0, &[]);
}

#[test]
fn a_plan_is_applied_only_in_the_world_that_it_saw() {
    let cluster = Cluster::start("seattle");
    let _kubelets = cluster.puppet().kubelets();
    let fleet = Fleet::of(&[&cluster], "");
    let file = fleet.path("plan.json");
    check(&fleet.run(&["plan", "--out", &file]), 2, &[]);
    assert!(!fs::read_to_string(&file).unwrap().contains("hunter2"), "secrets are masked");
    check(&fleet.run(&["apply", &file]), 0, &["done: "]);
    check(
        &fleet.run(&["apply", &file]),
        1,
        &["nothing was done: the world or the source has moved", "shop on seattle"],
    );

    fleet.write("web.yaml", &WEB.replace("web:1", "web:2"));
    check(&fleet.run(&["plan", "--out", &file]), 2, &[]);
    cluster.kubectl(&["--namespace=shop", "set", "image", "deployment/web", "web=web:9"]);
    check(
        &fleet.run(&["apply", &file]),
        1,
        &["nothing was done: the world or the source has moved"],
    );
    assert_eq!(at(&cluster, "deployment/web", ".spec.template.spec.containers[0].image"), "web:9");
    let field = ".spec.template.spec.containers[name=\"web\"].image";
    let forced = fleet.run(&["plan", "--out", &file, "--force-conflicts", field]);
    check(
        &forced,
        2,
        &["takes over: .spec.template.spec.containers[name=\"web\"].image belongs to"],
    );
    check(&fleet.run(&["apply", &file]), 0, &["change Deployment shop/web"]);
    assert_eq!(at(&cluster, "deployment/web", ".spec.template.spec.containers[0].image"), "web:2");
    fleet.write("web.yaml", WEB);
    check(&fleet.run(&["apply"]), 1, &["nobody can be asked here"]);
}

#[test]
fn sites_that_cannot_be_worked_with_are_told_apart_and_hold_up_nobody() {
    let [seattle, mut orlando] = Cluster::start_all(["seattle", "orlando"]);
    let _kubelets = seattle.puppet().kubelets();
    seattle.kubectl(&["create", "namespace", "shop"]);
    seattle.kubectl(&["--namespace=shop", "create", "serviceaccount", "robot"]);
    seattle.kubectl(&[
        "create",
        "clusterrole",
        "reader",
        "--verb=get,list",
        "--resource=namespaces,services,configmaps,secrets",
    ]);
    seattle.kubectl(&[
        "create",
        "clusterrolebinding",
        "reader",
        "--clusterrole=reader",
        "--user=ann",
    ]);
    let ann = seattle.kubeconfig_for("ann", None);
    let expired =
        seattle.kubeconfig_with("expired", &seattle.token_for("shop", "robot", Duration::ZERO));
    let nobody = orlando.kubeconfig();
    let (own, same) = (seattle.kubeconfig(), seattle.path("same.kubeconfig"));
    fs::copy(&own, &same).unwrap();
    let fleet = Fleet::new(
        &[
            ("seattle", &own, &format!(", uid: {}", seattle.uid())),
            ("other", &same, &format!(", uid: {}", orlando.uid())),
            ("ann", &ann, ""),
            ("expired", &expired, ""),
            ("dead", &nobody, ""),
        ],
        "",
    );
    orlando.stop_server();
    let status = fleet.run(&["status"]);
    check(
        &status,
        1,
        &[
            "other: the cluster is another cluster: its UID is",
            "ann: the cluster is that of site seattle too",
            "expired: the cluster does not take the credential",
            "dead: the cluster is unreachable",
            "3 missing",
        ],
    );
    let forbidden = fleet.run(&["status", "--site", "ann"]);
    check(
        &forbidden,
        1,
        &[
            "ann shop: the cluster forbids it",
            "get, list, create, patch, delete deployments.apps in shop",
        ],
    );
    let plan = fleet.plan();
    let kinds: Vec<_> =
        plan["sites"].as_array().unwrap().iter().map(|it| it["error"]["kind"].clone()).collect();
    assert_eq!(
        kinds,
        [
            Value::Null,
            "wrong cluster".into(),
            "wrong cluster".into(),
            "unauthorized".into(),
            "unreachable".into()
        ]
    );

    let apply = fleet.run(&["apply", "--yes", "--site", "seattle", "--site", "dead"]);
    check(
        &apply,
        1,
        &["dead: the cluster is unreachable", "left alone", "create Deployment shop/web"],
    );
    assert_eq!(at(&seattle, "deployment/web", ".metadata.name"), "web");
}

#[test]
fn an_apply_outlives_its_server_and_goes_on_after_a_failure() {
    let mut cluster = Cluster::start("seattle");
    let kubelets = cluster.puppet().kubelets();
    kubelets.fail("web");
    let fleet = Fleet::of(&[&cluster], "");
    let late = fleet.run(&["apply", "--yes", "--timeout", "1s"]);
    check(
        &late,
        1,
        &["not ready after 1 s: Deployment shop/web", "apply again, which goes on from here"],
    );

    let mut command = Command::new(env!("CARGO_BIN_EXE_farol"));
    command.args([
        "fleet",
        "apply",
        "--yes",
        "--timeout",
        "120s",
        "--fleet",
        &fleet.path("fleet.yaml"),
    ]);
    let mut running = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(running.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.any(|it| it.contains("waiting for Deployment shop/web")));
    cluster.stop_server();
    assert!(lines.any(|it| it.contains("is unreachable")), "it tells that nobody answers");
    cluster.start_server();
    kubelets.mend("web");
    assert!(lines.any(|it| it.starts_with("done: ")));
    assert!(running.wait().unwrap().success());
}

#[test]
fn what_kubectl_made_is_taken_over() {
    let cluster = Cluster::start("seattle");
    let _kubelets = cluster.puppet().kubelets();
    let old = "
apiVersion: v1
kind: ConfigMap
metadata: { name: settings, namespace: shop }
data: { kept: a, dropped: b }
";
    cluster.kubectl(&["create", "namespace", "shop"]);
    cluster.apply(old);
    let fleet = Fleet::of(&[&cluster], "");
    fleet.write("settings.yaml", &old.replace(", dropped: b", ""));
    let before = fleet.run(&["adopt", "--dry-run"]);
    check(
        &before,
        0,
        &[
            "ConfigMap shop/settings would be taken over from kubectl-client-side-apply",
            "1 objects would be taken over",
        ],
    );
    check(&fleet.run(&["adopt"]), 0, &["1 objects taken over"]);
    check(&fleet.run(&["adopt"]), 0, &["nothing to take over"]);
    fleet.apply();
    assert_eq!(at(&cluster, "configmap/settings", ".data"), "{\"kept\":\"a\"}");
}

#[test]
fn definitions_come_before_their_objects_and_replicas_pass_to_an_autoscaler() {
    let cluster = Cluster::start("seattle");
    let _kubelets = cluster.puppet().kubelets();
    let fleet = Fleet::of(&[&cluster], "");
    fleet.write(
        "lights.yaml",
        "
apiVersion: test.example/v1
kind: Light
metadata: { name: red }
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: { name: lights.test.example }
spec:
  group: test.example
  scope: Namespaced
  names: { plural: lights, singular: light, kind: Light }
  versions:
  - name: v1
    served: true
    storage: true
    schema:
      openAPIV3Schema:
        type: object
        x-kubernetes-preserve-unknown-fields: true
        x-kubernetes-validations: [ { rule: 'true' } ]
",
    );
    fleet.write(
        "web.yaml",
        &WEB.replace(
            "spec:\n  selector: { matchLabels",
            "spec:\n  replicas: 4\n  selector: { matchLabels",
        ),
    );
    fleet.apply();
    assert_eq!(at(&cluster, "light/red", ".metadata.name"), "red");
    assert_eq!(at(&cluster, "deployment/web", ".spec.replicas"), "4");

    let description = fs::read_to_string(fleet.path("fleet.yaml")).unwrap();
    let scaled =
        description + "  autoscale: [ { target: Deployment/web, cpu: 80, min: 2, max: 9 } ]\n";
    fs::write(fleet.path("fleet.yaml"), scaled).unwrap();
    fleet.apply();
    assert_eq!(at(&cluster, "deployment/web", ".spec.replicas"), "4", "no fall to 1");
    assert_eq!(at(&cluster, "horizontalpodautoscaler/web", ".spec.maxReplicas"), "9");
    cluster.kubectl(&["--namespace=shop", "scale", "deployment/web", "--replicas=7"]);
    check(&fleet.run(&["plan"]), 0, &["as they are wanted"]);
}

#[test]
fn what_cannot_be_applied_is_refused_before_anything_is_written() {
    let cluster = Cluster::start("seattle");
    let fleet = Fleet::of(&[&cluster], "");
    fleet.write("broken.yaml", "kind: ConfigMap\n  metadata: [\n");
    check(&fleet.run(&["plan"]), 1, &["shop/broken.yaml:2"]);
    fleet.write(
        "broken.yaml",
        "
apiVersion: extensions/v1beta1
kind: Deployment
metadata: { name: old }
---
apiVersion: v1
kind: Service
metadata: { name: web }
",
    );
    let refused = fleet.run(&["apply", "--yes"]);
    check(
        &refused,
        1,
        &[
            "the cluster does not serve Deployment of extensions/v1beta1; write apps/v1",
            "Service shop/web: is written twice",
            "nothing was done",
        ],
    );
    assert_eq!(cluster.writes(), Vec::<String>::new());
    // What lies in a namespace that isn't there yet can't be asked for.
    cluster.kubectl(&["create", "namespace", "shop"]);
    fleet.write("broken.yaml", "apiVersion: v1\nkind: Service\nmetadata: { name: bad }\nspec: { ports: [ { port: 99999 } ] }\n");
    check(&fleet.run(&["apply", "--yes"]), 1, &["Service shop/bad", "99999", "nothing was done"]);
    assert_eq!(cluster.writes(), Vec::<String>::new());
    check(
        &fleet.run(&["plan", "--site", "seatle"]),
        1,
        &["the fleet has no site seatle; is it seattle?"],
    );
}

#[test]
fn a_site_is_proven_only_while_everything_in_it_is_ready() {
    let cluster = Cluster::start("seattle");
    let kubelets = cluster.puppet().kubelets();
    let fleet = Fleet::of(&[&cluster], "monitoring: { namespace: shop }\n");
    let applied = fleet.apply();
    check(&applied, 0, &["PrometheusRule farol: "]);
    check(&fleet.run(&["verify"]), 0, &["seattle  ready"]);
    check(&fleet.run(&["status"]), 0, &["farol-monitoring  in sync"]);

    kubelets.fail("web");
    wait_until("a Deployment that fails", || {
        at(&cluster, "deployment/web", ".status.readyReplicas") != "1"
    });
    let failing = fleet.run(&["verify"]);
    check(
        &failing,
        1,
        &["1 not ready", "seattle shop: Deployment shop/web 0 of 1 replicas are available"],
    );
}

#[test]
fn a_program_may_give_the_credential() {
    let cluster = Cluster::start("seattle");
    cluster.kubectl(&["create", "serviceaccount", "robot"]);
    let admin = ["create", "clusterrolebinding", "robot", "--clusterrole=cluster-admin"];
    cluster.kubectl(&[&admin[..], &["--serviceaccount=default:robot"]].concat());
    let token = cluster.token_for("default", "robot", Duration::from_secs(3600));
    let kubeconfig = cluster.kubeconfig_with("robot", &token);
    let answer = cluster.path("credential.json");
    fs::write(&answer, format!("{{\"status\": {{\"token\": \"{token}\"}}}}")).unwrap();
    let plugin = |command: &str| {
        let text = fs::read_to_string(&kubeconfig).unwrap();
        let exec = format!(
            "exec: {{ apiVersion: client.authentication.k8s.io/v1beta1, command: {command}, args: ['{}'] }}",
            answer.display()
        );
        let path = cluster.path(&format!("{command}.kubeconfig"));
        fs::write(&path, text.replace(&format!("token: {token}"), &exec)).unwrap();
        path
    };
    let (good, bad) = (plugin("cat"), plugin("no-such-plugin"));
    assert!(!fs::read_to_string(&good).unwrap().contains(&token));
    let fleet = Fleet::new(&[("good", &good, ""), ("bad", &bad, "")], "");
    check(
        &fleet.run(&["plan"]),
        1,
        &[
            "4 to create",
            "bad: the cluster can't be reached: the exec plugin no-such-plugin can't be started",
        ],
    );
}
