use prometheus::{IntCounter, IntCounterVec, IntGauge, Opts, Registry};

/// Who was not let in over the API.
#[derive(Clone, Debug)]
pub struct AccessMetrics {
    refused: IntCounterVec,
    limited: IntCounter,
    handshakes: IntCounter,
    sessions: IntGauge,
}

/// Why a request was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthFailure {
    /// It has no token, and comes over no known client certificate.
    Missing,
    /// Nobody has its token.
    Wrong,
    /// The time of its token is over.
    Expired,
    /// Its address has sent wrong tokens, and has to wait.
    Backoff,
    /// Its role is too low.
    Role,
    /// It is about profiles that its token is not for.
    Scope,
    /// Its session is over.
    Session,
    /// A browser sends it for the page of somebody else.
    Origin,
}

impl AuthFailure {
    const ALL: [Self; 8] = [
        Self::Missing,
        Self::Wrong,
        Self::Expired,
        Self::Backoff,
        Self::Role,
        Self::Scope,
        Self::Session,
        Self::Origin,
    ];

    const fn label(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Wrong => "wrong",
            Self::Expired => "expired",
            Self::Backoff => "backoff",
            Self::Role => "role",
            Self::Scope => "scope",
            Self::Session => "session",
            Self::Origin => "origin",
        }
    }
}

impl AccessMetrics {
    /// Registers the metrics, at zero.
    ///
    /// # Errors
    /// When a metric of one of these names is registered already.
    pub fn register(registry: &Registry) -> prometheus::Result<Self> {
        let help = "Requests to the API that were refused for who asks.";
        let opts = Opts::new("farol_api_auth_failures_total", help);
        let metrics = Self {
            refused: IntCounterVec::new(opts, &["reason"])?,
            limited: IntCounter::new(
                "farol_api_rate_limited_total",
                "Requests to the API that were refused because their token had made too many.",
            )?,
            handshakes: IntCounter::new(
                "farol_api_tls_failures_total",
                "Connections to the API whose TLS handshake failed.",
            )?,
            sessions: IntGauge::new(
                "farol_api_sessions",
                "Sessions of browsers that are signed in.",
            )?,
        };
        for failure in AuthFailure::ALL {
            metrics.refused.with_label_values(&[failure.label()]);
        }
        registry.register(Box::new(metrics.refused.clone()))?;
        registry.register(Box::new(metrics.limited.clone()))?;
        registry.register(Box::new(metrics.handshakes.clone()))?;
        registry.register(Box::new(metrics.sessions.clone()))?;
        Ok(metrics)
    }

    /// Counts a request that was refused.
    pub fn refused(&self, why: AuthFailure) {
        self.refused.with_label_values(&[why.label()]).inc();
    }

    /// Counts a request too many.
    pub fn limited(&self) {
        self.limited.inc();
    }

    /// Says how many sessions there are.
    pub fn set_sessions(&self, number: usize) {
        self.sessions.set(i64::try_from(number).unwrap_or(i64::MAX));
    }

    /// Counts a handshake that failed.
    pub fn handshake_failed(&self) {
        self.handshakes.inc();
    }
}
