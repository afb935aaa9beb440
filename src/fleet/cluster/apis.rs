//! What an API server serves, by its own account: nothing is assumed of its version.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde_json::Value;

use crate::fleet::object::{GroupKind, Object};

/// A kind of objects as a server serves it in one version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    /// Its group and kind.
    pub kind: GroupKind,
    /// The version: `v1`.
    pub version: String,
    /// The name in paths: `deployments`.
    pub plural: String,
    /// Whether its objects lie in namespaces.
    pub namespaced: bool,
}

/// Every kind that a server serves.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Apis {
    /// The versions of each kind, the server's preferred one first.
    resources: BTreeMap<GroupKind, Vec<Resource>>,
    /// The order in which each group's versions are preferred.
    preferred: BTreeMap<String, Vec<String>>,
    /// Groups of which the server couldn't say what is in them, with why.
    broken: BTreeMap<String, String>,
}

/// An API version that a server doesn't serve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotServed {
    /// What was asked for.
    pub api_version: String,
    /// Of which kind.
    pub kind: String,
    /// The versions of the kind that it serves.
    pub served: Vec<String>,
    /// Why it couldn't say.
    pub broken: Option<String>,
}

impl Apis {
    /// Takes in the list of the core group's versions (`/api`) or of the other groups (`/apis`): what is there, in which order it is
    /// preferred. Gives the paths of the versions, to be asked for one by one.
    pub fn groups(&mut self, document: &Value) -> Vec<String> {
        let mut paths = Vec::new();
        for version in texts(document.get("versions")) {
            self.preferred.entry(String::new()).or_default().push(version.clone());
            paths.push(format!("/api/{version}"));
        }
        for group in document.get("groups").and_then(Value::as_array).into_iter().flatten() {
            let Some(name) = group.get("name").and_then(Value::as_str) else { continue };
            let versions = group.get("versions").and_then(Value::as_array).into_iter().flatten();
            let mut versions: Vec<String> = versions
                .filter_map(|it| it.get("version").and_then(Value::as_str))
                .map(str::to_owned)
                .collect();
            let preferred = group.pointer("/preferredVersion/version").and_then(Value::as_str);
            versions.sort_by_key(|it| Some(it.as_str()) != preferred);
            paths.extend(versions.iter().map(|it| format!("/apis/{name}/{it}")));
            self.preferred.insert(name.to_owned(), versions);
        }
        paths
    }

    /// Takes in what is in one version of a group (APIResourceList).
    pub fn version(&mut self, document: &Value) {
        let Some(api_version) = document.get("groupVersion").and_then(Value::as_str) else {
            return;
        };
        let (group, version) = split(api_version);
        for it in document.get("resources").and_then(Value::as_array).into_iter().flatten() {
            let text = |key: &str| it.get(key).and_then(Value::as_str);
            let (Some(plural), Some(kind)) = (text("name"), text("kind")) else { continue };
            // Subresources have a slash, and now and then a group of their own.
            if !plural.contains('/') {
                let namespaced = it.get("namespaced").and_then(Value::as_bool).unwrap_or_default();
                self.add(group, version, kind, plural, namespaced);
            }
        }
        self.sort();
    }

    /// Takes in an aggregated document, which has everything at once (APIGroupDiscoveryList, from 1.26 on).
    pub fn aggregated(&mut self, document: &Value) {
        for group in document.get("items").and_then(Value::as_array).into_iter().flatten() {
            let name = group.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
            for it in group.get("versions").and_then(Value::as_array).into_iter().flatten() {
                let Some(version) = it.get("version").and_then(Value::as_str) else { continue };
                if it.get("freshness").and_then(Value::as_str) == Some("Stale") {
                    self.note_broken(&format!("{name}/{version}"), "its server does not answer");
                }
                self.preferred.entry(name.to_owned()).or_default().push(version.to_owned());
                for it in it.get("resources").and_then(Value::as_array).into_iter().flatten() {
                    let text = |pointer: &str| it.pointer(pointer).and_then(Value::as_str);
                    let (Some(plural), Some(kind)) =
                        (text("/resource"), text("/responseKind/kind"))
                    else {
                        continue;
                    };
                    self.add(name, version, kind, plural, text("/scope") == Some("Namespaced"));
                }
            }
        }
        self.sort();
    }

    /// Notes that a version of a group couldn't be asked.
    pub fn note_broken(&mut self, api_version: &str, why: &str) {
        self.broken.insert(api_version.to_owned(), why.to_owned());
    }

