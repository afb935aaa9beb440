//! DNS over HTTPS (RFC 8484): what a request asks, and what it gets, by whichever version of HTTP it comes.

use std::rc::Rc;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::header::{ALLOW, ALT_SVC, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, Uri};

use crate::dns::query::HEADER;
use crate::dns::tcp::Shared;

/// The media type of messages.
const MEDIA_TYPE: &str = "application/dns-message";
/// The most octets of a query; real ones have a few hundred. What clients send in parts is kept until it is whole.
pub(super) const QUERY_MOST: usize = 16 * 1024;
/// The most octets of a request's head: room for a query of any length in its path.
pub(super) const HEAD_MOST: u32 = 24 * 1024;
/// Requests of one connection that may be under way.
pub(super) const REQUESTS: u32 = 100;
/// Answers of one connection that may wait for the client to read.
pub(super) const ANSWERS: usize = 4;

/// Where requests are taken, by whichever version of HTTP.
pub(super) struct Site {
    pub(super) shared: Rc<Shared>,
    pub(super) path: Arc<str>,
}

/// Where the query of a request is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// It was in the path.
    Query(Vec<u8>),
    /// It is the body.
    Body,
}

/// Reads a request's head; `path` is where queries are taken.
///
/// # Errors
/// The status that refuses it.
pub(super) fn read(
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
    path: &str,
) -> Result<Asked, StatusCode> {
    if uri.path() != path {
        return Err(StatusCode::NOT_FOUND);
    }
    if method == Method::POST {
        let is_message =
            headers.get(CONTENT_TYPE).and_then(|it| it.to_str().ok()).is_some_and(|it| {
                let media_type = it.split(';').next().unwrap_or_default();
                media_type.trim().eq_ignore_ascii_case(MEDIA_TYPE)
            });
        return if is_message { Ok(Asked::Body) } else { Err(StatusCode::UNSUPPORTED_MEDIA_TYPE) };
    }
    if method != Method::GET {
        return Err(StatusCode::METHOD_NOT_ALLOWED);
    }
    let parameters = uri.query().unwrap_or_default().split('&');
    let query = parameters.filter_map(|it| it.strip_prefix("dns=")).next();
    let query = query.and_then(|it| URL_SAFE_NO_PAD.decode(it).ok());
    match query.ok_or(StatusCode::BAD_REQUEST)? {
        query if query.len() > QUERY_MOST => Err(StatusCode::URI_TOO_LONG),
        query => Ok(Asked::Query(query)),
    }
}

/// The head of a response whose body is an answer, of whatever rcode.
pub(super) fn answered(answer: &[u8]) -> Response<()> {
    let mut response = Response::new(());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
    headers.insert(CONTENT_LENGTH, answer.len().into());
    // Answers may depend on who asks, so no cache may share them (RFC 9111 5.2.2.7).
    insert(headers, CACHE_CONTROL, format!("private, max-age={}", freshness(answer)));
    response
}

/// Tells that HTTP/3 is spoken at this port too (RFC 7838).
pub(super) fn offer_http3(response: &mut Response<()>, port: u16) {
    insert(response.headers_mut(), ALT_SVC, format!("h3=\":{port}\""));
}

/// The head of a response without a body, which refuses a request.
pub(super) fn refused(status: StatusCode) -> Response<()> {
    let mut response = Response::new(());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
    if status == StatusCode::METHOD_NOT_ALLOWED {
        headers.insert(ALLOW, HeaderValue::from_static("GET, POST"));
    }
    response
}

fn insert(headers: &mut HeaderMap, name: http::HeaderName, value: String) {
    if let Ok(value) = HeaderValue::from_maybe_shared(Bytes::from(value)) {
        headers.insert(name, value);
    }
}

/// How many seconds an answer may be kept (RFC 8484 5.1): the least TTL of its records; where it has none, what its SOA record
/// allows; else none at all.
fn freshness(answer: &[u8]) -> u32 {
    least_ttl(answer).unwrap_or_default()
}

fn least_ttl(answer: &[u8]) -> Option<u32> {
    const SOA: [u8; 2] = [0, 6];
    let (header, mut rest) = answer.split_first_chunk::<HEADER>()?;
    let [_, _, _, _, qd0, qd1, an0, an1, ns0, ns1, _, _] = *header;
    for _ in 0..u16::from_be_bytes([qd0, qd1]) {
        rest = skip_name(rest)?.get(4..)?;
    }
    let [answers, authorities] = [[an0, an1], [ns0, ns1]].map(u16::from_be_bytes).map(u32::from);
    let mut least = None;
    for at in 0..answers + authorities {
        let (fixed, data) = skip_name(rest)?.split_first_chunk::<10>()?;
        let [t0, t1, _, _, ttl0, ttl1, ttl2, ttl3, l0, l1] = *fixed;
        let (data, after) = data.split_at_checked(u16::from_be_bytes([l0, l1]).into())?;
        rest = after;
        let mut ttl = u32::from_be_bytes([ttl0, ttl1, ttl2, ttl3]);
        if at >= answers {
            if [t0, t1] != SOA {
                continue;
            }
            ttl = ttl.min(u32::from_be_bytes(*data.last_chunk()?));
        }
        least = Some(least.map_or(ttl, |it: u32| it.min(ttl)));
    }
    least
}

