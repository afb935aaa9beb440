//! Autoscalers for workloads, in the newest version that the cluster serves.

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::{Value, json};

use super::overrides::{OverrideError, workloads};
use crate::fleet::object::{Manifest, Object, Origin};

/// The versions that are written, the newest first.
pub(super) const KNOWN: [&str; 3] = ["autoscaling/v2", "autoscaling/v2beta2", "autoscaling/v1"];

/// How a workload follows its load.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Autoscale {
    /// A Deployment or a StatefulSet, by name or as `Kind/name`.
    pub target: String,
    /// The share of the CPU that its containers request, in per cent, which it is kept at.
    pub cpu: u32,
    /// The fewest replicas.
    pub min: u32,
    /// The most replicas.
    pub max: u32,
}

/// Makes a HorizontalPodAutoscaler for each, called like its workload and beside it, in the newest version among those that
/// are served (`autoscaling/v2`, `autoscaling/v2beta2` or `autoscaling/v1`).
///
/// # Errors
/// All workloads that aren't there or are scaled by an autoscaler of the app's; and when no known version is served.
pub fn autoscalers(
    wanted: &[Autoscale],
    objects: &[Manifest],
    served: &[String],
) -> Result<Vec<Manifest>, Vec<OverrideError>> {
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let Some(version) = KNOWN.into_iter().find(|it| served.iter().any(|served| served == it))
    else {
        return Err(vec![OverrideError::NotServed]);
    };
    let origin = Origin { from: Arc::new(PathBuf::from("autoscale")), line: None };
    let (mut made, mut errors) = (Vec::new(), Vec::new());
    for autoscale in wanted {
        match workloads(objects, &autoscale.target) {
            Err(error) => errors.push(error),
            Ok(targets) => {
                for it in targets {
                    match autoscaler(autoscale, &it.object, objects, version) {
                        Ok(object) => made.push(Manifest { object, origin: origin.clone() }),
                        Err(error) => errors.push(error),
                    }
                }
            }
        }
    }
    if errors.is_empty() { Ok(made) } else { Err(errors) }
}

fn autoscaler(
    autoscale: &Autoscale,
    target: &Object,
    objects: &[Manifest],
    version: &str,
) -> Result<Object, OverrideError> {
    let name = format!("{}/{}", target.kind(), target.name());
    let own = objects.iter().map(|it| &it.object).find(|it| scales(it, target));
    if let Some(own) = own {
        return Err(OverrideError::ScaledAlready { target: name, by: own.name().to_owned() });
    }
    let mut json = json!({
        "apiVersion": version,
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": target.name()},
        "spec": {
            "scaleTargetRef": {
                "apiVersion": target.api_version(), "kind": target.kind(), "name": target.name(),
            },
            "minReplicas": autoscale.min,
            "maxReplicas": autoscale.max,
        },
    });
    if let Some(spec) = json.get_mut("spec").and_then(Value::as_object_mut) {
        let cpu = autoscale.cpu;
        if version == "autoscaling/v1" {
            spec.insert("targetCPUUtilizationPercentage".to_owned(), cpu.into());
        } else {
            let target = json!({"type": "Utilization", "averageUtilization": cpu});
            let metric = json!({"type": "Resource", "resource": {"name": "cpu", "target": target}});
            spec.insert("metrics".to_owned(), json!([metric]));
        }
    }
    // What was made above has all that an object has.
    let mut object =
        Object::new(json).map_err(|_| OverrideError::Unknown { name, known: Vec::new() })?;
    if let Some(namespace) = target.namespace() {
        object.set_namespace(namespace);
    }
    Ok(object)
}

/// Whether an object is an autoscaler of a workload.
fn scales(object: &Object, target: &Object) -> bool {
    let of = |field: &str| object.at("/spec/scaleTargetRef").and_then(|it| it.get(field)?.as_str());
    object.group() == "autoscaling"
        && object.kind() == "HorizontalPodAutoscaler"
        && object.namespace() == target.namespace()
        && of("kind") == Some(target.kind())
        && of("name") == Some(target.name())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(json: Value) -> Manifest {
        let origin = Origin { from: Arc::new("a.yaml".into()), line: Some(1) };
        Manifest { object: Object::new(json).unwrap(), origin }
    }

    fn web() -> Manifest {
        manifest(json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "shop"},
        }))
    }

    fn wanted(target: &str) -> [Autoscale; 1] {
        [Autoscale { target: target.to_owned(), cpu: 80, min: 1, max: 10 }]
    }

    fn made(served: &[&str]) -> Result<Value, Vec<OverrideError>> {
        let served: Vec<String> = served.iter().map(|it| (*it).to_owned()).collect();
        let mut made = autoscalers(&wanted("Deployment/web"), &[web()], &served)?;
        assert_eq!(made.len(), 1);
        Ok(made.remove(0).object.into_json())
    }

    #[test]
    fn the_newest_served_version_is_written_in_its_own_shape() {
        let reference = json!({"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"});
        let metrics = json!([{"type": "Resource", "resource": {"name": "cpu",
            "target": {"type": "Utilization", "averageUtilization": 80}}}]);
        for (served, version) in [
            (&["apps/v1", "autoscaling/v1", "autoscaling/v2"][..], "autoscaling/v2"),
            (
                &["autoscaling/v1", "autoscaling/v2beta1", "autoscaling/v2beta2"],
                "autoscaling/v2beta2",
            ),
        ] {
            assert_eq!(
                made(served).unwrap(),
                json!({
                    "apiVersion": version, "kind": "HorizontalPodAutoscaler",
                    "metadata": {"name": "web", "namespace": "shop"},
                    "spec": {"scaleTargetRef": reference, "minReplicas": 1, "maxReplicas": 10, "metrics": metrics},
                })
            );
        }
        assert_eq!(
            made(&["autoscaling/v1", "autoscaling/v2beta1"]).unwrap()["spec"],
            json!({"scaleTargetRef": reference, "minReplicas": 1, "maxReplicas": 10, "targetCPUUtilizationPercentage": 80})
        );
    }

    #[test]
    fn what_cannot_be_scaled_is_told() {
        let told = |errors: Vec<OverrideError>| errors[0].to_string();
        assert_eq!(
            told(made(&["autoscaling/v2beta1"]).unwrap_err()),
            "the cluster serves no HorizontalPodAutoscaler of autoscaling/v2, autoscaling/v2beta2, autoscaling/v1"
        );
        let served = ["autoscaling/v2".to_owned()];
        assert_eq!(
            told(autoscalers(&wanted("api"), &[web()], &served).unwrap_err()),
            "the app has no Deployment or StatefulSet \"api\"; it has Deployment/web"
        );
        let own = manifest(json!({
            "apiVersion": "autoscaling/v1", "kind": "HorizontalPodAutoscaler",
            "metadata": {"name": "own", "namespace": "shop"},
            "spec": {"scaleTargetRef": {"kind": "Deployment", "name": "web"}},
        }));
        assert_eq!(
            told(autoscalers(&wanted("web"), &[web(), own], &served).unwrap_err()),
            "Deployment/web is scaled by the app's own HorizontalPodAutoscaler \"own\" already; remove one of them"
        );
    }

    #[test]
    fn nothing_wanted_needs_nothing_served() {
        assert_eq!(autoscalers(&[], &[], &[]), Ok(Vec::new()));
    }
}
