//! The clusters of the tests are what they claim to be: real API servers apart from each other, that can be written to, refuse, go
//! away and come back, and whose machines are played.

#![allow(clippy::unwrap_used, reason = "what tests share may panic like tests")]

mod common;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use common::kubernetes::{Cluster, client, wait_to_see};
use common::program;
use serde_json::{Value, json};

const CONFIG_MAPS: &str = "/api/v1/namespaces/default/configmaps";

fn config_map(name: &str) -> Value {
    json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": name } })
}

/// How the API server answers one who asks for something.
fn status(cluster: &Cluster, path: &str) -> u16 {
    cluster.api.send("GET", path, &Value::Null).status
}

#[test]
fn clusters_are_apart() {
    let [seattle, orlando] = Cluster::start_all(["seattle", "orlando"]);
    assert_ne!(seattle.uid(), orlando.uid());
    seattle.api.must("POST", CONFIG_MAPS, &config_map("here"));
    let here = format!("{CONFIG_MAPS}/here");
    assert_eq!([&seattle, &orlando].map(|it| status(it, &here)), [200, 404]);

    let names = ["get", "configmaps", "here", "--output=name"];
    assert_eq!(seattle.kubectl(&names), "configmap/here\n");
    let refused = orlando.run("kubectl", &names, "");
    assert!(String::from_utf8_lossy(&refused.stderr).contains("NotFound"), "{refused:?}");
}

