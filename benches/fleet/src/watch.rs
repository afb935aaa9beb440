//! Watches: what happens to objects, as it happens, until the time is over.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use serde_json::{Value, json};
use tokio::sync::watch::Receiver;
use tokio::time::{Instant, sleep_until};

use crate::kinds::KINDS;
use crate::path::Place;
use crate::selector::Selector;
use crate::server::Body;
use crate::site::Site;
use crate::store::{Event, Stored};

/// How often a watch that asks for it is told how far it is, as real servers do it.
const BOOKMARK: Duration = Duration::from_secs(60);
const ALL: usize = usize::MAX;

/// What is watched.
pub(crate) struct Watch {
    pub(crate) site: Arc<Site>,
    pub(crate) place: Place,
    pub(crate) selector: Selector,
    /// Whether of objects only their metadata is told.
    pub(crate) is_partial: bool,
    pub(crate) bookmarks: bool,
    /// Whether everything that is there is told first, and then that this was all.
    pub(crate) initial: bool,
    /// What happened up to this version is known; none where nothing is.
    pub(crate) seen: Option<u64>,
    pub(crate) timeout: Duration,
}

struct State {
    watch: Watch,
    seen: u64,
    first: Option<Vec<u8>>,
    versions: Receiver<u64>,
    bookmark: Instant,
    end: Instant,
    is_over: bool,
}

impl Watch {
    /// What is sent.
    pub(crate) fn body(self) -> Body {
        // Versions that come from here on are waited for; those before are looked for.
        let versions = self.site.versions();
        let (seen, first) = match (self.initial, self.seen) {
            (false, Some(seen)) => (seen, None),
            _ => {
                let (seen, first) = self.first();
                (seen, Some(first))
            }
        };
        let now = Instant::now();
        let (bookmark, end) = (now + BOOKMARK, now + self.timeout);
        let state = State { watch: self, seen, first, versions, bookmark, end, is_over: false };
        let told = stream::unfold(state, |mut state| async move {
            let told = state.next().await?;
            Some((Ok::<_, Infallible>(Frame::data(Bytes::from(told))), state))
        });
        StreamBody::new(told).boxed_unsync()
    }

    fn first(&self) -> (u64, Vec<u8>) {
        let mut told = Vec::new();
        let store = self.site.store();
        let namespace = self.place.namespace.as_deref();
        let page = store.page(self.place.kind, namespace, &self.selector, ALL, None);
        page.objects.iter().for_each(|it| self.tell("ADDED", it, &mut told));
        if self.initial {
            told.extend(self.bookmark(store.version(), true));
        }
        (store.version(), told)
    }

    fn tell(&self, what: &str, object: &Stored, told: &mut Vec<u8>) {
        let json = if self.is_partial { object.partial() } else { &object.bytes };
        told.extend_from_slice(format!("{{\"type\":\"{what}\",\"object\":").as_bytes());
        told.extend_from_slice(json);
        told.extend_from_slice(b"}\n");
    }

    fn tell_event(&self, event: &Event, told: &mut Vec<u8>) {
        let wanted = self.place.namespace.as_deref();
        let takes = |it: &Stored| {
            let namespace = it.json.pointer("/metadata/namespace").and_then(Value::as_str);
            wanted.is_none_or(|it| namespace == Some(it)) && self.selector.takes(&it.json)
        };
        let was = event.before.as_deref().is_some_and(takes);
        let is = !event.is_deleted && takes(&event.after);
        match (was, is) {
            (false, true) => self.tell("ADDED", &event.after, told),
            (true, true) => self.tell("MODIFIED", &event.after, told),
            (true, false) => self.tell("DELETED", &event.after, told),
            (false, false) => {}
        }
    }

    fn bookmark(&self, version: u64, is_first: bool) -> Vec<u8> {
        let kind = &KINDS[self.place.kind];
        let (kind, api_version) = match self.is_partial {
            true => ("PartialObjectMetadata", "meta.k8s.io/v1".to_owned()),
            false => (kind.kind, kind.api_version()),
        };
        let mut metadata =
            json!({"resourceVersion": version.to_string(), "creationTimestamp": null});
        if is_first {
            metadata["annotations"] = json!({"k8s.io/initial-events-end": "true"});
        }
        let object = json!({"kind": kind, "apiVersion": api_version, "metadata": metadata});
        format!("{}\n", json!({"type": "BOOKMARK", "object": object})).into_bytes()
    }
}

impl State {
    async fn next(&mut self) -> Option<Vec<u8>> {
        if let Some(first) = self.first.take()
            && !first.is_empty()
        {
            return Some(first);
        }
        while !self.is_over {
            let told = self.news();
            if !told.is_empty() {
                return Some(told);
            }
            let until = self.end.min(self.bookmark);
            tokio::select! {
                changed = self.versions.changed() => self.is_over = changed.is_err(),
                () = sleep_until(until) => {
                    self.is_over = until == self.end;
                    self.bookmark = until + BOOKMARK;
                    if self.watch.bookmarks {
                        return Some(self.watch.bookmark(self.seen, false));
                    }
                }
            }
        }
        None
    }

    /// What happened since.
    fn news(&mut self) -> Vec<u8> {
        let mut told = Vec::new();
        let store = self.watch.site.store();
        match store.since(self.seen) {
            Some(events) => {
                let of_kind = events.filter(|it| it.kind == self.watch.place.kind);
                of_kind.for_each(|it| self.watch.tell_event(it, &mut told));
                self.seen = store.version();
            }
            None => {
                let status = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "reason": "Expired", "code": 410, "message": format!("too old resource version: {}", self.seen)});
                told = format!("{}\n", json!({"type": "ERROR", "object": status})).into_bytes();
                self.is_over = true;
            }
        }
        told
    }
}
