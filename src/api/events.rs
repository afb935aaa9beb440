//! Server-sent events: what happens, as it happens, for who stays connected.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Extension, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use hyper::body::Frame;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::timeout;

use super::access::{Author, sees_site};
use super::look::now;
use super::openapi::Guarded;
use super::reading::{Fields, Sent, name, parsed, read_query};
use super::{Api, Refused, render, view};
use crate::clock::rfc3339;
use crate::control::{Change, Event, Happening};
use crate::model::{Expired, Ident, Name, Scopes, Subject, Undo};
use crate::snapshot::Snapshot;

/// How often a line is sent while nothing happens, so that both ends notice when the connection is lost.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// Events that are sent at a time.
const TOGETHER: usize = 64;
/// Where the number of the last event stands that a client has heard, when it connects again.
const LAST_EVENT_ID: &str = "last-event-id";

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
    Extension(author): Extension<Author>,
    query: Sent,
    headers: HeaderMap,
) -> Refused<Response> {
    let wanted = read_query(query, |fields| Some(Wanted::read(fields, author.scopes.clone())))?;
    let last = headers.get(LAST_EVENT_ID).map(|it| heard(&api, it));
    let mut response =
        Body::new(Endless::of(Teller::start(api, author, wanted, last))).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    // A proxy that gathers the events would keep them.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(response)
}

/// What one client has heard, and wants to hear.
struct Teller {
    api: Arc<Api>,
    author: Author,
    wanted: Wanted,
    listener: watch::Receiver<u64>,
    heard: u64,
    /// What is sent first.
    text: String,
}

impl Teller {
    /// Begins after the `last` event that was heard, if that is known, or with what happens next.
    fn start(api: Arc<Api>, author: Author, wanted: Wanted, last: Option<Option<u64>>) -> Self {
        let mut listener = api.events.listen();
        let newest = *listener.borrow_and_update();
        // What comes first tells the client that it is connected.
        let heard = match last {
            Some(Some(heard)) if heard <= newest => heard,
            None => newest,
            Some(_) => newest,
        };
        // What comes first tells the client that it is connected, and where it is to go on from.
        let mut text = position(&api, heard);
        if last.is_some_and(|it| it != Some(heard)) {
            text.push_str(&reset(&api, heard));
        }
        Self { api, author, wanted, listener, heard, text }
    }

    /// Waits until there is something to send. Nothing is sent any more to whom nothing lets in any more.
    async fn next(mut self) -> Option<(Self, Bytes)> {
        while self.text.is_empty() {
            if !self.api.access.still_admits(&self.author, now(&self.api)) {
                return None;
            }
            let news = self.api.events.after(self.heard, TOGETHER);
            let (Some(first), Some(last)) = (news.events.first(), news.events.last()) else {
                if timeout(KEEP_ALIVE, self.listener.changed()).await.is_err() {
                    self.text = position(&self.api, self.heard);
                }
                continue;
            };
            self.heard = last.number;
            let snapshot = self.api.live.load();
            if news.missed {
                self.text.push_str(&reset(&self.api, first.number - 1));
            }
            let told = news.events.iter().filter(|it| self.wanted.wants(&snapshot, &it.what));
            told.for_each(|it| self.text.push_str(&event(&self.api, it)));
        }
        let text = std::mem::take(&mut self.text);
        Some((self, text.into()))
    }
}

/// A body that goes on for as long as the client takes it, and may.
struct Endless(Telling);

/// What is sent next, and who goes on after that.
type Telling = Pin<Box<dyn Future<Output = Option<(Teller, Bytes)>> + Send>>;

impl Endless {
    fn of(teller: Teller) -> Self {
        Self(Box::pin(teller.next()))
    }
}

impl hyper::body::Body for Endless {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.as_mut().poll(context).map(|told| {
            let (teller, data) = told?;
            *self = Self::of(teller);
            Some(Ok(Frame::data(data)))
        })
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

/// What is no event, but tells from where to go on.
fn position(api: &Api, number: u64) -> String {
    format!("id: {}\n\n", id(api, number))
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
            let change = change.to_string();
            ("change", json!({"change": change, "by": by, "reason": reason, "expires": expires}))
        }
        Happening::Expiry(Expired {
            subject: Subject::Pending { number, pending, how },
            stamp,
        }) => {
            let (undone, changes) = (how.is_undone(), &pending.changes);
            let outcome = how.to_string();
            let data = json!({"id": number, "changes": changes, "by": stamp.by, "undone": undone, "outcome": outcome});
            ("settled", data)
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
    scopes: Scopes,
}

impl Wanted {
    fn read(fields: &mut Fields<'_>, scopes: Scopes) -> Self {
        Self {
            profile: fields.optional("profile", name),
            site: fields.optional("site", parsed),
            scopes,
        }
    }

    /// What concerns everything is wanted by everybody; who is limited to profiles hears of those, and of the sites that they
    /// are in.
    fn wants(&self, snapshot: &Snapshot, what: &Happening) -> bool {
        let is_profile = |it: &Name| {
            self.scopes.hold(it) && self.profile.as_ref().is_none_or(|wanted| wanted == it)
        };
        let is_site = |it: &Ident| {
            sees_site(snapshot, &self.scopes, it.as_str())
                && self.site.as_ref().is_none_or(|wanted| wanted == it)
        };
        match what {
            Happening::Transition { key, site, .. } => {
                let is_there = self.site.is_none() || self.site == *site;
                is_profile(&key.profile) && is_there
            }
            Happening::FailOpen(profile, _) | Happening::Failback(profile, _) => {
                is_profile(profile)
            }
            Happening::Change { change, .. } => match change {
                Change::Endpoint(key, _) => is_profile(&key.profile),
                Change::FailBack(profile) | Change::Profile { name: profile, .. } => {
                    is_profile(profile)
                }
                Change::Site { name, .. } => is_site(name),
                Change::Confirm(_) | Change::Undo(_) => true,
            },
            Happening::Expiry(expired) => match &expired.subject {
                Subject::Endpoint { key, .. } => is_profile(&key.profile),
                Subject::Profile { name, .. } => is_profile(name),
                Subject::Site(name) | Subject::Ramp(name) => is_site(name),
                Subject::Pending { pending, .. } => pending.undo.iter().any(|it| match it {
                    Undo::Endpoint { key, .. } => is_profile(&key.profile),
                    Undo::Profile { name, .. } => is_profile(name),
                    Undo::Site { name, .. } => is_site(name),
                }),
            },
            Happening::Reload(_) | Happening::Publish { .. } => true,
        }
    }
}
