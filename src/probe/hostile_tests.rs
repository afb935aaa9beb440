//! Endpoints that never come to an end, and those of another kind than the probe takes them for.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{pause, sleep};
use tokio_rustls::TlsAcceptor;

use super::testbed::{Authority, Server, assert_told, body, http_check, probe, read_head};
use crate::health::Outcome;
use crate::model::{GrpcCheck, HttpCheck, Protocol, TlsCheck};

/// What an endpoint does once the client has spoken.
#[derive(Clone)]
struct Script {
    /// Whether it shakes hands first, and what it then picks.
    tls: Option<&'static [u8]>,
    /// What it says at once.
    begin: Vec<u8>,
    /// What it says every ten seconds from then on.
    drip: Vec<u8>,
}

/// A probe, what the endpoint picks over TLS, what it says at once and then again and again, and the phase that runs out.
type Row = (Protocol, Option<&'static [u8]>, Vec<u8>, Vec<u8>, &'static str);

/// An endpoint that says when it has come to where it has no end.
async fn stuck(script: Script, authority: &Authority, reached: mpsc::Sender<()>) -> Server {
    let mut config = Arc::unwrap_or_clone(authority.server(&["app.example"], (2020, 2999)));
    config.alpn_protocols = script.tls.iter().map(|it| it.to_vec()).collect();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    Server::start(move |stream: TcpStream| {
        let (script, acceptor, reached) = (script.clone(), acceptor.clone(), reached.clone());
        async move {
            match script.tls {
                Some(_) => play(acceptor.accept(stream).await.unwrap(), script, reached).await,
                None => play(stream, script, reached).await,
            }
        }
    })
    .await
}

async fn play(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    script: Script,
    reached: mpsc::Sender<()>,
) {
    let _ = stream.read(&mut [0; 4096]).await.unwrap();
    stream.write_all(&script.begin).await.unwrap();
    stream.flush().await.unwrap();
    reached.send(()).await.unwrap();
    loop {
        sleep(Duration::from_secs(10)).await;
        let _ = stream.write_all(&script.drip).await;
        let _ = stream.flush().await;
    }
}

/// Frames of HTTP/2: settings; a head on stream 1 with ":status: 200" and perhaps more headers; data without an end.
const SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];
const DATA: &[u8] = &[0, 0, 1, 0, 0, 0, 0, 0, 1, 0];

fn http2_head(headers: &[u8]) -> Vec<u8> {
    let length = 1 + u8::try_from(headers.len()).unwrap();
    [SETTINGS, &[0, 0, length, 1, 4, 0, 0, 0, 1, 0x88], headers].concat()
}

/// "content-type: application/grpc", its name from the static table.
fn grpc_head() -> Vec<u8> {
    http2_head(&[&[0x0f, 0x10, 16][..], b"application/grpc"].concat())
}

fn grpc(tls: Option<TlsCheck>) -> Protocol {
    Protocol::Grpc(GrpcCheck { host: "app.example".into(), service: "".into(), tls })
}

