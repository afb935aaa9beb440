//! What can be seen. Every answer is made from the snapshot in force.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::Json;
use axum::body::Body;
use axum::extract::{Extension, Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::access::{Author, forbid_unseen, reached, seen_sites, seen_status};
use super::error::ApiError;
use super::etag::{Tagged, unless_known};
use super::names::{find_key, find_profile, no_endpoint};
use super::openapi::{BadTags, Guarded};
use super::pieces::Pieces;
use super::reading::{Sent, name, parsed, read_query, text};
use super::render;
use super::{Api, FromPath, Refused, explain as explanation, view};
use crate::control::Version;
use crate::health::first_verdict_within;
use crate::metrics::MEDIA_TYPE;
use crate::model::{Name, Now, Protocol, RecordType, Verdict};
use crate::routing::{Draw, mix};
use crate::snapshot::ProfileTable;

/// Whether the daemon is alive
///
/// Changes, verdicts and reloads wait while the control task has stalled; queries do not.
#[utoipa::path(
    get, path = "/healthz", tag = "monitoring", security(()),
    responses(
        (status = 200, description = "It is", body = String, content_type = "text/plain"),
        (status = 503, description = "The control task has stalled", body = view::Problem, content_type = view::Problem::MEDIA_TYPE),
    ),
)]
pub(super) async fn alive(State(api): State<Arc<Api>>) -> Result<&'static str, ApiError> {
    if !api.control_heart.is_stalled() {
        return Ok("ok\n");
    }
    let silent = api.control_heart.silence().as_secs();
    let detail = format!("the control task has given no sign of life for {silent} s");
    Err(ApiError::new(StatusCode::SERVICE_UNAVAILABLE, detail))
}

/// Whether every endpoint had its chance of a verdict
///
/// That is min(interval, 10 s) + timeout after the start at the latest. It stays ready from then on.
#[utoipa::path(
    get, path = "/readyz", tag = "monitoring", security(()),
    responses(
        (status = 200, description = "Ready", body = String, content_type = "text/plain"),
        (status = 503, description = "Some endpoints have no verdict yet", body = view::Problem, content_type = view::Problem::MEDIA_TYPE),
    ),
)]
pub(super) async fn ready(State(api): State<Arc<Api>>) -> Result<&'static str, ApiError> {
    if is_ready(&api) {
        return Ok("ready\n");
    }
    Err(ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "some endpoints have no verdict yet"))
}

/// All metrics, for Prometheus
#[utoipa::path(
    get, path = "/metrics", tag = "monitoring", security((), ("token" = [])),
    responses(
        (status = 200, description = "Prometheus' text format", body = String, content_type = "text/plain"),
        (status = 500, description = "A fault in Farol", body = view::Problem, content_type = view::Problem::MEDIA_TYPE),
    ),
)]
pub(super) async fn metrics(State(api): State<Arc<Api>>) -> Result<Response, ApiError> {
    api.access.count_sessions(now(&api));
    let scrape = api.metrics.scrape(now(&api), is_ready(&api)).map_err(|error| {
        ApiError::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            format!("metrics could not be encoded: {error}"),
        )
    })?;
    Ok(([(header::CONTENT_TYPE, MEDIA_TYPE)], Body::new(Pieces(scrape))).into_response())
}

/// One look at everything
#[utoipa::path(
    get, path = "/v1/status", tag = "look",
    params(("If-None-Match" = Option<String>, Header, description = "ETags that are known")),
    responses(
        (status = 200, description = "What is well and what is not", body = view::Status, headers(("ETag" = String, description = "Of the whole configuration and every override; not of health"))),
        BadTags, Guarded,
    ),
)]
pub(super) async fn status(
    State(api): State<Arc<Api>>,
    Extension(author): Extension<Author>,
    headers: HeaderMap,
) -> Refused<Response> {
    aside(move || {
        let snapshot = api.live.load();
        let version = api.whole.of(&snapshot).all;
        if let Some(known) = unless_known(&headers, version)? {
            return Ok(known);
        }
        let body = render::status(
            &snapshot,
            &api.store.report(),
            &api.traffic,
            api.started,
            is_ready(&api),
            api.control.refused_reload(),
            now(&api),
        );
        let body = seen_status(body, &snapshot, &author.scopes);
        Ok(Tagged { version: Some(version), body }.into_response())
    })
    .await
}

