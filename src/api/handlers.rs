use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, PathRejection, QueryRejection};
use axum::extract::{Extension, Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::auth::Author;
use super::error::ApiError;
use super::render::{self, Now};
use super::{Api, explain as explanation, view};
use crate::clock::Clock;
use crate::control::{Change, ChangeError, ReloadError, chain};
use crate::health::first_verdict_within;
use crate::metrics::MEDIA_TYPE;
use crate::model::{
    self, EndpointChange, EndpointKey, Forced, Ident, Name, Protocol, RecordType, Stamp, Verdict,
};
use crate::routing::{Draw, mix};
use crate::settings::nearest;
use crate::snapshot::{ProfileTable, Snapshot};

type Answer<T> = Result<Json<T>, ApiError>;
/// What stands in the path; it may be no UTF-8.
type FromPath<T> = Result<Path<T>, PathRejection>;

/// How often it is asked whether all workers answer by a change.
const ACKNOWLEDGE_POLL: Duration = Duration::from_micros(200);
/// The longest reason that is kept, in characters.
const MAX_REASON: usize = 1000;

/// Answered with 503 while the control task has stalled: changes, verdicts and reloads wait then, and queries do not.
pub(super) async fn health(State(api): State<Arc<Api>>) -> Response {
    if !api.control_heart.is_stalled() {
        return "ok\n".into_response();
    }
    let silent = api.control_heart.silence().as_secs();
    let detail = format!("the control task has given no sign of life for {silent} s");
    ApiError::new(StatusCode::SERVICE_UNAVAILABLE, detail).into_response()
}

pub(super) async fn ready(State(api): State<Arc<Api>>) -> Response {
    if is_ready(&api) {
        return "ready\n".into_response();
    }
    ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "some endpoints have no verdict yet")
        .into_response()
}

pub(super) async fn metrics(State(api): State<Arc<Api>>) -> Result<Response, ApiError> {
    let text = api.metrics.render(api.clock.now()).map_err(|error| {
        ApiError::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            format!("metrics could not be encoded: {error}"),
        )
    })?;
    Ok(([(header::CONTENT_TYPE, MEDIA_TYPE)], text).into_response())
}

pub(super) async fn status(State(api): State<Arc<Api>>) -> Json<view::Status> {
    Json(render::status(&api.live.load(), api.started, is_ready(&api)))
}

pub(super) async fn profiles(State(api): State<Arc<Api>>) -> Json<view::Profiles> {
    let (snapshot, now) = (api.live.load(), now(&api));
    let profiles = snapshot.profiles.iter().map(|it| render::profile(it, now)).collect();
    Json(view::Profiles { profiles })
}

pub(super) async fn profile(
    State(api): State<Arc<Api>>,
    path: FromPath<String>,
) -> Answer<view::Profile> {
    let Path(profile) = path?;
    let snapshot = api.live.load();
    Ok(Json(render::profile(find_profile(&snapshot, &profile)?, now(&api))))
}

pub(super) async fn change_endpoint(
    State(api): State<Arc<Api>>,
    Extension(author): Extension<Author>,
    path: FromPath<(String, String)>,
    body: Result<Bytes, BytesRejection>,
) -> Answer<view::Changed<Option<view::Endpoint>>> {
    let Path((profile, endpoint)) = path?;
    let key = find_key(&api.live.load(), &profile, &endpoint)?;
    let patch: view::EndpointPatch = read_body(&body?)?;
    let change = endpoint_change(&patch)?;
    if change.is_empty() {
        return Err(changes_nothing(&api.live.load(), &key));
    }
    let stamp = stamp(author, patch.reason)?;
    let snapshot = make(&api, Change::Endpoint(key.clone(), change), stamp).await?;
    let table = snapshot.profile(&key.profile);
    let now = table.and_then(|it| render::endpoint(it, it.position(&key.endpoint)?, now(&api)));
    Ok(Json(view::Changed { generation: snapshot.generation, now }))
}

pub(super) async fn sites(State(api): State<Arc<Api>>) -> Json<view::Sites> {
    Json(view::Sites { sites: render::sites(&api.live.load()) })
}

pub(super) async fn drain(
    api: State<Arc<Api>>,
    author: Extension<Author>,
    site: FromPath<String>,
    body: Result<Bytes, BytesRejection>,
) -> Answer<view::Changed<Option<view::Site>>> {
    set_drained(api, author, site, body, true).await
}

pub(super) async fn undrain(
    api: State<Arc<Api>>,
    author: Extension<Author>,
    site: FromPath<String>,
    body: Result<Bytes, BytesRejection>,
) -> Answer<view::Changed<Option<view::Site>>> {
    set_drained(api, author, site, body, false).await
}

