//! Which objects belong to an app in a cluster: an ApplySet (KEP-3659), as kubectl and other tools understand it. Members carry its ID as
//! a label; its parent, a ConfigMap in the app's namespace, tells which kinds to look for in which namespaces.

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};
use serde_json::{Value, json};

use super::own_fields;
use crate::fleet::object::{GroupKind, Object, PART_OF};

const TOOLING: &str = "applyset.kubernetes.io/tooling";
const KINDS: &str = "applyset.kubernetes.io/contains-group-kinds";
const NAMESPACES: &str = "applyset.kubernetes.io/additional-namespaces";
/// What of the app was applied last, as [`fingerprint`](super::fingerprint) has it.
const APPLIED: &str = "farol.dev/applied";
const OURS: &str = "farol/v1";

/// An app's set in a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApplySet {
    /// The app.
    pub app: String,
    /// The namespace of its parent.
    pub namespace: String,
}

/// Where members may be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    /// Of which kinds they are.
    pub kinds: BTreeSet<GroupKind>,
    /// In which namespaces, beside the parent's.
    pub namespaces: BTreeSet<String>,
}

/// Why a parent can't be built on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParentError {
    /// The object with the parent's name is something else.
    #[error("the ConfigMap {0} is there and is no parent of this set; rename one of them")]
    NotOurs(String),
    /// Another tool manages the set.
    #[error("the set is managed by {0}, not by farol; let one of them go")]
    OtherTool(String),
}

impl ApplySet {
    /// The label of a set's parent, with the set's ID.
    pub const ID: &'static str = "applyset.kubernetes.io/id";

    /// The parent's name.
    pub fn parent_name(&self) -> String {
        format!("farol-{}", self.app)
    }

    /// The set's ID, a hash of what the parent is called.
    pub fn id(&self) -> String {
        let name = format!("{}.{}.ConfigMap.", self.parent_name(), self.namespace);
        let hash = digest(&SHA256, name.as_bytes());
        format!("applyset-{}-v1", URL_SAFE_NO_PAD.encode(hash))
    }

    /// The label selector of its members.
    pub fn selector(&self) -> String {
        format!("{PART_OF}={}", self.id())
    }

    /// Whether an object is a member: it has the label, and has it from us. Controllers copy labels to what they make of an object, and
    /// people copy objects.
    pub fn has(&self, object: &Object) -> bool {
        let is_ours = |it: &Value| {
            it.pointer("/f:metadata/f:labels")
                .is_some_and(|it| it.get(format!("f:{PART_OF}")).is_some())
        };
        object.label(PART_OF) == Some(&self.id()) && own_fields(object).is_some_and(is_ours)
    }

    /// The parent, where members may be in this scope, and this was applied last.
    pub fn parent(&self, scope: &Scope, applied: Option<&str>) -> Object {
        let list = |items: &mut dyn Iterator<Item = String>| items.collect::<Vec<_>>().join(",");
        let others = scope.namespaces.iter().filter(|it| **it != self.namespace).cloned();
        let kinds = list(&mut scope.kinds.iter().map(GroupKind::to_string));
        let mut parent =
            Object::named("v1", "ConfigMap", Some(&self.namespace), &self.parent_name());
        parent.set_label(Self::ID, &self.id());
        for (key, text) in
            [(TOOLING, OURS), (KINDS, &kinds), (NAMESPACES, &list(&mut others.into_iter()))]
        {
            parent.set(&["metadata", "annotations", key], json!(text));
        }
        if let Some(applied) = applied {
            parent.set(&["metadata", "annotations", APPLIED], json!(applied));
        }
        parent
    }

    /// What was applied last, by a parent's account; none where that never went to its end.
    pub fn applied(parent: &Object) -> Option<&str> {
        parent.annotation(APPLIED)
    }

