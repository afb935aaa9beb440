//! Sources of apps are rendered by the programs that people use: kubectl, Helm 3 and Helm 4.

#![allow(clippy::unwrap_used, reason = "what tests share may panic like tests")]

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::charts::{Charts, package, sha256};
use common::kubernetes::client;
use farol::fleet::object::Manifest;
use farol::fleet::render::{
    ChartSource, HelmChart, Kustomize, Render, RenderError, Rendered, Source, Target, Tools,
};
use serde_json::{Value, json};
use tempfile::TempDir;

const HELMS: [&str; 2] = ["helm3", "helm4"];

fn data(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/fleet").join(path)
}

/// The programs, with a home of their own.
fn tools(helm: &str, home: &TempDir) -> Tools {
    let path = std::env::var_os("PATH").unwrap();
    let mut tools = Tools::from_environment();
    tools.helm = client(helm);
    tools.kubectl = client("kubectl");
    tools.kustomize = "/nonexistent/kustomize".into();
    tools.environment = vec![
        ("PATH".into(), path),
        ("HOME".into(), home.path().into()),
        ("SSL_CERT_FILE".into(), home.path().join("ca.pem").into()),
    ];
    tools
}

fn target(values: Value) -> Target {
    let apis = ["apps/v1", "monitoring.coreos.com/v1/ServiceMonitor"].map(str::to_owned).to_vec();
    Target {
        site: "seattle".to_owned(),
        namespace: "shop".to_owned(),
        kubernetes: "v1.20.2".to_owned(),
        apis,
        values,
        secrets: Vec::new(),
    }
}

fn chart(chart: ChartSource) -> HelmChart {
    HelmChart { release: "ratings".to_owned(), chart, version: None, digest: None }
}

fn names(manifests: &[Manifest]) -> Vec<String> {
    manifests.iter().map(|it| it.object.key().to_string()).collect()
}

/// All that is told of an error.
fn told(rendered: Result<Rendered, RenderError>) -> String {
    let error = anyhow::Error::new(rendered.unwrap_err());
    format!("{error:#}")
}

#[tokio::test]
async fn both_helms_render_a_chart_for_the_cluster_that_it_is_for() {
    let greeting = "a\u{2028}b\u{85}c \"é\" \u{1f600}\n";
    let values = json!({"greeting": greeting, "replicas": 3, "database": {"password": "hunter22"}});
    for helm in HELMS {
        let home = TempDir::new().unwrap();
        let source = Source::Helm(chart(ChartSource::Path(data("ratings"))));
        let rendered = source.render(&target(values.clone()), &tools(helm, &home)).await.unwrap();
        assert_eq!(
            names(&rendered.manifests),
            [
                "CustomResourceDefinition scores.ratings.example",
                "Deployment shop/ratings-web",
                "ServiceMonitor ratings-web",
            ],
            "{helm}"
        );
        let web = &rendered.manifests[1];
        assert_eq!(web.origin.to_string(), "helm template ratings: ratings/templates/web.yaml");
        assert_eq!(web.object.annotation("server"), Some("v1.20.2"));
        assert_eq!(web.object.annotation("greeting"), Some(greeting));
        assert_eq!(web.object.number("/spec/replicas"), Some(3));
        let password = web.object.at("/spec/template/spec/containers/0/env/0/value");
        assert_eq!(password, Some(&json!("hunter22")));
        // The hook is told, the test isn't.
        let skipped: Vec<String> = rendered.skipped.iter().map(|it| it.key.to_string()).collect();
        assert_eq!(skipped, ["Job migrate"]);
        // Without values the chart's own count.
        let plain = source.render(&target(Value::Null), &tools(helm, &home)).await.unwrap();
        assert_eq!(plain.manifests[1].object.annotation("greeting"), Some("hello"));
    }
}

#[tokio::test]
async fn a_chart_that_fails_says_why_and_tells_no_secrets() {
    for helm in HELMS {
        let home = TempDir::new().unwrap();
        let values = json!({"broken": true, "database": {"password": "hunter22"}});
        let chart = chart(ChartSource::Path(data("ratings")));
        let told = told(chart.render(&target(values), &tools(helm, &home)).await);
        let begin = "helm template ratings failed (exit status 1): Error: execution error at (ratings/templates/web.yaml:";
        assert!(
            told.starts_with(begin) && told.contains("no database takes ***"),
            "{helm}: {told}"
        );
        assert!(!told.contains("hunter22"), "{told}");
    }
}

