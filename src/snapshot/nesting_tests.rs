//! Profiles in profiles, also by the examples that Azure publishes of Traffic Manager.

use super::testbed::Bed;
use crate::model::{EndpointStatus, Family, ProfileStatus, RecordType};
use crate::routing::{Basis, Draw};

const CLIENT: &str = "10.0.0.1";

fn status(bed: &Bed, profile: &str, at: usize) -> EndpointStatus {
    bed.table(profile).endpoints[at].status
}

/// <https://learn.microsoft.com/azure/traffic-manager/traffic-manager-nested-profiles>, figures 3 and 4: West Europe is a
/// weighted profile of a production and a test deployment, nested in a performance profile of three regions.
#[test]
fn azure_example_of_endpoint_monitoring_in_nested_profiles() {
    let geo = "spot 10.0.0.0/8 NL at=52,4";
    let west_europe = "europe weighted\n production w=95\n test w=5";
    for (min, test_alone) in [(1, "west-europe/test"), (2, "east-us")] {
        let world = format!(
            "world performance\n west-us at=37,-122\n east-us at=37,-79\n west-europe at=52,5 child=europe min={min}/0/0"
        );
        let mut bed = Bed::new(geo, &[west_europe, &world]);
        bed.check("world", CLIENT, "west-europe/production:95 west-europe/test:5");
        bed.after(1, "europe/production down").check("world", CLIENT, test_alone);
        bed.after(2, "europe/test down").check("world", CLIENT, "east-us");
        assert_eq!(status(&bed, "world", 2), EndpointStatus::Degraded);
        bed.after(3, "europe/production up\neurope/test up");
        bed.check("world", CLIENT, "west-europe/production:95 west-europe/test:5");
    }
}

/// The same page, figure 6: prioritized failover of one region within performance routing.
#[test]
fn azure_example_of_prioritized_failover_regions() {
    let europe = "europe priority\n west-europe p=1\n west-us p=2";
    let world = "world performance\n europe at=52,5 child=europe\n east-asia at=22,114";
    let mut bed = Bed::new("spot 10.0.0.0/8 NL at=52,4", &[europe, world]);
    bed.check("world", CLIENT, "europe/west-europe");
    bed.after(1, "europe/west-europe down").check("world", CLIENT, "europe/west-us");
    bed.after(2, "europe/west-us down").check("world", CLIENT, "east-asia");
}

/// The same page, "How does Traffic Manager compute the health of a nested endpoint in a parent profile?": each row of its
/// table.
#[test]
fn azure_table_of_nested_endpoints() {
    use EndpointStatus::*;
    for (changes, min, child, expected) in [
        ("c/a off\nc/b off\nc/c off", 1, ProfileStatus::Inactive, Stopped),
        ("c/a down", 2, ProfileStatus::Degraded, Online),
        ("c/a down\nc/b new", 2, ProfileStatus::Degraded, CheckingEndpoint),
        ("c/a down\nc/b down", 2, ProfileStatus::Degraded, Degraded),
        ("", 3, ProfileStatus::Online, Online),
        ("c/a new", 2, ProfileStatus::Online, Online),
        ("c/a new", 3, ProfileStatus::Online, CheckingEndpoint),
        ("", 4, ProfileStatus::Online, Degraded),
        ("c/a new\nc/b new\nc/c new", 3, ProfileStatus::CheckingEndpoints, CheckingEndpoint),
        ("c/a new\nc/b new\nc/c off", 3, ProfileStatus::CheckingEndpoints, Degraded),
    ] {
        let parent = format!("p weighted\n c child=c min={min}/0/0\n d");
        let mut bed = Bed::new("", &["c weighted\n a\n b\n c", &parent]);
        bed.after(1, changes);
        let seen = (bed.table("c").status, status(&bed, "p", 0));
        assert_eq!(seen, (child, expected), "{changes} {min}");
    }
    let bed = Bed::new("", &["c weighted off\n a", "p weighted\n c child=c\n d"]);
    assert_eq!((bed.table("c").status, status(&bed, "p", 0)), (ProfileStatus::Disabled, Stopped));
    bed.check("p", CLIENT, "d");
}

