//! What a site's monitoring needs to know of Farol: where its metrics are, whether the site's ingress answers, when to alert, and
//! what to show. All in the resources of the Prometheus operator and Grafana's sidecar, where a cluster has them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::samples::INTERVAL;
use crate::fleet::object::Object;

const RULES: &str = include_str!("../../../deploy/prometheus/farol.rules.yml");
const DASHBOARD: &str = include_str!("../../../deploy/grafana/farol.json");

/// The job by which the rules and the dashboard know Farol.
const JOB: &str = "farol";

/// What is wanted of a site's monitoring.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The site's name, a label of what is measured at it.
    pub site: String,
    /// Where the objects belong.
    pub namespace: String,
    /// Labels of every object, e.g. `release: kube-prometheus-stack`, which many a Prometheus chooses by.
    pub labels: BTreeMap<String, String>,
    /// How the site's Prometheus reaches Farol's metrics; none where it shouldn't.
    pub farol: Option<Scrape>,
    /// What is asked at the site's ingress; none where nothing should be.
    pub ingress: Option<Ingress>,
    /// Whether the alerts and recorded rates of `deploy/prometheus/farol.rules.yml` are wanted.
    pub alerts: bool,
}

/// How Farol's metrics are scraped.
#[derive(Clone, Debug)]
pub struct Scrape {
    /// Where they are.
    pub source: Source,
    /// Whether by HTTPS.
    pub https: bool,
    /// The token, where `admin.protect_metrics` asks for one.
    pub token: Option<Secret>,
}

/// Where Farol's metrics are.
#[derive(Clone, Debug)]
pub enum Source {
    /// Behind a Service in the cluster.
    Service {
        /// Its namespace.
        namespace: String,
        /// Labels that choose it.
        labels: BTreeMap<String, String>,
        /// The name of its port.
        port: String,
    },
    /// In pods of the cluster.
    Pods {
        /// Their namespace.
        namespace: String,
        /// Labels that choose them.
        labels: BTreeMap<String, String>,
        /// The name of their port.
        port: String,
    },
    /// Elsewhere: addresses with ports, e.g. `ns1.example:8053`.
    Addresses(Vec<String>),
}

/// A key of a Secret beside the objects.
#[derive(Clone, Debug)]
pub struct Secret {
    /// The Secret's name.
    pub name: String,
    /// The key in it.
    pub key: String,
}

/// A request that the site's Prometheus has a blackbox exporter make.
#[derive(Clone, Debug)]
pub struct Ingress {
    /// The exporter, e.g. `blackbox-exporter.monitoring:9115`.
    pub prober: String,
    /// Its module, e.g. `http_2xx`.
    pub module: String,
    /// The URL of the site's ingress by its own address, e.g. `http://203.0.113.7/`.
    pub url: String,
    /// The name that is asked for there, which DNS may answer with another site.
    pub host: Option<String>,
}

/// What was made of what is wanted.
#[derive(Clone, Debug, PartialEq)]
pub struct Generated {
    /// The objects.
    pub objects: Vec<Object>,
    /// What is wanted and can't be had in this cluster.
    pub missing: Vec<Missing>,
}

/// An object that was not made.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Missing {
    /// Its kind with group and version, e.g. `monitoring.coreos.com/v1/Probe`.
    pub kind: String,
    /// Why.
    pub why: String,
}

/// Makes the objects of a site. `served` are the kinds that its cluster serves, each as `group/version/Kind`.
pub fn generate(wanted: &Wanted, served: &BTreeSet<String>) -> Generated {
    let mut generator =
        Generator { wanted, served, generated: Generated { objects: vec![], missing: vec![] } };
    if let Some(scrape) = &wanted.farol {
        generator.scrape(scrape);
    }
    if let Some(ingress) = &wanted.ingress {
        generator.add_served(
            "v1",
            "Probe",
            "farol-ingress",
            json!({"spec": probe(wanted, ingress)}),
        );
    }
    if wanted.alerts {
        generator.alerts();
    }
    generator.dashboard();
    generator.generated
}

struct Generator<'a> {
    wanted: &'a Wanted,
    served: &'a BTreeSet<String>,
    generated: Generated,
}

