//! Batches of UDP packets by recvmmsg(2) and sendmmsg(2), and the socket options that the standard library lacks.
//!
//! This is the crate's only unsafe code. Its invariants:
//! - Every pointer that is handed to the kernel is made from a borrow that outlives the call, immediately before it, and
//!   with the length of what it points to. None is kept.
//! - Memory that the kernel fills is plain octets or libc's plain-data structs, for which every bit pattern is valid.
//! - What the kernel says it filled is never trusted beyond the buffer's own length.
#![allow(unsafe_code, reason = "system calls; see the module's invariants")]

use std::io;
use std::mem::{size_of, zeroed};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6, UdpSocket};
use std::os::fd::AsRawFd;

/// The most packets that one system call takes.
pub(super) const BATCH: usize = 32;
/// The longest query that is read whole; longer ones are cut, and then malformed.
const QUERY_SIZE: usize = 4096;
/// The longest answer that may be configured.
const ANSWER_SIZE: usize = 4096;
/// Room for control messages: packet info of either family, and the length of segments.
const CONTROL_SIZE: usize = 64;
/// `IP_PMTUDISC_OMIT` and its IPv6 twin: send by the interface's MTU, and believe no ICMP message about smaller ones, which
/// anybody can forge (linux/in.h, linux/in6.h).
const PMTUDISC_OMIT: libc::c_int = 5;

/// After so many refusals that were about nothing but segments there are no more.
const MOST_REFUSALS: u8 = 8;
/// The longest answer that is sent as a segment: what no device has to break up (RFC 8200 5, less the headers).
const SEGMENT_SIZE: usize = 1232;

/// Packets that came together, and their answers.
pub(super) struct Batch {
    slots: Box<[Slot]>,
    received: usize,
    /// Whether answers of one length to one client leave together, as segments of one message (UDP_SEGMENT, udp(7)), so that
    /// the kernel goes through its layers once.
    segments: bool,
    /// How often such a message was refused, and its answers were not when each went by itself.
    refusals: u8,
}

struct Slot {
    packet: [u8; QUERY_SIZE],
    packet_length: usize,
    peer: libc::sockaddr_storage,
    peer_length: libc::socklen_t,
    control: Control,
    control_length: usize,
    asked_at: Option<IpAddr>,
    ends: Option<Ends>,
    answer: [u8; ANSWER_SIZE],
    answer_length: usize,
}

/// Between whom a packet went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ends {
    pub(super) client: SocketAddr,
    /// Our address, where the socket is bound to all of them.
    pub(super) asked_at: Option<IpAddr>,
}

/// A buffer for control messages, aligned as they must be.
#[repr(C, align(8))]
struct Control([u8; CONTROL_SIZE]);

impl Batch {
    /// Room for a batch; with `segments`, as far as they are not refused, answers leave together.
    pub(super) fn new(segments: bool) -> Self {
        let slot = || Slot {
            packet: [0; QUERY_SIZE],
            packet_length: 0,
            // SAFETY: an all-zero sockaddr_storage is a valid one.
            peer: unsafe { zeroed() },
            peer_length: 0,
            control: Control([0; CONTROL_SIZE]),
            control_length: 0,
            asked_at: None,
            ends: None,
            answer: [0; ANSWER_SIZE],
            answer_length: 0,
        };
        Self { slots: (0..BATCH).map(|_| slot()).collect(), received: 0, segments, refusals: 0 }
    }

