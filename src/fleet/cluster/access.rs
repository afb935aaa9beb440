//! What may be asked of a cluster, and what of it is not allowed.

use std::fmt;

use serde_json::{Value, json};

use super::Resource;

/// What is done with objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Verb {
    /// Reading one.
    Get,
    /// Reading all.
    List,
    /// Following changes.
    Watch,
    /// Making one, also by applying it.
    Create,
    /// Changing one, also by applying it.
    Patch,
    /// Removing one.
    Delete,
}

/// A verb on a kind of objects in a namespace.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Access {
    /// What is done.
    pub verb: Verb,
    /// The API group; empty for the core group.
    pub group: String,
    /// The plural name of the resource: `deployments`.
    pub resource: String,
    /// The namespace; none for the whole cluster.
    pub namespace: Option<String>,
}

impl Access {
    /// A verb on a resource in a namespace.
    pub fn new(verb: Verb, resource: &Resource, namespace: Option<&str>) -> Self {
        Self {
            verb,
            group: resource.kind.group.clone(),
            resource: resource.plural.clone(),
            namespace: namespace.map(str::to_owned),
        }
    }

    /// On what, and where: "deployments.apps in ratings".
    pub fn place(&self) -> String {
        let group = if self.group.is_empty() { String::new() } else { format!(".{}", self.group) };
        let namespace = self.namespace.as_ref().map_or_else(String::new, |it| format!(" in {it}"));
        format!("{}{group}{namespace}", self.resource)
    }

    /// The question whether one may: a SelfSubjectAccessReview.
    pub(super) fn review(&self) -> Value {
        json!({
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": {
                "verb": self.verb.to_string(),
                "group": self.group,
                "resource": self.resource,
                "namespace": self.namespace.as_deref().unwrap_or_default(),
            }},
        })
    }
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Get => "get",
            Self::List => "list",
            Self::Watch => "watch",
            Self::Create => "create",
            Self::Patch => "patch",
            Self::Delete => "delete",
        })
    }
}

impl fmt::Display for Access {
    /// "patch deployments.apps in ratings".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.verb, self.place())
    }
}
