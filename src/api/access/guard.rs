//! What every request passes before it is handled.

use std::sync::Arc;

use axum::extract::rejection::RawPathParamsRejection;
use axum::extract::{RawPathParams, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use subtle::ConstantTimeEq;

use super::super::Api;
use super::super::error::{ApiError, Unhinted};
use super::super::look::now;
use super::cookie::{ended, secret_of};
use super::origin::{Sender, sender};
use super::scoped::others_in_site;
use super::{Author, Denied, Peer, Presented};
use crate::control::Change;
use crate::metrics::AuthFailure;
use crate::model::{Ident, Name, Role, TokenHash, Undo};
use crate::store::token_hash;

/// The profiles of others that a refusal names, at most.
const NAMED: usize = 5;

/// What routes need of those who ask.
#[derive(Clone)]
pub(in crate::api) struct Guard {
    pub(in crate::api) api: Arc<Api>,
    /// The least role.
    pub(in crate::api) least: Role,
}

/// Lets only those pass who may do what they ask for, with the profile and the site that stand in the path.
pub(in crate::api) async fn guard(
    State(guard): State<Guard>,
    path: Result<RawPathParams, RawPathParamsRejection>,
    mut request: Request,
    next: Next,
) -> Response {
    let author = admit(&guard, &request).and_then(|author| {
        // What can't be read names nothing, which is for the handler to say.
        if let Ok(path) = &path {
            forbid_others(&guard.api, &author, path)?;
        }
        Ok(author)
    });
    let author = match author {
        Ok(author) => author,
        Err(error) => return forget_ended(&request, error.into_response()),
    };
    let is_limited = author.scopes.are_limited();
    request.extensions_mut().insert(author);
    let mut response = next.run(request).await;
    // What is like the name that was asked for may be somebody else's.
    match response.extensions_mut().remove::<Unhinted>().filter(|_| is_limited) {
        Some(Unhinted(error)) => error.into_response(),
        None => response,
    }
}

/// Likewise, where the settings want a token for metrics, which are about every profile.
pub(in crate::api) async fn guard_metrics(
    State(guard): State<Guard>,
    request: Request,
    next: Next,
) -> Response {
    if !guard.api.metrics.are_protected() {
        return next.run(request).await;
    }
    match admit(&guard, &request) {
        Ok(author) if author.scopes.are_limited() => {
            let scopes = &author.scopes;
            let detail = format!(
                "metrics are about every profile, and this token is for {scopes} only; take one without limits"
            );
            out_of_scope(&guard.api, detail).into_response()
        }
        Ok(_) => next.run(request).await,
        Err(error) => forget_ended(&request, error.into_response()),
    }
}

fn admit(guard: &Guard, request: &Request) -> Result<Author, ApiError> {
    authorize(&guard.api, request.method(), request.headers(), &peer_of(request), guard.least)
}

fn peer_of(request: &Request) -> Peer {
    request.extensions().get::<Peer>().cloned().unwrap_or_else(Peer::unknown)
}

/// Has the browser forget a session that is over, so that it comes by its certificate or signs in again.
fn forget_ended(request: &Request, mut response: Response) -> Response {
    let peer = peer_of(request);
    let came_by_session = matches!(presented(request.headers(), &peer), Presented::Session(_));
    if response.status() == StatusCode::UNAUTHORIZED && came_by_session {
        let cookie = HeaderValue::try_from(ended(&peer)).into_iter();
        cookie.for_each(|it| drop(response.headers_mut().insert(header::SET_COOKIE, it)));
    }
    response
}

/// What a request comes with: its token, where it has one, else its session.
fn presented<'r>(headers: &'r HeaderMap, peer: &Peer) -> Presented<'r> {
    let session = || secret_of(headers, peer).map(Presented::Session);
    bearer(headers).map(Presented::Token).or_else(session).unwrap_or(Presented::Nothing)
}

/// Who asks, if their role is this at least.
pub(in crate::api) fn authorize(
    api: &Api,
    method: &Method,
    headers: &HeaderMap,
    peer: &Peer,
    least: Role,
) -> Result<Author, ApiError> {
    let presented = presented(headers, peer);
    let author = api.access.authenticate(presented, peer, now(api)).map_err(denial)?;
    match presented {
        _ if method.is_safe() => {}
        Presented::Token(_) => {}
        Presented::Session(_) => forbid_foreign(api, headers, peer, true)?,
        Presented::Nothing => forbid_foreign(api, headers, peer, false)?,
    }
    if author.role < least {
        api.access.forbidden(AuthFailure::Role);
        let (name, role) = (&author.name, author.role);
        let detail = format!("this takes the role {least}, and {name} has the role {role}");
        return Err(ApiError::new(StatusCode::FORBIDDEN, detail));
    }
    Ok(author)
}

/// Refuses what a browser sends by itself for the page of somebody else. Programs say nothing of pages, which may be taken for
/// good where no browser would leave it out.
pub(in crate::api) fn forbid_foreign(
    api: &Api,
    headers: &HeaderMap,
    peer: &Peer,
    must_tell: bool,
) -> Result<(), ApiError> {
    let why = match sender(headers, peer) {
        Sender::Own => return Ok(()),
        Sender::Unknown if !must_tell => return Ok(()),
        Sender::Unknown => {
            "nothing says that a page of this daemon sends it (Sec-Fetch-Site or Origin)"
        }
        Sender::Foreign => "another site's page sends it (Sec-Fetch-Site or Origin)",
    };
    api.access.forbidden(AuthFailure::Origin);
    let detail = format!(
        "{why}, and it comes with nothing but what a browser sends by itself; a program sends `Authorization: Bearer TOKEN`"
    );
    Err(ApiError::new(StatusCode::FORBIDDEN, detail))
}

