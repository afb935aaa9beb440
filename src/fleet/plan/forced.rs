//! Which fields are taken over from other managers.

use std::collections::BTreeSet;

use crate::fleet::object::ObjectKey;

/// Fields that are taken over from other managers, as servers write them: `.spec.replicas`, which is that field of every object, and
/// `Deployment/shop/web:.spec.replicas`, which is that of one. Those of lists too.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Forced {
    /// These.
    pub fields: BTreeSet<String>,
    /// All of them.
    all: bool,
}

impl Forced {
    /// Takes texts as people write them: the dot in front of a field may be missing.
    pub fn of(texts: &[String]) -> Self {
        let dotted = |field: &str| format!(".{}", field.trim_start_matches('.'));
        let written = |it: &String| match split(it) {
            Some((object, field)) => format!("{object}:{}", dotted(field)),
            None => dotted(it),
        };
        Self::fields(texts.iter().map(written).collect())
    }

    /// These fields, as servers write them.
    pub const fn fields(fields: BTreeSet<String>) -> Self {
        Self { fields, all: false }
    }

    /// All fields: for what was ours before others took it.
    pub const fn all() -> Self {
        Self { fields: BTreeSet::new(), all: true }
    }

    /// Whether this field of this object is taken over.
    pub fn takes(&self, key: &ObjectKey, field: &str) -> bool {
        let is_of =
            |it: &String| split(it).is_some_and(|(object, own)| own == field && names(object, key));
        self.all || self.fields.contains(field) || self.fields.iter().any(is_of)
    }
}

/// An object and a field of it, where a text has both. A field begins with a dot, and an object has a slash; in names there are colons, too.
fn split(text: &str) -> Option<(&str, &str)> {
    if text.starts_with('.') {
        return None;
    }
    let dot = text.split_once(":.").map(|(object, _)| (object, &text[object.len() + 1..]));
    dot.or_else(|| text.split_once(':')).filter(|it| it.0.contains('/'))
}

/// Whether `KIND/NAMESPACE/NAME`, or `KIND/NAME` of what is in no namespace, is this object. The kind may have its group: `Ingress.extensions`.
fn names(object: &str, key: &ObjectKey) -> bool {
    let Some((kind, name)) = object.split_once('/') else { return false };
    let own = match &key.namespace {
        Some(namespace) => format!("{namespace}/{}", key.name),
        None => key.name.clone(),
    };
    let is_kind = kind.eq_ignore_ascii_case(&key.kind.kind)
        || kind.eq_ignore_ascii_case(&key.kind.to_string());
    is_kind && name == own
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::object::GroupKind;

    fn takes(
        text: &str,
        kind: (&str, &str),
        namespace: Option<&str>,
        name: &str,
        field: &str,
    ) -> bool {
        let kind = GroupKind::new(kind.0, kind.1);
        let key =
            ObjectKey { kind, namespace: namespace.map(str::to_owned), name: name.to_owned() };
        Forced::of(&[text.to_owned()]).takes(&key, field)
    }

    #[test]
    fn a_field_is_that_of_all_or_that_of_one() {
        let web =
            |text: &str| takes(text, ("apps", "Deployment"), Some("shop"), "web", ".spec.replicas");
        for text in [
            ".spec.replicas",
            "spec.replicas",
            "Deployment/shop/web:.spec.replicas",
            "deployment/shop/web:spec.replicas",
            "Deployment.apps/shop/web:.spec.replicas",
        ] {
            assert!(web(text), "{text}");
        }
        for text in [
            ".spec.paused",
            "Deployment/shop/web:.spec.paused",
            "Deployment/shop/api:.spec.replicas",
            "Deployment/other/web:.spec.replicas",
            "Deployment/web:.spec.replicas",
            "StatefulSet/shop/web:.spec.replicas",
            "Deployment.extensions/shop/web:.spec.replicas",
        ] {
            assert!(!web(text), "{text}");
        }
    }

    #[test]
    fn names_and_fields_may_have_colons() {
        let role = ("rbac.authorization.k8s.io", "ClusterRole");
        assert!(takes("ClusterRole/system:web:.rules", role, None, "system:web", ".rules"));
        let field = ".metadata.annotations.example.com/a:b";
        assert!(takes(field, ("", "ConfigMap"), Some("shop"), "web", field));
        let field = ".spec.ports[port=80,protocol=\"TCP\"].targetPort";
        let text = format!("Service/shop/web:{field}");
        assert!(takes(&text, ("", "Service"), Some("shop"), "web", field));
    }
}
