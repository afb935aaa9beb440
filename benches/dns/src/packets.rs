//! Batches of UDP packets by recvmmsg(2) and sendmmsg(2), with headers that are set up once: what a program that only moves
//! packets can do at best.
//!
//! The only unsafe code here. Its invariants:
//! - The headers point into boxed slices that live as long as the headers, and never grow or move.
//! - The kernel fills plain octets and libc's plain-data structs, for which every bit pattern is valid.
//! - What it says it filled is not trusted beyond a buffer's own length.
#![allow(unsafe_code, reason = "system calls; see the module's invariants")]

use std::io;
use std::mem::{size_of, zeroed};
use std::net::UdpSocket;
use std::os::fd::AsRawFd;

use crate::queries::LONGEST;

/// The most packets that one call takes.
pub(crate) const BATCH: usize = 32;
/// Room for a packet: a question, or an answer.
const SIZE: usize = 2048;
const PEER: libc::socklen_t = size_of::<libc::sockaddr_storage>() as _;

/// Packets that came, or go, together.
pub(crate) struct Packets {
    buffers: Box<[[u8; SIZE]]>,
    /// Where each came from.
    peers: Box<[libc::sockaddr_storage]>,
    vectors: Box<[libc::iovec]>,
    headers: Box<[libc::mmsghdr]>,
}

impl Packets {
    /// Room for [`BATCH`] packets. Those of connected sockets have no peers.
    pub(crate) fn new(connected: bool) -> Self {
        // SAFETY: all of these may be all-zero.
        let (peer, vector, header): (libc::sockaddr_storage, libc::iovec, libc::mmsghdr) =
            unsafe { (zeroed(), zeroed(), zeroed()) };
        let mut all = Self {
            buffers: vec![[0; SIZE]; BATCH].into(),
            peers: vec![peer; BATCH].into(),
            vectors: vec![vector; BATCH].into(),
            headers: vec![header; BATCH].into(),
        };
        let parts = all.buffers.iter_mut().zip(&mut all.peers).zip(&mut all.vectors);
        for (((buffer, peer), vector), header) in parts.zip(&mut all.headers) {
            vector.iov_base = buffer.as_mut_ptr().cast();
            vector.iov_len = SIZE;
            header.msg_hdr.msg_iov = vector;
            header.msg_hdr.msg_iovlen = 1;
            if !connected {
                header.msg_hdr.msg_name = (&raw mut *peer).cast();
                header.msg_hdr.msg_namelen = PEER;
            }
        }
        all
    }

    /// Takes what waits; with `wait`, blocks until there is something. Gives the number of packets.
    ///
    /// # Errors
    /// What the operating system says; that nothing waits is none.
    pub(crate) fn receive(&mut self, socket: &UdpSocket, wait: bool) -> io::Result<usize> {
        let flags = if wait { libc::MSG_WAITFORONE } else { libc::MSG_DONTWAIT };
        // SAFETY: the headers are set up for the boxes of this struct, and as many as said.
        let received = unsafe {
            libc::recvmmsg(
                socket.as_raw_fd(),
                self.headers.as_mut_ptr(),
                self.headers.len() as _,
                flags as _,
                std::ptr::null_mut(),
            )
        };
        match usize::try_from(received) {
            Ok(received) => Ok(received.min(BATCH)),
            Err(_) => match io::Error::last_os_error() {
                it if it.kind() == io::ErrorKind::WouldBlock => Ok(0),
                it => Err(it),
            },
        }
    }

    /// A packet that was received.
    pub(crate) fn get(&self, at: usize) -> &[u8] {
        let length = self.headers.get(at).map_or(0, |it| it.msg_len as usize);
        self.buffers.get(at).and_then(|it| it.get(..length)).unwrap_or_default()
    }

    /// Changes a packet: `write` gets its room, with what was received in it, and the length of that, and gives the new length.
    pub(crate) fn put(&mut self, at: usize, write: impl FnOnce(&mut [u8], usize) -> usize) {
        let (Some(buffer), Some(vector), Some(header)) =
            (self.buffers.get_mut(at), self.vectors.get_mut(at), self.headers.get(at))
        else {
            return;
        };
        vector.iov_len = write(buffer, (header.msg_len as usize).min(LONGEST)).min(SIZE);
    }

    /// Sends the first so many packets, and makes room for receiving again. Gives how many were sent.
    ///
    /// # Errors
    /// What the operating system says.
    pub(crate) fn send(&mut self, socket: &UdpSocket, count: usize) -> io::Result<usize> {
        let headers = self.headers.get_mut(..count).unwrap_or_default();
        // SAFETY: the headers are set up for the boxes of this struct, and as many as said.
        let sent = unsafe {
            libc::sendmmsg(socket.as_raw_fd(), headers.as_mut_ptr(), headers.len() as _, 0)
        };
        for (vector, header) in self.vectors.iter_mut().zip(&mut self.headers).take(count) {
            vector.iov_len = SIZE;
            if !header.msg_hdr.msg_name.is_null() {
                header.msg_hdr.msg_namelen = PEER;
            }
        }
        usize::try_from(sent).map_err(|_| io::Error::last_os_error())
    }
}
