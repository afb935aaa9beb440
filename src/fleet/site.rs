//! A site of the fleet and its apps: from the description to a plan, one site at a time and each by itself.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::Value;

use super::cluster::{Apis, Cluster, ClusterError, Resource, Version};
use super::object::{Object, ObjectKey};
use super::observe::observe;
use super::part::Part;
use super::plan::{
    Adoption, ApplySet, Complaint, Forced, MANAGER, Plan, Pruning, Refusal, Wanted, adoption,
    belongs_elsewhere, plan, prepare, without_rules,
};
use super::print::Print;
use super::render::{self, OverrideError, RenderError, Skipped, Tools};
use super::spec::{App, Site};
use super::values::target;
use super::way::open;
use crate::model::Ident;

/// The minor version from which on servers know the rules of definitions.
const RULES_SINCE: u32 = 23;

/// A site whose cluster answers, and is the one that it should be.
#[derive(Debug)]
pub struct Reached {
    /// The site as it is described.
    pub site: Site,
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
    /// The images that the pods of what is there are made from.
    pub images: BTreeSet<String>,
    /// Everything that it wants.
    pub wanted: Vec<ObjectKey>,
    /// Texts that nobody may see, wherever they stand.
    pub secrets: Vec<String>,
    /// What is there, as far as it can be told from its metadata.
    pub seen: BTreeMap<ObjectKey, Print>,
    /// When the companion last wrote something of it, by the server's clock (RFC 3339).
    pub applied_at: Option<String>,
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
    /// It took longer than this, and was given up.
    #[error("it took longer than {} s, and was given up", .0.as_secs())]
    TookLong(Duration),
    /// What is waited for isn't in the app.
    #[error("`ready` names {0}, which the app doesn't have")]
    Ready(String),
}

/// Reaches a site's cluster, and makes sure that it is the one that is pinned.
///
/// # Errors
/// When it can't be reached, or is another one.
pub async fn reach(site: &Site) -> Result<Reached, ClusterError> {
    let cluster = open(&site.cluster.way).await?;
    let uid = cluster.identify(site.cluster.uid.as_deref()).await?;
    let (version, apis) = futures_util::future::try_join(cluster.version(), cluster.apis()).await?;
    Ok(Reached { site: site.clone(), cluster, uid, version, apis })
}

/// What an app wants on a site, what of its source is no object of it, and which texts in it nobody may see.
async fn wanted(
    reached: &Reached,
    part: &Part,
    tools: &Tools,
) -> Result<(Vec<Wanted>, Vec<Skipped>, Vec<String>), PlanError> {
    let app = &part.app;
    let target = target(reached, app).await?;
    let (mut manifests, skipped) = part.render(&reached.site, &target, tools).await?;
    if let Some(own) = app.overrides.get(&reached.site.name) {
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
    if reached.version.minor < RULES_SINCE {
        manifests.iter_mut().for_each(|it| without_rules(&mut it.object));
    }
    let wanted = prepare(manifests, &reached.apis, &set(app)).map_err(PlanError::Manifests)?;
    Ok((wanted, skipped, target.secrets))
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
    part: &Part,
    tools: &Tools,
    forced: &Forced,
) -> Result<Planned, PlanError> {
    let (wanted, skipped, secrets) = wanted(reached, part, tools).await?;
    let app = &part.app;
    let set = set(app);
    let keys = wanted.iter().map(|it| it.manifest.object.key()).collect();
    let ready = awaited(app, wanted.iter().map(|it| (&it.resource, &it.manifest.object)))?;
    let pruning = pruning(app);
    let observed =
        observe(&reached.cluster, &reached.uid, &reached.apis, &set, pruning.enabled, wanted)
            .await?;
    let images = images(observed.objects.iter().filter_map(|it| it.live.as_ref()));
    let live = observed.objects.iter().filter_map(|it| it.live.as_ref());
    let live = live.chain(observed.members.iter().map(|it| &it.1)).chain(&observed.parent.1);
    let seen = live.clone().map(|it| (it.key(), Print::of(it.metadata()))).collect();
    let applied_at = live.filter_map(written_at).max();
    let plan = plan(&observed, &pruning, forced);
    let (site, app) = (reached.site.name.clone(), app.name.clone());
    let wanted = keys;
    Ok(Planned { site, app, plan, ready, skipped, images, wanted, secrets, seen, applied_at })
}

/// Refuses what several apps of a site want: each would take it from the other, and no server would tell.
pub fn refuse_shared(planned: &mut [(Ident, Result<Planned, PlanError>)]) {
    let mut first: BTreeMap<ObjectKey, Ident> = BTreeMap::new();
    for (app, planned) in planned {
        let Ok(planned) = planned else { continue };
        planned.refuse_what(|key| first.get(key));
        for key in &planned.wanted {
            first.entry(key.clone()).or_insert_with(|| app.clone());
        }
    }
}

impl Planned {
    /// Refuses every object that another app has, by this account.
    pub fn refuse_what<'a>(&mut self, has: impl Fn(&ObjectKey) -> Option<&'a Ident>) {
        for key in &self.wanted {
            let Some(other) = has(key) else { continue };
            let why = format!("is in {other} too; keep it in one of them");
            self.plan.refusals.push(Refusal { key: key.clone(), why, drifted: None });
        }
    }
}

