//! `POST /v1/whatif`: what answers would be after changes that are only thought of.

use std::net::IpAddr;
use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Extension, State};
use axum::http::StatusCode;
use serde_json::Value;

use super::access::{Author, forbid_unseen, reached};
use super::body::endpoint_setting;
use super::error::ApiError;
use super::explain::Asking;
use super::look::now;
use super::names::{find_profile, not_found};
use super::openapi::Guarded;
use super::reading::{Fields, one_of, read_body, text};
use super::render::percent;
use super::{Api, Refused, view};
use crate::model::{Family, Ident, Method, Name};
use crate::routing::Basis;
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
        (status = 422, description = "The method doesn't fit the profile, or the client is no network", body = view::Problem, content_type = view::Problem::MEDIA_TYPE),
        (status = 413, description = "The body is too long", body = view::Problem, content_type = view::Problem::MEDIA_TYPE),
        Guarded,
    ),
)]
pub(super) async fn whatif(
    State(api): State<Arc<Api>>,
    Extension(author): Extension<Author>,
    body: Result<Bytes, BytesRejection>,
) -> Refused<Json<view::WhatIf>> {
    let asked = read_body(&body?, Asked::read)?;
    let (snapshot, now) = (api.live.load(), now(&api));
    if let Ok(profile) = asked.profile.parse::<Name>().as_ref()
        && author.scopes.are_limited()
    {
        // Its answers show what its endpoints stand for.
        forbid_unseen(&api, &author, &reached(&snapshot, profile))?;
    }
    let answer = tokio::task::spawn_blocking(move || {
        let question = asked.about(&snapshot)?;
        let answer = what_if(&snapshot, &question, now).map_err(refusal)?;
        Ok(Json(render(&snapshot, &question, answer)))
    });
    answer.await.unwrap_or_else(|_| {
        let detail = "thinking it through failed, which is a fault in Farol; look at its log";
        Err(ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, detail))
    })
}

/// What is asked, of a profile that may not be there.
struct Asked {
    profile: String,
    family: Option<Family>,
    client: Option<IpAddr>,
    changes: Vec<Thought>,
}

impl Asked {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let client = |it: &Value| Asking::read(text(it)?).map(|it| it.address);
        let profile = fields.required("profile", |it| text(it).map(str::to_owned));
        let family = fields.optional("type", one_of([("A", Family::V4), ("AAAA", Family::V6)]));
        let client = fields.optional("client", client);
        let changes = fields.objects("changes", 0..=MAX_CHANGES, thought);
        Some(Self { profile: profile?, family, client, changes: changes? })
    }

    fn about(self, snapshot: &Snapshot) -> Result<Question, ApiError> {
        let profile = find_profile(snapshot, &self.profile)?.profile.name.clone();
        let Self { family, client, changes, .. } = self;
        Ok(Question { profile, family, client, changes })
    }
}

fn thought(fields: &mut Fields<'_>) -> Option<Thought> {
    let methods = Method::ALL.map(|it| (it.label(), it));
    let thoughts = [
        fields.present("fail", |it| target(it, Fate::Fail)),
        fields.present("drain", |it| target(it, Fate::Drain)),
        fields.present("undrain", |it| target(it, Fate::Undrain)),
        fields.object("set", set),
        fields.present("method", one_of(methods)).map(Thought::Method),
    ];
    if fields.only_key().is_none() {
        fields.wrong_whole("send one of fail, drain, undrain, set, method");
    }
    thoughts.into_iter().flatten().next()
}

fn target(value: &Value, fate: Fate) -> Result<Thought, String> {
    let thought = match text(value)?.split_once('/') {
        Some(("site", name)) => name.parse().ok().map(|it| Thought::Site(it, fate)),
        Some(("endpoint", path)) => read_path(path).map(|it| Thought::Endpoint(it, fate)),
        _ => None,
    };
    thought.ok_or_else(|| {
        "write `site/NAME` or `endpoint/NAME`, where names of nested endpoints are like `eu/dublin`"
            .to_owned()
    })
}

fn set(fields: &mut Fields<'_>) -> Option<Thought> {
    let path = |it: &Value| {
        let path = read_path(text(it)?);
        path.ok_or_else(|| "write an endpoint's name, such as `orlando` or `eu/dublin`".to_owned())
    };
    let path = fields.required("endpoint", path);
    let change = endpoint_setting(fields);
    if change.is_empty() && !fields.is_faulty() {
        fields.wrong_whole("changes nothing; send weight, priority, enabled or forced");
    }
    Some(Thought::Endpoint(path?, Fate::Set(change)))
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
        WhatIfError::Misfit { .. } => {
            ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, format!("method: {detail}"))
        }
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
