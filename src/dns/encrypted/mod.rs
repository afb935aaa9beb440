//! DNS over TLS, HTTPS and QUIC: the same responder, behind handshakes. One thread with a runtime of its own, so that whatever
//! handshakes cost and clients do here, UDP and TCP don't wait for it.

mod bounded;
mod doq;
mod http2;
mod http3;
mod https;
mod keys;
mod quic;
mod tls;

use https::Site;
pub use keys::TlsKeys;
use quic::{Knock, QuicDoor, limited};

use std::cell::RefCell;
use std::io;
use std::net::{IpAddr, TcpListener, UdpSocket};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use super::bind::{Service, Sockets};
use super::connections::{Connections, Ticket};
use super::responder::Responder;
use super::tcp::{self, ACCEPTED, Accepted, Listening, STOP_GRACE, Shared};
use crate::metrics::Transport;

/// How long the ends of QUIC connections are on their way when the server stops.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// How queries are taken over TLS, HTTPS and QUIC, beside where.
#[derive(Clone, Debug)]
pub struct Encryption {
    /// What clients are shown; without, nobody gets further than to connect.
    pub keys: Option<TlsKeys>,
    /// The path of queries over HTTPS.
    pub https_path: Arc<str>,
}

/// Where to accept connections, what to show clients, and how long they may be silent.
#[derive(Clone, Debug)]
pub(super) struct Orders {
    tls: Vec<Arc<TcpListener>>,
    https: Vec<Arc<TcpListener>>,
    http3: Vec<Arc<UdpSocket>>,
    doq: Vec<Arc<UdpSocket>>,
    encryption: Encryption,
    idle: Duration,
}

impl Orders {
    pub(super) fn new(sockets: &Sockets, encryption: Encryption, idle: Duration) -> Self {
        let [tls, https] = [Service::Tls, Service::Https].map(|it| sockets.tcp(it));
        let [http3, doq] = [Service::Https, Service::Quic].map(|it| sockets.quic(it));
        Self { tls, https, http3, doq, encryption, idle }
    }
}

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
    let first = orders.borrow_and_update().clone();
    let mut doors = Doors::new(responder, first.idle, &stop);
    let mut serving = Serving {
        places: Connections::new(connections),
        encryption: first.encryption.clone(),
        tasks: JoinSet::new(),
    };
    doors.obey(&first)?;
    loop {
        let has_room = serving.places.has_room();
        tokio::select! {
            () = stop.cancelled() => break,
            Some(accepted) = doors.tls.incoming.recv(), if has_room => serving.tls(&doors.tls, accepted),
            Some(accepted) = doors.https.incoming.recv(), if has_room => serving.https(&doors.https, accepted),
            Some(knock) = doors.http3.incoming.recv(), if has_room => serving.http3(&doors.http3, knock),
            Some(knock) = doors.doq.incoming.recv(), if has_room => serving.doq(&doors.doq, knock),
            Some(ended) = serving.tasks.join_next() => if ended.is_err() { panicked() },
            Some(_) = doors.tls.listening.tasks.join_next() => {}
            Some(_) = doors.https.listening.tasks.join_next() => {}
            Some(_) = doors.http3.tasks.join_next() => {}
            Some(_) = doors.doq.tasks.join_next() => {}
            Ok(()) = orders.changed() => {
                let orders = orders.borrow_and_update().clone();
                doors.obey(&orders)?;
                serving.encryption = orders.encryption;
            }
        }
    }
    let finish = async { while serving.tasks.join_next().await.is_some() {} };
    // Each connection ends by itself; one that does not read its answers is not waited for.
    let _ = timeout(STOP_GRACE, finish).await;
    let _ = timeout(LAST_WORDS, doors.close()).await;
    Ok(())
}

/// Where connections of all kinds come in.
struct Doors {
    tls: Door,
    https: Door,
    http3: QuicDoor,
    doq: QuicDoor,
}

impl Doors {
    fn new(responder: Responder, idle: Duration, stop: &CancellationToken) -> Self {
        let responder = Rc::new(RefCell::new(responder));
        let shared =
            |transport| Rc::new(Shared::new(responder.clone(), transport, idle, stop.clone()));
        Self {
            tls: Door::new(shared(Transport::Tls)),
            https: Door::new(shared(Transport::Https)),
            http3: QuicDoor::new(shared(Transport::Https)),
            doq: QuicDoor::new(shared(Transport::Quic)),
        }
    }

