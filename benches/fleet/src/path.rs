//! Which objects a path is about.

use crate::kinds::{KINDS, NAMESPACE, find};

/// Objects of one kind: all, those of a namespace, or one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// Which of [`KINDS`].
    pub(crate) kind: usize,
    /// None for the whole cluster.
    pub(crate) namespace: Option<String>,
    /// None for all.
    pub(crate) name: Option<String>,
    /// `status`.
    pub(crate) subresource: Option<String>,
}

impl Place {
    /// What a path says, if it is one of objects of a kind that there is.
    pub(crate) fn of(path: &str) -> Option<Self> {
        let mut parts = path.trim_matches('/').split('/');
        let group = match parts.next()? {
            "api" => "",
            "apis" => parts.next()?,
            _ => return None,
        };
        let version = parts.next()?;
        let rest: Vec<&str> = parts.collect();
        let is_namespace_itself =
            rest.len() < 3 || (rest.len() == 3 && ["status", "finalize"].contains(&rest[2]));
        let (namespace, rest) = match rest.as_slice() {
            ["namespaces", namespace, rest @ ..] if !is_namespace_itself => {
                (Some((*namespace).to_owned()), rest)
            }
            rest => (None, rest),
        };
        let (plural, name, subresource) = match rest {
            [plural] => (plural, None, None),
            [plural, name] => (plural, Some(name), None),
            [plural, name, subresource] => (plural, Some(name), Some(subresource)),
            _ => return None,
        };
        let text = |it: Option<&&str>| it.map(|it| (*it).to_owned());
        let kind = find(group, version, plural)?;
        Some(Self { kind, namespace, name: text(name), subresource: text(subresource) })
    }

    /// What error messages call it: `deployments.apps "web"`.
    pub(crate) fn shown(&self) -> String {
        let kind = &KINDS[self.kind];
        let dot = if kind.group.is_empty() { "" } else { "." };
        let name = self.name.as_deref().unwrap_or_default();
        format!("{}{dot}{} \"{name}\"", kind.plural, kind.group)
    }

    /// Whether objects of this kind are namespaces.
    pub(crate) const fn is_namespace(&self) -> bool {
        self.kind == NAMESPACE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn namespaces_are_objects_and_places() {
        let told = |path: &str| {
            let it = Place::of(path)?;
            Some((
                KINDS[it.kind].kind,
                it.namespace.unwrap_or_default(),
                it.name.unwrap_or_default(),
            ))
        };
        let text = str::to_owned;
        for (path, expected) in [
            ("/api/v1/namespaces", Some(("Namespace", text(""), text("")))),
            ("/api/v1/namespaces/shop", Some(("Namespace", text(""), text("shop")))),
            ("/api/v1/namespaces/shop/services", Some(("Service", text("shop"), text("")))),
            ("/apis/apps/v1/deployments", Some(("Deployment", text(""), text("")))),
            (
                "/apis/apps/v1/namespaces/shop/deployments/web",
                Some(("Deployment", text("shop"), text("web"))),
            ),
            ("/apis/apps/v1", None),
            ("/apis/example.org/v1/things", None),
        ] {
            assert_eq!(told(path), expected, "{path}");
        }
    }
}
