use std::path::PathBuf;
use std::sync::Arc;

use serde_json::{Value, json};

use super::*;
use crate::fleet::object::{GroupKind, Manifest, Origin};
use crate::fleet::plan::{MANAGER, PART_OF, restoration};

fn set() -> ApplySet {
    ApplySet { app: "ratings".to_owned(), namespace: "shop".to_owned() }
}

fn resource(api_version: &str, kind: &str) -> Resource {
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    let namespaced = !["Namespace", "CustomResourceDefinition"].contains(&kind);
    Resource {
        kind: GroupKind::new(group, kind),
        version: version.to_owned(),
        plural: format!("{}s", kind.to_lowercase()),
        namespaced,
    }
}

fn object(api_version: &str, kind: &str, name: &str) -> Object {
    let namespace = resource(api_version, kind).namespaced.then_some("shop");
    let mut object = Object::named(api_version, kind, namespace, name);
    object.set_label(PART_OF, &set().id());
    object
}

/// What the server makes of an applied object.
fn stored(wanted: &Object, fields: &Value) -> Object {
    let mut live = wanted.clone();
    live.set(&["metadata", "uid"], format!("uid of {}", wanted.name()).into());
    live.set(&["metadata", "resourceVersion"], "7".into());
    live.set(
        &["metadata", "managedFields"],
        json!([{"manager": MANAGER, "operation": "Apply", "fieldsV1": fields}]),
    );
    live
}

fn wanted(object: &Object) -> Wanted {
    Wanted {
        resource: resource(object.api_version(), object.kind()),
        scaled: object.kind() == "Deployment",
        described_replicas: None,
        manifest: Manifest {
            object: object.clone(),
            origin: Origin { from: Arc::new(PathBuf::from("web.yaml")), line: Some(1) },
        },
    }
}

fn new(object: &Object) -> Observation {
    let after = stored(object, &json!({}));
    Observation { wanted: wanted(object), live: None, proposed: Proposed::Would(after) }
}

fn existing(object: &Object, live: &Object, after: &Object) -> Observation {
    Observation {
        wanted: wanted(object),
        live: Some(live.clone()),
        proposed: Proposed::Would(after.clone()),
    }
}

fn observed(objects: Vec<Observation>) -> Observed {
    let members =
        objects.iter().filter_map(|it| Some((it.wanted.resource.clone(), it.live.clone()?)));
    let members: Vec<_> = members.collect();
    let parent = (!members.is_empty()).then(|| {
        let scope = Scope::of(members.iter().map(|it| &it.1)).without("shop");
        let wanted = objects.iter().map(|it| &it.wanted.manifest.object);
        set().parent(&scope, Some(&fingerprint(wanted)))
    });
    Observed {
        cluster: "6f1c".to_owned(),
        set: set(),
        parent: (resource("v1", "ConfigMap"), parent),
        missing_namespace: None,
        objects,
        members,
        incomplete: None,
    }
}

fn told(observed: &Observed) -> Vec<String> {
    told_with(observed, &Pruning::default(), &Forced::default())
}

fn told_with(observed: &Observed, pruning: &Pruning, forced: &Forced) -> Vec<String> {
    let plan = plan(observed, pruning, forced);
    let steps = plan.steps.iter().map(|it| format!("{} {}", it.action, it.key));
    let stays = plan.stays.iter().map(|it| format!("stays {}: {}", it.key, it.why));
    let refusals = plan.refusals.iter().map(|it| format!("refused {}: {}", it.key, it.why));
    steps.chain(stays).chain(refusals).collect()
}

#[test]
fn from_nothing_everything_is_made_in_order() {
    let objects = [
        object("apps/v1", "Deployment", "web"),
        object("v1", "Service", "web"),
        object("example.org/v1", "Thing", "t"),
        object("apiextensions.k8s.io/v1", "CustomResourceDefinition", "things.example.org"),
        object("v1", "Secret", "s"),
    ];
    let mut observed = observed(objects.iter().map(new).collect());
    observed.missing_namespace = Some(resource("v1", "Namespace"));
    assert_eq!(
        told(&observed),
        [
            "create Namespace shop",
            "record ConfigMap shop/farol-ratings",
            "create CustomResourceDefinition things.example.org",
            "create Secret shop/s",
            "create Service shop/web",
            "create Deployment shop/web",
            "create Thing shop/t",
            "record ConfigMap shop/farol-ratings",
        ]
    );
}

