//! What goes wrong while `farol fleet` works with real API servers: what was done and what wasn't is told, and it goes on from there.

#![allow(clippy::unwrap_used, reason = "what tests share may panic like tests")]

mod common;

use std::collections::HashSet;
use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use common::cli::check;
use common::fleet::{Fleet, WEB, at};
use common::kubernetes::Cluster;
use common::kubernetes::answers::Answers;
use common::wait_until;
use serde_json::{Value, json};

/// Applies again, which does what is left; and once more, which writes nothing.
#[track_caller]
fn goes_on(fleet: &Fleet, cluster: &Cluster) {
    fleet.apply();
    assert_ne!(cluster.writes(), Vec::<String>::new());
    fleet.apply();
    assert_eq!(cluster.writes(), Vec::<String>::new());
}

/// Waits until the server takes an object, or doesn't: it learns of quotas and webhooks a little later.
#[track_caller]
fn wait_until_taken(cluster: &Cluster, is_taken: bool, create: &[&str]) {
    let dry = [&["--namespace=shop", "create", "--dry-run=server"], create].concat();
    wait_until("an admission that knows", || {
        cluster.run("kubectl", &dry, "").status.success() == is_taken
    });
}

/// "create Service shop/web" of each of some steps.
fn steps(list: &Value) -> Vec<String> {
    let text = |it: &Value| it.as_str().unwrap_or_default().to_owned();
    let step = |it: &Value| {
        format!(
            "{} {} {}",
            text(&it["action"]),
            text(&it["object"]["kind"]),
            text(&it["object"]["name"])
        )
    };
    list.as_array().unwrap().iter().map(step).collect()
}

#[test]
fn what_a_quota_stops_half_way_goes_on_when_there_is_room() {
    let cluster = Cluster::start("seattle");
    let puppet = cluster.puppet();
    let _kubelets = puppet.kubelets();
    let fleet = Fleet::of(&[&cluster], "");
    let api = "apiVersion: v1\nkind: Service\nmetadata: { name: api }\nspec: { ports: [ { port: 80 } ] }\n";
    fleet.write("api.yaml", api);
    cluster.kubectl(&["create", "namespace", "shop"]);
    cluster.kubectl(&["--namespace=shop", "create", "quota", "room", "--hard=services=1"]);
    // The controller that counts isn't there. The server itself goes on counting.
    let room = |hard: &str, used: &str| {
        let status = json!({ "hard": { "services": hard }, "used": { "services": used } });
        puppet.status("/api/v1/namespaces/shop/resourcequotas/room", &status);
    };
    let service = ["service", "clusterip", "other", "--tcp=80"];
    room("1", "0");
    wait_until_taken(&cluster, true, &service);

    // Each of the two Services has room by itself, so a dry run takes both.
    check(&fleet.run(&["plan"]), 2, &["4 to create"]);
    let failed = fleet.run(&["apply", "--yes", "-o", "json"]);
    check(
        &failed,
        1,
        &[
            "create Service shop/web: the cluster forbids it: ",
            "exceeded quota: room",
            "3 done, 3 not done (Deployment shop/web, ConfigMap shop/farol-shop)",
            "mend it and apply again, which goes on from here",
        ],
    );
    let outcome: Value = serde_json::from_str(&failed.out).unwrap();
    let app = &outcome["sites"][0]["apps"][0];
    let done = ["record ConfigMap farol-shop", "create Secret key", "create Service api"];
    assert_eq!(steps(&app["done"]), done);
    let not_done = ["create Service web", "create Deployment web", "record ConfigMap farol-shop"];
    assert_eq!(steps(&app["not_done"]), not_done);
    for error in [&app["error"], &outcome["error"]] {
        assert!(error.as_str().unwrap().contains("exceeded quota"), "{outcome}");
    }
    wait_until_taken(&cluster, false, &service);

    room("5", "1");
    wait_until_taken(&cluster, true, &service);
    check(&fleet.run(&["plan"]), 2, &["2 to create"]);
    cluster.writes();
    goes_on(&fleet, &cluster);
}

