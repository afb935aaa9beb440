//! In which order objects are applied: what others build on comes first. Removal goes the other way round.

use crate::fleet::object::GroupKind;

/// The kinds of each phase. Kinds that nobody here knows are custom resources, and come after what runs their controllers.
const PHASES: [(Phase, &[(&str, &str)]); 6] = [
    (Phase::Namespaces, &[("", "Namespace")]),
    (Phase::Definitions, &[("apiextensions.k8s.io", "CustomResourceDefinition")]),
    (
        Phase::Access,
        &[
            ("scheduling.k8s.io", "PriorityClass"),
            ("storage.k8s.io", "StorageClass"),
            ("networking.k8s.io", "IngressClass"),
            ("gateway.networking.k8s.io", "GatewayClass"),
            ("networking.k8s.io", "NetworkPolicy"),
            ("", "ResourceQuota"),
            ("", "LimitRange"),
            ("", "ServiceAccount"),
            ("rbac.authorization.k8s.io", "ClusterRole"),
            ("rbac.authorization.k8s.io", "ClusterRoleBinding"),
            ("rbac.authorization.k8s.io", "Role"),
            ("rbac.authorization.k8s.io", "RoleBinding"),
        ],
    ),
    (
        Phase::Configuration,
        &[
            ("", "Secret"),
            ("", "ConfigMap"),
            ("", "PersistentVolume"),
            ("", "PersistentVolumeClaim"),
            ("", "Service"),
            ("policy", "PodDisruptionBudget"),
        ],
    ),
    (
        Phase::Workloads,
        &[
            ("apps", "DaemonSet"),
            ("", "Pod"),
            ("", "ReplicationController"),
            ("apps", "ReplicaSet"),
            ("apps", "StatefulSet"),
            ("apps", "Deployment"),
            ("batch", "Job"),
            ("batch", "CronJob"),
        ],
    ),
    (
        Phase::Routing,
        &[
            ("autoscaling", "HorizontalPodAutoscaler"),
            ("networking.k8s.io", "Ingress"),
            ("extensions", "Ingress"),
            ("gateway.networking.k8s.io", "Gateway"),
            ("gateway.networking.k8s.io", "HTTPRoute"),
            ("apiregistration.k8s.io", "APIService"),
            ("admissionregistration.k8s.io", "MutatingWebhookConfiguration"),
            ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration"),
        ],
    ),
];

/// A step of the order that is through before the next one begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Phase {
    /// Where objects lie.
    Namespaces,
    /// Kinds of their own; they have to be established before there can be objects of them.
    Definitions,
    /// Who may do what, and under which limits.
    Access,
    /// What workloads read, mount and are found by.
    Configuration,
    /// What runs.
    Workloads,
    /// What sends requests to it and scales it; webhooks, which would refuse everything before their workload runs.
    Routing,
    /// Objects of other kinds.
    Others,
}

/// The phase of a kind, and its place in it.
pub fn place(kind: &GroupKind) -> (Phase, usize) {
    let find = |kinds: &[(&str, &str)]| kinds.iter().position(|it| kind.is(it.0, it.1));
    let found = PHASES.iter().find_map(|(phase, kinds)| Some((*phase, find(kinds)?)));
    found.unwrap_or((Phase::Others, 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_build_on_comes_first() {
        let order = [
            ("", "Namespace"),
            ("apiextensions.k8s.io", "CustomResourceDefinition"),
            ("", "ServiceAccount"),
            ("rbac.authorization.k8s.io", "RoleBinding"),
            ("", "Secret"),
            ("", "Service"),
            ("apps", "Deployment"),
            ("autoscaling", "HorizontalPodAutoscaler"),
            ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration"),
            ("example.org", "Thing"),
        ];
        let places: Vec<_> = order.iter().map(|it| place(&GroupKind::new(it.0, it.1))).collect();
        assert!(places.is_sorted(), "{places:?}");
        assert_eq!(place(&GroupKind::new("example.org", "Deployment")).0, Phase::Others);
    }
}
