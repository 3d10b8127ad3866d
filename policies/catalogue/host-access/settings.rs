//! What users may write under `settings`, and for whom a loosening is. What is judged is in `policy`.

use std::collections::BTreeMap;

use portreeve_sdk::image::ImagePattern;
use portreeve_sdk::view::Pod;
use portreeve_sdk::{Case, SettingsError};
use serde::Deserialize;

use super::path::HostPath;
use crate::exact::Exact;
use crate::service_account::ServiceAccount;
use crate::trust;

/// Settings of host-access.
#[derive(Debug, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema, serde::Serialize))]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(crate) struct Settings {
    /// Namespaces of the node that no pod may share. Pods share the node's users unless they set `hostUsers: false`,
    /// so `users` asks that of every Linux pod.
    pub(super) forbidden_namespaces: Vec<HostNamespace>,
    /// Folders of the node that every pod may mount, with all that is below.
    pub(super) paths: Vec<AllowedPath>,
    /// Ports of the node that every container may bind.
    pub(super) ports: Vec<PortRange>,
    /// What certain pods may have beyond that.
    pub(super) allow: Vec<Allowance>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            forbidden_namespaces: vec![HostNamespace::Network, HostNamespace::Pid, HostNamespace::Ipc],
            paths: Vec::new(),
            ports: Vec::new(),
            allow: Vec::new(),
        }
    }
}

/// A namespace of the node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema, serde::Serialize))]
#[serde(rename_all = "lowercase")]
pub(super) enum HostNamespace {
    /// Its network: every port, and the traffic of all pods.
    Network,
    /// Its processes.
    Pid,
    /// Its shared memory.
    Ipc,
    /// Its users: root in a container is root on the node if it gets out.
    Users,
}

/// A folder of the node.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema, serde::Serialize))]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct AllowedPath {
    /// The folder, or a file.
    pub(super) path: HostPath,
    /// What may be done there.
    #[serde(default)]
    pub(super) access: Access,
}

/// What may be done in a folder, the least first.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema, serde::Serialize))]
#[serde(rename_all = "camelCase")]
pub(super) enum Access {
    /// It may be read: every mount has to say `readOnly: true`.
    #[default]
    ReadOnly,
    /// It may be written.
    ReadWrite,
}

/// Ports of the node, both ends included.
#[derive(Debug, Clone, Copy, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema, serde::Serialize))]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct PortRange {
    from: u16,
    to: u16,
}

/// What pods may have that all of these describe. A service account or images are given: labels and names of namespaces
/// alone are chosen by whoever writes the workload.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema, serde::Serialize))]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(super) struct Allowance {
    /// The pod runs as one of these, written `namespace/name`.
    service_accounts: Vec<ServiceAccount>,
    /// Every container of the pod runs one of these images, init containers and sidecars included.
    images: Vec<ImagePattern>,
    /// The pod is in one of these namespaces.
    namespaces: Vec<Exact>,
    /// The pod template has all of these labels.
    labels: BTreeMap<String, Exact>,
    /// Namespaces of the node that it may share.
    pub(super) host_namespaces: Vec<HostNamespace>,
    /// Folders of the node that it may mount.
    pub(super) paths: Vec<AllowedPath>,
    /// Ports of the node that its containers may bind.
    pub(super) ports: Vec<PortRange>,
}

impl Settings {
    /// Refuses loosenings that anyone could make their own, or that loosen nothing.
    pub(super) fn check(&self) -> Result<(), SettingsError> {
        check_ports(&self.ports, "")?;
        for (index, allowance) in self.allow.iter().enumerate() {
            let at = format!("/allow/{index}");
            check_ports(&allowance.ports, &at)?;
            if !allowance.names_somebody() {
                let reason = "says too little of whom it is for: give serviceAccounts or images, other than all, since \
                              labels and namespaces are written by those who would use it";
                return Err(SettingsError::new(at, reason));
            }
            if allowance.host_namespaces.is_empty() && allowance.paths.is_empty() && allowance.ports.is_empty() {
                return Err(SettingsError::new(at, "allows nothing: give hostNamespaces, paths or ports"));
            }
        }
        Ok(())
    }
}

fn check_ports(ranges: &[PortRange], at: &str) -> Result<(), SettingsError> {
    let bad = ranges.iter().position(|range| range.from == 0 || range.to < range.from);
    let error = |index| SettingsError::new(format!("{at}/ports/{index}"), "goes from 1 at least up to `to`");
    bad.map_or(Ok(()), |index| Err(error(index)))
}

impl PortRange {
    /// Whether the port is one of these.
    pub(super) fn holds(&self, port: i64) -> bool {
        (i64::from(self.from)..=i64::from(self.to)).contains(&port)
    }
}

impl std::fmt::Display for PortRange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.from == self.to { write!(f, "{}", self.from) } else { write!(f, "{}-{}", self.from, self.to) }
    }
}

impl Allowance {
    /// Whether it rests on more than anybody can write. Images that are all of them rest on nothing.
    fn names_somebody(&self) -> bool {
        !self.service_accounts.is_empty() || trust::name_somebody(self.images.iter().map(ImagePattern::as_str))
    }

    /// Whether the pod is one of those meant.
    pub(super) fn is_for(&self, case: &Case<'_>, pod: &Pod) -> bool {
        let namespace = case.request().namespace().unwrap_or_default();
        (self.service_accounts.is_empty() || ServiceAccount::any(&self.service_accounts, case, pod))
            && (self.images.is_empty() || case.containers().iter().all(|c| ImagePattern::any(&self.images, &c.image)))
            && (self.namespaces.is_empty() || Exact::any(&self.namespaces, namespace))
            && self.labels.iter().all(|(name, value)| pod.label(name) == Some(value.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use portreeve_sdk::export::Registration;

    use super::super::HostAccess;

    fn refused(settings: &str) -> (String, String) {
        let error = Registration::of::<HostAccess>().configure(settings).err().unwrap();
        (error.at, error.reason)
    }

    #[test]
    fn an_allowance_on_labels_and_namespaces_alone_is_refused() {
        let (at, reason) =
            refused(r#"{"allow": [{"namespaces": ["a"], "labels": {"a": "b"}, "hostNamespaces": ["network"]}]}"#);
        assert_eq!(at, "/allow/0");
        assert!(reason.contains("give serviceAccounts or images"), "{reason}");
    }

    #[test]
    fn an_allowance_for_every_image_is_refused() {
        assert_eq!(refused(r#"{"allow": [{"images": ["*"], "hostNamespaces": ["network"]}]}"#).0, "/allow/0");
    }

    #[test]
    fn an_allowance_that_allows_nothing_is_refused() {
        assert!(refused(r#"{"allow": [{"images": ["agent"]}]}"#).1.contains("allows nothing"));
    }

    #[test]
    fn a_folder_that_climbs_or_begins_nowhere_is_refused() {
        assert!(refused(r#"{"paths": [{"path": "/var/../etc"}]}"#).1.contains("climbs"));
        assert!(refused(r#"{"paths": [{"path": "var/log"}]}"#).1.contains("is no absolute path"));
    }

    #[test]
    fn ports_that_run_backwards_are_refused() {
        assert_eq!(refused(r#"{"ports": [{"from": 80, "to": 80}, {"from": 90, "to": 80}]}"#).0, "/ports/1");
        assert_eq!(refused(r#"{"allow": [{"images": ["a"], "ports": [{"from": 0, "to": 1}]}]}"#).0, "/allow/0/ports/0");
    }
}
