use std::time::Duration;

use super::PROBE_ADDRESS;
use crate::settings::schema::Accepts::{
    Boolean, Duration as Span, Integer, OneOf, Table, Text, Texts,
};
use crate::settings::schema::{Key, Schema};

const MILLISECOND: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);

pub(in crate::settings) static MONITOR: Schema = Schema {
    heading: "[monitor.NAME]",
    meaning: "How endpoints are probed. A profile names the table, or has the same keys inline, as in \
              `{ protocol = \"tcp\", port = 443 }`. An endpoint may override single keys inline.",
    keys: &[
        Key::value(
            "protocol",
            OneOf(&["http", "https", "tcp", "tls", "grpc", "exec", "push", "none"]),
            "\"http\"",
            "What a probe is. \"tls\" is a handshake that shows a good certificate, \"grpc\" asks grpc.health.v1, \"exec\" runs a \
             program; with \"push\" the site itself reports over the API; with \"none\" nothing is probed and the endpoint always \
             counts as healthy.",
        ),
        Key::derived(
            "port",
            Integer(1, 65_535),
            "80 with http, 443 with https; tcp, tls and grpc need it, exec may do without",
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
            Text(
                "a table of up to 16 header names and their values in visible ASCII; `${file:PATH}` and `${env:NAME}` in a \
                 value stand for what is in that file or variable, `$${` for `${`",
            ),
            "none",
            r#"{ Authorization = "Bearer ${file:/run/secrets/probe}" }"#,
            "Further request headers. Their values are never shown. A file is one line, and is read again when it changes; a \
             relative path starts at this file's directory.",
        )
        .secret(),
        Key::value(
            "expected_status",
            Texts(
                "a list of 1 to 8 statuses from 200 to 599, or ranges of them such as \"200-299\"",
            ),
            r#"["200"]"#,
            "The statuses that pass. Any other fails, redirects too.",
        ),
        Key::derived(
            "expected_body",
            Text("a text, or a pattern between slashes such as \"/^ok\\\\b/\""),
            "the body is not read",
            "\"ready\"",
            "What the answer's body must have in it. A text is found as soon as it is there; a pattern (of Rust's regex \
             crate) is looked for when the body or `body_limit` ends.",
        ),
        Key::derived(
            "body_limit",
            Integer(1, 1 << 20),
            "65536",
            "4096",
            "How many octets of the body are looked at.",
        ),
        Key::derived(
            "source",
            Texts("an address of this machine, or a list of one of IPv4 and one of IPv6"),
            "the operating system chooses",
            "\"192.0.2.9\"",
            "Where probes come from. Each address that is probed needs one of its family.",
        ),
        Key::derived(
            "command",
            Texts("a list of 1 to 64 texts, of which the first is the absolute path of a program"),
            "none; exec needs it",
            r#"["/usr/lib/farol/check-lease", "--fast"]"#,
            "What exec runs, without a shell. Exit status 0 passes. The program finds `FAROL_ADDRESS` and, if there is one, \
             `FAROL_PORT` in its environment.",
        ),
        Key::value(
            "watch_connection",
            Boolean,
            "false",
            "Whether probes over the network also hold an idle connection open. When it ends, the endpoint is probed at once.",
        ),
        Key::value(
            "interval",
            Span(Duration::from_millis(100), HOUR),
            "\"10s\"",
            "From the start of one probe to the start of the next. With push, how long the site may be silent.",
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
        Key::table("tls", Table(&TLS)).secret(),
        Key::table("grpc", Table(&GRPC)),
        Key::table("push", Table(&PUSH)).secret(),
        Key::table("flap", Table(&FLAP)),
    ],
};

static TLS: Schema = Schema {
    heading: "[monitor.NAME.tls]",
    meaning: "What https and tls probes, and those of grpc with `grpc.tls`, demand of TLS.",
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
        Key::derived(
            "client_cert",
            Text(
                "the path of a PEM file with a client's certificate, and those between it and an authority",
            ),
            "none",
            "\"probe.crt\"",
            "What probes show to servers that ask who they are. Goes with `client_key`.",
        ),
        Key::derived(
            "client_key",
            Text("the path of a PEM file with the private key of `client_cert`"),
            "none",
            "\"probe.key\"",
            "The key to `client_cert`. It is never shown.",
        )
        .secret(),
        Key::derived(
            "min_days_left",
            Integer(0, 365),
            "0",
            "14",
            "A certificate that is valid for fewer days still passes, but is warned of; 0 turns this off.",
        ),
    ],
};

static GRPC: Schema = Schema {
    heading: "[monitor.NAME.grpc]",
    meaning: "What grpc probes ask, and how.",
    keys: &[
        Key::derived(
            "service",
            Text("the name of a service, up to 255 octets of visible ASCII"),
            "\"\"",
            "\"shop.Cart\"",
            "The service whose health is asked for; \"\" is the server as a whole.",
        ),
        Key::derived(
            "tls",
            Boolean,
            "false",
            "true",
            "Whether the probe speaks TLS, as the table `tls` says. Without it, it speaks HTTP/2 in the clear.",
        ),
    ],
};

static PUSH: Schema = Schema {
    heading: "[monitor.NAME.push]",
    meaning: "Who may report how an endpoint is, with protocol = \"push\".",
    keys: &[Key::derived(
        "token",
        Text(
            "16 or more visible ASCII characters without spaces; `${file:PATH}` and `${env:NAME}` as in `headers`",
        ),
        "none; push needs it",
        "\"${file:/run/secrets/report}\"",
        "The token of the reports. It allows nothing else, and is never shown.",
    )
    .secret()],
};

static FLAP: Schema = Schema {
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
