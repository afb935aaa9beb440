//! Which pods of a Service are ready, by its EndpointSlices. Pure.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::fleet::spec::Reference;
use crate::health::Readiness;

/// The label that tells whose a slice is.
pub(super) const SERVICE: &str = "kubernetes.io/service-name";

/// What these slices, which are all of a Service's, say of its pods. `discovery.k8s.io/v1` and `v1beta1` say it alike.
pub(super) fn readiness<'a>(
    service: &Reference,
    slices: impl IntoIterator<Item = &'a Value>,
) -> Readiness {
    // A pod is in several of them: for each family of its addresses, and while it moves from one to another.
    let (mut pods, mut has_slice) = (BTreeMap::new(), false);
    for slice in slices {
        has_slice = true;
        let endpoints = slice.get("endpoints").and_then(Value::as_array);
        for endpoint in endpoints.into_iter().flatten().filter(|it| !is_ending(it)) {
            *pods.entry(pod(endpoint)).or_default() |= is_ready(endpoint);
        }
    }
    if !has_slice {
        // A Service that selects pods has a slice, also while it has none of them.
        let why = format!(
            "Service {service} has no EndpointSlice; it does not exist, or selects nothing"
        );
        return Readiness::Unknown(why.into());
    }
    let count = |it: usize| u32::try_from(it).unwrap_or(u32::MAX);
    let ready = pods.values().filter(|it| **it).count();
    Readiness::Counted { ready: count(ready), all: count(pods.len()) }
}

/// What tells a pod from others.
fn pod(endpoint: &Value) -> String {
    let text = |pointer: &str| endpoint.pointer(pointer).and_then(Value::as_str);
    match (text("/targetRef/uid"), text("/targetRef/name")) {
        (Some(uid), _) => uid.to_owned(),
        (None, Some(name)) => name.to_owned(),
        (None, None) => endpoint.get("addresses").map(Value::to_string).unwrap_or_default(),
    }
}

/// Whether it takes traffic; who doesn't say is ready.
fn is_ready(endpoint: &Value) -> bool {
    condition(endpoint, "ready") != Some(false)
}

fn is_ending(endpoint: &Value) -> bool {
    condition(endpoint, "terminating") == Some(true)
}

fn condition(endpoint: &Value, name: &str) -> Option<bool> {
    endpoint.get("conditions")?.get(name)?.as_bool()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(slices: &[Value], expected: &str) {
        let service = "edge/web".parse().unwrap();
        let found = readiness(&service, slices);
        assert_eq!(format!("{}: {found}", found.label()), expected, "{slices:?}");
    }

    /// Slices of version v1, each with endpoints that have these conditions; a pod's number makes it one.
    fn slices(slices: &[&[(u8, Value)]]) -> Vec<Value> {
        let endpoint = |(pod, conditions): &(u8, Value)| {
            let target =
                json!({ "kind": "Pod", "name": format!("web-{pod}"), "uid": format!("u{pod}") });
            json!({ "addresses": ["10.0.0.1"], "conditions": conditions, "targetRef": target })
        };
        let slice = |endpoints: &&[(u8, Value)]| json!({ "addressType": "IPv4", "endpoints": endpoints.iter().map(endpoint).collect::<Value>() });
        slices.iter().map(slice).collect()
    }

    #[test]
    fn pods_are_counted_once_and_those_that_are_ended_not_at_all() {
        let (ready, not) = (json!({ "ready": true }), json!({ "ready": false }));
        let ending = json!({ "ready": true, "serving": true, "terminating": true });
        let ended = json!({ "ready": false, "serving": false, "terminating": true });
        let waits = json!({ "ready": false, "serving": false, "terminating": false });
        check(&slices(&[&[(1, ready.clone()), (2, not.clone())]]), "ready: 1 of 2 pods ready");
        check(&slices(&[&[(1, not.clone()), (2, waits)]]), "not_ready: 0 of 2 pods ready");
        check(&slices(&[&[(1, ending.clone()), (2, not.clone())]]), "not_ready: 0 of 1 pods ready");
        check(&slices(&[&[(1, ending.clone()), (2, ended)]]), "not_ready: no pods");
        // Of two families, and while it moves.
        let twice = slices(&[
            &[(1, not.clone()), (2, not.clone())],
            &[(1, ready.clone()), (2, not.clone())],
        ]);
        check(&twice, "ready: 1 of 2 pods ready");
        check(&slices(&[&[(1, ready)], &[(1, ending)]]), "ready: 1 of 1 pods ready");
        check(&slices(&[&[], &[(1, not)]]), "not_ready: 0 of 1 pods ready");
    }

    #[test]
    fn who_says_nothing_is_ready() {
        for conditions in [json!({}), json!({ "ready": null }), Value::Null] {
            check(&slices(&[&[(1, conditions)]]), "ready: 1 of 1 pods ready");
        }
        // Of a Service without a selector, whose slices somebody writes.
        let own =
            json!({ "endpoints": [{ "addresses": ["10.0.0.1"] }, { "addresses": ["10.0.0.2"] }] });
        check(&[own], "ready: 2 of 2 pods ready");
    }

    #[test]
    fn a_service_without_pods_has_a_slice_and_one_that_is_none_has_none() {
        check(&[json!({ "endpoints": null })], "not_ready: no pods");
        check(&[json!({})], "not_ready: no pods");
        check(
            &[],
            "unknown: pods of which nothing is known: Service edge/web has no EndpointSlice; it does not exist, or selects nothing",
        );
    }

    #[test]
    fn old_servers_are_understood() {
        // As 1.20 writes them, in version v1beta1.
        let slice = |ready: bool| {
            json!({
                "addressType": "IPv4",
                "endpoints": [{
                    "addresses": ["10.244.1.7"],
                    "conditions": { "ready": ready },
                    "targetRef": {
                        "kind": "Pod", "namespace": "edge", "name": "web-7d5c-x2x8k",
                        "uid": "0d9a2f0c-5b0e-4f1c-9d1f-6a7f1f5e8c11", "resourceVersion": "1017",
                    },
                    "topology": { "kubernetes.io/hostname": "node-1" },
                }],
                "ports": [{ "name": "http", "port": 8080, "protocol": "TCP" }],
            })
        };
        check(&[slice(true)], "ready: 1 of 1 pods ready");
        check(&[slice(false)], "not_ready: 0 of 1 pods ready");
    }
}
