use std::net::IpAddr;
use std::time::Duration;

use crate::snapshot::{Worker, WorkerCounters};

/// What a query came over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// A datagram.
    Udp,
    /// A stream (RFC 7766).
    Tcp,
    /// A stream in TLS (RFC 7858).
    Tls,
    /// A request over HTTP/2 or HTTP/3 (RFC 8484).
    Https,
    /// A stream of a QUIC connection (RFC 9250).
    Quic,
}

impl Transport {
    const ALL: [(Self, &'static str); 5] = [
        (Self::Udp, "udp"),
        (Self::Tcp, "tcp"),
        (Self::Tls, "tls"),
        (Self::Https, "https"),
        (Self::Quic, "quic"),
    ];
}

/// Why something was not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DropReason {
    /// Shorter than a DNS header.
    Short,
    /// An answer, not a query.
    Response,
    /// A UDP packet from port 0, to which nothing can be sent.
    PortZero,
    /// A UDP packet that claims to come from where we listen ourselves.
    OwnAddress,
    /// The operating system would not say what had come in over UDP.
    ReceiveFailed,
    /// The operating system would not send the answer.
    SendFailed,
    /// The operating system would not hand over a TCP connection, for lack of descriptors say.
    AcceptFailed,
    /// A connection that was ended for a newer one.
    Evicted,
    /// A client of a connection sent too slowly, did not read, or hung up in the middle of a message.
    BrokenStream,
    /// A TLS or QUIC client did not get through its handshake.
    HandshakeFailed,
    /// An HTTPS request that holds no query, or a QUIC stream with which a client breaks the protocol.
    Malformed,
}

impl DropReason {
    const ALL: [(Self, &'static str); 11] = [
        (Self::Short, "short"),
        (Self::Response, "response"),
        (Self::PortZero, "port_zero"),
        (Self::OwnAddress, "own_address"),
        (Self::ReceiveFailed, "receive_failed"),
        (Self::SendFailed, "send_failed"),
        (Self::AcceptFailed, "accept_failed"),
        (Self::Evicted, "evicted"),
        (Self::BrokenStream, "broken_stream"),
        (Self::HandshakeFailed, "handshake_failed"),
        (Self::Malformed, "malformed"),
    ];
}

/// What a client's cookie was worth (RFC 7873).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CookieStanding {
    /// Its server part was made here, or where the same secret is, and is not too old.
    Valid,
    /// Its server part was not.
    Bad,
    /// It has no server part yet.
    None,
}

impl CookieStanding {
    const ALL: [(Self, &'static str); 3] =
        [(Self::Valid, "valid"), (Self::Bad, "bad"), (Self::None, "none")];
}

/// What kind of answer is limited, which decides whose it counts with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnswerClass {
    /// For a name that exists, also where it has nothing of the type.
    Positive,
    /// For a name that a wildcard or a DNAME stands for.
    Synthesized,
    /// To the servers of a delegated name.
    Referral,
    /// That there is no such name.
    NxDomain,
    /// What no zone answers: errors, and what the server says of itself.
    Error,
}

impl AnswerClass {
    /// Each with its label.
    const ALL: [(Self, &'static str); 5] = [
        (Self::Positive, "positive"),
        (Self::Synthesized, "synthesized"),
        (Self::Referral, "referral"),
        (Self::NxDomain, "nxdomain"),
        (Self::Error, "error"),
    ];

    /// The word for it in metrics and in the log.
    pub fn label(self) -> &'static str {
        Self::ALL.into_iter().find(|it| it.0 == self).map_or("", |it| it.1)
    }
}

/// What becomes of an answer that is one too many for its client's network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limited {
    /// It is not sent.
    Dropped,
    /// It is sent empty and truncated, so that a real client asks over TCP.
    Slipped,
}

