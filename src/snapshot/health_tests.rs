//! What is answered while endpoints fail, are drained or forced, by every method: docs/BEHAVIOUR.md's rules, one test for each.

use super::testbed::Bed;
use crate::model::{EndpointStatus, Family, ProfileStatus};
use crate::routing::Basis;

/// Every method with three endpoints that it would choose between for a client of 10.0.0.0/8, the first before the others.
const METHODS: [(&str, [&str; 3]); 6] = [
    ("priority", ["p=1", "p=2", "p=3"]),
    ("weighted", ["", "", ""]),
    ("performance", ["site=a at=0,10", "site=b at=0,20", "site=c at=0,30"]),
    ("geographic", ["geo=US-WA", "geo=US", "geo=WORLD"]),
    ("subnet", ["net=10.0.0.0/8", "net=11.0.0.0/8", ""]),
    ("multivalue", ["", "", ""]),
];
const GEO: &str = "spot 10.0.0.0/8 US-WA at=0,1";
const CLIENT: &str = "10.0.0.1";

/// A bed with `p` by each method; the rules are behind the method.
fn beds(rules: &str) -> impl Iterator<Item = (&'static str, Bed)> {
    METHODS.into_iter().map(move |(method, [a, b, c])| {
        (method, Bed::new(GEO, &[&format!("p {method} {rules}\n a {a}\n b {b}\n c {c}")]))
    })
}

/// What serves where all three are candidates.
fn all(method: &str) -> &'static str {
    match method {
        "weighted" => "a:33.3 b:33.3 c:33.3",
        "multivalue" => "a:66.7 b:66.7 c:66.7",
        _ => "a",
    }
}

#[test]
fn every_status_by_what_it_follows_from() {
    use EndpointStatus::*;
    let mut bed =
        Bed::new("", &["p weighted\n a\n b\n n unmonitored", "q weighted off\n a\n b off"]);
    let status = |bed: &Bed, name: &str, at: usize| bed.table(name).endpoints[at].status;
    assert_eq!([0, 1].map(|it| status(&bed, "q", it)), [Inactive, Disabled]);
    for (changes, expected) in [
        ("p/a new", CheckingEndpoint),
        ("p/a up", Online),
        ("p/a down", Degraded),
        ("p/a forced-up", Online),
        ("p/a drained", Drained),
        ("p/a off", Disabled),
        ("p/a on forced-down", Drained),
        ("p/a undrained up", Degraded),
        ("p/a unforced", Online),
    ] {
        bed.after(1, changes);
        assert_eq!(status(&bed, "p", 0), expected, "{changes}");
    }
    assert_eq!(status(&bed, "p", 2), Unmonitored);
    for (word, expected) in [("forced-down", Degraded), ("unforced drained", Drained)] {
        bed.after(2, &format!("p/n {word}"));
        assert_eq!(status(&bed, "p", 2), expected);
    }
}

#[test]
fn a_profile_is_summed_up_from_its_endpoints() {
    use ProfileStatus::*;
    let mut bed =
        Bed::new("", &["q weighted off\n a", "e weighted", "p weighted\n a\n b\n c unmonitored"]);
    assert_eq!((bed.table("q").status, bed.table("e").status), (Disabled, Inactive));
    for (changes, expected) in [
        ("", Online),
        ("p/a down", Degraded),
        ("p/a drained", Online),
        ("p/b new", Online),
        ("p/c off", CheckingEndpoints),
        ("p/b off", Inactive),
        ("p/a undrained", Degraded),
    ] {
        bed.after(1, changes);
        assert_eq!(bed.table("p").status, expected, "{changes}");
    }
}

#[test]
fn checking_and_unmonitored_endpoints_are_candidates() {
    let mut bed = Bed::new("", &["p weighted\n a\n b unmonitored\n c"]);
    bed.after(1, "p/a new\np/c down").check("p", CLIENT, "a:50 b:50");
}

#[test]
fn a_degraded_endpoint_is_left_in_every_method() {
    for (method, mut bed) in beds("") {
        bed.check("p", CLIENT, all(method));
        bed.after(1, "p/a down");
        let next = match method {
            "weighted" => "b:50 c:50",
            "multivalue" => "b c",
            "subnet" => "c",
            _ => "b",
        };
        bed.check("p", CLIENT, next);
        for word in ["up drained", "undrained off", "on forced-down"] {
            bed.after(2, &format!("p/a {word}")).check("p", CLIENT, next);
        }
        bed.after(3, "p/a forced-up").check("p", CLIENT, all(method));
    }
}

