//! Whole descriptions: a text goes in, and what it means or what is complained about comes out.

mod crds;
mod reference;
mod refused;

use std::path::Path;

use super::*;
use crate::settings::Problems;

const EXAMPLE: &str = include_str!("fleet.yaml");

/// What the rows of tests change or add to.
const BASE: &str = "\
sites:
- name: seattle
  cluster: { in_cluster: true }
- name: orlando
  cluster: { kubeconfig: o }
";

fn whole(description: Description) -> Fleet {
    match description {
        Description::Whole(described) => described.fleet,
        Description::InCluster(base) => panic!("{base:?}"),
    }
}

fn parse(text: &str) -> Result<Fleet, Problems> {
    Description::parse(Path::new("conf/fleet.yaml"), text).map(whole)
}

#[track_caller]
fn good(text: &str) -> Fleet {
    parse(text).unwrap_or_else(|problems| panic!("{problems}"))
}

fn ident(text: &str) -> Ident {
    text.parse().unwrap()
}

#[test]
fn the_example_says_what_it_says() {
    let fleet = good(EXAMPLE);
    let [seattle, orlando] = fleet.sites.as_slice() else { panic!("{:?}", fleet.sites) };
    let kubeconfig = seattle.cluster.way.kubeconfig.as_ref().unwrap();
    assert_eq!(kubeconfig.path, Path::new("/etc/farol/seattle.kubeconfig"));
    assert_eq!(seattle.cluster.pools.get("workers"), Some(&3));
    let Some(Provider::Capi(capi)) = &seattle.cluster.provider else { panic!("{seattle:?}") };
    let management = capi.management.kubeconfig.as_ref().unwrap();
    assert_eq!(management.path, Path::new("conf/management.kubeconfig"));
    let kubeconfig = orlando.cluster.way.kubeconfig.as_ref().unwrap();
    assert_eq!(kubeconfig.path, Path::new("conf/orlando.kubeconfig"));
    assert_eq!(kubeconfig.context.as_deref(), Some("admin"));
    let from = &orlando.endpoint.as_ref().unwrap().from;
    let gateway = Reference { namespace: "infra".into(), name: "public".into() };
    assert_eq!((&from.object, from.port), (&Exposed::Gateway(gateway), 443));

    let behind = |it: &Site| it.endpoint.as_ref().and_then(|it| it.workload.clone()).unwrap();
    let service = Reference { namespace: "ratings".into(), name: "web".into() };
    assert_eq!(behind(seattle), Backing { service: service.clone(), required: true });
    assert_eq!(behind(orlando), Backing { service, required: false });

    let monitoring = fleet.monitoring.as_ref().unwrap();
    let release = monitoring.release.as_ref().unwrap();
    assert_eq!((&*release.chart, release.is_path()), ("kube-prometheus-stack", false));
    assert_eq!(monitoring.namespace, "monitoring");
    let Some(Prometheus::Service(service)) = &monitoring.prometheus else { panic!() };
    assert_eq!(service.to_string(), "monitoring/prometheus:9090");

    let ratings = fleet.app(&ident("ratings")).unwrap();
    assert_eq!(ratings.source, Source::Manifests("conf/deploy/ratings/".into()));
    assert_eq!(ratings.overrides[&ident("seattle")].replicas["ratings-api"], 3);
    assert_eq!(ratings.ready.last().unwrap().to_string(), "StatefulSet/ratings-mongodb");
    assert!(ratings.runs_on(&ident("seattle")) && !ratings.prune.takes("PersistentVolumeClaim"));
    let agent = fleet.app(&ident("agent")).unwrap();
    assert!(!agent.runs_on(&ident("seattle")) && agent.prune.takes("PersistentVolumeClaim"));
    assert!(agent.prune.takes("ConfigMap") && !agent.prune.takes("Namespace"));
    let Source::Helm(helm) = &agent.source else { panic!("{agent:?}") };
    assert!(helm.digest.as_ref().unwrap().hex().starts_with("0123"));
    let domain = &agent.overrides[&ident("orlando")].values["omsagent"]["domain"];
    assert!(domain.is_null());
    let [variable, secret, file] = agent.values_from.as_slice() else { panic!("{agent:?}") };
    assert_eq!(variable.from, ValuesSource::Env("WORKSPACE_ID".into()));
    assert_eq!(variable.at.as_deref(), Some("omsagent.secret.wsid"));
    assert!(matches!(&secret.from, ValuesSource::Secret(it) if it.key == "key"));
    assert_eq!(file.from, ValuesSource::File("conf/agent.yaml".into()));

    // The example writes out what holds anyway, but for these.
    let rollout = Rollout {
        waves: vec![vec![ident("seattle")], vec![ident("orlando")]],
        windows: vec!["Mon-Thu 20:00-23:00 America/New_York".parse().unwrap()],
        drain: Drain {
            quiet: Some(Quiet {
                promql: "sum(rate(nginx_ingress_controller_requests[1m]))".into(),
                max: 1.0,
            }),
            ..Drain::default()
        },
        ..Rollout::default()
    };
    assert_eq!(fleet.rollout, rollout);
    assert_eq!(fleet.drift, Drift::Report);
}

#[test]
fn most_has_a_default() {
    let fleet = good(BASE);
    assert!(fleet.sites[0].cluster.way.in_cluster && fleet.monitoring.is_none());
    assert_eq!((fleet.rollout, fleet.drift), (Rollout::default(), Drift::Report));
    let fleet = good(&format!(
        "{BASE}monitoring: {{ prometheus: 'http://prometheus:9090' }}\napps:\n- name: a\n  namespace: a\n  source: {{ helm: {{ chart: a }} }}\n\
         rollout: {{ drain: {{ timeout: 1m }} }}"
    ));
    let monitoring = fleet.monitoring.unwrap();
    assert!(monitoring.alerts && matches!(monitoring.prometheus, Some(Prometheus::Url(_))));
    let app = &fleet.apps[0];
    assert!(app.sites.is_none() && app.prune.enabled && app.prune.also.is_empty());
    assert_eq!(
        app.source,
        Source::Helm(Helm {
            chart: "conf/a".into(),
            repo: None,
            version: None,
            digest: None,
            values: Default::default(),
            release: None,
        })
    );
    let drain = Drain { timeout: Span::seconds(60), ..Drain::default() };
    assert_eq!(fleet.rollout, Rollout { drain, ..Rollout::default() });
}

#[test]
fn a_description_is_written_as_it_is_read() {
    let fleet = good(EXAMPLE);
    let written = serde_json::to_string(&fleet).unwrap();
    let again = whole(Description::parse(Path::new("conf/fleet.json"), &written).unwrap());
    // Paths were relative to the directory once.
    assert_eq!(again.rollout, fleet.rollout);
    assert_eq!(again.apps[1].values_from[0], fleet.apps[1].values_from[0]);
    assert_eq!(again.sites[0].endpoint, fleet.sites[0].endpoint);
}

#[test]
fn files_are_read_from_where_they_are() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("fleet.yml");
    std::fs::write(&file, BASE).unwrap();
    let fleet = whole(Description::read(&file).unwrap());
    let path = &fleet.sites[1].cluster.way.kubeconfig.as_ref().unwrap().path;
    assert_eq!(*path, directory.path().join("o"));
    let missing = Description::read(&directory.path().join("no.yaml")).unwrap_err().to_string();
    assert!(missing.contains("can't be read"), "{missing}");
}
