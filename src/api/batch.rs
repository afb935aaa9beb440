//! Several changes that are made all together or not at all.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Extension, State};
use axum::http::{HeaderMap, header};

use super::access::{Author, forbid_change};
use super::body::endpoint_change;
use super::change::{changed, make};
use super::error::ApiError;
use super::look::now;
use super::openapi::{Guarded, Storing};
use super::reading::{Fields, Wrong, flag, name, parsed, read_body};
use super::stamp::{Terms, request, span};
use super::{Api, Refused, render, view};
use crate::control::{Change, Condition};
use crate::model::Change::{Keep, Set};
use crate::model::{EndpointChange, EndpointKey, Ident, Name};
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
    let (changes, terms) = read_body(&body?, |fields| {
        let changes = fields.objects("changes", 1..=MOST, read);
        // Where they can't be read, what may end is not known.
        let sets = changes.as_ref().is_none_or(|it| it.iter().any(Change::sets));
        let terms = Terms::read_ending(fields, sets.then_some("what they set"));
        Some((changes?, terms))
    })?;
    changes.iter().try_for_each(|it| forbid_change(&api, &author, it))?;
    let dry_run = terms.dry_run;
    let request = request(&api, author, changes.clone(), Condition::None, terms)?;
    let made = make(&api, request).await?;
    let view::Changed { generation, dry_run, pending, .. } = changed(&api, &made, dry_run, ());
    let (profiles, sites) = concerned(&api, &made.snapshot, &changes);
    Ok(Json(view::Batch { generation, dry_run, pending, profiles, sites }))
}

fn read(fields: &mut Fields<'_>) -> Option<Change> {
    let change = endpoint_change(fields);
    let profile: Option<Name> = fields.present("profile", name);
    let endpoint: Option<Ident> = fields.present("endpoint", parsed);
    let site: Option<Ident> = fields.present("site", parsed);
    let drained = fields.present("drained", flag);
    let ramp = fields.optional("ramp", span);
    let failback = fields.is_set("failback");
    let EndpointChange { weight, priority, enabled, forced } = &change;
    let only_enables = (weight, priority, forced) == (&Keep, &Keep, &Keep) && *enabled != Keep;
    match (profile, endpoint, site, drained) {
        (Some(profile), Some(endpoint), None, None) if !failback => {
            if change.is_empty() && !fields.is_faulty() {
                fields.wrong_whole(
                    "changes nothing; send weight, priority, enabled or forced (null clears an override)",
                );
            }
            Some(Change::Endpoint(EndpointKey { profile, endpoint }, change))
        }
        (Some(name), None, None, None) if !failback && only_enables => {
            let enabled = if let Set(enabled) = enabled { Some(*enabled) } else { None };
            Some(Change::Profile { name, enabled })
        }
        (Some(profile), None, None, None) if failback && change.is_empty() => {
            Some(Change::FailBack(profile))
        }
        (None, None, Some(name), Some(drained)) if !failback && change.is_empty() => {
            if drained && ramp.is_some() {
                let detail = "is of the way back; leave it out of a drain";
                fields.wrong("ramp", Wrong::Form(detail.to_owned()));
            }
            Some(Change::Site { name, drained, ramp })
        }
        _ if fields.is_faulty() => None,
        _ => {
            fields.wrong_whole(
                "send profile, endpoint and what it gets; or profile and enabled; or site and drained; or profile and failback",
            );
            None
        }
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
    let looking = render::Looking { snapshot, traffic: &api.traffic, now: now(api) };
    (profiles, render::sites(&looking).into_iter().filter(is_concerned).collect())
}
