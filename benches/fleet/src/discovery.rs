//! What a server serves, by its own account.

use bytes::Bytes;
use serde_json::{Value, json};

use crate::kinds::{KINDS, Kind};

const VERBS: [&str; 8] =
    ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];
const AGGREGATED: &str = "apidiscovery.k8s.io/v2";

/// The answers, which are the same for all sites.
pub(crate) struct Discovery {
    is_old: bool,
    /// Aggregated: the core group, and all others.
    core: Bytes,
    others: Bytes,
}

impl Discovery {
    /// From 1.26 on as one document, before group by group.
    pub(crate) fn new(is_old: bool) -> Self {
        let list = |items: Vec<Value>| json!({"kind": "APIGroupDiscoveryList", "apiVersion": AGGREGATED, "metadata": {}, "items": items});
        let (core, others) = groups().into_iter().partition::<Vec<_>, _>(|it| it.is_empty());
        let all = |groups: Vec<&str>| list(groups.into_iter().map(aggregated).collect());
        let text = |document: Value| Bytes::from(document.to_string());
        Self { is_old, core: text(all(core)), others: text(all(others)) }
    }

    /// The version that such servers have.
    pub(crate) const fn version(&self) -> (&'static str, &'static str) {
        if self.is_old { ("v1.25.16", "25") } else { ("v1.36.3", "36") }
    }

    /// What is told at a path to who accepts this; none where there is nothing.
    pub(crate) fn at(&self, path: &str, accept: &str) -> Option<(Bytes, &'static str)> {
        let takes_all = !self.is_old && accept.contains("as=APIGroupDiscoveryList");
        let aggregated = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
        let document = match path {
            "/api" if takes_all => return Some((self.core.clone(), aggregated)),
            "/apis" if takes_all => return Some((self.others.clone(), aggregated)),
            "/api" => json!({"kind": "APIVersions", "versions": ["v1"]}),
            "/apis" => {
                let others = groups().into_iter().filter(|it| !it.is_empty());
                let groups: Vec<Value> = others.map(group).collect();
                json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups})
            }
            path => {
                let api_version =
                    path.strip_prefix("/apis/").or_else(|| path.strip_prefix("/api/"))?;
                let found = kinds().filter(|it| it.api_version() == api_version);
                let resources: Vec<Value> = found.map(resource).collect();
                if resources.is_empty() {
                    return None;
                }
                json!({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": api_version, "resources": resources})
            }
        };
        Some((Bytes::from(document.to_string()), "application/json"))
    }
}

fn kinds() -> impl Iterator<Item = &'static Kind> + Clone {
    KINDS.iter()
}

/// The names of all groups, the core group's first.
fn groups() -> Vec<&'static str> {
    let mut groups: Vec<&str> = kinds().map(|it| it.group).collect();
    groups.sort_unstable();
    groups.dedup();
    groups
}

fn aggregated(group: &str) -> Value {
    let of = kinds().filter(|it| it.group == group);
    let version = of.clone().map(|it| it.version).next();
    let resources: Vec<Value> = of
        .map(|it| {
            json!({
                "resource": it.plural,
                "responseKind": {"group": it.group, "version": it.version, "kind": it.kind},
                "scope": if it.namespaced { "Namespaced" } else { "Cluster" },
                "singularResource": it.kind.to_lowercase(),
                "verbs": VERBS,
                "subresources": [{
                    "subresource": "status",
                    "responseKind": {"group": it.group, "version": it.version, "kind": it.kind},
                    "verbs": ["get", "patch", "update"],
                }],
            })
        })
        .collect();
    json!({
        "metadata": {"name": group, "creationTimestamp": null},
        "versions": [{"version": version, "freshness": "Current", "resources": resources}],
    })
}

fn group(name: &str) -> Value {
    let version = kinds().find(|it| it.group == name).map(|it| it.version).unwrap_or_default();
    let one = json!({"groupVersion": format!("{name}/{version}"), "version": version});
    json!({"name": name, "versions": [one], "preferredVersion": one})
}

fn resource(kind: &Kind) -> Value {
    json!({
        "name": kind.plural,
        "singularName": kind.kind.to_lowercase(),
        "namespaced": kind.namespaced,
        "kind": kind.kind,
        "verbs": VERBS,
    })
}
