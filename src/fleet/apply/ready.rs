//! Whether an object serves: read from its status, and only from a status that is about its newest state.

use serde_json::Value;

use crate::fleet::object::Object;

/// How far an object is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// It serves.
    Ready,
    /// Not yet, with what is waited for.
    Waiting(String),
    /// It has failed, and waiting changes nothing.
    Failed(String),
}

use Readiness::{Failed, Ready, Waiting};

/// How far an object is, by its kind; kinds that nobody here knows by their conditions.
pub fn readiness(object: &Object) -> Readiness {
    if object.at("/metadata/deletionTimestamp").is_some() {
        return Waiting("is being deleted".to_owned());
    }
    if let Some(waiting) = behind(object) {
        return waiting;
    }
    match (object.group(), object.kind()) {
        ("apps", "Deployment") => deployment(object),
        ("apps", "StatefulSet") => stateful_set(object),
        ("apps", "DaemonSet") => daemon_set(object),
        ("apps", "ReplicaSet") => replicas(object, "/status/availableReplicas", "available"),
        ("batch", "Job") => job(object),
        ("", "Pod") => pod(object),
        ("", "PersistentVolumeClaim") => is_in_phase(object, "Bound"),
        ("", "Namespace") => is_in_phase(object, "Active"),
        ("", "Service") => service(object),
        ("apiextensions.k8s.io", "CustomResourceDefinition") => definition(object),
        ("autoscaling", "HorizontalPodAutoscaler") => autoscaler(object),
        ("networking.k8s.io" | "extensions", "Ingress") => ingress(object),
        ("gateway.networking.k8s.io", "Gateway") => gateway(object),
        ("apiregistration.k8s.io", "APIService") => condition_is_true(object, "Available"),
        _ => by_conditions(object),
    }
}

/// A controller that hasn't seen the newest state yet says nothing about it.
fn behind(object: &Object) -> Option<Readiness> {
    let generation = object.number("/metadata/generation")?;
    let seen = object.number("/status/observedGeneration");
    let has_to_say = matches!(
        (object.group(), object.kind()),
        ("apps", "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet")
    );
    match seen {
        Some(seen) if seen >= generation => None,
        None if !has_to_say => None,
        _ => Some(Waiting("its controller has not seen the newest state yet".to_owned())),
    }
}

fn deployment(object: &Object) -> Readiness {
    if let Some((status, reason, message)) = condition(object, "Progressing")
        && status == "False"
        && reason == "ProgressDeadlineExceeded"
    {
        return Failed(format!("made no progress within its deadline: {message}"));
    }
    if let Some((status, _, message)) = condition(object, "ReplicaFailure")
        && status == "True"
    {
        return Waiting(format!("can't make its pods: {message}"));
    }
    let is_paused = object.at("/spec/paused") == Some(&Value::Bool(true));
    let wanted = object.number("/spec/replicas").unwrap_or(1);
    let count = |pointer: &str| object.number(pointer).unwrap_or(0);
    let (updated, all) = (count("/status/updatedReplicas"), count("/status/replicas"));
    let available = count("/status/availableReplicas");
    if is_paused && available >= wanted {
        // Somebody wants its old state to go on.
        Ready
    } else if updated < wanted {
        Waiting(format!("{updated} of {wanted} replicas are of the newest state"))
    } else if all > updated {
        Waiting(format!("{} old replicas are still there", all - updated))
    } else if available < wanted {
        Waiting(format!("{available} of {wanted} replicas are available"))
    } else {
        Ready
    }
}

