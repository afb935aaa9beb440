//! Rules of whole configurations: a text goes in, and what the model has or what is complained about comes out.

mod admin;
mod checks;
mod clients;
mod encrypted;
mod formats;
mod layers;
mod monitors;
mod rate_limit;
mod routing;
mod samples;
mod targets;
mod zones;

use std::io;

use super::*;
use crate::model::*;

/// Where the rows of tests add their text.
const BASE: &str = "\
[[zone]]
name = 'z.'
nameservers = ['ns.example.']
[[site]]
name = 'seattle'
[monitor.web]
[[profile]]
name = 'app.z.'
method = 'weighted'
[[profile.endpoint]]
name = 'one'
target = '192.0.2.1'
";

/// A second profile, for its keys.
const PROFILE: &str = "[[profile]]\nname = 'b.z.'\nmethod = 'priority'\n";
const ENDPOINT: &str = "[[profile.endpoint]]\nname = 'x'\ntarget = '192.0.2.2'\n";

const ZONE_FILE: &str = "@ 60 IN SOA ns hostmaster 7 1 1 1 30\n NS ns\nns A 192.0.2.53\n";

fn read(path: &Path, _most: u64) -> io::Result<Vec<u8>> {
    match path.to_str() {
        Some("conf/own.zone") => Ok(ZONE_FILE.into()),
        Some("conf/static.zone") => Ok("txt TXT hello\nns A 192.0.2.53".into()),
        Some("conf/marked.zone") => Ok(format!("\u{feff}{ZONE_FILE}").into()),
        Some("conf/bad.zone") => Ok("a A 192.0.2.1\n\nb A nonsense\nc A 192.0.2.1".into()),
        Some("conf/conflict.zone") => {
            Ok("app TXT fine\napp A 192.0.2.9\nother.example. A 192.0.2.9".into())
        }
        Some("conf/cookie") => Ok("000102030405060708090A0b0c0d0e0f\n".into()),
        Some("conf/secret") => Ok("hushed\n".into()),
        Some("conf/latin.zone") => Ok(vec![0xe9]),
        _ => Err(io::ErrorKind::NotFound.into()),
    }
}

fn load_files(texts: &[&str]) -> Result<Settings, Problems> {
    let name = |index| ["conf/a.toml", "conf/b.toml"][index];
    load_named(&texts.iter().enumerate().map(|(at, text)| (name(at), *text)).collect::<Vec<_>>())
}

/// Files by their names, which tell their formats.
fn load_named(files: &[(&str, &str)]) -> Result<Settings, Problems> {
    load_under(files, &Inputs::default())
}

/// Files below the environment and flags.
fn load_under(files: &[(&str, &str)], inputs: &Inputs) -> Result<Settings, Problems> {
    let source = |(name, text): &(&str, &str)| Source {
        path: Path::new(name).into(),
        format: Format::of(Path::new(name)).unwrap(),
        text: (*text).to_owned(),
    };
    let sources = files.iter().map(source).collect();
    settings(sources, inputs, true, Library::new(&read), Log::default())
}

fn load_one(text: &str) -> Result<Settings, Problems> {
    load_files(&[text])
}

#[track_caller]
fn good(text: &str) -> Settings {
    load_one(text).unwrap_or_else(|problems| panic!("{problems}"))
}

/// Adds a text to the base, and expects exactly these complaints, by parts of them.
#[track_caller]
fn bad(more: &str, expected: &[&str]) {
    refused(&[&format!("{BASE}{more}")], expected);
}

#[track_caller]
fn refused(texts: &[&str], expected: &[&str]) {
    expect(load_files(texts), expected);
}

#[track_caller]
fn refused_files(files: &[(&str, &str)], expected: &[&str]) {
    expect(load_named(files), expected);
}

#[track_caller]
fn expect(loaded: Result<Settings, Problems>, expected: &[&str]) {
    let problems = match loaded {
        Ok(settings) => panic!("taken: {:?}", settings.model),
        Err(problems) => problems,
    };
    assert_eq!(problems.iter().count(), expected.len(), "{problems}");
    for (problem, expected) in problems.iter().zip(expected) {
        assert!(problem.to_string().contains(expected), "{problem}\n  lacks: {expected}");
    }
}

/// The monitor of the only endpoint of the profile that a text adds to the base.
#[track_caller]
fn probe(more: &str) -> ProbeTarget {
    good(&format!("{BASE}{more}")).model.profiles[1].endpoints[0].probe.clone()
}