#[tokio::test]
async fn only_the_package_that_a_digest_is_of_is_rendered() {
    for helm in HELMS {
        let home = TempDir::new().unwrap();
        let tools = tools(helm, &home);
        let package = package(&client(helm), &data("ratings"), home.path());
        let digest = sha256(&fs::read(&package).unwrap());
        let mut chart = chart(ChartSource::Path(package.clone()));
        chart.digest = Some(digest.parse().unwrap());
        let rendered = chart.render(&target(Value::Null), &tools).await.unwrap();
        assert_eq!(rendered.manifests.len(), 3, "{helm}");

        let other = sha256(b"other");
        chart.digest = Some(other.parse().unwrap());
        let path = package.display();
        assert_eq!(
            told(chart.render(&target(Value::Null), &tools).await),
            format!(
                "the chart {path} can't be rendered: it is not the one that is wanted: its digest is {digest}, and not {other}"
            )
        );
        chart.chart = ChartSource::Path(data("ratings"));
        let told = told(chart.render(&target(Value::Null), &tools).await);
        assert!(told.contains("a directory has no digest"), "{told}");
    }
}

#[tokio::test]
async fn charts_come_from_registries_and_repositories() {
    for helm in HELMS {
        let home = TempDir::new().unwrap();
        let package = fs::read(package(&client(helm), &data("ratings"), home.path())).unwrap();
        let charts = Charts::serve("ratings", "0.1.0", package.clone());
        fs::write(home.path().join("ca.pem"), &charts.authority).unwrap();
        let tools = tools(helm, &home);
        let registry = ChartSource::Oci(format!("oci://{}/charts/ratings", charts.address));
        let url = format!("http://{}", charts.address);
        let repository = ChartSource::Repository { url, name: "ratings".to_owned() };
        let (of_package, of_manifest) = (sha256(&package), charts.manifest.clone());
        let fetched = [
            (&registry, None),
            (&registry, Some(&of_package)),
            (&registry, Some(&of_manifest)),
            (&repository, None),
            (&repository, Some(&of_package)),
        ];
        let mut asked = 0;
        for is_kept in [false, true] {
            for (source, digest) in fetched {
                let mut chart = chart(source.clone());
                chart.version = Some("0.1.0".to_owned());
                chart.digest = digest.map(|it| it.parse().unwrap());
                match chart.render(&target(Value::Null), &tools).await {
                    Ok(rendered) => assert_eq!(rendered.manifests.len(), 3),
                    Err(error) => {
                        panic!("{helm}: {source} {digest:?}: {:#}", anyhow::Error::new(error))
                    }
                }
                let before = std::mem::replace(&mut asked, charts.asked());
                assert_eq!(
                    asked == before,
                    is_kept,
                    "{helm}: {source} {digest:?}: {asked} requests"
                );
            }
        }
        for source in [registry, repository] {
            let mut chart = chart(source);
            chart.version = Some("0.1.0".to_owned());
            chart.digest = Some(sha256(b"other").parse().unwrap());
            let told = told(chart.render(&target(Value::Null), &tools).await);
            assert!(told.contains("it is not the one that is wanted: its digest is "), "{told}");
            chart.digest = None;
            chart.version = Some("9.9.9".to_owned());
            let rendered = chart.render(&target(Value::Null), &tools).await;
            let Err(RenderError::Pull(error)) = rendered else { panic!("{helm}: {rendered:?}") };
            assert!(matches!(*error, RenderError::Program(_)), "{helm}: {error:?}");
        }
    }
}

#[tokio::test]
async fn a_kustomization_is_rendered_by_kubectl() {
    let home = TempDir::new().unwrap();
    let mut tools = tools("helm4", &home);
    let source = Source::Kustomize(Kustomize(data("kustomization")));
    let rendered = source.render(&target(Value::Null), &tools).await.unwrap();
    assert_eq!(names(&rendered.manifests), ["Service sea-web", "Deployment sea-web"]);
    assert_eq!(rendered.manifests[1].object.number("/spec/replicas"), Some(3));
    let origin = rendered.manifests[0].origin.to_string();
    assert_eq!(origin, format!("kubectl kustomize {}", data("kustomization").display()));

    let nothing = Kustomize(home.path().to_owned());
    let failed = told(nothing.render(&target(Value::Null), &tools).await);
    let begin =
        format!("kubectl kustomize {} failed (exit status 1): error: ", home.path().display());
    assert!(failed.starts_with(&begin), "{failed}");

    tools.kubectl = "no-kubectl-here".into();
    tools.helm = "no-helm-here".into();
    let missing = told(source.render(&target(Value::Null), &tools).await);
    for part in [
        "`PATH` has no `no-kubectl-here`",
        "FAROL_KUBECTL=",
        "no `/nonexistent/kustomize`",
        "FAROL_KUSTOMIZE=",
    ] {
        assert!(missing.contains(part), "{missing}");
    }
    let chart = chart(ChartSource::Path(data("ratings")));
    let missing = told(chart.render(&target(Value::Null), &tools).await);
    let begin = "`PATH` has no `no-helm-here`, and charts are rendered by it; install helm 3 or 4";
    assert!(missing.starts_with(begin), "{missing}");
}
