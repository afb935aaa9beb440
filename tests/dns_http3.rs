//! DNS over HTTPS (RFC 8484) by HTTP/3, with a client of the tests' own, and with such as are clumsy, slow, greedy or gone.

#![allow(clippy::unwrap_used, clippy::panic, reason = "what tests share may panic like tests")]

mod common;

use std::fs;

use bytes::{Buf, Bytes};
use common::PATIENCE;
use common::dns::{Edns, Query, Reply};
use common::quic::{connect, endpoint};
use common::tls::{self, LIMIT, Server, metric, wait_dropped};
use http::{Request, Response, StatusCode};
use quinn::{Connection, ConnectionError, Endpoint};
use tokio::task::JoinSet;
use tokio::time::timeout;

const H3: &[u8] = b"h3";
const MESSAGE: &str = "application/dns-message";

impl Server {
    fn start(idle: &str) -> Self {
        Self::over("https", idle, "https_path = '/q'\n")
    }

    async fn connect(&self) -> (Connection, Endpoint) {
        let connected = timeout(PATIENCE, connect(self.at, &self.certificate, H3));
        connected.await.unwrap().unwrap()
    }

    async fn client(&self) -> Client {
        let (connection, endpoint) = self.connect().await;
        Client::over(connection, endpoint).await
    }

    async fn assert_serves(&self) {
        let reply = self.client().await.post(&query().wire()).await;
        assert_eq!(reply.data(), ["192.0.2.1"]);
    }

    /// The memory that the daemon has, in KiB.
    fn memory(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.daemon.process())).unwrap();
        let line = status.lines().find_map(|it| it.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }
}

/// A client of HTTP/3; it ends with its tasks.
struct Client {
    requests: h3::client::SendRequest<h3_quinn::OpenStreams, Bytes>,
    connection: Connection,
    _endpoint: Endpoint,
    _driver: JoinSet<()>,
}

impl Client {
    async fn over(connection: Connection, endpoint: Endpoint) -> Self {
        let http = h3_quinn::Connection::new(connection.clone());
        let (mut driver, requests) = h3::client::new(http).await.unwrap();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            driver.wait_idle().await;
        });
        Self { requests, connection, _endpoint: endpoint, _driver: tasks }
    }

    /// Sends a request, and gives what comes back.
    async fn ask(&self, request: Request<()>, body: &[u8]) -> (Response<()>, Vec<u8>) {
        let mut stream = self.requests.clone().send_request(request).await.unwrap();
        // The server may have heard enough before the end.
        if stream.send_data(Bytes::copy_from_slice(body)).await.is_ok() {
            let _ = stream.finish().await;
        }
        let response = timeout(PATIENCE, stream.recv_response()).await.unwrap().unwrap();
        let mut octets = Vec::new();
        while let Some(mut part) = stream.recv_data().await.unwrap() {
            octets.extend_from_slice(&part.copy_to_bytes(part.remaining()));
        }
        (response, octets)
    }

    async fn post(&self, message: &[u8]) -> Reply {
        let (response, body) = self.ask(request("POST", "/q", MESSAGE), message).await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], MESSAGE);
        Reply::read(&body)
    }
}

fn request(method: &str, path: &str, content_type: &str) -> Request<()> {
    let uri = format!("https://{}{path}", tls::NAME);
    let request = Request::builder().method(method).uri(uri);
    request.header("content-type", content_type).body(()).unwrap()
}

fn query() -> Query {
    Query { id: 0, ..Query::new("ns.gtm.example.", "A") }
}

fn large() -> Query {
    Query { id: 0, ..Query::new("long.gtm.example.", "TXT") }
}

