//! Changes that may be undone by themselves yet: to be seen, confirmed and undone.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Extension, State};

use super::access::{Author, forbid_change, sees_change};
use super::change::{changed, make};
use super::openapi::{Changing, Guarded};
use super::reading::read_body;
use super::stamp::{Terms, request};
use super::{Api, FromPath, Refused, view};
use crate::clock::rfc3339;
use crate::control::{Change, Condition};
use crate::model::Pending;

/// Changes that wait for their confirmation, or are watched
///
/// They are in force, and undone by themselves: at `until`, where they need a confirmation, and as soon as health gets worse, where
/// they are to be.
#[utoipa::path(
    get, path = "/v1/changes", tag = "look",
    responses((status = 200, description = "The oldest first", body = view::PendingChanges), Guarded),
)]
pub(super) async fn pending(
    State(api): State<Arc<Api>>,
    Extension(author): Extension<Author>,
) -> Json<view::PendingChanges> {
    let snapshot = api.live.load();
    let seen = snapshot.pending.iter().filter(|it| sees_change(&snapshot, &author.scopes, &it.1));
    Json(view::PendingChanges { pending: seen.map(|(number, it)| render(*number, it)).collect() })
}

pub(super) fn render(number: u64, pending: &Pending) -> view::PendingChange {
    view::PendingChange {
        id: number,
        by: pending.stamp.by.clone(),
        reason: pending.stamp.reason.clone(),
        at: rfc3339(pending.stamp.at),
        until: rfc3339(pending.until),
        needs_confirmation: pending.needs_confirmation,
        undo_if_worse: pending.undo_if_worse,
        changes: pending.changes.clone(),
    }
}

/// Has pending changes stay
///
/// They are neither undone when their time is over, nor when health gets worse.
#[utoipa::path(
    post, path = "/v1/changes/{id}/confirm", tag = "change",
    params(("id" = u64, Path, description = "The number of the change, from `pending` of its answer or `/v1/changes`")),
    request_body = Option<view::SettleRequest>,
    responses(
        (status = 200, description = "They stay", body = view::Settled),
        (status = 404, description = "None of this number is pending", body = view::Problem, content_type = view::Problem::MEDIA_TYPE),
        Changing, Guarded,
    ),
)]
pub(super) async fn confirm(
    api: State<Arc<Api>>,
    author: Extension<Author>,
    number: FromPath<u64>,
    body: Result<Bytes, BytesRejection>,
) -> Refused<Json<view::Settled>> {
    settle(api, author, number, body, Change::Confirm).await
}

/// Undoes pending changes
///
/// Everything that they changed is as it was before them, but for what somebody has changed since.
#[utoipa::path(
    post, path = "/v1/changes/{id}/undo", tag = "change",
    params(("id" = u64, Path, description = "The number of the change, from `pending` of its answer or `/v1/changes`")),
    request_body = Option<view::SettleRequest>,
    responses(
        (status = 200, description = "They are undone", body = view::Settled),
        (status = 404, description = "None of this number is pending", body = view::Problem, content_type = view::Problem::MEDIA_TYPE),
        (status = 409, description = "Guardrails don't allow it", body = view::Problem, content_type = view::Problem::MEDIA_TYPE),
        Changing, Guarded,
    ),
)]
pub(super) async fn undo(
    api: State<Arc<Api>>,
    author: Extension<Author>,
    number: FromPath<u64>,
    body: Result<Bytes, BytesRejection>,
) -> Refused<Json<view::Settled>> {
    settle(api, author, number, body, Change::Undo).await
}

async fn settle(
    State(api): State<Arc<Api>>,
    Extension(author): Extension<Author>,
    number: FromPath<u64>,
    body: Result<Bytes, BytesRejection>,
    change: fn(u64) -> Change,
) -> Refused<Json<view::Settled>> {
    let change = change(number?.0);
    forbid_change(&api, &author, &change)?;
    let body = body?;
    let terms = match body.is_empty() {
        true => Terms::none(),
        false => read_body(&body, |fields| Some(Terms::read(fields)))?,
    };
    let dry_run = terms.dry_run;
    let request = request(&api, author, vec![change], Condition::None, terms)?;
    let made = make(&api, request).await?;
    let view::Changed { generation, dry_run, .. } = changed(&api, &made, dry_run, ());
    Ok(Json(view::Settled { generation, dry_run }))
}
