//! What is written as a text: each type's own parser is the judge of it, in files and in custom resources; the schema's
//! pattern tells API servers as much of it as a pattern can.

use std::borrow::Cow;
use std::fmt::{self, Display};
use std::str::FromStr;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::window::Window;
use crate::model::{Ident, Name};
use crate::settings::{parse_duration, show_duration};

/// Why a text isn't what it should be; empty where what to write says it all.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct TextError(pub(super) &'static str);

/// A length of time, such as `15m`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(pub Duration);

/// A share, 0–100 %, such as `50%`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Percent(u8);

/// An object of a known kind: `namespace/name`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Reference {
    /// The namespace.
    pub namespace: String,
    /// The name in it.
    pub name: String,
}

/// A port of a Service: `namespace/name:port`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ServicePort {
    /// The Service.
    pub service: Reference,
    /// The port, 1–65,535.
    pub port: u16,
}

/// An object of the application's own namespace: `Deployment/web`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Workload {
    /// The kind, e.g. `Deployment`.
    pub kind: String,
    /// The name.
    pub name: String,
}

/// The SHA-256 of a chart: `sha256:` and 64 hexadecimal digits, in lower case.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Digest(String);

/// An address on the web: `http://` or `https://`, a host, and more.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Url(String);

impl Span {
    /// So many seconds.
    pub const fn seconds(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }
}

impl Percent {
    /// 50 %.
    pub const HALF: Self = Self(50);

    /// The number before the `%`, 0–100.
    pub const fn number(self) -> u8 {
        self.0
    }
}

impl Digest {
    /// The 64 digits.
    pub fn hex(&self) -> &str {
        &self.0
    }
}

impl Url {
    /// The whole of it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

const NOTHING_MORE: TextError = TextError("");

impl FromStr for Span {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        parse_duration(text).map(Self).ok_or(NOTHING_MORE)
    }
}

impl FromStr for Percent {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        let digits = text.strip_suffix('%').filter(|it| it.bytes().all(|it| it.is_ascii_digit()));
        let number = digits.and_then(|it| it.parse().ok()).filter(|it| *it <= 100);
        number.map(Self).ok_or(NOTHING_MORE)
    }
}

impl FromStr for Reference {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        let (namespace, name) = text.split_once('/').ok_or(NOTHING_MORE)?;
        if !is_label(namespace) || !is_subdomain(name) {
            return Err(NOTHING_MORE);
        }
        Ok(Self { namespace: namespace.to_owned(), name: name.to_owned() })
    }
}

impl FromStr for ServicePort {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        let (service, port) = text.rsplit_once(':').ok_or(NOTHING_MORE)?;
        let digits = Some(port).filter(|it| it.bytes().all(|it| it.is_ascii_digit()));
        let port = digits.and_then(|it| it.parse().ok()).filter(|it| *it > 0);
        Ok(Self { service: service.parse()?, port: port.ok_or(NOTHING_MORE)? })
    }
}

impl FromStr for Workload {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        let (kind, name) = text.split_once('/').ok_or(NOTHING_MORE)?;
        let is_kind = kind.starts_with(|it: char| it.is_ascii_uppercase())
            && kind.bytes().all(|it| it.is_ascii_alphanumeric());
        if !is_kind || !is_subdomain(name) {
            return Err(NOTHING_MORE);
        }
        Ok(Self { kind: kind.to_owned(), name: name.to_owned() })
    }
}

impl FromStr for Digest {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        let is_hex = |it: u8| matches!(it, b'0'..=b'9' | b'a'..=b'f');
        let hex = text.strip_prefix("sha256:").ok_or(NOTHING_MORE)?;
        let is_whole = hex.len() == 64 && hex.bytes().all(is_hex);
        is_whole.then(|| Self(hex.to_owned())).ok_or(NOTHING_MORE)
    }
}

impl FromStr for Url {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
        let host = rest.and_then(|it| it.split(['/', '?', '#']).next()).ok_or(NOTHING_MORE)?;
        let is_plain = text.bytes().all(|it| it.is_ascii_graphic());
        let has_host = !host.is_empty() && !host.starts_with(':');
        (is_plain && has_host).then(|| Self(text.to_owned())).ok_or(NOTHING_MORE)
    }
}

impl Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&show_duration(self.0))
    }
}

impl Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", self.0)
    }
}

impl Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

impl Display for ServicePort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.service, self.port)
    }
}

impl Display for Workload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind, self.name)
    }
}

impl Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", self.0)
    }
}

impl Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A name by RFC 1123, as namespaces have: without a dot.
pub(super) fn is_label(text: &str) -> bool {
    let fits = |it: u8| it.is_ascii_lowercase() || it.is_ascii_digit() || it == b'-';
    let has_ends = !text.starts_with('-') && !text.ends_with('-');
    (1..=63).contains(&text.len()) && has_ends && text.bytes().all(fits)
}

/// A name by RFC 1123, as most objects have: parts of letters, digits and hyphens, with dots between them.
pub(super) fn is_subdomain(text: &str) -> bool {
    let is_part = |it: &str| {
        let fits = |it: u8| it.is_ascii_lowercase() || it.is_ascii_digit() || it == b'-';
        !it.is_empty() && !it.starts_with('-') && !it.ends_with('-') && it.bytes().all(fits)
    };
    text.len() <= 253 && text.split('.').all(is_part)
}

