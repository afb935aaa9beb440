//! The methods that look at clients, and those that may: docs/BEHAVIOUR.md's rules, one test for each.

use super::testbed::Bed;
use crate::model::Family;
use crate::routing::Draw;

const DRAW: Draw = Draw { seed: 9, sequence: 0 };
/// Three sites on two continents, and what is known of some clients.
const WORLD: &str = "
    site seattle 47.6,-122.3
    site orlando 28.5,-81.4
    site dublin 53.3,-6.3
    client 10.1.0.0/16 US-WA site=orlando
    client 10.2.0.0/16 site=dublin
    client 10.3.0.0/16 DE
    spot 20.1.0.0/16 US-OR at=45.5,-122.7
    spot 20.2.0.0/16 FR at=48.9,2.4
    spot 20.3.0.0/16 GB
    table seattle orlando
    ms 30.1.0.0/16 80 20
    ms 30.2.0.0/16 20 20
    ms 30.3.0.0/16 - 20
    ms 30.4.0.0/16 - -
    ms 10.1.7.0/24 1 500
    ms 20.1.7.0/24 500 1";
const SITES: &str = "p performance
    s w=3 site=seattle
    o w=1 site=orlando
    d w=4 site=dublin";
const UNKNOWN: &str = "s:37.5 o:12.5 d:50";

#[test]
fn performance_takes_the_site_of_the_client_network_before_all_tables() {
    let mut bed = Bed::new(WORLD, &[SITES]);
    bed.check("p", "10.1.7.1", "o").check("p", "10.2.0.1", "d");
    // The site is down: the nearest to it follows.
    bed.after(1, "p/o down").check("p", "10.1.0.1", "s");
    bed.after(2, "p/s down").check("p", "10.1.0.1", "d");
}

#[test]
fn performance_takes_the_lowest_latency_of_the_table_before_distance() {
    let mut bed = Bed::new(WORLD, &[SITES]);
    bed.check("p", "30.1.0.1", "o").check("p", "20.1.7.1", "o").check("p", "20.1.8.1", "s");
    bed.check("p", "30.3.0.1", "o");
    bed.after(1, "p/o down").check("p", "30.1.0.1", "s");
    // Of the table's sites none is left.
    bed.after(2, "p/s down").check("p", "30.1.0.1", "d");
}

#[test]
fn performance_goes_by_distance_among_those_that_the_row_does_not_know() {
    let known = "spot 30.0.0.0/8 FR at=48.9,2.4\n ms 30.5.0.0/16 20 -";
    let profile = "p performance\n s site=seattle slow=90\n o site=orlando\n d site=dublin";
    for (geo, next, scope) in [
        (format!("{WORLD}\n{known}"), "d", 16),
        (format!("{WORLD}\n{known}\n spot 30.5.6.0/24 FR at=48.8,2.3"), "d", 24),
        (format!("{WORLD}\n ms 30.5.0.0/16 20 -\n default orlando"), "o", 16),
        (format!("{WORLD}\n ms 30.5.0.0/16 20 -\n default 28.0,-80.0"), "o", 16),
        (format!("{WORLD}\n ms 30.5.0.0/16 20 -"), "o:50 d:50", 16),
    ] {
        let mut bed = Bed::new(&geo, &[profile]);
        let scope_of = |bed: &Bed| bed.ask("p", Family::V4, [30, 5, 6, 7].into(), DRAW).scope;
        bed.check("p", "30.5.6.7", "s");
        assert_eq!(scope_of(&bed), 16, "nobody has to be placed");
        bed.after(1, "p/s down").after(2, "p/s up");
        assert_eq!(scope_of(&bed), scope, "{geo}");
        let others = next.split(' ').map(|it| match it.split_once(':') {
            Some((name, _)) => format!("{name}:45"),
            None => format!("{it}:90"),
        });
        let expected = others.chain(["s:10".to_owned()]).collect::<Vec<_>>().join(" ");
        bed.check("p", "30.5.6.7", &expected);
        // Now the row knows none of those that are left.
        bed.after(3, "p/s down").check("p", "30.5.6.7", next);
    }
}