/// One profile with its endpoints
#[utoipa::path(
    get, path = "/v1/profiles/{profile}", tag = "look",
    params(
        ("profile" = String, Path, description = "Its name; the dot at the end may be left out", example = "app.gtm.example."),
        ("If-None-Match" = Option<String>, Header, description = "ETags that are known"),
    ),
    responses(
        (status = 200, description = "The profile", body = view::Profile, headers(("ETag" = String, description = "Of the profile, its endpoints and their overrides; not of health"))),
        (status = 404, description = "No profile is called so", body = view::Problem, content_type = view::Problem::MEDIA_TYPE),
        BadTags, Guarded,
    ),
)]
pub(super) async fn profile(
    State(api): State<Arc<Api>>,
    path: FromPath<String>,
    headers: HeaderMap,
) -> Refused<Response> {
    let snapshot = api.live.load();
    let table = find_profile(&snapshot, &path?.0)?;
    let version = Version::of_profile(table);
    if let Some(known) = unless_known(&headers, version)? {
        return Ok(known);
    }
    let body = render::profile(table, now(&api));
    Ok(Tagged { version: Some(version), body }.into_response())
}

/// The configuration in force
///
/// Files, environment and flags laid over each other, with defaults; secrets are hidden, or told by what they refer to. Zones, sites and
/// profiles are left out: they have routes of their own.
#[utoipa::path(
    get, path = "/v1/configuration", tag = "manage",
    responses((status = 200, description = "By table, with the keys of the configuration", body = Object), Guarded),
)]
pub(super) async fn configuration(State(api): State<Arc<Api>>) -> Json<serde_json::Value> {
    Json(serde_json::Value::clone(&api.configuration.load()))
}

/// When an endpoint came into another status, and why
#[utoipa::path(
    get, path = "/v1/profiles/{profile}/endpoints/{endpoint}/timeline", tag = "look",
    params(
        ("profile" = String, Path, description = "The profile's name; the dot at the end may be left out", example = "app.gtm.example."),
        ("endpoint" = String, Path, description = "The endpoint's name in it", example = "seattle"),
    ),
    responses(
        (status = 200, description = "The last times, the oldest first", body = view::Timeline),
        (status = 404, description = "No profile or endpoint is called so", body = view::Problem, content_type = view::Problem::MEDIA_TYPE),
        Guarded,
    ),
)]
pub(super) async fn timeline(
    State(api): State<Arc<Api>>,
    path: FromPath<(String, String)>,
) -> Refused<Json<view::Timeline>> {
    let Path((profile, endpoint)) = path?;
    let snapshot = api.live.load();
    let key = find_key(&snapshot, &profile, &endpoint)?;
    let table = find_profile(&snapshot, &profile)?;
    if table.position(&key.endpoint).is_none() {
        return Err(no_endpoint(table, key.endpoint.as_str()));
    }
    Ok(Json(render::timeline(&api.timelines.get(&key).unwrap_or_default())))
}

/// Every site, with its endpoints counted
#[utoipa::path(
    get, path = "/v1/sites", tag = "look",
    params(("If-None-Match" = Option<String>, Header, description = "ETags that are known")),
    responses(
        (status = 200, description = "In the configuration's order", body = view::Sites, headers(("ETag" = String, description = "Of all sites and their drains; not of their endpoints"))),
        BadTags, Guarded,
    ),
)]
pub(super) async fn sites(
    State(api): State<Arc<Api>>,
    Extension(author): Extension<Author>,
    headers: HeaderMap,
) -> Refused<Response> {
    aside(move || {
        let snapshot = api.live.load();
        let version = Version::of_sites(&snapshot.sites);
        if let Some(known) = unless_known(&headers, version)? {
            return Ok(known);
        }
        let looking =
            render::Looking { snapshot: &snapshot, traffic: &api.traffic, now: now(&api) };
        let body = seen_sites(render::all_sites(&looking), &snapshot, &author.scopes);
        Ok(Tagged { version: Some(version), body }.into_response())
    })
    .await
}

