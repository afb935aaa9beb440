//! A site of the fleet and its apps: from the description to a plan, one site at a time and each by itself.

use std::collections::BTreeSet;
use std::env;
use std::path::PathBuf;

use serde_json::{Map, Value};

use super::cluster::{Apis, Cluster, ClusterError, Reach, Resource, Version};
use super::object::{GroupKind, Object, ObjectKey};
use super::observe::observe;
use super::plan::{
    Adoption, ApplySet, Complaint, Forced, Plan, Pruning, Wanted, adoption, plan, prepare,
};
use super::render::{self, OverrideError, Render, RenderError, Skipped, Target, Tools};
use super::spec::{self, App, Site};
use crate::model::Ident;

/// A site whose cluster answers, and is the one that it should be.
#[derive(Debug)]
pub struct Reached {
    /// The site's name.
    pub site: Ident,
    /// The way to its cluster.
    pub cluster: Cluster,
    /// The cluster's UID.
    pub uid: String,
    /// Its version.
    pub version: Version,
    /// What it serves.
    pub apis: Apis,
}

/// What an app comes to on a site.
#[derive(Debug)]
pub struct Planned {
    /// The site.
    pub site: Ident,
    /// The app.
    pub app: Ident,
    /// What has to be done.
    pub plan: Plan,
    /// What is waited for when it is done.
    pub ready: Vec<(Resource, ObjectKey)>,
    /// What the source has and that is no object of the app.
    pub skipped: Vec<Skipped>,
    /// The images that its pods are to be made from.
    pub images: BTreeSet<String>,
}

/// Why there is no plan for an app on a site.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// The cluster can't be looked at.
    #[error("the cluster {0}")]
    Cluster(#[from] ClusterError),
    /// The source can't be rendered.
    #[error(transparent)]
    Render(#[from] RenderError),
    /// What is different on the site fits nothing.
    #[error("{}", lines(.0))]
    Override(Vec<OverrideError>),
    /// A value of the chart can't be had.
    #[error("valuesFrom: {0}")]
    Values(String),
    /// What was rendered can't be applied.
    #[error("{}", lines(.0))]
    Manifests(Vec<Complaint>),
    /// What is waited for isn't in the app.
    #[error("`ready` names {0}, which the app doesn't have")]
    Ready(String),
}

/// Reaches a site's cluster, and makes sure that it is the one that is pinned.
///
/// # Errors
/// When it can't be reached, or is another one.
pub async fn reach(site: &Site) -> Result<Reached, ClusterError> {
    let cluster = Cluster::open(&way(&site.cluster).await?).await?;
    let uid = cluster.identify(site.cluster.uid.as_deref()).await?;
    let (version, apis) = futures_util::future::try_join(cluster.version(), cluster.apis()).await?;
    Ok(Reached { site: site.name.clone(), cluster, uid, version, apis })
}

/// How a cluster is reached. One way is written; the reading made sure of it.
async fn way(cluster: &spec::Cluster) -> Result<Reach, ClusterError> {
    if let Some(it) = &cluster.kubeconfig {
        return Ok(Reach::File { path: it.path.clone(), context: it.context.clone() });
    }
    let Some(secret) = &cluster.secret_ref else { return Ok(Reach::InCluster) };
    let own = Cluster::open(&Reach::InCluster).await?;
    let namespace = secret.namespace.clone().unwrap_or_else(|| own.namespace().to_owned());
    let yaml = secret_text(&own, &namespace, &secret.name, &secret.key).await?;
    Ok(Reach::Text { yaml, context: None })
}

/// The text under a key of a Secret.
async fn secret_text(
    cluster: &Cluster,
    namespace: &str,
    name: &str,
    key: &str,
) -> Result<String, ClusterError> {
    let missing = |what: String| ClusterError::NotFound(what);
    let shown = format!("Secret {namespace}/{name}");
    let resource = Resource {
        kind: GroupKind::new("", "Secret"),
        version: "v1".to_owned(),
        plural: "secrets".to_owned(),
        namespaced: true,
    };
    let secret = cluster.get(&resource, Some(namespace), name).await?;
    let secret = secret.ok_or_else(|| missing(shown.clone()))?;
    let text = secret.at("/data").and_then(|it| it.get(key)).and_then(Value::as_str);
    let text = text.ok_or_else(|| missing(format!("{shown} has no key {key}")))?;
    let octets = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, text);
    let text = octets.ok().and_then(|it| String::from_utf8(it).ok());
    text.ok_or_else(|| ClusterError::Garbled(format!("{key} of {shown} is no text")))
}

