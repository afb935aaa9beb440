//! The protocol: headers, EDNS, what is refused and what is ignored, packet by packet. Answers are read with the `domain`
//! crate.

#![allow(clippy::unwrap_used, reason = "what tests share may panic like tests")]

mod common;

use std::io::ErrorKind;
use std::net::UdpSocket;
use std::time::Duration;

use common::daemon::Daemon;
use common::dns::{APP, Edns, Query, RD, Reply, ask_tcp, connect, exchange};
use proptest::prelude::Rng;
use proptest::test_runner::{RngAlgorithm, TestRng};

const AA: &str = "NOERROR aa";

fn app() -> Query {
    Query::new("app.gtm.example.", "A")
}

fn soa() -> Query {
    Query::new("gtm.example.", "SOA")
}

#[test]
fn headers_are_as_the_rfcs_say() {
    let daemon = Daemon::start(APP);
    let edns = |query: Query| query.size(1232);
    let chaos = |name: &str| Query { class: 3, ..Query::new(name, "TXT") };
    let flags = |flags| Query { flags, ..soa() };
    for (query, expected) in [
        // RFC 1035, 8906: RD is copied; RA, Z, AD, CD, TC and AA of the query are not.
        (soa(), AA),
        (flags(RD), "NOERROR aa rd"),
        (flags(0x06f0), AA),
        // RFC 8906 8.1.4: opcodes; NOTIFY and UPDATE of strangers among them.
        (soa().opcode(15), "NOTIMP"),
        (soa().opcode(1), "NOTIMP"),
        (soa().opcode(2), "NOTIMP"),
        (soa().opcode(3), "NOTIMP"),
        (soa().opcode(4), "NOTIMP"),
        (soa().opcode(5), "NOTIMP"),
        (soa().opcode(6), "NOTIMP"),
        // RFC 9619.
        (Query { questions: 0, ..soa() }, "FORMERR"),
        (Query { questions: 2, ..soa() }, "FORMERR"),
        // Names outside, unknown and meta types, other classes.
        (Query::new("www.example.com.", "A"), "REFUSED"),
        (Query::new("app.gtm.example.", "TYPE65280"), AA),
        (Query::new("gtm.example.", "AXFR"), "REFUSED"),
        (Query::new("gtm.example.", "IXFR"), "REFUSED"),
        (Query::new("gtm.example.", "MAILB"), "NOTIMP"),
        (Query::new("gtm.example.", "OPT"), "FORMERR"),
        (Query::new("gtm.example.", "TSIG"), "FORMERR"),
        (Query { class: 4, ..soa() }, "REFUSED"),
        (Query { class: 254, ..soa() }, "REFUSED"),
        (Query { class: 255, ..soa() }, "REFUSED"),
        (chaos("version.bind."), "REFUSED"),
        (chaos("hostname.bind."), "REFUSED"),
        (chaos("id.server."), "REFUSED"),
    ] {
        for query in [query.clone(), edns(query)] {
            let reply = daemon.ask(&query);
            assert_eq!(reply.head(), expected, "{query:?}");
            assert_eq!(reply.id, query.id);
            assert_eq!(reply.opt.is_some(), query.edns.is_some(), "{query:?}: {reply:?}");
            if expected != AA && expected != "NOERROR aa rd" {
                assert!(reply.answer.is_empty() && reply.authority.is_empty(), "{reply:?}");
            }
        }
    }
}

#[test]
fn the_question_is_echoed_octet_by_octet() {
    let daemon = Daemon::start(APP);
    let reply = daemon.ask(&Query::new("aPp.GTM.exaMPLE.", "A"));
    assert_eq!(reply.question, ["aPp.GTM.exaMPLE. A"]);
    assert_eq!(reply.answer, ["aPp.GTM.exaMPLE. 30 A 192.0.2.10"]);
}

