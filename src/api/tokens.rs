//! Tokens, and who has them.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Extension, Path, State};
use axum::http::StatusCode;
use serde_json::Value;

use super::access::{Author, Listed, ManageError};
use super::error::ApiError;
use super::look::now;
use super::openapi::Guarded;
use super::reading::{Fields, Sent, Wrong, name, one_of, parsed, read_body, read_query, text};
use super::stamp::expiry;
use super::{Api, FromPath, Refused, view};
use crate::clock::{Clock, rfc3339};
use crate::model::{Grant, Ident, Role, Scope, Scopes, Timestamp, chain};
use crate::store::{IssuedToken, Record, TokenId};

/// Every token that opens something
///
/// What they are is not told: of a token nothing is kept but its hash.
#[utoipa::path(
    get, path = "/v1/tokens", tag = "manage",
    responses((status = 200, description = "In the order in which they were made", body = view::Tokens), Guarded),
)]
pub(super) async fn tokens(State(api): State<Arc<Api>>) -> Json<view::Tokens> {
    let now = now(&api).time;
    let tokens = api.access.list().into_iter().map(|it| shown(it, now)).collect();
    Json(view::Tokens { tokens })
}

/// Makes a token
///
/// The answer has the token itself, which is shown this once.
#[utoipa::path(
    post, path = "/v1/tokens", tag = "manage", request_body = view::TokenRequest,
    responses(
        (status = 200, description = "It opens something from now on", body = view::CreatedToken),
        (status = 400, description = "What is sent makes no sense", body = view::Problem, content_type = view::Problem::MEDIA_TYPE),
        (status = 408, description = "The body did not arrive in time", body = view::Problem, content_type = view::Problem::MEDIA_TYPE),
        (status = 422, description = "There can be no such token", body = view::Problem, content_type = view::Problem::MEDIA_TYPE),
        (status = 409, description = "There are too many tokens", body = view::Problem, content_type = view::Problem::MEDIA_TYPE),
        (status = 413, description = "The body is too long", body = view::Problem, content_type = view::Problem::MEDIA_TYPE),
        (status = 507, description = "It could not be stored, so it was not made", body = view::Problem, content_type = view::Problem::MEDIA_TYPE),
        Guarded,
    ),
)]
pub(super) async fn create_token(
    State(api): State<Arc<Api>>,
    Extension(author): Extension<Author>,
    body: Result<Bytes, BytesRejection>,
) -> Refused<Json<view::CreatedToken>> {
    let now = Clock::time_of_day();
    let (grant, expires) = read_body(&body?, |fields| {
        let grant = grant(fields);
        let end = |it: &Value| expiry(text(it)?, "the token", now);
        let expires = fields.optional("expires", end);
        Some((grant?, expires))
    })?;
    let (by, access) = (author.name.clone(), api.access.clone());
    let (store, record) = (api.store.clone(), record(&author, "create token"));
    let make = move || {
        let made = access.create(grant, by, now, expires)?;
        store.note(&[about(record, &made.0)]);
        Ok(made)
    };
    let (issued, secret) = aside(make).await?;
    let (id, name, role, scopes) =
        (issued.id, issued.grant.name(), issued.grant.role(), issued.grant.scopes());
    let (by, remote) = (&author.name, author.remote);
    tracing::info!(
        event = "token_issued", %id, %name, %role, profiles = %scopes, by, %remote,
        "{by} made the token {id} for {name}, with the role {role}"
    );
    let grant = issued.grant.clone();
    let listed = Listed { grant, source: "api", issued: Some(issued), last_used: None };
    Ok(Json(view::CreatedToken { secret, token: shown(listed, now) }))
}

