//! The dashboard's files, and sessions of the browsers that show them.

#![allow(clippy::unwrap_used, clippy::panic, reason = "what tests share may panic like tests")]

mod common;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;

use common::authority::{Authority, Identity};
use common::daemon::{Daemon, Home};
use common::http::{Http, Response};
use common::program;
use common::tls::{NAME, metric};
use common::{PATIENCE, loopback};
use serde_json::{Value, json as object};

const CONFIG: &str = "
    [[zone]]
    name = 'gtm.example.'
    nameservers = 'ns.example.'
    [[site]]
    name = 'seattle'
    [[profile]]
    name = 'app.gtm.example.'
    method = 'weighted'
    monitor = { protocol = 'none' }
    endpoint = [{ name = 'west', site = 'seattle', target = '192.0.2.1' }]
";
const WEST: &str = "/v1/profiles/app.gtm.example./endpoints/west";
const WEIGHT: &str = r#"{"weight": 7}"#;
const OWN: &str = "Sec-Fetch-Site: same-origin\r\n";
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; \
    form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'";

/// A browser: it sends its cookie with every request, and no token.
struct Browser {
    http: Http,
    cookie: String,
}

impl Browser {
    /// Signs in; the cookie is kept as browsers keep it.
    #[track_caller]
    fn sign_in(daemon: &Daemon, token: &str) -> Self {
        let http = Http::new(daemon.api.address);
        let signed_in = sign_in(&http, token);
        assert_eq!(signed_in.status, 200, "{}", signed_in.body);
        let cookie = signed_in.header("set-cookie").split(';').next().unwrap().to_owned();
        Self { http, cookie }
    }

    #[track_caller]
    fn send(&self, method: &str, path: &str, body: &str, more: &str) -> Response {
        let headers = format!("Cookie: other=1; {}\r\n{more}", self.cookie);
        self.http.send_with(method, path, body, &headers)
    }

    #[track_caller]
    fn get(&self, path: &str) -> Response {
        self.send("GET", path, "", "")
    }
}

fn sign_in(http: &Http, token: &str) -> Response {
    http.send_with("POST", "/v1/session", &object!({"token": token}).to_string(), OWN)
}

fn own_token(daemon: &Daemon) -> String {
    fs::read_to_string(daemon.home.path("state/admin.token")).unwrap().trim().to_owned()
}

/// Makes a token; gives its id and itself.
#[track_caller]
fn token(daemon: &Daemon, body: Value) -> (String, String) {
    let made = daemon.api.must("POST", "/v1/tokens", &body.to_string());
    let text = |it: &Value| it.as_str().unwrap().to_owned();
    (text(&made["token"]["id"]), text(&made["secret"]))
}

#[track_caller]
fn refused(response: &Response, status: u16, part: &str) {
    assert_eq!(response.status, status, "{}", response.body);
    assert!(response.body.contains(part), "no `{part}` in {}", response.body);
}

#[test]
fn the_dashboard_is_served_with_what_keeps_it_from_harm() {
    let daemon = Daemon::start(CONFIG);
    let nobody = Http::new(daemon.api.address);
    let page = nobody.get("/");
    assert!(page.body.starts_with("<!doctype html>"), "{}", page.body);
    for (path, media_type) in [
        ("/", "text/html; charset=utf-8"),
        ("/assets/app.css", "text/css; charset=utf-8"),
        ("/assets/main.js", "text/javascript; charset=utf-8"),
    ] {
        let got = nobody.get(path);
        assert_eq!((got.status, got.media_type.as_str()), (200, media_type), "{path}");
        let head = nobody.send("HEAD", path, "");
        let known = format!("If-None-Match: {}\r\n", got.header("etag"));
        let same = nobody.send_with("GET", path, "", &known);
        assert_eq!((head.status, same.status), (200, 304));
        assert_eq!((&*head.body, &*same.body), ("", ""));
        assert_eq!(head.header("content-length"), got.body.len().to_string());
        for response in [got, head, same] {
            for (name, value) in [
                ("content-security-policy", POLICY),
                ("x-content-type-options", "nosniff"),
                ("referrer-policy", "no-referrer"),
                ("x-frame-options", "DENY"),
                ("cross-origin-opener-policy", "same-origin"),
                ("cache-control", "no-cache"),
            ] {
                assert_eq!(response.header(name), value, "{path} {name}");
            }
        }
        let other = nobody.send_with("GET", path, "", "If-None-Match: \"x\"\r\n");
        assert_eq!(other.status, 200);
        assert_eq!(nobody.post(path, "").status, 405);
    }
    let missing = nobody.get("/assets/mian.js");
    refused(&missing, 404, "has no file");
    assert_eq!(missing.header("content-security-policy"), POLICY);
    for outside in ["/assets/../mod.rs", "/assets/..%2Fmod.rs", "/assets/", "/index.html"] {
        assert_eq!(nobody.get(outside).status, 404, "{outside}");
    }
}

