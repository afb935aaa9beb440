//! DNS over TCP (RFC 7766): length-framed messages, pipelined, answered in order. One thread with a runtime of its own, so
//! that whatever clients do here, nothing else waits.

use std::cell::RefCell;
use std::io;
use std::net::IpAddr;
use std::rc::Rc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::sync::CancellationToken;

use super::connections::{Connections, Ticket};
use super::responder::{Path, Responder};
use crate::metrics::Drop;

/// Answers are written when this much has gathered, or when no whole query is left.
const WRITE_AT: usize = 16 * 1024;
/// How much is read at a time.
const READ_SIZE: usize = 4096;
/// The most that one message can be, and its length.
const MESSAGE_SIZE: usize = 2 + 65_535;
/// How long to wait after accept(2) failed, for lack of descriptors say.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What TCP clients may take.
#[derive(Clone, Copy, Debug)]
pub struct TcpLimits {
    /// Connections at a time; a further one takes the place of the idlest.
    pub connections: usize,
    /// How long a client may be silent, take to send a message, or take to read answers.
    pub idle: Duration,
}

/// What all connections share. They run on one thread, so borrows never meet: none is held over an await.
struct Shared {
    responder: RefCell<Responder>,
    connections: RefCell<Connections>,
    limits: TcpLimits,
}

/// Accepts and answers until `stop` is cancelled; then lets connections answer what they have read, and ends.
pub(super) async fn serve(
    listeners: Vec<TcpListener>,
    responder: Responder,
    limits: TcpLimits,
    stop: CancellationToken,
    panicked: impl Fn(),
) {
    let connections = RefCell::new(Connections::new(limits.connections));
    let shared = Rc::new(Shared { responder: RefCell::new(responder), connections, limits });
    let mut accepting = JoinSet::new();
    let (accepted, mut incoming) = tokio::sync::mpsc::channel(64);
    for listener in listeners {
        let accepted = accepted.clone();
        accepting.spawn_local(async move {
            loop {
                match listener.accept().await {
                    Ok((stream, client)) => {
                        if accepted.send((stream, client.ip())).await.is_err() {
                            return;
                        }
                    }
                    Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
                }
            }
        });
    }
    let mut serving = JoinSet::new();
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            Some((stream, client)) = incoming.recv() => {
                let ticket = shared.connections.borrow_mut().admit(client, Instant::now(), &stop);
                serving.spawn_local(converse(shared.clone(), stream, client, ticket));
            }
            Some(ended) = serving.join_next() => if ended.is_err() { panicked() },
        }
    }
    accepting.shutdown().await;
    let finish = async { while serving.join_next().await.is_some() {} };
    // Each connection has been told to end; one that does not read its answers is not waited for.
    let _ = timeout(Duration::from_secs(1), finish).await;
}

/// One client's connection, from the first octet to the last.
async fn converse(shared: Rc<Shared>, stream: TcpStream, client: IpAddr, ticket: Ticket) {
    let id = ticket.id;
    let ended = exchange(&shared, stream, client, ticket).await;
    shared.connections.borrow_mut().leave(id);
    if ended.is_err() {
        shared.responder.borrow().dropped(Drop::BrokenStream);
    }
}

async fn exchange(
    shared: &Shared,
    mut stream: TcpStream,
    client: IpAddr,
    ticket: Ticket,
) -> io::Result<()> {
    let idle = shared.limits.idle;
    let mut unread = Vec::new();
    let mut answers = Vec::new();
    let mut deadline = Instant::now() + idle;
    loop {
        while let Some((message, rest)) = split_message(&unread) {
            answer(shared, message, client, &mut answers);
            let used = unread.len() - rest.len();
            unread.drain(..used);
            deadline = Instant::now() + idle;
            shared.connections.borrow_mut().touch(ticket.id, Instant::now());
            if answers.len() >= WRITE_AT {
                write(&mut stream, &mut answers, idle).await?;
            }
        }
        write(&mut stream, &mut answers, idle).await?;
        unread.reserve(READ_SIZE);
        let read = tokio::select! {
            // What has arrived is answered before the connection is ended.
            biased;
            read = timeout_at(deadline, stream.read_buf(&mut unread)) => read,
            () = ticket.end.cancelled() => return Ok(()),
        };
        match read {
            Ok(Ok(0)) if unread.is_empty() => return Ok(()),
            Ok(Ok(0)) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(Ok(_)) => {}
            Ok(Err(error)) => return Err(error),
            Err(_) if unread.is_empty() => return Ok(()),
            Err(_) => return Err(io::ErrorKind::TimedOut.into()),
        }
    }
}

/// The first whole message, without its length, and what comes after it.
fn split_message(unread: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = unread.split_first_chunk::<2>()?;
    rest.split_at_checked(u16::from_be_bytes(*length).into())
}

fn answer(shared: &Shared, message: &[u8], client: IpAddr, answers: &mut Vec<u8>) {
    let start = answers.len();
    answers.resize(start + MESSAGE_SIZE, 0);
    let mut responder = shared.responder.borrow_mut();
    let mut answering = responder.enter();
    // In units of 100 ms (RFC 7828 3.1).
    let keepalive = u16::try_from(shared.limits.idle.as_millis() / 100).unwrap_or(u16::MAX);
    let room = answers.get_mut(start + 2..).unwrap_or_default();
    let length = answering.respond(message, client, Path::Tcp { keepalive }, room);
    drop(answering);
    if let (Some(prefix), Ok(length)) = (answers.get_mut(start..start + 2), u16::try_from(length)) {
        prefix.copy_from_slice(&length.to_be_bytes());
    }
    answers.truncate(if length == 0 { start } else { start + 2 + length });
}

async fn write(stream: &mut TcpStream, answers: &mut Vec<u8>, idle: Duration) -> io::Result<()> {
    if !answers.is_empty() {
        timeout(idle, stream.write_all(answers)).await.map_err(|_| io::ErrorKind::TimedOut)??;
        answers.clear();
        // A connection that once had a large answer does not hold its memory while it is idle.
        answers.shrink_to(READ_SIZE);
    }
    Ok(())
}
