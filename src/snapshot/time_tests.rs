//! What follows from what was: slow starts, failback by hand, and how long answers may be kept.

use super::testbed::Bed;
use crate::model::{Family, Now};
use crate::routing::Draw;

const CLIENT: &str = "10.0.0.1";

/// Every method, with `a` starting slowly in 90 s, and who serves besides it.
const METHODS: [(&str, &str, &str); 6] = [
    ("priority", "p weighted\n a slow=90\n b", ""),
    ("priority", "p priority\n a p=1 slow=90\n b p=2", "a b"),
    ("performance", "p performance\n a site=a at=0,2 slow=90\n b site=b at=0,9", "a b"),
    ("geographic", "p geographic\n a geo=US slow=90\n b geo=WORLD", "a b"),
    ("subnet", "p subnet\n a net=10.0.0.0/8 slow=90\n b", "a b"),
    ("multivalue", "p multivalue max=1\n a slow=90\n b", ""),
];
const GEO: &str = "spot 10.0.0.0/8 US at=0,1";

#[test]
fn slow_start_ramps_from_a_tenth_to_all_and_falls_to_the_next_in_every_method() {
    for (method, text, order) in METHODS {
        // Where both share, the ramp is a part of a half.
        let whole = if order.is_empty() { 0.5 } else { 1.0 };
        for (leaves, returns) in [("down", "up"), ("drained", "undrained"), ("off", "on")] {
            let mut bed = Bed::new(GEO, &[text]);
            bed.after(10, &format!("p/a {leaves}")).check("p", CLIENT, "b");
            bed.after(20, &format!("p/a {returns}"));
            for (at, part) in [(20, 10.0), (50, 40.0), (80, 70.0), (109, 99.0), (110, 100.0)] {
                bed.publish(at);
                let shares = bed.shares("p", Family::V4, CLIENT);
                let seen = shares.get("a").copied().unwrap_or_default();
                assert!((seen - part * whole).abs() < 3.0, "{method} {leaves} at {at}: {shares:?}");
                let ramp = bed.table("p").endpoints[0].ramp.map(|it| it.part);
                assert_eq!(ramp.is_none(), at == 110);
                assert!(
                    (f64::from(bed.table("p").endpoints[0].part()) * 100.0 - part).abs() < 0.01
                );
            }
        }
    }
}

#[test]
fn slow_start_is_of_recoveries_undrains_and_enabling_alone() {
    let mut bed = Bed::new("", &["p weighted\n a slow=90\n b"]);
    let ramps = |bed: &Bed| bed.table("p").endpoints[0].ramp.is_some();
    assert!(!ramps(&bed), "not at the start");
    for (at, changes, expected) in [
        (1, "p/a off", false),
        (2, "p/a on", true),
        (100, "p/a new", false),
        (101, "p/a up", false),
        (102, "p/a off new", false),
        (103, "p/a on", true),
        (104, "p/a up", true),
        (105, "p/a down", false),
        (106, "p/a off", false),
        (107, "p/a on", false),
        (108, "p/a up", true),
        (109, "p/a down", false),
        (110, "p/a drained up", false),
        (111, "p/a undrained", true),
        (112, "p/a forced-down", false),
        (113, "p/a unforced", true),
        (300, "", false),
    ] {
        bed.after(at, changes);
        assert_eq!(ramps(&bed), expected, "{at} {changes}");
    }
    for (before, after, expected) in [
        ("a slow=90 off", "a slow=90", true),
        ("a slow=90 off", "a", false),
        ("a slow=90 off", "a slow=90 off", false),
        ("b", "a slow=90", false),
    ] {
        let first = Bed::new("", &[&format!("p weighted\n {before}\n c")]);
        let mut next = Bed::new("", &[&format!("p weighted\n {after}\n c")]);
        assert!(!ramps(&first) && !ramps(&next), "not at the start");
        next.snapshot.profiles = first.snapshot.profiles;
        assert_eq!(ramps(next.publish(1)), expected, "{before}, then {after}");
    }
    let first = Bed::new("", &["p weighted off\n a slow=90\n c"]);
    let mut next = Bed::new("", &["p weighted\n a slow=90\n c"]);
    next.snapshot.profiles = first.snapshot.profiles;
    assert!(!ramps(next.publish(1)), "not with its profile");
}

