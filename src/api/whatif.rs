//! `POST /v1/whatif`: what answers would be after changes that are only thought of.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Extension, State};
use axum::http::StatusCode;

use super::access::{Author, forbid_unseen, reached};
use super::body::{endpoint_change, read_body};
use super::error::ApiError;
use super::explain::Asking;
use super::look::now;
use super::names::{find_profile, not_found};
use super::openapi::Guarded;
use super::render::percent;
use super::{Api, Refused, view};
use crate::model::{Family, Ident, Method, Name, RecordType};
use crate::routing::Basis;
use crate::settings::nearest;
use crate::snapshot::{
    Fate, Leaf, Outcome, Question, Row, Snapshot, Thought, Warning, WhatIf, WhatIfError, what_if,
};

/// The most changes that are thought of at once.
const MAX_CHANGES: usize = 100;

/// What each endpoint's share would be after changes
///
/// Nothing is changed. It is the decision that queries get, made by a changed copy, for every kind of client that the profile
/// tells apart.
#[utoipa::path(
    post, path = "/v1/whatif", tag = "look",
    request_body = view::WhatIfRequest,
    responses(
        (status = 200, description = "What is, and what would be", body = view::WhatIf),
        (status = 400, description = "What is sent makes no sense", body = view::Problem, content_type = view::Problem::MEDIA_TYPE),
        (status = 404, description = "No profile, endpoint or site is called so", body = view::Problem, content_type = view::Problem::MEDIA_TYPE),
        (status = 408, description = "The body did not arrive in time", body = view::Problem, content_type = view::Problem::MEDIA_TYPE),
        (status = 413, description = "The body is too long", body = view::Problem, content_type = view::Problem::MEDIA_TYPE),
        Guarded,
    ),
)]
pub(super) async fn whatif(
    State(api): State<Arc<Api>>,
    Extension(author): Extension<Author>,
    body: Result<Bytes, BytesRejection>,
) -> Refused<Json<view::WhatIf>> {
    let request: view::WhatIfRequest = read_body(&body?)?;
    let (snapshot, now) = (api.live.load(), now(&api));
    if let Ok(profile) = request.profile.parse::<Name>().as_ref()
        && author.scopes.are_limited()
    {
        // Its answers show what its endpoints stand for.
        forbid_unseen(&api, &author, &reached(&snapshot, profile))?;
    }
    let answer = tokio::task::spawn_blocking(move || {
        let question = question(&snapshot, &request)?;
        let answer = what_if(&snapshot, &question, now).map_err(refusal)?;
        Ok(Json(render(&snapshot, &question, answer)))
    });
    answer.await.unwrap_or_else(|_| {
        let detail = "thinking it through failed, which is a fault in Farol; look at its log";
        Err(ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, detail))
    })
}

fn question(snapshot: &Snapshot, request: &view::WhatIfRequest) -> Result<Question, ApiError> {
    let profile = find_profile(snapshot, &request.profile)?.profile.name.clone();
    let family = request.record_type.as_deref().map(|text| {
        let record_type: Option<RecordType> = text.parse().ok();
        record_type
            .and_then(Family::of)
            .ok_or_else(|| ApiError::bad_request(format!("type: found `{text}`; write A or AAAA")))
    });
    let client = request.client.as_deref().map(|it| Asking::read(Some(it))).transpose()?;
    if request.changes.len() > MAX_CHANGES {
        return Err(ApiError::bad_request(format!("changes: send at most {MAX_CHANGES}")));
    }
    let changes = request.changes.iter().map(thought).collect::<Result<_, _>>()?;
    let (family, client) = (family.transpose()?, client.map(|it| it.address));
    Ok(Question { profile, family, client, changes })
}

fn thought(change: &view::WhatIfChange) -> Result<Thought, ApiError> {
    let (kind, target, fate) = match change {
        view::WhatIfChange::Fail(target) => ("fail", target, Fate::Fail),
        view::WhatIfChange::Drain(target) => ("drain", target, Fate::Drain),
        view::WhatIfChange::Undrain(target) => ("undrain", target, Fate::Undrain),
        view::WhatIfChange::Method(label) => return method(label),
        view::WhatIfChange::Set(setting) => return set(setting),
    };
    let wrong = || {
        ApiError::bad_request(format!(
            "{kind}: found `{target}`; write `site/NAME` or `endpoint/NAME`, where names of nested endpoints are like `eu/dublin`"
        ))
    };
    match target.split_once('/') {
        Some(("site", name)) => Ok(Thought::Site(name.parse().map_err(|_| wrong())?, fate)),
        Some(("endpoint", path)) => Ok(Thought::Endpoint(read_path(path).ok_or_else(wrong)?, fate)),
        _ => Err(wrong()),
    }
}

