//! The kinds of objects that there are.

/// A kind of objects.
pub(crate) struct Kind {
    /// Empty for the core group.
    pub(crate) group: &'static str,
    pub(crate) version: &'static str,
    pub(crate) kind: &'static str,
    /// The name in paths.
    pub(crate) plural: &'static str,
    pub(crate) namespaced: bool,
    /// Whether the server counts the states of its `spec`.
    pub(crate) has_generation: bool,
}

const fn kind(
    api: (&'static str, &'static str),
    kind: &'static str,
    plural: &'static str,
    namespaced: bool,
    has_generation: bool,
) -> Kind {
    Kind { group: api.0, version: api.1, kind, plural, namespaced, has_generation }
}

const CORE: (&str, &str) = ("", "v1");
const APPS: (&str, &str) = ("apps", "v1");
const BATCH: (&str, &str) = ("batch", "v1");
const NETWORKING: (&str, &str) = ("networking.k8s.io", "v1");
const RBAC: (&str, &str) = ("rbac.authorization.k8s.io", "v1");

pub(crate) const NODE: usize = 0;
pub(crate) const NAMESPACE: usize = 1;

/// All of them; what refers to one does so by its index.
pub(crate) const KINDS: [Kind; 21] = [
    kind(CORE, "Node", "nodes", false, false),
    kind(CORE, "Namespace", "namespaces", false, false),
    kind(CORE, "ConfigMap", "configmaps", true, false),
    kind(CORE, "Secret", "secrets", true, false),
    kind(CORE, "Service", "services", true, false),
    kind(CORE, "ServiceAccount", "serviceaccounts", true, false),
    kind(CORE, "PersistentVolumeClaim", "persistentvolumeclaims", true, false),
    kind(APPS, "Deployment", "deployments", true, true),
    kind(APPS, "StatefulSet", "statefulsets", true, true),
    kind(APPS, "DaemonSet", "daemonsets", true, true),
    kind(BATCH, "Job", "jobs", true, true),
    kind(BATCH, "CronJob", "cronjobs", true, true),
    kind(NETWORKING, "Ingress", "ingresses", true, true),
    kind(NETWORKING, "NetworkPolicy", "networkpolicies", true, true),
    kind(("autoscaling", "v2"), "HorizontalPodAutoscaler", "horizontalpodautoscalers", true, false),
    kind(("policy", "v1"), "PodDisruptionBudget", "poddisruptionbudgets", true, true),
    kind(RBAC, "Role", "roles", true, false),
    kind(RBAC, "RoleBinding", "rolebindings", true, false),
    kind(
        ("apiextensions.k8s.io", "v1"),
        "CustomResourceDefinition",
        "customresourcedefinitions",
        false,
        true,
    ),
    kind(("coordination.k8s.io", "v1"), "Lease", "leases", true, false),
    kind(("discovery.k8s.io", "v1"), "EndpointSlice", "endpointslices", true, false),
];

impl Kind {
    /// Group and version: `apps/v1`, `v1`.
    pub(crate) fn api_version(&self) -> String {
        match self.group {
            "" => self.version.to_owned(),
            group => format!("{group}/{}", self.version),
        }
    }
}

/// The kind of this group and plural name.
pub(crate) fn find(group: &str, version: &str, plural: &str) -> Option<usize> {
    KINDS.iter().position(|it| (it.group, it.version, it.plural) == (group, version, plural))
}
