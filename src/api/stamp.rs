//! Who changes something, why and until when: what comes beside every change.

use std::ops::RangeInclusive;
use std::time::Duration;

use serde_json::Value;

use super::Api;
use super::access::{Author, forbid_unless_admin};
use super::error::ApiError;
use super::reading::{Fields, Wrong, text, up_to};
use crate::clock::{Clock, in_rfc3339, rfc3339};
use crate::control::{Change, Condition, Hold, Request};
use crate::model::{Stamp, Timestamp};
use crate::settings::parse_duration;

/// The longest reason that is kept, in characters.
const MAX_REASON: usize = 1000;
/// How long a change is watched that is undone if health gets worse, unless it waits for a confirmation.
const WATCHED: Duration = Duration::from_secs(600);
/// How long a change may wait for its confirmation, or a site take on its way back.
const SPANS: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(86_400);

/// What comes beside what a change does.
#[derive(Debug)]
pub(super) struct Terms {
    reason: Option<String>,
    /// When the change was asked for.
    at: Timestamp,
    expires: Option<Timestamp>,
    pub(super) dry_run: bool,
    over_guardrails: Option<String>,
    hold: Option<Hold>,
}

impl Terms {
    /// Terms without any wish, for a request without a body.
    pub(super) fn none() -> Self {
        let at = Clock::time_of_day();
        let (reason, expires, over_guardrails) = (None, None, None);
        Self { reason, at, expires, dry_run: false, over_guardrails, hold: None }
    }

    /// Reads the terms of what can't be undone by itself.
    pub(super) fn read(fields: &mut Fields<'_>) -> Self {
        let why = |it: &Value| match up_to(MAX_REASON)(it)? {
            it if it.trim().is_empty() => Err("say why".to_owned()),
            it => Ok(it),
        };
        let reason = fields.optional("reason", up_to(MAX_REASON));
        Self {
            reason: reason.filter(|it| !it.trim().is_empty()),
            dry_run: fields.is_set("dry_run"),
            over_guardrails: fields.optional("override_guardrail", why),
            ..Self::none()
        }
    }

    /// Likewise, of a change that may be undone by itself: unless it is confirmed in time, or for worse health.
    pub(super) fn read_undoing(fields: &mut Fields<'_>) -> Self {
        let terms = Self::read(fields);
        let within = fields.optional("confirm_within", span);
        let undo_if_worse = fields.is_set("undo_if_worse");
        let hold = within.or(undo_if_worse.then_some(WATCHED)).map(|it| {
            let milliseconds = i64::try_from(it.as_millis()).unwrap_or(i64::MAX);
            Hold {
                until: Timestamp(terms.at.0.saturating_add(milliseconds)),
                needs_confirmation: within.is_some(),
                undo_if_worse,
            }
        });
        Self { hold, ..terms }
    }

    /// Likewise, of a change that may end. `what` names that which ends; nothing where all is only cleared.
    pub(super) fn read_ending(fields: &mut Fields<'_>, what: Option<&str>) -> Self {
        let terms = Self::read_undoing(fields);
        let end = |it: &Value| match what {
            Some(what) => expiry(text(it)?, what, terms.at),
            None => Err(Wrong::Sense(
                "the change only clears, so nothing of it could end; leave this out".to_owned(),
            )),
        };
        Self { expires: fields.optional("expires", end), ..terms }
    }
}

/// How long something takes: from a second to a day.
pub(super) fn span(value: &Value) -> Result<Duration, Wrong> {
    let told = || "write how long, from 1s to 24h, such as `5m`".to_owned();
    match parse_duration(text(value)?) {
        Some(span) if SPANS.contains(&span) => Ok(span),
        Some(_) => Err(Wrong::Sense(told())),
        None => Err(Wrong::Form(told())),
    }
}

/// Changes that are asked for now.
pub(super) fn request(
    api: &Api,
    author: Author,
    changes: Vec<Change>,
    condition: Condition,
    terms: Terms,
) -> Result<Request, ApiError> {
    let Terms { reason, at, expires, dry_run, over_guardrails, hold } = terms;
    if over_guardrails.is_some() {
        forbid_unless_admin(api, &author, "override_guardrail")?;
    }
    let from = Some(author.remote);
    let stamp = Stamp { by: author.name, reason, at, expires };
    Ok(Request { changes, condition, stamp, from, dry_run, over_guardrails, hold })
}

/// A time in RFC 3339, or a duration from `now` on; after now.
pub(super) fn expiry(text: &str, what: &str, now: Timestamp) -> Result<Timestamp, Wrong> {
    let after = |span: Duration| {
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
        return Err(Wrong::Form(format!(
            "write a time such as `{}`, or how long from now on, such as `30m` or `1h30m`",
            rfc3339(Timestamp(now.0 / 1000 * 1000 + 1_800_000))
        )));
    };
    if expires <= now {
        return Err(Wrong::Sense(format!(
            "{} is past (it is {} here), so {what} would end at once; write a later time",
            rfc3339(expires),
            rfc3339(now)
        )));
    }
    Ok(expires)
}

#[cfg(test)]
mod tests {
    use super::*;

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
            ("2026-05-01T12:00:10", "write a time such as"),
            ("2000000000h", "write a time such as"),
        ] {
            let error = format!("{:?}", expiry(text, "it", NOW).unwrap_err());
            assert!(error.contains(detail), "{text}: {error}");
        }
    }
}
