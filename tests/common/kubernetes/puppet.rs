//! Writes what machines would: the status of nodes, pods, workloads, Services and Ingresses, as kubelets, load balancers and, where no
//! controllers run, controllers do. Each thing at once and once, so that a test can be slow, flap, fail or be stale with it;
//! [`Kubelets`] do it as long as they are kept.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::{Value, json};

use super::api::Api;

/// How often kubelets look at what there is.
const LOOK: Duration = Duration::from_millis(100);
const NOW: &str = "2026-01-01T00:00:00Z";

/// Writes statuses.
#[derive(Clone)]
pub(crate) struct Puppet {
    api: Api,
    /// Whether controllers write the status of workloads themselves.
    controlled: bool,
}

fn condition(kind: &str, holds: bool) -> Value {
    let status = if holds { "True" } else { "False" };
    json!({ "type": kind, "status": status, "reason": "Puppet", "lastTransitionTime": NOW })
}

/// Where an object of a namespace is: `apis/apps/v1`, `deployments`.
fn path(group: &str, kind: &str, namespace: &str, name: &str) -> String {
    format!("/{group}/namespaces/{namespace}/{kind}/{name}")
}

/// Where an object of a list is.
fn path_of(group: &str, kind: &str, object: &Value) -> String {
    let meta = |key: &str| object["metadata"][key].as_str().unwrap();
    path(group, kind, meta("namespace"), meta("name"))
}

/// Whether something has all of this; it may have more.
fn has(seen: &Value, wanted: &Value) -> bool {
    match (seen, wanted) {
        (Value::Object(seen), Value::Object(wanted)) => wanted.iter().all(|(key, value)| {
            // The server leaves zeros out.
            seen.get(key).map_or(*value == json!(0), |it| has(it, value))
        }),
        (Value::Array(seen), Value::Array(wanted)) => {
            seen.len() == wanted.len() && seen.iter().zip(wanted).all(|(it, value)| has(it, value))
        }
        _ => seen == wanted,
    }
}

impl Puppet {
    pub(crate) fn new(api: Api, controlled: bool) -> Self {
        Self { api, controlled }
    }

    /// Changes these fields of an object's status, whatever it is (`/apis/apps/v1/namespaces/default/deployments/web`).
    #[track_caller]
    pub(crate) fn status(&self, object: &str, status: &Value) {
        self.api.must("PATCH", &format!("{object}/status"), &json!({ "status": status }));
    }

    /// A node at this version, which is ready.
    #[track_caller]
    pub(crate) fn node(&self, name: &str, version: &str) {
        let labels = json!({ "kubernetes.io/hostname": name, "kubernetes.io/os": "linux" });
        let node = json!({
            "apiVersion": "v1", "kind": "Node", "metadata": { "name": name, "labels": labels },
        });
        let response = self.api.send("POST", "/api/v1/nodes", &node);
        assert!([201, 409].contains(&response.status), "{}", response.body);
        let size = json!({ "cpu": "8", "memory": "16Gi", "pods": "110" });
        self.status(
            &format!("/api/v1/nodes/{name}"),
            &json!({
                "capacity": size,
                "allocatable": size,
                "conditions": [condition("Ready", true)],
                "addresses": [{ "type": "Hostname", "address": name }],
                "nodeInfo": {
                    "kubeletVersion": version, "kubeProxyVersion": version, "operatingSystem": "linux",
                    "architecture": "amd64", "osImage": "Puppet", "kernelVersion": "6.1",
                    "containerRuntimeVersion": "puppet://1", "machineID": name, "systemUUID": name, "bootID": name,
                },
            }),
        );
        // A new node is tainted until a controller, which does not run here, sees that it is ready.
        let untainted = json!({ "spec": { "taints": null } });
        self.api.must("PATCH", &format!("/api/v1/nodes/{name}"), &untainted);
    }

    #[track_caller]
    pub(crate) fn node_is_ready(&self, name: &str, ready: bool) {
        let conditions = json!({ "conditions": [condition("Ready", ready)] });
        self.status(&format!("/api/v1/nodes/{name}"), &conditions);
    }

    /// A load balancer that has these addresses (IP or name) for a Service.
    #[track_caller]
    pub(crate) fn load_balancer(&self, namespace: &str, service: &str, addresses: &[&str]) {
        let object = path("api/v1", "services", namespace, service);
        self.status(&object, &json!({ "loadBalancer": { "ingress": ingress(addresses) } }));
    }

