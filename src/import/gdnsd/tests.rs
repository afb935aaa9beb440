use super::*;
use crate::import::{Finding, Imported, gdnsd};

#[track_caller]
fn import_of(configuration: &str, zone: Option<&str>) -> Imported {
    let document =
        |name: &str, text: &str| Document { name: name.to_owned(), text: text.to_owned() };
    let zones: Vec<Document> =
        zone.map(|it| document("zones/example.org", it)).into_iter().collect();
    let nets = "192.0.2.0/24 => a";
    let read = |path: &Path| match path.to_str() {
        Some("etc/geoip/nets") => Ok(vec![document("nets", nets)]),
        _ => Err(std::io::ErrorKind::NotFound.into()),
    };
    gdnsd(&document("etc/config", configuration), &zones, &Options::default(), &read).unwrap()
}

fn says(findings: &[Finding], text: &str) -> bool {
    findings.iter().any(|it| it.what.contains(text) || it.why.contains(text))
}

/// What is written for a resource `r` of a plugin, and a word of the report's that goes with it.
#[track_caller]
fn check(plugins: &str, parts: &[&str], list: &str, word: &str) {
    let Imported { configuration, report } =
        import_of(&format!("plugins => {{ {plugins} }}"), None);
    for part in parts {
        assert!(configuration.contains(part), "{plugins}: no {part} in {configuration}");
    }
    let findings = match list {
        "same" => &report.same,
        "differs" => &report.differs,
        _ => &report.unsupported,
    };
    assert!(says(findings, word), "{plugins}: no {word} in {findings:#?}");
}

