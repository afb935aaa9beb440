use std::cmp::Reverse;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use super::exec::Programs;
use super::line::{self, End};
use super::reason::{self, Failure};
use super::scheduler::World;
use super::trail::Trail;
use super::trust::{Offer, Trust};
use super::walk::walk;
use crate::health::{Outcome, Phase, ProbeResult};
use crate::model::{Monitor, ProbeTarget, Protocol};

/// The network as it is: what really probes.
#[derive(Debug, Default)]
pub(super) struct Network {
    trust: Trust,
    pub(super) programs: Arc<Programs>,
}

impl World for Network {
    async fn hold(&self, target: &ProbeTarget) -> End {
        line::hold(&target.addresses, target.monitor.source, target.monitor.timeout).await
    }

    async fn probe(&self, target: &ProbeTarget, late: Duration) -> ProbeResult {
        // Reading trust anchors is no part of what the endpoint is timed for.
        let protocol = &target.monitor.protocol;
        let offer = match protocol {
            Protocol::Grpc(_) => Offer::Http2,
            Protocol::Http(_) | Protocol::Https(..) => Offer::Http,
            Protocol::Tcp
            | Protocol::Tls(..)
            | Protocol::Exec(_)
            | Protocol::Push(_)
            | Protocol::None => Offer::Nothing,
        };
        let tls = match protocol.tls() {
            Some(check) => match self.trust.config(check, offer).await {
                Ok(config) => Some(config),
                Err(failure) => return untried(failure),
            },
            None => None,
        };
        if let [address] = *target.addresses {
            return probe_address(address, &target.monitor, tls, &self.programs, late).await;
        }
        let mut probes = JoinSet::new();
        for &address in target.addresses.iter() {
            let (monitor, tls) = (Arc::clone(&target.monitor), tls.clone());
            let programs = Arc::clone(&self.programs);
            probes.spawn(async move {
                (address, probe_address(address, &monitor, tls, &programs, late).await)
            });
        }
        sum_up(&target.addresses, probes.join_all().await)
    }
}

/// The result of a probe that this machine could not even begin.
fn untried(failure: Failure) -> ProbeResult {
    let mut trail = Trail::start();
    trail.phase = Phase::Tls;
    let (outcome, reason) = tell(failure, trail.phase);
    result(&trail, outcome, Some(reason))
}

async fn probe_address(
    address: SocketAddr,
    monitor: &Monitor,
    tls: Option<Arc<ClientConfig>>,
    programs: &Arc<Programs>,
    late: Duration,
) -> ProbeResult {
    let mut trail = Trail::start();
    let deadline = trail.started + monitor.timeout;
    let walked = timeout_at(deadline, walk(address, monitor, tls, programs, &mut trail)).await;
    let refused = matches!(&walked, Ok(Err(failure)) if failure.is_refusal());
    let (outcome, reason) = match walked {
        Ok(Ok(())) => (Outcome::Passed, None),
        Ok(Err(failure)) => {
            let (outcome, reason) = tell(failure, trail.phase);
            (outcome, Some(reason))
        }
        Err(_) => {
            let overdue = Instant::now().saturating_duration_since(deadline);
            let (outcome, reason) = time_out(&trail, monitor.timeout, late, overdue);
            (outcome, Some(reason))
        }
    };
    ProbeResult { refused, ..result(&trail, outcome, reason) }
}

/// What a failure says, and in which words.
fn tell(failure: Failure, phase: Phase) -> (Outcome, String) {
    match failure {
        Failure::Endpoint(text) => (Outcome::Failed, format!("{}: {text}", phase.label())),
        Failure::Answer(text) => (Outcome::Failed, text),
        Failure::Machine(text) => (Outcome::Void, format!("{}: {text}", phase.label())),
    }
}

/// What a time-out says: nothing, when Farol started the probe `late` or served its deadline `overdue` by more than a
/// quarter of the timeout, because then the time may have been lost here.
fn time_out(
    trail: &Trail,
    timeout: Duration,
    late: Duration,
    overdue: Duration,
) -> (Outcome, String) {
    let allowance = timeout / 4;
    let (phase, stuck, after) = (trail.phase.label(), trail.stuck, reason::duration(timeout));
    let told = match stuck {
        Some(stuck) => format!("{phase}: {stuck}: timed out after {after}"),
        None => format!("{phase}: timed out after {after}"),
    };
    let void = |how: &str, by: Duration| {
        (Outcome::Void, format!("{told}, but Farol itself {how} {} late", reason::duration(by)))
    };
    if late > allowance {
        void("started", late)
    } else if overdue > allowance {
        void("looked", overdue)
    } else {
        (Outcome::Failed, told)
    }
}

fn result(trail: &Trail, outcome: Outcome, reason: Option<String>) -> ProbeResult {
    ProbeResult {
        at: trail.at,
        outcome,
        phase: trail.phase,
        elapsed: trail.elapsed(),
        phases: trail.times,
        reason: reason.map(Arc::from),
        refused: false,
        certificate_expires: trail.certificate_expires,
    }
}

