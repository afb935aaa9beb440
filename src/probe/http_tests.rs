use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use rustls::AlertDescription;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::{advance, pause};

use super::super::attempt::Network;
use super::super::http;
use super::super::reason::Failure;
use super::super::scheduler::World;
use super::super::testbed::{
    Server, TIMEOUT, assert_told, body, http_check, probe, read_head, target,
};
use super::super::trail::Trail;
use crate::health::{Outcome, Phase, ProbeResult};
use crate::model::{HttpCheck, Protocol};

/// A server that answers every request with `answer` and closes.
async fn answering(answer: impl Into<String>) -> Server {
    let answer: std::sync::Arc<str> = answer.into().into();
    Server::start(move |mut stream| {
        let answer = answer.clone();
        async move {
            read_head(&mut stream).await;
            // A client that saw enough hangs up, and that is fine.
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    })
    .await
}

async fn ask(server: &Server) -> ProbeResult {
    probe(&[server.address], Protocol::Http(http_check("app.example"))).await
}

/// What a probe makes of an answer.
async fn check(answer: impl Into<String>, outcome: Outcome, reason: Option<&str>) {
    let server = answering(answer).await;
    assert_told(&ask(&server).await, outcome, reason);
}

#[tokio::test]
async fn the_request_is_what_a_client_sends() {
    let (heads, mut seen) = mpsc::channel(1);
    let server = Server::start(move |mut stream: TcpStream| {
        let heads = heads.clone();
        async move {
            heads.send(read_head(&mut stream).await).await.unwrap();
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await.unwrap();
        }
    })
    .await;
    let result = ask(&server).await;
    assert_told(&result, Outcome::Passed, None);
    assert_eq!(result.phase, Phase::FirstByte);
    assert!(result.phases.connect.is_some() && result.phases.first_byte.is_some());

    let head = seen.recv().await.unwrap();
    let expected = format!(
        "GET /healthz HTTP/1.1\r\nHost: app.example:{}\r\nUser-Agent: farol/{}\r\nAccept: */*\r\nConnection: close\r\n\r\n",
        server.address.port(),
        env!("CARGO_PKG_VERSION"),
    );
    assert_eq!(head, expected);
}

#[tokio::test]
async fn only_the_expected_statuses_pass() {
    let long = "x".repeat(1 << 20);
    check(format!("HTTP/1.1 200 OK\r\n\r\n{long}"), Outcome::Passed, None).await;
    check("HTTP/1.0 200\r\n\r\n", Outcome::Passed, None).await;
    check("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", Outcome::Passed, None).await;
    let moved = "HTTP/1.1 301 Moved\r\nLocation: /\r\n\r\n";
    check(moved, Outcome::Failed, Some("status 301, expected 200")).await;
    let broken = "HTTP/1.1 503 Service Unavailable\r\n\r\n";
    check(broken, Outcome::Failed, Some("status 503, expected 200")).await;
}

#[tokio::test]
async fn answers_that_are_none_fail() {
    let closed = Some("first_byte: connection closed before an answer");
    check("", Outcome::Failed, closed).await;
    check("HTTP/1.1 200 OK\r\nContent-", Outcome::Failed, closed).await;
    let garbage = Some("first_byte: not HTTP");
    check("SSH-2.0-OpenSSH_9.9\r\n", Outcome::Failed, garbage).await;
    check("220 mail.example ESMTP\r\n\r\n", Outcome::Failed, garbage).await;
    check("HTTP/1.1 two hundred\r\n\r\n", Outcome::Failed, garbage).await;
}

#[tokio::test]
async fn a_server_that_talks_first_is_not_http() {
    let server = Server::start(|mut stream: TcpStream| async move {
        let _ = stream.write_all(b"SSH-2.0-OpenSSH_9.9\r\n").await;
        read_head(&mut stream).await;
    })
    .await;
    assert_told(&ask(&server).await, Outcome::Failed, Some("first_byte: not HTTP"));
}

#[tokio::test]
async fn endless_headers_are_cut_short() {
    let large = Some("first_byte: the answer's headers are too large");
    let server = Server::start(|mut stream: TcpStream| async move {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nX-Endless: ").await;
        while stream.write_all(&[b'x'; 1024]).await.is_ok() {}
    })
    .await;
    assert_told(&ask(&server).await, Outcome::Failed, large);
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "A: b\r\n".repeat(101));
    check(many, Outcome::Failed, large).await;
}

#[tokio::test]
async fn a_reset_connection_is_told_as_such() {
    let server = Server::start(|mut stream: TcpStream| async move {
        read_head(&mut stream).await;
        socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
    })
    .await;
    assert_told(&ask(&server).await, Outcome::Failed, Some("first_byte: connection reset"));
}