impl Generator<'_> {
    fn scrape(&mut self, scrape: &Scrape) {
        match &scrape.source {
            Source::Service { namespace, labels, port } => {
                let spec = json!({
                    "namespaceSelector": {"matchNames": [namespace]},
                    "selector": {"matchLabels": labels},
                    "endpoints": [endpoint(scrape, port)],
                });
                self.add_served("v1", "ServiceMonitor", "farol", json!({"spec": spec}));
            }
            Source::Pods { namespace, labels, port } => {
                let spec = json!({
                    "namespaceSelector": {"matchNames": [namespace]},
                    "selector": {"matchLabels": labels},
                    "podMetricsEndpoints": [endpoint(scrape, port)],
                });
                self.add_served("v1", "PodMonitor", "farol", json!({"spec": spec}));
            }
            Source::Addresses(addresses) => {
                let mut spec = json!({
                    "metricsPath": "/metrics",
                    "scrapeInterval": seconds(INTERVAL),
                    "scheme": if scrape.https { "HTTPS" } else { "HTTP" },
                    "staticConfigs": [{"targets": addresses, "labels": {"job": JOB}}],
                });
                authorize(&mut spec, scrape);
                self.add_served("v1alpha1", "ScrapeConfig", "farol", json!({"spec": spec}));
            }
        }
    }

    fn alerts(&mut self) {
        match serde_saphyr::from_str::<Value>(RULES) {
            Ok(rules) => self.add_served("v1", "PrometheusRule", "farol", json!({"spec": rules})),
            Err(error) => self.lacks("v1", "PrometheusRule", &error.to_string()),
        }
    }

    /// For the sidecar that fills Grafana. Where there is none, nobody looks at it.
    fn dashboard(&mut self) {
        self.add("v1", "ConfigMap", "farol-dashboard", json!({"data": {"farol.json": DASHBOARD}}));
        if let Some(dashboard) = self.generated.objects.last_mut() {
            dashboard.set_label("grafana_dashboard", "1");
        }
    }

    /// Adds a resource of the Prometheus operator, if the cluster serves it.
    fn add_served(&mut self, version: &str, kind: &str, name: &str, content: Value) {
        let api = format!("monitoring.coreos.com/{version}");
        if self.served.contains(&format!("{api}/{kind}")) {
            self.add(&api, kind, name, content);
        } else {
            let why = "the cluster doesn't serve it; install the Prometheus operator's CRDs";
            self.lacks(version, kind, why);
        }
    }

    fn lacks(&mut self, version: &str, kind: &str, why: &str) {
        let kind = format!("monitoring.coreos.com/{version}/{kind}");
        self.generated.missing.push(Missing { kind, why: why.to_owned() });
    }

    fn add(&mut self, api_version: &str, kind: &str, name: &str, content: Value) {
        let mut labels: Map<String, Value> =
            self.wanted.labels.iter().map(|(key, it)| (key.clone(), it.as_str().into())).collect();
        labels.insert("app.kubernetes.io/name".to_owned(), "farol".into());
        labels.insert("app.kubernetes.io/managed-by".to_owned(), "farol".into());
        let metadata = json!({"name": name, "namespace": self.wanted.namespace, "labels": labels});
        let mut json = json!({"apiVersion": api_version, "kind": kind, "metadata": metadata});
        if let (Value::Object(json), Value::Object(content)) = (&mut json, content) {
            json.extend(content);
        }
        self.generated.objects.extend(Object::new(json));
    }
}

/// What ServiceMonitors and PodMonitors have in common.
fn endpoint(scrape: &Scrape, port: &str) -> Value {
    let mut endpoint = json!({
        "port": port,
        "path": "/metrics",
        "interval": seconds(INTERVAL),
        "scheme": if scrape.https { "https" } else { "http" },
        // Else the job would be called after the Service or the PodMonitor.
        "relabelings": [{"action": "replace", "targetLabel": "job", "replacement": JOB}],
    });
    authorize(&mut endpoint, scrape);
    endpoint
}

fn authorize(scraped: &mut Value, scrape: &Scrape) {
    if let Some(Secret { name, key }) = &scrape.token {
        scraped["authorization"] = json!({"credentials": {"name": name, "key": key}});
    }
}

fn probe(wanted: &Wanted, ingress: &Ingress) -> Value {
    let mut asked = json!({"static": [ingress.url], "labels": {"site": wanted.site}});
    if let Some(host) = &ingress.host {
        // The exporter's parameter `hostname` by a label, which every version of the operator knows how to set.
        let hostname =
            json!({"action": "replace", "targetLabel": "__param_hostname", "replacement": host});
        asked["relabelingConfigs"] = json!([hostname]);
    }
    json!({
        "jobName": "farol-ingress",
        "interval": seconds(INTERVAL),
        "module": ingress.module,
        "prober": {"url": ingress.prober, "path": "/probe"},
        "targets": {"staticConfig": asked},
    })
}

