//! How queries are taken.

use std::time::Duration;

use super::super::schema::Accepts::{Boolean, Duration as Span, Integer, Text, Texts};
use super::super::schema::{Key, Schema};

pub(super) static SERVER: Schema = Schema {
    heading: "[server]",
    meaning: "How queries are taken.",
    keys: &[
        Key::value(
            "listen",
            Texts("an IP address with a port such as \"0.0.0.0:53\", or a list of 1 to 64 of them"),
            r#"["0.0.0.0:53", "[::]:53"]"#,
            "Where queries are answered, over UDP and TCP.",
        ),
        Key::derived(
            "workers",
            Integer(1, 1024),
            "the number of cores",
            "2",
            "Threads that answer over UDP.",
        ),
        Key::value(
            "udp_size",
            Integer(512, 4096),
            "1232",
            "The octets of the largest UDP message that is advertised and sent (EDNS). Above 1232, answers may be broken into \
             fragments, which many networks drop.",
        ),
        Key::value(
            "tcp_max_connections",
            Integer(1, 100_000),
            "1000",
            "TCP connections that are open at the same time.",
        ),
        Key::value(
            "tcp_idle_timeout",
            Span(Duration::from_secs(2), Duration::from_secs(3600)),
            "\"10s\"",
            "How long a TCP connection may be silent before it is closed (RFC 7766).",
        ),
        Key::derived(
            "version",
            Text("a text of 1 to 255 octets"),
            "none, such queries are refused",
            "\"farol\"",
            "The answer to version.bind in class CHAOS.",
        ),
        Key::derived(
            "id",
            Text("a text of 1 to 255 octets"),
            "none, such queries are refused",
            "\"ns1\"",
            "The answer to id.server in class CHAOS, and to the EDNS option NSID (RFC 5001).",
        ),
        Key::derived(
            "cookie_secrets",
            Texts(
                "32 hexadecimal digits, which `${file:PATH}` or `${env:NAME}` may stand for, or a list of 1 to 4 such texts",
            ),
            "a random one, made at each start",
            r#"["${file:/run/secrets/dns-cookie}"]"#,
            "What the cookies that clients get are signed with (RFC 7873): the first signs, all are accepted. Instances that share \
             them accept each other's cookies. They are never shown, and a file is read again when it changes.",
        )
        .secret(),
        Key::value(
            "require_server_cookie",
            Boolean,
            "false",
            "Whether a client whose cookie was not made here, or is too old, gets a new one over UDP and no answer (BADCOOKIE), \
             so that it asks again with that.",
        ),
    ],
};