/// Has a type written as its text, and has its schema tell the format by which [`judge`] knows it, the pattern that API servers
/// hold it to, and what to write.
macro_rules! written {
    ($type:ident, $pattern:literal, $write:literal) => {
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(|_| de::Error::custom(concat!("write ", $write)))
            }
        }

        impl JsonSchema for $type {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                stringify!($type).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({
                    "type": "string",
                    "format": concat!("farol-", stringify!($type)),
                    "pattern": $pattern,
                    "x-write": $write,
                })
            }
        }
    };
}

written!(Ident, "^[a-z0-9-]{1,63}$", "1 to 63 of a-z, 0-9 and `-`");
written!(Name, "^\\S+$", "a domain name, such as \"app.gtm.example.\"");
written!(Span, "^([0-9]+(h|m|s|ms))+$", "a duration, such as \"15m\" or \"1m30s\"");
written!(Percent, "^(100|[0-9]{1,2})%$", "a percentage from 0% to 100%");
written!(
    Reference,
    "^[a-z0-9]([-a-z0-9]*[a-z0-9])?/[a-z0-9]([-.a-z0-9]*[a-z0-9])?$",
    "namespace and name, such as \"ingress-nginx/controller\""
);
written!(
    ServicePort,
    "^[a-z0-9]([-a-z0-9]*[a-z0-9])?/[a-z0-9]([-.a-z0-9]*[a-z0-9])?:[0-9]{1,5}$",
    "namespace, name and port of a Service, such as \"monitoring/prometheus:9090\""
);
written!(
    Workload,
    "^[A-Z][A-Za-z0-9]*/[a-z0-9]([-.a-z0-9]*[a-z0-9])?$",
    "kind and name, such as \"Deployment/web\""
);
written!(Digest, "^sha256:[0-9a-f]{64}$", "`sha256:` and 64 hexadecimal digits in lower case");
written!(Url, "^https?://[^ ]+$", "a URL that begins with http:// or https://");
written!(
    Window,
    "^[A-Z][a-z]{2}(-[A-Z][a-z]{2})? [0-9]{2}:[0-9]{2}-[0-9]{2}:[0-9]{2} [A-Za-z0-9_+/-]+$",
    "days, times and time zone, such as \"Mon-Thu 20:00-23:00 America/New_York\""
);

/// Says what is wrong with a text, if anything; empty where what to write says it all.
pub(super) type Judge = fn(&str) -> Result<(), String>;

fn judge<T: FromStr<Err: Display>>(text: &str) -> Result<(), String> {
    text.parse::<T>().map(drop).map_err(|it| it.to_string())
}

/// Who judges texts of each format that a schema names.
pub(super) const JUDGES: [(&str, Judge); 10] = [
    // What to write is said in full by the schema.
    ("farol-Ident", |text| judge::<Ident>(text).map_err(|_| String::new())),
    ("farol-Name", judge::<Name>),
    ("farol-Span", judge::<Span>),
    ("farol-Percent", judge::<Percent>),
    ("farol-Reference", judge::<Reference>),
    ("farol-ServicePort", judge::<ServicePort>),
    ("farol-Workload", judge::<Workload>),
    ("farol-Digest", judge::<Digest>),
    ("farol-Url", judge::<Url>),
    ("farol-Window", judge::<Window>),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check<T: FromStr<Err: Display> + Display + JsonSchema>(good: &[&str], bad: &[&str]) {
        let schema = SchemaGenerator::default().into_root_schema_for::<T>();
        let pattern = schema.get("pattern").and_then(|it| it.as_str()).unwrap().to_owned();
        let pattern = regex::Regex::new(&pattern).unwrap();
        for text in good {
            assert!(text.parse::<T>().is_ok_and(|it| it.to_string() == *text), "{text}");
            // Whoever is refused by a server would never get as far as Farol.
            assert!(pattern.is_match(text), "{text} isn't of {pattern}");
        }
        for text in bad {
            assert!(text.parse::<T>().is_err(), "{text}");
        }
    }

    #[test]
    fn texts_are_read_as_they_are_shown_and_nothing_else_is() {
        check::<Ident>(&["seattle", "a-1"], &["Seattle", ""]);
        check::<Name>(&["app.gtm.example.", "*.gtm.example."], &["a..b", ""]);
        check::<Span>(&["15m", "1h30m", "500ms"], &["15", "15 m", "-1s", ""]);
        check::<Percent>(
            &["0%", "50%", "100%"],
            &["50", "101%", "%", "-1%", "+1%", "1.5%", "1000%"],
        );
        check::<Reference>(
            &["ingress-nginx/controller", "a/b.c"],
            &["a", "/a", "a/", "a/b/c", "A/b", "a./b", "a/-b", "a/b..c"],
        );
        check::<ServicePort>(
            &["monitoring/prometheus:9090"],
            &[
                "monitoring/prometheus",
                "monitoring/prometheus:0",
                "prometheus:1",
                "a/b:65536",
                "a/b:+1",
            ],
        );
        check::<Workload>(
            &["Deployment/web", "StatefulSet/a.b"],
            &[
                "deployment/web",
                "Deployment",
                "Deployment/",
                "/web",
                "Deploy ment/web",
                "Deployment/Web",
            ],
        );
        let hex = "0123456789abcdef".repeat(4);
        check::<Digest>(
            &[&format!("sha256:{hex}")],
            &[
                &hex,
                "sha256:",
                &format!("sha256:{}", hex.to_uppercase()),
                &format!("sha256:{hex}0"),
            ],
        );
        check::<Url>(
            &["https://a.example/x?y=1", "http://10.0.0.1:9090"],
            &[
                "a.example",
                "ftp://a",
                "https://",
                "https:///x",
                "http://:80",
                "http://a b",
                "http://é",
            ],
        );
    }
}