#[test]
fn edns_is_as_rfc_6891_says() {
    let daemon = Daemon::start(APP);
    let with = |edns| app().edns(Edns { size: 1232, ..edns });
    let options = |options: Vec<(u16, Vec<u8>)>| with(Edns { options, ..Edns::default() });
    let many = (0..60).map(|it| (65_001 + it, vec![7; 4])).collect();
    for (query, expected) in [
        (with(Edns::default()), AA),
        (with(Edns { version: 1, ..Edns::default() }), "BADVERS"),
        (with(Edns { version: 255, ..Edns::default() }), "BADVERS"),
        (with(Edns { flags: 0x7fff, ..Edns::default() }), AA),
        (with(Edns { flags: 0x8000, ..Edns::default() }), AA),
        (options(vec![(65_001, vec![1, 2, 3])]), AA),
        (options(many), AA),
        // An empty NSID asks for one, and none is configured.
        (options(vec![(3, vec![])]), AA),
        (options(vec![(11, vec![])]), AA),
    ] {
        let edns = query.edns.clone().unwrap();
        let mut over_tcp = connect(daemon.dns[0]);
        for (reply, is_tcp) in
            [(daemon.ask(&query), false), (ask_tcp(&mut over_tcp, &query).unwrap(), true)]
        {
            assert_eq!(reply.head(), expected, "{query:?}");
            assert_eq!(reply.answer.len(), usize::from(expected == AA), "{query:?}");
            let opt = reply.opt.unwrap();
            assert_eq!((opt.version, opt.size), (0, 1232));
            assert_eq!(opt.dnssec_ok, edns.flags & 0x8000 != 0, "{query:?}");
            // RFC 7828: keepalive is answered over TCP only; 10 seconds in units of 100 ms.
            let asks_keepalive = edns.options.iter().any(|it| it.0 == 11);
            let expected = if is_tcp && asks_keepalive { vec![(11, vec![0, 100])] } else { vec![] };
            assert_eq!(opt.options, expected, "{query:?}");
        }
    }
}

#[test]
fn extended_errors_say_why() {
    let daemon = Daemon::start(APP);
    for (query, code) in [
        (Query::new("www.example.com.", "A"), [0, 20]),
        (soa().opcode(4), [0, 21]),
        (Query::new("gtm.example.", "MAILA"), [0, 21]),
    ] {
        let reply = daemon.ask(&query.clone().size(1232));
        assert_eq!(reply.option(15), Some(&code[..]), "{query:?}: {reply:?}");
    }
}

#[test]
fn who_this_is_is_told_where_that_is_configured() {
    let daemon = Daemon::start(&format!("[server]\nversion = 'one'\nid = 'ns1'\n{APP}"));
    for (name, expected) in [
        ("version.bind.", "\"one\""),
        ("VERSION.server.", "\"one\""),
        ("id.server.", "\"ns1\""),
        ("hostname.bind.", "\"ns1\""),
    ] {
        let reply = daemon.ask(&Query { class: 3, ..Query::new(name, "TXT") });
        assert_eq!((reply.rcode.as_str(), reply.data()), ("NOERROR", vec![expected.to_owned()]));
    }
}

/// Nothing comes back: the answer to a query that is sent afterwards comes first.
fn assert_ignored(socket: &UdpSocket, packet: &[u8]) {
    socket.send(packet).unwrap();
    let canary = Query { id: 0xcafe, ..app() };
    socket.send(&canary.wire()).unwrap();
    let mut answer = [0; 1500];
    let length = socket.recv(&mut answer).unwrap();
    assert_eq!(Reply::read(&answer[..length]).id, 0xcafe, "{packet:02x?}");
}

#[test]
fn answers_and_scraps_are_never_answered() {
    let daemon = Daemon::start(APP);
    let socket = daemon.client();
    let answers = [0x8000, 0x8180, 0x8400, 0x9000, 0xa000, 0xffff];
    for flags in answers {
        assert_ignored(&socket, &Query { flags, ..app() }.size(4096).wire());
    }
    let mut malformed = Query { flags: 0x8000, ..app() }.wire();
    malformed.truncate(20);
    assert_ignored(&socket, &malformed);
    for length in 0..12 {
        assert_ignored(&socket, &app().wire()[..length]);
    }
}

