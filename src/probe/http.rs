//! The HTTP request of a probe, of any version, and which status counts as good.

use std::net::{Ipv6Addr, SocketAddr};
use std::ops::RangeInclusive;

use hyper::header::{ACCEPT, CONNECTION, HOST, HeaderName, HeaderValue, USER_AGENT};
use hyper::http::uri::PathAndQuery;
use hyper::{Method, Request, StatusCode, Uri};

use super::reason::Failure;
use crate::model::{HttpCheck, HttpMethod};

/// How probes call themselves.
pub(super) const OUR_NAME: &str = concat!("farol/", env!("CARGO_PKG_VERSION"));

/// The request that a client of the site would send, besides what the configuration adds, as HTTP/1.1 has it.
pub(super) fn request(
    check: &HttpCheck,
    address: SocketAddr,
    default_port: u16,
) -> Result<Request<()>, Failure> {
    let unsendable = |what: &str| Failure::Endpoint(format!("the {what} can't be sent"));
    let path: PathAndQuery = check.path.parse().map_err(|_| unsendable("path"))?;
    let host = HeaderValue::from_str(&authority(&check.host, address.port(), default_port))
        .map_err(|_| unsendable("host"))?;
    let mut request = Request::new(());
    *request.uri_mut() = Uri::from(path);
    *request.method_mut() = match check.method {
        HttpMethod::Get => Method::GET,
        HttpMethod::Head => Method::HEAD,
    };
    let headers = request.headers_mut();
    headers.insert(HOST, host);
    headers.insert(USER_AGENT, HeaderValue::from_static(OUR_NAME));
    headers.insert(ACCEPT, HeaderValue::from_static("*/*"));
    let mut added = hyper::HeaderMap::new();
    for header in &check.headers {
        let name: HeaderName = header.name.parse().map_err(|_| unsendable("header's name"))?;
        let value =
            HeaderValue::from_str(&header.value).map_err(|_| unsendable("header's value"))?;
        added.append(name, value);
    }
    headers.extend(added); // replaces ours of the same name, keeps repeated ones
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    Ok(request)
}

/// The Host header: the port is named unless it is the scheme's own (RFC 9110 7.2).
pub(super) fn authority(host: &str, port: u16, default_port: u16) -> String {
    let host = match host.parse::<Ipv6Addr>() {
        Ok(address) => format!("[{address}]"),
        Err(_) => host.to_owned(),
    };
    if port == default_port { host } else { format!("{host}:{port}") }
}

/// Whether the status is one that passes.
pub(super) fn judge(status: StatusCode, expected: &[RangeInclusive<u16>]) -> Result<(), Failure> {
    if expected.iter().any(|range| range.contains(&status.as_u16())) {
        return Ok(());
    }
    let range = |it: &RangeInclusive<u16>| match (it.start(), it.end()) {
        (first, last) if first == last => first.to_string(),
        (first, last) => format!("{first}-{last}"),
    };
    let expected = expected.iter().map(range).collect::<Vec<_>>().join(", ");
    Err(Failure::Answer(format!("status {}, expected {expected}", status.as_u16())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Header;

    #[test]
    fn the_host_header_names_the_port_unless_it_is_the_default() {
        for (host, port, expected) in [
            ("app.example", 80, "app.example"),
            ("app.example", 8080, "app.example:8080"),
            ("2001:db8::1", 80, "[2001:db8::1]"),
            ("2001:db8::1", 443, "[2001:db8::1]:443"),
            ("192.0.2.1", 443, "192.0.2.1:443"),
        ] {
            assert_eq!(authority(host, port, 80), expected);
        }
    }

    #[test]
    fn statuses_pass_by_code_and_range() {
        let judge = |status, expected: &[RangeInclusive<u16>]| {
            judge(StatusCode::from_u16(status).unwrap(), expected)
        };
        assert_eq!(judge(200, &[200..=200]), Ok(()));
        assert_eq!(judge(404, &[200..=299, 404..=404]), Ok(()));
        let failure = |text: &str| Err(Failure::Answer(text.to_owned()));
        assert_eq!(judge(301, &[200..=200]), failure("status 301, expected 200"));
        assert_eq!(
            judge(503, &[200..=299, 404..=404]),
            failure("status 503, expected 200-299, 404")
        );
    }

    #[test]
    fn configured_headers_replace_our_manners_but_not_the_host() {
        let header = |name: &str, value: &str| Header {
            name: name.into(),
            value: value.into(),
            references: [].into(),
        };
        let check = HttpCheck {
            method: HttpMethod::Head,
            host: "app.example".into(),
            path: "/healthz?deep=1".into(),
            headers: vec![
                header("X-Token", "a"),
                header("User-Agent", "site-check"),
                header("X-Token", "b"),
                header("Connection", "keep-alive"),
            ],
            expected_status: vec![200..=200],
            body: None,
        };
        let request = request(&check, "192.0.2.1:8080".parse().unwrap(), 80).unwrap();
        let all = |name: &str| request.headers().get_all(name).iter().collect::<Vec<_>>();
        assert_eq!(request.uri().to_string(), "/healthz?deep=1");
        assert_eq!(all("host"), ["app.example:8080"]);
        assert_eq!(all("user-agent"), ["site-check"]);
        assert_eq!(all("x-token"), ["a", "b"]);
        assert_eq!(all("connection"), ["close"]);
    }
}
