//! Serves the API's connections. Whoever reaches the port may connect, token or not, so whatever a connection takes has a
//! bound: how many there are, how long a request may take to arrive, how large it may be. When all places are taken, the
//! connection that has been silent for longest makes room, so that an operator always gets in.

use std::convert::Infallible;
use std::net::{self, IpAddr};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::header::{CONNECTION, HOST, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderMap, HeaderValue, Request, StatusCode};
use axum::response::{IntoResponse, Response};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::{Body as _, Incoming};
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::access::Peer;
use super::connections::{Connections, Phase, Place};
use super::error::ApiError;
use super::tls::{Shaken, TlsKeys};
use super::{Api, router};
use crate::supervision::Burst;

/// Connections that may wait at the API's socket to be accepted.
pub const BACKLOG: i32 = 1024;
/// Connections at a time, most of which listen to events; the daemon keeps descriptors for them.
pub const CONNECTIONS: usize = 640;
/// Connections beyond those that may be about to end, having made room.
const ENDING: usize = 16;
/// How long a request's head may take, counted from the answer before it; its body may take as long again.
const ARRIVAL: Duration = Duration::from_secs(10);
/// How long a client may take to read an answer, at least; at most twice as long.
const READING: Duration = Duration::from_secs(60);
/// The largest head that a request may have, in octets, and its most headers.
const HEAD_LIMIT: usize = 16 * 1024;
const HEADERS: usize = 64;
/// The largest body that a request may have, in octets.
const BODY_LIMIT: usize = 64 * 1024;
/// How long requests that have arrived may take when their connection has to end.
const GRACE: Duration = Duration::from_secs(1);
/// How long to wait after accept(2) failed, for lack of descriptors say.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Failures that are closer together than this are one burst, which is logged once.
const QUIET: Duration = Duration::from_secs(60);

type App = TowerToHyperService<Router>;

/// Where and how the API is served.
#[derive(Clone, Debug)]
pub struct Serving {
    /// The socket.
    pub listener: Arc<net::TcpListener>,
    /// How handshakes go; none for plain HTTP.
    pub tls: Option<TlsKeys>,
}

impl Serving {
    /// Whether who is connected may stay when this becomes the other.
    fn trusts_as(&self, other: &Self) -> bool {
        match (&self.tls, &other.tls) {
            (None, None) => true,
            (Some(one), Some(other)) => one.trust_as(other),
            _ => false,
        }
    }
}

