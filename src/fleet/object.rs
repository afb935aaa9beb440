//! Kubernetes objects as JSON, whatever their kind: as a source renders them and as API servers show them.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::{Map, Value};

/// The label of what belongs to an ApplySet (KEP-3659), with the set's ID.
pub const PART_OF: &str = "applyset.kubernetes.io/part-of";

/// An object: JSON with an API version, a kind, and a name where it isn't a list's item.
#[derive(Clone, Debug, PartialEq)]
pub struct Object(Map<String, Value>);

/// What makes JSON no object.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ObjectError {
    /// Not a mapping.
    #[error("is no mapping; write an object with `apiVersion`, `kind` and `metadata`")]
    NoMapping,
    /// A text that every object has is missing, empty or of another type.
    #[error("has no text in `{0}`")]
    Missing(&'static str),
}

/// The group and the kind of objects, whatever their version.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GroupKind {
    /// The API group; empty for the core group.
    pub group: String,
    /// The kind, e.g. `Deployment`.
    pub kind: String,
}

/// What an object is called in its cluster.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectKey {
    /// Its group and kind.
    pub kind: GroupKind,
    /// Its namespace; none for what belongs to the whole cluster.
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
}

/// Where an object was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The file, or what rendered it: "helm template ratings".
    pub from: Arc<PathBuf>,
    /// The line on which it begins, counted from 1, where that is known.
    pub line: Option<usize>,
}

/// An object that is wanted, and where that was written.
#[derive(Clone, Debug, PartialEq)]
pub struct Manifest {
    /// What is wanted.
    pub object: Object,
    /// Where that was written.
    pub origin: Origin,
}

impl Object {
    /// Takes JSON that is an object.
    ///
    /// # Errors
    /// When it isn't.
    pub fn new(json: Value) -> Result<Self, ObjectError> {
        let Value::Object(map) = json else { return Err(ObjectError::NoMapping) };
        for (pointer, field) in [
            ("apiVersion", map.get("apiVersion")),
            ("kind", map.get("kind")),
            ("metadata.name", map.get("metadata").and_then(|it| it.get("name"))),
        ] {
            if field.and_then(Value::as_str).is_none_or(str::is_empty) {
                return Err(ObjectError::Missing(pointer));
            }
        }
        Ok(Self(map))
    }

    /// An object with nothing but its name.
    pub fn named(api_version: &str, kind: &str, namespace: Option<&str>, name: &str) -> Self {
        let mut object = Self(Map::new());
        object.set(&["apiVersion"], api_version.into());
        object.set(&["kind"], kind.into());
        object.set(&["metadata", "name"], name.into());
        if let Some(namespace) = namespace {
            object.set_namespace(namespace);
        }
        object
    }

    /// The API version, e.g. `apps/v1`.
    pub fn api_version(&self) -> &str {
        self.text("/apiVersion")
    }

    /// The API group; empty for the core group.
    pub fn group(&self) -> &str {
        self.api_version().rsplit_once('/').map_or("", |it| it.0)
    }

    /// The version in the group, e.g. `v1`.
    pub fn version(&self) -> &str {
        let whole = self.api_version();
        whole.rsplit_once('/').map_or(whole, |it| it.1)
    }

    /// The kind, e.g. `Deployment`.
    pub fn kind(&self) -> &str {
        self.text("/kind")
    }

    /// The name in its namespace.
    pub fn name(&self) -> &str {
        self.text("/metadata/name")
    }

    /// The namespace, where one is written.
    pub fn namespace(&self) -> Option<&str> {
        self.at("/metadata/namespace").and_then(Value::as_str).filter(|it| !it.is_empty())
    }

    /// What it is called in its cluster.
    pub fn key(&self) -> ObjectKey {
        ObjectKey {
            kind: GroupKind { group: self.group().to_owned(), kind: self.kind().to_owned() },
            namespace: self.namespace().map(str::to_owned),
            name: self.name().to_owned(),
        }
    }

    /// Its metadata.
    pub fn metadata(&self) -> &Value {
        self.at("/metadata").unwrap_or(&Value::Null)
    }

    /// A label.
    pub fn label(&self, key: &str) -> Option<&str> {
        self.of("/metadata/labels", key)
    }

    /// An annotation.
    pub fn annotation(&self, key: &str) -> Option<&str> {
        self.of("/metadata/annotations", key)
    }

    /// The value at a JSON pointer (RFC 6901), e.g. `/spec/replicas`.
    pub fn at(&self, pointer: &str) -> Option<&Value> {
        let (first, rest) =
            pointer.strip_prefix('/')?.split_once('/').unwrap_or((&pointer[1..], ""));
        let value = self.0.get(first)?;
        if rest.is_empty() { Some(value) } else { value.pointer(&pointer[1 + first.len()..]) }
    }

    /// A number at a JSON pointer.
    pub fn number(&self, pointer: &str) -> Option<i64> {
        self.at(pointer).and_then(Value::as_i64)
    }

