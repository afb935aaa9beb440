//! An object that is wanted, and who says how many replicas it has.

use std::borrow::Cow;

use serde_json::Value;

use crate::fleet::cluster::Resource;
use crate::fleet::object::{Manifest, Object, ObjectKey};

/// Where an object has its number of replicas.
pub(super) const REPLICAS: [&str; 2] = ["spec", "replicas"];

/// An object that can be applied.
#[derive(Clone, Debug, PartialEq)]
pub struct Wanted {
    /// What is wanted, and where that was written.
    pub manifest: Manifest,
    /// How the cluster serves its kind.
    pub resource: Resource,
    /// Whether an autoscaler says how many replicas it has.
    pub scaled: bool,
    /// The replicas that the source has all the same, where the autoscaler is none of the set.
    pub described_replicas: Option<Value>,
}

impl Wanted {
    /// What the source has, whoever says how many replicas there are.
    pub fn described(&self) -> Cow<'_, Object> {
        let object = &self.manifest.object;
        let Some(replicas) = &self.described_replicas else { return Cow::Borrowed(object) };
        let mut described = object.clone();
        described.set(&REPLICAS, replicas.clone());
        Cow::Owned(described)
    }

    /// Leaves the replicas to an autoscaler that is none of the set.
    pub fn leave_replicas(&mut self) {
        self.described_replicas = self.manifest.object.remove(&REPLICAS);
        self.scaled = true;
    }

    /// Has the replicas as the source has them: what isn't there yet has to begin with some.
    pub fn begin_with_replicas(&mut self) {
        if let Some(replicas) = self.described_replicas.take() {
            self.manifest.object.set(&REPLICAS, replicas);
            self.scaled = false;
        }
    }
}

/// What an autoscaler scales, which lies in this namespace unless it says otherwise; none where it is no autoscaler.
pub fn scaled_by(scaler: &Object, namespace: &str) -> Option<ObjectKey> {
    if scaler.kind() != "HorizontalPodAutoscaler" {
        return None;
    }
    let text = |key: &str| scaler.at("/spec/scaleTargetRef")?.get(key)?.as_str();
    let (api_version, kind, name) =
        (text("apiVersion").unwrap_or("apps/v1"), text("kind")?, text("name")?);
    let namespace = scaler.namespace().unwrap_or(namespace);
    Some(Object::named(api_version, kind, Some(namespace), name).key())
}