impl Limited {
    const ALL: [(Self, &'static str); 2] = [(Self::Dropped, "dropped"), (Self::Slipped, "slipped")];
}

/// Response codes by number; those up to BADCOOKIE (23) are counted.
const RCODES: [(usize, &str); 9] = [
    (0, "NOERROR"),
    (1, "FORMERR"),
    (2, "SERVFAIL"),
    (3, "NXDOMAIN"),
    (4, "NOTIMP"),
    (5, "REFUSED"),
    (6, "YXDOMAIN"),
    (16, "BADVERS"),
    (23, "BADCOOKIE"),
];

/// Upper bounds of the response times' buckets, in seconds.
pub(super) const BUCKETS: [f64; 9] =
    [0.000_001, 0.000_002, 0.000_005, 0.000_01, 0.000_02, 0.000_05, 0.000_1, 0.001, 0.01];

/// Where each kind of counter begins.
const QUERIES: usize = 0;
const DROPPED: usize = QUERIES + 2 * Transport::ALL.len();
const OUTSIDE: usize = DROPPED + DropReason::ALL.len();
const TIMES: usize = OUTSIDE + COUNTED_RCODES;
const TIME_SUM: usize = TIMES + BUCKETS.len() + 1;
const PANICS: usize = TIME_SUM + 1;
const COOKIES: usize = PANICS + 1;
const LIMITED: usize = COOKIES + CookieStanding::ALL.len();
const WIDTH: usize = LIMITED + AnswerClass::ALL.len() * Limited::ALL.len();

/// How many counters a zone needs for its answers by rcode.
pub const COUNTED_RCODES: usize = 24;

/// What the threads that answer queries count, each for itself.
#[derive(Debug)]
pub struct DnsCounters(WorkerCounters);

impl DnsCounters {
    /// Counters for this many workers.
    pub fn new(workers: usize) -> Self {
        Self(WorkerCounters::new(workers, WIDTH))
    }

    /// Counts a query.
    pub fn query(&self, worker: Worker, transport: Transport, client: IpAddr) {
        self.0.add(worker, QUERIES + query_index(transport, client.is_ipv6()), 1);
    }

    /// Counts what was not answered.
    pub fn dropped(&self, worker: Worker, why: DropReason) {
        self.0.add(worker, DROPPED + why as usize, 1);
    }

    /// Counts an answer that no zone gave.
    pub fn outside(&self, worker: Worker, rcode: u16) {
        self.0.add(worker, OUTSIDE + usize::from(rcode).min(COUNTED_RCODES - 1), 1);
    }

    /// Counts a query with a cookie.
    pub fn cookie(&self, worker: Worker, standing: CookieStanding) {
        self.0.add(worker, COOKIES + standing as usize, 1);
    }

    /// Counts an answer that was one too many.
    pub fn limited(&self, worker: Worker, class: AnswerClass, what: Limited) {
        self.0.add(worker, LIMITED + limited_index(class, what), 1);
    }

    /// Counts the time that a sampled answer took.
    pub fn took(&self, worker: Worker, time: Duration) {
        let seconds = time.as_secs_f64();
        let bucket = BUCKETS.iter().position(|bound| seconds <= *bound).unwrap_or(BUCKETS.len());
        self.0.add(worker, TIMES + bucket, 1);
        self.0.add(worker, TIME_SUM, u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
    }

    /// Counts a panic that was contained.
    pub fn panicked(&self, worker: Worker) {
        self.0.add(worker, PANICS, 1);
    }

    /// All queries, over whatever transport.
    pub fn count_queries(&self) -> u64 {
        self.queries().map(|(_, count)| count).sum()
    }

    pub(super) fn queries(&self) -> impl Iterator<Item = ([&'static str; 2], u64)> {
        let transports = Transport::ALL.into_iter();
        let kinds = transports.flat_map(|it| [(it, false, "ipv4"), (it, true, "ipv6")]);
        kinds.map(|((transport, name), is_v6, family)| {
            ([name, family], self.0.sum(QUERIES + query_index(transport, is_v6)))
        })
    }

    /// How often something was not answered for this reason.
    pub fn count_dropped(&self, why: DropReason) -> u64 {
        self.0.sum(DROPPED + why as usize)
    }

    pub(super) fn drops(&self) -> impl Iterator<Item = (&'static str, u64)> {
        DropReason::ALL.into_iter().map(|(why, label)| (label, self.count_dropped(why)))
    }

    /// Queries whose cookie was worth this.
    pub fn count_cookies(&self, standing: CookieStanding) -> u64 {
        self.0.sum(COOKIES + standing as usize)
    }

    pub(super) fn cookies(&self) -> impl Iterator<Item = (&'static str, u64)> {
        CookieStanding::ALL.into_iter().map(|(it, label)| (label, self.count_cookies(it)))
    }

    /// Answers of a class that were one too many, by what became of them.
    pub fn count_limited(&self, class: AnswerClass, what: Limited) -> u64 {
        self.0.sum(LIMITED + limited_index(class, what))
    }

    pub(super) fn limited_by_class(&self) -> impl Iterator<Item = ([&'static str; 2], u64)> {
        let kinds = AnswerClass::ALL.into_iter().flat_map(|it| Limited::ALL.map(|what| (it, what)));
        kinds.map(|((class, name), (what, action))| {
            ([name, action], self.count_limited(class, what))
        })
    }

    pub(super) fn outside_by_rcode(&self) -> impl Iterator<Item = (&'static str, u64)> {
        by_rcode(&self.0, OUTSIDE)
    }

    /// Cumulative buckets, and the sum in seconds.
    pub(super) fn times(&self) -> ([u64; BUCKETS.len() + 1], f64) {
        let mut buckets = [0; BUCKETS.len() + 1];
        let mut below = 0;
        for (at, bucket) in buckets.iter_mut().enumerate() {
            below += self.0.sum(TIMES + at);
            *bucket = below;
        }
        (buckets, Duration::from_nanos(self.0.sum(TIME_SUM)).as_secs_f64())
    }

    pub(super) fn panics(&self) -> u64 {
        self.0.sum(PANICS)
    }
}

/// Answers by rcode from counters that begin at `first`.
pub(super) fn by_rcode(
    counters: &WorkerCounters,
    first: usize,
) -> impl Iterator<Item = (&'static str, u64)> {
    RCODES.into_iter().map(move |(rcode, label)| (label, counters.sum(first + rcode)))
}

fn query_index(transport: Transport, is_v6: bool) -> usize {
    transport as usize * 2 + usize::from(is_v6)
}

fn limited_index(class: AnswerClass, what: Limited) -> usize {
    class as usize * Limited::ALL.len() + what as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_counted_apart() {
        let counters = DnsCounters::new(2);
        let worker = Worker(1);
        counters.query(worker, Transport::Tcp, "::1".parse().unwrap());
        for (why, _) in DropReason::ALL {
            counters.dropped(worker, why);
        }
        counters.dropped(worker, DropReason::Evicted);
        counters.outside(worker, 16);
        counters.outside(worker, 23);
        counters.cookie(worker, CookieStanding::Bad);
        counters.limited(worker, AnswerClass::Referral, Limited::Slipped);
        counters.limited(worker, AnswerClass::Error, Limited::Slipped);
        counters.took(worker, Duration::from_micros(3));
        counters.took(worker, Duration::from_secs(1));
        counters.panicked(Worker(0));
        let counted = |it: Vec<(&'static str, u64)>| {
            it.into_iter().filter(|(_, number)| *number > 0).collect::<Vec<_>>()
        };
        assert_eq!(
            counters.queries().filter(|(_, it)| *it > 0).collect::<Vec<_>>(),
            [(["tcp", "ipv6"], 1)]
        );
        let drops: Vec<_> = counters.drops().collect();
        assert!(drops.iter().all(|(label, number)| *number == 1 + u64::from(*label == "evicted")));
        assert_eq!(
            counted(counters.outside_by_rcode().collect()),
            [("BADVERS", 1), ("BADCOOKIE", 1)]
        );
        assert_eq!(counted(counters.cookies().collect()), [("bad", 1)]);
        assert_eq!(
            counters.limited_by_class().filter(|(_, it)| *it > 0).collect::<Vec<_>>(),
            [(["referral", "slipped"], 1), (["error", "slipped"], 1)]
        );
        assert_eq!(counters.times(), ([0, 0, 1, 1, 1, 1, 1, 1, 1, 2], 1.000_003));
        assert_eq!(counters.panics(), 1);
    }
}