fn seconds(span: Duration) -> String {
    format!("{}s", span.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    const KINDS: [&str; 5] = [
        "v1/ServiceMonitor",
        "v1/PodMonitor",
        "v1/Probe",
        "v1/PrometheusRule",
        "v1alpha1/ScrapeConfig",
    ];

    fn served(kinds: &[&str]) -> BTreeSet<String> {
        kinds.iter().map(|it| format!("monitoring.coreos.com/{it}")).collect()
    }

    fn labels(key: &str, value: &str) -> BTreeMap<String, String> {
        BTreeMap::from([(key.to_owned(), value.to_owned())])
    }

    fn wanted(source: Source) -> Wanted {
        let token = Some(Secret { name: "farol".to_owned(), key: "token".to_owned() });
        Wanted {
            site: "seattle".to_owned(),
            namespace: "monitoring".to_owned(),
            labels: labels("release", "stack"),
            farol: Some(Scrape { source, https: false, token }),
            ingress: Some(Ingress {
                prober: "blackbox:9115".to_owned(),
                module: "http_2xx".to_owned(),
                url: "http://203.0.113.7/".to_owned(),
                host: Some("ratings.gtm.example".to_owned()),
            }),
            alerts: true,
        }
    }

    fn service() -> Source {
        let (namespace, port) = ("dns".to_owned(), "admin".to_owned());
        Source::Service { namespace, labels: labels("app", "farol"), port }
    }

    fn names(generated: &Generated) -> Vec<String> {
        generated.objects.iter().map(|it| it.key().to_string()).collect()
    }

    #[test]
    fn a_cluster_that_serves_all_gets_all() {
        let generated = generate(&wanted(service()), &served(&KINDS));
        assert_eq!(generated.missing, []);
        let expected = [
            "ServiceMonitor monitoring/farol",
            "Probe monitoring/farol-ingress",
            "PrometheusRule monitoring/farol",
            "ConfigMap monitoring/farol-dashboard",
        ];
        assert_eq!(names(&generated), expected);
        for object in &generated.objects {
            assert_eq!(object.label("release"), Some("stack"));
            assert_eq!(object.label("app.kubernetes.io/managed-by"), Some("farol"));
        }
        let [monitor, probe, rules, dashboard] = generated.objects.as_slice() else { panic!() };
        assert_eq!(
            monitor.at("/spec/endpoints/0"),
            Some(&json!({
                "port": "admin", "path": "/metrics", "interval": "30s", "scheme": "http",
                "relabelings": [{"action": "replace", "targetLabel": "job", "replacement": "farol"}],
                "authorization": {"credentials": {"name": "farol", "key": "token"}},
            }))
        );
        let asked = json!({
            "static": ["http://203.0.113.7/"], "labels": {"site": "seattle"},
            "relabelingConfigs": [{
                "action": "replace", "targetLabel": "__param_hostname", "replacement": "ratings.gtm.example",
            }],
        });
        assert_eq!(probe.at("/spec/targets/staticConfig"), Some(&asked));
        assert_eq!(rules.items("/spec/groups").len(), 2);
        assert!(rules.items("/spec/groups/1/rules").iter().any(|it| it["alert"] == "FarolDown"));
        assert_eq!(dashboard.label("grafana_dashboard"), Some("1"));
        let text = dashboard.at("/data").unwrap()["farol.json"].as_str().unwrap();
        assert_eq!(serde_json::from_str::<Value>(text).unwrap()["uid"], "farol");
    }

    #[test]
    fn metrics_are_scraped_wherever_farol_is() {
        let (namespace, port) = ("dns".to_owned(), "admin".to_owned());
        let pods = Source::Pods { namespace, labels: labels("app", "farol"), port };
        let generated = generate(&wanted(pods), &served(&KINDS));
        let monitor = &generated.objects[0];
        assert_eq!(monitor.kind(), "PodMonitor");
        assert_eq!(monitor.at("/spec/podMetricsEndpoints/0/port"), Some(&json!("admin")));
        let mut elsewhere = wanted(Source::Addresses(vec!["ns1.example:8053".to_owned()]));
        elsewhere.farol.as_mut().unwrap().https = true;
        let generated = generate(&elsewhere, &served(&KINDS));
        let config = &generated.objects[0];
        assert_eq!((config.kind(), config.version()), ("ScrapeConfig", "v1alpha1"));
        let target = json!([{"targets": ["ns1.example:8053"], "labels": {"job": "farol"}}]);
        assert_eq!(config.at("/spec/staticConfigs"), Some(&target));
        assert_eq!(config.at("/spec/scheme"), Some(&json!("HTTPS")));
    }

    #[test]
    fn what_a_cluster_does_not_serve_is_told_and_left_out() {
        let generated = generate(&wanted(service()), &BTreeSet::new());
        assert_eq!(names(&generated), ["ConfigMap monitoring/farol-dashboard"]);
        let missing: Vec<&str> = generated.missing.iter().map(|it| it.kind.as_str()).collect();
        let expected = ["ServiceMonitor", "Probe", "PrometheusRule"]
            .map(|it| format!("monitoring.coreos.com/v1/{it}"));
        assert_eq!(missing, expected);
        // Another version of the kind is another shape.
        let other = served(&["v1beta1/PrometheusRule", "v1/ServiceMonitor", "v1/Probe"]);
        assert_eq!(generate(&wanted(service()), &other).missing.len(), 1);
    }

    #[test]
    fn what_is_not_wanted_is_neither_made_nor_missing() {
        let mut wanted = wanted(service());
        (wanted.farol, wanted.ingress, wanted.alerts) = (None, None, false);
        let generated = generate(&wanted, &BTreeSet::new());
        assert_eq!((generated.objects.len(), generated.missing.len()), (1, 0));
    }
}