#[test]
fn what_a_webhook_refuses_or_does_not_answer_goes_on_when_it_does() {
    const TAKES: u8 = 0;
    const REFUSES: u8 = 1;
    const HANGS: u8 = 2;
    let cluster = Cluster::start("seattle");
    let _kubelets = cluster.puppet().kubelets();
    let (mood, asked) = (Arc::new(AtomicU8::new(REFUSES)), Arc::new(AtomicUsize::new(0)));
    let (its_mood, counter) = (Arc::clone(&mood), Arc::clone(&asked));
    let webhook = Answers::https(move |request| {
        counter.fetch_add(1, Ordering::SeqCst);
        let review: Value = serde_json::from_str(&request.body).unwrap();
        let is_dry = review["request"]["dryRun"] == true;
        let mood = if is_dry { TAKES } else { its_mood.load(Ordering::SeqCst) };
        let response = json!({
            "uid": review["request"]["uid"],
            "allowed": mood == TAKES,
            "status": { "code": 403, "message": "the shop is closed" },
        });
        let answer = json!({
            "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response,
        });
        (mood != HANGS).then(|| (200, answer.to_string()))
    });
    let url = format!("https://{}/", webhook.address);
    cluster.api.must(
        "POST",
        "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations",
        &json!({
            "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration",
            "metadata": { "name": "hours" },
            "webhooks": [{
                "name": "hours.shop.test", "clientConfig": { "url": url, "caBundle": webhook.bundle() },
                "rules": [{ "apiGroups": ["apps"], "apiVersions": ["v1"], "operations": ["*"], "resources": ["deployments"] }],
                "failurePolicy": "Fail", "sideEffects": "None", "admissionReviewVersions": ["v1"], "timeoutSeconds": 1,
            }],
        }),
    );
    cluster.kubectl(&["create", "namespace", "shop"]);
    wait_until("a webhook that is asked", || {
        let create =
            ["--namespace=shop", "create", "--dry-run=server", "deployment", "a", "--image=a"];
        cluster.run("kubectl", &create, "");
        asked.load(Ordering::SeqCst) > 0
    });

    let fleet = Fleet::of(&[&cluster], "");
    check(
        &fleet.run(&["apply", "--yes"]),
        1,
        &[
            "create Service shop/web",
            "create Deployment shop/web: the cluster forbids it: ",
            "the shop is closed",
            "3 done, 2 not done",
        ],
    );
    mood.store(HANGS, Ordering::SeqCst);
    let mut command = Command::new(env!("CARGO_BIN_EXE_farol"));
    command.args(["fleet", "apply", "--yes", "--fleet", &fleet.path("fleet.yaml")]);
    let mut running = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(running.stdout.take().unwrap()).lines().map(Result::unwrap);
    let again = lines.find(|it| it.ends_with("trying again")).unwrap();
    assert!(again.contains("create Deployment shop/web: the cluster can't do it now"), "{again}");
    mood.store(TAKES, Ordering::SeqCst);
    assert!(lines.any(|it| it == "done: 2 steps"));
    assert!(running.wait().unwrap().success());
    cluster.writes();
    fleet.apply();
    assert_eq!(cluster.writes(), Vec::<String>::new());
}

