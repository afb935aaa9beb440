//! The HTTP API, and who gets in.

use super::super::schema::Accepts::{Boolean, Integer, OneOf, Table, Tables, Text, Texts};
use super::super::schema::{Key, Schema};
use super::NAME;

const ROLE: &[&str] = &["viewer", "operator", "admin"];
const ROLE_MEANING: &str =
    "A viewer looks, an operator changes traffic, an admin reloads and manages tokens.";
const PROFILES: &str = "a profile's name, or one like \"*.team.example.\" for all below it, or a list of 1 to 100 of them";
const PROFILES_MEANING: &str =
    "The only profiles that it sees and changes; for viewers and operators.";

pub(super) static ADMIN: Schema = Schema {
    heading: "[admin]",
    meaning: "The HTTP API and the metrics.",
    keys: &[
        Key::value(
            "listen",
            Text("an IP address with a port such as \"127.0.0.1:8053\""),
            "\"127.0.0.1:8053\"",
            "Where they are served.",
        ),
        Key::value(
            "protect_metrics",
            Boolean,
            "false",
            "Whether `/metrics` needs a token, as the API does.",
        ),
        Key::value(
            "rate_limit",
            Integer(1, 1_000_000),
            "1000",
            "Requests in a second that each token, and each client certificate, may go on making.",
        ),
        Key::value(
            "rate_burst",
            Integer(1, 1_000_000),
            "2000",
            "Requests that it may make at once, after a while without.",
        ),
        Key::table("tls", Table(&TLS)),
        Key::table("token", Tables(&TOKEN)),
        Key::table("client_certificate", Tables(&CLIENT_CERTIFICATE)),
    ],
};

static TLS: Schema = Schema {
    heading: "[admin.tls]",
    meaning: "TLS for the API and the metrics. With it, nothing is served over plain HTTP.",
    keys: &[
        Key::derived(
            "certificate",
            Text("the path of a PEM file, which begins with the own certificate"),
            "none",
            "\"/etc/farol/admin.crt\"",
            "The certificate that clients are shown, with those between it and an authority. Goes with `key`.",
        ),
        Key::derived(
            "key",
            Text("the path of a PEM file with a private key, not encrypted"),
            "none",
            "\"/etc/farol/admin.key\"",
            "The certificate's key.",
        ),
        Key::derived(
            "client_ca",
            Text("the path of a PEM file with certificates"),
            "no client is asked for a certificate",
            "\"/etc/farol/clients.crt\"",
            "The authorities whose certificates of clients are accepted; `[[admin.client_certificate]]` says who they are. Goes with `certificate`.",
        ),
        Key::value(
            "require_client_certificate",
            Boolean,
            "false",
            "Whether nobody gets in without such a certificate, also with a token, and not even to `/healthz`. Goes with `client_ca`.",
        ),
    ],
};

static TOKEN: Schema = Schema {
    heading: "[[admin.token]]",
    meaning: "A token for the API, beside those that `farol token create` makes. `farol token hash` makes such a table.",
    keys: &[
        Key::required(
            "name",
            Text(NAME),
            "\"deploy\"",
            "The name that its changes are signed with.",
        ),
        Key::required(
            "sha256",
            Texts("the 64 hexadecimal digits of a SHA-256, or a list of 1 to 4 of them"),
            "\"6e1d3a8f50b7c2949d0e4f6a8b1c3d5e7f90a2b4c6d8e0f1a3b5c7d9e1f20415\"",
            "The hash of the token. While a token is replaced by another, both have a hash.",
        )
        .secret(),
        Key::required("role", OneOf(ROLE), "\"operator\"", ROLE_MEANING),
        Key::derived(
            "profiles",
            Texts(PROFILES),
            "every profile",
            r#"["app.gtm.example.", "*.team.example."]"#,
            PROFILES_MEANING,
        ),
    ],
};

static CLIENT_CERTIFICATE: Schema = Schema {
    heading: "[[admin.client_certificate]]",
    meaning: "Who gets in by a certificate of `client_ca`, without a token.",
    keys: &[
        Key::required("name", Text(NAME), "\"ann\"", "The name that its changes are signed with."),
        Key::required(
            "san",
            Text("DNS:, email:, URI: or IP: and a name, such as \"email:ann@example.org\""),
            "\"email:ann@example.org\"",
            "The alternative name of the certificate's subject.",
        ),
        Key::required("role", OneOf(ROLE), "\"viewer\"", ROLE_MEANING),
        Key::derived(
            "profiles",
            Texts(PROFILES),
            "every profile",
            r#"["app.gtm.example.", "*.team.example."]"#,
            PROFILES_MEANING,
        ),
    ],
};