/// How a name is answered, and why each endpoint is or is not among the answers
///
/// It is the decision that queries get, made once more with a draw of its own, or one that is given: asking changes nothing.
#[utoipa::path(
    get, path = "/v1/explain", tag = "look",
    params(
        ("name" = String, Query, description = "The name that is asked for", example = "app.gtm.example."),
        ("type" = Option<String>, Query, description = "The record type that is asked for; A when it is left out"),
        ("client" = Option<String>, Query, description = "The address of the client that asks, or its network", example = "10.20.0.0/16"),
        ("draw" = Option<String>, Query, description = "What chance says, as an explanation shows it; another one each time when it is left out", example = "573422:0"),
    ),
    responses(
        (status = 200, description = "The decision", body = view::Explanation),
        (status = 400, description = "No name, or something that makes no sense", body = view::Problem, content_type = view::Problem::MEDIA_TYPE),
        (status = 422, description = "The client is no network", body = view::Problem, content_type = view::Problem::MEDIA_TYPE),
        Guarded,
    ),
)]
pub(super) async fn explain(
    State(api): State<Arc<Api>>,
    Extension(author): Extension<Author>,
    query: Sent,
) -> Refused<Json<view::Explanation>> {
    let (name, record_type, asking, draw) = read_query(query, |fields| {
        let name: Option<Name> = fields.required("name", name);
        let record_type = fields.optional("type", parsed::<RecordType>);
        let asking = fields.optional("client", |it| explanation::Asking::read(text(it)?));
        let draw = fields.optional("draw", |it| explanation::read_draw(text(it)?));
        Some((name?, record_type, asking, draw))
    })?;
    let record_type = record_type.unwrap_or(RecordType::A);
    let asking = asking.unwrap_or(explanation::Asking::UNKNOWN);
    // A draw of its own: explaining takes nothing from the workers' sequences. People may have to type it again, so it is short.
    let own = || Draw { seed: mix(api.clock.now().0.as_nanos() as u64) >> 44, sequence: 0 };
    let draw = draw.unwrap_or_else(own);
    let snapshot = api.live.load();
    let explanation = explanation::render(&snapshot, &name, record_type, asking, draw);
    if author.scopes.are_limited() {
        // Also what another name leads to, and what an endpoint stands for.
        let shown = explanation.profiles.iter().filter_map(|it| it.name.parse::<Name>().ok());
        let shown: Vec<Name> = shown.flat_map(|it| reached(&snapshot, &it)).collect();
        forbid_unseen(&api, &author, &shown)?;
    }
    Ok(Json(explanation))
}

/// Makes an answer that grows with the configuration where nobody else waits for it.
pub(super) async fn aside(
    make: impl FnOnce() -> Result<Response, ApiError> + Send + 'static,
) -> Result<Response, ApiError> {
    tokio::task::spawn_blocking(make).await.unwrap_or_else(|_| {
        let detail = "making the answer failed, which is a fault in Farol; look at its log";
        Err(ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, detail))
    })
}

pub(super) fn now(api: &Api) -> Now {
    api.clock.both()
}

fn is_ready(api: &Api) -> bool {
    if api.ready.load(Ordering::Relaxed) {
        return true;
    }
    let (snapshot, elapsed) = (api.live.load(), api.clock.now().0);
    let has_verdict = |table: &Arc<ProfileTable>| {
        table.profile.endpoints.iter().zip(&table.endpoints).all(|(endpoint, state)| {
            let monitor = &endpoint.probe.monitor;
            // What is remembered is no verdict of this start.
            (state.facts.verdict != Verdict::Unknown && state.facts.probed.heard().is_some())
                || monitor.protocol == Protocol::None
                || elapsed >= first_verdict_within(monitor.interval, monitor.timeout)
        })
    };
    let ready = snapshot.profiles.iter().all(has_verdict);
    api.ready.store(ready, Ordering::Relaxed);
    ready
}
