//! DNS over TCP (RFC 7766): length-framed messages, pipelined, answered in order. One thread with a runtime of its own, so
//! that whatever clients do here, nothing else waits; and each client has its turn.

use std::cell::{Cell, RefCell};
use std::io;
use std::net::{self, IpAddr};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinSet, yield_now};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::QUIET;
use super::bind::BACKLOG;
use super::connections::{Connections, Ticket};
use super::query::HEADER;
use super::responder::{Path, Responder};
use crate::metrics::{DropReason, Transport};
use crate::supervision::Burst;

/// Messages that one client gets answered before the others have their turn.
const TURN: usize = 64;
/// A turn is over, too, when so many octets of answers have gathered.
const WRITE_AT: usize = 16 * 1024;
/// How much is read at a time.
const READ_SIZE: usize = 4096;
/// The most that one message can be.
const MESSAGE_SIZE: usize = 65_535;
/// Connections that are accepted and not yet served; then the kernel's backlog holds them.
pub(super) const ACCEPTED: usize = 16;
/// How long to wait after accept(2) failed, for lack of descriptors say.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// How long clients have, when the server stops, to take the answers to what they had sent.
pub(super) const STOP_GRACE: Duration = Duration::from_secs(1);

/// What TCP clients may take.
#[derive(Clone, Copy, Debug)]
pub struct TcpLimits {
    /// Connections at a time; a further one takes the place of the idlest.
    pub connections: usize,
    /// How long a client may be silent, take to send a message, or take to read answers.
    pub idle: Duration,
}

/// Where to accept connections, and how long clients may be silent.
#[derive(Clone, Debug)]
pub(super) struct Orders {
    pub(super) listeners: Vec<Arc<net::TcpListener>>,
    pub(super) idle: Duration,
}

/// What all connections of a transport share. They run on one thread, so borrows never meet: none is held over an await.
pub(super) struct Shared {
    pub(super) responder: Rc<RefCell<Responder>>,
    transport: Transport,
    /// Where each answer is made before its used part goes to its connection.
    pub(super) scratch: RefCell<Box<[u8]>>,
    pub(super) idle: Cell<Duration>,
    pub(super) stop: CancellationToken,
}

/// A connection that was accepted, and what tells it to end: the server stops, or listens there no more.
pub(super) type Accepted = (TcpStream, IpAddr, CancellationToken);

/// Accepts and answers as ordered until `stop` is cancelled; then lets connections answer what they have read, and ends.
///
/// # Errors
/// When the operating system gives no descriptor for listening.
pub(super) async fn serve(
    mut orders: watch::Receiver<Orders>,
    responder: Responder,
    connections: usize,
    stop: CancellationToken,
    panicked: impl Fn(),
) -> io::Result<()> {
    let (responder, idle) = (Rc::new(RefCell::new(responder)), orders.borrow().idle);
    let shared = Rc::new(Shared::new(responder, Transport::Tcp, idle, stop));
    let mut connections = Connections::new(connections);
    let (accepted, mut incoming) = mpsc::channel(ACCEPTED);
    let mut listening = Listening::new(shared.clone());
    listening.obey(orders.borrow_and_update().clone(), &accepted)?;
    let mut serving = JoinSet::new();
    loop {
        tokio::select! {
            () = shared.stop.cancelled() => break,
            Some((stream, client, end)) = incoming.recv(), if connections.has_room() => {
                let ticket = connections.admit(client, Instant::now());
                serving.spawn_local(converse(shared.clone(), stream, client, end, ticket));
            }
            Some(ended) = serving.join_next() => if ended.is_err() { panicked() },
            Some(_) = listening.tasks.join_next() => {}
            Ok(()) = orders.changed() => {
                let orders = orders.borrow_and_update().clone();
                listening.obey(orders, &accepted)?;
            }
        }
    }
    listening.tasks.shutdown().await;
    let finish = async { while serving.join_next().await.is_some() {} };
    // Each connection ends by itself; one that does not read its answers is not waited for.
    let _ = timeout(STOP_GRACE, finish).await;
    Ok(())
}

/// The listeners whose connections are accepted, each with what ends it and them.
pub(super) struct Listening {
    shared: Rc<Shared>,
    open: Vec<(Arc<net::TcpListener>, CancellationToken)>,
    pub(super) tasks: JoinSet<()>,
}