#[test]
fn performance_takes_the_least_distance_where_no_table_knows() {
    let mut bed = Bed::new(WORLD, &[SITES]);
    bed.check("p", "20.1.0.1", "s").check("p", "20.2.0.1", "d");
    bed.after(1, "p/s down").check("p", "20.1.0.1", "o");
    let own =
        "p performance\n near site=seattle at=48.0,2.0\n far site=dublin\n nowhere site=elsewhere";
    let mut bed = Bed::new(WORLD, &[own]);
    bed.check("p", "20.2.0.1", "near");
    bed.after(1, "p/near down\np/far down").check("p", "20.2.0.1", "nowhere");
}

#[test]
fn performance_shares_ties_by_weight() {
    let bed = Bed::new(WORLD, &[SITES]);
    bed.check("p", "30.2.0.1", "s:75 o:25");
    let twins = "p performance\n a w=3 site=seattle\n b w=1 site=seattle\n c w=9 site=dublin";
    let mut bed = Bed::new(WORLD, &[twins]);
    bed.check("p", "20.1.0.1", "a:75 b:25");
    bed.after(1, "p/a down").check("p", "20.1.0.1", "b");
    // Three at one distance, of two sites, beside one without weight.
    let equal = "p performance\n a w=1 site=x at=1,1\n b w=2 site=y at=1,1\n c w=1 site=y at=1,1\n d w=0 site=z at=1,1";
    let mut bed = Bed::new(WORLD, &[equal]);
    bed.check("p", "20.1.0.1", "a:25 b:50 c:25");
    bed.after(1, "p/a w=0\np/b w=0\np/c w=0").check("p", "20.1.0.1", "a:25 b:25 c:25 d:25");
}

#[test]
fn performance_counts_unknown_clients_as_at_location_default() {
    for (default, unknown) in [("default dublin", "d"), ("default 28.0,-80.0", "o"), ("", UNKNOWN)]
    {
        let bed = Bed::new(&format!("{WORLD}\n{default}"), &[SITES]);
        // Nobody's, with a region alone, in a row without latencies, private, and of the other family.
        for client in ["9.9.9.9", "20.3.0.1", "10.3.0.1", "30.4.0.1", "192.168.0.1", "2001:db8::1"]
        {
            bed.check("p", client, unknown);
        }
    }
}

#[test]
fn performance_never_takes_an_unlocatable_client_to_the_gulf_of_guinea() {
    let gulf = "p performance\n gulf w=1 site=g at=0,0\n d w=9 site=dublin";
    let bed = Bed::new(WORLD, &[gulf]);
    bed.check("p", "20.3.0.1", "gulf:10 d:90").check("p", "10.0.0.1", "gulf:10 d:90");
    let bed = Bed::new(&format!("{WORLD}\ndefault dublin"), &[gulf]);
    bed.check("p", "20.3.0.1", "d").check("p", "127.0.0.1", "d");
}

#[test]
fn performance_shares_zero_weight_only_among_zeroes() {
    let mut bed = Bed::new("", &["p performance\n a w=0\n b w=2\n c w=2"]);
    bed.check("p", "9.9.9.9", "b:50 c:50");
    bed.after(1, "p/b down\np/c down").check("p", "9.9.9.9", "a");
}

const REGIONS: &str = "g geographic
    world geo=WORLD
    na geo=GEO-NA,FR
    us geo=US
    wa geo=US-WA";

