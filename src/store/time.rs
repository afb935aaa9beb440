use serde::{Deserialize, Serialize};

use super::envelope::Damage;
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
        match jiff::Timestamp::from_millisecond(timestamp.0) {
            // Before the year 0 the text would have a sign, which is not RFC 3339.
            Ok(time) if !time.to_string().starts_with('-') => Self::Text(time.to_string()),
            _ => Self::Milliseconds(timestamp.0),
        }
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
