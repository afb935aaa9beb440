//! How profiles choose, and profiles in profiles.

use super::*;
use crate::model::{Affinity, Failback, Method, MinChildren};

const ZONE: &str = "[[zone]]\nname = 'z.'\nnameservers = 'ns.example.'\n";

/// Profiles written as "name method keys: endpoints", each endpoint "name=keys", separated by `|`.
fn config(profiles: &[(&str, &str, &str, &[&str])]) -> String {
    let mut text = String::new();
    for (name, method, keys, endpoints) in profiles {
        text += &format!("[[profile]]\nname = '{name}'\nmethod = '{method}'\n{keys}\n");
        for (number, endpoint) in endpoints.iter().enumerate() {
            text += &format!("[[profile.endpoint]]\nname = 'e{number}'\n{endpoint}\n");
        }
    }
    text
}

fn zoned(profiles: &[(&str, &str, &str, &[&str])]) -> String {
    format!("{ZONE}{}", config(profiles))
}

const PLAIN: &[&str] = &["target = '192.0.2.1'"];

#[test]
fn keys_of_methods_are_read() {
    let profile = |method, keys, endpoints| {
        let model = good(&zoned(&[("a.z.", method, keys, endpoints)])).model;
        (*model.profiles[0]).clone()
    };
    let several = profile("multivalue", "max_return = 16\nttl = 30\nttl_min = 5", PLAIN);
    assert_eq!((several.method, several.max_return), (Method::Multivalue, 16));
    assert_eq!((several.ttl, several.ttl_min), (30, Some(5)));
    assert_eq!(profile("multivalue", "", PLAIN).max_return, 2);
    assert_eq!(profile("priority", "failback = 'manual'", PLAIN).failback, Failback::Manual);
    assert_eq!(profile("priority", "", PLAIN).failback, Failback::Automatic);
    let affinity = |keys| profile("weighted", keys, PLAIN).affinity;
    assert_eq!(affinity(""), None);
    assert_eq!(affinity("affinity = {}"), Some(Affinity { prefix4: 24, prefix6: 56 }));
    let own = "affinity = { prefix4 = 16, prefix6 = 48 }";
    assert_eq!(affinity(own), Some(Affinity { prefix4: 16, prefix6: 48 }));
    let geo: &[&str] = &["target = '192.0.2.1'\ngeo = 'WORLD'\nslow_start = '1m'"];
    assert!(profile("geographic", "", geo).geo_failover);
    let stays = profile("geographic", "geo_failover = false", geo);
    assert!(!stays.geo_failover);
    assert_eq!(stays.endpoints[0].slow_start, Duration::from_secs(60));
}

#[test]
fn keys_of_methods_are_checked() {
    for (method, keys, endpoint, expected) in [
        ("weighted", "max_return = 3", "", "is of no use with method = \"weighted\", only with"),
        ("weighted", "failback = 'manual'", "", "only with \"priority\""),
        ("subnet", "geo_failover = false", "", "only with \"geographic\""),
        ("multivalue", "max_return = 17", "", "from 1 to 16"),
        ("weighted", "ttl = 5\nttl_min = 6", "", "`ttl_min` (6) must be at most `ttl` (5)"),
        ("weighted", "ttl_min = 31", "", "`ttl_min` (31) must be at most `ttl` (30)"),
        ("weighted", "affinity = { prefix4 = 33 }", "", "from 1 to 32"),
        ("weighted", "affinity = { prefix6 = 0 }", "", "from 1 to 128"),
        ("geographic", "", "", "endpoint[e0].geo: is missing"),
        ("weighted", "", "slow_start = '2h'", "\"1h\""),
        ("weighted", "", "min_child_endpoints = 1", "goes with `profile`"),
        ("roundrobin", "", "", "write \"priority\", \"weighted\""),
    ] {
        let endpoint = format!("target = '192.0.2.1'\n{endpoint}");
        bad(&config(&[("a.z.", method, keys, &[&endpoint])]), &[expected]);
    }
}

