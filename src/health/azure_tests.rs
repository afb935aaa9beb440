//! What Azure publishes of Traffic Manager's monitoring, as test cases:
//! <https://learn.microsoft.com/azure/traffic-manager/traffic-manager-monitoring>.

use std::time::Duration;

use super::{Belief, Health, Outcome, next_start, profile_status};
use crate::model::{
    EndpointStatus, Flap, Moment, Monitor, ProfileStatus, Protocol, Sources, Verdict,
};

const SECOND: Duration = Duration::from_secs(1);

/// Traffic Manager knows neither a faster interval in doubt nor more than one success, nor damps flapping.
fn monitor(interval: u32, timeout: u32, tolerated_failures: u8) -> Monitor {
    let flap = Flap { count: 0, window: SECOND, hold_down: SECOND, max: SECOND };
    Monitor {
        protocol: Protocol::Tcp,
        source: Sources::default(),
        watch_connection: false,
        interval: SECOND * interval,
        timeout: SECOND * timeout,
        fast_interval: SECOND * interval,
        tolerated_failures,
        required_successes: 1,
        flap,
    }
}

/// Probes without jitter an endpoint that is unavailable from one second up to another, where no probe is answered. Gives
/// when the endpoint became Degraded and when Online again, in seconds.
fn timeline(monitor: &Monitor, from: u32, to: u32) -> (Option<u64>, Option<u64>) {
    let mut health = Health::believing(Belief::fresh(Verdict::Online));
    let (mut start, mut turns) = (Moment::default(), Vec::new());
    while start.0 < SECOND * 1000 {
        let is_down = (SECOND * from..SECOND * to).contains(&start.0);
        let (outcome, takes) = match is_down {
            true => (Outcome::Failed, monitor.timeout),
            false => (Outcome::Passed, Duration::ZERO),
        };
        let result = start + takes;
        if health.observe(outcome, monitor, result) {
            turns.push(result.0.as_secs());
        }
        start = next_start(start, health.interval(monitor), 0.5, result);
    }
    (turns.first().copied(), turns.get(1).copied())
}

/// "Endpoint failover and recovery": an interval of 30 s, 3 tolerated failures, a timeout of 10 s. The service is unavailable
/// from between two checks on; the fourth check in a row that fails makes it Degraded, the first that passes Online.
#[test]
fn azure_timeline_of_failover_and_recovery() {
    // Checks at 90, 120, 150 and 180 s time out after 10 s each; the next that passes is the one at 330 s.
    assert_eq!(timeline(&monitor(30, 10, 3), 75, 305), (Some(190), Some(330)));
    // A check that passes within the tries resets their number.
    assert_eq!(timeline(&monitor(30, 10, 3), 75, 175), (None, None));
}

/// "Probing interval" and "Tolerated number of failures": 30 s or 10 s with timeouts of up to 10 or 9 s, 0 to 9 failures.
#[test]
fn azure_settings_of_interval_timeout_and_tolerated_failures() {
    for (interval, timeout, tolerated, degraded, online) in [
        (30, 10, 0, 100, 330),
        (30, 5, 3, 185, 330),
        (10, 9, 3, 119, 310),
        (10, 5, 0, 85, 310),
        (10, 9, 9, 179, 310),
        (30, 10, 6, 280, 330),
    ] {
        let monitor = monitor(interval, timeout, tolerated);
        let seen = timeline(&monitor, 75, 305);
        assert_eq!(seen, (Some(degraded), Some(online)), "{interval} {timeout} {tolerated}");
    }
}

/// "Profile monitor status": each row of its table.
#[test]
fn azure_table_of_profile_status() {
    use EndpointStatus::*;
    for (enabled, endpoints, expected) in [
        (false, &[Inactive, Disabled][..], ProfileStatus::Disabled),
        (false, &[], ProfileStatus::Disabled),
        (true, &[Degraded, Online, CheckingEndpoint, Disabled], ProfileStatus::Degraded),
        (true, &[Online, CheckingEndpoint, Disabled, Stopped], ProfileStatus::Online),
        (true, &[CheckingEndpoint, Disabled, Stopped], ProfileStatus::CheckingEndpoints),
        (true, &[Disabled, Stopped], ProfileStatus::Inactive),
        (true, &[], ProfileStatus::Inactive),
    ] {
        assert_eq!(profile_status(enabled, endpoints.iter().copied()), expected, "{endpoints:?}");
    }
}