/// What an app wants on a site, and what of its source is no object of it.
async fn wanted(
    reached: &Reached,
    app: &App,
    tools: &Tools,
) -> Result<(Vec<Wanted>, Vec<Skipped>), PlanError> {
    let target = target(reached, app).await?;
    let rendered = source(app).render(&target, tools).await?;
    let mut manifests = rendered.manifests;
    if let Some(own) = app.overrides.get(&reached.site) {
        render::override_replicas(&mut manifests, &own.replicas).map_err(PlanError::Override)?;
    }
    let scalers = app.autoscale.iter().map(|it| render::Autoscale {
        target: it.target.to_string(),
        cpu: it.cpu,
        min: it.min,
        max: it.max,
    });
    let scalers: Vec<_> = scalers.collect();
    let served: Vec<String> = reached.apis.names().into_iter().collect();
    let scalers = render::autoscalers(&scalers, &manifests, &served);
    manifests.extend(scalers.map_err(PlanError::Override)?);
    let wanted = prepare(manifests, &reached.apis, &set(app)).map_err(PlanError::Manifests)?;
    Ok((wanted, rendered.skipped))
}

/// The nodes of a site's cluster.
///
/// # Errors
/// When one may not look at them.
pub async fn nodes(reached: &Reached) -> Result<Vec<Object>, ClusterError> {
    let resource = reached.apis.find("", "v1", "Node");
    let resource = resource.ok_or_else(|| ClusterError::Garbled("it serves no Node".to_owned()))?;
    reached.cluster.list(resource, None, None).await
}

/// Plans an app on a site.
///
/// # Errors
/// When it can't be rendered, or the cluster not be looked at.
pub async fn plan_app(
    reached: &Reached,
    app: &App,
    tools: &Tools,
    forced: &Forced,
) -> Result<Planned, PlanError> {
    let (wanted, skipped) = wanted(reached, app, tools).await?;
    let set = set(app);
    let images = images(wanted.iter().map(|it| &it.manifest.object));
    let ready = awaited(app, wanted.iter().map(|it| (&it.resource, &it.manifest.object)))?;
    let observed = observe(&reached.cluster, &reached.uid, &reached.apis, &set, wanted).await?;
    let plan = plan(&observed, &pruning(app), forced);
    let (site, app) = (reached.site.clone(), app.name.clone());
    Ok(Planned { site, app, plan, ready, skipped, images })
}

/// What of an app's objects on a site can be taken over from `kubectl apply` and these other managers.
///
/// # Errors
/// When the app can't be rendered, or the cluster not be looked at.
pub async fn adoptions(
    reached: &Reached,
    app: &App,
    tools: &Tools,
    managers: &[String],
) -> Result<Vec<(Resource, ObjectKey, Adoption)>, PlanError> {
    let (wanted, _) = wanted(reached, app, tools).await?;
    let mut found = Vec::new();
    for Wanted { manifest, resource } in wanted {
        let key = manifest.object.key();
        let live = match reached.apis.of(&manifest.object) {
            Ok(_) => reached.cluster.get(&resource, key.namespace.as_deref(), &key.name).await?,
            Err(_) => None,
        };
        if let Some(adoption) = live.and_then(|it| adoption(&it, managers)) {
            found.push((resource, key, adoption));
        }
    }
    Ok(found)
}

fn set(app: &App) -> ApplySet {
    ApplySet { app: app.name.to_string(), namespace: app.namespace.clone() }
}

/// The images that an app's pods are made from.
fn images<'a>(objects: impl Iterator<Item = &'a Object>) -> BTreeSet<String> {
    let templates = ["/spec/template/spec", "/spec/jobTemplate/spec/template/spec", "/spec"];
    let lists = |it: &'a Object| {
        let of = move |pod: &str| {
            ["initContainers", "containers"].map(|list| it.items(&format!("{pod}/{list}")))
        };
        templates.into_iter().flat_map(of)
    };
    let containers = objects.flat_map(lists).flatten();
    containers.filter_map(|it| it.get("image")?.as_str()).map(str::to_owned).collect()
}

fn pruning(app: &App) -> Pruning {
    let also: BTreeSet<String> =
        super::plan::KEPT.into_iter().filter(|it| app.prune.takes(it)).map(str::to_owned).collect();
    Pruning { enabled: app.prune.enabled, also }
}

