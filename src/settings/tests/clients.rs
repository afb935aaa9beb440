//! The clients that endpoints are for, and where endpoints are.

use super::*;

/// A profile with an endpoint for each of these lines of keys.
fn endpoints(keys: &[&str]) -> String {
    let endpoint = |(at, keys): (usize, &&str)| {
        format!("[[profile.endpoint]]\nname = 'e{at}'\ntarget = '192.0.2.1'\n{keys}\n")
    };
    let endpoints: String = keys.iter().enumerate().map(endpoint).collect();
    format!("{PROFILE}{endpoints}")
}

#[test]
fn regions_networks_and_locations_are_read() {
    let text = endpoints(&[
        "geo = ['GEO-EU', 'US-WA']\nlocation = { latitude = -1, longitude = 2.5 }",
        "geo = 'WORLD'\nsubnets = '10.0.0.0/8'",
        "subnets = ['192.0.2.1', '10.0.0.0/8', '2001:db8::-2001:db8::9']",
    ]);
    // A network may be given to endpoints of two profiles.
    let text = text.replacen("subnets = '10.0.0.0/8'", "", 1);
    let settings = good(&format!("{BASE}subnets = '10.0.0.0/8'\n{text}"));
    let [first, second, third] = &settings.model.profiles[1].endpoints[..] else { panic!() };
    assert_eq!(*first.geo, ["GEO-EU", "US-WA"].map(|it| it.parse().unwrap()));
    let location = Location { latitude: -1.0, longitude: 2.5, region: None };
    assert_eq!((first.location, second.location), (Some(location), None));
    assert_eq!((*second.geo).first().map(ToString::to_string).as_deref(), Some("WORLD"));
    assert!(first.subnets.is_empty() && third.geo.is_empty());
    let subnets = ["192.0.2.1", "10.0.0.0/8", "2001:db8::-2001:db8::9"];
    assert_eq!(*third.subnets, subnets.map(|it| it.parse().unwrap()));
}

#[test]
fn keys_about_clients_are_checked() {
    let long = format!("geo = [{}]", vec!["'US'"; 1025].join(","));
    for (keys, expected) in [
        ("geo = 'EU'", "geo: found \"EU\"; perhaps \"GEO-EU\" is meant; write WORLD, a grouping"),
        ("geo = ['US', 'UK']", "found \"UK\"; no country has the code \"UK\", perhaps \"GB\""),
        ("geo = 'US-WS'", "United States has no subdivision \"WS\", perhaps"),
        ("geo = 7", "found 7; write WORLD"),
        ("geo = []", "found a list of 0; write WORLD"),
        (&long, "found a list of 1025; write WORLD"),
        ("subnets = '10.0.0.1/8'", "after its prefix, perhaps 10.0.0.0/8 is meant; write a"),
        ("subnets = '10.0.0.9-10.0.0.1'", "perhaps \"10.0.0.1-10.0.0.9\" is meant; write a"),
        ("subnets = ['host']", "subnets: found \"host\"; write a network such as \"10.0.0.0/8\""),
        ("subnets = []", "found a list of 0; write a network"),
        ("location = { latitude = 91, longitude = 0 }", "location.latitude: found 91; write a"),
        ("location = { latitude = 1 }", "location.longitude: is missing"),
        ("location = 'seattle'", "location: found \"seattle\"; write a table"),
        (
            "location = { latitude = 1, longitude = 1, region = 'US' }",
            "endpoint[e0].location.region: no such key",
        ),
    ] {
        bad(&endpoints(&[keys]), &[expected]);
    }
    // Every wrong item is told.
    bad(&endpoints(&["geo = ['QQ', 'DE', 'de']"]), &["code \"QQ\"", "in capitals: \"DE\""]);
}

