use super::{Member, Standing};
use crate::model::{EndpointStatus, Family, Profile, WhenNoneHealthy};

/// Whether the candidates are the healthy endpoints, and if not, why not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Basis {
    /// They are.
    Healthy,
    /// Too few are healthy (`panic_threshold`): all are treated as healthy.
    Panic,
    /// None is healthy, in any family: `when_none_healthy` decides, unless the Degraded serve by `geo_failover = false`.
    NoneHealthy,
    /// No endpoint is in service: all are disabled, or there is none.
    NoneInService,
}

impl Basis {
    /// Whether health can't decide, because none or too few are healthy.
    pub const fn is_fail_open(self) -> bool {
        matches!(self, Self::Panic | Self::NoneHealthy)
    }
}

/// The members that a method may choose from: those whose standing is [`Standing::Candidate`].
pub(super) struct Pool {
    pub(super) basis: Basis,
    pub(super) standings: Vec<Standing>,
}

impl Pool {
    /// The members that are still in.
    pub(super) fn candidates(&self) -> impl Iterator<Item = usize> {
        let standings = self.standings.iter().enumerate();
        standings
            .filter(|(_, standing)| **standing == Standing::Candidate)
            .map(|(member, _)| member)
    }

    /// Those of the first tier, who serve or would if others of it didn't.
    pub(super) fn first_tier(&self) -> impl Iterator<Item = usize> {
        let standings = self.standings.iter().enumerate();
        standings
            .filter(|it| matches!(it.1, Standing::Candidate | Standing::ZeroWeight))
            .map(|it| it.0)
    }

    /// Takes those out that are in but not wanted.
    pub(super) fn retain(&mut self, wanted: impl Fn(usize) -> bool, otherwise: Standing) {
        for (member, standing) in self.standings.iter_mut().enumerate() {
            if *standing == Standing::Candidate && !wanted(member) {
                *standing = otherwise;
            }
        }
    }

    /// Takes those out that have no address of this family. Where none has one of either, those stay that have SERVFAIL to
    /// answer: a name without addresses is not the same as one whose addresses can't be told.
    pub(super) fn keep_family(&mut self, members: &[Member], family: Family) {
        let candidates = || self.candidates().filter_map(|it| members.get(it));
        let any_address = candidates().any(|it| it.families.contains(&true));
        let wanted = |it: &Member| if any_address { it.families[family.index()] } else { it.fails };
        self.retain(|it| members.get(it).is_some_and(wanted), Standing::NoAddress);
    }
}

/// Decides who is eligible, in any family: the healthy ones, unless there are none or too few.
pub(super) fn gather(profile: &Profile, members: &[Member]) -> Pool {
    let serving = |it: &Member| it.status.is_healthy() && it.resolved;
    let basis = if members.iter().any(serving) {
        if panics(profile.panic_threshold, members) { Basis::Panic } else { Basis::Healthy }
    } else if members.iter().any(in_service) {
        Basis::NoneHealthy
    } else {
        Basis::NoneInService
    };
    let serves_degraded = match basis {
        Basis::Healthy | Basis::NoneInService => profile.serves_degraded(),
        Basis::Panic => true,
        Basis::NoneHealthy => {
            let has_degraded = members.iter().any(|it| standing(it, true) == Standing::Candidate);
            if !(profile.serves_degraded() && has_degraded) {
                let standings = revive(&profile.when_none_healthy, members);
                return Pool { basis, standings };
            }
            true
        }
    };
    let standings = members.iter().map(|it| standing(it, serves_degraded)).collect();
    Pool { basis, standings }
}

/// Drained ones are in service: they come back when there is nothing else.
fn in_service(member: &Member) -> bool {
    member.status.is_in_service()
}

fn standing(member: &Member, degraded_serves: bool) -> Standing {
    match member.status {
        EndpointStatus::Disabled | EndpointStatus::Inactive => Standing::Disabled,
        EndpointStatus::Stopped => Standing::Stopped,
        EndpointStatus::Drained => Standing::Drained,
        EndpointStatus::Degraded if !degraded_serves => Standing::Degraded,
        _ if !member.resolved => Standing::Unresolved,
        _ => Standing::Candidate,
    }
}

/// Whether less than `threshold` percent of the weight that is in service and not drained is healthy.
fn panics(threshold: u8, members: &[Member]) -> bool {
    let asked = || {
        let all = members.iter().filter(|it| in_service(it) && it.resolved);
        all.filter(|it| it.status != EndpointStatus::Drained)
    };
    let all_zero = asked().all(|it| it.weight == 0);
    let weight = |it: &Member| if all_zero { 1 } else { u64::from(it.weight) };
    let total: u64 = asked().map(weight).sum();
    let healthy: u64 = asked().filter(|it| it.status.is_healthy()).map(weight).sum();
    healthy * 100 < u64::from(threshold) * total
}

/// Who serves although none is healthy. Drained ones do only when all in service are drained, and then those that would be
/// healthy go first.
fn revive(rule: &WhenNoneHealthy, members: &[Member]) -> Vec<Standing> {
    let resolved = || members.iter().filter(|it| it.resolved);
    let all_drained =
        resolved().filter(|it| in_service(it)).all(|it| it.status == EndpointStatus::Drained);
    let any_healthy = resolved().any(|it| it.healthy);
    let any_last = resolved().any(|it| it.last_healthy && it.status == EndpointStatus::Degraded);
    let of = |it: &Member| match (standing(it, true), rule) {
        (Standing::Drained | Standing::Candidate, rule)
            if !matches!(rule, WhenNoneHealthy::ServeAll | WhenNoneHealthy::LastHealthy) =>
        {
            Standing::NotAsked
        }
        (Standing::Drained, _) if all_drained && it.resolved && (it.healthy || !any_healthy) => {
            Standing::Candidate
        }
        (Standing::Candidate, WhenNoneHealthy::LastHealthy) if any_last && !it.last_healthy => {
            Standing::NotLastHealthy
        }
        (standing, _) => standing,
    };
    members.iter().map(of).collect()
}