#[test]
fn geographic_takes_the_narrowest_match() {
    let geo = "client 10.1.0.0/16 US-WA\n client 10.2.0.0/16 FR\n client 10.3.0.0/16 site=x\n
        spot 10.0.0.0/8 JP\n spot 20.1.0.0/16 US-OR\n spot 20.2.0.0/16 CA\n spot 20.3.0.0/16 at=1,1";
    let bed = Bed::new(geo, &[REGIONS]);
    bed.check("g", "10.1.0.1", "wa").check("g", "20.1.0.1", "us").check("g", "20.2.0.1", "na");
    bed.check("g", "10.2.0.1", "na")
        .check("g", "10.3.0.1", "world")
        .check("g", "10.9.0.1", "world");
    bed.check("g", "20.3.0.1", "world")
        .check("g", "9.9.9.9", "world")
        .check("g", "fe80::1", "world");
}

#[test]
fn geographic_climbs_from_what_is_degraded() {
    let mut bed = Bed::new("spot 20.1.0.0/16 US-WA", &[REGIONS]);
    for (changes, expected) in [
        ("g/wa down", "us"),
        ("g/us drained", "na"),
        ("g/na off", "world"),
        ("g/world down", "wa:50 world:50"),
        ("g/us undrained", "us"),
    ] {
        let shares = bed.after(1, changes).shares("g", Family::V4, "20.1.0.1");
        // None is left: all Degraded ones serve as if they were Online, and the narrowest matches.
        let expected = if expected.contains(':') { "wa" } else { expected };
        assert_eq!(shares.keys().collect::<Vec<_>>(), [expected], "{changes}");
    }
}

#[test]
fn geographic_without_failover_serves_a_degraded_match_all_the_same() {
    let mut bed = Bed::new("spot 20.1.0.0/16 US-WA", &[&REGIONS.replace("c\n", "c stay\n")]);
    bed.after(1, "g/wa down").check("g", "20.1.0.1", "wa");
    bed.after(2, "g/wa drained").check("g", "20.1.0.1", "us");
    bed.after(3, "g/us off").check("g", "20.1.0.1", "na");
    // Also where none is healthy, whatever the profile says of that.
    for rule in ["serve_all", "last_healthy", "fallback", "nodata", "servfail"] {
        let text = REGIONS.replace("c\n", &format!("c stay none={rule}\n"));
        let mut bed = Bed::new("spot 20.1.0.0/16 US-WA", &[&text]);
        bed.after(1, "g/wa down\ng/us down").after(2, "g/na down\ng/world down");
        bed.check("g", "20.1.0.1", "wa").check("g", "9.9.9.9", "world");
        let table = bed.table("g");
        assert!(table.is_fail_open() && table.unhealthy_rule() == "geo_failover = false");
        bed.after(3, "g/wa drained").check("g", "20.1.0.1", "us");
        // Where there is nothing but drained ones, the profile's word counts again.
        bed.after(4, "g/us off\ng/na drained\ng/world off");
        assert_eq!(bed.table("g").unhealthy_rule(), format!("when_none_healthy = {rule}"));
        let expected = if ["serve_all", "last_healthy"].contains(&rule) { "wa" } else { rule };
        bed.check_family("g", Family::V4, "20.1.0.1", expected);
    }
}

#[test]
fn geographic_without_a_match_is_nodata() {
    let mut bed = Bed::new(
        "spot 20.1.0.0/16 US-WA\n spot 20.2.0.0/16 DE",
        &["g geographic\n wa geo=US-WA\n fr geo=FR"],
    );
    bed.check("g", "20.2.0.1", "nodata")
        .check("g", "9.9.9.9", "nodata")
        .check("g", "20.1.0.1", "wa");
    bed.after(1, "g/wa down").check("g", "20.1.0.1", "nodata");
}

#[test]
fn geographic_with_affinity_chooses_as_without() {
    let mut bed =
        Bed::new("spot 20.1.0.0/16 US-WA", &[&REGIONS.replace("c\n", "c affinity=24/56\n")]);
    bed.check("g", "20.1.0.1", "wa").check("g", "9.9.9.9", "world");
    bed.after(1, "g/wa down").check("g", "20.1.0.1", "us");
}