#[test]
fn what_is_as_it_is_wanted_needs_nothing() {
    let web = object("apps/v1", "Deployment", "web");
    let live = stored(&web, &json!({"f:spec": {}}));
    let mut after = live.clone();
    after.set(&["metadata", "resourceVersion"], "8".into());
    after.set(&["status"], json!({"replicas": 1}));
    let observed = observed(vec![existing(&web, &live, &after)]);
    let plan = plan(&observed, &Pruning::default(), &Forced::default());
    assert!(plan.is_empty(), "{:?}", plan.steps);
    assert_eq!(plan.unchanged, 1);
}

#[test]
fn what_was_applied_is_noted_when_it_is_there() {
    let web = object("apps/v1", "Deployment", "web");
    let live = stored(&web, &json!({"f:spec": {}}));
    let mut observed = observed(vec![existing(&web, &live, &live)]);
    let is_applied = |it: &Observed| plan(it, &Pruning::default(), &Forced::default()).is_applied;
    assert!(is_applied(&observed));
    let scope = Scope::of([&web]).without("shop");
    for applied in [None, Some("another")] {
        observed.parent.1 = Some(set().parent(&scope, applied));
        assert!(!is_applied(&observed), "the description has moved, or no apply went to its end");
        assert_eq!(told(&observed), ["record ConfigMap shop/farol-ratings"]);
    }
}

#[test]
fn a_field_that_becomes_ours_is_a_change_though_its_value_stays() {
    let web = object("v1", "ConfigMap", "web");
    let live = stored(&web, &json!({}));
    let after = stored(&web, &json!({"f:data": {}}));
    assert_eq!(told(&observed(vec![existing(&web, &live, &after)])), ["change ConfigMap shop/web"]);
}

#[test]
fn conflicts_are_refused_unless_each_field_is_forced() {
    let web = object("apps/v1", "Deployment", "web");
    let live = stored(&web, &json!({}));
    let conflict = |field: &str| Conflict {
        manager: "\"eve\" using apps/v1".to_owned(),
        field: field.to_owned(),
    };
    let mut observation = existing(&web, &live, &live);
    let conflicts = vec![conflict(".spec.replicas"), conflict(".spec.paused")];
    observation.proposed = Proposed::Conflicts(conflicts, Box::new(live));
    let observed = observed(vec![observation]);
    let forced =
        |fields: &[&str]| Forced::fields(fields.iter().map(|it| (*it).to_owned()).collect());
    let told = |forced: &Forced| told_with(&observed, &Pruning::default(), forced);
    assert_eq!(
        told(&forced(&[".spec.replicas"])),
        [
            "refused Deployment shop/web: .spec.paused belongs to \"eve\" using apps/v1; take it out of the source (web.yaml:1), \
             or force it: --force-conflicts Deployment/shop/web:FIELD"
        ]
    );
    assert_eq!(told(&forced(&[".spec.replicas", ".spec.paused"])), ["change Deployment shop/web"]);
}

#[test]
fn what_nobody_wants_any_more_goes_the_other_way_round() {
    let (web, config) = (object("apps/v1", "Deployment", "web"), object("v1", "ConfigMap", "old"));
    let keep = object("v1", "Service", "keep");
    let live = stored(&keep, &json!({}));
    let mut observed = observed(vec![existing(&keep, &live, &live)]);
    for it in [&config, &web, &object("v1", "PersistentVolumeClaim", "data")] {
        observed.members.push((resource(it.api_version(), it.kind()), stored(it, &json!({}))));
    }
    let members = observed.members.iter().map(|it| &it.1);
    let applied = fingerprint([&keep].into_iter());
    observed.parent.1 = Some(set().parent(&Scope::of(members).without("shop"), Some(&applied)));
    assert_eq!(
        told(&observed),
        [
            "delete Deployment shop/web",
            "delete ConfigMap shop/old",
            "record ConfigMap shop/farol-ratings",
            "stays PersistentVolumeClaim shop/data: a PersistentVolumeClaim is only removed where `prune.also` names the kind",
        ]
    );
}

#[test]
fn nothing_goes_and_nothing_is_forgotten_while_the_server_does_not_tell_all() {
    let (keep, old) = (object("v1", "Service", "keep"), object("v1", "ConfigMap", "old"));
    let live = stored(&keep, &json!({}));
    let mut observed = observed(vec![existing(&keep, &live, &live)]);
    observed.members.push((resource("v1", "ConfigMap"), stored(&old, &json!({}))));
    let gone = Object::named("example.org/v1", "Thing", Some("shop"), "unseen");
    let kinds = observed.members.iter().map(|it| &it.1).chain([&gone]);
    let applied = fingerprint([&keep].into_iter());
    observed.parent.1 = Some(set().parent(&Scope::of(kinds).without("shop"), Some(&applied)));
    observed.incomplete = Some("example.org/v1: away".to_owned());
    assert_eq!(
        told(&observed),
        [
            "stays ConfigMap shop/old: the cluster does not tell all that it serves: example.org/v1: away"
        ]
    );
}

