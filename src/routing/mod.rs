//! Which endpoints answer. [`prepare`] runs once whenever something changed and leaves a [`Chooser`]; a query only picks from
//! it ([`Chooser::pick`]). Pure: status, weights, clients and draws come in as arguments.
//!
//! One file per routing method. A method gets the members that may serve and puts them into groups of equally preferred ones;
//! which group comes first may depend on the client. Within a group the members share by weight.

mod chooser;
mod client;
mod draw;
mod geographic;
mod group;
mod performance;
mod pool;
mod priority;
mod shares;
mod subnet;
mod territories;
mod trace;
mod weighted;

pub use chooser::{Chooser, Pick};
pub use client::Client;
pub use draw::{Draw, mix};
pub use pool::Basis;
pub use shares::Shares;
pub use trace::{Located, Relation, Table, Trace};

use crate::model::{
    EndpointStatus, Failback, Family, FamilyRule, Geography, Method, Profile, WhenNoneHealthy,
};

/// The most endpoints that one answer names.
pub const MAX_RETURN: usize = 16;

/// What routing looks at of one endpoint.
#[derive(Clone, Copy, Debug)]
pub struct Member {
    /// Its status, with overrides and drains; Drained too where it stands for a profile in which all that is in service is.
    pub status: EndpointStatus,
    /// Whether it would be healthy if it were not drained.
    pub healthy: bool,
    /// Whether it was among the last healthy ones when the profile last had any.
    pub last_healthy: bool,
    /// The weight in force.
    pub weight: u16,
    /// The priority in force.
    pub priority: u16,
    /// Whether it has an address, by [`Family::index`].
    pub families: [bool; 2],
    /// Whether it stands for a profile that has SERVFAIL to answer, and nothing else.
    pub fails: bool,
    /// Whether there is anything to answer with: of a name no address may be known yet.
    pub resolved: bool,
    /// The part of its share that it takes while it starts slowly, from 0 to 1.
    pub ramp: f32,
    /// Tells it from other members, on every instance alike.
    pub key: u64,
}

/// Why an endpoint is among those that answer, or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Standing {
    /// It answers.
    Candidate,
    /// It, or its profile, is disabled.
    Disabled,
    /// It stands for a profile that is disabled or has nothing in service.
    Stopped,
    /// It, or its site, is drained.
    Drained,
    /// It fails its probes or is forced down.
    Degraded,
    /// It stands for a name of which no address is known.
    Unresolved,
    /// It was not among the last healthy ones.
    NotLastHealthy,
    /// It has no address of the type asked for.
    NoAddress,
    /// Its weight is 0 and other candidates have more.
    ZeroWeight,
    /// A lower priority number has a candidate.
    LowerPriority,
    /// Its priority number is lower than that of those who serve, who do so until an operator says otherwise.
    AwaitsFailback,
    /// The profile answers without its endpoints while none is healthy.
    NotAsked,
}

/// Where the answer comes from.
#[derive(Debug)]
pub enum Source {
    /// From the members.
    Members(Chooser),
    /// From the profile's fallback addresses.
    Fallback,
    /// There is nothing to say: NODATA.
    NoData,
    /// The profile wants SERVFAIL.
    ServFail,
}

/// Everything about a profile's answers to one record type that can be known before the query.
#[derive(Debug)]
pub struct Prepared {
    /// Whether health was heeded.
    pub basis: Basis,
    /// Where the answer comes from.
    pub source: Source,
    /// Why each member is in or out, in the members' order.
    pub standings: Box<[Standing]>,
    /// The members of the priority that serves, or did while one was healthy last, with [`Method::Priority`].
    pub serving: Box<[usize]>,
}

/// Decides everything about a profile's answers to one family that does not need the query. `members` are the profile's
/// endpoints in its order; `served` are those that served until now.
pub fn prepare(
    profile: &Profile,
    members: &[Member],
    geography: &Geography,
    family: Family,
    served: &[usize],
) -> Prepared {
    let served = if profile.method == Method::Priority { served } else { &[] };
    let mut pool = pool::gather(profile, members);
    if pool.basis == Basis::NoneHealthy && pool.candidates().next().is_none() {
        let source = match profile.when_none_healthy {
            WhenNoneHealthy::ServeAll | WhenNoneHealthy::LastHealthy => None,
            WhenNoneHealthy::Fallback(_) => Some(Source::Fallback),
            WhenNoneHealthy::NoData => Some(Source::NoData),
            WhenNoneHealthy::ServFail => Some(Source::ServFail),
        };
        if let Some(source) = source {
            return Prepared {
                basis: pool.basis,
                source,
                standings: pool.standings.into(),
                serving: served.into(),
            };
        }
    }
    if profile.family == FamilyRule::Any
        || matches!(profile.method, Method::Weighted | Method::Multivalue)
    {
        pool.keep_family(members, family);
    }
    let kept = if profile.failback == Failback::Manual { served } else { &[] };
    let order = match profile.method {
        Method::Priority => priority::order(&mut pool, members, profile.affinity.is_some(), kept),
        Method::Weighted | Method::Multivalue => weighted::order(&mut pool, members, profile),
        Method::Performance => performance::order(&pool, members, profile, geography),
        Method::Geographic => geographic::order(&pool, members, profile),
        Method::Subnet => subnet::order(&pool, members, profile),
    };
    // While none is healthy the failover has not ended.
    let serving = match order {
        Some(_) if profile.method == Method::Priority && pool.basis == Basis::Healthy => {
            pool.first_tier().collect()
        }
        _ => served.into(),
    };
    let source = order.map_or(Source::NoData, |it| Source::Members(Chooser::new(it, profile)));
    Prepared { basis: pool.basis, source, standings: pool.standings.into(), serving }
}

#[cfg(test)]
mod tests;
