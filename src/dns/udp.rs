//! The UDP path: one thread, a socket of its own for each listen address, packets taken and answered in batches.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use super::QUIET;
use super::poller::Poller;
use super::post::Post;
use super::responder::{Path, Responder};
use super::sys::{BATCH, Batch, Ends, knows_segments};
use crate::metrics::DropReason;
use crate::supervision::Burst;

/// Full batches in a row that one socket gets before the others have their turn.
const TURN: usize = 16;
/// Rounds in a row with an error that are taken for bad luck; from then on errors are lasting, and there are pauses.
const BAD_LUCK: u32 = 3;
/// Between rounds while errors last: the sockets that work are still served, and the processor is not spent on the others.
const ERROR_PAUSE: Duration = Duration::from_millis(10);

/// Full batches in a row that a socket gets before it is closed: what came before that is answered, a flood is not.
const LAST_TURNS: usize = 64;

/// Answers at the sockets of this post, also as they change, until it says that it is over; what came before that is answered.
///
/// # Errors
/// What poll(2) says: without it there is no telling when to answer.
pub(super) fn serve(post: &Post, responder: &mut Responder) -> io::Result<()> {
    let mut sockets = post.sockets();
    let mut batch = Batch::new(sockets.first().is_some_and(|it| knows_segments(it)));
    loop {
        let own: Vec<SocketAddr> = sockets.iter().filter_map(|it| it.local_addr().ok()).collect();
        serve_until_called(&sockets, &own, post, responder, &mut batch)?;
        let Some(next) = post.hear()? else { return Ok(()) };
        for gone in sockets.iter().filter(|it| !next.iter().any(|other| Arc::ptr_eq(it, other))) {
            for _ in 0..LAST_TURNS {
                if !matches!(take_turn(gone, &own, responder, &mut batch), Ok(Waiting::Perhaps)) {
                    break;
                }
            }
        }
        sockets = next;
    }
}

/// Answers at these sockets until the bell rings.
fn serve_until_called(
    sockets: &[Arc<UdpSocket>],
    own: &[SocketAddr],
    post: &Post,
    responder: &mut Responder,
    batch: &mut Batch,
) -> io::Result<()> {
    let mut poller = Poller::new(sockets, post.bell());
    let (mut failed_rounds, mut burst) = (0_u32, Burst::new(QUIET));
    loop {
        let called = poller.wait()?;
        let mut failed = false;
        for socket in poller.ready() {
            if let Err(error) = take_turn(socket, own, responder, batch) {
                failed = true;
                responder.dropped(DropReason::ReceiveFailed);
                if burst.begins(Instant::now()) {
                    tracing::warn!(event = "receive_failed", %error, "could not receive from a DNS socket; it is tried again");
                }
            }
        }
        if called {
            return Ok(());
        }
        failed_rounds = if failed { failed_rounds.saturating_add(1) } else { 0 };
        if failed_rounds > BAD_LUCK {
            thread::sleep(ERROR_PAUSE);
        }
    }
}

/// Whether more packets may wait at a socket.
enum Waiting {
    Perhaps,
    Nothing,
}

/// Answers what waits at one socket, up to a limit.
///
/// # Errors
/// What recvmmsg(2) says. It may be about the last packet sent (an ICMP message, say); then the next call is fine.
fn take_turn(
    socket: &UdpSocket,
    own: &[SocketAddr],
    responder: &mut Responder,
    batch: &mut Batch,
) -> io::Result<Waiting> {
    for _ in 0..TURN {
        let received = batch.receive(socket)?;
        if received == 0 {
            return Ok(Waiting::Nothing);
        }
        let mut answering = responder.enter();
        batch.answer(|packet, ends, answer| match never_answered(ends, own) {
            Some(why) => {
                answering.dropped(why);
                0
            }
            None => answering.respond(packet, ends.client.ip(), Path::Udp, answer),
        });
        for _ in 0..batch.send(socket) {
            answering.dropped(DropReason::SendFailed);
        }
        drop(answering);
        if received < BATCH {
            return Ok(Waiting::Nothing);
        }
    }
    Ok(Waiting::Perhaps)
}

