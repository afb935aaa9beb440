//! DNS over TLS (RFC 7858): what is done over TCP, in TLS. And the handshake of DNS over HTTPS.

use std::cell::Cell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;

use crate::dns::connections::Ticket;
use crate::dns::tcp::{Accepted, Shared, exchange};
use crate::metrics::DropReason;

/// How long a client may take to shake hands.
pub(super) const HANDSHAKE_TIME: Duration = Duration::from_secs(5);
/// How long the end of a connection may take to be told.
pub(super) const FAREWELL_TIME: Duration = Duration::from_secs(1);

/// One client's connection, from the handshake to the last octet.
pub(super) async fn converse(
    shared: Rc<Shared>,
    config: Arc<ServerConfig>,
    (stream, client, end): Accepted,
    ticket: Ticket,
) {
    let Some(mut session) = shake_hands(&shared, config, stream, &end, &ticket).await else {
        return;
    };
    let unsent = Cell::new(false);
    let ended = tokio::select! {
        // Whoever has to make room does so at once, whether it sends, reads or neither.
        biased;
        () = ticket.evicted() => Err(DropReason::Evicted),
        ended = exchange(&shared, &mut session, client, &end, &ticket, &unsent) => {
            ended.map_err(|_| DropReason::BrokenStream)
        }
    };
    match ended {
        // A client that doesn't take even this is none to wait for.
        Ok(()) => drop(timeout(FAREWELL_TIME, session.shutdown()).await),
        Err(why) => shared.dropped(why),
    }
    if unsent.get() {
        session.forget_unsent();
    }
}

/// Shakes hands with a client. None if that fails, takes too long, or the connection has to end before, which is counted.
pub(super) async fn shake_hands(
    shared: &Shared,
    config: Arc<ServerConfig>,
    stream: TcpStream,
    end: &CancellationToken,
    ticket: &Ticket,
) -> Option<Session> {
    let shaken = tokio::select! {
        biased;
        () = ticket.evicted() => Err(DropReason::Evicted),
        () = end.cancelled() => return None,
        shaken = timeout(HANDSHAKE_TIME, TlsAcceptor::from(config).accept(stream)) => match shaken {
            Ok(Ok(stream)) => Ok(Session(stream)),
            Ok(Err(_)) | Err(_) => Err(DropReason::HandshakeFailed),
        }
    };
    shaken.map_err(|why| shared.dropped(why)).ok()
}

/// A connection in TLS. Messages say how long they are, so nothing is lost where a client hangs up without saying so in TLS, as
/// many do: that is an end like any other.
pub(super) struct Session(TlsStream<TcpStream>);

impl Session {
    /// Has answers that nobody reads not stay in the kernel's memory.
    pub(super) fn forget_unsent(&self) {
        let _ = self.0.get_ref().0.set_zero_linger();
    }

    /// The protocol that both have agreed on.
    pub(super) fn protocol(&self) -> Option<&[u8]> {
        self.0.get_ref().1.alpn_protocol()
    }
}

impl AsyncRead for Session {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Poll::Ready(match ready!(Pin::new(&mut self.0).poll_read(cx, buffer)) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(()),
            read => read,
        })
    }
}

impl AsyncWrite for Session {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, octets)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