#[test]
fn resources_have_profiles() {
    for (plugins, parts, list, word) in [
        (
            "weighted => { r => { a = [ 192.0.2.1, 3 ] b = [ 192.0.2.2, 1 ] } }",
            &["method = \"weighted\"", "panic_threshold = 50", "weight = 3"][..],
            "same",
            "weighted → method",
        ),
        (
            "weighted => { r => { up_thresh => 0.015, a = [ 192.0.2.1, 1048575 ], b = [ 192.0.2.2, 1 ] } }",
            &["panic_threshold = 2", "weight = 65535", "weight = 1\n"],
            "differs",
            "weights above 65535",
        ),
        (
            "weighted => { multi => true, r => { a = [ 192.0.2.1, 3 ] b = [ 192.0.2.2, 1 ] } }",
            &["method = \"multivalue\"", "max_return = 2"],
            "differs",
            "gdnsd leaves lighter ones out",
        ),
        (
            "weighted => { r => { multi => true, g => { a = [ 192.0.2.1, 3 ] b = [ 192.0.2.2, 1 ] } h => { a = [ 192.0.2.3, 1 ] } } }",
            &["method = \"multivalue\"", "max_return = 2", "name = \"g-b\""],
            "differs",
            "one of each group",
        ),
        (
            "weighted => { r => { addrs_v4 => { a = [ 192.0.2.1, 3 ] } addrs_v6 => { multi => true, up_thresh => 1.0, a = [ 2001:DB8::1, 1 ] } } }",
            &["name = \"a-v6\"", "panic_threshold = 100"],
            "differs",
            "multi by family",
        ),
        (
            "weighted => { r => { a = [ a.example.net., 1 ], b => 192.0.2.1 } }",
            &["target = \"a.example.net.\""],
            "unsupported",
            "b is the text 192.0.2.1",
        ),
        (
            "multifo => { r => [ 192.0.2.1, 192.0.2.2 ] }",
            &["method = \"multivalue\"", "max_return = 2", "name = \"2\""],
            "same",
            "multifo → method",
        ),
        (
            "multifo => { r => { ignore_health => true, a => 192.0.2.1 } }",
            &["protocol = \"none\""],
            "same",
            "ignore_health",
        ),
        (
            "multifo => { r => { service_types => down, a => 192.0.2.1, } }",
            &["enabled = false"],
            "differs",
            "always down",
        ),
        (
            "multifo => { r => { service_types => lost, a => 192.0.2.1, } }",
            &[],
            "unsupported",
            "the service type lost",
        ),
        (
            "simplefo => { r => { primary => 192.0.2.1, secondary => 192.0.2.2 } }",
            &["method = \"priority\"", "priority = 2"],
            "differs",
            "cuts the TTL in half",
        ),
        ("static => { r => 192.0.2.1 }", &["target = \"192.0.2.1\""], "same", "static"),
        (
            "metafo => { resources => { r => { skip_first => true, datacenters => [ a b ], dcmap => { a => 192.0.2.1 b => 192.0.2.2 } } } }",
            &["name = \"b\"\nsite = \"b\"\ntarget = \"192.0.2.2\""],
            "same",
            "skip_first",
        ),
        (
            "metafo => { plugin => simplefo, resources => { r => { datacenters => [ a b c ], dcmap => { a => !x b => %multifo!y c => { plugin => weighted, i => [ 192.0.2.9, 5 ] } } } } } \
             simplefo => { x => { primary => 192.0.2.1, secondary => 192.0.2.2 } } multifo => { y => { up_thresh => 0.6, 1 => 192.0.2.3, 2 => 192.0.2.4, 3 => 192.0.2.5 } }",
            &[
                "profile = \"_a.r.gtm.example.\"\npriority = 1",
                "profile = \"_b.r.gtm.example.\"\nmin_child_endpoints = 2\npriority = 2",
                "target = \"192.0.2.9\"\npriority = 3",
            ],
            "same",
            "min_child_endpoints",
        ),
        (
            "metafo => { resources => { r => { datacenters => [ a ], dcmap => { a => %metafo!r } } } } static => { s => 192.0.2.1 }",
            &[],
            "unsupported",
            "in circles",
        ),
        (
            "metafo => { resources => { r => { datacenters => [ a b ], dcmap => { a => 192.0.2.1 } } } }",
            &[],
            "unsupported",
            "dcmap has nothing for it",
        ),
        (
            "metafo => { resources => { r => { datacenters => [ a b ], dcmap => { a => 192.0.2.1, b => %multifo!none } } } }",
            &[],
            "unsupported",
            "multifo!none",
        ),
        (
            "geoip => { maps => { m => { datacenters => [ a b ], nets => nets } } resources => { r => { map => m, dcmap => { a => 192.0.2.1 b => 192.0.2.2 } } } }",
            &[
                "method = \"subnet\"",
                "subnets = \"192.0.2.0/24\"",
                "profile = \"_map.r.gtm.example.\"",
            ],
            "same",
            "nets → method",
        ),
        (
            "geoip => { maps => { m => { datacenters => [ a b ], nets => none } } resources => { r => { map => m, dcmap => { a => 192.0.2.1 b => 192.0.2.2 } } } }",
            &["method = \"priority\""],
            "unsupported",
            "nets in the file etc/geoip/none",
        ),
        (
            "geoip => { maps => { m => { datacenters => [ a b ], auto_dc_coords => { a => [ 1, 2 ] b => [ -3.5, 4 ] } map => { EU => [ b ], XX => [ a ], AF => [], OC => { AU => { NSW => [ a b ] } } } } } resources => { r => { map => m, dcmap => { a => 192.0.2.1 b => 192.0.2.2 } } } }",
            &[
                "location = { latitude = -3.5, longitude = 4.0 }",
                "geo = \"GEO-EU\"",
                "geo = \"AU-NSW\"",
                "profile = \"_nearest.r.gtm.example.\"\ngeo = \"WORLD\"",
                "geo_failover = false",
            ],
            "unsupported",
            "AF with no datacenter",
        ),
        (
            "geoip => { resources => { r => { map => m, dcmap => {} } } } static => { s => 192.0.2.1 }",
            &[],
            "unsupported",
            "the map m",
        ),
        ("null => {} static => { s => 192.0.2.1 }", &[], "unsupported", "the plugin null"),
    ] {
        check(plugins, parts, list, word);
    }
}

#[test]
fn orders_of_which_one_datacenter_is_left_are_one() {
    let plugins = "geoip => { undefined_datacenters_ok => true, maps => { m => { datacenters => [ a b c ], map => { EU => [ b a ], NA => [ b c ], SA => [ a c ], AF => [ c a ] } } } \
        resources => { r => { map => m, skip_first => true, dcmap => { a => 192.0.2.1 b => 192.0.2.2 } } } }";
    let text = import_of(&format!("plugins => {{ {plugins} }}"), None).configuration;
    let endpoint = "target = \"192.0.2.1\"\ngeo = [\"GEO-EU\", \"GEO-AF\"]";
    assert!(text.contains(endpoint), "{text}");
}

