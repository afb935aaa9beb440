//! The description as custom resources of the group `farol.dev`: what a file has under a name is an object of that name. A
//! server holds them to the schemas of the same types; what an old one doesn't know of these (CEL) Farol checks itself.
#![allow(clippy::duplicated_attributes, reason = "printed columns have the same keys each")]

use std::borrow::Cow;

use kube::{CustomResource, ResourceExt};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::text::Span;
use super::{App, Base, Described, schema};
use crate::model::{Ident, Name};
use crate::settings::{Document, Problems};

/// What a site is, apart from its name: see [`super::Site`]. It is read with all others by [`Base::with`], so that one that is
/// wrong doesn't keep the others from being seen.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "farol.dev",
    version = "v1alpha1",
    kind = "Site",
    namespaced,
    doc = "A site of the fleet: one Kubernetes cluster, and the endpoint that stands for it in a profile.",
    status = "Status",
    category = "farol",
    printcolumn(name = "Endpoint", type_ = "string", json_path = ".spec.endpoint.name"),
    printcolumn(name = "Version", type_ = "string", json_path = ".spec.cluster.version"),
    printcolumn(
        name = "Accepted",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Accepted\")].status"
    ),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status"
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
pub struct SiteSpec {
    /// The keys as they are written.
    #[serde(flatten)]
    pub written: Map<String, Value>,
}

/// What an application is, apart from its name: see [`App`].
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "farol.dev",
    version = "v1alpha1",
    kind = "FleetApp",
    namespaced,
    doc = "An application that is the same on every site that it runs on, but for what is overridden there.",
    status = "Status",
    category = "farol",
    printcolumn(name = "Namespace", type_ = "string", json_path = ".spec.namespace"),
    printcolumn(
        name = "Accepted",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Accepted\")].status"
    ),
    printcolumn(
        name = "Synced",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Synced\")].status"
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
pub struct FleetAppSpec {
    /// The keys as they are written.
    #[serde(flatten)]
    pub written: Map<String, Value>,
}

/// How changes go from site to site: see [`super::Rollout`].
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "farol.dev",
    version = "v1alpha1",
    kind = "Rollout",
    namespaced,
    doc = "How changes go from site to site, and when they must not. There is one of them.",
    status = "Status",
    category = "farol",
    printcolumn(name = "On failure", type_ = "string", json_path = ".spec.on_failure"),
    printcolumn(
        name = "Accepted",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Accepted\")].status"
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
pub struct RolloutSpec {
    /// The keys as they are written.
    #[serde(flatten)]
    pub written: Map<String, Value>,
}

/// Traffic leaves a site for as long as this exists, until it expires.
#[derive(CustomResource, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "farol.dev",
    version = "v1alpha1",
    kind = "SiteDrain",
    namespaced,
    doc = "Traffic leaves a site for as long as this exists, until it expires.",
    status = "Status",
    category = "farol",
    printcolumn(name = "Site", type_ = "string", json_path = ".spec.site"),
    printcolumn(
        name = "Drained",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Drained\")].status"
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[schemars(transform = schema::for_servers)]
pub struct SiteDrainSpec {
    /// The site.
    #[schemars(extend("x-kubernetes-validations" = [{
        "rule": "self == oldSelf", "message": "site can't be changed; write another SiteDrain",
    }]))]
    pub site: Ident,
    /// Why, for those who ask.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub reason: Option<String>,
    /// After what time the site gets its traffic back, though this still exists.
    #[serde(default = "hour")]
    pub expires_after: Span,
}

/// How one name is answered, as the keys of `[[profile]]` in the daemon's configuration say.
#[derive(CustomResource, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "farol.dev",
    version = "v1alpha1",
    kind = "TrafficProfile",
    namespaced,
    doc = "How one name is answered, as the keys of `[[profile]]` in the daemon's configuration say.",
    status = "Status",
    category = "farol",
    printcolumn(name = "Name", type_ = "string", json_path = ".spec.name"),
    printcolumn(name = "Method", type_ = "string", json_path = ".spec.method"),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status"
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[schemars(transform = schema::for_servers)]
pub struct TrafficProfileSpec {
    /// The name, in one of the daemon's zones.
    pub name: Name,
    /// How one of several endpoints is chosen.
    pub method: Method,
    /// Seconds that resolvers may keep an answer.
    #[serde(default = "ttl")]
    #[schemars(range(max = 2_147_483_647))]
    pub ttl: u32,
    /// How the endpoints are probed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub monitor: Option<Monitor>,
    /// The places that traffic can go.
    #[schemars(length(min = 1, max = 1000))]
    pub endpoints: Vec<TrafficEndpoint>,
}

/// How one of several endpoints is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// The first that is healthy.
    Priority,
    /// Shares by weight.
    Weighted,
    /// The nearest to the client.
    Performance,
    /// By the client's region.
    Geographic,
    /// By the client's network.
    Subnet,
    /// Several at once.
    Multivalue,
}