/// Probes a server that reads the request and never answers; then the clock moves by `wait`.
async fn hang(late: Duration, wait: Duration) -> ProbeResult {
    let (reached, mut there) = mpsc::channel(1);
    let server = Server::start(move |mut stream: TcpStream| {
        let reached = reached.clone();
        async move {
            read_head(&mut stream).await;
            reached.send(()).await.unwrap();
            read_head(&mut stream).await;
        }
    })
    .await;
    let target = target(&[server.address], Protocol::Http(http_check("app.example")));
    let network = Network::default();
    let time_passes = async {
        there.recv().await.unwrap();
        pause();
        advance(wait).await;
    };
    tokio::join!(network.probe(&target, late), time_passes).0
}

#[tokio::test]
async fn a_server_that_never_answers_times_out() {
    let result = hang(Duration::ZERO, TIMEOUT).await;
    assert_told(&result, Outcome::Failed, Some("first_byte: timed out after 4000 s"));
    assert!(result.phases.connect.is_some() && result.phases.first_byte.is_none());
}

#[tokio::test]
async fn a_time_out_is_void_when_we_were_late_ourselves() {
    let started = hang(Duration::from_secs(1001), TIMEOUT).await;
    let told = "first_byte: timed out after 4000 s, but Farol itself started 1001 s late";
    assert_told(&started, Outcome::Void, Some(told));
}

#[tokio::test]
async fn a_time_out_is_void_when_its_deadline_was_served_late() {
    let served = hang(Duration::ZERO, TIMEOUT * 2).await;
    assert_eq!(served.outcome, Outcome::Void);
    assert!(served.reason.unwrap().contains("but Farol itself looked"));
}

/// Asks for a body with "ready" in its first 100,000 octets.
async fn ask_for_body(server: &Server) -> ProbeResult {
    let check = HttpCheck { body: body("ready", 100_000), ..http_check("app.example") };
    probe(&[server.address], Protocol::Http(check)).await
}

#[tokio::test]
async fn bodies_are_judged_however_they_are_framed() {
    let missing = |octets| format!("expected_body is not in the body of {octets} octets");
    let cut_off = || Some("body: connection closed before the body's end".to_owned());
    for (answer, reason) in [
        ("HTTP/1.1 200 OK\r\n\r\nready", None),
        ("HTTP/1.1 200 OK\r\n\r\nsteady", Some(missing(6))),
        ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nready", None),
        ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", Some(missing(0))),
        ("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nready", None),
        ("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nread", cut_off()),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nrea\r\n2\r\ndy\r\n0\r\n\r\n",
            None,
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nrea\r\n0\r\nA: b\r\n\r\n",
            Some(missing(3)),
        ),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nrea\r\n", cut_off()),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nready",
            Some("body: malformed chunks".to_owned()),
        ),
        ("HTTP/1.1 503 Ready\r\n\r\nready", Some("status 503, expected 200".to_owned())),
    ] {
        let server = answering(answer).await;
        let result = ask_for_body(&server).await;
        let outcome = if reason.is_none() { Outcome::Passed } else { Outcome::Failed };
        assert_told(&result, outcome, reason.as_deref());
        let is_over =
            !answer.contains("503") && !matches!(&reason, Some(it) if it.starts_with("body"));
        assert_eq!(result.phases.body.is_some(), is_over && reason.is_none(), "{result:?}");
    }
}

#[tokio::test]
async fn endless_bodies_and_heads_end() {
    let endless = |piece: &'static str| {
        Server::start(move |mut stream: TcpStream| async move {
            read_head(&mut stream).await;
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await;
            while stream.write_all(piece.as_bytes()).await.is_ok() {}
        })
    };
    let told = "expected_body is not in the first 100000 octets of the body";
    assert_told(&ask_for_body(&endless("steady").await).await, Outcome::Failed, Some(told));
    assert_told(&ask_for_body(&endless("ready").await).await, Outcome::Passed, None);
    let interim = Server::start(|mut stream: TcpStream| async move {
        read_head(&mut stream).await;
        while stream.write_all(b"HTTP/1.1 103 Early Hints\r\n\r\n").await.is_ok() {}
    });
    let told = "first_byte: sends more than any answer takes";
    assert_told(&ask(&interim.await).await, Outcome::Failed, Some(told));
}

/// A server that has refused us before the request is on its way, as those do that want a client's certificate.
struct Refusing;

impl AsyncRead for Refusing {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let alert = rustls::Error::AlertReceived(AlertDescription::CertificateRequired);
        Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, alert)))
    }
}

impl AsyncWrite for Refusing {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(octets.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[tokio::test]
async fn why_a_connection_ended_is_told_also_before_the_request_was_sent() {
    let (check, mut trail) = (http_check("app.example"), Trail::start());
    let request = http::request(&check, "192.0.2.1:80".parse().unwrap(), 80).unwrap();
    let failure = super::ask(Refusing, request, &check, &mut trail).await.unwrap_err();
    assert_eq!(failure, Failure::endpoint("server refused: certificate required"));
}
