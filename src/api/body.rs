//! What requests carry, checked.

use serde::de::DeserializeOwned;

use super::error::ApiError;
use super::view;
use crate::model::{Change, EndpointChange, Forced};

pub(super) fn read_body<T: DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    // serde would take a list as well: a struct's fields in the order that they happen to have.
    if !body.trim_ascii_start().starts_with(b"{") {
        return Err(ApiError::bad_request(
            "the body: send a JSON object, such as {\"reason\": \"why\"}",
        ));
    }
    serde_json::from_slice(body)
        .map_err(|error| ApiError::bad_request(format!("the body: {error}")))
}

pub(super) fn endpoint_change(patch: &view::EndpointPatch) -> Result<EndpointChange, ApiError> {
    let change = EndpointChange {
        weight: number("weight", patch.weight, 0)?,
        priority: number("priority", patch.priority, 1)?,
        enabled: field(patch.enabled),
        forced: match patch.forced.as_ref().map(Option::as_deref) {
            None => Change::Keep,
            Some(None) => Change::Clear,
            Some(Some("up")) => Change::Set(Forced::Up),
            Some(Some("down")) => Change::Set(Forced::Down),
            Some(Some(other)) => {
                return Err(ApiError::bad_request(format!(
                    "forced: found `{other}`; write `up`, `down` or null"
                )));
            }
        },
    };
    Ok(change)
}

fn field<T>(value: Option<Option<T>>) -> Change<T> {
    match value {
        None => Change::Keep,
        Some(None) => Change::Clear,
        Some(Some(value)) => Change::Set(value),
    }
}

fn number(key: &str, value: Option<Option<i64>>, least: u16) -> Result<Change<u16>, ApiError> {
    let in_range = |it: i64| u16::try_from(it).ok().filter(|it| *it >= least);
    match value {
        Some(Some(number)) => match in_range(number) {
            Some(number) => Ok(Change::Set(number)),
            None => Err(ApiError::bad_request(format!(
                "{key}: found {number}; write a whole number from {least} to 65535"
            ))),
        },
        Some(None) => Ok(Change::Clear),
        None => Ok(Change::Keep),
    }
}
