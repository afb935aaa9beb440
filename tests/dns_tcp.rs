//! DNS over TCP (RFC 7766) with clients that are clumsy, slow, greedy or gone.

#![allow(clippy::unwrap_used, reason = "what tests share may panic like tests")]

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use common::daemon::{Daemon, Home};
use common::dns::{Query, ask_tcp, connect, framed, next_reply};
use common::wait_until;
use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};
use socket2::SockRef;

const LIMIT: usize = 16;

fn daemon() -> Daemon {
    daemon_with("2s")
}

fn daemon_with(idle: &str) -> Daemon {
    let config = format!(
        "[server]\ntcp_idle_timeout = '{idle}'\ntcp_max_connections = {LIMIT}\n
         [[zone]]\nname = 'gtm.example.'\nfile = 'gtm.zone'\n"
    );
    let home = Home::new(&config);
    let long: String = (0..200).map(|it| format!("long TXT \"{it:0>200}\"\n")).collect();
    let soa = "@ SOA ns hostmaster 1 2 3 4 5\n@ NS ns\nns A 192.0.2.1\n";
    home.write("gtm.zone", &format!("$TTL 60\n{soa}{long}"));
    // Who watches files opens more of them, at a time of its own.
    home.environment(&[("FAROL_NO_WATCH", "true")]).start().ready()
}

fn query() -> Query {
    Query::new("ns.gtm.example.", "A")
}

fn large() -> Query {
    Query::new("long.gtm.example.", "TXT")
}

#[track_caller]
fn assert_served(daemon: &Daemon) {
    let reply = ask_tcp(&mut connect(daemon.dns[0]), &query()).unwrap();
    assert_eq!(reply.data(), ["192.0.2.1"]);
}

/// How often something was not answered for this reason.
fn dropped(daemon: &Daemon, reason: &str) -> u64 {
    let metrics = daemon.api.get("/metrics").body;
    let prefix = format!("farol_dns_dropped_total{{reason=\"{reason}\"}} ");
    metrics.lines().find_map(|it| it.strip_prefix(&prefix)).unwrap().parse().unwrap()
}

/// Whether the server has closed the connection, after it has said all that it had to say.
fn is_closed(stream: &mut TcpStream) -> bool {
    let mut rest = Vec::new();
    // A reset is an end too.
    stream
        .read_to_end(&mut rest)
        .map_or_else(|it| it.kind() == std::io::ErrorKind::ConnectionReset, |_| true)
}

#[test]
fn pipelined_queries_are_all_answered() {
    let daemon = daemon();
    let mut stream = connect(daemon.dns[0]);
    let queries: Vec<u8> = (0..500).flat_map(|id| Query { id, ..query() }.framed()).collect();
    stream.write_all(&queries).unwrap();
    let answered: BTreeSet<u16> = (0..500).map(|_| next_reply(&mut stream).unwrap().id).collect();
    assert_eq!(answered, (0..500).collect());
}

#[test]
fn split_frames_are_put_together() {
    let daemon = daemon();
    let mut stream = connect(daemon.dns[0]);
    stream.set_nodelay(true).unwrap();
    for octet in query().framed() {
        stream.write_all(&[octet]).unwrap();
    }
    assert_eq!(next_reply(&mut stream).unwrap().data(), ["192.0.2.1"]);
    // The end of one message and the beginning of the next.
    let two = [query().framed(), large().framed()].concat();
    let (first, second) = two.split_at(query().framed().len() + 5);
    stream.write_all(first).unwrap();
    assert_eq!(next_reply(&mut stream).unwrap().data(), ["192.0.2.1"]);
    stream.write_all(second).unwrap();
    assert_eq!(next_reply(&mut stream).unwrap().answer.len(), 200);
}

#[test]
fn a_half_closed_connection_is_answered() {
    let daemon = daemon();
    let mut stream = connect(daemon.dns[0]);
    stream.write_all(&[query().framed(), large().framed()].concat()).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(next_reply(&mut stream).unwrap().data(), ["192.0.2.1"]);
    assert_eq!(next_reply(&mut stream).unwrap().answer.len(), 200);
    assert!(is_closed(&mut stream));
}

#[test]
fn an_idle_connection_is_kept_for_its_time_and_then_closed() {
    let daemon = daemon();
    let mut stream = connect(daemon.dns[0]);
    let asked = Instant::now();
    ask_tcp(&mut stream, &query()).unwrap();
    assert!(is_closed(&mut stream));
    assert!(asked.elapsed() >= Duration::from_secs(2), "{:?}", asked.elapsed());
}

#[test]
fn clients_that_never_finish_a_message_are_let_go() {
    let daemon = daemon();
    let mut slow = connect(daemon.dns[0]);
    slow.write_all(&query().framed()[..7]).unwrap();
    assert_served(&daemon);
    assert!(is_closed(&mut slow));
    assert_served(&daemon);
}

