//! A probe's conversation over HTTP/2, of one request. The connection is driven within the probe, so that it ends with it.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use h2::RecvStream;
use h2::client::{Builder, Connection, SendRequest};
use hyper::body::Bytes;
use hyper::header::{CONNECTION, HOST, HeaderName, TE, TRANSFER_ENCODING, UPGRADE};
use hyper::http::uri::{Authority, Scheme};
use hyper::{Request, Uri};
use tokio::io::{AsyncRead, AsyncWrite};

use super::body::{self, Pieces};
use super::http;
use super::reason::{self, Failure};
use super::trail::Trail;
use crate::health::Phase;
use crate::model::HttpCheck;

/// The most that the headers of an answer may take, as RFC 9113 10.5.1 counts them.
const MAX_HEADER_BYTES: u32 = 16 * 1024;

/// Sends the request and judges the answer, as over HTTP/1.1.
pub(super) async fn ask<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    request: Request<()>,
    check: &HttpCheck,
    trail: &mut Trail,
) -> Result<(), Failure> {
    let request = as_http2(request)?;
    let (client, connection) = open(stream).await?;
    converse(connection, async {
        let mut client = client.ready().await.map_err(|error| reason::of_http2(&error))?;
        let (answer, _) =
            client.send_request(request, true).map_err(|error| reason::of_http2(&error))?;
        let answer = answer.await.map_err(|error| reason::of_http2(&error))?;
        http::judge(answer.status(), &check.expected_status)?;
        let Some(expected) = &check.body else { return Ok(()) };
        trail.enter(Phase::Body);
        body::look(answer.into_body(), expected).await
    })
    .await
}

/// Begins a connection. It has the windows that HTTP/2 begins with, 64 KiB, so no more than that is ever kept of it.
pub(super) async fn open<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
) -> Result<(SendRequest<Bytes>, Connection<S, Bytes>), Failure> {
    let mut http = Builder::new();
    http.enable_push(false).max_header_list_size(MAX_HEADER_BYTES);
    http.handshake(stream).await.map_err(|error| reason::of_http2(&error))
}

/// Drives the connection while something is said over it, and takes leave in the end.
pub(super) async fn converse<S: AsyncRead + AsyncWrite + Unpin>(
    connection: Connection<S, Bytes>,
    exchange: impl Future<Output = Result<(), Failure>>,
) -> Result<(), Failure> {
    let (mut exchange, mut connection) = (pin!(exchange), pin!(connection));
    let judged = tokio::select! {
        biased; // it must have begun before the connection can tell it anything
        judged = &mut exchange => judged,
        // It has told the exchange why it ended.
        _ = &mut connection => return exchange.await,
    };
    // The end of the last stream makes it say that this is all, which waits for nobody.
    poll_fn(|context| Poll::Ready(connection.as_mut().poll(context).is_ready())).await;
    judged
}

/// The same request as HTTP/2 has it (RFC 9113 8.2.2, 8.3.1).
fn as_http2(mut request: Request<()>) -> Result<Request<()>, Failure> {
    let unsendable = || Failure::Endpoint("the host can't be sent".to_owned());
    let headers = request.headers_mut();
    let host = headers.remove(HOST).ok_or_else(unsendable)?;
    let about_http1 = [CONNECTION, TE, TRANSFER_ENCODING, UPGRADE];
    let about_http1 = about_http1
        .into_iter()
        .chain(["keep-alive", "proxy-connection", "http2-settings"].map(HeaderName::from_static));
    about_http1.for_each(|it| {
        headers.remove(it);
    });
    let mut parts = std::mem::take(request.uri_mut()).into_parts();
    parts.scheme = Some(Scheme::HTTPS);
    parts.authority = Some(Authority::try_from(host.as_bytes()).map_err(|_| unsendable())?);
    *request.uri_mut() = Uri::from_parts(parts).map_err(|_| unsendable())?;
    Ok(request)
}

impl Pieces for RecvStream {
    async fn next(&mut self) -> Option<Result<Bytes, Failure>> {
        let piece = self.data().await?.map_err(|error| reason::of_http2_body(&error));
        if let Ok(piece) = &piece {
            // It fails only when more is given back than was taken.
            let _ = self.flow_control().release_capacity(piece.len());
        }
        Some(piece)
    }
}

#[cfg(test)]
#[path = "http2_tests.rs"]
mod tests;
