use std::sync::Arc;

use super::{Decision, Found, ProfileTable, Snapshot};
use crate::model::{Family, Name, RecordType};
use crate::routing::{Basis, Draw, Standing};

/// Why a name is answered as it is: the same lookup and the same decision that queries get, seen whole.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// The apex of the zone that answers, unless no zone does.
    pub zone: Option<Name>,
    /// What the zone says.
    pub found: Explained,
}

/// What a zone says of a name and a record type.
#[derive(Clone, Debug)]
pub enum Explained {
    /// No zone holds the name: REFUSED.
    NotOurs,
    /// The name does not exist: NXDOMAIN.
    NoSuchName,
    /// The name is delegated to other servers.
    Delegated,
    /// The name lies below a DNAME.
    Redirected,
    /// Zones are not transferred: REFUSED.
    Transfer,
    /// The type is one that no name has records of: FORMERR or NOTIMP.
    Meta,
    /// Every type was asked for: a HINFO record that says no (RFC 8482).
    Any,
    /// The zone has static records of this type.
    Static,
    /// The name is an alias for another one.
    Alias(Name),
    /// The name exists, and has nothing of this type.
    NoData,
    /// A profile answers.
    Profile {
        /// The profile, which a wildcard may stand at another name than the query's.
        table: Arc<ProfileTable>,
        /// The family asked for.
        family: Family,
        /// Whether health was heeded.
        basis: Basis,
        /// What this draw met.
        picked: Picked,
        /// Each endpoint's standing and its part of the answers, from 0 to 1.
        endpoints: Vec<(Standing, f64)>,
    },
}

/// What a draw met; see [`Decision`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Picked {
    /// The endpoint at this place of the profile.
    Endpoint(usize),
    /// The fallback addresses.
    Fallback,
    /// Nothing of this type.
    NoData,
    /// SERVFAIL.
    ServFail,
}

/// Explains what a query for `name` gets with this draw.
pub fn explain(
    snapshot: &Snapshot,
    name: &Name,
    record_type: RecordType,
    draw: Draw,
) -> Explanation {
    let Some(zone) = snapshot.zones.find_for(name.as_wire(), record_type) else {
        return Explanation { zone: None, found: Explained::NotOurs };
    };
    let found = match zone.find(name.as_wire(), record_type) {
        _ if matches!(record_type, RecordType::AXFR | RecordType::IXFR) => Explained::Transfer,
        _ if record_type.is_meta() && record_type != RecordType::ANY => Explained::Meta,
        Found::Nothing => Explained::NoSuchName,
        Found::Cut { .. } => Explained::Delegated,
        Found::Dname { .. } => Explained::Redirected,
        Found::Node(node) => {
            let profile = node.profile.and_then(|slot| snapshot.profiles.get(slot));
            let alias = node.find(RecordType::CNAME).filter(|_| record_type != RecordType::CNAME);
            let target = alias.and_then(|set| Name::from_wire(set.data.first()?).ok());
            match (profile, Family::of(record_type), target) {
                (Some(table), Some(family), _) => explain_profile(table, family, draw),
                (_, _, Some(target)) => Explained::Alias(target),
                _ if record_type == RecordType::ANY
                    && (profile.is_some() || !node.sets.is_empty()) =>
                {
                    Explained::Any
                }
                _ if node.find(record_type).is_some() => Explained::Static,
                _ => Explained::NoData,
            }
        }
    };
    Explanation { zone: Some(zone.zone.name().clone()), found }
}

fn explain_profile(table: &Arc<ProfileTable>, family: Family, draw: Draw) -> Explained {
    let picked = match table.decide(family, draw) {
        Decision::Endpoint(endpoint, _) => Picked::Endpoint(endpoint),
        Decision::Fallback(_) => Picked::Fallback,
        Decision::NoData => Picked::NoData,
        Decision::ServFail => Picked::ServFail,
    };
    let endpoints = (0..table.endpoints.len())
        .filter_map(|it| Some((table.standing(family, it)?, table.share(family, it))))
        .collect();
    Explained::Profile {
        table: table.clone(),
        family,
        basis: table.basis(family),
        picked,
        endpoints,
    }
}
