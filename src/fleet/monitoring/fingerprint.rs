//! What is installed, as a text that is the same in every site where the same is installed.

use std::fmt::Write;

use ring::digest::{SHA256, digest};
use serde_json::{Map, Value};

use crate::fleet::object::Object;

/// What the server writes into an object's metadata by itself.
const BOOKKEEPING: [&str; 8] = [
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "generation",
    "managedFields",
    "ownerReferences",
    "resourceVersion",
    "uid",
];

/// What tools and controllers note in annotations about how and when an object came.
const NOTES: [&str; 5] = [
    "autoscaling.alpha.kubernetes.io/",
    "deployment.kubernetes.io/revision",
    "deprecated.daemonset.template.generation",
    "kubectl.kubernetes.io/",
    "pv.kubernetes.io/",
];

/// What each cluster gives an object by itself, by kind and path; `*` is every item of a list.
const GIVEN: [(&str, &[&str]); 9] = [
    ("APIService", &["spec", "caBundle"]),
    ("CustomResourceDefinition", &["spec", "conversion", "webhook", "clientConfig", "caBundle"]),
    ("MutatingWebhookConfiguration", &["webhooks", "*", "clientConfig", "caBundle"]),
    ("PersistentVolumeClaim", &["spec", "volumeName"]),
    ("Service", &["spec", "clusterIPs"]),
    ("Service", &["spec", "healthCheckNodePort"]),
    ("Service", &["spec", "ports", "*", "nodePort"]),
    ("ServiceAccount", &["secrets"]),
    ("ValidatingWebhookConfiguration", &["webhooks", "*", "clientConfig", "caBundle"]),
];

/// What servers of some versions fill in and others don't, by kind, path and value.
const FILLED_IN: [(&str, &[&str], &str); 9] = [
    ("DaemonSet", &["spec", "updateStrategy", "rollingUpdate", "maxSurge"], "0"),
    ("Job", &["spec", "completionMode"], "\"NonIndexed\""),
    ("Job", &["spec", "podReplacementPolicy"], "\"TerminatingOrFailed\""),
    ("Job", &["spec", "suspend"], "false"),
    ("Service", &["spec", "allocateLoadBalancerNodePorts"], "true"),
    ("Service", &["spec", "internalTrafficPolicy"], "\"Cluster\""),
    ("Service", &["spec", "ipFamilies"], "[\"IPv4\"]"),
    ("Service", &["spec", "ipFamilyPolicy"], "\"SingleStack\""),
    (
        "StatefulSet",
        &["spec", "persistentVolumeClaimRetentionPolicy"],
        r#"{"whenDeleted":"Retain","whenScaled":"Retain"}"#,
    ),
];

/// SHA-256, in hexadecimal digits, of all that is installed: images, arguments, configuration. Not in it is what differs by itself
/// between clusters: status, bookkeeping, addresses that were given, defaults of the server's version, the version of an
/// object's API, the order of the objects. Of a Secret it has the keys, as each site has passwords of its own.
pub fn fingerprint(objects: &[Object]) -> String {
    let mut installed: Vec<String> = objects.iter().map(canonical).collect();
    installed.sort_unstable();
    let hash = digest(&SHA256, installed.join("\n").as_bytes());
    hash.as_ref().iter().fold(String::new(), |mut text, octet| {
        let _ = write!(text, "{octet:02x}");
        text
    })
}

/// What counts of an object, as JSON whose keys are in order.
fn canonical(object: &Object) -> String {
    let mut json = object.json().clone();
    json.insert("apiVersion".to_owned(), object.group().into());
    json.shift_remove("status");
    if let Some(metadata) = json.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.retain(|key, _| !BOOKKEEPING.contains(&key.as_str()) && key != "selfLink");
        if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
            annotations.retain(|key, _| !NOTES.iter().any(|it| key.starts_with(it)));
        }
    }
    let mut json = Value::Object(json);
    for (_, path) in GIVEN.iter().filter(|it| it.0 == object.kind()) {
        remove(&mut json, path, &|_| true);
    }
    for (_, path, value) in FILLED_IN.iter().filter(|it| it.0 == object.kind()) {
        remove(&mut json, path, &|it| write_text(it) == *value);
    }
    // `None` is what somebody asked for, an address what the cluster gave.
    if object.kind() == "Service" {
        remove(&mut json, &["spec", "clusterIP"], &|it| it != "None");
    }
    if object.kind() == "Secret" {
        for field in ["data", "stringData"] {
            let values = json.get_mut(field).and_then(Value::as_object_mut);
            values.into_iter().flatten().for_each(|(_, value)| *value = "".into());
        }
    }
    write_text(&json)
}

/// Takes away what is at a path, if it is so.
fn remove(value: &mut Value, path: &[&str], is_so: &impl Fn(&Value) -> bool) {
    match (value, path) {
        (Value::Object(map), [last]) if map.get(*last).is_some_and(is_so) => {
            map.shift_remove(*last);
        }
        (Value::Object(map), [first, rest @ ..]) => {
            if let Some(next) = map.get_mut(*first) {
                remove(next, rest, is_so);
            }
        }
        (Value::Array(items), ["*", rest @ ..]) => {
            items.iter_mut().for_each(|it| remove(it, rest, is_so));
        }
        _ => {}
    }
}

