//! What sites report of themselves. The token is the monitor's own, so this route is guarded by itself.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Extension, Path, State};
use axum::http::{HeaderMap, Method, StatusCode};
use serde_json::Value;

use super::access::{Author, Peer, authorize, bearer, forbid_unseen, is_token};
use super::error::ApiError;
use super::names::find_key;
use super::openapi::{Guarded, Reporting};
use super::reading::{flag, read_body, text};
use super::{Api, FromPath, Refused, view};
use crate::model::{EndpointKey, Name, Protocol, Role, TokenHash, is_hidden};
use crate::probe::{Report, Unheard};
use crate::snapshot::Snapshot;

/// The characters of a reason.
const REASON_MOST: usize = 200;

/// Says how an endpoint is that is not probed but reports by itself
///
/// It counts as one result of a probe. The token is that of the endpoint's monitor, which allows nothing else, or the
/// operators' own. An endpoint may report ten times a second; silence for `interval` is a failure.
#[utoipa::path(
    post, path = "/v1/profiles/{profile}/endpoints/{endpoint}/report", tag = "change",
    params(
        ("profile" = String, Path, description = "The profile's name; the dot at the end may be left out", example = "app.gtm.example."),
        ("endpoint" = String, Path, description = "The endpoint's name in it", example = "seattle"),
    ),
    request_body = view::ReportRequest,
    responses(
        (status = 200, description = "It is counted", body = view::Reported),
        (status = 404, description = "No profile or endpoint is called so", body = view::Problem, content_type = view::Problem::MEDIA_TYPE),
        Guarded, Reporting,
    ),
)]
pub(super) async fn report(
    State(api): State<Arc<Api>>,
    peer: Option<Extension<Peer>>,
    path: FromPath<(String, String)>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Refused<Json<view::Reported>> {
    let Path((profile, endpoint)) = path?;
    let (presented, snapshot) = (bearer(&headers).unwrap_or_default(), api.live.load());
    let key = find_key(&snapshot, &profile, &endpoint);
    let own = key.as_ref().ok().and_then(|it| token_of(&snapshot, it));
    // A site's own token goes before everything: that somebody else behind its address sends wrong ones must not silence it.
    let is_site = own.is_some_and(|it| is_token(it, presented));
    if !is_site {
        // Whoever has no token learns nothing of what there is.
        let peer = peer.map_or_else(Peer::unknown, |it| it.0);
        let author: Author = authorize(&api, &Method::POST, &headers, &peer, Role::Operator)?;
        let named: Option<Name> = profile.parse().ok();
        forbid_unseen(&api, &author, named.as_slice())?;
    }
    let key = key?;
    let (healthy, reason) = read_body(&body?, |fields| {
        let (healthy, why) = (fields.required("healthy", flag), fields.optional("reason", reason));
        Some((healthy?, why.flatten()))
    })?;
    api.control.report(Report { key, healthy, reason }).await.map_err(|error| {
        let status = match error {
            Unheard::NotAwaited => StatusCode::CONFLICT,
            Unheard::TooSoon => StatusCode::TOO_MANY_REQUESTS,
            Unheard::Busy => StatusCode::SERVICE_UNAVAILABLE,
        };
        ApiError::new(status, error.to_string())
    })?;
    Ok(Json(view::Reported { healthy }))
}

fn token_of<'s>(snapshot: &'s Snapshot, key: &EndpointKey) -> Option<&'s TokenHash> {
    let table = snapshot.profile(&key.profile)?;
    let endpoint = table.profile.endpoints.get(table.position(&key.endpoint)?)?;
    match &endpoint.probe.monitor.protocol {
        Protocol::Push(check) => Some(&check.token),
        _ => None,
    }
}

fn reason(value: &Value) -> Result<Option<Arc<str>>, String> {
    let reason = text(value)?;
    if reason.chars().count() > REASON_MOST || reason.contains(is_hidden) {
        return Err(format!("write up to {REASON_MOST} visible characters on one line"));
    }
    Ok(Some(reason.trim()).filter(|it| !it.is_empty()).map(Arc::from))
}
