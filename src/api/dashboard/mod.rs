//! The dashboard: its page, styles and scripts are a part of the program. Nobody needs a token for them: what they show comes
//! from the API, to whom that shows it.

mod assets;

use std::collections::HashMap;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Extension, Path};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::map_response;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use ring::digest::{SHA256, digest};

use self::assets::{ASSETS, PAGE};
use super::error::ApiError;
use super::etag::is_known;
use super::{Api, FromPath, Refused, wrong_method};

/// The page runs and shows nothing but what comes from here, stands in no other page, and never makes markup of texts.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'";

/// What browsers are told with every file. That a file is no other type than it says, they are told with every answer of the API's port.
const TOLD: [(HeaderName, &str); 5] = [
    // An upgrade shows at once: a browser asks each time, and is told that nothing has changed.
    (header::CACHE_CONTROL, "no-cache"),
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
];

/// A file as it is sent.
struct File {
    content: Bytes,
    media_type: &'static str,
    /// The hash of its content.
    tag: String,
}

type Files = Arc<HashMap<&'static str, File>>;

/// The page at `/`, and all files under `/assets`.
pub(super) fn routes() -> Router<Arc<Api>> {
    let file = |(name, content): &(&'static str, &'static [u8])| {
        let hash = digest(&SHA256, content);
        let tag = hash.as_ref().iter().take(16).map(|it| format!("{it:02x}")).collect();
        (*name, File { content: Bytes::from_static(content), media_type: media_type(name), tag })
    };
    let files: Files = Arc::new(ASSETS.iter().map(file).collect());
    Router::new()
        .route("/", get(page))
        .route("/assets/{file}", get(asset))
        .method_not_allowed_fallback(wrong_method)
        .layer(Extension(files))
        .layer(map_response(told))
}

async fn page(Extension(files): Extension<Files>, headers: HeaderMap) -> Refused<Response> {
    send(&files, PAGE, &headers)
}

async fn asset(
    Extension(files): Extension<Files>,
    path: FromPath<String>,
    headers: HeaderMap,
) -> Refused<Response> {
    let Path(name) = path?;
    send(&files, &name, &headers)
}

fn send(files: &Files, name: &str, headers: &HeaderMap) -> Refused<Response> {
    let Some(file) = files.get(name) else {
        let detail = format!("the dashboard has no file `{name}`");
        return Err(ApiError::not_found(detail, Vec::new()));
    };
    let etag = [(header::ETAG, format!("\"{}\"", file.tag))];
    if is_known(headers, &file.tag)? {
        return Ok((StatusCode::NOT_MODIFIED, etag).into_response());
    }
    let media_type = [(header::CONTENT_TYPE, file.media_type)];
    Ok((etag, media_type, Body::from(file.content.clone())).into_response())
}

async fn told(mut response: Response) -> Response {
    for (name, value) in TOLD {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

fn media_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|it| it.1) {
        Some("html") => "text/html; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_the_dashboard_is_in_the_program() {
        let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/src/api/dashboard/assets");
        let entries = std::fs::read_dir(directory).unwrap();
        let mut there: Vec<String> =
            entries.map(|it| it.unwrap().file_name().into_string().unwrap()).collect();
        there.sort();
        let known: Vec<&str> = ASSETS.iter().map(|it| it.0).collect();
        assert_eq!(known, there, "list them in src/api/dashboard/assets.rs, in this order");
        assert!(known.contains(&PAGE));
        for name in known {
            assert_ne!(media_type(name), "application/octet-stream", "{name}");
        }
    }
}