impl Listening {
    pub(super) fn new(shared: Rc<Shared>) -> Self {
        Self { shared, open: Vec::new(), tasks: JoinSet::new() }
    }

    /// Opens and closes listeners as ordered; those that stay are not touched.
    pub(super) fn obey(
        &mut self,
        orders: Orders,
        accepted: &mpsc::Sender<Accepted>,
    ) -> io::Result<()> {
        let Orders { listeners, idle } = orders;
        self.shared.idle.set(idle);
        self.open.retain(|(open, end)| {
            let stays = listeners.iter().any(|it| Arc::ptr_eq(it, open));
            if !stays {
                end.cancel();
            }
            stays
        });
        for listener in listeners {
            if self.open.iter().any(|(open, _)| Arc::ptr_eq(open, &listener)) {
                continue;
            }
            // A descriptor of its own: this one outlives the runtime, should the worker panic.
            let accepting = TcpListener::from_std(listener.try_clone()?)?;
            let end = self.shared.stop.child_token();
            let accept = accept(self.shared.clone(), accepting, accepted.clone(), end.clone());
            self.tasks.spawn_local(accept);
            self.open.push((listener, end));
        }
        Ok(())
    }
}

/// Accepts connections at one address, as long as somebody takes them, until `end` is cancelled.
async fn accept(
    shared: Rc<Shared>,
    listener: TcpListener,
    accepted: mpsc::Sender<Accepted>,
    end: CancellationToken,
) {
    let mut burst = Burst::new(QUIET);
    let mut after_the_end = 0;
    while after_the_end < BACKLOG {
        let connection = tokio::select! {
            // Who has connected before the end is still answered what it has sent.
            biased;
            connection = listener.accept() => connection,
            () = end.cancelled() => return,
        };
        after_the_end += i32::from(end.is_cancelled());
        match connection {
            Ok((stream, client)) => {
                if accepted.send((stream, client.ip(), end.clone())).await.is_err() {
                    return;
                }
            }
            Err(error) => {
                shared.dropped(DropReason::AcceptFailed);
                if burst.begins(Instant::now().into_std()) {
                    tracing::warn!(event = "accept_failed", %error, "could not accept a DNS connection; it is tried again");
                }
                if end.is_cancelled() {
                    return;
                }
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// One client's connection, from the first octet to the last. Its place is given back when this is over, also by a panic.
async fn converse(
    shared: Rc<Shared>,
    mut stream: TcpStream,
    client: IpAddr,
    end: CancellationToken,
    ticket: Ticket,
) {
    let unsent = Cell::new(false);
    let ended = tokio::select! {
        // Whoever has to make room does so at once, whether it sends, reads or neither.
        biased;
        () = ticket.evicted() => Err(DropReason::Evicted),
        ended = exchange(&shared, &mut stream, client, &end, &ticket, &unsent) => {
            ended.map_err(|_| DropReason::BrokenStream)
        }
    };
    if let Err(why) = ended {
        shared.dropped(why);
    }
    if unsent.get() {
        // Answers that nobody reads do not stay in the kernel's memory.
        let _ = stream.set_zero_linger();
    }
}

/// Answers what comes, until the client has no more to say or `end` is cancelled. `unsent` says whether answers wait for the
/// client to read.
///
/// # Errors
/// When the connection breaks, or the client takes too long.
pub(super) async fn exchange(
    shared: &Shared,
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    client: IpAddr,
    end: &CancellationToken,
    ticket: &Ticket,
    unsent: &Cell<bool>,
) -> io::Result<()> {
    // A reload may change it, and then clients are told.
    let idle = || shared.idle.get();
    let mut unread = Vec::new();
    let mut answers = Vec::new();
    let mut deadline = Instant::now() + idle();
    // Set anew only when it has run out: most messages come long before that.
    let mut timer = pin!(sleep_until(deadline));
    let mut ended = pin!(end.cancelled());
    let mut since_yield = 0;
    loop {
        let turn = shared.take_turn(&mut unread, client, &mut answers);
        if turn.messages > 0 {
            ticket.touch(Instant::now());
        }
        unsent.set(!answers.is_empty());
        write(stream, &mut answers, idle()).await?;
        unsent.set(false);
        if turn.messages > 0 {
            // Whoever reads slowly is not silent.
            deadline = Instant::now() + idle();
        }
        since_yield += turn.messages;
        if turn.end == TurnEnd::Scrap {
            return Ok(());
        }
        if turn.end == TurnEnd::Over || since_yield >= TURN {
            yield_now().await;
            since_yield = 0;
        }
        if turn.end == TurnEnd::Over {
            continue;
        }
        trim(&mut unread);
        unread.reserve(READ_SIZE);
        let read = loop {
            tokio::select! {
                // What has arrived is answered before the end.
                biased;
                read = stream.read_buf(&mut unread) => break read?,
                () = &mut ended => return Ok(()),
                () = &mut timer => {
                    if Instant::now() < deadline {
                        timer.as_mut().reset(deadline);
                    } else if unread.is_empty() {
                        return Ok(());
                    } else {
                        return Err(io::ErrorKind::TimedOut.into());
                    }
                }
            }
        };
        if read == 0 {
            let is_whole = unread.is_empty();
            return if is_whole { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) };
        }
    }
}

/// What came of a turn.
struct Turn {
    messages: usize,
    end: TurnEnd,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum TurnEnd {
    /// No whole message is left.
    Dry,
    /// There may be more, for another turn.
    Over,
    /// A message that is too short for a header: this is no DNS client.
    Scrap,
}

impl Shared {
    pub(super) fn new(
        responder: Rc<RefCell<Responder>>,
        transport: Transport,
        idle: Duration,
        stop: CancellationToken,
    ) -> Self {
        let scratch = RefCell::new(vec![0; MESSAGE_SIZE].into());
        Self { responder, transport, scratch, idle: Cell::new(idle), stop }
    }

    pub(super) fn path(&self) -> Path {
        // In units of 100 ms (RFC 7828 3.1).
        let keepalive = || u16::try_from(self.idle.get().as_millis() / 100).unwrap_or(u16::MAX);
        match self.transport {
            Transport::Tcp => Path::Tcp { keepalive: keepalive() },
            transport => {
                let keepalive = (transport == Transport::Tls).then(keepalive);
                Path::Encrypted { transport, keepalive }
            }
        }
    }

    pub(super) fn dropped(&self, why: DropReason) {
        self.responder.borrow().dropped(why);
    }

    /// Answers whole messages, which are taken from `unread`, until a turn is over.
    fn take_turn(&self, unread: &mut Vec<u8>, client: IpAddr, answers: &mut Vec<u8>) -> Turn {
        let mut turn = Turn { messages: 0, end: TurnEnd::Dry };
        let Some(first) = split_message(unread) else { return turn };
        let mut responder = self.responder.borrow_mut();
        let mut answering = responder.enter();
        let mut scratch = self.scratch.borrow_mut();
        let path = self.path();
        let (mut next, mut left) = (Some(first), unread.len());
        while let Some((message, rest)) = next {
            let length = answering.respond(message, client, path, &mut scratch);
            if let (Some(answer @ [_, ..]), Ok(prefix)) =
                (scratch.get(..length), u16::try_from(length))
            {
                answers.extend_from_slice(&prefix.to_be_bytes());
                answers.extend_from_slice(answer);
            }
            turn.messages += 1;
            left = rest.len();
            if message.len() < HEADER {
                turn.end = TurnEnd::Scrap;
                break;
            }
            if turn.messages >= TURN || answers.len() >= WRITE_AT {
                turn.end = TurnEnd::Over;
                break;
            }
            next = split_message(rest);
        }
        unread.drain(..unread.len() - left);
        turn
    }
}

/// The first whole message, without its length, and what comes after it.
fn split_message(unread: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = unread.split_first_chunk::<2>()?;
    rest.split_at_checked(u16::from_be_bytes(*length).into())
}

async fn write(
    stream: &mut (impl AsyncWrite + Unpin),
    answers: &mut Vec<u8>,
    idle: Duration,
) -> io::Result<()> {
    if !answers.is_empty() {
        let sent = async {
            stream.write_all(answers).await?;
            // TLS holds records back that the connection did not take at once.
            stream.flush().await
        };
        timeout(idle, sent).await.map_err(|_| io::ErrorKind::TimedOut)??;
        answers.clear();
        trim(answers);
    }
    Ok(())
}

/// A connection that once had a large message does not hold its memory while it is idle.
fn trim(buffer: &mut Vec<u8>) {
    if buffer.is_empty() && buffer.capacity() > WRITE_AT {
        *buffer = Vec::new();
    }
}

#[cfg(test)]
#[path = "tcp_tests.rs"]
mod tests;
