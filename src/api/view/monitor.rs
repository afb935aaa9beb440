use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How an endpoint is probed: the keys of its monitor, and where the probes go. Secrets are left out.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema, PartialEq)]
pub struct Monitor {
    /// `http`, `https`, `tcp`, `tls`, `grpc`, `exec`, `push` or `none`.
    pub protocol: String,
    /// Where the probes go.
    pub addresses: Vec<String>,
    /// The local addresses that they come from, where any is set.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub source: Vec<String>,
    /// The Host header and the name in TLS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// What is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The method of the request, with http and https.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// The names of further headers; their values may be secrets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<String>,
    /// The statuses that pass, each a code or a range: "200", "200-299".
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub expected_status: Vec<String>,
    /// What the answer's body must have in it: a text, or a pattern between slashes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_body: Option<String>,
    /// How much of the body is looked at, in octets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body_limit: Option<usize>,
    /// What is demanded of TLS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<MonitorTls>,
    /// The service that is asked for, with grpc; empty for the server as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// The program that is run, with its arguments.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
    /// From the start of one probe to the start of the next.
    pub interval_seconds: f64,
    /// For a whole probe.
    pub timeout_seconds: f64,
    /// The interval while a verdict is in doubt.
    pub fast_interval_seconds: f64,
    /// One more failure in a row turns it Degraded.
    pub tolerated_failures: u8,
    /// Successes in a row that turn it Online again.
    pub required_successes: u8,
    /// Whether an idle connection has it probed at once when it ends.
    #[serde(default)]
    pub watch_connection: bool,
    /// How an endpoint is held down that keeps failing.
    #[serde(default)]
    pub flap: Flap,
}

/// What a probe demands of TLS.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema, PartialEq, Eq)]
pub struct MonitorTls {
    /// Whether chain, name and validity of the certificate are checked.
    pub verify: bool,
    /// The file of the authorities that are trusted; none means those of the operating system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<String>,
    /// The file of the certificate that the probe shows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_cert: Option<String>,
    /// A certificate that is valid for fewer days is warned of; 0 for no warning.
    pub min_days_left: u16,
}

/// How an endpoint is held down that keeps failing.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema, PartialEq)]
pub struct Flap {
    /// It is, when it goes down more often than this in the window; 0 is off.
    pub count: u8,
    /// The window.
    pub window_seconds: f64,
    /// How long its successes have to last at first; it doubles each time.
    pub hold_down_seconds: f64,
    /// The longest that they have to.
    pub max_seconds: f64,
}