/// What is waited for: what the app names, or all that it has.
fn awaited<'a>(
    app: &App,
    wanted: impl Iterator<Item = (&'a Resource, &'a Object)> + Clone,
) -> Result<Vec<(Resource, ObjectKey)>, PlanError> {
    let pair = |(resource, object): (&Resource, &Object)| (resource.clone(), object.key());
    if app.ready.is_empty() {
        return Ok(wanted.map(pair).collect());
    }
    let mut awaited = Vec::new();
    for it in &app.ready {
        let mut found = wanted
            .clone()
            .filter(|(_, object)| object.kind() == it.kind && object.name() == it.name);
        let first = found.next().ok_or_else(|| PlanError::Ready(it.to_string()))?;
        awaited.extend([first].into_iter().chain(found).map(pair));
    }
    Ok(awaited)
}

fn source(app: &App) -> render::Source {
    match &app.source {
        spec::Source::Manifests(path) => render::Source::Manifests(render::Manifests(path.clone())),
        spec::Source::Kustomize(path) => render::Source::Kustomize(render::Kustomize(path.clone())),
        spec::Source::Helm(helm) => {
            let chart = match (&helm.repo, helm.is_path()) {
                (Some(url), _) => render::ChartSource::Repository {
                    url: url.as_str().to_owned(),
                    name: helm.chart.clone(),
                },
                (None, true) => render::ChartSource::Path(PathBuf::from(&helm.chart)),
                (None, false) => render::ChartSource::Oci(helm.chart.clone()),
            };
            render::Source::Helm(render::HelmChart {
                release: helm.release.clone().unwrap_or_else(|| app.name.to_string()),
                chart,
                version: helm.version.clone(),
                digest: helm.digest.as_ref().and_then(|it| it.to_string().parse().ok()),
            })
        }
    }
}

async fn target(reached: &Reached, app: &App) -> Result<Target, PlanError> {
    let mut values = match &app.source {
        spec::Source::Helm(helm) => Value::Object(helm.values.clone()),
        _ => Value::Null,
    };
    if let Some(own) = app.overrides.get(&reached.site).filter(|it| !it.values.is_empty()) {
        merge(&mut values, Value::Object(own.values.clone()));
    }
    let mut secrets = Vec::new();
    for it in &app.values_from {
        let text = value_text(reached, app, &it.from).await?;
        let value = match &it.at {
            Some(path) => {
                secrets.push(text.clone());
                at_path(path, Value::String(text))
            }
            None => serde_saphyr::from_str(&text).map_err(|error| {
                PlanError::Values(format!("is no YAML: {}", error.without_snippet()))
            })?,
        };
        texts(&value, &mut secrets);
        merge(&mut values, value);
    }
    Ok(Target {
        site: reached.site.to_string(),
        namespace: app.namespace.clone(),
        kubernetes: reached.version.full.clone(),
        apis: reached.apis.names().into_iter().collect(),
        values,
        secrets,
    })
}

async fn value_text(
    reached: &Reached,
    app: &App,
    from: &spec::ValuesSource,
) -> Result<String, PlanError> {
    match from {
        spec::ValuesSource::File(path) => std::fs::read_to_string(path)
            .map_err(|it| PlanError::Values(format!("{} can't be read: {it}", path.display()))),
        spec::ValuesSource::Env(name) => env::var(name)
            .map_err(|_| PlanError::Values(format!("the environment has no {name}; set it"))),
        spec::ValuesSource::Secret(it) => {
            let namespace = it.namespace.as_deref().unwrap_or(&app.namespace);
            Ok(secret_text(&reached.cluster, namespace, &it.name, &it.key).await?)
        }
    }
}

/// Lays values over others. A null stays, since it takes away what the chart itself says.
fn merge(under: &mut Value, over: Value) {
    match (under, over) {
        (Value::Object(under), Value::Object(over)) => {
            for (key, value) in over {
                merge(under.entry(key).or_insert(Value::Null), value);
            }
        }
        (under, over) => *under = over,
    }
}

/// `a.b` and a value: `{"a": {"b": value}}`.
fn at_path(path: &str, value: Value) -> Value {
    path.rsplit('.')
        .fold(value, |value, key| Value::Object(Map::from_iter([(key.to_owned(), value)])))
}

/// Every text in some values.
fn texts(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) => found.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|it| texts(it, found)),
        Value::Object(map) => map.values().for_each(|it| texts(it, found)),
        _ => {}
    }
}

fn lines<T: ToString>(items: &[T]) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn later_values_win_and_null_stays() {
        let mut values = json!({"a": {"b": 1, "c": 2}, "d": [1]});
        merge(&mut values, json!({"a": {"c": null, "e": 3}, "d": [2]}));
        assert_eq!(values, json!({"a": {"b": 1, "c": null, "e": 3}, "d": [2]}));
        assert_eq!(at_path("a.b", json!(1)), json!({"a": {"b": 1}}));
    }
}
