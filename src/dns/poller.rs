//! Waiting for packets by poll(2).

use std::io;
use std::net::UdpSocket;
use std::os::fd::BorrowedFd;
use std::sync::Arc;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;

/// Tells which of a worker's sockets have packets.
pub(super) struct Poller<'s> {
    sockets: &'s [Arc<UdpSocket>],
    /// First the bell, then the sockets in their order.
    polled: Box<[PollFd<'s>]>,
}

impl<'s> Poller<'s> {
    pub(super) fn new(sockets: &'s [Arc<UdpSocket>], bell: BorrowedFd<'s>) -> Self {
        let bell = PollFd::from_borrowed_fd(bell, PollFlags::IN);
        let all =
            std::iter::once(bell).chain(sockets.iter().map(|it| PollFd::new(&**it, PollFlags::IN)));
        Self { sockets, polled: all.collect() }
    }

    /// Waits until one of the sockets has a packet or an error, or the bell rings. Tells whether it did.
    ///
    /// # Errors
    /// What poll(2) says, but for interruptions.
    pub(super) fn wait(&mut self) -> io::Result<bool> {
        if let Err(error) = poll(&mut self.polled, None) {
            self.polled.iter_mut().for_each(PollFd::clear_revents);
            return if error == Errno::INTR { Ok(false) } else { Err(error.into()) };
        }
        Ok(self.polled.first().is_some_and(|it| !it.revents().is_empty()))
    }

    /// The sockets that had something at the last wait.
    pub(super) fn ready(&self) -> impl Iterator<Item = &'s Arc<UdpSocket>> {
        let ready = |it: &(&Arc<UdpSocket>, &PollFd<'_>)| !it.1.revents().is_empty();
        self.sockets.iter().zip(self.polled.iter().skip(1)).filter(ready).map(|it| it.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;

    #[test]
    fn closing_the_pipe_ends_the_wait() {
        let (stop, writer) = io::pipe().unwrap();
        drop(writer);
        let idle = [Arc::new(UdpSocket::bind("127.0.0.1:0").unwrap())];
        let mut poller = Poller::new(&idle, stop.as_fd());
        assert!(poller.wait().unwrap());
        assert_eq!(poller.ready().count(), 0);
    }
}