#[test]
fn min_child_endpoints_of_each_family_are_counted() {
    for (min, six_down, four_down) in
        [("1/0/0", "c", "c"), ("1/1/0", "c", "d"), ("1/0/1", "d", "c"), ("3/0/0", "d", "d")]
    {
        let parent = format!("p priority\n c child=c min={min}\n d");
        let mut bed = Bed::new("", &["c priority any\n a 4\n b 6\n x 4 6", &parent]);
        bed.after(1, "c/b down\nc/x drained");
        let led = |bed: &Bed, family| {
            let answered =
                bed.ask("p", family, [10, 0, 0, 1].into(), Draw { seed: 1, sequence: 0 });
            answered.places[0].split('/').next().unwrap().to_owned()
        };
        assert_eq!(led(&bed, Family::V4), six_down, "{min}");
        bed.after(2, "c/b up\nc/a down");
        assert_eq!(led(&bed, Family::V4).replace("nodata", "c"), four_down, "{min}");
    }
}

#[test]
fn ten_levels_are_passed_through() {
    let mut texts = vec!["n0 weighted ttl=70\n leaf".to_owned()];
    (1..=10).for_each(|it| {
        texts.push(format!("n{it} priority ttl={}\n down child=n{}\n last", 70 - it, it - 1))
    });
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let mut bed = Bed::new("", &texts);
    let path = format!("{}leaf", "down/".repeat(10));
    bed.check("n10", CLIENT, &path);
    bed.after(1, "n0/leaf down").check("n10", CLIENT, &format!("{}last", "down/".repeat(9)));
}

#[test]
fn the_ttl_is_the_least_of_the_levels_that_had_a_say() {
    let profiles = [
        "deep weighted ttl=5\n a",
        "eu weighted ttl=20\n x child=deep",
        "us weighted ttl=60\n a",
        "top priority ttl=40\n us child=us\n eu child=eu",
    ];
    let mut bed = Bed::new("", &profiles);
    let ttl = |bed: &Bed| {
        bed.ask("top", Family::V4, [10, 0, 0, 1].into(), Draw { seed: 1, sequence: 0 }).ttl
    };
    assert_eq!(ttl(&bed), 40);
    bed.after(1, "us/a down");
    assert_eq!(ttl(&bed), 5);
}

#[test]
fn drains_inside_a_nested_profile_act_on_it() {
    let mut bed = Bed::new("", &["c weighted\n a\n b", "p priority\n c child=c min=2/0/0\n d"]);
    bed.after(1, "c/a drained").check("p", CLIENT, "d");
    assert_eq!(status(&bed, "p", 0), EndpointStatus::Degraded);
    bed.after(2, "c/b drained").check("p", CLIENT, "d");
    assert_eq!(status(&bed, "p", 0), EndpointStatus::Stopped);
    bed.after(3, "c/a undrained\nc/b undrained").check("p", CLIENT, "c/a:50 c/b:50");
    bed.after(4, "p/c drained").check("p", CLIENT, "d");
}

/// Whatever is drained, profiles in profiles answer as one would that had all their endpoints.
#[test]
fn drained_endpoints_come_back_as_if_they_were_not_nested() {
    let profiles = [
        "flat priority\n a\n b",
        "x weighted\n a",
        "y weighted\n b",
        "nest priority\n a child=x\n b child=y",
        "half priority\n a child=x\n b",
        "deep priority\n nest child=nest",
    ];
    for (a, b, expected) in [
        ("drained", "drained", "a"),
        ("drained down", "drained", "b"),
        ("drained down", "drained down", "a"),
        ("drained", "down", "b"),
        ("drained", "off", "a"),
        ("off", "drained down", "b"),
        ("off", "off", "nodata"),
    ] {
        let mut bed = Bed::new("", &profiles);
        bed.set(&format!("flat/a {a}\nx/a {a}\nflat/b {b}\ny/b {b}\nhalf/b {b}")).publish(1);
        let fails_open = bed.table("flat").is_fail_open();
        assert_eq!(fails_open, expected != "nodata", "{a}, {b}");
        for name in ["flat", "nest", "half", "deep"] {
            let shares = bed.shares(name, Family::V4, CLIENT);
            let places: Vec<&str> = shares.keys().filter_map(|it| it.rsplit('/').next()).collect();
            assert_eq!(places, [expected], "{name} {a}, {b}");
            assert_eq!(bed.table(name).is_fail_open(), fails_open, "{name} {a}, {b}");
        }
        let is_drained = a.starts_with("drained") || a == "off";
        assert_eq!(status(&bed, "nest", 0) == EndpointStatus::Stopped, is_drained, "{a}");
    }
}

/// A nested profile needs as many to be passing as it needs to serve.
#[test]
fn a_drained_profile_that_passes_its_probes_comes_back_first() {
    for (min, expected) in [(1, "x/a"), (2, "y/a")] {
        let parent = format!("p priority\n x child=x min={min}/0/0\n y child=y");
        let mut bed = Bed::new("", &["x priority\n a\n b", "y weighted\n a", &parent]);
        bed.after(1, "x/a drained\nx/b drained down\ny/a drained").check("p", CLIENT, expected);
    }
    // What is drained itself stands for what would answer.
    let mut bed = Bed::new("", &["x weighted\n a", "p priority\n x child=x\n b"]);
    bed.after(1, "x/a drained\np/x drained\np/b drained").check("p", CLIENT, "x/a");
    bed.after(2, "x/a off").check("p", CLIENT, "b");
}

