//! Who needs the API, and so keeps the token: what the settings say, and programs that are made to talk to the API
//! server.

use std::collections::BTreeMap;

use portreeve_sdk::view::{Container, Pod};
use portreeve_sdk::{Case, SettingsError};
use serde::Deserialize;

use crate::exact::Exact;
use crate::repository::RepositoryPattern;
use crate::service_account::ServiceAccount;
use crate::trust::name_somebody;

/// Images of programs that are of no use without the API: controllers, collectors of metrics and logs that look up
/// pods, and tools that start workloads. Whole names, so that nobody else can take them.
const KNOWN: [&str; 32] = [
    "docker.io/airbyte/**",
    "docker.io/dagster/**",
    "docker.io/fluent/fluent-bit",
    "docker.io/fluent/fluentd-kubernetes-daemonset",
    "docker.io/grafana/agent",
    "docker.io/grafana/alloy",
    "docker.io/grafana/promtail",
    "docker.io/hashicorp/consul-k8s-control-plane",
    "docker.io/hashicorp/vault-k8s",
    "docker.io/istio/install-cni",
    "docker.io/istio/pilot",
    "docker.io/library/traefik",
    "docker.io/otel/opentelemetry-collector-contrib",
    "docker.io/otel/opentelemetry-collector-k8s",
    "docker.io/prom/prometheus",
    "docker.io/timberio/vector",
    "docker.io/velero/velero",
    "ghcr.io/external-secrets/**",
    "ghcr.io/fluxcd/**",
    "ghcr.io/kedacore/**",
    "quay.io/argoproj/**",
    "quay.io/jetstack/**",
    "quay.io/kiwigrid/k8s-sidecar",
    "quay.io/prometheus-operator/**",
    "quay.io/prometheus/prometheus",
    "registry.k8s.io/autoscaling/**",
    "registry.k8s.io/external-dns/**",
    "registry.k8s.io/ingress-nginx/**",
    "registry.k8s.io/kube-state-metrics/**",
    "registry.k8s.io/kubectl",
    "registry.k8s.io/metrics-server/**",
    "registry.k8s.io/sig-storage/**",
];

/// Pods that all of these describe.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema, serde::Serialize), schemars(inline))]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(super) struct Need {
    /// They run under one of these service accounts, written `namespace/name`: the name alone could be made in any
    /// namespace.
    service_accounts: Vec<ServiceAccount>,
    /// One of their containers runs one of these images.
    images: Vec<RepositoryPattern>,
    /// They have all of these labels. Never by themselves, since whoever writes a workload writes its labels.
    labels: BTreeMap<String, Exact>,
}

/// All that need the API.
#[derive(Debug)]
pub(super) struct Needs {
    listed: Vec<Need>,
    known: Vec<RepositoryPattern>,
}

impl Needs {
    /// What the settings say, with what is known to everyone.
    pub(super) fn new(listed: Vec<Need>) -> Result<Self, SettingsError> {
        if let Some(index) = listed.iter().position(|need| !need.names_somebody()) {
            let reason = "anybody could say that of their pods: give service accounts or images, not all of them";
            return Err(SettingsError::new(format!("/needsToken/{index}"), reason));
        }
        let known = KNOWN.iter().filter_map(|&name| RepositoryPattern::try_from(name.to_owned()).ok()).collect();
        Ok(Self { listed, known })
    }

    /// Whether the pod is one of those.
    pub(super) fn take(&self, case: &Case<'_>, pod: &Pod) -> bool {
        let containers = case.containers();
        runs_any(&self.known, containers) || self.listed.iter().any(|need| need.takes(case, pod))
    }
}

impl Need {
    fn names_somebody(&self) -> bool {
        !self.service_accounts.is_empty() || name_somebody(self.images.iter().map(RepositoryPattern::as_str))
    }

    fn takes(&self, case: &Case<'_>, pod: &Pod) -> bool {
        (self.service_accounts.is_empty() || ServiceAccount::any(&self.service_accounts, case, pod))
            && (self.images.is_empty() || runs_any(&self.images, case.containers()))
            && self.labels.iter().all(|(name, value)| pod.label(name) == Some(value.as_str()))
    }
}

fn runs_any(patterns: &[RepositoryPattern], containers: &[Container]) -> bool {
    containers.iter().any(|container| RepositoryPattern::any_written(patterns, &container.image))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_known_image_is_a_pattern() {
        assert_eq!(Needs::new(Vec::new()).unwrap().known.len(), KNOWN.len());
    }

    #[test]
    fn labels_alone_and_whoever_comes_are_refused() {
        let labels = r#""labels": {"needs-api": "yes"}"#;
        for rest in ["", r#", "images": ["**"]"#] {
            let need = serde_json::from_str(&format!("{{{labels}{rest}}}")).unwrap();
            assert_eq!(Needs::new(vec![need]).unwrap_err().at, "/needsToken/0", "{rest}");
        }
    }
}