/// Why nothing may be sent to where a packet says that it is from: `own` are the addresses that are listened at.
fn never_answered(ends: Ends, own: &[SocketAddr]) -> Option<DropReason> {
    let (client, asked_at) = (ends.client, ends.asked_at);
    if client.port() == 0 {
        return Some(DropReason::PortZero);
    }
    // Who listens at all addresses has this port at those of this machine: at the one that was asked, and all of loopback.
    let is_here = || client.ip().is_loopback() || asked_at == Some(client.ip());
    let is_own = |it: &SocketAddr| {
        it.port() == client.port()
            && (it.ip() == client.ip()
                || it.ip().is_unspecified() && it.is_ipv4() == client.is_ipv4() && is_here())
    };
    own.iter().any(is_own).then_some(DropReason::OwnAddress)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::tests::responder_and_counters;
    use std::io::Write;
    use std::os::fd::OwnedFd;

    #[test]
    fn nothing_is_sent_to_port_zero_or_to_ourselves() {
        const PORT_ZERO: Option<DropReason> = Some(DropReason::PortZero);
        const OWN: Option<DropReason> = Some(DropReason::OwnAddress);
        let one = "192.0.2.1:53, [2001:db8::1]:53";
        let all = "0.0.0.0:53, [::]:5353";
        for (own, client, asked_at, expected) in [
            (one, "192.0.2.9:0", None, PORT_ZERO),
            (one, "192.0.2.9:53", None, None),
            (one, "192.0.2.1:53", None, OWN),
            (one, "192.0.2.1:5353", None, None),
            (one, "[2001:db8::1]:53", None, OWN),
            (one, "[2001:db8::1]:54", None, None),
            // A resolver may send from port 53 too.
            (all, "192.0.2.9:53", Some("192.0.2.1"), None),
            (all, "192.0.2.1:53", Some("192.0.2.1"), OWN),
            (all, "192.0.2.1:54", Some("192.0.2.1"), None),
            (all, "127.0.0.1:53", Some("127.0.0.2"), OWN),
            (all, "[::1]:53", Some("::1"), None),
            (all, "[::1]:5353", Some("::1"), OWN),
            (all, "[::1]:0", Some("::1"), PORT_ZERO),
        ] {
            let own: Vec<SocketAddr> = own.split(", ").map(|it| it.parse().unwrap()).collect();
            let asked_at = asked_at.map(|it| it.parse().unwrap());
            let ends = Ends { client: client.parse().unwrap(), asked_at };
            assert_eq!(never_answered(ends, &own), expected, "{client} {asked_at:?}");
        }
    }

    #[test]
    fn an_error_that_lasts_is_counted_and_does_not_spin() {
        // A pipe polls like a socket with a packet, and recvmmsg(2) refuses it.
        let (broken, mut writer) = io::pipe().unwrap();
        writer.write_all(b"x").unwrap();
        let broken = UdpSocket::from(OwnedFd::from(broken));
        let (mut responder, counters) = responder_and_counters("");
        let post = Post::new(vec![Arc::new(broken)]).unwrap();
        let started = Instant::now();
        thread::scope(|threads| {
            threads.spawn(|| serve(&post, &mut responder).unwrap());
            while counters.count_dropped(DropReason::ReceiveFailed) < u64::from(BAD_LUCK) + 4 {
                thread::yield_now();
            }
            post.stop();
        });
        assert!(started.elapsed() >= ERROR_PAUSE * 3);
    }

    #[test]
    fn a_socket_that_goes_is_answered_and_closed_and_one_that_stays_is_not_touched() {
        let bind = || Arc::new(UdpSocket::bind("127.0.0.1:0").unwrap());
        let (gone, stays) = (bind(), bind());
        let client = UdpSocket::bind("127.0.0.1:0").unwrap();
        client.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        // A question of class IN for the root, which is refused.
        let ask = |at: &UdpSocket, id: u8| {
            let query = [0, id, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1];
            client.send_to(&query, at.local_addr().unwrap()).unwrap();
        };
        let heard = || {
            let mut answer = [0; 512];
            client.recv(&mut answer).unwrap();
            answer[1]
        };
        let (mut responder, _) = responder_and_counters("");
        let post = Post::new(vec![gone.clone(), stays.clone()]).unwrap();
        thread::scope(|threads| {
            threads.spawn(|| serve(&post, &mut responder).unwrap());
            ask(&gone, 255);
            assert_eq!(heard(), 255);
            (0..200).for_each(|id| ask(&gone, id));
            post.answer_at(vec![stays.clone()]);
            (0..200).for_each(|id| assert_eq!(heard(), id));
            ask(&stays, 201);
            assert_eq!(heard(), 201);
            post.stop();
        });
        assert_eq!((Arc::strong_count(&gone), Arc::strong_count(&stays)), (1, 2));
    }
}
