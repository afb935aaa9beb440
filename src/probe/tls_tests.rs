use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::{HandshakeKind, ServerConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::{advance, pause};
use tokio_rustls::TlsAcceptor;

use super::super::attempt::Network;
use super::super::scheduler::World;
use super::super::testbed::{
    Authority, Server, TIMEOUT, assert_told, http_check, probe, read_head, target,
};
use crate::health::{Outcome, Phase, ProbeResult};
use crate::model::{Protocol, Timestamp, TlsCheck};

/// What a server saw of its client.
#[derive(Debug, PartialEq, Eq)]
struct Client {
    sni: Option<String>,
    alpn: Option<Vec<u8>>,
    full_handshake: bool,
}

/// A healthy site; tells of the clients that it shook hands with.
async fn site(config: Arc<ServerConfig>) -> (Server, mpsc::Receiver<Client>) {
    let mut config = Arc::unwrap_or_clone(config);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let (clients, seen) = mpsc::channel(8);
    let server = Server::start(move |stream| {
        let (acceptor, clients) = (acceptor.clone(), clients.clone());
        async move {
            let Ok(mut stream) = acceptor.accept(stream).await else { return };
            let session = stream.get_ref().1;
            let client = Client {
                sni: session.server_name().map(str::to_owned),
                alpn: session.alpn_protocol().map(<[u8]>::to_vec),
                full_handshake: session.handshake_kind() != Some(HandshakeKind::Resumed),
            };
            clients.send(client).await.unwrap();
            read_head(&mut stream).await;
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await;
        }
    })
    .await;
    (server, seen)
}

fn unverified() -> TlsCheck {
    TlsCheck { verify: false, anchors: None, identity: None, min_days_left: 0 }
}

async fn ask(address: SocketAddr, host: &str, check: &TlsCheck) -> ProbeResult {
    probe(&[address], Protocol::Https(http_check(host), check.clone())).await
}

/// The certificate's names and years, the host asked for, and what comes of it.
async fn check(names: &[&str], years: (i32, i32), host: &str, reason: Option<&str>) {
    let authority = Authority::new("ours");
    let (server, _clients) = site(authority.server(names, years)).await;
    let result = ask(server.address, host, &authority.trusted()).await;
    let outcome = if reason.is_none() { Outcome::Passed } else { Outcome::Failed };
    assert_told(&result, outcome, reason);
    assert_eq!(result.phase, if reason.is_none() { Phase::FirstByte } else { Phase::Tls });

    let unverified = unverified();
    assert_told(&ask(server.address, host, &unverified).await, Outcome::Passed, None);
}

#[tokio::test]
async fn certificates_are_checked_as_a_client_does() {
    check(&["a.example", "b.example"], (2020, 2999), "b.example", None).await;
    check(&["*.a.example"], (2020, 2999), "b.a.example", None).await;
    check(&["127.0.0.1"], (2020, 2999), "127.0.0.1", None).await;
    let wrong = Some("tls: certificate is for a.example, not b.example");
    check(&["a.example"], (2020, 2999), "b.example", wrong).await;
    let wrong = Some("tls: certificate is for 192.0.2.1, not 127.0.0.1");
    check(&["192.0.2.1"], (2020, 2999), "127.0.0.1", wrong).await;
    let old = Some("tls: certificate expired 2021-01-01");
    check(&["a.example"], (2020, 2021), "a.example", old).await;
    let new = Some("tls: certificate not valid before 2998-01-01");
    check(&["a.example"], (2998, 2999), "a.example", new).await;
}

#[tokio::test]
async fn strangers_are_not_trusted() {
    let (ours, theirs) = (Authority::new("ours"), Authority::new("theirs"));
    let (server, _clients) = site(theirs.server(&["a.example"], (2020, 2999))).await;
    let unknown = Some("tls: certificate is from an unknown authority");
    let result = ask(server.address, "a.example", &ours.trusted()).await;
    assert_told(&result, Outcome::Failed, unknown);
}

#[tokio::test]
async fn every_probe_is_a_new_client() {
    let authority = Authority::new("ours");
    let names = ["a.example", "127.0.0.1"];
    let (server, mut clients) = site(authority.server(&names, (2020, 2999))).await;
    let network = Network::default();
    for (host, sni) in
        [("a.example", Some("a.example")), ("a.example", Some("a.example")), ("127.0.0.1", None)]
    {
        let protocol = Protocol::Https(http_check(host), authority.trusted());
        let result = network.probe(&target(&[server.address], protocol), Duration::ZERO).await;
        assert_told(&result, Outcome::Passed, None);
        assert!(result.phases.tls.is_some() && result.phases.first_byte.is_some());
        let expected = Client {
            sni: sni.map(str::to_owned),
            alpn: Some(b"http/1.1".to_vec()),
            full_handshake: true,
        };
        assert_eq!(clients.recv().await, Some(expected));
    }
}

#[tokio::test]
async fn the_expiry_of_the_certificate_is_told() {
    let new_year = |year: i16| {
        let day = jiff::civil::date(year, 1, 1).to_zoned(jiff::tz::TimeZone::UTC).unwrap();
        Some(Timestamp(day.timestamp().as_millisecond()))
    };
    let unverified = unverified();
    let authority = Authority::new("ours");
    let (valid, _clients) = site(authority.server(&["a.example"], (2020, 2500))).await;
    let (expired, _clients) = site(authority.server(&["a.example"], (2020, 2021))).await;
    for (server, check, year) in [
        (&valid, &authority.trusted(), 2500),
        (&valid, &unverified, 2500),
        (&expired, &authority.trusted(), 2021),
        (&expired, &unverified, 2021),
    ] {
        let result = ask(server.address, "a.example", check).await;
        assert_eq!(result.certificate_expires, new_year(year), "{result:?}");
    }
}

/// What comes of a server that reads the client's first words and then does `bad`.
async fn spoil<F>(bad: impl Fn(TcpStream) -> F + Send + Sync + 'static) -> ProbeResult
where
    F: Future<Output = ()> + Send + 'static,
{
    let bad = Arc::new(bad);
    let server = Server::start(move |mut stream| {
        let bad = Arc::clone(&bad);
        async move {
            stream.readable().await.unwrap();
            let mut hello = [0; 4096];
            let _ = stream.read(&mut hello).await.unwrap();
            bad(stream).await;
        }
    })
    .await;
    ask(server.address, "a.example", &Authority::new("ours").trusted()).await
}

#[tokio::test]
async fn broken_handshakes_are_told_apart() {
    let plain = spoil(|mut stream| async move {
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
    });
    assert_told(&plain.await, Outcome::Failed, Some("tls: server doesn't speak TLS"));
    let closed = spoil(|_| async {});
    let told = "tls: connection closed in the handshake";
    assert_told(&closed.await, Outcome::Failed, Some(told));
    let reset = spoil(|stream| async move {
        socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
    });
    assert_told(&reset.await, Outcome::Failed, Some("tls: connection reset"));
    let refused = spoil(|mut stream| async move {
        let _ = stream.write_all(&[21, 3, 3, 0, 2, 2, 40]).await;
    });
    let told = "tls: server refused: handshake failure";
    assert_told(&refused.await, Outcome::Failed, Some(told));
}

#[tokio::test]
async fn a_silent_server_times_out_in_the_handshake() {
    let (reached, mut there) = mpsc::channel(1);
    let probe = spoil(move |stream| {
        let reached = reached.clone();
        async move {
            reached.send(()).await.unwrap();
            std::future::pending::<()>().await;
            drop(stream);
        }
    });
    let time_passes = async {
        there.recv().await.unwrap();
        pause();
        advance(TIMEOUT).await;
    };
    let result = tokio::join!(probe, time_passes).0;
    assert_told(&result, Outcome::Failed, Some("tls: timed out after 4000 s"));
}

#[tokio::test]
async fn a_host_that_no_certificate_names_fails() {
    let server = Server::start(|_| async {}).await;
    let result = ask(server.address, "*.example", &Authority::new("ours").trusted()).await;
    let told = "tls: `*.example` is no name that a certificate can be for";
    assert_told(&result, Outcome::Failed, Some(told));
}

#[tokio::test]
async fn a_handshake_alone_is_a_probe() {
    let authority = Authority::new("ours");
    let (server, mut clients) = site(authority.server(&["a.example"], (2020, 2999))).await;
    let addresses = [server.address];
    let ask = |host: &str, check| probe(&addresses, Protocol::Tls(host.into(), check));
    let result = ask("a.example", authority.trusted()).await;
    assert_told(&result, Outcome::Passed, None);
    assert_eq!((result.phase, result.phases.first_byte), (Phase::Tls, None));
    assert!(result.phases.tls.is_some() && result.certificate_expires.is_some());
    let sni = Some("a.example".to_owned());
    let seen = Client { sni, alpn: None, full_handshake: true };
    assert_eq!(clients.recv().await, Some(seen), "nothing is offered to speak");
    let told = "tls: certificate is for a.example, not b.example";
    let other = ask("b.example", authority.trusted()).await;
    assert_told(&other, Outcome::Failed, Some(told));
}

#[tokio::test]
async fn servers_that_ask_are_shown_the_clients_certificate() {
    let (servers, clients) = (Authority::new("servers"), Authority::new("clients"));
    let config = servers.server_for(&["a.example"], (2020, 2999), Some(&clients));
    let (server, _clients) = site(config).await;
    let known = TlsCheck { identity: Some(clients.identity()), ..servers.trusted() };
    assert_told(&ask(server.address, "a.example", &known).await, Outcome::Passed, None);
    // With TLS 1.3 the server says so only after the handshake.
    let nobody = ask(server.address, "a.example", &servers.trusted()).await;
    let told = "first_byte: server refused: certificate required";
    assert_told(&nobody, Outcome::Failed, Some(told));
    let stranger = TlsCheck { identity: Some(servers.identity()), ..servers.trusted() };
    let stranger = ask(server.address, "a.example", &stranger).await;
    assert_eq!(stranger.outcome, Outcome::Failed);
    let told = stranger.reason.unwrap();
    assert!(told.starts_with("first_byte: server refused: "), "{told}");
}