    /// What the server couldn't say of itself: which versions of groups, and why; none where it told everything.
    pub fn incomplete(&self) -> Option<String> {
        let told = self.broken.iter().map(|(api_version, why)| format!("{api_version}: {why}"));
        let told: Vec<String> = told.collect();
        (!told.is_empty()).then(|| told.join("; "))
    }

    /// What the server couldn't say of a group, if that is so.
    pub fn broken_in(&self, group: &str) -> Option<String> {
        let mut broken = self.broken.iter();
        let (api_version, why) = broken.find(|it| split(it.0).0 == group)?;
        Some(format!("{api_version}: {why}"))
    }

    /// Whether nothing is known to be served.
    pub fn is_empty(&self) -> bool {
        self.resources.is_empty()
    }

    /// How an object's kind is served in the version that it is written in.
    ///
    /// # Errors
    /// When the server doesn't serve it, with the versions that it does.
    pub fn of(&self, object: &Object) -> Result<&Resource, NotServed> {
        let kind = GroupKind::new(object.group(), object.kind());
        let served = self.resources.get(&kind).map_or(&[][..], Vec::as_slice);
        served.iter().find(|it| it.version == object.version()).ok_or_else(|| NotServed {
            api_version: object.api_version().to_owned(),
            kind: object.kind().to_owned(),
            served: self.elsewhere(&kind),
            broken: self.broken.get(object.api_version()).cloned(),
        })
    }

    /// A kind in the version that the server prefers.
    pub fn preferred(&self, kind: &GroupKind) -> Option<&Resource> {
        self.resources.get(kind)?.first()
    }

    /// A kind in a version.
    pub fn find(&self, group: &str, version: &str, kind: &str) -> Option<&Resource> {
        let served = self.resources.get(&GroupKind::new(group, kind))?;
        served.iter().find(|it| it.version == version)
    }

    /// Every version and every kind in it, as `helm template --api-versions` takes them: `apps/v1`, `apps/v1/Deployment`.
    pub fn names(&self) -> BTreeSet<String> {
        let all = self.resources.values().flatten();
        all.flat_map(|it| [it.api_version(), format!("{}/{}", it.api_version(), it.kind.kind)])
            .collect()
    }

    /// The versions that a kind is served in, also where its group has another name now.
    fn elsewhere(&self, kind: &GroupKind) -> Vec<String> {
        let own = self.resources.get(kind).into_iter().flatten().map(Resource::api_version);
        let own: Vec<String> = own.collect();
        if !own.is_empty() {
            return own;
        }
        let moved = self.resources.iter().filter(|it| it.0.kind == kind.kind);
        moved.flat_map(|it| it.1).map(Resource::api_version).collect()
    }

    fn add(&mut self, group: &str, version: &str, kind: &str, plural: &str, namespaced: bool) {
        let kind = GroupKind::new(group, kind);
        let resource = Resource {
            kind: kind.clone(),
            version: version.to_owned(),
            plural: plural.to_owned(),
            namespaced,
        };
        self.resources.entry(kind).or_default().push(resource);
    }

    fn sort(&mut self) {
        for (kind, served) in &mut self.resources {
            let order = self.preferred.get(&kind.group);
            served
                .sort_by_key(|it| order.and_then(|all| all.iter().position(|o| *o == it.version)));
            served.dedup_by(|a, b| a.version == b.version);
        }
    }
}

impl Resource {
    /// Group and version: `apps/v1`, `v1`.
    pub fn api_version(&self) -> String {
        match self.kind.group.is_empty() {
            true => self.version.clone(),
            false => format!("{}/{}", self.kind.group, self.version),
        }
    }

    /// The path of its objects in a namespace, or in the whole cluster.
    pub(super) fn path(&self, namespace: Option<&str>) -> String {
        let root = if self.kind.group.is_empty() { "/api" } else { "/apis" };
        let namespace = namespace.filter(|_| self.namespaced);
        let namespace = namespace.map_or_else(String::new, |it| format!("/namespaces/{it}"));
        format!("{root}/{}{namespace}/{}", self.api_version(), self.plural)
    }
}

impl fmt::Display for NotServed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the cluster does not serve {} of {}", self.kind, self.api_version)?;
        match (&self.broken, self.served.as_slice()) {
            (Some(why), _) => write!(f, ": {why}"),
            (None, []) => f.write_str("; is the CustomResourceDefinition missing?"),
            (None, served) => write!(f, "; write {}", served.join(" or ")),
        }
    }
}