/// What stands for a profile starts slowly however that went out of service.
#[test]
fn slow_start_is_of_nested_profiles_too() {
    for (leaves, returns) in [
        ("us/a drained", "us/a undrained"),
        ("us/a down", "us/a up"),
        ("us/a off", "us/a on"),
        ("p/us drained", "p/us undrained"),
        ("us/a drained\np/us drained", "us/a undrained\np/us undrained"),
    ] {
        let parent = "p weighted\n us child=us slow=90\n eu";
        let mut bed = Bed::new("", &["us weighted\n a", parent]);
        bed.after(1, leaves).check("p", CLIENT, "eu");
        bed.after(2, returns).check("p", CLIENT, "us/a:5 eu:95");
        bed.publish(92).check("p", CLIENT, "us/a:50 eu:50");
    }
}

#[test]
fn slow_start_is_cut_short_by_a_new_failure_and_begins_anew() {
    let mut bed = Bed::new("", &["p weighted\n a slow=90\n b"]);
    bed.after(10, "p/a down").after(20, "p/a up").publish(80);
    assert!((bed.table("p").endpoints[0].part() - 0.7).abs() < 1e-3);
    bed.after(81, "p/a down").check("p", CLIENT, "b");
    bed.after(90, "p/a up").check("p", CLIENT, "a:5 b:95");
}

#[test]
fn whoever_starts_slowly_alone_serves_nonetheless() {
    for (_, text, _) in METHODS {
        let mut bed = Bed::new(GEO, &[text]);
        bed.after(10, "p/a down").after(20, "p/a up\np/b down").check("p", CLIENT, "a");
    }
    let mut bed = Bed::new("", &["p multivalue\n a slow=90\n b slow=90\n c"]);
    bed.after(1, "p/a down\np/b down").after(2, "p/a up\np/b up\np/c down").publish(2);
    let shares = bed.shares("p", Family::V4, CLIENT);
    assert!(shares.keys().eq(["a", "b"]), "{shares:?}");
}

#[test]
fn slow_start_keeps_ties_fair() {
    let text = "p performance\n a at=1,1 site=a slow=90\n b at=1,1 site=a\n c at=1,1 site=c";
    let mut bed = Bed::new("spot 10.0.0.0/8 US at=0,1", &[text]);
    bed.after(1, "p/a down").after(2, "p/a up").check("p", CLIENT, "a:3.3 b:48.3 c:48.3");
}

const MANUAL: &str = "p priority manual\n a p=1\n b p=2\n c p=3";

#[test]
fn manual_failback_waits_through_recoveries_publications_and_reloads() {
    let mut bed = Bed::new("", &[MANUAL]);
    bed.check("p", CLIENT, "a");
    bed.after(1, "p/a down").check("p", CLIENT, "b");
    bed.after(2, "p/a up").check("p", CLIENT, "b");
    bed.after(3, "p/c down").after(4, "p/c up").check("p", CLIENT, "b");
    bed.after(5, "p/a down").after(6, "p/a up").check("p", CLIENT, "b");
    // The same endpoints, configured in another order and otherwise.
    let mut other = Bed::new("", &["p priority manual ttl=7\n c p=3\n b p=2\n a p=1"]);
    other.facts[0].reverse();
    std::mem::swap(&mut other.snapshot.profiles, &mut bed.snapshot.profiles);
    other.publish(7).check("p", CLIENT, "b");
}

#[test]
fn manual_failback_ends_when_what_serves_fails() {
    let mut bed = Bed::new("", &[MANUAL]);
    bed.after(1, "p/a down").after(2, "p/a up\np/b down").check("p", CLIENT, "a");
    bed.after(3, "p/b up").check("p", CLIENT, "a");
    for leaves in ["drained", "off", "forced-down"] {
        let mut bed = Bed::new("", &[MANUAL]);
        bed.after(1, "p/a down").after(2, "p/a up").check("p", CLIENT, "b");
        bed.after(3, &format!("p/b {leaves}")).check("p", CLIENT, "a");
    }
    // Further down, and then only as far up as what recovered.
    let mut bed = Bed::new("", &[MANUAL]);
    bed.after(1, "p/a down\np/b down").check("p", CLIENT, "c");
    bed.after(2, "p/b up").check("p", CLIENT, "c");
    bed.after(3, "p/c down").check("p", CLIENT, "b");
}

