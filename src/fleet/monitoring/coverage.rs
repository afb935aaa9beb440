//! Whether a DaemonSet's pods run on every node that they should run on. Its own status counts only the nodes that the cluster's
//! controller has looked at, so the nodes are counted anew, by the rules of Kubernetes' DaemonSet controller.

use serde_json::Value;

use crate::fleet::object::Object;

/// How a DaemonSet covers the nodes of its cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coverage {
    /// A ready pod of the latest generation is on each node that matches.
    Covers {
        /// So many match; none matches where it is 0.
        nodes: usize,
    },
    /// Its controller has not looked at its latest generation yet.
    Unobserved,
    /// Nodes that match lack a ready pod of the latest generation.
    Short {
        /// So many match.
        nodes: usize,
        /// So many have a pod that is ready.
        ready: usize,
        /// So many have a pod of the latest generation.
        updated: usize,
    },
}

/// How a DaemonSet covers a cluster's nodes, all of which have to be given.
pub fn daemon_set_covers(daemon_set: &Object, nodes: &[Object]) -> Coverage {
    let count = |pointer: &str| {
        usize::try_from(daemon_set.number(pointer).unwrap_or(0)).unwrap_or_default()
    };
    if daemon_set.number("/status/observedGeneration").unwrap_or(0)
        < daemon_set.number("/metadata/generation").unwrap_or(0)
    {
        return Coverage::Unobserved;
    }
    let (nodes, ready) = (nodes_that_match(daemon_set, nodes).len(), count("/status/numberReady"));
    let updated = count("/status/updatedNumberScheduled");
    if ready >= nodes && updated >= nodes {
        Coverage::Covers { nodes }
    } else {
        Coverage::Short { nodes, ready, updated }
    }
}

/// The names of the nodes on which a DaemonSet's pods should run.
pub fn nodes_that_match<'a>(daemon_set: &Object, nodes: &'a [Object]) -> Vec<&'a str> {
    let nothing = Value::Null;
    let pod = daemon_set.at("/spec/template/spec").unwrap_or(&nothing);
    let matching = nodes.iter().filter(|it| is_selected(pod, it) && is_tolerated(pod, it));
    matching.map(Object::name).collect()
}

fn is_selected(pod: &Value, node: &Object) -> bool {
    let named = pod["nodeName"].as_str().filter(|it| !it.is_empty());
    let mut labels = pod["nodeSelector"].as_object().into_iter().flatten();
    let required = pod
        .pointer("/affinity/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution")
        .filter(|it| !it.is_null());
    named.is_none_or(|it| it == node.name())
        && labels.all(|(key, value)| node.label(key) == value.as_str())
        && required
            .is_none_or(|it| list(&it["nodeSelectorTerms"]).iter().any(|it| is_met(it, node)))
}

/// Whether a node meets all of a term. One that asks for nothing is met by none.
fn is_met(term: &Value, node: &Object) -> bool {
    let (labels, fields) = (list(&term["matchExpressions"]), list(&term["matchFields"]));
    let name = |it: &Value| (it["key"] == "metadata.name").then(|| node.name());
    let label = |it: &Value| node.label(it["key"].as_str()?);
    !(labels.is_empty() && fields.is_empty())
        && labels.iter().all(|it| holds(it, label(it)))
        && fields.iter().all(|it| holds(it, name(it)))
}

/// Whether a requirement holds of what a node has there.
fn holds(requirement: &Value, has: Option<&str>) -> bool {
    let values = list(&requirement["values"]);
    let is_among = || values.iter().any(|it| it.as_str() == has);
    let number = |it: Option<&str>| it?.parse::<i64>().ok();
    let pair = || number(has).zip(number(values.first().and_then(Value::as_str)));
    match requirement["operator"].as_str() {
        Some("In") => has.is_some() && is_among(),
        Some("NotIn") => has.is_none() || !is_among(),
        Some("Exists") => has.is_some(),
        Some("DoesNotExist") => has.is_none(),
        Some("Gt") => pair().is_some_and(|(has, than)| has > than),
        Some("Lt") => pair().is_some_and(|(has, than)| has < than),
        _ => false,
    }
}

