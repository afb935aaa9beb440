//! The admin HTTP API, which the command line talks to, and what monitoring reads. Every answer is made from what is
//! published; changes go to the control task.

mod audit;
mod auth;
mod batch;
mod body;
mod change;
mod connections;
mod error;
mod etag;
mod events;
mod explain;
mod listing;
mod look;
mod names;
mod openapi;
mod pieces;
mod render;
mod report;
mod server;
mod stamp;
pub mod view;
mod whatif;

pub use etag::Whole;
pub use server::{BACKLOG, CONNECTIONS, serve};

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use axum::Router;
use axum::extract::rejection::PathRejection;
use axum::extract::{Extension, Path};
use axum::http::{HeaderValue, StatusCode, Uri, header};
use axum::middleware::{from_fn_with_state, map_response};
use axum::response::Response;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use self::error::ApiError;
use crate::clock::Clock;
use crate::control::{Events, Handle, Timelines};
use crate::metrics::Metrics;
use crate::model::Timestamp;
use crate::snapshot::Live;
use crate::store::{AdminToken, Store};
use crate::supervision::Heart;

/// What the API reads and whom it tells.
#[derive(Debug)]
pub struct Api {
    /// The snapshot in force.
    pub live: Arc<Live>,
    /// The control task.
    pub control: Handle,
    /// When endpoints came into another status, and why.
    pub timelines: Arc<Timelines>,
    /// What happens, as it happens.
    pub events: Arc<Events>,
    /// The state directory, to say how it is doing.
    pub store: Arc<Store>,
    /// All metrics.
    pub metrics: Metrics,
    /// The process's clock.
    pub clock: Clock,
    /// When the daemon started.
    pub started: Timestamp,
    /// Who may do everything.
    pub token: AdminToken,
    /// Whether every endpoint has had its chance of a verdict, once it is known.
    pub ready: AtomicBool,
    /// The versions of everything.
    pub whole: Whole,
    /// The signs of life of the control task.
    pub control_heart: Arc<Heart>,
}

/// What stands in the path; it may be no UTF-8.
type FromPath<T> = Result<Path<T>, PathRejection>;
/// An answer or a refusal.
type Refused<T> = Result<T, ApiError>;

/// The routes of the API, and its description, which has every one of them.
fn router(api: Arc<Api>) -> Router {
    let (guarded, described) = OpenApiRouter::new()
        .routes(routes!(look::status))
        .routes(routes!(listing::profiles))
        .routes(routes!(look::profile))
        .routes(routes!(look::timeline))
        .routes(routes!(look::sites))
        .routes(routes!(look::explain))
        .routes(routes!(audit::audit))
        .routes(routes!(events::events))
        .routes(routes!(listing::history))
        .routes(routes!(whatif::whatif))
        .routes(routes!(change::change_endpoint))
        .routes(routes!(change::fail_back))
        .routes(routes!(batch::change_all))
        .routes(routes!(change::drain))
        .routes(routes!(change::undrain))
        .routes(routes!(change::reload))
        .split_for_parts();
    let guarded = guarded
        .method_not_allowed_fallback(wrong_method)
        .layer(from_fn_with_state(api.clone(), auth::require_token))
        .layer(map_response(not_stored));
    let (metrics, described_metrics) =
        OpenApiRouter::new().routes(routes!(look::metrics)).split_for_parts();
    let metrics = metrics
        .method_not_allowed_fallback(wrong_method)
        .layer(from_fn_with_state(api.clone(), auth::require_token_for_metrics));
    let (open, mut description) = OpenApiRouter::with_openapi(openapi::description())
        .routes(routes!(look::alive))
        .routes(routes!(look::ready))
        .routes(routes!(report::report))
        .routes(routes!(openapi::document))
        .split_for_parts();
    description.merge(described_metrics);
    description.merge(described);
    open.method_not_allowed_fallback(wrong_method)
        .layer(Extension(Arc::new(description)))
        .merge(metrics)
        .merge(guarded)
        .fallback(no_such_path)
        .with_state(api)
}

/// What is seen is of this moment; a cache that asks whether its copy is still right would miss health.
async fn not_stored(mut response: Response) -> Response {
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

async fn wrong_method(uri: Uri) -> ApiError {
    ApiError::new(
        StatusCode::METHOD_NOT_ALLOWED,
        format!("{} does not take this method", uri.path()),
    )
}

async fn no_such_path(uri: Uri) -> ApiError {
    ApiError::not_found(
        format!("there is nothing at {}; the API begins with /v1", uri.path()),
        Vec::new(),
    )
}