fn write_text(value: &Value) -> String {
    let mut text = String::new();
    write_value(value, &mut text);
    text
}

fn write_value(value: &Value, text: &mut String) {
    match value {
        Value::Object(map) => write_mapping(map, text),
        Value::Array(items) => {
            text.push('[');
            for (at, item) in items.iter().enumerate() {
                text.push_str(if at == 0 { "" } else { "," });
                write_value(item, text);
            }
            text.push(']');
        }
        plain => {
            let _ = write!(text, "{plain}");
        }
    }
}

/// Without null, which some servers show where others show nothing.
fn write_mapping(map: &Map<String, Value>, text: &mut String) {
    let mut entries: Vec<(&String, &Value)> = map.iter().filter(|it| !it.1.is_null()).collect();
    entries.sort_unstable_by_key(|it| it.0);
    text.push('{');
    for (at, (key, value)) in entries.into_iter().enumerate() {
        text.push_str(if at == 0 { "" } else { "," });
        let _ = write!(text, "{}:", Value::from(key.as_str()));
        write_value(value, text);
    }
    text.push('}');
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(json: Value) -> Object {
        Object::new(json).unwrap()
    }

    fn agent() -> Object {
        object(json!({
            "apiVersion": "apps/v1", "kind": "DaemonSet",
            "metadata": {"name": "agent", "namespace": "monitoring", "labels": {"a": "b", "c": "d"}},
            "spec": {
                "template": {"spec": {"containers": [{"name": "agent", "image": "agent:1", "args": ["--x", "--y"]}]}},
                "updateStrategy": {"rollingUpdate": {"maxUnavailable": 1}},
            },
        }))
    }

    fn changed(path: &[&str], value: Value) -> Object {
        let mut agent = agent();
        agent.set(path, value);
        agent
    }

    #[test]
    fn what_a_cluster_adds_by_itself_does_not_count() {
        let known = fingerprint(&[agent()]);
        assert_eq!((known.len(), known.trim_matches(|it: char| it.is_ascii_hexdigit())), (64, ""));
        for same in [
            changed(&["metadata", "uid"], "1".into()),
            changed(&["metadata", "resourceVersion"], "7".into()),
            changed(&["metadata", "creationTimestamp"], "2026-01-01T00:00:00Z".into()),
            changed(&["metadata", "managedFields"], json!([{"manager": "farol"}])),
            changed(&["metadata", "generation"], 3.into()),
            changed(&["metadata", "labels"], json!({"c": "d", "a": "b"})),
            changed(&["status", "numberReady"], 3.into()),
            changed(&["spec", "updateStrategy", "rollingUpdate", "maxSurge"], 0.into()),
        ] {
            assert_eq!(fingerprint(std::slice::from_ref(&same)), known, "{same:?}");
        }
        let note = "deprecated.daemonset.template.generation";
        let noted = changed(&["metadata", "annotations"], json!({note: "3"}));
        let bare = changed(&["metadata", "annotations"], json!({}));
        assert_eq!(fingerprint(&[noted]), fingerprint(&[bare]));
    }

    #[test]
    fn what_somebody_installed_counts() {
        let containers = |image: &str, args: &[&str]| {
            let path = ["spec", "template", "spec", "containers"];
            changed(&path, json!([{"name": "agent", "image": image, "args": args}]))
        };
        let known = fingerprint(&[agent()]);
        assert_eq!(fingerprint(&[containers("agent:1", &["--x", "--y"])]), known);
        for other in [
            containers("agent:2", &["--x", "--y"]),
            containers("agent:1", &["--y", "--x"]),
            changed(&["metadata", "name"], "other".into()),
            changed(&["metadata", "labels", "a"], "z".into()),
            changed(&["spec", "updateStrategy", "rollingUpdate", "maxSurge"], 1.into()),
        ] {
            assert_ne!(fingerprint(std::slice::from_ref(&other)), known, "{other:?}");
        }
        assert_ne!(fingerprint(&[agent(), agent()]), known);
        assert_ne!(fingerprint(&[]), known);
    }

    #[test]
    fn a_service_counts_without_its_address_and_a_secret_without_its_values() {
        let service = |address: &str, port: u16| {
            fingerprint(&[object(json!({
                "apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"},
                "spec": {
                    "clusterIP": address, "clusterIPs": [address],
                    "ports": [{"port": 80, "nodePort": port}],
                },
            }))])
        };
        assert_eq!(service("10.0.0.1", 30001), service("10.9.9.9", 30002));
        assert_ne!(service("10.0.0.1", 30001), service("None", 30001));
        let secret = |data: Value| {
            let metadata = json!({"name": "key"});
            let secret =
                json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data});
            fingerprint(&[object(secret)])
        };
        assert_eq!(secret(json!({"password": "YQ=="})), secret(json!({"password": "Yg=="})));
        assert_ne!(secret(json!({"password": "YQ=="})), secret(json!({"token": "YQ=="})));
    }

    #[test]
    fn neither_the_order_nor_the_version_of_an_api_counts() {
        let mut beta = agent();
        beta.set(&["apiVersion"], "apps/v1beta2".into());
        let other = changed(&["metadata", "name"], "other".into());
        let known = fingerprint(&[agent(), other.clone()]);
        assert_eq!(fingerprint(&[other, beta]), known);
    }
}
