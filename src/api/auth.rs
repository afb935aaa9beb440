use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use ring::digest::{SHA256, digest};
use subtle::ConstantTimeEq;

use super::Api;
use super::error::ApiError;
use crate::model::TokenHash;

/// Who made a request.
#[derive(Clone, Debug)]
pub(super) struct Author(pub(super) String);

/// Lets only requests with the token pass. A missing and a wrong token cost the same: one hash and one comparison.
pub(super) async fn require_token(
    State(api): State<Arc<Api>>,
    mut request: Request,
    next: Next,
) -> Response {
    if !api.token.matches(bearer(request.headers()).unwrap_or_default()) {
        return unauthorized().into_response();
    }
    request.extensions_mut().insert(Author("admin".to_owned()));
    next.run(request).await
}

/// Likewise, where the settings want a token for metrics.
pub(super) async fn require_token_for_metrics(
    api: State<Arc<Api>>,
    request: Request,
    next: Next,
) -> Response {
    if api.metrics.are_protected() {
        return require_token(api, request, next).await;
    }
    next.run(request).await
}

/// The refusal of whoever has no token, or a wrong one.
pub(super) fn unauthorized() -> ApiError {
    let detail = "send `Authorization: Bearer TOKEN`; without tokens of your own it stands in `admin.token` in the state directory";
    ApiError::new(StatusCode::UNAUTHORIZED, detail)
}

/// Whether this is the token. How long that takes tells nothing about how much of it is right.
pub(super) fn is_token(hash: &TokenHash, presented: &str) -> bool {
    digest(&SHA256, presented.as_bytes()).as_ref().ct_eq(&hash.0).into()
}

/// The token of an `Authorization: Bearer` header (RFC 6750 2.1).
pub(super) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}