#[test]
fn who_signs_in_may_do_what_their_token_may() {
    let daemon = Daemon::start(CONFIG);
    let nobody = Http::new(daemon.api.address);
    let limits = object!({"name": "ann", "role": "operator", "profiles": ["*.gtm.example."]});
    let (_, ann) = token(&daemon, limits);
    let signed_in = sign_in(&nobody, &format!("  {ann}\n"));
    let session = signed_in.json();
    assert_eq!((&session["name"], &session["role"]), (&"ann".into(), &"operator".into()));
    assert_eq!(session["profiles"], object!(["*.gtm.example."]));
    assert!(session["expires"].as_str().is_some_and(|it| it.ends_with('Z')), "{session}");
    assert_eq!(signed_in.header("cache-control"), "no-store");
    let cookie = signed_in.header("set-cookie");
    let value = cookie.strip_prefix("farol_session=").unwrap().split(';').next().unwrap();
    assert!(value.len() == 64 && !ann.contains(value), "{cookie}");
    assert_eq!(cookie.split_once(';').unwrap().1, " Path=/; HttpOnly; SameSite=Strict");

    let browser = Browser::sign_in(&daemon, &ann);
    assert_ne!(browser.cookie, format!("farol_session={value}"), "each has one of its own");
    let known = browser.get("/v1/session").json();
    assert_eq!((&known["name"], &known["profiles"]), (&session["name"], &session["profiles"]));
    assert_eq!(browser.get("/v1/profiles").status, 200);
    let changed = browser.send("PATCH", WEST, WEIGHT, OWN);
    assert_eq!(changed.status, 200, "{}", changed.body);
    assert_eq!(changed.json()["overrides"][0]["by"], "ann");
    refused(&browser.send("POST", "/v1/reload", "", OWN), 403, "takes the role admin");

    // Others are told who they are by what they come with.
    let own = daemon.api.get("/v1/session").json();
    let expected = object!({"name": "admin", "role": "admin", "profiles": null, "expires": null});
    assert_eq!(own, expected);
    assert_eq!(nobody.get("/v1/session").status, 401);
    assert_eq!(metric(&daemon, "farol_api_sessions"), 2.0);
    let seen = daemon.log();
    assert!(seen.contains("session_begun") && !seen.contains(value) && !seen.contains(&ann));
}

