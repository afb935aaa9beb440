use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// What any honest endpoint gets by with before its answer's body: certificates, headers, interim answers.
const MOST_BEFORE_BODY: usize = 256 * 1024;
/// An octet of a body in a chunk, a frame or a TLS record of its own takes no more.
const MOST_PER_BODY_OCTET: usize = 32;

/// A probe's connection. It ends when the endpoint says more than any answer takes, so that one that talks without end
/// (interim answers, frames without content) takes neither memory nor our time.
#[derive(Debug)]
pub(super) struct Wire {
    stream: TcpStream,
    left: usize,
}

/// The endpoint has said more than any answer takes.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("sends more than any answer takes")]
pub(super) struct TooMuch;

impl Wire {
    /// For an answer of whose body so many octets are looked at.
    pub(super) fn new(stream: TcpStream, body: usize) -> Self {
        Self { stream, left: MOST_BEFORE_BODY + body * MOST_PER_BODY_OCTET }
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        let read = buffer.filled().len().saturating_sub(before);
        self.left = self.left.checked_sub(read).ok_or_else(|| io::Error::other(TooMuch))?;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, octets)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