    /// Where a parent says that members may be.
    ///
    /// # Errors
    /// When it isn't this set's parent.
    pub fn scope(&self, parent: &Object) -> Result<Scope, ParentError> {
        if parent.label(Self::ID) != Some(&self.id()) {
            return Err(ParentError::NotOurs(format!("{}/{}", self.namespace, self.parent_name())));
        }
        let tool = parent.annotation(TOOLING).unwrap_or_default();
        if tool.split('/').next() != OURS.split('/').next() {
            return Err(ParentError::OtherTool(tool.to_owned()));
        }
        let items = |key: &str| {
            let list = parent.annotation(key).unwrap_or_default();
            list.split(',').filter(|it| !it.is_empty()).map(str::to_owned).collect::<Vec<_>>()
        };
        let kind = |text: String| {
            let (kind, group) = text.split_once('.').unwrap_or((&text, ""));
            GroupKind::new(group, kind)
        };
        Ok(Scope {
            kinds: items(KINDS).into_iter().map(kind).collect(),
            namespaces: items(NAMESPACES).into_iter().collect(),
        })
    }
}

impl Scope {
    /// Where these objects are.
    pub fn of<'a>(objects: impl IntoIterator<Item = &'a Object>) -> Self {
        let mut scope = Self::default();
        for object in objects {
            scope.kinds.insert(object.key().kind);
            scope.namespaces.extend(object.namespace().map(str::to_owned));
        }
        scope
    }

    /// The same, but for the parent's own namespace, which needn't be named.
    pub fn without(mut self, namespace: &str) -> Self {
        self.namespaces.remove(namespace);
        self
    }

    /// Where members of either are.
    pub fn joined(mut self, other: &Self) -> Self {
        self.kinds.extend(other.kinds.iter().cloned());
        self.namespaces.extend(other.namespaces.iter().cloned());
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set() -> ApplySet {
        ApplySet { app: "ratings".to_owned(), namespace: "shop".to_owned() }
    }

    #[test]
    fn the_id_is_that_of_the_specification() {
        // printf %s farol-ratings.shop.ConfigMap. | sha256sum, then base64url without padding.
        let id = set().id();
        assert_eq!(id, "applyset-6hn34BqqJIwNEnNOl_IBgtfwnvZAj6cOuwl1iqorXlw-v1");
        assert!(id.len() <= 63, "a label's value");
    }

    #[test]
    fn a_parent_tells_its_scope_again() {
        let scope = Scope {
            kinds: [GroupKind::new("apps", "Deployment"), GroupKind::new("", "Service")].into(),
            namespaces: ["other".to_owned(), "shop".to_owned()].into(),
        };
        let parent = set().parent(&scope, Some("abc"));
        assert_eq!(ApplySet::applied(&parent), Some("abc"));
        assert_eq!(parent.annotation(KINDS), Some("Service,Deployment.apps"));
        assert_eq!(parent.annotation(NAMESPACES), Some("other"));
        let told = set().scope(&parent).unwrap();
        assert_eq!((told.kinds, told.namespaces), (scope.kinds, ["other".to_owned()].into()));
    }

    #[test]
    fn a_member_has_the_label_from_us() {
        let entry = |manager: &str, label: &str| {
            let fields = json!({"f:metadata": {"f:labels": {format!("f:{label}"): {}}}});
            json!([{"manager": manager, "operation": "Apply", "fieldsV1": fields}])
        };
        for (label, entries, is_member) in [
            (set().id(), entry("farol", PART_OF), true),
            (set().id(), entry("farol", "other"), false),
            (set().id(), entry("eve", PART_OF), false),
            ("applyset-other-v1".to_owned(), entry("farol", PART_OF), false),
        ] {
            let mut object = Object::named("v1", "Endpoints", Some("shop"), "web");
            object.set_label(PART_OF, &label);
            object.set(&["metadata", "managedFields"], entries);
            assert_eq!(set().has(&object), is_member, "{object:?}");
        }
    }

    #[test]
    fn a_parent_of_others_is_not_built_on() {
        let mut parent = set().parent(&Scope::default(), None);
        parent.set(&["metadata", "annotations", TOOLING], json!("kubectl/v1.30"));
        assert_eq!(set().scope(&parent), Err(ParentError::OtherTool("kubectl/v1.30".to_owned())));
        parent.remove(&["metadata", "labels"]);
        assert_eq!(
            set().scope(&parent),
            Err(ParentError::NotOurs("shop/farol-ratings".to_owned()))
        );
    }
}