    /// An ingress controller that has these addresses (IP or name) for an Ingress.
    #[track_caller]
    pub(crate) fn ingress(&self, namespace: &str, name: &str, addresses: &[&str]) {
        let object = path("apis/networking.k8s.io/v1", "ingresses", namespace, name);
        self.status(&object, &json!({ "loadBalancer": { "ingress": ingress(addresses) } }));
    }

    /// The EndpointSlice of a Service with a pod for each of these, ready or not, in the version that the server prefers.
    #[track_caller]
    pub(crate) fn pods_behind(&self, namespace: &str, service: &str, ready: &[bool]) {
        let group = self.api.get("/apis/discovery.k8s.io");
        let version = &group["preferredVersion"]["groupVersion"];
        let pod = |(number, is_ready): (usize, &bool)| json!({ "addresses": [format!("10.244.0.{}", number + 1)], "conditions": { "ready": is_ready } });
        let slice = json!({
            "apiVersion": version, "kind": "EndpointSlice", "addressType": "IPv4", "ports": [],
            "metadata": {
                "name": format!("{service}-abcde"), "labels": { "kubernetes.io/service-name": service },
            },
            "endpoints": ready.iter().enumerate().map(pod).collect::<Value>(),
        });
        let all =
            format!("/apis/{}/namespaces/{namespace}/endpointslices", version.as_str().unwrap());
        if self.api.send("POST", &all, &slice).status == 409 {
            self.api.must("PATCH", &format!("{all}/{service}-abcde"), &slice);
        }
    }

    /// The status of a Deployment, StatefulSet or DaemonSet (`deployments`…), of whose replicas so many are ready.
    #[track_caller]
    pub(crate) fn workload(&self, kind: &str, namespace: &str, name: &str, ready: u64) {
        let at = path("apis/apps/v1", kind, namespace, name);
        let workload = self.api.get(&at);
        self.status(&at, &status_of(kind, &workload, ready, ready));
    }

    /// Keeps everything running that is there or comes, until they go out of scope.
    pub(crate) fn kubelets(&self) -> Kubelets {
        let failing = Arc::new(Mutex::new(Vec::new()));
        let stop = Arc::new(AtomicBool::new(false));
        let worker = Worker { puppet: self.clone(), failing: Arc::clone(&failing) };
        let ends = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            while !ends.load(Ordering::Relaxed) {
                worker.look();
                std::thread::sleep(LOOK);
            }
        });
        Kubelets { failing, stop, thread: Some(thread) }
    }
}

fn ingress(addresses: &[&str]) -> Value {
    let entry = |it: &&str| {
        let key = if it.parse::<std::net::IpAddr>().is_ok() { "ip" } else { "hostname" };
        json!({ key: it })
    };
    addresses.iter().map(entry).collect()
}

/// What a workload's controller says of it when so many of its pods are ready, and so many are wanted.
fn status_of(kind: &str, workload: &Value, ready: u64, nodes: u64) -> Value {
    let wanted = workload["spec"]["replicas"].as_u64().unwrap_or(1);
    let generation = &workload["metadata"]["generation"];
    match kind {
        "deployments" => json!({
            "observedGeneration": generation, "replicas": wanted, "updatedReplicas": wanted, "readyReplicas": ready,
            "availableReplicas": ready, "unavailableReplicas": wanted.saturating_sub(ready),
            "conditions": [condition("Available", ready >= wanted), condition("Progressing", true)],
        }),
        "statefulsets" => json!({
            "observedGeneration": generation, "replicas": wanted, "updatedReplicas": wanted, "currentReplicas": wanted,
            "readyReplicas": ready, "currentRevision": "1", "updateRevision": "1",
        }),
        _ => json!({
            "observedGeneration": generation, "desiredNumberScheduled": nodes, "currentNumberScheduled": nodes,
            "updatedNumberScheduled": nodes, "numberReady": ready, "numberAvailable": ready, "numberMisscheduled": 0,
        }),
    }
}

/// Kubelets, and controllers where there are none: pods run, and workloads are ready, soon after they are there.
pub(crate) struct Kubelets {
    failing: Arc<Mutex<Vec<String>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Kubelets {
    /// What has a name that begins like this is not ready from now on.
    pub(crate) fn fail(&self, prefix: &str) {
        self.failing.lock().unwrap().push(prefix.to_owned());
    }

    /// What has a name that begins like this gets ready again.
    pub(crate) fn mend(&self, prefix: &str) {
        self.failing.lock().unwrap().retain(|it| it != prefix);
    }
}

impl Drop for Kubelets {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let ended = self.thread.take().map(JoinHandle::join);
        if matches!(ended, Some(Err(_))) && !std::thread::panicking() {
            panic!("the kubelets failed");
        }
    }
}