#[test]
fn none_healthy_inside_is_what_the_inner_profile_says() {
    for (rule, expected) in [
        ("serve_all", "c/a"),
        ("fallback", "fallback"),
        ("nodata", "nodata"),
        ("servfail", "servfail"),
    ] {
        let mut bed =
            Bed::new("", &[&format!("c weighted none={rule}\n a"), "p priority\n c child=c"]);
        bed.after(1, "c/a down");
        let shares = bed.shares("p", Family::V4, CLIENT);
        let place = shares.keys().next().unwrap();
        assert_eq!(place.trim_start_matches("c/"), expected.trim_start_matches("c/"), "{rule}");
        let decided = bed.snapshot.decide(
            bed.table("p"),
            RecordType::A,
            [10, 0, 0, 1].into(),
            &mut Draw { seed: 1, sequence: 0 },
        );
        assert_eq!(decided.basis, Basis::NoneHealthy);
    }
}

/// A method that looks at families first must not take a profile that fails for one that has no address.
#[test]
fn servfail_of_a_nested_profile_is_answered_where_there_is_no_address_of_either_family() {
    for (parent, v4, v6) in [
        ("weighted\n c child=c", "c/servfail", "c/servfail"),
        ("multivalue\n c child=c", "c/servfail", "c/servfail"),
        ("priority any\n c child=c", "c/servfail", "c/servfail"),
        ("weighted none=last_healthy\n c child=c", "c/servfail", "c/servfail"),
        ("weighted none=nodata\n c child=c", "nodata", "nodata"),
        ("weighted\n e child=e", "nodata", "nodata"),
        ("weighted\n e child=e w=9\n c child=c", "c/servfail", "c/servfail"),
        ("weighted\n c child=c w=9\n a", "a", "a"),
        ("weighted\n c child=c w=9\n a 6", "nodata", "a"),
    ] {
        let parent = format!("p {parent}");
        let empty = "e weighted none=nodata\n a";
        let profiles = ["c weighted none=servfail\n a", empty, &parent, "top weighted\n p child=p"];
        let mut bed = Bed::new("", &profiles);
        bed.after(1, "c/a down\ne/a down");
        if parent.contains("\n a") {
            bed.after(2, "p/a down");
        }
        for (family, expected) in [(Family::V4, v4), (Family::V6, v6)] {
            bed.check_family("p", family, CLIENT, expected);
            let nowhere = expected == "nodata";
            let expected = if nowhere { expected.to_owned() } else { format!("p/{expected}") };
            bed.check_family("top", family, CLIENT, &expected);
        }
    }
}

#[test]
fn weights_multiply_over_levels() {
    let profiles = [
        "eu weighted\n a w=3\n b w=1",
        "us weighted\n a w=1\n b w=1",
        "p weighted\n eu w=3 child=eu\n us w=1 child=us\n own w=1",
    ];
    let mut bed = Bed::new("", &profiles);
    bed.check("p", CLIENT, "eu/a:45 eu/b:15 us/a:10 us/b:10 own:20");
    bed.after(1, "us/a down").check("p", CLIENT, "eu/a:45 eu/b:15 us/b:20 own:20");
    bed.after(2, "us/b down").check("p", CLIENT, "eu/a:56.25 eu/b:18.75 own:25");
}

/// Endpoints of equal names on two levels must not be chosen together.
#[test]
fn levels_choose_apart_also_for_clients_that_stay_together() {
    let child = |name: &str| format!("{name} weighted affinity=24/56\n a\n b");
    let parent = "p weighted affinity=24/56\n a child=x\n b child=y";
    let bed = Bed::new("", &[&child("x"), &child("y"), parent]);
    let mut counts = std::collections::BTreeMap::new();
    for network in 0..4000_u16 {
        let [high, low] = network.to_be_bytes();
        let draw = Draw { seed: 1, sequence: 0 };
        let place = bed.ask("p", Family::V4, [10, high, low, 1].into(), draw).places.remove(0);
        *counts.entry(place).or_insert(0_u32) += 1;
    }
    assert_eq!(counts.len(), 4, "{counts:?}");
    assert!(counts.values().all(|it| it.abs_diff(1000) < 110), "{counts:?}");
}
