//! The UDP path: one thread, a socket of its own for each listen address, packets taken and answered in batches.

use std::io;
use std::net::UdpSocket;
use std::os::fd::BorrowedFd;

use super::responder::{Path, Responder};
use super::sys::{BATCH, Batch, wait};
use crate::metrics::Drop;

/// Full batches in a row that one socket gets before the others have their turn.
const TURN: usize = 16;

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
    loop {
        let stopping = wait(sockets, stop)?;
        for socket in sockets {
            take_turn(socket, responder, &mut batch);
        }
        if stopping {
            return Ok(());
        }
    }
}

/// Answers what waits at one socket, up to a limit.
fn take_turn(socket: &UdpSocket, responder: &mut Responder, batch: &mut Batch) {
    for _ in 0..TURN {
        // An error here is the last packet's (an ICMP message, say), not the socket's; the next call clears it.
        let received = batch.receive(socket).unwrap_or_default();
        if received == 0 {
            return;
        }
        responder.enter();
        batch.answer(|packet, client, answer| responder.respond(packet, client, Path::Udp, answer));
        for _ in 0..batch.send(socket) {
            responder.dropped(Drop::SendFailed);
        }
        responder.leave();
        if received < BATCH {
            return;
        }
    }
}