/// Group and version of an `apiVersion`.
fn split(api_version: &str) -> (&str, &str) {
    api_version.split_once('/').unwrap_or(("", api_version))
}

fn texts(list: Option<&Value>) -> impl Iterator<Item = String> {
    let list = list.and_then(Value::as_array).into_iter().flatten();
    list.filter_map(Value::as_str).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(api_version: &str, kind: &str) -> Object {
        Object::new(json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": "a"}}))
            .unwrap()
    }

    /// As 1.20 tells it.
    fn old() -> Apis {
        let mut apis = Apis::default();
        assert_eq!(apis.groups(&json!({"kind": "APIVersions", "versions": ["v1"]})), ["/api/v1"]);
        let groups = json!({"groups": [{
            "name": "autoscaling",
            "versions": [{"version": "v1"}, {"version": "v2beta1"}, {"version": "v2beta2"}],
            "preferredVersion": {"version": "v2beta2"},
        }]});
        assert_eq!(
            apis.groups(&groups),
            ["/apis/autoscaling/v2beta2", "/apis/autoscaling/v1", "/apis/autoscaling/v2beta1"]
        );
        apis.version(&json!({"groupVersion": "v1", "resources": [
            {"name": "pods", "kind": "Pod", "namespaced": true},
            {"name": "pods/log", "kind": "Pod", "namespaced": true},
            {"name": "nodes", "kind": "Node", "namespaced": false},
        ]}));
        for version in ["v1", "v2beta2"] {
            apis.version(&json!({"groupVersion": format!("autoscaling/{version}"), "resources": [
                {"name": "horizontalpodautoscalers", "kind": "HorizontalPodAutoscaler", "namespaced": true},
            ]}));
        }
        apis
    }

    #[test]
    fn a_version_that_is_not_served_is_told_with_those_that_are() {
        let apis = old();
        let why = apis.of(&object("autoscaling/v2", "HorizontalPodAutoscaler")).unwrap_err();
        assert_eq!(
            why.to_string(),
            "the cluster does not serve HorizontalPodAutoscaler of autoscaling/v2; write autoscaling/v2beta2 or autoscaling/v1"
        );
        let why = apis.of(&object("example.org/v1", "Thing")).unwrap_err();
        assert!(why.to_string().ends_with("is the CustomResourceDefinition missing?"), "{why}");
        let why = apis.of(&object("extensions/v1beta1", "Pod")).unwrap_err();
        assert!(why.to_string().ends_with("write v1"), "the group has another name: {why}");
    }

    #[test]
    fn paths_are_by_group_and_scope() {
        let apis = old();
        let pod = apis.of(&object("v1", "Pod")).unwrap();
        assert_eq!(pod.path(Some("a")), "/api/v1/namespaces/a/pods");
        assert_eq!(pod.path(None), "/api/v1/pods");
        assert_eq!(apis.of(&object("v1", "Node")).unwrap().path(Some("a")), "/api/v1/nodes");
        let scaler =
            apis.preferred(&GroupKind::new("autoscaling", "HorizontalPodAutoscaler")).unwrap();
        assert_eq!(
            scaler.path(Some("a")),
            "/apis/autoscaling/v2beta2/namespaces/a/horizontalpodautoscalers"
        );
        assert!(apis.names().contains("autoscaling/v1/HorizontalPodAutoscaler"));
    }

    #[test]
    fn an_aggregated_document_says_the_same() {
        let mut apis = Apis::default();
        let resource = |plural: &str, kind: &str, scope: &str| json!({"resource": plural, "scope": scope, "responseKind": {"group": "", "version": "", "kind": kind}});
        apis.aggregated(&json!({"kind": "APIGroupDiscoveryList", "items": [
            {"metadata": {"name": ""}, "versions": [{"version": "v1", "freshness": "Current", "resources": [
                resource("pods", "Pod", "Namespaced"), resource("nodes", "Node", "Cluster"),
            ]}]},
            {"metadata": {"name": "metrics.k8s.io"}, "versions": [{"version": "v1beta1", "freshness": "Stale"}]},
        ]}));
        assert!(apis.of(&object("v1", "Pod")).unwrap().namespaced);
        assert!(!apis.of(&object("v1", "Node")).unwrap().namespaced);
        let why = apis.of(&object("metrics.k8s.io/v1beta1", "PodMetrics")).unwrap_err();
        assert!(why.to_string().ends_with("its server does not answer"), "{why}");
    }
}
