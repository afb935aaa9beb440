//! What answers say of a name, and when to ask again. Pure.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::health::{Resolution, Trouble};
use crate::model::{Addresses, Moment, Timestamp};

/// How soon a name is asked for again that has addresses, at the earliest and at the latest.
const SHORTEST: u32 = 5;
const LONGEST: u32 = 3600;
/// How soon one that has none, or of whom nobody could be asked: at first, and at last.
const FIRST_RETRY: Duration = Duration::from_secs(1);
const LAST_RETRY: Duration = Duration::from_secs(60);
/// Addresses of one name that are looked at; as many as an endpoint may have.
const MOST: usize = 64;

/// What came of asking for one record type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// There are addresses, which may be kept for so many seconds.
    Found(Vec<IpAddr>, u32),
    /// The name has none of this type.
    NoData,
    /// There is no such name.
    NxDomain,
    /// Nobody who was asked could say, for this reason.
    Failed(String),
}

/// What both answers, to A and to AAAA, make of what was known. Where only one type could be asked for, the other's addresses
/// stay; where no address is left, all do, with what is the matter beside them.
pub(super) fn judge(
    before: &Resolution,
    answers: [Answer; 2],
    now: (Timestamp, Moment),
) -> Resolution {
    let [v4, v6] = &answers;
    let (mut ttl, mut found, mut failed) = (None, Vec::new(), None);
    for (answer, is_v4) in [(v4, true), (v6, false)] {
        match answer {
            Answer::Found(addresses, seconds) => {
                ttl = Some(ttl.unwrap_or(u32::MAX).min(*seconds));
                found.extend(addresses.iter().copied().filter(|it| is_usable(*it)));
            }
            Answer::NoData | Answer::NxDomain => {}
            Answer::Failed(why) => {
                failed.get_or_insert(why);
                found.extend(before.addresses.iter().filter(|it| it.is_ipv4() == is_v4));
            }
        }
    }
    // Servers turn them round with each answer.
    found.sort_unstable();
    found.dedup();
    found.truncate(MOST);
    let trouble = |known: &Resolution, reason: &str, is_final| {
        let reason: Arc<str> = reason.into();
        Resolution {
            failed: Some((now.0, reason.clone())),
            trouble: Some(Trouble { reason, is_final }),
            failures: known.failures + 1,
            ..known.clone()
        }
    };
    match (ttl, failed) {
        (Some(ttl), failed) if !found.is_empty() => {
            let addresses = Addresses::from_iter(found);
            let same = *before.addresses == addresses;
            let found = Resolution {
                addresses: if same { before.addresses.clone() } else { Arc::new(addresses) },
                ttl: ttl.clamp(SHORTEST, LONGEST),
                at: Some(now),
                trouble: None,
                ..before.clone()
            };
            match failed {
                Some(why) => trouble(&found, why, false),
                None => found,
            }
        }
        (_, Some(why)) => trouble(before, why, false),
        (_, None) if [v4, v6].contains(&&Answer::NxDomain) => trouble(before, "NXDOMAIN", true),
        (_, None) => trouble(before, "no address", true),
    }
}

/// When to ask for it again, after so many tries in a row that brought trouble.
pub(super) fn pause(resolution: &Resolution, troubles: u32) -> Duration {
    if resolution.trouble.is_none() {
        return Duration::from_secs(resolution.ttl.into());
    }
    let pause = FIRST_RETRY.saturating_mul(1 << troubles.saturating_sub(1).min(16)).min(LAST_RETRY);
    // What is there still runs out.
    let left = Duration::from_secs(resolution.ttl.max(SHORTEST).into());
    if resolution.reach().is_ok() { pause.min(left) } else { pause }
}

