//! How a pod template stands: which of seven safeguards hold for every container of it.

use portreeve_admission::template::{Container, ContainerSecurity, Pod, PodSecurity, Profile, Template};
use schemars::JsonSchema;
use serde::Serialize;

/// What should hold for every container.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) enum Safeguard {
    /// Its image is named by digest.
    Digest,
    /// It can't run as root.
    NonRoot,
    /// It can't gain rights.
    NoEscalation,
    /// It drops all capabilities.
    CapabilitiesDropped,
    /// It runs under a seccomp profile.
    Seccomp,
    /// Its root file system is read-only.
    ReadOnlyRoot,
    /// It requests CPU and memory.
    Requests,
}

impl Safeguard {
    pub(super) const ALL: [Self; 7] = [
        Self::Digest,
        Self::NonRoot,
        Self::NoEscalation,
        Self::CapabilitiesDropped,
        Self::Seccomp,
        Self::ReadOnlyRoot,
        Self::Requests,
    ];

    /// The letter by which the table shows it.
    pub(super) fn letter(self) -> char {
        match self {
            Self::Digest => 'D',
            Self::NonRoot => 'N',
            Self::NoEscalation => 'E',
            Self::CapabilitiesDropped => 'C',
            Self::Seccomp => 'S',
            Self::ReadOnlyRoot => 'R',
            Self::Requests => 'Q',
        }
    }

    /// What the letter stands for.
    pub(super) fn meaning(self) -> &'static str {
        match self {
            Self::Digest => "image by digest",
            Self::NonRoot => "non-root",
            Self::NoEscalation => "no escalation",
            Self::CapabilitiesDropped => "capabilities dropped",
            Self::Seccomp => "seccomp",
            Self::ReadOnlyRoot => "read-only root",
            Self::Requests => "requests",
        }
    }

    /// Those that hold for every container of the template.
    pub(super) fn holding(template: &Template) -> Vec<Self> {
        let holds =
            |safeguard: &Self| template.containers.iter().all(|container| safeguard.holds(&template.pod, container));
        Self::ALL.into_iter().filter(holds).collect()
    }

    fn holds(self, pod: &Pod, container: &Container) -> bool {
        let view = Effective::of(pod, container);
        match self {
            Self::Digest => container.image.contains('@'),
            Self::NonRoot => view.run_as_non_root == Some(true) && view.run_as_user != Some(0),
            Self::NoEscalation => view.allow_privilege_escalation == Some(false),
            Self::CapabilitiesDropped => view.drops_all,
            Self::Seccomp => view.seccomp.is_some_and(|profile| profile.kind != "Unconfined"),
            Self::ReadOnlyRoot => view.read_only_root == Some(true),
            Self::Requests => ["cpu", "memory"].into_iter().all(|resource| requests(pod, container, resource)),
        }
    }
}

/// What holds for a container: its own words, or else the pod's.
#[derive(Debug, Clone, Copy)]
pub(super) struct Effective<'a> {
    pub(super) run_as_non_root: Option<bool>,
    pub(super) run_as_user: Option<i64>,
    pub(super) run_as_group: Option<i64>,
    pub(super) allow_privilege_escalation: Option<bool>,
    pub(super) read_only_root: Option<bool>,
    pub(super) drops_all: bool,
    pub(super) seccomp: Option<&'a Profile>,
}

impl<'a> Effective<'a> {
    pub(super) fn of(pod: &'a Pod, container: &'a Container) -> Self {
        let (pod, own) = (pod.security.as_ref(), container.security.as_ref());
        let capabilities = own.and_then(|own| own.capabilities.as_ref());
        Self {
            run_as_non_root: either(own, pod, |own| own.run_as_non_root, |pod| pod.run_as_non_root),
            run_as_user: either(own, pod, |own| own.run_as_user, |pod| pod.run_as_user),
            run_as_group: either(own, pod, |own| own.run_as_group, |pod| pod.run_as_group),
            allow_privilege_escalation: own.and_then(|own| own.allow_privilege_escalation),
            read_only_root: own.and_then(|own| own.read_only_root_filesystem),
            drops_all: capabilities.is_some_and(|capabilities| capabilities.drop.iter().any(|name| name == "ALL")),
            seccomp: either(own, pod, |own| own.seccomp.as_ref(), |pod| pod.seccomp.as_ref()),
        }
    }
}

fn either<'a, T>(
    own: Option<&'a ContainerSecurity>,
    pod: Option<&'a PodSecurity>,
    of_own: impl FnOnce(&'a ContainerSecurity) -> Option<T>,
    of_pod: impl FnOnce(&'a PodSecurity) -> Option<T>,
) -> Option<T> {
    own.and_then(of_own).or_else(|| pod.and_then(of_pod))
}

/// Whether it requests the resource: by itself, by its limit, which stands for a request, or by the pod as a whole.
pub(super) fn requests(pod: &Pod, container: &Container, resource: &str) -> bool {
    let lists = [&container.requests, &container.limits, &pod.requests, &pod.limits];
    lists.into_iter().flatten().any(|(name, _)| name == resource)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn letters(template: &serde_json::Value) -> String {
        Safeguard::holding(&Template::read(template).unwrap()).into_iter().map(Safeguard::letter).collect()
    }

    #[test]
    fn nothing_holds_for_a_container_that_says_nothing() {
        assert_eq!(letters(&json!({"spec": {"containers": [{"name": "a", "image": "nginx"}]}})), "");
    }

    #[test]
    fn what_the_pod_says_holds_for_its_containers() {
        let security = json!({"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}});
        let spec = json!({"securityContext": security, "containers": [{"name": "a", "image": "nginx"}]});
        assert_eq!(letters(&json!({"spec": spec})), "NS");
    }

    #[test]
    fn one_container_without_it_is_enough_for_it_not_to_hold() {
        let read_only =
            json!({"name": "a", "image": "a@sha256:00", "securityContext": {"readOnlyRootFilesystem": true}});
        let other = json!({"name": "b", "image": "b@sha256:00"});
        assert_eq!(letters(&json!({"spec": {"containers": [read_only.clone()]}})), "DR");
        assert_eq!(letters(&json!({"spec": {"containers": [read_only, other]}})), "D");
    }

    #[test]
    fn a_limit_stands_for_a_request() {
        let resources = json!({"requests": {"cpu": "1"}, "limits": {"memory": "1Gi"}});
        assert_eq!(letters(&json!({"spec": {"containers": [{"name": "a", "resources": resources}]}})), "Q");
    }
}
