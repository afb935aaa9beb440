use std::sync::Arc;

use h2::server::SendResponse;
use hyper::body::Bytes;
use hyper::{Request, Response, Version};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::super::testbed::{Authority, Server, assert_told, body, http_check, probe, serve_http2};
use super::*;
use crate::health::{Outcome, ProbeResult};
use crate::model::{Header, Protocol};

type Stream = TlsStream<tokio::net::TcpStream>;

/// A server that picks one of these protocols, if the client offers it, and then does `serve`; and the authority to trust.
async fn site<F>(
    protocols: &[&str],
    serve: impl Fn(Stream) -> F + Send + Sync + Clone + 'static,
) -> (Server, Authority)
where
    F: Future<Output = ()> + Send + 'static,
{
    let authority = Authority::new("ours");
    let mut config = Arc::unwrap_or_clone(authority.server(&["app.example"], (2020, 2999)));
    config.alpn_protocols = protocols.iter().map(|it| it.as_bytes().to_vec()).collect();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let server = Server::start(move |stream| {
        let (acceptor, serve) = (acceptor.clone(), serve.clone());
        async move {
            if let Ok(stream) = acceptor.accept(stream).await {
                serve(stream).await;
            }
        }
    })
    .await;
    (server, authority)
}

async fn ask_for(check: HttpCheck, (server, authority): &(Server, Authority)) -> ProbeResult {
    probe(&[server.address], Protocol::Https(check, authority.trusted())).await
}

/// What comes of a server that answers every request with `answer`.
async fn check<F>(
    check: HttpCheck,
    answer: impl Fn(Request<RecvStream>, SendResponse<Bytes>) -> F + Send + Sync + Clone + 'static,
    outcome: Outcome,
    reason: Option<&str>,
) where
    F: Future<Output = ()> + Send + 'static,
{
    let site = site(&["h2"], move |stream| {
        let answer = answer.clone();
        async move { serve_http2(stream, answer).await }
    });
    assert_told(&ask_for(check, &site.await).await, outcome, reason);
}

fn head(status: u16) -> Response<()> {
    Response::builder().status(status).body(()).unwrap()
}

#[tokio::test]
async fn the_endpoint_picks_the_version() {
    let (requests, mut seen) = mpsc::channel(1);
    let site = site(&["h2", "http/1.1"], move |stream| {
        let requests = requests.clone();
        async move {
            serve_http2(stream, move |request, mut respond| {
                let requests = requests.clone();
                async move {
                    requests.send(request).await.unwrap();
                    respond.send_response(head(200), true).unwrap();
                }
            })
            .await;
        }
    })
    .await;
    let header = |name: &str, value: &str| Header {
        name: name.into(),
        value: value.into(),
        references: [].into(),
    };
    let headers = vec![header("X-Token", "a"), header("Upgrade", "h2c"), header("Keep-Alive", "9")];
    let result = ask_for(HttpCheck { headers, ..http_check("app.example") }, &site).await;
    assert_told(&result, Outcome::Passed, None);
    assert!(result.phases.tls.is_some() && result.phases.first_byte.is_some());
    assert_eq!((result.phase, result.phases.body), (Phase::FirstByte, None));

    let request = seen.recv().await.unwrap();
    assert_eq!(request.version(), Version::HTTP_2);
    let uri = format!("https://app.example:{}/healthz", site.0.address.port());
    assert_eq!((request.method().as_str(), request.uri().to_string()), ("GET", uri));
    let mut names: Vec<_> = request.headers().keys().map(HeaderName::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["accept", "user-agent", "x-token"]);
}

