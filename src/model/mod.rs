//! The vocabulary: what a configuration says, once it is known to be right. Plain values without I/O, clock or
//! serialization; whatever exists here is valid, so nothing later checks it again.

mod access;
mod body;
mod countries;
mod expiry;
mod geo_code;
mod geography;
mod grouping;
mod guardrails;
mod ident;
mod locator;
mod misfit;
mod monitor;
mod name;
mod network;
mod overrides;
mod pending;
mod profile;
mod ranges;
mod record;
mod record_sets;
mod records;
mod region;
mod requests;
mod status;
mod subnet;
mod text;
mod time;
mod tls;
mod undo;
mod zone;
mod zone_doubts;

pub use access::{Grant, GrantError, Role, RoleError, Scope, Scopes};
pub use body::{BodyCheck, ExpectedBody, ExpectedBodyError};
pub use countries::Country;
pub use expiry::{Expired, Subject};
pub use geo_code::{GeoCode, GeoCodeError};
pub use geography::{
    ClientNetwork, DatabaseFile, DefaultLocation, Geography, Latencies, Point, Spot,
};
pub use grouping::Grouping;
pub use guardrails::{Guardrail, Guardrails};
pub use ident::{Ident, IdentError};
pub use locator::{Discovered, Locator};
pub use misfit::Misfit;
pub use monitor::{
    ExecCheck, Flap, GrpcCheck, Header, HttpCheck, HttpMethod, Monitor, ProbeHost, ProbeTarget,
    Protocol, PushCheck, Sources, TokenHash,
};
pub use name::{MAX_NAME, Name, NameError, NameRef, suffixes, unescape, wire_below};
pub use network::{NetworkError, canonical_network, network_around, parse_network};
pub use overrides::{
    Change, EndpointChange, EndpointKey, EndpointOverrides, Override, Overrides, Serving, Stamp,
    Stamped,
};
pub use pending::{Pending, Settled};
pub use profile::{
    Addresses, Affinity, Child, Endpoint, Failback, FamilyRule, Method, MinChildren, Profile,
    Target, WhenNoneHealthy,
};
pub use ranges::{Adjacent, Overlap, Overlapping, RangeError, Ranges, RangesBuilder, Row};
pub use record::{Family, RecordType, RecordTypeError};
pub use record_sets::{RecordSet, RecordSets};
pub use records::{Owner, Record, Records};
pub use region::{Region, RegionError};
pub use requests::RequestsQuery;
pub use status::{EndpointStatus, Forced, ProfileStatus, Verdict};
pub use subnet::{Subnet, SubnetError};
pub use text::{chain, is_hidden};
pub use time::{Moment, Now, Timestamp};
pub use tls::{TlsCheck, TlsIdentity, TrustAnchors};
pub use undo::Undo;
pub use zone::{Soa, Zone, ZoneError};
pub use zone_doubts::ZoneDoubt;

use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// Everything that a configuration says about names and places: names are unique, and what they refer to exists.
#[derive(Clone, Debug, Default)]
pub struct Model {
    /// The zones, each apex once.
    pub zones: Vec<Arc<Zone>>,
    /// The sites, each name once.
    pub sites: Vec<Site>,
    /// The profiles, each name once and inside one of the zones.
    pub profiles: Vec<Arc<Profile>>,
    /// What is known of where clients are.
    pub geography: Arc<Geography>,
}

impl Model {
    /// Every endpoint, with its profile.
    pub fn endpoints(&self) -> impl Iterator<Item = (&Profile, &Endpoint)> {
        self.profiles
            .iter()
            .flat_map(|it| it.endpoints.iter().map(move |endpoint| (&**it, endpoint)))
    }
}

/// A location: a data centre, an Azure Stack Hub instance, a cluster.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Site {
    /// Its name, which endpoints refer to.
    pub name: Ident,
    /// Where it is.
    pub location: Option<Location>,
    /// How the requests that it gets are measured, for those who wait for its drain.
    pub requests: Option<RequestsQuery>,
}

/// A place on Earth.
#[derive(Clone, Copy, Debug)]
pub struct Location {
    /// Degrees north, -90 to 90.
    pub latitude: f64,
    /// Degrees east, -180 to 180.
    pub longitude: f64,
    /// The country or subdivision.
    pub region: Option<Region>,
}

impl Location {
    /// What makes two locations the same: degrees are compared as they are stored.
    fn identity(&self) -> (u64, u64, Option<Region>) {
        (self.latitude.to_bits(), self.longitude.to_bits(), self.region)
    }
}

impl PartialEq for Location {
    fn eq(&self, other: &Self) -> bool {
        self.identity() == other.identity()
    }
}

impl Eq for Location {}

impl Hash for Location {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.identity().hash(state);
    }
}
