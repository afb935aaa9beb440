//! Authoritative DNS: one responder, bytes in and bytes out, under small loops for UDP, TCP
//! and, behind handshakes, TLS, HTTPS and QUIC. Answering needs nothing but
//! memory: it goes on from the last snapshot whatever fails elsewhere.

mod answerer;
mod bind;
mod client_subnet;
mod connections;
mod cookies;
mod encrypted;
mod message;
mod poller;
mod post;
mod query;
mod rate_limit;
mod resolve;
mod responder;
mod server;
mod supervise;
mod sys;
mod tcp;
mod udp;

pub use answerer::{Answerer, Over};
pub use bind::{Addresses, BindError, Sockets};
pub use cookies::CookieSecrets;
pub use encrypted::{Encryption, TlsKeys};
pub use rate_limit::RateLimits;
pub use responder::{Identity, Policy};
pub use server::{Context, Server, Steering};
pub use tcp::TcpLimits;

use std::time::Duration;

/// Failures of the operating system that are closer together than this are one burst, which is logged once.
const QUIET: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests;
