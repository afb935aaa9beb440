use std::sync::Arc;

use h2::server::SendResponse;
use hyper::Response;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;

use super::super::testbed::{Authority, Server, assert_told, probe, serve_http2};
use super::*;
use crate::health::{Outcome, ProbeResult};
use crate::model::{Protocol, TlsCheck};

/// What a server says: the head's status and headers, octets, and trailers.
#[derive(Clone)]
struct Said {
    status: u16,
    headers: Vec<(&'static str, &'static str)>,
    body: Option<Vec<u8>>,
    trailers: Vec<(&'static str, &'static str)>,
}

/// A good answer with this status.
fn health(status: ServingStatus) -> Said {
    let message = HealthCheckResponse { status: status.into() }.encode_to_vec();
    let length = u8::try_from(message.len()).unwrap();
    Said {
        status: 200,
        headers: vec![("content-type", MEDIA_TYPE)],
        body: Some([&[0, 0, 0, 0, length][..], &message].concat()),
        trailers: vec![("grpc-status", "0")],
    }
}

async fn say(said: Said, mut respond: SendResponse<Bytes>) {
    let mut head = Response::builder().status(said.status);
    for (name, value) in said.headers {
        head = head.header(name, value);
    }
    let is_all = said.body.is_none() && said.trailers.is_empty();
    let mut stream = respond.send_response(head.body(()).unwrap(), is_all).unwrap();
    if let Some(body) = said.body {
        stream.send_data(body.into(), said.trailers.is_empty()).unwrap();
    }
    if !said.trailers.is_empty() {
        let trailers = said
            .trailers
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value)));
        stream.send_trailers(trailers.collect()).unwrap();
    }
}

fn asking(tls: Option<TlsCheck>) -> Protocol {
    Protocol::Grpc(GrpcCheck { host: "app.example".into(), service: "shop".into(), tls })
}

async fn ask(said: Said) -> ProbeResult {
    let server = Server::start(move |stream| {
        let said = said.clone();
        async move { serve_http2(stream, move |_, respond| say(said.clone(), respond)).await }
    })
    .await;
    probe(&[server.address], asking(None)).await
}

async fn check(said: Said, reason: &str) {
    assert_told(&ask(said).await, Outcome::Failed, Some(reason));
}

#[tokio::test]
async fn the_call_is_what_a_client_of_grpc_sends() {
    let (calls, mut seen) = mpsc::channel(1);
    let server = Server::start(move |stream| {
        let calls = calls.clone();
        async move {
            serve_http2(stream, move |mut request, respond| {
                let calls = calls.clone();
                async move {
                    let mut octets = Vec::new();
                    while let Some(piece) = request.body_mut().data().await {
                        octets.extend_from_slice(&piece.unwrap());
                    }
                    calls.send((request, octets)).await.unwrap();
                    say(health(ServingStatus::Serving), respond).await;
                }
            })
            .await;
        }
    })
    .await;
    let result = probe(&[server.address], asking(None)).await;
    assert_told(&result, Outcome::Passed, None);
    assert_eq!(result.phase, Phase::Body);
    assert!(result.phases.first_byte.is_some() && result.phases.body.is_some());
    assert_eq!(result.phases.tls, None);

    let (request, octets) = seen.recv().await.unwrap();
    let uri = format!("http://app.example:{}{METHOD}", server.address.port());
    assert_eq!((request.method().as_str(), request.uri().to_string()), ("POST", uri));
    let header = |name: &str| request.headers()[name].to_str().unwrap();
    assert_eq!((header("content-type"), header("te")), (MEDIA_TYPE, "trailers"));
    assert_eq!(octets, b"\0\0\0\0\x06\x0a\x04shop");
}

#[tokio::test]
async fn only_serving_passes() {
    assert_told(&ask(health(ServingStatus::Serving)).await, Outcome::Passed, None);
    for (status, shown) in [
        (ServingStatus::NotServing, "NOT_SERVING"),
        (ServingStatus::Unknown, "UNKNOWN"),
        (ServingStatus::ServiceUnknown, "SERVICE_UNKNOWN"),
    ] {
        check(health(status), &format!("health {shown}, expected SERVING")).await;
    }
    let strange = Some(vec![0, 0, 0, 0, 2, 8, 77]);
    let strange = Said { body: strange, ..health(ServingStatus::Serving) };
    check(strange, "health 77, expected SERVING").await;
}