#[test]
fn manifests_are_rendered_by_kubectl_and_both_helms() {
    let directory = tempfile::tempdir().unwrap();
    let write = |file: &str, text: &str| fs::write(directory.path().join(file), text).unwrap();
    fs::create_dir(directory.path().join("templates")).unwrap();
    let map = "apiVersion: v1\nkind: ConfigMap\nmetadata: { name: web }\ndata:\n  replicas: ";
    write("Chart.yaml", "apiVersion: v2\nname: web\nversion: 0.1.0\n");
    write("templates/map.yaml", &format!("{map}'{{{{ .Values.replicas }}}}'\n"));
    write("kustomization.yaml", "resources: [map.yaml]\nnamePrefix: sea-\n");
    write("map.yaml", &format!("{map}'2'\n"));
    let said = |name: &str, args: &[&str]| {
        let mut command = Command::new(client(name));
        let output = program::run(command.args(args).current_dir(&directory), "");
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    for (helm, version) in [("helm3", "v3."), ("helm4", "v4.")] {
        assert!(said(helm, &["version", "--short"]).starts_with(version));
        let rendered = said(helm, &["template", "web", ".", "--set=replicas=3"]);
        assert!(rendered.contains("replicas: '3'"), "{rendered}");
    }
    assert!(said("kubectl", &["kustomize", "."]).contains("name: sea-web"));
}

#[test]
fn custom_resources_are_taken() {
    let cluster = Cluster::start("seattle");
    cluster.apply(
        "
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
      openAPIV3Schema: { type: object, properties: { spec: { type: object, properties: { colour: { type: string } } } } }
",
    );
    cluster.kubectl(&["wait", "--for=condition=established", "crd/lights.test.example"]);
    let lights = "/apis/test.example/v1/namespaces/default/lights";
    let light = json!({
        "apiVersion": "test.example/v1", "kind": "Light", "metadata": { "name": "front" }, "spec": { "colour": "red" },
    });
    wait_to_see(&200, || status(&cluster, lights));
    cluster.api.must("POST", lights, &light);
    let changed = json!({ "spec": { "colour": "green" } });
    cluster.api.must("PATCH", &format!("{lights}/front"), &changed);
    assert_eq!(cluster.api.get(&format!("{lights}/front"))["spec"]["colour"], "green");
}

#[test]
fn users_may_do_what_they_are_allowed() {
    let cluster = Cluster::start("seattle");
    cluster.kubectl(&["create", "namespace", "shop"]);
    cluster.kubectl(&["create", "serviceaccount", "farol", "--namespace=shop"]);
    cluster.kubectl(&[
        "create",
        "role",
        "look",
        "--verb=get,list",
        "--resource=configmaps",
        "--namespace=shop",
    ]);
    cluster.kubectl(&[
        "create",
        "rolebinding",
        "look",
        "--role=look",
        "--namespace=shop",
        "--user=dora",
        "--group=lookers",
        "--serviceaccount=shop:farol",
    ]);
    let look = |kubeconfig: &Path, namespace: &str| {
        let kubeconfig = format!("--kubeconfig={}", kubeconfig.display());
        let namespace = format!("--namespace={namespace}");
        let output = cluster.run("kubectl", &["get", "configmaps", &kubeconfig, &namespace], "");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        if output.status.success() { "allowed".to_owned() } else { said }
    };
    let token = cluster.token_for("shop", "farol", Duration::from_secs(600));
    for kubeconfig in [
        cluster.kubeconfig_for("dora", None),
        cluster.kubeconfig_for("emil", Some("lookers")),
        cluster.kubeconfig_with("farol", &token),
    ] {
        wait_to_see(&"allowed".to_owned(), || look(&kubeconfig, "shop"));
        let refused = look(&kubeconfig, "default");
        assert!(refused.contains("Forbidden"), "{refused}");
    }
    let response = cluster.api_for("dora", None).send("POST", CONFIG_MAPS, &config_map("hers"));
    assert_eq!(response.status, 403, "{}", response.body);

    let expired = cluster.token_for("shop", "farol", Duration::ZERO);
    let kubeconfig = cluster.kubeconfig_with("late", &expired);
    wait_to_see(&true, || look(&kubeconfig, "shop").contains("Unauthorized"));
}

#[test]
fn writes_are_counted_and_survive_a_restart() {
    let mut cluster = Cluster::start("seattle");
    let farol = cluster.api.called("farol/0.1");
    assert_eq!(cluster.writes(), [""; 0]);
    farol.must("POST", CONFIG_MAPS, &config_map("kept"));
    farol.must("POST", &format!("{CONFIG_MAPS}?dryRun=All"), &config_map("tried"));
    farol.get(CONFIG_MAPS);
    let review = json!({
        "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
        "spec": { "resourceAttributes": { "verb": "get", "resource": "pods" } },
    });
    farol.must("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", &review);
    cluster.api.must("POST", CONFIG_MAPS, &config_map("of-others"));
    let kept = format!("{CONFIG_MAPS}/kept");
    farol.must("PATCH", &kept, &json!({ "data": { "key": "value" } }));
    assert_eq!(cluster.writes(), [format!("create {CONFIG_MAPS}"), format!("patch {kept}")]);
    assert_eq!(cluster.writes(), [""; 0]);

    let uid = cluster.uid();
    cluster.stop_server();
    assert!(farol.try_send("GET", &kept, "").is_err());
    cluster.start_server();
    assert_eq!(farol.get(&kept)["data"]["key"], "value");
    assert_eq!(cluster.uid(), uid);
    farol.must("DELETE", &kept, &Value::Null);
    assert_eq!(cluster.writes(), [format!("delete {kept}")]);
}

/// A Deployment, a StatefulSet and a DaemonSet, which are alike but for this.
fn workload(kind: &str, more: &str) -> String {
    let template = "selector: { matchLabels: { app: web } }\n  template:\n    metadata: { labels: { app: web } }\n    \
                    spec: { containers: [{ name: web, image: web }] }";
    let name = kind.to_lowercase();
    format!(
        "---\napiVersion: apps/v1\nkind: {kind}\nmetadata: {{ name: {name} }}\nspec:\n  {more}\n  {template}\n"
    )
}

const JOB: &str = "---\napiVersion: batch/v1\nkind: Job\nmetadata: { name: job }\nspec:\n  template:\n    spec:\n      restartPolicy: Never\n      \
                   containers: [{ name: job, image: job }]\n";

fn apply_workloads(cluster: &Cluster) {
    let deployment = workload("Deployment", "replicas: 2");
    let stateful = workload("StatefulSet", "serviceName: web");
    let manifests = format!("{deployment}{stateful}{}{JOB}", workload("DaemonSet", ""));
    cluster.apply(&manifests);
}

/// How many pods of each of the workloads are ready, and how many Jobs are done.
fn ready(cluster: &Cluster) -> [u64; 4] {
    let number = |path: &str, field: &str| {
        cluster.api.get(path)["status"][field].as_u64().unwrap_or_default()
    };
    let apps = "/apis/apps/v1/namespaces/default";
    [
        number(&format!("{apps}/deployments/deployment"), "availableReplicas"),
        number(&format!("{apps}/statefulsets/statefulset"), "readyReplicas"),
        number(&format!("{apps}/daemonsets/daemonset"), "numberReady"),
        number("/apis/batch/v1/namespaces/default/jobs/job", "succeeded"),
    ]
}

#[test]
fn controllers_and_kubelets_run_what_is_wanted() {
    let mut cluster = Cluster::start("seattle");
    cluster.start_controllers();
    let puppet = cluster.puppet();
    let kubelets = puppet.kubelets();
    for node in ["one", "two"] {
        puppet.node(node, "v1.20.2");
    }
    apply_workloads(&cluster);
    wait_to_see(&[2, 1, 2, 1], || ready(&cluster));
    kubelets.fail("statefulset");
    wait_to_see(&[2, 0, 2, 1], || ready(&cluster));
    kubelets.mend("statefulset");
    cluster.kubectl(&["scale", "deployment/deployment", "--replicas=1"]);
    wait_to_see(&[1, 1, 2, 1], || ready(&cluster));
    // What belongs to it goes as well, and so does a namespace.
    cluster.kubectl(&["delete", "deployment/deployment", "--wait=false"]);
    let replica_sets = "/apis/apps/v1/namespaces/default/replicasets";
    wait_to_see(&json!([]), || cluster.api.get(replica_sets)["items"].clone());
    cluster.kubectl(&["create", "namespace", "shop"]);
    cluster.kubectl(&["delete", "namespace", "shop", "--timeout=60s"]);
}

#[test]
fn without_controllers_the_puppet_says_what_they_would() {
    let cluster = Cluster::start("seattle");
    let puppet = cluster.puppet();
    puppet.node("one", "v1.20.2");
    puppet.node_is_ready("one", false);
    let node = cluster.api.get("/api/v1/nodes/one");
    assert_eq!(node["status"]["nodeInfo"]["kubeletVersion"], "v1.20.2");
    assert_eq!(node["status"]["conditions"][0]["status"], "False");

    apply_workloads(&cluster);
    puppet.workload("deployments", "default", "deployment", 1);
    assert_eq!(ready(&cluster), [1, 0, 0, 0]);
    let kubelets = puppet.kubelets();
    wait_to_see(&[2, 1, 1, 1], || ready(&cluster));
    kubelets.fail("deployment");
    wait_to_see(&[0, 1, 1, 1], || ready(&cluster));
    drop(kubelets);

    cluster.kubectl(&["create", "service", "loadbalancer", "web", "--tcp=80:8080"]);
    cluster.kubectl(&["create", "ingress", "web", "--rule=www.example/*=web:80"]);
    puppet.load_balancer("default", "web", &["192.0.2.1"]);
    puppet.ingress("default", "web", &["lb.example"]);
    let jsonpath = "--output=jsonpath={.items[0].status.loadBalancer.ingress[0]}";
    assert_eq!(
        cluster.kubectl(&["get", "services", "--field-selector=metadata.name=web", jsonpath]),
        r#"{"ip":"192.0.2.1"}"#
    );
    assert_eq!(cluster.kubectl(&["get", "ingresses", jsonpath]), r#"{"hostname":"lb.example"}"#);
}
