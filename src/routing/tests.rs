use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::model::{
    Addresses, Affinity, Endpoint, Failback, Flap, Geography, Monitor, ProbeTarget, Protocol,
    Sources, Target,
};

fn profile(method: Method) -> Profile {
    Profile {
        name: "app.example.".parse().unwrap(),
        enabled: true,
        method,
        ttl: 30,
        ttl_min: None,
        family: FamilyRule::ByMethod,
        max_return: 2,
        affinity: None,
        failback: Failback::Automatic,
        geo_failover: true,
        when_none_healthy: WhenNoneHealthy::ServeAll,
        panic_threshold: 0,
        guardrails: crate::model::Guardrails::default(),
        endpoints: Vec::new(),
    }
}

/// Reads "status weight priority families", e.g. "Online 5 1 46", "x" where all that there is is SERVFAIL, or "-" for a name
/// without an address: with a `!` behind, it was among the last healthy; with a `+`, it would be healthy if it were not drained.
fn member(text: &str) -> Member {
    let words: Vec<&str> = text.split_whitespace().collect();
    let plain = words[0].trim_end_matches(['!', '+']);
    let status = EndpointStatus::ALL.into_iter().find(|it| it.label() == plain).unwrap();
    Member {
        status,
        healthy: status.is_healthy() || words[0].ends_with('+'),
        last_healthy: words[0].ends_with('!'),
        weight: words[1].parse().unwrap(),
        priority: words[2].parse().unwrap(),
        ramp: 1.0,
        key: 0,
        families: [words[3].contains('4'), words[3].contains('6')],
        fails: words[3] == "x",
        resolved: words[3] != "-",
    }
}

/// Names what is answered in a family: "a:80 b:20" (percent), or "fallback", "nodata", "servfail".
fn answered(profile: &Profile, members: &[&str], family: Family) -> String {
    let members: Vec<Member> = members.iter().map(|it| member(it)).collect();
    let prepared = prepare(profile, &members, &Geography::default(), family, &[]);
    match prepared.source {
        Source::Fallback => "fallback".to_owned(),
        Source::NoData => "nodata".to_owned(),
        Source::ServFail => "servfail".to_owned(),
        Source::Members(chooser) => {
            let shares = chooser.shares(None, members.len()).unwrap();
            let share = |(letter, share): (char, &f64)| (letter, (share * 100.0).round());
            let shares = ('a'..).zip(&shares).map(share).filter(|(_, share)| *share > 0.0);
            shares.map(|(letter, share)| format!("{letter}:{share}")).collect::<Vec<_>>().join(" ")
        }
    }
}

#[track_caller]
fn check(profile: &Profile, members: &[&str], v4: &str, v6: &str) {
    assert_eq!(answered(profile, members, Family::V4), v4, "A of {members:?}");
    assert_eq!(answered(profile, members, Family::V6), v6, "AAAA of {members:?}");
}

#[test]
fn weighted_shares_among_healthy_endpoints_with_an_address() {
    let profile = profile(Method::Weighted);
    check(&profile, &["Online 80 1 46", "Online 20 2 4"], "a:80 b:20", "a:100");
    check(&profile, &["Degraded 80 1 46", "Online 20 2 4"], "b:100", "nodata");
    check(&profile, &["CheckingEndpoint 1 1 4", "Unmonitored 1 1 4"], "a:50 b:50", "nodata");
    check(&profile, &["Disabled 1 1 4", "Drained+ 1 1 4", "Online 1 1 4"], "c:100", "nodata");
    check(&profile, &["Degraded 9 1 -", "Degraded 1 1 x"], "b:100", "b:100");
    check(&profile, &["Degraded 9 1 6", "Degraded 1 1 x"], "nodata", "a:100");
    check(&profile, &["Degraded 1 1 -", "Disabled 1 1 x"], "nodata", "nodata");
}

#[test]
fn weight_zero_serves_only_beside_zeroes() {
    for method in [Method::Weighted, Method::Priority] {
        let profile = profile(method);
        check(&profile, &["Online 0 1 46", "Online 5 1 46"], "b:100", "b:100");
        check(&profile, &["Online 0 1 46", "Degraded 5 1 46"], "a:100", "a:100");
        check(&profile, &["Online 0 1 46", "Online 0 1 46"], "a:50 b:50", "a:50 b:50");
    }
}

#[test]
fn zero_beside_weight_of_another_family_serves_its_own() {
    check(&profile(Method::Weighted), &["Online 0 1 6", "Online 5 1 4"], "b:100", "a:100");
}