#[test]
fn a_wrong_token_signs_nobody_in_and_counts_as_a_guess() {
    let daemon = Daemon::start(CONFIG);
    let nobody = Http::new(daemon.api.address);
    let wrong = sign_in(&nobody, "guess");
    refused(&wrong, 401, "nobody has this token");
    assert_eq!(wrong.header("set-cookie"), "");
    refused(&nobody.send_with("POST", "/v1/session", "{}", OWN), 400, "token");
    common::wait_until("back-off", || sign_in(&nobody, "guess").status == 429);
    assert!(metric(&daemon, "farol_api_auth_failures_total{reason=\"wrong\"}") >= 5.0);

    // A session that was never begun is no guess: a restart ends every one, and browsers don't know of it.
    let other = Daemon::start(CONFIG);
    let mut browser = Browser::sign_in(&other, &own_token(&other));
    browser.cookie = format!("farol_session={}", "0".repeat(64));
    for _ in 0..20 {
        let ended = browser.get("/v1/status");
        refused(&ended, 401, "the session is over; sign in again");
        assert!(ended.header("set-cookie").starts_with("farol_session=; Path=/; "));
        assert!(ended.header("set-cookie").ends_with("; Max-Age=0"));
    }
    assert_eq!(metric(&other, "farol_api_auth_failures_total{reason=\"session\"}"), 20.0);
}

#[test]
fn a_change_by_a_cookie_takes_a_page_of_the_daemon() {
    let daemon = Daemon::start(CONFIG);
    let browser = Browser::sign_in(&daemon, &own_token(&daemon));
    let own = format!("Origin: http://{}\r\n", daemon.api.address);
    for (headers, status) in [
        (OWN, 200),
        (&*own, 200),
        ("", 403),
        ("Sec-Fetch-Site: same-site\r\n", 403),
        ("Sec-Fetch-Site: cross-site\r\n", 403),
        ("Sec-Fetch-Site: none\r\n", 403),
        (&format!("Sec-Fetch-Site: cross-site\r\n{own}"), 403),
        ("Origin: http://evil.example\r\n", 403),
        (&own.replace("http:", "https:"), 403),
        ("Origin: null\r\n", 403),
    ] {
        let changed = browser.send("PATCH", WEST, WEIGHT, headers);
        assert_eq!(changed.status, status, "{headers}: {}", changed.body);
    }
    let foreign = "Origin: http://evil.example\r\n";
    refused(&browser.send("DELETE", "/v1/session", "", foreign), 403, "another site's page");
    let token = object!({"token": own_token(&daemon)}).to_string();
    let signed_in = browser.http.send_with("POST", "/v1/session", &token, foreign);
    refused(&signed_in, 403, "another site's page");
    assert_eq!(signed_in.header("set-cookie"), "");
    assert_eq!(metric(&daemon, "farol_api_auth_failures_total{reason=\"origin\"}"), 10.0);

    // What changes nothing may be asked for from anywhere, and a token is nothing that a browser sends by itself.
    assert_eq!(browser.send("GET", "/v1/profiles", "", "Sec-Fetch-Site: none\r\n").status, 200);
    assert_eq!(daemon.api.send_with("PATCH", WEST, WEIGHT, foreign).status, 200);
}

