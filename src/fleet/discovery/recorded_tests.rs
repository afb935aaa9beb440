//! Readiness by what a newer server sends (`tests/data/fleet/endpointslices`): from its discovery document to the record that probes read.

use std::sync::{Arc, Mutex};

use prometheus::{Registry, TextEncoder};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::source::Source;
use super::watcher::{Heard, Said, Subject, watch};
use super::workload;
use crate::fleet::spec::Description;
use crate::health::{Resolution, Resolved};
use crate::metrics::DiscoveryMetrics;
use crate::model::EndpointKey;

const APIS: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/fleet/apis/v1.36.json"));
const SLICES: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/fleet/endpointslices/v1.json"));
const PATH: &str = "/apis/discovery.k8s.io/v1/namespaces/edge/endpointslices?";

/// What the server answers at a path, and what it sends after that while the connection lasts.
fn answer(path: &str, accepts_aggregated: bool) -> Option<(Value, Option<String>)> {
    let slices: Value = serde_json::from_str(SLICES).unwrap();
    let aggregated = |is_core: bool| {
        let mut apis: Value = serde_json::from_str(APIS).unwrap();
        let groups = apis["items"].as_array_mut().unwrap();
        groups
            .retain(|it| it["metadata"]["name"].as_str().unwrap_or_default().is_empty() == is_core);
        accepts_aggregated.then_some((apis, None))
    };
    match path {
        "/api" => aggregated(true),
        "/apis" => aggregated(false),
        "/version" => Some((json!({"major": "1", "minor": "36", "gitVersion": "v1.36.0"}), None)),
        "/api/v1/namespaces/kube-system" => Some((json!({"metadata": {"uid": "here"}}), None)),
        path => {
            let query = path.strip_prefix(PATH)?;
            let has = |pair: &str| query.split('&').any(|it| it == pair);
            if !has("labelSelector=kubernetes.io%2Fservice-name%3Dweb") {
                return None;
            }
            if !has("watch=true") {
                return Some((slices["list"].clone(), None));
            }
            let lines = slices["events"].as_array().unwrap().iter().map(|it| format!("{it}\n"));
            has("resourceVersion=1200").then(|| (Value::Null, Some(lines.collect())))
        }
    }
}

/// Serves a connection; what is asked for besides is noted.
async fn serve(mut stream: TcpStream, strange: Arc<Mutex<Vec<String>>>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let Ok(octet) = stream.read_u8().await else { return };
        head.push(octet);
    }
    let head = String::from_utf8(head).unwrap();
    let path = head.split(' ').nth(1).unwrap();
    let (status, body, events) = match answer(path, head.contains("as=APIGroupDiscoveryList")) {
        Some((body, None)) => (200, body.to_string(), None),
        Some((_, events)) => (200, String::new(), events),
        None => {
            strange.lock().unwrap().push(path.to_owned());
            (404, json!({"kind": "Status", "code": 404, "message": "no"}).to_string(), None)
        }
    };
    let length = match events {
        Some(_) => String::new(),
        None => format!("Content-Length: {}\r\n", body.len()),
    };
    let head = format!(
        "HTTP/1.1 {status} So\r\nContent-Type: application/json\r\nConnection: close\r\n{length}\r\n"
    );
    for text in [&head, &body, &events.clone().unwrap_or_default()] {
        stream.write_all(text.as_bytes()).await.unwrap();
    }
    if events.is_some() {
        // Until the client has gone.
        let _ = stream.read_u8().await;
    }
}

/// An endpoint whose pods a server at this address tells of.
fn source(directory: &std::path::Path, server: &str) -> Source {
    let kubeconfig = json!({
        "current-context": "a",
        "contexts": [{"name": "a", "context": {"cluster": "a", "user": "a"}}],
        "clusters": [{"name": "a", "cluster": {"server": server}}],
        "users": [{"name": "a", "user": {}}],
    });
    std::fs::write(directory.join("kubeconfig"), kubeconfig.to_string()).unwrap();
    let text = "
sites:
- name: seattle
  cluster: { kubeconfig: kubeconfig }
  endpoint: { profile: app.z., name: sea, from: { service: edge/web, port: 80 }, workload: { service: edge/web, required: true } }
";
    let file = directory.join("fleet.yaml");
    let Ok(Description::Whole(described)) = Description::parse(&file, text) else { panic!() };
    let [site] = described.fleet.sites.try_into().unwrap();
    let endpoint = site.endpoint.clone().unwrap();
    let key = EndpointKey { profile: endpoint.profile, endpoint: endpoint.name };
    Source { key, site, from: endpoint.from, workload: endpoint.workload }
}

#[tokio::test]
async fn slices_of_a_newer_server_are_followed() {
    let directory = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let source = source(directory.path(), &format!("http://{}", listener.local_addr().unwrap()));
    let strange: Arc<Mutex<Vec<String>>> = Arc::default();
    let serving = async {
        let mut connections = JoinSet::new();
        while let Ok((stream, _)) = listener.accept().await {
            connections.spawn(serve(stream, strange.clone()));
        }
    };
    let (heard, mut words) = mpsc::channel(1);
    let Subject::Pods(service) = source.subjects().last().unwrap() else { panic!() };
    let watching = watch(source.clone(), Subject::Pods(service), 1, heard);

    let registry = Registry::new();
    let metrics = DiscoveryMetrics::register(&registry).unwrap();
    let record = Resolved::default();
    let unasked = workload::unasked(&source, "nobody has asked");
    record.record(Resolution { workload: unasked, ..Resolution::default() });
    let noting = async {
        for (pods, is_ready) in [
            ("1 of 2 pods ready", true),
            ("0 of 1 pods ready", false),
            ("1 of 1 pods ready", true),
            ("no pods", false),
        ] {
            let Heard { said: Said::Pods(readiness), .. } = words.recv().await.unwrap() else {
                panic!("it says nothing of pods")
            };
            workload::note(&source, &record, &metrics, readiness);
            let noted = record.latest().workload.unwrap();
            assert_eq!(noted.readiness.to_string(), pods);
            let against = format!("the site says not ready: Service edge/web has {pods}");
            assert_eq!(record.objection().as_deref(), Some(&*against).filter(|_| !is_ready));
            let told = TextEncoder::new().encode_to_string(&registry.gather()).unwrap();
            let sample =
                "farol_fleet_workload_ready{endpoint=\"sea\",profile=\"app.z.\",site=\"seattle\"}";
            assert!(told.contains(&format!("{sample} {}\n", u8::from(is_ready))), "{told}");
        }
    };
    tokio::select! {
        () = noting => {}
        () = serving => panic!("the server has ended"),
        () = watching => panic!("the watcher has ended"),
    }
    assert_eq!(*strange.lock().unwrap(), Vec::<String>::new(), "it asked for nothing else");
}
