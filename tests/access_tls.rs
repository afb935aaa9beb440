//! The API over TLS, and clients that are known by their certificates.

#![allow(clippy::unwrap_used, clippy::panic, reason = "what tests share may panic like tests")]

mod common;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;

use common::authority::{Authority, Identity};
use common::cli::{Run, check, farol};
use common::daemon::{Daemon, Home};
use common::http::Http;
use common::tls::{NAME, config, connect};
use common::{PATIENCE, loopback};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

const ZONE: &str =
    "[[zone]]\nname = 'gtm.example.'\nnameservers = 'ns.example.'\n[[site]]\nname = 'sea'\n";
const TLS: &str = "[admin.tls]\ncertificate = 'tls.crt'\nkey = 'tls.key'\n";

struct Bed {
    daemon: Daemon,
    address: String,
    authority: Authority,
}

fn write(home: &Home, name: &str, identity: &Identity) {
    home.write(&format!("{name}.key"), &identity.key);
    home.write(&format!("{name}.crt"), &identity.certificate);
}

/// A daemon whose API speaks TLS, with these further lines of its configuration.
fn bed(more: &str, clients: &Authority) -> Bed {
    let (address, authority) = (loopback().to_string(), Authority::new("servers"));
    let home = Home::new(&format!("{ZONE}{TLS}{more}")).admin(&format!("{address}:0"));
    write(&home, "tls", &authority.identity_of(&[&address, NAME], 2099));
    home.write("ca.pem", &authority.certificate());
    home.write("clients.pem", &clients.certificate());
    Bed { daemon: home.start(), address, authority }
}

impl Bed {
    fn file(&self, name: &str) -> PathBuf {
        self.daemon.home.path(name)
    }

    /// Runs a verb over this scheme, by the state directory's token, with this environment.
    fn run(&self, scheme: &str, args: &[&str], environment: &[(&str, &str)]) -> Run {
        let server = format!("{scheme}://{}", self.daemon.api.address);
        let [ca, token] = ["ca.pem", "state/admin.token"].map(|it| self.file(it));
        let mut all = vec![("FAROL_SERVER", &*server), ("FAROL_CA", ca.to_str().unwrap())];
        all.push(("FAROL_TOKEN_FILE", token.to_str().unwrap()));
        all.extend(environment.iter().filter(|it| !it.0.is_empty()));
        // Later ones win.
        farol(args, &all)
    }

    fn authority(&self) -> CertificateDer<'static> {
        CertificateDer::from_pem_slice(self.authority.certificate().as_bytes()).unwrap()
    }
}

/// What comes back for one request over TLS, on a connection that stays open.
fn ask(stream: &mut (impl Read + Write)) -> String {
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let mut octets = Vec::new();
    while !octets.ends_with(b"ok\n") {
        let mut octet = [0];
        stream.read_exact(&mut octet).unwrap();
        octets.push(octet[0]);
    }
    String::from_utf8(octets).unwrap()
}

#[test]
fn the_api_speaks_tls_and_nothing_else() {
    let bed = bed("", &Authority::new("clients"));
    check(&bed.run("https", &["status"], &[]), 0, &["https://", "All is well."]);
    let started = bed.daemon.event("started", 0)["message"].as_str().unwrap().to_owned();
    assert!(started.contains("API and metrics at https://"), "{started}");

    let plain = Http::new(bed.daemon.api.address).get("/healthz");
    assert_eq!((plain.status, plain.media_type.as_str()), (400, "application/problem+json"));
    let told = format!("this port speaks HTTPS; ask https://{}", bed.daemon.api.address);
    assert!(plain.body.contains(&told), "{}", plain.body);
    check(&bed.run("http", &["reload"], &[]), 1, &[&told]);

    let other = Authority::new("servers");
    bed.daemon.home.write("other.pem", &other.certificate());
    let other = bed.file("other.pem");
    let stranger = bed.run("https", &["reload", "--ca", other.to_str().unwrap()], &[]);
    check(&stranger, 1, &["no TLS with https://", "--ca"]);
    check(&bed.run("https", &["reload", "--ca", "/nowhere"], &[]), 1, &["`/nowhere`: "]);
    bed.daemon.event("api_tls_failed", 0);
}

#[test]
fn a_renewed_certificate_is_shown_and_a_broken_one_is_not() {
    let mut bed = bed("", &Authority::new("clients"));
    let mut open = connect(bed.daemon.api.address, config(&bed.authority(), b"http/1.1")).unwrap();
    assert!(ask(&mut open).starts_with("HTTP/1.1 200 "));

    let seen = bed.daemon.logged();
    bed.authority = Authority::new("next");
    write(&bed.daemon.home, "tls", &bed.authority.identity_of(&[&bed.address, NAME], 2098));
    let shown = bed.daemon.event("certificate_shown", seen);
    assert!(shown["message"].as_str().unwrap().starts_with("clients of the API are shown"));
    check(&bed.run("https", &["status"], &[]), 3, &["no TLS with"]);
    bed.daemon.home.write("ca.pem", &bed.authority.certificate());
    check(&bed.run("https", &["status"], &[]), 0, &["All is well."]);
    assert!(ask(&mut open).starts_with("HTTP/1.1 200 "), "open connections go on");

    let seen = bed.daemon.logged();
    bed.daemon.home.write("tls.crt", "nonsense");
    let why = bed.daemon.event("reload_refused", seen)["message"].as_str().unwrap().to_owned();
    assert!(why.contains("admin.tls.certificate"), "{why}");
    check(&bed.run("https", &["status"], &[]), 1, &["a reload was refused"]);

    // Without TLS, nobody stays who came with it.
    let seen = bed.daemon.logged();
    bed.daemon.home.write("farol.toml", ZONE);
    bed.daemon.event("listening", seen);
    let mut rest = Vec::new();
    let _ = open.read_to_end(&mut rest);
    assert_eq!(rest, b"");
    assert_eq!(Http::new(bed.daemon.api.address).get("/healthz").status, 200);
}

