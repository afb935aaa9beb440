//! Authoritative DNS: one responder, bytes in and bytes out, under small loops for UDP and TCP. Answering needs nothing but
//! memory: it goes on from the last snapshot whatever fails elsewhere.

mod answerer;
mod bind;
mod client_subnet;
mod connections;
mod cookies;
mod message;
mod post;
mod query;
mod resolve;
mod responder;
mod server;
mod supervise;
mod sys;
mod tcp;
mod udp;

pub use answerer::{Answerer, Over};
pub use bind::{BindError, Sockets};
pub use cookies::CookieSecrets;
pub use responder::{Identity, Policy};
pub use server::{Context, Server, Steering};
pub use tcp::TcpLimits;

use std::time::Duration;

/// Failures of the operating system that are closer together than this are one burst, which is logged once.
const QUIET: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests;
