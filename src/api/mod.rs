//! The admin HTTP API, which the command line talks to, and what monitoring reads. Every answer is made from what is
//! published; changes go to the control task.

mod auth;
mod connections;
mod error;
mod explain;
mod handlers;
mod render;
mod server;
pub mod view;

pub use server::serve;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use axum::Router;
use axum::http::{StatusCode, Uri};
use axum::middleware::from_fn_with_state;
use axum::routing::{get, patch, post};

use self::error::ApiError;
use crate::clock::Clock;
use crate::control::Handle;
use crate::metrics::Metrics;
use crate::model::Timestamp;
use crate::snapshot::Live;
use crate::store::AdminToken;
use crate::supervision::Heart;

/// What the API reads and whom it tells.
#[derive(Debug)]
pub struct Api {
    /// The snapshot in force.
    pub live: Arc<Live>,
    /// The control task.
    pub control: Handle,
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
    /// The signs of life of the control task.
    pub control_heart: Arc<Heart>,
}

/// The routes of the API.
fn router(api: Arc<Api>) -> Router {
    let guarded = Router::new()
        .route("/v1/status", get(handlers::status))
        .route("/v1/profiles", get(handlers::profiles))
        .route("/v1/profiles/{profile}", get(handlers::profile))
        .route("/v1/profiles/{profile}/endpoints/{endpoint}", patch(handlers::change_endpoint))
        .route("/v1/sites", get(handlers::sites))
        .route("/v1/sites/{site}/drain", post(handlers::drain))
        .route("/v1/sites/{site}/undrain", post(handlers::undrain))
        .route("/v1/explain", get(handlers::explain))
        .route("/v1/reload", post(handlers::reload))
        .method_not_allowed_fallback(wrong_method)
        .layer(from_fn_with_state(api.clone(), auth::require_token));
    Router::new()
        .route("/healthz", get(handlers::health))
        .route("/readyz", get(handlers::ready))
        .route("/metrics", get(handlers::metrics))
        .method_not_allowed_fallback(wrong_method)
        .merge(guarded)
        .fallback(no_such_path)
        .with_state(api)
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
