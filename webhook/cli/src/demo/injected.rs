//! What was put into a pod template: the template as it came held against what came out, in the words of the platforms'
//! `expected.yaml`.

use std::collections::BTreeSet;
use std::fmt;

use portreeve_admission::template::{Container, Pod, PodSecurity, Template};

use super::safeguards::{Effective, requests};

/// One thing that was put in.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Injected {
    /// Every image is named by digest, and one of them was not.
    Digest,
    RunAsNonRoot,
    RunAsUser(i64),
    RunAsGroup(i64),
    /// Together with `fsGroupChangePolicy: OnRootMismatch`.
    FsGroup(i64),
    NoPrivilegeEscalation,
    DropAll,
    Seccomp,
    ReadOnlyRoot,
    /// An emptyDir at this path.
    EmptyDir(String),
    /// `name=value`.
    Sysctl(String),
    Requests,
    Toleration,
    NodeSelector,
    /// `automountServiceAccountToken: false`.
    NoToken,
}

impl Injected {
    /// What `after` has and `before` lacked.
    pub(super) fn between(before: &Template, after: &Template) -> BTreeSet<Self> {
        let mut found = BTreeSet::new();
        let same = |container: &&Container, name: &str| container.name == name;
        for container in &after.containers {
            if let Some(came) = before.containers.iter().find(|came| same(came, &container.name)) {
                let came = (&before.pod, came);
                of_container(came, (&after.pod, container), &mut found);
                found.extend(empty_dirs(came.1, container, after));
            }
        }
        found.extend(of_pod(&before.pod, &after.pod));
        let more_tolerations = after.tolerations.len() > before.tolerations.len();
        found.extend(more_tolerations.then_some(Self::Toleration));
        if !after.containers.iter().all(|container| container.image.contains('@')) {
            found.remove(&Self::Digest);
        }
        found
    }

    /// As the table says it: without the field's name where the value says it all.
    pub(super) fn short(&self) -> String {
        match self {
            Self::Digest | Self::Requests | Self::Toleration | Self::NodeSelector => self.to_string(),
            Self::RunAsNonRoot => "non-root".to_owned(),
            Self::RunAsUser(user) => format!("user {user}"),
            Self::RunAsGroup(group) => format!("group {group}"),
            Self::FsGroup(group) => format!("fsGroup {group}"),
            Self::NoPrivilegeEscalation => "no escalation".to_owned(),
            Self::DropAll => "drop ALL".to_owned(),
            Self::Seccomp => "seccomp".to_owned(),
            Self::ReadOnlyRoot => "read-only root".to_owned(),
            Self::EmptyDir(path) => path.clone(),
            Self::Sysctl(sysctl) => sysctl.clone(),
            Self::NoToken => "no token".to_owned(),
        }
    }
}

impl fmt::Display for Injected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Digest => f.write_str("digest"),
            Self::RunAsNonRoot => f.write_str("runAsNonRoot"),
            Self::RunAsUser(user) => write!(f, "runAsUser {user}"),
            Self::RunAsGroup(group) => write!(f, "runAsGroup {group}"),
            Self::FsGroup(group) => write!(f, "fsGroup {group}"),
            Self::NoPrivilegeEscalation => f.write_str("allowPrivilegeEscalation"),
            Self::DropAll => f.write_str("drop ALL"),
            Self::Seccomp => f.write_str("seccompProfile RuntimeDefault"),
            Self::ReadOnlyRoot => f.write_str("readOnlyRootFilesystem"),
            Self::EmptyDir(path) if path == "/tmp" => f.write_str("tmp emptyDir"),
            Self::EmptyDir(path) => write!(f, "emptyDir {path}"),
            Self::Sysctl(sysctl) => write!(f, "sysctl {sysctl}"),
            Self::Requests => f.write_str("requests"),
            Self::Toleration => f.write_str("GPU toleration"),
            Self::NodeSelector => f.write_str("GPU node selector"),
            Self::NoToken => f.write_str("no API token"),
        }
    }
}

type Held<'a> = (&'a Pod, &'a Container);

