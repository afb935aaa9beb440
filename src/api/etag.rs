//! Entity tags (RFC 9110 8.8.3): of configuration and overrides, so that a change can be made to what was seen, and not to
//! what somebody else made of it since. Health is no part of them.

use std::sync::{Arc, Mutex, PoisonError};

use axum::Json;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::error::ApiError;
use super::zones::KnownZones;
use crate::control::{Condition, Version};
use crate::snapshot::Snapshot;

/// A version as an entity tag.
pub(super) fn etag(version: Version) -> String {
    format!("\"{version}\"")
}

/// An answer that may be had again only if it is another one.
#[derive(Debug)]
pub(super) struct Tagged<T> {
    /// Its version; none where the configuration doesn't have what was asked for.
    pub(super) version: Option<Version>,
    pub(super) body: T,
}

impl<T: Serialize> IntoResponse for Tagged<T> {
    fn into_response(self) -> Response {
        let mut response = Json(self.body).into_response();
        tag(&mut response, self.version);
        response
    }
}

fn tag(response: &mut Response, version: Option<Version>) {
    if let Some(Ok(value)) = version.map(|it| HeaderValue::try_from(etag(it))) {
        response.headers_mut().insert(header::ETAG, value);
    }
}

/// 304 if the client has this version, by If-None-Match (RFC 9110 13.1.2).
pub(super) fn unless_known(
    headers: &HeaderMap,
    version: Version,
) -> Result<Option<Response>, ApiError> {
    Ok(is_known(headers, &version.to_string())?.then(|| {
        let mut response = StatusCode::NOT_MODIFIED.into_response();
        tag(&mut response, Some(version));
        response
    }))
}

/// Whether If-None-Match has this tag, which is without its quotes.
pub(super) fn is_known(headers: &HeaderMap, tag: &str) -> Result<bool, ApiError> {
    Ok(match tags(headers, header::IF_NONE_MATCH)? {
        None => false,
        Some(Tags::Any) => true,
        Some(Tags::OneOf(tags)) => tags.iter().any(|it| it.text == tag),
    })
}

/// What a change expects, by If-Match (RFC 9110 13.1.1). Weak tags, and those that were never ours, match nothing.
pub(super) fn condition(headers: &HeaderMap) -> Result<Condition, ApiError> {
    Ok(match tags(headers, header::IF_MATCH)? {
        None => Condition::None,
        Some(Tags::Any) => Condition::Exists,
        Some(Tags::OneOf(tags)) => {
            let strong = tags.into_iter().filter(|it| !it.is_weak);
            Condition::OneOf(strong.filter_map(|it| it.text.parse().ok()).collect())
        }
    })
}

enum Tags<'h> {
    Any,
    OneOf(Vec<Tag<'h>>),
}

struct Tag<'h> {
    is_weak: bool,
    text: &'h str,
}

/// The tags of every header of this name, as if it were one.
fn tags(headers: &HeaderMap, name: HeaderName) -> Result<Option<Tags<'_>>, ApiError> {
    let mut found = Vec::new();
    let mut values = headers.get_all(&name).iter().peekable();
    if values.peek().is_none() {
        return Ok(None);
    }
    for value in values {
        let text = value.to_str().unwrap_or_default();
        if text.trim() == "*" {
            return Ok(Some(Tags::Any));
        }
        found.extend(list(text).ok_or_else(|| {
            ApiError::bad_header(&name, "write *, or ETags in their quotes, with commas")
        })?);
    }
    Ok(Some(Tags::OneOf(found)))
}

/// A list of entity tags; a comma may be part of one.
fn list(text: &str) -> Option<Vec<Tag<'_>>> {
    let (mut rest, mut tags) = (text.trim(), Vec::new());
    loop {
        let is_weak = rest.starts_with("W/");
        let opened = rest.strip_prefix("W/").unwrap_or(rest).strip_prefix('"')?;
        let (text, behind) = opened.split_once('"')?;
        tags.push(Tag { is_weak, text });
        rest = match behind.trim_start() {
            "" => return Some(tags),
            behind => behind.strip_prefix(',')?.trim_start(),
        };
    }
}

/// The versions of everything, which take long to make: kept until configuration or overrides change.
#[derive(Debug, Default)]
pub struct Whole {
    versions: Mutex<Option<Versions>>,
    /// The versions of zones.
    pub(super) zones: KnownZones,
}

/// The versions of a snapshot's revision.
#[derive(Clone, Copy, Debug)]
pub(super) struct Versions {
    revision: u64,
    /// Of all profiles.
    pub(super) profiles: Version,
    /// Of everything.
    pub(super) all: Version,
}

impl Whole {
    /// The versions of this snapshot.
    pub(super) fn of(&self, snapshot: &Arc<Snapshot>) -> Versions {
        let known = *self.versions.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = known.filter(|it| it.revision == snapshot.revision) {
            return known;
        }
        let versions = Versions {
            revision: snapshot.revision,
            profiles: Version::of_profiles(snapshot),
            all: Version::of_all(snapshot),
        };
        *self.versions.lock().unwrap_or_else(PoisonError::into_inner) = Some(versions);
        versions
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "0123456789abcdef0123456789abcdef";

    fn headers(name: HeaderName, values: &[&str]) -> HeaderMap {
        let value = |it: &&str| (name.clone(), HeaderValue::from_str(it).unwrap());
        values.iter().map(value).collect()
    }

    #[test]
    fn if_match_is_read_by_the_book() {
        let b = A.replace('0', "f");
        let version = |it: &str| -> Version { it.parse().unwrap() };
        let one_of =
            |versions: &[&str]| Condition::OneOf(versions.iter().map(|it| version(it)).collect());
        for (values, expected) in [
            (&[][..], Condition::None),
            (&["*"], Condition::Exists),
            (&[&format!("\"{A}\"")], one_of(&[A])),
            (&[&format!("\"{A}\" , \"a,b\",\"{b}\"")], one_of(&[A, &b])),
            (&[&format!("\"{A}\""), &format!("\"{b}\"")], one_of(&[A, &b])),
            (&[&format!("W/\"{A}\"")], one_of(&[])),
            (&["\"of another server\""], one_of(&[])),
        ] {
            assert_eq!(
                condition(&headers(header::IF_MATCH, values)).unwrap(),
                expected,
                "{values:?}"
            );
        }
        for wrong in ["", A, "\"", "\"a\" \"b\"", "\"a\",", "w/\"a\""] {
            assert!(condition(&headers(header::IF_MATCH, &[wrong])).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_known_is_not_sent_again() {
        let is_known = |value: &str| {
            let headers = headers(header::IF_NONE_MATCH, &[value]);
            unless_known(&headers, A.parse().unwrap()).unwrap().map(|it| it.status())
        };
        for known in ["*", &format!("\"{A}\""), &format!("\"x\", W/\"{A}\"")] {
            assert_eq!(is_known(known), Some(StatusCode::NOT_MODIFIED), "{known}");
        }
        assert_eq!(is_known("\"x\""), None);
        let any = headers(header::IF_NONE_MATCH, &["*"]);
        let known = unless_known(&any, A.parse().unwrap()).unwrap().unwrap();
        assert_eq!(known.headers()[header::ETAG], format!("\"{A}\""));
        assert!(unless_known(&HeaderMap::new(), A.parse().unwrap()).unwrap().is_none());
    }
}
