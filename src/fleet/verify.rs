//! Proof that a site works, beyond its being as it is wanted: everything in its apps is ready, agents run on every node that they should
//! run on, the monitoring is the same as elsewhere, and samples really arrive.

use futures_util::{StreamExt, stream};
use serde::{Deserialize, Serialize};

use super::apply::{Readiness, readiness};
use super::cluster::{AT_ONCE, ClusterError, Resource};
use super::monitoring::{
    Coverage, FAROL, INTERVAL, Samples, age_of, daemon_set_covers, fingerprint, judge, verify,
};
use super::object::{Object, ObjectKey};
use super::observe::members;
use super::part::Part;
use super::report::{ObjectName, Trouble};
use super::site::{PlanError, Planned, Reached, nodes, set};
use super::spec;
use crate::model::Ident;
use crate::traffic::{AskError, Prometheus};

/// What was found on all sites.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FleetProof {
    /// By site.
    pub sites: Vec<SiteProof>,
    /// Whether the monitoring that is installed is the same on all sites that could be looked at.
    pub same_monitoring: bool,
}

/// What was found on a site.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SiteProof {
    /// The site's name.
    pub site: String,
    /// Why its cluster can't be worked with.
    pub error: Option<Trouble>,
    /// What isn't ready, by app, with what is waited for.
    pub waiting: Vec<Waiting>,
    /// What the fleet's apps have installed in the monitoring's namespace, in short; none where there is no monitoring.
    pub fingerprint: Option<String>,
    /// Whether samples of Farol's metrics arrive; none where no Prometheus is named.
    pub samples: Option<SamplesReport>,
}

/// Something that isn't ready.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// The app.
    pub app: String,
    /// The object; none where the app as a whole can't be told.
    pub object: Option<ObjectName>,
    /// What is waited for, or why it can't be told.
    pub why: String,
}

/// What a site's Prometheus has of Farol's metrics.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SamplesReport {
    /// Whether they are fresh.
    pub fresh: bool,
    /// How old the last one is, in seconds.
    pub age: Option<f64>,
    /// Why there are none.
    pub why: Option<String>,
}

impl FleetProof {
    /// All sites, compared.
    pub fn of(sites: Vec<SiteProof>) -> Self {
        let mut fingerprints = sites.iter().filter_map(|it| it.fingerprint.as_ref());
        let first = fingerprints.next();
        let same_monitoring = fingerprints.all(|it| Some(it) == first);
        Self { sites, same_monitoring }
    }

    /// Whether everything is proven.
    pub fn holds(&self) -> bool {
        self.same_monitoring && self.sites.iter().all(SiteProof::holds)
    }
}

impl SiteProof {
    /// A site whose cluster can't be worked with.
    pub fn troubled(site: &Ident, error: &ClusterError) -> Self {
        Self { site: site.to_string(), error: Some(error.into()), ..Self::default() }
    }

    /// Whether everything is proven.
    pub fn holds(&self) -> bool {
        self.error.is_none()
            && self.waiting.is_empty()
            && self.samples.as_ref().is_none_or(|it| it.fresh)
    }
}

impl From<Samples> for SamplesReport {
    fn from(samples: Samples) -> Self {
        let aged = |fresh, age: std::time::Duration| Self {
            fresh,
            age: Some(age.as_secs_f64()),
            why: None,
        };
        let absent = |why: String| Self { fresh: false, age: None, why: Some(why) };
        match samples {
            Samples::Fresh { age } => aged(true, age),
            Samples::Stale { age } => aged(false, age),
            Samples::Absent => absent("no sample in the last hour".to_owned()),
            Samples::Unreachable(why) => absent(why),
        }
    }
}