const SUBNETS: &str = "s subnet
    a net=10.0.0.0/8,2001:db8::/32
    b net=192.0.2.10-192.0.2.20
    x w=3
    y w=1";

#[test]
fn subnet_takes_the_match_or_else_the_default() {
    let mut bed = Bed::new("", &[SUBNETS]);
    for (client, expected) in [
        ("10.0.0.0", "a"),
        ("10.255.255.255", "a"),
        ("11.0.0.0", "x:75 y:25"),
        ("192.0.2.9", "x:75 y:25"),
        ("192.0.2.10", "b"),
        ("192.0.2.20", "b"),
        ("::ffff:192.0.2.20", "b"),
        ("192.0.2.21", "x:75 y:25"),
        ("2001:db8:ffff::1", "a"),
        ("2001:db9::", "x:75 y:25"),
    ] {
        bed.check("s", client, expected);
    }
    bed.after(1, "s/a down").check("s", "10.0.0.1", "x:75 y:25").check("s", "192.0.2.10", "b");
    bed.after(2, "s/b off\ns/x drained").check("s", "192.0.2.10", "y");
}

#[test]
fn subnet_takes_the_narrowest_match_that_serves() {
    let nested = "s subnet
    a net=10.0.0.0/8,10.9.9.0/24,2001:db8::/32
    b net=10.9.0.0/16,10.10.0.0-10.10.0.9,2001:db8:1::/48
    c net=10.10.0.9,10.9.9.9
    x";
    let mut bed = Bed::new("", &[nested]);
    for (client, expected) in [
        ("10.8.255.255", "a"),
        ("10.9.0.0", "b"),
        ("10.9.9.8", "a"),
        ("10.9.9.9", "c"),
        ("10.9.9.10", "a"),
        ("10.9.255.255", "b"),
        ("10.10.0.8", "b"),
        ("10.10.0.9", "c"),
        ("10.10.0.10", "a"),
        ("2001:db8:1::1", "b"),
        ("2001:db8:2::1", "a"),
        ("11.0.0.0", "x"),
    ] {
        bed.check("s", client, expected);
    }
    bed.after(1, "s/c down").check("s", "10.9.9.9", "a").check("s", "10.10.0.9", "b");
    bed.after(2, "s/b down").check("s", "10.9.0.0", "a").check("s", "10.10.0.9", "a");
    bed.after(3, "s/a down\ns/b up").check("s", "10.9.9.9", "b").check("s", "10.8.0.0", "x");
}

#[test]
fn subnet_that_declines_in_its_slow_start_leaves_it_to_the_next_wider() {
    let mut bed = Bed::new(
        "",
        &[
            "s subnet\n a net=10.0.0.0/8,10.9.9.0/24\n b net=10.9.0.0/16 slow=100\n c net=10.9.9.9 slow=100\n x",
        ],
    );
    bed.after(1, "s/b down\ns/c down").after(2, "s/b up\ns/c up");
    bed.check("s", "10.9.0.1", "b:10 a:90").check("s", "10.9.9.9", "c:10 a:90");
    bed.check("s", "10.9.9.8", "a").check("s", "11.0.0.1", "x");
}

#[test]
fn subnet_without_a_match_nor_a_default_is_nodata() {
    let mut bed = Bed::new("", &["s subnet none=servfail\n a net=10.0.0.0/8\n b net=11.0.0.0/8"]);
    bed.check("s", "12.0.0.1", "nodata").check("s", "10.0.0.1", "a");
    bed.after(1, "s/a down").check("s", "10.0.0.1", "nodata").check("s", "11.0.0.1", "b");
    bed.after(2, "s/b down").check("s", "10.0.0.1", "servfail");
}

