//! The machine's limit: answers without a look at the question. Each gets itself back with one address record, so that as
//! many octets move as with a server that thinks.

use std::collections::HashMap;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsRawFd, RawFd};
use std::thread;

use anyhow::{Context, Result};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

use crate::packets::Packets;

/// 192.0.2.1 for the name of the question, for half a minute.
const RECORD: [u8; 16] = [0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 30, 0, 4, 192, 0, 2, 1];
/// QR and AA.
const FLAGS: u8 = 0x84;
const HEADER: usize = 12;

/// Answers until it is killed.
///
/// # Errors
/// What the sockets say.
pub(crate) fn serve(listen: SocketAddr) -> Result<()> {
    let udp = UdpSocket::bind(listen).with_context(|| format!("can't listen at {listen}"))?;
    let tcp = TcpListener::bind(udp.local_addr()?)?;
    println!("{}", udp.local_addr()?);
    // A thread that waits costs the other one nothing.
    thread::spawn(move || serve_tcp(&tcp));
    let mut packets = Packets::new(false);
    loop {
        let received = packets.receive(&udp, true)?;
        for at in 0..received {
            packets.put(at, answer);
        }
        packets.send(&udp, received)?;
    }
}

/// Makes a question of this length an answer. Gives its length.
fn answer(message: &mut [u8], length: usize) -> usize {
    // Behind the question there may be an OPT record, in whose place the answer's record is written.
    let mut end = HEADER;
    while let Some(label) = message.get(end).copied().filter(|it| *it > 0) {
        end += 1 + usize::from(label);
    }
    end += 5;
    let (Some(room), true) = (message.get_mut(end..end + RECORD.len()), end <= length) else {
        return 0;
    };
    room.copy_from_slice(&RECORD);
    if let Some([_, _, flags, _, _, _, _, answers, _, _, _, additional]) = message.get_mut(..HEADER)
    {
        (*flags, *answers, *additional) = (*flags | FLAGS, 1, 0);
    }
    end + RECORD.len()
}

fn serve_tcp(listener: &TcpListener) -> Result<()> {
    const LISTENER: u64 = u64::MAX;
    let poller = Epoll::new(EpollCreateFlags::empty())?;
    poller.add(listener, EpollEvent::new(EpollFlags::EPOLLIN, LISTENER))?;
    let mut clients: HashMap<RawFd, (TcpStream, Vec<u8>)> = HashMap::new();
    let mut ready = [EpollEvent::empty(); 64];
    let (mut room, mut answers) = (vec![0; 64 * 1024], Vec::new());
    loop {
        let count = poller.wait(&mut ready, EpollTimeout::NONE)?;
        for event in ready.iter().take(count) {
            if event.data() == LISTENER {
                let (stream, _) = listener.accept()?;
                stream.set_nodelay(true)?;
                let fd = stream.as_raw_fd();
                poller.add(&stream, EpollEvent::new(EpollFlags::EPOLLIN, fd as u64))?;
                clients.insert(fd, (stream, Vec::new()));
                continue;
            }
            let fd = event.data() as RawFd;
            let Some((stream, begun)) = clients.get_mut(&fd) else { continue };
            match stream.read(&mut room) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Ok(0) | Err(_) => _ = clients.remove(&fd),
                Ok(length) => {
                    begun.extend_from_slice(room.get(..length).unwrap_or_default());
                    answer_all(begun, &mut answers);
                    if stream.write_all(&answers).is_err() {
                        clients.remove(&fd);
                    }
                }
            }
        }
    }
}

/// Answers every whole question at the front, all at once.
fn answer_all(begun: &mut Vec<u8>, answers: &mut Vec<u8>) {
    answers.clear();
    let mut at = 0;
    while let Some(&[high, low]) = begun.get(at..).and_then(|it| it.first_chunk::<2>()) {
        let length = usize::from(u16::from_be_bytes([high, low]));
        let Some(question) = begun.get(at + 2..at + 2 + length) else { break };
        let start = answers.len() + 2;
        answers.extend_from_slice(&[0, 0]);
        answers.extend_from_slice(question);
        answers.extend_from_slice(&RECORD);
        let answered = answers.get_mut(start..).map_or(0, |it| answer(it, length));
        answers.truncate(start + answered);
        if let Some(prefix) = answers.get_mut(start - 2..start) {
            prefix.copy_from_slice(&(answered as u16).to_be_bytes());
        }
        at += 2 + length;
    }
    begun.drain(..at);
}