/// Passes over a name in an answer of our own.
fn skip_name(mut rest: &[u8]) -> Option<&[u8]> {
    loop {
        let (label, after) = rest.split_first()?;
        match label {
            0 => return Some(after),
            0xc0.. => return after.get(1..),
            _ => rest = after.get(usize::from(*label)..)?,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A question for the root, then these records: whether in the answer section, type, TTL, the end of the data.
    fn message(records: &[(bool, u16, u32, u32)]) -> Vec<u8> {
        let answers = records.iter().filter(|it| it.0).count() as u8;
        let authorities = records.len() as u8 - answers;
        let mut message = vec![0, 0, 0x84, 0, 0, 1, 0, answers, 0, authorities, 0, 0];
        message.extend([1, b'x', 0, 0, 1, 0, 1]);
        for (_, record_type, ttl, end) in records {
            message.extend([0xc0, 12]);
            message.extend([&record_type.to_be_bytes()[..], &[0, 1], &ttl.to_be_bytes()].concat());
            message.extend([&[0, 4][..], &end.to_be_bytes()].concat());
        }
        message
    }

    #[test]
    fn an_answer_is_fresh_for_its_least_ttl() {
        for (records, expected) in [
            (&[(true, 1, 300, 0), (true, 1, 30, 0)][..], 30),
            (&[(true, 5, 300, 0), (false, 6, 600, 60)], 60),
            (&[(false, 6, 600, 60)], 60),
            (&[(false, 6, 7, 60)], 7),
            // A referral, and an error.
            (&[(false, 2, 600, 0)], 0),
            (&[], 0),
            (&[(true, 1, 0, 0)], 0),
        ] {
            assert_eq!(freshness(&message(records)), expected, "{records:?}");
        }
        let whole = message(&[(true, 1, 30, 0)]);
        assert!((0..whole.len()).all(|it| freshness(&whole[..it]) == 0), "cut short");
        let mut head = answered(&whole);
        offer_http3(&mut head, 443);
        assert_eq!(head.headers()[CACHE_CONTROL], "private, max-age=30");
        assert_eq!(head.headers()[ALT_SVC], "h3=\":443\"");
    }

    #[test]
    fn requests_are_read_as_the_rfc_has_them() {
        let long = "A".repeat(QUERY_MOST / 3 * 4 + 8);
        let bad = |status: u16| Err(StatusCode::from_u16(status).unwrap());
        let query = |octets: &[u8]| Ok(Asked::Query(octets.to_vec()));
        for (method, uri, media_type, expected) in [
            ("GET", "/dns-query?dns=AAAB_-8", "", query(&[0, 0, 1, 0xff, 0xef])),
            ("GET", "/dns-query?a=b&dns=AAAB&dns=AAAC", "text/plain", query(&[0, 0, 1])),
            ("GET", "https://x/dns-query?dns=", "", query(&[])),
            ("GET", "/dns-query", "", bad(400)),
            ("GET", "/dns-query?dns=AA+B", "", bad(400)),
            ("GET", "/dns-query?dns=AAA=", "", bad(400)),
            ("GET", "/dns-query?xdns=AAAB", "", bad(400)),
            ("GET", &format!("/dns-query?dns={long}"), "", bad(414)),
            ("GET", "/dns-query/?dns=AAAB", "", bad(404)),
            ("GET", "/", "", bad(404)),
            ("POST", "/dns-query", "application/dns-message", Ok(Asked::Body)),
            ("POST", "/dns-query", "Application/DNS-Message; a=b", Ok(Asked::Body)),
            ("POST", "/dns-query", "application/dns-message2", bad(415)),
            ("POST", "/dns-query?dns=AAAB", "", bad(415)),
            ("POST", "/other", "application/dns-message", bad(404)),
            ("PUT", "/dns-query", "application/dns-message", bad(405)),
            ("HEAD", "/dns-query?dns=AAAB", "", bad(405)),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_TYPE, media_type.parse().unwrap());
            let (method, uri) = (method.parse().unwrap(), uri.parse().unwrap());
            assert_eq!(read(&method, &uri, &headers, "/dns-query"), expected, "{method} {uri}");
        }
        let refusal = refused(StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(refusal.headers()[ALLOW], "GET, POST");
    }
}
