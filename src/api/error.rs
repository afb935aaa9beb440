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
    beside: Beside,
}

/// What a refusal tells programs beside its detail.
#[derive(Clone, Debug)]
enum Beside {
    Nothing,
    /// Names that are like the one asked for.
    Near(Vec<String>),
    /// What is wrong with the request.
    Faults(Vec<Fault>),
    /// The version in force.
    Version(Version),
    /// The guardrails that don't allow it.
    Breaches(Vec<Breach>),
    /// After how long to try again.
    Wait(Duration),
}

/// The same refusal without names that are like the one asked for; it is beside a response that has some.
#[derive(Clone, Debug)]
pub(super) struct Unhinted(pub(super) ApiError);

impl ApiError {
    pub(super) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self { status, detail: detail.into(), beside: Beside::Nothing }
    }

    fn with(self, beside: Beside) -> Self {
        Self { beside, ..self }
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
        Self::new(status, lines.join("\n")).with(Beside::Faults(faults))
    }

    /// A header that makes no sense.
    pub(super) fn bad_header(name: &HeaderName, detail: &str) -> Self {
        let header = Some(name.as_str().to_owned());
        Self::malformed(vec![Fault { header, ..Fault::new(detail.to_owned(), None) }])
    }

    /// Something that is not there, with the names that are like it.
    pub(super) fn not_found(detail: impl Into<String>, near: Vec<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, detail).with(Beside::Near(near))
    }

    /// A request too many; another may come after so long.
    pub(super) fn too_many(detail: impl Into<String>, wait: Duration) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, detail).with(Beside::Wait(wait))
    }

    /// A change that guardrails don't allow.
    pub(super) fn guarded(error: &ChangeError, breaches: &[Breach]) -> Self {
        let detail = format!(
            "{error}; an admin may pass over them with override_guardrail (--override-guardrail REASON)"
        );
        Self::new(StatusCode::CONFLICT, detail).with(Beside::Breaches(breaches.to_vec()))
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
        let beside = now.map_or(Beside::Nothing, Beside::Version);
        Self::new(StatusCode::PRECONDITION_FAILED, detail).with(beside)
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
        let mut problem = Problem {
            kind: Problem::ABOUT_BLANK.to_owned(),
            status: self.status.as_u16(),
            title: self.status.canonical_reason().unwrap_or_default().to_owned(),
            detail: self.detail.clone(),
            near: Vec::new(),
            errors: Vec::new(),
            etag: None,
            breaches: Vec::new(),
        };
        let (mut unhinted, mut retry_after) = (None, None);
        match self.beside {
            Beside::Near(near) if !near.is_empty() => {
                unhinted = Some(Unhinted(Self::new(self.status, self.detail)));
                problem.detail += &format!("; did you mean {}?", near.join(" or "));
                problem.near = near;
            }
            Beside::Nothing | Beside::Near(_) => {}
            Beside::Faults(faults) => problem.errors = faults,
            Beside::Version(now) => problem.etag = Some(etag(now)),
            Beside::Breaches(all) => problem.breaches = all.into_iter().map(breach).collect(),
            Beside::Wait(wait) => retry_after = Some(wait),
        }
        let etag = problem.etag.clone();
        let mut response = (self.status, axum::Json(problem)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(Problem::MEDIA_TYPE));
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(wait) = retry_after {
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
