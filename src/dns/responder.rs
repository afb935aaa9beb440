//! The one responder: bytes in, bytes out, for every transport. No I/O, no lock, and on the common path no allocation.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use arc_swap::ArcSwap;
use ipnet::IpNet;

use super::message::{ExtendedError, Message, Placed, UDP_SIZE, UDP_SIZE_WITHOUT_EDNS};
use super::query::{CLASS_CHAOS, CLASS_IN, Edns, FoldedName, HEADER, Packet, Query, Rcode, read};
use super::resolve::resolve;
use crate::metrics::{DnsCounters, DropReason, Transport};
use crate::model::RecordType;
use crate::snapshot::{Entered, Reader, Worker};

/// One answer in so many is timed.
const SAMPLING: u64 = 64;
/// Question types that ask for what Farol doesn't do: TKEY, MAILB, MAILA (RFC 6895 3.1).
const UNSUPPORTED_TYPES: [u16; 3] = [249, 253, 254];

/// What the server says of itself to CHAOS questions; nothing by default.
#[derive(Clone, Debug, Default)]
pub struct Identity {
    /// For `version.bind` and `version.server`.
    pub version: Option<String>,
    /// For `id.server` and `hostname.bind`.
    pub id: Option<String>,
}

/// What the configuration says of answers beside the zones and profiles.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// What the server says of itself.
    pub identity: Identity,
    /// The resolvers that are believed when they name a client's network (RFC 7871); none means all.
    pub ecs_trusted: Option<Box<[IpNet]>>,
}

impl Policy {
    /// Whether this resolver is believed when it names a client's network.
    fn trusts(&self, resolver: IpAddr) -> bool {
        let resolver = resolver.to_canonical();
        let trusted = self.ecs_trusted.as_deref();
        trusted.is_none_or(|it| it.iter().any(|it| it.contains(&resolver)))
    }
}

/// How an answer will travel.
#[derive(Clone, Copy, Debug)]
pub(super) enum Path {
    Udp,
    /// With the idle timeout that clients may be told of, in units of 100 ms (RFC 7828).
    Tcp {
        keepalive: u16,
    },
}

/// Answers for one worker.
pub(super) struct Responder {
    reader: Reader,
    counters: Arc<DnsCounters>,
    policy: Arc<ArcSwap<Policy>>,
    /// How many there were, for sampling.
    packets: u64,
}

impl Responder {
    pub(super) fn new(
        reader: Reader,
        counters: Arc<DnsCounters>,
        policy: Arc<ArcSwap<Policy>>,
    ) -> Self {
        Self { reader, counters, policy, packets: 0 }
    }

    /// Begins to answer a batch of packets that have come in; its answers are made when this is dropped.
    pub(super) fn enter(&mut self) -> Answering<'_> {
        let Self { reader, counters, policy, packets } = self;
        let worker = reader.worker();
        Answering { worker, entered: reader.enter(), counters, policy, packets }
    }

    /// Counts something that was not answered.
    pub(super) fn dropped(&self, why: DropReason) {
        self.counters.dropped(self.reader.worker(), why);
    }
}

/// A worker that answers a batch. While it lives, changes that are published wait for it.
pub(super) struct Answering<'r> {
    worker: Worker,
    entered: Entered<'r>,
    counters: &'r DnsCounters,
    policy: &'r ArcSwap<Policy>,
    packets: &'r mut u64,
}

