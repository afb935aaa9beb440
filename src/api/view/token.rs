use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Every token that opens something.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema, PartialEq, Eq)]
pub struct Tokens {
    /// Those of the state directory and the configuration first, then by the time that they were made.
    pub tokens: Vec<Token>,
}

/// A token, without its text, which nobody has but whom it was given to.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema, PartialEq, Eq)]
pub struct Token {
    /// By which it is revoked; nothing where it was not made over the API.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The name that its changes are signed with.
    pub name: String,
    /// `viewer`, `operator` or `admin`.
    pub role: String,
    /// The profiles that it is limited to; empty for every profile.
    pub profiles: Vec<String>,
    /// `api`, `configuration`, or `file` for that of the state directory.
    pub source: String,
    /// When it was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    pub created: Option<String>,
    /// By whom.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// From when on it opens nothing any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    pub expires: Option<String>,
    /// Whether that is past.
    pub expired: bool,
    /// When it was last used, since the daemon started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    pub last_used: Option<String>,
}

/// A token that was made just now.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema, PartialEq, Eq)]
pub struct CreatedToken {
    /// The token itself. It is shown this once.
    pub secret: String,
    /// What is known of it from now on.
    pub token: Token,
}

/// A token to be made.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "deploy", "role": "operator", "profiles": ["*.team.example."], "expires": "720h"}))]
pub struct TokenRequest {
    /// The name that its changes are signed with: 1 to 63 of a-z, 0-9 and `-`. Several may have the same.
    pub name: String,
    /// `viewer`, `operator` or `admin`.
    pub role: String,
    /// Profiles to limit it to: names, or `*.team.example.` for all below; for viewers and operators.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 100)]
    pub profiles: Vec<String>,
    /// From when on it opens nothing: a time in RFC 3339, or how long from now on ("720h").
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "720h")]
    pub expires: Option<String>,
}
