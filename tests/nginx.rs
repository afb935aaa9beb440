//! nginx as the sites' HTTPS ingress, with certificates of a private authority.

#![allow(clippy::unwrap_used, reason = "what tests share may panic like tests")]

mod common;

use std::fmt::Write;
use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::Command;

use common::authority::{Authority, Identity};
use common::daemon::{Daemon, Home};
use common::program::Program;
use common::{free_address, loopback, wait_to_see, wait_until};
use rustix::process::Signal;
use tempfile::TempDir;

/// A virtual host: its name, its certificate, and what it answers.
struct Host<'h> {
    name: &'h str,
    identity: Identity,
    answer: String,
}

/// An nginx that can be stopped and started again.
struct Nginx {
    directory: TempDir,
    address: SocketAddr,
    program: Option<Program>,
}

impl Nginx {
    fn start(hosts: &[Host<'_>]) -> Self {
        let (directory, address) = (tempfile::tempdir().unwrap(), free_address());
        let mut servers = String::new();
        for host in hosts {
            let name = host.name.trim_end_matches('.');
            let file = |kind: &str, text: &str| {
                let path = directory.path().join(format!("{name}.{kind}"));
                fs::write(&path, text).unwrap();
                path.display().to_string()
            };
            let certificate = file("crt", &host.identity.certificate);
            let key = file("key", &host.identity.key);
            let answer = &host.answer;
            writeln!(
                servers,
                "server {{ listen {address} ssl; server_name {name}; ssl_certificate {certificate}; \
                 ssl_certificate_key {key}; location = /healthz {{ {answer} }} }}"
            )
            .unwrap();
        }
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|it| format!("{it}_temp_path temporary-{it};\n"))
            .concat();
        let config = format!(
            "daemon off; worker_processes 1; pid nginx.pid; error_log stderr;\n\
             events {{}}\nhttp {{\naccess_log access.log;\n{temporary}\
             server {{ listen {address} ssl default_server; ssl_reject_handshake on; }}\n{servers}}}\n"
        );
        fs::write(directory.path().join("nginx.conf"), config).unwrap();
        let mut nginx = Self { directory, address, program: None };
        nginx.run();
        nginx
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    fn run(&mut self) {
        fs::write(self.path().join("access.log"), "").unwrap();
        let mut command = Command::new("nginx");
        command.arg("-p").arg(self.path()).args(["-e", "stderr", "-c", "nginx.conf"]);
        self.program = Some(Program::start(&mut command, &self.path().join("log")));
    }

    fn stop(&mut self) {
        self.program = None;
    }

    fn signal(&self, signal: Signal) {
        self.program.as_ref().unwrap().signal(signal);
    }

    /// The requests that it answered since it was started.
    fn answered(&self) -> usize {
        fs::read_to_string(self.path().join("access.log")).unwrap().lines().count()
    }
}

/// A daemon with a profile for each name, probed at the nginx.
fn daemon(nginx: &Nginx, authority: &Authority, names: &[&str]) -> Daemon {
    let address = nginx.address;
    let mut config = "
        [[zone]]
        name = 'gtm.example.'
        nameservers = 'ns.example.'
        [monitor.web]
        protocol = 'https'
        path = '/healthz'
        interval = '1s'
        timeout = '500ms'
        fast_interval = '500ms'
        tolerated_failures = 1
        required_successes = 3
        tls = { ca_file = 'ca.pem' }
        flap = { count = 0 }
        "
    .to_owned();
    for name in names {
        writeln!(
            config,
            "[[profile]]\nname = '{name}'\nmethod = 'weighted'\nmonitor = 'web'\n\
             endpoint = [{{ name = 'here', target = '192.0.2.1', address = '{address}' }}]"
        )
        .unwrap();
    }
    let home = Home::new(&config);
    home.write("ca.pem", &authority.certificate());
    home.start()
}

/// Waits until an endpoint is as expected, for this reason.
#[track_caller]
fn expect(daemon: &Daemon, name: &str, status: &str, reason: Option<&str>) {
    wait_to_see(&(status.to_owned(), reason.map(str::to_owned)), || {
        let endpoint = daemon.endpoint(name, "here");
        let reason = endpoint["last_probe"]["reason"].as_str().map(str::to_owned);
        (endpoint["status"].as_str().unwrap().to_owned(), reason)
    });
}

#[test]
fn every_failure_has_its_reason() {
    let (ours, theirs) = (Authority::new("ours"), Authority::new("theirs"));
    // Takes connections and says nothing.
    let silent = TcpListener::bind((loopback(), 0)).unwrap();
    let slow = format!("proxy_pass http://{};", silent.local_addr().unwrap());
    let ok = "return 200 'ok';";
    let cases = [
        ("good.gtm.example.", ours.identity("good.gtm.example", 2999), ok, None),
        (
            "stranger.gtm.example.",
            theirs.identity("stranger.gtm.example", 2999),
            ok,
            Some("tls: certificate is from an unknown authority"),
        ),
        (
            "other-name.gtm.example.",
            ours.identity("www.example.com", 2999),
            ok,
            Some("tls: certificate is for www.example.com, not other-name.gtm.example"),
        ),
        (
            "expired.gtm.example.",
            ours.identity("expired.gtm.example", 2021),
            ok,
            Some("tls: certificate expired 2021-12-31"),
        ),
        (
            "down.gtm.example.",
            ours.identity("down.gtm.example", 2999),
            "return 503;",
            Some("status 503, expected 200"),
        ),
        (
            "moved.gtm.example.",
            ours.identity("moved.gtm.example", 2999),
            "return 302 https://good.gtm.example/healthz;",
            Some("status 302, expected 200"),
        ),
        (
            "slow.gtm.example.",
            ours.identity("slow.gtm.example", 2999),
            &slow,
            Some("first_byte: timed out after 500 ms"),
        ),
    ];
    let mut expected =
        vec![("not-there.gtm.example.", Some("tls: server refused: unrecognised name"))];
    let mut hosts = Vec::new();
    for (name, identity, answer, reason) in cases {
        hosts.push(Host { name, identity, answer: answer.to_owned() });
        expected.push((name, reason));
    }
    let nginx = Nginx::start(&hosts);
    let names: Vec<&str> = expected.iter().map(|it| it.0).collect();
    let daemon = daemon(&nginx, &ours, &names);
    for (name, reason) in expected {
        let status = if reason.is_none() { "Online" } else { "Degraded" };
        expect(&daemon, name, status, reason);
    }
}

#[test]
fn a_site_that_stops_is_degraded_until_it_has_proved_itself() {
    let name = "app.gtm.example.";
    let authority = Authority::new("ours");
    let identity = authority.identity("app.gtm.example", 2999);
    let mut nginx = Nginx::start(&[Host { name, identity, answer: "return 200 'ok';".into() }]);
    let daemon = daemon(&nginx, &authority, &[name]);
    expect(&daemon, name, "Online", None);

    nginx.stop();
    expect(&daemon, name, "Degraded", Some("connect: refused"));

    nginx.run();
    wait_until("Online site", || daemon.status(name, "here") == "Online");
    assert!(nginx.answered() >= 3, "required_successes");

    // The kernel still takes connections for it, but nobody shakes hands.
    nginx.signal(Signal::STOP);
    expect(&daemon, name, "Degraded", Some("tls: timed out after 500 ms"));
    nginx.signal(Signal::CONT);
    expect(&daemon, name, "Online", None);
    daemon.stop();
}