fn forbid_others(api: &Api, author: &Author, path: &RawPathParams) -> Result<(), ApiError> {
    if !author.scopes.are_limited() {
        return Ok(());
    }
    for (key, value) in path {
        match key {
            "profile" => {
                if let Ok(profile) = value.parse::<Name>() {
                    forbid_unless_held(api, author, &profile)?;
                }
            }
            "site" => {
                if let Ok(site) = value.parse::<Ident>() {
                    forbid_shared(api, author, &site)?;
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// Refuses what is about a profile that they are not to see.
pub(super) fn forbid_unless_held(
    api: &Api,
    author: &Author,
    profile: &Name,
) -> Result<(), ApiError> {
    if author.scopes.hold(profile) {
        return Ok(());
    }
    let (name, scopes) = (&author.name, &author.scopes);
    Err(out_of_scope(api, format!("{name} is limited to {scopes}; {profile} is none of them")))
}

/// Refuses what is about more than profiles to who is limited to some.
pub(in crate::api) fn forbid_limited(
    api: &Api,
    author: &Author,
    what: &str,
) -> Result<(), ApiError> {
    if !author.scopes.are_limited() {
        return Ok(());
    }
    let (name, scopes) = (&author.name, &author.scopes);
    let detail = format!(
        "{name} is limited to {scopes}, and {what} is more than these; ask somebody without limits"
    );
    Err(out_of_scope(api, detail))
}

/// Refuses a change to what is somebody else's.
pub(in crate::api) fn forbid_change(
    api: &Api,
    author: &Author,
    change: &Change,
) -> Result<(), ApiError> {
    match change {
        _ if !author.scopes.are_limited() => Ok(()),
        Change::Endpoint(key, _) => forbid_unless_held(api, author, &key.profile),
        Change::FailBack(profile) | Change::Profile { name: profile, .. } => {
            forbid_unless_held(api, author, profile)
        }
        Change::Site { name, .. } => forbid_shared(api, author, name),
        Change::Confirm(number) | Change::Undo(number) => {
            let snapshot = api.live.load();
            let pending = snapshot.pending.iter().filter(|it| it.0 == *number);
            pending.flat_map(|it| &it.1.undo).try_for_each(|it| match it {
                Undo::Endpoint { key, .. } => forbid_unless_held(api, author, &key.profile),
                Undo::Profile { name, .. } => forbid_unless_held(api, author, name),
                Undo::Site { name, .. } => forbid_shared(api, author, name),
            })
        }
    }
}

/// Refuses what only an admin may do, of those who may make changes.
pub(in crate::api) fn forbid_unless_admin(
    api: &Api,
    author: &Author,
    what: &str,
) -> Result<(), ApiError> {
    if author.role == Role::Admin {
        return Ok(());
    }
    api.access.forbidden(AuthFailure::Role);
    let (name, role) = (&author.name, author.role);
    let detail = format!("{what} takes the role admin, and {name} has the role {role}");
    Err(ApiError::new(StatusCode::FORBIDDEN, detail))
}

fn forbid_shared(api: &Api, author: &Author, site: &Ident) -> Result<(), ApiError> {
    let others = others_in_site(&api.live.load(), &author.scopes, site);
    if others.is_empty() {
        return Ok(());
    }
    let named: Vec<String> = others.iter().take(NAMED).map(ToString::to_string).collect();
    let more = match others.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let (name, scopes, named) = (&author.name, &author.scopes, named.join(", "));
    let detail = format!(
        "the site also serves {named}{more}, and {name} is limited to {scopes}; set endpoints one by one, or ask somebody without limits"
    );
    Err(out_of_scope(api, detail))
}

pub(super) fn out_of_scope(api: &Api, detail: String) -> ApiError {
    api.access.forbidden(AuthFailure::Scope);
    ApiError::new(StatusCode::FORBIDDEN, detail)
}

pub(in crate::api) fn denial(denied: Denied) -> ApiError {
    let unauthorized = |detail: String| ApiError::new(StatusCode::UNAUTHORIZED, detail);
    match denied {
        Denied::Missing | Denied::Wrong => unauthorized(
            "send `Authorization: Bearer TOKEN`; without tokens of your own it stands in `admin.token` in the state directory"
                .to_owned(),
        ),
        Denied::UnknownCertificate(names) => unauthorized(format!(
            "no [[admin.client_certificate]] has a name of your certificate ({}); send `Authorization: Bearer TOKEN`, or have it added",
            names.join(", ")
        )),
        Denied::Ended => unauthorized("the session is over; sign in again".to_owned()),
        Denied::Expired(at) => unauthorized(format!(
            "the token expired {}; have a new one made",
            crate::clock::rfc3339(at)
        )),
        Denied::Backoff(wait) => ApiError::too_many(
            "too many wrong tokens came from your address; wait before you send another",
            wait,
        ),
        Denied::Limited(wait) => ApiError::too_many(
            "your token makes more requests than `admin.rate_limit` and `admin.rate_burst` allow",
            wait,
        ),
    }
}

/// Whether this is the token. How long that takes tells nothing about how much of it is right.
pub(in crate::api) fn is_token(hash: &TokenHash, presented: &str) -> bool {
    token_hash(presented).0.ct_eq(&hash.0).into()
}

/// The token of an `Authorization: Bearer` header (RFC 6750 2.1).
pub(in crate::api) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    // A variable that was not set is no guess.
    let token = Some(token.trim()).filter(|it| !it.is_empty());
    token.filter(|_| scheme.eq_ignore_ascii_case("bearer"))
}
