//! Why a probe did not pass, in words for people that stay the same from release to release.

use std::error::Error as _;
use std::io::{self, ErrorKind};
use std::time::Duration;

use rustls::pki_types::{ServerName, UnixTime};
use rustls::{AlertDescription, CertificateError, Error as TlsError, PeerMisbehaved};

use super::wire::TooMuch;

const CUT_OFF: &str = "connection closed before the body's end";

/// What kept a probe from passing. A time-out is none of these: see [`super::attempt`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// The endpoint failed in the phase that was running.
    Endpoint(String),
    /// The endpoint answered, but not what was expected.
    Answer(String),
    /// This machine could not probe, which says nothing of the endpoint.
    Machine(String),
}

impl Failure {
    pub(super) fn endpoint(text: impl Into<String>) -> Self {
        Self::Endpoint(text.into())
    }

    /// Whether nobody listens where the probe went.
    pub(super) fn is_refusal(&self) -> bool {
        matches!(self, Self::Endpoint(text) if text == REFUSED)
    }
}

/// Of a connection that the other machine refuses.
const REFUSED: &str = "refused";

/// "500 ms", "5 s".
pub(super) fn duration(duration: Duration) -> String {
    match duration.subsec_millis() {
        0 => format!("{} s", duration.as_secs()),
        _ => format!("{} ms", duration.as_millis()),
    }
}

/// What an error of a socket, or of TLS over one, says of the endpoint.
pub(super) fn of_io(error: &io::Error) -> Failure {
    if let Some(tls) = error.get_ref().and_then(|it| it.downcast_ref::<TlsError>()) {
        return Failure::Endpoint(of_tls(tls));
    }
    if let Some(too_much) = error.get_ref().and_then(|it| it.downcast_ref::<TooMuch>()) {
        return Failure::Endpoint(too_much.to_string());
    }
    // Out of descriptors, memory or local ports: the endpoint was not even asked.
    let exhausted = [libc::EMFILE, libc::ENFILE, libc::ENOBUFS, libc::ENOMEM, libc::EADDRNOTAVAIL];
    if error.raw_os_error().is_some_and(|code| exhausted.contains(&code)) {
        return Failure::Machine(format!("this machine has no socket to spare ({error})"));
    }
    Failure::endpoint(match error.kind() {
        ErrorKind::ConnectionRefused => REFUSED,
        ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => "connection reset",
        ErrorKind::HostUnreachable => "no route to host",
        ErrorKind::NetworkUnreachable => "network unreachable",
        ErrorKind::PermissionDenied => "forbidden by this machine's firewall or rights",
        // The kernel gave up before the probe's own timeout.
        ErrorKind::TimedOut => "timed out",
        ErrorKind::UnexpectedEof => "connection closed",
        _ => return Failure::Endpoint(error.to_string()),
    })
}

/// What an error of hyper says of the endpoint.
pub(super) fn of_http(error: &hyper::Error) -> Failure {
    // A request that was still to be sent is cancelled with the connection's error, which has the socket's in it.
    let mut causes = std::iter::successors(error.source(), |it| (*it).source());
    let io = causes.find_map(|it| it.downcast_ref::<io::Error>());
    if let Some(io) = io.filter(|it| it.kind() != ErrorKind::UnexpectedEof) {
        return of_io(io);
    }
    Failure::endpoint(if error.is_parse_too_large() {
        "the answer's headers are too large"
    } else if error.is_parse() {
        "not HTTP"
    } else if error.is_incomplete_message()
        || error.is_canceled()
        || error.is_closed()
        || io.is_some()
    {
        "connection closed before an answer"
    } else {
        // What is left is a server that talks before it was asked.
        "not HTTP"
    })
}

/// What an error of hyper within an answer's body says of the endpoint.
pub(super) fn of_http_body(error: &hyper::Error) -> Failure {
    let io = error.source().and_then(|it| it.downcast_ref::<io::Error>());
    match io {
        Some(io) if matches!(io.kind(), ErrorKind::InvalidData | ErrorKind::InvalidInput) => {
            Failure::endpoint("malformed chunks")
        }
        Some(io) if io.kind() != ErrorKind::UnexpectedEof => of_io(io),
        _ => Failure::endpoint(CUT_OFF),
    }
}

/// What an error of HTTP/2 before an answer says of the endpoint.
pub(super) fn of_http2(error: &h2::Error) -> Failure {
    of_http2_or(error, "connection closed before an answer")
}

/// What an error of HTTP/2 within an answer's body says of the endpoint.
pub(super) fn of_http2_body(error: &h2::Error) -> Failure {
    of_http2_or(error, CUT_OFF)
}

fn of_http2_or(error: &h2::Error, closed: &str) -> Failure {
    if let Some(io) = error.get_io() {
        // The library's own word for a connection that ended.
        let has_ended = matches!(io.kind(), ErrorKind::BrokenPipe | ErrorKind::UnexpectedEof);
        return if has_ended { Failure::endpoint(closed) } else { of_io(io) };
    }
    let reason = error.reason().unwrap_or(h2::Reason::INTERNAL_ERROR);
    Failure::Endpoint(match reason {
        _ if error.is_remote() && error.is_reset() => {
            format!("server ended the stream: {reason:?}")
        }
        h2::Reason::NO_ERROR if error.is_remote() => closed.to_owned(),
        _ if error.is_remote() => format!("server ended the connection: {reason:?}"),
        h2::Reason::ENHANCE_YOUR_CALM => "server floods us with frames".to_owned(),
        _ if error.is_reset() => format!("malformed or too large headers: {reason:?}"),
        _ => format!("not HTTP/2: {reason:?}"),
    })
}