fn stateful_set(object: &Object) -> Readiness {
    let wanted = object.number("/spec/replicas").unwrap_or(1);
    let count = |pointer: &str| object.number(pointer).unwrap_or(0);
    let ready = count("/status/readyReplicas");
    if ready < wanted {
        return Waiting(format!("{ready} of {wanted} replicas are ready"));
    }
    let strategy = object.at("/spec/updateStrategy/type").and_then(Value::as_str);
    if strategy == Some("OnDelete") {
        return Ready;
    }
    let kept = object.number("/spec/updateStrategy/rollingUpdate/partition").unwrap_or(0);
    let updated = count("/status/updatedReplicas");
    let is_whole = object.at("/status/updateRevision") == object.at("/status/currentRevision");
    match updated < wanted - kept {
        true if kept > 0 || !is_whole => {
            Waiting(format!("{updated} of {} replicas are of the newest state", wanted - kept))
        }
        _ => Ready,
    }
}

fn daemon_set(object: &Object) -> Readiness {
    let count = |pointer: &str| object.number(pointer).unwrap_or(0);
    let wanted = count("/status/desiredNumberScheduled");
    let (updated, available) =
        (count("/status/updatedNumberScheduled"), count("/status/numberAvailable"));
    let strategy = object.at("/spec/updateStrategy/type").and_then(Value::as_str);
    if updated < wanted && strategy != Some("OnDelete") {
        Waiting(format!("{updated} of {wanted} nodes have the newest state"))
    } else if available < wanted {
        Waiting(format!("it is available on {available} of {wanted} nodes"))
    } else {
        Ready
    }
}

fn replicas(object: &Object, pointer: &str, what: &str) -> Readiness {
    let wanted = object.number("/spec/replicas").unwrap_or(1);
    match object.number(pointer).unwrap_or(0) {
        some if some < wanted => Waiting(format!("{some} of {wanted} replicas are {what}")),
        _ => Ready,
    }
}

fn job(object: &Object) -> Readiness {
    if let Some((status, reason, message)) = condition(object, "Failed")
        && status == "True"
    {
        return Failed(format!("{reason}: {message}"));
    }
    match condition(object, "Complete") {
        Some(("True", ..)) => Ready,
        _ if object.at("/spec/suspend") == Some(&Value::Bool(true)) => {
            Waiting("is suspended".to_owned())
        }
        _ => Waiting("has not completed yet".to_owned()),
    }
}

fn pod(object: &Object) -> Readiness {
    match object.at("/status/phase").and_then(Value::as_str) {
        Some("Succeeded") => Ready,
        Some("Failed") => Failed("has failed".to_owned()),
        _ => condition_is_true(object, "Ready"),
    }
}

fn is_in_phase(object: &Object, wanted: &str) -> Readiness {
    match object.at("/status/phase").and_then(Value::as_str).unwrap_or("unknown") {
        phase if phase == wanted => Ready,
        "Lost" => Failed("has lost its volume".to_owned()),
        phase => Waiting(format!("is {phase}, not {wanted} yet")),
    }
}

fn service(object: &Object) -> Readiness {
    let kind = object.at("/spec/type").and_then(Value::as_str);
    match kind == Some("LoadBalancer") && object.items("/status/loadBalancer/ingress").is_empty() {
        true => Waiting("has no external address yet".to_owned()),
        false => Ready,
    }
}

fn definition(object: &Object) -> Readiness {
    if let Some((status, reason, message)) = condition(object, "NamesAccepted")
        && status == "False"
    {
        return Failed(format!("its names are not accepted: {reason}: {message}"));
    }
    condition_is_true(object, "Established")
}

fn autoscaler(object: &Object) -> Readiness {
    match condition(object, "AbleToScale") {
        Some(("False", reason, message)) => Waiting(format!("can't scale: {reason}: {message}")),
        // Older versions of the API have no conditions in their status, and one that has just been made has none yet.
        _ => Ready,
    }
}

fn ingress(object: &Object) -> Readiness {
    match object.items("/status/loadBalancer/ingress").is_empty() {
        true => Waiting("has no external address yet".to_owned()),
        false => Ready,
    }
}

fn gateway(object: &Object) -> Readiness {
    match condition_is_true(object, "Programmed") {
        Ready if object.items("/status/addresses").is_empty() => {
            Waiting("has no external address yet".to_owned())
        }
        readiness => readiness,
    }
}