#[test]
fn replicas_that_come_back_into_the_source_are_taken_back() {
    let mut web = object("apps/v1", "Deployment", "web");
    web.set(&["spec", "replicas"], 3.into());
    let live = stored(&web, &json!({}));
    let mut observation = existing(&web, &live, &live);
    let field = ".spec.replicas".to_owned();
    let ours = Conflict { manager: "\"farol-handover\" using apps/v1".to_owned(), field };
    observation.proposed = Proposed::Conflicts(vec![ours], Box::new(live));
    assert_eq!(told(&observed(vec![observation])), ["change Deployment shop/web"]);
}

#[test]
fn only_an_autoscaler_is_handed_replicas() {
    let web = object("apps/v1", "StatefulSet", "db");
    let mut with = web.clone();
    with.set(&["spec", "replicas"], 4.into());
    let live = stored(&with, &json!({"f:spec": {"f:replicas": {}}}));
    let after = stored(&web, &json!({"f:spec": {}}));
    assert_eq!(
        told(&observed(vec![existing(&web, &live, &after)])),
        ["change StatefulSet shop/db"]
    );
}

#[test]
fn an_empty_source_prunes_nothing() {
    let mut observed = observed(vec![]);
    let old = object("v1", "ConfigMap", "old");
    observed.members.push((resource("v1", "ConfigMap"), stored(&old, &json!({}))));
    observed.parent.1 = Some(set().parent(&Scope::of([&old]).without("shop"), Some("other")));
    assert_eq!(
        told(&observed),
        ["stays ConfigMap shop/old: the source renders nothing, which prunes nothing"]
    );
}

#[test]
fn what_others_have_is_not_touched() {
    let web = object("v1", "ConfigMap", "web");
    for (key, value, why) in [
        ("meta.helm.sh/release-name", "r", "Helm's release r has it"),
        ("argocd.argoproj.io/tracking-id", "shop:/ConfigMap:shop/web", "Argo CD manages it (shop)"),
    ] {
        let mut live = Object::named("v1", "ConfigMap", Some("shop"), "web");
        live.set(&["metadata", "annotations", key], value.into());
        let told = told(&observed(vec![existing(&web, &live, &web)]));
        assert!(told[0].starts_with(&format!("refused ConfigMap shop/web: {why}")), "{told:?}");
    }
    let mut live = web.clone();
    live.set_label(PART_OF, "applyset-other-v1");
    let told = told(&observed(vec![existing(&web, &live, &web)]));
    assert!(told[0].contains("another set has it (applyset-other-v1)"), "{told:?}");
}

#[test]
fn what_is_being_deleted_is_waited_for() {
    let web = object("v1", "ConfigMap", "web");
    let mut live = stored(&web, &json!({}));
    live.set(&["metadata", "deletionTimestamp"], "2030-01-01T00:00:00Z".into());
    let told = told(&observed(vec![existing(&web, &live, &web)]));
    assert!(told[0].starts_with("refused ConfigMap shop/web: is being deleted"), "{told:?}");
}

#[test]
fn replicas_are_handed_over_before_they_leave_the_source() {
    let web = object("apps/v1", "Deployment", "web");
    let mut with = web.clone();
    with.set(&["spec", "replicas"], 4.into());
    let live = stored(&with, &json!({"f:spec": {"f:replicas": {}}}));
    let observed = observed(vec![existing(&web, &live, &stored(&web, &json!({"f:spec": {}})))]);
    let plan = plan(&observed, &Pruning::default(), &Forced::default());
    let Action::HandOver { wanted } = &plan.steps[0].action else { panic!("{:?}", plan.steps) };
    assert_eq!(wanted.number("/spec/replicas"), Some(4), "as many as there are");
    assert!(matches!(plan.steps[1].action, Action::Change { .. }));
}