fn is_tolerated(pod: &Value, node: &Object) -> bool {
    let taints = node.items("/spec/taints").iter();
    let mut repelling =
        taints.filter(|it| it["effect"] == "NoSchedule" || it["effect"] == "NoExecute");
    let on_host = pod["hostNetwork"] == true;
    repelling.all(|taint| {
        is_always_tolerated(taint, on_host)
            || list(&pod["tolerations"]).iter().any(|it| tolerates(it, taint))
    })
}

/// Whether a toleration is about a taint. What it leaves out is about any.
fn tolerates(toleration: &Value, taint: &Value) -> bool {
    let text = |of: &Value| of.as_str().unwrap_or_default().to_owned();
    let is_about = |field: &str| {
        let wanted = text(&toleration[field]);
        wanted.is_empty() || wanted == text(&taint[field])
    };
    is_about("effect")
        && is_about("key")
        && match toleration["operator"].as_str() {
            None | Some("" | "Equal") => text(&toleration["value"]) == text(&taint["value"]),
            Some("Exists") => true,
            Some(_) => false,
        }
}

/// The controller gives every pod of a DaemonSet tolerations for what its node suffers from.
fn is_always_tolerated(taint: &Value, on_host: bool) -> bool {
    let suffering = match taint["effect"].as_str() {
        Some("NoExecute") => ["not-ready", "unreachable"].as_slice(),
        Some("NoSchedule") => {
            &["disk-pressure", "memory-pressure", "pid-pressure", "unschedulable"]
        }
        _ => &[],
    };
    let key = taint["key"].as_str().and_then(|it| it.strip_prefix("node.kubernetes.io/"));
    key.is_some_and(|it| suffering.contains(&it) || (on_host && it == "network-unavailable"))
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn node(name: &str, labels: Value, taints: Value) -> Object {
        let metadata = json!({"name": name, "labels": labels});
        let spec = json!({"taints": taints});
        Object::new(json!({"apiVersion": "v1", "kind": "Node", "metadata": metadata, "spec": spec}))
            .unwrap()
    }

    fn daemon_set(pod: Value, status: Value) -> Object {
        Object::new(json!({
            "apiVersion": "apps/v1", "kind": "DaemonSet",
            "metadata": {"name": "agent", "generation": 2},
            "spec": {"template": {"spec": pod}}, "status": status,
        }))
        .unwrap()
    }

    fn term(key: &str, operator: &str, values: &[&str]) -> Value {
        json!({"matchExpressions": [{"key": key, "operator": operator, "values": values}]})
    }

    /// Which of three nodes match: `a` with disk ssd and 8 cores, `b` with disk hdd and 16 cores, `c` with nothing.
    #[track_caller]
    fn check(pod: Value, matching: &str) {
        let nodes = [
            node("a", json!({"disk": "ssd", "cores": "8"}), json!([])),
            node("b", json!({"disk": "hdd", "cores": "16"}), json!([])),
            node("c", json!({}), Value::Null),
        ];
        let set = daemon_set(pod.clone(), json!({}));
        assert_eq!(nodes_that_match(&set, &nodes).concat(), matching, "{pod}");
    }

    #[track_caller]
    fn check_terms(terms: &[Value], matching: &str) {
        let required = json!({"nodeSelectorTerms": terms});
        let affinity = json!({"requiredDuringSchedulingIgnoredDuringExecution": required});
        check(json!({"affinity": {"nodeAffinity": affinity}}), matching);
    }

    #[test]
    fn nodes_match_by_name_labels_and_affinity() {
        check(json!({}), "abc");
        check(Value::Null, "abc");
        check(json!({"nodeName": "b"}), "b");
        check(json!({"nodeSelector": {"disk": "ssd"}}), "a");
        check(json!({"nodeSelector": {"disk": "ssd", "cores": "16"}}), "");
        check_terms(&[term("disk", "In", &["ssd", "hdd"])], "ab");
        check_terms(&[term("disk", "NotIn", &["ssd"])], "bc");
        check_terms(&[term("disk", "Exists", &[])], "ab");
        check_terms(&[term("disk", "DoesNotExist", &[])], "c");
        check_terms(&[term("cores", "Gt", &["8"])], "b");
        check_terms(&[term("cores", "Lt", &["16"])], "a");
        check_terms(&[term("disk", "Gt", &["8"])], "");
        check_terms(&[term("disk", "Like", &["ssd"])], "");
        check_terms(&[term("disk", "In", &["ssd"]), term("cores", "In", &["16"])], "ab");
        check_terms(&[], "");
        check_terms(&[json!({})], "");
        let field = json!({"key": "metadata.name", "operator": "NotIn", "values": ["a"]});
        check_terms(&[json!({"matchFields": [field]})], "bc");
        let preferred = json!({"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 1}]});
        check(json!({"affinity": {"nodeAffinity": preferred}}), "abc");
    }

    #[track_caller]
    fn check_taint(taint: Value, toleration: Value, runs: bool) {
        let nodes = [node("a", json!({}), json!([taint]))];
        let set = daemon_set(json!({"tolerations": [toleration]}), json!({}));
        assert_eq!(nodes_that_match(&set, &nodes).len(), usize::from(runs), "{taint} {toleration}");
    }

    #[test]
    fn taints_repel_who_does_not_tolerate_them() {
        let taint = |effect| json!({"key": "gpu", "value": "yes", "effect": effect});
        let nothing = || json!({"key": "else", "operator": "Exists"});
        check_taint(taint("NoSchedule"), nothing(), false);
        check_taint(taint("NoExecute"), nothing(), false);
        check_taint(taint("PreferNoSchedule"), nothing(), true);
        check_taint(taint("NoSchedule"), json!({"operator": "Exists"}), true);
        check_taint(taint("NoSchedule"), json!({"key": "gpu", "value": "yes"}), true);
        check_taint(taint("NoSchedule"), json!({"key": "gpu", "value": "no"}), false);
        let other = json!({"key": "gpu", "operator": "Exists", "effect": "NoExecute"});
        check_taint(taint("NoSchedule"), other, false);
        let cordoned =
            |effect| json!({"key": "node.kubernetes.io/unschedulable", "effect": effect});
        check_taint(cordoned("NoSchedule"), nothing(), true);
        check_taint(cordoned("NoExecute"), nothing(), false);
        let offline =
            json!({"key": "node.kubernetes.io/network-unavailable", "effect": "NoSchedule"});
        check_taint(offline.clone(), nothing(), false);
        let set = daemon_set(json!({"hostNetwork": true}), json!({}));
        assert_eq!(nodes_that_match(&set, &[node("a", json!({}), json!([offline]))]), ["a"]);
    }

    #[test]
    fn a_daemon_set_covers_when_every_node_that_matches_has_a_ready_pod() {
        let nodes = ["a", "b"].map(|it| node(it, json!({}), json!([])));
        let covers = |observed: i64, ready: i64, updated: i64| {
            let status = json!({
                "observedGeneration": observed, "desiredNumberScheduled": 1,
                "numberReady": ready, "updatedNumberScheduled": updated,
            });
            daemon_set_covers(&daemon_set(json!({}), status), &nodes)
        };
        assert_eq!(covers(2, 2, 2), Coverage::Covers { nodes: 2 });
        assert_eq!(covers(1, 2, 2), Coverage::Unobserved);
        // The controller has not seen the second node: its own numbers say that all is well.
        assert_eq!(covers(2, 1, 1), Coverage::Short { nodes: 2, ready: 1, updated: 1 });
        assert_eq!(covers(2, 2, 1), Coverage::Short { nodes: 2, ready: 2, updated: 1 });
        let unwatched = daemon_set(json!({"nodeName": "z"}), json!({"observedGeneration": 2}));
        assert_eq!(daemon_set_covers(&unwatched, &nodes), Coverage::Covers { nodes: 0 });
        assert_eq!(
            daemon_set_covers(&daemon_set(json!({}), json!({})), &nodes),
            Coverage::Unobserved
        );
    }
}
