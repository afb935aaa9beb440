//! Every key that a configuration may have.

mod admin;
mod geo;
mod guardrails;
mod monitor;
mod profile;
mod rate_limit;
mod server;

pub(super) use geo::PLACE;
pub(super) use monitor::MONITOR;
pub(super) use profile::AFFINITY;

use std::time::Duration;

use super::schema::Accepts::{
    Boolean, Duration as Span, Integer, Named, Number, Table, Tables, Text, Texts,
};
use super::schema::{Key, Schema};
use admin::ADMIN;
use geo::{CLIENT_NETWORK, ECS, GEO};
use guardrails::GUARDRAILS;
use profile::PROFILE;
use rate_limit::RATE_LIMIT;
use server::SERVER;

/// RFC 2181 8.
const TTL_MAX: i64 = (1 << 31) - 1;
const NAME: &str = "1 to 63 of a-z, 0-9 and `-`";
const DOMAIN: &str = "a domain name such as \"gtm.example.\"";
const PROBE_ADDRESS: &str = "an IP address, with a port if need be: \
     \"192.0.2.1\", \"192.0.2.1:8443\", \"[2001:db8::1]:8443\"";

pub(super) static ROOT: Schema = Schema {
    heading: "",
    meaning: "",
    keys: &[
        Key::table("server", Table(&SERVER)),
        Key::table("admin", Table(&ADMIN)),
        Key::table("state", Table(&STATE)),
        Key::table("metrics", Table(&METRICS)),
        Key::table("probe", Table(&PROBE)),
        Key::table("resolver", Table(&RESOLVER)),
        Key::table("fleet", Table(&FLEET)),
        Key::table("rate_limit", Table(&RATE_LIMIT)),
        Key::table("guardrails", Table(&GUARDRAILS)),
        Key::table("zone", Tables(&ZONE)),
        Key::table("site", Tables(&SITE)),
        Key::table("client_network", Tables(&CLIENT_NETWORK)),
        Key::table("geo", Table(&GEO)),
        Key::table("ecs", Table(&ECS)),
        Key::table("monitor", Named(&MONITOR)),
        Key::table("profile", Tables(&PROFILE)),
    ],
};

static STATE: Schema = Schema {
    heading: "[state]",
    meaning: "What survives a restart: operators' changes, the last verdicts and the API's token.",
    keys: &[
        Key::value(
            "dir",
            Text("the path of a directory"),
            "\"/var/lib/farol\"",
            "Where it is kept; made if it is missing. A relative path starts at this file's directory.",
        ),
        Key::value(
            "max_age",
            Span(Duration::from_secs(1), Duration::from_secs(86_400)),
            "\"10m\"",
            "How old a verdict may be to be served by after a restart. One that says Degraded counts longer, until a \
             success.",
        ),
    ],
};

static METRICS: Schema = Schema {
    heading: "[metrics]",
    meaning: "What `/metrics` shows.",
    keys: &[Key::value(
        "per_endpoint",
        Boolean,
        "true",
        "Whether there are series for each profile and endpoint, about 30 for an endpoint; without them the totals and the \
         overrides remain.",
    )],
};

static PROBE: Schema = Schema {
    heading: "[probe]",
    meaning: "What all probes have in common.",
    keys: &[Key::derived(
        "max_concurrent_probes",
        Integer(1, 1_000_000),
        "as many as there are, and as the limit of open files allows",
        "10000",
        "How many probes may be under way at the same time, each address counted. Where they are too few, sites share them \
         fairly.",
    )],
};

static RESOLVER: Schema = Schema {
    heading: "[resolver]",
    meaning: "How Farol finds the addresses of targets that are names, for their probes and for `flatten`.",
    keys: &[
        Key::derived(
            "servers",
            Texts(
                "an IP address, with a port if need be: \"192.0.2.53\", \"[2001:db8::53]:5353\", or a list of 1 to 16 of them",
            ),
            "the system's, from /etc/resolv.conf",
            r#"["192.0.2.53", "192.0.2.54"]"#,
            "The recursive resolvers that are asked, over UDP, and over TCP where that does not do.",
        ),
        Key::value(
            "timeout",
            Span(Duration::from_millis(100), Duration::from_secs(30)),
            "\"2s\"",
            "How long one question to one of them may take; it is asked twice.",
        ),
    ],
};

static FLEET: Schema = Schema {
    heading: "[fleet]",
    meaning: "The Kubernetes clusters behind the sites, which tell the addresses of endpoints that are `discovered`.",
    keys: &[Key::derived(
        "file",
        Text("the path of a fleet's description"),
        "none, no cluster is asked",
        "\"fleet.yaml\"",
        "The fleet's description (docs/FLEET.md). A relative path starts at this file's directory. It is read anew with the \
         configuration.",
    )],
};

static ZONE: Schema = Schema {
    heading: "[[zone]]",
    meaning: "A zone that Farol is authoritative for. There must be one at least.",
    keys: &[
        Key::required("name", Text(DOMAIN), "\"gtm.example.\"", "Its apex."),
        Key::required(
            "nameservers",
            Texts("a domain name, or a list of 1 to 32 of them"),
            r#"["ns1.example.", "ns2.example."]"#,
            "The nameservers, from which Farol makes the SOA and NS records. Left out where `file` brings those records, and \
             then so are `ttl` and `soa`.",
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

static SOA: Schema = Schema {
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

static SITE: Schema = Schema {
    heading: "[[site]]",
    meaning: "A location that endpoints are part of and that operators drain as a whole.",
    keys: &[
        Key::required("name", Text(NAME), "\"seattle\"", "Its name."),
        Key::table("location", Table(&LOCATION)),
        Key::table("requests", Table(&REQUESTS)),
    ],
};

static REQUESTS: Schema = Schema {
    heading: "[site.requests]",
    meaning: "How the requests that the site gets are measured, while it is drained: a drain is safe when they are quiet, too.",
    keys: &[
        Key::required(
            "prometheus",
            Text("the URL of a Prometheus, such as \"http://prometheus.example:9090\""),
            "\"http://prometheus.example:9090\"",
            "Whom to ask.",
        ),
        Key::required(
            "query",
            Text("PromQL that gives one value"),
            "'sum(rate(nginx_ingress_controller_requests{site=\"seattle\"}[1m])) or vector(0)'",
            "What to ask.",
        ),
        Key::value(
            "quiet",
            Number(0.0, 1e12),
            "0",
            "From this value on downwards the site is quiet.",
        ),
    ],
};

static LOCATION: Schema = Schema {
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
