//! Monitors: defaults, layers, what one key means for another, and where probes go.

use std::sync::Arc;

use super::*;

/// A profile and an endpoint with these keys for their monitors.
fn layers(profile: &str, endpoint: &str) -> String {
    format!("{PROFILE}monitor = {{ {profile} }}\n{ENDPOINT}monitor = {{ {endpoint} }}\n")
}

fn inline(keys: &str) -> String {
    format!("{PROFILE}monitor = {{ {keys} }}\n{ENDPOINT}")
}

fn milliseconds(it: Duration) -> u128 {
    it.as_millis()
}

#[test]
fn every_key_is_read() {
    let text = "protocol = 'https', port = 8443, host = 'App.Z.', path = '/healthz?x=1', method = 'HEAD', \
        headers = { X-Key = 'secret' }, expected_status = [204, '300-399'], interval = '1m', timeout = '1s', \
        fast_interval = '500ms', tolerated_failures = 0, required_successes = 20, tls = { verify = false, min_days_left = 30 }, \
        source = '192.0.2.9', flap = { count = 0, window = '1s', hold_down = '2s', max = '3s' }";
    let probe = probe(&inline(text));
    let http = HttpCheck {
        method: HttpMethod::Head,
        host: "app.z".into(),
        path: "/healthz?x=1".into(),
        headers: vec![Header {
            name: "X-Key".to_owned(),
            value: "secret".to_owned(),
            references: [].into(),
        }],
        expected_status: vec![204..=204, 300..=399],
        body: None,
    };
    let tls = TlsCheck { verify: false, anchors: None, identity: None, min_days_left: 30 };
    let monitor = Monitor {
        protocol: Protocol::Https(http, tls),
        source: Sources { v4: Some(std::net::Ipv4Addr::new(192, 0, 2, 9)), v6: None },
        interval: Duration::from_secs(60),
        timeout: Duration::from_secs(1),
        fast_interval: Duration::from_millis(500),
        tolerated_failures: 0,
        required_successes: 20,
        watch_connection: false,
        flap: Flap {
            count: 0,
            window: Duration::from_secs(1),
            hold_down: Duration::from_secs(2),
            max: Duration::from_secs(3),
        },
    };
    assert_eq!(*probe.monitor, monitor);
    assert_eq!(*probe.addresses, ["192.0.2.2:8443".parse().unwrap()]);
}

#[test]
fn endpoints_with_the_same_addresses_share_their_probes_in_any_order() {
    let endpoint = |name: &str, target: &str| format!("{{ name = '{name}', target = {target} }}");
    let endpoints = [
        endpoint("a", "['192.0.2.9', '2001:db8::1', '192.0.2.10']"),
        endpoint("b", "['2001:db8::1', '192.0.2.10', '192.0.2.9']"),
        endpoint("c", "['192.0.2.9', '192.0.2.10']"),
    ];
    let text = format!(
        "[[zone]]\nname = 'z.'\nnameservers = 'ns.example.'\n[[profile]]\nname = 'a.z.'\nmethod = 'weighted'\n\
         monitor = {{ protocol = 'tcp', port = 9 }}\nendpoint = [{}]\n",
        endpoints.join(", ")
    );
    let settings = load_one(&text).unwrap();
    let [a, b, c] = &settings.model.profiles[0].endpoints[..] else { panic!("three") };
    assert_eq!(a.probe, b.probe);
    assert_ne!(a.probe, c.probe);
    let probed: Vec<_> = a.probe.addresses.iter().map(ToString::to_string).collect();
    assert_eq!(probed, ["192.0.2.9:9", "192.0.2.10:9", "[2001:db8::1]:9"]);
}

