//! What can be changed. The control task decides; an answer is sent when every worker answers by the change.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Extension, Path, State};
use axum::http::{HeaderMap, StatusCode};

use super::access::Author;
use super::body::endpoint_change;
use super::error::ApiError;
use super::etag::{Tagged, condition};
use super::look::now;
use super::names::{find_key, find_profile, no_endpoint, no_profile, no_site};
use super::openapi::{Changed, Changing, Guarded};
use super::reading::{Wrong, flag, read_body};
use super::stamp::{Terms, request, span};
use super::{Api, FromPath, Refused, render, view};
use crate::control::{Asker, Change, ChangeError, Made, ReloadError, Request, Version};
use crate::model::Change::{Clear, Keep, Set};
use crate::model::{EndpointKey, Ident, Name, chain};
use crate::snapshot::Snapshot;

/// How often it is asked whether all workers answer by a change.
const ACKNOWLEDGE_POLL: Duration = Duration::from_micros(200);

/// Changes an endpoint's weight, priority or service
///
/// A change beats the configuration until it is cleared, also over reloads and restarts. It is on the disk, and every worker
/// answers by it, when its answer arrives. An override of what is configured no more can be cleared; the answer has only a
/// generation then.
#[utoipa::path(
    patch, path = "/v1/profiles/{profile}/endpoints/{endpoint}", tag = "change",
    params(
        ("profile" = String, Path, description = "The profile's name; the dot at the end may be left out", example = "app.gtm.example."),
        ("endpoint" = String, Path, description = "The endpoint's name in it", example = "seattle"),
        ("If-Match" = Option<String>, Header, description = "ETags of the profile: change only one of these"),
    ),
    request_body = view::EndpointPatch,
    responses(
        Changed<view::Endpoint>,
        (status = 404, description = "No profile or endpoint is called so", body = view::Problem, content_type = view::Problem::MEDIA_TYPE),
        (status = 409, description = "Guardrails don't allow it", body = view::Problem, content_type = view::Problem::MEDIA_TYPE),
        Changing, Guarded,
    ),
)]
pub(super) async fn change_endpoint(
    State(api): State<Arc<Api>>,
    Extension(author): Extension<Author>,
    path: FromPath<(String, String)>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Refused<Tagged<view::Changed<Option<view::Endpoint>>>> {
    let Path((profile, endpoint)) = path?;
    let key = find_key(&api.live.load(), &profile, &endpoint)?;
    let (change, terms) = read_body(&body?, |fields| {
        let change = endpoint_change(fields);
        // Nothing is no change that only clears.
        let sets = (change.is_empty() || !change.only_clears()).then_some("what it sets");
        Some((change, Terms::read_ending(fields, sets)))
    })?;
    if change.is_empty() {
        return Err(changes_nothing(&api.live.load(), &key));
    }
    let dry_run = terms.dry_run;
    let changes = vec![Change::Endpoint(key.clone(), change)];
    let request = request(&api, author, changes, condition(&headers)?, terms)?;
    let made = make(&api, request).await?;
    let snapshot = &made.snapshot;
    let table = snapshot.profile(&key.profile);
    let now = table.and_then(|it| {
        render::endpoints(it, now(&api)).into_iter().nth(it.position(&key.endpoint)?)
    });
    let version = table.map(|it| Version::of_profile(it)).filter(|_| !dry_run);
    Ok(Tagged { version, body: changed(&api, &made, dry_run, now) })
}

/// Takes a profile out of service, or brings it back
///
/// A profile that is out of service is answered with nothing (NODATA). It beats the configuration until it is cleared, also over
/// reloads and restarts.
#[utoipa::path(
    patch, path = "/v1/profiles/{profile}", tag = "change",
    params(
        ("profile" = String, Path, description = "The profile's name; the dot at the end may be left out", example = "app.gtm.example."),
        ("If-Match" = Option<String>, Header, description = "ETags of the profile: change only one of these"),
    ),
    request_body = view::ProfilePatch,
    responses(
        Changed<view::Profile>,
        (status = 404, description = "No profile is called so", body = view::Problem, content_type = view::Problem::MEDIA_TYPE),
        (status = 409, description = "Guardrails don't allow it", body = view::Problem, content_type = view::Problem::MEDIA_TYPE),
        Changing, Guarded,
    ),
)]
pub(super) async fn change_profile(
    State(api): State<Arc<Api>>,
    Extension(author): Extension<Author>,
    profile: FromPath<String>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Refused<Tagged<view::Changed<Option<view::Profile>>>> {
    let Path(profile) = profile?;
    let name: Name = profile.parse().map_err(|_| no_profile(&api.live.load(), &profile))?;
    let (enabled, terms) = read_body(&body?, |fields| {
        let enabled = match fields.change("enabled", flag) {
            Set(enabled) => Some(enabled),
            Clear => None,
            Keep => {
                let detail = "write true or false, or null, which clears the override";
                fields.wrong("enabled", Wrong::Form(detail.to_owned()));
                return None;
            }
        };
        let sets = enabled.is_some().then_some("what it sets");
        Some((enabled, Terms::read_ending(fields, sets)))
    })?;
    let dry_run = terms.dry_run;
    let changes = vec![Change::Profile { name: name.clone(), enabled }];
    let request = request(&api, author, changes, condition(&headers)?, terms)?;
    let made = make(&api, request).await?;
    Ok(seen(&api, &made, dry_run, &name))
}

/// A profile as it is with a change, or would be.
fn seen(
    api: &Api,
    made: &Made,
    dry_run: bool,
    name: &Name,
) -> Tagged<view::Changed<Option<view::Profile>>> {
    let table = made.snapshot.profile(name);
    let profile = table.map(|it| render::profile(it, now(api)));
    let version = table.map(|it| Version::of_profile(it)).filter(|_| !dry_run);
    Tagged { version, body: changed(api, made, dry_run, profile) }
}

/// Lets the lowest priority of a profile serve again
///
/// For profiles with `failback = "manual"`: an endpoint that has recovered waits for this. Where none waits, nothing changes.
#[utoipa::path(
    post, path = "/v1/profiles/{profile}/failback", tag = "change",
    params(
        ("profile" = String, Path, description = "The profile's name; the dot at the end may be left out", example = "app.gtm.example."),
        ("If-Match" = Option<String>, Header, description = "ETags of the profile: change only one of these"),
    ),
    request_body = Option<view::FailbackRequest>,
    responses(
        Changed<view::Profile>,
        (status = 404, description = "No profile is called so", body = view::Problem, content_type = view::Problem::MEDIA_TYPE),
        (status = 409, description = "The profile fails back by itself, or guardrails don't allow it", body = view::Problem, content_type = view::Problem::MEDIA_TYPE),
        Changing, Guarded,
    ),
)]
pub(super) async fn fail_back(
    State(api): State<Arc<Api>>,
    Extension(author): Extension<Author>,
    profile: FromPath<String>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Refused<Tagged<view::Changed<Option<view::Profile>>>> {
    let Path(profile) = profile?;
    let name = find_profile(&api.live.load(), &profile)?.profile.name.clone();
    let body = body?;
    let terms = match body.is_empty() {
        true => Terms::none(),
        false => read_body(&body, |fields| Some(Terms::read(fields)))?,
    };
    let dry_run = terms.dry_run;
    let changes = vec![Change::FailBack(name.clone())];
    let request = request(&api, author, changes, condition(&headers)?, terms)?;
    let made = make(&api, request).await?;
    Ok(seen(&api, &made, dry_run, &name))
}

/// Moves the traffic away from a site
///
/// No answer names its endpoints any more; they are probed on.
#[utoipa::path(
    post, path = "/v1/sites/{site}/drain", tag = "change",
    params(
        ("site" = String, Path, description = "The site's name", example = "seattle"),
        ("If-Match" = Option<String>, Header, description = "ETags of the sites: change only one of these"),
    ),
    request_body = Option<view::DrainRequest>,
    responses(
        Changed<view::Site>,
        (status = 404, description = "No site is called so", body = view::Problem, content_type = view::Problem::MEDIA_TYPE),
        (status = 409, description = "Guardrails don't allow it", body = view::Problem, content_type = view::Problem::MEDIA_TYPE),
        Changing, Guarded,
    ),
)]
pub(super) async fn drain(
    api: State<Arc<Api>>,
    author: Extension<Author>,
    site: FromPath<String>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Refused<Tagged<view::Changed<Option<view::Site>>>> {
    set_drained(api, author, site, headers, body, true).await
}

/// Brings a site back
#[utoipa::path(
    post, path = "/v1/sites/{site}/undrain", tag = "change",
    params(
        ("site" = String, Path, description = "The site's name", example = "seattle"),
        ("If-Match" = Option<String>, Header, description = "ETags of the sites: change only one of these"),
    ),
    request_body = Option<view::UndrainRequest>,
    responses(
        Changed<view::Site>,
        (status = 404, description = "No site is called so", body = view::Problem, content_type = view::Problem::MEDIA_TYPE),
        (status = 409, description = "Guardrails don't allow it", body = view::Problem, content_type = view::Problem::MEDIA_TYPE),
        Changing, Guarded,
    ),
)]
pub(super) async fn undrain(
    api: State<Arc<Api>>,
    author: Extension<Author>,
    site: FromPath<String>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Refused<Tagged<view::Changed<Option<view::Site>>>> {
    set_drained(api, author, site, headers, body, false).await
}

async fn set_drained(
    State(api): State<Arc<Api>>,
    Extension(author): Extension<Author>,
    site: FromPath<String>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
    drained: bool,
) -> Refused<Tagged<view::Changed<Option<view::Site>>>> {
    let Path(site) = site?;
    let name: Ident = site.parse().map_err(|_| no_site(&api.live.load(), &site))?;
    let body = body?;
    let sets = drained.then_some("the drain");
    let (ramp, terms) = match body.is_empty() {
        true => (None, Terms::none()),
        false => read_body(&body, |fields| {
            let ramp = if drained { None } else { fields.optional("ramp", span) };
            Some((ramp, Terms::read_ending(fields, sets)))
        })?,
    };
    let dry_run = terms.dry_run;
    let changes = vec![Change::Site { name, drained, ramp }];
    let request = request(&api, author, changes, condition(&headers)?, terms)?;
    let made = make(&api, request).await?;
    let snapshot = &made.snapshot;
    let looking = render::Looking { snapshot, traffic: &api.traffic, now: now(&api) };
    let now = render::sites(&looking).into_iter().find(|it| it.name == site);
    let version = Some(Version::of_sites(&snapshot.sites)).filter(|_| !dry_run);
    Ok(Tagged { version, body: changed(&api, &made, dry_run, now) })
}

/// Reads the configuration anew
///
/// All of it is taken, or what runs is kept and everything that is wrong is told.
#[utoipa::path(
    post, path = "/v1/reload", tag = "change",
    responses(
        (status = 200, description = "What is different now", body = view::Reloaded),
        (status = 422, description = "The configuration has errors; what runs is kept", body = view::Problem, content_type = view::Problem::MEDIA_TYPE),
        (status = 500, description = "A fault in Farol", body = view::Problem, content_type = view::Problem::MEDIA_TYPE),
        (status = 503, description = "The daemon is stopping", body = view::Problem, content_type = view::Problem::MEDIA_TYPE),
        Guarded,
    ),
)]
pub(super) async fn reload(
    State(api): State<Arc<Api>>,
    Extension(author): Extension<Author>,
) -> Refused<Json<view::Reloaded>> {
    let by = Asker { name: author.name, from: author.remote };
    match api.control.reload_for(Some(by)).await {
        Ok(diff) => {
            let names = |it: Vec<Name>| it.iter().map(Name::to_string).collect();
            let keys = |it: Vec<&str>| it.into_iter().map(str::to_owned).collect();
            acknowledged(&api, diff.generation).await;
            Ok(Json(view::Reloaded {
                generation: diff.generation,
                added: names(diff.added),
                removed: names(diff.removed),
                changed: names(diff.changed),
                zones_or_sites_changed: diff.zones_or_sites,
                settings: keys(diff.settings),
                overridden: diff.overridden,
                unmatched_overrides: diff.unmatched,
                needs_restart: keys(diff.needs_restart),
                warnings: diff.warnings,
            }))
        }
        Err(error @ (ReloadError::Invalid(_) | ReloadError::Impossible(_))) => Err(ApiError::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            format!("what runs is kept:\n{error}"),
        )),
        Err(error @ ReloadError::Broken) => {
            Err(ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))
        }
        Err(error @ ReloadError::Stopping) => {
            Err(ApiError::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string()))
        }
    }
}