fn of_container(before: Held<'_>, after: Held<'_>, found: &mut BTreeSet<Injected>) {
    let (was, is) = (Effective::of(before.0, before.1), Effective::of(after.0, after.1));
    let set = |was: Option<bool>, is: Option<bool>, to: bool| was.is_none() && is == Some(to);
    let lacked = |resource| !requests(before.0, before.1, resource) && requests(after.0, after.1, resource);
    let pinned = !before.1.image.contains('@') && after.1.image.contains('@');
    let profiled = was.seccomp.is_none() && is.seccomp.is_some_and(|profile| profile.kind == "RuntimeDefault");
    let flags = [
        (pinned, Injected::Digest),
        (set(was.run_as_non_root, is.run_as_non_root, true), Injected::RunAsNonRoot),
        (set(was.allow_privilege_escalation, is.allow_privilege_escalation, false), Injected::NoPrivilegeEscalation),
        (!was.drops_all && is.drops_all, Injected::DropAll),
        (profiled, Injected::Seccomp),
        (set(was.read_only_root, is.read_only_root, true), Injected::ReadOnlyRoot),
        (lacked("cpu") || lacked("memory"), Injected::Requests),
    ];
    found.extend(flags.into_iter().filter_map(|(is_so, what)| is_so.then_some(what)));
    let new = |was: Option<i64>, is: Option<i64>| is.filter(|_| was.is_none());
    found.extend(new(was.run_as_user, is.run_as_user).map(Injected::RunAsUser));
    found.extend(new(was.run_as_group, is.run_as_group).map(Injected::RunAsGroup));
}

fn of_pod(before: &Pod, after: &Pod) -> Vec<Injected> {
    let nothing = PodSecurity::default();
    let (was, is) = (before.security.as_ref().unwrap_or(&nothing), after.security.as_ref().unwrap_or(&nothing));
    let on_mismatch = is.fs_group_change_policy.as_deref() == Some("OnRootMismatch");
    let group = is.fs_group.filter(|_| was.fs_group.is_none() && on_mismatch).map(Injected::FsGroup);
    let sysctls = is.sysctls.iter().filter(|sysctl| !was.sysctls.contains(sysctl));
    let sysctls = sysctls.map(|sysctl| Injected::Sysctl(format!("{}={}", sysctl.name, sysctl.value)));
    let selected = after.node_selector.iter().any(|entry| !before.node_selector.contains(entry));
    let silenced = before.automount_token.is_none() && after.automount_token == Some(false);
    let flags = [(selected, Injected::NodeSelector), (silenced, Injected::NoToken)];
    let flags = flags.into_iter().filter_map(|(is_so, what)| is_so.then_some(what));
    group.into_iter().chain(sysctls).chain(flags).collect()
}

/// Mounts that came with an emptyDir.
fn empty_dirs(before: &Container, after: &Container, template: &Template) -> Vec<Injected> {
    let is_empty_dir =
        |name: &str| template.volumes.iter().any(|volume| volume.name == name && volume.source == "emptyDir");
    let new = after.mounts.iter().filter(|mount| !before.mounts.contains(mount) && is_empty_dir(&mount.name));
    new.map(|mount| Injected::EmptyDir(mount.mount_path.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn words(before: &Value, after: &Value) -> Vec<String> {
        let read = |spec: &Value| Template::read(json!({"spec": spec})).unwrap();
        Injected::between(&read(before), &read(after)).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn nothing_was_put_into_what_is_the_same() {
        let spec = json!({"containers": [{"name": "a", "image": "a:1", "securityContext": {"runAsUser": 5}}]});
        assert!(words(&spec, &spec).is_empty());
    }

    #[test]
    fn a_digest_counts_when_every_image_has_one() {
        let spec = |a, b| json!({"containers": [{"name": "a", "image": a}, {"name": "b", "image": b}]});
        assert_eq!(words(&spec("a:1", "b:1"), &spec("a:1@sha256:0", "b:1@sha256:0")), ["digest"]);
        assert!(words(&spec("a:1", "b:1"), &spec("a:1@sha256:0", "b:1")).is_empty());
    }

    #[test]
    fn what_stands_at_the_pod_counts_for_the_container() {
        let before = json!({"containers": [{"name": "a"}]});
        let after = json!({
            "securityContext": {"runAsNonRoot": true, "fsGroup": 7, "fsGroupChangePolicy": "OnRootMismatch"},
            "containers": [{"name": "a", "securityContext": {"runAsUser": 7}}],
        });
        assert_eq!(words(&before, &after), ["runAsNonRoot", "runAsUser 7", "fsGroup 7"]);
    }

    #[test]
    fn a_token_is_taken_only_from_a_template_that_did_not_say() {
        let spec = |rest: Value| json!({"containers": [{"name": "a"}], "automountServiceAccountToken": rest});
        assert_eq!(words(&spec(json!(null)), &spec(json!(false))), ["no API token"]);
        assert!(words(&spec(json!(true)), &spec(json!(false))).is_empty());
    }

    #[test]
    fn a_mount_counts_if_its_volume_is_an_empty_dir() {
        let before = json!({"containers": [{"name": "a"}]});
        let after = |volume: Value| {
            json!({
                "containers": [{"name": "a", "volumeMounts": [{"name": "v", "mountPath": "/tmp"}]}],
                "volumes": [volume],
            })
        };
        assert_eq!(words(&before, &after(json!({"name": "v", "emptyDir": {}}))), ["tmp emptyDir"]);
        assert!(words(&before, &after(json!({"name": "v", "configMap": {"name": "c"}}))).is_empty());
    }
}
