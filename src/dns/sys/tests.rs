use super::*;
use std::net::SocketAddr;
use std::os::fd::AsFd;

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
    let mut batch = Batch::new();
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
fn closing_the_pipe_ends_the_wait() {
    let (stop, writer) = io::pipe().unwrap();
    drop(writer);
    let idle = [Arc::new(UdpSocket::bind("127.0.0.1:0").unwrap())];
    let mut poller = Poller::new(&idle, stop.as_fd());
    assert!(poller.wait().unwrap());
    assert_eq!(poller.ready().count(), 0);
}

#[test]
fn an_empty_socket_gives_nothing() {
    let server = UdpSocket::bind("127.0.0.1:0").unwrap();
    assert_eq!(Batch::new().receive(&server).unwrap(), 0);
}
