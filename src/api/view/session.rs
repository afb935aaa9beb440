use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Who somebody is, and what they may do.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema, PartialEq, Eq)]
pub struct Session {
    /// The name that their changes are signed with.
    pub name: String,
    /// `viewer`, `operator` or `admin`.
    pub role: String,
    /// The profiles that they are limited to; null for every profile.
    pub profiles: Option<Vec<String>>,
    /// When what they came in by ends at the latest: the session or the token; null where it doesn't end by itself.
    #[schema(format = DateTime)]
    pub expires: Option<String>,
}

/// A browser that signs in.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"token": "farol_1a2b3c4d_0123456789abcdef"}))]
pub struct SessionRequest {
    /// The token that the session is to stand for.
    pub token: String,
}
