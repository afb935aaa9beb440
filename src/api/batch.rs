//! Several changes that are made all together or not at all.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Extension, State};
use axum::http::{HeaderMap, header};

use super::access::{Author, forbid_change};
use super::body::{endpoint_change, read_body};
use super::change::{changed, make};
use super::error::ApiError;
use super::look::now;
use super::names::{find_key, find_profile, no_site};
use super::openapi::{Guarded, Storing};
use super::stamp::{Terms, request};
use super::{Api, Refused, render, view};
use crate::control::{Change, Condition};
use crate::model::{Ident, Name};
use crate::snapshot::Snapshot;

/// The most changes of one batch.
const MOST: usize = 100;

/// Makes several changes all together or not at all
///
/// They are checked, stored and put in force as one; guardrails look at what all of them leave.
#[utoipa::path(
    post, path = "/v1/changes", tag = "change",
    request_body = view::BatchRequest,
    responses(
        (status = 200, description = "What was changed, as it is now, with the generation by which every worker answers", body = view::Batch),
        (status = 404, description = "No profile, endpoint or site is called so", body = view::Problem, content_type = view::Problem::MEDIA_TYPE),
        (status = 409, description = "A profile fails back by itself, or guardrails don't allow it", body = view::Problem, content_type = view::Problem::MEDIA_TYPE),
        Storing, Guarded,
    ),
)]
pub(super) async fn change_all(
    State(api): State<Arc<Api>>,
    Extension(author): Extension<Author>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Refused<Json<view::Batch>> {
    if headers.contains_key(header::IF_MATCH) {
        let detail = "a batch is about several things, and takes no If-Match; send the changes one by one, or without it";
        return Err(ApiError::bad_request(detail));
    }
    let batch: view::BatchRequest = read_body(&body?)?;
    if batch.changes.is_empty() || batch.changes.len() > MOST {
        return Err(ApiError::bad_request(format!("changes: send 1 to {MOST}")));
    }
    let snapshot = api.live.load();
    let read =
        |(at, change)| read(&snapshot, change).map_err(|it| it.within(&format!("changes[{at}]")));
    let changes: Vec<Change> =
        batch.changes.iter().enumerate().map(read).collect::<Result<_, _>>()?;
    changes.iter().try_for_each(|it| forbid_change(&api, &author, it))?;
    let view::BatchRequest { reason, expires, dry_run, override_guardrail, .. } = batch;
    let terms = Terms { reason, expires, dry_run, override_guardrail };
    let sets = changes.iter().any(Change::sets).then_some("what they set");
    let request = request(&api, author, changes.clone(), Condition::None, terms, sets)?;
    let made = make(&api, request).await?;
    let view::Changed { generation, dry_run, pending, .. } = changed(&api, &made, dry_run, ());
    let (profiles, sites) = concerned(&api, &made.snapshot, &changes);
    Ok(Json(view::Batch { generation, dry_run, pending, profiles, sites }))
}

fn read(snapshot: &Snapshot, change: &view::BatchChange) -> Result<Change, ApiError> {
    let fields = endpoint_change(&view::EndpointPatch {
        weight: change.weight,
        priority: change.priority,
        enabled: change.enabled,
        forced: change.forced.clone(),
        ..view::EndpointPatch::default()
    })?;
    let view::BatchChange { profile, endpoint, site, drained, failback, .. } = change;
    match (profile, endpoint, site, drained) {
        (Some(profile), Some(endpoint), None, None) if !failback => {
            let key = find_key(snapshot, profile, endpoint)?;
            if fields.is_empty() {
                let detail = "changes nothing; send weight, priority, enabled or forced (null clears an override)";
                return Err(ApiError::bad_request(detail));
            }
            Ok(Change::Endpoint(key, fields))
        }
        (Some(profile), None, None, None) if *failback && fields.is_empty() => {
            Ok(Change::FailBack(find_profile(snapshot, profile)?.profile.name.clone()))
        }
        (None, None, Some(site), Some(drained)) if !failback && fields.is_empty() => {
            let name: Ident = site.parse().map_err(|_| no_site(snapshot, site))?;
            Ok(Change::Site { name, drained: *drained, ramp: None })
        }
        _ => Err(ApiError::bad_request(
            "send profile, endpoint and what it gets; or site and drained; or profile and failback",
        )),
    }
}

/// What the changes are about, as it is in this snapshot.
fn concerned(
    api: &Api,
    snapshot: &Snapshot,
    changes: &[Change],
) -> (Vec<view::Profile>, Vec<view::Site>) {
    let (mut profiles, mut sites) = (BTreeSet::<&Name>::new(), BTreeSet::<&Ident>::new());
    for change in changes {
        match change {
            Change::Endpoint(key, _) => drop(profiles.insert(&key.profile)),
            Change::FailBack(profile) | Change::Profile { name: profile, .. } => {
                profiles.insert(profile);
            }
            Change::Confirm(_) | Change::Undo(_) => {}
            Change::Site { name, .. } => drop(sites.insert(name)),
        }
    }
    let tables = profiles.into_iter().filter_map(|it| snapshot.profile(it));
    let is_concerned = |it: &view::Site| sites.iter().any(|site| site.as_str() == it.name);
    let profiles = tables.map(|it| render::profile(it, now(api))).collect();
    let looking = render::Looking { snapshot, now: now(api) };
    (profiles, render::sites(&looking).into_iter().filter(is_concerned).collect())
}
