//! `GET /v1/fleet`: how the sites' clusters and apps are. Read from what the controller has seen: no cluster is asked for it.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Extension, State};

use super::access::{Author, forbid_limited};
use super::error::ApiError;
use super::openapi::Guarded;
use super::{Api, FromPath, Refused, render, view};

/// How the fleet's clusters and apps are
///
/// What isn't as it is wanted is only counted; `/v1/fleet/sites/{site}` has it.
#[utoipa::path(
    get, path = "/v1/fleet", tag = "look",
    responses(
        (status = 200, description = "Every site; none where no fleet is described", body = view::Fleet),
        Guarded,
    ),
)]
pub(super) async fn fleet(
    State(api): State<Arc<Api>>,
    Extension(author): Extension<Author>,
) -> Refused<Json<view::Fleet>> {
    forbid_limited(&api, &author, "the fleet")?;
    Ok(Json(render::fleet(&api.fleet)))
}

/// How a site's cluster and apps are, object by object
#[utoipa::path(
    get, path = "/v1/fleet/sites/{site}", tag = "look",
    params(("site" = String, Path, description = "Its name", example = "seattle")),
    responses(
        (status = 200, description = "The site", body = view::FleetSite),
        (status = 404, description = "The fleet has no such site", body = view::Problem, content_type = view::Problem::MEDIA_TYPE),
        Guarded,
    ),
)]
pub(super) async fn site(
    State(api): State<Arc<Api>>,
    Extension(author): Extension<Author>,
    path: FromPath<String>,
) -> Refused<Json<view::FleetSite>> {
    forbid_limited(&api, &author, "the fleet")?;
    let name = path?.0;
    let sites = api.fleet.now().map(|it| it.sites).unwrap_or_default();
    match sites.iter().find(|it| it.site == name) {
        Some(site) => Ok(Json(render::fleet_site(site, true))),
        None => {
            let names = sites.iter().map(|it| it.site.clone()).collect();
            Err(ApiError::not_found(format!("the fleet has no site {name:?}"), names))
        }
    }
}
