//! The cookie that has a session's secret (RFC 6265).

use axum::http::{HeaderMap, header};

use super::Peer;

const NAME: &str = "farol_session";
/// In TLS. Browsers take a cookie of this name from this host alone, never from a neighbour, and never without TLS.
const SECURE_NAME: &str = "__Host-farol_session";

fn name(peer: &Peer) -> &'static str {
    if peer.is_secure { SECURE_NAME } else { NAME }
}

fn cookie(peer: &Peer, value: &str, more: &str) -> String {
    let secure = if peer.is_secure { "; Secure" } else { "" };
    format!("{}={value}; Path=/; HttpOnly; SameSite=Strict{secure}{more}", name(peer))
}

/// Has a browser keep a session's secret until it is closed.
pub(in crate::api) fn of_session(peer: &Peer, secret: &str) -> String {
    cookie(peer, secret, "")
}

/// Has a browser forget it.
pub(in crate::api) fn ended(peer: &Peer) -> String {
    cookie(peer, "", "; Max-Age=0")
}

/// The secret that a request comes with.
pub(in crate::api) fn secret_of<'r>(headers: &'r HeaderMap, peer: &Peer) -> Option<&'r str> {
    let texts = headers.get_all(header::COOKIE).iter().filter_map(|it| it.to_str().ok());
    let mut pairs = texts.flat_map(|it| it.split(';')).filter_map(|it| it.trim().split_once('='));
    pairs.find(|(key, value)| *key == name(peer) && !value.is_empty()).map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    #[test]
    fn a_cookie_is_kept_from_scripts_and_other_sites() {
        let (plain, secure) = (Peer::unknown(), Peer::in_tls(Peer::unknown().address, [].into()));
        assert_eq!(of_session(&plain, "x"), "farol_session=x; Path=/; HttpOnly; SameSite=Strict");
        assert_eq!(
            of_session(&secure, "x"),
            "__Host-farol_session=x; Path=/; HttpOnly; SameSite=Strict; Secure"
        );
        assert!(ended(&secure).starts_with("__Host-farol_session=; Path=/; "));
        assert!(ended(&secure).ends_with("; Secure; Max-Age=0"));
    }

    #[test]
    fn the_cookie_is_found_among_others() {
        let (plain, secure) = (Peer::unknown(), Peer::in_tls(Peer::unknown().address, [].into()));
        for (sent, in_plain, in_tls) in [
            (&["farol_session=a"][..], Some("a"), None),
            (&["x=y; farol_session=a=b; z"], Some("a=b"), None),
            (&["x=y", "__Host-farol_session=c;farol_session=a"], Some("a"), Some("c")),
            (&["farol_session="], None, None),
            (&["xfarol_session=a; farol_sessionx=b"], None, None),
            (&[], None, None),
        ] {
            let header = |it: &&str| (header::COOKIE, HeaderValue::from_str(it).unwrap());
            let headers: HeaderMap = sent.iter().map(header).collect();
            assert_eq!(secret_of(&headers, &plain), in_plain, "{sent:?}");
            assert_eq!(secret_of(&headers, &secure), in_tls, "{sent:?}");
        }
    }
}
