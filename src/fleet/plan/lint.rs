//! What can be told of a set of manifests before any object is looked at, and what is written out in them.

use std::collections::{BTreeSet, HashMap};
use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::wanted::{REPLICAS, Wanted, scaled_by};
use super::{ApplySet, PART_OF};
use crate::fleet::cluster::{Apis, Resource};
use crate::fleet::object::{Manifest, Object, ObjectKey, Origin};

/// What only a server writes; an export by `kubectl get -o yaml` has it.
const SERVERS_OWN: [&[&str]; 8] = [
    &["status"],
    &["metadata", "managedFields"],
    &["metadata", "resourceVersion"],
    &["metadata", "uid"],
    &["metadata", "generation"],
    &["metadata", "creationTimestamp"],
    &["metadata", "selfLink"],
    &["metadata", "deletionTimestamp"],
];

/// What is wrong with a manifest, or doubtful.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complaint {
    /// Where it was written.
    pub origin: Origin,
    /// Which object it is about.
    pub object: ObjectKey,
    /// What is wrong, and what to do.
    pub message: String,
    /// Whether that is only that the cluster doesn't serve its kind, which it may do later.
    pub is_unserved: bool,
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.origin, self.object, self.message)
    }
}

/// Makes manifests ready to be applied as a set: with namespaces, the set's label and what old servers need written out.
///
/// # Errors
/// Everything that is wrong with them.
pub fn prepare(
    manifests: Vec<Manifest>,
    apis: &Apis,
    set: &ApplySet,
) -> Result<Vec<Wanted>, Vec<Complaint>> {
    let defined = definitions(&manifests);
    let scaled = scaled(&manifests, &set.namespace);
    let (mut wanted, mut complaints) = (Vec::new(), Vec::new());
    let mut first: HashMap<ObjectKey, Origin> = HashMap::new();
    for Manifest { mut object, origin } in manifests {
        let resource = match apis.of(&object) {
            Ok(resource) => resource,
            Err(why) => match defined.iter().find(|it| serves(it, &object)) {
                Some(resource) => resource,
                None => {
                    let (origin, object) = (origin.clone(), object.key());
                    let message = why.to_string();
                    complaints.push(Complaint { origin, object, message, is_unserved: true });
                    continue;
                }
            },
        };
        let mut complain = |object: &Object, message: String| {
            let (origin, object) = (origin.clone(), object.key());
            complaints.push(Complaint { origin, object, message, is_unserved: false });
        };
        match (resource.namespaced, object.namespace()) {
            (true, None) => object.set_namespace(&set.namespace),
            (false, Some(namespace)) => {
                let why =
                    format!("belongs to the whole cluster; take out its namespace {namespace}");
                complain(&object, why);
            }
            _ => {}
        }
        let is_no_name =
            |it: &str| it.contains(['/', '%', '?', '#']) || it.contains(char::is_whitespace);
        if is_no_name(object.name()) || object.namespace().is_some_and(is_no_name) {
            complain(&object, "has a name or a namespace that no object can have".to_owned());
        }
        if let Some(other) = object.label(PART_OF)
            && other != set.id()
        {
            complain(
                &object,
                format!("says that it is part of another set ({other}); take out the label"),
            );
        }
        if let Some(first) = first.get(&object.key()) {
            complain(
                &object,
                format!("is written twice, the first time at {first}; keep one of them"),
            );
        }
        first.insert(object.key(), origin.clone());
        SERVERS_OWN.iter().for_each(|path| drop(object.remove(path)));
        write_protocols_out(&mut object);
        let scaled = scaled.contains(&object.key());
        if scaled {
            object.remove(&REPLICAS);
        }
        if object.key().kind.is("", "Secret")
            && let Err(why) = encode(&mut object)
        {
            complain(&object, why);
        }
        object.set_label(PART_OF, &set.id());
        let manifest = Manifest { object, origin: origin.clone() };
        let resource = resource.clone();
        wanted.push(Wanted { resource, manifest, scaled, described_replicas: None });
    }
    if complaints.is_empty() { Ok(wanted) } else { Err(complaints) }
}

/// The kinds that manifests define themselves, as `group/version/Kind`.
pub fn defined(manifests: &[Manifest]) -> Vec<String> {
    definitions(manifests)
        .iter()
        .map(|it| format!("{}/{}", it.api_version(), it.kind.kind))
        .collect()
}

