//! Who is at the other end, what they come with, and why that may not be enough.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use crate::model::{Role, Scopes, Timestamp, TokenHash};
use crate::store::TokenId;

/// Who made a request.
#[derive(Clone, Debug)]
pub(in crate::api) struct Author {
    /// The name that changes are signed with.
    pub(in crate::api) name: String,
    pub(in crate::api) role: Role,
    /// The profiles that they see and change.
    pub(in crate::api) scopes: Scopes,
    /// Where the request came from.
    pub(in crate::api) remote: IpAddr,
    /// The token, if it was made over the API.
    pub(in crate::api) token: Option<TokenId>,
    /// The hash of the session's secret, where they came by one.
    pub(in crate::api) session: Option<TokenHash>,
    /// When what they came by opens nothing any more, if it ends by itself.
    pub(in crate::api) until: Option<Timestamp>,
}

/// What somebody comes with.
#[derive(Clone, Copy)]
pub(in crate::api) enum Presented<'r> {
    Token(&'r str),
    /// The secret of a session.
    Session(&'r str),
    /// Nothing but the certificate of the connection, where that has one.
    Nothing,
}

/// Who is at the other end of a connection.
#[derive(Clone, Debug)]
pub(in crate::api) struct Peer {
    pub(in crate::api) address: IpAddr,
    /// The alternative names of the certificate that was shown and accepted; mostly none.
    pub(in crate::api) names: Arc<[String]>,
    /// Whether the connection is in TLS.
    pub(in crate::api) is_secure: bool,
}

impl Peer {
    /// Somebody over plain TCP.
    pub(in crate::api) fn at(address: IpAddr) -> Self {
        Self { address, names: Arc::new([]), is_secure: false }
    }

    /// Somebody in TLS, with the names of their certificate.
    pub(in crate::api) fn in_tls(address: IpAddr, names: Arc<[String]>) -> Self {
        Self { address, names, is_secure: true }
    }

    /// Somebody who can't be told from others like that.
    pub(in crate::api) fn unknown() -> Self {
        Self::at(Ipv4Addr::UNSPECIFIED.into())
    }
}

/// Why somebody was not let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::api) enum Denied {
    Missing,
    /// A certificate with these names was shown.
    UnknownCertificate(Arc<[String]>),
    Wrong,
    /// The session is over, or was never begun.
    Ended,
    Expired(Timestamp),
    /// Nothing is listened to for so long.
    Backoff(Duration),
    /// Too many requests; the next may come after so long.
    Limited(Duration),
}
