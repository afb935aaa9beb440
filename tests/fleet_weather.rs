//! Two who change the same: companions, people, autoscalers, and a description that moves while something is done. Against real API servers.

#![allow(clippy::unwrap_used, reason = "what tests share may panic like tests")]

mod common;

use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use common::daemon::Daemon;
use common::fleet::{Fleet, WEB, at};
use common::kubernetes::Cluster;
use common::kubernetes::answers::Answers;
use common::{wait_for, wait_to_see, wait_until};
use serde_json::{Value, json};

const LEASES: &str = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases";
const IMAGE: &str = ".spec.template.spec.containers[0].image";

/// The fleet's app on the site, as the daemon sees it.
fn app(daemon: &Daemon) -> Value {
    let seen = daemon.api.get("/v1/fleet/sites/seattle").json();
    seen["apps"].as_array().and_then(|it| it.first()).cloned().unwrap_or(Value::Null)
}

#[track_caller]
fn wait_for_state(daemon: &Daemon, expected: &str) {
    wait_to_see(&json!(expected), || app(daemon)["state"].clone());
}

fn set_image(cluster: &Cluster, image: &str) {
    let image = format!("web={image}");
    cluster.kubectl(&["--namespace=shop", "set", "image", "deployment/web", &image]);
}

#[test]
fn who_loses_the_lease_gives_up_and_tells_what_was_done() {
    let cluster = Cluster::start("seattle");
    let fleet = Fleet::of(&[&cluster], "");
    // Nobody makes the Deployment ready: it waits.
    let mut apply = Command::new(env!("CARGO_BIN_EXE_farol"))
        .args(["fleet", "apply", "--yes", "-o", "json", "--fleet", &fleet.path("fleet.yaml")])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut told = BufReader::new(apply.stderr.take().unwrap()).lines().map(Result::unwrap);
    assert!(told.any(|it| it.contains("waiting for Deployment shop/web")));
    cluster.kubectl(&["--namespace=kube-system", "delete", "lease/farol-fleet"]);
    let lease = json!({
        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "farol-fleet"},
        "spec": {"holderIdentity": "somebody", "leaseDurationSeconds": 15, "renewTime": "2026-01-01T00:00:00.000000Z"},
    });
    cluster.api.must("POST", LEASES, &lease);
    let mut outcome = String::new();
    apply.stdout.take().unwrap().read_to_string(&mut outcome).unwrap();
    assert_eq!(apply.wait().unwrap().code(), Some(1));
    let outcome: Value = serde_json::from_str(&outcome).unwrap();
    let why = outcome["error"].as_str().unwrap();
    assert!(why.contains("could not be renewed"), "{why}");
    let app = &outcome["sites"][0]["apps"][0];
    let names = |steps: &Value| -> Vec<String> {
        let steps = steps.as_array().unwrap().iter();
        steps.map(|it| format!("{} {}", it["action"], it["object"]["kind"])).collect()
    };
    assert_eq!(names(&app["done"]).len(), 5, "{outcome}");
    assert_eq!(names(&app["not_done"]), [r#""record" "ConfigMap""#]);
    let lease = cluster.api.get(&format!("{LEASES}/farol-fleet"));
    assert_eq!(lease["spec"]["holderIdentity"], "somebody", "it is left to who has it");
}

#[test]
fn a_reload_in_the_middle_of_a_healing_gives_the_lease_back() {
    let cluster = Cluster::start("seattle");
    let _kubelets = cluster.puppet().kubelets();
    let fleet = Fleet::of(&[&cluster], "drift: heal\n");
    fleet.apply();
    let (hangs, hung) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicUsize::new(0)));
    let (its_mood, counter) = (hangs.clone(), hung.clone());
    let webhook = Answers::https(move |request| {
        let review: Value = serde_json::from_str(&request.body).unwrap();
        let request = &review["request"];
        let heals = request["dryRun"] == false
            && request["object"].pointer("/spec/template/spec/containers/0/image")
                == Some(&json!("web:1"));
        if heals && its_mood.load(Ordering::SeqCst) {
            counter.fetch_add(1, Ordering::SeqCst);
            return None;
        }
        let response = json!({ "uid": request["uid"], "allowed": true });
        let answer = json!({
            "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response,
        });
        Some((200, answer.to_string()))
    });
    let url = format!("https://{}/", webhook.address);
    set_image(&cluster, "web:7");
    let configuration = json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration",
        "metadata": { "name": "hours" },
        "webhooks": [{
            "name": "hours.shop.test", "clientConfig": { "url": url, "caBundle": webhook.bundle() },
            "rules": [{ "apiGroups": ["apps"], "apiVersions": ["v1"], "operations": ["UPDATE"], "resources": ["deployments"] }],
            "failurePolicy": "Fail", "sideEffects": "None", "admissionReviewVersions": ["v1"], "timeoutSeconds": 30,
        }],
    });
    let hooks = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations";
    cluster.api.must("POST", hooks, &configuration);
    wait_until("a webhook that is asked", || {
        let change = r#"--patch={"spec":{"template":{"spec":{"containers":[{"name":"web","image":"web:1"}]}}}}"#;
        let patch = ["--namespace=shop", "patch", "deployment/web", "--request-timeout=1s", change];
        cluster.run("kubectl", &patch, "");
        let is_asked = hung.load(Ordering::SeqCst) > 0;
        if !is_asked {
            set_image(&cluster, "web:7");
        }
        is_asked
    });
    let before = hung.load(Ordering::SeqCst);
    let daemon = fleet.home().start();
    wait_until("a healing that hangs", || hung.load(Ordering::SeqCst) > before);
    let acquired = || {
        let lease = cluster.api.get(&format!("{LEASES}/farol-fleet"));
        lease["spec"]["acquireTime"].as_str().unwrap().to_owned()
    };
    let first = acquired();
    daemon.api.must("POST", "/v1/reload", "");
    // It is taken once more, which only needs a new time if it was given back.
    wait_for("a Lease that was given back", || (acquired() != first).then_some(()));
    hangs.store(false, Ordering::SeqCst);
    wait_to_see(&"web:1".to_owned(), || at(&cluster, "deployment/web", IMAGE));
    wait_for_state(&daemon, "in_sync");
}

