//! The admin HTTP API, which the command line talks to, and what monitoring reads. Every answer is made from what is
//! published; changes go to the control task.

mod access;
mod audit;
mod batch;
mod body;
mod change;
mod connections;
mod contract;
mod dashboard;
mod error;
mod etag;
mod events;
mod explain;
mod fleet;
mod listing;
mod look;
mod names;
mod openapi;
mod pending;
mod pieces;
mod reading;
mod render;
mod report;
mod server;
mod session;
mod stamp;
mod tls;
mod tokens;
mod unique;
pub mod view;
mod whatif;
mod zones;

pub use access::{Access, needs_own_token};
pub use etag::Whole;
pub use server::{BACKLOG, CONNECTIONS, Serving, serve};
pub use tls::TlsKeys;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use arc_swap::ArcSwap;
use axum::Router;
use axum::extract::rejection::PathRejection;
use axum::extract::{Extension, Path};
use axum::http::{HeaderValue, StatusCode, Uri, header};
use axum::middleware::{from_fn_with_state, map_response};
use axum::response::Response;
use tokio::sync::Semaphore;
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouterExt};
use utoipa_axum::routes;

use self::access::Guard;
use self::error::ApiError;
use crate::clock::Clock;
use crate::control::{Events, Handle, Timelines};
use crate::fleet::controller::Board;
use crate::metrics::Metrics;
use crate::model::{Role, Timestamp};
use crate::snapshot::Live;
use crate::store::Store;
use crate::supervision::Heart;
use crate::traffic::Traffic;

/// How many read what is large at a time, so that neither memory nor the disk is theirs alone.
pub const READERS: usize = 2;

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
    /// The keys of the configuration in force that have no routes of their own.
    pub configuration: Arc<ArcSwap<serde_json::Value>>,
    /// The requests that drained sites still get.
    pub traffic: Arc<Traffic>,
    /// What is known of the fleet.
    pub fleet: Arc<Board>,
    /// The state directory, to say how it is doing.
    pub store: Arc<Store>,
    /// All metrics.
    pub metrics: Metrics,
    /// The process's clock.
    pub clock: Clock,
    /// When the daemon started.
    pub started: Timestamp,
    /// Who gets in.
    pub access: Arc<Access>,
    /// Whether every endpoint has had its chance of a verdict, once it is known.
    pub ready: AtomicBool,
    /// The versions of everything.
    pub whole: Whole,
    /// Those who read what is large: only so many at a time.
    pub readers: Arc<Semaphore>,
    /// The signs of life of the control task.
    pub control_heart: Arc<Heart>,
}

/// What stands in the path; it may be no UTF-8.
type FromPath<T> = Result<Path<T>, PathRejection>;
/// An answer or a refusal.
type Refused<T> = Result<T, ApiError>;

/// The routes of the API, and its description, which has every one of them. Which role a route takes is said here and nowhere
/// else.
fn router(api: Arc<Api>) -> Router {
    let viewing = OpenApiRouter::new()
        .routes(routes!(look::status))
        .routes(routes!(listing::profiles))
        .routes(routes!(look::profile))
        .routes(routes!(look::timeline))
        .routes(routes!(look::sites))
        .routes(routes!(fleet::fleet))
        .routes(routes!(fleet::site))
        .routes(routes!(zones::zones))
        .routes(routes!(zones::records))
        .routes(routes!(look::explain))
        .routes(routes!(audit::audit))
        .routes(routes!(pending::pending))
        .routes(routes!(events::events))
        .routes(routes!(listing::history))
        .routes(routes!(whatif::whatif));
    let operating = OpenApiRouter::new()
        .routes(routes!(change::change_profile))
        .routes(routes!(change::change_endpoint))
        .routes(routes!(change::fail_back))
        .routes(routes!(batch::change_all))
        .routes(routes!(pending::confirm))
        .routes(routes!(pending::undo))
        .routes(routes!(change::drain))
        .routes(routes!(change::undrain));
    let managing = OpenApiRouter::new()
        .routes(routes!(change::reload))
        .routes(routes!(look::configuration))
        .routes(routes!(tokens::tokens, tokens::create_token))
        .routes(routes!(tokens::revoke_token));
    let metrics = OpenApiRouter::new().routes(routes!(look::metrics));
    let (open, mut description) = OpenApiRouter::with_openapi(openapi::description())
        .routes(routes!(look::alive))
        .routes(routes!(look::ready))
        .routes(routes!(report::report))
        .routes(routes!(openapi::document))
        .split_for_parts();

    let needs = |least| Guard { api: api.clone(), least };
    let whoever = from_fn_with_state(needs(Role::Viewer), access::guard);
    let (sessions, described) = OpenApiRouter::new()
        .routes(routes!(session::session).layer(whoever))
        .routes(routes!(session::sign_in, session::sign_out))
        .split_for_parts();
    description.merge(described);
    let (metrics, described) = metrics.split_for_parts();
    description.merge(openapi::with_role(described, Role::Viewer));
    let metrics = metrics.layer(from_fn_with_state(needs(Role::Viewer), access::guard_metrics));
    let mut guarded = Router::new();
    for (least, routes) in
        [(Role::Viewer, viewing), (Role::Operator, operating), (Role::Admin, managing)]
    {
        let (routes, described) = routes.split_for_parts();
        description.merge(openapi::with_role(described, least));
        let routes = routes.layer(from_fn_with_state(needs(least), access::guard));
        guarded = guarded.merge(routes);
    }
    open.layer(Extension(Arc::new(contract::complete(&description))))
        .merge(metrics)
        .merge(guarded.merge(sessions).layer(map_response(not_stored)))
        .merge(dashboard::routes())
        // One path may take several roles, by its methods, so this is said of all together.
        .method_not_allowed_fallback(wrong_method)
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
