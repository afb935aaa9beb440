use super::*;
use crate::dns::poller::Poller;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;

/// Asks an upper-casing server that is bound to `bound`, at `asked`, and gives what was answered and from where.
fn exchange(bound: &str, asked: &str) -> (Vec<u8>, SocketAddr) {
    let server = UdpSocket::bind(bound).unwrap();
    prepare(&server).unwrap();
    let port = server.local_addr().unwrap().port();
    let client =
        UdpSocket::bind(if asked.contains(':') { "[::1]:0" } else { "127.0.0.1:0" }).unwrap();
    let asked = SocketAddr::new(asked.parse().unwrap(), port);
    client.send_to(b"hello", asked).unwrap();
    client.send_to(b"silence", asked).unwrap();
    let (stop, _writer) = io::pipe().unwrap();
    let server = Arc::new(server);
    let mut poller = Poller::new(std::slice::from_ref(&server), stop.as_fd());
    assert!(!poller.wait().unwrap());
    assert_eq!(poller.ready().count(), 1);
    let mut batch = Batch::new(true);
    let mut received = 0;
    while received < 2 {
        received += batch.receive(&server).unwrap();
        batch.answer(|packet, ends, answer| {
            let is_wild = bound.contains("0.0.0.0") || bound.contains("[::]");
            assert_eq!(ends.client, client.local_addr().unwrap());
            assert_eq!(ends.asked_at, is_wild.then_some(asked.ip()), "{bound}");
            if packet == b"silence" {
                return 0;
            }
            answer[..packet.len()].copy_from_slice(&packet.to_ascii_uppercase());
            packet.len()
        });
        assert_eq!(batch.send(&server), 0);
    }
    let mut answer = [0; 64];
    let (length, from) = client.recv_from(&mut answer).unwrap();
    (answer[..length].to_vec(), from)
}

#[test]
fn answers_leave_from_the_address_that_was_asked() {
    for (bound, asked) in [
        ("0.0.0.0:0", "127.0.0.1"),
        ("0.0.0.0:0", "127.0.0.7"),
        ("127.0.0.8:0", "127.0.0.8"),
        ("[::]:0", "::1"),
        ("[::1]:0", "::1"),
    ] {
        let (answer, from) = exchange(bound, asked);
        assert_eq!(answer, b"HELLO", "{bound}");
        assert_eq!(from.ip(), asked.parse::<IpAddr>().unwrap(), "{bound}");
    }
}

#[test]
fn an_empty_socket_gives_nothing() {
    let server = UdpSocket::bind("127.0.0.1:0").unwrap();
    assert_eq!(Batch::new(true).receive(&server).unwrap(), 0);
}

/// How long an answer may take that has been sent.
const PATIENCE: Duration = Duration::from_secs(60);

/// Has a server answer what two clients ask, with answers of these lengths, and gives what each client gets.
fn answered(asked: &str, lengths: &[usize], can_segment: bool) -> [Vec<Vec<u8>>; 2] {
    let any = if asked.contains(':') { "[::]:0" } else { "0.0.0.0:0" };
    let server = UdpSocket::bind(any).unwrap();
    prepare(&server).unwrap();
    if !can_segment {
        // The kernel refuses segments without checksums (udp_send_skb).
        set_option(&server, libc::SOL_SOCKET, libc::SO_NO_CHECK, 1).unwrap();
    }
    let address = SocketAddr::new(asked.parse().unwrap(), server.local_addr().unwrap().port());
    let clients = [(); 2].map(|()| UdpSocket::bind(any).unwrap());
    for (number, length) in lengths.iter().enumerate() {
        // The client, the length, and which one of all it is.
        let query = format!("{} {length} {number} ", number / 3 % 2);
        clients[number / 3 % 2].send_to(query.as_bytes(), address).unwrap();
    }
    let mut batch = Batch::new(knows_segments(&server));
    let mut received = 0;
    while received < lengths.len() {
        received += batch.receive(&server).unwrap();
        batch.answer(|packet, _, answer| {
            answer[..packet.len()].copy_from_slice(packet);
            let length = std::str::from_utf8(packet).unwrap().split(' ').nth(1).unwrap();
            length.parse().unwrap()
        });
        assert_eq!(batch.send(&server), 0);
    }
    assert_eq!(batch.refusals == 0, can_segment, "{asked}");
    clients.iter().for_each(|it| it.set_read_timeout(Some(PATIENCE)).unwrap());
    let mut got = [Vec::new(), Vec::new()];
    for (number, _) in lengths.iter().enumerate().filter(|it| *it.1 > 0) {
        let who = number / 3 % 2;
        let mut answer = vec![0; ANSWER_SIZE];
        let (length, from) = clients[who].recv_from(&mut answer).unwrap();
        assert_eq!(from, address);
        answer.truncate(length);
        got[who].push(answer);
    }
    for client in clients {
        client.set_nonblocking(true).unwrap();
        assert!(client.recv(&mut [0; 1]).is_err(), "an answer came twice");
    }
    got
}

#[test]
fn answers_that_leave_together_arrive_one_by_one() {
    let lengths = [33, 40, 40, 60, 60, 60, 40, 0, 40, 50, 40, 40, 2000, 2000, 2000, 41, 41, 41, 9];
    let ways = [("127.0.0.1", true), ("127.0.0.9", true), ("::1", true), ("127.0.0.1", false)];
    for (asked, can_segment) in ways {
        let got = answered(asked, &lengths, can_segment);
        for (who, got) in got.iter().enumerate() {
            let own = lengths.iter().enumerate().filter(|it| it.0 / 3 % 2 == who && *it.1 > 0);
            for ((number, length), answer) in own.zip(got) {
                let expected = format!("{who} {length} {number} ");
                assert!(answer.starts_with(expected.as_bytes()), "{expected:?}, not {answer:?}");
                assert_eq!(answer.len(), *length);
            }
        }
    }
}

#[test]
fn segments_that_are_refused_again_and_again_are_given_up() {
    let server = UdpSocket::bind("127.0.0.1:0").unwrap();
    set_option(&server, libc::SOL_SOCKET, libc::SO_NO_CHECK, 1).unwrap();
    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    client.connect(server.local_addr().unwrap()).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut batch = Batch::new(true);
    for refusals in 1..=MOST_REFUSALS {
        assert!(batch.segments);
        (0..2).for_each(|_| assert_eq!(client.send(b"query").unwrap(), 5));
        let mut received = 0;
        while received < 2 {
            // Both are there at once: loopback delivers before send(2) returns.
            received += batch.receive(&server).unwrap();
        }
        batch.answer(|_, _, _| 12);
        assert_eq!(batch.send(&server), 0);
        (0..2).for_each(|_| assert_eq!(client.recv(&mut [0; 64]).unwrap(), 12));
        assert_eq!(batch.refusals, refusals);
    }
    assert!(!batch.segments);
}
