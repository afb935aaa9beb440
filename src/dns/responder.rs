//! The one responder: bytes in, bytes out, for every transport. No I/O, no lock, and on the common path no allocation.

mod limiting;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use arc_swap::{ArcSwap, Cache};
use ipnet::IpNet;

use super::cookies::CookieSecrets;
use super::message::{ExtendedError, Message, Placed, UDP_SIZE_WITHOUT_EDNS};
use super::query::{CLASS_CHAOS, CLASS_IN, Edns, FoldedName, HEADER, Packet, Query, Rcode, read};
use super::rate_limit::RateLimits;
use super::resolve::resolve;
use crate::clock::Clock;
use crate::metrics::{CookieStanding, DnsCounters, DropReason, Transport};
use crate::model::RecordType;
use crate::snapshot::{Entered, Reader, Worker};

pub(super) use limiting::Limiting;

/// One answer in so many is timed.
const SAMPLING: u64 = 64;
/// Question types that ask for what Farol doesn't do: TKEY, MAILB, MAILA (RFC 6895 3.1).
const UNSUPPORTED_TYPES: [u16; 3] = [249, 253, 254];

/// What the server says of itself to who asks; nothing by default.
#[derive(Clone, Debug, Default)]
pub struct Identity {
    /// For `version.bind` and `version.server`.
    pub version: Option<String>,
    /// For `id.server`, `hostname.bind` and NSID.
    pub id: Option<String>,
}

/// What the configuration says of answers beside the zones and profiles.
#[derive(Clone, Debug)]
pub struct Policy {
    /// What the server says of itself.
    pub identity: Identity,
    /// The resolvers that are believed when they name a client's network (RFC 7871); none means all.
    pub ecs_trusted: Option<Box<[IpNet]>>,
    /// What cookies are signed with.
    pub cookie_secrets: CookieSecrets,
    /// Whether a client that sends a cookie has to have a good one, over UDP.
    pub require_server_cookie: bool,
    /// The size that is advertised, and the most that is sent over UDP; at least 512.
    pub udp_size: u16,
    /// How many answers a network of clients may have over UDP; none limits nothing.
    pub rate_limit: Option<RateLimits>,
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
    /// Where nobody on the way can read it, and who asks has shown where it is; else as over TCP. Only where the transport
    /// knows no idle timeout of its own there is one to tell of.
    Encrypted {
        transport: Transport,
        keepalive: Option<u16>,
    },
}

/// Answers for one worker.
pub(super) struct Responder {
    reader: Reader,
    counters: Arc<DnsCounters>,
    policy: Cache<Arc<ArcSwap<Policy>>, Arc<Policy>>,
    /// How many there were, for sampling.
    packets: u64,
    /// There where clients may not be who they say.
    limiting: Option<Box<Limiting>>,
}

impl Responder {
    pub(super) fn new(
        reader: Reader,
        counters: Arc<DnsCounters>,
        policy: Arc<ArcSwap<Policy>>,
    ) -> Self {
        Self { reader, counters, policy: Cache::new(policy), packets: 0, limiting: None }
    }

    /// Obeys the policy's rate limits from now on, which those don't do whose clients are known to be where they say.
    pub(super) fn limiting(self, limiting: Limiting) -> Self {
        Self { limiting: Some(Box::new(limiting)), ..self }
    }

    /// Begins to answer a batch of packets that have come in; its answers are made when this is dropped.
    pub(super) fn enter(&mut self) -> Answering<'_> {
        let Self { reader, counters, policy, packets, limiting } = self;
        let worker = reader.worker();
        let policy = policy.load();
        let (entered, limiting) = (reader.enter(), limiting.as_deref_mut());
        Answering { worker, entered, counters, policy, packets, limiting, now: None, instant: None }
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
    policy: &'r Policy,
    packets: &'r mut u64,
    limiting: Option<&'r mut Limiting>,
    /// Seconds since 1970, looked up for the first packet of the batch that has to do with them.
    now: Option<u32>,
    /// The same for rate limiting, which must not heed that a clock is set.
    instant: Option<Instant>,
}

impl<'r> Answering<'r> {
    /// Counts something that was not answered.
    pub(super) fn dropped(&self, why: DropReason) {
        self.counters.dropped(self.worker, why);
    }