/// Looks for proof on a site, for each of these apps as it was planned there.
pub async fn prove(
    reached: &Reached,
    planned: &[(Ident, Result<Planned, PlanError>)],
    parts: &[Part],
) -> SiteProof {
    let mut proof = SiteProof { site: reached.site.name.to_string(), ..SiteProof::default() };
    for (app, planned) in planned {
        let waiting = match planned {
            Err(error) => vec![(None, error.to_string())],
            Ok(planned) => not_ready(reached, &planned.ready).await,
        };
        let waiting = waiting.into_iter().map(|(key, why)| Waiting {
            app: app.to_string(),
            object: key.as_ref().map(ObjectName::from),
            why,
        });
        proof.waiting.extend(waiting);
    }
    let monitoring = parts.iter().find_map(|it| it.monitoring.as_ref());
    let mut installed = Vec::new();
    for part in parts.iter().filter(|it| it.app.runs_on(&reached.site.name)) {
        let mut say = |key: Option<&ObjectKey>, why: String| {
            let (app, object) = (part.app.name.to_string(), key.map(ObjectName::from));
            proof.waiting.push(Waiting { app, object, why });
        };
        match members(&reached.cluster, &reached.apis, &set(&part.app)).await {
            Ok(members) => {
                let objects: Vec<Object> = members.into_iter().map(|it| it.1).collect();
                let short = agents(reached, &objects).await;
                short.into_iter().for_each(|(key, why)| say(Some(&key), why));
                if monitoring.is_some_and(|it| it.namespace == part.app.namespace) {
                    installed.extend(objects);
                }
            }
            Err(error) => say(None, format!("the cluster {error}")),
        }
    }
    let Some(monitoring) = monitoring else { return proof };
    proof.fingerprint = Some(fingerprint(&installed));
    if let Some(prometheus) = &monitoring.prometheus {
        proof.samples = Some(samples(reached, prometheus).await.into());
    }
    proof
}

async fn not_ready(
    reached: &Reached,
    wanted: &[(Resource, ObjectKey)],
) -> Vec<(Option<ObjectKey>, String)> {
    let ask = async |(resource, key): &(Resource, ObjectKey)| {
        let found = reached.cluster.get(resource, key.namespace.as_deref(), &key.name).await;
        let why = match found.as_ref().map(|it| it.as_ref().map(readiness)) {
            Ok(Some(Readiness::Ready)) => return None,
            Ok(Some(Readiness::Waiting(why) | Readiness::Failed(why))) => why,
            Ok(None) => "is not there".to_owned(),
            Err(error) => format!("the cluster {error}"),
        };
        Some((Some(key.clone()), why))
    };
    let asked = stream::iter(wanted).map(ask).buffered(AT_ONCE);
    asked.filter_map(async |it| it).collect().await
}

/// The agents that don't run on every node that they should run on.
async fn agents(reached: &Reached, objects: &[Object]) -> Vec<(ObjectKey, String)> {
    let sets: Vec<&Object> = objects.iter().filter(|it| it.kind() == "DaemonSet").collect();
    if sets.is_empty() {
        return Vec::new();
    }
    let nodes = match nodes(reached).await {
        Ok(nodes) => nodes,
        Err(error) => {
            return vec![(sets[0].key(), format!("its nodes can't be seen: the cluster {error}"))];
        }
    };
    let short = |it: &&Object| match daemon_set_covers(it, &nodes) {
        Coverage::Covers { .. } => None,
        Coverage::Unobserved => {
            Some((it.key(), "its controller has not seen the newest state yet".to_owned()))
        }
        Coverage::Short { nodes, ready, updated } => Some((
            it.key(),
            format!(
                "{nodes} nodes match, {ready} have a ready pod, {updated} one of the newest state"
            ),
        )),
    };
    sets.iter().filter_map(short).collect()
}

async fn samples(reached: &Reached, prometheus: &spec::Prometheus) -> Samples {
    match prometheus {
        spec::Prometheus::Url(url) => {
            verify(&Prometheus::new(), url.as_str(), FAROL, INTERVAL).await
        }
        spec::Prometheus::Service(port) => {
            let spec::ServicePort { service, port } = port;
            let (name, query) = (format!("{}:{port}", service.name), age_of(FAROL));
            let pairs = [("query", query.as_str())];
            let answer =
                reached.cluster.proxied(&service.namespace, &name, "api/v1/query", &pairs).await;
            let value = match answer {
                Ok(json) => Prometheus::value(200, json.to_string().as_bytes()),
                Err(error) => Err(AskError::Unanswered(format!("the cluster {error}"))),
            };
            judge(value, INTERVAL)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_needs_every_site_and_the_same_monitoring() {
        let site = |fingerprint: &str| SiteProof {
            fingerprint: Some(fingerprint.to_owned()),
            ..SiteProof::default()
        };
        assert!(FleetProof::of(vec![site("a"), site("a"), SiteProof::default()]).holds());
        assert!(!FleetProof::of(vec![site("a"), site("b")]).holds());
        let stale = SamplesReport { fresh: false, age: Some(99.0), why: None };
        let stale = SiteProof { samples: Some(stale), ..SiteProof::default() };
        assert!(!FleetProof::of(vec![stale]).holds());
    }
}
