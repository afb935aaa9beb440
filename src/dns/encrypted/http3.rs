//! DNS over HTTPS by HTTP/3 (RFC 9114).

use std::net::IpAddr;
use std::rc::Rc;

use bytes::{Buf, Bytes};
use h3::error::Code;
use h3::server::{RequestResolver, RequestStream};
use http::StatusCode;
use quinn::{Connection, ConnectionError, VarInt};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::error::Elapsed;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::bounded::Bounded;
use super::https::{ANSWERS, Asked, HEAD_MOST, QUERY_MOST, Site, answered, read, refused};
use super::quic::{Knock, outcome, shake_hands};
use super::tls::{FAREWELL_TIME, HANDSHAKE_TIME};
use super::{answer, hand_on};
use crate::dns::connections::Ticket;
use crate::metrics::DropReason;

/// The protocol's name in handshakes.
pub(super) const ALPN: &[u8] = b"h3";
/// Streams that only the client sends on: three of its own (RFC 9114 6.2), and some that mean nothing.
pub(super) const UNIDIRECTIONAL: u32 = 8;
/// Octets of a request, with the frames that mean nothing, and of each other stream.
const STREAM_MOST: usize = HEAD_MOST as usize + 2 * QUERY_MOST;

/// Why connections end (RFC 9114 8.1).
const NO_ERROR: VarInt = VarInt::from_u32(0x100);
const EXCESSIVE_LOAD: VarInt = VarInt::from_u32(0x107);

type Http = h3::server::Connection<Bounded<h3_quinn::Connection>, Bytes>;
type Resolver = RequestResolver<Bounded<h3_quinn::Connection>, Bytes>;
type Stream = RequestStream<Bounded<h3_quinn::BidiStream<Bytes>>, Bytes>;

/// Answers one client's requests, from the handshake to the last octet.
pub(super) async fn converse(site: Rc<Site>, (incoming, end): Knock, ticket: Ticket) {
    let shaken = shake_hands(&site.shared, incoming, &end, &ticket).await;
    let Some(connection) = shaken else { return };
    // Closed before what is under way is given up, which would close it as if all were well.
    let evicted = async {
        ticket.evicted().await;
        connection.close(EXCESSIVE_LOAD, b"");
    };
    let ended = tokio::select! {
        biased;
        () = evicted => Err(DropReason::Evicted),
        ended = serve(&site, &connection, &end, &ticket) => ended,
    };
    if let Err(why) = ended {
        site.shared.dropped(why);
    }
}

async fn serve(
    site: &Rc<Site>,
    connection: &Connection,
    end: &CancellationToken,
    ticket: &Ticket,
) -> Result<(), DropReason> {
    let mut builder = h3::server::builder();
    builder.max_field_section_size(HEAD_MOST.into()).send_grease(false);
    let bounded = Bounded::new(h3_quinn::Connection::new(connection.clone()), STREAM_MOST);
    let Ok(Ok(mut http)) = timeout(HANDSHAKE_TIME, builder.build(bounded)).await else {
        return Err(DropReason::HandshakeFailed);
    };
    let http: &mut Http = &mut http;
    let idle = site.shared.idle.get();
    let answers = Rc::new(Semaphore::new(ANSWERS));
    let mut deadline = Instant::now() + idle;
    // They end with the connection.
    let mut requests = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            request = http.accept() => match request {
                Ok(Some(resolver)) => {
                    ticket.touch(Instant::now());
                    deadline = Instant::now() + idle;
                    let client = connection.remote_address().ip();
                    requests.spawn_local(exchange(site.clone(), client, answers.clone(), resolver));
                }
                Ok(None) => return Ok(()),
                Err(_) => return match connection.close_reason() {
                    // The client broke the protocol, so HTTP/3 has closed the connection.
                    None | Some(ConnectionError::LocallyClosed) => Err(DropReason::Malformed),
                    Some(error) => outcome(&error, requests.is_empty()),
                },
            },
            Some(ended) = requests.join_next() => {
                // Whoever takes its answers, if slowly, is not idle.
                if let Some(Ok(())) = hand_on(ended) {
                    deadline = Instant::now() + idle;
                }
            }
            () = end.cancelled() => {
                let finish = async { while requests.join_next().await.is_some() {} };
                let _ = timeout(FAREWELL_TIME, finish).await;
                connection.close(NO_ERROR, b"");
                return Ok(());
            }
            () = sleep_until(deadline) => {
                connection.close(NO_ERROR, b"");
                return if requests.is_empty() { Ok(()) } else { Err(DropReason::BrokenStream) };
            }
        }
    }
}

/// Answers one request.
///
/// # Errors
/// When it did not come within the idle time.
async fn exchange(
    site: Rc<Site>,
    client: IpAddr,
    answers: Rc<Semaphore>,
    resolver: Resolver,
) -> Result<(), Elapsed> {
    let asked = timeout(site.shared.idle.get(), hear(&site, resolver)).await;
    // What there was of the stream is stopped.
    let asked = asked.inspect_err(|_| site.shared.dropped(DropReason::BrokenStream))?;
    let Some((query, mut stream)) = asked else { return Ok(()) };
    let Ok(_permit) = answers.acquire().await else { return Ok(()) };
    let status = match query {
        Ok(query) => match answer(&site.shared, &query, client) {
            Some(answer) => {
                let head = answered(&answer);
                // Whoever takes its request back, or is gone, needs no answer.
                if stream.send_response(head).await.is_ok()
                    && stream.send_data(answer).await.is_ok()
                {
                    let _ = stream.finish().await;
                }
                return Ok(());
            }
            None => StatusCode::BAD_REQUEST,
        },
        Err(status) => {
            site.shared.dropped(DropReason::Malformed);
            status
        }
    };
    if stream.send_response(refused(status)).await.is_ok() {
        let _ = stream.finish().await;
        // What is still to come of the request does not matter (RFC 9114 4.1).
        stream.stop_sending(Code::H3_NO_ERROR);
    }
    Ok(())
}

/// A request's query, or the status that refuses it, with the stream for the answer. None where the client sends something else
/// than a request, of which it has been told, has taken it back, or is gone.
async fn hear(site: &Site, resolver: Resolver) -> Option<(Result<Vec<u8>, StatusCode>, Stream)> {
    let (request, mut stream) = resolver.resolve_request().await.ok()?;
    let asked = read(request.method(), request.uri(), request.headers(), &site.path);
    let query = match asked {
        Ok(Asked::Query(query)) => Ok(query),
        Ok(Asked::Body) => gather(&mut stream).await?,
        Err(status) => Err(status),
    };
    Some((query, stream))
}

/// The whole body, or the status that refuses it; none where it does not come.
async fn gather(stream: &mut Stream) -> Option<Result<Vec<u8>, StatusCode>> {
    let mut query = Vec::new();
    while let Some(mut part) = stream.recv_data().await.ok()? {
        if query.len() + part.remaining() > QUERY_MOST {
            return Some(Err(StatusCode::PAYLOAD_TOO_LARGE));
        }
        while part.has_remaining() {
            let length = part.chunk().len();
            query.extend_from_slice(part.chunk());
            part.advance(length);
        }
    }
    Some(Ok(query))
}
