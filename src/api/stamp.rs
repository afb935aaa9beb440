//! Who changes something, why and until when: what comes beside every change.

use axum::http::StatusCode;

use super::Api;
use super::access::{Author, forbid_unless_admin};
use super::error::ApiError;
use crate::clock::{Clock, in_rfc3339, rfc3339};
use crate::control::{Change, Condition, Request};
use crate::model::{Stamp, Timestamp};
use crate::settings::parse_duration;

/// The longest reason that is kept, in characters.
const MAX_REASON: usize = 1000;

/// What comes beside what a change does.
#[derive(Debug, Default)]
pub(super) struct Terms {
    pub(super) reason: Option<String>,
    pub(super) expires: Option<String>,
    pub(super) dry_run: bool,
    pub(super) override_guardrail: Option<String>,
}

/// Changes that are asked for now. `sets` names what may expire, where anything is set.
pub(super) fn request(
    api: &Api,
    author: Author,
    changes: Vec<Change>,
    condition: Condition,
    terms: Terms,
    sets: Option<&str>,
) -> Result<Request, ApiError> {
    let over_guardrails = terms.override_guardrail;
    if over_guardrails.as_ref().is_some_and(|it| it.trim().is_empty()) {
        return Err(ApiError::bad_request("override_guardrail: say why"));
    }
    if over_guardrails.is_some() {
        forbid_unless_admin(api, &author, "override_guardrail")?;
    }
    for (key, text) in [("reason", &terms.reason), ("override_guardrail", &over_guardrails)] {
        if text.as_ref().is_some_and(|it| it.chars().count() > MAX_REASON) {
            return Err(ApiError::bad_request(format!(
                "{key}: write at most {MAX_REASON} characters"
            )));
        }
    }
    let from = Some(author.remote);
    let stamp = stamp(author, terms.reason, terms.expires.as_deref(), sets)?;
    Ok(Request { changes, condition, stamp, from, dry_run: terms.dry_run, over_guardrails })
}

/// Stamps a change that is made now. `sets` names what may expire, in a change that sets anything.
fn stamp(
    author: Author,
    reason: Option<String>,
    expires: Option<&str>,
    sets: Option<&str>,
) -> Result<Stamp, ApiError> {
    let reason = reason.filter(|it| !it.trim().is_empty());
    let at = Clock::time_of_day();
    let expires = match (expires, sets) {
        (None, _) => None,
        (Some(_), None) => {
            let detail =
                "expires: the change only clears, so nothing of it could end; leave `expires` out";
            return Err(ApiError::bad_request(detail));
        }
        (Some(text), Some(what)) => Some(expiry(text, what, at)?),
    };
    Ok(Stamp { by: author.name, reason, at, expires })
}

/// A time in RFC 3339, or a duration from `now` on; after now.
pub(super) fn expiry(text: &str, what: &str, now: Timestamp) -> Result<Timestamp, ApiError> {
    let after = |span: std::time::Duration| {
        let milliseconds = i64::try_from(span.as_millis()).ok()?;
        Some(Timestamp(now.0.checked_add(milliseconds)?))
    };
    let at = |text: &str| {
        let time: jiff::Timestamp = text.parse().ok()?;
        Some(Timestamp(time.as_millisecond()))
    };
    // What no text can show again is no time.
    let shown = |it: &Timestamp| in_rfc3339(*it).is_some();
    let expires = parse_duration(text).and_then(after).or_else(|| at(text)).filter(shown);
    let Some(expires) = expires else {
        return Err(ApiError::bad_request(format!(
            "expires: found `{text}`; write a time such as `{}`, or how long from now on, such as `30m` or `1h30m`",
            rfc3339(Timestamp(now.0 / 1000 * 1000 + 1_800_000))
        )));
    };
    if expires <= now {
        return Err(ApiError::new(
            StatusCode::BAD_REQUEST,
            format!(
                "expires: {} is past (it is {} here), so {what} would end at once; write a later time",
                rfc3339(expires),
                rfc3339(now)
            ),
        ));
    }
    Ok(expires)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Role, Scopes};

    /// 2026-05-01T12:00:00Z.
    const NOW: Timestamp = Timestamp(1_777_636_800_000);

    #[test]
    fn a_time_or_a_duration_ends_a_change() {
        for (text, after) in [
            ("30m", 1_800_000),
            ("1h30m", 5_400_000),
            ("1ms", 1),
            ("2026-05-01T12:00:10Z", 10_000),
            ("2026-05-01T14:00:10+02:00", 10_000),
        ] {
            let expires = expiry(text, "it", NOW).ok().map(|it| it.0 - NOW.0);
            assert_eq!(expires, Some(after), "{text}");
        }
    }

    #[test]
    fn what_is_past_or_no_time_is_refused_with_a_reason() {
        for (text, detail) in [
            (
                "2026-05-01T12:00:00Z",
                "2026-05-01T12:00:00Z is past (it is 2026-05-01T12:00:00Z here)",
            ),
            ("1999-01-01T00:00:00Z", "so it would end at once"),
            ("0s", "is past"),
            ("tomorrow", "write a time such as `2026-05-01T12:30:00Z`"),
            ("30", "such as `30m`"),
            ("2026-05-01T12:00:10", "found `2026-05-01T12:00:10`"),
            ("2000000000h", "write a time such as"),
        ] {
            let error = format!("{:?}", expiry(text, "it", NOW).unwrap_err());
            assert!(error.contains(detail), "{text}: {error}");
        }
        let author = || Author {
            name: "ann".to_owned(),
            role: Role::Operator,
            scopes: Scopes::all(),
            remote: std::net::Ipv4Addr::LOCALHOST.into(),
            token: None,
            session: None,
            until: None,
        };
        assert!(stamp(author(), None, Some("1h"), Some("it")).is_ok());
        let error = format!("{:?}", stamp(author(), None, Some("1h"), None).unwrap_err());
        assert!(error.contains("the change only clears"), "{error}");
    }
}
