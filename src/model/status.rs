/// What probing has found, before an operator's word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// No result yet.
    #[default]
    Unknown,
    /// Passing.
    Online,
    /// Failing.
    Degraded,
}

impl Verdict {
    /// The word for people and programs.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Unknown => "Unknown",
            Self::Online => "Online",
            Self::Degraded => "Degraded",
        }
    }
}

/// An operator's word that overrides the verdict; probing goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Forced {
    /// Treated as Online.
    Up,
    /// Treated as Degraded.
    Down,
}

impl Forced {
    /// The word that the API and the command line use.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Down => "down",
        }
    }
}

/// The state of an endpoint, in the words of Azure Traffic Manager.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EndpointStatus {
    /// Switched off, by the configuration or an operator.
    Disabled,
    /// Its profile is switched off.
    Inactive,
    /// It stands for a profile that is switched off, or has nothing in service.
    Stopped,
    /// It, or its site, is drained.
    Drained,
    /// Not probed, by configuration; served.
    Unmonitored,
    /// Not yet probed; served.
    CheckingEndpoint,
    /// Passing its probes, or forced up.
    Online,
    /// Failing its probes, or forced down.
    Degraded,
}

impl EndpointStatus {
    /// Every status, in the order of metrics and documentation.
    pub const ALL: [Self; 8] = [
        Self::Disabled,
        Self::Inactive,
        Self::Stopped,
        Self::Drained,
        Self::Unmonitored,
        Self::CheckingEndpoint,
        Self::Online,
        Self::Degraded,
    ];

    /// The word that the API, the command line and the metrics use.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Disabled => "Disabled",
            Self::Inactive => "Inactive",
            Self::Stopped => "Stopped",
            Self::Drained => "Drained",
            Self::Unmonitored => "Unmonitored",
            Self::CheckingEndpoint => "CheckingEndpoint",
            Self::Online => "Online",
            Self::Degraded => "Degraded",
        }
    }

    /// Whether it has its part in routing, be it unhealthy or drained.
    pub const fn is_in_service(self) -> bool {
        !matches!(self, Self::Disabled | Self::Inactive | Self::Stopped)
    }

    /// Whether routing counts it as healthy: Online, Unmonitored and CheckingEndpoint.
    pub const fn is_healthy(self) -> bool {
        matches!(self, Self::Unmonitored | Self::CheckingEndpoint | Self::Online)
    }
}

/// The state of a profile, summed up from its endpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ProfileStatus {
    /// Switched off.
    Disabled,
    /// No endpoint is in service.
    Inactive,
    /// Endpoints are in service, and none has a verdict yet.
    CheckingEndpoints,
    /// Every endpoint in service that has a verdict passes.
    Online,
    /// An endpoint in service fails.
    Degraded,
}

impl ProfileStatus {
    /// Every status, in the order of metrics and documentation.
    pub const ALL: [Self; 5] =
        [Self::Disabled, Self::Inactive, Self::CheckingEndpoints, Self::Online, Self::Degraded];

    /// The word that the API and the command line use.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Disabled => "Disabled",
            Self::Inactive => "Inactive",
            Self::CheckingEndpoints => "CheckingEndpoints",
            Self::Online => "Online",
            Self::Degraded => "Degraded",
        }
    }
}