#[test]
fn none_healthy_follows_the_rule_in_every_method() {
    let down = "p/a down\np/b down\np/c down";
    for (rule, expected) in
        [("fallback", "fallback"), ("nodata", "nodata"), ("servfail", "servfail")]
    {
        for (method, mut bed) in beds(&format!("none={rule}")) {
            bed.check("p", CLIENT, all(method));
            bed.after(1, down);
            bed.check_family("p", Family::V4, CLIENT, expected);
            let six = if rule == "fallback" { "nodata" } else { expected };
            bed.check_family("p", Family::V6, CLIENT, six);
            assert!(bed.table("p").is_fail_open());
            bed.after(2, "p/c up");
            assert_eq!(bed.table("p").basis(Family::V4), Basis::Healthy);
        }
    }
    for (method, mut bed) in beds("none=serve_all") {
        bed.after(1, down).check("p", CLIENT, all(method));
        assert_eq!(bed.table("p").basis(Family::V6), Basis::NoneHealthy);
    }
    for (method, mut bed) in beds("none=last_healthy") {
        bed.after(1, "p/a down").after(2, down);
        let last = match method {
            "weighted" => "b:50 c:50",
            "multivalue" => "b c",
            "subnet" => "c",
            _ => "b",
        };
        bed.check("p", CLIENT, last);
        bed.after(3, "").check("p", CLIENT, last);
    }
    for (method, mut bed) in beds("none=last_healthy") {
        bed.after(1, down).check("p", CLIENT, all(method));
    }
}

#[test]
fn drained_and_disabled_endpoints_are_not_revived_unless_all_are_drained() {
    for (method, mut bed) in beds("") {
        bed.after(1, "p/a drained\np/b off\np/c down");
        bed.check("p", CLIENT, "c");
        bed.after(2, "p/c drained");
        // All that are in service are drained: those that pass their probes come back.
        bed.check("p", CLIENT, "a");
        bed.after(3, "p/a down");
        let both = match method {
            "weighted" => "a:50 c:50",
            "multivalue" => "a c",
            _ => "a",
        };
        bed.check("p", CLIENT, both);
        bed.after(4, "p/a off\np/c off").check("p", CLIENT, "nodata");
    }
}

#[test]
fn one_healthy_family_keeps_the_other_from_failing_open() {
    for method in ["weighted", "multivalue", "priority any"] {
        let mut bed = Bed::new("", &[&format!("p {method}\n four 4\n six 6")]);
        bed.after(1, "p/six down");
        bed.check_family("p", Family::V4, CLIENT, "four");
        bed.check_family("p", Family::V6, CLIENT, "nodata");
        bed.after(2, "p/four down");
        bed.check_family("p", Family::V6, CLIENT, "six");
    }
}

#[test]
fn a_name_without_an_address_takes_no_traffic_in_any_method() {
    let first = ["p=1", "w=99", "site=a at=0,10", "geo=US-WA", "net=10.0.0.0/8", "w=99"];
    for ((method, [_, b, c]), a) in METHODS.into_iter().zip(first) {
        for word in ["", "unmonitored"] {
            let text = format!("p {method}\n a flat {word} {a}\n b {b}\n c {c}");
            let mut bed = Bed::new(GEO, &[&text, "up priority\n p child=p\n d"]);
            let next = match method {
                "weighted" => "b:50 c:50",
                "multivalue" => "b c",
                "subnet" => "c",
                _ => "b",
            };
            bed.check("p", CLIENT, next);
            bed.after(1, "p/b down\np/c down");
            assert!(bed.table("p").is_fail_open(), "{method}");
            bed.check("p", CLIENT, next).check("up", CLIENT, "d");
            bed.after(2, "p/a resolved").check("p", CLIENT, "a").check("up", CLIENT, "p/a");
        }
    }
}

#[test]
fn panic_treats_all_as_healthy_below_the_threshold_in_every_method() {
    for (method, mut bed) in beds("panic=50") {
        bed.after(1, "p/a down");
        assert_eq!(bed.table("p").basis(Family::V4), Basis::Healthy, "two thirds are healthy");
        bed.after(2, "p/b down");
        assert_eq!(bed.table("p").basis(Family::V4), Basis::Panic, "one third is healthy");
        bed.check("p", CLIENT, all(method));
        // By weight: half of it is healthy.
        bed.after(3, "p/c w=2");
        assert_eq!(bed.table("p").basis(Family::V4), Basis::Healthy);
        // Drained ones count on neither side.
        bed.after(4, "p/a drained w=9");
        assert_eq!(bed.table("p").basis(Family::V4), Basis::Healthy);
    }
    for (_, mut bed) in beds("") {
        bed.after(1, "p/a down\np/b down");
        assert_eq!(bed.table("p").basis(Family::V4), Basis::Healthy, "it is off by default");
    }
}
