//! Every key that a configuration may have.

use std::time::Duration;

use super::schema::Accepts::{
    Boolean, Duration as Span, Integer, Named, Number, OneOf, Table, Tables, Text,
};
use super::schema::{Key, Schema};

/// RFC 2181 8.
const TTL_MAX: i64 = (1 << 31) - 1;
const MILLISECOND: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);
const NAME: &str = "1 to 63 of a-z, 0-9 and `-`";
const DOMAIN: &str = "a domain name such as \"gtm.example.\"";
const ADDRESSES: &str = "an IP address, or a list of 1 to 64 of them";
const PROBE_ADDRESS: &str = "an IP address, with a port if need be: \"192.0.2.1\", \"192.0.2.1:8443\", \"[2001:db8::1]:8443\"";

pub(super) static ROOT: Schema = Schema {
    heading: "",
    meaning: "",
    keys: &[
        Key::table("server", Table(&SERVER)),
        Key::table("admin", Table(&ADMIN)),
        Key::table("state", Table(&STATE)),
        Key::table("zone", Tables(&ZONE)),
        Key::table("site", Tables(&SITE)),
        Key::table("monitor", Named(&MONITOR)),
        Key::table("profile", Tables(&PROFILE)),
    ],
};

pub(super) static SERVER: Schema = Schema {
    heading: "[server]",
    meaning: "How queries are taken.",
    keys: &[
        Key::value(
            "listen",
            Text("an IP address with a port such as \"0.0.0.0:53\", or a list of 1 to 64 of them"),
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
            "tcp_max_connections",
            Integer(1, 100_000),
            "1000",
            "TCP connections that are open at the same time.",
        ),
        Key::value(
            "tcp_idle_timeout",
            Span(Duration::from_secs(2), HOUR),
            "\"10s\"",
            "How long a TCP connection may be silent before it is closed (RFC 7766).",
        ),
        Key::derived(
            "version",
            Text("a text of 1 to 255 octets"),
            "none, such queries are refused",
            "\"farol\"",
            "The answer to version.bind and version.server in class CHAOS.",
        ),
        Key::derived(
            "id",
            Text("a text of 1 to 255 octets"),
            "none, such queries are refused",
            "\"ns1\"",
            "The answer to id.server and hostname.bind in class CHAOS, and to NSID.",
        ),
    ],
};

pub(super) static ADMIN: Schema = Schema {
    heading: "[admin]",
    meaning: "The HTTP API, the dashboard and the metrics.",
    keys: &[Key::value(
        "listen",
        Text("an IP address with a port such as \"127.0.0.1:8053\""),
        "\"127.0.0.1:8053\"",
        "Where they are served.",
    )],
};

pub(super) static STATE: Schema = Schema {
    heading: "[state]",
    meaning: "What survives a restart: operators' changes and the last verdicts.",
    keys: &[Key::value(
        "dir",
        Text("the path of a directory"),
        "\"/var/lib/farol\"",
        "Where it is kept; made if it is missing. A relative path starts at this file's directory.",
    )],
};

pub(super) static ZONE: Schema = Schema {
    heading: "[[zone]]",
    meaning: "A zone that Farol is authoritative for. There must be one at least.",
    keys: &[
        Key::required("name", Text(DOMAIN), "\"gtm.example.\"", "Its apex."),
        Key::required(
            "nameservers",
            Text("a domain name, or a list of 1 to 32 of them"),
            r#"["ns1.example.", "ns2.example."]"#,
            "The nameservers, from which Farol makes the SOA and NS records. Left out, as `ttl` and `soa` are then, if \
             `file` brings those records.",
        ),
        Key::derived(
            "file",
            Text("the path of a zone file"),
            "no static records",
            "\"gtm.example.zone\"",
            "Static records, RFC 1035 text. A relative path starts at this file's directory.",
        ),
        Key::value(
            "ttl",
            Integer(0, TTL_MAX),
            "3600",
            "Seconds that resolvers may keep the SOA and NS records that Farol makes.",
        ),
        Key::table("soa", Table(&SOA)),
    ],
};

