//! How many answers over UDP a network of clients may have.

use std::time::Duration;

use super::super::schema::Accepts::{Duration as Span, Integer, Texts};
use super::super::schema::{Key, Schema};

const RATE: (i64, i64) = (1, 1_000_000);

pub(super) static RATE_LIMIT: Schema = Schema {
    heading: "[rate_limit]",
    meaning: "How many answers over UDP a network of clients gets in a second from each of `server.workers`, so that nobody floods \
         it with answers that it never asked for. Without this table nothing is limited. Neither are clients with a good \
         DNS cookie, nor those over TCP.",
    keys: &[
        Key::required(
            "responses_per_second",
            Integer(RATE.0, RATE.1),
            "20",
            "Answers for one name that exists; for one zone those by wildcards and DNAMEs together, and referrals together.",
        ),
        Key::derived(
            "nxdomains_per_second",
            Integer(RATE.0, RATE.1),
            "as `responses_per_second`",
            "10",
            "Answers that a name doesn't exist, for one zone.",
        ),
        Key::derived(
            "errors_per_second",
            Integer(RATE.0, RATE.1),
            "as `responses_per_second`",
            "10",
            "Errors, and whatever else no zone answers.",
        ),
        Key::value(
            "window",
            Span(Duration::from_secs(1), Duration::from_secs(3600)),
            "\"15s\"",
            "How long a network that went on asking gets nothing more after it has stopped, at most.",
        ),
        Key::value(
            "slip",
            Integer(0, 10),
            "2",
            "One in so many limited answers is sent empty and truncated, upon which a real client asks over TCP; the others are \
             not sent at all. With 1 all are, with 0 none is.",
        ),
        Key::value(
            "ipv4_prefix",
            Integer(1, 32),
            "24",
            "The length of the networks that are counted together, in IPv4.",
        ),
        Key::value("ipv6_prefix", Integer(1, 128), "56", "The same in IPv6."),
        Key::derived(
            "exempt",
            Texts(
                "a network such as \"192.0.2.0/24\" or \"2001:db8::/32\", or a list of 1 to 10000 of them",
            ),
            "none",
            r#"["192.0.2.0/24"]"#,
            "Clients that are never limited: your own resolvers, say.",
        ),
    ],
};
