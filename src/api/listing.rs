//! Lists that may be long: all profiles, and the history of all endpoints, filtered and in pages.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Extension, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use serde_json::Value;

use super::access::Author;
use super::etag::{Tagged, unless_known};
use super::look::{aside, now};
use super::names::find_profile;
use super::openapi::{BadTags, Guarded};
use super::reading::{Fields, Sent, Wrong, digits, name, parsed, read_query, text};
use super::{Api, Refused, render, view};
use crate::model::{EndpointStatus, Ident, Name, ProfileStatus};
use crate::snapshot::{ProfileTable, Snapshot};

/// The most profiles, or turns, of one page.
const MOST: u32 = 1000;
/// Turns of a page where nobody says otherwise.
const SOME: u32 = 100;

/// Profiles with their endpoints
///
/// All of them, or those that fit all filters, in the configuration's order; in pages, where there is a `limit`.
#[utoipa::path(
    get, path = "/v1/profiles", tag = "look",
    params(
        ("zone" = Option<String>, Query, description = "Only those in this zone", example = "gtm.example."),
        ("site" = Option<String>, Query, description = "Only those with an endpoint in this site", example = "seattle"),
        ("status" = Option<String>, Query, description = "Only those in this state, or with an endpoint in it", example = "Degraded"),
        ("text" = Option<String>, Query, description = "Only those with this in their name, or in that of an endpoint", example = "app"),
        ("after" = Option<String>, Query, description = "Only those after this one: `next` of the page before"),
        ("limit" = Option<usize>, Query, description = "1–1000; all when it is left out", minimum = 1, maximum = 1000),
        ("If-None-Match" = Option<String>, Header, description = "ETags that are known"),
    ),
    responses(
        (status = 200, description = "In the configuration's order", body = view::Profiles, headers(("ETag" = String, description = "Of all profiles; not of health"))),
        (status = 404, description = "No profile is called as `after` says", body = view::Problem, content_type = view::Problem::MEDIA_TYPE),
        (status = 422, description = "There is no such zone", body = view::Problem, content_type = view::Problem::MEDIA_TYPE),
        BadTags, Guarded,
    ),
)]
pub(super) async fn profiles(
    State(api): State<Arc<Api>>,
    Extension(author): Extension<Author>,
    query: Sent,
    headers: HeaderMap,
) -> Refused<Response> {
    aside(move || {
        let (snapshot, now) = (api.live.load(), now(&api));
        let (wanted, after, limit) = read_query(query, |fields| {
            let after = fields.optional("after", |it| text(it).map(str::to_owned));
            let limit = fields.optional("limit", digits(1..=MOST));
            Some((Wanted::read(fields, &snapshot), after, limit))
        })?;
        let version = api.whole.of(&snapshot).profiles;
        let first = match &after {
            Some(after) => {
                let name = &find_profile(&snapshot, after)?.profile.name;
                snapshot.slot(name).map_or(0, |it| it as usize + 1)
            }
            None => 0,
        };
        let seen = |it: &&Arc<ProfileTable>| author.scopes.hold(&it.profile.name);
        // Health is no part of the version.
        let known = unless_known(&headers, version)?.filter(|_| wanted.status.is_none());
        if let Some(known) = known {
            return Ok(known);
        }
        let mut tables =
            snapshot.profiles.iter().skip(first).filter(seen).filter(|it| wanted.wants(it));
        let page: Vec<&Arc<ProfileTable>> =
            tables.by_ref().take(limit.map_or(usize::MAX, |it| it as usize)).collect();
        let last = page.last().filter(|_| tables.next().is_some());
        let next = last.map(|it| it.profile.name.to_string());
        let profiles = page.into_iter().map(|it| render::profile(it, now)).collect();
        Ok(Tagged { version: Some(version), body: view::Profiles { profiles, next } }
            .into_response())
    })
    .await
}

/// What a profile must have to be wanted.
struct Wanted {
    zone: Option<Name>,
    site: Option<Ident>,
    status: Option<&'static str>,
    text: Option<String>,
}

impl Wanted {
    fn read(fields: &mut Fields<'_>, snapshot: &Snapshot) -> Self {
        let zone = |it: &Value| {
            let zone: Name = name(it)?;
            let is_known = snapshot.zones.get(&zone).is_some();
            if is_known {
                Ok(zone)
            } else {
                Err(Wrong::Sense(format!("there is no zone `{zone}`")))
            }
        };
        Self {
            zone: fields.optional("zone", zone),
            site: fields.optional("site", parsed),
            status: fields.optional("status", status),
            text: fields.optional("text", |it| text(it).map(str::to_ascii_lowercase)),
        }
    }

