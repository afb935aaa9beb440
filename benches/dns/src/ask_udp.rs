//! Asks over UDP.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::UdpGsoSegment;

use crate::Asking;
use crate::packets::{BATCH, Packets};
use crate::queries::Queries;

/// After so long without an answer at a socket, what is under way there is lost.
const PATIENCE: Duration = Duration::from_millis(200);
/// How often the clock is looked at: each so many rounds.
const ROUNDS: usize = 64;

struct Client {
    socket: UdpSocket,
    in_flight: usize,
    /// When the last answer came.
    heard: Instant,
}

pub(crate) fn connect(server: SocketAddr) -> Result<UdpSocket> {
    let any: SocketAddr = match server {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = UdpSocket::bind(any).context("no socket to ask from")?;
    socket.connect(server).with_context(|| format!("can't ask {server}"))?;
    Ok(socket)
}

/// Whether it is an answer without an error of ours.
fn is_answer(packet: &[u8]) -> bool {
    matches!(packet, [_, _, flags, rcode, ..] if flags & 0x80 != 0 && matches!(rcode & 0x0f, 0 | 3))
}

/// Asks as fast as answers come. Prints how many came, in how many seconds, and how many questions were lost.
///
/// # Errors
/// What the sockets say.
pub(crate) fn flood(asking: &Asking, queries: &Queries) -> Result<()> {
    let started = Instant::now();
    let end = started + asking.duration()?;
    let length = queries.length().context("the questions are not all of one length")?;
    let client =
        || Ok(Client { socket: connect(asking.server)?, in_flight: 0, heard: Instant::now() });
    let mut clients = (0..asking.clients).map(|_| client()).collect::<Result<Vec<_>>>()?;
    for client in &clients {
        // Whoever asks must cost less than whoever answers: the kernel cuts the questions of one call apart.
        setsockopt(&client.socket, UdpGsoSegment, &length)?;
    }
    let (mut packets, mut questions) = (Packets::new(true), Vec::<u8>::new());
    let (mut answers, mut others, mut lost, mut number) = (0_u64, 0_u64, 0, 0);
    'asking: loop {
        for _ in 0..ROUNDS {
            for client in &mut clients {
                let received = receive(&mut packets, &client.socket)?;
                let good = (0..received).filter(|it| is_answer(packets.get(*it))).count();
                answers += good as u64;
                others += (received - good) as u64;
                client.in_flight = client.in_flight.saturating_sub(received);
                // A batch at a time, so that there is more than one packet in a call.
                let free = (asking.in_flight - client.in_flight).min(BATCH);
                if free < asking.in_flight.min(BATCH).div_ceil(2) {
                    continue;
                }
                questions.clear();
                for _ in 0..free {
                    let start = questions.len();
                    questions.extend_from_slice(queries.plain(number));
                    if let Some(id) = questions.get_mut(start..start + 2) {
                        id.copy_from_slice(&(number as u16).to_be_bytes());
                    }
                    number += 1;
                }
                if client.socket.send(&questions).or_else(nothing_if_refused)? > 0 {
                    client.in_flight += free;
                }
                if received > 0 {
                    client.heard = Instant::now();
                }
            }
        }
        let now = Instant::now();
        for client in clients.iter_mut().filter(|it| now - it.heard > PATIENCE) {
            lost += std::mem::take(&mut client.in_flight);
            client.heard = now;
        }
        if now >= end {
            break 'asking;
        }
    }
    let seconds = started.elapsed().as_secs_f64();
    println!("answers={answers} errors={others} lost={lost} seconds={seconds:.6}");
    Ok(())
}

/// Asks at an even rate. Prints the median, the 99th and the 99.9th percentile of the microseconds that answers took.
///
/// # Errors
/// What the sockets say.
pub(crate) fn pace(asking: &Asking, queries: &Queries, rate: u32) -> Result<()> {
    let socket = connect(asking.server)?;
    let mut packets = Packets::new(true);
    let gap = Duration::from_secs(1) / rate.max(1);
    let started = Instant::now();
    let end = started + asking.duration()?;
    let mut asked = vec![started; usize::from(u16::MAX) + 1];
    let (mut took, mut number, mut next) = (Vec::new(), 0_usize, started);
    while next < end {
        let mut now = Instant::now();
        if now >= next {
            packets.put(0, |room, _| queries.write(number, number as u16, room));
            now = Instant::now();
            if let Some(asked) = asked.get_mut(number & 0xffff) {
                *asked = now;
            }
            packets.send(&socket, 1).or_else(nothing_if_refused)?;
            number += 1;
            next += gap;
        }
        let received = receive(&mut packets, &socket)?;
        let now = Instant::now();
        for at in 0..received {
            if let [high, low, ..] = *packets.get(at) {
                let id = usize::from(u16::from_be_bytes([high, low]));
                took.extend(asked.get(id).map(|it| (now - *it).as_secs_f64() * 1e6));
            }
        }
    }
    took.sort_by(f64::total_cmp);
    let part = |it: f64| took.get((took.len() as f64 * it) as usize).copied().unwrap_or_default();
    let [half, most, nearly_all] = [0.5, 0.99, 0.999].map(part);
    println!("answers={} median={half:.2} p99={most:.2} p999={nearly_all:.2}", took.len());
    Ok(())
}

pub(crate) fn receive(packets: &mut Packets, socket: &UdpSocket) -> io::Result<usize> {
    packets.receive(socket, false).or_else(nothing_if_refused)
}

/// A server that does not listen yet, or is over its buffers, is no reason to end.
pub(crate) fn nothing_if_refused(error: io::Error) -> io::Result<usize> {
    match error.kind() {
        io::ErrorKind::ConnectionRefused | io::ErrorKind::WouldBlock => Ok(0),
        _ => Err(error),
    }
}