#[test]
fn everything_has_a_default() {
    let settings = good(BASE);
    assert_eq!(settings.server.listen, ["0.0.0.0:53".parse().unwrap(), "[::]:53".parse().unwrap()]);
    assert!(settings.server.workers >= 1);
    assert_eq!(settings.server.tcp_max_connections, 1000);
    assert_eq!(settings.server.tcp_idle_timeout, Duration::from_secs(10));
    assert_eq!((settings.server.version, settings.server.id), (None, None));
    assert_eq!(settings.admin.listen, "127.0.0.1:8053".parse().unwrap());
    assert_eq!(settings.state.dir, Path::new("/var/lib/farol"));
    assert_eq!(settings.rate_limit, None);
    assert_eq!(settings.files, [] as [&Path; 0]);
    assert_eq!(settings.warnings, []);

    let profile = &settings.model.profiles[0];
    assert!(profile.enabled);
    assert_eq!((profile.ttl, profile.panic_threshold), (30, 0));
    assert_eq!(profile.family, FamilyRule::ByMethod);
    assert_eq!(profile.when_none_healthy, WhenNoneHealthy::ServeAll);
    let endpoint = &profile.endpoints[0];
    assert!(endpoint.enabled && endpoint.site.is_none());
    assert_eq!((endpoint.weight, endpoint.priority), (1, 1));
    assert_eq!(*endpoint.probe.addresses, ["192.0.2.1:80".parse().unwrap()]);

    let monitor = Monitor {
        protocol: Protocol::Http(HttpCheck {
            method: HttpMethod::Get,
            host: "app.z".into(),
            path: "/".into(),
            headers: Vec::new(),
            expected_status: vec![200..=200],
            body: None,
        }),
        source: Sources::default(),
        interval: Duration::from_secs(10),
        timeout: Duration::from_secs(5),
        fast_interval: Duration::from_secs(5),
        tolerated_failures: 3,
        required_successes: 2,
        watch_connection: false,
        flap: Flap {
            count: 3,
            window: Duration::from_secs(600),
            hold_down: Duration::from_secs(30),
            max: Duration::from_secs(600),
        },
    };
    assert_eq!(*endpoint.probe.monitor, monitor);
}

#[test]
fn server_admin_and_state_are_read() {
    let settings = good(&format!(
        "{BASE}[server]\nlisten = '127.0.0.1:0'\nworkers = 3\nversion = 'v'\nid = 'i'\nudp_size = 4096\ntcp_max_connections = 5\n\
         tcp_idle_timeout = '2s'\ncookie_secrets = ['${{file:cookie}}', 'ffffffffffffffffffffffffffffffff']\n\
         require_server_cookie = true\n[admin]\nlisten = '[::1]:80'\n[state]\ndir = 'state'\nmax_age = '1h'\n"
    ));
    let server = Server {
        listen: vec!["127.0.0.1:0".parse().unwrap()],
        workers: 3,
        version: Some("v".to_owned()),
        id: Some("i".to_owned()),
        udp_size: 4096,
        tcp_max_connections: 5,
        tcp_idle_timeout: Duration::from_secs(2),
        cookie_secrets: vec![
            CookieSecret(std::array::from_fn(|it| it as u8)),
            CookieSecret([0xff; 16]),
        ],
        require_server_cookie: true,
        encrypted: Encrypted {
            tls: Vec::new(),
            https: Vec::new(),
            quic: Vec::new(),
            https_path: "/dns-query".into(),
            identity: None,
            max_connections: 1000,
        },
    };
    assert_eq!(settings.server, server);
    assert_eq!(settings.admin.listen, "[::1]:80".parse().unwrap());
    assert_eq!(settings.state.dir, Path::new("conf/state"));
    assert_eq!(settings.state.max_age, Duration::from_secs(3600));
}

