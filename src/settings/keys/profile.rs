use super::guardrails::OWN_GUARDRAILS;
use super::{DOMAIN, NAME, PROBE_ADDRESS, TTL_MAX};
use std::time::Duration;

use crate::settings::schema::Accepts::{
    Boolean, Duration as Span, Integer, Number, OneOf, Table, Tables, Text, Texts,
};
use crate::settings::schema::{Key, Schema};

const TARGETS: &str =
    "an IP address, a list of 1 to 64 of them, or a DNS name such as \"app.example.net.\"";
const ADDRESSES: &str = "an IP address, or a list of 1 to 64 of them";

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
            OneOf(&["priority", "weighted", "performance", "geographic", "subnet", "multivalue"]),
            "\"weighted\"",
            "How one of several endpoints is chosen: the first that is healthy, shares by weight, the nearest to the client, by \
             the client's region or network, or several at once.",
        ),
        Key::value("ttl", Integer(0, TTL_MAX), "30", "Seconds that resolvers may keep an answer."),
        Key::derived(
            "ttl_min",
            Integer(0, TTL_MAX),
            "off, always `ttl`",
            "5",
            "While an endpoint is in doubt, answers may be kept only until a change is possible, and so many seconds at least. \
             At most `ttl`.",
        ),
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
            "With \"any\", every method looks only at endpoints with an address of the type asked for; else `weighted` and \
             `multivalue` do.",
        ),
        Key::value(
            "when_none_healthy",
            OneOf(&["serve_all", "last_healthy", "fallback", "nodata", "servfail"]),
            "\"serve_all\"",
            "What is answered while no endpoint is healthy.",
        ),
        Key::derived(
            "fallback",
            Texts(ADDRESSES),
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
        Key::derived(
            "max_return",
            Integer(1, 16),
            "2",
            "2",
            "How many endpoints an answer names with `multivalue`.",
        ),
        Key::derived(
            "failback",
            OneOf(&["automatic", "manual"]),
            "\"automatic\"",
            "\"manual\"",
            "With \"manual\", a recovered endpoint of lower `priority` waits for `farol profile failback`.",
        ),
        Key::derived(
            "geo_failover",
            Boolean,
            "true",
            "false",
            "With `geographic`: whether a Degraded endpoint is left for the next wider region.",
        ),
        Key::derived(
            "flatten",
            Boolean,
            "false",
            "true",
            "Whether a target that is a name is answered with the addresses that Farol finds for it, instead of a CNAME.",
        ),
        Key::table("affinity", Table(&AFFINITY)),
        Key::table("guardrails", Table(&OWN_GUARDRAILS)),
        Key::table("endpoint", Tables(&ENDPOINT)),
    ],
};

pub(in crate::settings) static AFFINITY: Schema = Schema {
    heading: "[profile.affinity]",
    meaning: "Keeps each client network at one endpoint, as long as that serves. Without this table each query is drawn anew.",
    keys: &[
        Key::value(
            "prefix4",
            Integer(1, 32),
            "24",
            "The prefix length of an IPv4 client's network.",
        ),
        Key::value(
            "prefix6",
            Integer(1, 128),
            "56",
            "The prefix length of an IPv6 client's network.",
        ),
    ],
};

static ENDPOINT: Schema = Schema {
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
            Texts(TARGETS),
            r#"["192.0.2.10", "2001:db8::10"]"#,
            "What is answered; a name by CNAME, unless the profile has `flatten`. Left out where `profile` or `discovered` is written.",
        ),
        Key::value(
            "discovered",
            Boolean,
            "false",
            "Whether the addresses are those that the cluster of the endpoint's `site` exposes, as `[fleet]` describes it, instead of a \
             `target`.",
        ),
        Key::derived(
            "profile",
            Text(DOMAIN),
            "none, `target` is answered",
            "\"eu.app.gtm.example.\"",
            "Another profile, which answers for this endpoint (nested, up to 10 deep).",
        ),
        Key::derived(
            "min_child_endpoints",
            Integer(1, 65_535),
            "1",
            "2",
            "How many endpoints of the nested profile must be healthy for it to count as healthy.",
        ),
        Key::derived(
            "min_child_endpoints_ipv4",
            Integer(0, 65_535),
            "0",
            "1",
            "The same, of those with an IPv4 address.",
        ),
        Key::derived(
            "min_child_endpoints_ipv6",
            Integer(0, 65_535),
            "0",
            "1",
            "The same, of those with an IPv6 address.",
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
        Key::value(
            "capacity",
            Integer(0, 1_000_000),
            "1",
            "How much it can carry, in any unit that the profile's endpoints share; for `min_capacity`.",
        ),
        Key::derived(
            "priority",
            Integer(1, 65_535),
            "the order of writing: 1, 2, 3…",
            "1",
            "Lower is preferred; equals share by weight.",
        ),
        Key::derived(
            "slow_start",
            Span(Duration::from_secs(1), Duration::from_secs(3600)),
            "off, its full share at once",
            "\"60s\"",
            "How long it takes from 10 % of its share to all of it, after it recovered, was undrained or was enabled again.",
        ),
        Key::derived(
            "geo",
            Texts(
                "WORLD, a grouping such as \"GEO-EU\", an ISO 3166 code such as \"US\" or \"US-WA\", or a list of 1 to \
                 1024 of them",
            ),
            "none",
            r#"["GEO-EU", "US-WA"]"#,
            "The parts of the world that it serves; none may be given to two endpoints.",
        ),
        Key::derived(
            "subnets",
            Texts(
                "a network such as \"10.0.0.0/8\", a range such as \"10.0.0.1-10.0.0.9\", an address, or a list of 1 to \
                 10000 of them",
            ),
            "none",
            r#"["10.20.0.0/16", "2001:db8:20::/48"]"#,
            "The clients' networks that it serves. One may lie in another of the profile, and then has precedence; apart from that no two overlap.",
        ),
        Key::derived(
            "monitor",
            Text("an inline table with keys of `[monitor.NAME]`"),
            "the profile's",
            r#"{ path = "/ready" }"#,
            "Keys that override those of the profile's monitor.",
        ),
        Key::table("location", Table(&LOCATION)),
    ],
};

static LOCATION: Schema = Schema {
    heading: "[profile.endpoint.location]",
    meaning: "Where the endpoint is. Without this table it is where its site is.",
    keys: &[
        Key::required("latitude", Number(-90.0, 90.0), "47.6", "Degrees north."),
        Key::required("longitude", Number(-180.0, 180.0), "-122.3", "Degrees east."),
    ],
};
