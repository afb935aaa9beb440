use crate::model::{EndpointStatus, Family, Forced, MinChildren, ProfileStatus, Verdict};

/// What an endpoint's health follows from, where no operator has a say in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// Nothing is looked at; it counts as healthy.
    None,
    /// What probes say.
    Probes(Verdict),
    /// How the endpoints of the profile that it stands for are, and how many of them it needs.
    Children(Children, MinChildren),
}

/// The endpoints of a nested profile, counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Children {
    /// What they sum up to.
    pub status: ProfileStatus,
    /// Those that are Online or Unmonitored.
    pub online: Headcount,
    /// Those that are being checked.
    pub checking: Headcount,
}

/// How many endpoints there are, and how many with an address of each family.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Headcount {
    /// All of them.
    pub any: u16,
    /// By [`Family::index`].
    pub families: [u16; 2],
}

impl Headcount {
    /// Counts one more.
    pub fn add(&mut self, families: [bool; 2]) {
        self.any = self.any.saturating_add(1);
        for (count, has) in self.families.iter_mut().zip(families) {
            *count = count.saturating_add(u16::from(has));
        }
    }

    fn and(self, other: Self) -> Self {
        let [v4, v6] = Family::ALL
            .map(|it| self.families[it.index()].saturating_add(other.families[it.index()]));
        Self { any: self.any.saturating_add(other.any), families: [v4, v6] }
    }

    fn reaches(self, min: MinChildren) -> bool {
        let [v4, v6] = Family::ALL.map(|it| self.families[it.index()]);
        self.any >= min.any && v4 >= min.v4 && v6 >= min.v6
    }
}

impl Children {
    /// Counts endpoints by their status and the families that they have addresses of.
    pub fn count(
        status: ProfileStatus,
        endpoints: impl IntoIterator<Item = (EndpointStatus, [bool; 2])>,
    ) -> Self {
        let mut children =
            Self { status, online: Headcount::default(), checking: Headcount::default() };
        for (status, families) in endpoints {
            match status {
                EndpointStatus::Online | EndpointStatus::Unmonitored => {
                    children.online.add(families);
                }
                EndpointStatus::CheckingEndpoint => children.checking.add(families),
                _ => {}
            }
        }
        children
    }

    /// What the endpoint that stands for them is, by Azure Traffic Manager's table
    /// (<https://learn.microsoft.com/azure/traffic-manager/traffic-manager-monitoring>, "Nested profiles").
    fn verdict(self, min: MinChildren) -> EndpointStatus {
        if matches!(self.status, ProfileStatus::Disabled | ProfileStatus::Inactive) {
            EndpointStatus::Stopped
        } else if self.online.reaches(min) {
            EndpointStatus::Online
        } else if self.online.and(self.checking).reaches(min) {
            EndpointStatus::CheckingEndpoint
        } else {
            EndpointStatus::Degraded
        }
    }
}

/// What an endpoint is, from everything that has a say in it. The first that applies decides: itself being disabled, its
/// profile being disabled, the profile that it stands for having nothing in service, a drain, an operator's word, the evidence.
pub fn endpoint_status(
    profile_enabled: bool,
    enabled: bool,
    drained: bool,
    forced: Option<Forced>,
    evidence: Evidence,
) -> EndpointStatus {
    let by_itself = match evidence {
        Evidence::None => EndpointStatus::Unmonitored,
        Evidence::Probes(Verdict::Unknown) => EndpointStatus::CheckingEndpoint,
        Evidence::Probes(Verdict::Online) => EndpointStatus::Online,
        Evidence::Probes(Verdict::Degraded) => EndpointStatus::Degraded,
        Evidence::Children(children, min) => children.verdict(min),
    };
    match (enabled, profile_enabled, by_itself, drained, forced) {
        (false, ..) => EndpointStatus::Disabled,
        (_, false, ..) => EndpointStatus::Inactive,
        (_, _, EndpointStatus::Stopped, ..) => EndpointStatus::Stopped,
        (_, _, _, true, _) => EndpointStatus::Drained,
        (.., Some(Forced::Up)) => EndpointStatus::Online,
        (.., Some(Forced::Down)) => EndpointStatus::Degraded,
        (.., None) => by_itself,
    }
}