    /// Takes the packets that are waiting, without waiting for more. Gives their number.
    ///
    /// # Errors
    /// What the operating system says; `WouldBlock` counts as no packet.
    pub(super) fn receive(&mut self, socket: &UdpSocket) -> io::Result<usize> {
        self.received = 0;
        // SAFETY: all-zero iovecs and mmsghdrs are valid.
        let (mut vectors, mut headers): ([libc::iovec; BATCH], [libc::mmsghdr; BATCH]) =
            unsafe { (zeroed(), zeroed()) };
        for ((slot, vector), header) in self.slots.iter_mut().zip(&mut vectors).zip(&mut headers) {
            vector.iov_base = slot.packet.as_mut_ptr().cast();
            vector.iov_len = slot.packet.len();
            header.msg_hdr.msg_name = (&raw mut slot.peer).cast();
            header.msg_hdr.msg_namelen = size_of::<libc::sockaddr_storage>() as libc::socklen_t;
            header.msg_hdr.msg_iov = vector;
            header.msg_hdr.msg_iovlen = 1;
            header.msg_hdr.msg_control = slot.control.0.as_mut_ptr().cast();
            header.msg_hdr.msg_controllen = CONTROL_SIZE as _;
        }
        // SAFETY: each header points into its own slot and vector, which live until the call is over.
        let received = unsafe {
            let flags = libc::MSG_DONTWAIT as _;
            libc::recvmmsg(
                socket.as_raw_fd(),
                headers.as_mut_ptr(),
                BATCH as _,
                flags,
                std::ptr::null_mut(),
            )
        };
        let received = match usize::try_from(received) {
            Ok(received) => received.min(BATCH),
            Err(_) => return none_if_would_block(),
        };
        for (slot, header) in self.slots.iter_mut().zip(&headers).take(received) {
            slot.packet_length = (header.msg_len as usize).min(QUERY_SIZE);
            slot.peer_length = header.msg_hdr.msg_namelen;
            (slot.control_length, slot.asked_at) =
                control_for_answer(&header.msg_hdr, &mut slot.control);
            slot.answer_length = 0;
        }
        self.received = received;
        Ok(received)
    }

    /// Lets each packet be answered: `respond` gets the packet, where it came from, and room for the answer, and gives the
    /// answer's length, 0 for silence.
    pub(super) fn answer(&mut self, mut respond: impl FnMut(&[u8], Ends, &mut [u8]) -> usize) {
        for slot in self.slots.iter_mut().take(self.received) {
            let packet = slot.packet.get(..slot.packet_length).unwrap_or_default();
            slot.ends = None;
            let Some(client) = address(&slot.peer) else { continue };
            let ends = *slot.ends.insert(Ends { client, asked_at: slot.asked_at });
            slot.answer_length = respond(packet, ends, &mut slot.answer).min(ANSWER_SIZE);
        }
    }

    /// Sends the answers, each from the address that its query was sent to, without waiting for a device that is stuck. Gives
    /// the number that could not be sent.
    pub(super) fn send(&mut self, socket: &UdpSocket) -> usize {
        // SAFETY: all-zero iovecs and mmsghdrs are valid.
        let (mut vectors, mut headers): ([libc::iovec; BATCH], [libc::mmsghdr; BATCH]) =
            unsafe { (zeroed(), zeroed()) };
        let (mut messages, mut free) = (0, &mut vectors[..]);
        let segments = self.segments;
        let mut answers = self.answered().peekable();
        while let (Some(first), Some(header)) = (answers.next(), headers.get_mut(messages)) {
            let length = first.answer_length;
            let mut count = 0;
            let mut add = |slot: &mut Slot| {
                if let Some(vector) = free.get_mut(count) {
                    vector.iov_base = slot.answer.as_mut_ptr().cast();
                    vector.iov_len = slot.answer_length;
                    count += 1;
                }
            };
            add(first);
            if segments && length <= SEGMENT_SIZE {
                while let Some(next) =
                    answers.next_if(|it| it.ends == first.ends && it.answer_length == length)
                {
                    add(next);
                }
            }
            let own;
            (own, free) = std::mem::take(&mut free).split_at_mut(count);
            header.msg_hdr.msg_name = (&raw mut first.peer).cast();
            header.msg_hdr.msg_namelen = first.peer_length;
            header.msg_hdr.msg_iov = own.as_mut_ptr();
            header.msg_hdr.msg_iovlen = own.len() as _;
            let mut control_length = first.control_length;
            if own.len() > 1 {
                control_length = first.control.push(
                    control_length,
                    libc::SOL_UDP,
                    libc::UDP_SEGMENT,
                    length as u16,
                );
            }
            if control_length > 0 {
                header.msg_hdr.msg_control = first.control.0.as_mut_ptr().cast();
                header.msg_hdr.msg_controllen = control_length as _;
            }
            messages += 1;
        }
        drop(answers);
        let (mut sent, mut failed) = (0, 0);
        while let Some(rest) = headers.get_mut(sent..messages).filter(|it| !it.is_empty()) {
            // SAFETY: each header points into its own slot and vectors, which live until the call is over.
            let done = unsafe {
                let flags = libc::MSG_DONTWAIT as _;
                libc::sendmmsg(socket.as_raw_fd(), rest.as_mut_ptr(), rest.len() as _, flags)
            };
            if let Ok(done @ 1..) = usize::try_from(done) {
                sent += done;
                continue;
            }
            let error = io::Error::last_os_error();
            let segments = rest.first().map_or(0, |it| it.msg_hdr.msg_iovlen);
            if segments > 1 && is_about_segments(&error) {
                let sent = headers.iter().take(sent).map(|it| it.msg_hdr.msg_iovlen).sum();
                return failed + self.send_one_by_one(socket, sent);
            }
            // The first of the rest can't be sent; the others may.
            if error.kind() != io::ErrorKind::Interrupted {
                failed += segments;
                sent += 1;
            }
        }
        self.received = 0;
        failed
    }