/// Moves a Secret's `stringData` into its `data`. Servers do it too, but then nobody owns what it came to: a key that leaves the source
/// would stay (kubernetes/kubernetes#70281).
fn encode(secret: &mut Object) -> Result<(), String> {
    let text = |key: &str, value: &Value| {
        value.as_str().map(str::to_owned).ok_or_else(|| format!("has no text in {key}; quote it"))
    };
    if let Some(Value::Object(data)) = secret.at("/data") {
        data.iter().try_for_each(|(key, value)| text(&format!("data.{key}"), value).map(drop))?;
    }
    let Some(Value::Object(written)) = secret.remove(&["stringData"]) else { return Ok(()) };
    for (key, value) in &written {
        let value = text(&format!("stringData.{key}"), value)?;
        secret.set(&["data", key], STANDARD.encode(value).into());
    }
    Ok(())
}

fn serves(resource: &Resource, object: &Object) -> bool {
    resource.kind == object.key().kind && resource.version == object.version()
}

/// The kinds that the set itself defines.
fn definitions(manifests: &[Manifest]) -> Vec<Resource> {
    let definitions = manifests.iter().map(|it| &it.object);
    let definitions = definitions.filter(|it| it.kind() == "CustomResourceDefinition");
    let versions = |it: &Object| {
        let text =
            |pointer: &str| it.at(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        let kind = crate::fleet::object::GroupKind {
            group: text("/spec/group"),
            kind: text("/spec/names/kind"),
        };
        let (plural, namespaced) =
            (text("/spec/names/plural"), text("/spec/scope") == "Namespaced");
        let versions = it.items("/spec/versions").iter().filter_map(|it| it.get("name")?.as_str());
        let of = |version: &str| Resource {
            kind: kind.clone(),
            version: version.to_owned(),
            plural: plural.clone(),
            namespaced,
        };
        versions.map(of).collect::<Vec<_>>()
    };
    definitions.flat_map(versions).collect()
}

/// What the set's autoscalers scale: how many replicas there are is theirs to say.
fn scaled(manifests: &[Manifest], namespace: &str) -> BTreeSet<ObjectKey> {
    manifests.iter().filter_map(|it| scaled_by(&it.object, namespace)).collect()
}

/// Writes out the protocol of ports. It is part of what tells ports apart, and servers before 1.26 don't take its default into
/// account when they merge (kubernetes/kubernetes#105610).
fn write_protocols_out(object: &mut Object) {
    fn ports(value: &mut Value) {
        match value {
            Value::Object(map) => {
                for (key, value) in map {
                    if key == "ports"
                        && let Value::Array(ports) = value
                    {
                        for port in ports.iter_mut().filter_map(Value::as_object_mut) {
                            if port.contains_key("containerPort") || port.contains_key("port") {
                                port.entry("protocol").or_insert_with(|| "TCP".into());
                            }
                        }
                    } else {
                        ports_below(value);
                    }
                }
            }
            _ => ports_below(value),
        }
    }
    fn ports_below(value: &mut Value) {
        match value {
            Value::Object(_) => ports(value),
            Value::Array(items) => items.iter_mut().for_each(ports_below),
            _ => {}
        }
    }
    let has_ports = ["", "apps", "batch"].contains(&object.group());
    if has_ports && let Some(mut spec) = object.remove(&["spec"]) {
        ports(&mut spec);
        object.set(&["spec"], spec);
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::sync::Arc;

    use serde_json::json;

    use super::*;

    fn apis() -> Apis {
        let mut apis = Apis::default();
        for (api_version, kind, plural, namespaced) in [
            ("v1", "Service", "services", true),
            ("v1", "Secret", "secrets", true),
            ("v1", "Namespace", "namespaces", false),
            ("apps/v1", "Deployment", "deployments", true),
            ("autoscaling/v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers", true),
            (
                "apiextensions.k8s.io/v1",
                "CustomResourceDefinition",
                "customresourcedefinitions",
                false,
            ),
        ] {
            let resource = json!({"name": plural, "kind": kind, "namespaced": namespaced});
            apis.version(&json!({"groupVersion": api_version, "resources": [resource]}));
        }
        apis
    }

    fn manifests(objects: &[Value]) -> Vec<Manifest> {
        let from = Arc::new(PathBuf::from("all.yaml"));
        let manifest = |(index, json): (usize, &Value)| Manifest {
            object: Object::new(json.clone()).unwrap(),
            origin: Origin { from: from.clone(), line: Some(index + 1) },
        };
        objects.iter().enumerate().map(manifest).collect()
    }

    fn prepared(objects: &[Value]) -> Result<Vec<Wanted>, Vec<String>> {
        let set = ApplySet { app: "a".to_owned(), namespace: "shop".to_owned() };
        prepare(manifests(objects), &apis(), &set)
            .map_err(|it| it.iter().map(ToString::to_string).collect())
    }

    fn deployment() -> Value {
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": {"replicas": 3}})
    }

    #[test]
    fn everything_that_is_wrong_is_said_at_once() {
        let wrong = prepared(&[
            json!({"apiVersion": "extensions/v1beta1", "kind": "Deployment", "metadata": {"name": "web"}}),
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "n", "namespace": "m"}}),
            deployment(),
            deployment(),
            json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a/b"}}),
        ]);
        assert_eq!(
            wrong.unwrap_err(),
            [
                "all.yaml:1: Deployment web: the cluster does not serve Deployment of extensions/v1beta1; write apps/v1",
                "all.yaml:2: Namespace m/n: belongs to the whole cluster; take out its namespace m",
                "all.yaml:4: Deployment shop/web: is written twice, the first time at all.yaml:3; keep one of them",
                "all.yaml:5: Service shop/a/b: has a name or a namespace that no object can have",
            ]
        );
    }

    #[test]
    fn objects_get_the_namespace_and_the_label_of_the_set() {
        let wanted = prepared(&[deployment()]).unwrap();
        let object = &wanted[0].manifest.object;
        assert_eq!(object.namespace(), Some("shop"));
        assert!(object.label(PART_OF).is_some_and(|it| it.starts_with("applyset-")));
        assert_eq!(object.number("/spec/replicas"), Some(3));
    }

    #[test]
    fn replicas_are_the_autoscalers_to_say() {
        let scaler = json!({
            "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "web"},
            "spec": {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}},
        });
        let wanted = prepared(&[deployment(), scaler]).unwrap();
        assert_eq!(wanted[0].manifest.object.at("/spec/replicas"), None);
    }

    #[test]
    fn a_kind_that_the_set_defines_may_be_used_in_it() {
        let definition = json!({
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "things.a.b"},
            "spec": {"group": "a.b", "scope": "Namespaced", "names": {"kind": "Thing", "plural": "things"}, "versions": [{"name": "v1"}]},
        });
        let thing = json!({"apiVersion": "a.b/v1", "kind": "Thing", "metadata": {"name": "t"}});
        let wanted = prepared(&[definition, thing]).unwrap();
        assert_eq!(
            (wanted[1].resource.plural.as_str(), wanted[1].resource.namespaced),
            ("things", true)
        );
    }

    #[test]
    fn secrets_are_encoded_before_a_server_does_it() {
        let secret = |more: Value| {
            let mut json = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}});
            json.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            json
        };
        let wanted = prepared(&[secret(json!({"data": {"a": "YQ=="}, "stringData": {"b": "b"}}))]);
        let object = &wanted.unwrap()[0].manifest.object;
        assert_eq!(object.at("/data"), Some(&json!({"a": "YQ==", "b": "Yg=="})));
        assert_eq!(object.at("/stringData"), None);
        let why = prepared(&[secret(json!({"stringData": {"pin": 12345}}))]).unwrap_err();
        assert_eq!(why, ["all.yaml:1: Secret shop/s: has no text in stringData.pin; quote it"]);
    }

    #[test]
    fn protocols_are_written_out() {
        let service = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"}, "spec": {"ports": [{"port": 80}, {"port": 53, "protocol": "UDP"}]}});
        let pod =
            json!({"spec": {"containers": [{"name": "a", "ports": [{"containerPort": 80}]}]}});
        let deployment = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"}, "spec": {"template": pod}});
        let wanted = prepared(&[service, deployment]).unwrap();
        let at = |index: usize, pointer: &str| {
            wanted[index].manifest.object.at(pointer).unwrap().clone()
        };
        assert_eq!(
            at(0, "/spec/ports"),
            json!([{"port": 80, "protocol": "TCP"}, {"port": 53, "protocol": "UDP"}])
        );
        assert_eq!(
            at(1, "/spec/template/spec/containers/0/ports/0"),
            json!({"containerPort": 80, "protocol": "TCP"})
        );
    }

    #[test]
    fn what_only_a_server_writes_is_left_out() {
        let exported = json!({"apiVersion": "v1", "kind": "Service", "status": {}, "metadata": {"name": "s", "uid": "u", "resourceVersion": "1"}});
        let wanted = prepared(&[exported]).unwrap();
        assert_eq!(wanted[0].manifest.object.at("/metadata/uid"), None);
        assert_eq!(wanted[0].manifest.object.at("/status"), None);
    }
}