#[tokio::test]
async fn endpoints_without_end_time_out_in_their_phase_and_disturb_nobody() {
    let authority = Authority::new("ours");
    let http = || http_check("app.example");
    let expecting = || HttpCheck { body: body("ready", 1 << 20), ..http() };
    let pattern = || HttpCheck { body: body("/ready/", 1 << 20), ..http() };
    let over_tls = |check| Protocol::Https(check, authority.trusted());
    let handshake = || Protocol::Tls("app.example".into(), authority.trusted());
    let head = b"HTTP/1.1 200 OK\r\n\r\n".to_vec();
    let (h1, h2): (&[u8], &[u8]) = (b"http/1.1", b"h2");
    let none = Vec::new;
    let rows: Vec<Row> = vec![
        (Protocol::Http(http()), None, none(), none(), "first_byte"),
        (
            Protocol::Http(http()),
            None,
            b"HTTP/1.1 200 OK\r\nA: ".to_vec(),
            b"b".to_vec(),
            "first_byte",
        ),
        (
            Protocol::Http(http()),
            None,
            none(),
            b"HTTP/1.1 100 Continue\r\n\r\n".to_vec(),
            "first_byte",
        ),
        (Protocol::Http(expecting()), None, head.clone(), none(), "body"),
        (Protocol::Http(expecting()), None, head.clone(), b"r".to_vec(), "body"),
        (Protocol::Http(pattern()), None, head.clone(), b"ready".to_vec(), "body"),
        (over_tls(http()), None, none(), none(), "tls"),
        (over_tls(http()), None, vec![22, 3, 3, 16, 0], vec![2], "tls"),
        (over_tls(http()), Some(h1), none(), none(), "first_byte"),
        (over_tls(expecting()), Some(h1), head, b"r".to_vec(), "body"),
        (over_tls(http()), Some(h2), none(), none(), "first_byte"),
        (over_tls(http()), Some(h2), SETTINGS.to_vec(), SETTINGS.to_vec(), "first_byte"),
        (over_tls(expecting()), Some(h2), http2_head(&[]), DATA.to_vec(), "body"),
        (handshake(), None, none(), none(), "tls"),
        (handshake(), None, vec![22, 3, 3, 16, 0], vec![2], "tls"),
        (grpc(None), None, none(), none(), "first_byte"),
        (grpc(None), None, grpc_head(), DATA.to_vec(), "body"),
        (grpc(Some(authority.trusted())), None, none(), none(), "tls"),
        (grpc(Some(authority.trusted())), Some(h2), grpc_head(), none(), "body"),
    ];
    let (reached, mut there) = mpsc::channel(rows.len());
    let (mut servers, mut probes) = (Vec::new(), JoinSet::new());
    for (at, (protocol, tls, begin, drip, _)) in rows.iter().cloned().enumerate() {
        let server = stuck(Script { tls, begin, drip }, &authority, reached.clone()).await;
        let address = server.address;
        servers.push(server);
        probes.spawn(async move { (at, probe(&[address], protocol).await) });
    }
    for _ in &rows {
        there.recv().await.unwrap();
    }
    let well = Server::start(|mut stream: TcpStream| async move {
        read_head(&mut stream).await;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\nready").await;
    })
    .await;
    for protocol in [Protocol::Tcp, Protocol::Http(http()), Protocol::Http(pattern())] {
        assert_told(&probe(&[well.address], protocol).await, Outcome::Passed, None);
    }
    assert!(probes.try_join_next().is_none(), "all of them are under way");

    // Time goes on only while there is nothing else to do, so whatever was sent is taken in first.
    pause();
    let mut results = probes.join_all().await;
    results.sort_by_key(|it| it.0);
    for (at, result) in results {
        let told = format!("{}: timed out after 4000 s", rows[at].4);
        assert_told(&result, Outcome::Failed, Some(&told));
    }
}

#[tokio::test]
async fn a_tls_port_is_told_from_a_plain_one() {
    let authority = Authority::new("ours");
    let acceptor = TlsAcceptor::from(authority.server(&["app.example"], (2020, 2999)));
    let server = Server::start(move |stream| {
        let acceptor = acceptor.clone();
        async move {
            let _ = acceptor.accept(stream).await;
        }
    })
    .await;
    for (protocol, told) in [
        (Protocol::Http(http_check("app.example")), "first_byte: not HTTP"),
        (grpc(None), "first_byte: not HTTP/2: FRAME_SIZE_ERROR"),
    ] {
        let result = probe(&[server.address], protocol).await;
        assert_told(&result, Outcome::Failed, Some(told));
    }
    let plain = Server::start(|mut stream: TcpStream| async move {
        let _ = stream.read(&mut [0; 4096]).await;
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
    })
    .await;
    for protocol in
        [Protocol::Tls("app.example".into(), authority.trusted()), grpc(Some(authority.trusted()))]
    {
        let result = probe(&[plain.address], protocol).await;
        assert_told(&result, Outcome::Failed, Some("tls: server doesn't speak TLS"));
    }
}