#[test]
fn clients_that_never_read_hold_nobody_up() {
    let daemon = daemon();
    let mut greedy = connect(daemon.dns[0]);
    SockRef::from(&greedy).set_recv_buffer_size(4096).unwrap();
    greedy.set_write_timeout(Some(Duration::from_millis(500))).unwrap();
    // Until nothing more can be sent: the server waits for its answers to be read.
    let burst = large().framed().repeat(100);
    while greedy.write_all(&burst).is_ok() {
        assert_served(&daemon);
    }
    assert_served(&daemon);
    assert!(is_closed(&mut greedy));
    daemon.stop();
}

#[test]
fn beyond_the_limit_newcomers_are_served() {
    let daemon = daemon();
    let mut idle = Vec::new();
    for _ in 0..3 * LIMIT {
        let mut stream = connect(daemon.dns[0]);
        assert_eq!(ask_tcp(&mut stream, &query()).unwrap().data(), ["192.0.2.1"]);
        idle.push(stream);
    }
    // The idlest had to go.
    let first = idle.first_mut().unwrap();
    assert!(is_closed(first));
    for _ in 0..100 {
        let reset = connect(daemon.dns[0]);
        SockRef::from(&reset).set_linger(Some(Duration::ZERO)).unwrap();
    }
    assert_served(&daemon);
    daemon.stop();
}

#[test]
fn who_has_to_make_room_is_really_gone() {
    let daemon = daemon_with("10m");
    let files = || fs::read_dir(format!("/proc/{}/fd", daemon.process())).unwrap().count();
    let before = files();
    let mut greedy = Vec::new();
    for _ in 0..LIMIT / 2 {
        let mut stream = connect(daemon.dns[0]);
        SockRef::from(&stream).set_recv_buffer_size(4096).unwrap();
        stream.write_all(&large().framed()).unwrap();
        assert_eq!(next_reply(&mut stream).unwrap().answer.len(), 200);
        // More than buffers hold: the server waits for its answers to be read.
        stream.set_nonblocking(true).unwrap();
        let _ = stream.write(&large().framed().repeat(500));
        greedy.push(stream);
    }
    // A quarter of the places is one client's part.
    wait_until("as few connections as allowed", || files() <= before + LIMIT / 4);
    assert_served(&daemon);
    assert!(dropped(&daemon, "evicted") >= LIMIT as u64 / 4);
    daemon.stop();
}

#[test]
fn connections_that_cannot_be_accepted_are_counted_and_logged_once() {
    let daemon = daemon();
    let pid = Pid::from_raw(daemon.process().cast_signed());
    let few = Rlimit { current: Some(3), ..getrlimit(Resource::Nofile) };
    let allowed = prlimit(pid, Resource::Nofile, few).unwrap();
    let mut stream = connect(daemon.dns[0]);
    daemon.event("accept_failed", 0);
    // Some more of the same burst.
    let attempts = Instant::now();
    wait_until("attempts", || attempts.elapsed() > Duration::from_millis(200));
    prlimit(pid, Resource::Nofile, allowed).unwrap();
    assert_eq!(ask_tcp(&mut stream, &query()).unwrap().data(), ["192.0.2.1"]);
    assert!(dropped(&daemon, "accept_failed") >= 2);
    assert_eq!(daemon.log().matches("accept_failed").count(), 1);
}

#[test]
fn scraps_end_the_connection_that_sends_them() {
    let daemon = daemon_with("10m");
    for scrap in [&[][..], &[0; 11]] {
        let mut stream = connect(daemon.dns[0]);
        stream.write_all(&[query().framed(), framed(scrap)].concat()).unwrap();
        assert_eq!(next_reply(&mut stream).unwrap().data(), ["192.0.2.1"], "it came before");
        assert!(is_closed(&mut stream));
    }
    assert_eq!(dropped(&daemon, "short"), 2);
    assert_served(&daemon);
}

#[test]
fn strangers_get_no_transfer_and_change_nothing() {
    let daemon = daemon();
    let mut stream = connect(daemon.dns[0]);
    let zone = |record_type| Query::new("gtm.example.", record_type);
    for (query, expected) in [
        (zone("AXFR"), "REFUSED"),
        (zone("IXFR"), "REFUSED"),
        (zone("SOA").opcode(4), "NOTIMP"),
        (zone("SOA").opcode(5), "NOTIMP"),
    ] {
        let reply = ask_tcp(&mut stream, &query).unwrap();
        assert_eq!((reply.head().as_str(), reply.answer.len()), (expected, 0), "{query:?}");
    }
}

#[test]
fn garbage_in_frames_harms_nobody() {
    let daemon = daemon();
    let answer = Query { flags: 0x8000, ..query() };
    let mut stream = connect(daemon.dns[0]);
    // Answers are passed over in silence, what is malformed is told so.
    let frames = [answer.framed(), answer.framed(), query().framed()].concat();
    stream.write_all(&frames).unwrap();
    assert_eq!(next_reply(&mut stream).unwrap().data(), ["192.0.2.1"]);
    stream.write_all(&framed(&query().wire()[..15])).unwrap();
    assert_eq!(next_reply(&mut stream).unwrap().head(), "FORMERR");
    assert_served(&daemon);
}
