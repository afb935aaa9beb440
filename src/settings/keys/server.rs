//! How queries are taken.

use std::time::Duration;

use super::super::schema::Accepts::{Boolean, Duration as Span, Integer, Table, Text, Texts};
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
            "listen_tls",
            Texts("an IP address with a port such as \"0.0.0.0:853\", or a list of 1 to 64 of them"),
            "none",
            r#"["0.0.0.0:853", "[::]:853"]"#,
            "Where queries are answered over TLS (DoT, RFC 7858), besides. Goes with `certificate` and `key` in `[server.tls]`.",
        ),
        Key::derived(
            "listen_https",
            Texts("an IP address with a port such as \"0.0.0.0:443\", or a list of 1 to 64 of them"),
            "none",
            r#"["0.0.0.0:443", "[::]:443"]"#,
            "Where queries are answered over HTTPS (DoH, RFC 8484): HTTP/2 over TCP, and HTTP/3 over UDP. Goes with `[server.tls]`.",
        ),
        Key::value(
            "https_path",
            Text("a path such as \"/dns-query\", of up to 255 octets"),
            "\"/dns-query\"",
            "The path of queries over HTTPS.",
        ),
        Key::derived(
            "listen_quic",
            Texts("an IP address with a port such as \"0.0.0.0:853\", or a list of 1 to 64 of them"),
            "none",
            r#"["0.0.0.0:853", "[::]:853"]"#,
            "Where queries are answered over QUIC (DoQ, RFC 9250). Goes with `[server.tls]`.",
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
            "How long a connection may be silent before it is closed (RFC 7766), also over TLS, HTTPS and QUIC.",
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
        Key::table("tls", Table(&TLS)),
    ],
};

static TLS: Schema = Schema {
    heading: "[server.tls]",
    meaning: "What clients over TLS, HTTPS and QUIC are shown, and how many there may be.",
    keys: &[
        Key::derived(
            "certificate",
            Text(
                "the path of a PEM file with a certificate, and those between it and an authority",
            ),
            "none",
            "\"/etc/farol/tls.crt\"",
            "The server's certificate. A file that changes is read again; connections that are open stay. Goes with `key`.",
        ),
        Key::derived(
            "key",
            Text("the path of a PEM file with a private key, not encrypted"),
            "none",
            "\"/etc/farol/tls.key\"",
            "The certificate's key.",
        ),
        Key::value(
            "max_connections",
            Integer(1, 100_000),
            "1000",
            "Connections over TLS, HTTPS and QUIC that are open at the same time, all together.",
        ),
    ],
};
