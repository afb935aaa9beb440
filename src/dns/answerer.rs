//! The responder without a socket, for who brings packets of their own: tests that compare answers, and fuzz targets.

use std::net::IpAddr;
use std::sync::Arc;

use arc_swap::ArcSwap;

use super::responder::{Path, Policy, Responder};
use crate::metrics::DnsCounters;
use crate::snapshot::{Live, Reader, Worker};

/// What clients of TCP are told that they may take, in units of 100 ms.
const KEEPALIVE: u16 = 100;
const LONGEST: usize = 65_535;

/// How a packet came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    /// In a datagram, in which the answer has to fit as well.
    Udp,
    /// In a stream.
    Tcp,
}

/// Answers as a worker of the server does: bytes in, bytes out.
pub struct Answerer(Responder);

impl Answerer {
    /// Answers as the first worker.
    pub fn new(live: Arc<Live>, policy: Policy) -> Self {
        let (reader, counters) = (Reader::new(live, Worker(0)), Arc::new(DnsCounters::new(1)));
        Self(Responder::new(reader, counters, Arc::new(ArcSwap::from_pointee(policy))))
    }

    /// The answer to a packet from this client; none is silence.
    pub fn answer(&mut self, packet: &[u8], client: IpAddr, over: Over) -> Option<Vec<u8>> {
        let path = match over {
            Over::Udp => Path::Udp,
            Over::Tcp => Path::Tcp { keepalive: KEEPALIVE },
        };
        let mut answer = vec![0; LONGEST];
        let length = self.0.enter().respond(packet, client, path, &mut answer);
        answer.truncate(length);
        Some(answer).filter(|it| !it.is_empty())
    }
}