/// By the conventions of kstatus: `Stalled` has failed, `Reconciling` is under way, `Ready`, `Available` and `Established` say it outright.
fn by_conditions(object: &Object) -> Readiness {
    if let Some((status, reason, message)) = condition(object, "Stalled")
        && status == "True"
    {
        return Failed(format!("{reason}: {message}"));
    }
    if let Some((status, _, message)) = condition(object, "Reconciling")
        && status == "True"
    {
        return Waiting(format!("is being reconciled: {message}"));
    }
    let said = ["Ready", "Available", "Established"];
    let said = said.into_iter().find(|it| condition(object, it).is_some());
    said.map_or(Ready, |it| condition_is_true(object, it))
}

fn condition_is_true(object: &Object, kind: &str) -> Readiness {
    match condition(object, kind) {
        Some(("True", ..)) => Ready,
        Some((_, "", "")) => Waiting(format!("is not {kind} yet")),
        Some((_, reason, message)) => {
            Waiting(format!("is not {kind} yet: {reason} {message}").trim_end().to_owned())
        }
        None => Waiting(format!("does not say yet whether it is {kind}")),
    }
}

/// A condition's status, reason and message, if it is about the newest state.
fn condition<'o>(object: &'o Object, kind: &str) -> Option<(&'o str, &'o str, &'o str)> {
    let generation = object.number("/metadata/generation");
    let text = |it: &'o Value, key: &str| it.get(key).and_then(Value::as_str).unwrap_or_default();
    let found = object.items("/status/conditions").iter().find(|it| text(it, "type") == kind)?;
    let seen = found.get("observedGeneration").and_then(Value::as_i64);
    if seen.zip(generation).is_some_and(|(seen, newest)| seen < newest) {
        return None;
    }
    Some((text(found, "status"), text(found, "reason"), text(found, "message")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn at(api_version: &str, kind: &str, spec: &Value, status: &Value) -> Readiness {
        let mut status = status.clone();
        if status.get("observedGeneration").is_none() && api_version == "apps/v1" {
            status["observedGeneration"] = 3.into();
        }
        let object = json!({
            "apiVersion": api_version, "kind": kind, "metadata": {"name": "a", "generation": 3}, "spec": spec, "status": status,
        });
        readiness(&Object::new(object).unwrap())
    }

    fn conditions(kind: &str, status: &str) -> Value {
        json!({"conditions": [{"type": kind, "status": status, "reason": "R", "message": "m"}]})
    }

    #[test]
    fn workloads_serve_when_all_of_the_newest_state_does() {
        let deployment =
            |status: Value| at("apps/v1", "Deployment", &json!({"replicas": 3}), &status);
        for (status, readiness) in [
            (json!({"updatedReplicas": 3, "replicas": 3, "availableReplicas": 3}), Ready),
            (
                json!({"updatedReplicas": 3, "replicas": 3, "availableReplicas": 3, "observedGeneration": 2}),
                Waiting("its controller has not seen the newest state yet".to_owned()),
            ),
            (
                json!({"updatedReplicas": 1}),
                Waiting("1 of 3 replicas are of the newest state".to_owned()),
            ),
            (
                json!({"updatedReplicas": 3, "replicas": 4, "availableReplicas": 4}),
                Waiting("1 old replicas are still there".to_owned()),
            ),
            (
                json!({"updatedReplicas": 3, "replicas": 3, "availableReplicas": 2}),
                Waiting("2 of 3 replicas are available".to_owned()),
            ),
            (
                json!({"conditions": [{"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": "m"}]}),
                Failed("made no progress within its deadline: m".to_owned()),
            ),
        ] {
            assert_eq!(deployment(status), readiness);
        }
        let set = |status: Value| at("apps/v1", "StatefulSet", &json!({"replicas": 2}), &status);
        assert_eq!(set(json!({"readyReplicas": 2, "updatedReplicas": 2})), Ready);
        assert_eq!(
            set(json!({"readyReplicas": 1})),
            Waiting("1 of 2 replicas are ready".to_owned())
        );
        assert_eq!(
            set(
                json!({"readyReplicas": 2, "updatedReplicas": 1, "updateRevision": "b", "currentRevision": "a"})
            ),
            Waiting("1 of 2 replicas are of the newest state".to_owned())
        );
        let daemons = |status: Value| at("apps/v1", "DaemonSet", &json!({}), &status);
        assert_eq!(
            daemons(
                json!({"desiredNumberScheduled": 2, "updatedNumberScheduled": 2, "numberAvailable": 2})
            ),
            Ready
        );
        assert_eq!(
            daemons(
                json!({"desiredNumberScheduled": 2, "updatedNumberScheduled": 2, "numberAvailable": 1})
            ),
            Waiting("it is available on 1 of 2 nodes".to_owned())
        );
    }

    #[test]
    fn each_kind_has_its_own_sign() {
        let address = json!({"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}});
        let none = json!({});
        let waiting = |it: Readiness| matches!(it, Waiting(_));
        assert_eq!(at("v1", "Service", &json!({"type": "LoadBalancer"}), &address), Ready);
        assert!(waiting(at("v1", "Service", &json!({"type": "LoadBalancer"}), &none)));
        assert_eq!(at("v1", "Service", &json!({"type": "ClusterIP"}), &none), Ready);
        assert_eq!(at("networking.k8s.io/v1", "Ingress", &none, &address), Ready);
        assert!(waiting(at("networking.k8s.io/v1", "Ingress", &none, &none)));
        assert_eq!(at("batch/v1", "Job", &none, &conditions("Complete", "True")), Ready);
        assert_eq!(
            at("batch/v1", "Job", &none, &conditions("Failed", "True")),
            Failed("R: m".to_owned())
        );
        assert!(waiting(at("batch/v1", "Job", &none, &none)));
        assert_eq!(at("v1", "PersistentVolumeClaim", &none, &json!({"phase": "Bound"})), Ready);
        assert!(waiting(at("v1", "PersistentVolumeClaim", &none, &json!({"phase": "Pending"}))));
        let crd = |status: &Value| {
            at("apiextensions.k8s.io/v1", "CustomResourceDefinition", &none, status)
        };
        assert_eq!(crd(&conditions("Established", "True")), Ready);
        assert!(matches!(crd(&conditions("NamesAccepted", "False")), Failed(_)));
        assert!(waiting(crd(&none)));
        let mut gateway = conditions("Programmed", "True");
        assert!(waiting(at("gateway.networking.k8s.io/v1", "Gateway", &none, &gateway)));
        gateway["addresses"] = json!([{"value": "192.0.2.1"}]);
        assert_eq!(at("gateway.networking.k8s.io/v1", "Gateway", &none, &gateway), Ready);
        let scaler =
            |status: &Value| at("autoscaling/v2", "HorizontalPodAutoscaler", &none, status);
        assert_eq!(scaler(&none), Ready);
        assert!(waiting(scaler(&conditions("AbleToScale", "False"))));
    }

    #[test]
    fn other_kinds_are_read_by_their_conditions() {
        let thing = |status: &Value| at("example.org/v1", "Thing", &json!({}), status);
        assert_eq!(thing(&json!({})), Ready);
        assert_eq!(thing(&conditions("Ready", "True")), Ready);
        assert_eq!(
            thing(&conditions("Ready", "False")),
            Waiting("is not Ready yet: R m".to_owned())
        );
        assert_eq!(thing(&conditions("Stalled", "True")), Failed("R: m".to_owned()));
        let mut old = conditions("Ready", "True");
        old["conditions"][0]["observedGeneration"] = 2.into();
        assert_eq!(
            thing(&old),
            Ready,
            "it says nothing about the newest state, and nothing says that it will"
        );
    }
}
