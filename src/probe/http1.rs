//! A probe's conversation over HTTP/1.1.

use std::pin::pin;

use http_body_util::{BodyExt, Empty};
use hyper::Request;
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

use super::body::{self, Pieces};
use super::http;
use super::reason::{self, Failure};
use super::trail::Trail;
use crate::health::Phase;
use crate::model::HttpCheck;

/// The most that the head of an answer may take; hyper's least is half of it.
const MAX_HEAD_BYTES: usize = 16 * 1024;
const MAX_HEADERS: usize = 100;

/// Sends the request and judges the answer: its status, and its body if something is expected of it, which is left where
/// it is otherwise.
pub(super) async fn ask<S>(
    stream: S,
    request: Request<()>,
    check: &HttpCheck,
    trail: &mut Trail,
) -> Result<(), Failure>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let mut http = http1::Builder::new();
    // Old servers exist that know `Host` but not `host`.
    http.max_buf_size(MAX_HEAD_BYTES).max_headers(MAX_HEADERS).title_case_headers(true);
    let (mut sender, connection) =
        http.handshake(TokioIo::new(stream)).await.map_err(|error| reason::of_http(&error))?;
    let exchange = async {
        let request = request.map(|()| Empty::<Bytes>::new());
        let answer = sender.send_request(request).await.map_err(|error| reason::of_http(&error))?;
        http::judge(answer.status(), &check.expected_status)?;
        let Some(expected) = &check.body else { return Ok(()) };
        trail.enter(Phase::Body);
        body::look(answer.into_body(), expected).await
    };
    let (mut exchange, mut connection) = (pin!(exchange), pin!(connection));
    // Whoever drives the connection moves the exchange; when the connection ends first, it has told the exchange why.
    // The exchange comes first: it must have begun before the connection can tell it anything.
    tokio::select! {
        biased;
        judged = &mut exchange => judged,
        _ = &mut connection => exchange.await,
    }
}

impl Pieces for Incoming {
    async fn next(&mut self) -> Option<Result<Bytes, Failure>> {
        loop {
            match self.frame().await? {
                // What is no data are trailers.
                Ok(frame) => {
                    if let Ok(piece) = frame.into_data() {
                        return Some(Ok(piece));
                    }
                }
                Err(error) => return Some(Err(reason::of_http_body(&error))),
            }
        }
    }
}

#[cfg(test)]
#[path = "http_tests.rs"]
mod tests;
