//! The vocabulary: what a configuration says, once it is known to be right. Plain values without I/O, clock or
//! serialization; whatever exists here is valid, so nothing later checks it again.

mod expiry;
mod ident;
mod monitor;
mod name;
mod overrides;
mod profile;
mod record;
mod status;
mod time;
mod zone;

pub use expiry::{Expired, Subject};
pub use ident::{Ident, IdentError};
pub use monitor::{
    ExecCheck, Flap, Header, HttpCheck, HttpMethod, Monitor, ProbeTarget, Protocol, PushCheck,
    TlsCheck, TokenHash, TrustAnchors,
};
pub use name::{MAX_NAME, Name, NameError, suffixes};
pub use overrides::{
    Change, EndpointChange, EndpointKey, EndpointOverrides, Override, Overrides, Stamp, Stamped,
};
pub use profile::{Addresses, Endpoint, FamilyRule, Method, Profile, WhenNoneHealthy};
pub use record::{Family, RecordSet, RecordType, RecordTypeError};
pub use status::{EndpointStatus, Forced, ProfileStatus, Verdict};
pub use time::{Moment, Timestamp};
pub use zone::{Record, Soa, Zone, ZoneError};

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
}

/// A location: a data centre, an Azure Stack Hub instance, a cluster.
#[derive(Clone, Debug, PartialEq)]
pub struct Site {
    /// Its name, which endpoints refer to.
    pub name: Ident,
    /// Where it is.
    pub location: Option<Location>,
}

/// A place on Earth.
#[derive(Clone, Debug, PartialEq)]
pub struct Location {
    /// Degrees north, -90 to 90.
    pub latitude: f64,
    /// Degrees east, -180 to 180.
    pub longitude: f64,
    /// ISO 3166-1 country or 3166-2 subdivision, e.g. `US-WA`.
    pub region: Option<String>,
}
