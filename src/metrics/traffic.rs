use super::dns::{BUCKETS, DnsCounters, by_rcode};
use super::text::{Head, Kind, Text};
use crate::snapshot::Snapshot;

/// Writes down everything that the workers have counted.
pub(super) fn write(snapshot: &Snapshot, counters: &DnsCounters, out: &mut Text) {
    let mut queries = out.family(Head {
        name: "farol_dns_queries_total",
        kind: Kind::Counter,
        help: "Queries received, also faulty ones, by transport and address family.",
    });
    for ([transport, family], count) in counters.queries() {
        queries.add(&[("transport", transport), ("family", family)], count);
    }
    let mut responses = out.family(Head {
        name: "farol_dns_responses_total",
        kind: Kind::Counter,
        help: "Answers sent, by zone (empty: no zone of ours) and response code.",
    });
    for (rcode, count) in counters.outside_by_rcode() {
        responses.add(&[("zone", ""), ("rcode", rcode)], count);
    }
    for table in snapshot.zones.iter() {
        let zone = table.zone.name().to_string();
        for (rcode, count) in by_rcode(&table.responses, 0) {
            responses.add(&[("zone", &zone), ("rcode", rcode)], count);
        }
    }
    let mut cookies = out.family(Head {
        name: "farol_dns_cookies_total",
        kind: Kind::Counter,
        help: "Queries with a DNS cookie, by what its server part is worth (none: there was none).",
    });
    for (server_part, count) in counters.cookies() {
        cookies.add(&[("server_part", server_part)], count);
    }
    let mut limited = out.family(Head {
        name: "farol_dns_rate_limited_total",
        kind: Kind::Counter,
        help: "Answers that were one too many for a client's network, by class and by what became of them (slipped: sent empty and truncated).",
    });
    for ([class, action], count) in counters.limited_by_class() {
        limited.add(&[("class", class), ("action", action)], count);
    }
    let mut dropped = out.family(Head {
        name: "farol_dns_dropped_total",
        kind: Kind::Counter,
        help: "Packets that got no answer and connections that were cut off, by reason.",
    });
    for (reason, count) in counters.drops() {
        dropped.add(&[("reason", reason)], count);
    }
    out.counter(
        "farol_dns_worker_panics_total",
        "Panics of DNS workers that were contained.",
        counters.panics(),
    );
    let (buckets, sum) = counters.times();
    let times = Head {
        name: "farol_dns_response_seconds",
        kind: Kind::Histogram,
        help: "How long it took to make an answer, of one in 64.",
    };
    out.family(times).histogram(&BUCKETS, &buckets, sum);
}