fn of_tls(error: &TlsError) -> String {
    match error {
        TlsError::InvalidCertificate(error) => of_certificate(error),
        TlsError::InvalidMessage(_) => "server doesn't speak TLS".to_owned(),
        TlsError::AlertReceived(alert) => format!("server refused: {}", of_alert(*alert)),
        TlsError::PeerIncompatible(_) => {
            "server shares no TLS version or cipher with us".to_owned()
        }
        TlsError::PeerMisbehaved(PeerMisbehaved::SelectedUnofferedApplicationProtocol) => {
            "server chose a protocol that was not offered (ALPN)".to_owned()
        }
        TlsError::NoCertificatesPresented => "server shows no certificate".to_owned(),
        other => other.to_string(),
    }
}

fn of_certificate(error: &CertificateError) -> String {
    use CertificateError as E;
    match error {
        E::ExpiredContext { not_after, .. } => format!("certificate expired {}", day(*not_after)),
        E::Expired => "certificate expired".to_owned(),
        E::NotValidYetContext { not_before, .. } => {
            format!("certificate not valid before {}", day(*not_before))
        }
        E::NotValidYet => "certificate not valid yet".to_owned(),
        E::NotValidForNameContext { expected, presented } => {
            format!("certificate is for {}, not {}", names(presented), name(expected))
        }
        E::NotValidForName => "certificate is for another name".to_owned(),
        E::UnknownIssuer => "certificate is from an unknown authority".to_owned(),
        E::InvalidPurpose | E::InvalidPurposeContext { .. } => {
            "certificate is not for servers".to_owned()
        }
        E::BadEncoding => "certificate is malformed".to_owned(),
        E::BadSignature => "certificate has a bad signature".to_owned(),
        E::Revoked => "certificate is revoked".to_owned(),
        // A bare wrapper of the verifier's own error, whose text is in the middle of the whole one.
        E::Other(error) if error.to_string().contains("CaUsedAsEndEntity") => {
            "certificate is an authority's, not a server's".to_owned()
        }
        other => format!("certificate is not valid: {other}"),
    }
}

/// "handshake failure" for `HandshakeFailure`.
fn of_alert(alert: AlertDescription) -> String {
    let Some(name) = alert.as_str() else { return format!("alert {}", u8::from(alert)) };
    let mut words = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.push(letter.to_ascii_lowercase());
    }
    words
}

fn day(time: UnixTime) -> String {
    let seconds = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
    jiff::Timestamp::from_second(seconds)
        .map_or_else(|_| "in the far future".to_owned(), |it| it.strftime("%Y-%m-%d").to_string())
}

fn name(name: &ServerName<'_>) -> String {
    name.to_str().into_owned()
}

/// The names in a certificate, which the verifier writes as `DnsName("a.example")`; the first few are telling enough.
fn names(presented: &[String]) -> String {
    const SHOWN: usize = 3;
    let bare = |it: &String| {
        let inner = it.split_once('(').map_or(it.as_str(), |(_, inner)| inner);
        inner.trim_end_matches(')').trim_matches('"').to_owned()
    };
    let shown = presented.iter().take(SHOWN).map(bare).collect::<Vec<_>>().join(", ");
    match presented.len() {
        0 => "no name".to_owned(),
        few if few <= SHOWN => shown,
        many => format!("{shown} and {} more", many - SHOWN),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_sockets_are_told_in_our_words() {
        let theirs = Failure::endpoint;
        for (code, expected) in [
            (libc::ECONNREFUSED, theirs("refused")),
            (libc::EHOSTUNREACH, theirs("no route to host")),
            (libc::ENETUNREACH, theirs("network unreachable")),
            (libc::ECONNRESET, theirs("connection reset")),
            (libc::ETIMEDOUT, theirs("timed out")),
        ] {
            assert_eq!(of_io(&io::Error::from_raw_os_error(code)), expected);
        }
        for code in [libc::EMFILE, libc::ENFILE, libc::EADDRNOTAVAIL] {
            let failure = of_io(&io::Error::from_raw_os_error(code));
            assert!(matches!(failure, Failure::Machine(_)), "{failure:?}");
        }
    }

    #[test]
    fn names_and_alerts_read_well() {
        let presented = |names: &[&str]| -> Vec<String> {
            names.iter().map(|it| format!("DnsName(\"{it}\")")).collect()
        };
        assert_eq!(names(&presented(&["a.example"])), "a.example");
        assert_eq!(names(&["IpAddress(192.0.2.1)".to_owned()]), "192.0.2.1");
        assert_eq!(names(&presented(&["a", "b", "c", "d", "e"])), "a, b, c and 2 more");
        assert_eq!(names(&[]), "no name");
        assert_eq!(of_alert(AlertDescription::HandshakeFailure), "handshake failure");
        assert_eq!(of_alert(AlertDescription::Unknown(200)), "alert 200");
        assert_eq!(duration(Duration::from_millis(500)), "500 ms");
        assert_eq!(duration(Duration::from_secs(5)), "5 s");
    }
}