    /// Sends the answers after the first so many. That all of them go says that what was refused were the segments, be it for
    /// one client; but whoever can't be reached at all says nothing of segments.
    fn send_one_by_one(&mut self, socket: &UdpSocket, sent: usize) -> usize {
        self.answered().take(sent).for_each(|it| it.answer_length = 0);
        self.segments = false;
        let failed = self.send(socket);
        self.refusals += u8::from(failed == 0);
        self.segments = self.refusals < MOST_REFUSALS;
        if !self.segments {
            tracing::info!(
                event = "segments_refused",
                "answers to one client can't leave together here, and cost more"
            );
        }
        failed
    }

    fn answered(&mut self) -> impl Iterator<Item = &mut Slot> {
        self.slots.iter_mut().take(self.received).filter(|it| it.answer_length > 0)
    }
}

/// Whether the operating system knows segments; one that doesn't would take them for one message.
pub(super) fn knows_segments(socket: &UdpSocket) -> bool {
    set_option(socket, libc::SOL_UDP, libc::UDP_SEGMENT, 0).is_ok()
}

/// Whether a message could not be sent because it has segments (udp_send_skb in Linux's net/ipv4/udp.c).
fn is_about_segments(error: &io::Error) -> bool {
    let about = [libc::EINVAL, libc::EIO, libc::EMSGSIZE, libc::ENOPROTOOPT, libc::EOPNOTSUPP];
    error.raw_os_error().is_some_and(|it| about.contains(&it))
}

fn none_if_would_block() -> io::Result<usize> {
    let error = io::Error::last_os_error();
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => Ok(0),
        _ => Err(error),
    }
}

/// The client's address and port.
fn address(peer: &libc::sockaddr_storage) -> Option<SocketAddr> {
    let peer: *const libc::sockaddr_storage = peer;
    // SAFETY: a sockaddr_storage is large enough and aligned for the struct of every family, and the family tells which
    // struct the kernel wrote.
    unsafe {
        match libc::c_int::from((*peer).ss_family) {
            libc::AF_INET => {
                let it = &*peer.cast::<libc::sockaddr_in>();
                let octets = it.sin_addr.s_addr.to_ne_bytes();
                Some(SocketAddr::from((octets, u16::from_be(it.sin_port))))
            }
            libc::AF_INET6 => {
                let it = &*peer.cast::<libc::sockaddr_in6>();
                let (address, port) = (it.sin6_addr.s6_addr.into(), u16::from_be(it.sin6_port));
                Some(SocketAddrV6::new(address, port, it.sin6_flowinfo, it.sin6_scope_id).into())
            }
            _ => None,
        }
    }
}