/// What a change left behind, or would.
pub(super) fn changed<T>(api: &Api, made: &Made, dry_run: bool, now: T) -> view::Changed<T> {
    let Made { snapshot, pending } = made;
    let generation = if dry_run { api.live.load().generation } else { snapshot.generation };
    let pending = snapshot.pending.iter().find(|it| Some(it.0) == *pending);
    let pending = pending.map(|it| render::pending(it.0, &it.1));
    view::Changed { generation, dry_run, pending, now }
}

/// Makes changes and waits until every worker answers by them. Gives the snapshot that has them, or would.
pub(super) async fn make(api: &Api, request: Request) -> Result<Made, ApiError> {
    let dry_run = request.dry_run;
    let made = api.control.change(request).await.map_err(|error| {
        let snapshot = api.live.load();
        match &error {
            ChangeError::NoProfile(name) => no_profile(&snapshot, &name.to_string()),
            ChangeError::NoEndpoint(key) => match snapshot.profile(&key.profile) {
                Some(table) => no_endpoint(table, key.endpoint.as_str()),
                None => no_profile(&snapshot, &key.profile.to_string()),
            },
            ChangeError::NoSite(name) => no_site(&snapshot, name.as_str()),
            ChangeError::FailsBackByItself(_) | ChangeError::TooManyPending(_) => {
                ApiError::new(StatusCode::CONFLICT, error.to_string())
            }
            ChangeError::NotPending(_) => ApiError::not_found(error.to_string(), Vec::new()),
            ChangeError::NotUndoable(_) => ApiError::bad_request(error.to_string()),
            ChangeError::Changed(now) => ApiError::changed(*now),
            ChangeError::Guardrails(breaches) => ApiError::guarded(&error, breaches),
            ChangeError::NotStored(_) => {
                ApiError::new(StatusCode::INSUFFICIENT_STORAGE, chain(&error))
            }
            ChangeError::Broken => {
                ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
            }
            ChangeError::Stopping => {
                ApiError::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string())
            }
        }
    })?;
    if !dry_run {
        acknowledged(api, made.snapshot.generation).await;
    }
    Ok(made)
}

async fn acknowledged(api: &Api, generation: u64) {
    while !api.live.is_answered_by(generation) {
        tokio::time::sleep(ACKNOWLEDGE_POLL).await;
    }
}

fn changes_nothing(snapshot: &Snapshot, key: &EndpointKey) -> ApiError {
    match snapshot.profile(&key.profile) {
        None => no_profile(snapshot, &key.profile.to_string()),
        Some(table) if table.position(&key.endpoint).is_none() => {
            no_endpoint(table, key.endpoint.as_str())
        }
        Some(_) => ApiError::bad_request(
            "the body changes nothing; send weight, priority, enabled or forced (null clears an override)",
        ),
    }
}
