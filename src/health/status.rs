use crate::model::{EndpointStatus, Forced, ProfileStatus, Protocol, Verdict};

/// What an endpoint is, from everything that has a say in it. The first that applies decides: itself being disabled, its
/// profile being disabled, a drain, an operator's word, the probes' verdict.
pub fn endpoint_status(
    profile_enabled: bool,
    enabled: bool,
    drained: bool,
    forced: Option<Forced>,
    protocol: &Protocol,
    verdict: Verdict,
) -> EndpointStatus {
    match (enabled, profile_enabled, drained, forced) {
        (false, ..) => EndpointStatus::Disabled,
        (_, false, ..) => EndpointStatus::Inactive,
        (_, _, true, _) => EndpointStatus::Drained,
        (.., Some(Forced::Up)) => EndpointStatus::Online,
        (.., Some(Forced::Down)) => EndpointStatus::Degraded,
        (.., None) => match (protocol, verdict) {
            (Protocol::None, _) => EndpointStatus::Unmonitored,
            (_, Verdict::Unknown) => EndpointStatus::CheckingEndpoint,
            (_, Verdict::Online) => EndpointStatus::Online,
            (_, Verdict::Degraded) => EndpointStatus::Degraded,
        },
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
        EndpointStatus::Disabled | EndpointStatus::Inactive | EndpointStatus::Drained => 0,
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
        let up = Some(Forced::Up);
        let down = Some(Forced::Down);
        let (tcp, none) = (Protocol::Tcp, Protocol::None);
        for (profile, enabled, drained, forced, protocol, verdict, expected) in [
            (true, true, false, None, &tcp, Verdict::Online, Online),
            (true, true, false, None, &tcp, Verdict::Degraded, Degraded),
            (true, true, false, None, &tcp, Verdict::Unknown, CheckingEndpoint),
            (true, true, false, None, &none, Verdict::Unknown, Unmonitored),
            (true, true, false, up, &tcp, Verdict::Degraded, Online),
            (true, true, false, down, &tcp, Verdict::Online, Degraded),
            (true, true, false, down, &none, Verdict::Unknown, Degraded),
            (true, true, true, up, &tcp, Verdict::Online, Drained),
            (true, false, true, up, &tcp, Verdict::Online, Disabled),
            (false, true, true, up, &tcp, Verdict::Online, Inactive),
            (false, false, false, None, &tcp, Verdict::Online, Disabled),
        ] {
            let status = endpoint_status(profile, enabled, drained, forced, protocol, verdict);
            assert_eq!(status, expected, "{profile} {enabled} {drained} {forced:?} {verdict:?}");
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
            (true, &[Disabled, Drained], ProfileStatus::Inactive),
            (true, &[], ProfileStatus::Inactive),
        ] {
            assert_eq!(profile_status(enabled, endpoints.iter().copied()), expected);
        }
    }
}