    fn obey(&mut self, orders: &Orders) -> io::Result<()> {
        let (idle, keys) = (orders.idle, orders.encryption.keys.as_ref());
        self.tls.obey(&orders.tls, idle)?;
        self.https.obey(&orders.https, idle)?;
        let http3 = keys.map(|it| limited(it.http3.clone(), http3::UNIDIRECTIONAL, idle));
        self.http3.obey(&orders.http3, http3.as_ref(), idle)?;
        let doq = keys.map(|it| limited(it.doq.clone(), doq::UNIDIRECTIONAL, idle));
        self.doq.obey(&orders.doq, doq.as_ref(), idle)
    }

    /// Closes what is still open.
    async fn close(mut self) {
        self.tls.listening.tasks.shutdown().await;
        self.https.listening.tasks.shutdown().await;
        self.http3.close().await;
        self.doq.close().await;
    }
}

/// Where connections of one kind come in over TCP.
struct Door {
    shared: Rc<Shared>,
    listening: Listening,
    accepted: mpsc::Sender<Accepted>,
    incoming: mpsc::Receiver<Accepted>,
}

impl Door {
    fn new(shared: Rc<Shared>) -> Self {
        let (accepted, incoming) = mpsc::channel(ACCEPTED);
        Self { listening: Listening::new(shared.clone()), shared, accepted, incoming }
    }

    fn obey(&mut self, listeners: &[Arc<TcpListener>], idle: Duration) -> io::Result<()> {
        let orders = tcp::Orders { listeners: listeners.to_vec(), idle };
        self.listening.obey(orders, &self.accepted)
    }
}

/// The connections of all kinds, which share their places.
struct Serving {
    places: Connections,
    encryption: Encryption,
    tasks: JoinSet<()>,
}

impl Serving {
    fn tls(&mut self, door: &Door, accepted: Accepted) {
        let Some(keys) = &self.encryption.keys else { return };
        let ticket = self.places.admit(accepted.1, Instant::now());
        let config = keys.tls.clone();
        self.tasks.spawn_local(tls::converse(door.shared.clone(), config, accepted, ticket));
    }

    fn https(&mut self, door: &Door, accepted: Accepted) {
        let Some(keys) = &self.encryption.keys else { return };
        let ticket = self.places.admit(accepted.1, Instant::now());
        let (site, config) = (self.site(&door.shared), keys.https.clone());
        self.tasks.spawn_local(http2::converse(site, config, accepted, ticket));
    }

    fn http3(&mut self, door: &QuicDoor, knock: Knock) {
        if let Some((knock, ticket)) = self.let_in(knock) {
            let site = self.site(&door.shared);
            self.tasks.spawn_local(http3::converse(site, knock, ticket));
        }
    }

    fn site(&self, shared: &Rc<Shared>) -> Rc<Site> {
        Rc::new(Site { shared: shared.clone(), path: self.encryption.https_path.clone() })
    }

    fn doq(&mut self, door: &QuicDoor, knock: Knock) {
        if let Some((knock, ticket)) = self.let_in(knock) {
            self.tasks.spawn_local(doq::converse(door.shared.clone(), knock, ticket));
        }
    }

    /// Gives a QUIC client its place. Where they are scarce, it first has to show that it is where it claims to be (RFC 9000 8.1.2).
    fn let_in(&mut self, (incoming, end): Knock) -> Option<(Knock, Ticket)> {
        let client = incoming.remote_address().ip();
        if self.places.is_crowded(client) && incoming.may_retry() {
            // It comes again, with a token.
            let _ = incoming.retry();
            return None;
        }
        let ticket = self.places.admit(client, Instant::now());
        Some(((incoming, end), ticket))
    }
}

/// Has a panic of one request end its connection, where it is counted. Gives what the request told; none where it was given up.
fn hand_on<T>(ended: Result<T, JoinError>) -> Option<T> {
    ended.map_err(|error| error.try_into_panic().map(|it| std::panic::resume_unwind(it))).ok()
}

/// Answers one message; none where there is nothing to say to it.
fn answer(shared: &Shared, message: &[u8], client: IpAddr) -> Option<Bytes> {
    let mut responder = shared.responder.borrow_mut();
    let mut scratch = shared.scratch.borrow_mut();
    let length = responder.enter().respond(message, client, shared.path(), &mut scratch);
    scratch.get(..length).filter(|it| !it.is_empty()).map(Bytes::copy_from_slice)
}