impl Answering<'_> {
    /// Counts something that was not answered.
    pub(super) fn dropped(&self, why: DropReason) {
        self.counters.dropped(self.worker, why);
    }

    /// Answers one packet into `answer`, which holds at least 1,232 octets. Gives the answer's length; 0 is silence.
    pub(super) fn respond(
        &mut self,
        packet: &[u8],
        client: IpAddr,
        path: Path,
        answer: &mut [u8],
    ) -> usize {
        *self.packets = self.packets.wrapping_add(1);
        let started = self.packets.is_multiple_of(SAMPLING).then(Instant::now);
        let length = self.dispatch(packet, client, path, answer);
        if let Some(started) = started
            && length > 0
        {
            self.counters.took(self.worker, started.elapsed());
        }
        length
    }

    fn dispatch(&mut self, packet: &[u8], client: IpAddr, path: Path, answer: &mut [u8]) -> usize {
        let start = |answer, question, edns: Option<_>| match path {
            Path::Udp => {
                let size = edns.map_or(UDP_SIZE_WITHOUT_EDNS, |it: Edns| it.size.into());
                Message::new(answer, size.min(UDP_SIZE), question, edns, None)
            }
            Path::Tcp { keepalive } => {
                Message::new(answer, usize::from(u16::MAX), question, edns, Some(keepalive))
            }
        };
        match read(packet) {
            Packet::Ignored(why) => {
                self.dropped(why);
                0
            }
            Packet::Faulty(faulty) => {
                self.asked(client, path);
                let question = faulty.question.unwrap_or_default();
                let mut message = start(answer, question, faulty.edns);
                message.rcode = faulty.rcode;
                if faulty.rcode == Rcode::NotImp {
                    message.extended_error = Some(ExtendedError::NotSupported);
                }
                self.counters.outside(self.worker, faulty.rcode as u16);
                message.finish(faulty.header)
            }
            Packet::Query(query) => {
                self.asked(client, path);
                let mut message = start(answer, query.question, query.edns);
                self.answer(&query, client, &mut message);
                message.finish(query.header)
            }
        }
    }

    /// Counts a query, be it a faulty one; scraps and answers are none.
    fn asked(&self, client: IpAddr, path: Path) {
        let transport = match path {
            Path::Udp => Transport::Udp,
            Path::Tcp { .. } => Transport::Tcp,
        };
        self.counters.query(self.worker, transport, client);
    }

    fn answer(&mut self, query: &Query<'_>, resolver: IpAddr, message: &mut Message<'_>) {
        let (worker, record_type) = (self.worker, query.record_type);
        let is_transfer = matches!(record_type, RecordType::AXFR | RecordType::IXFR);
        if UNSUPPORTED_TYPES.contains(&record_type.0) {
            message.rcode = Rcode::NotImp;
            message.extended_error = Some(ExtendedError::NotSupported);
        } else if record_type.is_meta() && record_type != RecordType::ANY && !is_transfer {
            message.rcode = Rcode::FormErr;
        } else if query.class == CLASS_CHAOS {
            self.introduce(query, message);
        } else if query.class == CLASS_IN {
            let named = self.named(resolver, query.edns);
            let client = named.unwrap_or(resolver);
            if let Some(zone) = resolve(self.entered.snapshot(), worker, client, query, message) {
                // Of the resolver's own address nothing is said.
                message.scope = named.map_or(0, |_| message.scope);
                zone.responses.add(worker, message.rcode as usize, 1);
                return;
            }
        } else {
            message.rcode = Rcode::Refused;
        }
        self.counters.outside(worker, message.rcode as u16);
    }

    /// The network that a trusted resolver asks for. Only a query that names one costs a look at the policy.
    fn named(&self, resolver: IpAddr, edns: Option<Edns>) -> Option<IpAddr> {
        let network = edns?.subnet?.network()?;
        self.policy.load().trusts(resolver).then_some(network)
    }

    /// Says who this is, where that is configured (RFC 4892).
    fn introduce(&self, query: &Query<'_>, message: &mut Message<'_>) {
        let Some(name) = FoldedName::new(query.name) else { return };
        let identity = &self.policy.load().identity;
        let text = match name.as_wire() {
            b"\x07version\x04bind\x00" | b"\x07version\x06server\x00" => &identity.version,
            b"\x02id\x06server\x00" | b"\x08hostname\x04bind\x00" => &identity.id,
            _ => &None,
        };
        let asked = matches!(query.record_type, RecordType::TXT | RecordType::ANY);
        let data = text.as_deref().filter(|_| asked).and_then(character_string);
        let Some(data) = data else {
            message.rcode = Rcode::Refused;
            return;
        };
        message.authoritative = true;
        let owner = Placed { offset: HEADER, wire: query.name };
        let added = message.chaos_text(owner, &data);
        message.truncated = added.is_err();
    }
}

/// A TXT record's one string: its length and its octets (RFC 1035 3.3.14).
fn character_string(text: &str) -> Option<Vec<u8>> {
    let length = u8::try_from(text.len()).ok()?;
    Some(std::iter::once(length).chain(text.bytes()).collect())
}