fn method(label: &str) -> Result<Thought, ApiError> {
    let all = Method::ALL.map(Method::label);
    let found = Method::ALL.into_iter().find(|it| it.label() == label);
    found.map(Thought::Method).ok_or_else(|| {
        let near = nearest(label, all).map(|it| format!(" (did you mean {it}?)"));
        ApiError::bad_request(format!(
            "method: found `{label}`{}; write one of {}",
            near.unwrap_or_default(),
            all.join(", ")
        ))
    })
}

fn set(setting: &view::WhatIfSetting) -> Result<Thought, ApiError> {
    let change = endpoint_change(&view::EndpointPatch {
        weight: setting.weight.map(Some),
        priority: setting.priority.map(Some),
        enabled: setting.enabled.map(Some),
        forced: setting.forced.clone().map(Some),
        ..view::EndpointPatch::default()
    })?;
    let name = &setting.endpoint;
    let path = read_path(name).ok_or_else(|| {
        ApiError::bad_request(format!(
            "set: `{name}` is no endpoint's name, such as `orlando` or `eu/dublin`"
        ))
    })?;
    if change.is_empty() {
        let detail = "set: changes nothing; send weight, priority, enabled or forced";
        return Err(ApiError::bad_request(detail));
    }
    Ok(Thought::Endpoint(path, Fate::Set(change)))
}

fn read_path(text: &str) -> Option<Vec<Ident>> {
    text.split('/').map(|it| it.parse().ok()).collect()
}

fn refusal(error: WhatIfError) -> ApiError {
    let detail = error.to_string();
    match error {
        WhatIfError::NoProfile(_) => ApiError::not_found(detail, Vec::new()),
        WhatIfError::NoEndpoint { text, known, .. } => not_found(&detail, &text, known),
        WhatIfError::NoSite { site, known, .. } => not_found(&detail, site.as_str(), known),
        WhatIfError::Misfit { .. } => ApiError::bad_request(format!("method: {detail}")),
    }
}

fn render(snapshot: &Snapshot, question: &Question, answer: WhatIf) -> view::WhatIf {
    let warnings = answer.warnings.iter().map(warning).collect();
    let endpoints = answer.endpoints.into_iter().map(|it| view::WhatIfEndpoint {
        name: it.path,
        now: it.now.label().to_owned(),
        then: it.then.label().to_owned(),
    });
    view::WhatIf {
        profile: question.profile.to_string(),
        record_type: answer.family.record_type().to_string(),
        generation: snapshot.generation,
        rows: answer.rows.into_iter().map(row).collect(),
        left_out: answer.left_out,
        endpoints: endpoints.collect(),
        warnings,
    }
}

fn row(row: Row) -> view::WhatIfRow {
    let part = |outcome: &Outcome, leaf: &Leaf| {
        outcome.0.iter().find(|it| it.0 == *leaf).map_or(0.0, |it| percent(it.1))
    };
    let new = row.then.0.iter().filter(|it| !row.now.0.iter().any(|now| now.0 == it.0));
    let leaves = row.now.0.iter().chain(new).map(|it| &it.0);
    let shares = leaves.map(|leaf| view::WhatIfShare {
        answer: match leaf {
            Leaf::Endpoint(path) => path.clone(),
            Leaf::Fallback => "fallback addresses".to_owned(),
            Leaf::NoData => "NODATA".to_owned(),
            Leaf::ServFail => "SERVFAIL".to_owned(),
        },
        now: part(&row.now, leaf),
        then: part(&row.then, leaf),
    });
    let shares = shares.collect();
    view::WhatIfRow { clients: row.clients, networks: row.networks, shares }
}

fn warning(warning: &Warning) -> String {
    match warning {
        Warning::Unheeded { profile, basis, rule, already } => {
            let when = if *already { "already now, " } else { "" };
            let what = match basis {
                Basis::NoneHealthy => format!("no endpoint is healthy, so {rule} decides"),
                Basis::Panic => {
                    "too few endpoints are healthy, so all are treated as healthy (panic_threshold)"
                        .to_owned()
                }
                Basis::NoneInService | Basis::Healthy => {
                    "no endpoint is in service: NODATA".to_owned()
                }
            };
            format!("{profile}: {when}{what}")
        }
        Warning::NoAnswer => "some clients that have an answer would have none".to_owned(),
        Warning::HeldUp(path) => {
            format!("{path} is forced up: it would fail its probes and be answered all the same")
        }
        Warning::Unprobed(path) => {
            format!("{path} is not probed: it would fail and be answered all the same")
        }
        Warning::StartsSlowly { path, part, span } => format!(
            "{path} starts slowly: with {:.0} % of its share, and all of it after {} s",
            part * 100.0,
            span.as_secs()
        ),
    }
}
