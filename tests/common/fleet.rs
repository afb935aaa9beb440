//! A fleet with one app, `shop`, on clusters of the test.

use std::fs;
use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;

use super::cli::{Run, check, farol};
use super::daemon::Home;
use super::kubernetes::Cluster;

/// The app: a Deployment, a Service and a Secret.
pub(crate) const WEB: &str = "
apiVersion: apps/v1
kind: Deployment
metadata: { name: web }
spec:
  selector: { matchLabels: { app: web } }
  template:
    metadata: { labels: { app: web } }
    spec:
      containers:
      - { name: web, image: 'web:1', ports: [ { containerPort: 80 } ] }
---
apiVersion: v1
kind: Service
metadata: { name: web }
spec: { selector: { app: web }, ports: [ { port: 80 } ] }
---
apiVersion: v1
kind: Secret
metadata: { name: key }
stringData: { password: hunter2 }
";

/// A fleet of these clusters with one app, and what it is made of.
pub(crate) struct Fleet {
    directory: TempDir,
}

impl Fleet {
    /// Sites by name, kubeconfig and more keys of the cluster; and keys of the app.
    pub(crate) fn new(sites: &[(&str, &Path, &str)], app: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let site = |(name, kubeconfig, more): &(&str, &Path, &str)| {
            format!("- name: {name}\n  cluster: {{ kubeconfig: {}{more} }}\n", kubeconfig.display())
        };
        let sites: String = sites.iter().map(site).collect();
        let text = format!(
            "sites:\n{sites}apps:\n- name: shop\n  namespace: shop\n  source: {{ manifests: shop/ }}\n{app}"
        );
        fs::write(directory.path().join("fleet.yaml"), text).unwrap();
        fs::create_dir(directory.path().join("shop")).unwrap();
        let fleet = Self { directory };
        fleet.write("web.yaml", WEB);
        fleet
    }

    pub(crate) fn of(clusters: &[&Cluster], app: &str) -> Self {
        let kubeconfigs: Vec<_> = clusters.iter().map(|it| it.kubeconfig()).collect();
        let sites: Vec<_> = clusters
            .iter()
            .zip(&kubeconfigs)
            .map(|(it, path)| (it.name(), path.as_path(), ""))
            .collect();
        Self::new(&sites, app)
    }

    /// A daemon that watches it, before its start.
    pub(crate) fn home(&self) -> Home {
        Home::new(&format!(
            "
            [[zone]]
            name = 'gtm.example.'
            nameservers = 'ns.elsewhere.'
            [fleet]
            file = '{}'
            ",
            self.path("fleet.yaml")
        ))
    }

    pub(crate) fn write(&self, file: &str, text: &str) {
        fs::write(self.directory.path().join("shop").join(file), text).unwrap();
    }

    pub(crate) fn path(&self, file: &str) -> String {
        self.directory.path().join(file).to_str().unwrap().to_owned()
    }

    pub(crate) fn run(&self, args: &[&str]) -> Run {
        farol(&[&["fleet"], args].concat(), &[("FAROL_FLEET", &self.path("fleet.yaml"))])
    }

    #[track_caller]
    pub(crate) fn apply(&self) -> Run {
        let run = self.run(&["apply", "--yes"]);
        check(&run, 0, &["done: "]);
        run
    }

    pub(crate) fn plan(&self) -> Value {
        serde_json::from_str(&self.run(&["plan", "-o", "json"]).out).unwrap()
    }
}

/// What is at a path of an object of the app.
pub(crate) fn at(cluster: &Cluster, object: &str, path: &str) -> String {
    cluster.kubectl(&["--namespace=shop", "get", object, &format!("--output=jsonpath={{{path}}}")])
}
