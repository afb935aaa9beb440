//! Looking at a cluster for a plan: what is there of what an app wants, and what would come of applying it. Nothing is changed.

use std::collections::BTreeSet;

use futures_util::{StreamExt, TryStreamExt, stream};

use super::cluster::{AT_ONCE, Access, Apis, Apply, Cluster, ClusterError, Resource, Verb};
use super::object::{GroupKind, Object};
use super::plan::{
    ApplySet, MANAGER, Observation, Observed, Proposed, Scope, Wanted, own_fields, scaled_by,
};

/// Looks at everything that an app wants in a cluster, and at what it has there, of which what nobody wants any more goes if it `prunes`.
///
/// # Errors
/// When the cluster can't be looked at. Where it forbids that, the error names everything that is missing.
pub async fn observe(
    cluster: &Cluster,
    uid: &str,
    apis: &Apis,
    set: &ApplySet,
    prunes: bool,
    wanted: Vec<Wanted>,
) -> Result<Observed, ClusterError> {
    let needed = needed(&wanted, set);
    match look(cluster, uid, apis, set, prunes, wanted).await {
        Err(ClusterError::Forbidden { message, .. }) => {
            let missing = cluster.missing(&needed).await.unwrap_or_default();
            Err(ClusterError::Forbidden { message, missing })
        }
        observed => observed,
    }
}

async fn look(
    cluster: &Cluster,
    uid: &str,
    apis: &Apis,
    set: &ApplySet,
    prunes: bool,
    mut wanted: Vec<Wanted>,
) -> Result<Observed, ClusterError> {
    let (namespaces, config_maps) = (core(apis, "Namespace")?, core(apis, "ConfigMap")?);
    let is_missing = cluster.get(&namespaces, None, &set.namespace).await?.is_none();
    let parent = match is_missing {
        true => None,
        false => cluster.get(&config_maps, Some(&set.namespace), &set.parent_name()).await?,
    };
    let brings_namespace = |name: &str| {
        let brought = wanted.iter().map(|it| &it.manifest.object);
        brought.into_iter().any(|it| it.key().kind.is("", "Namespace") && it.name() == name)
    };
    let coming: BTreeSet<String> = wanted
        .iter()
        .filter_map(|it| it.manifest.object.namespace())
        .filter(|it| brings_namespace(it) || (is_missing && *it == set.namespace))
        .map(str::to_owned)
        .collect();
    let missing_namespace =
        (is_missing && !brings_namespace(&set.namespace)).then_some(namespaces.clone());
    // What another object of the set brings can't be asked for before.
    let mut absent = BTreeSet::new();
    for name in coming {
        if cluster.get(&namespaces, None, &name).await?.is_none() {
            absent.insert(name);
        }
    }
    let scope = scope(set, parent.as_ref(), &wanted);
    let members = members_in(cluster, apis, set, &scope).await?;
    // Where nothing is pruned, autoscalers that have left the source stay.
    let stay = !prunes || apis.incomplete().is_some();
    leave_to_autoscalers(cluster, apis, set, stay, &mut wanted).await?;
    let objects = stream::iter(wanted)
        .map(|it| look_at(cluster, apis, it, &absent))
        .buffered(AT_ONCE)
        .try_collect()
        .await?;
    Ok(Observed {
        cluster: uid.to_owned(),
        set: set.clone(),
        parent: (config_maps, parent),
        missing_namespace,
        objects,
        members,
        incomplete: apis.incomplete(),
    })
}

/// Leaves the replicas of workloads to autoscalers that are in the cluster and in no source of the set; also to members of the set, if they `stay`
/// though they have left the source. Who may not look at autoscalers doesn't know of them.
async fn leave_to_autoscalers(
    cluster: &Cluster,
    apis: &Apis,
    set: &ApplySet,
    stay: bool,
    wanted: &mut [Wanted],
) -> Result<(), ClusterError> {
    let kind = GroupKind::new("autoscaling", "HorizontalPodAutoscaler");
    let Some(resource) = apis.preferred(&kind) else {
        // Not to know of them is not to have none.
        return apis.broken_in(&kind.group).map_or(Ok(()), |it| Err(ClusterError::Unavailable(it)));
    };
    let replicated = wanted.iter().map(|it| &it.manifest.object);
    let replicated = replicated.filter(|it| it.at("/spec/replicas").is_some());
    let namespaces: BTreeSet<String> =
        replicated.filter_map(|it| it.namespace()).map(str::to_owned).collect();
    let mut scaled = BTreeSet::new();
    for namespace in namespaces {
        match cluster.list(resource, Some(&namespace), None).await {
            // Else those of the set leave the cluster, if they have left the source.
            Ok(scalers) => {
                let scalers = scalers.iter().filter(|it| stay || !set.has(it));
                scaled.extend(scalers.filter_map(|it| scaled_by(it, &namespace)));
            }
            Err(ClusterError::Forbidden { .. } | ClusterError::NotFound(_)) => {}
            Err(error) => return Err(error),
        }
    }
    let left = wanted.iter_mut().filter(|it| scaled.contains(&it.manifest.object.key()));
    left.for_each(Wanted::leave_replicas);
    Ok(())
}

