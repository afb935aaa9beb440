use std::time::Duration;

use axum::extract::rejection::{BytesRejection, PathRejection};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::etag::etag;
use super::view::{self, Fault, Problem};
use crate::control::{Breach, ChangeError, Version};

/// The most things that one refusal tells to be wrong.
const MOST_FAULTS: usize = 100;

/// A refusal: a status, what is wrong and what to do.
#[derive(Clone, Debug)]
pub(super) struct ApiError {
    status: StatusCode,
    detail: String,
    near: Vec<String>,
    faults: Box<[Fault]>,
    etag: Option<Version>,
    breaches: Box<[Breach]>,
    retry_after: Option<Duration>,
}

/// The same refusal without names that are like the one asked for; it is beside a response that has some.
#[derive(Clone, Debug)]
pub(super) struct Unhinted(pub(super) ApiError);

impl ApiError {
    pub(super) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self {
            status,
            detail: detail.into(),
            near: Vec::new(),
            faults: Box::default(),
            etag: None,
            breaches: Box::default(),
            retry_after: None,
        }
    }

    pub(super) fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    /// A request that is not what the API's description says, with everything that is wrong with it.
    pub(super) fn malformed(faults: Vec<Fault>) -> Self {
        Self::faulty(StatusCode::BAD_REQUEST, faults)
    }

    /// A request that is, and can't be done all the same.
    pub(super) fn senseless(faults: Vec<Fault>) -> Self {
        Self::faulty(StatusCode::UNPROCESSABLE_ENTITY, faults)
    }

    fn faulty(status: StatusCode, mut faults: Vec<Fault>) -> Self {
        faults.truncate(MOST_FAULTS);
        let lines: Vec<String> = faults.iter().map(ToString::to_string).collect();
        Self { faults: faults.into(), ..Self::new(status, lines.join("\n")) }
    }

    /// A header that makes no sense.
    pub(super) fn bad_header(name: &HeaderName, detail: &str) -> Self {
        let header = Some(name.as_str().to_owned());
        Self::malformed(vec![Fault { header, ..Fault::new(detail.to_owned(), None) }])
    }

    /// Something that is not there, with the names that are like it.
    pub(super) fn not_found(detail: impl Into<String>, near: Vec<String>) -> Self {
        Self { near, ..Self::new(StatusCode::NOT_FOUND, detail) }
    }

    /// A request too many; another may come after so long.
    pub(super) fn too_many(detail: impl Into<String>, wait: Duration) -> Self {
        Self { retry_after: Some(wait), ..Self::new(StatusCode::TOO_MANY_REQUESTS, detail) }
    }

    /// A change that guardrails don't allow.
    pub(super) fn guarded(error: &ChangeError, breaches: &[Breach]) -> Self {
        let detail = format!(
            "{error}; an admin may pass over them with override_guardrail (--override-guardrail REASON)"
        );
        Self { breaches: breaches.into(), ..Self::new(StatusCode::CONFLICT, detail) }
    }

    /// An If-Match that does not hold, with the version in force.
    pub(super) fn changed(now: Option<Version>) -> Self {
        let detail = match now {
            Some(now) => format!(
                "it is another one than If-Match names, so somebody else has changed it; look at it, and send If-Match: {} \
                 if the change is still wanted",
                etag(now)
            ),
            None => "the configuration does not have it any more; send the change without If-Match to clear what is left of it".to_owned(),
        };
        Self { etag: now, ..Self::new(StatusCode::PRECONDITION_FAILED, detail) }
    }
}

impl From<BytesRejection> for ApiError {
    fn from(error: BytesRejection) -> Self {
        Self::new(error.status(), error.body_text())
    }
}

impl From<PathRejection> for ApiError {
    fn from(error: PathRejection) -> Self {
        Self::new(error.status(), format!("the path: {}", error.body_text()))
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let etag = self.etag.map(etag);
        let unhinted = (!self.near.is_empty())
            .then(|| Unhinted(ApiError { near: Vec::new(), ..self.clone() }));
        let hint = match self.near.as_slice() {
            [] => String::new(),
            near => format!("; did you mean {}?", near.join(" or ")),
        };
        let problem = Problem {
            kind: Problem::ABOUT_BLANK.to_owned(),
            status: self.status.as_u16(),
            title: self.status.canonical_reason().unwrap_or_default().to_owned(),
            detail: self.detail + &hint,
            near: self.near,
            errors: self.faults.into_vec(),
            etag: etag.clone(),
            breaches: self.breaches.into_vec().into_iter().map(breach).collect(),
        };
        let mut response = (self.status, axum::Json(problem)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(Problem::MEDIA_TYPE));
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(wait) = self.retry_after {
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            headers.insert(header::RETRY_AFTER, seconds.max(1).into());
        }
        if let Some(Ok(etag)) = etag.map(HeaderValue::try_from) {
            headers.insert(header::ETAG, etag);
        }
        if let Some(unhinted) = unhinted {
            response.extensions_mut().insert(unhinted);
        }
        response
    }
}

fn breach(it: Breach) -> view::Breach {
    view::Breach {
        profile: it.profile.to_string(),
        endpoint: it.endpoint.map(|it| it.to_string()),
        guardrail: it.guardrail.to_string(),
        now: it.now,
        then: it.then,
        limit: it.limit,
    }
}
