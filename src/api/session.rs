//! Sessions of browsers: the dashboard signs in with a token, and goes on by a cookie that no script can read.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Extension, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{AppendHeaders, IntoResponse, Response};

use super::access::{
    Author, Denied, Peer, denial, ended_cookie, forbid_foreign, secret_of, session_cookie,
};
use super::error::ApiError;
use super::look::now;
use super::openapi::Guarded;
use super::reading::{read_body, text};
use super::{Api, Refused, view};
use crate::clock::rfc3339;
use crate::model::chain;
use crate::store::secret;

/// Who one is
///
/// By a session, a token or a client certificate.
#[utoipa::path(
    get, path = "/v1/session", tag = "session", extensions(("x-role" = json!("viewer"))),
    responses((status = 200, description = "Who asks, and what they may do", body = view::Session), Guarded),
)]
pub(super) async fn session(Extension(author): Extension<Author>) -> Json<view::Session> {
    Json(shown(&author))
}

/// Signs a browser in
///
/// The answer sets a cookie that stands for the token from then on: for an hour after it was used last, for 12 hours at most.
/// Changes that come with it must come from a page of this daemon (`Sec-Fetch-Site`, `Origin`).
#[utoipa::path(
    post, path = "/v1/session", tag = "session", security(()), request_body = view::SessionRequest,
    responses(
        (status = 200, description = "Who has signed in", body = view::Session, headers(("Set-Cookie" = String, description = "The session"))),
        (status = 400, description = "What is sent makes no sense", body = view::Problem, content_type = view::Problem::MEDIA_TYPE),
        (status = 408, description = "The body did not arrive in time", body = view::Problem, content_type = view::Problem::MEDIA_TYPE),
        (status = 413, description = "The body is too long", body = view::Problem, content_type = view::Problem::MEDIA_TYPE),
        (status = 500, description = "The operating system gives no random numbers", body = view::Problem, content_type = view::Problem::MEDIA_TYPE),
        Guarded,
    ),
)]
pub(super) async fn sign_in(
    State(api): State<Arc<Api>>,
    peer: Option<Extension<Peer>>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Refused<Response> {
    let peer = peer.map_or_else(Peer::unknown, |it| it.0);
    // A page of somebody else must not sign its visitors in as somebody else either.
    forbid_foreign(&api, &headers, &peer, false)?;
    let token = read_body(&body?, |fields| fields.required("token", text).map(str::to_owned))?;
    let secret = secret()
        .map_err(|error| ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, chain(&error)))?;
    let signed_in = api.access.sign_in(token.trim(), &secret, &peer, now(&api));
    let author = signed_in.map_err(|denied| match denied {
        Denied::Wrong => ApiError::new(
            StatusCode::UNAUTHORIZED,
            "nobody has this token; without tokens of your own it stands in `admin.token` in the state directory",
        ),
        other => denial(other),
    })?;
    // A browser has one session.
    secret_of(&headers, &peer).map(|it| api.access.sign_out(it));
    let (name, role, remote) = (&author.name, author.role, author.remote);
    tracing::info!(event = "session_begun", name, %role, %remote, "{name} signed in from {remote}");
    let cookie = AppendHeaders([(header::SET_COOKIE, session_cookie(&peer, &secret))]);
    Ok((cookie, Json(shown(&author))).into_response())
}

/// Signs a browser out
///
/// Its session is over, and its cookie forgotten. Whoever has none stays without.
#[utoipa::path(
    delete, path = "/v1/session", tag = "session", security(()),
    responses(
        (status = 204, description = "There is no session any more", headers(("Set-Cookie" = String, description = "Has the browser forget it"))),
        (status = 403, description = "The page of somebody else sends it", body = view::Problem, content_type = view::Problem::MEDIA_TYPE),
    ),
)]
pub(super) async fn sign_out(
    State(api): State<Arc<Api>>,
    peer: Option<Extension<Peer>>,
    headers: HeaderMap,
) -> Refused<Response> {
    let peer = peer.map_or_else(Peer::unknown, |it| it.0);
    if let Some(secret) = secret_of(&headers, &peer) {
        forbid_foreign(&api, &headers, &peer, true)?;
        if api.access.sign_out(secret) {
            let remote = peer.address;
            tracing::info!(event = "session_ended", %remote, "somebody signed out from {remote}");
        }
    }
    let cookie = AppendHeaders([(header::SET_COOKIE, ended_cookie(&peer))]);
    Ok((StatusCode::NO_CONTENT, cookie).into_response())
}

fn shown(author: &Author) -> view::Session {
    let scopes = &author.scopes;
    view::Session {
        name: author.name.clone(),
        role: author.role.label().to_owned(),
        profiles: scopes.are_limited().then(|| scopes.iter().map(ToString::to_string).collect()),
        expires: author.until.map(rfc3339),
    }
}