#[tokio::test]
async fn a_server_without_alpn_speaks_http_1() {
    let site = site(&[], |mut stream| async move {
        super::super::testbed::read_head(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
    });
    assert_told(&ask_for(http_check("app.example"), &site.await).await, Outcome::Passed, None);
}

#[tokio::test]
async fn a_server_that_speaks_neither_refuses_the_offer() {
    let site = site(&["imap"], |_| async {}).await;
    let told = "tls: server refused: no application protocol";
    assert_told(&ask_for(http_check("app.example"), &site).await, Outcome::Failed, Some(told));
}

#[tokio::test]
async fn statuses_and_bodies_are_judged_as_over_http_1() {
    let moved = |_, mut respond: SendResponse<Bytes>| async move {
        respond.send_response(head(301), true).unwrap();
    };
    let told = "status 301, expected 200";
    check(http_check("app.example"), moved, Outcome::Failed, Some(told)).await;

    let in_pieces = |_, mut respond: SendResponse<Bytes>| async move {
        let mut stream = respond.send_response(head(200), false).unwrap();
        for (piece, last) in [("not yet, rea", false), ("dy!", true)] {
            stream.send_data(Bytes::from_static(piece.as_bytes()), last).unwrap();
        }
    };
    let expecting = |text| HttpCheck { body: body(text, 65_536), ..http_check("app.example") };
    check(expecting("ready"), in_pieces, Outcome::Passed, None).await;
    let told = "expected_body is not in the body of 15 octets";
    check(expecting("steady"), in_pieces, Outcome::Failed, Some(told)).await;
}

#[tokio::test]
async fn endless_bodies_are_read_as_far_as_they_are_looked_at() {
    let endless = |_, mut respond: SendResponse<Bytes>| async move {
        let mut stream = respond.send_response(head(200), false).unwrap();
        loop {
            stream.reserve_capacity(1024);
            match poll_fn(|context| stream.poll_capacity(context)).await {
                Some(Ok(room)) => stream.send_data(vec![b'x'; room].into(), false).unwrap(),
                _ => break,
            }
        }
    };
    check(http_check("app.example"), endless, Outcome::Passed, None).await;
    let expecting = HttpCheck { body: body("y", 200_000), ..http_check("app.example") };
    let told = "expected_body is not in the first 200000 octets of the body";
    check(expecting, endless, Outcome::Failed, Some(told)).await;
    let expecting = HttpCheck { body: body("xxx", 200_000), ..http_check("app.example") };
    check(expecting, endless, Outcome::Passed, None).await;
}

#[tokio::test]
async fn streams_that_end_before_their_time_are_told_apart() {
    let refused = |_, mut respond: SendResponse<Bytes>| async move {
        respond.send_reset(h2::Reason::REFUSED_STREAM);
    };
    let told = "first_byte: server ended the stream: REFUSED_STREAM";
    check(http_check("app.example"), refused, Outcome::Failed, Some(told)).await;
    let large = |_, mut respond: SendResponse<Bytes>| async move {
        let head = Response::builder().header("x-large", "x".repeat(20_000));
        let _ = respond.send_response(head.body(()).unwrap(), true);
    };
    let told = "first_byte: malformed or too large headers: PROTOCOL_ERROR";
    check(http_check("app.example"), large, Outcome::Failed, Some(told)).await;
}

/// Sends these octets once the client's first have come, and again for as long as the client listens.
async fn raw(check: HttpCheck, begin: &[u8], repeat: &'static [u8], reason: &str) {
    let begin: Arc<[u8]> = begin.into();
    let site = site(&["h2"], move |mut stream| {
        let begin = Arc::clone(&begin);
        async move {
            let _ = stream.read(&mut [0; 1024]).await;
            let _ = stream.write_all(&begin).await;
            let repeat = repeat.repeat(100);
            while !repeat.is_empty() && stream.write_all(&repeat).await.is_ok() {}
            let _ = stream.shutdown().await;
            // To close with something unread would reset the connection.
            let _ = stream.read_to_end(&mut Vec::new()).await;
        }
    });
    let result = ask_for(check, &site.await).await;
    assert_told(&result, Outcome::Failed, Some(reason));
}

const SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];

#[tokio::test]
async fn what_is_no_http_2_fails_and_floods_end() {
    let check = http_check("app.example");
    let told = "first_byte: not HTTP/2: FRAME_SIZE_ERROR";
    raw(check.clone(), b"HTTP/1.1 400 Bad Request\r\n\r\n", b"", told).await;
    raw(check.clone(), b"", b"", "first_byte: connection closed before an answer").await;
    let goaway = [SETTINGS, &[0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 11]].concat();
    let told = "first_byte: server ended the connection: ENHANCE_YOUR_CALM";
    raw(check.clone(), &goaway, b"", told).await;
    let endless = "first_byte: sends more than any answer takes";
    // Frames of an unknown type, which are to be ignored.
    raw(check.clone(), SETTINGS, &[0, 0, 1, 99, 0, 0, 0, 0, 0, 7], endless).await;
    // Interim answers: ":status: 103" as a literal with a name from the static table, on stream 1.
    const EARLY_HINTS: &[u8] = &[0, 0, 5, 1, 4, 0, 0, 0, 1, 0x08, 3, b'1', b'0', b'3'];
    raw(check, SETTINGS, EARLY_HINTS, endless).await;
}

#[tokio::test]
async fn bodies_that_break_off_are_told_by_how() {
    let check = HttpCheck { body: body("ready", 64), ..http_check("app.example") };
    // A head with ":status: 200" and a first piece, on stream 1.
    let begun = [
        SETTINGS,
        &[0, 0, 1, 1, 4, 0, 0, 0, 1, 0x88],
        &[0, 0, 3, 0, 0, 0, 0, 0, 1, b'r', b'e', b'a'],
    ]
    .concat();
    raw(check.clone(), &begun, b"", "body: connection closed before the body's end").await;
    let reset = [&begun[..], &[0, 0, 4, 3, 0, 0, 0, 0, 1, 0, 0, 0, 2]].concat();
    raw(check, &reset, b"", "body: server ended the stream: INTERNAL_ERROR").await;
}