pub(super) static SOA: Schema = Schema {
    heading: "[zone.soa]",
    meaning: "The SOA record that Farol makes from `nameservers`; times in seconds.",
    keys: &[
        Key::derived(
            "mname",
            Text(DOMAIN),
            "the first nameserver",
            "\"ns1.gtm.example.\"",
            "The primary nameserver.",
        ),
        Key::derived(
            "rname",
            Text(
                "a mailbox as a domain name: \"hostmaster.gtm.example.\" is hostmaster@gtm.example",
            ),
            "hostmaster in the zone",
            "\"hostmaster.gtm.example.\"",
            "Who answers for the zone.",
        ),
        Key::derived(
            "serial",
            Integer(0, (1 << 32) - 1),
            "a hash of the zone's records and the names of its profiles",
            "2026080101",
            "The version of the zone's data.",
        ),
        Key::value(
            "refresh",
            Integer(0, TTL_MAX),
            "3600",
            "From one look by a secondary to the next.",
        ),
        Key::value("retry", Integer(0, TTL_MAX), "600", "The same after a look that failed."),
        Key::value(
            "expire",
            Integer(0, TTL_MAX),
            "604800",
            "When a secondary without contact gives up.",
        ),
        Key::value(
            "minimum",
            Integer(0, TTL_MAX),
            "60",
            "How long resolvers may keep negative answers; the SOA's TTL caps it.",
        ),
    ],
};

pub(super) static SITE: Schema = Schema {
    heading: "[[site]]",
    meaning: "A location that endpoints are part of and that operators drain as a whole.",
    keys: &[
        Key::required("name", Text(NAME), "\"seattle\"", "Its name."),
        Key::table("location", Table(&LOCATION)),
    ],
};

pub(super) static LOCATION: Schema = Schema {
    heading: "[site.location]",
    meaning: "Where the site is. Without this table its place is unknown.",
    keys: &[
        Key::required("latitude", Number(-90.0, 90.0), "47.6", "Degrees north."),
        Key::required("longitude", Number(-180.0, 180.0), "-122.3", "Degrees east."),
        Key::derived(
            "region",
            Text("an ISO 3166 code such as \"US\" or \"US-WA\""),
            "none",
            "\"US-WA\"",
            "The country, or its subdivision.",
        ),
    ],
};

pub(super) static MONITOR: Schema = Schema {
    heading: "[monitor.NAME]",
    meaning: "How endpoints are probed. A profile names the table, or has the same keys inline, as in \
              `{ protocol = \"tcp\", port = 443 }`. An endpoint may override single keys inline.",
    keys: &[
        Key::value(
            "protocol",
            OneOf(&["http", "https", "tcp", "none"]),
            "\"http\"",
            "What a probe is. With \"none\" nothing is probed and the endpoint always counts as healthy.",
        ),
        Key::derived(
            "port",
            Integer(1, 65_535),
            "80 with http, 443 with https; tcp needs it",
            "8443",
            "The port that is probed.",
        ),
        Key::derived(
            "host",
            Text("a host name or an IP address, without a port"),
            "the profile's name; needed where that is a wildcard",
            "\"app.gtm.example\"",
            "The Host header and the name in TLS, which the certificate must be for.",
        ),
        Key::derived(
            "address",
            Text(PROBE_ADDRESS),
            "each address of the target",
            "\"192.0.2.1\"",
            "What is probed instead of the target.",
        ),
        Key::value(
            "path",
            Text(
                "a path that starts with `/`, with an optional query, percent-encoded, up to 2048 octets",
            ),
            "\"/\"",
            "What http and https ask for.",
        ),
        Key::value("method", OneOf(&["GET", "HEAD"]), "\"GET\"", "How http and https ask."),
        Key::derived(
            "headers",
            Text("a table of up to 16 header names and their values in visible ASCII"),
            "none",
            r#"{ Authorization = "Bearer …" }"#,
            "Further request headers. Their values are never shown.",
        ),
        Key::value(
            "expected_status",
            Text(
                "a list of 1 to 8 statuses from 100 to 599, or ranges of them such as \"200-299\"",
            ),
            r#"["200"]"#,
            "The statuses that pass. Any other fails, redirects too.",
        ),
        Key::value(
            "interval",
            Span(Duration::from_millis(100), HOUR),
            "\"10s\"",
            "From the start of one probe to the start of the next.",
        ),
        Key::derived(
            "timeout",
            Span(MILLISECOND, HOUR),
            "half of `interval`, at most 5s",
            "\"5s\"",
            "For a whole probe. Less than `interval`.",
        ),
        Key::derived(
            "fast_interval",
            Span(MILLISECOND, HOUR),
            "a quarter of `interval`, or `timeout` if that is longer",
            "\"5s\"",
            "The interval while a verdict is in doubt. At most `interval`.",
        ),
        Key::value(
            "tolerated_failures",
            Integer(0, 20),
            "3",
            "One more failure in a row than this turns an endpoint Degraded.",
        ),
        Key::value(
            "required_successes",
            Integer(1, 20),
            "2",
            "Successes in a row that turn it Online again.",
        ),
        Key::table("tls", Table(&TLS)),
        Key::table("flap", Table(&FLAP)),
    ],
};

