//! Server-sent events: what happens, as it happens, for who stays connected.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use http_body_util::channel::{Channel, Sender};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::error::ApiError;
use super::openapi::Guarded;
use super::{Api, Refused, render, view};
use crate::clock::rfc3339;
use crate::control::{Event, Happening};
use crate::model::{Ident, Name};

/// How often a line is sent while nothing happens, so that both ends notice when the connection is lost.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// Events that are sent at a time.
const TOGETHER: usize = 64;
/// Where the number of the last event stands that a client has heard, when it connects again.
const LAST_EVENT_ID: &str = "last-event-id";

/// What is listened to.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EventsQuery {
    profile: Option<String>,
    site: Option<String>,
}

/// What happens, as it happens
///
/// Server-sent events: `transition` (an endpoint came into another status), `change`, `expiry`, `fail_open`, `failback`,
/// `reload`, `publish` (a new snapshot). Without `Last-Event-ID` it begins with what happens next. `reset` says that something
/// was missed, as the daemon was restarted or too much has happened: what was known has to be looked up again.
#[utoipa::path(
    get, path = "/v1/events", tag = "look",
    params(
        ("profile" = Option<String>, Query, description = "Only what concerns this profile", example = "app.gtm.example."),
        ("site" = Option<String>, Query, description = "Only what concerns this site", example = "seattle"),
        ("Last-Event-ID" = Option<String>, Header, description = "The `id` of the last event that was heard: what happened since comes first"),
    ),
    responses(
        (status = 200, description = "Events, until one of both ends it", body = String, content_type = "text/event-stream"),
        (status = 400, description = "What is sent makes no sense", body = view::Problem, content_type = view::Problem::MEDIA_TYPE),
        Guarded,
    ),
)]
pub(super) async fn events(
    State(api): State<Arc<Api>>,
    query: Result<Query<EventsQuery>, QueryRejection>,
    headers: HeaderMap,
) -> Refused<Response> {
    let Query(query) = query.map_err(|error| ApiError::bad_request(error.body_text()))?;
    let wanted = Wanted::read(&query)?;
    let last = headers.get(LAST_EVENT_ID).map(|it| heard(&api, it));
    let (sender, body) = Channel::<Bytes, Infallible>::new(1);
    tokio::spawn(tell(api, sender, wanted, last));
    let mut response = Body::new(body).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    // A proxy that gathers the events would keep them.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(response)
}

/// Sends what happens until the client is gone.
async fn tell(
    api: Arc<Api>,
    mut sender: Sender<Bytes, Infallible>,
    wanted: Wanted,
    last: Option<Option<u64>>,
) {
    let mut listener = api.events.listen();
    let newest = *listener.borrow_and_update();
    // What comes first tells the client that it is connected.
    let mut text = ":\n\n".to_owned();
    let mut heard = match last {
        Some(Some(heard)) if heard <= newest => heard,
        None => newest,
        Some(_) => {
            text.push_str(&reset(&api, newest));
            newest
        }
    };
    loop {
        if !text.is_empty() && sender.send_data(std::mem::take(&mut text).into()).await.is_err() {
            return;
        }
        let news = api.events.after(heard, TOGETHER);
        if let Some(last) = news.events.last() {
            heard = last.number;
            if news.missed {
                text.push_str(&reset(&api, heard));
            }
            let told = news.events.iter().filter(|it| wanted.wants(&it.what));
            told.for_each(|it| text.push_str(&event(&api, it)));
            continue;
        }
        match timeout(KEEP_ALIVE, listener.changed()).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return,
            Err(_) => text.push_str(":\n\n"),
        }
    }
}

/// The number in an id that this daemon gave since its start; none of any other.
fn heard(api: &Api, id: &HeaderValue) -> Option<u64> {
    let (started, number) = id.to_str().ok()?.split_once('-')?;
    (started == api.started.0.to_string()).then(|| number.parse().ok())?
}

fn id(api: &Api, number: u64) -> String {
    format!("{}-{number}", api.started.0)
}

fn reset(api: &Api, number: u64) -> String {
    format!("id: {}\nevent: reset\ndata: {{}}\n\n", id(api, number))
}

fn event(api: &Api, event: &Event) -> String {
    let (kind, mut data) = describe(&event.what);
    data["at"] = rfc3339(event.at).into();
    format!("id: {}\nevent: {kind}\ndata: {data}\n\n", id(api, event.number))
}

fn describe(what: &Happening) -> (&'static str, Value) {
    match what {
        Happening::Transition { key, site, turn } => {
            let mut data = json!({
                "profile": key.profile.to_string(),
                "endpoint": key.endpoint.as_str(),
                "site": site.as_ref().map(Ident::as_str),
                "turn": null,
            });
            data["turn"] = serde_json::to_value(render::turn(turn)).unwrap_or_default();
            ("transition", data)
        }
        Happening::Change { change, stamp } => {
            let expires = stamp.expires.map(rfc3339);
            let (by, reason) = (&stamp.by, &stamp.reason);
            ("change", json!({"change": change, "by": by, "reason": reason, "expires": expires}))
        }
        Happening::Expiry(expired) => {
            ("expiry", json!({"change": expired.to_string(), "by": expired.stamp.by}))
        }
        Happening::FailOpen(profile, is) => {
            ("fail_open", json!({"profile": profile.to_string(), "fail_open": is}))
        }
        Happening::Failback(profile, is) => {
            ("failback", json!({"profile": profile.to_string(), "awaits_failback": is}))
        }
        Happening::Reload(diff) => {
            let numbers = [&diff.added, &diff.removed, &diff.changed].map(Vec::len);
            let [added, removed, changed] = numbers;
            ("reload", json!({"added": added, "removed": removed, "changed": changed}))
        }
        Happening::Publish { generation, revision } => {
            ("publish", json!({"generation": generation, "revision": revision}))
        }
    }
}

/// What a client wants to hear of.
struct Wanted {
    profile: Option<Name>,
    site: Option<Ident>,
}

impl Wanted {
    fn read(query: &EventsQuery) -> Result<Self, ApiError> {
        let profile = query.profile.as_deref().map(str::parse).transpose();
        let site = query.site.as_deref().map(str::parse).transpose();
        Ok(Self {
            profile: profile.map_err(|error| ApiError::bad_request(format!("profile: {error}")))?,
            site: site.map_err(|error| ApiError::bad_request(format!("site: {error}")))?,
        })
    }

    /// What concerns everything is wanted by everybody.
    fn wants(&self, what: &Happening) -> bool {
        let is_profile = |it: &Name| self.profile.as_ref().is_none_or(|wanted| wanted == it);
        match what {
            Happening::Transition { key, site, .. } => {
                let is_site = self.site.is_none() || self.site == *site;
                is_profile(&key.profile) && is_site
            }
            Happening::FailOpen(profile, _) | Happening::Failback(profile, _) => {
                is_profile(profile)
            }
            Happening::Change { .. }
            | Happening::Expiry(_)
            | Happening::Reload(_)
            | Happening::Publish { .. } => true,
        }
    }
}
