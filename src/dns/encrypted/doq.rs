//! DNS over QUIC (RFC 9250): a stream for each query.

use std::net::IpAddr;
use std::rc::Rc;

use quinn::{Connection, ReadError, RecvStream, SendStream, VarInt};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::error::Elapsed;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::https::{ANSWERS, QUERY_MOST};
use super::quic::{Knock, outcome, shake_hands};
use super::tls::FAREWELL_TIME;
use super::{answer, hand_on};
use crate::dns::connections::Ticket;
use crate::dns::query::{Packet, read};
use crate::dns::tcp::Shared;
use crate::metrics::DropReason;

/// The protocol's name in handshakes.
pub(super) const ALPN: &[u8] = b"doq";
/// Streams that only the client sends on: there is no use for any, but who opens one is to be told so.
pub(super) const UNIDIRECTIONAL: u32 = 1;

/// Why streams and connections end (RFC 9250 4.3).
const NO_ERROR: VarInt = VarInt::from_u32(0);
const PROTOCOL_ERROR: VarInt = VarInt::from_u32(2);
const REQUEST_CANCELLED: VarInt = VarInt::from_u32(3);
const EXCESSIVE_LOAD: VarInt = VarInt::from_u32(4);

/// Answers one client's queries, from the handshake to the last octet.
pub(super) async fn converse(shared: Rc<Shared>, (incoming, end): Knock, ticket: Ticket) {
    let Some(connection) = shake_hands(&shared, incoming, &end, &ticket).await else { return };
    // Closed before what is under way is given up, which would close it as if all were well.
    let evicted = async {
        ticket.evicted().await;
        connection.close(EXCESSIVE_LOAD, b"");
    };
    let ended = tokio::select! {
        biased;
        () = evicted => Err(DropReason::Evicted),
        ended = serve(&shared, &connection, &end, &ticket) => ended,
    };
    if let Err(why) = ended {
        shared.dropped(why);
    }
}

async fn serve(
    shared: &Rc<Shared>,
    connection: &Connection,
    end: &CancellationToken,
    ticket: &Ticket,
) -> Result<(), DropReason> {
    let idle = shared.idle.get();
    let mut deadline = Instant::now() + idle;
    let answers = Rc::new(Semaphore::new(ANSWERS));
    // They end with the connection.
    let mut streams = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            stream = connection.accept_bi() => match stream {
                Ok((send, receive)) => {
                    ticket.touch(Instant::now());
                    deadline = Instant::now() + idle;
                    let (shared, connection) = (shared.clone(), connection.clone());
                    streams.spawn_local(exchange(shared, connection, answers.clone(), send, receive));
                }
                Err(error) => return outcome(&error, streams.is_empty()),
            },
            Ok(_) = connection.accept_uni() => {
                connection.close(PROTOCOL_ERROR, b"unidirectional stream");
                return Err(DropReason::Malformed);
            }
            Some(ended) = streams.join_next() => {
                // Whoever takes its answers, if slowly, is not idle.
                if let Some(Ok(())) = hand_on(ended) {
                    deadline = Instant::now() + idle;
                }
            }
            () = end.cancelled() => {
                let finish = async { while streams.join_next().await.is_some() {} };
                let _ = timeout(FAREWELL_TIME, finish).await;
                connection.close(NO_ERROR, b"");
                return Ok(());
            }
            () = sleep_until(deadline) => {
                connection.close(NO_ERROR, b"");
                return if streams.is_empty() { Ok(()) } else { Err(DropReason::BrokenStream) };
            }
        }
    }
}

