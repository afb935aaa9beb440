//! DNS over TLS (RFC 7858), with other people's clients, and with such as are clumsy, slow, greedy or gone; and certificates
//! that are replaced meanwhile.

#![allow(clippy::unwrap_used, reason = "what tests share may panic like tests")]

mod common;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::{Duration, Instant};

use common::dns::{Edns, Query, RD, Reply, client, exchange, framed};
use common::program::{Program, run};
use common::tls::{self, LIMIT, Server, TlsStream, connect, listens, metric, renew, wait_dropped};
use common::{free_address, loopback, wait_for, wait_until};
use socket2::SockRef;

impl Server {
    fn start(idle: &str) -> Self {
        Self::over("tls", idle, "")
    }

    fn connect(&self) -> TlsStream {
        connect(self.at, tls::config(&self.certificate, b"dot")).unwrap()
    }

    #[track_caller]
    fn assert_serves(&self) {
        assert_eq!(ask(&mut self.connect(), &query()).unwrap().data(), ["192.0.2.1"]);
    }
}

fn query() -> Query {
    Query::new("ns.gtm.example.", "A")
}

fn large() -> Query {
    Query::new("long.gtm.example.", "TXT")
}

fn next_reply(stream: &mut impl Read) -> std::io::Result<Reply> {
    let mut length = [0; 2];
    stream.read_exact(&mut length)?;
    let mut message = vec![0; u16::from_be_bytes(length).into()];
    stream.read_exact(&mut message)?;
    Reply::try_read(&message).map_err(std::io::Error::other)
}

fn ask(stream: &mut (impl Read + Write), query: &Query) -> std::io::Result<Reply> {
    stream.write_all(&query.framed())?;
    stream.flush()?;
    next_reply(stream)
}

/// Whether the server has closed the connection, after it has said all that it had to say.
fn is_closed(stream: &mut impl Read) -> bool {
    let mut rest = Vec::new();
    let ended = stream.read_to_end(&mut rest);
    ended.map_or_else(|it| it.kind() != std::io::ErrorKind::WouldBlock, |_| true)
}

/// What kdig says, which trusts the daemon's certificate alone.
fn kdig(server: &Server, arguments: &[&str]) -> String {
    let ca = server.daemon.home.path("tls.crt");
    let mut command = Command::new("kdig");
    command.args([&format!("@{}", server.at.ip()), "-p", &server.at.port().to_string()]);
    command.arg(format!("+tls-ca={}", ca.display()));
    command.arg(format!("+tls-hostname={}", tls::NAME)).args(arguments);
    let output = run(&mut command, "");
    String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap()
}

#[test]
fn kdig_is_answered_and_padded_to() {
    let server = Server::start("10s");
    let said = kdig(&server, &["+tls", "ns.gtm.example.", "A"]);
    assert!(said.contains("TLS1.3") && said.contains("192.0.2.1"), "{said}");
    let padded = kdig(&server, &["+tls", "+padding", "+norec", "ns.gtm.example.", "A"]);
    assert!(padded.contains("Received 468 B"), "{padded}");
    let series = "farol_dns_queries_total{transport=\"tls\",family=\"ipv4\"}";
    assert_eq!(metric(&server.daemon, series), 2.0);
    server.daemon.stop();
}