#[test]
fn server_admin_and_state_are_checked() {
    let long = "x".repeat(256);
    for (key, expected) in [
        (
            "listen = '53'",
            r#"conf/a.toml:14: server.listen: found "53"; write an IP address with a port"#,
        ),
        ("listen = []", "found a list of 0; write"),
        ("listen = ['127.0.0.1:53', 7]", "server.listen: found 7; write"),
        ("listen = ['127.0.0.1:53', '127.0.0.1:53']", "127.0.0.1:53 is in the list twice"),
        ("listen = ['0.0.0.0:53', '127.0.0.1:53']", "0.0.0.0:53 and 127.0.0.1:53 overlap"),
        ("listen = ['[::1]:53', '[::]:53']", "[::1]:53 and [::]:53 overlap; remove one"),
        ("listen = '0.0.0.0:8053'", "127.0.0.1:8053 overlaps with 0.0.0.0:8053 of `server.listen`"),
        ("workers = 0", "found 0; write a whole number from 1 to 1024"),
        ("workers = '2'", r#"found "2"; write a whole number"#),
        ("workers = 2.0", "found 2; write a whole number"),
        ("udp_size = 511", "found 511; write a whole number from 512 to 4096"),
        ("udp_size = 4097", "from 512 to 4096"),
        ("tcp_max_connections = 100001", "from 1 to 100000"),
        ("tcp_idle_timeout = '1s'", r#"found "1s"; write a duration from "2s" to "1h""#),
        ("tcp_idle_timeout = 10", "found 10; write a duration"),
        ("tcp_idle_timeout = 10:00:00", "found 10:00:00; write a duration"),
        ("version = ''", r#"found ""; write a text of 1 to 255 octets"#),
        (&format!("id = '{long}'"), "write a text of 1 to 255 octets"),
        (
            "cookie_secrets = 'abc'",
            "conf/a.toml:14: server.cookie_secrets: write 32 hexadecimal digits",
        ),
        ("cookie_secrets = '+0112233445566778899aabbccddeeff'", "cookie_secrets: write 32"),
        ("cookie_secrets = [7]", "cookie_secrets: write 32"),
        ("cookie_secrets = []", "cookie_secrets: write 32"),
        ("cookie_secrets = '${file:secret}'", "cookie_secrets: write 32"),
        ("cookie_secrets = '${file:none}'", "cookie_secrets: \"conf/none\" can't be read"),
        ("listn = 'x'", "server.listn: no such key; did you mean `listen`?"),
        (
            "nonsense = 1",
            "the keys here are listen, listen_tls, listen_https, https_path, listen_quic, workers",
        ),
    ] {
        bad(&format!("[server]\n{key}"), &[expected]);
    }
    for apart in [
        "['0.0.0.0:53', '[::]:53', '127.0.0.1:54']",
        "['0.0.0.0:0', '127.0.0.1:0']",
        "['127.0.0.1:53', '127.0.0.2:53']",
    ] {
        good(&format!("{BASE}[server]\nlisten = {apart}"));
    }
    bad(
        "[server]\nlisten = '53'\n[admin]\nlisten = 'localhost'",
        &["server.listen: found", "admin.listen: found"],
    );
    bad("[admin]\nlisten = 'localhost'", &["admin.listen: found \"localhost\"; write an IP"]);
    bad("[admin]\nlisten = ['127.0.0.1:1']", &["admin.listen: found a list of 1; write an IP"]);
    bad("[state]\ndir = ''", &["state.dir: found \"\"; write the path of a directory"]);
}

#[test]
fn several_files_are_one_configuration() {
    let settings =
        load_files(&[BASE, &format!("[server]\nid = 'x'\n{PROFILE}{ENDPOINT}")]).unwrap();
    assert_eq!((settings.model.profiles.len(), settings.server.id.as_deref()), (2, Some("x")));
    refused(
        &[
            BASE,
            "[[site]]\nname = 'seattle'\n[monitor.web]\n[[zone]]\nname = 'Z'\nnameservers = 'ns.x.'\n",
        ],
        &[
            "conf/b.toml:2: site[seattle].name: found \"seattle\"; is written twice, the first time at conf/a.toml:5",
            "conf/b.toml:3: monitor.web: is written twice, the first time at conf/a.toml:6",
            "conf/b.toml:5: zone[Z].name: found \"Z\"; is written twice, the first time at conf/a.toml:2",
        ],
    );
    // What the broken file would have had is not missed.
    refused(
        &["[[zone]\n", &format!("{PROFILE}{ENDPOINT}site = 'x'\n")],
        &["conf/a.toml:1: is not TOML"],
    );
    refused(&[""], &["conf/a.toml: zone: is missing; add a `[[zone]]`"]);
}

#[test]
fn names_are_defined_once_and_used_as_defined() {
    bad(
        &format!("[[profile]]\nname = 'APP.z'\nmethod = 'weighted'\n{ENDPOINT}"),
        &[
            "conf/a.toml:14: profile[APP.z].name: found \"APP.z\"; is written twice, the first time at conf/a.toml:8",
        ],
    );
    bad(
        "[[profile.endpoint]]\nname = 'one'\ntarget = '192.0.2.2'\n",
        &[
            "a.toml:14: profile[app.z.].endpoint[one].name: found \"one\"; is written twice, the first time at conf/a.toml:11",
        ],
    );
    bad(
        "site = 'seatle'\n",
        &["endpoint[one].site: found \"seatle\"; no such site; did you mean \"seattle\"?"],
    );
    bad("site = 'dublin'\n", &["no such site; add a `[[site]]` with this name"]);
    bad(
        "site = 'Seattle'\n",
        &["site: found \"Seattle\"; write the name of a `[[site]]`: 1 to 63"],
    );
    bad(
        &format!("{PROFILE}monitor = 'wep'\n{ENDPOINT}"),
        &["no such monitor; did you mean \"web\"?"],
    );
    bad(
        &format!("{PROFILE}monitor = 'other'\n{ENDPOINT}"),
        &["no such monitor; add a `[monitor.other]`"],
    );
    bad(
        &format!("{PROFILE}monitor = 7\n{ENDPOINT}"),
        &["found 7; write the name of a `[monitor.NAME]` table"],
    );
    bad("[monitor.'A b']", &["monitor.A b: as a monitor's name, write 1 to 63"]);
    bad("[[site]]\nname = 'x_y'", &["site[x_y].name: found \"x_y\"; write 1 to 63"]);
    bad(
        "[monitor.\"a\\nb\"]\n\"c\\nd\" = 1",
        &["monitor.a\\nb: as a", "monitor.a\\nb.c\\nd: no such key"],
    );
    bad("[[site]]", &["conf/a.toml:13: site[#2].name: is missing; write 1 to 63"]);
}

#[test]
fn sites_have_places() {
    let site = good(&format!(
        "{BASE}[[site]]\nname = 'x'\nlocation = {{ latitude = -47.5, longitude = 122, region = 'US-WA' }}"
    ));
    let location = Location { latitude: -47.5, longitude: 122.0, region: "US-WA".parse().ok() };
    assert_eq!(site.model.sites[1].location, Some(location));
    assert_eq!(site.model.sites[0].location, None);
    for (location, expected) in [
        (
            "latitude = 91, longitude = 0",
            "location.latitude: found 91; write a number from -90 to 90",
        ),
        ("latitude = nan, longitude = 0", "found NaN; write"),
        ("latitude = 0, longitude = -180.5", "from -180 to 180"),
        ("latitude = 0", "location.longitude: is missing"),
        ("latitude = 0, longitude = 0, region = 'usa'", "found \"usa\"; write an ISO 3166 code"),
        ("latitude = 0, longitude = 0, region = 'UK'", "perhaps \"GB\" is meant; write an ISO"),
        ("latitude = 0, longitude = 0, region = 'US-'", "write an ISO 3166 code"),
        ("latitude = 0, longitude = 0, lat = 0", "location.lat: no such key"),
    ] {
        bad(&format!("[[site]]\nname = 'x'\nlocation = {{ {location} }}"), &[expected]);
    }
    bad("[[site]]\nname = 'x'\nlocation = 'there'", &["found \"there\"; write a table"]);
}

#[test]
fn profiles_are_read() {
    let text = "name = '*.Z'\nenabled = false\nmethod = 'priority'\nttl = 0\nfamily = 'any'\npanic_threshold = 100\n\
        when_none_healthy = 'fallback'\nfallback = ['192.0.2.9', '2001:db8::9']\nmonitor = { host = 'x.z' }\n";
    let first = "[[profile.endpoint]]\nname = 'a'\nsite = 'seattle'\ntarget = ['2001:db8::1', '192.0.2.1']\n\
        enabled = false\nweight = 65535\naddress = '10.0.0.1:99'\n";
    let settings = good(&format!("{BASE}[[profile]]\n{text}{first}{ENDPOINT}priority = 7\n"));
    let profile = &settings.model.profiles[1];
    assert_eq!(profile.name.to_string(), "*.z.");
    assert!(!profile.enabled);
    assert_eq!(
        (profile.method, profile.ttl, profile.family),
        (Method::Priority, 0, FamilyRule::Any)
    );
    assert_eq!(profile.panic_threshold, 100);
    let addresses = |it: &[&str]| it.iter().map(|it| it.parse().unwrap()).collect::<Addresses>();
    let fallback = addresses(&["192.0.2.9", "2001:db8::9"]);
    assert_eq!(profile.when_none_healthy, WhenNoneHealthy::Fallback(fallback));
    let [a, x] = &profile.endpoints[..] else { panic!("{profile:?}") };
    assert_eq!(*a.addresses(), addresses(&["192.0.2.1", "2001:db8::1"]));
    assert_eq!((a.enabled, a.weight, a.priority, x.priority), (false, 65535, 1, 7));
    assert_eq!(a.site.as_ref().map(Ident::as_str), Some("seattle"));
    assert_eq!(*a.probe.addresses, ["10.0.0.1:99".parse().unwrap()]);
    for word in ["serve_all", "last_healthy", "nodata", "servfail"] {
        let settings = good(&format!("{BASE}{PROFILE}when_none_healthy = '{word}'\n{ENDPOINT}"));
        assert_eq!(settings.model.profiles[1].when_none_healthy.label(), word);
    }
}

#[test]
fn profiles_are_checked() {
    for (keys, expected) in [
        ("enabled = 1", "profile[b.z.].enabled: found 1; write true or false"),
        ("ttl = -1", "found -1; write a whole number from 0 to 2147483647"),
        ("ttl = 2147483648", "from 0 to 2147483647"),
        ("ttl = '30s'", "found \"30s\"; write a whole number"),
        ("family = 'v4'", r#"found "v4"; write "by-method" or "any""#),
        ("panic_threshold = 101", "from 0 to 100"),
        (
            "when_none_healthy = 'x'",
            r#"write "serve_all", "last_healthy", "fallback", "nodata" or "servfail""#,
        ),
        ("when_none_healthy = 'fallback'", "b.z.].fallback: is missing; write an IP address"),
        ("when_none_healthy = 'fallback'\nfallback = []", "found a list of 0; write an IP address"),
        ("fallback = '192.0.2.1'", "goes with when_none_healthy = \"fallback\""),
        ("when_none_healthy = 'nodata'\nfallback = '192.0.2.1'", "goes with when_none_healthy"),
        ("tll = 3", "profile[b.z.].tll: no such key; did you mean `ttl`?"),
    ] {
        bad(&format!("{PROFILE}{keys}\n{ENDPOINT}"), &[expected]);
    }
    let profile = |keys: &str| format!("[[profile]]\n{keys}\n{ENDPOINT}");
    bad(
        &profile("name = 'b.z.'"),
        &["conf/a.toml:13: profile[b.z.].method: is missing; write \"priority\", \"weighted\""],
    );
    bad(
        &profile("method = 'weighted'"),
        &["conf/a.toml:13: profile[#2].name: is missing; write a domain name"],
    );
    bad(&profile("name = 'b..z'\nmethod = 'x'"), &["has an empty label", "method: found \"x\""]);
    bad(PROFILE, &["profile[b.z.].endpoint: write at least one `[[profile.endpoint]]`"]);
    bad(&format!("{PROFILE}endpoint = []"), &["found a list of 0; write at least one"]);
    bad(
        &format!("{PROFILE}[profile.endpoint]\nname = 'x'"),
        &["found a table; write tables, each headed `[[profile.endpoint]]`"],
    );
    bad(
        &format!("{PROFILE}endpoint = [1]"),
        &["endpoint[#1]: found 1; write a table with keys of `[[profile.endpoint]]`"],
    );
    bad(
        &profile("name = 'b.example.'\nmethod = 'weighted'"),
        &["lies outside every zone; write a name within one of `z.`"],
    );
}

#[test]
fn endpoints_are_checked() {
    for (key, expected) in [
        (
            "weight = 70000",
            "endpoint[one].weight: found 70000; write a whole number from 0 to 65535",
        ),
        ("priority = 0", "from 1 to 65535"),
        ("address = 'host'", "found \"host\"; write an IP address, with a port"),
        ("address = '192.0.2.1:0'", "nothing listens on port 0"),
        ("address = '0.0.0.0'", "no single machine has this address"),
        ("monitor = 'web'", "found \"web\"; write an inline table with keys of `[monitor.NAME]`"),
        ("monitor = { pat = '/' }", "endpoint[one].monitor.pat: no such key; did you mean `path`?"),
        ("wieght = 1", "no such key; did you mean `weight`?"),
    ] {
        bad(key, &[expected]);
    }
    for (target, expected) in [
        ("[]", "x.target: found a list of 0"),
        ("['192.0.2.1', 1]", "found 1; write an IP address"),
        ("'192.0.2.1:80'", "found \"192.0.2.1:80\""),
        ("'255.255.255.255'", "no single machine has this address; write"),
        ("'ff02::1'", "no single machine has this address"),
        ("'::'", "no single machine has this address"),
    ] {
        let expected = expected.trim_start_matches("x.target: ");
        bad(&format!("{PROFILE}[[profile.endpoint]]\nname = 'x'\ntarget = {target}"), &[expected]);
    }
    bad(
        "[[profile.endpoint]]",
        &["endpoint[#2].name: is missing", "endpoint[#2].target: is missing"],
    );
    let many = vec!["'192.0.2.1'"; 65].join(",");
    bad(
        &format!("{PROFILE}[[profile.endpoint]]\nname = 'x'\ntarget = [{many}]"),
        &["found a list of 65"],
    );
}