#[test]
fn a_digest_tells_whether_the_world_has_moved() {
    let web = object("v1", "ConfigMap", "web");
    let digest = |live: &Object, cluster: &str| {
        let mut observed = observed(vec![existing(&web, live, &stored(&web, &json!({"f:a": {}})))]);
        observed.cluster = cluster.to_owned();
        plan(&observed, &Pruning::default(), &Forced::default()).digest
    };
    let live = stored(&web, &json!({}));
    let mut same = live.clone();
    same.set(&["metadata", "resourceVersion"], "99".into());
    same.set(&["status"], json!({"a": 1}));
    assert_eq!(digest(&live, "6f1c"), digest(&same, "6f1c"), "a status is no move");
    let mut foreign = live.clone();
    foreign.set(&["data"], json!({"theirs": "1"}));
    let both = |live: &Object| {
        let mut after = stored(&web, &json!({"f:a": {}}));
        after.set(&["data"], live.at("/data").cloned().unwrap_or_default());
        let observed = observed(vec![existing(&web, live, &after)]);
        plan(&observed, &Pruning::default(), &Forced::default()).digest
    };
    let mut others = foreign.clone();
    others.set(&["data"], json!({"theirs": "2"}));
    assert_eq!(both(&foreign), both(&others), "what others write and nobody here wants is no move");
    let mut moved = live.clone();
    moved.set(&["data"], json!({"a": "1"}));
    assert_ne!(digest(&live, "6f1c"), digest(&moved, "6f1c"));
    assert_ne!(digest(&live, "6f1c"), digest(&live, "another"));
}

#[test]
fn a_parent_of_another_tool_stops_everything() {
    let web = object("v1", "ConfigMap", "web");
    let mut observed = observed(vec![new(&web)]);
    let mut parent = set().parent(&Scope::default(), None);
    parent.set(&["metadata", "annotations", "applyset.kubernetes.io/tooling"], "kubectl/v1".into());
    observed.parent.1 = Some(parent);
    let told = told(&observed);
    assert!(
        told.iter().any(|it| it.starts_with("refused ConfigMap shop/farol-ratings")),
        "{told:?}"
    );
}

#[test]
fn replicas_are_left_to_an_autoscaler_from_elsewhere() {
    let mut web = object("apps/v1", "Deployment", "web");
    web.set(&["spec", "replicas"], 3.into());
    // It has scaled, and on an old server nobody noted that.
    let mut five = web.clone();
    five.set(&["spec", "replicas"], 5.into());
    let live = stored(&five, &json!({"f:spec": {"f:replicas": {}}}));
    let leaves = |mut observation: Observation| {
        observation.wanted.leave_replicas();
        observation
    };
    let mut observed = observed(vec![existing(&web, &live, &live)]);
    let observation = observed.objects.remove(0);
    observed.objects.push(leaves(observation));
    let same = plan(&observed, &Pruning::default(), &Forced::default());
    assert!(same.is_empty() && same.is_applied, "no drift, and nothing new: {:?}", same.steps);

    // Something else is put back, without taking the replicas from it.
    let mut paused = live.clone();
    paused.set(&["spec", "paused"], true.into());
    observed.objects = vec![leaves(existing(&web, &paused, &live))];
    let drifted = plan(&observed, &Pruning::default(), &Forced::default());
    let told = |it: &Step| format!("{} {}", it.action, it.key);
    let steps: Vec<String> = restoration(&drifted).iter().map(told).collect();
    assert_eq!(steps, ["hand over Deployment shop/web", "change Deployment shop/web"]);
    let Action::Change { wanted, .. } = &drifted.steps[1].action else { unreachable!() };
    assert_eq!(wanted.at("/spec/replicas"), None);
}

#[test]
fn a_secret_that_is_described_anew_is_no_drift() {
    let secret = |value: &str| {
        let mut secret = object("v1", "Secret", "key");
        secret.set(&["data", "password"], value.into());
        secret
    };
    let (old, new) = (secret("aHVudGVyMg=="), secret("aHVudGVyMw=="));
    let fields = json!({"f:data": {"f:password": {}}});
    let mut observed =
        observed(vec![existing(&old, &stored(&old, &fields), &stored(&old, &fields))]);
    let is_applied = |it: &Observed| plan(it, &Pruning::default(), &Forced::default()).is_applied;
    assert!(is_applied(&observed));
    // Who writes a field takes it from us.
    let left = json!({"f:data": {"f:other": {}}});
    observed.objects = vec![existing(&old, &stored(&new, &left), &stored(&old, &fields))];
    assert!(is_applied(&observed), "somebody else has rotated it");
    let mut anew = existing(&new, &stored(&old, &fields), &stored(&new, &fields));
    observed.objects = vec![anew.clone()];
    assert!(!is_applied(&observed));
    // So it is beside a field that somebody else has.
    let manager = "\"eve\" using v1".to_owned();
    let conflict = Conflict { manager, field: ".data.other".to_owned() };
    anew.proposed = Proposed::Conflicts(vec![conflict], Box::new(stored(&new, &fields)));
    observed.objects = vec![anew];
    assert!(!is_applied(&observed));
}