/// Turns the packet info that came with a query into the one that sends its answer from the same address. Gives its length
/// and that address; 0 when there is none, because the socket is bound to one address.
fn control_for_answer(header: &libc::msghdr, control: &mut Control) -> (usize, Option<IpAddr>) {
    enum Info {
        V4(libc::in_pktinfo),
        V6(libc::in6_pktinfo),
    }
    // SAFETY: the kernel wrote `header`'s control messages into its buffer, and CMSG_FIRSTHDR gives one only if it is
    // whole; its level and type tell which struct its data is. The data need not be aligned, so it is read as such.
    let info = unsafe {
        let message = libc::CMSG_FIRSTHDR(header);
        if message.is_null() {
            return (0, None);
        }
        match ((*message).cmsg_level, (*message).cmsg_type) {
            (libc::IPPROTO_IP, libc::IP_PKTINFO) => {
                Info::V4(libc::CMSG_DATA(message).cast::<libc::in_pktinfo>().read_unaligned())
            }
            (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) => {
                Info::V6(libc::CMSG_DATA(message).cast::<libc::in6_pktinfo>().read_unaligned())
            }
            _ => return (0, None),
        }
    };
    match info {
        Info::V4(mut info) => {
            // The source is what counts; the route is the routing table's business.
            info.ipi_spec_dst = info.ipi_addr;
            info.ipi_ifindex = 0;
            let asked_at = Ipv4Addr::from(info.ipi_addr.s_addr.to_ne_bytes()).into();
            (control.push(0, libc::IPPROTO_IP, libc::IP_PKTINFO, info), Some(asked_at))
        }
        Info::V6(mut info) => {
            let asked_at = Ipv6Addr::from(info.ipi6_addr.s6_addr);
            let is_link_local = asked_at.is_unicast_link_local();
            info.ipi6_ifindex = if is_link_local { info.ipi6_ifindex } else { 0 };
            let length = control.push(0, libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, info);
            (length, Some(asked_at.into()))
        }
    }
}

impl Control {
    /// Writes one more message, behind those that take up so much. Gives what they take up then.
    fn push<T: Copy>(
        &mut self,
        used: usize,
        level: libc::c_int,
        kind: libc::c_int,
        data: T,
    ) -> usize {
        // SAFETY: CMSG_SPACE only computes.
        let space = unsafe { libc::CMSG_SPACE(size_of::<T>() as _) } as usize;
        let Some(room) = self.0.get_mut(used..used + space) else { return used };
        room.fill(0);
        // SAFETY: the room is zeroed and large enough for a header, the data and their padding. It is aligned for a cmsghdr,
        // since the buffer is, and what comes before it is whole messages with their padding. CMSG_FIRSTHDR gives a pointer
        // into it because its length says so.
        unsafe {
            let mut header: libc::msghdr = zeroed();
            header.msg_control = room.as_mut_ptr().cast();
            header.msg_controllen = space as _;
            let message = libc::CMSG_FIRSTHDR(&raw const header);
            (*message).cmsg_level = level;
            (*message).cmsg_type = kind;
            (*message).cmsg_len = libc::CMSG_LEN(size_of::<T>() as _) as _;
            libc::CMSG_DATA(message).cast::<T>().write_unaligned(data);
        }
        used + space
    }
}

/// Makes a UDP socket fit for answering: the address that a packet was sent to comes with it where the socket is bound to
/// all of them, and forged ICMP messages about the path's MTU are ignored.
///
/// # Errors
/// What setsockopt(2) says.
pub(super) fn prepare(socket: &UdpSocket) -> io::Result<()> {
    let address = socket.local_addr()?;
    let (level, info, discover) = match address.ip() {
        IpAddr::V4(_) => (libc::IPPROTO_IP, libc::IP_PKTINFO, libc::IP_MTU_DISCOVER),
        IpAddr::V6(_) => (libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO, libc::IPV6_MTU_DISCOVER),
    };
    if address.ip().is_unspecified() {
        set_option(socket, level, info, 1)?;
    }
    set_option(socket, level, discover, PMTUDISC_OMIT)
}

fn set_option(
    socket: &UdpSocket,
    level: libc::c_int,
    option: libc::c_int,
    value: libc::c_int,
) -> io::Result<()> {
    let length = size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: the value lives until the call is over, and its length is its own.
    let done = unsafe {
        libc::setsockopt(socket.as_raw_fd(), level, option, (&raw const value).cast(), length)
    };
    if done < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

#[cfg(test)]
mod tests;
