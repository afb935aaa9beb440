//! What a server and its controllers add to objects: defaults, and a status that says that all is ready.

use serde_json::{Value, json};

use crate::kinds::Kind;

/// Writes out what was left out.
pub(crate) fn fill(kind: &Kind, object: &mut Value, number: u64) {
    if kind.kind == "Secret" {
        put(object, "type", json!("Opaque"));
    }
    let Some(spec) = object.get_mut("spec") else { return };
    match kind.kind {
        "Deployment" => {
            put(spec, "replicas", json!(1));
            put(spec, "revisionHistoryLimit", json!(10));
            put(spec, "progressDeadlineSeconds", json!(600));
            put(
                spec,
                "strategy",
                json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}}),
            );
        }
        "StatefulSet" => {
            put(spec, "replicas", json!(1));
            put(spec, "revisionHistoryLimit", json!(10));
            put(spec, "podManagementPolicy", json!("OrderedReady"));
            put(
                spec,
                "updateStrategy",
                json!({"type": "RollingUpdate", "rollingUpdate": {"partition": 0}}),
            );
            put(
                spec,
                "persistentVolumeClaimRetentionPolicy",
                json!({"whenDeleted": "Retain", "whenScaled": "Retain"}),
            );
        }
        "DaemonSet" => {
            put(spec, "revisionHistoryLimit", json!(10));
            put(
                spec,
                "updateStrategy",
                json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}}),
            );
        }
        "Service" => {
            let address = format!("10.96.{}.{}", number / 250 % 250, number % 250 + 1);
            put(spec, "type", json!("ClusterIP"));
            put(spec, "clusterIP", json!(address));
            let addresses = json!([spec.get("clusterIP")]);
            put(spec, "clusterIPs", addresses);
            put(spec, "internalTrafficPolicy", json!("Cluster"));
            put(spec, "ipFamilies", json!(["IPv4"]));
            put(spec, "ipFamilyPolicy", json!("SingleStack"));
            put(spec, "sessionAffinity", json!("None"));
        }
        _ => {}
    }
    if let Some(pod) = spec.pointer_mut("/template/spec") {
        put(pod, "dnsPolicy", json!("ClusterFirst"));
        put(pod, "restartPolicy", json!("Always"));
        put(pod, "schedulerName", json!("default-scheduler"));
        put(pod, "securityContext", json!({}));
        put(pod, "terminationGracePeriodSeconds", json!(30));
        for container in
            pod.pointer_mut("/containers").and_then(Value::as_array_mut).into_iter().flatten()
        {
            put(container, "imagePullPolicy", json!("IfNotPresent"));
            put(container, "terminationMessagePath", json!("/dev/termination-log"));
            put(container, "terminationMessagePolicy", json!("File"));
        }
    }
}

/// The status of what is ready in its newest state; none where its kind has none to say.
pub(crate) fn status(kind: &Kind, object: &Value) -> Option<Value> {
    let generation = object.pointer("/metadata/generation");
    let replicas = object.pointer("/spec/replicas").cloned().unwrap_or(json!(1));
    let conditions = |kinds: &[&str]| {
        let condition = |it: &&str| json!({"type": it, "status": "True", "reason": "AsWanted", "message": "all is as it is wanted", "lastTransitionTime": "2026-01-01T00:00:00Z"});
        kinds.iter().map(condition).collect::<Value>()
    };
    let address = json!({"ingress": [{"ip": "192.0.2.10"}]});
    Some(match kind.kind {
        "Deployment" => json!({
            "observedGeneration": generation, "replicas": replicas, "updatedReplicas": replicas, "readyReplicas": replicas,
            "availableReplicas": replicas, "conditions": conditions(&["Available", "Progressing"]),
        }),
        "StatefulSet" => json!({
            "observedGeneration": generation, "replicas": replicas, "updatedReplicas": replicas, "readyReplicas": replicas,
            "availableReplicas": replicas, "currentReplicas": replicas, "currentRevision": "web-1", "updateRevision": "web-1",
        }),
        "DaemonSet" => json!({
            "observedGeneration": generation, "desiredNumberScheduled": 3, "currentNumberScheduled": 3, "updatedNumberScheduled": 3,
            "numberReady": 3, "numberAvailable": 3, "numberMisscheduled": 0,
        }),
        "Job" => json!({"succeeded": 1, "conditions": conditions(&["Complete"])}),
        "PersistentVolumeClaim" => json!({"phase": "Bound"}),
        "Namespace" => json!({"phase": "Active"}),
        "Service" if object.pointer("/spec/type") == Some(&json!("LoadBalancer")) => {
            json!({"loadBalancer": address})
        }
        "Service" => json!({"loadBalancer": {}}),
        "Ingress" => json!({"loadBalancer": address}),
        "HorizontalPodAutoscaler" => json!({
            "currentReplicas": 1, "desiredReplicas": 1, "conditions": conditions(&["AbleToScale", "ScalingActive"]),
        }),
        "PodDisruptionBudget" => json!({
            "observedGeneration": generation, "currentHealthy": 1, "desiredHealthy": 0, "disruptionsAllowed": 1, "expectedPods": 1,
        }),
        "CustomResourceDefinition" => {
            json!({"conditions": conditions(&["NamesAccepted", "Established"])})
        }
        _ => return None,
    })
}

fn put(value: &mut Value, key: &str, default: Value) {
    if let Value::Object(map) = value
        && !map.contains_key(key)
    {
        map.insert(key.to_owned(), default);
    }
}
