use serde::{Deserialize, Serialize};

use super::envelope::Damage;
use crate::clock::in_rfc3339;
use crate::model::Timestamp;

/// RFC 3339 where that can say it (years 0 to 9999), else milliseconds: a clock that is wildly off loses nothing.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum Time {
    Text(String),
    Milliseconds(i64),
}

impl Time {
    pub(super) fn of(timestamp: Timestamp) -> Self {
        in_rfc3339(timestamp).map_or(Self::Milliseconds(timestamp.0), Self::Text)
    }

    pub(super) fn timestamp(&self) -> Result<Timestamp, Damage> {
        match self {
            Self::Milliseconds(it) => Ok(Timestamp(*it)),
            Self::Text(text) => {
                let time: jiff::Timestamp = text.parse().map_err(|error| {
                    Damage::Value(format!("`{text}` is no RFC 3339 time: {error}"))
                })?;
                Ok(Timestamp(time.as_millisecond()))
            }
        }
    }
}