/// What of an app's objects on a site can be taken over from `kubectl apply` and these other managers; or whose it is that can't be.
///
/// # Errors
/// When the app can't be rendered, or the cluster not be looked at.
pub async fn adoptions(
    reached: &Reached,
    part: &Part,
    tools: &Tools,
    managers: &[String],
) -> Result<Vec<(Resource, ObjectKey, Result<Adoption, String>)>, PlanError> {
    let (wanted, ..) = wanted(reached, part, tools).await?;
    let mut found = Vec::new();
    for Wanted { manifest, resource, .. } in wanted {
        let key = manifest.object.key();
        let live = match reached.apis.of(&manifest.object) {
            Ok(_) => reached.cluster.get(&resource, key.namespace.as_deref(), &key.name).await?,
            Err(_) => None,
        };
        let Some(live) = live else { continue };
        if let Some(adoption) = adoption(&live, managers) {
            let adoption = belongs_elsewhere(&live, &set(&part.app)).map_or(Ok(adoption), Err);
            found.push((resource, key, adoption));
        }
    }
    Ok(found)
}

/// The set that an app's objects belong to.
pub(super) fn set(app: &App) -> ApplySet {
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

/// When the companion last wrote an object.
fn written_at(object: &Object) -> Option<String> {
    let text = |it: &Value, key: &str| it.get(key).and_then(Value::as_str).map(str::to_owned);
    let entries = object.items("/metadata/managedFields").iter();
    let ours = entries.filter(|it| text(it, "manager").as_deref() == Some(MANAGER));
    // RFC 3339 in UTC sorts as text.
    ours.filter_map(|it| text(it, "time")).max()
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

fn lines<T: ToString>(items: &[T]) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_two_apps_want_is_refused_in_the_second() {
        let planned = |app: &str, names: &[&str]| {
            let key = |name: &&str| Object::named("v1", "ConfigMap", Some("shop"), name).key();
            let app: Ident = app.parse().unwrap();
            let planned = Planned {
                site: "sea".parse().unwrap(),
                app: app.clone(),
                plan: Plan::default(),
                ready: Vec::new(),
                skipped: Vec::new(),
                images: BTreeSet::new(),
                wanted: names.iter().map(key).collect(),
                secrets: Vec::new(),
                seen: BTreeMap::new(),
                applied_at: None,
            };
            (app, Ok(planned))
        };
        let mut all = [planned("a", &["x", "y"]), planned("b", &["z", "y"])];
        refuse_shared(&mut all);
        let told = all.map(|it| {
            let refusals = it.1.unwrap().plan.refusals;
            refusals.iter().map(|it| format!("{} {}", it.key, it.why)).collect::<Vec<_>>()
        });
        let expected = "ConfigMap shop/y is in a too; keep it in one of them".to_owned();
        assert_eq!(told, [vec![], vec![expected]]);
    }
}
