//! The example of docs/fleet-walkthrough.md holds together.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::{env, fs};

use farol::fleet::object::Object;
use farol::fleet::spec::{Described, Description};
use serde_json::Value;

const APPS: [&str; 3] = ["ingress", "monitoring", "ratings"];

fn path(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("config/fleet").join(file)
}

fn read(file: &str) -> Value {
    serde_saphyr::from_str(&fs::read_to_string(path(file)).unwrap()).unwrap()
}

/// The objects of a directory of manifests.
fn objects(directory: &str) -> Vec<Object> {
    let files = fs::read_dir(path(directory)).unwrap().map(|it| it.unwrap().path());
    let documents = files.flat_map(|it| {
        serde_saphyr::from_multiple::<Value>(&fs::read_to_string(it).unwrap()).unwrap()
    });
    documents.map(|it| Object::new(it).unwrap()).collect()
}

/// Every app's objects.
fn all() -> Vec<Object> {
    APPS.into_iter().flat_map(objects).collect()
}

fn list<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    value[key].as_array().into_iter().flatten()
}

/// The pods of workloads, by the name of what they are of.
fn pods(objects: &[Object]) -> Vec<(&str, &Value)> {
    let pods: Vec<(&str, &Value)> =
        objects.iter().filter_map(|it| Some((it.name(), it.at("/spec/template/spec")?))).collect();
    assert!(!pods.is_empty());
    pods
}

#[test]
fn every_pod_is_confined_bounded_and_probed() {
    for (name, pod) in pods(&all()) {
        let security = &pod["securityContext"];
        assert_eq!(security["runAsNonRoot"], true, "{name}");
        assert_eq!(security["seccompProfile"]["type"], "RuntimeDefault", "{name}");
        for container in list(pod, "containers").chain(list(pod, "initContainers")) {
            let security = &container["securityContext"];
            assert_eq!(security["allowPrivilegeEscalation"], false, "{name}");
            assert_eq!(security["readOnlyRootFilesystem"], true, "{name}");
            assert_eq!(security["capabilities"]["drop"][0], "ALL", "{name}");
            for pointer in ["/requests/cpu", "/requests/memory", "/limits/memory"] {
                assert!(container["resources"].pointer(pointer).is_some(), "{name} {pointer}");
            }
            let image = container["image"].as_str().unwrap();
            let tag = image.rsplit('/').next().unwrap().split_once(':').unwrap().1;
            assert!(tag.contains('.') && tag.contains(|it: char| it.is_ascii_digit()), "{image}");
        }
        for container in list(pod, "containers") {
            for probe in ["readinessProbe", "livenessProbe"] {
                assert!(container[probe].is_object(), "{name} has no {probe}");
            }
        }
    }
}

#[test]
fn every_port_has_its_protocol_and_every_service_its_pods() {
    let objects = all();
    for (name, pod) in pods(&objects) {
        for port in list(pod, "containers").flat_map(|it| list(it, "ports")) {
            assert_eq!(port["protocol"], "TCP", "{name} {port}");
        }
    }
    let services = objects.iter().filter(|it| it.kind() == "Service");
    for service in services {
        assert!(service.items("/spec/ports").iter().all(|it| it["protocol"] == "TCP"));
        let selector = service.at("/spec/selector").unwrap();
        let behind = objects.iter().find(|it| {
            it.at("/spec/template/metadata/labels").is_some_and(|it| {
                selector.as_object().unwrap().iter().all(|(key, value)| it.get(key) == Some(value))
            })
        });
        let behind = behind.unwrap_or_else(|| panic!("nothing is behind {}", service.name()));
        let ports: BTreeSet<&str> = list(behind.at("/spec/template/spec").unwrap(), "containers")
            .flat_map(|it| list(it, "ports"))
            .map(|it| it["name"].as_str().unwrap())
            .collect();
        for port in service.items("/spec/ports") {
            assert!(ports.contains(port["targetPort"].as_str().unwrap()), "{port}");
        }
    }
}

#[test]
fn no_manifest_needs_an_api_that_some_version_lacks() {
    let served_from_1_20_to_1_36 =
        ["v1", "apps/v1", "networking.k8s.io/v1", "rbac.authorization.k8s.io/v1"];
    let objects = all();
    for object in &objects {
        let api = object.api_version();
        assert!(served_from_1_20_to_1_36.contains(&api), "{}: {api}", object.key());
    }
    let keys: BTreeSet<String> = objects.iter().map(|it| it.key().to_string()).collect();
    assert_eq!(keys.len(), objects.len(), "none is written twice");
    let secrets = objects.iter().filter(|it| it.kind() == "Secret").count();
    assert_eq!(secrets, 0, "passwords are in no file");
}

