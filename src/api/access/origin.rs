//! Whose page a browser sends a request for. Cookies and certificates it sends by itself, so that somebody else's page could
//! have it make a change; of its own pages it tells.

use axum::http::{HeaderMap, HeaderName, header};

use super::Peer;

/// By the Fetch Metadata specification, which no script can set.
const SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// For whom a request is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sender {
    /// A page of this daemon.
    Own,
    /// The page of somebody else.
    Foreign,
    /// Nothing says: no browser of today, or no page.
    Unknown,
}

/// For whom a request is sent that changes something.
pub(super) fn sender(headers: &HeaderMap, peer: &Peer) -> Sender {
    if let Some(site) = headers.get(SITE) {
        return if site == "same-origin" { Sender::Own } else { Sender::Foreign };
    }
    // Browsers leave that out where they don't trust the connection: without TLS, from another machine.
    let Some(origin) = headers.get(header::ORIGIN) else { return Sender::Unknown };
    let scheme = if peer.is_secure { "https" } else { "http" };
    let host = headers.get(header::HOST).and_then(|it| it.to_str().ok());
    let own = host.map(|it| format!("{scheme}://{it}"));
    let is_own = own.is_some_and(|it| origin.as_bytes().eq_ignore_ascii_case(it.as_bytes()));
    if is_own { Sender::Own } else { Sender::Foreign }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    #[test]
    fn only_pages_of_the_same_origin_are_its_own() {
        use Sender::{Foreign, Own, Unknown};
        let (plain, secure) = (Peer::unknown(), Peer::in_tls(Peer::unknown().address, [].into()));
        let site = |it: &'static str| (SITE, it);
        let origin = |it: &'static str| (header::ORIGIN, it);
        for (sent, in_plain, in_tls) in [
            (&[][..], Unknown, Unknown),
            (&[site("same-origin")], Own, Own),
            (&[site("same-site")], Foreign, Foreign),
            (&[site("cross-site")], Foreign, Foreign),
            (&[site("none")], Foreign, Foreign),
            (&[site("same-origin"), origin("http://evil.example")], Own, Own),
            (&[site("cross-site"), origin("http://gtm:8053")], Foreign, Foreign),
            (&[origin("http://gtm:8053")], Own, Foreign),
            (&[origin("https://GTM:8053")], Foreign, Own),
            (&[origin("http://gtm")], Foreign, Foreign),
            (&[origin("http://gtm:8053.evil.example")], Foreign, Foreign),
            (&[origin("null")], Foreign, Foreign),
        ] {
            let sent: Vec<(HeaderName, &str)> = sent.to_vec();
            let all = sent.iter().cloned().chain([(header::HOST, "gtm:8053")]);
            let headers: HeaderMap =
                all.map(|(name, it)| (name, HeaderValue::from_static(it))).collect();
            assert_eq!(sender(&headers, &plain), in_plain, "{sent:?}");
            assert_eq!(sender(&headers, &secure), in_tls, "{sent:?}");
        }
    }
}
