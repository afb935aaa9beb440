//! What probes of each protocol ask and demand: bodies, gRPC, certificates of clients, where probes come from.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::*;

fn inline(keys: &str) -> String {
    format!("{PROFILE}monitor = {{ {keys} }}\n{ENDPOINT}")
}

#[test]
fn a_body_is_looked_at_as_far_as_the_limit_says() {
    let check = |keys: &str| probe(&inline(keys)).monitor.protocol.http().unwrap().body.clone();
    let body =
        |written, limit| Some(BodyCheck { expected: ExpectedBody::parse(written).unwrap(), limit });
    assert_eq!(check("expected_body = 'ready'"), body("ready", 65_536));
    assert_eq!(check("expected_body = '/^ok/', body_limit = 2"), body("/^ok/", 2));
    assert_eq!(check("protocol = 'https'"), None);
    for (keys, expected) in [
        ("expected_body = ''", "nothing is written to look for; write a text, or a pattern"),
        ("expected_body = '/[a/'", "the pattern can't be read: unclosed character class; write"),
        ("expected_body = 7", "monitor.expected_body: found 7; write a text"),
        ("expected_body = 'a', body_limit = 0", "write a whole number from 1 to 1048576"),
        ("expected_body = 'a', body_limit = 1048577", "write a whole number from 1 to 1048576"),
        ("body_limit = 9", "monitor.body_limit: is of no use without `expected_body`"),
        (
            "expected_body = 'ready', body_limit = 4",
            "`body_limit` (4) must be at least the 5 octets of `expected_body`",
        ),
        ("expected_body = 'a', method = 'HEAD'", "exclude each other: HEAD has no body; write"),
        (
            "protocol = 'tcp', port = 1, expected_body = 'a'",
            "monitor.expected_body: is of no use with protocol = \"tcp\"",
        ),
        (
            "protocol = 'tls', port = 1, body_limit = 9",
            "monitor.body_limit: is of no use with protocol = \"tls\"",
        ),
    ] {
        bad(&inline(keys), &[expected]);
    }
    // A limit may wait in a wider layer for what is expected.
    let monitor = "[monitor.other]\nbody_limit = 9\n";
    good(&format!(
        "{BASE}{monitor}{PROFILE}monitor = 'other'\n{ENDPOINT}monitor = {{ expected_body = 'a' }}"
    ));
}

#[test]
fn handshakes_have_a_host_and_a_port_of_their_own() {
    let target = probe(&inline("protocol = 'tls', port = 636, tls = { verify = false }"));
    let Protocol::Tls(host, tls) = &target.monitor.protocol else { panic!("{target:?}") };
    assert_eq!((&**host, tls.verify), ("b.z", false));
    assert_eq!(*target.addresses, ["192.0.2.2:636".parse().unwrap()]);
    bad(&inline("protocol = 'tls'"), &["write the port to probe, tls has no usual one"]);
    for (keys, expected) in [
        ("path = '/'", "monitor.path: is of no use with protocol = \"tls\""),
        ("grpc = { service = 'a' }", "monitor.grpc.service: is of no use with protocol = \"tls\""),
    ] {
        bad(&inline(&format!("protocol = 'tls', port = 1, {keys}")), &[expected]);
    }
}

#[test]
fn grpc_speaks_tls_when_told_so() {
    let check = |keys: &str| {
        let target = probe(&inline(&format!("protocol = 'grpc', port = 50051, {keys}")));
        let Protocol::Grpc(check) = &target.monitor.protocol else { panic!("{target:?}") };
        check.clone()
    };
    let whole = check("host = 'x.z'");
    assert_eq!((&*whole.host, &*whole.service, whole.tls), ("x.z", "", None));
    let one = check("grpc = { service = 'shop.Cart', tls = true }, tls = { verify = false }");
    assert_eq!((&*one.service, one.tls.map(|it| it.verify)), ("shop.Cart", Some(false)));
    bad(&inline("protocol = 'grpc'"), &["write the port to probe, grpc has no usual one"]);
    for (keys, expected) in [
        (
            "tls = { verify = false }",
            "tls.verify: is of no use without TLS; write `grpc.tls = true`",
        ),
        ("method = 'GET'", "monitor.method: is of no use with protocol = \"grpc\""),
        ("grpc = { service = 'a b' }", "monitor.grpc.service: found \"a b\"; write the name"),
    ] {
        bad(&inline(&format!("protocol = 'grpc', port = 1, {keys}")), &[expected]);
    }
    bad(
        &inline("grpc = { tls = true }"),
        &["monitor.grpc.tls: is of no use with protocol = \"http\""],
    );
}