/// The code with which the server closes a connection.
async fn closed(connection: &Connection) -> u64 {
    match timeout(PATIENCE, connection.closed()).await.unwrap() {
        ConnectionError::ApplicationClosed(it) => it.error_code.into_inner(),
        other => panic!("{other}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_are_answered_as_by_http2() {
    let server = Server::start("10s");
    let client = server.client().await;
    let (head, body) = client.ask(request("POST", "/q", MESSAGE), &query().wire()).await;
    assert_eq!(
        (head.status(), Reply::read(&body).data()),
        (StatusCode::OK, vec!["192.0.2.1".into()])
    );
    assert_eq!(head.headers()["cache-control"], "private, max-age=30");
    let padding = Edns { size: 1232, options: vec![(12, vec![0; 9])], ..Edns::default() };
    assert_eq!(client.post(&query().edns(padding).wire()).await.length, 468);
    // ns.gtm.example. A, in base64url.
    let get = "/q?dns=AAAAAAABAAAAAAAAAm5zA2d0bQdleGFtcGxlAAABAAE";
    let (head, body) = client.ask(request("GET", get, "text/plain"), &[]).await;
    assert_eq!(
        (head.status(), Reply::read(&body).data()),
        (StatusCode::OK, vec!["192.0.2.1".into()])
    );
    let response = Query { flags: 0x8000, ..query() }.wire();
    for (method, path, content_type, body, status) in [
        ("POST", "/q", MESSAGE, &*response, 400),
        ("POST", "/q", MESSAGE, &[0; 11], 400),
        ("POST", "/q", MESSAGE, &[0; 20_000], 413),
        ("POST", "/q", "text/plain", &response, 415),
        ("POST", "/dns-query", MESSAGE, &response, 404),
        ("PUT", "/q", MESSAGE, &response, 405),
        ("GET", "/q?dns=AAA=", MESSAGE, &[], 400),
        ("GET", "/q", MESSAGE, &[], 400),
    ] {
        let (head, _) = client.ask(request(method, path, content_type), body).await;
        assert_eq!(head.status(), status, "{method} {path}");
    }
    for _ in 0..5 {
        let mut asked = JoinSet::new();
        for at in 0..60 {
            let requests = client.requests.clone();
            asked.spawn(async move {
                let (query, expected) = if at % 2 == 0 { (query(), 1) } else { (large(), 200) };
                let mut requests = requests;
                let mut stream =
                    requests.send_request(request("POST", "/q", MESSAGE)).await.unwrap();
                stream.send_data(query.wire().into()).await.unwrap();
                stream.finish().await.unwrap();
                stream.recv_response().await.unwrap();
                let mut octets = Vec::new();
                while let Some(mut part) = stream.recv_data().await.unwrap() {
                    octets.extend_from_slice(&part.copy_to_bytes(part.remaining()));
                }
                assert_eq!(Reply::read(&octets).answer.len(), expected);
            });
        }
        timeout(PATIENCE, asked.join_all()).await.unwrap();
    }
    let series = "farol_dns_queries_total{transport=\"https\",family=\"ipv4\"}";
    assert_eq!(metric(&server.daemon, series), 303.0);
    wait_dropped(&server.daemon, "malformed", 6);
    let stops = tokio::task::spawn_blocking(move || server.daemon.stop());
    let (code, stopped) = tokio::join!(closed(&client.connection), stops);
    assert_eq!(code, 0x100);
    stopped.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_sent_without_end_fills_no_memory() {
    let server = Server::start("10s");
    server.assert_serves().await;
    let before = server.memory();
    let (connection, _endpoint) = server.connect().await;
    let mut control = connection.open_uni().await.unwrap();
    control.write_all(&[0, 4, 0]).await.unwrap();
    // A frame of 2^30 - 1 octets: HEADERS, of an unknown type, DATA.
    for (kind, of) in [(1, "headers"), (0x21, "unknown"), (0, "data")] {
        let (mut send, _receive) = connection.open_bi().await.unwrap();
        let mut sent = 0;
        send.write_all(&[kind, 0xbf, 0xff, 0xff, 0xff]).await.unwrap();
        let fill = async {
            while sent < 64 << 20 && send.write_all(&[0; 1 << 16]).await.is_ok() {
                sent += 1 << 16;
            }
        };
        timeout(PATIENCE, fill).await.unwrap();
        assert!(sent < 2 << 20, "{of}: {sent} octets");
    }
    let after = server.memory();
    assert!(after < before + (16 << 10), "{before} KiB before, {after} after");
    server.assert_serves().await;
    assert_eq!(metric(&server.daemon, "farol_dns_worker_panics_total"), 0.0);
    server.daemon.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_breaks_the_protocol_is_let_go() {
    let server = Server::start("10s");
    for (is_control, octets, code) in [
        // DATA where SETTINGS has to be, a second SETTINGS, a frame of HTTP/2.
        (true, &[0, 0, 0][..], 0x10a),
        (true, &[0, 4, 0, 4, 0], 0x105),
        (true, &[0, 4, 0, 6, 0], 0x105),
        // DATA before HEADERS.
        (false, &[0, 1, 0], 0x105),
    ] {
        let (connection, _endpoint) = server.connect().await;
        let mut stream = match is_control {
            true => connection.open_uni().await.unwrap(),
            false => connection.open_bi().await.unwrap().0,
        };
        stream.write_all(octets).await.unwrap();
        assert_eq!(closed(&connection).await, code, "{octets:?}");
    }
    // Headers that are none end their request alone.
    let client = server.client().await;
    let (mut send, mut receive) = client.connection.open_bi().await.unwrap();
    send.write_all(&[1, 3, 0xff, 0xff, 0xff]).await.unwrap();
    let _ = send.finish();
    let _ = timeout(PATIENCE, receive.read_to_end(1000)).await.unwrap();
    server.assert_serves().await;
    for protocol in [&b"doq"[..], b"h2"] {
        assert!(connect(server.at, &server.certificate, protocol).await.is_err());
    }
    assert_eq!(metric(&server.daemon, "farol_dns_worker_panics_total"), 0.0);
    server.daemon.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_that_never_finish_or_never_read_are_let_go() {
    let server = Server::start("2s");
    let slow = server.client().await;
    let mut halves = Vec::new();
    for _ in 0..50 {
        let mut requests = slow.requests.clone();
        let mut stream = requests.send_request(request("POST", "/q", MESSAGE)).await.unwrap();
        stream.send_data(Bytes::from_static(&[0; 7])).await.unwrap();
        halves.push(stream);
    }
    let greedy_endpoint = endpoint(&server.certificate, H3, 1000);
    let greedy = greedy_endpoint.connect(server.at, tls::NAME).unwrap().await.unwrap();
    let greedy = Client::over(greedy, greedy_endpoint).await;
    let mut unread = Vec::new();
    for _ in 0..50 {
        let mut requests = greedy.requests.clone();
        let mut stream = requests.send_request(request("POST", "/q", MESSAGE)).await.unwrap();
        stream.send_data(large().wire().into()).await.unwrap();
        stream.finish().await.unwrap();
        unread.push(stream);
    }
    server.assert_serves().await;
    assert_eq!(closed(&slow.connection).await, 0x100);
    assert_eq!(closed(&greedy.connection).await, 0x100);
    wait_dropped(&server.daemon, "broken_stream", 2);
    server.daemon.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn beyond_the_limit_newcomers_are_served() {
    let server = Server::start("1m");
    let mut idle = Vec::new();
    for _ in 0..3 * LIMIT {
        let client = server.client().await;
        assert_eq!(client.post(&query().wire()).await.data(), ["192.0.2.1"]);
        idle.push(client);
    }
    match timeout(PATIENCE, idle[0].connection.closed()).await.unwrap() {
        ConnectionError::ApplicationClosed(it) => assert_eq!(it.error_code.into_inner(), 0x107),
        // Who heard nothing of it and goes on sending is told so.
        ConnectionError::Reset => {}
        other => panic!("{other}"),
    }
    wait_dropped(&server.daemon, "evicted", 2 * LIMIT);
    server.assert_serves().await;
    server.daemon.stop();
}