async fn look_at(
    cluster: &Cluster,
    apis: &Apis,
    mut wanted: Wanted,
    absent: &BTreeSet<String>,
) -> Result<Observation, ClusterError> {
    let object = &wanted.manifest.object;
    let is_later =
        apis.of(object).is_err() || object.namespace().is_some_and(|it| absent.contains(it));
    if is_later {
        return Ok(Observation { wanted, live: None, proposed: Proposed::Later });
    }
    let live = cluster.get(&wanted.resource, object.namespace(), object.name()).await?;
    if live.is_none() {
        wanted.begin_with_replicas();
    }
    let proposed = match live.as_ref().and_then(|it| kept_replicas(&wanted, it)) {
        Some(as_they_are) => propose(cluster, &wanted.resource, &as_they_are).await?,
        None => propose(cluster, &wanted.resource, &wanted.manifest.object).await?,
    };
    Ok(Observation { live, proposed, wanted })
}

/// A wanted object with as many replicas as there are, if those are left to an autoscaler that has not taken the field: to let go of it would
/// be to set it to 1.
fn kept_replicas(wanted: &Wanted, live: &Object) -> Option<Object> {
    wanted.described_replicas.as_ref()?;
    own_fields(live)?.pointer("/f:spec/f:replicas")?;
    let mut kept = wanted.manifest.object.clone();
    kept.set(&["spec", "replicas"], live.at("/spec/replicas")?.clone());
    Some(kept)
}

async fn propose(
    cluster: &Cluster,
    resource: &Resource,
    object: &Object,
) -> Result<Proposed, ClusterError> {
    let apply = |force| Apply { manager: MANAGER, force, dry_run: true };
    let refused = async |error: ClusterError| match error {
        ClusterError::Refused(why) | ClusterError::NotFound(why) => Ok(Proposed::Refused(why)),
        // Quotas and admission forbid too, and what they say is about the object.
        ClusterError::Forbidden { message, .. } => {
            let verbs = [Verb::Create, Verb::Patch];
            let needed = verbs.map(|it| Access::new(it, resource, object.namespace()));
            match cluster.missing(&needed).await {
                Ok(missing) if missing.is_empty() => Ok(Proposed::Refused(message)),
                _ => Err(ClusterError::Forbidden { message, missing: Vec::new() }),
            }
        }
        error => Err(error),
    };
    match cluster.apply(resource, object, apply(false)).await {
        Ok(after) => Ok(Proposed::Would(after)),
        Err(ClusterError::Conflicts(conflicts)) => {
            match cluster.apply(resource, object, apply(true)).await {
                Ok(after) => Ok(Proposed::Conflicts(conflicts, Box::new(after))),
                Err(error) => refused(error).await,
            }
        }
        Err(error) => refused(error).await,
    }
}

/// Where members may be: where the parent says, and where they are to be.
fn scope(set: &ApplySet, parent: Option<&Object>, wanted: &[Wanted]) -> Scope {
    let noted = parent.and_then(|it| set.scope(it).ok()).unwrap_or_default();
    let mut scope = Scope::of(wanted.iter().map(|it| &it.manifest.object)).joined(&noted);
    scope.namespaces.insert(set.namespace.clone());
    scope
}

/// The objects of a set, wherever its parent says that they are; none where it has no parent.
///
/// # Errors
/// When they can't be listed.
pub async fn members(
    cluster: &Cluster,
    apis: &Apis,
    set: &ApplySet,
) -> Result<Vec<(Resource, Object)>, ClusterError> {
    let config_maps = core(apis, "ConfigMap")?;
    let parent = cluster.get(&config_maps, Some(&set.namespace), &set.parent_name()).await?;
    let Some(parent) = parent else { return Ok(Vec::new()) };
    members_in(cluster, apis, set, &scope(set, Some(&parent), &[])).await
}

