//! What every source is brought to before it is written down: profiles as Farol knows them, each with words on where it
//! comes from.

use std::collections::HashSet;
use std::net::IpAddr;

use crate::model::Method;

/// A whole configuration to be written.
#[derive(Clone, Debug, Default)]
pub(super) struct Draft {
    /// Remarks at the top.
    pub(super) notes: Vec<String>,
    pub(super) zones: Vec<Zone>,
    pub(super) sites: Vec<Site>,
    pub(super) profiles: Vec<Profile>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Zone {
    /// Absolute, with the dot at its end.
    pub(super) name: String,
    pub(super) nameservers: Vec<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Site {
    pub(super) name: String,
    /// Degrees north and east.
    pub(super) place: Option<(f64, f64)>,
    pub(super) region: Option<&'static str>,
}

#[derive(Clone, Debug)]
pub(super) struct Profile {
    /// Absolute, with the dot at its end.
    pub(super) name: String,
    /// Where it comes from, for people: the comment above it and the report's word for it.
    pub(super) from: String,
    /// What differs, in a few words.
    pub(super) notes: Vec<String>,
    pub(super) enabled: bool,
    pub(super) method: Method,
    pub(super) ttl: u32,
    pub(super) ttl_min: Option<u32>,
    pub(super) monitor: Option<Monitor>,
    /// Whether every method looks at the record type first.
    pub(super) any_family: bool,
    /// Percent; 0 is off.
    pub(super) panic_threshold: u8,
    pub(super) max_return: Option<u8>,
    pub(super) geo_failover: bool,
    /// Whether names are answered with their addresses.
    pub(super) flatten: bool,
    pub(super) endpoints: Vec<Endpoint>,
}

impl Profile {
    pub(super) fn new(name: String, from: String, method: Method) -> Self {
        Self {
            name,
            from,
            notes: Vec::new(),
            enabled: true,
            method,
            ttl: 30,
            ttl_min: None,
            monitor: None,
            any_family: false,
            panic_threshold: 0,
            max_return: None,
            geo_failover: true,
            flatten: false,
            endpoints: Vec::new(),
        }
    }
}

#[derive(Clone, Debug)]
pub(super) struct Endpoint {
    pub(super) name: String,
    /// What differs, in a few words.
    pub(super) notes: Vec<String>,
    pub(super) target: Target,
    pub(super) enabled: bool,
    pub(super) site: Option<String>,
    pub(super) weight: Option<u32>,
    pub(super) priority: Option<u32>,
    pub(super) geo: Vec<String>,
    pub(super) subnets: Vec<String>,
    /// What it overrides of the profile's monitor.
    pub(super) monitor: Option<Monitor>,
}

impl Endpoint {
    pub(super) fn new(name: String, target: Target) -> Self {
        Self {
            name,
            notes: Vec::new(),
            target,
            enabled: true,
            site: None,
            weight: None,
            priority: None,
            geo: Vec::new(),
            subnets: Vec::new(),
            monitor: None,
        }
    }
}

/// What an endpoint stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Target {
    Addresses(Vec<IpAddr>),
    /// Absolute, with the dot at its end.
    Name(String),
    Profile {
        /// Absolute, with the dot at its end.
        name: String,
        min: MinChildren,
    },
}

impl Target {
    /// An address, or else a name.
    pub(super) fn of(text: &str) -> Self {
        match text.parse() {
            Ok(address) => Self::Addresses(vec![address]),
            Err(_) => Self::Name(absolute(text)),
        }
    }
}

/// How many endpoints of a nested profile must be healthy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct MinChildren {
    pub(super) any: u32,
    pub(super) v4: u32,
    pub(super) v6: u32,
}

/// How something is probed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Probe {
    Http,
    Https,
    Tcp,
    None,
}

impl Probe {
    pub(super) const fn label(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
            Self::Tcp => "tcp",
            Self::None => "none",
        }
    }

    pub(super) const fn is_http(self) -> bool {
        matches!(self, Self::Http | Self::Https)
    }
}

/// Keys of a monitor; what is absent is not written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Monitor {
    pub(super) protocol: Option<Probe>,
    pub(super) port: Option<u16>,
    pub(super) host: Option<String>,
    pub(super) path: Option<String>,
    pub(super) headers: Vec<(String, String)>,
    pub(super) expected_status: Vec<String>,
    pub(super) verify: Option<bool>,
    /// Seconds.
    pub(super) interval: Option<u64>,
    /// Milliseconds.
    pub(super) timeout: Option<u64>,
    pub(super) tolerated_failures: Option<u8>,
    pub(super) required_successes: Option<u8>,
}

impl Monitor {
    /// Nothing is probed.
    pub(super) fn none() -> Self {
        Self { protocol: Some(Probe::None), ..Self::default() }
    }
}

/// Whether a text can be the name of a host, in full.
pub(super) fn is_host(text: &str) -> bool {
    let name = text.trim_end_matches('.');
    let is_label = |it: &str| {
        (1..=63).contains(&it.len())
            && it.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'-' || it == b'_')
    };
    let last = name.rsplit('.').next().unwrap_or_default();
    name.contains('.')
        && name.len() <= 253
        && name.split('.').all(is_label)
        && last.contains(|it: char| !it.is_ascii_digit())
}

/// A name with the dot at its end, in small letters.
pub(super) fn absolute(name: &str) -> String {
    format!("{}.", name.trim_end_matches('.').to_ascii_lowercase())
}

/// The name of an endpoint, a site or a monitor that is most like a text, and that none of `taken` has.
pub(super) fn ident(text: &str, taken: &mut HashSet<String>) -> String {
    let mut words = String::new();
    for letter in text.to_ascii_lowercase().chars() {
        match letter {
            'a'..='z' | '0'..='9' => words.push(letter),
            _ if !words.is_empty() && !words.ends_with('-') => words.push('-'),
            _ => {}
        }
    }
    let words = words.trim_end_matches('-');
    let base: String = if words.is_empty() { "endpoint" } else { words }.chars().take(57).collect();
    let numbered = (2..).map(|it| format!("{base}-{it}"));
    let free = std::iter::once(base.clone()).chain(numbered).find(|it| !taken.contains(it));
    let name = free.unwrap_or(base);
    taken.insert(name.clone());
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_idents_of_their_own() {
        let mut taken = HashSet::new();
        for (text, expected) in [
            ("My external endpoint", "my-external-endpoint"),
            ("my_external.endpoint", "my-external-endpoint-2"),
            ("--EU--", "eu"),
            ("東京", "endpoint"),
            ("", "endpoint-2"),
        ] {
            assert_eq!(ident(text, &mut taken), expected);
        }
        assert!(ident(&"x".repeat(300), &mut taken).len() <= 63);
    }

    #[test]
    fn a_target_is_an_address_or_a_name() {
        assert_eq!(Target::of("App.Example"), Target::Name("app.example.".to_owned()));
        let address = "2001:db8::1".parse().unwrap();
        assert_eq!(Target::of("2001:db8::1"), Target::Addresses(vec![address]));
    }
}
