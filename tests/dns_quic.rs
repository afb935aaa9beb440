//! DNS over QUIC (RFC 9250), with other people's clients, and with such as are clumsy, slow, greedy or gone.

#![allow(clippy::unwrap_used, clippy::panic, reason = "what tests share may panic like tests")]

mod common;

use std::net::UdpSocket;
use std::process::Command;
use std::time::{Duration, Instant};

use common::PATIENCE;
use common::dns::{Edns, Query, Reply, framed};
use common::program::run;
use common::quic::{connect, endpoint};
use common::tls::{self, LIMIT, Server, metric, renew, wait_dropped};
use quinn::{Connection, ConnectionError, Endpoint, ReadError, ReadToEndError, VarInt};
use tokio::time::timeout;

const DOQ: &[u8] = b"doq";

impl Server {
    fn start(idle: &str) -> Self {
        Self::over("quic", idle, "")
    }

    async fn connect(&self) -> (Connection, Endpoint) {
        let connected = timeout(PATIENCE, connect(self.at, &self.certificate, DOQ));
        connected.await.unwrap().unwrap()
    }

    async fn assert_serves(&self) {
        let (connection, _endpoint) = self.connect().await;
        assert_eq!(ask(&connection, &query()).await.unwrap().data(), ["192.0.2.1"]);
    }
}

fn query() -> Query {
    Query { id: 0, ..Query::new("ns.gtm.example.", "A") }
}

fn large() -> Query {
    Query { id: 0, ..Query::new("long.gtm.example.", "TXT") }
}

/// Sends octets on a stream of their own; gives what comes back on it.
async fn exchange(connection: &Connection, octets: &[u8]) -> Result<Vec<u8>, ReadToEndError> {
    let (mut send, mut receive) = connection.open_bi().await.unwrap();
    // The server may have heard enough before the end.
    if send.write_all(octets).await.is_ok() {
        send.finish().unwrap();
    }
    timeout(PATIENCE, receive.read_to_end(70_000)).await.unwrap()
}

async fn ask(connection: &Connection, query: &Query) -> Result<Reply, ReadToEndError> {
    let octets = exchange(connection, &query.framed()).await?;
    assert_eq!(usize::from(u16::from_be_bytes([octets[0], octets[1]])), octets.len() - 2);
    Ok(Reply::read(&octets[2..]))
}

/// The code with which the server closes a connection.
async fn closed(connection: &Connection) -> u64 {
    match timeout(PATIENCE, connection.closed()).await.unwrap() {
        ConnectionError::ApplicationClosed(it) => it.error_code.into_inner(),
        other => panic!("{other}"),
    }
}