const CLIENTS: &str = "client_ca = 'clients.pem'\n\
    [[admin.client_certificate]]\nname = 'ann'\nsan = 'DNS:ann.example'\nrole = 'viewer'\n\
    [[admin.client_certificate]]\nname = 'root'\nsan = 'DNS:root.example'\nrole = 'admin'\n";

#[test]
fn clients_are_known_by_their_certificates() {
    let clients = Authority::new("clients");
    let bed = bed(CLIENTS, &clients);
    assert!(!bed.file("state/admin.token").exists(), "an admin gets in without");
    bed.daemon.home.write("token", "farol_00000000_nobody");
    let of = |authority: &Authority, name: &str| {
        write(&bed.daemon.home, name, &authority.identity(name, 2099));
        [format!("{name}.crt"), format!("{name}.key")].map(|it| bed.file(&it).display().to_string())
    };
    let server = format!("https://{}", bed.daemon.api.address);
    let ca = bed.file("ca.pem").display().to_string();
    let by = |[cert, key]: &[String; 2], args: &[&str]| {
        let variables = [
            ("FAROL_SERVER", &*server),
            ("FAROL_CA", &*ca),
            ("FAROL_CLIENT_CERT", cert),
            ("FAROL_CLIENT_KEY", key),
        ];
        farol(args, &variables)
    };
    let (ann, root) = (of(&clients, "ann.example"), of(&clients, "root.example"));
    check(&by(&ann, &["status"]), 0, &["All is well."]);
    check(
        &by(&ann, &["site", "drain", "sea"]),
        1,
        &["takes the role operator, and ann has the role viewer"],
    );
    check(&by(&root, &["site", "drain", "sea"]), 0, &["sea: in service → drained"]);
    check(&by(&root, &["site", "list"]), 0, &["drained by root"]);
    let stranger = by(&of(&clients, "eve.example"), &["reload"]);
    check(&stranger, 1, &["wants a token"]);
    let forged = by(&of(&Authority::new("clients"), "root.example"), &["reload"]);
    check(&forged, 1, &["no TLS with"]);
    // A token says more than a certificate.
    let token = bed.file("token").display().to_string();
    let root = of(&clients, "root.example");
    check(&by(&root, &["reload", "--token-file", &token]), 1, &["did not accept the token"]);
    let none = farol(&["reload"], &[("FAROL_SERVER", &server), ("FAROL_CA", &ca)]);
    check(&none, 1, &["wants a token"]);

    // As a context, from wherever it is run.
    let home = bed.daemon.home.path("home");
    std::fs::create_dir(&home).unwrap();
    let environment = [("HOME", home.to_str().unwrap())];
    let set = [
        "context",
        "set",
        "rio",
        "--server",
        &server,
        "--ca",
        &ca,
        "--client-cert",
        &root[0],
        "--client-key",
        &root[1],
    ];
    check(&farol(&set, &environment), 0, &["go to rio"]);
    check(&farol(&["context", "show"], &environment), 0, &["ca file", "client certificate"]);
    check(&farol(&["site", "list"], &environment), 0, &["drained by root"]);

    // Whoever is taken out of the configuration is out at once.
    bed.daemon.home.write("farol.toml", &format!("{ZONE}{TLS}{}", CLIENTS.replace("ann", "bob")));
    check(&by(&root, &["reload"]), 0, &["admin.client_certificate"]);
    check(&by(&ann, &["reload"]), 1, &["wants a token"]);

    // And nobody gets in without a certificate, where that is wanted.
    let required = format!("require_client_certificate = true\n{CLIENTS}");
    bed.daemon.home.write("farol.toml", &format!("{ZONE}{TLS}{required}"));
    check(&by(&root, &["reload"]), 0, &["admin.tls"]);
    check(&by(&root, &["site", "list"]), 0, &["sea"]);
    let none = farol(&["reload"], &[("FAROL_SERVER", &server), ("FAROL_CA", &ca)]);
    check(&none, 1, &["https://"]);
    assert!(none.err.contains("no TLS") || none.err.contains("broke"), "{none:?}");
}

#[test]
fn who_shakes_no_hands_holds_up_nobody() {
    let bed = bed("", &Authority::new("clients"));
    let silent = |_| TcpStream::connect(bed.daemon.api.address).unwrap();
    let mut all: Vec<TcpStream> = (0..200).map(silent).collect();
    check(&bed.run("https", &["status"], &[]), 0, &["All is well."]);
    // The last one keeps its place until its time is over.
    let last = all.last_mut().unwrap();
    last.set_read_timeout(Some(PATIENCE)).unwrap();
    assert_eq!(last.read(&mut [0]).unwrap_or(0), 0);
    check(&bed.run("https", &["status"], &[]), 0, &["All is well."]);
}
