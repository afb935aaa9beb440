//! Packets that are nearly queries: each batch is followed by a good query whose answer is awaited, so that the server takes
//! them all, and is seen to answer all the while.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::Asking;
use crate::ask_udp::{connect, nothing_if_refused, receive};
use crate::packets::{BATCH, Packets};
use crate::queries::{LONGEST, Queries};

/// How long the good query's answer may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// Numbers that repeat from run to run (xorshift64, Marsaglia 2003).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 as usize
    }

    fn below(&mut self, limit: usize) -> usize {
        self.next() % limit.max(1)
    }
}

/// Sends so many mutated queries. Prints how many packets came back, the awaited answers aside.
///
/// # Errors
/// What the socket says, and that a good query got no answer.
pub(crate) fn mutate(asking: &Asking, queries: &Queries, count: u64) -> Result<()> {
    let socket = connect(asking.server)?;
    let (mut packets, mut numbers) = (Packets::new(true), Numbers(0x9e37_79b9_7f4a_7c15));
    let (mut sent, mut answers, mut batch) = (0, 0_u64, 0_usize);
    while sent < count {
        batch += 1;
        for at in 0..BATCH - 1 {
            packets.put(at, |room, _| {
                let length = queries.write(batch + at, numbers.next() as u16, room);
                spoil(room, length, &mut numbers)
            });
        }
        // No mutated packet is asked with this id and answered without an error by chance twice in a row.
        let id = batch as u16;
        packets.put(BATCH - 1, |room, _| queries.write(batch, id, room));
        let went = packets.send(&socket, BATCH).or_else(nothing_if_refused)?;
        sent += went as u64;
        let deadline = Instant::now() + PATIENCE;
        let mut is_answered = went < BATCH;
        while !is_answered {
            let received = receive(&mut packets, &socket)?;
            let is_it = |it: &[u8]| it.starts_with(&id.to_be_bytes());
            is_answered = (0..received).any(|it| is_it(packets.get(it)));
            answers += received as u64;
            ensure!(Instant::now() < deadline, "no answer after {sent} mutated packets");
        }
    }
    println!("sent={sent} answers={answers}");
    Ok(())
}

/// Spoils a query in one to four places. Gives the new length.
fn spoil(room: &mut [u8], mut length: usize, numbers: &mut Numbers) -> usize {
    for _ in 0..=numbers.below(4) {
        let at = numbers.below(length);
        match numbers.below(6) {
            0 => room[at] ^= 1 << numbers.below(8),
            1 => room[at] = numbers.next() as u8,
            2 => room[at] = 0xc0 | numbers.next() as u8,
            3 => length = at,
            4 => {
                let more = numbers.below(LONGEST - length.min(LONGEST));
                room.iter_mut().skip(length).take(more).for_each(|it| *it = numbers.next() as u8);
                length += more;
            }
            // One of the header's counts.
            _ => room[4 + numbers.below(8)] = numbers.below(4) as u8,
        }
    }
    length
}