#[test]
fn values_are_held_to_their_ranges() {
    for (keys, expected) in [
        (
            "protocol = 'icmp'",
            r#"monitor.protocol: found "icmp"; write "http", "https", "tcp", "tls", "grpc", "exec", "push" or "none""#,
        ),
        ("port = 0", "monitor.port: found 0; write a whole number from 1 to 65535"),
        ("host = 'a b'", "monitor.host: found \"a b\"; write a host name"),
        ("address = 'x'", "monitor.address: found \"x\"; write an IP address"),
        ("path = 'x'", "monitor.path: found \"x\"; write a path that starts with `/`"),
        ("method = 'get'", r#"write "GET" or "HEAD""#),
        ("headers = ['x']", "monitor.headers: write a table of up to 16"),
        ("headers = { Host = 'x' }", "monitor.headers.Host: write the host under the key `host`"),
        ("expected_status = []", "found a list of 0; write a list of 1 to 8"),
        ("expected_status = [1,2,3,4,5,6,7,8,9]", "found a list of 9; write"),
        (
            "expected_status = ['100']",
            "found \"100\"; an interim status is never the last word of an answer; write a list of 1 to 8 statuses from 200",
        ),
        ("expected_status = ['2xx']", "monitor.expected_status: found \"2xx\"; write"),
        ("interval = '99ms'", r#"write a duration from "100ms" to "1h""#),
        ("interval = '2h'", r#"found "2h"; write a duration from "100ms" to "1h""#),
        ("timeout = '0s'", "monitor.timeout: found \"0s\""),
        ("tolerated_failures = 21", "from 0 to 20"),
        ("required_successes = 0", "from 1 to 20"),
        (
            "flap = { count = 256 }",
            "monitor.flap.count: found 256; write a whole number from 0 to 255",
        ),
        ("flap = { window = '500ms' }", "monitor.flap.window: found"),
        ("flap = { hold_up = '5s' }", "monitor.flap.hold_up: no such key"),
        ("flap = 3", "monitor.flap: found 3; write a table with keys of `[monitor.NAME.flap]`"),
        (
            "protocol = 'https', tls = { verify = 'yes' }",
            "monitor.tls.verify: found \"yes\"; write true or false",
        ),
        ("protocol = 'https', tls = { ca_file = 'no.pem' }", "\"conf/no.pem\" can't be read"),
        (
            "protocol = 'https', tls = { ca_file = 'static.zone' }",
            "\"conf/static.zone\" has no certificate",
        ),
    ] {
        bad(&inline(keys), &[expected]);
    }
    let header = |it| format!("X{it} = 'secret'");
    let headers = (0..17).map(header).collect::<Vec<_>>().join(", ");
    bad(&inline(&format!("headers = {{ {headers} }}")), &["monitor.headers: write a table"]);
}

#[test]
fn times_follow_from_each_other() {
    for (keys, interval, timeout, fast) in [
        ("", 10_000, 5000, 5000),
        ("interval = '1h'", 3_600_000, 5000, 900_000),
        ("interval = '4s'", 4000, 2000, 2000),
        ("interval = '100ms'", 100, 50, 50),
        ("timeout = '1s'", 10_000, 1000, 2500),
        ("timeout = '9s'", 10_000, 9000, 9000),
        ("timeout = '2s', fast_interval = '1s'", 10_000, 2000, 1000),
    ] {
        let monitor = probe(&inline(keys)).monitor;
        let times = [monitor.interval, monitor.timeout, monitor.fast_interval].map(milliseconds);
        assert_eq!(times, [interval, timeout, fast], "{keys}");
    }
    for (keys, expected) in [
        ("timeout = '10s'", "monitor.timeout: `timeout` (10s) must be less than `interval` (10s)"),
        ("fast_interval = '11s'", "`fast_interval` (11s) must be at most `interval` (10s)"),
        (
            "flap = { hold_down = '11m' }",
            "flap.hold_down: `max` (10m) must be at least `hold_down` (11m)",
        ),
        // One slip is one complaint: what would follow from the default in its place is nothing to tell.
        ("interval = '1x', timeout = '20s'", "interval: found \"1x\""),
    ] {
        bad(&inline(keys), &[expected]);
    }
    // What doesn't fit is told where it was written last.
    bad(
        &layers("timeout = '5s'", "interval = '1s'"),
        &["endpoint[x].monitor.interval: `timeout` (5s) must be less than `interval` (1s)"],
    );
}

#[test]
fn keys_without_use_are_refused_where_they_stand_beside_the_protocol() {
    for (profile, endpoint, expected) in [
        (
            "protocol = 'tcp', port = 1, path = '/'",
            "",
            "b.z.].monitor.path: is of no use with protocol = \"tcp\"",
        ),
        (
            "tls = { verify = true }",
            "",
            "monitor.tls.verify: is of no use with protocol = \"http\"",
        ),
        (
            "protocol = 'none', interval = '1s'",
            "",
            "monitor.interval: is of no use with protocol = \"none\"",
        ),
        ("protocol = 'tcp', port = 1", "host = 'x'", "endpoint[x].monitor.host: is of no use"),
        (
            "path = '/'",
            "protocol = 'tcp', port = 1, method = 'GET'",
            "endpoint[x].monitor.method: is of no use",
        ),
    ] {
        bad(&layers(profile, endpoint), &[expected]);
    }
    let kind = |profile, endpoint| probe(&layers(profile, endpoint)).monitor.protocol.label();
    assert_eq!(
        kind(
            "protocol = 'https', path = '/x', tls = { verify = true }",
            "protocol = 'tcp', port = 1"
        ),
        "tcp"
    );
    assert_eq!(kind("path = '/x', address = '10.0.0.1'", "protocol = 'none'"), "none");
    bad(
        &format!("{PROFILE}monitor = {{ protocol = 'none' }}\n{ENDPOINT}address = '10.0.0.1'"),
        &["endpoint[x].address: found \"10.0.0.1\"; is of no use with protocol = \"none\""],
    );
}

#[test]
fn an_endpoint_overrides_single_keys() {
    let probe = probe(&layers(
        "protocol = 'https', path = '/a', tls = { verify = false }, flap = { count = 1, max = '1h' }",
        "path = '/b', port = 99, flap = { count = 2 }",
    ));
    let Protocol::Https(http, tls) = &probe.monitor.protocol else { panic!("{probe:?}") };
    assert_eq!((&*http.path, tls.verify), ("/b", false));
    assert_eq!((probe.monitor.flap.count, probe.monitor.flap.max), (2, Duration::from_secs(3600)));
    assert_eq!(*probe.addresses, ["192.0.2.2:99".parse().unwrap()]);
}

#[test]
fn probes_go_to_the_nearest_address_that_is_written() {
    let target = "[[profile.endpoint]]\nname = 'x'\ntarget = ['2001:db8::1', '192.0.2.1']\n";
    for (monitor, endpoint, expected) in [
        ("", "", &["192.0.2.1:80", "[2001:db8::1]:80"][..]),
        ("protocol = 'https'", "", &["192.0.2.1:443", "[2001:db8::1]:443"]),
        ("address = '10.0.0.1'", "", &["10.0.0.1:80"]),
        ("address = '10.0.0.1:99', port = 98", "", &["10.0.0.1:99"]),
        ("address = '10.0.0.1:99', port = 98", "address = '::1'", &["[::1]:98"]),
        ("protocol = 'tcp'", "address = '[::1]:7'", &["[::1]:7"]),
        ("protocol = 'tcp', port = 5", "", &["192.0.2.1:5", "[2001:db8::1]:5"]),
        ("protocol = 'none'", "", &["192.0.2.1:0", "[2001:db8::1]:0"]),
    ] {
        let probe = probe(&format!("{PROFILE}monitor = {{ {monitor} }}\n{target}{endpoint}\n"));
        let addresses: Vec<String> = probe.addresses.iter().map(ToString::to_string).collect();
        assert_eq!(addresses, expected, "{monitor} {endpoint}");
    }
    bad(
        &inline("protocol = 'tcp'"),
        &[
            "conf/a.toml:17: profile[b.z.].endpoint[x].monitor.port: is missing; write the port to probe, tcp has no",
        ],
    );
}

#[test]
fn the_host_is_the_profiles_name_unless_that_is_none() {
    let wildcard = "[[profile]]\nname = '*.z.'\nmethod = 'weighted'\n";
    for (text, expected) in [
        (format!("{wildcard}{ENDPOINT}"), "profile[*.z.].monitor.host: is missing"),
        (
            format!("{wildcard}{ENDPOINT}monitor = {{ protocol = 'https' }}"),
            "endpoint[x].monitor.host: is missing",
        ),
        (wildcard.replace("*.z.", "a\\032b.z.") + ENDPOINT, "monitor.host: is missing"),
    ] {
        bad(&text, &[expected]);
    }
    good(&format!("{BASE}{wildcard}monitor = {{ protocol = 'tcp', port = 1 }}\n{ENDPOINT}"));
    good(&format!("{BASE}{wildcard}monitor = {{ host = 'x.z' }}\n{ENDPOINT}"));
}

#[test]
fn equal_monitors_are_one() {
    let more = "[monitor.tcp]\nprotocol = 'tcp'\nport = 1\n";
    let profile = |name: &str, monitor: &str| {
        format!(
            "[[profile]]\nname = '{name}'\nmethod = 'weighted'\nmonitor = {monitor}\n{ENDPOINT}"
        )
    };
    let tcp = [profile("b.z", "'tcp'"), profile("c.z", "{ protocol = 'tcp', port = 2 }")].concat();
    let model = good(&format!("{BASE}{more}{tcp}")).model;
    let monitor = |index: usize| &model.profiles[index].endpoints[0].probe.monitor;
    assert!(Arc::ptr_eq(monitor(1), monitor(2)));
    assert!(!Arc::ptr_eq(monitor(0), monitor(1)));
}

#[test]
fn what_is_wrong_with_a_shared_monitor_is_said_once() {
    let more = "[monitor.slow]\ntimeout = '20s'\n";
    let profile = |name| {
        format!("[[profile]]\nname = '{name}'\nmethod = 'weighted'\nmonitor = 'slow'\n{ENDPOINT}")
    };
    let profiles = [profile("b.z"), profile("c.z")].concat();
    bad(
        &format!("{more}{profiles}"),
        &["conf/a.toml:14: monitor.slow.timeout: `timeout` (20s) must be less"],
    );
}

#[test]
fn values_of_headers_are_in_no_message() {
    let text =
        format!("{BASE}{}", inline("headers = { 'X Y' = 'hush', X = 'hush\\n', Host = 'hush' }"));
    let problems = load_one(&text).unwrap_err();
    assert!(problems.iter().count() >= 1 && !problems.to_string().contains("hush"), "{problems}");
}

#[test]
fn a_secret_at_a_wrong_place_is_not_shown() {
    let key = "-----BEGIN PRIVATE KEY-----\\nhush\\n";
    for (keys, complaint) in [
        ("headers = 'Bearer hush'".to_owned(), "monitor.headers: write a table of up to 16"),
        ("headers = ['hush']".to_owned(), "monitor.headers: write"),
        ("headers = { 'Bearer hush' = 'x' }".to_owned(), "monitor.headers: one of its keys is no"),
        ("headers = { X = { hush = 'hush' } }".to_owned(), "monitor.headers.X: write the value"),
        ("protocol = 'push', push = 'hush'".to_owned(), "monitor.push: write a table with keys"),
        ("protocol = 'push', push = { token = ['hush'] }".to_owned(), "push.token: write a text"),
        ("protocol = 'https', tls = 'hush'".to_owned(), "monitor.tls: write a table with keys"),
        (tls(&format!("client_key = \"{key}\"")), "tls.client_key: is what the file should have"),
        (tls(&format!("client_cert = \"{key}\"")), "tls.client_cert: is what the file should"),
        (tls("client_key = ['hush']"), "monitor.tls.client_key: write the path"),
    ] {
        let problems = load_files(&[&format!("{BASE}{}", inline(&keys))]).unwrap_err().to_string();
        assert!(problems.contains(complaint) && !problems.contains("hush"), "{keys}: {problems}");
    }
}

fn tls(keys: &str) -> String {
    format!("protocol = 'https', tls = {{ {keys} }}")
}

#[test]
fn a_named_monitor_holds_by_itself() {
    for (keys, expected) in [
        (
            "interval = '2s'\ntimeout = '2s'",
            "conf/a.toml:15: monitor.other.timeout: `timeout` (2s) must be less than `interval` (2s)",
        ),
        ("timeout = '20s'", "`timeout` (20s) must be less than `interval` (10s)"),
        ("fast_interval = '11s'", "`fast_interval` (11s) must be at most `interval` (10s)"),
        ("flap = { max = '1s' }", "monitor.other.flap.max: `max` (1s) must be at least"),
        ("protocol = 'tcp'\npath = '/'", "is of no use with protocol = \"tcp\""),
    ] {
        // Said once, whether a profile uses it or not.
        bad(&format!("[monitor.other]\n{keys}\n"), &[expected]);
        bad(
            &format!("[monitor.other]\n{keys}\n{PROFILE}monitor = 'other'\n{ENDPOINT}"),
            &[expected],
        );
    }
    // What a profile or an endpoint may add is not missed.
    good(&format!("{BASE}[monitor.other]\nprotocol = 'tcp'\n"));
}

#[test]
fn a_program_is_named_by_its_path_and_needs_no_port() {
    let probe = probe(&inline("protocol = 'exec', command = ['/bin/check', '-a', '']"));
    let Protocol::Exec(check) = &probe.monitor.protocol else { panic!("{probe:?}") };
    assert_eq!(check.command.iter().map(|it| &**it).collect::<Vec<_>>(), ["/bin/check", "-a", ""]);
    assert_eq!(*probe.addresses, ["192.0.2.2:0".parse().unwrap()]);
    for (keys, expected) in [
        ("", "profile[b.z.].monitor.command: is missing; write it, protocol = \"exec\" needs it"),
        (", command = []", "monitor.command: found a list of 0; write a list of 1 to 64 texts"),
        (", command = 'check'", "monitor.command: found \"check\"; begins with no absolute path"),
        (", command = ['/c', 1]", "monitor.command: found 1; write a list"),
        (", command = ['/c', \"\\u0000\"]", "monitor.command: found"),
        (", command = '/c', path = '/'", "monitor.path: is of no use with protocol = \"exec\""),
        (
            ", command = '/c', push = { token = '0123456789abcdef' }",
            "monitor.push.token: is of no use",
        ),
        (", command = '/c', watch_connection = true", "monitor.watch_connection: is of no use"),
    ] {
        bad(&inline(&format!("protocol = 'exec'{keys}")), &[expected]);
    }
    bad(&inline("command = '/c'"), &["monitor.command: is of no use with protocol = \"http\""]);
}

#[test]
fn reports_have_a_token_that_is_never_shown() {
    let token = "0123456789abcde";
    let shown = |keys: &str| format!("{:?}", probe(&inline(keys)).monitor);
    let keys = |token: &str| format!("protocol = 'push', push = {{ token = '{token}' }}");
    let monitor = shown(&keys(&format!("{token}f")));
    assert!(monitor.contains("(hidden)") && !monitor.contains(token), "{monitor}");
    for (keys, expected) in [
        ("protocol = 'push'".to_owned(), "monitor.push.token: is missing; write it, protocol"),
        (keys(token), "monitor.push.token: is no token; write 16 or more visible ASCII"),
        (keys("${file:none}"), "monitor.push.token: \"conf/none\" can't be read"),
        (keys("0123456789 abcdef"), "monitor.push.token: is no token"),
        (
            "push = { token = '0123456789abcdef' }".to_owned(),
            "is of no use with protocol = \"http\"",
        ),
        (format!("{}, timeout = '1s'", keys("0123456789abcdef")), "monitor.timeout: is of no use"),
        (format!("{}, address = '::1'", keys("0123456789abcdef")), "monitor.address: is of no use"),
    ] {
        let problems = load_one(&format!("{BASE}{}", inline(&keys))).unwrap_err().to_string();
        assert!(problems.contains(expected) && !problems.contains("01234567"), "{problems}");
    }
}

#[test]
fn a_connection_is_watched_where_the_protocol_has_one() {
    assert!(!probe(&inline("")).monitor.watch_connection);
    assert!(probe(&inline("watch_connection = true")).monitor.watch_connection);
    let watched = "watch_connection = true";
    assert!(probe(&layers(watched, "protocol = 'tcp', port = 1")).monitor.watch_connection);
    let exec = layers(watched, "protocol = 'exec', command = '/c'");
    assert!(!probe(&exec).monitor.watch_connection, "it is inherited to no avail");
    bad(&inline("protocol = 'none', watch_connection = true"), &["is of no use"]);
}

#[test]
fn values_of_headers_may_stand_in_files_and_variables_in_every_format() {
    let secret = "Bearer ${file:secret} ${env:TOKEN}";
    let toml = format!("{BASE}{}", inline(&format!("headers = {{ X = '{secret}' }}")));
    let monitor = format!(r#"{{"headers": {{"X": "{secret}"}}}}"#);
    let zone = r#""zone": [{"name": "z.", "nameservers": ["ns.example."]}]"#;
    let endpoint = r#""endpoint": [{"name": "x", "target": "192.0.2.2"}]"#;
    let json = format!(
        r#"{{{zone}, "profile": [{{"name": "b.z.", "method": "priority", "monitor": {monitor}, {endpoint}}}]}}"#
    );
    let environment = vec![("TOKEN".into(), "more".into())];
    let inputs = Inputs { environment, ..Inputs::default() };
    // What is JSON is YAML too.
    for (name, text) in [("conf/a.toml", &toml), ("conf/a.json", &json), ("conf/a.yaml", &json)] {
        let settings = load_under(&[(name, text)], &inputs).unwrap();
        let profile = settings.model.profiles.last().unwrap();
        let Protocol::Http(check) = &profile.endpoints[0].probe.monitor.protocol else { panic!() };
        assert_eq!(check.headers[0].value, "Bearer hushed more", "{name}");
        assert_eq!(settings.files, [Path::new("conf/secret")]);
        let shown = format!("{settings:?}");
        assert!(!shown.contains("hushed"), "{shown}");
        let problems = load_under(&[(name, text)], &Inputs::default()).unwrap_err().to_string();
        assert!(problems.contains("monitor.headers.X: the environment variable `TOKEN`"));
        assert!(problems.contains(name) && !problems.contains("hushed"), "{problems}");
    }
    bad(
        &inline("headers = { X = '${file:none}' }"),
        &["monitor.headers.X: \"conf/none\" can't be read: entity not found; mend it, or name"],
    );
}