/// Answers the query of one stream.
///
/// # Errors
/// When it did not come within the idle time.
async fn exchange(
    shared: Rc<Shared>,
    connection: Connection,
    answers: Rc<Semaphore>,
    mut send: SendStream,
    mut receive: RecvStream,
) -> Result<(), Elapsed> {
    let gathered = timeout(shared.idle.get(), gather(&mut receive)).await;
    let octets = match gathered.inspect_err(|_| {
        shared.dropped(DropReason::BrokenStream);
        let _ = (receive.stop(EXCESSIVE_LOAD), send.reset(EXCESSIVE_LOAD));
    })? {
        Ok(Some(octets)) => octets,
        Ok(None) => {
            shared.dropped(DropReason::Malformed);
            let _ = (receive.stop(EXCESSIVE_LOAD), send.reset(EXCESSIVE_LOAD));
            return Ok(());
        }
        // The client has taken it back, or is gone.
        Err(_) => {
            let _ = send.reset(REQUEST_CANCELLED);
            return Ok(());
        }
    };
    let query = match query(&octets) {
        Ok(query) => query,
        Err(why) => {
            shared.dropped(DropReason::Malformed);
            connection.close(PROTOCOL_ERROR, why.as_bytes());
            return Ok(());
        }
    };
    let Ok(_permit) = answers.acquire().await else { return Ok(()) };
    let client: IpAddr = connection.remote_address().ip();
    let answer = answer(&shared, query, client);
    let framed = answer.and_then(|it| Some((u16::try_from(it.len()).ok()?.to_be_bytes(), it)));
    let Some((length, answer)) = framed else {
        let _ = send.reset(PROTOCOL_ERROR);
        return Ok(());
    };
    // In one go, so that what fits is one packet.
    let framed = [&length[..], &answer].concat();
    // Whoever takes its query back, or is gone, needs no answer.
    if send.write_all(&framed).await.is_ok() {
        let _ = send.finish();
    }
    Ok(())
}

/// Everything that comes on a stream; none where that is too much. It is copied as it comes: a slice of a datagram would keep the
/// whole of it, however little of the stream was in it.
async fn gather(receive: &mut RecvStream) -> Result<Option<Vec<u8>>, ReadError> {
    let (mut octets, mut part) = (Vec::new(), [0; 2048]);
    while let Some(length) = receive.read(&mut part).await? {
        octets.extend_from_slice(part.get(..length).unwrap_or_default());
        if octets.len() > QUERY_MOST + 2 {
            return Ok(None);
        }
    }
    Ok(Some(octets))
}

/// The one message of a stream, without its length.
///
/// # Errors
/// What breaks the protocol so that the connection ends (RFC 9250 4.3.3).
fn query(octets: &[u8]) -> Result<&[u8], &'static str> {
    let Some((length, message)) = octets.split_first_chunk::<2>() else {
        return Err("no message");
    };
    if usize::from(u16::from_be_bytes(*length)) != message.len() {
        return Err("not one whole message");
    }
    if message.first_chunk::<2>().is_some_and(|it| *it != [0, 0]) {
        return Err("message id is not 0");
    }
    let edns = match read(message) {
        Packet::Query(query) => query.edns,
        Packet::Bare(bare) => bare.edns,
        Packet::Ignored(_) => None,
    };
    if edns.is_some_and(|it| it.keepalive) {
        return Err("edns-tcp-keepalive");
    }
    Ok(message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_has_one_whole_message_with_the_id_0() {
        let plain = [0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1];
        let frame = |message: &[u8]| [&[0, message.len() as u8][..], message].concat();
        assert_eq!(query(&frame(&plain)), Ok(&plain[..]));
        assert_eq!(query(&[0, 0]), Ok(&[][..]));
        let mut numbered = plain;
        numbered[1] = 1;
        let mut keepalive = [&plain[..], &[0, 0, 41, 4, 0, 0, 0, 0, 0, 0, 4, 0, 11, 0, 0]].concat();
        keepalive[11] = 1;
        for (octets, why) in [
            (vec![], "no message"),
            (vec![0], "no message"),
            (vec![0, 1], "not one whole message"),
            (frame(&plain)[..10].to_vec(), "not one whole message"),
            (frame(&plain).repeat(2), "not one whole message"),
            (frame(&numbered), "message id is not 0"),
            (frame(&keepalive), "edns-tcp-keepalive"),
        ] {
            assert_eq!(query(&octets), Err(why), "{octets:?}");
        }
    }
}
