//! Waiting for packets by poll(2).

use std::io;
use std::net::UdpSocket;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::sync::Arc;

/// Tells which of a worker's sockets have packets.
pub(in crate::dns) struct Poller<'s> {
    sockets: &'s [Arc<UdpSocket>],
    /// First the bell, then the sockets in their order, all open for as long as they are borrowed.
    polled: Box<[libc::pollfd]>,
    _bell: BorrowedFd<'s>,
}

impl<'s> Poller<'s> {
    pub(in crate::dns) fn new(sockets: &'s [Arc<UdpSocket>], bell: BorrowedFd<'s>) -> Self {
        let poll = |fd: RawFd| libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
        let all = std::iter::once(bell.as_raw_fd()).chain(sockets.iter().map(|it| it.as_raw_fd()));
        Self { sockets, polled: all.map(poll).collect(), _bell: bell }
    }

    /// Waits until one of the sockets has a packet or an error, or the bell rings. Tells whether it did.
    ///
    /// # Errors
    /// What poll(2) says, but for interruptions.
    pub(in crate::dns) fn wait(&mut self) -> io::Result<bool> {
        // SAFETY: the array lives until the call is over, and its length is its own.
        let ready = unsafe { libc::poll(self.polled.as_mut_ptr(), self.polled.len() as _, -1) };
        if ready < 0 {
            let error = io::Error::last_os_error();
            self.polled.iter_mut().for_each(|it| it.revents = 0);
            return if error.kind() == io::ErrorKind::Interrupted { Ok(false) } else { Err(error) };
        }
        Ok(self.polled.first().is_some_and(|it| it.revents != 0))
    }

    /// The sockets that had something at the last wait.
    pub(in crate::dns) fn ready(&self) -> impl Iterator<Item = &'s Arc<UdpSocket>> {
        let polled = self.polled.iter().skip(1);
        self.sockets.iter().zip(polled).filter(|(_, it)| it.revents != 0).map(|(socket, _)| socket)
    }
}
