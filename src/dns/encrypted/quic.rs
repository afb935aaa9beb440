//! QUIC: where its connections come in, how they begin, and what they may hold. What is spoken on them is DNS itself (`doq`) or
//! HTTP/3.

use std::io;
use std::net::UdpSocket;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use quinn::{
    Connection, ConnectionError, Endpoint, EndpointConfig, Incoming, TokioRuntime, TransportConfig,
    VarInt,
};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::https::{QUERY_MOST, REQUESTS};
use super::tls::{FAREWELL_TIME, HANDSHAKE_TIME};
use crate::dns::connections::Ticket;
use crate::dns::tcp::{ACCEPTED, Shared};
use crate::metrics::DropReason;

/// Octets that a client may send on a connection before they are read.
const UNREAD: u32 = 256 * 1024;
/// Octets of answers on a connection that the client has not acknowledged.
const UNSENT: u64 = 256 * 1024;
/// Clients that have knocked and are not let in yet, and what is kept of each and of all.
const KNOCKING: usize = 1024;
const KNOCKING_OCTETS: u64 = 16 * 1024;
const ALL_KNOCKING_OCTETS: u64 = 4 * 1024 * 1024;

/// A connection that a client wants, and what tells it to end: the server stops, or listens there no more.
pub(super) type Knock = (Incoming, CancellationToken);

/// Where connections of one kind come in.
pub(super) struct QuicDoor {
    pub(super) shared: Rc<Shared>,
    open: Vec<Open>,
    pub(super) tasks: JoinSet<()>,
    knocks: mpsc::Sender<Knock>,
    pub(super) incoming: mpsc::Receiver<Knock>,
}

struct Open {
    socket: Arc<UdpSocket>,
    endpoint: Endpoint,
    end: CancellationToken,
}

impl QuicDoor {
    pub(super) fn new(shared: Rc<Shared>) -> Self {
        let (knocks, incoming) = mpsc::channel(ACCEPTED);
        Self { shared, open: Vec::new(), tasks: JoinSet::new(), knocks, incoming }
    }

    /// Opens and closes endpoints as ordered; those that stay shake hands with newcomers by this from now on. Without it, nobody is
    /// let in.
    ///
    /// # Errors
    /// When the operating system gives no descriptor.
    pub(super) fn obey(
        &mut self,
        sockets: &[Arc<UdpSocket>],
        config: Option<&quinn::ServerConfig>,
        idle: Duration,
    ) -> io::Result<()> {
        self.shared.idle.set(idle);
        self.open.retain(|it| {
            let stays = sockets.iter().any(|other| Arc::ptr_eq(other, &it.socket));
            if !stays {
                it.end.cancel();
                it.endpoint.set_server_config(None);
            }
            stays
        });
        for it in &self.open {
            it.endpoint.set_server_config(config.cloned());
        }
        for socket in sockets {
            if self.open.iter().any(|it| Arc::ptr_eq(&it.socket, socket)) {
                continue;
            }
            // A descriptor of its own: this one outlives the runtime, should the worker panic.
            let own = socket.try_clone()?;
            let endpoint = Endpoint::new(
                EndpointConfig::default(),
                config.cloned(),
                own,
                Arc::new(TokioRuntime),
            )?;
            let end = self.shared.stop.child_token();
            let accept = accept(endpoint.clone(), self.knocks.clone(), end.clone());
            self.tasks.spawn_local(accept);
            self.open.push(Open { socket: socket.clone(), endpoint, end });
        }
        Ok(())
    }

    /// Waits until clients have been told of the ends of their connections.
    pub(super) async fn close(mut self) {
        self.tasks.shutdown().await;
        // Who has knocked only is refused.
        drop(self.incoming);
        for it in &self.open {
            it.endpoint.wait_idle().await;
        }
    }
}

/// Hands on who knocks at one endpoint, as long as somebody lets them in, until `end` is cancelled.
async fn accept(endpoint: Endpoint, knocks: mpsc::Sender<Knock>, end: CancellationToken) {
    loop {
        let knock = tokio::select! {
            knock = endpoint.accept() => knock,
            () = end.cancelled() => return,
        };
        let Some(knock) = knock else { return };
        if knocks.send((knock, end.clone())).await.is_err() {
            return;
        }
    }
}

/// Shakes hands with a client. None if that fails, takes too long, or the connection has to end before, which is counted.
pub(super) async fn shake_hands(
    shared: &Shared,
    incoming: Incoming,
    end: &CancellationToken,
    ticket: &Ticket,
) -> Option<Connection> {
    let shaken = async { timeout(HANDSHAKE_TIME, incoming.accept().ok()?).await.ok()?.ok() };
    let shaken = tokio::select! {
        biased;
        () = ticket.evicted() => Err(DropReason::Evicted),
        () = end.cancelled() => return None,
        shaken = shaken => shaken.ok_or(DropReason::HandshakeFailed),
    };
    shaken.map_err(|why| shared.dropped(why)).ok()
}

/// How endpoints shake hands, and what connections may take: so many streams that only the client sends on, and so much time
/// without a sign of life.
pub(super) fn limited(
    mut config: quinn::ServerConfig,
    unidirectional: u32,
    idle: Duration,
) -> quinn::ServerConfig {
    let mut transport = TransportConfig::default();
    transport
        .max_concurrent_bidi_streams(VarInt::from_u32(REQUESTS))
        .max_concurrent_uni_streams(VarInt::from_u32(unidirectional))
        .stream_receive_window(VarInt::from_u32(QUERY_MOST as u32 + 1024))
        .receive_window(VarInt::from_u32(UNREAD))
        .send_window(UNSENT)
        .datagram_receive_buffer_size(None)
        // The connection's own loop looks at queries, and says so when it ends for want of them; this is for clients that are gone.
        .max_idle_timeout((idle + FAREWELL_TIME).try_into().ok());
    config.transport_config(Arc::new(transport));
    config.max_incoming(KNOCKING);
    config.incoming_buffer_size(KNOCKING_OCTETS);
    config.incoming_buffer_size_total(ALL_KNOCKING_OCTETS);
    config
}

/// What the end of a connection was; `is_quiet` says whether nothing was under way.
pub(super) fn outcome(error: &ConnectionError, is_quiet: bool) -> Result<(), DropReason> {
    match error {
        // Whoever closed it has counted why.
        ConnectionError::LocallyClosed => Ok(()),
        ConnectionError::ApplicationClosed(_)
        | ConnectionError::ConnectionClosed(_)
        | ConnectionError::TimedOut
        | ConnectionError::Reset
            if is_quiet =>
        {
            Ok(())
        }
        _ => Err(DropReason::BrokenStream),
    }
}
