//! QUIC streams for HTTP/3, each with a bound on what may come in on it. The `h3` crate gathers a frame until it is whole, however long
//! it says that it is, keeps the parts as they come, each with the datagram that it is of, and adds their lengths up for each that
//! comes: without bounds on octets and parts, one client could fill the memory and take up the processor.

use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use h3::quic::{
    Connection, ConnectionErrorIncoming, OpenStreams, RecvStream, SendStream, StreamErrorIncoming,
    StreamId, WriteBuf,
};

/// H3_EXCESSIVE_LOAD (RFC 9114 8.1).
const EXCESSIVE_LOAD: u64 = 0x107;

/// Parts of a request: more than it takes in full packets, with a frame or a few for each.
const REQUEST_PARTS: usize = 256;
/// Parts of any other stream, on which a client may say what it prefers with each request (RFC 9218 7.1).
const OTHER_PARTS: usize = 4096;

/// A connection or a stream, or what opens streams, where each stream may bring so many octets, in so many parts.
pub(super) struct Bounded<T> {
    inner: T,
    left: usize,
    parts_left: usize,
    /// The stream's number, once it was read from. While a read waits, `h3-quinn` doesn't have the stream, and panics when asked
    /// for anything of it.
    id: Option<StreamId>,
    is_waiting: bool,
}

impl<T> Bounded<T> {
    pub(super) fn new(inner: T, most: usize) -> Self {
        Self { inner, left: most, parts_left: OTHER_PARTS, id: None, is_waiting: false }
    }
}

/// Has what comes of one be bounded like it.
fn bounded<T, E>(made: Poll<Result<T, E>>, most: usize) -> Poll<Result<Bounded<T>, E>> {
    made.map_ok(|it| Bounded::new(it, most))
}

impl<T: Connection<Bytes>> Connection<Bytes> for Bounded<T> {
    type RecvStream = Bounded<T::RecvStream>;
    type OpenStreams = Bounded<T::OpenStreams>;

    fn poll_accept_recv(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Self::RecvStream, ConnectionErrorIncoming>> {
        bounded(self.inner.poll_accept_recv(cx), self.left)
    }

    fn poll_accept_bidi(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Self::BidiStream, ConnectionErrorIncoming>> {
        let request = bounded(self.inner.poll_accept_bidi(cx), self.left);
        request.map_ok(|it| Bounded { parts_left: REQUEST_PARTS, ..it })
    }

    fn opener(&self) -> Self::OpenStreams {
        Bounded::new(self.inner.opener(), self.left)
    }
}

impl<T: OpenStreams<Bytes>> OpenStreams<Bytes> for Bounded<T> {
    type BidiStream = Bounded<T::BidiStream>;
    type SendStream = T::SendStream;

    fn poll_open_bidi(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Self::BidiStream, StreamErrorIncoming>> {
        bounded(self.inner.poll_open_bidi(cx), self.left)
    }

    fn poll_open_send(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Self::SendStream, StreamErrorIncoming>> {
        self.inner.poll_open_send(cx)
    }

    fn close(&mut self, code: h3::error::Code, reason: &[u8]) {
        self.inner.close(code, reason);
    }
}

impl<T: RecvStream> RecvStream for Bounded<T> {
    type Buf = T::Buf;

    fn poll_data(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Self::Buf>, StreamErrorIncoming>> {
        if !self.is_waiting {
            self.id = Some(self.inner.recv_id());
        }
        let read = self.inner.poll_data(cx);
        self.is_waiting = read.is_pending();
        let read = ready!(read)?;
        let length = read.as_ref().map_or(0, Buf::remaining);
        let left = self.left.checked_sub(length).zip(self.parts_left.checked_sub(1));
        Poll::Ready(match left {
            Some(left) => {
                (self.left, self.parts_left) = left;
                Ok(read)
            }
            None => {
                self.inner.stop_sending(EXCESSIVE_LOAD);
                Err(StreamErrorIncoming::StreamTerminated { error_code: EXCESSIVE_LOAD })
            }
        })
    }

    fn stop_sending(&mut self, error_code: u64) {
        // A stream that is dropped is stopped too.
        if !self.is_waiting {
            self.inner.stop_sending(error_code);
        }
    }

    fn recv_id(&self) -> StreamId {
        self.id.filter(|_| self.is_waiting).unwrap_or_else(|| self.inner.recv_id())
    }
}

impl<T: SendStream<Bytes>> SendStream<Bytes> for Bounded<T> {
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), StreamErrorIncoming>> {
        self.inner.poll_ready(cx)
    }

    fn send_data<D: Into<WriteBuf<Bytes>>>(&mut self, data: D) -> Result<(), StreamErrorIncoming> {
        self.inner.send_data(data)
    }

    fn poll_finish(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), StreamErrorIncoming>> {
        self.inner.poll_finish(cx)
    }

    fn reset(&mut self, reset_code: u64) {
        self.inner.reset(reset_code);
    }

    fn send_id(&self) -> StreamId {
        self.inner.send_id()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::task::Waker;

    /// A stream that brings one octet at a time, without end.
    struct Dripping;

    impl RecvStream for Dripping {
        type Buf = Bytes;

        fn poll_data(
            &mut self,
            _: &mut Context<'_>,
        ) -> Poll<Result<Option<Bytes>, StreamErrorIncoming>> {
            Poll::Ready(Ok(Some(Bytes::from_static(b"x"))))
        }

        fn stop_sending(&mut self, error_code: u64) {
            assert_eq!(error_code, EXCESSIVE_LOAD);
        }

        fn recv_id(&self) -> StreamId {
            StreamId::try_from(0).unwrap()
        }
    }

    #[test]
    fn a_stream_brings_so_many_octets_in_so_many_parts() {
        for (most, parts, expected) in [(10, 100, 10), (100, 10, 10), (0, 10, 0), (10, 0, 0)] {
            let mut stream = Bounded { parts_left: parts, ..Bounded::new(Dripping, most) };
            let mut context = Context::from_waker(Waker::noop());
            let mut read = || matches!(stream.poll_data(&mut context), Poll::Ready(Ok(Some(_))));
            assert_eq!((0..1000).take_while(|_| read()).count(), expected);
        }
    }
}