#[test]
fn unbound_asks_over_tls() {
    let server = Server::start("10s");
    let (address, directory) = (free_address(), server.daemon.home.path("unbound"));
    fs::create_dir(&directory).unwrap();
    let config = format!(
        r#"server:
  directory: "{directory}"
  chroot: ""
  username: ""
  pidfile: ""
  use-syslog: no
  logfile: ""
  interface: {host}@{port}
  port: {port}
  do-ip6: no
  num-threads: 1
  access-control: 127.0.0.0/8 allow
  do-not-query-localhost: no
  module-config: "iterator"
  tls-cert-bundle: "{ca}"
remote-control:
  control-enable: no
stub-zone:
  name: "gtm.example."
  stub-addr: {}@{}#{}
  stub-tls-upstream: yes
"#,
        server.at.ip(),
        server.at.port(),
        tls::NAME,
        directory = directory.display(),
        ca = server.daemon.home.path("tls.crt").display(),
        host = address.ip(),
        port = address.port(),
    );
    let file = directory.join("unbound.conf");
    fs::write(&file, config).unwrap();
    let mut command = Command::new("unbound");
    let log = directory.join("log");
    let _unbound = Program::start(command.arg("-d").arg("-c").arg(file), &log);
    let query = Query { flags: RD, ..query() };
    let reply = wait_for("answer of the resolver", || {
        exchange(&client(address), &query.wire()).ok().map(|it| Reply::read(&it))
    });
    assert_eq!((reply.head(), reply.data()), ("NOERROR rd ra".into(), vec!["192.0.2.1".into()]));
    let series = "farol_dns_queries_total{transport=\"tls\",family=\"ipv4\"}";
    assert!(metric(&server.daemon, series) >= 1.0);
}

#[test]
fn what_holds_over_tcp_holds_in_tls() {
    let server = Server::start("2s");
    let mut stream = server.connect();
    let asked = Instant::now();
    stream.write_all(&[large().framed(), query().framed()].concat()).unwrap();
    assert_eq!(next_reply(&mut stream).unwrap().answer.len(), 200);
    assert_eq!(next_reply(&mut stream).unwrap().data(), ["192.0.2.1"]);
    // 2 s in units of 100 ms; without padding, since nobody asked for it.
    let keepalive = Edns { size: 1232, options: vec![(11, vec![])], ..Edns::default() };
    let reply = ask(&mut stream, &query().edns(keepalive)).unwrap();
    assert_eq!((reply.option(11), reply.option(12)), (Some(&[0, 20][..]), None));
    // An answer is no query: silence, and the next one is answered.
    let response = Query { flags: 0x8000, ..query() };
    stream.write_all(&response.framed()).unwrap();
    assert_eq!(ask(&mut stream, &query().opcode(5)).unwrap().rcode, "NOTIMP");
    assert!(is_closed(&mut stream));
    assert!(asked.elapsed() >= Duration::from_secs(2), "{:?}", asked.elapsed());
    // Both octets of its length, and no header: this is no DNS client.
    let mut scrap = server.connect();
    scrap.write_all(&framed(b"GET /")).unwrap();
    assert!(is_closed(&mut scrap));
    server.daemon.stop();
}

#[test]
fn handshakes_that_fail_or_stall_hold_nobody_up() {
    let server = Server::start("10s");
    let mut stalled: Vec<TcpStream> =
        (0..3 * LIMIT).map(|_| TcpStream::connect(server.at).unwrap()).collect();
    server.assert_serves();
    let mut plain = TcpStream::connect(server.at).unwrap();
    plain.write_all(&query().framed()).unwrap();
    assert!(is_closed(&mut plain));
    for protocol in [&b"h2"[..], b"doq"] {
        let refused = connect(server.at, tls::config(&server.certificate, protocol)).err();
        assert!(refused.unwrap().to_string().contains("NoApplicationProtocol"));
    }
    for _ in 0..100 {
        let reset = TcpStream::connect(server.at).unwrap();
        SockRef::from(&reset).set_linger(Some(Duration::ZERO)).unwrap();
    }
    server.assert_serves();
    wait_dropped(&server.daemon, "evicted", 2 * LIMIT);
    wait_dropped(&server.daemon, "handshake_failed", 3);
    assert!(is_closed(&mut stalled[0]));
    server.daemon.stop();
}

#[test]
fn a_handshake_has_its_time() {
    let server = Server::start("10s");
    let started = Instant::now();
    let mut stalled = TcpStream::connect(server.at).unwrap();
    // The beginning of a handshake, and no more.
    stalled.write_all(&[22, 3, 1]).unwrap();
    assert!(is_closed(&mut stalled));
    assert!(started.elapsed() >= Duration::from_secs(5), "{:?}", started.elapsed());
    wait_dropped(&server.daemon, "handshake_failed", 1);
    server.daemon.stop();
}