#[test]
fn service_types_have_monitors() {
    for (service, parts, list, word) in [
        (
            "plugin => http_status, ok_codes => [ 200 100 ]",
            &[
                "protocol = \"http\"\nport = 80\npath = \"/\"\nexpected_status = [\"200\"]\ninterval = \"10s\"\ntimeout = \"5s\"\ntolerated_failures = 9\nrequired_successes = 20\n",
            ][..],
            "unsupported",
            "the status 100",
        ),
        ("plugin => http_status, url_path => x", &["path = \"/x\""], "differs", "without a vhost"),
        (
            "plugin => tcp_connect, port => 25, up_thresh => 50",
            &["protocol = \"tcp\"\nport = 25"],
            "differs",
            "up_thresh = 50 → 20",
        ),
        ("plugin => tcp_connect", &["protocol = \"none\""], "unsupported", "without a port"),
        (
            "plugin => tcp_connect, port => 99999",
            &["protocol = \"none\""],
            "unsupported",
            "`port` is the text 99999",
        ),
        (
            "plugin => tcp_connect, port => 25, interval => 5, timeout => 9",
            &["timeout = \"4900ms\""],
            "same",
            "interval, timeout",
        ),
        ("plugin => static, state => down", &["enabled = false"], "same", "static: up"),
        ("plugin => extmon, cmd => [ x ]", &["protocol = \"none\""], "unsupported", "extmon"),
        ("plugin => extfile, file => x", &["protocol = \"none\""], "unsupported", "extfile"),
        ("plugin => own", &["protocol = \"none\""], "unsupported", "the monitoring plugin own"),
        ("plugin => static, colour => blue", &[], "unsupported", "`colour`"),
    ] {
        let configuration = format!(
            "service_types => {{ s => {{ {service} }} }} plugins => {{ multifo => {{ service_types => s, r => {{ a => 192.0.2.1 }} }} }}"
        );
        let Imported { configuration, report } = import_of(&configuration, None);
        for part in parts {
            assert!(configuration.contains(part), "{service}: no {part} in {configuration}");
        }
        let findings = match list {
            "same" => &report.same,
            "differs" => &report.differs,
            _ => &report.unsupported,
        };
        assert!(says(findings, word), "{service}: no {word} in {findings:#?}");
    }
}

#[test]
fn probes_ask_for_a_name_that_is_asked_for() {
    let configuration = "service_types => { s => { plugin => http_status } } plugins => { multifo => { service_types => s, r => [ 192.0.2.1, 192.0.2.2 ] } \
        metafo => { service_types => s, resources => { m => { datacenters => [ a ], dcmap => { a => [ 192.0.2.1, 192.0.2.2 ] } } } } }";
    let zone = "*.w 60/60 DYNA multifo!r\nm 60/60 DYNA metafo!m\nown 60/60 DYNA multifo!r\n";
    let text = import_of(configuration, Some(zone)).configuration;
    for (host, times) in
        [("host = \"w.example.org\"", 1), ("host = \"m.example.org\"", 1), ("host =", 2)]
    {
        assert_eq!(text.matches(host).count(), times, "{host} in {text}");
    }
}

#[test]
fn a_zone_file_says_the_names() {
    let configuration =
        "plugins => { static => { a => 192.0.2.1, b => b.example.net., unused => 192.0.2.3 } }";
    let zone = "@ NS ns.example.net.\nwww 300/60 DYNA static!a\n*.w DYNA static!a\nb 60 DYNC static!b\nlost DYNA static!lost\n";
    let Imported { configuration, report } = import_of(configuration, Some(zone));
    for part in [
        "name = \"example.org.\"\nnameservers = [\"ns.example.net.\"]",
        "name = \"www.example.org.\"\nmethod = \"priority\"\nttl = 300\nttl_min = 60\n",
        "name = \"*.w.example.org.\"",
        "target = \"b.example.net.\"",
    ] {
        assert!(configuration.contains(part), "no {part} in {configuration}");
    }
    assert_eq!(report.profiles.len(), 3);
    assert!(says(&report.unsupported, "static!lost"));
    assert!(says(&report.differs, "no TTL → ttl = 30"));
    assert!(report.warnings.is_empty(), "{:?}", report.warnings);
}