/// Serves the API until `stop` is cancelled; then lets requests that have arrived be answered, and ends. When another listener
/// comes, it takes over, and connections go on, unless they might not be let in any more. Ends also when the operating system does not let it listen.
pub async fn serve(mut serving: watch::Receiver<Serving>, api: Arc<Api>, stop: CancellationToken) {
    let app = TowerToHyperService::new(router(api.clone()));
    let mut connections = Connections::default();
    let mut tasks = JoinSet::new();
    let mut now = serving.borrow_and_update().clone();
    let admit = |stream: TcpStream,
                 tls: &Option<TlsKeys>,
                 connections: &mut Connections,
                 tasks: &mut JoinSet<()>| {
        if connections.len() >= CONNECTIONS && !connections.end_most_silent() {
            return; // every other one is being worked for
        }
        let place = Arc::new(Place::new(&stop));
        let task = match tls.clone() {
            Some(keys) => {
                let shaking = shake_hands(stream, keys, api.clone(), app.clone(), place.clone());
                tasks.spawn(shaking)
            }
            None => {
                let peer = Peer::at(address_of(&stream));
                tasks.spawn(converse(stream, app.clone(), place.clone(), peer))
            }
        };
        connections.admit(task.id(), place);
    };
    let mut burst = Burst::new(QUIET);
    let Some(mut listener) = listen(&now) else { return };
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            Ok(()) = serving.changed() => {
                let next = serving.borrow_and_update().clone();
                let former = std::mem::replace(&mut now, next);
                if !former.trusts_as(&now) {
                    connections.end_all();
                }
                if !Arc::ptr_eq(&former.listener, &now.listener) {
                    let Some(next) = listen(&now) else { return };
                    let former = std::mem::replace(&mut listener, next);
                    waiting(former).for_each(|it| admit(it, &now.tls, &mut connections, &mut tasks));
                }
            }
            Some(ended) = tasks.join_next_with_id() => match ended {
                Ok((id, ())) => connections.leave(id),
                Err(error) => {
                    connections.leave(error.id());
                    tracing::error!(event = "api_panicked", %error, "a request to the API panicked");
                }
            },
            accepted = listener.accept(), if tasks.len() < CONNECTIONS + ENDING => match accepted {
                Ok((stream, _)) => admit(stream, &now.tls, &mut connections, &mut tasks),
                Err(error) => {
                    if burst.begins(Instant::now().into_std()) {
                        tracing::error!(event = "accept_failed", %error, "the API can't take a connection: {error}");
                    }
                    sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
    drop(listener);
    // Each has been told to end, and does so within the grace period.
    while tasks.join_next().await.is_some() {}
}

/// Listens with a descriptor of its own: the socket outlives this task.
fn listen(serving: &Serving) -> Option<TcpListener> {
    let listener = serving.listener.try_clone().and_then(TcpListener::from_std);
    listener
        .inspect_err(|error| {
            tracing::error!(event = "accept_failed", %error, "the API can't listen: {error}");
        })
        .ok()
}

fn address_of(stream: &TcpStream) -> IpAddr {
    stream.peer_addr().map_or(Peer::unknown().address, |it| it.ip())
}

/// The connections that wait at a socket: when that is closed, they are reset. Those that come meanwhile are not waited for.
fn waiting(listener: TcpListener) -> impl Iterator<Item = TcpStream> {
    let listener = listener.into_std().ok();
    let next = move || {
        let (stream, _) = listener.as_ref()?.accept().ok()?;
        stream.set_nonblocking(true).ok()?;
        TcpStream::from_std(stream).ok()
    };
    std::iter::from_fn(next).take(BACKLOG as usize)
}

/// One client's connection in TLS, from the first octet to the last. The handshake has as long as a request.
async fn shake_hands(stream: TcpStream, keys: TlsKeys, api: Arc<Api>, app: App, place: Arc<Place>) {
    let address = address_of(&stream);
    let shaken = tokio::select! {
        biased;
        () = place.end.cancelled() => return,
        shaken = timeout(ARRIVAL, keys.shake_hands(stream)) => shaken,
    };
    let why = match shaken {
        Ok(Ok(Shaken::Secure(stream, names))) => {
            return converse(stream, app, place, Peer::in_tls(address, names)).await;
        }
        Ok(Ok(Shaken::Plain(stream))) => {
            let app = TowerToHyperService::new(Router::new().fallback(speaks_https));
            return converse(stream, app, place, Peer::at(address)).await;
        }
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("the handshake took longer than {} s", ARRIVAL.as_secs()),
    };
    api.access.handshake_failed(address, &why, Instant::now().into_std());
}

/// Says to whoever speaks plain HTTP what to do, and ends the connection.
async fn speaks_https(headers: HeaderMap) -> Response {
    let host = headers.get(HOST).and_then(|it| it.to_str().ok()).unwrap_or("NAME:PORT");
    let detail = format!("this port speaks HTTPS; ask https://{host}");
    ([(CONNECTION, "close")], ApiError::bad_request(detail)).into_response()
}

/// One client's connection, from the first octet to the last. How it failed is the client's own concern.
async fn converse(
    io: impl AsyncRead + AsyncWrite + Unpin,
    app: App,
    place: Arc<Place>,
    peer: Peer,
) {
    let answer = service_fn(|request| answer(&app, &place, &peer, request));
    let mut connection = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(ARRIVAL)
            .max_buf_size(HEAD_LIMIT)
            .max_headers(HEADERS)
            .serve_connection(TokioIo::new(io), answer)
    );
    tokio::select! {
        biased;
        _ = connection.as_mut() => return,
        () = place.end.cancelled() => {}
        () = is_not_read(&place) => return,
    }
    // Of the first request hyper would wait for the rest; of later ones it does not.
    if place.phase().0 != Phase::Arriving {
        connection.as_mut().graceful_shutdown();
        let _ = timeout(GRACE, connection).await;
    }
}

/// Ends when the client does not read its answer.
async fn is_not_read(place: &Place) {
    loop {
        sleep(READING).await;
        let (phase, since) = place.phase();
        if phase == Phase::Answered && since.elapsed() >= READING {
            return;
        }
    }
}

async fn answer(
    app: &App,
    place: &Arc<Place>,
    peer: &Peer,
    request: Request<Incoming>,
) -> Result<Response, Infallible> {
    place.enter(Phase::Arriving);
    let whole = whole(request).await;
    place.enter(Phase::Handling);
    let response = match whole {
        Ok(mut request) => {
            request.extensions_mut().insert(peer.clone());
            app.call(request).await
        }
        Err(error) => Ok(error.into_response()),
    };
    place.enter(Phase::Answered);
    let place = place.clone();
    // Whoever goes on taking an answer that has no end is not silent.
    let watched = move |body: Body| {
        Body::new(body.map_frame(move |frame| {
            place.enter(Phase::Answered);
            frame
        }))
    };
    response.map(|it| {
        let mut it = it.map(watched);
        // Browsers must not take an answer for something that runs.
        it.headers_mut().insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        it
    })
}

/// The request with all of its body: what handles it never waits for the client.
async fn whole(request: Request<Incoming>) -> Result<Request<Body>, ApiError> {
    let (head, body) = request.into_parts();
    let too_long = || {
        let detail = format!("the body is longer than {BODY_LIMIT} octets");
        ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, detail)
    };
    if body.size_hint().lower() > BODY_LIMIT as u64 {
        return Err(too_long());
    }
    let body = match timeout(ARRIVAL, Limited::new(body, BODY_LIMIT).collect()).await {
        Ok(Ok(body)) => body.to_bytes(),
        Ok(Err(error)) if error.is::<LengthLimitError>() => return Err(too_long()),
        Ok(Err(error)) => return Err(ApiError::bad_request(format!("the body: {error}"))),
        Err(_) => {
            let detail = format!("the body did not arrive within {} s", ARRIVAL.as_secs());
            return Err(ApiError::new(StatusCode::REQUEST_TIMEOUT, detail));
        }
    };
    Ok(Request::from_parts(head, Body::from(body)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::routing::post;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

    const HEAD: &str = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n";

    /// A connection over which these octets were sent, its server's task, and what ends it. A body of "slow" takes half a second to
    /// be answered.
    async fn connect(sent: &str) -> (DuplexStream, JoinSet<()>, Arc<Place>) {
        let handler = async |body: String| {
            if body == "slow" {
                sleep(Duration::from_millis(500)).await;
            }
            if body == "long" { "x".repeat(1 << 20) } else { body }
        };
        let app = TowerToHyperService::new(Router::new().route("/", post(handler)));
        let (mut client, server) = duplex(4096);
        let place = Arc::new(Place::new(&CancellationToken::new()));
        let mut tasks = JoinSet::new();
        tasks.spawn(converse(server, app, place.clone(), Peer::unknown()));
        // What is too long is not read to its end.
        let _ = client.write_all(sent.as_bytes()).await;
        (client, tasks, place)
    }

    /// What comes back until the connection ends, and how many seconds that takes.
    async fn rest(mut client: DuplexStream) -> (String, u64) {
        let (started, mut text) = (Instant::now(), String::new());
        client.read_to_string(&mut text).await.unwrap();
        (text, started.elapsed().as_secs())
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_arrives_in_time_or_not_at_all() {
        let large = HEAD.replace(" 4", " 70000");
        let headers = HEAD.replace("\r\n\r\n", &"\r\nA: b".repeat(65)) + "\r\n\r\n";
        let long = HEAD.replace("Host: x", &format!("Host: {}", "x".repeat(17_000)));
        let chunked = HEAD.replace("Content-Length: 4", "Transfer-Encoding: chunked");
        let chunked = format!("{chunked}11170\r\n{}", "x".repeat(70_000));
        for (sent, status, seconds) in [
            ("", "", 10),
            ("POST / HTTP/1.1\r\nHo", "", 10),
            (&HEAD[..HEAD.len() - 1], "", 10),
            (HEAD, "HTTP/1.1 408 ", 10),
            (&format!("{HEAD}ab"), "HTTP/1.1 408 ", 10),
            (&format!("{HEAD}abcd"), "HTTP/1.1 200 ", 10), // then it may send another
            (&format!("{large}ab"), "HTTP/1.1 413 ", 0),
            (&chunked, "HTTP/1.1 413 ", 0),
            (&headers, "HTTP/1.1 431 ", 0),
            (&long, "HTTP/1.1 431 ", 0),
        ] {
            let (client, mut tasks, _) = connect(sent).await;
            let (text, took) = rest(client).await;
            assert!(text.starts_with(status) && text.is_empty() == status.is_empty(), "{text}");
            assert_eq!(took, seconds, "{sent}: {text}");
            if text.contains(" 408 ") || text.contains(" 413 ") {
                assert!(text.contains("application/problem+json"), "{text}");
            }
            tasks.join_next().await.unwrap().unwrap();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn only_what_has_arrived_is_waited_for_at_the_end() {
        for (sent, answered) in [
            ("", false),
            ("POST / HT", false),
            (HEAD, false),
            (&format!("{HEAD}slow"), true),
            (&format!("{HEAD}abcd"), true),
            (&format!("{HEAD}abcdPOST / HT"), true),
        ] {
            let (client, mut tasks, place) = connect(sent).await;
            sleep(Duration::from_millis(1)).await;
            place.end.cancel();
            let (text, took) = rest(client).await;
            assert_eq!((text.contains(" 200 OK"), took), (answered, 0), "{sent}: {text}");
            tasks.join_next().await.unwrap().unwrap();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_goes_on_asking_is_never_cut_off() {
        let (mut client, _tasks, _) = connect("").await;
        for _ in 0..30 {
            client.write_all(format!("{HEAD}abcd").as_bytes()).await.unwrap();
            let mut text = String::new();
            while !text.ends_with("\r\n\r\nabcd") {
                text.push(client.read_u8().await.unwrap().into());
            }
            sleep(Duration::from_secs(7)).await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_is_not_kept_for_ever() {
        let started = Instant::now();
        let (_client, mut tasks, _) = connect(&format!("{HEAD}long")).await;
        tasks.join_next().await.unwrap().unwrap();
        assert!(started.elapsed() <= 2 * READING, "{:?}", started.elapsed());
    }
}
