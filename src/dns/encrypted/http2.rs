//! DNS over HTTPS by HTTP/2, its every stream in our hands: how many there are, what they may hold, and when they end.

use std::future::poll_fn;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use h2::RecvStream;
use h2::server::{Builder, SendResponse};
use http::{Request, StatusCode};
use rustls::ServerConfig;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::https::{
    ANSWERS, Asked, HEAD_MOST, QUERY_MOST, REQUESTS, Site, answered, offer_http3, read, refused,
};
use super::tls::{FAREWELL_TIME, HANDSHAKE_TIME, Session, shake_hands};
use super::{answer, hand_on};
use crate::dns::connections::Ticket;
use crate::dns::tcp::Accepted;
use crate::metrics::DropReason;

/// The protocol's name in handshakes.
pub(super) const ALPN: &[u8] = b"h2";
/// Octets of queries that are not whole yet, of one connection.
const UNREAD: u32 = 256 * 1024;
/// Octets of a body that is too long which are passed over.
const BODY_MOST: usize = 256 * 1024;
/// Octets of each answer that may wait in the connection.
const UNSENT: usize = 8 * 1024;

/// Answers one client's requests, from the handshake to the last octet.
pub(super) async fn converse(
    site: Rc<Site>,
    config: Arc<ServerConfig>,
    (stream, client, end): Accepted,
    ticket: Ticket,
) {
    let port = stream.local_addr().map_or(0, |it| it.port());
    let ends = Ends { client, port, answers: Semaphore::new(ANSWERS) };
    let Some(session) = shake_hands(&site.shared, config, stream, &end, &ticket).await else {
        return;
    };
    if session.protocol() != Some(ALPN) {
        site.shared.dropped(DropReason::HandshakeFailed);
        return;
    }
    let ended = tokio::select! {
        biased;
        () = ticket.evicted() => Err(DropReason::Evicted),
        ended = serve(&site, ends, session, &end, &ticket) => ended,
    };
    if let Err(why) = ended {
        site.shared.dropped(why);
    }
}

/// What the requests of a connection have in common.
struct Ends {
    client: IpAddr,
    /// Where the connection came to.
    port: u16,
    /// A permit for each answer that waits for the client to read.
    answers: Semaphore,
}

async fn serve(
    site: &Rc<Site>,
    ends: Ends,
    session: Session,
    end: &CancellationToken,
    ticket: &Ticket,
) -> Result<(), DropReason> {
    let mut builder = Builder::new();
    builder.max_concurrent_streams(REQUESTS).max_header_list_size(HEAD_MOST);
    // One octet more than a query may have, so that a longer one is seen and refused.
    builder.initial_window_size(QUERY_MOST as u32 + 1).initial_connection_window_size(UNREAD);
    builder.max_send_buffer_size(UNSENT);
    let greeting = timeout(HANDSHAKE_TIME, builder.handshake::<_, Bytes>(session)).await;
    let Ok(Ok(mut connection)) = greeting else { return Err(DropReason::HandshakeFailed) };
    let (idle, ends) = (site.shared.idle.get(), Rc::new(ends));
    let mut deadline = Instant::now() + idle;
    let mut ending = false;
    // They end with the connection.
    let mut requests = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            request = connection.accept() => match request {
                Some(Ok((request, respond))) => {
                    ticket.touch(Instant::now());
                    if !ending {
                        deadline = Instant::now() + idle;
                    }
                    requests.spawn_local(exchange(site.clone(), ends.clone(), request, respond));
                }
                // Many clients just go when they have heard everything.
                Some(Err(error)) if error.is_io() && requests.is_empty() => return Ok(()),
                Some(Err(_)) => return Err(DropReason::BrokenStream),
                None => return Ok(()),
            },
            Some(ended) = requests.join_next() => {
                let _ = hand_on(ended);
                // Whoever takes its answers, if slowly, is not idle.
                if !ending {
                    deadline = Instant::now() + idle;
                }
            }
            () = end.cancelled(), if !ending => {
                connection.graceful_shutdown();
                (ending, deadline) = (true, Instant::now() + FAREWELL_TIME);
            }
            () = sleep_until(deadline) => {
                if ending {
                    return if requests.is_empty() { Ok(()) } else { Err(DropReason::BrokenStream) };
                }
                connection.graceful_shutdown();
                (ending, deadline) = (true, Instant::now() + FAREWELL_TIME);
            }
        }
    }
}

/// Answers one request.
async fn exchange(
    site: Rc<Site>,
    ends: Rc<Ends>,
    request: Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
) {
    let (head, body) = request.into_parts();
    let query = match read(&head.method, &head.uri, &head.headers, &site.path) {
        Ok(Asked::Query(query)) => Ok(query),
        Ok(Asked::Body) => match gather(body).await {
            Some(query) => query,
            // The client has taken it back, or is gone.
            None => return,
        },
        Err(status) => gather(body).await.map_or(Err(status), |_| Err(status)),
    };
    let Ok(_permit) = ends.answers.acquire().await else { return };
    let status = match query {
        Ok(query) => match answer(&site.shared, &query, ends.client) {
            Some(answer) => {
                let mut head = answered(&answer);
                offer_http3(&mut head, ends.port);
                send(&mut respond, head, answer).await;
                return;
            }
            None => StatusCode::BAD_REQUEST,
        },
        Err(status) => {
            site.shared.dropped(DropReason::Malformed);
            status
        }
    };
    // Whoever is gone by now needs no refusal.
    let _ = respond.send_response(refused(status), true);
}

/// The whole body, or the status that refuses it; none where it does not come. The connection's window opens again only when the
/// body is whole or given up, so that what is gathered stays bounded. A body that is too long is heard out for a while: clients
/// that are still sending may not hear of a refusal.
async fn gather(mut body: RecvStream) -> Option<Result<Vec<u8>, StatusCode>> {
    let (mut query, mut length) = (Vec::new(), 0);
    while length <= BODY_MOST
        && let Some(part) = body.data().await
    {
        let part = part.ok()?;
        length += part.len();
        if length <= QUERY_MOST {
            query.extend_from_slice(&part);
        } else {
            let given_up = std::mem::take(&mut query).len() + part.len();
            body.flow_control().release_capacity(given_up).ok()?;
        }
    }
    body.flow_control().release_capacity(query.len()).ok()?;
    Some(if length <= QUERY_MOST { Ok(query) } else { Err(StatusCode::PAYLOAD_TOO_LARGE) })
}

/// Sends an answer as fast as the client reads.
async fn send(respond: &mut SendResponse<Bytes>, head: http::Response<()>, mut answer: Bytes) {
    let Ok(mut stream) = respond.send_response(head, false) else { return };
    while !answer.is_empty() {
        stream.reserve_capacity(answer.len());
        let Some(Ok(room)) = poll_fn(|cx| stream.poll_capacity(cx)).await else { return };
        let part = answer.split_to(room.min(answer.len()));
        if stream.send_data(part, answer.is_empty()).is_err() {
            return;
        }
    }
}