    /// The items of a list at a JSON pointer; none where there is no list.
    pub fn items(&self, pointer: &str) -> &[Value] {
        self.at(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    /// All of it.
    pub const fn json(&self) -> &Map<String, Value> {
        &self.0
    }

    /// All of it.
    pub fn into_json(self) -> Value {
        Value::Object(self.0)
    }

    /// Writes a namespace.
    pub fn set_namespace(&mut self, namespace: &str) {
        self.set(&["metadata", "namespace"], namespace.into());
    }

    /// Writes a label.
    pub fn set_label(&mut self, key: &str, value: &str) {
        self.set(&["metadata", "labels", key], value.into());
    }

    /// Takes away what is at a path of keys. Gives it, if there was anything.
    pub fn remove(&mut self, path: &[&str]) -> Option<Value> {
        let (last, way) = path.split_last()?;
        let mut at = &mut self.0;
        for key in way {
            at = at.get_mut(*key)?.as_object_mut()?;
        }
        at.shift_remove(*last)
    }

    /// Writes a value at a path of keys, with the mappings on the way.
    pub fn set(&mut self, path: &[&str], value: Value) {
        let Some((last, way)) = path.split_last() else { return };
        let mut at = &mut self.0;
        for key in way {
            let next = at.entry(*key).or_insert_with(|| Value::Object(Map::new()));
            if !next.is_object() {
                *next = Value::Object(Map::new());
            }
            let Value::Object(next) = next else { return };
            at = next;
        }
        at.insert((*last).to_owned(), value);
    }

    fn text(&self, pointer: &str) -> &str {
        self.at(pointer).and_then(Value::as_str).unwrap_or_default()
    }

    /// A text in a mapping whose keys may have any characters.
    fn of(&self, mapping: &str, key: &str) -> Option<&str> {
        self.at(mapping)?.get(key)?.as_str()
    }
}

impl GroupKind {
    /// The group and kind of these texts.
    pub fn new(group: &str, kind: &str) -> Self {
        Self { group: group.to_owned(), kind: kind.to_owned() }
    }

    /// Whether it is this one.
    pub fn is(&self, group: &str, kind: &str) -> bool {
        self.group == group && self.kind == kind
    }
}

impl fmt::Display for GroupKind {
    /// `Deployment.apps`, as kubectl writes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.kind)?;
        if self.group.is_empty() { Ok(()) } else { write!(f, ".{}", self.group) }
    }
}

impl fmt::Display for ObjectKey {
    /// `Deployment ratings/ratings-web`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.kind.kind)?;
        if let Some(namespace) = &self.namespace {
            write!(f, "{namespace}/")?;
        }
        f.write_str(&self.name)
    }
}

impl fmt::Display for Origin {
    /// `deploy/web.yaml:12`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.from.display())?;
        self.line.map_or(Ok(()), |line| write!(f, ":{line}"))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn web() -> Object {
        Object::new(json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "web", "namespace": "shop", "labels": {"app.kubernetes.io/name": "web"}},
            "spec": {"replicas": 3, "template": {"spec": {"containers": [{"name": "web"}]}}},
        }))
        .unwrap()
    }

    #[test]
    fn only_what_has_a_version_a_kind_and_a_name_is_an_object() {
        for (json, why) in [
            (json!([]), ObjectError::NoMapping),
            (json!({"kind": "A", "metadata": {"name": "a"}}), ObjectError::Missing("apiVersion")),
            (
                json!({"apiVersion": "v1", "kind": "", "metadata": {"name": "a"}}),
                ObjectError::Missing("kind"),
            ),
            (
                json!({"apiVersion": "v1", "kind": "A", "metadata": {"name": 1}}),
                ObjectError::Missing("metadata.name"),
            ),
        ] {
            assert_eq!(Object::new(json), Err(why));
        }
    }

    #[test]
    fn an_object_is_known_by_group_kind_namespace_and_name() {
        let web = web();
        assert_eq!((web.group(), web.version(), web.kind()), ("apps", "v1", "Deployment"));
        assert_eq!(web.key().to_string(), "Deployment shop/web");
        assert_eq!(web.key().kind.to_string(), "Deployment.apps");
        assert_eq!(web.label("app.kubernetes.io/name"), Some("web"));
        assert_eq!(
            (web.number("/spec/replicas"), web.items("/spec/template/spec/containers").len()),
            (Some(3), 1)
        );
    }

    #[test]
    fn paths_are_made_and_taken_away() {
        let mut web = web();
        assert_eq!(web.remove(&["spec", "replicas"]), Some(json!(3)));
        assert_eq!(web.remove(&["spec", "nothing", "here"]), None);
        web.set(&["metadata", "annotations", "a/b"], "c".into());
        web.set_label("d", "e");
        assert_eq!((web.annotation("a/b"), web.label("d")), (Some("c"), Some("e")));
    }
}