#[test]
fn manual_failback_outlasts_a_time_without_any_healthy() {
    let mut bed = Bed::new("", &["p priority manual none=nodata\n a p=1\n b p=2"]);
    bed.after(1, "p/a down").after(2, "p/b down").check("p", CLIENT, "nodata");
    bed.after(3, "p/b up").after(4, "p/a up").check("p", CLIENT, "b");
    let mut bed = Bed::new("", &["p priority\n a p=1\n b p=2"]);
    bed.after(1, "p/a down").after(2, "p/a up").check("p", CLIENT, "a");
}

#[test]
fn ttl_min_shortens_answers_while_an_endpoint_is_in_doubt() {
    let ttl = |bed: &Bed| {
        bed.ask("p", Family::V4, [10, 0, 0, 1].into(), Draw { seed: 1, sequence: 0 }).ttl
    };
    // Results are 5 s apart in doubt.
    for (least, doubt, expected) in [(2, 4, 20), (2, 1, 5), (8, 1, 8), (2, 9, 30), (0, 0, 0)] {
        let mut bed = Bed::new("", &[&format!("p weighted ttl=30 ttl_min={least}\n a\n b\n c")]);
        assert_eq!(ttl(&bed), 30);
        bed.after(1, &format!("p/b doubt={doubt}"));
        assert_eq!(ttl(&bed), expected, "{least} {doubt}");
        bed.after(2, "p/c doubt=20");
        assert_eq!(ttl(&bed), expected, "the soonest counts");
        bed.after(3, "p/b doubt=no\np/c off");
        assert_eq!(ttl(&bed), 30, "who is out of service is in no doubt");
    }
    let mut bed = Bed::new("", &["p weighted\n a\n b"]);
    bed.after(1, "p/a doubt=1");
    assert_eq!(ttl(&bed), 30, "it is off by default");
}

/// Until when `a` was answered with and may be kept, in seconds; none while it is answered with.
fn held(bed: &Bed) -> Option<(u64, u64)> {
    let state = &bed.table("p").endpoints[0];
    let seconds = |it: Now| it.moment.0.as_secs();
    let given = state.answers(0, Now::default()).given_until;
    Some((seconds(state.cached_until().map(|_| given)?), seconds(state.cached_until()?)))
}

#[test]
fn what_was_answered_is_kept_for_its_ttl_and_no_longer_than_the_longest() {
    let mut bed = Bed::new("", &["p weighted ttl=30\n a\n b"]);
    bed.publish(10);
    assert_eq!(held(&bed), None);
    assert_eq!(held(bed.after(20, "p/a drained")), Some((20, 51)));
    assert_eq!(held(bed.after(40, "p/b down")), Some((20, 51)), "nothing of it is answered anew");
    assert_eq!(
        held(bed.after(60, "p/b drained")),
        None,
        "all are drained, so all are answered with"
    );
    assert_eq!(held(bed.after(61, "p/b undrained")), Some((61, 92)));
    assert_eq!(held(bed.after(70, "p/a undrained")), None);
    assert_eq!(held(bed.after(80, "p/a down\n p/b up")), Some((80, 111)), "whatever it is out for");
}

#[test]
fn a_ttl_that_was_lowered_since_does_not_hide_the_longer_one() {
    let mut bed = Bed::new("", &["p weighted ttl=300 ttl_min=10\n a\n b"]);
    bed.after(100, "p/b doubt=1");
    assert!(bed.table("p").ttl < 300);
    assert_eq!(held(bed.after(110, "p/a drained")), Some((110, 401)));
    assert_eq!(held(bed.after(120, "p/b up")), Some((110, 401)));
}

#[test]
fn nobody_knows_what_was_answered_before_the_start() {
    let mut bed = Bed::new("", &["p priority ttl=30\n a p=2\n b p=1"]);
    assert_eq!(held(bed.publish(0)), Some((0, 31)));
}

#[test]
fn who_serves_while_another_ramps_is_answered_with() {
    let mut bed = Bed::new("", &["p priority ttl=30\n b p=2\n a p=1 slow=90"]);
    bed.after(10, "p/a down").after(20, "p/a up");
    assert_eq!(held(&bed), None, "most answers still name it");
    bed.publish(60);
    assert_eq!(held(bed.after(70, "p/b drained")), Some((70, 101)));
}