#[test]
fn the_description_speaks_of_what_there_is() {
    let described = Description::read(&path("fleet.yaml")).unwrap_or_else(|it| panic!("{it}"));
    let Description::Whole(Described { fleet, .. }) = described else { panic!("{described:?}") };
    assert_eq!((fleet.sites.len(), fleet.apps.len()), (2, APPS.len()));
    let fleet = read("fleet.yaml");
    let sites: BTreeSet<&str> =
        list(&fleet, "sites").map(|it| it["name"].as_str().unwrap()).collect();
    let mut apps = Vec::new();
    for app in list(&fleet, "apps") {
        let source = app["source"]["manifests"].as_str().unwrap().trim_end_matches('/');
        apps.push(source);
        let objects = objects(source);
        let namespace = app["namespace"].as_str().unwrap();
        let has = |kind: &str, name: &str| {
            objects.iter().any(|it| it.kind() == kind && it.name() == name)
        };
        assert!(has("Namespace", namespace), "{namespace}");
        for object in &objects {
            assert!(object.namespace().is_none_or(|it| it == namespace), "{}", object.key());
        }
        let workloads = list(app, "ready").chain(list(app, "autoscale").map(|it| &it["target"]));
        for workload in workloads {
            let (kind, name) = workload.as_str().unwrap().split_once('/').unwrap();
            assert!(has(kind, name), "{workload}");
        }
        for scaled in list(app, "autoscale") {
            let name = scaled["target"].as_str().unwrap().split_once('/').unwrap().1;
            let target =
                objects.iter().find(|it| it.kind() == "Deployment" && it.name() == name).unwrap();
            assert_eq!(target.number("/spec/replicas"), None, "they are the autoscaler's");
        }
        let overridden = app["overrides"].as_object().into_iter().flatten();
        assert!(overridden.into_iter().all(|it| sites.contains(it.0.as_str())));
    }
    apps.sort_unstable();
    assert_eq!(apps, APPS);
    let inputs = farol::settings::Inputs::from(vec![path("farol.toml")]);
    let settings = farol::settings::load(&inputs).unwrap_or_else(|it| panic!("{it}"));
    let profile = &settings.model.profiles[0];
    let named: BTreeSet<String> = profile.endpoints.iter().map(|it| it.name.to_string()).collect();
    for site in list(&fleet, "sites") {
        let endpoint = &site["endpoint"];
        assert_eq!(endpoint["profile"].as_str().unwrap(), profile.name.to_string());
        assert!(named.contains(endpoint["name"].as_str().unwrap()), "{endpoint}");
        let service = endpoint["from"]["service"].as_str().unwrap().split_once('/').unwrap();
        let exposed =
            all().into_iter().find(|it| it.kind() == "Service" && it.name() == service.1).unwrap();
        assert_eq!(exposed.namespace(), Some(service.0));
        let port = &endpoint["from"]["port"];
        assert!(exposed.items("/spec/ports").iter().any(|it| it["port"] == *port), "{port}");
    }
}

/// Runs the shell's pipeline with a `farol` that notes its arguments and ends with a code.
fn pipeline(verb: &str, code: u8) -> (Output, String) {
    let directory = tempfile::tempdir().unwrap();
    let (farol, notes) = (directory.path().join("farol"), directory.path().join("notes"));
    fs::write(&farol, format!("#!/bin/sh\necho \"$*\" >>{}\nexit {code}\n", notes.display()))
        .unwrap();
    fs::set_permissions(&farol, fs::Permissions::from_mode(0o755)).unwrap();
    let search = format!("{}:{}", directory.path().display(), env::var("PATH").unwrap());
    let mut command = Command::new(path("pipelines/pipeline.sh"));
    command.arg(verb).env("PATH", search).current_dir(directory.path());
    let output = command.output().unwrap();
    (output, fs::read_to_string(notes).unwrap_or_default())
}

#[test]
fn the_shell_pipeline_goes_by_exit_codes() {
    for (code, ends, says) in [(0, 0, "changes=false\n"), (2, 0, "changes=true\n"), (1, 1, "")] {
        let (output, ran) = pipeline("plan", code);
        assert_eq!(output.status.code(), Some(ends));
        assert_eq!(String::from_utf8(output.stdout).unwrap(), says);
        assert_eq!(ran, "fleet plan --fleet fleet.yaml --out plan.json\n");
    }
    let apply = "fleet apply plan.json --fleet fleet.yaml --yes\n";
    let (output, ran) = pipeline("apply", 0);
    assert_eq!(
        (output.status.code(), ran),
        (Some(0), format!("{apply}fleet verify --fleet fleet.yaml\n"))
    );
    let (output, ran) = pipeline("apply", 1);
    assert_eq!((output.status.code(), ran.as_str()), (Some(1), apply), "nothing after a failure");
    assert_eq!(pipeline("", 0).0.status.code(), Some(64));
}

#[test]
fn the_other_pipeline_is_yaml() {
    let pipeline = read("pipelines/azure-pipelines.yml");
    let stages: Vec<&str> =
        list(&pipeline, "stages").map(|it| it["stage"].as_str().unwrap()).collect();
    assert_eq!(stages, ["plan", "apply"]);
    assert_eq!(pipeline["stages"][1]["jobs"][0]["environment"], "fleet");
}