struct Worker {
    puppet: Puppet,
    failing: Arc<Mutex<Vec<String>>>,
}

impl Worker {
    /// What the server has of something; nothing while the server is away.
    fn list(&self, path: &str) -> Vec<Value> {
        let answered = self.puppet.api.try_send("GET", path, "");
        let Some(answer) = answered.ok().filter(|it| it.status == 200) else { return Vec::new() };
        answer.json()["items"].as_array().cloned().unwrap_or_default()
    }

    /// Writes something; what fails since the object or the server is gone is met at the next look.
    fn write(&self, method: &str, path: &str, body: &Value) {
        let _ = self.puppet.api.try_send(method, path, &body.to_string());
    }

    fn is_failing(&self, object: &Value) -> bool {
        let name = object["metadata"]["name"].as_str().unwrap();
        self.failing.lock().unwrap().iter().any(|it| name.starts_with(it))
    }

    fn keep(&self, object: &str, seen: &Value, wanted: &Value) {
        if !has(&seen["status"], wanted) {
            self.write("PATCH", &format!("{object}/status"), &json!({ "status": wanted }));
        }
    }

    fn look(&self) {
        let nodes = self.list("/api/v1/nodes");
        for claim in self.list("/api/v1/persistentvolumeclaims") {
            let at = path_of("api/v1", "persistentvolumeclaims", &claim);
            self.keep(&at, &claim, &json!({ "phase": "Bound" }));
        }
        if self.puppet.controlled {
            for pod in self.list("/api/v1/pods") {
                self.run(&pod, nodes.first());
            }
            return;
        }
        for kind in ["deployments", "statefulsets", "daemonsets"] {
            for workload in self.list(&format!("/apis/apps/v1/{kind}")) {
                let nodes = nodes.len() as u64;
                let all = match kind {
                    "daemonsets" => nodes,
                    _ => workload["spec"]["replicas"].as_u64().unwrap_or(1),
                };
                let ready = if self.is_failing(&workload) { 0 } else { all };
                let status = status_of(kind, &workload, ready, nodes);
                self.keep(&path_of("apis/apps/v1", kind, &workload), &workload, &status);
            }
        }
        for job in self.list("/apis/batch/v1/jobs") {
            if job["status"]["succeeded"].is_null() && !self.is_failing(&job) {
                let done = json!({
                    "succeeded": 1, "startTime": NOW, "completionTime": NOW,
                    "conditions": [condition("Complete", true)],
                });
                self.keep(&path_of("apis/batch/v1", "jobs", &job), &job, &done);
            }
        }
    }

    /// Brings a pod a step on: to a node, to life, to its end.
    fn run(&self, pod: &Value, node: Option<&Value>) {
        let at = path_of("api/v1", "pods", pod);
        if !pod["metadata"]["deletionTimestamp"].is_null() {
            self.write("DELETE", &at, &json!({ "gracePeriodSeconds": 0 }));
        } else if pod["spec"]["nodeName"].is_null() {
            if let Some(node) = node_of(pod).or(node.map(|it| &it["metadata"]["name"])) {
                let target = json!({ "apiVersion": "v1", "kind": "Node", "name": node });
                let meta = json!({ "name": pod["metadata"]["name"] });
                let binding = json!({ "metadata": meta, "target": target });
                self.write("POST", &format!("{at}/binding"), &binding);
            }
        } else {
            self.keep(&at, pod, &life(pod, !self.is_failing(pod)));
        }
    }
}

/// The node that a DaemonSet made a pod for.
fn node_of(pod: &Value) -> Option<&Value> {
    pod.pointer(
        "/spec/affinity/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution/nodeSelectorTerms/0/matchFields/0/values/0",
    )
}

/// The status of a pod that is on a node: a Job's ends at once, another one runs.
fn life(pod: &Value, is_ready: bool) -> Value {
    if is_ready && pod["metadata"]["ownerReferences"][0]["kind"] == "Job" {
        return json!({ "phase": "Succeeded" });
    }
    let uid = pod["metadata"]["uid"].as_str().unwrap();
    let [high, low] = u16::from_str_radix(&uid[..4], 16).unwrap().to_be_bytes();
    let address = format!("10.244.{high}.{low}");
    let ready = ["ContainersReady", "Ready"].map(|it| condition(it, is_ready));
    let before = ["Initialized", "PodScheduled"].map(|it| condition(it, true));
    let conditions = [before, ready].concat();
    json!({ "phase": "Running", "podIP": address, "podIPs": [{ "ip": address }], "conditions": conditions })
}