#[test]
fn a_server_of_a_group_that_hangs_holds_up_nothing_but_pruning() {
    let cluster = Cluster::start("seattle");
    let _kubelets = cluster.puppet().kubelets();
    let fleet = Fleet::of(&[&cluster], "");
    fleet.write("old.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: { name: old }\n");
    fleet.apply();

    // It says that it is well, and nothing else.
    let hanging = Answers::https(|request| {
        let list = json!({ "kind": "APIResourceList", "apiVersion": "v1", "groupVersion": "slow.example/v1", "resources": [] });
        let is_check = request.header("x-remote-user") == "system:kube-aggregator";
        is_check.then(|| (200, list.to_string()))
    });
    cluster.kubectl(&["create", "service", "externalname", "slow", "--external-name=localhost"]);
    let service = json!({ "namespace": "default", "name": "slow", "port": hanging.address.port() });
    cluster.api.must(
        "POST",
        "/apis/apiregistration.k8s.io/v1/apiservices",
        &json!({
            "apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService", "metadata": { "name": "v1.slow.example" },
            "spec": {
                "group": "slow.example", "version": "v1", "groupPriorityMinimum": 1000, "versionPriority": 10,
                "insecureSkipTLSVerify": true, "service": service,
            },
        }),
    );
    let available = "--output=jsonpath={.status.conditions[?(@.type==\"Available\")].status}";
    wait_until("a group that is available", || {
        cluster.kubectl(&["get", "apiservice", "v1.slow.example", available]) == "True"
    });
    // The server that passes requests on learns of the group a little later than the list does.
    wait_until("a group that hangs", || {
        let asked = ["get", "--raw=/apis/slow.example/v1", "--request-timeout=1s"];
        let said = cluster.run("kubectl", &asked, "").stderr;
        !String::from_utf8_lossy(&said).contains("could not find")
    });

    fs::remove_file(fleet.path("shop/old.yaml")).unwrap();
    fleet.write("web.yaml", &WEB.replace("web:1", "web:2"));
    let stays = "ConfigMap shop/old stays: the cluster does not tell all that it serves: slow.example/v1: is unreachable: no answer within 5 s";
    check(&fleet.run(&["plan"]), 2, &["web:1 → web:2", stays]);
    fleet.apply();
    assert_eq!(at(&cluster, "deployment/web", ".spec.template.spec.containers[0].image"), "web:2");
    assert_eq!(at(&cluster, "configmap/old", ".metadata.name"), "old");
    cluster.writes();
    fleet.apply();
    assert_eq!(cluster.writes(), Vec::<String>::new(), "nor is it written again and again");

    cluster.kubectl(&["delete", "apiservice", "v1.slow.example"]);
    wait_until("a group that is gone", || {
        !cluster.kubectl(&["get", "--raw=/apis"]).contains("slow.example")
    });
    check(&fleet.run(&["plan"]), 2, &["- ConfigMap shop/old"]);
    goes_on(&fleet, &cluster);
}

#[test]
fn a_server_that_is_busy_is_asked_again() {
    let cluster = Cluster::start("seattle");
    let _kubelets = cluster.puppet().kubelets();
    let (api, seen) = (cluster.api.called("farol"), Mutex::new(HashSet::new()));
    // Everything is refused the first time.
    let busy = Answers::http(move |request| {
        let what = format!("{} {}", request.method, request.path);
        if seen.lock().unwrap().insert(what) {
            let code = if request.method == "GET" { 503 } else { 429 };
            let status = json!({
                "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code,
                "message": "so many requests", "reason": "TooManyRequests",
            });
            return Some((code, status.to_string()));
        }
        let media_type = request.header("content-type");
        let answer = api.try_send_as(&request.method, &request.path, media_type, &request.body);
        answer.ok().map(|it| (it.status, it.body))
    });
    let kubeconfig = cluster.path("busy.kubeconfig");
    let text = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "busy",
        "contexts": [{ "name": "busy", "context": { "cluster": "busy", "user": "busy" } }],
        "clusters": [{ "name": "busy", "cluster": { "server": format!("http://{}", busy.address) } }],
        "users": [{ "name": "busy", "user": {} }],
    });
    fs::write(&kubeconfig, text.to_string()).unwrap();
    let fleet = Fleet::new(&[("seattle", &kubeconfig, "")], "");
    let applied = fleet.apply();
    check(
        &applied,
        0,
        &[
            "create Deployment shop/web: the cluster can't do it now: so many requests; trying again",
            "done: 6 steps",
        ],
    );
    assert_eq!(cluster.writes().len(), 6, "each of them once");
    fleet.apply();
    assert_eq!(cluster.writes(), Vec::<String>::new());
}
