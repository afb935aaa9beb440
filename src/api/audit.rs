//! Who changed what, when, from where and why.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Extension, State};
use axum::http::StatusCode;
use serde_json::Value;

use super::access::{Author, sees_site};
use super::error::ApiError;
use super::openapi::Guarded;
use super::reading::{Sent, digits, name, parsed, read_query, text};
use super::{Api, Refused, view};
use crate::clock::rfc3339;
use crate::model::{Ident, Name, chain};
use crate::store::{Entry, Record};

/// Entries of a page where nobody says otherwise, and at most.
const SOME: u32 = 100;
const MOST: u32 = 1000;

/// Which entries are wanted.
struct AuditQuery {
    before: Option<u32>,
    limit: Option<u32>,
    profile: Option<String>,
    site: Option<String>,
    by: Option<String>,
}

/// What was done, by whom and why, also what was refused
///
/// The newest first. The log is kept in the state directory; `farol audit verify` tells whether somebody altered it.
#[utoipa::path(
    get, path = "/v1/audit", tag = "look",
    params(
        ("before" = Option<u32>, Query, description = "Only entries with a lower number: `next` of the page before", minimum = 0, maximum = 4_294_967_295_u32),
        ("limit" = Option<usize>, Query, description = "1–1000; 100 when it is left out", minimum = 1, maximum = 1000),
        ("profile" = Option<String>, Query, description = "Only what was done to this profile", example = "app.gtm.example."),
        ("site" = Option<String>, Query, description = "Only what was done to this site", example = "seattle"),
        ("by" = Option<String>, Query, description = "Only what this author did", example = "ann"),
    ),
    responses(
        (status = 200, description = "A page of the log", body = view::Audit),
        (status = 400, description = "What is sent makes no sense", body = view::Problem, content_type = view::Problem::MEDIA_TYPE),
        (status = 500, description = "The log can't be read", body = view::Problem, content_type = view::Problem::MEDIA_TYPE),
        Guarded,
    ),
)]
pub(super) async fn audit(
    State(api): State<Arc<Api>>,
    Extension(author): Extension<Author>,
    query: Sent,
) -> Refused<Json<view::Audit>> {
    let query = read_query(query, |fields| {
        let owned = |it: &Value| text(it).map(str::to_owned);
        Some(AuditQuery {
            before: fields.optional("before", digits(0..=u32::MAX)),
            limit: fields.optional("limit", digits(1..=MOST)),
            profile: fields.optional("profile", name::<Name>).map(|it| it.to_string()),
            site: fields.optional("site", parsed::<Ident>).map(|it| it.to_string()),
            by: fields.optional("by", owned),
        })
    })?;
    let most = query.limit.unwrap_or(SOME) as usize;
    let snapshot = api.live.load();
    // Who is limited to profiles sees what was done to those, and to the sites that they are in.
    let is_seen = move |record: &Record| match (&record.profile, &record.site) {
        _ if !author.scopes.are_limited() => true,
        (Some(profile), _) => profile.parse().is_ok_and(|it| author.scopes.hold(&it)),
        (None, Some(site)) => sees_site(&snapshot, &author.scopes, site),
        (None, None) => false,
    };
    let wanted = move |entry: &Entry| {
        let is = |wanted: &Option<String>, is: Option<&str>| {
            wanted.as_deref().is_none_or(|it| Some(it) == is)
        };
        let record = &entry.record;
        is(&query.profile, record.profile.as_deref())
            && is(&query.site, record.site.as_deref())
            && is(&query.by, Some(&record.by))
            && is_seen(record)
    };
    let permit = api.readers.clone().acquire_owned().await;
    let read = move || {
        let _permit = permit;
        api.store.last_entries(query.before.map(u64::from), most, wanted)
    };
    let entries = match tokio::task::spawn_blocking(read).await {
        Ok(Ok(entries)) => entries,
        Ok(Err(error)) => {
            return Err(ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, chain(&error)));
        }
        Err(_) => {
            let detail = "reading the log failed, which is a fault in Farol; look at its log";
            return Err(ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, detail));
        }
    };
    let last = entries.last().map(|it| it.number);
    let next = last.filter(|it| entries.len() == most && *it > 1);
    Ok(Json(view::Audit { entries: entries.into_iter().map(entry).collect(), next }))
}

fn entry(entry: Entry) -> view::AuditEntry {
    let record = entry.record;
    view::AuditEntry {
        number: entry.number,
        at: rfc3339(record.at),
        by: record.by,
        from: record.from,
        action: record.action,
        profile: record.profile,
        endpoint: record.endpoint,
        site: record.site,
        change: record.change,
        before: record.before,
        after: record.after,
        reason: record.reason,
        expires: record.expires.map(rfc3339),
        outcome: record.outcome,
        hash: entry.hash,
    }
}
