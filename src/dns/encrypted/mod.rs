//! DNS over TLS, HTTPS and QUIC: the same responder, behind handshakes. One thread with a runtime of its own, so that whatever
//! handshakes cost and clients do here, UDP and TCP don't wait for it.

mod http2;
mod https;
mod keys;
mod tls;

pub use keys::TlsKeys;

use std::cell::RefCell;
use std::io;
use std::net::{IpAddr, TcpListener};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use super::bind::{Service, Sockets};
use super::connections::Connections;
use super::responder::Responder;
use super::tcp::{self, ACCEPTED, Accepted, Listening, STOP_GRACE, Shared};
use crate::metrics::Transport;

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
    encryption: Encryption,
    idle: Duration,
}

impl Orders {
    pub(super) fn new(sockets: &Sockets, encryption: Encryption, idle: Duration) -> Self {
        let [tls, https] = [Service::Tls, Service::Https].map(|it| sockets.tcp(it));
        Self { tls, https, encryption, idle }
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
    let responder = Rc::new(RefCell::new(responder));
    let door = |transport| Door::new(&responder, transport, first.idle, &stop);
    let (mut tls, mut https) = (door(Transport::Tls), door(Transport::Https));
    let mut serving = Serving {
        places: Connections::new(connections),
        encryption: first.encryption.clone(),
        tasks: JoinSet::new(),
    };
    tls.obey(&first.tls, first.idle)?;
    https.obey(&first.https, first.idle)?;
    loop {
        let has_room = serving.places.has_room();
        tokio::select! {
            () = stop.cancelled() => break,
            Some(accepted) = tls.incoming.recv(), if has_room => serving.tls(&tls, accepted),
            Some(accepted) = https.incoming.recv(), if has_room => serving.https(&https, accepted),
            Some(ended) = serving.tasks.join_next() => if ended.is_err() { panicked() },
            Some(_) = tls.listening.tasks.join_next() => {}
            Some(_) = https.listening.tasks.join_next() => {}
            Ok(()) = orders.changed() => {
                let orders = orders.borrow_and_update().clone();
                serving.encryption = orders.encryption;
                tls.obey(&orders.tls, orders.idle)?;
                https.obey(&orders.https, orders.idle)?;
            }
        }
    }
    tls.listening.tasks.shutdown().await;
    https.listening.tasks.shutdown().await;
    let finish = async { while serving.tasks.join_next().await.is_some() {} };
    // Each connection ends by itself; one that does not read its answers is not waited for.
    let _ = timeout(STOP_GRACE, finish).await;
    Ok(())
}

/// Where connections of one kind come in.
struct Door {
    shared: Rc<Shared>,
    listening: Listening,
    accepted: mpsc::Sender<Accepted>,
    incoming: mpsc::Receiver<Accepted>,
}

impl Door {
    fn new(
        responder: &Rc<RefCell<Responder>>,
        transport: Transport,
        idle: Duration,
        stop: &CancellationToken,
    ) -> Self {
        let shared = Rc::new(Shared::new(responder.clone(), transport, idle, stop.clone()));
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
        let (path, config) = (self.encryption.https_path.clone(), keys.https.clone());
        let converse = http2::converse(door.shared.clone(), path, config, accepted, ticket);
        self.tasks.spawn_local(converse);
    }
}

/// Answers one message; none where there is nothing to say to it.
fn answer(shared: &Shared, message: &[u8], client: IpAddr) -> Option<Bytes> {
    let mut responder = shared.responder.borrow_mut();
    let mut scratch = shared.scratch.borrow_mut();
    let length = responder.enter().respond(message, client, shared.path(), &mut scratch);
    scratch.get(..length).filter(|it| !it.is_empty()).map(Bytes::copy_from_slice)
}
