//! Kinds as files name them, resources as the API server names them: the plural that a review carries, and whether an
//! object of the kind lives in a namespace. In a cluster the API server says both; for files they are worked out here.

use crate::case::{GroupVersionKind, GroupVersionResource};

/// Whether objects of a kind live in a namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// In one.
    Namespaced,
    /// In none.
    Cluster,
}

/// Built-in kinds without a namespace, by group. Of custom kinds nobody here can know; those whose name begins with
/// `Cluster` are taken to be without one too.
const CLUSTER_SCOPED: [(&str, &[&str]); 15] = [
    ("", &["Namespace", "Node", "PersistentVolume", "ComponentStatus"]),
    ("admissionregistration.k8s.io", ANY),
    ("apiextensions.k8s.io", ANY),
    ("apiregistration.k8s.io", ANY),
    ("authentication.k8s.io", ANY),
    ("authorization.k8s.io", &["SubjectAccessReview", "SelfSubjectAccessReview", "SelfSubjectRulesReview"]),
    ("certificates.k8s.io", ANY),
    ("flowcontrol.apiserver.k8s.io", ANY),
    ("networking.k8s.io", &["IngressClass", "IPAddress", "ServiceCIDR"]),
    ("node.k8s.io", ANY),
    ("rbac.authorization.k8s.io", &["ClusterRole", "ClusterRoleBinding"]),
    ("resource.k8s.io", &["DeviceClass", "ResourceSlice"]),
    ("scheduling.k8s.io", ANY),
    ("storage.k8s.io", &["StorageClass", "CSIDriver", "CSINode", "VolumeAttachment", "VolumeAttributesClass"]),
    ("portreeve.dev", &["PolicySet"]),
];

/// Every kind of the group.
const ANY: &[&str] = &[];

/// The resource of a kind. Kubernetes' plurals are regular, but for `Endpoints`.
#[must_use]
pub fn resource(kind: &GroupVersionKind) -> GroupVersionResource {
    let name = kind.kind.to_lowercase();
    let resource = match name.as_str() {
        "endpoints" => name,
        _ => plural(name),
    };
    GroupVersionResource { group: kind.group.clone(), version: kind.version.clone(), resource }
}

/// Whether objects of this kind live in a namespace.
#[must_use]
pub fn scope(group: &str, kind: &str) -> Scope {
    let listed = CLUSTER_SCOPED.iter().find(|(name, _)| *name == group);
    let cluster = listed.is_some_and(|(_, kinds)| kinds.is_empty() || kinds.contains(&kind));
    if cluster || (is_custom(group) && begins_with_cluster(kind)) { Scope::Cluster } else { Scope::Namespaced }
}

fn is_custom(group: &str) -> bool {
    group.contains('.') && (group.ends_with(".x-k8s.io") || !group.ends_with(".k8s.io"))
}

/// `ClusterIssuer`, but neither `Cluster` nor `Clustering`: those are things of their own.
fn begins_with_cluster(kind: &str) -> bool {
    kind.strip_prefix("Cluster").is_some_and(|rest| rest.starts_with(|first: char| first.is_ascii_uppercase()))
}

/// As English forms it.
fn plural(name: String) -> String {
    match name.strip_suffix('y') {
        Some(stem) if !stem.ends_with(['a', 'e', 'i', 'o', 'u']) => format!("{stem}ies"),
        _ if name.ends_with('s') || name.ends_with('x') => format!("{name}es"),
        _ => format!("{name}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plural_of(kind: &str) -> String {
        resource(&GroupVersionKind { kind: kind.to_owned(), ..GroupVersionKind::default() }).resource
    }

    #[test]
    fn plurals_are_those_of_the_api_server() {
        for (kind, expected) in [
            ("Pod", "pods"),
            ("Ingress", "ingresses"),
            ("NetworkPolicy", "networkpolicies"),
            ("Gateway", "gateways"),
            ("StorageClass", "storageclasses"),
            ("Endpoints", "endpoints"),
            ("EndpointSlice", "endpointslices"),
            ("RoleBinding", "rolebindings"),
        ] {
            assert_eq!(plural_of(kind), expected);
        }
    }

    #[test]
    fn plurals_of_ai_and_batch_kinds_are_those_of_their_definitions() {
        for (kind, expected) in [
            ("JobSet", "jobsets"),
            ("RayCluster", "rayclusters"),
            ("RayService", "rayservices"),
            ("PyTorchJob", "pytorchjobs"),
            ("XGBoostJob", "xgboostjobs"),
            ("LeaderWorkerSet", "leaderworkersets"),
            ("CronWorkflow", "cronworkflows"),
            ("InferenceService", "inferenceservices"),
            ("ScheduledSparkApplication", "scheduledsparkapplications"),
            ("PodCliqueSet", "podcliquesets"),
            ("AdvancedCronJob", "advancedcronjobs"),
        ] {
            assert_eq!(plural_of(kind), expected);
        }
    }

    #[test]
    fn cluster_wide_kinds_have_no_namespace() {
        for (group, kind) in [
            ("", "Namespace"),
            ("rbac.authorization.k8s.io", "ClusterRole"),
            ("scheduling.k8s.io", "PriorityClass"),
            ("authorization.k8s.io", "SubjectAccessReview"),
            ("portreeve.dev", "ClusterPolicy"),
            ("cert-manager.io", "ClusterIssuer"),
            ("argoproj.io", "ClusterWorkflowTemplate"),
            ("trainer.kubeflow.org", "ClusterTrainingRuntime"),
        ] {
            assert_eq!(scope(group, kind), Scope::Cluster, "{kind}");
        }
    }

    #[test]
    fn other_kinds_have_one() {
        for (group, kind) in [
            ("", "Pod"),
            ("apps", "Deployment"),
            ("rbac.authorization.k8s.io", "Role"),
            ("networking.k8s.io", "NetworkPolicy"),
            ("authorization.k8s.io", "LocalSubjectAccessReview"),
            ("storage.k8s.io", "CSIStorageCapacity"),
            ("cert-manager.io", "Certificate"),
            ("postgresql.cnpg.io", "Cluster"),
            ("ray.io", "RayCluster"),
        ] {
            assert_eq!(scope(group, kind), Scope::Namespaced, "{kind}");
        }
    }
}