pub(super) static TLS: Schema = Schema {
    heading: "[monitor.NAME.tls]",
    meaning: "What https probes demand of TLS.",
    keys: &[
        Key::derived(
            "verify",
            Boolean,
            "true",
            "false",
            "Whether the certificate's chain, name and dates are checked.",
        ),
        Key::derived(
            "ca_file",
            Text("the path of a PEM file with certificates"),
            "the operating system's authorities",
            "\"ca.pem\"",
            "Certificate authorities to trust. A relative path starts at this file's directory.",
        ),
    ],
};

pub(super) static FLAP: Schema = Schema {
    heading: "[monitor.NAME.flap]",
    meaning: "An endpoint that keeps going down must prove itself for longer.",
    keys: &[
        Key::value(
            "count",
            Integer(0, 255),
            "3",
            "How many times it may go down within `window` freely; 0 turns this off.",
        ),
        Key::value("window", Span(SECOND, DAY), "\"10m\"", "How far back going down is counted."),
        Key::value(
            "hold_down",
            Span(SECOND, DAY),
            "\"30s\"",
            "How long successes must last then; doubles with each further time.",
        ),
        Key::value(
            "max",
            Span(SECOND, DAY),
            "\"10m\"",
            "Where doubling ends. At least `hold_down`.",
        ),
    ],
};

pub(super) static PROFILE: Schema = Schema {
    heading: "[[profile]]",
    meaning: "How one name is answered.",
    keys: &[
        Key::required(
            "name",
            Text(DOMAIN),
            "\"app.gtm.example.\"",
            "The name, in one of the zones; `*.gtm.example.` stands for all that have no records.",
        ),
        Key::value("enabled", Boolean, "true", "Whether it is answered with addresses at all."),
        Key::required(
            "method",
            OneOf(&["priority", "weighted"]),
            "\"weighted\"",
            "How one of several endpoints is chosen: the first that is healthy, or shares by weight.",
        ),
        Key::value("ttl", Integer(0, TTL_MAX), "30", "Seconds that resolvers may keep an answer."),
        Key::derived(
            "monitor",
            Text("the name of a `[monitor.NAME]` table, or an inline table with its keys"),
            "a monitor with all defaults",
            "\"web\"",
            "How the endpoints are probed.",
        ),
        Key::value(
            "family",
            OneOf(&["by-method", "any"]),
            "\"by-method\"",
            "With \"any\", `priority` too looks only at endpoints with an address of the type asked for.",
        ),
        Key::value(
            "when_none_healthy",
            OneOf(&["serve_all", "last_healthy", "fallback", "nodata", "servfail"]),
            "\"serve_all\"",
            "What is answered while no endpoint is healthy.",
        ),
        Key::derived(
            "fallback",
            Text(ADDRESSES),
            "none",
            r#"["192.0.2.99"]"#,
            "The answer while none is healthy; goes with when_none_healthy = \"fallback\".",
        ),
        Key::value(
            "panic_threshold",
            Integer(0, 100),
            "0",
            "While less than this percentage of the weight is healthy, all endpoints count as healthy.",
        ),
        Key::table("endpoint", Tables(&ENDPOINT)),
    ],
};

pub(super) static ENDPOINT: Schema = Schema {
    heading: "[[profile.endpoint]]",
    meaning: "One place that traffic can go. A profile has one at least.",
    keys: &[
        Key::required("name", Text(NAME), "\"seattle\"", "Its name, unique in the profile."),
        Key::derived(
            "site",
            Text("the name of a `[[site]]`: 1 to 63 of a-z, 0-9 and `-`"),
            "none",
            "\"seattle\"",
            "The site that it is part of.",
        ),
        Key::required(
            "target",
            Text(ADDRESSES),
            r#"["192.0.2.10", "2001:db8::10"]"#,
            "What is answered.",
        ),
        Key::derived(
            "address",
            Text(PROBE_ADDRESS),
            "the monitor's `address`, or else each address of the target",
            "\"10.0.0.10\"",
            "What is probed instead of the target.",
        ),
        Key::value("enabled", Boolean, "true", "Whether it is in service."),
        Key::value(
            "weight",
            Integer(0, 65_535),
            "1",
            "Its share among its equals; 0 serves only where all others have 0 too.",
        ),
        Key::derived(
            "priority",
            Integer(1, 65_535),
            "the order of writing: 1, 2, 3…",
            "1",
            "Lower is preferred; equals share by weight.",
        ),
        Key::derived(
            "monitor",
            Text("an inline table with keys of `[monitor.NAME]`"),
            "the profile's",
            r#"{ path = "/ready" }"#,
            "Keys that override those of the profile's monitor.",
        ),
    ],
};