#[test]
fn malformed_packets_get_formerr_or_silence() {
    let daemon = Daemon::start(APP);
    let header = |additional: u8| [0x12, 0x67, 0, 0, 0, 1, 0, 0, 0, 0, 0, additional];
    let question = |name: &[u8]| [&header(0)[..], name, &[0, 1, 0, 1]].concat();
    let with_opt =
        |rest: &[u8]| [&header(1)[..], b"\x03app\x03gtm\x07example\0\0\x01\0\x01", rest].concat();
    let opt = |data: &[u8]| {
        let length = u8::try_from(data.len()).unwrap();
        [&[0, 0, 41, 4, 208, 0, 0, 0, 0, 0, length][..], data].concat()
    };
    let long: Vec<u8> = [&b"\x3f"[..], &[b'a'; 63]].concat().repeat(4);
    for packet in [
        question(&[0xc0, 12]),      // a pointer to itself
        question(&[0xc0, 0x40, 0]), // a pointer forward
        question(&[0x41, b'a', 0]), // label types that nobody uses
        question(&[0x80, b'a', 0]),
        question(&[&*long, &[0]].concat()), // a name of 257 octets
        question(&[63, b'a', 0]),           // a label that ends behind the packet
        header(0).to_vec(),                 // a count without a question
        [&question(b"\x03gtm\x07example\0")[..], &[1, 2, 3]].concat(),
        with_opt(&[]),                    // a count without a record
        with_opt(&opt(&[0, 3])),          // half an option
        with_opt(&opt(&[0, 3, 0, 9, 1])), // an option longer than its record
        with_opt(&[1, b'x', 0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0]), // OPT at a name
        with_opt(&[0, 0, 41, 4, 208, 0, 0, 0, 0, 9, 9]),
    ] {
        let answer = exchange(&daemon.client(), &packet).unwrap();
        assert_eq!(Reply::read(&answer).head(), "FORMERR", "{packet:02x?}");
    }
    let mut two_opts = with_opt(&[opt(&[]), opt(&[])].concat());
    two_opts[11] = 2;
    assert_eq!(Reply::read(&exchange(&daemon.client(), &two_opts).unwrap()).head(), "FORMERR");
}

/// A packet of random octets, or a good one with a few wrong.
fn scramble(random: &mut impl FnMut(usize) -> usize, seeds: &[Vec<u8>]) -> Vec<u8> {
    if random(4) == 0 {
        return (0..random(300)).map(|_| random(256) as u8).collect();
    }
    let mut packet = seeds[random(seeds.len())].clone();
    for _ in 0..=random(4) {
        let at = random(packet.len());
        match random(4) {
            0 => packet.truncate(at.max(1)),
            1 => packet.insert(at, random(256) as u8),
            2 => packet[at] ^= 1 << random(8),
            _ => packet[at] = random(256) as u8,
        }
    }
    packet
}

#[test]
fn garbage_harms_nobody() {
    const PACKETS: usize = 20_000;
    let daemon = Daemon::start(APP);
    let many = vec![(10, vec![1; 8]), (8, vec![0, 1, 24, 0, 192, 0, 2]), (3, vec![])];
    let seeds = [
        app().wire(),
        app().edns(Edns { size: 1232, options: many, ..Edns::default() }).wire(),
        soa().opcode(4).wire(),
        Query::new("gtm.example.", "IXFR").size(512).wire(),
        Query { class: 3, ..Query::new("version.bind.", "TXT") }.wire(),
    ];
    let mut generator = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut random = |below: usize| generator.next_u32() as usize % below.max(1);
    let socket = daemon.client();
    let mut answer = [0; 65_535];
    for number in 0..PACKETS {
        socket.send(&scramble(&mut random, &seeds)).unwrap();
        if number % 100 != 0 {
            continue;
        }
        // A canary tells that everything before it has been dealt with.
        socket.send(&Query { id: 0xcafe, ..app() }.wire()).unwrap();
        loop {
            let length = socket.recv(&mut answer).unwrap();
            let reply = Reply::read(&answer[..length]);
            if reply.id == 0xcafe && reply.data() == ["192.0.2.10"] {
                break;
            }
        }
    }
    socket.set_read_timeout(Some(Duration::from_millis(10))).unwrap();
    loop {
        match socket.recv(&mut answer) {
            Ok(length) => drop(Reply::read(&answer[..length])),
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!(daemon.answers("app.gtm.example.", "A"), ["192.0.2.10"]);
    assert!(!daemon.log().contains("panick"), "{}", daemon.log());
    daemon.stop();
}