/// One place that traffic can go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TrafficEndpoint {
    /// Its name, unique in the profile.
    pub name: Ident,
    /// The site that it is part of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub site: Option<Ident>,
    /// The addresses that are answered; by default those that the site's cluster tells.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(min = 2, max = 253)))]
    pub target: Vec<String>,
    /// Its share among its equals; 0 serves only where all others have 0 too.
    #[serde(default = "weight")]
    pub weight: u16,
    /// Lower is preferred; by default the order of writing.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub priority: Option<u16>,
}

/// How endpoints are probed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Monitor {
    /// What a probe is.
    #[serde(default)]
    pub protocol: Protocol,
    /// The port that is probed; needed with tcp.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub port: Option<u16>,
    /// What http and https ask for; by default `/`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = "^/"), length(max = 2048))]
    pub path: Option<String>,
    /// From one probe to the next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interval: Option<Span>,
    /// How long a probe may take.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Span>,
    /// How many failures in a row are let pass.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 9))]
    pub tolerated_failures: Option<u32>,
}

/// What a probe is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// A request over HTTP.
    #[default]
    Http,
    /// A request over HTTPS.
    Https,
    /// A connection.
    Tcp,
}

/// What became of a resource.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = schema::for_servers)]
pub struct Status {
    /// The generation of the resource that this is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// What holds and what doesn't, each of its own type.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
}

/// Whether something holds, as Kubernetes' own conditions tell it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// What it is about, e.g. `Ready`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Whether it holds.
    pub status: Holds,
    /// Why, in one word.
    pub reason: String,
    /// Why, for people.
    pub message: String,
    /// Since when, by RFC 3339.
    pub last_transition_time: String,
    /// The generation of the resource that this is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
}

/// Whether a condition holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Holds {
    /// It does.
    True,
    /// It doesn't.
    False,
    /// That isn't known.
    Unknown,
}

/// Has the keys of a resource be those of a type without its name.
macro_rules! as_written {
    ($spec:ident, $of:ty) => {
        impl JsonSchema for $spec {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                stringify!($spec).into()
            }

            fn json_schema(generator: &mut SchemaGenerator) -> Schema {
                nameless(<$of>::json_schema(generator))
            }
        }
    };
}

as_written!(SiteSpec, super::Site);
as_written!(FleetAppSpec, App);
as_written!(RolloutSpec, super::Rollout);

fn nameless(mut schema: Schema) -> Schema {
    if let Some(Value::Object(properties)) = schema.get_mut("properties") {
        properties.shift_remove("name");
    }
    if let Some(Value::Array(required)) = schema.get_mut("required") {
        required.retain(|it| it != "name");
    }
    schema::for_servers(&mut schema);
    schema
}

impl Base {
    /// Puts the description together with what the resources say. Sites and applications are in the order of their names.
    ///
    /// # Errors
    /// Everything that is wrong, by the resources: their [`origin`] stands where a file's name does.
    pub fn with(
        &self,
        mut sites: Vec<Site>,
        mut apps: Vec<FleetApp>,
        rollouts: &[Rollout],
    ) -> Result<Described, Problems> {
        if sites.is_empty() {
            let document = Document::empty(&format!("namespace {}", self.resources.namespace));
            let problem = document.root().problem("has no Site; a fleet has one at least");
            return Err(Problems::of(vec![problem]));
        }
        sites.sort_by_key(ResourceExt::name_any);
        apps.sort_by_key(ResourceExt::name_any);
        let mut document = Document::empty("resources");
        let sites = sites.iter().map(|it| named("Site", it, &it.spec.written));
        document.set_list("sites", &sites.collect::<Vec<_>>());
        let apps = apps.iter().map(|it| named("FleetApp", it, &it.spec.written));
        document.set_list("apps", &apps.collect::<Vec<_>>());
        if let Some(rollout) = rollouts.first() {
            let written = Value::Object(rollout.spec.written.clone());
            document.set("rollout", &origin("Rollout", rollout), &written);
        }
        if let [_, second, ..] = rollouts {
            let name = origin("Rollout", second);
            let problem =
                Document::empty(&name).root().problem("is a second one; keep one of them");
            return Err(Problems::of(vec![problem]));
        }
        self.complete(document)
    }
}

/// A resource's keys with its name among them, and where they come from.
fn named(kind: &str, it: &impl ResourceExt, written: &Map<String, Value>) -> (String, Value) {
    let mut keys = Map::new();
    keys.insert("name".to_owned(), it.name_any().into());
    keys.extend(written.clone().into_iter().filter(|it| it.0 != "name"));
    (origin(kind, it), Value::Object(keys))
}

/// What a resource is called in what is said about it: `Site farol/seattle`.
pub fn origin(kind: &str, it: &impl ResourceExt) -> String {
    let namespace = it.namespace().map(|it| format!("{it}/")).unwrap_or_default();
    format!("{kind} {namespace}{}", it.name_any())
}

fn hour() -> Span {
    Span::seconds(3600)
}

fn ttl() -> u32 {
    30
}

fn weight() -> u16 {
    1
}