#[test]
fn clients_that_never_read_hold_nobody_up() {
    let server = Server::start("2s");
    let mut greedy = server.connect();
    SockRef::from(&greedy.sock).set_recv_buffer_size(4096).unwrap();
    greedy.sock.set_write_timeout(Some(Duration::from_millis(500))).unwrap();
    let burst = large().framed().repeat(100);
    while greedy.write_all(&burst).is_ok() {
        server.assert_serves();
    }
    server.assert_serves();
    wait_dropped(&server.daemon, "broken_stream", 1);
    server.daemon.stop();
}

#[test]
fn a_renewed_certificate_is_shown_to_newcomers_and_ends_nobodys_connection() {
    let server = Server::start("1m");
    let (daemon, at, old) = (&server.daemon, server.at, &server.certificate);
    let file = daemon.home.path("tls.crt");
    let expiry =
        format!("farol_dns_tls_expiry_seconds{{certificate=\"{}\"}}", file.to_str().unwrap());
    assert!(metric(daemon, &expiry) > 1.8e9);
    let mut open = server.connect();
    ask(&mut open, &query()).unwrap();
    let seen = daemon.logged();
    let new = renew(&daemon.home);
    assert_eq!(daemon.event("certificate_shown", seen)["file"], file.to_str().unwrap());
    wait_until("the new certificate", || connect(at, tls::config(&new, b"dot")).is_ok());
    assert!(connect(at, tls::config(old, b"dot")).is_err());
    assert_eq!(ask(&mut open, &query()).unwrap().data(), ["192.0.2.1"]);

    // One that is no good: the one before stays, and it is said.
    for (name, text, expected) in [
        ("tls.crt", "nonsense", "tls.crt\\\" has no certificate in it"),
        ("tls.key", "nonsense", "tls.key\\\" has no private key in it"),
    ] {
        let (before, seen) = (fs::read_to_string(daemon.home.path(name)).unwrap(), daemon.logged());
        daemon.home.write(name, text);
        let refused = daemon.event("reload_refused", seen).to_string();
        assert!(refused.contains(expected), "{refused}");
        assert_eq!(metric(daemon, "farol_config_reload_success"), 0.0);
        assert!(connect(at, tls::config(&new, b"dot")).is_ok());
        let seen = daemon.logged();
        daemon.home.write(name, &before);
        daemon.event("reloaded", seen);
    }
    server.daemon.stop();
}

#[test]
fn without_a_good_certificate_it_does_not_start() {
    for (spoil, expected) in
        [("tls.crt", "tls.crt\\\" can't be read"), ("tls.key", "tls.key\\\" can't be read")]
    {
        let (home, _) = tls::home("tls", "10s", "");
        fs::remove_file(home.path(spoil)).unwrap();
        let said = home.fail_to_start();
        assert!(said.contains(expected) && said.contains("server.tls."), "{said}");
    }
}

#[test]
fn addresses_come_and_go_with_reloads() {
    let (home, certificate) = tls::home("tls", "10s", "");
    let text = fs::read_to_string(home.path("farol.toml")).unwrap();
    let other = loopback();
    let daemon = home.environment(&[("FAROL_NO_WATCH", "true")]).start();
    let first = listens(&daemon, "tls");
    let both =
        text.replace(&format!("'{}:0'", first.ip()), &format!("['{}:0', '{other}:0']", first.ip()));
    let seen = daemon.logged();
    daemon.home.write("farol.toml", &both);
    daemon.reload("reloaded");
    let listening = daemon.event("listening", seen)["tls"].as_str().unwrap().to_owned();
    let (same, second) = listening.split_once(", ").unwrap();
    assert_eq!(same, first.to_string());
    let second = second.parse().unwrap();
    let mut open = connect(second, tls::config(&certificate, b"dot")).unwrap();
    assert_eq!(ask(&mut open, &query()).unwrap().data(), ["192.0.2.1"]);
    daemon.home.write("farol.toml", &text);
    daemon.reload("reloaded");
    assert!(is_closed(&mut open));
    wait_until("closed port", || TcpStream::connect(second).is_err());
    daemon.stop();
}