#[test]
fn profiles_may_stand_for_others() {
    let model = good(&zoned(&[
        ("a.z.", "priority", "", &["profile = 'b.z.'\nmin_child_endpoints = 2", "profile = 'B.Z'"]),
        ("b.z.", "weighted", "", PLAIN),
    ]))
    .model;
    let children: Vec<_> =
        model.profiles[0].endpoints.iter().map(|it| it.child().unwrap()).collect();
    assert!(children.iter().all(|it| *it.0 == "b.z.".parse().unwrap()));
    assert_eq!(children[0].1, MinChildren { any: 2, v4: 0, v6: 0 });
    assert_eq!(children[1].1, MinChildren { any: 1, v4: 0, v6: 0 });
}

#[test]
fn profiles_in_profiles_are_checked() {
    let nested = |endpoint: &str, expected: &str| {
        bad(
            &config(&[("a.z.", "priority", "", &[endpoint]), ("b.z.", "weighted", "", PLAIN)]),
            &[expected],
        );
    };
    nested(
        "profile = 'c.z.'",
        "endpoint[e0].profile: found \"c.z.\"; no such profile; did you mean",
    );
    nested("profile = 'b.z.'\ntarget = '192.0.2.1'", "stands beside `target`");
    nested("profile = 'b.z.'\naddress = '192.0.2.1'", "is of no use with `profile`");
    nested("profile = 'b.z.'\nmonitor = {}", "is of no use with `profile`");
    nested("profile = 'b.z.'\nmin_child_endpoints = 0", "from 1 to 65535");
    let several = config(&[
        ("a.z.", "multivalue", "", &["profile = 'b.z.'"]),
        ("b.z.", "weighted", "", PLAIN),
    ]);
    bad(&several, &["is of no use with method = \"multivalue\""]);
}

#[test]
fn one_answer_names_no_address_twice() {
    let endpoints: &[&str] =
        &["target = ['192.0.2.1', '192.0.2.2', '192.0.2.1']", "target = '192.0.2.2'"];
    let expected = "endpoint[e1].target: found \"192.0.2.2\"; has 192.0.2.2, which the endpoint at conf/a.toml:19 has too";
    bad(&config(&[("a.z.", "multivalue", "", endpoints)]), &[expected]);
    good(&zoned(&[("a.z.", "weighted", "", endpoints)]));
}

#[test]
fn rings_of_profiles_are_shown() {
    let ring = config(&[
        ("a.z.", "priority", "", &["profile = 'b.z.'"]),
        ("b.z.", "priority", "", &["target = '192.0.2.1'", "profile = 'c.z.'"]),
        ("c.z.", "priority", "", &["profile = 'a.z.'"]),
    ]);
    bad(&ring, &["leads back to where it started (a.z. → b.z. → c.z. → a.z.); break the ring"]);
    let own = config(&[("a.z.", "priority", "", &["profile = 'a.z.'"])]);
    bad(&own, &["(a.z. → a.z.)"]);
    let heavy = config(&[("a.z.", "priority", "", &["profile = 'a.z.'\nweight = 70000"])]);
    bad(&heavy, &["(a.z. → a.z.)", "weight: found 70000"]);
    let unread = config(&[
        ("a..z.", "priority", "", PLAIN),
        ("b.z.", "priority", "", &["profile = 'a.z.'"]),
    ]);
    bad(&unread, &["name: found \"a..z.\""]);
}

#[test]
fn profiles_are_nested_ten_deep_at_most() {
    let chain = |levels: usize| {
        let mut text = String::new();
        for level in 0..levels {
            let next = level + 1;
            text += &format!(
                "[[profile]]\nname = 'p{level}.z.'\nmethod = 'priority'\nendpoint = [{{ name = 'e', profile = 'p{next}.z.' }}]\n"
            );
        }
        text + &format!(
            "[[profile]]\nname = 'p{levels}.z.'\nmethod = 'priority'\nendpoint = [{{ name = 'e', target = '192.0.2.1' }}]\n"
        )
    };
    good(&format!("{ZONE}{}", chain(10)));
    bad(&chain(11), &["is nested too deep; 10 levels below a profile are the most"]);
}

