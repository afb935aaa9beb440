//! Server-side apply, small enough to read: whose field is whose. A list is one field here.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use crate::fleet::cluster::Conflict;
use crate::fleet::object::{Object, ObjectKey};
use crate::fleet::plan::{MANAGER, Proposed};

/// The keys on the way to a field.
type Path = Vec<String>;

/// What an API server keeps.
#[derive(Default)]
pub(super) struct Server {
    kept: BTreeMap<ObjectKey, Kept>,
}

/// An object, and which manager has which fields of it.
#[derive(Clone)]
struct Kept {
    object: Object,
    owners: BTreeMap<String, BTreeSet<Path>>,
}

impl Server {
    pub(super) fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    pub(super) fn get(&self, key: &ObjectKey) -> Option<Object> {
        self.kept.get(key).map(Kept::shown)
    }

    pub(super) fn all(&self) -> Vec<Object> {
        self.kept.values().map(Kept::shown).collect()
    }

    /// Keeps what the companion applies.
    pub(super) fn apply(&mut self, wanted: &Object) {
        let (after, conflicts) = self.applied(wanted);
        assert_eq!(conflicts, [], "{}", wanted.key());
        self.kept.insert(wanted.key(), after);
    }

    /// What would come of it if the companion applied this.
    pub(super) fn propose(&self, wanted: &Object) -> Proposed {
        let (after, conflicts) = self.applied(wanted);
        match conflicts.is_empty() {
            true => Proposed::Would(after.shown()),
            false => Proposed::Conflicts(conflicts, Box::new(after.shown())),
        }
    }

    /// Keeps what somebody else writes: these fields, of which those that are null go.
    pub(super) fn write(&mut self, manager: &str, patch: &Object) {
        let kept = self.kept.entry(patch.key()).or_insert_with(|| Kept::named(patch));
        for (path, value) in fields(patch) {
            let is_same = found(&kept.object, &path) == Some(&value);
            if !is_same {
                for it in kept.owners.values_mut() {
                    it.remove(&path);
                }
            }
            let keys: Vec<&str> = path.iter().map(String::as_str).collect();
            if value.is_null() {
                kept.object.remove(&keys);
            } else {
                kept.object.set(&keys, value);
                kept.owners.entry(manager.to_owned()).or_default().insert(path);
            }
        }
    }

    pub(super) fn delete(&mut self, key: &ObjectKey) {
        assert!(self.kept.remove(key).is_some(), "{key}");
    }

    fn applied(&self, wanted: &Object) -> (Kept, Vec<Conflict>) {
        let mut after =
            self.kept.get(&wanted.key()).cloned().unwrap_or_else(|| Kept::named(wanted));
        let own: BTreeMap<Path, Value> = fields(wanted).collect();
        let mut conflicts = Vec::new();
        for (manager, theirs) in after.owners.iter_mut().filter(|it| it.0 != MANAGER) {
            let differs =
                |it: &Path| own.get(it).is_some_and(|own| found(&after.object, it) != Some(own));
            let lost: Vec<Path> = theirs.iter().filter(|it| differs(it)).cloned().collect();
            for path in lost {
                theirs.remove(&path);
                let manager = format!("\"{manager}\" using {}", wanted.api_version());
                conflicts.push(Conflict { manager, field: format!(".{}", path.join(".")) });
            }
        }
        let before = after.owners.remove(MANAGER).unwrap_or_default();
        for path in before.iter().filter(|it| !own.contains_key(*it)) {
            if !after.owners.values().any(|it| it.contains(path)) {
                after.object.remove(&path.iter().map(String::as_str).collect::<Vec<_>>());
            }
        }
        for (path, value) in &own {
            let keys: Vec<&str> = path.iter().map(String::as_str).collect();
            after.object.set(&keys, value.clone());
        }
        if after.object.kind() == "Deployment" && after.object.at("/spec/replicas").is_none() {
            after.object.set(&["spec", "replicas"], 1.into());
        }
        after.owners.insert(MANAGER.to_owned(), own.into_keys().collect());
        (after, conflicts)
    }
}

impl Kept {
    fn named(object: &Object) -> Self {
        let (version, kind) = (object.api_version(), object.kind());
        let mut named = Object::named(version, kind, object.namespace(), object.name());
        named.set(&["metadata", "uid"], format!("uid of {kind} {}", object.name()).into());
        Self { object: named, owners: BTreeMap::new() }
    }

    fn shown(&self) -> Object {
        let entry = |(manager, paths): (&String, &BTreeSet<Path>)| {
            let mut tree = Map::new();
            for path in paths {
                let mut at = &mut tree;
                for key in path {
                    let inner = at.entry(format!("f:{key}")).or_insert_with(|| json!({}));
                    at = inner.as_object_mut().unwrap();
                }
            }
            let operation = if manager == MANAGER { "Apply" } else { "Update" };
            json!({
                "manager": manager, "operation": operation, "apiVersion": self.object.api_version(),
                "fieldsType": "FieldsV1", "fieldsV1": tree,
            })
        };
        let mut shown = self.object.clone();
        shown.set(&["metadata", "managedFields"], self.owners.iter().map(entry).collect());
        shown
    }
}

/// Every field that is written in an object, but its name.
fn fields(object: &Object) -> impl Iterator<Item = (Path, Value)> {
    const NAME: [&[&str]; 4] =
        [&["apiVersion"], &["kind"], &["metadata", "name"], &["metadata", "namespace"]];
    let mut all = Vec::new();
    gather(object.json(), &Vec::new(), &mut all);
    all.into_iter().filter(|it| !NAME.iter().any(|name| it.0 == *name))
}

fn gather(map: &Map<String, Value>, at: &Path, all: &mut Vec<(Path, Value)>) {
    for (key, value) in map {
        let path: Path = at.iter().chain([key]).cloned().collect();
        match value {
            Value::Object(inner) if !inner.is_empty() => gather(inner, &path, all),
            value => all.push((path, value.clone())),
        }
    }
}

fn found<'a>(object: &'a Object, path: &Path) -> Option<&'a Value> {
    let (first, rest) = path.split_first()?;
    rest.iter().try_fold(object.json().get(first)?, |at, key| at.get(key))
}