/// Revokes a token
///
/// It opens nothing from now on, also on connections that are open. What stands in the configuration or in the state directory is
/// revoked there.
#[utoipa::path(
    delete, path = "/v1/tokens/{id}", tag = "manage",
    params(
        ("id" = String, Path, description = "The token's id", example = "1a2b3c4d"),
        ("force" = Option<bool>, Query, description = "Revoke it also if it is the one that the request comes with"),
    ),
    responses(
        (status = 200, description = "What it was", body = view::Token),
        (status = 400, description = "What is sent makes no sense", body = view::Problem, content_type = view::Problem::MEDIA_TYPE),
        (status = 404, description = "No token has this id", body = view::Problem, content_type = view::Problem::MEDIA_TYPE),
        (status = 409, description = "It is the one that the request comes with", body = view::Problem, content_type = view::Problem::MEDIA_TYPE),
        (status = 507, description = "It could not be stored, so the token is what it was", body = view::Problem, content_type = view::Problem::MEDIA_TYPE),
        Guarded,
    ),
)]
pub(super) async fn revoke_token(
    State(api): State<Arc<Api>>,
    Extension(author): Extension<Author>,
    path: FromPath<String>,
    query: Sent,
) -> Refused<Json<view::Token>> {
    let Path(text) = path?;
    let words = [("true", true), ("false", false)];
    let force = read_query(query, |it| Some(it.optional("force", one_of(words)) == Some(true)))?;
    let id: TokenId = text.parse().map_err(|_| refusal(ManageError::NoToken(text)))?;
    if author.token == Some(id) && !force {
        let detail = "it is the token that you come with, which would let you in no more; send ?force=true (`farol token revoke --force`) if that is meant";
        return Err(ApiError::new(StatusCode::CONFLICT, detail));
    }
    let access = api.access.clone();
    let (store, record) = (api.store.clone(), record(&author, "revoke token"));
    let revoke = move || {
        let revoked = access.revoke(id)?;
        store.note(&[about(record, &revoked)]);
        Ok(revoked)
    };
    let issued = aside(revoke).await?;
    let (by, remote, name) = (&author.name, author.remote, issued.grant.name());
    tracing::info!(
        event = "token_revoked", %id, %name, by, %remote,
        "{by} revoked the token {id} of {name}"
    );
    let grant = issued.grant.clone();
    let listed = Listed { grant, source: "api", issued: Some(issued), last_used: None };
    Ok(Json(shown(listed, now(&api).time)))
}

/// What the audit log says of who manages tokens.
fn record(author: &Author, action: &str) -> Record {
    let mut record = Record::own(action, Clock::time_of_day());
    record.by.clone_from(&author.name);
    record.from = Some(author.remote);
    record
}

/// The same, with the token.
fn about(mut record: Record, token: &IssuedToken) -> Record {
    let scopes = token.grant.scopes();
    for (field, value) in [
        ("id", token.id.to_string()),
        ("name", token.grant.name().to_string()),
        ("role", token.grant.role().to_string()),
        ("profiles", scopes.to_string()),
    ] {
        record.after.insert(field.to_owned(), value.into());
    }
    record.expires = token.expires;
    record
}

/// Does what waits for the disk where nobody else waits for it.
async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ManageError> + Send + 'static,
) -> Result<T, ApiError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done.map_err(refusal),
        Err(_) => {
            let detail = "that failed, which is a fault in Farol; look at its log";
            Err(ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, detail))
        }
    }
}

fn refusal(error: ManageError) -> ApiError {
    let status = match error {
        ManageError::TooMany => StatusCode::CONFLICT,
        ManageError::NoToken(_) => StatusCode::NOT_FOUND,
        ManageError::NotStored(_) => StatusCode::INSUFFICIENT_STORAGE,
    };
    ApiError::new(status, chain(&error))
}

fn grant(fields: &mut Fields<'_>) -> Option<Grant> {
    let own_name = |it: &Value| match parsed::<Ident>(it)? {
        it if it.as_str() == Grant::OWN_TOKEN => {
            let told = "that is the name of the token in `admin.token`; take another";
            Err(Wrong::Sense(told.to_owned()))
        }
        it => Ok(it),
    };
    let own_name = fields.required("name", own_name);
    let role = fields.required("role", parsed::<Role>);
    let scopes = fields.values("profiles", 0..=Scopes::MOST, name::<Scope>);
    let grant = Grant::new(own_name?, role?, scopes?.into_iter().collect());
    grant.map_err(|error| fields.wrong("profiles", Wrong::Sense(error.to_string()))).ok()
}

fn shown(listed: Listed, now: Timestamp) -> view::Token {
    let Listed { grant, source, issued, last_used } = listed;
    let issued = issued.as_ref();
    view::Token {
        id: issued.map(|it| it.id.to_string()),
        name: grant.name().to_string(),
        role: grant.role().label().to_owned(),
        profiles: grant.scopes().iter().map(ToString::to_string).collect(),
        source: source.to_owned(),
        created: issued.map(|it| rfc3339(it.created)),
        by: issued.map(|it| it.by.clone()),
        expires: issued.and_then(|it| it.expires).map(rfc3339),
        expired: issued.is_some_and(|it| it.has_expired(now)),
        last_used: last_used.map(rfc3339),
    }
}