#[test]
fn kdig_is_answered() {
    let server = Server::start("10s");
    let ca = server.daemon.home.path("tls.crt");
    for padding in ["+nopadding", "+padding"] {
        let mut command = Command::new("kdig");
        command.args([&format!("@{}", server.at.ip()), "-p", &server.at.port().to_string()]);
        command.arg(format!("+tls-ca={}", ca.display())).args(["+norec", padding]);
        command.arg(format!("+tls-hostname={}", tls::NAME)).args(["+quic", "ns.gtm.example.", "A"]);
        let output = run(&mut command, "");
        let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert!(said.contains("QUIC") && said.contains("192.0.2.1"), "{said}");
        assert_eq!(said.contains("Received 468 B"), padding == "+padding", "{said}");
    }
    let series = "farol_dns_queries_total{transport=\"quic\",family=\"ipv4\"}";
    assert_eq!(metric(&server.daemon, series), 2.0);
    server.daemon.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_stream_has_one_query_and_its_answer() {
    let server = Server::start("10s");
    let (connection, _endpoint) = server.connect().await;
    for _ in 0..10 {
        let many = (0..50).map(|at| {
            let (connection, at) = (connection.clone(), at);
            async move {
                let query = if at % 2 == 0 { query() } else { large() };
                let expected = if at % 2 == 0 { 1 } else { 200 };
                assert_eq!(ask(&connection, &query).await.unwrap().answer.len(), expected);
            }
        });
        let mut tasks = tokio::task::JoinSet::new();
        many.for_each(|it| drop(tasks.spawn(it)));
        tasks.join_all().await;
    }
    assert_eq!(ask(&connection, &query().opcode(5)).await.unwrap().rcode, "NOTIMP");
    // What TCP would not answer either: this stream ends, the connection goes on.
    let reset = |it: Result<Vec<u8>, ReadToEndError>| match it.unwrap_err() {
        ReadToEndError::Read(ReadError::Reset(code)) => code.into_inner(),
        other => panic!("{other}"),
    };
    let response = Query { flags: 0x8000, ..query() };
    assert_eq!(reset(exchange(&connection, &response.framed()).await), 2);
    assert_eq!(reset(exchange(&connection, &framed(&[0; 11])).await), 2);
    assert_eq!(reset(exchange(&connection, &framed(&[0; 20_000])).await), 4);
    assert_eq!(ask(&connection, &query()).await.unwrap().data(), ["192.0.2.1"]);
    connection.close(VarInt::from_u32(0), b"");
    server.assert_serves().await;
    server.daemon.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_breaks_the_protocol_is_told_so() {
    let server = Server::start("10s");
    let keepalive = Edns { size: 1232, options: vec![(11, vec![])], ..Edns::default() };
    for octets in [
        Query { id: 1, ..query() }.framed(),
        query().edns(keepalive).framed(),
        query().framed().repeat(2),
        query().framed()[..10].to_vec(),
        Vec::new(),
    ] {
        let (connection, _endpoint) = server.connect().await;
        assert!(exchange(&connection, &octets).await.is_err(), "{octets:?}");
        assert_eq!(closed(&connection).await, 2, "{octets:?}");
    }
    let (connection, _endpoint) = server.connect().await;
    let mut stream = connection.open_uni().await.unwrap();
    stream.write_all(&query().framed()).await.unwrap();
    assert_eq!(closed(&connection).await, 2);
    for protocol in [&b"dot"[..], b"h3"] {
        let refused = connect(server.at, &server.certificate, protocol).await;
        assert!(refused.is_err(), "{protocol:?}");
    }
    wait_dropped(&server.daemon, "malformed", 6);
    wait_dropped(&server.daemon, "handshake_failed", 2);
    server.assert_serves().await;
    server.daemon.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_query_that_does_not_end_is_given_up_while_others_are_answered() {
    let server = Server::start("2s");
    let (connection, _endpoint) = server.connect().await;
    let (mut send, mut receive) = connection.open_bi().await.unwrap();
    send.write_all(&query().framed()[..7]).await.unwrap();
    let others = async {
        while let Ok(reply) = ask(&connection, &query()).await {
            assert_eq!(reply.data(), ["192.0.2.1"]);
        }
    };
    let given_up = tokio::select! {
        ended = receive.read_to_end(100) => ended,
        () = others => panic!("the connection ended"),
        () = tokio::time::sleep(PATIENCE) => panic!("it is still waited for"),
    };
    let reset = ReadToEndError::Read(ReadError::Reset(VarInt::from_u32(4)));
    assert_eq!(given_up, Err(reset));
    assert_eq!(ask(&connection, &query()).await.unwrap().data(), ["192.0.2.1"]);
    wait_dropped(&server.daemon, "broken_stream", 1);
    connection.close(VarInt::from_u32(0), b"");
    server.daemon.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_that_never_finish_or_never_read_are_let_go() {
    let server = Server::start("2s");
    let asked = Instant::now();
    let (idle, _idle_endpoint) = server.connect().await;
    let (slow, _slow_endpoint) = server.connect().await;
    let mut halves = Vec::new();
    for _ in 0..50 {
        let (mut send, receive) = slow.open_bi().await.unwrap();
        send.write_all(&query().framed()[..7]).await.unwrap();
        halves.push((send, receive));
    }
    let greedy_endpoint = endpoint(&server.certificate, DOQ, 1000);
    let greedy = greedy_endpoint.connect(server.at, tls::NAME).unwrap().await.unwrap();
    let mut unread = Vec::new();
    for _ in 0..50 {
        let (mut send, receive) = greedy.open_bi().await.unwrap();
        send.write_all(&large().framed()).await.unwrap();
        send.finish().unwrap();
        unread.push(receive);
    }
    server.assert_serves().await;
    for connection in [idle, slow, greedy] {
        assert_eq!(closed(&connection).await, 0);
    }
    assert!(asked.elapsed() >= Duration::from_secs(2), "{:?}", asked.elapsed());
    wait_dropped(&server.daemon, "broken_stream", 2);
    server.assert_serves().await;
    server.daemon.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn beyond_the_limit_newcomers_are_served() {
    let server = Server::start("1m");
    let mut idle = Vec::new();
    for _ in 0..3 * LIMIT {
        let (connection, endpoint) = server.connect().await;
        assert_eq!(ask(&connection, &query()).await.unwrap().data(), ["192.0.2.1"]);
        idle.push((connection, endpoint));
    }
    // The idlest had to go; a quarter of the places is one client's part.
    match timeout(PATIENCE, idle[0].0.closed()).await.unwrap() {
        ConnectionError::ApplicationClosed(it) => assert_eq!(it.error_code.into_inner(), 4),
        // Who heard nothing of it and goes on sending is told so.
        ConnectionError::Reset => {}
        other => panic!("{other}"),
    }
    wait_dropped(&server.daemon, "evicted", 2 * LIMIT);
    // Handshakes that begin and go no further, and packets that are none.
    let noise = UdpSocket::bind("127.0.0.1:0").unwrap();
    for at in 0..2000_u32 {
        let mut packet = vec![0xc0, 0, 0, 0, 1, 8];
        packet.extend([at.to_be_bytes(), at.to_be_bytes()].concat());
        packet.resize(1200, 0);
        noise.send_to(&packet, server.at).unwrap();
    }
    server.assert_serves().await;
    server.daemon.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_renewed_certificate_is_shown_to_newcomers_and_ends_nobodys_connection() {
    let server = Server::start("1m");
    let (open, _endpoint) = server.connect().await;
    assert_eq!(ask(&open, &query()).await.unwrap().data(), ["192.0.2.1"]);
    let seen = server.daemon.logged();
    let new = renew(&server.daemon.home);
    server.daemon.event("certificate_shown", seen);
    let (renewed, _endpoint) = connect(server.at, &new, DOQ).await.unwrap();
    for connection in [&renewed, &open] {
        assert_eq!(ask(connection, &query()).await.unwrap().data(), ["192.0.2.1"]);
    }
    assert!(connect(server.at, &server.certificate, DOQ).await.is_err());
    let closes = async { closed(&open).await };
    let stops = tokio::task::spawn_blocking(move || server.daemon.stop());
    let (code, stopped) = tokio::join!(closes, stops);
    assert_eq!(code, 0);
    stopped.unwrap();
}
