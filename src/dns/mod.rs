//! Authoritative DNS: one responder, bytes in and bytes out, under small loops for UDP and TCP. Answering needs nothing but
//! memory: it goes on from the last snapshot whatever fails elsewhere.

mod bind;
mod burst;
mod connections;
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

pub use bind::{BindError, Sockets};
pub use responder::Identity;
pub use server::{Context, Server, Steering};
pub use tcp::TcpLimits;

#[cfg(test)]
mod tests;