#[test]
fn priority_takes_the_lowest_that_has_a_candidate() {
    let profile = profile(Method::Priority);
    check(&profile, &["Online 1 2 46", "Online 1 1 46"], "b:100", "b:100");
    check(
        &profile,
        &["Degraded 1 1 46", "Online 3 2 46", "Online 1 2 46"],
        "b:75 c:25",
        "b:75 c:25",
    );
    check(&profile, &["Drained+ 1 1 46", "Disabled 1 2 46", "Online 1 3 46"], "c:100", "c:100");
}

/// The table names the place even when it has no address of the family: the answer is then NODATA, and not another place.
#[test]
fn priority_chooses_the_place_before_the_family() {
    let mut profile = profile(Method::Priority);
    let members = ["Online 1 1 4", "Online 1 2 46"];
    check(&profile, &members, "a:100", "a:100");
    profile.family = FamilyRule::Any;
    check(&profile, &members, "a:100", "b:100");
}

#[test]
fn none_healthy_follows_the_rule() {
    let down = ["Degraded 3 1 46", "Degraded! 1 2 46", "Disabled! 1 3 46", "Drained 1 4 46"];
    let fallback = WhenNoneHealthy::Fallback(Addresses::default());
    for (rule, weighted, priority) in [
        (WhenNoneHealthy::ServeAll, "a:75 b:25", "a:100"),
        (WhenNoneHealthy::LastHealthy, "b:100", "b:100"),
        (fallback, "fallback", "fallback"),
        (WhenNoneHealthy::NoData, "nodata", "nodata"),
        (WhenNoneHealthy::ServFail, "servfail", "servfail"),
    ] {
        for (method, expected) in [(Method::Weighted, weighted), (Method::Priority, priority)] {
            let mut profile = profile(method);
            profile.when_none_healthy = rule.clone();
            check(&profile, &down, expected, expected);
        }
    }
}

#[test]
fn last_healthy_serves_all_where_none_ever_was() {
    let mut profile = profile(Method::Weighted);
    profile.when_none_healthy = WhenNoneHealthy::LastHealthy;
    check(&profile, &["Degraded 1 1 4", "Degraded 1 1 4"], "a:50 b:50", "nodata");
}

#[test]
fn one_healthy_family_keeps_the_other_from_failing_open() {
    check(&profile(Method::Weighted), &["Online 1 1 4", "Degraded 1 1 6"], "a:100", "nodata");
    check(&profile(Method::Weighted), &["Degraded 1 1 4", "Degraded 1 1 6"], "a:100", "b:100");
}

#[test]
fn drained_endpoints_come_back_only_when_all_are_drained() {
    let profile = profile(Method::Weighted);
    check(&profile, &["Drained+ 1 1 4", "Degraded 1 1 4"], "b:100", "nodata");
    check(&profile, &["Drained 1 1 4", "Drained+ 1 1 4", "Disabled 1 1 4"], "b:100", "nodata");
    check(&profile, &["Drained 1 1 4", "Drained 1 1 4"], "a:50 b:50", "nodata");
}

/// Who has nothing to answer with takes no traffic, by any method, and keeps nobody from failing open.
#[test]
fn a_name_without_an_address_is_no_candidate() {
    for (members, expected) in [
        (["Online 1 1 -", "Online 1 2 46"], "b:100"),
        (["Unmonitored 9 1 -", "Degraded 1 2 46"], "b:100"),
        (["CheckingEndpoint 1 1 -", "Drained+ 1 2 46"], "b:100"),
        (["Drained+ 1 1 -", "Drained 1 2 46"], "b:100"),
        (["Degraded! 1 1 -", "Degraded 1 2 46"], "b:100"),
        (["Degraded 1 1 -", "CheckingEndpoint 1 2 -"], "nodata"),
        (["Drained+ 1 1 -", "Disabled 1 2 46"], "nodata"),
    ] {
        for rule in [WhenNoneHealthy::ServeAll, WhenNoneHealthy::LastHealthy] {
            for method in [Method::Weighted, Method::Priority] {
                let mut profile = profile(method);
                profile.when_none_healthy = rule.clone();
                check(&profile, &members, expected, expected);
            }
        }
    }
    let mut profile = profile(Method::Priority);
    profile.panic_threshold = 60;
    check(&profile, &["Online 1 1 -", "Degraded 1 2 46", "Online 1 3 46"], "b:100", "b:100");
    profile.when_none_healthy = WhenNoneHealthy::Fallback(Addresses::default());
    check(&profile, &["CheckingEndpoint 1 1 -"], "fallback", "fallback");
    let members = ["Online 1 1 -", "Degraded 1 1 -", "Online 1 1 4"].map(member);
    let prepared = prepare(&profile, &members, &Geography::default(), Family::V4, &[]);
    use Standing::*;
    assert_eq!(*prepared.standings, [Unresolved, Degraded, Candidate]);
}