async fn set_drained(
    State(api): State<Arc<Api>>,
    Extension(author): Extension<Author>,
    site: FromPath<String>,
    body: Result<Bytes, BytesRejection>,
    drained: bool,
) -> Answer<view::Changed<Option<view::Site>>> {
    let Path(site) = site?;
    let name: Ident = site.parse().map_err(|_| no_site(&api.live.load(), &site))?;
    let body = body?;
    let request = if body.is_empty() { view::DrainRequest::default() } else { read_body(&body)? };
    let stamp = stamp(author, request.reason)?;
    let snapshot = make(&api, Change::Site { name, drained }, stamp).await?;
    let now = render::sites(&snapshot).into_iter().find(|it| it.name == site);
    Ok(Json(view::Changed { generation: snapshot.generation, now }))
}

/// The query of `GET /v1/explain`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ExplainQuery {
    name: String,
    #[serde(rename = "type")]
    record_type: Option<String>,
    client: Option<IpAddr>,
}

pub(super) async fn explain(
    State(api): State<Arc<Api>>,
    query: Result<Query<ExplainQuery>, QueryRejection>,
) -> Answer<view::Explanation> {
    let Query(query) = query.map_err(|error| {
        ApiError::bad_request(format!(
            "{}; send ?name=NAME, and &type= and &client= if you like",
            error.body_text()
        ))
    })?;
    let name: Name = query
        .name
        .parse()
        .map_err(|error| ApiError::bad_request(format!("name: `{}` {error}", query.name)))?;
    let record_type: RecordType = query
        .record_type
        .as_deref()
        .unwrap_or("A")
        .parse()
        .map_err(|error| ApiError::bad_request(format!("type: {error}")))?;
    // A draw of its own: explaining takes nothing from the workers' sequences.
    let draw = Draw { seed: mix(api.clock.now().0.as_nanos() as u64), sequence: 0 };
    Ok(Json(explanation::render(&api.live.load(), &name, record_type, query.client, draw)))
}