#[test]
fn a_region_has_one_endpoint() {
    good(&format!("{BASE}{}", endpoints(&["geo = ['US', 'US-WA']", "geo = ['GEO-NA', 'US-OR']"])));
    let text = endpoints(&["geo = [\n'GEO-EU',\n'DE']", "", "geo = ['FR', 'DE', 'GEO-EU']"]);
    bad(
        &text,
        &[
            "conf/a.toml:29: profile[b.z.].endpoint[e2].geo: found \"DE\"; is given to \
             profile[b.z.].endpoint[e0] already, at conf/a.toml:21; a region has one endpoint, so keep one of them",
            "found \"GEO-EU\"; is given to profile[b.z.].endpoint[e0] already, at conf/a.toml:20",
        ],
    );
    bad(
        &endpoints(&["geo = ['US', 'XX']", "geo = ['US', 'WORLD']"]),
        &["no country has the code \"XX\"", "endpoint[e1].geo: found \"US\"; is given to"],
    );
    bad(
        &endpoints(&["geo = ['US', 'US-WA', 'US']"]),
        &["geo: found \"US\"; is written twice, the first time at conf/a.toml:19"],
    );
}

#[test]
fn networks_are_apart_or_one_lies_in_the_other() {
    for keys in [
        ["subnets = ['10.0.0.0/9', '::/1']", "", "subnets = ['10.128.0.0/9', '0.0.0.0/5']"],
        [
            "subnets = '10.9.0.0/16'",
            "subnets = '10.0.0.0/8'",
            "subnets = ['10.9.0.0-10.9.0.9', '10.9.255.255']",
        ],
        ["subnets = ['10.0.0.0/8', '10.0.0.0/9']", "subnets = '10.0.0.0/10'", ""],
    ] {
        good(&format!("{BASE}{}", endpoints(&keys)));
    }
    bad(
        &endpoints(&[
            "subnets = ['10.0.0.0/8',\n'192.0.2.0-192.0.2.9']",
            "subnets = '192.0.2.5-192.0.2.20'",
        ]),
        &[
            "conf/a.toml:24: profile[b.z.].endpoint[e1].subnets: found \"192.0.2.5-192.0.2.20\"; overlaps \"192.0.2.0-192.0.2.9\" of \
           profile[b.z.].endpoint[e0], at conf/a.toml:20, and neither lies in the other; change one of them, so that they are apart or \
           one has all of the other",
        ],
    );
    // The later one is blamed, wherever it begins, and each of those around is remembered.
    for (keys, expected) in [
        (
            ["subnets = '10.9.0.0-10.10.0.0'", "subnets = '10.0.0.0-10.9.5.0'"],
            &[
                "found \"10.0.0.0-10.9.5.0\"; overlaps \"10.9.0.0-10.10.0.0\" of profile[b.z.].endpoint[e0]",
            ][..],
        ),
        (
            ["subnets = ['10.0.0.0/8', 'nonsense']", "subnets = ['10.255.0.0-11.0.0.0']"],
            &["found \"nonsense\"", "found \"10.255.0.0-11.0.0.0\"; overlaps \"10.0.0.0/8\" of"],
        ),
        (
            [
                "subnets = ['10.0.0.0-10.0.0.9', '10.0.0.15-10.0.0.30']",
                "subnets = '10.0.0.5-10.0.0.20'",
            ],
            &[
                "found \"10.0.0.5-10.0.0.20\"; overlaps \"10.0.0.0-10.0.0.9\" of profile[b.z.].endpoint[e0]",
                "found \"10.0.0.5-10.0.0.20\"; overlaps \"10.0.0.15-10.0.0.30\" of profile[b.z.].endpoint[e0]",
            ],
        ),
        (
            ["subnets = '10.0.0.0/8'", "subnets = '10.0.0.0-10.255.255.255'"],
            &[
                "endpoint[e1].subnets: found \"10.0.0.0-10.255.255.255\"; is given to profile[b.z.].endpoint[e0] already, at \
               conf/a.toml:19; a network has one endpoint, so keep one of them",
            ],
        ),
        (
            ["subnets = ['10.0.0.0/8', '10.0.0.0/8']", ""],
            &[
                "endpoint[e0].subnets: found \"10.0.0.0/8\"; is written twice, the first time at conf/a.toml:19",
            ],
        ),
        (
            [
                "subnets = ['::/0', '2001:db8::/32', '2001:db8::1']",
                "subnets = '2001:db8:ffff::-2001:db9::'",
            ],
            &[
                "found \"2001:db8:ffff::-2001:db9::\"; overlaps \"2001:db8::/32\" of profile[b.z.].endpoint[e0]",
            ],
        ),
    ] {
        bad(&endpoints(&keys), expected);
    }
}