/// A kind that every server has.
fn core(apis: &Apis, kind: &str) -> Result<Resource, ClusterError> {
    let found = apis.find("", "v1", kind).cloned();
    found.ok_or_else(|| ClusterError::Garbled(format!("it serves no {kind}")))
}

async fn members_in(
    cluster: &Cluster,
    apis: &Apis,
    set: &ApplySet,
    scope: &Scope,
) -> Result<Vec<(Resource, Object)>, ClusterError> {
    let selector = set.selector();
    // A kind that isn't served any more has no objects; while the server doesn't tell all that it serves, nothing is removed.
    let served = scope.kinds.iter().filter_map(|it: &GroupKind| apis.preferred(it));
    let places = served.flat_map(|resource| {
        let namespaces: Vec<Option<&str>> = match resource.namespaced {
            true => scope.namespaces.iter().map(|it| Some(it.as_str())).collect(),
            false => vec![None],
        };
        namespaces.into_iter().map(move |it| (resource, it))
    });
    let lists = stream::iter(places)
        .map(|(resource, namespace)| {
            let selector = selector.as_str();
            async move {
                let found = cluster.list(resource, namespace, Some(selector)).await?;
                let members = found.into_iter().filter(|it| set.has(it));
                Ok::<_, ClusterError>(members.map(|it| (resource.clone(), it)).collect())
            }
        })
        .buffered(AT_ONCE);
    let lists: Vec<Vec<(Resource, Object)>> = lists.try_collect().await?;
    Ok(lists.into_iter().flatten().collect())
}

/// What one has to be allowed for a plan and its application.
fn needed(wanted: &[Wanted], set: &ApplySet) -> Vec<Access> {
    let mut needed = BTreeSet::new();
    for it in wanted {
        let namespace = it.manifest.object.namespace();
        for verb in [Verb::Get, Verb::List, Verb::Create, Verb::Patch, Verb::Delete] {
            needed.insert(Access::new(verb, &it.resource, namespace));
        }
    }
    let of_core = |verb: Verb, resource: &str, namespace: Option<&str>| Access {
        verb,
        group: String::new(),
        resource: resource.to_owned(),
        namespace: namespace.map(str::to_owned),
    };
    needed.insert(of_core(Verb::Get, "namespaces", None));
    for verb in [Verb::Get, Verb::Create, Verb::Patch] {
        needed.insert(of_core(verb, "configmaps", Some(&set.namespace)));
    }
    needed.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::sync::Arc;

    use serde_json::json;

    use super::*;
    use crate::fleet::object::{Manifest, Origin};

    #[test]
    fn replicas_that_an_autoscaler_has_not_taken_stay_as_they_are() {
        let mut object = Object::named("apps/v1", "Deployment", Some("shop"), "web");
        object.set(&["spec", "replicas"], json!(3));
        let origin = Origin { from: Arc::new(PathBuf::from("web.yaml")), line: None };
        let resource = Resource {
            kind: object.key().kind,
            version: "v1".to_owned(),
            plural: "deployments".to_owned(),
            namespaced: true,
        };
        let manifest = Manifest { object: object.clone(), origin };
        let mut wanted = Wanted { manifest, resource, scaled: false, described_replicas: None };
        let live = |fields: serde_json::Value| {
            let mut live = object.clone();
            live.set(&["spec", "replicas"], json!(5));
            let entry =
                json!({"manager": MANAGER, "operation": "Apply", "fieldsV1": {"f:spec": fields}});
            live.set(&["metadata", "managedFields"], json!([entry]));
            live
        };
        let (ours, theirs) = (live(json!({"f:replicas": {}})), live(json!({})));
        assert_eq!(kept_replicas(&wanted, &ours), None, "no autoscaler");
        wanted.leave_replicas();
        let kept = kept_replicas(&wanted, &ours).unwrap();
        assert_eq!(kept.number("/spec/replicas"), Some(5));
        assert_eq!(kept_replicas(&wanted, &theirs), None, "it has them");
        assert_eq!(wanted.manifest.object.at("/spec/replicas"), None);
        assert_eq!(wanted.described().number("/spec/replicas"), Some(3));
        wanted.begin_with_replicas();
        assert_eq!(
            (wanted.manifest.object.number("/spec/replicas"), wanted.scaled),
            (Some(3), false)
        );
    }
}
