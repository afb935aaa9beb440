//! Which endpoints answer. [`prepare`] runs once whenever something changed and leaves a table; a query only draws from it
//! ([`Shares::pick`]), in constant time. Pure: status, weights and draws come in as arguments.
//!
//! One file per routing method. A method gets the members that may serve and says which of them do, by what weight.

mod draw;
mod pool;
mod priority;
mod shares;
mod territories;
mod weighted;

pub use draw::{Draw, mix};
pub use pool::Basis;
pub use shares::Shares;
pub use territories::Territories;

use crate::model::{EndpointStatus, Family, FamilyRule, Method, Profile, WhenNoneHealthy};

/// What routing looks at of one endpoint.
#[derive(Clone, Copy, Debug)]
pub struct Member {
    /// Its status, with overrides and drains.
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
}

/// Why an endpoint is among those that answer, or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Standing {
    /// It answers.
    Candidate,
    /// It, or its profile, is disabled.
    Disabled,
    /// It, or its site, is drained.
    Drained,
    /// It fails its probes or is forced down.
    Degraded,
    /// It was not among the last healthy ones.
    NotLastHealthy,
    /// It has no address of the type asked for.
    NoAddress,
    /// Its weight is 0 and other candidates have more.
    ZeroWeight,
    /// A lower priority number has a candidate.
    LowerPriority,
    /// The profile answers without its endpoints while none is healthy.
    NotAsked,
}

/// Where the answer comes from.
#[derive(Clone, Debug)]
pub enum Source {
    /// From the members, by these shares.
    Members(Shares),
    /// From the profile's fallback addresses.
    Fallback,
    /// There is nothing to say: NODATA.
    NoData,
    /// The profile wants SERVFAIL.
    ServFail,
}

/// Everything about a profile's answers to one record type that can be known before the query.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// Whether health was heeded.
    pub basis: Basis,
    /// Where the answer comes from.
    pub source: Source,
    /// Why each member is in or out, in the members' order.
    pub standings: Box<[Standing]>,
}

impl Prepared {
    /// The part of the answers, from 0 to 1, that names this member.
    pub fn share(&self, member: usize) -> f64 {
        match &self.source {
            Source::Members(shares) => shares.share(member),
            Source::Fallback | Source::NoData | Source::ServFail => 0.0,
        }
    }
}

/// Decides everything about a profile's answers to one family that does not need the query. `members` are the profile's
/// endpoints in its order.
pub fn prepare(profile: &Profile, members: &[Member], family: Family) -> Prepared {
    let mut pool = pool::gather(profile, members);
    if pool.basis == Basis::NoneHealthy {
        let source = match profile.when_none_healthy {
            WhenNoneHealthy::ServeAll | WhenNoneHealthy::LastHealthy => None,
            WhenNoneHealthy::Fallback(_) => Some(Source::Fallback),
            WhenNoneHealthy::NoData => Some(Source::NoData),
            WhenNoneHealthy::ServFail => Some(Source::ServFail),
        };
        if let Some(source) = source {
            return Prepared { basis: pool.basis, source, standings: pool.standings.into() };
        }
    }
    if profile.family == FamilyRule::Any {
        pool.keep_family(members, family);
    }
    let chosen = match profile.method {
        Method::Priority => priority::choose(&mut pool, members),
        Method::Weighted => weighted::choose(&mut pool, members, family),
    };
    let source = Shares::new(&chosen).map_or(Source::NoData, Source::Members);
    Prepared { basis: pool.basis, source, standings: pool.standings.into() }
}

/// A member that serves, with its weight among those that do.
type Choice = (usize, u16);

#[cfg(test)]
mod tests;