#[test]
fn the_place_comes_before_the_family_but_with_any() {
    let geo = "spot 20.1.0.0/16 US at=47,-122\n spot 20.2.0.0/16 DE at=52,13";
    for (method, a, b) in [
        ("priority", "", ""),
        ("performance", "site=a at=47,-122", "site=b at=52,13"),
        ("geographic", "geo=US", "geo=WORLD"),
        ("subnet", "net=20.1.0.0/16", ""),
    ] {
        let text = |rule: &str| format!("p {method}{rule}\n a 4 {a}\n b 4 6 {b}");
        let bed = Bed::new(geo, &[&text("")]);
        bed.check_family("p", Family::V4, "20.1.0.1", "a");
        bed.check_family("p", Family::V6, "20.1.0.1", "nodata");
        let bed = Bed::new(geo, &[&text(" any")]);
        bed.check_family("p", Family::V4, "20.1.0.1", "a");
        bed.check_family("p", Family::V6, "20.1.0.1", "b");
    }
    for method in ["weighted", "multivalue"] {
        let bed = Bed::new(geo, &[&format!("p {method}\n a 4\n b 6")]);
        bed.check_family("p", Family::V4, "20.1.0.1", "a");
        bed.check_family("p", Family::V6, "20.1.0.1", "b");
    }
}

#[test]
fn multivalue_names_several_by_weight_without_repeating_one() {
    let answer = |bed: &Bed, sequence| {
        let draw = Draw { seed: 1, sequence };
        bed.ask("m", Family::V4, [9, 9, 9, 9].into(), draw).places
    };
    for (max, many) in [(1, 1), (2, 2), (3, 3), (16, 5)] {
        let text = format!(
            "m multivalue max={max}\n a w=4\n b w=2\n c w=1\n d w=1\n e w=1\n z w=0\n six 6"
        );
        let mut bed = Bed::new("", &[&text]);
        for sequence in 0..200 {
            let mut places = answer(&bed, sequence);
            places.sort();
            places.dedup();
            assert_eq!(places.len(), many, "{places:?}");
            assert!(!places.iter().any(|it| it == "z" || it == "six"), "{places:?}");
        }
        bed.after(1, "m/a down\nm/b drained");
        assert_eq!(answer(&bed, 0).len(), many.min(3));
        bed.after(2, "m/c down\nm/d down\nm/e down");
        assert_eq!(answer(&bed, 0), ["z"], "weight 0 serves when there is no other");
    }
    // Two of three by weights 2, 1, 1: the first is left out by (1/4·1/3)·2 of the draws.
    let bed = Bed::new("", &["m multivalue\n a w=2\n b w=1\n c w=1"]);
    bed.check("m", "9.9.9.9", "a:83.3 b:58.3 c:58.3");
    let firsts = (0..3000).filter(|it| answer(&bed, *it)[0] == "a").count();
    assert!((1400..1600).contains(&firsts), "the first is drawn by weight: {firsts}");
}

#[test]
fn affinity_keeps_a_network_and_shares_by_weight_between_them() {
    for method in ["weighted", "priority", "multivalue max=1", "performance", "subnet"] {
        let bed = Bed::new(
            "",
            &[&format!("p {method} affinity=24/56\n a w=6 p=1\n b w=3 p=1\n c w=1 p=1")],
        );
        let mut counts = [0_u32; 3];
        for network in 0..3000_u32 {
            let client = |host: u8| {
                let [a, b, ..] = (network as u16).to_be_bytes();
                [77, a, b, host].into()
            };
            let first = bed.ask("p", Family::V4, client(1), DRAW);
            let other = Draw { seed: 4, sequence: network.into() };
            assert_eq!(first, bed.ask("p", Family::V4, client(250), other), "{method}");
            assert_eq!(first.places, bed.ask("p", Family::V6, client(2), other).places);
            assert_eq!(first.scope, 24, "{method}");
            counts[usize::from(first.places[0].as_bytes()[0] - b'a')] += 1;
        }
        let near = |count: u32, share: u32| count.abs_diff(share) < 110;
        assert!(
            near(counts[0], 1800) && near(counts[1], 900) && near(counts[2], 300),
            "{counts:?}"
        );
    }
}