#[test]
fn nothing_in_service_is_nodata_whatever_the_rule() {
    for rule in [WhenNoneHealthy::ServeAll, WhenNoneHealthy::ServFail] {
        let mut profile = profile(Method::Weighted);
        profile.when_none_healthy = rule;
        check(&profile, &["Disabled 1 1 46", "Disabled 1 1 46"], "nodata", "nodata");
        check(&profile, &["Inactive 1 1 46"], "nodata", "nodata");
        check(&profile, &[], "nodata", "nodata");
    }
}

#[test]
fn panic_revives_the_degraded_below_the_threshold_of_weight() {
    let mut profile = profile(Method::Weighted);
    profile.panic_threshold = 50;
    check(&profile, &["Online 49 1 4", "Degraded 51 1 4"], "a:49 b:51", "nodata");
    check(&profile, &["Online 50 1 4", "Degraded 50 1 4"], "a:100", "nodata");
    let aside = ["Online 1 1 4", "Drained 99 1 4", "Disabled 99 1 4"];
    check(&profile, &aside, "a:100", "nodata");
    check(
        &profile,
        &["Online 0 1 4", "Degraded 0 1 4", "Degraded 0 1 4"],
        "a:33 b:33 c:33",
        "nodata",
    );
    profile.when_none_healthy = WhenNoneHealthy::NoData;
    check(&profile, &["Degraded 1 1 4"], "nodata", "nodata");
}

#[test]
fn every_endpoint_is_told_why_it_is_out() {
    let mut profile = profile(Method::Priority);
    let members = [
        "Online 1 1 46",
        "Online 0 1 46",
        "Online 1 2 46",
        "Degraded 1 1 46",
        "Drained 1 1 46",
        "Disabled 1 1 46",
        "Online 1 1 4",
    ];
    profile.family = FamilyRule::Any;
    let members: Vec<Member> = members.into_iter().map(member).collect();
    let prepared = prepare(&profile, &members, &Geography::default(), Family::V6, &[]);
    use Standing::*;
    let expected = [Candidate, ZeroWeight, LowerPriority, Degraded, Drained, Disabled, NoAddress];
    assert_eq!(*prepared.standings, expected);
    assert_eq!(prepared.basis, Basis::Healthy);
}

#[test]
fn affinity_keeps_clients_together_in_every_method() {
    let geography = Geography::default();
    for method in Method::ALL {
        let mut profile = profile(method);
        profile.affinity = Some(Affinity { prefix4: 24, prefix6: 56 });
        let members = ["Online 3 1 4", "Online 2 1 4", "Online 1 1 4"].map(member);
        let members = [0, 1, 2].map(|at: usize| Member { key: mix(at as u64), ..members[at] });
        profile.endpoints = ["a", "b", "c"].map(|it| endpoint(it, "WORLD")).into();
        let prepared = prepare(&profile, &members, &geography, Family::V4, &[]);
        let Source::Members(chooser) = prepared.source else { panic!("{method:?}") };
        let picked = |client: [u8; 4], sequence| {
            let client = Client::new(client.into(), &geography);
            let pick = chooser.pick(&client, Draw { seed: 1, sequence });
            (pick.members().collect::<Vec<_>>(), pick.scope)
        };
        for network in 0..50 {
            let (first, scope) = picked([192, 0, network, 1], 0);
            assert!(!first.is_empty(), "{method:?}");
            assert_eq!(scope, if method == Method::Geographic { 0 } else { 24 }, "{method:?}");
            assert_eq!(picked([192, 0, network, 250], 7), (first, scope), "{method:?}");
        }
    }
}

fn endpoint(name: &str, geo: &str) -> Endpoint {
    let flap =
        Flap { count: 0, window: Duration::ZERO, hold_down: Duration::ZERO, max: Duration::ZERO };
    let monitor = Monitor {
        protocol: Protocol::None,
        interval: Duration::from_secs(10),
        timeout: Duration::from_secs(5),
        fast_interval: Duration::from_secs(5),
        tolerated_failures: 3,
        required_successes: 2,
        flap,
        source: Sources::default(),
        watch_connection: false,
    };
    Endpoint {
        name: name.parse().unwrap(),
        site: None,
        target: Target::Addresses(Addresses::default()),
        enabled: true,
        weight: 1,
        priority: 1,
        geo: [geo.parse().unwrap()].into(),
        subnets: Box::default(),
        location: None,
        capacity: 1,
        slow_start: Duration::ZERO,
        probe: ProbeTarget { addresses: [].into(), host: None, monitor: Arc::new(monitor) },
    }
}