#[tokio::test]
async fn the_status_of_the_call_comes_first() {
    let good = health(ServingStatus::Serving);
    for (code, told) in [
        ("5", "grpc-status 5 (NOT_FOUND): the server knows no service \"shop\""),
        ("12", "grpc-status 12 (UNIMPLEMENTED): the server has no grpc.health.v1"),
        ("14", "grpc-status 14 (UNAVAILABLE)"),
        ("99", "grpc-status 99 (unknown)"),
        ("ok", "the answer has no grpc-status"),
    ] {
        check(Said { trailers: vec![("grpc-status", code)], ..good.clone() }, told).await;
        // An answer of a head alone has it there.
        let headers = [("content-type", MEDIA_TYPE), ("grpc-status", code)].to_vec();
        check(Said { headers, body: None, trailers: Vec::new(), ..good.clone() }, told).await;
    }
    let none = Said { trailers: Vec::new(), ..good };
    check(none, "the answer has no grpc-status").await;
}

#[tokio::test]
async fn what_is_no_answer_of_grpc_fails() {
    let good = health(ServingStatus::Serving);
    check(Said { status: 503, ..good.clone() }, "status 503, expected 200").await;
    for (found, shown) in [
        ("text/html", "text/html"),
        ("application/grpcweb", "application/grpcweb"),
        (&*"x".repeat(100).leak(), &*"x".repeat(64)),
    ] {
        let said = Said { headers: vec![("content-type", found)], ..good.clone() };
        let told = format!("content-type \"{shown}\", expected application/grpc");
        check(said, &told).await;
    }
    let headers = vec![("content-type", "application/grpc+proto")];
    assert_told(&ask(Said { headers, ..good.clone() }).await, Outcome::Passed, None);
    for (octets, told) in [
        (&b""[..], "the answer is empty"),
        (b"\x01\0\0\0\x02\x08\x01", "the answer is compressed, which was not asked for"),
        (b"\0\0\0\0\x03\x08\x01", "the answer is not one message"),
        (b"\0\0\0\0\x02\x08\x01\0\0\0\0\0", "the answer is not one message"),
        (b"\0\0\0\0\x02\x08\xff", "the answer is no health message"),
        (&[0; 5000], "the answer is longer than 4096 octets"),
    ] {
        check(Said { body: Some(octets.to_vec()), ..good.clone() }, told).await;
    }
}

#[tokio::test]
async fn over_tls_it_takes_http_2() {
    let authority = Authority::new("ours");
    for (protocols, outcome, reason) in [
        (&["h2"][..], Outcome::Passed, None),
        (&[], Outcome::Failed, Some("tls: server doesn't offer HTTP/2 (ALPN)")),
        (&["http/1.1"], Outcome::Failed, Some("tls: server refused: no application protocol")),
    ] {
        let mut config = Arc::unwrap_or_clone(authority.server(&["app.example"], (2020, 2999)));
        config.alpn_protocols = protocols.iter().map(|it| it.as_bytes().to_vec()).collect();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let server = Server::start(move |stream| {
            let acceptor = acceptor.clone();
            async move {
                let Ok(stream) = acceptor.accept(stream).await else { return };
                let answer = |_, respond| say(health(ServingStatus::Serving), respond);
                serve_http2(stream, answer).await;
            }
        })
        .await;
        let result = probe(&[server.address], asking(Some(authority.trusted()))).await;
        assert_told(&result, outcome, reason);
        let is_known = result.certificate_expires.is_some();
        assert_eq!(is_known, protocols != ["http/1.1"], "an alert comes before the certificate");
    }
}

#[tokio::test]
async fn a_server_of_another_kind_is_told() {
    for (first, told) in [
        (&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], "first_byte: not HTTP/2: FRAME_SIZE_ERROR"),
        // A TLS server's alert on words that are none of TLS.
        (&[21, 3, 3, 0, 2, 2, 10, 0, 0], "first_byte: not HTTP/2: FRAME_SIZE_ERROR"),
        (b"", "first_byte: connection closed before an answer"),
    ] {
        let server = Server::start(move |mut stream| async move {
            let _ = stream.read(&mut [0; 1024]).await;
            let _ = stream.write_all(first).await;
        })
        .await;
        let result = probe(&[server.address], asking(None)).await;
        assert_told(&result, Outcome::Failed, Some(told));
    }
}