#[test]
fn every_address_has_a_source_of_its_family() {
    let target = |source: &str, targets: &str| {
        let monitor = format!("{PROFILE}monitor = {{ source = {source} }}\n");
        format!("{monitor}[[profile.endpoint]]\nname = 'x'\ntarget = [{targets}]\n")
    };
    let both = probe(&target("['10.0.0.9', 'fd00::9']", "'192.0.2.1', '2001:db8::1'"));
    let of = |at: usize| both.monitor.source.of(both.addresses[at].ip()).map(|it| it.to_string());
    assert_eq!([of(0), of(1)].map(Option::unwrap), ["10.0.0.9", "fd00::9"]);
    assert_eq!(probe(&inline("port = 1")).monitor.source, Sources::default());
    for (source, targets, expected) in [
        ("'10.0.0.9'", "'2001:db8::1'", "endpoint[x].monitor.source: has no IPv6 address to probe"),
        (
            "'fd00::9'",
            "'192.0.2.1', '2001:db8::1'",
            "has no IPv4 address to probe 192.0.2.1:80 from",
        ),
        (
            "'0.0.0.0'",
            "'192.0.2.1'",
            "no single machine has this address; write an address of this",
        ),
        ("['10.0.0.9', '10.0.0.8']", "'192.0.2.1'", "has two addresses of one family; remove one"),
        ("'eth0'", "'192.0.2.1'", "monitor.source: found \"eth0\"; write an address"),
    ] {
        bad(&target(source, targets), &[expected]);
    }
    let none = "protocol = 'none'";
    bad(&inline(&format!("{none}, source = '10.0.0.9'")), &["monitor.source: is of no use"]);
    let wider =
        format!("{PROFILE}monitor = {{ source = 'fd00::9' }}\n{ENDPOINT}monitor = {{ {none} }}");
    assert_eq!(probe(&wider).monitor.source, Sources::default());
}

/// A certificate and its key in PEM.
fn pair() -> (String, String) {
    let pair = rcgen::generate_simple_self_signed(["probe.example".to_owned()]).unwrap();
    (pair.cert.pem(), pair.signing_key.serialize_pem())
}

#[test]
fn a_client_shows_a_certificate_that_its_key_fits() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    let ((certificate, key), (_, other)) = (pair(), pair());
    for (name, content) in
        [("a.crt", &*certificate), ("a.key", &*key), ("b.key", &*other), ("bad.key", "hush hush")]
    {
        fs::write(at(name), content).unwrap();
        fs::set_permissions(at(name), fs::Permissions::from_mode(0o640)).unwrap();
    }
    let load = |keys: &str| {
        let monitor = format!("protocol = 'https', tls = {{ {keys} }}");
        load_text(&at("farol.toml"), &format!("{BASE}{}", inline(&monitor)))
    };
    let good = load("client_cert = 'a.crt', client_key = 'a.key'").unwrap();
    assert_eq!(good.warnings, []);
    assert!(good.files.contains(&at("a.crt")) && good.files.contains(&at("a.key")));
    let monitor = &good.model.profiles[1].endpoints[0].probe.monitor;
    let identity = monitor.protocol.tls().unwrap().identity.as_ref().unwrap();
    assert_eq!((&identity.file, identity.certificates.len()), (&at("a.crt"), 1));

    for (keys, expected) in [
        ("client_cert = 'a.crt'", "tls.client_cert: is of no use alone; write `client_key` too"),
        ("client_key = 'a.key'", "tls.client_key: is of no use alone; write `client_cert` too"),
        ("client_cert = 'a.crt', client_key = 'b.key'", "b.key\" is not the key of the first"),
        ("client_cert = 'a.crt', client_key = 'bad.key'", "bad.key\" has no private key in it"),
        ("client_cert = 'a.key', client_key = 'a.key'", "a.key\" has no certificate in it"),
        ("client_cert = 'no.crt', client_key = 'a.key'", "no.crt\" can't be read"),
        ("client_cert = 'a.crt', client_key = 'no.key'", "tls.client_key: "),
        ("client_cert = '', client_key = 'a.key'", "write the path of a PEM file"),
    ] {
        let problems = load(keys).unwrap_err();
        assert_eq!(problems.iter().count(), 1, "{problems}");
        assert!(problems.to_string().contains(expected), "{problems}\n  lacks: {expected}");
        assert!(!problems.to_string().contains("hush"), "{problems}");
    }
    fs::set_permissions(at("a.key"), fs::Permissions::from_mode(0o644)).unwrap();
    let warnings = load("client_cert = 'a.crt', client_key = 'a.key'").unwrap().warnings;
    assert_eq!(warnings.len(), 1);
    assert!(warnings[0].to_string().contains("everybody on this machine may read the key"));
}