#[test]
fn replicas_are_left_to_an_autoscaler_from_elsewhere_and_a_secret_described_anew_is_no_drift() {
    let cluster = Cluster::start("seattle");
    let _kubelets = cluster.puppet().kubelets();
    let fleet = Fleet::of(&[&cluster], "drift: heal\n");
    let web = WEB.replacen("spec:\n  selector", "spec:\n  replicas: 3\n  selector", 1);
    fleet.write("web.yaml", &web);
    fleet.apply();
    let daemon = fleet.home().start();
    wait_for_state(&daemon, "in_sync");
    let replicas = || at(&cluster, "deployment/web", ".spec.replicas");
    let scale = |to: &str| {
        cluster.kubectl(&["--namespace=shop", "scale", "deployment/web", to]);
    };
    scale("--replicas=4");
    wait_to_see(&"3".to_owned(), replicas);
    wait_to_see(&json!(1), || app(&daemon)["healing"]["times"].clone());
    cluster.apply(
        "apiVersion: autoscaling/v1\nkind: HorizontalPodAutoscaler\nmetadata: { name: web, namespace: shop }\n\
         spec: { scaleTargetRef: { apiVersion: apps/v1, kind: Deployment, name: web }, minReplicas: 2, maxReplicas: 9 }\n",
    );
    scale("--replicas=5");
    set_image(&cluster, "web:7");
    wait_to_see(&"web:1".to_owned(), || at(&cluster, "deployment/web", IMAGE));
    wait_for_state(&daemon, "in_sync");
    assert_eq!(replicas(), "5", "they are the autoscaler's");
    cluster.writes();
    fleet.apply();
    assert_eq!(cluster.writes(), Vec::<String>::new());
    assert_eq!(replicas(), "5");

    fleet.write("web.yaml", &web.replace("hunter2", "hunter3"));
    daemon.api.must("POST", "/v1/reload", "");
    wait_for_state(&daemon, "outdated");
    let note = at(&cluster, "configmap/farol-shop", ".metadata.annotations");
    fleet.apply();
    wait_for_state(&daemon, "in_sync");
    let noted = at(&cluster, "configmap/farol-shop", ".metadata.annotations");
    assert_eq!(noted, note, "it says nothing of a Secret's values");
    assert_eq!(replicas(), "5");
}
