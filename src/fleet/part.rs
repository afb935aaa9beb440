//! What is kept in step on sites: the apps, and the monitoring, which is an app too, with objects that Farol generates for itself.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use super::monitoring::{self, Ingress, Scrape, Source as ScrapeSource, Wanted as Wants, generate};
use super::object::{GroupKind, Manifest, ObjectKey, Origin};
use super::plan::defined;
use super::render::{self, Render, RenderError, Skipped, Target, Tools};
use super::spec::{self, App, Monitoring, Site};

/// What is kept in step on sites: an app, or the monitoring.
#[derive(Clone, Debug)]
pub struct Part {
    /// The app; for the monitoring one of that form.
    pub app: App,
    /// The monitoring, which has objects that are generated beside those of its release.
    pub monitoring: Option<Monitoring>,
}

impl Part {
    /// Everything that a fleet has on its sites: the monitoring, and the apps.
    pub fn all(fleet: &spec::Fleet) -> Vec<Self> {
        let monitoring = fleet.monitoring.iter().filter_map(Self::of_monitoring);
        let apps = fleet.apps.iter().map(|it| Self { app: it.clone(), monitoring: None });
        monitoring.chain(apps).collect()
    }

    fn of_monitoring(monitoring: &Monitoring) -> Option<Self> {
        let source = match monitoring.release.clone() {
            Some(mut release) => {
                release.release.get_or_insert_with(|| "monitoring".to_owned());
                spec::Source::Helm(release)
            }
            // Nothing is rendered then.
            None => spec::Source::Manifests(PathBuf::new()),
        };
        let app = App {
            name: spec::MONITORING.parse().ok()?,
            namespace: monitoring.namespace.clone(),
            source,
            overrides: BTreeMap::new(),
            sites: None,
            autoscale: Vec::new(),
            ready: Vec::new(),
            gate: None,
            prune: spec::Prune::default(),
            values_from: Vec::new(),
        };
        Some(Self { app, monitoring: Some(monitoring.clone()) })
    }

    /// What it renders to for a site, and what of it is left out.
    pub(super) async fn render(
        &self,
        site: &Site,
        target: &Target,
        tools: &Tools,
    ) -> Result<(Vec<Manifest>, Vec<Skipped>), RenderError> {
        let Some(monitoring) = &self.monitoring else {
            let rendered = source(&self.app).render(target, tools).await?;
            return Ok((rendered.manifests, rendered.skipped));
        };
        let rendered = match monitoring.release {
            Some(_) => source(&self.app).render(target, tools).await?,
            None => render::Rendered::default(),
        };
        let (mut manifests, mut skipped) = (rendered.manifests, rendered.skipped);
        let served = target.apis.iter().cloned().chain(defined(&manifests)).collect();
        let generated = generate(&generated(monitoring, site), &served);
        let origin = Origin { from: Arc::new(PathBuf::from("monitoring")), line: None };
        let manifest = |object| Manifest { object, origin: origin.clone() };
        manifests.extend(generated.objects.into_iter().map(manifest));
        skipped.extend(generated.missing.into_iter().map(|it| {
            let (group, kind) = it.kind.rsplit_once('/').unwrap_or(("", &it.kind));
            let group = group.split('/').next().unwrap_or_default();
            let kind = GroupKind::new(group, kind);
            let key = ObjectKey { kind, namespace: None, name: "farol".to_owned() };
            Skipped { key, origin: origin.clone(), why: it.why }
        }));
        Ok((manifests, skipped))
    }
}

/// What is generated for a site's monitoring.
fn generated(monitoring: &Monitoring, site: &Site) -> Wants {
    let source = |at: &spec::Metrics| match at.clone() {
        spec::Metrics::Addresses(addresses) => ScrapeSource::Addresses(addresses),
        spec::Metrics::Service(spec::Labelled { namespace, labels, port }) => {
            ScrapeSource::Service { namespace, labels, port }
        }
        spec::Metrics::Pods(spec::Labelled { namespace, labels, port }) => {
            ScrapeSource::Pods { namespace, labels, port }
        }
    };
    let secret =
        |it: &spec::Token| monitoring::Secret { name: it.name.clone(), key: it.key.clone() };
    let farol = monitoring.scrape.as_ref().map(|it| Scrape {
        source: source(&it.at),
        https: it.https,
        token: it.token.as_ref().map(secret),
    });
    let exposed = site.endpoint.as_ref().and_then(|it| match &it.from.object {
        spec::Exposed::Service(service) => Some((service, it.from.port)),
        _ => None,
    });
    let ingress = monitoring.probe.as_ref().zip(exposed).map(|(probe, (service, port))| Ingress {
        prober: probe.prober.clone(),
        module: probe.module.clone(),
        url: format!("http://{}.{}.svc:{port}/", service.name, service.namespace),
        host: probe.host.clone(),
    });
    Wants {
        site: site.name.to_string(),
        namespace: monitoring.namespace.clone(),
        labels: monitoring.labels.clone(),
        farol,
        ingress,
        alerts: monitoring.alerts,
    }
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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn monitoring(keys: &str) -> (Site, Part) {
        let text = format!(
            "sites:\n- name: sea\n  cluster: {{ kubeconfig: a }}\nmonitoring: {{ {keys} }}\n"
        );
        let described = spec::Description::parse(Path::new("fleet.yaml"), &text).unwrap();
        let spec::Description::Whole(spec::Described { fleet, .. }) = described else { panic!() };
        (fleet.sites[0].clone(), Part::all(&fleet).remove(0))
    }

    #[test]
    fn metrics_are_read_wherever_they_are() {
        for (at, kind) in [
            ("addresses: ['ns1.example:8053']", "ScrapeConfig"),
            (
                "service: { namespace: farol, labels: { app: farol }, port: metrics }",
                "ServiceMonitor",
            ),
            ("pods: { namespace: farol, labels: { app: farol }, port: metrics }", "PodMonitor"),
        ] {
            let (site, part) = monitoring(&format!("alerts: false, scrape: {{ {at} }}"));
            let served = ["v1alpha1/ScrapeConfig", "v1/ServiceMonitor", "v1/PodMonitor"];
            let served = served.iter().map(|it| format!("monitoring.coreos.com/{it}")).collect();
            let made = generate(&generated(part.monitoring.as_ref().unwrap(), &site), &served);
            assert_eq!(made.objects[0].kind(), kind);
        }
    }

    #[test]
    fn the_release_of_the_monitoring_has_a_name_of_its_own() {
        let release = |keys: &str| {
            let keys = format!("release: {{ chart: 'oci://a/b', version: 1.2.3{keys} }}");
            match source(&monitoring(&keys).1.app) {
                render::Source::Helm(chart) => chart.release,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!((release(""), release(", release: own")), ("monitoring".into(), "own".into()));
    }
}
