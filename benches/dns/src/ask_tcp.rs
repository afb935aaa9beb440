//! Asks over TCP.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

use crate::Asking;
use crate::queries::Queries;

/// Milliseconds after which a server that says nothing is given up.
const PATIENCE: u16 = 5000;

struct Client {
    stream: TcpStream,
    /// What came and is no whole message yet.
    begun: Vec<u8>,
}

/// Asks as fast as answers come. Prints how many came, in how many seconds.
///
/// # Errors
/// What the connections say.
pub(crate) fn ask(asking: &Asking, queries: &Queries) -> Result<()> {
    let poller = Epoll::new(EpollCreateFlags::empty())?;
    let mut number = 0;
    let mut clients = Vec::with_capacity(asking.clients);
    for at in 0..asking.clients {
        let stream = TcpStream::connect(asking.server)
            .with_context(|| format!("can't connect to {}", asking.server))?;
        stream.set_nodelay(true)?;
        poller.add(&stream, EpollEvent::new(EpollFlags::EPOLLIN, at as u64))?;
        clients.push(Client { stream, begun: Vec::new() });
    }
    let started = Instant::now();
    let end = started + asking.duration()?;
    let mut questions = Vec::new();
    for client in &mut clients {
        send(client, asking.in_flight, queries, &mut number, &mut questions)?;
    }
    let (mut answers, mut ready) = (0_u64, vec![EpollEvent::empty(); asking.clients.max(1)]);
    let mut room = vec![0; 64 * 1024];
    while Instant::now() < end {
        let count = poller.wait(&mut ready, EpollTimeout::from(PATIENCE))?;
        if count == 0 {
            bail!("no answer came for {PATIENCE} ms, after {answers}");
        }
        for event in ready.iter().take(count) {
            let Some(client) = clients.get_mut(event.data() as usize) else { continue };
            let length = match client.stream.read(&mut room) {
                Ok(0) => bail!("the server closed a connection, after {answers} answers"),
                Ok(length) => length,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error.into()),
            };
            client.begun.extend_from_slice(room.get(..length).unwrap_or_default());
            let got = take_messages(&mut client.begun);
            answers += got as u64;
            send(client, got, queries, &mut number, &mut questions)?;
        }
    }
    let seconds = started.elapsed().as_secs_f64();
    println!("answers={answers} errors=0 lost=0 seconds={seconds:.6}");
    Ok(())
}

/// Asks so many questions, in one write.
fn send(
    client: &mut Client,
    count: usize,
    queries: &Queries,
    number: &mut usize,
    questions: &mut Vec<u8>,
) -> Result<()> {
    questions.clear();
    for _ in 0..count {
        questions.extend_from_slice(queries.framed(*number));
        *number += 1;
    }
    Ok(client.stream.write_all(questions)?)
}

/// Takes the whole messages off the front. Gives how many they were.
fn take_messages(begun: &mut Vec<u8>) -> usize {
    let (mut at, mut count) = (0, 0);
    while let Some(&[high, low]) = begun.get(at..).and_then(|it| it.first_chunk::<2>()) {
        let next = at + 2 + usize::from(u16::from_be_bytes([high, low]));
        if next > begun.len() {
            break;
        }
        (at, count) = (next, count + 1);
    }
    begun.drain(..at);
    count
}