#[test]
fn methods_that_have_nothing_to_go_by_are_warned_of() {
    let warnings = |before: &str, method, endpoint: &str| {
        let settings = good(&format!("{before}{}", zoned(&[("a.z.", method, "", &[endpoint])])));
        settings.warnings.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let site = |location: &str| format!("[[site]]\nname = 'west'\n{location}\n");
    let (target, at_site) = ("target = '192.0.2.1'", "target = '192.0.2.1'\nsite = 'west'");
    let place = "location = { latitude = 1, longitude = 2 }";
    for (before, method, endpoint, expected) in [
        ("", "performance", target, Some("no endpoint has a location")),
        (&site(""), "performance", at_site, Some("no endpoint has a location")),
        (&site(place), "performance", at_site, None),
        (&site(place), "performance", target, Some("no endpoint has a location")),
        ("", "performance", &format!("{target}\n{place}"), None),
        ("", "subnet", target, Some("no endpoint has `subnets`")),
        ("", "subnet", &format!("{target}\nsubnets = '10.0.0.0/8'"), None),
        ("", "weighted", target, None),
    ] {
        let told = warnings(before, method, endpoint);
        assert_eq!(told.len(), usize::from(expected.is_some()), "{before}{method}: {told:?}");
        let text = told.join("\n");
        assert!(expected.is_none_or(|it| text.contains(it)), "{text}");
        assert!(expected.is_none() || text.contains("method: can't tell clients apart"), "{text}");
    }
}

#[test]
fn what_is_hardly_meant_of_endpoints_is_warned_of() {
    let warnings = |method, endpoints: &[&str]| {
        let child = "target = ['192.0.2.1', '2001:db8::1']";
        let profiles = [
            ("a.z.", method, "", endpoints),
            ("b.z.", "weighted", "", &[child, "target = '192.0.2.2'"][..]),
        ];
        let warnings = good(&zoned(&profiles)).warnings;
        warnings.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    };
    let (nested, target) = ("profile = 'b.z.'", "target = '192.0.2.1'");
    for (method, endpoints, expected) in [
        (
            "priority",
            vec![format!(
                "{nested}\nmin_child_endpoints = 2\nmin_child_endpoints_ipv4 = 2\nmin_child_endpoints_ipv6 = 1"
            )],
            "",
        ),
        (
            "priority",
            vec![format!("{nested}\nmin_child_endpoints = 3")],
            "endpoint[e0].min_child_endpoints: asks for 3, and `b.z.` has 2 endpoints, so this endpoint is Degraded at all times; write at most 2, or add",
        ),
        (
            "priority",
            vec![format!("{nested}\nmin_child_endpoints_ipv6 = 2")],
            "min_child_endpoints_ipv6: asks for 2, and `b.z.` has 1 endpoint with IPv6",
        ),
        (
            "weighted",
            vec![format!("{target}\ngeo = 'US'"), format!("{target}\ngeo = 'WORLD'")],
            "endpoint[e0].geo: is not looked at with method = \"weighted\", only with \"geographic\"; remove it, here and at 1 more, or",
        ),
        (
            "geographic",
            vec![format!("{target}\ngeo = 'US'\nsubnets = '10.0.0.0/8'")],
            "endpoint[e0].subnets: is not looked at with method = \"geographic\", only with \"subnet\"; remove it, or",
        ),
        ("subnet", vec![format!("{target}\nsubnets = '10.0.0.0/8'")], ""),
    ] {
        let endpoints: Vec<&str> = endpoints.iter().map(String::as_str).collect();
        let told = warnings(method, &endpoints);
        assert_eq!(told.is_empty(), expected.is_empty(), "{told}");
        assert!(told.lines().count() <= 1 && told.contains(expected), "{told}");
    }
}

#[test]
fn trusted_resolvers_are_all_some_or_none() {
    let trusted = |text: &str| {
        let settings = good(&format!("{ZONE}{text}"));
        let trusted = settings.ecs.trusted;
        trusted.map(|it| it.iter().map(ToString::to_string).collect::<Vec<_>>())
    };
    assert_eq!(trusted(""), None);
    assert_eq!(trusted("[ecs]"), None);
    assert_eq!(trusted("[ecs]\ntrusted = []"), Some(Vec::new()));
    let some = Some(vec!["192.0.2.0/24".to_owned(), "2001:db8::/32".to_owned()]);
    assert_eq!(trusted("[ecs]\ntrusted = ['192.0.2.0/24', '2001:db8::/32']"), some);
    bad(
        "[ecs]\ntrusted = '192.0.2.1/24'",
        &["found \"192.0.2.1/24\"; it has bits set after its prefix, perhaps 192.0.2.0/24"],
    );
    bad("[ecs]\ntrusted = 7", &["ecs.trusted: found 7"]);
}
