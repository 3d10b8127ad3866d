//! Files that lie beside manifests and look like objects, but are read by a tool and never by an API server. They are
//! known by what they say of themselves, whatever the file is called.

use std::fmt;

use serde_json::Value;

use super::node::{Content, Node};

/// What a file is that no API server ever sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Foreign {
    /// `kustomization.yaml`, or a component of one.
    Kustomization,
    /// `Chart.yaml`.
    Chart,
    /// A kubeconfig.
    Kubeconfig,
    /// What a program of Kubernetes or around it is configured with, such as kubeadm or kind.
    Configuration,
}

/// API groups that no API server serves: objects of them are files of a program.
const OF_PROGRAMS: [&str; 13] = [
    "apiserver.config.k8s.io",
    "apiserver.k8s.io",
    "audit.k8s.io",
    "client.authentication.k8s.io",
    "cloudcontrollermanager.config.k8s.io",
    "k3d.io",
    "kind.x-k8s.io",
    "kubeadm.k8s.io",
    "kubecontrollermanager.config.k8s.io",
    "kubelet.config.k8s.io",
    "kubeproxy.config.k8s.io",
    "kubescheduler.config.k8s.io",
    "skaffold",
];

impl Foreign {
    /// What this document is, if it is none for an API server.
    pub(super) fn of(root: &Node) -> Option<Self> {
        let api_version = text(root, "apiVersion")?;
        let group = api_version.split_once('/').map_or("", |(group, _)| group);
        match (group, text(root, "kind")) {
            ("kustomize.config.k8s.io", Some("Kustomization" | "Component")) => Some(Self::Kustomization),
            ("", None) if is_chart(root, api_version) => Some(Self::Chart),
            ("", Some("Config")) if is_kubeconfig(root, api_version) => Some(Self::Kubeconfig),
            (group, Some(_)) if OF_PROGRAMS.contains(&group) => Some(Self::Configuration),
            _ => None,
        }
    }
}

/// By <https://helm.sh/docs/topics/charts/#the-chartyaml-file>.
fn is_chart(root: &Node, api_version: &str) -> bool {
    let has = |field| text(root, field).is_some();
    matches!(api_version, "v1" | "v2") && has("name") && has("version") && root.child("metadata").is_none()
}

fn is_kubeconfig(root: &Node, api_version: &str) -> bool {
    let has = |field| root.child(field).is_some();
    api_version == "v1" && has("clusters") && has("contexts") && !has("metadata")
}

fn text<'n>(root: &'n Node, field: &str) -> Option<&'n str> {
    match &root.child(field)?.0.node.content {
        Content::Scalar(Value::String(text)) => Some(text),
        _ => None,
    }
}

impl fmt::Display for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Kustomization => "a kustomization, run `kustomize build` and judge what it prints",
            Self::Chart => "a chart's own file, run `helm template` and judge what it prints",
            Self::Kubeconfig => "a kubeconfig, no object of a cluster",
            Self::Configuration => "the configuration of a program, no object of a cluster",
        })
    }
}
