//! Where a UDP worker is told at which sockets to answer, and when to stop. Nothing here makes it wait.

use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::net::UdpSocket;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::ArcSwap;

/// A worker's sockets; the same are shared by those who may change them.
pub(super) type UdpSockets = Vec<Arc<UdpSocket>>;

/// One worker's orders.
pub(super) struct Post {
    sockets: ArcSwap<UdpSockets>,
    stopping: AtomicBool,
    /// An octet is in the pipe for every order that was given and not yet heard of.
    heard: PipeReader,
    bell: PipeWriter,
}

impl Post {
    pub(super) fn new(sockets: UdpSockets) -> io::Result<Self> {
        let (heard, bell) = io::pipe()?;
        let sockets = ArcSwap::from_pointee(sockets);
        Ok(Self { sockets, stopping: AtomicBool::new(false), heard, bell })
    }

    /// Has the worker answer at these sockets from now on. What waits at the others is still answered.
    pub(super) fn answer_at(&self, sockets: UdpSockets) {
        self.sockets.store(Arc::new(sockets));
        self.ring();
    }

    /// Has the worker answer what has come in, and end.
    pub(super) fn stop(&self) {
        self.stopping.store(true, Ordering::SeqCst);
        self.ring();
    }

    fn ring(&self) {
        // A pipe takes thousands of octets, and its other end is open for as long as this is.
        let _ = (&self.bell).write_all(&[0]);
    }

    /// Has something to read when there is an order.
    pub(super) fn bell(&self) -> BorrowedFd<'_> {
        self.heard.as_fd()
    }

    /// Takes in the orders: at which sockets to answer now, or that it is over. Blocks unless the bell has rung.
    ///
    /// # Errors
    /// What read(2) says.
    pub(super) fn hear(&self) -> io::Result<Option<Arc<UdpSockets>>> {
        let read = (&self.heard).read(&mut [0; 64]);
        if let Err(error) = read
            && error.kind() != io::ErrorKind::Interrupted
        {
            return Err(error);
        }
        Ok((!self.stopping.load(Ordering::SeqCst)).then(|| self.sockets.load_full()))
    }

    /// The sockets to begin with.
    pub(super) fn sockets(&self) -> Arc<UdpSockets> {
        self.sockets.load_full()
    }
}
