//! The gRPC probe: one call of grpc.health.v1.Health/Check
//! (<https://github.com/grpc/grpc/blob/master/doc/health-checking.md>).

use std::net::SocketAddr;

use h2::RecvStream;
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderValue, TE, USER_AGENT};
use hyper::http::uri::Scheme;
use hyper::{Request, StatusCode, Uri};
use prost::Message;
use tokio::io::{AsyncRead, AsyncWrite};

use super::body::Pieces;
use super::reason::{self, Failure};
use super::trail::Trail;
use super::{http, http2};
use crate::health::Phase;
use crate::model::GrpcCheck;

/// The most of an answer that is looked at, in octets; a good one has seven.
pub(super) const MOST_OCTETS: usize = 4096;
/// What comes before a message: whether it is compressed, and its length.
const PREFIX: usize = 5;
const METHOD: &str = "/grpc.health.v1.Health/Check";
const MEDIA_TYPE: &str = "application/grpc";
/// The names of grpc-status, from 0 on.
const CODES: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];

#[derive(Clone, PartialEq, Message)]
struct HealthCheckRequest {
    #[prost(string, tag = "1")]
    service: String,
}

#[derive(Clone, PartialEq, Message)]
struct HealthCheckResponse {
    #[prost(enumeration = "ServingStatus", tag = "1")]
    status: i32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, prost::Enumeration)]
#[repr(i32)]
enum ServingStatus {
    Unknown = 0,
    Serving = 1,
    NotServing = 2,
    ServiceUnknown = 3,
}

/// Asks for the service's health and judges the answer.
pub(super) async fn ask<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    address: SocketAddr,
    check: &GrpcCheck,
    trail: &mut Trail,
) -> Result<(), Failure> {
    let request = request(check, address)?;
    let (client, connection) = http2::open(stream).await?;
    http2::converse(connection, async {
        let mut client = client.ready().await.map_err(|error| reason::of_http2(&error))?;
        let (answer, mut sending) =
            client.send_request(request, false).map_err(|error| reason::of_http2(&error))?;
        sending
            .send_data(question(&check.service), true)
            .map_err(|error| reason::of_http2(&error))?;
        let (head, body) = answer.await.map_err(|error| reason::of_http2(&error))?.into_parts();
        judge_head(head.status, &head.headers)?;
        trail.enter(Phase::Body);
        let (message, trailers) = read(body).await?;
        // An answer without a message has its status among its headers.
        judge_status(trailers.as_ref().unwrap_or(&head.headers), &check.service)?;
        judge_message(&message)
    })
    .await
}

fn request(check: &GrpcCheck, address: SocketAddr) -> Result<Request<()>, Failure> {
    let (scheme, port) =
        if check.tls.is_some() { (Scheme::HTTPS, 443) } else { (Scheme::HTTP, 80) };
    let uri = Uri::builder()
        .scheme(scheme)
        .authority(http::authority(&check.host, address.port(), port))
        .path_and_query(METHOD)
        .build()
        .map_err(|_| Failure::endpoint("the host can't be sent"))?;
    let mut request = Request::new(());
    *request.uri_mut() = uri;
    *request.method_mut() = hyper::Method::POST;
    let headers = request.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
    headers.insert(TE, HeaderValue::from_static("trailers"));
    headers.insert(USER_AGENT, HeaderValue::from_static(http::OUR_NAME));
    Ok(request)
}

/// The message, and before it that it is not compressed, and its length.
fn question(service: &str) -> Bytes {
    let message = HealthCheckRequest { service: service.to_owned() }.encode_to_vec();
    // A service's name has 255 octets at most.
    let length = u32::try_from(message.len()).unwrap_or(u32::MAX).to_be_bytes();
    [&[0], &length[..], &message].concat().into()
}

fn judge_head(status: StatusCode, headers: &HeaderMap) -> Result<(), Failure> {
    http::judge(status, &[200..=200])?;
    let found = headers.get(CONTENT_TYPE).and_then(|it| it.to_str().ok()).unwrap_or_default();
    let rest = found.strip_prefix(MEDIA_TYPE);
    if rest.is_some_and(|it| it.is_empty() || it.starts_with(['+', ';'])) {
        return Ok(());
    }
    let shown: String = found.chars().take(64).collect();
    Err(Failure::Answer(format!("content-type \"{shown}\", expected {MEDIA_TYPE}")))
}

async fn read(mut body: RecvStream) -> Result<(Vec<u8>, Option<HeaderMap>), Failure> {
    let mut message = Vec::new();
    while let Some(piece) = body.next().await {
        message.extend_from_slice(&piece?);
        if message.len() > MOST_OCTETS {
            return Err(Failure::Answer(format!("the answer is longer than {MOST_OCTETS} octets")));
        }
    }
    let trailers = body.trailers().await.map_err(|error| reason::of_http2_body(&error))?;
    Ok((message, trailers))
}

fn judge_status(headers: &HeaderMap, service: &str) -> Result<(), Failure> {
    let code = headers.get("grpc-status").and_then(|it| it.to_str().ok()?.parse::<u32>().ok());
    let Some(code) = code else {
        return Err(Failure::Answer("the answer has no grpc-status".to_owned()));
    };
    let name = usize::try_from(code).ok().and_then(|it| CODES.get(it)).copied();
    let shown = format!("grpc-status {code} ({})", name.unwrap_or("unknown"));
    Err(Failure::Answer(match name {
        Some("OK") => return Ok(()),
        Some("NOT_FOUND") => format!("{shown}: the server knows no service \"{service}\""),
        Some("UNIMPLEMENTED") => format!("{shown}: the server has no grpc.health.v1"),
        _ => shown,
    }))
}

fn judge_message(octets: &[u8]) -> Result<(), Failure> {
    let bad = |what: &str| Failure::Answer(format!("the answer is {what}"));
    let (prefix, message) = octets.split_first_chunk::<PREFIX>().ok_or_else(|| bad("empty"))?;
    let [compressed, length @ ..] = *prefix;
    if compressed != 0 {
        return Err(bad("compressed, which was not asked for"));
    }
    if usize::try_from(u32::from_be_bytes(length)).ok() != Some(message.len()) {
        return Err(bad("not one message"));
    }
    let response = HealthCheckResponse::decode(message).map_err(|_| bad("no health message"))?;
    let found = match ServingStatus::try_from(response.status) {
        Ok(ServingStatus::Serving) => return Ok(()),
        Ok(ServingStatus::NotServing) => "NOT_SERVING".to_owned(),
        Ok(ServingStatus::Unknown) => "UNKNOWN".to_owned(),
        Ok(ServingStatus::ServiceUnknown) => "SERVICE_UNKNOWN".to_owned(),
        Err(_) => response.status.to_string(),
    };
    Err(Failure::Answer(format!("health {found}, expected SERVING")))
}

#[cfg(test)]
#[path = "grpc_tests.rs"]
mod tests;
