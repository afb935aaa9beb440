//! Authoritative DNS: one responder, bytes in and bytes out, under small loops for UDP and TCP. Answering needs nothing but
//! memory: it goes on from the last snapshot whatever fails elsewhere.

mod burst;
mod connections;
mod message;
mod query;
mod resolve;
mod responder;
mod server;
mod supervise;
mod sys;
mod tcp;
mod udp;

pub use responder::Identity;
pub use server::{BindError, Context, Server, Sockets};
pub use tcp::TcpLimits;

#[cfg(test)]
mod tests;
