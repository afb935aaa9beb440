//! Charts of Helm's, by `helm template` of Helm 3 or 4: with the cluster's version and APIs, and without asking it.

use std::ffi::OsString;
use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::Value;

use super::mask::Mask;
use super::package::{ChartSource, Digest, Wanted};
use super::program::Run;
use super::scratch::in_memory;
use super::tools::{Tool, Tools};
use super::yaml::rendered;
use super::{Render, RenderError, Rendered, Skipped, Target};
use crate::fleet::object::{Manifest, Object, Origin};

/// The annotation of what Helm runs at an event and doesn't count among a release's objects.
const HOOK: &str = "helm.sh/hook";
/// Events at which `helm test` is run.
const TESTS: [&str; 3] = ["test", "test-success", "test-failure"];
/// The characters that a release's name may have.
const LONGEST_RELEASE: usize = 53;

/// A chart, and the release that is made of it.
///
/// **Hooks** are no objects of the release: Helm runs them at its own events (`pre-install`, `post-upgrade`…), which don't come to
/// pass when another program applies what Helm renders. Tests are left out silently; any other hook is told as skipped, so that
/// somebody switches it off in the values, or does by hand what it would have done.
///
/// **A chart that is no path** is brought to this machine first, once for all who want it within some minutes. What is rendered is a
/// package here: that needs no network.
///
/// **A digest** is of the package. With one, nothing but a copy of our own that has the digest is rendered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HelmChart {
    /// The release's name: letters of a DNS label, 53 at the most.
    pub release: String,
    /// Where the chart is.
    pub chart: ChartSource,
    /// The version that is wanted; the newest without one, where there are several.
    pub version: Option<String>,
    /// What the chart's package must be.
    pub digest: Option<Digest>,
}

impl Render for HelmChart {
    async fn render(&self, target: &Target, tools: &Tools) -> Result<Rendered, RenderError> {
        self.check()?;
        let mask = Mask::of(target);
        let doing = format!("helm template {}", self.release);
        let failed = |doing: &str, source| RenderError::Scratch { doing: doing.to_owned(), source };
        let wanted = Wanted {
            source: self.chart.clone(),
            version: self.version.clone(),
            digest: self.digest,
        };
        // It stays until Helm has read it.
        let package;
        let chart = match &self.chart {
            ChartSource::Path(path) if self.digest.is_none() => {
                std::path::absolute(path).map_err(|it| failed("find the chart", it))?
            }
            ChartSource::Path(path) => {
                package = Arc::new(wanted.copy(path).await?);
                package.path()
            }
            ChartSource::Oci(_) | ChartSource::Repository { .. } => {
                package = tools.charts.package(wanted, tools).await?;
                package.path()
            }
        };
        let input = input(&target.values).map_err(|it| failed("hand over the values", it))?;
        let arguments = self.arguments(target, chart, input.is_some());
        let run = Run { tool: Tool::Helm, arguments, input, doing: &doing, mask: &mask };
        let written = run.run(tools).await?;
        Ok(without_hooks(rendered(written.output, doing).await?))
    }
}

impl HelmChart {
    /// Helm would take what begins with a hyphen for an option.
    fn check(&self) -> Result<(), RenderError> {
        let refused = |why: String| Err(RenderError::Chart { chart: self.chart.to_string(), why });
        let fits = |it: u8| it.is_ascii_lowercase() || it.is_ascii_digit() || b"-.".contains(&it);
        let inner = self.release.trim_start_matches(['-', '.']).trim_end_matches(['-', '.']);
        if self.release.is_empty()
            || self.release.len() > LONGEST_RELEASE
            || inner != self.release
            || !self.release.bytes().all(fits)
        {
            let release = &self.release;
            return refused(format!(
                "its release can't be called {release:?}; write lower-case letters, digits, hyphens and dots, {LONGEST_RELEASE} at the most"
            ));
        }
        match &self.chart {
            ChartSource::Oci(it) if !it.starts_with("oci://") => {
                refused("a chart of a registry begins with `oci://`".to_owned())
            }
            _ => Ok(()),
        }
    }

    fn arguments(&self, target: &Target, chart: PathBuf, has_values: bool) -> Vec<OsString> {
        let mut arguments: Vec<OsString> = vec!["template".into(), "--include-crds".into()];
        let mut option = |name: &str, value: &str| {
            if !value.is_empty() {
                arguments.push(format!("--{name}={value}").into());
            }
        };
        option("namespace", &target.namespace);
        option("kube-version", &target.kubernetes);
        target.apis.iter().for_each(|it| option("api-versions", it));
        if has_values {
            option("values", "-");
        }
        arguments.extend(["--".into(), (&self.release).into(), chart.into()]);
        arguments
    }
}

