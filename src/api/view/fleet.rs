use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// How the fleet's clusters and apps are.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema, PartialEq)]
pub struct Fleet {
    /// What is done about drift: `report` or `heal`; null where no fleet is described.
    pub drift: Option<String>,
    /// Why what is described now isn't in force, where it comes from custom resources; what was in force before is still.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<FleetTrouble>,
    /// In the order of the description.
    pub sites: Vec<FleetSite>,
    /// The apps whose images are not the same on all sites that can be worked with.
    pub skewed: Vec<FleetSkew>,
}

/// A site's cluster and apps.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema, PartialEq)]
pub struct FleetSite {
    /// The site's name.
    pub site: String,
    /// Its cluster as it was seen last; null before the first time.
    pub cluster: Option<FleetCluster>,
    /// Why it can't be worked with; null where it can, or where that isn't known yet.
    pub trouble: Option<FleetTrouble>,
    /// When the cluster last answered.
    #[schema(format = DateTime)]
    pub answered_at: Option<String>,
    /// Why some changes show only when everything is looked at anew, every ten minutes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unwatched: Option<String>,
    /// The apps that were looked at so far, in the order of the description.
    pub apps: Vec<FleetApp>,
    /// The names of those that were not looked at yet, likewise.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unseen: Vec<String>,
}

/// A cluster.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema, PartialEq)]
pub struct FleetCluster {
    /// The UID of its namespace `kube-system`.
    pub uid: String,
    /// Its version.
    pub version: String,
    /// How many nodes it has; null where one may not look at them.
    pub nodes: Option<usize>,
    /// How many of them are ready.
    pub nodes_ready: Option<usize>,
}

/// Why a cluster can't be worked with.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema, PartialEq)]
pub struct FleetTrouble {
    /// In a word: `unreachable`, `wrong cluster`, `forbidden`, `unauthorized`…
    pub kind: String,
    /// In full.
    pub message: String,
    /// Since when.
    #[schema(format = DateTime)]
    pub since: String,
}

/// How an app is on a site.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema, PartialEq)]
pub struct FleetApp {
    /// Its name.
    pub app: String,
    /// `in_sync`, `drifted` (others changed what was applied), `outdated` (what is described now wasn't applied) or `unknown`. Of a site that
    /// can't be worked with: what was seen last.
    pub state: String,
    /// Since when.
    #[schema(format = DateTime)]
    pub since: String,
    /// When it was looked at.
    #[schema(format = DateTime)]
    pub looked_at: String,
    /// When the companion last wrote something of it.
    #[schema(format = DateTime)]
    pub applied_at: Option<String>,
    /// Why nobody can say how it is.
    pub error: Option<String>,
    /// How many objects are as they are wanted.
    pub unchanged: usize,
    /// How many aren't.
    pub different: usize,
    /// Those that aren't; only where one site is asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub differences: Vec<FleetDifference>,
    /// The images that its pods are made from; only where one site is asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<String>,
    /// What was done about drift, where it is put back.
    pub healing: FleetHealing,
}

/// An object that isn't as it is wanted.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema, PartialEq)]
pub struct FleetDifference {
    /// The object: `Deployment ratings/ratings-web`.
    pub object: String,
    /// `missing`, `drifted`, `extra`, `kept` (nobody wants it any more, and it stays by a rule) or `refused`.
    pub state: String,
    /// Why it is refused, or kept.
    pub why: Option<String>,
    /// The fields that drifted. Values of Secrets are masked.
    pub fields: Vec<FleetField>,
}

/// A field that isn't as it is wanted.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema, PartialEq)]
pub struct FleetField {
    /// Its path.
    pub path: String,
    /// What it is.
    pub is: Value,
    /// What it should be.
    pub wanted: Value,
    /// The field manager that wrote what it is.
    pub manager: Option<String>,
}

/// What was done about an app's drift.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema, PartialEq)]
pub struct FleetHealing {
    /// How often it was put back since the start.
    pub times: u64,
    /// When it was last put back.
    #[schema(format = DateTime)]
    pub last: Option<String>,
    /// When it will be tried next.
    #[schema(format = DateTime)]
    pub next: Option<String>,
    /// What stood in the way last.
    pub trouble: Option<String>,
}

/// An app whose images are not the same on all sites.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema, PartialEq)]
pub struct FleetSkew {
    /// The app.
    pub app: String,
    /// The sites that have images which are not on all sites.
    pub sites: Vec<FleetSkewedSite>,
}

/// What a site has that not all sites have.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema, PartialEq)]
pub struct FleetSkewedSite {
    /// The site.
    pub site: String,
    /// The images.
    pub images: Vec<String>,
}