/// Whether a machine can have this address.
fn is_usable(address: IpAddr) -> bool {
    let is_broadcast = matches!(address, IpAddr::V4(it) if it.is_broadcast());
    !address.is_unspecified() && !address.is_multicast() && !is_broadcast
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: (Timestamp, Moment) = (Timestamp(7), Moment(Duration::from_secs(7)));

    fn found(addresses: &[&str], ttl: u32) -> Answer {
        Answer::Found(addresses.iter().map(|it| it.parse().unwrap()).collect(), ttl)
    }

    fn failed() -> Answer {
        Answer::Failed("timed out".to_owned())
    }

    fn known(addresses: &[&str]) -> Resolution {
        judge(&Resolution::default(), [found(addresses, 30), Answer::NoData], NOW)
    }

    #[track_caller]
    fn check(
        before: &Resolution,
        answers: [Answer; 2],
        addresses: &[&str],
        ttl: u32,
        trouble: Option<(&str, bool)>,
    ) {
        let after = judge(before, answers, NOW);
        let shown: Vec<String> = after.addresses.iter().map(|it| it.to_string()).collect();
        assert_eq!(
            (shown, after.ttl),
            (addresses.iter().map(|it| (*it).to_owned()).collect(), ttl)
        );
        let told = after.trouble.as_ref().map(|it| (&*it.reason, it.is_final));
        assert_eq!(told, trouble);
        let failed = after.failed.as_ref().map(|(at, why)| (*at, &**why));
        assert_eq!(failed, trouble.map(|(why, _)| (NOW.0, why)));
        assert_eq!(after.asked(), Some(NOW.0));
        assert_eq!(after.failures - before.failures, u64::from(trouble.is_some()));
    }

    #[test]
    fn both_types_make_one_set_that_lasts_as_long_as_the_shorter() {
        let none = Resolution::default();
        let (v4, v6) = (found(&["192.0.2.2", "192.0.2.1"], 300), found(&["2001:db8::1"], 60));
        let all = ["192.0.2.1", "192.0.2.2", "2001:db8::1"];
        check(&none, [v4.clone(), v6.clone()], &all, 60, None);
        check(&none, [v4.clone(), Answer::NoData], &all[..2], 300, None);
        check(&none, [Answer::NoData, v6], &all[2..], 60, None);
        check(&none, [found(&["192.0.2.1"], 0), Answer::NoData], &all[..1], 5, None);
        check(&none, [found(&["192.0.2.1"], 86_400), Answer::NoData], &all[..1], 3600, None);
        let odd = found(&["0.0.0.0", "224.0.0.1", "255.255.255.255", "192.0.2.1"], 9);
        check(&none, [odd, Answer::NoData], &all[..1], 9, None);
    }

    #[test]
    fn addresses_in_another_order_are_the_same() {
        let before = known(&["192.0.2.1", "192.0.2.2"]);
        let turned = found(&["192.0.2.2", "192.0.2.1"], 30);
        let after = judge(&before, [turned, Answer::NoData], NOW);
        assert!(Arc::ptr_eq(&before.addresses, &after.addresses));
    }

    #[test]
    fn what_was_good_stays_when_nothing_better_comes() {
        let before = known(&["192.0.2.1"]);
        let kept = ["192.0.2.1"];
        check(&before, [failed(), failed()], &kept, 30, Some(("timed out", false)));
        check(&before, [failed(), Answer::NoData], &kept, 30, Some(("timed out", false)));
        check(&before, [Answer::NoData, failed()], &kept, 30, Some(("timed out", false)));
        check(&before, [Answer::NxDomain, Answer::NxDomain], &kept, 30, Some(("NXDOMAIN", true)));
        check(&before, [Answer::NoData, Answer::NoData], &kept, 30, Some(("no address", true)));
        let odd = found(&["0.0.0.0"], 9);
        check(&before, [odd, Answer::NoData], &kept, 30, Some(("no address", true)));
        let both = ["192.0.2.1", "2001:db8::1"];
        let half = [failed(), found(&["2001:db8::1"], 9)];
        check(&before, half, &both, 9, Some(("timed out", false)));
        let none = Resolution::default();
        check(&none, [failed(), failed()], &[], 0, Some(("timed out", false)));
    }

    #[test]
    fn the_last_failure_is_known_after_it_is_over() {
        let lost = judge(&known(&["192.0.2.1"]), [failed(), failed()], NOW);
        let later = (Timestamp(9), Moment(Duration::from_secs(9)));
        let good = judge(&lost, [found(&["192.0.2.2"], 30), Answer::NoData], later);
        assert_eq!(
            (&good.trouble, good.failed.clone()),
            (&None, Some((NOW.0, "timed out".into())))
        );
        assert_eq!((good.failures, good.asked()), (1, Some(later.0)));
    }

    #[test]
    fn a_name_is_asked_for_when_it_runs_out_and_ever_later_while_there_is_trouble() {
        let good = known(&["192.0.2.1"]);
        let seconds = |resolution: &Resolution, troubles| pause(resolution, troubles).as_secs();
        assert_eq!(seconds(&good, 0), 30);
        let gone = judge(&good, [Answer::NxDomain, Answer::NxDomain], NOW);
        let pauses =
            |it: &Resolution| (1..9).map(|troubles| seconds(it, troubles)).collect::<Vec<_>>();
        assert_eq!(pauses(&gone), [1, 2, 4, 8, 16, 32, 60, 60]);
        let lost = judge(&good, [failed(), failed()], NOW);
        assert_eq!(pauses(&lost), [1, 2, 4, 8, 16, 30, 30, 30]);
    }
}