/// What Helm reads as values. They may be secrets, so they stand neither on its command line nor on a disk.
fn input(values: &Value) -> std::io::Result<Option<File>> {
    if values.is_null() {
        return Ok(None);
    }
    in_memory(as_yaml(values).as_bytes()).map(Some)
}

/// JSON that Helm's YAML parser reads as it is: to that, some characters within quotes are line breaks, and others no text.
fn as_yaml(values: &Value) -> String {
    let mut text = String::new();
    for it in values.to_string().chars() {
        if matches!(
            it,
            '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}'
        ) {
            text.push_str(&format!("\\u{:04x}", u32::from(it)));
        } else {
            text.push(it);
        }
    }
    text
}

fn without_hooks(manifests: Vec<Manifest>) -> Rendered {
    let mut rendered = Rendered::default();
    for manifest in manifests {
        let Some(events) = manifest.object.annotation(HOOK).map(str::to_owned) else {
            rendered.manifests.push(manifest);
            continue;
        };
        if !events.split(',').all(|it| TESTS.contains(&it.trim())) {
            rendered.skipped.push(skipped(&manifest.object, manifest.origin, &events));
        }
    }
    rendered
}

fn skipped(object: &Object, origin: Origin, events: &str) -> Skipped {
    let why = format!(
        "is a hook of Helm's ({events}), which nobody runs here; switch it off in the chart's values, or do by hand what it does"
    );
    Skipped { key: object.key(), origin, why }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn chart() -> HelmChart {
        let chart = ChartSource::Oci("oci://registry.example/web".to_owned());
        HelmChart {
            release: "web".to_owned(),
            chart,
            version: Some("1.2.3".to_owned()),
            digest: None,
        }
    }

    #[test]
    fn the_command_line_has_the_cluster_and_no_values() {
        let target = Target {
            namespace: "shop".to_owned(),
            kubernetes: "v1.20.2".to_owned(),
            apis: vec!["apps/v1".to_owned(), "apps/v1/Deployment".to_owned()],
            values: json!({"password": "hunter22"}),
            ..Target::default()
        };
        let arguments = chart().arguments(&target, "/c".into(), true);
        assert_eq!(
            arguments,
            [
                "template",
                "--include-crds",
                "--namespace=shop",
                "--kube-version=v1.20.2",
                "--api-versions=apps/v1",
                "--api-versions=apps/v1/Deployment",
                "--values=-",
                "--",
                "web",
                "/c",
            ]
        );
        let bare = chart().arguments(&Target::default(), "/c".into(), false);
        assert_eq!(bare, ["template", "--include-crds", "--", "web", "/c"]);
    }

    #[test]
    fn a_release_that_would_be_an_option_is_refused() {
        for release in ["", "--post-renderer=x", "Web", "a b", "web-", &"a".repeat(54)] {
            let chart = HelmChart { release: release.to_owned(), ..chart() };
            assert!(chart.check().is_err(), "{release}");
        }
        assert!(HelmChart { release: "a".repeat(53), ..chart() }.check().is_ok());
        let web = HelmChart { chart: ChartSource::Oci("--x".to_owned()), ..chart() };
        assert!(web.check().is_err());
    }

    #[test]
    fn values_are_read_as_they_are() {
        let values = json!({"a": "b\u{2028}\u{85}\u{7f}é\u{1f600}\n"});
        assert_eq!(as_yaml(&values), "{\"a\":\"b\\u2028\\u0085\\u007fé\u{1f600}\\n\"}");
    }

    #[test]
    fn tests_are_left_out_and_other_hooks_are_told() {
        let object = |name: &str, hook: Option<&str>| {
            let mut json =
                json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name}});
            if let Some(hook) = hook {
                json["metadata"]["annotations"] = json!({HOOK: hook});
            }
            let origin = Origin { from: Arc::new("helm template web".into()), line: None };
            Manifest { object: Object::new(json).unwrap(), origin }
        };
        let rendered = without_hooks(vec![
            object("plain", None),
            object("test", Some("test")),
            object("tests", Some("test-success, test-failure")),
            object("migrate", Some("pre-install,pre-upgrade")),
            object("both", Some("post-install,test")),
        ]);
        let names: Vec<&str> = rendered.manifests.iter().map(|it| it.object.name()).collect();
        assert_eq!(names, ["plain"]);
        let skipped: Vec<String> = rendered.skipped.iter().map(ToString::to_string).collect();
        assert_eq!(
            skipped[0],
            "helm template web: Job migrate is a hook of Helm's (pre-install,pre-upgrade), which nobody runs here; switch it \
             off in the chart's values, or do by hand what it does"
        );
        assert_eq!(skipped.len(), 2);
    }
}
