//! What a probe is, and which keys of a monitor mean something to it.

/// The protocols by the words in the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Http,
    Https,
    Tcp,
    Tls,
    Grpc,
    Exec,
    Push,
    None,
}

impl Kind {
    pub(super) const WORDS: [(&'static str, Self); 8] = [
        ("http", Self::Http),
        ("https", Self::Https),
        ("tcp", Self::Tcp),
        ("tls", Self::Tls),
        ("grpc", Self::Grpc),
        ("exec", Self::Exec),
        ("push", Self::Push),
        ("none", Self::None),
    ];

    pub(super) fn label(self) -> &'static str {
        Self::WORDS.iter().find(|it| it.1 == self).map_or("", |it| it.0)
    }

    /// Whether a probe of this kind makes use of a key of the monitor's table.
    pub(super) fn uses(self, key: &str) -> bool {
        let http = ["path", "method", "headers", "expected_status", "expected_body", "body_limit"];
        let reports = ["push", "interval", "tolerated_failures", "required_successes", "flap"];
        let of_some =
            http.contains(&key) || ["host", "tls", "grpc", "command", "push"].contains(&key);
        match self {
            Self::Exec => {
                key == "command" || !(of_some || ["watch_connection", "source"].contains(&key))
            }
            Self::Push => reports.contains(&key),
            _ if ["command", "push"].contains(&key) => false,
            Self::Https => key != "grpc",
            Self::Http => key != "tls" && key != "grpc",
            Self::Tcp => !of_some,
            Self::Tls => !of_some || key == "host" || key == "tls",
            Self::Grpc => !http.contains(&key),
            Self::None => false,
        }
    }

    /// Whether a probe goes to an address, of the target or another one.
    pub(super) fn has_address(self) -> bool {
        !matches!(self, Self::Push | Self::None)
    }

    /// Whether a probe goes to a port.
    pub(super) fn needs_port(self) -> bool {
        !matches!(self, Self::Exec | Self::Push | Self::None)
    }

    pub(super) fn port(self) -> Option<u16> {
        match self {
            Self::Http => Some(80),
            Self::Https => Some(443),
            Self::Tcp | Self::Tls | Self::Grpc | Self::Exec | Self::Push | Self::None => None,
        }
    }
}