/// Sums up a profile from its endpoints: any Degraded, else any Online, else any being checked, else Inactive.
/// Unmonitored counts as Online, Drained as Disabled.
pub fn profile_status(
    enabled: bool,
    endpoints: impl IntoIterator<Item = EndpointStatus>,
) -> ProfileStatus {
    if !enabled {
        return ProfileStatus::Disabled;
    }
    let rank = |status| match status {
        EndpointStatus::Degraded => 3,
        EndpointStatus::Online | EndpointStatus::Unmonitored => 2,
        EndpointStatus::CheckingEndpoint => 1,
        EndpointStatus::Disabled
        | EndpointStatus::Inactive
        | EndpointStatus::Stopped
        | EndpointStatus::Drained => 0,
    };
    match endpoints.into_iter().map(rank).max() {
        Some(3) => ProfileStatus::Degraded,
        Some(2) => ProfileStatus::Online,
        Some(1) => ProfileStatus::CheckingEndpoints,
        _ => ProfileStatus::Inactive,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use EndpointStatus::*;

    #[test]
    fn the_first_that_applies_decides() {
        let (up, down) = (Some(Forced::Up), Some(Forced::Down));
        let probes = Evidence::Probes;
        let stopped = Evidence::Children(
            Children::count(ProfileStatus::Disabled, [(Online, [true; 2])]),
            MinChildren { any: 1, v4: 0, v6: 0 },
        );
        for (profile, enabled, drained, forced, evidence, expected) in [
            (true, true, false, None, probes(Verdict::Online), Online),
            (true, true, false, None, probes(Verdict::Degraded), Degraded),
            (true, true, false, None, probes(Verdict::Unknown), CheckingEndpoint),
            (true, true, false, None, Evidence::None, Unmonitored),
            (true, true, false, up, probes(Verdict::Degraded), Online),
            (true, true, false, down, probes(Verdict::Online), Degraded),
            (true, true, false, down, Evidence::None, Degraded),
            (true, true, true, up, probes(Verdict::Online), Drained),
            (true, true, true, up, stopped, Stopped),
            (true, false, true, up, probes(Verdict::Online), Disabled),
            (false, true, true, up, probes(Verdict::Online), Inactive),
            (false, true, false, None, stopped, Inactive),
            (false, false, false, None, probes(Verdict::Online), Disabled),
        ] {
            let status = endpoint_status(profile, enabled, drained, forced, evidence);
            assert_eq!(status, expected, "{profile} {enabled} {drained} {forced:?} {evidence:?}");
        }
    }

    #[test]
    fn profiles_are_summed_up_as_azure_does() {
        for (enabled, endpoints, expected) in [
            (false, &[Online][..], ProfileStatus::Disabled),
            (true, &[Online, Degraded], ProfileStatus::Degraded),
            (true, &[Online, CheckingEndpoint], ProfileStatus::Online),
            (true, &[Unmonitored, Disabled], ProfileStatus::Online),
            (true, &[CheckingEndpoint, Disabled], ProfileStatus::CheckingEndpoints),
            (true, &[Disabled, Drained, Stopped], ProfileStatus::Inactive),
            (true, &[], ProfileStatus::Inactive),
        ] {
            assert_eq!(profile_status(enabled, endpoints.iter().copied()), expected);
        }
    }

    /// Azure's table of nested profiles: the child's status and how many of its endpoints are what.
    #[test]
    fn nested_endpoints_are_what_azure_says() {
        let all = |min| MinChildren { any: min, v4: 0, v6: 0 };
        for (enabled, endpoints, min, expected) in [
            (false, &[Online, Online][..], all(1), Stopped),
            (true, &[Disabled, Drained], all(1), Stopped),
            (true, &[], all(1), Stopped),
            (true, &[Online, Degraded], all(1), Online),
            (true, &[Online, Degraded], all(2), Degraded),
            (true, &[Online, CheckingEndpoint, Degraded], all(2), CheckingEndpoint),
            (true, &[Online, Unmonitored], all(2), Online),
            (true, &[CheckingEndpoint, CheckingEndpoint], all(2), CheckingEndpoint),
            (true, &[CheckingEndpoint], all(2), Degraded),
            (true, &[Online, Drained], all(2), Degraded),
        ] {
            let status = profile_status(enabled, endpoints.iter().copied());
            let counted = endpoints.iter().map(|it| (*it, [true, false]));
            let children = Children::count(status, counted);
            assert_eq!(children.verdict(min), expected, "{endpoints:?} {min:?}");
        }
    }

    #[test]
    fn a_nested_profile_may_be_needed_by_family() {
        let endpoints = [(Online, [true, false]), (Online, [true, true]), (Degraded, [true, true])];
        let children = Children::count(ProfileStatus::Degraded, endpoints);
        for (v4, v6, expected) in [(2, 1, Online), (3, 0, Degraded), (0, 2, Degraded)] {
            assert_eq!(children.verdict(MinChildren { any: 1, v4, v6 }), expected, "{v4} {v6}");
        }
    }
}
