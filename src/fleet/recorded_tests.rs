//! What releases of Kubernetes serve (`tests/data/fleet/apis`), as the companion reads it.

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::cluster::Apis;
use super::object::{GroupKind, Manifest, Object, Origin};
use super::plan::{ApplySet, prepare};
use super::render::{Autoscale, autoscalers};

const OLD: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/fleet/apis/v1.20.json"));
const NEW: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/fleet/apis/v1.36.json"));

/// As 1.20 tells it: one version after the other.
fn old() -> Apis {
    let documents: Map<String, Value> = serde_json::from_str(OLD).unwrap();
    let mut apis = Apis::default();
    let paths: Vec<String> =
        ["/api", "/apis"].iter().flat_map(|it| apis.groups(&documents[*it])).collect();
    paths.iter().for_each(|it| apis.version(&documents[it]));
    assert_eq!(paths.len() + 2, documents.len(), "everything was asked for");
    apis
}

/// As 1.36 tells it: all at once.
fn new() -> Apis {
    let mut apis = Apis::default();
    apis.aggregated(&serde_json::from_str(NEW).unwrap());
    apis
}

fn manifest(api_version: &str, kind: &str, name: &str) -> Manifest {
    let origin = Origin { from: Arc::new(PathBuf::from("web.yaml")), line: Some(3) };
    Manifest { object: Object::named(api_version, kind, None, name), origin }
}

#[test]
fn each_release_has_its_own_newest_versions() {
    for (group, kind, in_old, in_new) in [
        ("autoscaling", "HorizontalPodAutoscaler", "autoscaling/v1", "autoscaling/v2"),
        ("policy", "PodDisruptionBudget", "policy/v1beta1", "policy/v1"),
        ("discovery.k8s.io", "EndpointSlice", "discovery.k8s.io/v1beta1", "discovery.k8s.io/v1"),
        ("batch", "CronJob", "batch/v1beta1", "batch/v1"),
        ("networking.k8s.io", "Ingress", "networking.k8s.io/v1", "networking.k8s.io/v1"),
        ("apps", "Deployment", "apps/v1", "apps/v1"),
        ("", "Service", "v1", "v1"),
    ] {
        let preferred = |apis: &Apis| {
            apis.preferred(&GroupKind::new(group, kind)).map(super::cluster::Resource::api_version)
        };
        assert_eq!(preferred(&old()).as_deref(), Some(in_old), "{kind}");
        assert_eq!(preferred(&new()).as_deref(), Some(in_new), "{kind}");
    }
    for apis in [old(), new()] {
        assert_eq!(apis.incomplete(), None);
        let namespaced = |kind: &str| apis.find("", "v1", kind).unwrap().namespaced;
        assert!(namespaced("Secret") && !namespaced("Node"));
    }
}

#[test]
fn what_a_release_does_not_serve_is_refused_with_what_it_serves() {
    let set = ApplySet { app: "shop".to_owned(), namespace: "shop".to_owned() };
    for (apis, api_version, kind, served) in [
        (new(), "policy/v1beta1", "PodDisruptionBudget", "policy/v1"),
        (new(), "batch/v1beta1", "CronJob", "batch/v1"),
        (
            new(),
            "autoscaling/v2beta2",
            "HorizontalPodAutoscaler",
            "autoscaling/v2 or autoscaling/v1",
        ),
        (new(), "extensions/v1beta1", "Ingress", "networking.k8s.io/v1"),
        (old(), "policy/v1", "PodDisruptionBudget", "policy/v1beta1"),
        (old(), "batch/v1", "CronJob", "batch/v1beta1"),
    ] {
        let refused = prepare(vec![manifest(api_version, kind, "a")], &apis, &set).unwrap_err();
        let expected = format!(
            "web.yaml:3: {kind} a: the cluster does not serve {kind} of {api_version}; write {served}"
        );
        assert_eq!(refused.iter().map(ToString::to_string).collect::<Vec<_>>(), [expected]);
    }
}

#[test]
fn autoscalers_are_of_the_newest_version_that_a_release_serves() {
    for (apis, version) in [(old(), "autoscaling/v2beta2"), (new(), "autoscaling/v2")] {
        let target = "Deployment/web".to_owned();
        let wanted = [Autoscale { target, cpu: 80, min: 1, max: 10 }];
        let served: Vec<String> = apis.names().into_iter().collect();
        let mut web = manifest("apps/v1", "Deployment", "web");
        web.object.set(&["spec"], json!({"selector": {"matchLabels": {"app": "web"}}}));
        let made = autoscalers(&wanted, &[web], &served).unwrap();
        assert_eq!(made[0].object.api_version(), version);
        assert!(apis.of(&made[0].object).is_ok());
    }
}
