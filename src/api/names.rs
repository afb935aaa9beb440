//! Finds what a request names, or tells what is like it.

use std::sync::Arc;

use super::error::ApiError;
use crate::model::{EndpointKey, Name};
use crate::settings::nearest;
use crate::snapshot::{ProfileTable, Snapshot};

pub(super) fn find_profile<'s>(
    snapshot: &'s Snapshot,
    text: &str,
) -> Result<&'s Arc<ProfileTable>, ApiError> {
    let name: Option<Name> = text.parse().ok();
    name.and_then(|it| snapshot.profile(&it)).ok_or_else(|| no_profile(snapshot, text))
}

/// The endpoint's name; whether it exists is for the control task to say.
pub(super) fn find_key(
    snapshot: &Snapshot,
    profile: &str,
    endpoint: &str,
) -> Result<EndpointKey, ApiError> {
    let name: Name = profile.parse().map_err(|_| no_profile(snapshot, profile))?;
    let endpoint = match (endpoint.parse(), snapshot.profile(&name)) {
        (Ok(endpoint), _) => endpoint,
        (Err(_), Some(table)) => return Err(no_endpoint(table, endpoint)),
        (Err(_), None) => return Err(no_profile(snapshot, profile)),
    };
    Ok(EndpointKey { profile: name, endpoint })
}

pub(super) fn no_profile(snapshot: &Snapshot, text: &str) -> ApiError {
    let names: Vec<String> =
        snapshot.profiles.iter().map(|it| it.profile.name.to_string()).collect();
    not_found(&format!("no profile is called `{text}`"), text, names)
}

pub(super) fn no_endpoint(table: &ProfileTable, text: &str) -> ApiError {
    let profile = &table.profile;
    let names = profile.endpoints.iter().map(|it| it.name.to_string()).collect();
    not_found(&format!("profile `{}` has no endpoint `{text}`", profile.name), text, names)
}

pub(super) fn no_site(snapshot: &Snapshot, text: &str) -> ApiError {
    let names = snapshot.sites.iter().map(|it| it.site.name.to_string()).collect();
    not_found(&format!("no site is called `{text}`"), text, names)
}

pub(super) fn no_zone(snapshot: &Snapshot, text: &str) -> ApiError {
    let names = snapshot.zones.iter().map(|it| it.zone.name().to_string()).collect();
    not_found(&format!("no zone is called `{text}`"), text, names)
}

pub(super) fn not_found(detail: &str, text: &str, names: Vec<String>) -> ApiError {
    let near = nearest(text, names.iter().map(String::as_str)).map(str::to_owned);
    ApiError::not_found(detail, near.into_iter().collect())
}
