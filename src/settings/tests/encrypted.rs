//! The keys about TLS, HTTPS and QUIC.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::*;

/// Reads `[server]` with these lines, beside a certificate and its key.
fn load(server: &str, tls: &str) -> Result<Settings, Problems> {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    let made = rcgen::generate_simple_self_signed(["dns.example".to_owned()]).unwrap();
    fs::write(at("tls.crt"), made.cert.pem()).unwrap();
    fs::write(at("tls.key"), made.signing_key.serialize_pem()).unwrap();
    fs::write(at("other.key"), rcgen::KeyPair::generate().unwrap().serialize_pem()).unwrap();
    for key in ["tls.key", "other.key"] {
        fs::set_permissions(at(key), fs::Permissions::from_mode(0o640)).unwrap();
    }
    let text = format!("{BASE}[server]\n{server}\n[server.tls]\n{tls}\n");
    load_text(&at("farol.toml"), &text)
}

const FILES: &str = "certificate = 'tls.crt'\nkey = 'tls.key'";

#[test]
fn encrypted_transports_are_read() {
    let server = "listen_tls = '127.0.0.1:853'\nlisten_quic = ['127.0.0.1:853', '[::1]:853']\n\
                  listen_https = '127.0.0.1:443'\nhttps_path = '/a'";
    let settings = load(server, &format!("{FILES}\nmax_connections = 7")).unwrap();
    assert_eq!(settings.warnings, []);
    let encrypted = settings.server.encrypted;
    assert_eq!(encrypted.tls, ["127.0.0.1:853".parse().unwrap()]);
    assert_eq!(encrypted.quic.len(), 2);
    assert_eq!((encrypted.https.len(), &*encrypted.https_path), (1, "/a"));
    assert_eq!((encrypted.max_connections, encrypted.is_on()), (7, true));
    let identity = encrypted.identity.unwrap();
    let names = ["tls.crt", "tls.key"];
    assert!(names.iter().all(|it| settings.files.iter().any(|file| file.ends_with(it))));
    assert!(expiry(&identity.certificates[0]).is_some());
    let none = load("", "").unwrap().server.encrypted;
    assert!(!none.is_on() && none.identity.is_none());
}

#[test]
fn encrypted_transports_are_checked() {
    let tls = "listen_tls = '127.0.0.1:853'";
    for (server, files, expected) in [
        (tls, "", "server.listen_tls: found \"127.0.0.1:853\"; needs a certificate; write"),
        ("listen_quic = '127.0.0.1:853'", "", "server.listen_quic: "),
        (tls, "certificate = 'tls.crt'", "tls.certificate: found \"tls.crt\"; is of no use alone"),
        (tls, "key = 'tls.key'", "write `certificate` too"),
        (tls, "certificate = 'no.crt'\nkey = 'tls.key'", "no.crt\" can't be read"),
        (tls, "certificate = 'tls.crt'\nkey = 'other.key'", "other.key\" is not the key of"),
        (tls, "certificate = 'tls.key'\nkey = 'tls.key'", "tls.key\" has no certificate in it"),
        ("listen_tls = '853'", FILES, "write an IP address with a port such as"),
        ("listen_tls = []", FILES, "found a list of 0; write"),
        ("listen_tls = ['127.0.0.1:1', '127.0.0.1:1']", FILES, "is in the list twice"),
        ("listen_tls = ['0.0.0.0:1', '127.0.0.1:1']", FILES, "0.0.0.0:1 and 127.0.0.1:1 overlap"),
        (
            "listen = '127.0.0.1:53'\nlisten_quic = '127.0.0.1:53'",
            FILES,
            "127.0.0.1:53 overlaps with 127.0.0.1:53 of `server.listen`; take another port",
        ),
        (
            "listen_tls = '127.0.0.1:443'\nlisten_https = '0.0.0.0:443'",
            FILES,
            "server.listen_https: found \"0.0.0.0:443\"; 0.0.0.0:443 overlaps with 127.0.0.1:443 of",
        ),
        (
            "listen_https = '127.0.0.1:443'\nlisten_quic = '127.0.0.1:443'",
            FILES,
            "of `server.listen_https`",
        ),
        (
            "listen_tls = '127.0.0.1:8053'",
            FILES,
            "127.0.0.1:8053 overlaps with 127.0.0.1:8053 of `server.listen_tls`",
        ),
        ("https_path = 'dns'", FILES, "write a path such as \"/dns-query\""),
        ("https_path = '/a?b'", FILES, "write a path such as"),
        ("", "max_connections = 0", "from 1 to 100000"),
    ] {
        let problems = load(server, files).unwrap_err();
        assert_eq!(problems.iter().count(), 1, "{problems}");
        assert!(problems.to_string().contains(expected), "{problems}\n  lacks: {expected}");
    }
}
