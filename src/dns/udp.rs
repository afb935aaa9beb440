//! The UDP path: one thread, a socket of its own for each listen address, packets taken and answered in batches.

use std::io;
use std::net::UdpSocket;
use std::os::fd::BorrowedFd;
use std::thread;
use std::time::{Duration, Instant};

use super::burst::Burst;
use super::responder::{Path, Responder};
use super::sys::{BATCH, Batch, Poller};
use crate::metrics::Drop;

/// Full batches in a row that one socket gets before the others have their turn.
const TURN: usize = 16;
/// Rounds in a row with an error that are taken for bad luck; from then on errors are lasting, and there are pauses.
const BAD_LUCK: u32 = 3;
/// Between rounds while errors last: the sockets that work are still served, and the processor is not spent on the others.
const ERROR_PAUSE: Duration = Duration::from_millis(10);

/// Answers until `stop` is closed at its other end; what came before that is answered still.
///
/// # Errors
/// What poll(2) says: without it there is no telling when to answer.
pub(super) fn serve(
    sockets: &[UdpSocket],
    responder: &mut Responder,
    stop: BorrowedFd<'_>,
) -> io::Result<()> {
    let mut batch = Batch::new();
    let mut poller = Poller::new(sockets, stop);
    let (mut failed_rounds, mut burst) = (0_u32, Burst::default());
    loop {
        let stopping = poller.wait()?;
        let mut failed = false;
        for socket in poller.ready() {
            if let Err(error) = take_turn(socket, responder, &mut batch) {
                failed = true;
                responder.dropped(Drop::ReceiveFailed);
                if burst.begins(Instant::now()) {
                    tracing::warn!(event = "receive_failed", %error, "could not receive from a DNS socket; it is tried again");
                }
            }
        }
        if stopping {
            return Ok(());
        }
        failed_rounds = if failed { failed_rounds.saturating_add(1) } else { 0 };
        if failed_rounds > BAD_LUCK {
            thread::sleep(ERROR_PAUSE);
        }
    }
}

/// Answers what waits at one socket, up to a limit.
///
/// # Errors
/// What recvmmsg(2) says. It may be about the last packet sent (an ICMP message, say); then the next call is fine.
fn take_turn(socket: &UdpSocket, responder: &mut Responder, batch: &mut Batch) -> io::Result<()> {
    for _ in 0..TURN {
        let received = batch.receive(socket)?;
        if received == 0 {
            return Ok(());
        }
        let mut answering = responder.enter();
        let unanswerable = batch
            .answer(|packet, client, answer| answering.respond(packet, client, Path::Udp, answer));
        for _ in 0..unanswerable {
            answering.dropped(Drop::PortZero);
        }
        for _ in 0..batch.send(socket) {
            answering.dropped(Drop::SendFailed);
        }
        drop(answering);
        if received < BATCH {
            return Ok(());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::tests::responder_and_counters;
    use std::io::Write;
    use std::os::fd::{AsFd, OwnedFd};

    #[test]
    fn an_error_that_lasts_is_counted_and_does_not_spin() {
        // A pipe polls like a socket with a packet, and recvmmsg(2) refuses it.
        let (broken, mut writer) = io::pipe().unwrap();
        writer.write_all(b"x").unwrap();
        let broken = UdpSocket::from(OwnedFd::from(broken));
        let (mut responder, counters) = responder_and_counters("");
        let (stop, running) = io::pipe().unwrap();
        let started = Instant::now();
        thread::scope(|threads| {
            threads.spawn(|| serve(&[broken], &mut responder, stop.as_fd()).unwrap());
            while counters.count_dropped(Drop::ReceiveFailed) < u64::from(BAD_LUCK) + 4 {
                thread::yield_now();
            }
            drop(running);
        });
        assert!(started.elapsed() >= ERROR_PAUSE * 3);
    }
}