    /// Answers one packet into `answer`, which holds at least 512 octets. Gives the answer's length; 0 is silence.
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
        // It is large, so it is looked at where it is.
        match &read(packet) {
            Packet::Ignored(why) => {
                self.dropped(*why);
                0
            }
            Packet::Bare(bare) => {
                self.asked(client, path);
                let question = bare.question.unwrap_or_default();
                let edns = bare.edns.as_ref();
                let mut message = self.start(answer, question, edns, path);
                let cookie = self.check_cookie(edns, client, &mut message);
                message.rcode = match (bare.rcode, cookie, path) {
                    (Rcode::NoError, Some(CookieStanding::Bad), Path::Udp) => Rcode::BadCookie,
                    (rcode, ..) => rcode,
                };
                if let Some(limits) = &self.policy.rate_limit
                    && !self.admits(limits, None, client, cookie, &mut message)
                {
                    return 0;
                }
                if bare.rcode == Rcode::NotImp {
                    message.extended_error = Some(ExtendedError::NotSupported);
                }
                self.counters.outside(self.worker, message.rcode as u16);
                message.finish(bare.header)
            }
            Packet::Query(query) => {
                self.asked(client, path);
                let edns = query.edns.as_ref();
                let mut message = self.start(answer, query.question, edns, path);
                let cookie = self.check_cookie(edns, client, &mut message);
                let must_learn = self.must_learn_cookie(cookie, path);
                let asked = (!must_learn).then_some(query);
                if let Some(limits) = &self.policy.rate_limit
                    && !self.admits(limits, asked, client, cookie, &mut message)
                {
                    return 0;
                }
                if must_learn {
                    message.rcode = Rcode::BadCookie;
                    self.counters.outside(self.worker, message.rcode as u16);
                } else {
                    self.answer(query, client, &mut message);
                }
                message.finish(query.header)
            }
        }
    }

    /// Starts an answer.
    #[inline]
    fn start<'b>(
        &self,
        answer: &'b mut [u8],
        question: &[u8],
        edns: Option<&'b Edns>,
        path: Path,
    ) -> Message<'b>
    where
        'r: 'b,
    {
        let policy = self.policy;
        let (size, keepalive) = match path {
            Path::Udp => {
                let size = edns.map_or(UDP_SIZE_WITHOUT_EDNS, |it| it.size.into());
                (size.min(policy.udp_size.into()), None)
            }
            Path::Tcp { keepalive } => (usize::from(u16::MAX), Some(keepalive)),
            Path::Encrypted { keepalive, .. } => (usize::from(u16::MAX), keepalive),
        };
        let mut message = Message::new(answer, size, question, edns, keepalive, policy.udp_size);
        message.nsid = policy.identity.id.as_deref();
        message.padded = matches!(path, Path::Encrypted { .. });
        message
    }

    /// Tells what the client's cookie is worth, and what it gets back.
    #[inline]
    fn check_cookie(
        &mut self,
        edns: Option<&Edns>,
        client: IpAddr,
        message: &mut Message<'_>,
    ) -> Option<CookieStanding> {
        let cookie = edns?.cookie.as_ref()?;
        let now = *self.now.get_or_insert_with(seconds);
        let standing;
        (standing, message.cookie) = self.policy.cookie_secrets.check(cookie, client, now);
        self.counters.cookie(self.worker, standing);
        Some(standing)
    }

    /// Whether this client has to ask again with the cookie that it gets now (RFC 7873 5.2.3). Over TCP it has shown already
    /// where it is.
    fn must_learn_cookie(&self, cookie: Option<CookieStanding>, path: Path) -> bool {
        let is_good = cookie.is_none_or(|it| it == CookieStanding::Valid);
        self.policy.require_server_cookie && !is_good && matches!(path, Path::Udp)
    }

    /// Counts a query, be it a faulty one; scraps and answers are none.
    fn asked(&self, client: IpAddr, path: Path) {
        let transport = match path {
            Path::Udp => Transport::Udp,
            Path::Tcp { .. } => Transport::Tcp,
            Path::Encrypted { transport, .. } => transport,
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
            let named = self.named(resolver, query.edns.as_ref());
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

    /// The network that a trusted resolver asks for.
    fn named(&self, resolver: IpAddr, edns: Option<&Edns>) -> Option<IpAddr> {
        let network = edns?.subnet.as_ref()?.network()?;
        self.policy.trusts(resolver).then_some(network)
    }

    /// Says who this is, where that is configured (RFC 4892).
    fn introduce(&self, query: &Query<'_>, message: &mut Message<'_>) {
        let Some(name) = FoldedName::new(query.name) else { return };
        let identity = &self.policy.identity;
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
        message.truncated |= added.is_err();
    }
}

/// The time of day in seconds since 1970, which go round after 136 years.
fn seconds() -> u32 {
    (Clock::time_of_day().0 / 1000) as u32
}

/// A TXT record's one string: its length and its octets (RFC 1035 3.3.14).
fn character_string(text: &str) -> Option<Vec<u8>> {
    let length = u8::try_from(text.len()).ok()?;
    Some(std::iter::once(length).chain(text.bytes()).collect())
}