#[test]
fn a_session_ends_with_its_token_and_when_its_owner_says_so() {
    let daemon = Daemon::start(CONFIG);
    let (id, secret) = token(&daemon, object!({"name": "ann", "role": "viewer"}));
    let (first, second) = (Browser::sign_in(&daemon, &secret), Browser::sign_in(&daemon, &secret));
    let mut stream = TcpStream::connect(daemon.api.address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let cookie = &second.cookie;
    let request = format!("GET /v1/events HTTP/1.1\r\nHost: x\r\nCookie: {cookie}\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut octets = [0; 4096];
    assert!(stream.read(&mut octets).unwrap() > 0);

    let out = first.send("DELETE", "/v1/session", "", OWN);
    assert_eq!((out.status, &*out.body), (204, ""));
    assert!(out.header("set-cookie").ends_with("; Max-Age=0"), "{}", out.head);
    assert_eq!(first.get("/v1/status").status, 401);
    assert_eq!(first.send("DELETE", "/v1/session", "", OWN).status, 204, "it is gone already");
    assert_eq!(second.get("/v1/status").status, 200);

    daemon.api.must("DELETE", &format!("/v1/tokens/{id}"), "");
    refused(&second.get("/v1/status"), 401, "the session is over");
    daemon.api.must("PATCH", WEST, r#"{"weight": 99}"#);
    let mut heard = String::new();
    stream.read_to_string(&mut heard).unwrap();
    assert!(!heard.contains("weight 99"), "{heard}");

    let last = Browser::sign_in(&daemon, &own_token(&daemon));
    // Whoever signs in again has one session, not two.
    let again = object!({"token": own_token(&daemon)}).to_string();
    assert_eq!(last.send("POST", "/v1/session", &again, OWN).status, 200);
    assert_eq!(last.get("/v1/status").status, 401);
}

fn write(home: &Home, name: &str, identity: &Identity) {
    home.write(&format!("{name}.key"), &identity.key);
    home.write(&format!("{name}.crt"), &identity.certificate);
}

#[test]
fn in_tls_cookies_stay_there_and_certificates_are_no_way_around() {
    let (address, authority) = (loopback().to_string(), Authority::new("servers"));
    let clients = Authority::new("clients");
    let home = Home::new(&format!(
        "{CONFIG}[admin.tls]\ncertificate = 'tls.crt'\nkey = 'tls.key'\nclient_ca = 'clients.pem'\n\
         [[admin.client_certificate]]\nname = 'ann'\nsan = 'DNS:ann.example'\nrole = 'operator'\n"
    ))
    .admin(&format!("{address}:0"));
    write(&home, "tls", &authority.identity_of(&[&address, NAME], 2099));
    write(&home, "ann", &clients.identity_of(&["ann.example"], 2099));
    home.write("ca.pem", &authority.certificate());
    home.write("clients.pem", &clients.certificate());
    let daemon = home.start();
    let file = |name: &str| daemon.home.path(name).display().to_string();
    let server = format!("https://{}", daemon.api.address);
    let curl = |path: &str, args: &[&str]| {
        let (ca, url) = (file("ca.pem"), format!("{server}{path}"));
        let mut command = Command::new("curl");
        command.args(["--silent", "--include", "--noproxy", "*", "--cacert", &ca]).args(args);
        String::from_utf8(program::run(command.arg(&url), "").stdout).unwrap()
    };
    let body = object!({"token": own_token(&daemon)}).to_string();
    let signed_in = curl("/v1/session", &["--data", &body]);
    let mut lines = signed_in.lines();
    let cookie = lines.find_map(|it| it.strip_prefix("set-cookie: ")).unwrap();
    assert!(cookie.starts_with("__Host-farol_session="), "{cookie}");
    assert!(cookie.ends_with("; Path=/; HttpOnly; SameSite=Strict; Secure"), "{cookie}");
    let pair = cookie.split(';').next().unwrap();
    assert!(curl("/v1/session", &["--cookie", pair]).contains("\"name\":\"admin\""));
    let plain = pair.replace("__Host-", "");
    assert!(curl("/v1/session", &["--cookie", &plain]).starts_with("HTTP/1.1 401"));

    let (certificate, key) = (file("ann.crt"), file("ann.key"));
    let by_certificate = ["--cert", &certificate, "--key", &key];
    let change = ["--request", "PATCH", "--data", WEIGHT];
    let (own, foreign) = (format!("Origin: {server}"), "Origin: https://evil.example");
    for (headers, status) in
        [(&[][..], "200"), (&["--header", &own], "200"), (&["--header", foreign], "403")]
    {
        let args = [&by_certificate[..], &change, headers].concat();
        let changed = curl(WEST, &args);
        assert!(changed.starts_with(&format!("HTTP/1.1 {status} ")), "{changed}");
    }
    // A session goes before the certificate; once it is over, the browser forgets it, and the certificate counts.
    let over = ["--cookie", "__Host-farol_session=0123"];
    let ended = curl("/v1/session", &[&by_certificate[..], &over].concat());
    assert!(ended.starts_with("HTTP/1.1 401 "), "{ended}");
    assert!(ended.contains("set-cookie: __Host-farol_session=; "), "{ended}");
    assert!(curl("/v1/session", &by_certificate).contains("\"name\":\"ann\""));
}