/// One result for all addresses: a failure of any is the endpoint's, told of the first in their order;
/// otherwise what says nothing, otherwise the slowest.
fn sum_up(addresses: &[SocketAddr], mut results: Vec<(SocketAddr, ProbeResult)>) -> ProbeResult {
    let rank = |it: &ProbeResult| match it.outcome {
        Outcome::Failed => (2, Duration::ZERO),
        Outcome::Void => (1, Duration::ZERO),
        Outcome::Passed => (0, it.elapsed),
    };
    let elapsed = results.iter().map(|(_, it)| it.elapsed).max();
    let certificate_expires = results.iter().filter_map(|(_, it)| it.certificate_expires).min();
    // The last of equals is the greatest, so the first in their order must come last.
    results.sort_by_key(|(address, _)| Reverse(addresses.iter().position(|it| it == address)));
    let Some((address, result)) = results.into_iter().max_by_key(|(_, it)| rank(it)) else {
        return untried(Failure::Machine("there is no address to probe".to_owned()));
    };
    ProbeResult {
        elapsed: elapsed.unwrap_or(result.elapsed),
        reason: result.reason.map(|reason| format!("{address}: {reason}").into()),
        certificate_expires,
        ..result
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::PhaseTimes;
    use crate::model::Timestamp;
    use crate::probe::testbed::monitor;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_time_out_that_may_be_our_own_fault_says_nothing() {
        let quarter = SECOND;
        let beyond = quarter + Duration::from_millis(1);
        for (late, overdue, outcome, reason) in [
            (Duration::ZERO, Duration::ZERO, Outcome::Failed, ""),
            (quarter, quarter, Outcome::Failed, ""),
            (beyond, Duration::ZERO, Outcome::Void, ", but Farol itself started 1001 ms late"),
            (Duration::ZERO, beyond, Outcome::Void, ", but Farol itself looked 1001 ms late"),
        ] {
            let mut trail = Trail::start();
            trail.phase = Phase::Tls;
            let told = time_out(&trail, 4 * SECOND, late, overdue);
            assert_eq!(told, (outcome, format!("tls: timed out after 4 s{reason}")));
        }
    }

    #[tokio::test]
    async fn what_an_endpoint_said_counts_however_late_we_were() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let tcp = monitor(Protocol::Tcp);
        let (late, programs) = (9 * tcp.timeout, Arc::default());
        assert_eq!(
            probe_address(address, &tcp, None, &programs, late).await.outcome,
            Outcome::Passed
        );
        drop(listener);
        assert_eq!(
            probe_address(address, &tcp, None, &programs, late).await.outcome,
            Outcome::Failed
        );
        let own = tell(Failure::Machine("no sockets".to_owned()), Phase::Connect);
        assert_eq!(own, (Outcome::Void, "connect: no sockets".to_owned()));
    }

    /// Sums up results written as outcome and seconds, '+' pass, '-' fail, '.' void; names the address that is told of.
    #[track_caller]
    fn check(results: &[(char, u32)], outcome: Outcome, told: usize) {
        let address = |it: usize| SocketAddr::from(([192, 0, 2, u8::try_from(it).unwrap()], 80));
        let addresses: Vec<_> = (0..results.len()).map(address).collect();
        let result = |(place, &(letter, seconds)): (usize, &(char, u32))| {
            let outcome = match letter {
                '+' => Outcome::Passed,
                '-' => Outcome::Failed,
                _ => Outcome::Void,
            };
            let result = ProbeResult {
                at: Timestamp(i64::try_from(place).unwrap()),
                outcome,
                phase: Phase::Connect,
                elapsed: SECOND * seconds,
                phases: PhaseTimes::default(),
                reason: (letter != '+').then(|| "why".into()),
                refused: false,
                certificate_expires: Some(Timestamp(i64::from(seconds))),
            };
            (addresses[place], result)
        };
        // Results come in any order.
        let results: Vec<_> = results.iter().enumerate().map(result).rev().collect();
        let slowest = results.iter().map(|(_, it)| it.elapsed).max().unwrap();
        let sum = sum_up(&addresses, results);
        assert_eq!((sum.outcome, sum.at), (outcome, Timestamp(i64::try_from(told).unwrap())));
        assert_eq!(sum.elapsed, slowest);
        assert_eq!(sum.certificate_expires, Some(Timestamp(1)));
        let reason = (outcome != Outcome::Passed).then(|| format!("192.0.2.{told}:80: why"));
        assert_eq!(sum.reason.as_deref(), reason.as_deref());
    }

    #[test]
    fn one_failure_fails_the_probe() {
        check(&[('+', 1), ('+', 3), ('+', 2)], Outcome::Passed, 1);
        check(&[('+', 9), ('-', 1), ('-', 2)], Outcome::Failed, 1);
        check(&[('.', 1), ('-', 1), ('+', 2)], Outcome::Failed, 1);
        check(&[('+', 1), ('+', 9), ('.', 2)], Outcome::Void, 2);
    }
}