pub(super) async fn reload(State(api): State<Arc<Api>>) -> Answer<view::Reloaded> {
    match api.control.reload().await {
        Ok(diff) => {
            let names = |it: Vec<Name>| it.iter().map(Name::to_string).collect();
            acknowledged(&api, diff.generation).await;
            Ok(Json(view::Reloaded {
                generation: diff.generation,
                added: names(diff.added),
                removed: names(diff.removed),
                changed: names(diff.changed),
                zones_or_sites_changed: diff.zones_or_sites,
                overridden: diff.overridden,
                unmatched_overrides: diff.unmatched,
                needs_restart: diff.needs_restart.into_iter().map(str::to_owned).collect(),
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

/// Makes a change and waits until every worker answers by it. Gives the snapshot that has it.
async fn make(api: &Api, change: Change, stamp: Stamp) -> Result<Arc<Snapshot>, ApiError> {
    let made = api.control.change(change, stamp).await.map_err(|error| {
        let snapshot = api.live.load();
        match &error {
            ChangeError::NoProfile(name) => no_profile(&snapshot, &name.to_string()),
            ChangeError::NoEndpoint(key) => match snapshot.profile(&key.profile) {
                Some(table) => no_endpoint(table, key.endpoint.as_str()),
                None => no_profile(&snapshot, &key.profile.to_string()),
            },
            ChangeError::NoSite(name) => no_site(&snapshot, name.as_str()),
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
    acknowledged(api, made.generation).await;
    Ok(made)
}

async fn acknowledged(api: &Api, generation: u64) {
    while !api.live.is_answered_by(generation) {
        tokio::time::sleep(ACKNOWLEDGE_POLL).await;
    }
}

fn now(api: &Api) -> Now {
    Now { moment: api.clock.now(), time: Clock::time_of_day() }
}

fn is_ready(api: &Api) -> bool {
    if api.ready.load(Ordering::Relaxed) {
        return true;
    }
    let (snapshot, elapsed) = (api.live.load(), api.clock.now().0);
    let has_verdict = |table: &Arc<ProfileTable>| {
        table.profile.endpoints.iter().zip(&table.endpoints).all(|(endpoint, state)| {
            let monitor = &endpoint.probe.monitor;
            state.facts.verdict != Verdict::Unknown
                || monitor.protocol == Protocol::None
                || elapsed >= first_verdict_within(monitor.interval, monitor.timeout)
        })
    };
    let ready = snapshot.profiles.iter().all(has_verdict);
    api.ready.store(ready, Ordering::Relaxed);
    ready
}

fn read_body<T: DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    // serde would take a list as well: a struct's fields in the order that they happen to have.
    if !body.trim_ascii_start().starts_with(b"{") {
        return Err(ApiError::bad_request(
            "the body: send a JSON object, such as {\"reason\": \"why\"}",
        ));
    }
    serde_json::from_slice(body)
        .map_err(|error| ApiError::bad_request(format!("the body: {error}")))
}

fn endpoint_change(patch: &view::EndpointPatch) -> Result<EndpointChange, ApiError> {
    let change = EndpointChange {
        weight: number("weight", patch.weight, 0)?,
        priority: number("priority", patch.priority, 1)?,
        enabled: field(patch.enabled),
        forced: match patch.forced.as_ref().map(Option::as_deref) {
            None => model::Change::Keep,
            Some(None) => model::Change::Clear,
            Some(Some("up")) => model::Change::Set(Forced::Up),
            Some(Some("down")) => model::Change::Set(Forced::Down),
            Some(Some(other)) => {
                return Err(ApiError::bad_request(format!(
                    "forced: found `{other}`; write `up`, `down` or null"
                )));
            }
        },
    };
    Ok(change)
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

fn field<T>(value: Option<Option<T>>) -> model::Change<T> {
    match value {
        None => model::Change::Keep,
        Some(None) => model::Change::Clear,
        Some(Some(value)) => model::Change::Set(value),
    }
}

fn number(
    key: &str,
    value: Option<Option<i64>>,
    least: u16,
) -> Result<model::Change<u16>, ApiError> {
    let in_range = |it: i64| u16::try_from(it).ok().filter(|it| *it >= least);
    match value {
        Some(Some(number)) => match in_range(number) {
            Some(number) => Ok(model::Change::Set(number)),
            None => Err(ApiError::bad_request(format!(
                "{key}: found {number}; write a whole number from {least} to 65535"
            ))),
        },
        Some(None) => Ok(model::Change::Clear),
        None => Ok(model::Change::Keep),
    }
}

fn stamp(Author(by): Author, reason: Option<String>) -> Result<Stamp, ApiError> {
    if reason.as_ref().is_some_and(|it| it.chars().count() > MAX_REASON) {
        return Err(ApiError::bad_request(format!(
            "reason: write at most {MAX_REASON} characters"
        )));
    }
    let reason = reason.filter(|it| !it.trim().is_empty());
    Ok(Stamp { by, reason, at: Clock::time_of_day() })
}

fn find_profile<'s>(snapshot: &'s Snapshot, text: &str) -> Result<&'s Arc<ProfileTable>, ApiError> {
    let name: Option<Name> = text.parse().ok();
    name.and_then(|it| snapshot.profile(&it)).ok_or_else(|| no_profile(snapshot, text))
}

/// The endpoint's name; whether it exists is for the control task to say.
fn find_key(snapshot: &Snapshot, profile: &str, endpoint: &str) -> Result<EndpointKey, ApiError> {
    let name: Name = profile.parse().map_err(|_| no_profile(snapshot, profile))?;
    let endpoint = match (endpoint.parse(), snapshot.profile(&name)) {
        (Ok(endpoint), _) => endpoint,
        (Err(_), Some(table)) => return Err(no_endpoint(table, endpoint)),
        (Err(_), None) => return Err(no_profile(snapshot, profile)),
    };
    Ok(EndpointKey { profile: name, endpoint })
}

fn no_profile(snapshot: &Snapshot, text: &str) -> ApiError {
    let names: Vec<String> =
        snapshot.profiles.iter().map(|it| it.profile.name.to_string()).collect();
    not_found(&format!("no profile is called `{text}`"), text, names)
}

fn no_endpoint(table: &ProfileTable, text: &str) -> ApiError {
    let profile = &table.profile;
    let names = profile.endpoints.iter().map(|it| it.name.to_string()).collect();
    not_found(&format!("profile `{}` has no endpoint `{text}`", profile.name), text, names)
}

fn no_site(snapshot: &Snapshot, text: &str) -> ApiError {
    let names = snapshot.sites.iter().map(|it| it.site.name.to_string()).collect();
    not_found(&format!("no site is called `{text}`"), text, names)
}

fn not_found(detail: &str, text: &str, names: Vec<String>) -> ApiError {
    let near = nearest(text, names.iter().map(String::as_str)).map(str::to_owned);
    ApiError::not_found(detail, near.into_iter().collect())
}
