//! The objects of one site, and what happened to them lately.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use serde_json::{Value, json};

use crate::kinds::KINDS;
use crate::selector::Selector;

/// Events that are kept for watches; who comes later lists anew.
const KEPT: usize = 4096;

/// Kind (of [`KINDS`]), namespace (empty where there is none) and name.
pub(crate) type Key = (usize, String, String);

/// An object, and how it is sent.
pub(crate) struct Stored {
    pub(crate) json: Value,
    pub(crate) bytes: Bytes,
    partial: OnceLock<Bytes>,
}

/// What happened to an object.
#[derive(Clone)]
pub(crate) struct Event {
    /// The version that the store had then.
    pub(crate) version: u64,
    pub(crate) kind: usize,
    /// None where it was made.
    pub(crate) before: Option<Arc<Stored>>,
    /// As it was at last where it was deleted.
    pub(crate) after: Arc<Stored>,
    pub(crate) is_deleted: bool,
}

/// A page of a list.
pub(crate) struct Page {
    pub(crate) objects: Vec<Arc<Stored>>,
    /// Where the next one goes on.
    pub(crate) next: Option<String>,
}

#[derive(Default)]
pub(crate) struct Store {
    version: u64,
    objects: BTreeMap<Key, Arc<Stored>>,
    history: VecDeque<Event>,
}

impl Stored {
    pub(crate) fn new(json: Value) -> Self {
        let bytes = Bytes::from(json.to_string());
        Self { json, bytes, partial: OnceLock::new() }
    }

    /// Its metadata alone.
    pub(crate) fn partial(&self) -> &Bytes {
        self.partial.get_or_init(|| {
            let metadata = self.json.get("metadata");
            let partial = json!({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": metadata});
            Bytes::from(partial.to_string())
        })
    }
}

impl Store {
    /// The number of changes that there were.
    pub(crate) const fn version(&self) -> u64 {
        self.version
    }

    pub(crate) fn get(&self, key: &Key) -> Option<&Arc<Stored>> {
        self.objects.get(key)
    }

    /// Objects of a kind, in a namespace or in all, from where the page before ended.
    pub(crate) fn page(
        &self,
        kind: usize,
        namespace: Option<&str>,
        selector: &Selector,
        most: usize,
        from: Option<&str>,
    ) -> Page {
        let first = namespace.unwrap_or_default().to_owned();
        let start = match from.and_then(|it| it.split_once('/')) {
            Some((namespace, name)) => {
                Bound::Excluded((kind, namespace.to_owned(), name.to_owned()))
            }
            None => Bound::Included((kind, first, String::new())),
        };
        let mut page = Page { objects: Vec::new(), next: None };
        let mut last = None;
        for (key, stored) in self.objects.range((start, Bound::Unbounded)) {
            if key.0 != kind || namespace.is_some_and(|it| key.1 != it) {
                break;
            }
            if !selector.takes(&stored.json) {
                continue;
            }
            if page.objects.len() == most {
                page.next = last;
                break;
            }
            last = Some(format!("{}/{}", key.1, key.2));
            page.objects.push(Arc::clone(stored));
        }
        page
    }

    /// Everything that is in a namespace.
    pub(crate) fn within(&self, namespace: &str) -> Vec<Key> {
        let within = |it: &&Key| KINDS[it.0].namespaced && it.1 == namespace;
        self.objects.keys().filter(within).cloned().collect()
    }

    /// Puts an object where there is none yet, or in the place of the one that was there.
    pub(crate) fn put(&mut self, key: Key, mut json: Value) -> Arc<Stored> {
        self.version += 1;
        json["metadata"]["resourceVersion"] = self.version.to_string().into();
        let after = Arc::new(Stored::new(json));
        let before = self.objects.insert(key.clone(), Arc::clone(&after));
        self.note(key.0, before, &after, false);
        after
    }

    pub(crate) fn remove(&mut self, key: &Key) {
        let Some(before) = self.objects.remove(key) else { return };
        self.version += 1;
        let mut json = before.json.clone();
        json["metadata"]["resourceVersion"] = self.version.to_string().into();
        self.note(key.0, Some(before), &Arc::new(Stored::new(json)), true);
    }

    /// What happened after a version; none where that is too long ago to be known.
    pub(crate) fn since(&self, version: u64) -> Option<impl Iterator<Item = &Event>> {
        let oldest = self.history.front().map_or(self.version + 1, |it| it.version);
        let from = self.history.partition_point(|it| it.version <= version);
        (version + 1 >= oldest).then(|| self.history.range(from..))
    }

    fn note(
        &mut self,
        kind: usize,
        before: Option<Arc<Stored>>,
        after: &Arc<Stored>,
        is_deleted: bool,
    ) {
        if self.history.len() == KEPT {
            self.history.pop_front();
        }
        let (version, after) = (self.version, Arc::clone(after));
        self.history.push_back(Event { version, kind, before, after, is_deleted });
    }
}