    fn wants(&self, table: &ProfileTable) -> bool {
        let profile = &table.profile;
        let is_status = |it: &str| self.status.is_none_or(|wanted| wanted == it);
        let has = |name: &str| self.text.as_ref().is_none_or(|text| name.contains(text.as_str()));
        self.zone.as_ref().is_none_or(|it| profile.name.is_within(it))
            && (self.site.is_none() || profile.endpoints.iter().any(|it| it.site == self.site))
            && (is_status(table.status.label())
                || table.endpoints.iter().any(|it| is_status(it.status.label())))
            && (has(&profile.name.to_string())
                || profile.endpoints.iter().any(|it| has(it.name.as_str())))
    }
}

/// A status of profiles or endpoints, in letters of any case.
fn status(value: &Value) -> Result<&'static str, String> {
    let endpoints = EndpointStatus::ALL.map(EndpointStatus::label);
    let profiles = ProfileStatus::ALL.map(ProfileStatus::label);
    let all: BTreeSet<&str> = endpoints.into_iter().chain(profiles).collect();
    let (all, found) = (Vec::from_iter(all), text(value)?);
    let known = all.iter().find(|it| it.eq_ignore_ascii_case(found)).copied();
    known.ok_or_else(|| format!("write one of {}", all.join(", ")))
}

/// When endpoints came into another status, and why
///
/// The last turns of all endpoints, the newest first. Of each endpoint the last 100 are kept, over restarts.
#[utoipa::path(
    get, path = "/v1/history", tag = "look",
    params(
        ("profile" = Option<String>, Query, description = "Only this profile's endpoints", example = "app.gtm.example."),
        ("site" = Option<String>, Query, description = "Only this site's endpoints", example = "seattle"),
        ("limit" = Option<usize>, Query, description = "1–1000; 100 when it is left out", minimum = 1, maximum = 1000),
    ),
    responses(
        (status = 200, description = "The newest first", body = view::History),
        (status = 400, description = "What is sent makes no sense", body = view::Problem, content_type = view::Problem::MEDIA_TYPE),
        (status = 404, description = "No profile is called so", body = view::Problem, content_type = view::Problem::MEDIA_TYPE),
        Guarded,
    ),
)]
pub(super) async fn history(
    State(api): State<Arc<Api>>,
    Extension(author): Extension<Author>,
    query: Sent,
) -> Refused<Response> {
    let (profile, site, limit) = read_query(query, |fields| {
        Some((
            fields.optional("profile", |it| text(it).map(str::to_owned)),
            fields.optional("site", parsed::<Ident>),
            fields.optional("limit", digits(1..=MOST)).unwrap_or(SOME) as usize,
        ))
    })?;
    let permit = api.readers.clone().acquire_owned().await;
    aside(move || {
        let _permit = permit;
        let snapshot = api.live.load();
        let profile = profile.as_deref().map(|it| find_profile(&snapshot, it)).transpose()?;
        let mut turns = Vec::new();
        for (key, timeline) in api.timelines.all() {
            let is_other = profile.is_some_and(|it| it.profile.name != key.profile);
            if is_other || !author.scopes.hold(&key.profile) {
                continue;
            }
            let endpoint = snapshot
                .profile(&key.profile)
                .and_then(|table| table.profile.endpoints.get(table.position(&key.endpoint)?));
            let its_site = endpoint.and_then(|it| it.site.clone());
            if site.is_some() && site != its_site {
                continue;
            }
            let latest = timeline.iter().rev().take(limit).cloned();
            turns.extend(latest.map(|turn| (turn.at, key.clone(), its_site.clone(), turn)));
        }
        turns.sort_by_key(|it| Reverse(it.0));
        turns.truncate(limit);
        let turns = turns.into_iter().map(|(_, key, site, turn)| view::HistoryTurn {
            profile: key.profile.to_string(),
            endpoint: key.endpoint.to_string(),
            site: site.map(|it| it.to_string()),
            turn: render::turn(&turn),
        });
        Ok(Json(view::History { turns: turns.collect() }).into_response())
    })
    .await
}
